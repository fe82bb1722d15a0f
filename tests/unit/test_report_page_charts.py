"""Charts and periods: what a bar shows, where a run is missing, what sets the scale."""

from datetime import timedelta

import msgspec
import pytest

from backup_audit.judge.verdict import Verdict
from backup_audit.page import charts
from backup_audit.page.period import gaps_in, period_of, slots_of, usual_distance
from backup_audit.page.sections import actors, tiles_of, trend_sentence
from backup_audit.report.figures import Ages, BreakdownRow, By
from backup_audit.report.history import HistoryPoint
from tests.doubles.builders import NOW, finding
from tests.doubles.html import page_of
from tests.doubles.pages import STATES
from tests.doubles.reports import stored

DAY = timedelta(days=1)


def point(day: float, stale: int = 0, unknown: int = 0, *, complete: bool = True) -> HistoryPoint:
    """A run of a hundred instances, so many days from now."""
    counts = {verdict.value: 0 for verdict in Verdict}
    counts |= {"stale": stale, "unknown": unknown, "healthy": 100 - stale - unknown}
    return HistoryPoint(
        run_id=f"r{day}",
        due_at=NOW + day * DAY,
        complete=complete,
        percent=float(100 - unknown),
        counts=counts,
        open=stale + unknown,
        new=0,
        resolved=0,
        muted=0,
    )


@pytest.mark.parametrize("stale", [1, 50, 99_999])
def test_the_parts_of_a_bar_fill_it_and_each_can_be_seen(stale: int) -> None:
    parts = charts.bar({Verdict.STALE: stale, Verdict.UNKNOWN: 0, Verdict.HEALTHY: 100_000})

    assert [part.verdict for part in parts] == [Verdict.STALE, Verdict.HEALTHY]
    assert min(part.width for part in parts) >= 4
    assert parts[-1].x + parts[-1].width == pytest.approx(charts.BAR_WIDTH, abs=0.2)


def test_a_bar_of_nothing_has_no_part() -> None:
    assert charts.bar(dict.fromkeys(Verdict, 0)) == []


def test_what_nobody_knows_is_hatched_and_nothing_else() -> None:
    hatched = {verdict for verdict, fill in charts.FILLS.items() if fill.startswith("url(")}

    assert hatched == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("distance", "missing"), [(1.0, 0), (1.5, 0), (1.51, 1), (2.0, 1), (3.0, 2), (40.0, 39)]
)
def test_a_run_is_missing_beyond_one_and_a_half_of_the_usual_distance(
    distance: float, missing: int
) -> None:
    history = [point(0), point(1), point(2), point(3), point(3 + distance)]

    assert sum(gap.missing for gap in gaps_in(history)) == missing
    assert [slot.point for slot in slots_of(history)].count(None) == min(missing, 7)
    assert (f"; {missing} missing between them" in trend_sentence(history)) is (missing > 0)


@pytest.mark.parametrize("days", [[], [0]])
def test_of_too_few_runs_no_distance_is_usual(days: list[float]) -> None:
    history = [point(day) for day in days]

    assert usual_distance(history) is None
    assert list(gaps_in(history)) == []


def test_an_hourly_schedule_misses_no_day() -> None:
    period = period_of([point(hour / 24) for hour in range(72)])

    assert period is not None
    assert (period.runs, period.days, period.without) == (72, 4, 0)
    assert period.usual == timedelta(hours=1)


def test_a_period_counts_the_days_without_a_run_and_names_the_first_twenty() -> None:
    period = period_of([point(0), point(1), point(40, unknown=30, complete=False)])

    assert period is not None
    assert (period.days, period.without, len(period.without_named)) == (41, 38, 20)
    assert period.incomplete == 1
    assert period.lowest.percent == 70


def test_of_no_history_there_is_no_period() -> None:
    assert period_of([]) is None


def test_a_run_that_knew_little_is_cut_at_the_scale_of_the_others() -> None:
    drawn = charts.trend(slots_of([point(0, stale=9), point(1, stale=10), point(2, unknown=100)]))

    assert drawn.scale[-1].text == "10"
    assert len(drawn.cuts) == 1
    assert drawn.incomplete == ""


@pytest.mark.parametrize(("percent_unknown", "cuts"), [(49, 0), (50, 0), (51, 1)])
def test_runs_that_knew_half_of_the_fleet_set_the_scale(percent_unknown: int, cuts: int) -> None:
    drawn = charts.trend(slots_of([point(0, stale=2), point(1, unknown=percent_unknown)]))

    assert len(drawn.cuts) == cuts


def test_an_incomplete_run_is_marked_even_if_it_found_nothing() -> None:
    drawn = charts.trend(slots_of([point(0, stale=2), point(1, complete=False)]))

    assert drawn.incomplete
    assert len(drawn.shapes) == 1


def test_where_no_run_is_certain_the_highest_sets_the_scale() -> None:
    drawn = charts.trend(slots_of([point(0, unknown=90), point(1, unknown=100)]))

    assert drawn.scale[-1].text == "100"
    assert drawn.cuts == []


@pytest.mark.parametrize("most", [0, 1, 2, 3, 9, 13, 101, 4_999, 99_999])
def test_the_scale_holds_the_highest_bar_and_is_no_more_than_twice_as_high(most: int) -> None:
    points = [msgspec.structs.replace(point(0), counts=point(0).counts | {"stale": most}), point(1)]

    top = int(charts.trend(slots_of(points)).scale[-1].text.replace(",", ""))

    assert max(most, 2) <= top <= max(2 * most, 2)


def test_the_ages_have_a_bar_for_each_bin_and_a_line_after_the_fourth() -> None:
    bars = charts.ages(Ages(up_to_25_percent=10, over_8_times=1))

    assert [bar.count for bar in bars] == [10, 0, 0, 0, 0, 0, 0, 1, 0]
    assert bars[3].x + charts.AGE_WIDTH < charts.MAX_AGE_AT < bars[4].x
    assert all(bar.height > 0 for bar in bars if bar.count)
    assert [bar.height for bar in bars if not bar.count] == [0] * 7


@pytest.mark.parametrize(
    ("in_grace", "verdict", "share", "said"),
    [
        (0, Verdict.NEVER_BACKED_UP, 0, "no backup at all"),
        (1, Verdict.NEVER_BACKED_UP, 1 / 4, "no backup at all, 1 of them in grace"),
        (4, Verdict.IN_GRACE, 0, "no backup at all, all of them in grace"),
    ],
)
def test_who_is_in_grace_has_no_backup_and_is_no_problem(
    in_grace: int, verdict: Verdict, share: float, said: str
) -> None:
    none = charts.ages(Ages(none=4), in_grace)[-1]

    assert none.verdict is verdict
    assert none.grace == pytest.approx(share * none.height, abs=0.1)
    assert none.said == said


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("none", "“None” are 11 instances in grace"),
        ("some", "“None” includes 11 instances in grace"),
        ("what_if", None),
    ],
)
def test_the_caption_of_the_ages_says_who_is_in_grace(state: str, words: str | None) -> None:
    ages = page_of(STATES[state]()).section("ages")

    assert ("in grace" in ages) is (words is not None)
    assert (words or "") in ages


def row(by: By = By.OWNER, count: int = 1, **parts: object) -> BreakdownRow:
    counts = {verdict.value: 0 for verdict in Verdict} | {"stale": count}
    still = BreakdownRow(
        by=by,
        instances=5,
        open=count,
        new=0,
        muted=0,
        counts=counts,
        open_counts={"stale": count},
    )
    return msgspec.structs.replace(still, **parts)


@pytest.mark.parametrize(
    ("one", "name", "href"),
    [
        (row(owner="team a&b"), "team a&b", "#o=team%20a%26b"),
        (row(), "nobody named", "#o=-"),
        (row(By.SPACE, org="retail", space="prod"), "retail / prod", "#org=retail&space=prod"),
        (row(By.SPACE, space="prod"), "? / prod", ""),
        (row(By.SPACE), "not known", ""),
        (row(By.OFFERING, offering="p.mysql"), "p.mysql", "#offering=p.mysql"),
        (row(By.OFFERING), "not known", ""),
        (row(others=1), "1 more name", ""),
        (row(others=9_900), "9,900 more names", ""),
        (row(others=9_901), "9,900 more names at least", ""),
    ],
)
def test_who_has_to_act_leads_to_what_is_theirs(one: BreakdownRow, name: str, href: str) -> None:
    [group] = actors([one, row(one.by, count=0)])

    [shown] = group.rows
    assert (shown.name, shown.href, group.without) == (name, href, 1)


def test_the_bar_of_who_has_to_act_shows_what_the_number_beside_it_counts() -> None:
    """The others are muted, say, or were not reached."""
    few = row(owner="few", open=1, open_counts={"stale": 1}, counts={"stale": 3, "unknown": 90})
    many = row(owner="many", open=4, open_counts={"stale": 1, "unknown": 3})

    [group] = actors([many, few])

    assert [(one.open, one.said) for one in group.rows] == [
        (4, "1 stale, 3 unknown"),
        (1, "1 stale"),
    ]
    lengths = [sum(part.width for part in one.bar) for one in group.rows]
    assert lengths == [charts.ROW_BAR_WIDTH, charts.ROW_BAR_WIDTH / 4]


def test_where_nobody_has_to_act_there_is_no_breakdown() -> None:
    assert list(actors([row(count=0)])) == []


@pytest.mark.parametrize(
    ("before", "said"),
    [(0, "+1 since the last run"), (1, "as in the last run"), (3, "−2 since the last run")],  # noqa: RUF001
)
def test_a_tile_says_its_change(before: int, said: str) -> None:
    tiles = {one.verdict: one for one in tiles_of(stored([finding()]).head, point(0, stale=before))}

    assert tiles[Verdict.STALE].change == said
