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
    rough_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("26h", 26 * 3600),
        ("7d", 7 * 86_400),
        ("90m", 90 * 60),
        ("1d12h", 36 * 3600),
        ("1d2h3m", 86_400 + 2 * 3600 + 3 * 60),
        ("0h", 0),
        ("9999d99999h999999m", 9999 * 86_400 + 99_999 * 3600 + 999_999 * 60),
    ],
)
def test_what_people_write_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (59, "59 s"),
        (89, "1 min"),
        (91, "2 min"),
        (59 * 60 + 29, "59 min"),
        (59 * 60 + 31, "1 h"),
        (3600 + 7 * 60, "1 h"),
        (3600 + 8 * 60, "1 h 15 min"),
        (6 * 3600 - 100, "6 h"),
        (11 * 3600 + 52 * 60, "11 h 45 min"),
        (11 * 3600 + 53 * 60, "12 h"),
        (12 * 3600 + 29 * 60, "12 h"),
        (12 * 3600 + 31 * 60, "13 h"),
        (24 * 3600 - 1799, "24 h"),
        (24 * 3600 - 1801, "23 h"),
        (24 * 3600 + 1799, "24 h"),
        (48 * 3600 - 60, "2 d"),
        (7 * 86_400 + 1801, "7 d 1 h"),
    ],
)
def test_a_duration_is_said_roughly(seconds: int, said: str) -> None:
    assert rough_duration(timedelta(seconds=seconds)) == said


@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_two_durations_that_differ_never_read_the_same(first: int, second: int) -> None:
    assume(first != second)
    duration, limit = timedelta(seconds=first), timedelta(seconds=second)

    assert compared_duration(duration, limit) != format_duration(limit)


@given(st.integers(0, 9999), st.integers(0, 99999), st.integers(0, 999999))
def test_every_combination_of_units_is_read_back(days: int, hours: int, minutes: int) -> None:
    seconds = days * 86_400 + hours * 3600 + minutes * 60

    assert parse_duration(f"{days}d{hours}h{minutes}m") == seconds
