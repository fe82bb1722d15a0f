"""Values with sensible defaults, for tests that care about one of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from backup_audit.fleet.configuration import Configuration, Instance, InstanceEntry
from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.fleet.run import Run, Scope
from backup_audit.fleet.selection import Decision, Selection, Standing
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
)
from backup_audit.judge.finding import Alert, Finding, Problem, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.message import Message
from backup_audit.report.changes import Ended, OpenProblem, Resolved, problem_id
from backup_audit.report.drift import (
    Departed,
    Departure,
    Departures,
    InventoryRecord,
    UnauditedInstance,
)
from backup_audit.report.failing import Failing
from backup_audit.report.report import ReportAddress
from backup_audit.settings import Settings

NOW = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ADDRESS = ReportAddress(bucket="reports", key="backup-audit/report.json")
MUTE = Mute(guid="guid-1", owner="team-orders", reason="moves this month", until=NOW.date())
SETTINGS = Settings(
    api_url="https://api.example.com",
    credentials_secret="api",
    ca_bundle=None,
    config_uri="ssm:/test",
    instance_guids=(),
    report_bucket="reports",
    report_prefix="backup-audit",
    topic_arn="arn:aws:sns:us-east-1:123456789012:backup-audit",
    foundation="test",
    workers=4,
    requests_per_second=None,
    batch_size=5000,
    proxy_url=None,
    read_timeout=65.0,
)


def a_list(*hours: float) -> BackupList:
    """A list of backups so many hours old."""
    return BackupList(tuple(Backup(NOW - timedelta(hours=age)) for age in hours))


ANSWERS: dict[Verdict, tuple[Answer, int | None]] = {
    Verdict.HEALTHY: (a_list(3, 27), 200),
    Verdict.STALE: (a_list(50), 200),
    Verdict.NEVER_BACKED_UP: (BackupList(()), 200),
    Verdict.UNSUPPORTED: (Refusal(10008, "CF-UnprocessableEntity", "no backups"), 422),
    Verdict.NOT_FOUND: (Refusal(10010, "CF-ResourceNotFound", "not found"), 404),
    Verdict.UNKNOWN: (Silence(Cause.TIMEOUT, "no answer within the read time-out"), None),
}


def evidence(answer: Answer, status: int | None = 200) -> Evidence:
    """Evidence taken now."""
    return Evidence(
        answer=answer, observed_at=NOW, status=status, request_id="r-1", attempts=1, milliseconds=9
    )


def run(scope: Scope = Scope.FULL, due_at: datetime = NOW) -> Run:
    """A run that is due now."""
    return Run(run_id="20260131T050000Z", scope=scope, due_at=due_at, started_at=NOW)


def configuration(*guids: str, mutes: Iterable[Mute] = ()) -> Configuration:
    """A configuration that lists these instances."""
    listed = tuple(InstanceEntry(guid=guid) for guid in guids)
    return Configuration(instances=listed, mutes=tuple(mutes), sha256="0" * 64)


def decided(configuration: Configuration) -> list[Instance]:
    """The listed instances as a run audits them that knows nothing else of them."""
    selection = Selection(configuration, NOW.date())
    decisions = [selection.decide(one.guid, None, is_fresh=True) for one in configuration.instances]
    return [one.instance for one in decisions if one.instance is not None]


def instance(guid: str = "guid-1", name: str | None = None, owner: str | None = None) -> Instance:
    """An instance under the built-in policy."""
    return Instance(guid, BUILT_IN, name, owner)


def audited(*instances: Instance, mutes: Sequence[Mute] = ()) -> list[Decision]:
    """The decision to audit these instances; the mutes are theirs."""
    of = {mute.guid: mute for mute in mutes}
    return [
        Decision(Standing.AUDITED, f"instances[{index}]", one, of.get(one.guid))
        for index, one in enumerate(instances)
    ]


def finding(
    verdict: Verdict = Verdict.STALE,
    guid: str = "guid-1",
    *,
    name: str | None = None,
    owner: str | None = None,
    mute: Mute | None = None,
) -> Finding:
    """A finding with the evidence that proves its verdict."""
    answer, status = ANSWERS[verdict]
    found = finding_of(instance(guid, name, owner), evidence(answer, status), run(), mute)
    assert found.verdict is verdict
    return found


def open_problem(
    verdict: Verdict = Verdict.STALE,
    since: datetime = NOW,
    before: Problem | None = None,
    *,
    not_reached: bool = False,
) -> OpenProblem:
    """A problem that has had this verdict since it opened, and that somebody was notified of."""
    opened_at = before.since if before else since
    alert = Alert(verdict=before.verdict if before else verdict)
    return OpenProblem(verdict, since, opened_at, opened_at, alert, before, not_reached)


def ended_problem(guid: str = "guid-1", **parts: Any) -> Resolved:  # noqa: ANN401
    """A stale problem that opened a day ago and ended now, with everybody notified of both."""
    since = NOW - 24 * HOUR
    over = Resolved(
        guid=guid,
        name=None,
        owner=None,
        problem_id=problem_id(guid, since),
        verdict=Verdict.STALE,
        since=since,
        opened_at=since,
        notified_at=since,
        alert=Alert(verdict=Verdict.STALE),
        resolved_at=NOW,
        ended=Ended.HEALTHY,
        end_notified_at=NOW,
    )
    return msgspec.structs.replace(over, **parts)


# Five full runs failed since a day ago, the last of them now.
FAILING = Failing(
    foundation="test",
    since=NOW - 24 * HOUR,
    runs=5,
    cause="ApiUnreachable: down",
    last_run_id="r",
    last_failed_at=NOW,
    counted=("r",),
)

PLACE = {"org": "prod-eu", "space": "payments", "offering": "p.mysql", "plan": "db-gold-small"}


def inventory(**parts: object) -> InventoryRecord:
    """What a run reads of a foundation in which nothing has changed and everything is audited."""
    still = InventoryRecord(
        read=Read.COMPLETE,
        why=None,
        read_at=NOW,
        requests=1,
        sees=Sees.ALL,
        managed=3,
        user_provided=0,
        appeared=0,
        vanished=[],
        vanished_count=0,
        left=[],
        lost=0,
        unaudited=None,
        excluded=[],
        rules=[],
    )
    return msgspec.structs.replace(still, **parts)


def departed(
    guid: str = "guid-5",
    how: Departure = Departure.DESELECTED,
    verdict: Verdict | None = Verdict.STALE,
    **parts: object,
) -> Departed:
    """An instance that left the fleet with a problem that was open for a day."""
    problem = Problem(verdict, NOW - 24 * HOUR) if verdict else None
    is_excluded = how is Departure.EXCLUDED
    left = Departed(
        guid=guid,
        name="orders",
        **PLACE,
        owner=None,
        how=how,
        place="exclude[1]" if is_excluded else None,
        until="2026-03-31" if is_excluded else None,
        open_problem=problem,
    )
    return msgspec.structs.replace(left, **parts)


def departures(*instances: Departed) -> dict[str, object]:
    """The parts of an inventory after which these have left the fleet."""
    found = Departures()
    for one in instances:
        found.add(one)
    return {"vanished": found.named, "vanished_count": found.count, "left": found.left}


def unaudited(guid: str = "guid-6", *, is_new: bool = True, **parts: object) -> UnauditedInstance:
    """An instance that nobody audits."""
    one = UnauditedInstance(guid=guid, name="cache", is_new=is_new, **PLACE)
    return msgspec.structs.replace(one, **parts)


def a_message(number: int = 0, text: str = "words") -> Message:
    """A message of a digest."""
    return Message(
        message_id=f"r/digest/{number}",
        subject=f"subject {number}",
        body=text,
        attributes={"event": "digest", "verdict": ("stale", "unknown")},
    )
