"""Messages about the audit itself: it failed, or it did not reach every instance."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, NotifiedFinding
from backup_audit.judge.verdict import Severity
from backup_audit.notify.digest import named
from backup_audit.notify.message import Message, subject_line, text_of
from backup_audit.report.reading import StoredReport
from backup_audit.report.report import Coverage, Report, ReportAddress
from backup_audit.text import printable

_ERROR_MAX = (
    20_000  # characters: a configuration can have thousands of faults, and a message must fit
)


class RunFailed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_failed"):
    """The audit failed. `run_id` is null if the event was too broken to give one."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str | None
    run_id: str | None
    failed_at: datetime
    error: str
    reason: str


class RunIncomplete(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_incomplete"
):
    """Not every instance was reached: the time was over, say, or the API was down."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str
    run_id: str
    coverage: Coverage
    report: ReportAddress


def run_failed(
    error: Exception,
    *,
    run_id: str | None,
    foundation: str | None,
    failed_at: datetime,
    invocation_id: str,
) -> Message:
    """Say that the audit failed and why; of an error that is none of ours, its type only."""
    is_ours = isinstance(error, AuditError)
    reason = printable(str(error)) if is_ours else "an error that the audit does not know"
    if len(reason) > _ERROR_MAX:
        reason = reason[:_ERROR_MAX] + "… (the log has the rest)"
    document = RunFailed(
        message_id=f"{run_id or invocation_id}/run_failed",
        foundation=foundation,
        run_id=run_id,
        failed_at=failed_at,
        error=type(error).__name__,
        reason=reason,
    )
    where = foundation or "unknown foundation"
    happened = (
        f"The backup audit of {where} failed at {failed_at:%Y-%m-%d %H:%M} UTC "
        f"(run {run_id or 'without an id'})."
    )
    why = f"{document.error}: {reason}"
    attributes: dict[str, str | tuple[str, ...]] = {
        "event": "run_failed",
        "severity": Severity.CRITICAL,
        "schema_version": "1",
    }
    if foundation:
        attributes["foundation"] = foundation
    return Message(
        message_id=document.message_id,
        subject=subject_line(f"[backup-audit] {where}: the audit failed ({document.error})"),
        text=text_of([happened, "", why, "", "The function's log has the rest."]),
        document=msgspec.Raw(msgspec.json.encode(document)),
        attributes=attributes,
    )


def run_incomplete(stored: StoredReport) -> Message:
    """Say that a report does not cover the fleet."""
    report, address = stored.head, stored.address
    document = RunIncomplete(
        message_id=f"{report.run.run_id}/run_incomplete",
        foundation=report.foundation,
        run_id=report.run.run_id,
        coverage=report.coverage,
        report=address,
    )
    coverage = report.coverage
    happened = (
        f"The backup audit of {report.foundation} (run {report.run.run_id}) did not reach "
        f"every instance: {coverage.audited} of {coverage.configured} were audited "
        f"({coverage.percent:g} %)."
    )
    return Message(
        message_id=document.message_id,
        subject=subject_line(f"[backup-audit] {report.foundation}: the audit is incomplete"),
        text=text_of([happened, f"Report: {address.uri}"]),
        document=msgspec.Raw(msgspec.json.encode(document)),
        attributes={
            "event": "run_incomplete",
            "severity": Severity.WARNING,
            "foundation": report.foundation,
            "schema_version": "1",
        },
    )


class FindingMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="finding"):
    """One problem instance, or one whose problem is resolved (verdict healthy)."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str
    run_id: str
    scope: Scope
    due_at: datetime
    report: ReportAddress
    finding: NotifiedFinding


def finding_messages(stored: StoredReport) -> Iterator[Message]:
    """A message for each problem instance, and for each whose problem ended."""
    return (_finding_message(stored.head, stored.address, finding) for finding in stored.news())


def _finding_message(report: Report, address: ReportAddress, finding: NotifiedFinding) -> Message:
    document = FindingMessage(
        message_id=f"{report.run.run_id}/finding/{finding.guid}",
        foundation=report.foundation,
        run_id=report.run.run_id,
        scope=report.run.scope,
        due_at=report.run.due_at,
        report=address,
        finding=finding,
    )
    attributes: dict[str, str | tuple[str, ...]] = {
        "event": "finding",
        "verdict": finding.verdict,
        "severity": finding.severity,
        "foundation": report.foundation,
        "instance_guid": finding.guid,
        "schema_version": "1",
    }
    if finding.change:
        attributes["change"] = finding.change
    owned = [f"Owner: {finding.owner}"] if finding.owner else []
    said = Change.RESOLVED if finding.change is Change.RESOLVED else finding.verdict
    return Message(
        message_id=document.message_id,
        subject=subject_line(
            f"[backup-audit] {report.foundation}: {said} {finding.name or finding.guid}"
        ),
        text=text_of([f"{named(finding)}: {finding.reason}", *owned, f"Report: {address.uri}"]),
        document=msgspec.Raw(msgspec.json.encode(document)),
        attributes=attributes,
    )
