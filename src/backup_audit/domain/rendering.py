"""How documents are written: JSON, JSON Lines for tables, CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable

import msgspec

from backup_audit.domain.finding import Finding


def as_json(document: msgspec.Struct) -> bytes:
    """A document for programs and for people: indented, with a line feed at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_json_lines(findings: Iterable[Finding]) -> bytes:
    """One finding a line."""
    return msgspec.json.Encoder().encode_lines(list(findings))


def from_json_lines(body: bytes) -> list[Finding]:
    """Read findings.jsonl back; raise msgspec.MsgspecError if it is none."""
    return msgspec.json.Decoder(Finding).decode_lines(body)


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

# A spreadsheet takes a cell that begins like this for a formula (OWASP, "CSV Injection");
# the full-width forms count in some locales.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_csv(findings: Iterable[Finding]) -> bytes:
    """RFC 4180 in UTF-8; a text that a spreadsheet would compute gets an apostrophe before it."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(finding) for finding in findings)
    return buffer.getvalue().encode()


def _csv_row(finding: Finding) -> list[object]:
    record = msgspec.to_builtins(finding)
    record |= record["policy"] | record["evidence"]
    record["muted_until"] = finding.mute.until.isoformat() if finding.mute else None
    return [_safe_cell(record[column]) for column in CSV_COLUMNS]


def _safe_cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return "'" + value
    return value
