"""How documents are written: JSON, JSON Lines for tables, CSV for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

import msgspec

from backup_audit.judge.finding import Finding
from backup_audit.report.changes import Resolved
from backup_audit.report.report import MuteRecord, Report


def as_json(document: msgspec.Struct) -> bytes:
    """A document for programs and for people: indented, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


_encode = msgspec.json.Encoder().encode


def json_line(finding: Finding) -> bytes:
    """A line of findings.jsonl."""
    return _encode(finding) + b"\n"


# report.json is one JSON value, and is read as a stream: the head is indented for people, and each
# entry of its three lists stands on a line.
MUTES = b'  "mutes": [\n'
FINDINGS = b'  "findings": [\n'
RESOLVED = b'  "resolved": [\n'
LIST_ENDS = (b"  ],\n", b"  ]\n")  # the second where no member follows


def report_pieces(
    head: Report,
    mutes: Iterable[MuteRecord],
    findings: Iterable[bytes],
    resolved: Iterable[Resolved],
) -> Iterator[bytes]:
    """report.json, from the lines of its findings."""
    yield as_json(head).removesuffix(b"\n}\n") + b",\n" + MUTES
    yield from _entries(map(_encode, mutes))
    yield LIST_ENDS[0] + FINDINGS
    yield from _entries(findings)
    yield LIST_ENDS[0] + RESOLVED
    yield from _entries(map(_encode, resolved))
    yield LIST_ENDS[1] + b"}\n"


def _entries(lines: Iterable[bytes]) -> Iterator[bytes]:
    comma = b""
    for line in lines:
        yield comma + line.rstrip(b"\n")
        comma = b",\n"
    if comma:
        yield b"\n"


CSV_COLUMNS = (
    "schema_version",
    "run_id",
    "scope",
    "due_at",
    "guid",
    "name",
    "owner",
    "verdict",
    "reason",
    "change",
    "since",
    "muted_until",
    "newest_backup_at",
    "newest_backup_age_seconds",
    "backup_count",
    "max_age_seconds",
    "min_backups",
    "grace_seconds",
    "http_status",
    "code",
    "title",
    "detail",
    "request_id",
    "attempts",
    "milliseconds",
    "observed_at",
)

# A spreadsheet takes a cell that begins like this for a formula (OWASP, "CSV Injection"); the
# full-width forms count in some locales. In some it also splits cells at semicolons, even within
# quotes.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;|\t\r\n]))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_line(finding: Finding) -> bytes:
    """RFC 4180 in UTF-8. Cells that look like formulas get an apostrophe."""
    record = msgspec.to_builtins(finding)
    record |= record["policy"] | record["evidence"]
    record["muted_until"] = finding.mute.until.isoformat() if finding.mute else None
    return _csv_line(_safe_cell(record[column]) for column in CSV_COLUMNS)


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _safe_cell(value: object) -> object:
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


CSV_HEADER = _csv_line(CSV_COLUMNS)
