"""Messages: text for people, JSON for programs, attributes for filter policies.

digest.py has the usual one, which names many instances.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, NotifiedFinding
from backup_audit.judge.verdict import Severity
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import Coverage, Report, ReportAddress
from backup_audit.text import instances, named, placed, printable

T = TypeVar("T")

SIZE_MAX = 256 * 1024  # bytes; SNS counts body and attributes, an e-mail topic takes no more
SUBJECT_MAX = 99  # characters; SNS refuses more

# Characters: a configuration can have thousands of faults, and a message must fit.
_ERROR_MAX = 20_000

Attribute = str | tuple[str, ...]  # a tuple holds several values to filter on


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    message_id: str
    subject: str
    text: str
    document: msgspec.Raw
    attributes: dict[str, Attribute]

    @property
    def body(self) -> str:
        """The variants by protocol (MessageStructure "json"): text for e-mail, else JSON."""
        variants = {
            "default": bytes(self.document).decode(),
            "email": self.text,
            "sms": self.subject,
        }
        return msgspec.json.encode(variants).decode()

    @property
    def size(self) -> int:
        """Bytes that SNS counts, and the subject besides, to be on the safe side."""
        attributes = sum(
            len(name) + len("String.Array") + len(attribute_value(value).encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes + len(self.subject)


class Document(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What every message says of itself, for programs."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str | None
    run_id: str | None


class RunFailed(Document, frozen=True, kw_only=True, tag="run_failed"):
    """The audit failed. `run_id` is null if it was not known yet."""

    failed_at: datetime
    error: str
    reason: str


class RunReported(Document, frozen=True, kw_only=True):
    """What every message about a report says."""

    foundation: str
    run_id: str
    scope: Scope
    due_at: datetime
    report: ReportAddress


class RunIncomplete(RunReported, frozen=True, kw_only=True, tag="run_incomplete"):
    """A report that does not cover the fleet; `why_incomplete` says why.

    `lost` counts the instances that disappeared from the inventory at once, which is taken for a
    lost role.
    """

    why_incomplete: str | None
    coverage: Coverage
    lost: int


class FindingMessage(RunReported, frozen=True, kw_only=True, tag="finding"):
    """One problem instance, or one whose problem is resolved (verdict healthy)."""

    finding: NotifiedFinding


def run_failed(
    error: Exception,
    *,
    run_id: str | None,
    foundation: str | None,
    failed_at: datetime,
    invocation_id: str,
) -> Message:
    """A message that the audit failed, and why; for foreign errors, only the type."""
    is_ours = isinstance(error, AuditError)
    reason = printable(str(error)) if is_ours else "an error that the audit does not know"
    if len(reason) > _ERROR_MAX:
        reason = reason[:_ERROR_MAX] + "… (the log has the rest)"
    kind, where = type(error).__name__, foundation or "unknown foundation"
    document = RunFailed(
        message_id=f"{foundation}/{run_id or invocation_id}/run_failed"
        if foundation
        else f"{invocation_id}/run_failed",
        foundation=foundation,
        run_id=run_id,
        failed_at=failed_at,
        error=kind,
        reason=reason,
    )
    happened = (
        f"The backup audit of {where} failed at {failed_at:%Y-%m-%d %H:%M} UTC "
        f"(run {run_id or 'without an id'})."
    )
    return message_of(
        document,
        f"[backup-audit] {where}: the audit failed ({kind})",
        [happened, "", f"{kind}: {reason}", "", "The function's log has the rest."],
        severity=Severity.CRITICAL,
    )


def run_incomplete(stored: StoredReport) -> Message:
    """A message that a report does not cover the fleet."""
    report, coverage = stored.head, stored.head.coverage
    document = RunIncomplete(
        message_id=f"{report.foundation}/{report.run.run_id}/run_incomplete",
        foundation=report.foundation,
        run_id=report.run.run_id,
        scope=report.run.scope,
        due_at=report.run.due_at,
        report=stored.address,
        why_incomplete=report.why_incomplete,
        coverage=coverage,
        lost=lost_of(report),
    )
    failed = "is incomplete" if document.lost else "did not reach every instance"
    happened = (
        f"The backup audit of {report.foundation} (run {report.run.run_id}) {failed}: "
        f"{coverage.audited} of {coverage.configured} were audited ({coverage.percent:g} %)."
    )
    why = f"Why: {report.why_incomplete}."
    return message_of(
        document,
        f"[backup-audit] {report.foundation}: {lost_first(report)}the audit is incomplete",
        [*lost_role(report), happened, why, f"Report: {stored.address.uri}"],
        severity=Severity.WARNING,
    )


def lost_of(report: Report) -> int:
    """How many instances disappeared from the inventory at once; 0 if none did."""
    return report.inventory.lost if report.inventory else 0


def lost_first(report: Report) -> str:
    """The beginning of a subject if instances disappeared at once, else nothing."""
    lost = lost_of(report)
    return f"{instances(lost)} disappeared at once, " if lost else ""


def lost_role(report: Report) -> Iterator[str]:
    """The first line of a text if instances disappeared at once."""
    if lost := lost_of(report):
        yield (
            f"LOST ROLE? {instances(lost)} disappeared from the inventory at once: check the roles "
            "of our client. They stay in the fleet."
        )


def finding_messages(stored: StoredReport) -> Iterator[Message]:
    """A message for each problem instance, and for each problem that ended."""
    return (_finding_message(stored, finding) for finding in stored.news())


def _finding_message(stored: StoredReport, finding: NotifiedFinding) -> Message:
    report = stored.head
    document = FindingMessage(
        message_id=f"{report.foundation}/{report.run.run_id}/finding/{finding.guid}",
        foundation=report.foundation,
        run_id=report.run.run_id,
        scope=report.run.scope,
        due_at=report.run.due_at,
        report=stored.address,
        finding=finding,
    )
    place = place_of(finding)
    placing = [f"Where: {place}"] if place else []
    owned = [f"Owner: {finding.owner}"] if finding.owner else []
    said = Change.RESOLVED if finding.change is Change.RESOLVED else finding.verdict
    return message_of(
        document,
        f"[backup-audit] {report.foundation}: {said} {finding.name or finding.guid}",
        [
            f"{named(finding.guid, finding.name)}: {finding.reason}",
            *finding.policy_notes,
            *placing,
            *owned,
            f"Report: {stored.address.uri}",
        ],
        severity=finding.severity,
        verdict=finding.verdict,
        instance_guid=finding.guid,
        change=finding.change,
    )


def message_of(
    document: Document, subject: str, lines: Iterable[str], **attributes: Attribute | None
) -> Message:
    """A message of this text; attributes without a value are left out."""
    attributes |= {
        "event": str(document.__struct_config__.tag),
        "foundation": document.foundation,
        "schema_version": "1",
    }
    return Message(
        message_id=document.message_id,
        subject=subject_line(subject),
        text=text_of(lines),
        document=msgspec.Raw(msgspec.json.encode(document)),
        attributes={name: value for name, value in attributes.items() if value},
    )


def packed(
    items: Iterable[T], size_of: Callable[[T], int], room: int, most: int | None = None
) -> Iterator[list[T]]:
    """Share items out to lists, in order: of at most `most`, and at most `room` large together.

    An item larger than that has a list of its own.
    """
    together: list[T] = []
    size = 0
    for item in items:
        more = size_of(item)
        if together and (len(together) == most or size + more > room):
            yield together
            together, size = [], 0
        together.append(item)
        size += more
    if together:
        yield together


def size_in_message(part: msgspec.Struct, lines: Iterable[str]) -> int:
    """Bytes that a part adds to a message: its JSON and its text, each quoted in the body."""
    encode = msgspec.json.encode
    return len(encode(encode(part).decode())) + len(encode(text_of(lines)))


def place_of(finding: NotifiedFinding) -> str:
    """Org, space, offering and plan of an instance, as far as they are known."""
    return placed(finding.org, finding.space, finding.offering, finding.plan)


def attribute_value(value: Attribute) -> str:
    """An attribute as SNS takes it: alternatives are a JSON array."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def text_of(lines: Iterable[str]) -> str:
    """Lines for people: whatever a name or an error holds, it stays on its line."""
    return "".join(printable(line) + "\n" for line in lines)


def subject_line(text: str) -> str:
    """ASCII, printable and short enough for SNS."""
    shown = "".join(char if " " <= char <= "~" else "?" for char in text)
    return shown[:SUBJECT_MAX]
