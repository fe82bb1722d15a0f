"""Messages about the audit itself: it failed, or it did not reach every instance."""

from datetime import datetime
from typing import Literal

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change
from backup_audit.judge.verdict import Severity
from backup_audit.notify.digest import (
    ToldFinding,
    finding_text,
    named,
    named_resolved,
    told_findings,
    told_resolved,
)
from backup_audit.notify.message import Message, subject_line, text_of
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
    """The time was over before every instance was reached."""

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


def run_incomplete(report: Report, address: ReportAddress) -> Message:
    """Say that a report does not cover the fleet."""
    document = RunIncomplete(
        message_id=f"{report.run_id}/run_incomplete",
        foundation=report.foundation,
        run_id=report.run_id,
        coverage=report.coverage,
        report=address,
    )
    coverage = report.coverage
    happened = (
        f"The backup audit of {report.foundation} (run {report.run_id}) ran out of time: "
        f"{coverage.audited} of {coverage.configured} instances were audited "
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
    finding: ToldFinding


def finding_messages(report: Report, address: ReportAddress) -> list[Message]:
    """A message for each problem instance, and for each whose problem ended."""
    told = [named(finding) for finding in told_findings(report)]
    ended = [named_resolved(problem) for problem in told_resolved(report)]
    return [_finding_message(report, address, finding) for finding in told + ended]


def _finding_message(report: Report, address: ReportAddress, finding: ToldFinding) -> Message:
    document = FindingMessage(
        message_id=f"{report.run_id}/finding/{finding.guid}",
        foundation=report.foundation,
        run_id=report.run_id,
        scope=report.scope,
        due_at=report.due_at,
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
    said = Change.RESOLVED if finding.change is Change.RESOLVED else finding.verdict
    return Message(
        message_id=document.message_id,
        subject=subject_line(
            f"[backup-audit] {report.foundation}: {said} {finding.name or finding.guid}"
        ),
        text=finding_text(finding.name, finding.guid, finding.owner, finding.reason, address.uri),
        document=msgspec.Raw(msgspec.json.encode(document)),
        attributes=attributes,
    )
