"""How fast the API is asked: growing, shrinking, holding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.probe.pacing import FLOOR, Outcome, Pace

ANSWERED, THROTTLED, SILENT, FAILED = (
    Outcome.ANSWERED,
    Outcome.THROTTLED,
    Outcome.SILENT,
    Outcome.FAILED,
)


def ended(
    pace: Pace, outcome: Outcome, times: int = 1, *, began: float = 0, now: float = 0
) -> None:
    """So many requests, one after the other."""
    for _ in range(times):
        pace.start(began)
        pace.leave()
        pace.note(outcome, began, now)


@pytest.mark.parametrize(("ceiling", "start"), [(1, 1), (31, 31), (32, 32), (33, 32), (96, 32)])
def test_a_run_starts_with_32_at_a_time_or_the_ceiling(ceiling: int, start: int) -> None:
    pace = Pace(ceiling)
    for _ in range(start):
        assert pace.wait(0) == 0
        pace.start(0)

    assert pace.wait(0) is None


def test_each_answer_makes_room_for_one_more_up_to_the_ceiling() -> None:
    pace = Pace(64)

    ended(pace, ANSWERED, 10)
    assert pace.limit == 42
    ended(pace, ANSWERED, 1000)
    assert pace.limit == 64


def test_throttling_takes_a_tenth_and_then_growth_is_one_a_round_trip() -> None:
    pace = Pace(64)
    ended(pace, ANSWERED, 8)

    ended(pace, THROTTLED, now=1)
    assert pace.limit == pytest.approx(36)
    ended(pace, ANSWERED, 36, began=1, now=2)
    assert pace.limit == pytest.approx(37, abs=0.1)


@pytest.mark.parametrize(("began", "limit"), [(0.9, 36.0), (1.0, 32.4), (1.1, 32.4)])
def test_requests_sent_before_the_limit_shrank_do_not_shrink_it_again(
    began: float, limit: float
) -> None:
    pace = Pace(64)
    ended(pace, ANSWERED, 8)
    ended(pace, THROTTLED, now=1)

    ended(pace, THROTTLED, began=began, now=2)

    assert pace.limit == pytest.approx(limit)


@pytest.mark.parametrize(("ceiling", "floor"), [(2, 2), (FLOOR, FLOOR), (64, FLOOR)])
def test_however_much_it_throttles_the_api_is_asked_on(ceiling: int, floor: int) -> None:
    pace = Pace(ceiling)

    for second in range(50):
        ended(pace, THROTTLED, began=second, now=second)

    assert pace.limit == floor


@pytest.mark.parametrize(("began", "limit"), [(0.9, 32), (1.0, 28.8), (1.1, 28.8)])
def test_silence_is_too_much_only_if_nobody_was_answered_meanwhile(
    began: float, limit: float
) -> None:
    pace = Pace(32)
    ended(pace, ANSWERED, now=1.0)

    ended(pace, SILENT, began=began, now=70)

    assert pace.limit == pytest.approx(limit)


def test_a_failed_connection_says_nothing_about_how_many_are_too_many() -> None:
    pace = Pace(64)

    ended(pace, FAILED, 3)

    assert pace.limit == 32


@given(st.lists(st.sampled_from(Outcome), max_size=300), st.integers(1, 96))
def test_the_limit_stays_between_floor_and_ceiling(outcomes: list[Outcome], ceiling: int) -> None:
    pace = Pace(ceiling)
    for moment, outcome in enumerate(outcomes):
        ended(pace, outcome, began=moment, now=moment + 0.5)

        assert min(FLOOR, ceiling) <= pace.limit <= ceiling
        assert pace.in_flight == 0


@pytest.mark.parametrize(("now", "wait"), [(0, 5), (4.9, 0.1), (5, 0)])
def test_a_pause_that_the_api_asks_for_holds_everybody(now: float, wait: float) -> None:
    pace = Pace(32)
    pace.hold(5)

    assert pace.wait(now) == pytest.approx(wait)


def test_the_longest_pause_counts() -> None:
    pace = Pace(32)
    pace.hold(5)
    pace.hold(2)

    assert pace.wait(1) == 4


@pytest.mark.parametrize(("now", "wait"), [(0, 0.5), (0.4, 0.1), (0.5, 0)])
def test_requests_in_a_second_are_bounded_if_asked_for(now: float, wait: float) -> None:
    pace = Pace(32, per_second=2)
    assert pace.wait(0) == 0
    pace.start(0)

    assert pace.wait(now) == pytest.approx(wait)


def test_time_that_was_not_used_is_not_made_up_for() -> None:
    pace = Pace(32, per_second=2)
    pace.start(100)

    assert pace.wait(100) == pytest.approx(0.5)


@pytest.mark.parametrize(("answered", "limit"), [(3, FLOOR), (4, 4), (7, 7), (31, 31), (90, 32)])
def test_after_a_pause_no_more_are_sent_than_were_answered_before_it(
    answered: int, limit: int
) -> None:
    pace = Pace(32)
    ended(pace, ANSWERED, answered)

    pace.hold(60)

    assert pace.limit == limit


def test_what_was_answered_before_the_last_pause_counts_no_more() -> None:
    pace = Pace(32)
    ended(pace, ANSWERED, 20)
    pace.hold(60)
    ended(pace, ANSWERED, 6, began=60, now=61)

    pace.hold(120)

    assert pace.limit == 6


def test_a_request_that_moved_aside_gives_its_place_on() -> None:
    pace = Pace(1)
    pace.start(0)
    assert pace.wait(0) is None

    pace.leave()

    assert pace.wait(0) == 0


def test_after_an_outage_few_are_sent() -> None:
    pace = Pace(64)

    pace.slow_down()

    assert pace.limit == FLOOR
