"""What changed between the fleet of the last full run and that of this one, and what nobody audits.

The documents that report.json has under `inventory`, and the comparison behind them: pure.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from backup_audit.fleet.inventory import MANAGED, Read, Sees, ServiceInstance
from backup_audit.fleet.selection import ExcludeUse, RuleUse, Standing
from backup_audit.judge.finding import Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import OpenProblem

NAMED_MAX = 5_000  # instances that a list of the report names; its head is read at once

# Instances that disappear at once, more than this number and this share of those audited: taken for
# a role that our client lost, or for another foundation, and not for deletions.
LOST_FROM = 10
_LOST_SHARE = 10  # one in so many

# So long nobody leaves the fleet for what is taken for a lost role. Whoever runs the audit was
# notified of it by each run until then.
LOST_FOR = timedelta(days=7)

_NO_OFFERING = "unknown"

NOT_READ = "the inventory was not read completely"  # how the warning begins that says so


class FleetRow(ServiceInstance, frozen=True, kw_only=True, omit_defaults=True):
    """A line of fleet.jsonl: an instance of the inventory, and whether the run audits it.

    `place` decided that, such as "instances[3]", "discover[0]" or "exclude[1]"; left out if nothing
    names the instance. `absent`: the foundation lists it no more, and it is audited until its own
    answer says so too.
    """

    standing: Standing
    place: str | None = None
    absent: bool = False


class LastFleet(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet of the last committed full report.

    `is_known` is false if there is none. `scanned_at` (UTC) is when an inventory was last read
    completely, None: never. `standings` has all instances, `rows` only those that were asked for.
    `warning` says what of it cannot be read.
    """

    is_known: bool = False
    scanned_at: datetime | None = None
    standings: Mapping[str, Standing] = {}
    rows: Mapping[str, FleetRow] = {}
    warning: str | None = None


NO_FLEET = LastFleet()


class Departure(StrEnum):
    """How an instance left the fleet."""

    GONE = "gone"  # from the foundation
    DESELECTED = "deselected"  # it is there, and nothing selects it any more
    EXCLUDED = "excluded"


class Departed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An instance that was audited, and left the fleet; `open_problem` is what it had.

    `owner` is who owns it by what is configured now. `place` excludes it, "exclude[0]" or "label
    backup-audit.skip-until", up to and including the day `until` (UTC), or "never" as its end; both
    are null if it is not excluded.
    """

    guid: str
    name: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    owner: str | None
    how: Departure
    place: str | None
    until: str | None
    open_problem: Problem | None


class LeftCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many left the fleet in one way, and how many of them with an open problem."""

    how: Departure
    count: int
    with_problem: int


class Departures:
    """Counts who left the fleet, and holds no more of them than a report names."""

    def __init__(self) -> None:
        self.count = 0
        self._left: Counter[Departure] = Counter()
        self._with_problem: Counter[Departure] = Counter()
        self._named: list[Departed] = []

    @property
    def named(self) -> list[Departed]:
        """With an open problem first, the worst and oldest of them first; 5,000 at most."""
        return heapq.nsmallest(NAMED_MAX, self._named, key=_departed_key)

    @property
    def left(self) -> list[LeftCount]:
        """How many left in which way."""
        return [
            LeftCount(how=how, count=self._left[how], with_problem=self._with_problem[how])
            for how in Departure
            if self._left[how]
        ]

    def add(self, one: Departed) -> None:
        self.count += 1
        self._left[one.how] += 1
        self._with_problem[one.how] += one.open_problem is not None
        self._named.append(one)
        if len(self._named) == 2 * NAMED_MAX:
            self._named = self.named


class UnauditedInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that nobody audits; `is_new`: since the last full run."""

    guid: str
    name: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    is_new: bool


class Unaudited(msgspec.Struct, frozen=True, kw_only=True):
    """The managed instances that our client sees and that nobody listed, discovered or excluded.

    `new` counts those since the last full run, 0 at the first. `instances` names new ones first,
    5,000 at the most.
    """

    count: int
    new: int
    by_offering: dict[str, int]
    instances: list[UnauditedInstance]


class InventoryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The inventory that a run used, and what it says of the fleet.

    `read_at` is when one was last read completely, `why` says what was wrong with this reading.
    `managed` and `user_provided` count what our client sees. `vanished` are instances that were
    audited and left the fleet, those with an open problem first, 5,000 at the most, of
    `vanished_count`. `left` counts them by how they left. `lost` counts those that disappeared at
    once, which is taken for a lost role: all of them stay in the fleet. Null: not known, since the
    inventory was not read completely, or none was before. `excluded` and `rules` are empty where
    the event names the instances.
    """

    read: Read
    why: str | None
    read_at: datetime | None
    requests: int
    sees: Sees
    managed: int | None
    user_provided: int | None
    appeared: int | None
    vanished: list[Departed] | None
    vanished_count: int | None
    left: list[LeftCount] | None
    lost: int
    unaudited: Unaudited | None
    excluded: list[ExcludeUse]
    rules: list[RuleUse]

    @property
    def why_incomplete(self) -> str | None:
        """Why a run with this inventory is incomplete, though each instance was reached."""
        if not self.lost:
            return None
        return (
            f"{self.lost:,} instances disappeared from the foundation's list at once, which is "
            "taken for a lost role of our client: they stay in the fleet"
        )


def fleet_row(
    row: ServiceInstance, standing: Standing, *, place: str | None, absent: bool = False
) -> FleetRow:
    """A line of fleet.jsonl."""
    return FleetRow(
        guid=row.guid,
        type=row.type,
        name=row.name,
        org=row.org,
        space=row.space,
        offering=row.offering,
        plan=row.plan,
        created_at=row.created_at,
        last_operation=row.last_operation,
        labels=row.labels,
        standing=standing,
        place=place,
        absent=absent,
    )


def is_lost_role(disappeared: int, audited: int) -> bool:
    """Whether so many of the instances audited before are too many to have been deleted."""
    return disappeared > LOST_FROM and disappeared * _LOST_SHARE > audited


def has_left(before: OpenProblem | None, due_at: datetime, *, lost: bool) -> bool:
    """Whether an instance that the foundation lists no more may leave the fleet.

    The last report has to say so by the instance's own answer; if so many disappeared that it looks
    like a lost role, for a week.
    """
    if before is None or before.verdict is not Verdict.NOT_FOUND:
        return False
    return not lost or due_at - before.since >= LOST_FOR


def departed(
    row: ServiceInstance,
    how: Departure,
    before: OpenProblem | None,
    *,
    owner: str | None = None,
    place: str | None = None,
    until: str | None = None,
) -> Departed:
    """An instance that left the fleet."""
    return Departed(
        guid=row.guid,
        name=row.name,
        org=row.org,
        space=row.space,
        offering=row.offering,
        plan=row.plan,
        owner=owner,
        how=how,
        place=place,
        until=until,
        open_problem=before.problem if before and before.opened_at else None,
    )


def appeared(
    rows: Collection[str], standing_of: Callable[[str], Standing], last: LastFleet
) -> int | None:
    """How many are there and audited that were not before; None without a complete one before."""
    if last.scanned_at is None:
        return None
    audited = (guid for guid in rows if standing_of(guid) is Standing.AUDITED)
    return sum(last.standings.get(guid) is not Standing.AUDITED for guid in audited)


def unaudited(
    rows: Mapping[str, ServiceInstance], standing_of: Callable[[str], Standing], last: LastFleet
) -> Unaudited:
    """What nobody audits. New: in the last fleet not at all, or excluded; at the first none is."""

    def is_new(guid: str) -> bool:
        return last.scanned_at is not None and last.standings.get(guid) in _NOT_SAID_YET

    def key(row: ServiceInstance) -> tuple[object, ...]:
        place = (row.org or "", row.space or "", row.name or "", row.guid)
        return (not is_new(row.guid), *place)

    def nobodys() -> Iterator[ServiceInstance]:
        for guid, row in rows.items():
            if standing_of(guid) is Standing.UNAUDITED and row.type == MANAGED:
                yield row

    offerings, new = Counter[str](), 0
    for row in nobodys():
        offerings[row.offering or _NO_OFFERING] += 1
        new += is_new(row.guid)
    named = heapq.nsmallest(NAMED_MAX, nobodys(), key=key)
    return Unaudited(
        count=offerings.total(),
        new=new,
        by_offering=dict(sorted(offerings.items(), key=lambda one: (-one[1], one[0]))),
        instances=[
            UnauditedInstance(
                guid=row.guid,
                name=row.name,
                org=row.org,
                space=row.space,
                offering=row.offering,
                plan=row.plan,
                is_new=is_new(row.guid),
            )
            for row in named
        ],
    )


_NOT_SAID_YET: Collection[Standing | None] = (None, Standing.EXCLUDED)


def _departed_key(one: Departed) -> tuple[object, ...]:
    problem, place = one.open_problem, (one.org or "", one.space or "", one.name or "", one.guid)
    severity = () if problem is None else (problem.verdict.rank, problem.since.isoformat())
    return (problem is None, *severity, *place)
