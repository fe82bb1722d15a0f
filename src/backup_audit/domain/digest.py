"""The news of a run, as messages: digests, or a message for each problem instance."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from backup_audit.domain.changes import Resolved
from backup_audit.domain.digest_text import digest_text, finding_text
from backup_audit.domain.finding import Change, Finding
from backup_audit.domain.message import Message, subject_line
from backup_audit.domain.report import Coverage, Report
from backup_audit.domain.run import Scope
from backup_audit.domain.verdict import Severity, Verdict

T = TypeVar("T")

_PARTS_RESERVED = 999_999  # a number as wide as any count of parts, to measure with


class ToldFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A problem instance, as messages name it."""

    guid: str
    name: str | None
    owner: str | None
    verdict: Verdict
    severity: Severity
    change: Change | None
    since: datetime | None
    reason: str
    newest_backup_at: datetime | None


class ReportAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the report lies."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


class Digest(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="digest"):
    """One run's news. `part` counts from 1; `counts`, `muted`, `coverage` are of the whole run."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str
    run_id: str
    scope: Scope
    due_at: datetime
    complete: bool
    part: int
    parts: int
    counts: dict[str, int]
    coverage: Coverage
    muted: int
    report: ReportAddress
    findings: list[ToldFinding]
    resolved: list[Resolved]


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


def digests(report: Report, address: ReportAddress) -> list[Message]:
    """Name every problem instance, in as few whole messages as fit; none if nothing is wrong.

    Muted instances are counted and not named. Problems that ended are news too.
    """
    items: list[Finding | Resolved] = [*_told(report), *_told_resolved(report)]
    if not items:
        return []

    def fits(chunk: Sequence[Finding | Resolved]) -> bool:
        return _digest(report, address, chunk, _PARTS_RESERVED, _PARTS_RESERVED).fits

    chunks = _halved(items, fits)
    return [
        _digest(report, address, chunk, part, len(chunks)) for part, chunk in enumerate(chunks, 1)
    ]


def finding_messages(report: Report, address: ReportAddress) -> list[Message]:
    """A message for each problem instance, and for each whose problem ended."""
    told = [_named(finding) for finding in _told(report)]
    ended = [_named_resolved(problem) for problem in _told_resolved(report)]
    return [_finding_message(report, address, finding) for finding in told + ended]


def _told(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.is_told]


def _told_resolved(report: Report) -> list[Resolved]:
    return [problem for problem in report.just_resolved if not problem.muted]


def _halved(items: list[T], fits: Callable[[Sequence[T]], bool]) -> list[list[T]]:
    if len(items) == 1 or fits(items):
        return [items]
    middle = len(items) // 2
    return _halved(items[:middle], fits) + _halved(items[middle:], fits)


def _digest(
    report: Report,
    address: ReportAddress,
    items: Sequence[Finding | Resolved],
    part: int,
    parts: int,
) -> Message:
    findings = [item for item in items if isinstance(item, Finding)]
    resolved = [item for item in items if isinstance(item, Resolved)]
    digest = Digest(
        message_id=f"{report.run_id}/digest/{part}",
        foundation=report.foundation,
        run_id=report.run_id,
        scope=report.scope,
        due_at=report.due_at,
        complete=report.complete,
        part=part,
        parts=parts,
        counts=report.counts,
        coverage=report.coverage,
        muted=sum(finding.mute is not None for finding in report.findings),
        report=address,
        findings=[_named(finding) for finding in findings],
        resolved=resolved,
    )
    return Message(
        message_id=digest.message_id,
        subject=_digest_subject(report, part, parts),
        text=digest_text(report, address.uri, findings, resolved, part=part, parts=parts),
        document=msgspec.Raw(msgspec.json.encode(digest)),
        attributes=_digest_attributes(report, findings, resolved),
    )


def _digest_subject(report: Report, part: int, parts: int) -> str:
    told, resolved = _told(report), _told_resolved(report)
    new = sum(finding.change in (Change.NEW, Change.REOPENED) for finding in told)
    said = "1 problem" if len(told) == 1 else f"{len(told)} problems"
    said += f", {new} new" if new else ""
    said += f", {len(resolved)} resolved" if resolved else ""
    label = "backup-audit what-if" if report.scope is Scope.WHAT_IF else "backup-audit"
    numbered = f" ({part}/{parts})" if parts > 1 else ""
    return subject_line(f"[{label}] {report.foundation}: {said}{numbered}")


def _digest_attributes(
    report: Report, findings: Sequence[Finding], resolved: Sequence[Resolved]
) -> dict[str, str | tuple[str, ...]]:
    verdicts = {finding.verdict for finding in findings} | (
        {Verdict.HEALTHY} if resolved else set()
    )
    changes = {finding.change for finding in findings if finding.change}
    changes |= {Change.RESOLVED} if resolved else set()
    attributes: dict[str, str | tuple[str, ...]] = {
        "event": "digest",
        "verdict": tuple(verdict for verdict in Verdict if verdict in verdicts),
        "severity": min(verdicts, key=lambda verdict: verdict.rank).severity,
        "foundation": report.foundation,
        "schema_version": "1",
    }
    if changes:
        attributes["change"] = tuple(change for change in Change if change in changes)
    return attributes


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


def _named(finding: Finding) -> ToldFinding:
    return ToldFinding(
        guid=finding.guid,
        name=finding.name,
        owner=finding.owner,
        verdict=finding.verdict,
        severity=finding.verdict.severity,
        change=finding.change,
        since=finding.since,
        reason=finding.reason,
        newest_backup_at=finding.evidence.newest_backup_at,
    )


def _named_resolved(problem: Resolved) -> ToldFinding:
    return ToldFinding(
        guid=problem.guid,
        name=problem.name,
        owner=problem.owner,
        verdict=Verdict.HEALTHY,
        severity=Severity.INFO,
        change=Change.RESOLVED,
        since=problem.since,
        reason=f"was {problem.verdict} since {problem.since:%Y-%m-%d %H:%M} UTC, is healthy",
        newest_backup_at=None,
    )
