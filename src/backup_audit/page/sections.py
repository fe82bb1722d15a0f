"""What the sections show, as frozen values for the templates; each holds few of many."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from backup_audit.fleet.mutes import MuteRecord, MuteState
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page.answer import Figures, is_first, verdicts_in
from backup_audit.page.charts import Part, problems_in, row_bars
from backup_audit.page.period import gaps_in
from backup_audit.page.words import (
    ENDED,
    MUTES,
    VERDICTS,
    foreign,
    fragment,
    joined,
    number,
    place_of,
    signed,
)
from backup_audit.report.changes import Ended, Resolved
from backup_audit.report.figures import NAMES_MAX, ROWS_MAX, BreakdownRow, By
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import Report
from backup_audit.text import instances

MUTES_MAX = 500  # mutes that the page shows
LATE_MAX = 50
ENDS_MAX = 100
_SOURCES_MAX = 1_000  # places of a max_age that are counted apart
_SOURCES_NAMED = 10
NOBODY = "-"  # the owner in a link to what has none


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict's count, its change since the run before, and the view that it leads to."""

    verdict: Verdict
    count: int
    change: str
    href: str


def tiles_of(report: Report, before: HistoryPoint | None) -> Iterator[Tile]:
    """A tile for each verdict; `before` is the run to compare with, None: nothing is said of it.

    Healthy instances are not in the list, so that tile leads nowhere.
    """
    counts = verdicts_in(report.counts)
    earlier = verdicts_in(before.counts) if before else None
    for verdict, count in counts.items():
        is_listed = count and verdict is not Verdict.HEALTHY
        yield Tile(
            verdict=verdict,
            count=count,
            change=_changed(count - earlier[verdict]) if earlier else "",
            href=fragment(v=verdict) if is_listed else "",
        )


def _changed(difference: int) -> str:
    return f"{signed(difference)} since the last run" if difference else "as in the last run"


def run_before(
    report: Report, figures: Figures, history: Sequence[HistoryPoint]
) -> HistoryPoint | None:
    """The run that tiles compare with: none if this one proves nothing, or is not compared."""
    if not report.run.scope.is_compared or is_first(report) or figures.is_nothing_known:
        return None
    before = [point for point in history if point.run_id != report.run.run_id]
    return before[-1] if before and before[-1].percent > 0 else None


def said_counts(counts: dict[str, int]) -> str:
    """Say counts by verdict: "4 never backed up, 8 stale"."""
    found = verdicts_in(counts).items()
    return ", ".join(f"{n:,} {VERDICTS[verdict].lower()}" for verdict, n in found if n)


def equation(report: Report) -> str:
    """The population as a sum of its verdicts."""
    counts = verdicts_in(report.counts)
    parts = " + ".join(f"{n:,} {VERDICTS[verdict].lower()}" for verdict, n in counts.items())
    return f"{instances(report.coverage.configured)} = {parts}"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who has to act, or where: a row of a breakdown."""

    name: str
    href: str
    bar: list[Part]
    said: str
    open: int
    new: int


class ActorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A breakdown; `without` counts the rows that have no open problem."""

    title: str
    noun: str
    rows: list[Actor]
    without: int


_GROUPS: Mapping[By, tuple[str, str]] = {
    By.OWNER: ("By owner", "Owner"),
    By.SPACE: ("By space", "Org / space"),
    By.OFFERING: ("By offering", "Offering"),
}


def actors(rows: Sequence[BreakdownRow]) -> Iterator[ActorGroup]:
    """The breakdowns, without the names that have nothing to do; none if nobody has."""
    for by, (title, noun) in _GROUPS.items():
        of_it = [one for one in rows if one.by is by]
        acting = [one for one in of_it if one.open]
        if acting:
            yield ActorGroup(
                title=title,
                noun=noun,
                rows=list(map(_actor, acting, row_bars(acting))),
                without=len(of_it) - len(acting),
            )


def _actor(one: BreakdownRow, bar: list[Part]) -> Actor:
    found = problems_in(one.open_counts).items()
    return Actor(
        name=_named(one),
        href="" if one.others else _view_of(one),
        bar=bar,
        said=", ".join(f"{n:,} {VERDICTS[verdict].lower()}" for verdict, n in found),
        open=one.open,
        new=one.new,
    )


def _named(one: BreakdownRow) -> str:
    if one.others:
        counted = min(one.others, NAMES_MAX - ROWS_MAX)
        at_least = " at least" if one.others > counted else ""
        return "1 more name" if one.others == 1 else f"{counted:,} more names{at_least}"
    match one.by:
        case By.OWNER:
            return foreign(one.owner) or "nobody named"
        case By.SPACE:
            return place_of(one.org, one.space)
        case By.OFFERING:
            return foreign(one.offering) or "not known"


def _view_of(one: BreakdownRow) -> str:
    """The list filtered by a row; empty where the list knows no such filter."""
    if one.by is By.OWNER:
        return fragment(o=foreign(one.owner) or NOBODY)
    if one.by is By.SPACE and one.org and one.space:
        return fragment(org=foreign(one.org), space=foreign(one.space))
    if one.by is By.OFFERING and one.offering:
        return fragment(offering=foreign(one.offering))
    return ""


class Mutes(msgspec.Struct, frozen=True, kw_only=True):
    """All configured mutes in number and by state, and the first of them."""

    count: int
    said: str
    named: list[MuteRecord]


def mutes_of(records: Iterable[MuteRecord]) -> Mutes:
    """Count the mutes; 500 are shown."""
    states, named = Counter[MuteState](), list[MuteRecord]()
    for one in records:
        states[one.state] += 1
        if len(named) < MUTES_MAX:
            named.append(one)
    said = joined([f"{states[state]:,} {words}" for state, words in MUTES.items() if states[state]])
    return Mutes(count=states.total(), said=said, named=named)


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """The problems that ended in a run, in number and by how, and the first of them."""

    count: int
    said: str
    named: list[Resolved]


def ends_of(resolved: Iterable[Resolved], due_at: datetime) -> Ends:
    """Count what ended in the run due then; 100 are shown."""
    how, named = Counter[Ended](), list[Resolved]()
    for one in resolved:
        if one.resolved_at != due_at:
            continue
        how[one.ended] += 1
        if len(named) < ENDS_MAX:
            named.append(one)
    said = joined([f"{how[ended]:,} {words}" for ended, words in ENDED.items() if how[ended]])
    return Ends(count=how.total(), said=said, named=named)


class Seen:
    """What is counted of the listed findings while they pass: when they were seen, by what max_age.

    `first` and `last` are UTC, None as long as there is none.
    """

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._sources: Counter[str] = Counter()
        self._others = 0

    def add(self, finding: Finding) -> None:
        at = finding.evidence.observed_at
        self.first, self.last = min(self.first or at, at), max(self.last or at, at)
        source = finding.policy.max_age_source
        if source in self._sources or len(self._sources) < _SOURCES_MAX:
            self._sources[source] += 1
        else:
            self._others += 1

    @property
    def sources(self) -> list[tuple[str, int]]:
        """The places that state most of the max_age, with how many."""
        return self._sources.most_common(_SOURCES_NAMED)

    @property
    def other_sources(self) -> int:
        """How many have it from another place."""
        return self._others + self._sources.total() - sum(count for _, count in self.sources)


def trend_sentence(history: Sequence[HistoryPoint]) -> str:
    """The trend in words: its ends, its highest and its lowest."""
    first, last = history[0], history[-1]
    most = max(history, key=lambda point: point.open)
    least = min(history, key=lambda point: point.open)
    missing = sum(gap.missing for gap in gaps_in(history))
    none = f"; {missing:,} missing between them" if missing else ""
    return (
        f"Open problems of {len(history):,} full runs, {first.due_at:%Y-%m-%d} to "
        f"{last.due_at:%Y-%m-%d}: {number(first.open)} at first, {number(last.open)} at last, "
        f"{number(most.open)} at most, {number(least.open)} at least{none}"
    )


def ages_sentence(report: Report) -> str:
    """The ages in words: how many are within max_age, how many beyond, how many have none."""
    ages = report.ages
    within = (
        ages.up_to_25_percent
        + ages.up_to_50_percent
        + ages.up_to_75_percent
        + ages.up_to_100_percent
    )
    beyond = ages.up_to_2_times + ages.up_to_4_times + ages.up_to_8_times + ages.over_8_times
    in_grace = ages.none_in_grace
    excused = f", {number(in_grace)} of them in grace" if in_grace else ""
    return (
        f"Newest backups: of {number(within)} instances within max_age, of {number(beyond)} older; "
        f"{number(ages.none)} have none{excused}"
    )
