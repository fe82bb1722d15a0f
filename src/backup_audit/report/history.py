"""The full runs before a report, each as it was judged then."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

HISTORY_MAX = 90  # points: a quarter of daily runs; 90 take some 25 KB of report.json


class HistoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A full run. `due_at` is UTC, `percent` the coverage from 0 to 100.

    `open`, `new`, `resolved` and `muted` are those of the run's news.
    """

    run_id: str
    due_at: datetime
    complete: bool
    percent: float
    counts: dict[str, int]
    open: int
    new: int
    resolved: int
    muted: int


def continued(before: Sequence[HistoryPoint], point: HistoryPoint) -> tuple[HistoryPoint, ...]:
    """The history that a full run leaves: its own point last, 90 at most."""
    return (*before[1 - HISTORY_MAX :], point)
