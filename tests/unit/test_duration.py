"""Durations as people write and read them."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backup_audit.text import (
    brief_duration,
    compared_duration,
    format_duration,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("26h", timedelta(hours=26)),
        ("7d", timedelta(days=7)),
        ("90m", timedelta(minutes=90)),
        ("1d12h", timedelta(hours=36)),
        ("1d2h3m", timedelta(days=1, hours=2, minutes=3)),
        ("0h", timedelta(0)),
        ("9999d99999h999999m", timedelta(days=9999, hours=99999, minutes=999999)),
    ],
)
def test_what_people_write_is_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "26", "h", "26 h", " 26h", "26h ", "26h\n", "1h1d", "26H", "1.5h", "-1h", "+1h", "1w",
     "10000d", "٢h", "1h1h"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (3600, "1 h"),
        (26 * 3600, "26 h"),
        (26 * 3600 + 1, "26 h 1 s"),
        (48 * 3600 - 1, "47 h 59 min 59 s"),
        (48 * 3600, "2 d"),
        (48 * 3600 + 61, "2 d 1 min 1 s"),
    ],
)
def test_a_duration_is_said_exactly(seconds: int, said: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (59, "59 s"),
        (3599, "59 min 59 s"),
        (3601, "1 h"),
        (48 * 3600 - 1, "47 h 59 min"),
        (48 * 3600 + 3599, "2 d"),
        (48 * 3600 + 3600, "2 d 1 h"),
    ],
)
def test_a_duration_is_said_briefly(seconds: int, said: str) -> None:
    assert brief_duration(timedelta(seconds=seconds)) == said


@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_two_durations_that_differ_never_read_the_same(first: int, second: int) -> None:
    assume(first != second)
    duration, limit = timedelta(seconds=first), timedelta(seconds=second)

    assert compared_duration(duration, limit) != format_duration(limit)


@given(st.integers(0, 9999), st.integers(0, 99999), st.integers(0, 999999))
def test_every_combination_of_units_is_read_back(days: int, hours: int, minutes: int) -> None:
    expected = timedelta(days=days, hours=hours, minutes=minutes)

    assert parse_duration(f"{days}d{hours}h{minutes}m") == expected
