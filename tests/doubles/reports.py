"""Reports, committed to a bucket in memory."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import AuditRequest, Run
from backup_audit.fleet.selection import Decision
from backup_audit.judge.finding import Finding
from backup_audit.plan import Entry, plan_audit
from backup_audit.report.alerts import PLATFORM, Alerts, Audience, ReaderState
from backup_audit.report.changes import Resolved
from backup_audit.report.commit import Draw, StoredReport, commit
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.listeners import Listening
from backup_audit.report.previous import Previous
from backup_audit.report.rendering import json_line, report_pieces
from backup_audit.report.report import (
    Ceilings,
    Effort,
    Plan,
    PreviousReport,
    StoredPlan,
    WholeReport,
)
from backup_audit.report.store import RunKeys
from tests.doubles.builders import NOW, run
from tests.doubles.edges import sketched
from tests.doubles.fakes import InMemoryStore

_EARLIER = "earlier/report.json"


def _raised(error: Exception) -> None:
    raise error


def stored(
    findings: Sequence[Finding],
    *,
    remembered: Sequence[Resolved] = (),
    of: Run | None = None,
    store: InMemoryStore | None = None,
    inventory: InventoryRecord | None = None,
    prefix: str | None = None,
    alerts: Alerts | None = None,
    notifies: bool = True,
    after: StoredReport | None = None,
    mutes: Sequence[MuteRecord] = (),
    warnings: Sequence[str] = (),
    draw: Draw = sketched,
    page_failed: Callable[[Exception], None] = _raised,
) -> StoredReport:
    """The report of these findings, in a bucket of its own.

    `remembered` are the ended problems that the report before it names, `after` is that report, and
    `alerts` what the run goes on with. The foundation is "test"; a prefix that is given is its name
    too. `draw` draws the page, `page_failed` hears why it could not; unless given, the test fails.
    """
    store, of = store or InMemoryStore(), of or run()
    previous = _previous(after) if after else None
    if remembered:
        head = stored(findings).head
        store.objects[_EARLIER] = b"".join(report_pieces(head, resolved=remembered))
        previous = PreviousReport(
            run_id="earlier", report_key=_EARLIER, report_sha256="0" * 64, manifest_sha256=None
        )
    plan = Plan(
        notifies=notifies,
        instances=len(findings),
        configuration_uri="ssm:/test",
        configuration_sha256="0" * 64,
        policy_digest="0" * 64,
        previous=previous,
        listeners=dict.fromkeys(Audience, Listening(confirmed=1, had_one=True)),
        warnings=tuple(warnings),
    )
    ceilings = Ceilings(concurrency=1, workers=4, requests_per_second=None)
    keys = RunKeys.of(prefix or "backup-audit", of)
    store.objects[keys.findings(0)] = b"".join(map(json_line, findings))
    settled = StoredPlan(
        run=of,
        plan=plan,
        alerts=_with_readers(alerts or alerts_from(of.due_at), findings),
        mutes=tuple(mutes),
        place="plans",
        batches=1,
        ceilings=ceilings,
        inventory=inventory,
    )
    if settled.fleet_key:
        store.objects[settled.fleet_key] = b""
    report, _ = commit(
        store,
        keys,
        settled,
        foundation=prefix or "test",
        effort=Effort(api_calls=len(findings), retries=0, seconds=1.5),
        finished_at=NOW,
        invocation_id="i",
        draw=draw,
        page_failed=page_failed,
    )
    return report


def _with_readers(alerts: Alerts, findings: Sequence[Finding]) -> Alerts:
    """What a run goes on with, and who was notified of these problems before it."""
    readers = dict(alerts.readers)
    for one in findings:
        if one.notified_at is None or one.notified_at == one.due_at:
            continue
        state = ReaderState(digest_at=None, why=(), episode=one.notified_at, cleared=False)
        for reader in (PLATFORM, *([one.owner] if one.owner and alerts.per_owner else [])):
            readers.setdefault(reader, state)
    return msgspec.structs.replace(alerts, readers=readers)


def _previous(report: StoredReport) -> PreviousReport:
    return PreviousReport(
        run_id=report.head.run.run_id,
        report_key=report.address.key,
        report_sha256="0" * 64,
        manifest_sha256=None,
    )


def alerts_from(due_at: datetime, **parts: Any) -> Alerts:  # noqa: ANN401
    """What a run due then goes on with if all messages before it are out."""
    still = Alerts(
        news_from=dict.fromkeys(Audience, due_at), remind_every_seconds=86_400, per_owner=False
    )
    return msgspec.structs.replace(still, **parts)


def planned(
    fleet: Sequence[Decision], of: Run | None = None, previous: Previous | None = None
) -> tuple[Plan, list[Entry]]:
    """The plan of a run of this fleet, and its entries in their order."""
    return plan_audit(
        AuditRequest(),
        of or run(),
        fleet,
        previous or Previous(),
        configuration_uri="ssm:/test",
        configuration_sha256="0" * 64,
    )


def whole(findings: Sequence[Finding], *, remembered: Sequence[Resolved] = ()) -> WholeReport:
    """The report of these findings, all of it at once."""
    store = InMemoryStore()
    key = stored(findings, remembered=remembered, store=store).address.key
    return msgspec.json.decode(store.objects[key], type=WholeReport)
