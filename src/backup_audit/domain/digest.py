"""The digest: one run's news, in as few whole messages as fit."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from backup_audit.domain.changes import Resolved
from backup_audit.domain.digest_text import digest_text
from backup_audit.domain.finding import Change, Finding
from backup_audit.domain.message import Message, subject_line
from backup_audit.domain.report import Coverage, Report, ReportAddress
from backup_audit.domain.run import Scope
from backup_audit.domain.told import (
    Tally,
    ToldFinding,
    named,
    tally_of,
    told_findings,
    told_resolved,
)
from backup_audit.domain.verdict import Verdict

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
