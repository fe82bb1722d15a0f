"""Problems of one cause, which programs are notified of as one: pure.

A thousand unknown instances behind one broker are one event. Who is in a group has no event of its
own; who leaves it for another verdict opens its own. A group lasts until nobody is left in it, and
takes in nobody after the run that opened it: a second outage is news.
docs/decisions/0004-messages.md has the reasons.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved

GROUP_FROM = 10  # unknown problems of one cause that open together

# Above that programs get groups by verdict and offering: 2,000 requests to SNS take 8 s of a run's
# end, and on a busy machine 30.
EVENTS_MAX = 20_000

_SHORT = 8  # hexadecimal digits that tell causes apart


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the problems of a group share.

    `http_status` and `title` (of the refusal, or why there was no answer) are those of unknown
    ones; both are null where there were too many events, and the group is by verdict and offering.
    """

    verdict: Verdict
    offering: str | None
    http_status: int | None = None
    title: str | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group, and how many `members` it had in this run.

    Messages name only some of them, `named`: the others are muted, or being deleted. `opened_at` is
    the due time of the run that opened it; `end_notified_at` of the first that notified of its end.
    """

    group_id: str
    cause: Cause
    opened_at: datetime
    members: int
    named: int
    end_notified_at: datetime | None = None


def cause_of(finding: Finding) -> Cause:
    """Why an unknown problem is one."""
    return Cause(
        verdict=finding.verdict,
        offering=finding.offering,
        http_status=finding.http_status,
        title=finding.cause,
    )


class Grouping:
    """Finds the groups of a run. `before` are those that are open, `foundation` begins the ids.

    What was decided from `news_from` on, programs have not been notified of: normally what this run
    decides alone. None if no program is notified.
    """

    def __init__(
        self,
        foundation: str,
        due_at: datetime,
        before: Iterable[Group] = (),
        news_from: datetime | None = None,
    ) -> None:
        self._foundation = foundation
        self._due_at = due_at
        self._news_from = news_from or due_at
        self._before = {one.group_id: one for one in before}
        self._members: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        self._opening: Counter[Cause] = Counter()  # in this run
        self._others = 0  # events that no group can take in
        self._open = 0  # problems of which there is nothing new
        self._groups: dict[Cause, Group] = {}  # that open in this run, by the causes they take in

    def add(self, finding: Finding) -> None:
        """Take in a finding whose problem is open."""
        alert, notified_at = finding.alert, finding.notified_at
        if alert is None:
            return
        if alert.group_id is not None:
            self._members[alert.group_id] += 1
            self._named[alert.group_id] += finding.is_notified
        elif not finding.is_notified:
            return
        elif notified_at == self._due_at and alert.left_group_at is None:
            self._opening[_cause_in_detail(finding)] += 1
        elif self._is_news(notified_at, alert.worsened_at, alert.left_group_at):
            self._others += 1
        else:
            self._open += 1

    def add_end(self, ended: Resolved) -> None:
        """Take in the end of a problem, of this run or of one before."""
        if ended.has_event_of_its_own and self._is_news(ended.end_notified_at):
            self._others += 1

    def settle(self, *, reminds: bool) -> bool:
        """Find the groups, once all is taken in.

        `reminds`: whether programs are reminded of what is open. Return whether there are few
        enough events to remind of single problems.
        """
        for cause, count in self._opening.items():
            if cause.verdict is Verdict.UNKNOWN and count >= GROUP_FROM:
                self._groups[cause] = self._new(cause, count)
        alone = {one: n for one, n in self._opening.items() if one not in self._groups}
        events = sum(alone.values()) + self._others
        if events > EVENTS_MAX:
            for cause, count in alone.items():
                self._groups[cause] = self._new(_in_short(cause), count)
            events = self._others
        return events + (self._open if reminds else 0) <= EVENTS_MAX

    def group_of(self, finding: Finding) -> str | None:
        """The group that a problem of this run joins, None if it opens on its own."""
        alert, is_first = finding.alert, finding.notified_at == self._due_at
        if alert is None or alert.left_group_at or not (is_first and finding.is_notified):
            return None
        group = self._groups.get(_cause_in_detail(finding))
        return group.group_id if group else None

    @property
    def opens(self) -> bool:
        """Whether groups open in this run."""
        return bool(self._groups)

    @property
    def groups(self) -> list[Group]:
        """The groups that are open now, and those that ended and are not over yet."""
        members, named = self._members.copy(), self._named.copy()
        for group in self._groups.values():
            members[group.group_id] += group.members
            named[group.group_id] += group.named
        known = self._before | {one.group_id: one for one in self._groups.values()}
        return [
            msgspec.structs.replace(
                one,
                members=members[group_id],
                named=named[group_id],
                end_notified_at=one.end_notified_at
                or (None if members[group_id] else self._due_at),
            )
            for group_id, one in known.items()
        ]

    def _is_news(self, *decided: datetime | None) -> bool:
        return any(at is not None and at >= self._news_from for at in decided)

    def _new(self, cause: Cause, count: int) -> Group:
        """The group of so many problems, all of which messages name."""
        digest = hashlib.sha256(msgspec.json.encode(cause)).hexdigest()[:_SHORT]
        at = f"{self._due_at:%Y%m%dT%H%M%SZ}"
        return Group(
            group_id=f"{self._foundation}/{cause.verdict}/{digest}@{at}",
            cause=cause,
            opened_at=self._due_at,
            members=count,
            named=count,
        )


def _cause_in_detail(finding: Finding) -> Cause:
    if finding.verdict is Verdict.UNKNOWN:
        return cause_of(finding)
    return Cause(verdict=finding.verdict, offering=finding.offering)


def _in_short(cause: Cause) -> Cause:
    return Cause(verdict=cause.verdict, offering=cause.offering)
