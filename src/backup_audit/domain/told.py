"""Who is named in messages, and how."""

from datetime import datetime

import msgspec

from backup_audit.domain.changes import Resolved
from backup_audit.domain.finding import Change, Finding
from backup_audit.domain.report import Report
from backup_audit.domain.verdict import Severity, Verdict


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


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The figures at the head of each message of a digest; counted once for all of them."""

    told: int
    new: int
    resolved: int
    muted: int


def tally_of(report: Report) -> Tally:
    """Count whom a digest names, and whom it does not."""
    told = told_findings(report)
    return Tally(
        told=len(told),
        new=sum(finding.change in (Change.NEW, Change.REOPENED) for finding in told),
        resolved=len(told_resolved(report)),
        muted=sum(finding.mute is not None for finding in report.findings),
    )


def told_findings(report: Report) -> list[Finding]:
    """The problem instances that a message names: muted ones are counted only."""
    return [finding for finding in report.findings if finding.is_told]


def told_resolved(report: Report) -> list[Resolved]:
    """The problems that this run saw ended and that nobody muted."""
    return [problem for problem in report.just_resolved if not problem.muted]


def named(finding: Finding) -> ToldFinding:
    """A problem instance for a message."""
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


def named_resolved(problem: Resolved) -> ToldFinding:
    """An instance whose problem ended, for a message."""
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
