"""When asking is given up, and what is said of it."""

import pytest

from backup_audit.errors import ApiUnreachable, CredentialsRefused
from backup_audit.judge.evidence import Answer, Cause, Refusal, Silence
from backup_audit.probe.giving_up import (
    FAILURES_IN_A_QUARTER,
    PATIENCE,
    PATIENCE_AT_START,
    QUARTERS,
    REFUSALS_MAX,
    THROTTLED_IN_A_ROW,
    Fruitless,
    Outage,
)
from backup_audit.probe.pacing import Outcome
from tests.doubles.builders import evidence

ANSWERED, FAILED, SILENT = Outcome.ANSWERED, Outcome.FAILED, Outcome.SILENT


def failing(each: int = FAILURES_IN_A_QUARTER, *, answered: bool = True) -> Outage:
    """So many instances of each quarter failed, since 0."""
    outage = Outage()
    if answered:
        outage.answered()
    for quarter in range(QUARTERS):
        for number in range(each):
            outage.failed(f"guid-{quarter}-{number}", quarter, FAILED, began=0.0)
    return outage


@pytest.mark.parametrize(("each", "is_on"), [(1, False), (2, True), (3, True)])
@pytest.mark.parametrize("answered", [True, False])
def test_two_failures_in_each_quarter_of_the_list_are_an_outage(
    each: int, *, is_on: bool, answered: bool
) -> None:
    assert failing(each, answered=answered).is_on is is_on


@pytest.mark.parametrize("outcome", [FAILED, SILENT, Outcome.THROTTLED])
def test_a_quarter_alone_is_no_outage_however_many_of_it_fail(outcome: Outcome) -> None:
    outage = Outage()
    for number in range(1000):
        outage.failed(f"guid-{number}", number % (QUARTERS - 1), outcome, began=0.0)

    assert outage.is_suspected
    assert not outage.is_on


def test_the_same_instances_failing_again_and_again_are_no_outage() -> None:
    outage = Outage()
    for _ in range(50):
        for quarter in range(QUARTERS):
            outage.failed(f"guid-{quarter}", quarter, FAILED, began=0.0)

    assert not outage.is_on


def test_what_failed_while_others_were_answered_says_nothing_of_the_api_any_more() -> None:
    outage = failing(FAILURES_IN_A_QUARTER - 1)
    outage.answered()
    for quarter in range(QUARTERS):
        outage.failed(f"guid-{quarter}-0", quarter, FAILED, began=1.0)
        outage.failed(f"other-{quarter}", quarter, FAILED, began=1.0)

    assert not outage.is_on


def test_an_answer_ends_it() -> None:
    outage = failing()

    outage.answered()

    assert not outage.is_on
    assert not outage.is_suspected
    assert outage.silent_for(1000.0) is None
    assert not outage.is_too_long(1000.0)


def test_the_part_that_failed_least_is_tried_next() -> None:
    outage = Outage()
    for quarter in (0, 0, 1, 3):
        outage.failed(f"guid-{quarter}", quarter, FAILED, began=0.0)

    assert outage.least_tried(range(QUARTERS)) == 2
    assert [outage.wants(quarter) for quarter in range(QUARTERS)] == [True] * QUARTERS


def test_one_trial_at_a_time_goes_out_at_growing_intervals() -> None:
    outage = failing()
    outage.next_trial(began=0.0, now=0.0)
    waits = []
    now = 0.0
    for _ in range(6):
        wait = outage.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        outage.start(now)
        assert outage.wait(now) is None
        outage.next_trial(began=now, now=now)

    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_requests_that_were_under_way_do_not_count_as_trials() -> None:
    outage = failing()
    outage.next_trial(began=0.0, now=0.0)
    outage.start(1.0)

    outage.next_trial(began=0.5, now=1.5)

    assert outage.wait(1.5) is None


@pytest.mark.parametrize(("answered", "patience"), [(True, PATIENCE), (False, PATIENCE_AT_START)])
def test_an_api_that_had_answered_is_waited_for_longer(*, answered: bool, patience: float) -> None:
    outage = failing(answered=answered)

    assert [outage.is_too_long(patience + more) for more in (-0.1, 0.0, 0.1)] == [False, True, True]
    assert outage.silent_for(patience - 0.1) == patience - 0.1


def test_a_pause_that_the_api_asks_for_is_not_held_against_it() -> None:
    outage = failing()

    outage.held(until=60.0)

    assert not outage.is_too_long(60.0 + PATIENCE - 0.1)
    assert outage.is_too_long(60.0 + PATIENCE)
    assert outage.silent_for(60.0 + PATIENCE) == PATIENCE


@pytest.mark.parametrize("throttled", [THROTTLED_IN_A_ROW - 1, THROTTLED_IN_A_ROW])
def test_all_are_meant_by_429_if_so_many_in_a_row_get_it(throttled: int) -> None:
    outage = Outage()
    for number in range(throttled):
        outage.failed(f"guid-{number}", 0, Outcome.THROTTLED, began=0.0)
        outage.failed(f"guid-{number}", 0, Outcome.THROTTLED, began=0.0)

    assert outage.all_throttled is (throttled == THROTTLED_IN_A_ROW)
    outage.answered()
    assert not outage.all_throttled


@pytest.mark.parametrize("refused", [REFUSALS_MAX - 1, REFUSALS_MAX])
def test_our_token_is_refused_if_so_many_in_a_row_get_401(refused: int) -> None:
    outage = Outage()
    for number in range(refused):
        outage.failed(f"guid-{number}", 0, Outcome.REFUSED, began=0.0)

    assert outage.token_is_refused is (refused == REFUSALS_MAX)
    assert not outage.is_suspected
    outage.answered()
    assert not outage.token_is_refused


TIMEOUT = (Silence(Cause.TIMEOUT, "no whole answer in time"), None)
BY_PROXY = (Silence(Cause.CONNECTION, "the proxy refuses: HTTP 403", by_proxy=True), None)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
REFUSED = (Refusal(1000, "CF-InvalidAuthToken", "Invalid Auth Token"), 401)
LIMITED = (Refusal(10013, "CF-RateLimitExceeded"), 429)


def noted(*answers: tuple[Answer, int | None]) -> Fruitless:
    fruitless = Fruitless()
    for answer, status in answers:
        fruitless.note(evidence(answer, status))
    return fruitless


def test_a_failure_says_what_came_first_and_how_many_were_asked() -> None:
    error = noted(LIMITED, TIMEOUT, NOT_REACHED, TIMEOUT).error()

    assert isinstance(error, ApiUnreachable)
    assert "none of the 3 instances asked" in str(error)
    assert "(the first: HTTP 429 CF-RateLimitExceeded 10013)" in str(error)


@pytest.mark.parametrize(
    ("answers", "suspects"),
    [
        ((BY_PROXY, BY_PROXY), "PROXY_URL, and that the proxy"),
        ((BY_PROXY, TIMEOUT), "CF_API_URL, the network"),
        ((TIMEOUT, TIMEOUT), "CF_API_URL, the network"),
    ],
)
def test_a_proxy_is_to_blame_if_it_let_nothing_through(
    answers: tuple[tuple[Answer, int | None], ...], suspects: str
) -> None:
    assert f"check {suspects}" in str(noted(*answers).error())


def test_a_refused_token_is_to_blame_before_all_else() -> None:
    error = noted(TIMEOUT, REFUSED, REFUSED).error()

    assert isinstance(error, CredentialsRefused)
    assert "each of 3 instances asked (HTTP 401 CF-InvalidAuthToken 1000)" in str(error)


def test_instances_that_were_not_reached_say_nothing_about_the_api() -> None:
    assert noted(NOT_REACHED, NOT_REACHED).error() is None
