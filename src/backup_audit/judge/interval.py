"""How often an instance is backed up, as its list shows it. No verdict depends on it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby, islice, pairwise

_GAPS_MIN = 3  # fewer show no habit
_GAPS_MAX = 15  # a schedule that changed is forgotten after eight more backups


def usual_interval(times: Iterable[datetime]) -> timedelta | None:
    """The median of the last 3 to 15 gaps between backups, in whole seconds, rounded down.

    `times` are aware, in any order; equal ones are one backup. None: there are fewer gaps.
    """
    newest_first = sorted(times, reverse=True)  # most lists have an order: that costs as max does
    distinct = islice((when for when, _ in groupby(newest_first)), _GAPS_MAX + 1)
    gaps = sorted(later - earlier for later, earlier in pairwise(distinct))
    if len(gaps) < _GAPS_MIN:
        return None
    in_the_middle = gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]
    return timedelta(seconds=in_the_middle // timedelta(seconds=2))


def is_late(age_seconds: int | None, usual_seconds: int | None) -> bool:
    """Whether the newest backup is older than one and a half times the usual interval.

    False if one of them is not known.
    """
    return (
        age_seconds is not None
        and usual_seconds is not None
        and 2 * age_seconds > 3 * usual_seconds
    )
