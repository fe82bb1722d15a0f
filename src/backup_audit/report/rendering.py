"""How documents are written: JSON, JSON Lines for tables, CSV for spreadsheets."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

import msgspec

from backup_audit.judge.finding import Finding


def as_json(document: msgspec.Struct) -> bytes:
    """A document for programs and for people: indented, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


_encode = msgspec.json.Encoder().encode


def json_line(finding: Finding) -> bytes:
    """A line of findings.jsonl."""
    return _encode(finding) + b"\n"


def from_json_lines(lines: Iterable[bytes]) -> Iterator[Finding]:
    """Read findings.jsonl back; raise msgspec.MsgspecError if it is none."""
    decode = msgspec.json.Decoder(Finding).decode
    return map(decode, lines)


CSV_COLUMNS = (
    "schema_version",
    "run_id",
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

_CSV_PIECE = 64 * 1024  # characters

# A spreadsheet takes a cell that begins like this for a formula (OWASP, "CSV Injection"); the
# full-width forms count in some locales. In some it also parts cells at a semicolon, and then
# within ours, quoted or not.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;|\t\r\n]))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def as_csv(findings: Iterable[Finding]) -> Iterator[bytes]:
    """RFC 4180 in UTF-8, in pieces of some lines.

    What a spreadsheet would compute gets an apostrophe before it.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    for finding in findings:
        writer.writerow(_csv_row(finding))
        if buffer.tell() >= _CSV_PIECE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _csv_row(finding: Finding) -> list[object]:
    record = msgspec.to_builtins(finding)
    record |= record["policy"] | record["evidence"]
    record["muted_until"] = finding.mute.until.isoformat() if finding.mute else None
    return [_safe_cell(record[column]) for column in CSV_COLUMNS]


def _safe_cell(value: object) -> object:
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
