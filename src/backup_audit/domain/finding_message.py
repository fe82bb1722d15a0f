"""A message for each problem instance: the optional mode beside the digest."""

from datetime import datetime
from typing import Literal

import msgspec

from backup_audit.domain.digest_text import finding_text
from backup_audit.domain.finding import Change
from backup_audit.domain.message import Message, subject_line
from backup_audit.domain.report import Report, ReportAddress
from backup_audit.domain.run import Scope
from backup_audit.domain.told import (
    ToldFinding,
    named,
    named_resolved,
    told_findings,
    told_resolved,
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
