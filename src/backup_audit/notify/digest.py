"""Who is named in messages, and how."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.message import Message, subject_line, text_of
from backup_audit.report.changes import Resolved
from backup_audit.report.report import Coverage, Report, ReportAddress


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


_MEANING = {
    Verdict.NEVER_BACKED_UP: "no backup exists to restore from",
    Verdict.STALE: "backups exist, and are too old or too few",
    Verdict.UNSUPPORTED: "the offering lacks backup support",
    Verdict.NOT_FOUND: "gone, or not visible to our client: check the configuration and the role",
    Verdict.UNKNOWN: "could not be audited",
}


def digest_text(
    report: Report,
    tally: Tally,
    uri: str,
    findings: Sequence[Finding],
    resolved: Sequence[Resolved],
    *,
    part: int,
    parts: int,
) -> str:
    """The digest, grouped by verdict, worst first."""
    lines = [*_head(report, tally, part, parts)]
    for verdict in Verdict:
        group = [finding for finding in findings if finding.verdict is verdict]
        if group:
            lines += ["", f"{_title(verdict)} ({len(group)}): {_MEANING[verdict]}"]
            lines += [line for finding in group for line in _finding_lines(finding)]
    if resolved:
        lines += ["", f"RESOLVED ({len(resolved)})"]
        lines += [f"  {_who(r.name, r.guid)}: was {r.verdict}, is healthy" for r in resolved]
    return text_of([*lines, "", f"Report: {uri}"])


def finding_text(name: str | None, guid: str, owner: str | None, reason: str, uri: str) -> str:
    """The text of a message about one instance."""
    owned = [f"Owner: {owner}"] if owner else []
    return text_of([f"{_who(name, guid)}: {reason}", *owned, f"Report: {uri}"])


def _head(report: Report, tally: Tally, part: int, parts: int) -> Iterator[str]:
    coverage = report.coverage
    yield f"Backup audit of {report.foundation}, run {report.run_id} ({report.scope})"
    if report.scope is Scope.WHAT_IF:
        yield "A what-if: judged at another instant or under another policy than configured."
    yield f"{tally.told} of {coverage.configured} instances have a problem."
    yield (
        f"Audited: {coverage.audited} of {coverage.configured} ({coverage.percent:g} %), "
        f"unknown: {coverage.unknown}."
    )
    if not report.complete:
        yield "INCOMPLETE: the time was over before every instance was reached."
    if tally.muted:
        yield f"Muted and not named here: {tally.muted}."
    if parts > 1:
        yield f"Message {part} of {parts}."


def _title(verdict: Verdict) -> str:
    return verdict.replace("_", " ").upper()


def _finding_lines(finding: Finding) -> Iterator[str]:
    marks = ", ".join(mark for mark in (finding.change, finding.owner) if mark)
    yield f"  {_who(finding.name, finding.guid)}" + (f" [{marks}]" if marks else "")
    yield f"      {finding.reason}"
    if finding.kept_problem:
        kept = finding.kept_problem
        yield f"      before: {kept.verdict} since {kept.since:%Y-%m-%d %H:%M} UTC"


def _who(name: str | None, guid: str) -> str:
    return f"{name} ({guid})" if name else guid


T = TypeVar("T")

_PARTS_RESERVED = 999_999  # a number as wide as any count of parts, to measure with


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


def digests(report: Report, address: ReportAddress) -> list[Message]:
    """Name every problem instance, in as few whole messages as fit; none if nothing is wrong.

    Muted instances are counted and not named. Problems that ended are news too.
    """
    items: list[Finding | Resolved] = [*told_findings(report), *told_resolved(report)]
    if not items:
        return []
    tally = tally_of(report)

    def fits(chunk: Sequence[Finding | Resolved]) -> bool:
        return _digest(
            report, address, tally, chunk, part=_PARTS_RESERVED, parts=_PARTS_RESERVED
        ).fits

    chunks = _halved(items, fits)
    return [
        _digest(report, address, tally, chunk, part=part, parts=len(chunks))
        for part, chunk in enumerate(chunks, 1)
    ]


def _halved(items: list[T], fits: Callable[[Sequence[T]], bool]) -> list[list[T]]:
    if len(items) == 1 or fits(items):
        return [items]
    middle = len(items) // 2
    return _halved(items[:middle], fits) + _halved(items[middle:], fits)


def _digest(
    report: Report,
    address: ReportAddress,
    tally: Tally,
    items: Sequence[Finding | Resolved],
    *,
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
        muted=tally.muted,
        report=address,
        findings=[named(finding) for finding in findings],
        resolved=resolved,
    )
    return Message(
        message_id=digest.message_id,
        subject=_digest_subject(report, tally, part, parts),
        text=digest_text(report, tally, address.uri, findings, resolved, part=part, parts=parts),
        document=msgspec.Raw(msgspec.json.encode(digest)),
        attributes=_digest_attributes(report, findings, resolved),
    )


def _digest_subject(report: Report, tally: Tally, part: int, parts: int) -> str:
    said = "1 problem" if tally.told == 1 else f"{tally.told} problems"
    said += f", {tally.new} new" if tally.new else ""
    said += f", {tally.resolved} resolved" if tally.resolved else ""
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
