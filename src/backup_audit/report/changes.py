"""What changed since the last committed full report."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Change, Finding, NotifiedFinding, Problem
from backup_audit.judge.verdict import Verdict

# A problem that comes back within this time was not really solved.
REOPENED_WITHIN = timedelta(days=30)

_TOO_MANY_REQUESTS = 429


class OpenProblem(msgspec.Struct, frozen=True, gc=False):
    """What the next run needs of a problem; a fleet's problems fit into memory.

    `earlier` is the problem that an unknown instance, or one in grace, had before.
    `not_reached`: the run's time was over, or the API refused for its rate limit.
    """

    verdict: Verdict
    since: datetime
    earlier: Problem | None
    not_reached: bool

    @property
    def problem(self) -> Problem:
        """The problem that evidence of health ends."""
        return self.earlier or Problem(self.verdict, self.since)


class Resolved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A problem that ended: evidence of health at `resolved_at`, the due time of the run."""

    guid: str
    name: str | None
    owner: str | None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    verdict: Verdict
    since: datetime
    resolved_at: datetime
    muted: bool = False

    def may_be_reopened(self, due_at: datetime) -> bool:
        """Whether a run due then still remembers it."""
        return due_at - self.resolved_at <= REOPENED_WITHIN

    @property
    def in_short(self) -> NotifiedFinding:
        return NotifiedFinding(
            guid=self.guid,
            name=self.name,
            owner=self.owner,
            org=self.org,
            space=self.space,
            offering=self.offering,
            plan=self.plan,
            verdict=Verdict.HEALTHY,
            severity=Verdict.HEALTHY.severity,
            change=Change.RESOLVED,
            since=self.since,
            reason=f"was {self.verdict} since {self.since:%Y-%m-%d %H:%M} UTC, is healthy",
            policy_notes=[],
            newest_backup_at=None,
            earlier_problem=Problem(self.verdict, self.since),
        )


class State(msgspec.Struct, frozen=True):
    """What the last full report left: open problems and lately resolved ones, by GUID."""

    open: Mapping[str, OpenProblem]
    resolved: Mapping[str, Resolved]


NOTHING_YET = State({}, {})


def open_problems(findings: Iterable[Finding]) -> dict[str, OpenProblem]:
    """The problems that findings leave open, those behind an unknown or a grace among them."""
    opened = {}
    for one in findings:
        problem = one.earlier_problem
        since = one.since or (problem.since if problem else None)
        if since is not None and one.verdict is not Verdict.HEALTHY:
            silence, status = one.evidence.silence, one.evidence.http_status
            not_reached = silence is Cause.NOT_REACHED or status == _TOO_MANY_REQUESTS
            opened[one.guid] = OpenProblem(one.verdict, since, problem, not_reached)
    return opened


def memory_of(resolved: Iterable[Resolved]) -> dict[str, Resolved]:
    """The ended problems that may be reopened: the end of an `unknown` ends no problem."""
    return {one.guid: one for one in resolved if one.verdict is not Verdict.UNKNOWN}


def compared(
    finding: Finding, before: OpenProblem | None, ended: Resolved | None = None
) -> Finding:
    """Add how a finding changed, from the problem before it and the one that had ended before that.

    Only evidence of health ends a problem.
    """
    verdict, problem = finding.verdict, before.problem if before else None
    if verdict.is_problem:
        since = _known_since(verdict, before)
        return msgspec.structs.replace(
            finding,
            change=Change.ONGOING if since else _new_or_reopened(finding, ended),
            since=since or finding.due_at,
            earlier_problem=problem if _hides(verdict, problem) else None,
        )
    if problem is None:
        return finding
    if verdict is not Verdict.HEALTHY:
        return msgspec.structs.replace(finding, earlier_problem=problem)
    return msgspec.structs.replace(
        finding, change=Change.RESOLVED, since=problem.since, earlier_problem=problem
    )


def resolved_by(finding: Finding) -> Resolved | None:
    """The problem that a finding ended, if it did."""
    problem = finding.earlier_problem
    if problem is None or finding.change is not Change.RESOLVED:
        return None
    return Resolved(
        guid=finding.guid,
        name=finding.name,
        owner=finding.owner,
        org=finding.org,
        space=finding.space,
        offering=finding.offering,
        plan=finding.plan,
        verdict=problem.verdict,
        since=problem.since,
        resolved_at=finding.due_at,
        muted=finding.mute is not None,
    )


def _known_since(verdict: Verdict, before: OpenProblem | None) -> datetime | None:
    """Since when the instance has this very problem; None if it had none, or another."""
    if before is None:
        return None
    known = {before.problem.verdict: before.problem.since, before.verdict: before.since}
    return known.get(verdict)


def _hides(verdict: Verdict, problem: Problem | None) -> bool:
    """Whether nobody knows now if the problem is still there."""
    known = problem is not None and problem.verdict is not Verdict.UNKNOWN
    return known and verdict is Verdict.UNKNOWN


def _new_or_reopened(finding: Finding, ended: Resolved | None) -> Change:
    if finding.verdict is Verdict.UNKNOWN or ended is None:
        return Change.NEW
    return Change.REOPENED if ended.may_be_reopened(finding.due_at) else Change.NEW
