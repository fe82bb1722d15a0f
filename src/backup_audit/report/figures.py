"""Figures of a fleet, counted while its findings pass: ages, who is late, and who has to act.

All of them are bounded: a fleet's findings need not fit into memory. Of 100,000 instances in 30,000
spaces, each of another owner, they hold some 5 MiB.
"""

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter, sub

import msgspec

from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict

LATE_NAMED_MAX = 1_000
ROWS_MAX = 100  # of a breakdown, by each of owner, space and offering
NAMES_MAX = 10_000  # that are counted apart, by each of them


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """How old the newest backups are, as a share of max_age: instances in each of nine bins.

    Each bin ends where its name says, the end included. `none` are those whose list is empty. Who
    has no list that could be read, or none with a believable time, is in no bin. `none_in_grace`
    is no bin: so many of `none` are in grace.
    """

    up_to_25_percent: int = 0
    up_to_50_percent: int = 0
    up_to_75_percent: int = 0
    up_to_100_percent: int = 0
    up_to_2_times: int = 0
    up_to_4_times: int = 0
    up_to_8_times: int = 0
    over_8_times: int = 0
    none: int = 0
    none_in_grace: int = 0


BINS = tuple(name for name in Ages.__struct_fields__ if name != "none_in_grace")
"""The nine, by rising age."""

_ENDS = (0.25, 0.5, 0.75, 1, 2, 4, 8)  # times max_age, of all bins but the last two
_NONE = len(BINS) - 1


class LateInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A healthy instance whose newest backup is older than 1.5 times its usual interval.

    Times are UTC.
    """

    guid: str
    name: str | None
    owner: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    newest_backup_at: datetime
    newest_backup_age_seconds: int
    usual_interval_seconds: int
    max_age_seconds: int


class By(StrEnum):
    """What a breakdown counts by."""

    OWNER = "owner"
    SPACE = "space"
    OFFERING = "offering"


class BreakdownRow(msgspec.Struct, frozen=True, kw_only=True):
    """How the instances of one owner, space or offering are.

    What does not apply is null; so is what is not known. `others` is 0 in a row of one name; a row
    that sums up the names for which there is no row of their own says how many they are: exactly up
    to 9,900, and 9,901 where they are so many or more: only the first 10,000 names are counted
    apart. `open` counts the problems that messages count, neither muted nor of instances that are
    being deleted (who was not reached opens none), `open_counts` the same by verdict, and `new` the
    new and reopened ones of them; `muted` what is muted and not healthy.
    """

    by: By
    owner: str | None = None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    others: int = 0
    instances: int
    open: int
    new: int
    muted: int
    counts: dict[str, int]
    open_counts: dict[str, int]


class Figures:
    """Counts findings, one after the other. `late_count` is that of all, named or not."""

    def __init__(self) -> None:
        self._bins = [0] * len(BINS)
        self._none_in_grace = 0
        self._late: list[tuple[float, str, LateInstance]] = []
        self.late_count = 0
        self._tallies = [_Tallies(by) for by in By]

    @property
    def ages(self) -> Ages:
        bins = dict(zip(BINS, self._bins, strict=True))
        return Ages(**bins, none_in_grace=self._none_in_grace)

    def add(self, finding: Finding) -> None:
        if (number := _bin_of(finding)) is not None:
            self._bins[number] += 1
        if number == _NONE and finding.verdict is Verdict.IN_GRACE:
            self._none_in_grace += 1
        if finding.late:
            self._add_late(finding)
        columns = _columns_of(finding)
        for tallies in self._tallies:
            tallies.add(finding, columns)

    def late(self) -> Iterator[LateInstance]:
        """Who is late, the largest share of the usual interval first; 1,000 at most."""
        return (one for _, _, one in sorted(self._late, reverse=True))

    def breakdown(self) -> Iterator[BreakdownRow]:
        """The rows by owner, by space, and by offering; in each, most open problems first."""
        for tallies in self._tallies:
            yield from tallies.rows()

    def _add_late(self, finding: Finding) -> None:
        evidence = finding.evidence
        newest, age = evidence.newest_backup_at, evidence.newest_backup_age_seconds
        usual = evidence.usual_interval_seconds
        if newest is None or age is None or not usual:
            return
        self.late_count += 1
        one = LateInstance(
            guid=finding.guid,
            name=finding.name,
            owner=finding.owner,
            org=finding.org,
            space=finding.space,
            offering=finding.offering,
            plan=finding.plan,
            newest_backup_at=newest,
            newest_backup_age_seconds=age,
            usual_interval_seconds=usual,
            max_age_seconds=finding.max_age_seconds,
        )
        is_full = len(self._late) == LATE_NAMED_MAX
        (heapq.heappushpop if is_full else heapq.heappush)(
            self._late, (age / usual, finding.guid, one)
        )


def _bin_of(finding: Finding) -> int | None:
    """The number of the bin of an instance's age; None if it is in none."""
    evidence = finding.evidence
    if evidence.newest_backup_age_seconds is not None:
        return bisect_left(_ENDS, evidence.newest_backup_age_seconds / finding.max_age_seconds)
    return _NONE if evidence.backup_count == 0 else None


_Name = str | tuple[str | None, ...] | None
_PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]  # they rank before the others
# Columns: a verdict's is its rank; after those the same of open problems, then two more.
_OPEN = len(Verdict)
_NEW = _OPEN + len(_PROBLEMS)
_MUTED = _NEW + 1
_NO_COUNTS = (0,) * (_MUTED + 1)
_WIDTH = len(_NO_COUNTS)
_FIELDS = {By.OWNER: ("owner",), By.SPACE: ("org", "space"), By.OFFERING: ("offering",)}


def _columns_of(finding: Finding) -> tuple[int, ...]:
    """The columns in which an instance counts."""
    verdict = finding.verdict
    if verdict is Verdict.HEALTHY:
        return (verdict.rank,)
    if finding.mute is not None:
        return (verdict.rank, _MUTED)
    if not finding.is_notified:
        return (verdict.rank,)
    is_new = finding.change in (Change.NEW, Change.REOPENED)
    is_open = _OPEN + verdict.rank
    return (verdict.rank, is_open, _NEW) if is_new else (verdict.rank, is_open)


class _Tallies:
    """Counts by one of owner, space and offering: of each name one per column.

    All counts stand in one array, those of a name beside each other; the first are of all names
    that come once 10,000 are known.
    """

    def __init__(self, by: By) -> None:
        self._by = by
        self._name_of = attrgetter(*_FIELDS[by])
        self._at: dict[_Name, int] = {}
        self._counts = array("I", _NO_COUNTS)

    def add(self, finding: Finding, columns: tuple[int, ...]) -> None:
        name = self._name_of(finding)
        at = self._at.get(name)
        if at is None:
            at = self._place_for(name)
        for column in columns:
            self._counts[at + column] += 1

    def rows(self) -> Iterator[BreakdownRow]:
        """A row for each of the names with most open problems, then a sum of the rest."""
        rest = [sum(self._counts[column::_WIDTH]) for column in range(_WIDTH)]
        for name, at in heapq.nsmallest(ROWS_MAX, self._at.items(), key=self._order):
            tally = self._counts[at : at + _WIDTH]
            rest = list(map(sub, rest, tally))
            yield self._row(name, tally)
        if any(rest):
            are_more = any(self._counts[:_WIDTH])
            yield self._row(None, rest, others=len(self._at) - ROWS_MAX + are_more)

    def _place_for(self, name: _Name) -> int:
        if len(self._at) == NAMES_MAX:
            return 0
        at = self._at[name] = len(self._counts)
        self._counts.extend(_NO_COUNTS)
        return at

    def _order(self, item: tuple[_Name, int]) -> tuple[int, int, tuple[str, ...]]:
        name, at = item
        instances = sum(self._counts[at : at + len(Verdict)])
        return (
            -sum(self._counts[at + _OPEN : at + _NEW]),
            -instances,
            tuple(part or "" for part in _parts(name)),
        )

    def _row(self, name: _Name, tally: Sequence[int], others: int = 0) -> BreakdownRow:
        return BreakdownRow(
            by=self._by,
            **dict(zip(_FIELDS[self._by], _parts(name), strict=False)),
            others=others,
            instances=sum(tally[: len(Verdict)]),
            open=sum(tally[_OPEN:_NEW]),
            new=tally[_NEW],
            muted=tally[_MUTED],
            counts={verdict.value: tally[verdict.rank] for verdict in Verdict},
            open_counts={verdict.value: tally[_OPEN + verdict.rank] for verdict in _PROBLEMS},
        )


def _parts(name: _Name) -> tuple[str | None, ...]:
    return name if isinstance(name, tuple) else (name,)
