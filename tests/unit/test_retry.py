"""How long is waited before a request is sent again, and what the API's headers say of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.probe.giving_up import ATTEMPTS_MAX
from backup_audit.probe.pacing import RETRY_AFTER_MAX, backoff, retry_after
from tests.doubles.builders import NOW

PRESENT = NOW.timestamp()


@pytest.mark.parametrize(
    ("attempt", "jitter", "wait"),
    [(1, 0.0, 0.125), (1, 1.0, 0.25), (2, 1.0, 0.5), (3, 1.0, 1.0), (6, 1.0, 8.0), (9, 1.0, 8.0)],
)
def test_waits_grow_up_to_a_bound_and_jitter_takes_up_to_half(
    attempt: int, jitter: float, wait: float
) -> None:
    assert backoff(attempt, jitter) == wait


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("12", 12.0),
        (" 12 ", 12.0),
        ("3599", 3599.0),
        ("3600", RETRY_AFTER_MAX),
        ("3601", None),
        ("999999999", None),
        (str(int(PRESENT) + 5), 5.0),
        (str(int(PRESENT) - 5), 0.0),
        ("9" * 400, None),
        ("Sat, 31 Jan 2026 05:00:10 GMT", 10.0),
        ("Sat, 31 Jan 2026 04:59:00 GMT", 0.0),
        ("Sat, 31 Jan 2026 05:00:10 -0000", 10.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Sat, 99 Jan 2026 05:00:10 GMT", None),
    ],
)
def test_retry_after_is_seconds_an_instant_or_a_date(value: str | None, wait: float | None) -> None:
    assert retry_after(value, PRESENT) == wait


@given(st.text() | st.integers().map(str) | st.datetimes().map(str))
def test_whatever_a_server_asks_for_the_wait_is_bounded(value: str) -> None:
    wait = retry_after(value, PRESENT)

    assert wait is None or 0 <= wait <= RETRY_AFTER_MAX


@given(st.integers(1, ATTEMPTS_MAX), st.floats(0, 1))
def test_a_wait_is_never_zero_nor_endless(attempt: int, jitter: float) -> None:
    assert 0 < backoff(attempt, jitter) <= 8
    assert math.isfinite(backoff(attempt, jitter))
