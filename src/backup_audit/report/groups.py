"""Problems of one cause, which programs are notified of as one: pure.

A thousand unknown instances behind one broker are one event; so are a thousand that are not found
since our client lost a role. Who is in a group has no event of its
own; who leaves it for another verdict opens its own. A group lasts until nobody is left in it, and
takes in nobody after the run that opened it: a second outage is news.
docs/decisions/0004-messages.md has the reasons.
"""

import hashlib
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved

GROUP_FROM = 10  # problems of one cause that open together

# Above that programs get groups by verdict and offering: 2,000 requests to SNS take 8 s of a run's
# end, and on a busy machine 30.
EVENTS_MAX = 20_000

OWNERS_MAX = 50  # owners, by name, that a group remembers
EXAMPLES_MAX = 3  # instances that it names

_SHORT = 8  # hexadecimal digits that tell causes apart


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the problems of a group share.

    `http_status` and `title` (of the refusal, or why there was no answer) are those of unknown
    ones; both are null where a role seems lost, or there were too many events: then the group is by
    verdict and offering.
    """

    verdict: Verdict
    offering: str | None
    http_status: int | None = None
    title: str | None = None


class Example(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An instance of a group, by its names."""

    guid: str
    name: str | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group, and how many `members` it had in this run.

    Messages name only some of them, `named`: the others are muted, or being deleted. `opened_at` is
    the due time of the run that opened it; `end_notified_at` of the first that notified of its end.
    `owners` are those that its members had then, the first 50 by name: they hear of its end too.
    `examples` are three that are named in this run; once none is, those of the last that named any.
    """

    group_id: str
    cause: Cause
    opened_at: datetime
    members: int
    named: int
    owners: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    end_notified_at: datetime | None = None


def of_one_cause(*, is_role_lost: bool) -> frozenset[Verdict]:
    """The verdicts that many instances have for one cause, so that one message says it of all.

    `is_role_lost`: instances disappeared at once, so those not found are for one cause, too.
    """
    return frozenset({Verdict.UNKNOWN, *((Verdict.NOT_FOUND,) if is_role_lost else ())})


def cause_of(finding: Finding) -> Cause:
    """What a problem has in common with others: of an unknown one why it is."""
    if finding.verdict is not Verdict.UNKNOWN:
        return Cause(verdict=finding.verdict, offering=finding.offering)
    return Cause(
        verdict=finding.verdict,
        offering=finding.offering,
        http_status=finding.http_status,
        title=finding.cause,
    )


class Grouping:
    """Finds the groups of a run. `before` are those that are open, `foundation` begins the ids.

    What was decided from `news_from` on, programs have not been notified of: normally what this run
    decides alone. None if no program is notified. `is_role_lost`: in this run instances disappeared
    at once, so that those not found are for one cause.
    """

    def __init__(
        self,
        foundation: str,
        due_at: datetime,
        before: Iterable[Group] = (),
        news_from: datetime | None = None,
        *,
        is_role_lost: bool = False,
    ) -> None:
        self._foundation = foundation
        self._due_at = due_at
        self._news_from = news_from or due_at
        self._before = {one.group_id: one for one in before}
        self._members: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        self._of_one_cause = of_one_cause(is_role_lost=is_role_lost)
        self._opening: Counter[Cause] = Counter()  # in this run
        self._owners: defaultdict[Cause, list[str]] = defaultdict(list)  # of those, by name
        self._examples: defaultdict[Cause | str, list[Example]] = defaultdict(list)  # or of groups
        self._others = 0  # events that no group can take in
        self._ongoing = 0  # problems of which there is nothing new
        self._groups: dict[Cause, Group] = {}  # that open in this run, by the causes they take in

    def add(self, finding: Finding) -> None:
        """Take in a finding whose problem is open."""
        alert, notified_at = finding.alert, finding.notified_at
        if alert is None:
            return
        if alert.group_id is not None:
            self._members[alert.group_id] += 1
            self._named[alert.group_id] += finding.is_notified
            if finding.is_notified:
                self._exemplify(alert.group_id, finding)
        elif not finding.is_notified:
            return
        elif notified_at == self._due_at and alert.left_group_at is None:
            self._open(_cause_in_detail(finding), finding)
        elif self._is_news(notified_at, alert.worsened_at, alert.left_group_at):
            self._others += 1
        else:
            self._ongoing += 1

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
            if cause.verdict in self._of_one_cause and count >= GROUP_FROM:
                self._groups[cause] = self._new(cause, count)
        alone = {one: n for one, n in self._opening.items() if one not in self._groups}
        events = sum(alone.values()) + self._others
        if events > EVENTS_MAX:
            for cause, count in alone.items():
                self._groups[cause] = self._new(_in_short(cause), count)
            events = self._others
        return events + (self._ongoing if reminds else 0) <= EVENTS_MAX

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
        known = {one.group_id: self._now(one) for one in self._before.values()} | self._new_ones()
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

    def _open(self, cause: Cause, finding: Finding) -> None:
        self._opening[cause] += 1
        self._exemplify(cause, finding)
        owners = self._owners[cause]
        if finding.owner and finding.owner not in owners:
            insort(owners, finding.owner)
            del owners[OWNERS_MAX:]

    def _exemplify(self, group: Cause | str, finding: Finding) -> None:
        examples = self._examples[group]
        if len(examples) < EXAMPLES_MAX:
            examples.append(Example(guid=finding.guid, name=finding.name))

    def _now(self, group: Group) -> Group:
        examples = tuple(self._examples.get(group.group_id, ()))
        return msgspec.structs.replace(group, examples=examples or group.examples)

    def _new_ones(self) -> dict[str, Group]:
        """The groups that open in this run; one may take in several causes."""
        groups: dict[str, Group] = {}
        for cause, new in self._groups.items():
            known = groups.get(new.group_id, new)
            owners = sorted({*known.owners, *self._owners[cause]})
            examples = (*known.examples, *self._examples[cause])
            groups[new.group_id] = msgspec.structs.replace(
                known, owners=tuple(owners[:OWNERS_MAX]), examples=examples[:EXAMPLES_MAX]
            )
        return groups

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
    if finding.hidden is not None:  # it is more than unknown, and nobody has heard of it
        return Cause(verdict=finding.hidden.verdict, offering=finding.offering)
    return cause_of(finding)


def _in_short(cause: Cause) -> Cause:
    return Cause(verdict=cause.verdict, offering=cause.offering)
