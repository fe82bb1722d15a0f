"""Problems of one cause, which programs are notified of as one: pure.

A thousand unknown instances behind one broker are one event. Who is in a group has no event of its
own; who leaves it for another verdict opens its own. A group lasts until nobody is left in it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict

GROUP_FROM = 10  # unknown problems of one cause that open together

# Above that programs get groups by verdict and offering: 2,000 requests to SNS take a minute of a
# run's end.
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

    `opened_at` is the due time of the run that opened it; `end_notified_at` of the first that
    notified of its end.
    """

    group_id: str
    cause: Cause
    opened_at: datetime
    members: int
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
    """Finds the groups of a run. `before` are those that are open, `foundation` begins the ids."""

    def __init__(self, foundation: str, due_at: datetime, before: Iterable[Group]) -> None:
        self._foundation = foundation
        self._due_at = due_at
        self._before = list(before)
        self._members: Counter[str] = Counter()
        self._single: Counter[Cause] = Counter()  # opened in this run, in no group yet
        self._others = 0  # events that no group takes in
        self._reminded = 0
        self._by_cause: dict[Cause, Group] = {}

    def add(self, finding: Finding) -> None:
        """Take in a finding whose problem is open."""
        alert = finding.alert
        if alert is None:
            return
        if alert.group_id is not None:
            self._members[alert.group_id] += 1
        elif not finding.is_notified:
            return
        elif finding.notified_at == self._due_at:
            self._single[_cause_in_detail(finding)] += 1
        elif self._due_at in (alert.worsened_at, alert.left_group_at):
            self._others += 1
        else:
            self._reminded += 1

    def add_ends(self, count: int) -> None:
        """Take in ends that programs are notified of one by one."""
        self._others += count

    def settle(self, *, reminds: bool) -> bool:
        """Find the groups, once all is taken in.

        `reminds`: whether it is time for reminders. Return whether there are few enough events to
        remind of single problems.
        """
        at_work = [one for one in self._before if self._members[one.group_id]]
        self._by_cause = {one.cause: one for one in at_work}
        for cause, count in self._single.items():
            if cause.verdict is Verdict.UNKNOWN and count >= GROUP_FROM:
                self._open(cause)
        alone = sum(count for one, count in self._single.items() if one not in self._by_cause)
        reminded = self._reminded if reminds else 0
        if alone + self._others + reminded <= EVENTS_MAX:
            return True
        if alone + self._others > EVENTS_MAX:
            for cause in [one for one in self._single if one not in self._by_cause]:
                self._open(_in_short(cause))
        return False

    def group_of(self, finding: Finding) -> str | None:
        """The group that a problem of this run joins, None if it opens on its own."""
        if finding.notified_at != self._due_at or not finding.is_notified:
            return None
        cause = _cause_in_detail(finding)
        group = self._by_cause.get(cause) or self._by_cause.get(_in_short(cause))
        return group.group_id if group else None

    @property
    def groups(self) -> list[Group]:
        """The groups that are open now, and those that ended and are not over yet."""
        joined = Counter[str]()
        for cause, count in self._single.items():
            group = self._by_cause.get(cause) or self._by_cause.get(_in_short(cause))
            if group is not None:
                joined[group.group_id] += count
        known = {one.group_id: one for one in (*self._before, *self._by_cause.values())}
        replace = msgspec.structs.replace
        return [
            replace(
                one,
                members=(members := self._members[one.group_id] + joined[one.group_id]),
                end_notified_at=one.end_notified_at or (None if members else self._due_at),
            )
            for one in known.values()
        ]

    def _open(self, cause: Cause) -> None:
        if cause in self._by_cause:
            return
        digest = hashlib.sha256(msgspec.json.encode(cause)).hexdigest()[:_SHORT]
        at = f"{self._due_at:%Y%m%dT%H%M%SZ}"
        self._by_cause[cause] = Group(
            group_id=f"{self._foundation}/{cause.verdict}/{digest}@{at}",
            cause=cause,
            opened_at=self._due_at,
            members=0,
        )


def _cause_in_detail(finding: Finding) -> Cause:
    if finding.verdict is Verdict.UNKNOWN:
        return cause_of(finding)
    return Cause(verdict=finding.verdict, offering=finding.offering)


def _in_short(cause: Cause) -> Cause:
    return Cause(verdict=cause.verdict, offering=cause.offering)
