"""A month of two foundations, as their runs left it: a bucket to query.

`eu` has a fleet of a dozen under rules, audited twice a day, and whatever else happens in a month.
`us` has a large fleet for two days, whose runs have the same ids.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from backup_audit.audit import Audit
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.run import AuditRequest, Run, Scope, plan_run
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Refusal,
    Silence,
    UnreadableBackup,
)
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.links import Links
from backup_audit.probe.attempt import Attempt
from backup_audit.publish import publish
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import KeptObject
from tests.doubles.builders import SETTINGS, finding
from tests.doubles.crashing import Died
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    NOT_FOUND,
    FixedSource,
    InMemoryStore,
    ListedFoundation,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)
from tests.doubles.reports import stored

MANY = 25_000  # DuckDB takes types from the first 20,480 rows unless it is asked to read all
UMLAUTS = "zürich-gebühren-db"
FORMULA = "=SUM(A1:A9)"
HOUR = timedelta(hours=1)

_When = Callable[[datetime], Answer | tuple[Answer, int | None]]


def day(number: int, hour: int = 0) -> datetime:
    """An hour of a day of January 2026, UTC."""
    return datetime(2026, 1, number, hour, tzinfo=UTC)


def _aged(*hours: float) -> _When:
    """Backups that are always so old: they are made regularly."""
    return lambda when: BackupList(tuple(Backup(when - age * HOUR) for age in hours))


def _until(last: datetime) -> _When:
    """A backup every night, until the last one."""
    return lambda when: BackupList((Backup(when - 3 * HOUR if when < last else last),))


def _from(first: datetime, then: _When, before: _When) -> _When:
    return lambda when: then(when) if when >= first else before(when)


def _always(answer: Answer, status: int | None = 200) -> _When:
    return lambda _: (answer, status)


# What the instances of `eu` answer, by name.
ANSWERS: Mapping[str, _When] = {
    "well": _aged(3, 27),
    "nightly": _aged(20, 44),
    "weekly": _aged(100),  # its max_age is 7 d
    "fast": _aged(6),  # its max_age is 4 h, as that of hasty and cautious below
    "gold": _aged(3, 27, 51),  # it has to have 3, as thin and cautious
    "thin": _aged(3, 27),
    "stale": _until(day(14, 3)),
    "never": _always(BackupList(())),
    "bare": _from(  # but for a run that died, which nobody may believe
        day(31, 20), _aged(3), _always(Refusal(10008, "CF-UnprocessableEntity", "no backups"), 422)
    ),
    "gone": _from(day(20), _always(NOT_FOUND, 404), _aged(3)),
    "flapping": _from(day(8, 12), _until(day(27, 3)), _until(day(4, 3))),  # stale twice
    "moved": _until(day(9, 3)),  # to another owner on the 12th
    "muted": _until(day(1, 1)),
    "silent": _always(Silence(Cause.TIMEOUT, "no answer within the read time-out"), None),
    "doubtful": lambda when: BackupList(
        (Backup(when - 20 * HOUR), UnreadableBackup("created_at is no time"))
    ),
    "hasty": lambda when: BackupList(
        (Backup(when - 6 * HOUR), UnreadableBackup("created_at is no time"))
    ),
    "cautious": lambda when: BackupList(
        (
            *(Backup(when - age * HOUR) for age in (6, 30, 54)),
            UnreadableBackup("created_at is no time"),
        )
    ),
    "more": lambda when: BackupList((Backup(when - 20 * HOUR),), more="next is given"),
    "young": _always(BackupList(())),  # appears on the 29th
}


def _rows(when: datetime) -> list[ServiceInstance]:
    return [
        ServiceInstance(
            guid=f"guid-{name}",
            name=name,
            org="shop",
            space="prod",
            offering="p.mysql" if name in ("stale", "moved", "gold", "thin") else "postgres",
            created_at=day(28, 12) if name == "young" else day(1) - timedelta(days=99),
        )
        for name in ANSWERS
        if name != "young" or when >= day(29)
    ]


def _configuration(when: datetime) -> dict[str, Any]:
    moved_to = "team-catalog" if when >= day(12) else "team-orders"
    return {
        "discover": [{"org": "*"}],
        "rules": [
            {"match": {"name": ["fast", "hasty", "cautious"]}, "max_age": "4h"},
            {"match": {"name": "weekly"}, "max_age": "7d"},
            {"match": {"name": ["gold", "thin", "cautious"]}, "min_backups": 3},
            {"match": {"name": "young"}, "grace": "7d"},
            {"match": {"name": "moved"}, "owner": moved_to},
            {"match": {"name": ["bare", "silent"]}, "owner": "platform"},
            {"match": {"name": ["stale", "flapping", "muted", "thin"]}, "owner": "team-orders"},
        ],
        "mutes": [
            {
                "match": {"name": ["muted"]},
                "owner": "team-orders",
                "reason": "is taken down",
                "until": "2026-12-31",
            }
        ],
    }


class _Store(InMemoryStore):
    """A bucket; while it `dies`, the run ends where its report would be written."""

    dies = False

    def put_new(self, key: str, body: bytes) -> bool:
        if self.dies and key.endswith("/report.json"):
            raise Died
        return super().put_new(key, body)


class _Edges(FakeEdges):
    def page(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        """No query reads pages."""
        return iter([b"<!doctype html>\n"])


class _Api(ScriptedApi):
    def __init__(self, when: datetime) -> None:
        super().__init__({f"guid-{name}": answer(when) for name, answer in ANSWERS.items()})
        self._at = when

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        asked = super().list_backups(guid, limit)
        evidence = msgspec.structs.replace(asked.evidence, observed_at=self._at)
        return msgspec.structs.replace(asked, evidence=evidence)


def _audit(store: _Store, when: datetime) -> Audit:
    foundation = ListedFoundation(_rows(when))
    foundation.at = when
    edges = _Edges(
        source=FixedSource(json.dumps(_configuration(when)).encode()),
        api=_Api(when),
        store=store,
        notifier=RecordingNotifier(),
        events=RecordingNotifier(),
        heartbeat=None,
        telemetry=RecordingTelemetry(),
        at=when,
        foundation=foundation,
    )
    settings = msgspec.structs.replace(SETTINGS, report_prefix="eu", foundation="eu")
    return Audit(settings, edges, f"invocation-{when:%d%H}", when + 15 * timedelta(minutes=1))


def _run(store: _Store, when: datetime, request: AuditRequest | None = None) -> None:
    """The scheduled run, unless another is asked for."""
    request = request or AuditRequest(scheduled_time=when)
    _audit(store, when).run(request, plan_run(request, when, f"by-hand-{when:%d%H}"))


def _died(store: _Store, when: datetime, request: AuditRequest | None = None) -> None:
    """A run that dies after its findings, and is never tried again."""
    store.dies = True
    with suppress(Died):
        _run(store, when, request)
    store.dies = False


def _of_eu(store: _Store) -> None:
    for number in range(1, 32):
        _run(store, day(number, 5))
        if number == 23:  # the run of the evening before, for which nobody cares any more
            _run(store, day(23, 6), AuditRequest(scheduled_time=day(22, 17)))
        if number == 14:
            _died(store, day(14, 17))
        elif number != 22:
            _run(store, day(number, 17))
        if number == 10:
            _run(store, day(10, 21), AuditRequest())
        # Due after the last full run of their day.
        if number in (9, 31):
            _run(store, day(number, 18), AuditRequest(max_age="7d"))
        if number in (3, 31):
            _run(store, day(number, 19), AuditRequest(instance_guids=["guid-well", "guid-stale"]))
    _died(store, day(31, 20), AuditRequest())


def _of_us(store: _Store) -> None:
    """Healthy on the 30th; on the 31st three problems behind many healthy instances."""
    one = finding(Verdict.HEALTHY, name="db")
    well = [msgspec.structs.replace(one, guid=f"guid-{number:05}") for number in range(MANY)]
    ill = [
        finding(Verdict.UNSUPPORTED, "a", name=UMLAUTS, owner="team-orders"),
        finding(Verdict.STALE, "b", name=FORMULA, owner="team-orders"),
        finding(Verdict.NOT_FOUND, "c"),
    ]
    for due_at, findings in ((day(30, 5), well[:3]), (day(31, 5), [*well, *ill])):
        run_id = f"{due_at:%Y%m%dT%H%M%SZ}"
        of = Run(run_id=run_id, scope=Scope.FULL, due_at=due_at, started_at=due_at)
        published(store, of, findings, prefix="us")


def published(
    store: InMemoryStore, of: Run, findings: Sequence[Finding], *, prefix: str
) -> StoredReport:
    """The report of a run with these findings, committed and made known, below a prefix."""
    mine = [
        msgspec.structs.replace(one, run_id=of.run_id, scope=of.scope, due_at=of.due_at)
        for one in findings
    ]
    report = stored(mine, of=of, store=store, prefix=prefix)
    edges = _Edges(
        source=FixedSource(b""),
        api=_Api(of.due_at),
        store=store,
        notifier=RecordingNotifier(),
        heartbeat=None,
        telemetry=RecordingTelemetry(),
        at=of.due_at,
    )
    links = Links(runbook_url=None, topic_arn=SETTINGS.topic_arn)
    publish(report, edges, links, notifies=False, repeated=False, by_hand=True)
    return report


@cache
def month() -> Mapping[str, bytes]:
    """The objects of the bucket, by key; `eu` and `us` begin their keys. Made once."""
    store = _Store()
    _of_eu(store)
    _of_us(store)
    return store.objects
