"""Every kind of document that the product writes, by a few runs over fakes: the same at each call.

One foundation on four days: a first run, a second on which problems ended and others came, a
third that was not reached in full, a fourth in batches and without an inventory. Between them a run
of some instances, a what-if, and one that failed.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import ApiUnreachable
from backup_audit.fleet.inventory import Read, ServiceInstance
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    UnreadableBackup,
    with_age,
)
from backup_audit.notify.chat import run_failed_chat
from backup_audit.notify.events import run_failed_event
from backup_audit.notify.message import Message
from backup_audit.notify.run_failure import failure_of, run_failed
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.probe.attempt import Attempt
from backup_audit.probe.pacing import Outcome
from backup_audit.report.alerts import Audience
from backup_audit.report.failing import FailingRuns
from backup_audit.report.rendering import as_json
from backup_audit.report.store import RunKeys
from backup_audit.wiring import drawn
from backup_audit_cli.gathering import Gathering
from backup_audit_cli.glance import Glancing, ShownReport, Wanted
from backup_audit_cli.period import Period
from backup_audit_cli.runs import newest_full, opened, roots
from tests.doubles.archives import InMemoryArchive
from tests.doubles.builders import SETTINGS
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    ListedFoundation,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)

FIRST_DAY = datetime.fromisoformat("2026-01-28T05:00:00+00:00")
CONFIGURATION: dict[str, Any] = {
    "schema_version": 1,
    "defaults": {"max_age": "26h", "min_backups": 1},
    "instances": [
        "0a-healthy",
        {"guid": "1b-stale", "name": "orders-db", "owner": "team-orders", "max_age": "4h"},
        {"guid": "2c-never", "name": "invoices", "owner": "team-billing"},
        {"guid": "3d-unsupported", "name": "search-cache"},
        "4e-gone",
        {"guid": "5f-unknown", "name": "größe-ünïcode", "owner": "team-orders"},
        {"guid": "6a-young", "name": "new-db", "grace": "2d", "min_backups": 3},
        {"guid": "7b-muted", "name": "legacy", "owner": "team-legacy"},
        {"guid": "8c-few", "name": "reports", "min_backups": 3},
        {"guid": "9d-doubtful", "name": "=SUM(A1)"},
    ],
    "mutes": [
        {"guid": "7b-muted", "owner": "team-legacy", "reason": "moves", "until": "2026-01-29"},
        {"guid": "0a-healthy", "owner": "team-orders", "reason": "was new", "until": "2026-01-01"},
        {"guid": "no-such-guid", "owner": "team-a", "reason": "is gone", "until": "2026-12-31"},
    ],
}
_SETTINGS = msgspec.structs.replace(
    SETTINGS,
    credentials_secret="backup-audit/cloud-controller",
    config_uri="ssm:/backup-audit/configuration",
    foundation="example",
    workers=1,  # so that the findings come in their order
    batch_size=4,
)
_NO_SUPPORT = Refusal(10008, "CF-UnprocessableEntity", "The service offering does not support it.")
_DOWN = Refusal(10001, "CF-ServiceBrokerBadResponse", "The broker said no.")
_LATE = Silence(Cause.NOT_REACHED, "the run's time was over")
_DAY = timedelta(days=1)

_OUTAGE = [f"a{number}-broker-down" for number in range(10)]

_Answers = dict[str, tuple[Answer, int | None]]


def bucket_and_messages() -> dict[str, bytes]:
    """The documents by their names: objects of the bucket, messages and answers."""
    world = _World()
    return {
        "configuration.json": _pretty(CONFIGURATION),
        "answers.json": _pretty(list(world.answers())),
        "explanations.json": _pretty(list(world.explanations())),
        **{
            f"messages-{audience}.json": _pretty([_shown(one) for one in topic.messages])
            for audience, topic in world.topics.items()
        },
        **_of_the_command_line(world.store.objects),
        **{f"bucket/{key}": body for key, body in sorted(world.store.objects.items())},
    }


def _of_the_command_line(objects: Mapping[str, bytes]) -> dict[str, bytes]:
    """What `show --json` and `evidence --json` print of this bucket, a day after the last run."""
    [root] = roots(InMemoryArchive(objects))
    period = Period(FIRST_DAY.date(), (FIRST_DAY + 4 * _DAY).date())
    place, _ = newest_full(root)
    assert place is not None
    key = place.key("report.json")
    glance = Glancing(Wanted(owner="team-orders"), most=25).glance(
        opened(root, place)[0], root.shown(key), [], None
    )
    shown = ShownReport(
        **msgspec.structs.asdict(glance.head), findings=list(glance.findings), found=glance.tail
    )
    return {
        "evidence.json": as_json(Gathering(root, period).of(FIRST_DAY + 5 * _DAY)),
        "shown-report.json": as_json(shown),
    }


class _World:
    """The bucket, the topics and the foundation, from day to day."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.topics = {audience: RecordingNotifier() for audience in Audience}

    def answers(self) -> Iterator[dict[str, Any]]:
        """Run everything, one after the other; yield what the function answers."""
        for day, answers in enumerate([_first(), _second(), _third()]):
            yield self._run(AuditRequest(scheduled_time=FIRST_DAY + day * _DAY), day, answers)
        some = AuditRequest(instance_guids=["1b-stale", "not-configured"])
        yield self._run(some, 2, _third())
        what_if = AuditRequest(max_age="2h", as_of=FIRST_DAY + _DAY, notify=True)
        yield self._run(what_if, 2, _second())
        yield self._run(AuditRequest(dry_run=True), 2, _first())
        self._failed(2)
        yield self._mapped(AuditRequest(scheduled_time=FIRST_DAY + 3 * _DAY), 3, _first())

    def explanations(self) -> Iterator[dict[str, Any]]:
        """What the function answers to questions: of what is listed, of another, of a name."""
        audit = self._audit(FIRST_DAY, _first(), "question")
        for asked in ("1b-stale", "4e-gone", "name-0f-cache", "no-such-name"):
            yield _builtins(audit.explain(asked))

    def _run(self, request: AuditRequest, day: int, answers: _Answers) -> dict[str, Any]:
        now = FIRST_DAY + day * _DAY + timedelta(minutes=3)
        run = plan_run(request, now, f"invocation-{day}")
        audit = self._audit(now, answers, f"invocation-{day}")
        return _builtins(audit.run(request, run))

    def _mapped(self, request: AuditRequest, day: int, answers: _Answers) -> dict[str, Any]:
        now = FIRST_DAY + day * _DAY + timedelta(minutes=3)
        run = plan_run(request, now, "plan")
        audit = self._audit(now, answers, "step")
        planned = audit.plan(request, run)
        assert isinstance(planned, PlanAnswer)
        stored = read_plan(self.store, planned.plan_key)
        for number in range(planned.batches):
            if number != 1:  # this one fails for good
                audit.audit_batch(stored, number)
        return _builtins(audit.conclude(stored))

    def _failed(self, day: int) -> None:
        failed_at = FIRST_DAY + day * _DAY + timedelta(hours=1)
        run = plan_run(AuditRequest(scheduled_time=failed_at), failed_at, "invocation-9")
        for invocation, of in (("invocation-9", run), ("invocation-10", None)):
            failure = failure_of(
                ApiUnreachable("none of the 10 instances asked got an answer"),
                run=of,
                foundation="example" if of else None,
                invocation_id=invocation,
                failed_at=failed_at,
                remind_every=_DAY,
                runbook_url=None,
            )
            if of is not None:
                runs = FailingRuns(
                    self.store, RunKeys.of("backup-audit", of).failing, "example", print
                )
                failing = runs.failed_again(of.run_id, failed_at, failure.cause)
                failure = msgspec.structs.replace(failure, failing=failing)
            self.topics[Audience.PEOPLE].publish([run_failed(failure)])
            self.topics[Audience.EVENTS].publish([run_failed_event(failure)])
            self.topics[Audience.CHAT].publish([run_failed_chat(failure)])

    def _audit(self, now: datetime, answers: _Answers, invocation: str) -> Audit:
        edges = FakeEdges(
            source=FixedSource(json.dumps(_configuration(now)).encode()),
            api=_Api(answers, now),
            store=self.store,
            notifier=self.topics[Audience.PEOPLE],
            events=self.topics[Audience.EVENTS],
            chat=self.topics[Audience.CHAT],
            heartbeat=CountingHeartbeat(),
            telemetry=RecordingTelemetry(),
            at=now + timedelta(seconds=7),
            foundation=_foundation(now),
            draw=drawn,
        )
        return Audit(_SETTINGS, edges, invocation, now + timedelta(minutes=15))


def _configuration(now: datetime) -> dict[str, Any]:
    """What it lists: on the third day some more, whose broker is down."""
    if now.date() != (FIRST_DAY + 2 * _DAY).date():
        return CONFIGURATION
    return {**CONFIGURATION, "instances": [*CONFIGURATION["instances"], *_OUTAGE]}


def _foundation(now: datetime) -> ListedFoundation:
    """What it lists: on the second day something new that nobody audits, on the fourth nothing."""
    listed = [one if isinstance(one, str) else one["guid"] for one in CONFIGURATION["instances"]]
    listed.remove("4e-gone")
    unaudited = ["0f-cache"] if now < FIRST_DAY + _DAY else ["0f-cache", "1f-queue"]
    foundation = ListedFoundation(_row(guid) for guid in (*listed, *unaudited))
    foundation.at = now
    if now >= FIRST_DAY + 3 * _DAY:
        foundation.breaks = lambda _, reading: msgspec.structs.replace(
            reading, read=Read.FAILED, rows={}, why="HTTP 503 without a Cloud Foundry error"
        )
    return foundation


def _row(guid: str) -> ServiceInstance:
    return ServiceInstance(
        guid=guid,
        name=f"name-{guid}",
        org="prod-eu",
        space="payments",
        offering="p.mysql",
        plan="db-small",
        created_at=FIRST_DAY - timedelta(hours=12 if guid == "6a-young" else 2400),
    )


class _Api(ScriptedApi):
    """A BackupApi whose answers come now, each with an id of its own."""

    def __init__(self, answers: _Answers, now: datetime) -> None:
        super().__init__(answers)
        self._now = now

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        attempt = super().list_backups(guid, limit)
        evidence = msgspec.structs.replace(
            attempt.evidence, observed_at=self._now, request_id=f"request-{guid}"
        )
        return msgspec.structs.replace(attempt, evidence=evidence)

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        assert super().add_age(guid, listing)
        age = FIRST_DAY - timedelta(hours=12) if guid == "6a-young" else None
        return Attempt(evidence=with_age(listing, age), outcome=Outcome.ANSWERED)


def _first() -> _Answers:
    """Every verdict occurs, and a healthy instance is late."""
    return {
        "0a-healthy": (_backups(3, 5, 7, 9), 200),
        "1b-stale": (_backups(5, 9, 13, 17), 200),
        "2c-never": (BackupList(()), 200),
        "3d-unsupported": (_NO_SUPPORT, 422),
        "5f-unknown": (_DOWN, 502),
        "6a-young": (BackupList(()), 200),
        "7b-muted": (_backups(100), 200),
        "8c-few": (_backups(1, 25), 200),
        "9d-doubtful": (
            BackupList((UnreadableBackup("created_at is -1"), *_backups(30).backups)),
            200,
        ),
    }


def _second() -> _Answers:
    """Problems ended, one is hidden behind silence, one is new."""
    return _first() | {
        "0a-healthy": (_backups(50), 200),
        "1b-stale": (_backups(1), 200),
        "2c-never": (Silence(Cause.TIMEOUT, "no answer within the read time-out"), None),
        "6a-young": (_backups(1, 2, 3), 200),
        "8c-few": (_backups(1, 25, 49), 200),
    }


def _third() -> _Answers:
    """Problems come back, and the time was over before the last were reached."""
    late = {"8c-few": (_LATE, None), "9d-doubtful": (_LATE, None)}
    return _first() | late | dict.fromkeys(_OUTAGE, (_DOWN, 502))


def _backups(*hours: float) -> BackupList:
    """Ages on the first day; the later days' are older."""
    return BackupList(tuple(Backup(FIRST_DAY - timedelta(hours=age)) for age in hours))


def _shown(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "subject": message.subject,
        "attributes": message.attributes,
        "body": json.loads(message.body) if message.body[0] == "{" else message.body.splitlines(),
    }


def _builtins(struct: msgspec.Struct) -> dict[str, Any]:
    built: dict[str, Any] = json.loads(as_json(struct))
    return built


def _pretty(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
