"""The runs of a period: how far apart they are, where one is missing, what they covered."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

import msgspec

from backup_audit.fleet.run import is_scheduled
from backup_audit.report.history import HistoryPoint

# Between two runs is a gap if they are farther apart than this, times the usual distance.
_GAP_FROM = 1.5

_MARKS_MAX = 7  # marks of runs that are missing in one gap: a chart has little room
_NAMED_MAX = 20  # days, gaps and runs that are named


class Slot(msgspec.Struct, frozen=True):
    """A place of the chart: a run, or where one is missing."""

    point: HistoryPoint | None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs in a row that are too far apart, and how many are missing between them."""

    before: HistoryPoint
    after: HistoryPoint
    missing: int


def usual_distance(history: Sequence[HistoryPoint]) -> timedelta | None:
    """The median distance of scheduled runs; None where there are too few to say.

    Others are made by hand, beside the schedule: they say nothing of when a run is due.
    """
    scheduled = [point.due_at for point in history if is_scheduled(point.run_id)]
    distances = [(after - before).total_seconds() for before, after in pairwise(scheduled)]
    return timedelta(seconds=median(distances)) if distances else None


def gaps_in(history: Sequence[HistoryPoint]) -> Iterator[Gap]:
    """Where runs are missing, by the usual distance."""
    usual = usual_distance(history)
    if not usual:
        return
    for before, after in pairwise(history):
        distance = after.due_at - before.due_at
        if distance > _GAP_FROM * usual:
            yield Gap(before=before, after=after, missing=max(round(distance / usual) - 1, 1))


def slots_of(history: Sequence[HistoryPoint]) -> list[Slot]:
    """The places of a chart, oldest first."""
    missing = {gap.after.run_id: gap.missing for gap in gaps_in(history)}
    slots = []
    for point in history:
        slots += [Slot(None)] * min(missing.get(point.run_id, 0), _MARKS_MAX)
        slots.append(Slot(point))
    return slots


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """What the history proves of its period.

    `days` counts all from the first run's to the last one's, `without` those without a run: the
    first of them are named. `lowest` is the run that covered least.
    """

    runs: int
    first: HistoryPoint
    last: HistoryPoint
    days: int
    without: int
    without_named: list[date]
    usual: timedelta | None
    gaps: list[Gap]
    gap_count: int
    incomplete: int
    incomplete_named: list[HistoryPoint]
    lowest: HistoryPoint


def period_of(history: Sequence[HistoryPoint]) -> Period | None:
    """Sum a history up; None if it is empty."""
    if not history:
        return None
    first, last = history[0], history[-1]
    begin, end = first.due_at.date(), last.due_at.date()
    days = (end - begin).days + 1
    audited = {point.due_at.date() for point in history}
    gaps = list(gaps_in(history))
    incomplete = [point for point in history if not point.complete]
    return Period(
        runs=len(history),
        first=first,
        last=last,
        days=days,
        without=days - len(audited),
        without_named=list(_missing(begin, days, audited)),
        usual=usual_distance(history),
        gaps=gaps[:_NAMED_MAX],
        gap_count=len(gaps),
        incomplete=len(incomplete),
        incomplete_named=incomplete[:_NAMED_MAX],
        lowest=min(history, key=lambda point: point.percent),
    )


def _missing(begin: date, days: int, audited: set[date]) -> Iterator[date]:
    named = 0
    for offset in range(days):
        one = begin + timedelta(days=offset)
        if one in audited:
            continue
        yield one
        named += 1
        if named == _NAMED_MAX:
            return
