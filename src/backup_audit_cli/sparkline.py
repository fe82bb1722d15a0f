"""The trend of open problems in one line of text."""

from collections.abc import Sequence

from backup_audit.judge.verdict import Verdict
from backup_audit.report.history import HistoryPoint

_LEVELS = "▂▃▄▅▆▇█"
_NONE = "▁"
_INCOMPLETE = "×"  # noqa: RUF001  # a cross, not a letter
_UNKNOWN = "?"
_ROOM = 80  # columns beside the bars


def trend_line(history: Sequence[HistoryPoint], width: int) -> str:
    """The newest full runs, as many as fit, oldest first; empty if there are fewer than two.

    Bars are scaled by the largest count of a run that is complete and knows of most instances: an
    outage of the API, in which all are unknown, would flatten the others. Such a run is marked.
    """
    shown = history[-max(width - _ROOM, 10) :]
    if len(shown) < 2:
        return ""
    counts = [point.open for point in shown if _mark(point) is None]
    highest = max(counts, default=0)
    bars = "".join(_mark(point) or _bar(point.open, highest) for point in shown)
    said = f"open problems over {len(shown)} runs: {bars}"
    if counts:
        said += f"  between {min(counts):,} and {highest:,}"
    meanings = {_INCOMPLETE: "incomplete", _UNKNOWN: "most unknown"}
    marks = [f"{mark} {meaning}" for mark, meaning in meanings.items() if mark in bars]
    return "  ".join([f"{said}, {shown[-1].open:,} in the last", *marks])


def _mark(point: HistoryPoint) -> str | None:
    """The mark of a run whose count of problems says little, None of any other."""
    if not point.complete:
        return _INCOMPLETE
    unknown, everybody = point.counts[Verdict.UNKNOWN], sum(point.counts.values())
    return _UNKNOWN if everybody and 2 * unknown > everybody else None


def _bar(count: int, highest: int) -> str:
    """None is a line, one problem more than that, the highest count a whole block."""
    if not count:
        return _NONE
    return _LEVELS[(count - 1) * (len(_LEVELS) - 1) // max(highest - 1, 1)]
