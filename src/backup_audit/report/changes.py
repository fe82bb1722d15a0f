"""What changed since the last committed full report."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from backup_audit.judge.finding import Change, Finding, KeptProblem
from backup_audit.judge.verdict import Verdict

# A problem that comes back within this time was not really solved.
REOPENED_WITHIN = timedelta(days=30)


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that ended: evidence of health at `resolved_at`, the due time of the run."""

    guid: str
    name: str | None
    owner: str | None
    verdict: Verdict
    since: datetime
    resolved_at: datetime
    muted: bool = False


class State(msgspec.Struct, frozen=True):
    """What the last full report left: open findings and lately resolved problems, by GUID."""

    open: Mapping[str, Finding]
    resolved: Mapping[str, Resolved]


NOTHING_YET = State({}, {})


def state_of(findings: Iterable[Finding], resolved: Iterable[Resolved]) -> State:
    """Read the state out of a report's parts."""
    return State(
        {finding.guid: finding for finding in findings if finding.verdict.is_problem},
        {problem.guid: problem for problem in resolved},
    )


def compared(finding: Finding, state: State, due_at: datetime) -> Finding:
    """Say how a finding changed. An unknown instance keeps the problem that it had before."""
    before = state.open.get(finding.guid)
    if not finding.verdict.is_problem:
        if before is None or finding.verdict is not Verdict.HEALTHY:
            return finding
        return msgspec.structs.replace(
            finding, change=Change.RESOLVED, since=_problem(before).since
        )
    since = _known_since(finding, before)
    return msgspec.structs.replace(
        finding,
        change=Change.ONGOING if since else _new_or_reopened(finding, state, due_at),
        since=since or due_at,
        kept_problem=_kept(finding, before),
    )


def resolved_problems(
    findings: Iterable[Finding], state: State, due_at: datetime
) -> tuple[Resolved, ...]:
    """Those that this run resolved, and the earlier ones that may still be reopened."""
    seen = {finding.guid: finding for finding in findings}
    now_resolved = tuple(
        _resolved(finding, state.open[finding.guid], due_at)
        for finding in seen.values()
        # A retry can find findings that an earlier delivery compared with another report.
        if finding.change is Change.RESOLVED and finding.guid in state.open
    )
    gone = {problem.guid for problem in now_resolved}
    earlier = tuple(
        problem
        for problem in state.resolved.values()
        if problem.guid not in gone
        and due_at - problem.resolved_at <= REOPENED_WITHIN
        and not (problem.guid in seen and seen[problem.guid].verdict.is_problem)
    )
    return now_resolved + earlier


def _problem(before: Finding) -> KeptProblem:
    """The problem of an instance; that of an unknown one is the problem it keeps, if any."""
    if before.kept_problem is not None:
        return before.kept_problem
    return KeptProblem(before.verdict, before.since or before.evidence.observed_at)


def _known_since(finding: Finding, before: Finding | None) -> datetime | None:
    """Since when the instance has this very problem; None if it had none, or another."""
    if before is None:
        return None
    if finding.verdict is before.verdict:
        return before.since or before.evidence.observed_at
    problem = _problem(before)
    return problem.since if problem.verdict is finding.verdict else None


def _kept(finding: Finding, before: Finding | None) -> KeptProblem | None:
    if finding.verdict is not Verdict.UNKNOWN or before is None:
        return None
    problem = _problem(before)
    return None if problem.verdict is Verdict.UNKNOWN else problem


def _new_or_reopened(finding: Finding, state: State, due_at: datetime) -> Change:
    earlier = state.resolved.get(finding.guid)
    if earlier is None or due_at - earlier.resolved_at > REOPENED_WITHIN:
        return Change.NEW
    return Change.REOPENED


def _resolved(finding: Finding, before: Finding, due_at: datetime) -> Resolved:
    problem = _problem(before)
    return Resolved(
        guid=finding.guid,
        name=finding.name,
        owner=finding.owner,
        verdict=problem.verdict,
        since=problem.since,
        resolved_at=due_at,
        muted=finding.mute is not None,
    )
