"""latest.json: the pointer to the newest full run; it moves forward only, by compare-and-swap."""

from datetime import datetime
from functools import partial

import msgspec

from backup_audit.fleet.run import Run, Scope
from backup_audit.report.commit import StoredReport
from backup_audit.report.rendering import refuse_newer
from backup_audit.report.report import Latest
from backup_audit.report.store import ObjectStore, RunKeys, refuse_foreign, rewrite
from backup_audit.strict import UNDECODABLE


def advance_latest(stored: StoredReport) -> bool:
    """Point latest.json at a full run unless it points at one as new, or newer, already.

    Of two that were due in the same second, the newer is compared with the other. Return false if
    it points at a newer one: then this run is late, and nobody is notified of it.
    """
    report, keys, run = stored.head, stored.keys, stored.head.run
    before = report.plan.previous.run_id if report.plan.previous else None
    if run.scope is not Scope.FULL:
        return True
    latest = Latest(
        foundation=report.foundation,
        run=run,
        complete=report.complete,
        why_incomplete=report.why_incomplete,
        report_key=keys.report_json,
        manifest_key=keys.manifest,
        findings_prefix=keys.findings_prefix,
        coverage=report.coverage,
        counts=report.counts,
    )

    def forward(current: Latest | None) -> Latest | None:
        if current is None or _order(current.run) < _order(run):
            return latest
        follows = current.run.due_at == run.due_at and current.run.run_id == before
        return latest if follows else None

    read = partial(pointer_of, stored.store, keys)
    newest = rewrite(stored.store, keys.latest, read, forward)
    return newest is None or _order(newest.run) == _order(run)


def is_known(stored: StoredReport) -> bool:
    """Whether the next full run is compared with this report, or with a newer one.

    If not, and another full run is at work, that one is compared with the report before: then
    nobody may be notified of this one any more.
    """
    keys, run = stored.keys, stored.head.run
    if run.scope is not Scope.FULL:
        return True
    pointer = stored.store.get(keys.latest)
    latest = pointer_of(stored.store, keys, pointer.body) if pointer else None
    return latest is not None and _order(latest.run) >= _order(run)


def is_late(store: ObjectStore, keys: RunKeys, foundation: str, run: Run) -> bool:
    """Whether a full run was due before the one of its foundation that latest.json names.

    Of a latest.json that is damaged, or of a newer version, nothing is late. Raise
    ReportStoreFailed if it cannot be read.
    """
    stored = store.get(keys.latest)
    if stored is None:
        return False
    try:
        latest = msgspec.json.decode(stored.body, type=Latest)
    except UNDECODABLE:
        return False
    return latest.foundation == foundation and run.due_at < latest.run.due_at


def refuse_anothers(store: ObjectStore, keys: RunKeys, foundation: str) -> None:
    """Raise InvalidSettings if the reports below the prefix are another foundation's."""
    stored = store.get(keys.latest)
    latest = pointer_of(store, keys, stored.body) if stored else None
    if latest is not None:
        refuse_foreign(store, keys.latest, latest.foundation, foundation)


def pointer_of(store: ObjectStore, keys: RunKeys, body: bytes) -> Latest | None:
    """Read latest.json; None if it is damaged, ReportStoreFailed if it is of a newer version."""
    refuse_newer(body, f"s3://{store.bucket}/{keys.latest}")
    try:
        return msgspec.json.decode(body, type=Latest)
    except UNDECODABLE:
        return None


def _order(run: Run) -> tuple[datetime, str]:
    return run.due_at, run.run_id
