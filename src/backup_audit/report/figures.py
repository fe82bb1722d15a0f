"""Figures of a fleet, counted while its findings pass: ages, who is late, and who has to act.

All of them are bounded: a fleet's findings need not fit into memory.
"""

import heapq
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict

LATE_NAMED_MAX = 1_000
ROWS_MAX = 100  # of a breakdown, by each of owner, space and offering
_NAMES_MAX = 10_000  # that are counted apart, by each of them


class Ages(msgspec.Struct, frozen=True, kw_only=True):
    """How old the newest backups are, as a share of max_age: instances in each of nine bins.

    Each bin ends where its name says, the end included. `none` are those whose list is empty. Who
    has no list that could be read is in no bin.
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


_BINS = Ages.__struct_fields__
_ENDS = (0.25, 0.5, 0.75, 1, 2, 4, 8)  # times max_age, of all bins but the last two


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

    What does not apply is null; so is what is not known. A row that sums up what there is no room
    for has its number of names in `others`, 0 in any other. `open` counts the problems that are not
    muted, and `new` the new and reopened ones of them; `muted` what is muted and not healthy.
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


class Figures:
    """Counts findings, one after the other. `late_count` is that of all, named or not."""

    def __init__(self) -> None:
        self._bins: Counter[str] = Counter()
        self._late: list[tuple[float, str, LateInstance]] = []
        self.late_count = 0
        self._tallies = {by: _Tallies(by) for by in By}

    @property
    def ages(self) -> Ages:
        return Ages(**self._bins)

    def add(self, finding: Finding) -> None:
        if (name := _bin_of(finding)) is not None:
            self._bins[name] += 1
        if finding.late:
            self._add_late(finding)
        for tallies in self._tallies.values():
            tallies.add(finding)

    def late(self) -> Iterator[LateInstance]:
        """Who is late, the largest share of the usual interval first; 1,000 at most."""
        largest = heapq.nlargest(LATE_NAMED_MAX, self._late)
        return (one for _, _, one in largest)

    def breakdown(self) -> Iterator[BreakdownRow]:
        """The rows by owner, by space, and by offering; in each, most open problems first."""
        for tallies in self._tallies.values():
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
        entry = (age / usual, finding.guid, one)
        if len(self._late) < LATE_NAMED_MAX:
            heapq.heappush(self._late, entry)
        else:
            heapq.heappushpop(self._late, entry)


def _bin_of(finding: Finding) -> str | None:
    evidence = finding.evidence
    if evidence.newest_backup_age_seconds is not None:
        share = evidence.newest_backup_age_seconds / finding.max_age_seconds
        return _BINS[bisect_left(_ENDS, share)]
    return "none" if evidence.backup_count == 0 else None


_Name = tuple[str | None, str | None]
_OPEN, _NEW, _MUTED = range(len(Verdict), len(Verdict) + 3)


class _Tallies:
    """Counts by one of owner, space and offering: of each name a count per verdict and three more.

    What comes after 10,000 names is summed: it has no names, and so no number of them either.
    """

    def __init__(self, by: By) -> None:
        self._by = by
        self._named: dict[_Name, list[int]] = {}
        self._rest = _zeros()
        self._unnamed = 0

    def add(self, finding: Finding) -> None:
        name = self._name_of(finding)
        tally = self._named.get(name)
        if tally is None and len(self._named) < _NAMES_MAX:
            tally = self._named[name] = _zeros()
        tally = self._rest if tally is None else tally
        tally[finding.verdict.rank] += 1
        if finding.mute is not None:
            tally[_MUTED] += finding.verdict is not Verdict.HEALTHY
        elif finding.is_problem:
            tally[_OPEN] += 1
            tally[_NEW] += finding.change in (Change.NEW, Change.REOPENED)

    def rows(self) -> Iterator[BreakdownRow]:
        def order(item: tuple[_Name, list[int]]) -> tuple[int, int, str, str]:
            (first, second), tally = item
            return -tally[_OPEN], -sum(tally[: len(Verdict)]), first or "", second or ""

        ordered = sorted(self._named.items(), key=order)
        for name, tally in ordered[:ROWS_MAX]:
            yield self._row(name, tally, others=0)
        rest, others = self._rest, ordered[ROWS_MAX:]
        for _, tally in others:
            rest = [one + more for one, more in zip(rest, tally, strict=True)]
        if any(rest):
            yield self._row((None, None), rest, others=len(others) or 1)

    def _name_of(self, finding: Finding) -> _Name:
        match self._by:
            case By.OWNER:
                return finding.owner, None
            case By.SPACE:
                return finding.org, finding.space
            case By.OFFERING:
                return finding.offering, None

    def _row(self, name: _Name, tally: list[int], *, others: int) -> BreakdownRow:
        first, second = name
        return BreakdownRow(
            by=self._by,
            owner=first if self._by is By.OWNER else None,
            org=first if self._by is By.SPACE else None,
            space=second,
            offering=first if self._by is By.OFFERING else None,
            others=others,
            instances=sum(tally[: len(Verdict)]),
            open=tally[_OPEN],
            new=tally[_NEW],
            muted=tally[_MUTED],
            counts={verdict.value: tally[verdict.rank] for verdict in Verdict},
        )


def _zeros() -> list[int]:
    return [0] * (len(Verdict) + 3)
