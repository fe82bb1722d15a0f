"""The text of messages, for people who read e-mail."""

from collections.abc import Iterator, Sequence

from backup_audit.domain.changes import Resolved
from backup_audit.domain.finding import Finding
from backup_audit.domain.message import text_of
from backup_audit.domain.report import Report
from backup_audit.domain.run import Scope
from backup_audit.domain.told import Tally
from backup_audit.domain.verdict import Verdict

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
