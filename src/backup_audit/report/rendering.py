"""How documents are written and read: JSON, JSON Lines for tables, CSV for spreadsheets."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import TypeVar

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.mutes import MuteRecord
from backup_audit.judge.finding import Finding
from backup_audit.report.changes import Resolved
from backup_audit.report.figures import BreakdownRow, LateInstance
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import Report
from backup_audit.sharing import sharing

T = TypeVar("T")


def as_json(document: msgspec.Struct) -> bytes:
    """A document for programs and for people: indented, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


_encode = msgspec.json.Encoder().encode


def json_line(finding: Finding) -> bytes:
    """A line of findings.jsonl."""
    return _encode(finding) + b"\n"


def as_line(document: msgspec.Struct) -> bytes:
    """A document on one line, for tables."""
    return _encode(document) + b"\n"


# report.json is one JSON value, and is read as a stream: the head is indented for people, and each
# entry of its lists stands on a line.
_HISTORY = b'  "history": [\n'
_BREAKDOWN = b'  "breakdown": [\n'
_LATE = b'  "late": [\n'
_MUTES = b'  "mutes": [\n'
_FINDINGS = b'  "findings": [\n'
_RESOLVED = b'  "resolved": [\n'
_LIST_ENDS = (b"  ],\n", b"  ]\n")  # the second where no member follows


def report_pieces(
    head: Report,
    *,
    history: Iterable[HistoryPoint] = (),
    breakdown: Iterable[BreakdownRow] = (),
    late: Iterable[LateInstance] = (),
    mutes: Iterable[MuteRecord] = (),
    findings: Iterable[bytes] = (),
    resolved: Iterable[Resolved] = (),
) -> Iterator[bytes]:
    """report.json, from the lines of its findings."""
    lists: tuple[tuple[bytes, Iterable[bytes]], ...] = (
        (_HISTORY, map(_encode, history)),
        (_BREAKDOWN, map(_encode, breakdown)),
        (_LATE, map(_encode, late)),
        (_MUTES, map(_encode, mutes)),
        (_FINDINGS, findings),
        (_RESOLVED, map(_encode, resolved)),
    )
    before = as_json(head).removesuffix(b"\n}\n") + b",\n"
    for begin, lines in lists:
        yield before + begin
        yield from _entries(lines)
        before = _LIST_ENDS[0]
    yield _LIST_ENDS[1] + b"}\n"


def _entries(lines: Iterable[bytes]) -> Iterator[bytes]:
    comma = b""
    for line in lines:
        yield comma + line.rstrip(b"\n")
        comma = b",\n"
    if comma:
        yield b"\n"


_SHARED = (
    *("owner", "org", "space", "offering", "plan", "since"),
    *("opened_at", "notified_at", "alert", "resolved_at", "end_notified_at"),
)

_VERSION = re.compile(rb'\s*\{\s*"schema_version":\s*([0-9]+)')
_VERSION_WITHIN = 2  # lines: it is the first member


class ReportReader:
    """report.json as a stream: `head` at once, then its lists, each once, in this order.

    What is not read is skipped, and so is a head that is known from an earlier pass. Raises
    MsgspecError if the report is damaged, ReportStoreFailed if it is newer.
    """

    def __init__(self, lines: Iterable[bytes], where: str, head: Report | None = None) -> None:
        self._lines = iter(lines)
        self._where = where
        self.head = self._head() if head is None else self._skipped(head)

    def history(self) -> Iterator[HistoryPoint]:
        return self._entries(HistoryPoint)  # the head ends where it begins

    def breakdown(self) -> Iterator[BreakdownRow]:
        return self._list(_BREAKDOWN, BreakdownRow)

    def late(self) -> Iterator[LateInstance]:
        return self._list(_LATE, LateInstance)

    def mutes(self) -> Iterator[MuteRecord]:
        return self._list(_MUTES, MuteRecord)

    def findings(self) -> Iterator[Finding]:
        return self._list(_FINDINGS, Finding)

    def resolved(self) -> Iterator[Resolved]:
        """Equal texts and times of theirs are shared: a run keeps all of them in memory."""
        return sharing(self._list(_RESOLVED, Resolved), *_SHARED)

    def _head(self) -> Report:
        head = list(islice(self._lines, _VERSION_WITHIN))
        refuse_newer(b"".join(head), self._where)
        for line in self._lines:
            if line == _HISTORY:
                body = b"".join(head)
                return msgspec.json.decode(body.rstrip(b",\n") + b"}", type=Report)
            head.append(line)
        raise msgspec.DecodeError("it has no head")

    def _skipped(self, head: Report) -> Report:
        if _HISTORY not in self._lines:  # as in _list
            raise msgspec.DecodeError("it has no head")
        return head

    def _list(self, begin: bytes, kind: type[T]) -> Iterator[T]:
        if begin not in self._lines:  # an iterator is consumed up to what is looked for
            raise msgspec.DecodeError("a list is missing")
        yield from self._entries(kind)

    def _entries(self, kind: type[T]) -> Iterator[T]:
        decode = msgspec.json.Decoder(kind).decode
        for line in self._lines:
            if line in _LIST_ENDS:
                return
            yield decode(line.rstrip(b",\n"))
        raise msgspec.DecodeError("it ends within a list")


def newer_version(body: bytes) -> int | None:
    """The schema_version of a document, or of its first two lines, if we do not know it yet."""
    found = _VERSION.match(body)
    version = int(found[1]) if found else 1
    return version if version > 1 else None


def refuse_newer(
    body: bytes, where: str, *, to_go_back: str = "remove latest.json, and all problems are new"
) -> None:
    """Raise ReportStoreFailed if a document is of a version that we do not know yet.

    `to_go_back` says what a person does who does not want the newer version again.
    """
    if (version := newer_version(body)) is not None:
        raise ReportStoreFailed(
            f"{where} is of schema_version {version}, and this version of backup-audit reads "
            f"1: deploy the newer version again; to go back for good, {to_go_back}"
        )


# For a person in a spreadsheet: what decides first, evidence to the right.
_COLUMNS: Mapping[str, Callable[[Finding], object]] = {
    "name": attrgetter("name"),
    "guid": attrgetter("guid"),
    "owner": attrgetter("owner"),
    "org": attrgetter("org"),
    "space": attrgetter("space"),
    "offering": attrgetter("offering"),
    "plan": attrgetter("plan"),
    "type": attrgetter("type"),
    "verdict": attrgetter("verdict"),
    "reason": attrgetter("reason"),
    "newest_backup_age_hours": lambda one: _hours(one.evidence.newest_backup_age_seconds),
    "max_age_hours": lambda one: _hours(one.policy.max_age_seconds),
    "usual_interval_hours": lambda one: _hours(one.evidence.usual_interval_seconds),
    "late": attrgetter("late"),
    "change": attrgetter("change"),
    "since": attrgetter("since"),
    "muted_until": lambda one: one.mute and one.mute.until,
    "newest_backup_at": attrgetter("newest_backup_at"),
    "backup_count": attrgetter("evidence.backup_count"),
    "min_backups": attrgetter("policy.min_backups"),
    "grace_hours": lambda one: _hours(one.policy.grace_seconds),
    "policy_notes": lambda one: "; ".join(one.policy_notes),
    "operation": lambda one: one.operation and f"{one.operation.type} {one.operation.state}",
    "http_status": attrgetter("evidence.http_status"),
    "code": attrgetter("evidence.code"),
    "title": attrgetter("evidence.title"),
    "detail": attrgetter("evidence.detail"),
    "request_id": attrgetter("evidence.request_id"),
    "attempts": attrgetter("evidence.attempts"),
    "milliseconds": attrgetter("evidence.milliseconds"),
    "observed_at": attrgetter("evidence.observed_at"),
    "run_id": attrgetter("run_id"),
    "scope": attrgetter("scope"),
    "due_at": attrgetter("due_at"),
    "schema_version": attrgetter("schema_version"),
}
CSV_COLUMNS = tuple(_COLUMNS)

# A spreadsheet takes a cell that begins like this for a formula (OWASP, "CSV Injection"); the
# full-width forms count in some locales. In some it also splits cells at semicolons, even within
# quotes.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;|\t\r\n]))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_line(finding: Finding) -> bytes:
    """RFC 4180 in UTF-8. Times are UTC in the form that spreadsheets take for a time.

    Cells that look like formulas get an apostrophe.
    """
    return _csv_line(_cell(value_of(finding)) for value_of in _COLUMNS.values())


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _hours(seconds: int | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 2)


# Without the byte order mark, Excel takes UTF-8 for the code page of its country.
CSV_HEADER = codecs.BOM_UTF8 + _csv_line(CSV_COLUMNS)
