"""Reads reports back, each as a stream: a fleet's problems need not fit into memory."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.judge.finding import Finding, NotifiedFinding, in_short
from backup_audit.report.changes import (
    NOTHING_YET,
    FindingForState,
    Resolved,
    State,
    memory_of,
    open_problems,
)
from backup_audit.report.rendering import FINDINGS, LIST_ENDS, MUTES, RESOLVED
from backup_audit.report.report import KeptObject, Latest, PreviousReport, Report, ReportAddress
from backup_audit.report.store import ObjectStore, RunKeys, decoding
from backup_audit.strict import UNDECODABLE

T = TypeVar("T")

_VERSION = re.compile(rb'\s*\{\s*"schema_version":\s*([0-9]+)')
_VERSION_WITHIN = 2  # lines: it is the first member


class ReportReader:
    """report.json as a stream: `head` at once, then findings and resolved, in this order, once.

    What is not read is skipped. Raises MsgspecError if the report is damaged, ReportStoreFailed if
    it is newer.
    """

    def __init__(self, lines: Iterable[bytes], where: str) -> None:
        self._lines = iter(lines)
        self._where = where
        self.head = self._head()

    def findings(self, kind: type[T]) -> Iterator[T]:
        """The findings, or as much of each as `kind` has."""
        return self._list(FINDINGS, kind)

    def resolved(self) -> Iterator[Resolved]:
        return self._list(RESOLVED, Resolved)

    def _head(self) -> Report:
        head: list[bytes] = []
        for line in self._lines:
            if line == MUTES:
                body = b"".join(head)
                return msgspec.json.decode(body.rstrip(b",\n") + b"}", type=Report)
            head.append(line)
            if len(head) == _VERSION_WITHIN:
                refuse_newer(b"".join(head), self._where)
        raise msgspec.DecodeError("it has no head")

    def _list(self, begin: bytes, kind: type[T]) -> Iterator[T]:
        if begin not in self._lines:  # an iterator is consumed up to what is looked for
            raise msgspec.DecodeError("a list is missing")
        decode = msgspec.json.Decoder(kind).decode
        for line in self._lines:
            if line in LIST_ENDS:
                return
            yield decode(line.rstrip(b",\n"))
        raise msgspec.DecodeError("it ends within a list")


def refuse_newer(body: bytes, where: str) -> None:
    """Raise ReportStoreFailed if a document is of a version that we do not know yet."""
    found = _VERSION.match(body)
    if found and int(found[1]) > 1:
        raise ReportStoreFailed(
            f"{where} is of schema_version {int(found[1])}, and this version of backup-audit reads "
            "1: deploy the newer version again; to go back for good, remove latest.json, and all "
            "problems are new"
        )


class Measured:
    """Measures an object for the manifest, while its pieces pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._sha256 = hashlib.sha256()
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._sha256.update(piece)
            self._bytes += len(piece)
            yield piece

    @property
    def sha256(self) -> str:
        """The checksum of the pieces that have passed."""
        return self._sha256.hexdigest()

    def described(self, key: str, rows: int) -> KeptObject:
        """The manifest's entry, once all pieces have passed."""
        return KeptObject(key=key, bytes=self._bytes, sha256=self.sha256, rows=rows)


class StoredReport:
    """A report in the bucket: its head, and its lists as streams. All raise ReportStoreFailed."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self.address = ReportAddress(bucket=store.bucket, key=key)
        self.head = self._reader().head

    def news(self) -> Iterator[NotifiedFinding]:
        """What messages name: the problems, worst first, and the ends of problems; none muted."""
        with decoding(self._store, self.address.key):
            reader = self._reader()
            for finding in reader.findings(Finding):
                if finding.is_notified:
                    yield in_short(finding)
            for ended in reader.resolved():
                if ended.resolved_at == self.head.run.due_at and not ended.muted:
                    yield ended.in_short

    def _reader(self) -> ReportReader:
        with decoding(self._store, self.address.key):
            return ReportReader(self._store.lines(self.address.key), self.address.uri)


class Previous(msgspec.Struct, frozen=True):
    """The last committed full report, and the state that it left.

    `warning` says what of it cannot be read.
    """

    report: PreviousReport | None = None
    state: State = NOTHING_YET
    warning: str | None = None


def committed_report(store: ObjectStore, keys: RunKeys) -> StoredReport | None:
    """The report of this run if an earlier delivery has committed it."""
    if not store.exists(keys.manifest):
        return None
    return StoredReport(store, keys.report_json)


def previous_of(store: ObjectStore, keys: RunKeys) -> Previous:
    """The report that latest.json points at, read as a stream.

    A missing or damaged report is a warning: all is new. Raise ReportStoreFailed if it could not be
    read just now, or is of a newer version: going on would lose the memory for ever.
    """
    stored = store.get(keys.latest)
    if stored is None:
        return Previous()
    latest = pointer(store, keys, stored.body)
    if latest is None:
        return Previous(warning=f"{keys.latest} points at nothing readable: all is new")
    if not store.exists(latest.report_key):
        return Previous(
            warning=f"{keys.latest} points at {latest.report_key}, which is gone: all is new"
        )
    body = Measured(store.lines(latest.report_key))
    try:
        head, state = _read(ReportReader(body, latest.report_key))
    except UNDECODABLE as error:
        return Previous(warning=f"{latest.report_key} is no report ({error}): all is new")
    for _ in body:  # to its end, for the sha256
        pass
    manifest = store.get(latest.manifest_key)
    report = PreviousReport(
        run_id=head.run.run_id,
        report_key=latest.report_key,
        report_sha256=body.sha256,
        manifest_sha256=hashlib.sha256(manifest.body).hexdigest() if manifest else None,
    )
    gone = f"{latest.manifest_key} is gone: nothing vouches for its run"
    return Previous(report, state, None if manifest else gone)


def read_state(store: ObjectStore, report_key: str) -> State:
    """The state that a report left; raise ReportStoreFailed if it cannot be read."""
    with decoding(store, report_key):
        return _read(ReportReader(store.lines(report_key), report_key))[1]


def _read(reader: ReportReader) -> tuple[Report, State]:
    opened = open_problems(reader.findings(FindingForState))
    return reader.head, State(opened, memory_of(reader.resolved()))


def pointer(store: ObjectStore, keys: RunKeys, body: bytes) -> Latest | None:
    """Read latest.json; None if it is damaged, ReportStoreFailed if it is of a newer version."""
    refuse_newer(body, f"s3://{store.bucket}/{keys.latest}")
    try:
        return msgspec.json.decode(body, type=Latest)
    except UNDECODABLE:
        return None
