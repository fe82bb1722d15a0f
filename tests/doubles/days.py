"""A foundation from day to day, audited by the use case in either mode."""

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import AuditError, SubscriptionsUnknown
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer
from backup_audit.judge.finding import Finding
from backup_audit.notify.message import Message
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.report.alerts import Audience
from backup_audit.report.drift import FleetRow, InventoryRecord
from backup_audit.report.report import Answer as RunAnswer
from backup_audit.report.report import Latest, WholeReport
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    FixedSource,
    InMemoryStore,
    ListedFoundation,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)

DAY = timedelta(days=1)
EVERYTHING = {"discover": [{"org": "*"}]}

_invocations = itertools.count()


def row(guid: str, **more: Any) -> ServiceInstance:  # noqa: ANN401
    """An instance of the foundation."""
    places = {"name": f"name-{guid}", "org": "prod", "space": "orders", "offering": "postgres"}
    return ServiceInstance(guid=guid, **{**places, "created_at": NOW - 99 * DAY, **more})


class Days:
    """The bucket, the topic, and a foundation: what it lists is there, and has a backup.

    `answers` are those to other questions than the list's; `subscribers` as those of FakeEdges.
    """

    def __init__(
        self,
        rows: Iterable[ServiceInstance] = (),
        configuration: Mapping[str, Any] = EVERYTHING,
        *,
        mapped: bool = False,
    ) -> None:
        self.foundation = ListedFoundation(rows)
        self.configuration = dict(configuration)
        self.answers: dict[str, Answer | tuple[Answer, int | None]] = {}
        self.store = InMemoryStore()
        self.notifier = RecordingNotifier()
        self.events = RecordingNotifier()
        self.chat = RecordingNotifier()
        self.subscribers: dict[Audience, int | SubscriptionsUnknown] = dict.fromkeys(Audience, 1)
        self.telemetry = RecordingTelemetry()
        self.secret_is_gone: AuditError | None = None
        self.settings = SETTINGS
        self.asked: list[str] = []
        self.day = 0
        self._mapped = mapped

    def run(self, request: AuditRequest | None = None, *, days: int = 1) -> RunAnswer:
        """A run so many days after the last; the scheduled one, unless another is asked for."""
        self.day += days if request is None else 0
        now = NOW + self.day * DAY
        self.telemetry = RecordingTelemetry()
        self.foundation.at = now
        self.foundation.calls.clear()
        self.asked.clear()
        request = request or AuditRequest(scheduled_time=now)
        run = plan_run(request, now, f"execution-{next(_invocations)}")
        if not self._mapped or request.dry_run:
            return self.audit().run(request, run)
        planned = self.audit().plan(request, run)
        assert isinstance(planned, PlanAnswer)
        stored = read_plan(self.store, planned.plan_key)
        for number in range(planned.batches):
            self.audit().audit_batch(stored, number)
        answer = self.audit().conclude(stored)
        assert isinstance(answer, RunAnswer)
        return answer

    def audit(self) -> Audit:
        """The use case of one invocation."""
        now = NOW + self.day * DAY
        edges = FakeEdges(
            source=FixedSource(json.dumps(self.configuration).encode()),
            api=_Api(self),
            store=self.store,
            notifier=self.notifier,
            events=self.events,
            chat=self.chat,
            heartbeat=None,
            telemetry=self.telemetry,
            at=now + timedelta(seconds=7),
            foundation=self.foundation,
        )
        edges.secret_is_gone = self.secret_is_gone
        edges.subscribers = self.subscribers
        # One worker: the order of the answers decides which instances are examples of a group.
        settings = msgspec.structs.replace(self.settings, batch_size=3, workers=1)
        invocation = f"invocation-{next(_invocations)}"
        return Audit(settings, edges, invocation, now + timedelta(minutes=15))

    def told(self) -> list[Message]:
        """The messages since the last time that somebody asked."""
        messages = [*self.notifier.messages]
        self.notifier.messages.clear()
        return messages

    @property
    def latest(self) -> Latest:
        return msgspec.json.decode(self.store.objects["backup-audit/latest.json"], type=Latest)

    @property
    def report(self) -> WholeReport:
        """The last full one."""
        return msgspec.json.decode(self.store.objects[self.latest.report_key], type=WholeReport)

    @property
    def inventory(self) -> InventoryRecord:
        """What the last full report says of the fleet."""
        assert self.report.inventory
        return self.report.inventory

    @property
    def fleet_key(self) -> str:
        return self.latest.report_key.replace("report.json", "fleet.jsonl")

    @property
    def fleet(self) -> dict[str, FleetRow]:
        """fleet.jsonl of the last full run."""
        lines = self.store.objects[self.fleet_key].splitlines()
        rows = [msgspec.json.decode(line, type=FleetRow) for line in lines]
        assert len({one.guid for one in rows}) == len(rows)
        return {one.guid: one for one in rows}

    def findings(self, answer: RunAnswer | None = None) -> dict[str, Finding]:
        """The findings of the last full run, or of another, each instance once."""
        run_id = answer.run_id if answer else self.latest.run.run_id
        found = [
            msgspec.json.decode(line, type=Finding)
            for key, body in self.store.objects.items()
            if f"/run={run_id}/part-" in key
            for line in body.splitlines()
        ]
        assert len({one.guid for one in found}) == len(found)
        return {one.guid: one for one in found}


class _Api(ScriptedApi):
    """Answers by what the foundation has today."""

    def __init__(self, days: Days) -> None:
        answers: dict[str, Answer | tuple[Answer, int | None]] = {
            guid: a_list(3) for guid in days.foundation.rows
        }
        super().__init__(answers | days.answers, before_each=days.asked.append)
