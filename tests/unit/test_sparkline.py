"""The trend of open problems in one line."""

from datetime import timedelta

import pytest

from backup_audit.judge.verdict import Verdict
from backup_audit.report.history import HistoryPoint
from backup_audit_cli.sparkline import trend_line
from tests.doubles.builders import NOW


def point(day: int, count: int, *, unknown: int = 0, complete: bool = True) -> HistoryPoint:
    counts = {verdict.value: 0 for verdict in Verdict}
    counts |= {Verdict.STALE: count, Verdict.UNKNOWN: unknown, Verdict.HEALTHY: 10}
    return HistoryPoint(
        run_id=f"run-{day}",
        due_at=NOW + timedelta(days=day),
        complete=complete,
        percent=100.0,
        counts=counts,
        open=count + unknown,
        new=0,
        resolved=0,
        muted=0,
    )


def bars(*points: HistoryPoint, width: int = 120) -> str:
    return trend_line(points, width).split(": ")[1].split("  ")[0]


def test_no_problem_is_a_line_and_the_most_a_whole_block() -> None:
    assert bars(*(point(n, n) for n in range(8))) == "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize(("count", "bar"), [(0, "▁"), (1, "▂"), (2, "▂"), (99, "▇"), (100, "█")])
def test_only_none_looks_like_none_and_only_the_most_like_the_most(count: int, bar: str) -> None:
    assert bars(point(0, count), point(1, 100))[0] == bar


@pytest.mark.parametrize(("unknown", "mark"), [(9, False), (10, False), (11, True)])
def test_a_run_that_does_not_know_most_instances_is_marked_and_sets_no_scale(
    unknown: int, *, mark: bool
) -> None:
    shown = trend_line([point(0, 1), point(1, 0, unknown=unknown)], 120)

    assert ("▂?" in shown or "█?" in shown) is mark
    assert shown.endswith("? most unknown") is mark


def test_if_no_run_says_much_there_is_no_scale() -> None:
    shown = trend_line([point(0, 3, complete=False), point(1, 4, complete=False)], 120)

    assert shown == "open problems over 2 runs: ××, 4 in the last  × incomplete"  # noqa: RUF001


@pytest.mark.parametrize(("width", "count"), [(0, 10), (100, 20), (170, 90), (400, 90)])
def test_a_narrow_terminal_has_the_newest_runs(width: int, count: int) -> None:
    points = [point(n, n % 7) for n in range(90)]

    assert len(bars(*points, width=width)) == count
    assert trend_line(points, width).startswith(f"open problems over {count} runs: ")


@pytest.mark.parametrize(("count", "is_shown"), [(0, False), (1, False), (2, True)])
def test_a_trend_needs_two_runs(count: int, *, is_shown: bool) -> None:
    assert bool(trend_line([point(n, 1) for n in range(count)], 120)) is is_shown
