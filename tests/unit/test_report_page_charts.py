"""Charts and periods: what a bar shows, where a run is missing, what sets the scale."""

from datetime import timedelta

import msgspec
import pytest

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page import charts, sections
from backup_audit.page.answer import figures_of
from backup_audit.page.period import gaps_in, period_of, slots_of, usual_distance
from backup_audit.page.sections import (
    Seen,
    actors,
    ages_sentence,
    ends_of,
    equation,
    mutes_of,
    run_before,
    said_counts,
    tiles_of,
    trend_sentence,
)
from backup_audit.report.changes import Ended
from backup_audit.report.figures import Ages, BreakdownRow, By
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import PreviousReport, Report
from tests.doubles.builders import HOUR, NOW, ended_problem, finding, run
from tests.doubles.report_folder import mute_record
from tests.doubles.reports import stored

DAY = timedelta(days=1)


def point(
    day: float, stale: int = 0, unknown: int = 0, *, complete: bool = True, by_hand: bool = False
) -> HistoryPoint:
    """A run of a hundred instances, so many days from now."""
    due_at = NOW + day * DAY
    run_id = f"{due_at:%Y%m%dT%H%M%SZ}" + ("-full-83495c02" if by_hand else "")
    counts = {verdict.value: 0 for verdict in Verdict}
    counts |= {"stale": stale, "unknown": unknown, "healthy": 100 - stale - unknown}
    return HistoryPoint(
        run_id=run_id,
        due_at=due_at,
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


@pytest.mark.parametrize(
    ("counts", "parts"),
    [
        ((1, 0, 1), [(0, 499), (501, 499)]),
        ((1, 0, 3), [(0, 249.5), (251.5, 748.5)]),
        ((1, 1, 99_998), [(0, 4), (6, 4), (12, 988)]),
        ((99_998, 1, 1), [(0, 988), (990, 4), (996, 4)]),
    ],
)
def test_a_part_is_as_wide_as_its_share_and_what_is_too_small_takes_room_from_the_widest(
    counts: tuple[int, int, int], parts: list[tuple[float, float]]
) -> None:
    three = (Verdict.STALE, Verdict.UNKNOWN, Verdict.HEALTHY)

    drawn = charts.bar(dict(zip(three, counts, strict=True)))

    assert [(one.x, one.width) for one in drawn] == parts
    assert {one.fill for one in drawn} == {charts.FILLS[one.verdict] for one in drawn}


def test_the_bar_of_a_row_is_as_long_as_its_problems_and_can_be_seen() -> None:
    two = row(open=2, open_counts={"stale": 1, "unknown": 1})
    rows = [row(count=10), row(count=200), row(count=0), two, row(count=400)]

    drawn = charts.row_bars(rows)

    assert [[(one.x, one.width) for one in parts] for parts in drawn] == [
        [(0, 5)],
        [(0, 100)],
        [],
        [(0, 4), (4, 4)],
        [(0, 200)],
    ]
    assert charts.row_bars([]) == []


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


@pytest.mark.parametrize("days", [2, 3, 30])
@pytest.mark.parametrize("later", [13 / 86_400, 1 / 24, 0.5])
def test_runs_by_hand_beside_a_schedule_make_no_gap(days: int, later: float) -> None:
    by_schedule = [point(day) for day in range(days)]
    by_hand = [point(day + later, by_hand=True) for day in range(days)]
    history = sorted(by_schedule + by_hand, key=lambda one: one.due_at)

    assert usual_distance(history) == DAY
    assert list(gaps_in(history)) == []


def test_where_no_two_runs_are_scheduled_none_is_missing() -> None:
    history = [point(0), *(point(day, by_hand=True) for day in (1, 1.001, 9))]

    assert usual_distance(history) is None
    assert list(gaps_in(history)) == []


def test_a_run_by_hand_is_a_run_where_a_scheduled_one_is_missing() -> None:
    history = [*map(point, range(4)), point(4.4, by_hand=True), point(6.1)]

    assert [(gap.before, gap.missing) for gap in gaps_in(history)] == [(history[4], 1)]


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


def test_a_period_names_its_first_days_without_a_run() -> None:
    period = period_of([point(0), point(1), point(4)])

    assert period is not None
    begin = point(0).due_at.date()
    assert period.without_named == [begin + 2 * DAY, begin + 3 * DAY]


@pytest.mark.parametrize("gaps", [19, 20, 21])
def test_a_period_counts_its_gaps_and_names_the_first_twenty(gaps: int) -> None:
    days = [day for day in range(4 * gaps + 1) if day % 4 != 1]

    period = period_of([point(day) for day in days])

    assert period is not None
    assert period.gap_count == gaps
    assert period.gaps == list(gaps_in([point(day) for day in days]))[:20]


def test_of_no_history_there_is_no_period() -> None:
    assert period_of([]) is None


def test_the_trend_stacks_the_problems_of_each_run_and_leaves_room_for_a_missing_one() -> None:
    drawn = charts.trend(
        slots_of(
            [
                point(0, stale=10),
                point(1, stale=5, unknown=5),
                point(2, stale=1, complete=False),
                point(4, unknown=60),
            ]
        )
    )

    assert {one.verdict: one.path for one in drawn.shapes} == {
        Verdict.STALE: "M46 14h19.7v142h-19.7zM70 85h19.7v71h-19.7zM94 141.8h19.7v14.2h-19.7z",
        Verdict.UNKNOWN: "M70 14h19.7v71h-19.7zM142 14h19.7v142h-19.7z",
    }
    assert {one.fill for one in drawn.shapes} == {charts.FILLS[one.verdict] for one in drawn.shapes}
    assert drawn.incomplete == "M94 141.8h19.7v14.2h-19.7z"
    assert (drawn.missing, drawn.cuts) == ([127.8], [151.8])
    assert [(one.at, one.text) for one in drawn.scale] == [(156, "0"), (85, "5"), (14, "10")]
    assert [(one.at, one.text) for one in drawn.days] == [(55.9, "31 Jan"), (151.8, "4 Feb")]


def test_the_scale_has_no_middle_that_is_no_number_of_instances() -> None:
    drawn = charts.trend(slots_of([point(0, stale=3)]))

    assert [one.text for one in drawn.scale] == ["0", "3"]


def test_of_many_runs_the_first_the_last_and_two_between_have_their_day() -> None:
    drawn = charts.trend(slots_of([point(day, stale=1) for day in range(60)]))

    labels = [(one.at, one.text) for one in drawn.days]
    assert labels == [(49.8, "31 Jan"), (233.1, "20 Feb"), (416.4, "12 Mar"), (578.5, "31 Mar")]


def test_without_a_run_the_trend_is_empty() -> None:
    drawn = charts.trend([])

    assert (drawn.shapes, drawn.days, drawn.missing, drawn.cuts) == ([], [], [], [])


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


def test_a_bar_of_ages_is_as_high_as_its_share_of_the_highest_and_can_be_seen() -> None:
    found = Ages(up_to_25_percent=1_000, up_to_100_percent=500, up_to_2_times=1, none=4)
    found = msgspec.structs.replace(found, none_in_grace=1)

    bars = charts.ages(found)

    assert {one.label: (one.x, one.y, one.height) for one in bars if one.count} == {
        "≤ 25 %": (12, 36, 120),
        "≤ 100 %": (195, 96, 60),
        "≤ 2 ×": (256, 154.5, 1.5),  # noqa: RUF001
        "none": (500, 154.5, 1.5),
    }
    assert [one.middle - one.x for one in bars] == [charts.AGE_WIDTH / 2] * 9
    assert [one.y + one.height for one in bars] == [156] * 9
    assert [one.fill for one in bars] == [charts.FILLS[one.verdict] for one in bars]
    assert [one.verdict for one in bars] == (
        [Verdict.HEALTHY] * 4 + [Verdict.STALE] * 4 + [Verdict.NEVER_BACKED_UP]
    )
    assert [one.grace for one in bars] == [0] * 8 + [0.4]


@pytest.mark.parametrize(
    ("in_grace", "verdict", "share", "said"),
    [
        (0, Verdict.NEVER_BACKED_UP, 0, "no backup at all"),
        (1, Verdict.NEVER_BACKED_UP, 1 / 4, "no backup at all, 1 of them in grace"),
        (3, Verdict.NEVER_BACKED_UP, 3 / 4, "no backup at all, 3 of them in grace"),
        (4, Verdict.IN_GRACE, 0, "no backup at all, all of them in grace"),
    ],
)
def test_who_is_in_grace_has_no_backup_and_is_no_problem(
    in_grace: int, verdict: Verdict, share: float, said: str
) -> None:
    none = charts.ages(Ages(none=4, none_in_grace=in_grace))[-1]

    assert none.verdict is verdict
    assert none.grace == pytest.approx(share * none.height, abs=0.1)
    assert none.said == said


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


# ── Tiles, breakdowns, mutes, ends, evidence ──────────────────────────────────────────────────────


def head_of(*findings: Finding, scope: Scope = Scope.FULL, has_previous: bool = True) -> Report:
    """The head of a report that goes on from one before it."""
    head = stored(findings, of=run(scope)).head
    previous = PreviousReport(
        run_id="yesterday", report_key="r.json", report_sha256="0" * 64, manifest_sha256=None
    )
    plan = msgspec.structs.replace(head.plan, previous=previous if has_previous else None)
    return msgspec.structs.replace(head, plan=plan)


def test_a_tile_leads_to_what_it_counts_unless_that_is_nothing_or_healthy() -> None:
    head = head_of(finding(Verdict.STALE), finding(Verdict.HEALTHY, "well"))

    tiles = list(tiles_of(head, None))

    assert [one.verdict for one in tiles] == list(Verdict)
    assert {one.verdict: one.href for one in tiles if one.href} == {Verdict.STALE: "#v=stale"}
    assert {one.verdict: one.count for one in tiles if one.count} == {
        Verdict.STALE: 1,
        Verdict.HEALTHY: 1,
    }
    assert {one.change for one in tiles} == {""}


@pytest.mark.parametrize(
    ("history", "run_id"),
    [
        ([], None),
        ([point(-1)], "20260130T050000Z"),
        ([point(-3), point(-2), point(-1)], "20260130T050000Z"),
        (
            [point(-3, unknown=100), point(-2, unknown=100), point(-1, unknown=99)],
            "20260130T050000Z",
        ),
        ([point(-3), point(-2), point(-1, unknown=100)], None),
    ],
)
def test_tiles_compare_with_the_run_before_if_that_knew_something(
    history: list[HistoryPoint], run_id: str | None
) -> None:
    head = head_of(finding())
    mine = msgspec.structs.replace(point(0), run_id=head.run.run_id)

    before = run_before(head, figures_of(head), [*history, mine])

    assert (before and before.run_id) == run_id


@pytest.mark.parametrize(
    "head",
    [
        head_of(finding(), scope=Scope.PARTIAL),
        head_of(finding(), scope=Scope.WHAT_IF),
        head_of(finding(), has_previous=False),
        head_of(finding(Verdict.UNKNOWN)),
    ],
    ids=["partial", "what-if", "first", "nothing known"],
)
def test_a_run_that_proves_nothing_of_changes_has_none_to_compare_with(head: Report) -> None:
    assert run_before(head, figures_of(head), [point(-1)]) is None


def test_breakdowns_have_their_order_and_a_row_its_numbers() -> None:
    rows = [
        row(By.OFFERING, offering="p.mysql"),
        row(By.SPACE, org="eu", space="prod"),
        row(owner="b", open=1_201, new=2, open_counts={"unknown": 1, "stale": 1_200}),
        row(owner="a"),
        row(owner="quiet", count=0),
    ]

    groups = list(actors(rows))

    assert [(one.title, one.noun, one.without) for one in groups] == [
        ("By owner", "Owner", 1),
        ("By space", "Org / space", 0),
        ("By offering", "Offering", 0),
    ]
    first, second = groups[0].rows
    assert (first.name, first.open, first.new) == ("b", 1_201, 2)
    assert first.said == "1,200 stale, 1 unknown"
    assert [part.verdict for part in first.bar] == [Verdict.STALE, Verdict.UNKNOWN]
    assert (second.name, second.open, second.new) == ("a", 1, 0)


def test_of_a_space_without_an_org_or_of_an_org_without_a_space_there_is_no_list() -> None:
    [group] = actors([row(By.SPACE, space="prod"), row(By.SPACE, org="eu")])

    assert [(one.name, one.href) for one in group.rows] == [("? / prod", ""), ("eu / ?", "")]


@pytest.mark.parametrize(("count", "named"), [(499, 499), (500, 500), (501, 500)])
def test_five_hundred_mutes_are_shown_and_all_are_counted(count: int, named: int) -> None:
    ending = mute_record(state="ending")

    mutes = mutes_of([*[mute_record(state="active")] * (count - 1), ending])

    assert (mutes.count, len(mutes.named)) == (count, named)
    assert mutes.said == f"{count - 1} active and 1 ending within 7 days"
    assert (mutes.named[-1] == ending) is (count == named)


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_a_hundred_ends_of_this_run_are_shown_and_all_are_counted(count: int, named: int) -> None:
    earlier = ended_problem("earlier", resolved_at=NOW - DAY)
    gone = ended_problem("gone", ended=Ended.GONE)

    ends = ends_of([earlier, *[ended_problem()] * (count - 1), earlier, gone], NOW)

    assert (ends.count, len(ends.named)) == (count, named)
    assert ends.said == f"{count - 1} healthy on proof and 1 gone from the foundation"
    assert earlier not in ends.named
    assert (gone in ends.named) is (count == named)


def seen_at(hours: int, source: str = "defaults") -> Finding:
    one = finding()
    return msgspec.structs.replace(
        one,
        evidence=msgspec.structs.replace(one.evidence, observed_at=NOW + hours * HOUR),
        policy=msgspec.structs.replace(one.policy, max_age_source=source),
    )


@pytest.mark.parametrize("hours", [[0], [1, 0, 3, 2], [3, 2, 1, 0]])
def test_when_instances_were_seen_is_from_the_first_to_the_last(hours: list[int]) -> None:
    seen = Seen()
    assert (seen.first, seen.last) == (None, None)
    for one in hours:
        seen.add(seen_at(one))

    assert (seen.first, seen.last) == (NOW, NOW + max(hours) * HOUR)


def test_the_ten_places_that_state_most_of_max_age_are_named_and_the_others_counted() -> None:
    seen = Seen()
    for number in range(12):
        for _ in range(20 - number):
            seen.add(seen_at(0, f"rules[{number}]"))

    assert seen.sources == [(f"rules[{number}]", 20 - number) for number in range(10)]
    assert seen.other_sources == 10 + 9


def test_places_beyond_those_counted_apart_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sections, "_SOURCES_MAX", 2)
    seen = Seen()
    for source in ("a", "b", "c", "c", "c", "a"):
        seen.add(seen_at(0, source))

    assert (seen.sources, seen.other_sources) == ([("a", 2), ("b", 1)], 3)


def test_the_trend_in_words_has_its_ends_its_highest_and_its_lowest() -> None:
    history = [point(0, stale=5), point(1, stale=9), point(2, stale=1), point(4, stale=3)]

    assert trend_sentence(history) == (
        "Open problems of 4 full runs, 2026-01-31 to 2026-02-04: 5 at first, 3 at last, 9 at most, "
        "1 at least; 1 missing between them"
    )
    assert trend_sentence(history[:3]).endswith(": 5 at first, 1 at last, 9 at most, 1 at least")


def test_the_ages_in_words_add_up() -> None:
    head = msgspec.structs.replace(
        head_of(finding(Verdict.NEVER_BACKED_UP)),
        counts={"in_grace": 3},
        ages=Ages(
            up_to_25_percent=1,
            up_to_50_percent=20,
            up_to_75_percent=300,
            up_to_100_percent=4_000,
            up_to_2_times=5,
            up_to_4_times=60,
            up_to_8_times=700,
            over_8_times=8_000,
            none=9,
        ),
    )
    said = "Newest backups: of 4,321 instances within max_age, of 8,765 older; 9 have none"

    assert ages_sentence(head) == said
    ages = msgspec.structs.replace(head.ages, none_in_grace=2)
    young = msgspec.structs.replace(head, ages=ages)
    assert ages_sentence(young) == f"{said}, 2 of them in grace"


def test_the_fleet_is_the_sum_of_its_verdicts_none_left_out() -> None:
    head = head_of(finding(), finding(Verdict.UNKNOWN, "u"), finding(Verdict.UNKNOWN, "v"))

    assert equation(head) == (
        "3 instances = 0 never backed up + 1 stale + 0 unsupported + 0 not found + 2 unknown + "
        "0 in grace + 0 healthy"
    )
    assert said_counts(head.counts) == "1 stale, 2 unknown"
