"""The life of a problem: how a finding follows from what the last full report left. Pure.

A problem opens with a finding and lasts, whatever its verdict becomes, until there is evidence of
health, or until nobody audits the instance any more. docs/decisions/0004-messages.md has the table.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from backup_audit.judge.finding import Alert, Change, Finding, Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.sharing import sharing

# A problem that comes back within this time was not really solved.
REOPENED_WITHIN = timedelta(days=30)

# Of what thousands of problems have in common.
SHARED_OF_PROBLEMS = ("opened_at", "notified_at", "alert", "before")

_TOO_MANY_REQUESTS = 429


class Ended(StrEnum):
    """How a problem ended."""

    HEALTHY = "healthy"  # on proof
    IN_GRACE = "in_grace"  # by a policy
    DROPPED = "dropped"  # nothing lists the instance any more
    GONE = "gone"  # from the foundation
    LEFT_SELECTION = "left_selection"  # nothing selects it any more, or it is excluded


class OpenProblem(msgspec.Struct, frozen=True, gc=False):
    """What the next run needs of a finding; a fleet's problems fit into memory.

    `opened_at` is null if no problem is open: the instance was not reached. `not_reached`: the
    run's time was over, or the API refused for its rate limit.
    """

    verdict: Verdict
    since: datetime
    opened_at: datetime | None
    notified_at: datetime | None
    alert: Alert | None
    before: Problem | None
    not_reached: bool

    @property
    def problem(self) -> Problem:
        """The problem that evidence of health ends: behind an unknown one, the one before it."""
        hidden = self.verdict is Verdict.UNKNOWN and self.before is not None
        return self.before if hidden and self.before else Problem(self.verdict, self.since)


class Resolved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A problem that ended, in the run due at `resolved_at`, and how it `ended`.

    `end_notified_at` is the due time of the first run that decided to say so: null if nobody was
    notified of the end, or there was nothing to say, since nobody had been notified of the problem.
    """

    guid: str
    name: str | None
    owner: str | None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    problem_id: str
    verdict: Verdict
    since: datetime
    opened_at: datetime
    notified_at: datetime | None
    alert: Alert | None
    resolved_at: datetime
    ended: Ended
    end_notified_at: datetime | None
    muted: bool = False

    def may_be_reopened(self, due_at: datetime) -> bool:
        """Whether a problem that a run due then finds is this one again: not knowing is none."""
        is_recent = due_at - self.resolved_at <= REOPENED_WITHIN
        return is_recent and self.verdict is not Verdict.UNKNOWN

    @property
    def is_owed(self) -> bool:
        """Whether somebody was notified of the problem, and nobody of its end."""
        return self.notified_at is not None and self.end_notified_at is None

    @property
    def is_unsaid(self) -> bool:
        """Whether it opened and ended, nobody was notified of either, and nobody had muted it."""
        return self.notified_at is None and self.end_notified_at is None and not self.muted

    @property
    def has_event_of_its_own(self) -> bool:
        """Whether programs are notified of the end one by one: in a group nobody is."""
        is_in_group = self.alert is not None and self.alert.group_id is not None
        return self.notified_at is not None and not is_in_group

    def is_due(self, owed_from: datetime, due_at: datetime) -> bool:
        """Whether somebody is still to be notified of the end, in a run due then or later."""
        if self.end_notified_at is not None:
            return self.end_notified_at >= owed_from
        return self.is_owed or (self.is_unsaid and due_at - self.resolved_at <= REOPENED_WITHIN)


class State(msgspec.Struct, frozen=True):
    """What the last full report left, by GUID: open problems, and ends that may be reopened."""

    open: Mapping[str, OpenProblem]
    resolved: Mapping[str, Resolved]


NOTHING_YET = State({}, {})


def problem_id(guid: str, opened_at: datetime) -> str:
    """The id of a problem: the key to open and close an incident; 217 characters at the most."""
    seconds = "%S" if opened_at.second else ""
    return f"{guid}@{opened_at:%Y%m%dT%H%M{seconds}Z}"


def open_problems(findings: Iterable[Finding]) -> dict[str, OpenProblem]:
    """The problems that findings leave open, and who was not reached.

    The findings are fresh from a decoder: their times and alerts are shared, since thousands of
    problems open together.
    """
    opened = {}
    for one in sharing(findings, "since", *SHARED_OF_PROBLEMS):
        if one.since is None or not one.verdict.is_problem:
            continue
        not_reached = not one.is_reached or one.evidence.http_status == _TOO_MANY_REQUESTS
        opened[one.guid] = OpenProblem(
            one.verdict,
            one.since,
            one.opened_at,
            one.notified_at,
            one.alert,
            one.before,
            not_reached,
        )
    return opened


def memory_of(resolved: Iterable[Resolved], due_at: datetime) -> dict[str, Resolved]:
    """The latest end of each instance that a run due then may call reopened."""
    memory: dict[str, Resolved] = {}
    for one in resolved:
        known = memory.get(one.guid)
        if one.may_be_reopened(due_at) and (known is None or known.opened_at < one.opened_at):
            memory[one.guid] = one
    return memory


def compared(
    finding: Finding,
    before: OpenProblem | None,
    ended: Resolved | None = None,
    *,
    notifies: bool = True,
    owed_from: datetime | None = None,
) -> Finding:
    """Go on from the problem before a finding, or from the one that had ended before that.

    `notifies`: whether the run notifies anybody. What was decided from `owed_from` on, some
    audience has not been notified of; None if there is no such thing.
    """
    replace = msgspec.structs.replace
    if not finding.verdict.is_problem:
        if before is None or before.opened_at is None:
            return finding
        return _ended(finding, before, before.opened_at)
    finding = replace(finding, since=_since(finding, before))
    if before is None or before.opened_at is None:
        return _opened(finding, ended, notifies=notifies) if finding.is_reached else finding
    went_on = _going_on(finding, before, before.opened_at, ended, notifies=notifies)
    if not notifies or owed_from is None or went_on.is_notified:
        return went_on
    return replace(went_on, alert=_left_out(before, owed_from))


def resolved_by(finding: Finding, *, notifies: bool) -> Resolved | None:
    """The problem that a finding ended, if it did."""
    if finding.verdict.is_problem or finding.before is None or finding.opened_at is None:
        return None
    healthy = finding.verdict is Verdict.HEALTHY
    return end_of(
        finding,
        finding.before,
        Ended.HEALTHY if healthy else Ended.IN_GRACE,
        opened_at=finding.opened_at,
        due_at=finding.due_at,
        notifies=notifies,
    )


def left_by(
    findings: Iterable[Finding],
    how: Mapping[str, Ended],
    due_at: datetime,
    *,
    notifies: bool,
) -> Iterator[Resolved]:
    """The problems of the last report whose instances a run due then audits no more.

    `how` says of each of those instances how it left.
    """
    for one in findings:
        if one.guid not in how or one.opened_at is None or one.since is None:
            continue
        hidden = one.before if one.verdict is Verdict.UNKNOWN else None
        problem = hidden or Problem(one.verdict, one.since)
        yield end_of(
            one,
            problem,
            how[one.guid],
            opened_at=one.opened_at,
            due_at=due_at,
            notifies=notifies,
        )


def end_of(
    finding: Finding,
    problem: Problem,
    ended: Ended,
    *,
    opened_at: datetime,
    due_at: datetime,
    notifies: bool,
) -> Resolved:
    """The end of a finding's problem, opened then, in the run due then."""
    is_said = notifies and finding.notified_at is not None
    return Resolved(
        guid=finding.guid,
        name=finding.name,
        owner=finding.owner,
        org=finding.org,
        space=finding.space,
        offering=finding.offering,
        plan=finding.plan,
        problem_id=problem_id(finding.guid, opened_at),
        verdict=problem.verdict,
        since=problem.since,
        opened_at=opened_at,
        notified_at=finding.notified_at,
        alert=finding.alert,
        resolved_at=due_at,
        ended=ended,
        end_notified_at=due_at if is_said else None,
        muted=finding.mute is not None,
    )


def _since(finding: Finding, before: OpenProblem | None) -> datetime:
    """Since when the instance has this very verdict, as far as anybody could see."""
    if before is None:
        return finding.due_at
    known = {before.problem.verdict: before.problem.since, before.verdict: before.since}
    return known.get(finding.verdict, finding.due_at)


def _opened(finding: Finding, ended: Resolved | None, *, notifies: bool) -> Finding:
    due_at = finding.due_at
    finding = msgspec.structs.replace(
        finding,
        problem_id=problem_id(finding.guid, due_at),
        opened_at=due_at,
        change=_new_or_reopened(finding, ended),
    )
    if not (notifies and finding.is_notified):
        return finding
    alert = Alert(verdict=finding.verdict)
    return msgspec.structs.replace(finding, notified_at=due_at, alert=alert)


def _going_on(
    finding: Finding,
    before: OpenProblem,
    opened_at: datetime,
    ended: Resolved | None,
    *,
    notifies: bool,
) -> Finding:
    alert, due_at = before.alert, finding.due_at
    finding = msgspec.structs.replace(
        finding,
        problem_id=problem_id(finding.guid, opened_at),
        opened_at=opened_at,
        notified_at=before.notified_at,
        change=Change.ONGOING,
        before=_before(finding.verdict, before),
        alert=alert,
    )
    if not (notifies and finding.is_notified):
        return finding
    if alert is None:
        alert, change = Alert(verdict=finding.verdict), _new_or_reopened(finding, ended)
        return msgspec.structs.replace(finding, notified_at=due_at, alert=alert, change=change)
    if alert.is_owed:
        alert = Alert(verdict=finding.verdict, left_group_at=due_at)
        return msgspec.structs.replace(finding, notified_at=due_at, alert=alert)
    heard = _heard(alert, finding.verdict, due_at)
    if alert.left_out:
        heard = msgspec.structs.replace(heard, left_out=False, named_again_at=due_at)
    return msgspec.structs.replace(finding, alert=heard)


def _heard(alert: Alert, verdict: Verdict, due_at: datetime) -> Alert:
    """What readers have heard after a run that names this verdict; an unknown one tells nothing."""
    if verdict in (alert.verdict, Verdict.UNKNOWN):
        return alert
    worse = verdict.rank < alert.verdict.rank
    return Alert(
        verdict=verdict,
        worsened_at=due_at if worse else alert.worsened_at,
        left_group_at=due_at if alert.group_id else alert.left_group_at,
        named_again_at=alert.named_again_at,
    )


def _left_out(before: OpenProblem, owed_from: datetime) -> Alert | None:
    """What readers have heard of a problem that this run leaves out, such as a muted one.

    What some audience has not heard yet, it will not hear now: it is news again once the problem is
    named.
    """
    alert = before.alert
    if alert is None:
        return None

    def is_owed(at: datetime | None) -> bool:
        return at is not None and at >= owed_from

    alert = msgspec.structs.replace(alert, left_out=True)
    if is_owed(before.notified_at) or is_owed(alert.left_group_at):
        return msgspec.structs.replace(alert, is_owed=True)
    if is_owed(alert.worsened_at):
        return msgspec.structs.replace(alert, verdict=Verdict.UNKNOWN, worsened_at=None)
    return alert


def _before(verdict: Verdict, before: OpenProblem) -> Problem | None:
    """The verdict before this one; while both are the same, what stood there already."""
    if verdict is before.verdict:
        return before.before
    if verdict is Verdict.UNKNOWN:
        return before.problem
    if before.verdict is Verdict.UNKNOWN and before.before is not None:
        hidden = before.before
        return None if hidden.verdict is verdict else hidden
    return Problem(before.verdict, before.since)


def _ended(finding: Finding, before: OpenProblem, opened_at: datetime) -> Finding:
    return msgspec.structs.replace(
        finding,
        problem_id=problem_id(finding.guid, opened_at),
        opened_at=opened_at,
        notified_at=before.notified_at,
        alert=before.alert,
        change=Change.RESOLVED if finding.verdict is Verdict.HEALTHY else None,
        since=before.problem.since,
        before=before.problem,
    )


def _new_or_reopened(finding: Finding, ended: Resolved | None) -> Change:
    if finding.verdict is Verdict.UNKNOWN or ended is None:
        return Change.NEW
    return Change.REOPENED if ended.may_be_reopened(finding.due_at) else Change.NEW
