"""The commit protocol: how a run's report is stored, once.

Each object is written only if it is not there yet. A delivery that finds one goes on with it, so
all objects of a run belong together, whichever delivery wrote them. The manifest, last, commits the
run; then latest.json moves forward. docs/decisions/0002-commit-protocol.md says what every crash
and every race leaves.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import datetime

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.finding import Finding
from backup_audit.report.changes import Resolved
from backup_audit.report.reading import Measured, StoredReport, pointer
from backup_audit.report.rendering import as_json, report_pieces
from backup_audit.report.report import KeptObject, Latest, Manifest, MuteRecord, Report
from backup_audit.report.store import CSV, JSON, ObjectStore, RunKeys, decoding, rewrite
from backup_audit.report.summary import Summary


def commit(
    store: ObjectStore,
    keys: RunKeys,
    parts: int,
    remembered: Mapping[str, Resolved],
    head_of: Callable[[Summary], Report],
    *,
    mutes: Iterable[MuteRecord],
    invocation_id: str,
) -> tuple[StoredReport, bool]:
    """Write CSV, report and manifest from the stored findings.

    Return the report that is stored now, and whether this delivery committed it.
    """
    with closing(Summary(remembered)) as summary:
        described = [_summed_up(store, keys.findings(part), summary) for part in range(parts)]
        rows = sum(part.rows for part in described)
        csv = _write_or_measure(store, keys.report("findings.csv"), CSV, summary.csv())
        described.append(csv.described(keys.report("findings.csv"), rows))
        key, head = keys.report_json, head_of(summary)
        resolved = summary.resolved(head.run.due_at)
        pieces = report_pieces(head, mutes, summary.unhealthy(), resolved)
        body = _write_or_measure(store, key, JSON, pieces)
        described.append(body.described(key, summary.unhealthy_count))
    report = StoredReport(store, key)
    manifest = Manifest(
        run=report.head.run,
        complete=report.head.complete,
        invocation_id=invocation_id,
        objects=described,
    )
    stored = _write_or_read(store, keys.manifest, as_json(manifest), JSON)
    # Our own write may be answered "exists" when the first answer was lost and the client retried.
    committed_by_us = msgspec.json.decode(stored, type=Manifest).invocation_id == invocation_id
    return report, committed_by_us


def advance_latest(store: ObjectStore, keys: RunKeys, report: Report) -> bool:
    """Point latest.json at a full run unless it points at one as new, or newer, already.

    Return false if it points at a newer one: then this run is late, and nobody is notified of it.
    """
    run = report.run
    if run.scope is not Scope.FULL:
        return True
    latest = Latest(
        run=run,
        complete=report.complete,
        report_key=keys.report_json,
        manifest_key=keys.manifest,
        findings_prefix=keys.findings_prefix,
        coverage=report.coverage,
        counts=report.counts,
    )
    is_late = False

    def forward(body: bytes | None) -> bytes | None:
        nonlocal is_late
        # A damaged pointer is replaced.
        current = None if body is None else pointer(store, keys, body)
        is_late = current is not None and _order(current.run) > _order(run)
        is_there = current is not None and _order(current.run) == _order(run)
        return None if is_late or is_there else as_json(latest)

    rewrite(store, keys.latest, forward)
    return not is_late


def _order(run: Run) -> tuple[datetime, str]:
    return run.due_at, run.run_id


def _write_or_read(store: ObjectStore, key: str, body: bytes, content_type: str) -> bytes:
    """Write an object unless it is there; return the one stored."""
    if store.put_new(key, body, content_type):
        return body
    stored = store.get(key)
    if stored is None:
        raise ReportStoreFailed(
            f"{key} was there a moment ago and is gone: check what deletes reports"
        )
    return stored.body


def _summed_up(store: ObjectStore, key: str, summary: Summary) -> KeptObject:
    part, rows = Measured(store.lines(key)), 0
    decode = msgspec.json.Decoder(Finding).decode
    with decoding(store, key):
        for line in part:
            summary.add(decode(line), line)
            rows += 1
    return part.described(key, rows)


def _write_or_measure(
    store: ObjectStore, key: str, content_type: str, pieces: Iterable[bytes]
) -> Measured:
    """Write an object unless it is there; measure the one that is there now."""
    measured = Measured(pieces)
    with store.new_object(key, content_type) as out:
        for piece in measured:
            out.write(piece)
    if not out.is_new:
        measured = Measured(store.lines(key))
        for _ in measured:
            pass
    return measured
