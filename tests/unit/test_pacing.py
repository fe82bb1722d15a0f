"""How fast the API is asked: growing, shrinking, holding, giving up."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.probe.pacing import (
    FAILURES_OF_AN_OUTAGE,
    FLOOR,
    PATIENCE,
    PATIENCE_AT_START,
    Deadline,
    Outcome,
    Pace,
    Pacer,
    Quota,
    Stopped,
)
from tests.doubles.fake_time import FakeTime

ANSWERED, THROTTLED, FAILED = Outcome.ANSWERED, Outcome.THROTTLED, Outcome.FAILED


def ended(
    pace: Pace,
    outcome: Outcome,
    times: int = 1,
    *,
    target: str | None = None,
    began: float = 0,
    now: float = 0,
) -> None:
    """So many requests, one after the other, each for another target unless one is named."""
    for number in range(times):
        pace.start(began)
        pace.end(outcome, target or f"target-{number}", began, now)


def in_outage(pace: Pace, *, answered: bool = True) -> Pace:
    """A pace that has just seen nothing but failures, since 0."""
    if answered:
        ended(pace, ANSWERED)
    ended(pace, FAILED, FAILURES_OF_AN_OUTAGE)
    return pace


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
    pace.hold(5, 0)

    assert pace.wait(now) == pytest.approx(wait)


def test_the_longest_pause_counts() -> None:
    pace = Pace(32)
    pace.hold(5, 0)
    pace.hold(1, 1)

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


def test_a_quota_that_seems_used_up_slows_down_until_its_reset() -> None:
    pace = Pace(32)
    pace.quota(Quota(remaining=0, resets_in=60), 0)
    ended(pace, ANSWERED, 100, now=59)
    assert pace.limit == FLOOR

    ended(pace, ANSWERED, 4, now=60)
    assert pace.limit > FLOOR


def test_a_quota_that_is_there_again_lets_it_grow() -> None:
    pace = Pace(32)
    pace.quota(Quota(remaining=0, resets_in=60), 0)
    pace.quota(Quota(remaining=100, resets_in=60), 1)
    ended(pace, ANSWERED, 4, now=2)

    assert pace.limit > FLOOR


@pytest.mark.parametrize(
    ("failures", "outage"),
    [
        (FAILURES_OF_AN_OUTAGE - 1, False),
        (FAILURES_OF_AN_OUTAGE, True),
        (FAILURES_OF_AN_OUTAGE + 1, True),
    ],
)
def test_nothing_but_failures_is_an_outage(failures: int, *, outage: bool) -> None:
    pace = Pace(32)
    ended(pace, FAILED, failures)

    assert pace.is_outage is outage


@pytest.mark.parametrize("ceiling", [1, 32])
def test_a_few_instances_that_fail_again_and_again_are_no_outage(ceiling: int) -> None:
    pace = Pace(ceiling)
    ended(pace, ANSWERED)

    for target in range(FAILURES_OF_AN_OUTAGE - 1):
        ended(pace, FAILED, 100, target=f"broken-{target}", now=2 * PATIENCE)

    assert not pace.is_outage
    assert pace.silent_for(2 * PATIENCE) is None


def test_silence_is_counted_from_the_first_request_that_failed() -> None:
    pace = Pace(32)
    ended(pace, ANSWERED)
    ended(pace, FAILED, began=5)
    ended(pace, FAILED, FAILURES_OF_AN_OUTAGE, began=6)

    assert pace.silent_for(5 + PATIENCE - 0.1) is None
    assert pace.silent_for(5 + PATIENCE) == PATIENCE


def test_after_an_answer_a_target_that_fails_again_counts_again() -> None:
    pace = Pace(32)
    ended(pace, FAILED, FAILURES_OF_AN_OUTAGE - 1)
    ended(pace, ANSWERED)
    ended(pace, FAILED, FAILURES_OF_AN_OUTAGE)

    assert pace.is_outage


def test_in_an_outage_one_trial_at_a_time_goes_out_at_growing_intervals() -> None:
    pace = in_outage(Pace(32))
    waits = []
    now = 0.0
    for _ in range(6):
        wait = pace.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        pace.start(now)
        assert pace.wait(now) is None
        pace.end(FAILED, "", now, now)

    assert waits == [1, 2, 4, 5, 5, 5]


def test_an_answer_ends_the_outage_for_all() -> None:
    pace = in_outage(Pace(32))
    pace.start(1)

    pace.end(ANSWERED, "", 1, 1)

    assert not pace.is_outage
    assert pace.wait(1) == 0


def test_requests_that_were_under_way_do_not_count_as_trials() -> None:
    pace = Pace(32)
    pace.start(0)
    in_outage(pace)
    pace.start(1)

    pace.end(FAILED, "", 0, 2)

    assert pace.wait(2) is None


@pytest.mark.parametrize(("answered", "patience"), [(True, PATIENCE), (False, PATIENCE_AT_START)])
def test_an_api_that_had_answered_is_waited_for_longer(*, answered: bool, patience: float) -> None:
    pace = in_outage(Pace(32), answered=answered)

    assert pace.silent_for(patience - 0.1) is None
    assert pace.silent_for(patience) == patience
    assert pace.silent_for(patience + 1) == patience + 1


def test_a_pause_that_the_api_asks_for_is_not_held_against_it() -> None:
    pace = in_outage(Pace(32))
    pace.hold(60, 0)

    assert pace.silent_for(60 + PATIENCE - 1) is None
    assert pace.silent_for(60 + PATIENCE) == PATIENCE


def test_an_api_that_answers_is_never_given_up() -> None:
    pace = Pace(32)
    ended(pace, ANSWERED)

    assert pace.silent_for(1e9) is None


def test_a_turn_is_waited_for_as_long_as_the_pause_lasts() -> None:
    time = FakeTime()
    pacer = time.pacer()
    pacer.leave(THROTTLED, "", pacer.enter(), hold=7)

    assert pacer.enter() == 7
    assert time.waits == [7]


def test_a_retry_rests_without_taking_a_turn() -> None:
    time = FakeTime()
    pace = Pace(1)
    pacer = time.pacer(pace)

    pacer.pause(2.5)

    assert time.waits == [2.5]
    assert pace.wait(time.now) == 0


@pytest.mark.parametrize(("left", "stops"), [(6.9, True), (7, True), (7.1, False)])
def test_a_pause_beyond_the_end_of_the_run_ends_it_at_once(left: float, *, stops: bool) -> None:
    time = FakeTime()
    pacer = time.pacer(seconds_left=left)
    pacer.leave(THROTTLED, "", pacer.enter(), hold=7)

    if stops:
        with pytest.raises(Stopped, match="the API asks to wait 7 s, the run has 7 s left"):
            pacer.enter()
        assert time.waits == []
    else:
        pacer.enter()


def test_the_end_of_the_run_ends_all_waiting() -> None:
    time = FakeTime()
    pacer = time.pacer(seconds_left=3)

    with pytest.raises(Stopped, match="the run's time was over"):
        pacer.pause(10)
    with pytest.raises(Stopped, match="the run's time was over"):
        pacer.enter()
    assert time.waits == [3]


def test_an_api_that_is_down_ends_the_run_after_a_while() -> None:
    time = FakeTime()
    pacer = time.pacer(in_outage(Pace(32)))

    def fail_on() -> None:
        for _ in range(100):
            pacer.leave(FAILED, "", pacer.enter())

    with pytest.raises(Stopped, match="the API had answered nothing for"):
        fail_on()

    assert PATIENCE <= time.now <= PATIENCE + 5


def test_who_is_told_to_stop_stops_with_the_first_reason() -> None:
    pacer = FakeTime().pacer()
    pacer.stop("enough")
    pacer.stop("more than enough")

    with pytest.raises(Stopped, match=r"^enough$"):
        pacer.enter()
    with pytest.raises(Stopped, match=r"^enough$"):
        pacer.pause(1)


def test_no_more_threads_are_under_way_than_the_ceiling_and_all_get_their_turn() -> None:
    pacer = Pacer(Pace(3), Deadline.never())
    lock = threading.Lock()
    running, most, turns = 0, 0, 0

    def work() -> None:
        nonlocal running, most, turns
        for _ in range(200):
            began = pacer.enter()
            with lock:
                running += 1
                turns += 1
                most = max(most, running)
            with lock:
                running -= 1
            pacer.leave(ANSWERED, "", began)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert turns == 8 * 200
    assert most <= 3


def test_a_stop_wakes_who_waits() -> None:
    pacer = Pacer(Pace(1), Deadline.never())
    pacer.enter()
    woken = []

    def wait_in_vain() -> None:
        try:
            pacer.enter()
        except Stopped as stopped:
            woken.append(str(stopped))

    threads = [threading.Thread(target=wait_in_vain) for _ in range(4)]
    for thread in threads:
        thread.start()
    pacer.stop("enough")
    for thread in threads:
        thread.join(timeout=30)

    assert woken == ["enough"] * 4
