"""The commit protocol: how a run's report comes to lie in the bucket, once.

Each object is written only if it is not there yet. A delivery that finds one goes on with what
lies there, so that all objects of a run belong together whoever wrote which. The manifest, last,
commits the run; then latest.json moves forward. docs/decisions/0002-commit-protocol.md says what
every crash and every race leaves.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from backup_audit.domain.changes import NOTHING_YET, State, state_of
from backup_audit.domain.finding import Finding
from backup_audit.domain.rendering import as_csv, as_json, as_json_lines, from_json_lines
from backup_audit.domain.report import KeptObject, Latest, Manifest, Report
from backup_audit.domain.run import Run, Scope
from backup_audit.errors import ReportStoreFailed
from backup_audit.ports import ObjectStore

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
CSV = "text/csv; charset=utf-8"

# Another run can win the race for latest.json; one that loses so often meets no race but a fault.
_CAS_ATTEMPTS = 10


class RunKeys(msgspec.Struct, frozen=True):
    """The keys of a run's objects."""

    prefix: str
    day: str
    run_id: str

    @classmethod
    def of(cls, prefix: str, run: Run) -> "RunKeys":
        """The keys of a run, below the day on which it was due (UTC)."""
        return cls(prefix, run.due_at.date().isoformat(), run.run_id)

    @property
    def findings_prefix(self) -> str:
        """Every finding lies below it."""
        return f"{self.prefix}/findings/dt={self.day}/run={self.run_id}/"

    @property
    def findings(self) -> str:
        """The only part there is yet."""
        return f"{self.findings_prefix}part-00000.jsonl"

    @property
    def latest(self) -> str:
        """The one object that is written more than once."""
        return f"{self.prefix}/latest.json"

    def report(self, name: str) -> str:
        """The key of report.json, findings.csv, manifest.json and the marks beside them."""
        return f"{self.prefix}/reports/dt={self.day}/run={self.run_id}/{name}"


class Previous(msgspec.Struct, frozen=True):
    """What the last committed full report left behind."""

    state: State = NOTHING_YET
    run_id: str | None = None
    warning: str | None = None


def committed_report(store: ObjectStore, keys: RunKeys) -> Report | None:
    """The report of this run if an earlier delivery has committed it."""
    if store.get(keys.report("manifest.json")) is None:
        return None
    return _read_report(store, keys.report("report.json"))


def previous_of(store: ObjectStore, keys: RunKeys) -> Previous:
    """The state that latest.json points at. What cannot be read is a warning, never a halt."""
    stored = store.get(keys.latest)
    if stored is None:
        return Previous()
    try:
        latest = msgspec.json.decode(stored.body, type=Latest)
        report = _read_report(store, latest.report_key)
    except (msgspec.MsgspecError, ReportStoreFailed) as error:
        return Previous(warning=f"{keys.latest} leads to no readable report ({error}): all is new")
    return Previous(state_of(report.findings, report.resolved), report.run_id)


def commit(
    store: ObjectStore,
    keys: RunKeys,
    findings: Sequence[Finding],
    report_of: Callable[[Sequence[Finding]], Report],
    invocation_id: str,
) -> tuple[Report, bool]:
    """Write the run's objects; return the report as it lies there, and whether we committed it."""
    body = _kept_once(store, keys.findings, as_json_lines(findings), JSON_LINES)
    findings = from_json_lines(body)
    report_key, csv_key = keys.report("report.json"), keys.report("findings.csv")
    report_body = _kept_once(store, report_key, as_json(report_of(findings)), JSON)
    report = msgspec.json.decode(report_body, type=Report)
    csv_body = _kept_once(store, csv_key, as_csv(findings), CSV)
    manifest = Manifest(
        run_id=report.run_id,
        scope=report.scope,
        due_at=report.due_at,
        complete=report.complete,
        invocation_id=invocation_id,
        objects=[
            _described(keys.findings, body, len(findings)),
            _described(report_key, report_body, len(report.findings)),
            _described(csv_key, csv_body, len(findings)),
        ],
    )
    kept = _kept_once(store, keys.report("manifest.json"), as_json(manifest), JSON)
    # Our own write may be answered "exists" when the first answer was lost and the client retried.
    committed_by_us = msgspec.json.decode(kept, type=Manifest).invocation_id == invocation_id
    return report, committed_by_us


def advance_latest(store: ObjectStore, keys: RunKeys, report: Report) -> None:
    """Point latest.json at a full run unless it points at one as new, or newer, already."""
    if report.scope is not Scope.FULL:
        return
    latest = Latest(
        run_id=report.run_id,
        due_at=report.due_at,
        complete=report.complete,
        report_key=keys.report("report.json"),
        manifest_key=keys.report("manifest.json"),
        findings_prefix=keys.findings_prefix,
        coverage=report.coverage,
        counts=report.counts,
    )
    for _ in range(_CAS_ATTEMPTS):
        stored = store.get(keys.latest)
        if stored is None:
            moved = store.put_new(keys.latest, as_json(latest), JSON)
        elif _is_older(stored.body, latest):
            moved = store.put_if_unchanged(keys.latest, as_json(latest), JSON, stored.etag)
        else:
            return
        if moved:
            return
    raise ReportStoreFailed(
        f"{keys.latest} changed {_CAS_ATTEMPTS} times while run {report.run_id} tried to move it: "
        "look for another writer"
    )


def _is_older(body: bytes, latest: Latest) -> bool:
    try:
        current = msgspec.json.decode(body, type=Latest)
    except msgspec.MsgspecError:
        return True  # a pointer that nobody can read keeps nothing in its place
    return (current.due_at, current.run_id) < (latest.due_at, latest.run_id)


def _kept_once(store: ObjectStore, key: str, body: bytes, content_type: str) -> bytes:
    """Write an object unless it is there; return the one that lies there now."""
    if store.put_new(key, body, content_type):
        return body
    stored = store.get(key)
    if stored is None:
        raise ReportStoreFailed(f"{key} was there a moment ago and is gone: who deletes reports?")
    return stored.body


def _read_report(store: ObjectStore, key: str) -> Report:
    stored = store.get(key)
    if stored is None:
        raise ReportStoreFailed(f"there is no s3://{store.bucket}/{key}")
    try:
        return msgspec.json.decode(stored.body, type=Report)
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} is no report: {error}") from error


def _described(key: str, body: bytes, rows: int) -> KeptObject:
    return KeptObject(key=key, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), rows=rows)
