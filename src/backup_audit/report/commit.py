"""The commit protocol: how a run's report comes to lie in the bucket, once.

Each object is written only if it is not there yet. A delivery that finds one goes on with what
lies there, so that all objects of a run belong together whoever wrote which. The manifest, last,
commits the run; then latest.json moves forward. docs/decisions/0002-commit-protocol.md says what
every crash and every race leaves.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Protocol

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.plan import Previous
from backup_audit.fleet.run import Run, Scope
from backup_audit.report.rendering import as_csv, as_json, from_json_lines
from backup_audit.report.report import KeptObject, Latest, Manifest, Report
from backup_audit.report.summary import Summary


class StoredObject(msgspec.Struct, frozen=True):
    """An object and the tag that changes with its content."""

    body: bytes
    etag: str


class NewObject(Protocol):
    """An object being written."""

    @property
    def is_new(self) -> bool:
        """After the block: whether it was written. If not, one was there already, and stays."""

    def write(self, data: bytes, /) -> object:
        """Add to the object; raise ReportStoreFailed."""


class ObjectStore(Protocol):
    """A bucket with conditional writes. Every method may raise ReportStoreFailed."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none."""

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless there is one already; say whether it was written."""

    def new_object(self, key: str, content_type: str) -> AbstractContextManager[NewObject]:
        """Write an object larger than memory unless there is one already.

        Nothing of it is there before the end of the block, and nothing at all if that raises.
        """

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line, with the line ends; ReportStoreFailed if there is none."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def put_if_unchanged(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        """Write an object if the one there still has this tag; say whether it was written."""


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
        """Every finding lies below it, and nothing else."""
        return f"{self.prefix}/findings/{self._place}/"

    @property
    def latest(self) -> str:
        """The one object that is written more than once."""
        return f"{self.prefix}/latest.json"

    @property
    def running(self) -> str:
        """The claim of the full run at work."""
        return f"{self.prefix}/running.json"

    def findings(self, part: int) -> str:
        """The key of a part of the findings; a run in one invocation has part 0 only."""
        return f"{self.findings_prefix}part-{part:05d}.jsonl"

    def report(self, name: str) -> str:
        """The key of report.json, findings.csv, manifest.json and the marks beside them."""
        return f"{self.prefix}/reports/{self._place}/{name}"

    def plan(self, name: str) -> str:
        """The key of what a run in many invocations hands from one to the next."""
        return f"{self.prefix}/plans/{self._place}/{name}"

    @property
    def _place(self) -> str:
        return f"dt={self.day}/run={self.run_id}"


def committed_report(store: ObjectStore, keys: RunKeys) -> Report | None:
    """The report of this run if an earlier delivery has committed it."""
    if store.get(keys.report("manifest.json")) is None:
        return None
    return read_report(store, keys.report("report.json"))


def previous_of(store: ObjectStore, keys: RunKeys) -> Previous:
    """The report that latest.json points at. What cannot be read is a warning, never a halt."""
    stored = store.get(keys.latest)
    if stored is None:
        return Previous()
    try:
        latest = msgspec.json.decode(stored.body, type=Latest)
        body = _body(store, latest.report_key)
        report = msgspec.json.decode(body, type=Report)
        manifest = store.get(latest.manifest_key)
    except (msgspec.MsgspecError, ReportStoreFailed) as error:
        return Previous(warning=f"{keys.latest} leads to no readable report ({error}): all is new")
    return Previous(
        report=report,
        report_key=latest.report_key,
        report_sha256=hashlib.sha256(body).hexdigest(),
        manifest_sha256=hashlib.sha256(manifest.body).hexdigest() if manifest else None,
        warning=None if manifest else f"{latest.manifest_key} is gone: nothing vouches for its run",
    )


def commit(
    store: ObjectStore,
    keys: RunKeys,
    parts: int,
    report_of: Callable[[Summary], Report],
    invocation_id: str,
) -> tuple[Report, bool]:
    """Write what follows from the findings that lie there, and the manifest.

    Return the report as it lies there, and whether we committed it.
    """
    summary = Summary()
    kept = [_Kept(store, keys.findings(part)) for part in range(parts)]
    findings = from_json_lines(chain.from_iterable(kept))
    try:
        csv = _kept_in_pieces(
            store, keys.report("findings.csv"), as_csv(summary.passing(findings)), CSV
        )
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"{keys.findings_prefix} holds no findings: {error}") from error
    report_key = keys.report("report.json")
    report_body = _kept_once(store, report_key, as_json(report_of(summary)), JSON)
    report = msgspec.json.decode(report_body, type=Report)
    manifest = Manifest(
        run_id=report.run_id,
        scope=report.scope,
        due_at=report.due_at,
        complete=report.complete,
        invocation_id=invocation_id,
        objects=[
            *(part.described(rows=part.lines) for part in kept),
            KeptObject(
                key=report_key,
                bytes=len(report_body),
                sha256=hashlib.sha256(report_body).hexdigest(),
                rows=len(report.findings),
            ),
            csv.described(rows=sum(part.lines for part in kept)),
        ],
    )
    body = _kept_once(store, keys.report("manifest.json"), as_json(manifest), JSON)
    # Our own write may be answered "exists" when the first answer was lost and the client retried.
    committed_by_us = msgspec.json.decode(body, type=Manifest).invocation_id == invocation_id
    return report, committed_by_us


def advance_latest(store: ObjectStore, keys: RunKeys, report: Report) -> bool:
    """Point latest.json at a full run; say that it could not be if it points at a newer one."""
    if report.scope is not Scope.FULL:
        return True
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
            return msgspec.json.decode(stored.body, type=Latest).run_id == report.run_id
        if moved:
            return True
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


class _Kept:
    """An object that is read, or written, line by line or piece by piece, and measured by it."""

    def __init__(self, store: ObjectStore, key: str, pieces: Iterable[bytes] | None = None) -> None:
        self._key = key
        self._pieces = store.lines(key) if pieces is None else pieces
        self._sha256 = hashlib.sha256()
        self._bytes = 0
        self.lines = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._sha256.update(piece)
            self._bytes += len(piece)
            self.lines += 1
            yield piece

    def described(self, *, rows: int) -> KeptObject:
        """What the manifest says of it, once all of it has passed."""
        return KeptObject(
            key=self._key, bytes=self._bytes, sha256=self._sha256.hexdigest(), rows=rows
        )


def _kept_in_pieces(
    store: ObjectStore, key: str, pieces: Iterable[bytes], content_type: str
) -> _Kept:
    """Write an object unless it is there; measure the one that lies there now."""
    kept = _Kept(store, key, pieces)
    with store.new_object(key, content_type) as out:
        for piece in kept:
            out.write(piece)
    if not out.is_new:
        kept = _Kept(store, key)
        for _ in kept:
            pass
    return kept


def read_report(store: ObjectStore, key: str) -> Report:
    """Read a report; raise ReportStoreFailed if there is none."""
    try:
        return msgspec.json.decode(_body(store, key), type=Report)
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} is no report: {error}") from error


def _body(store: ObjectStore, key: str) -> bytes:
    stored = store.get(key)
    if stored is None:
        raise ReportStoreFailed(f"there is no s3://{store.bucket}/{key}")
    return stored.body
