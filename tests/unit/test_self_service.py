"""What labels may say, within which bounds, and what is said of one that is ignored."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.policy import Demands, Statement
from backup_audit.fleet.self_service import (
    LABELS,
    NOTHING,
    CountBounds,
    DurationBounds,
    GraceBounds,
    SelfService,
    SkipBounds,
    Stated,
    stated_by,
    within,
)
from tests.doubles.builders import NOW

TODAY = NOW.date()
ALL = SelfService(
    max_age=DurationBounds(at_least="1h", at_most="7d"),
    min_backups=CountBounds(at_least=2, at_most=60),
    grace=GraceBounds(at_least="0h", at_most="2d"),
    owner=["team-*", "sre"],
    skip=SkipBounds(at_most="90d"),
)


READ = {"backup-audit.owner": "team-orders"}


def stated(allowed: SelfService = ALL, /, **labels: str) -> Stated:
    return stated_by({LABELS[key]: text for key, text in labels.items()}, allowed, TODAY)


def demanded(found: Stated) -> dict[str, Any]:
    return {
        one.place: next(
            value
            for value in (
                one.demands.max_age,
                one.demands.min_backups,
                one.demands.grace,
                one.demands.owner,
            )
            if value is not None
        )
        for one in found.statements
    }


def test_each_label_states_its_demand_and_is_its_own_place() -> None:
    found = stated(max_age="4h", min_backups="7", grace="1d", owner="team-orders")

    assert demanded(found) == {
        "label backup-audit.max-age": "4h",
        "label backup-audit.min-backups": 7,
        "label backup-audit.grace": "1d",
        "label backup-audit.owner": "team-orders",
    }
    assert found.notes == ()
    assert found.skip_until is None


def test_labels_of_others_say_nothing() -> None:
    labels = {"env": "prod", "backup-audit.audit": "yes", "my-backup-audit.x": "1"}

    assert stated_by(labels, ALL, TODAY, frozenset({"backup-audit.audit"})) == NOTHING


@pytest.mark.parametrize("key", ["maxage", "skip", "max_age", "audit", "Owner", ""])
def test_a_label_with_our_prefix_that_nothing_reads_is_said(key: str) -> None:
    found = stated_by({f"backup-audit.{key}": "4h", **READ}, ALL, TODAY)

    assert len(found.statements) == 1
    assert found.notes == (
        (
            f'label backup-audit.{key} "4h" is ignored: it is no label of ours, which are max-age, '
            "min-backups, grace, owner, skip-until"
        ),
    )


def test_hostile_labels_with_our_prefix_are_said_on_one_line() -> None:
    [note] = stated_by({"backup-audit.\x1b\n" + "x" * 999: "a\nb" * 99}, ALL, TODAY).notes

    assert note.isprintable()
    assert len(note) < 300


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("max_age", "59m", "it is less than 1h"),
        ("max_age", "60m", None),
        ("max_age", "61m", None),
        ("max_age", "167h", None),
        ("max_age", "168h", None),
        ("max_age", "169h", "it is more than 7d"),
        ("grace", "0h", None),
        ("grace", "48h", None),
        ("grace", "49h", "it is more than 2d"),
        ("min_backups", "1", "it is less than 2"),
        ("min_backups", "2", None),
        ("min_backups", "59", None),
        ("min_backups", "60", None),
        ("min_backups", "61", "it is more than 60"),
        ("owner", "team-", None),
        ("owner", "sre", None),
        ("owner", "sre2", "it is not one of team-*, sre"),
        ("owner", "my-team-orders", "it is not one of team-*, sre"),
    ],
)
def test_a_label_counts_within_its_bounds(key: str, text: str, why: str | None) -> None:
    found = stated(ALL, **{key: text})

    assert bool(found.statements) is (why is None)
    expected = () if why is None else (f'label {LABELS[key]} "{text}" is ignored: {why}',)
    assert found.notes == expected


@pytest.mark.parametrize(
    ("key", "allowed", "bounds"),
    [
        ("max_age", ALL, "within 1h..7d"),
        ("max_age", SelfService(max_age=DurationBounds(at_least="1h")), "at least 1h"),
        ("max_age", SelfService(max_age=DurationBounds(at_most="7d")), "at most 7d"),
        ("grace", SelfService(grace=GraceBounds()), "without bounds"),
        ("min_backups", ALL, "within 2..60"),
        ("owner", ALL, "one of team-*, sre"),
    ],
)
def test_bounds_are_said(key: str, allowed: SelfService, bounds: str) -> None:
    assert within(allowed, key) == bounds


def test_without_bounds_any_value_counts() -> None:
    allowed = SelfService(
        max_age=DurationBounds(), min_backups=CountBounds(), grace=GraceBounds(), owner=["*"]
    )

    found = stated(allowed, max_age="1m", min_backups="100000", grace="9999d", owner="x")

    assert len(found.statements) == 4


@pytest.mark.parametrize(
    ("key", "text", "what"),
    [
        ("max_age", "soon", 'a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"'),
        ("max_age", "0h", 'a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"'),
        ("max_age", "", 'a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"'),
        ("max_age", "4h\n", 'a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"'),
        ("grace", "-1h", 'a duration such as "26h", "7d", "90m" or "1d12h"'),
        ("min_backups", "0", "a whole number from 1"),
        ("min_backups", "-1", "a whole number from 1"),
        ("min_backups", "1.0", "a whole number from 1"),
        ("min_backups", "100001", "a whole number from 1"),
        ("min_backups", "9" * 5000, "a whole number from 1"),
        ("min_backups", "٣", "a whole number from 1"),
        ("owner", "", "a text of 1 to 200 characters without control or invisible characters"),
        (
            "owner",
            "\u202e",
            "a text of 1 to 200 characters without control or invisible characters",
        ),
        ("skip", "2027-02-30", "a day such as 2027-01-31"),
        ("skip", "2027-1-1", "a day such as 2027-01-31"),
        ("skip", "never", "a day such as 2027-01-31"),
        ("skip", "٢٠٢٧-01-31", "a day such as 2027-01-31"),
    ],
)
def test_a_label_that_cannot_be_read_is_ignored_and_said(key: str, text: str, what: str) -> None:
    found = stated(ALL, **{key: text})

    assert (found.statements, found.skip_until) == ((), None)
    [note] = found.notes
    assert note.startswith(f'label {LABELS[key]} "')
    assert note.endswith(f'" is ignored: it is not {what}')
    assert note.isprintable()
    assert len(note) < 250


@pytest.mark.parametrize("key", LABELS)
def test_what_self_service_does_not_have_is_ignored_and_said(key: str) -> None:
    found = stated(SelfService(), **{key: "4h"})

    assert found.statements == ()
    assert found.notes == (
        f'label {LABELS[key]} "4h" is ignored: self_service does not have {key}',
    )


def test_a_label_that_is_ignored_takes_no_other_with_it() -> None:
    found = stated(max_age="30d", owner="team-orders")

    assert found.statements == (
        Statement("label backup-audit.owner", Demands(owner="team-orders")),
    )
    assert len(found.notes) == 1


@pytest.mark.parametrize(
    ("days", "is_over"),
    [(-400, True), (-1, True), (0, False), (1, False), (89, False), (90, False)],
)
def test_a_day_within_reach_is_one_that_skips_until_and_is_said_once_it_is_over(
    days: int, *, is_over: bool
) -> None:
    day = TODAY + timedelta(days=days)
    note = f'label backup-audit.skip-until "{day}" is ignored: it is over'

    assert stated(skip=day.isoformat()) == Stated(skip_until=day, notes=(note,) * is_over)


@pytest.mark.parametrize("day", [(TODAY + timedelta(days=91)).isoformat(), "9999-12-31"])
def test_a_day_too_far_ahead_is_ignored_and_said(day: str) -> None:
    assert stated(skip=day) == Stated(
        notes=(f'label backup-audit.skip-until "{day}" is ignored: it is more than 90d ahead',)
    )


@given(st.dictionaries(st.sampled_from(list(LABELS.values())), st.text()))
def test_whatever_a_label_has_is_read_or_ignored(labels: dict[str, str]) -> None:
    found = stated_by(labels, ALL, TODAY)

    skips = found.skip_until is not None and found.skip_until >= TODAY
    counted = len(found.statements) + skips + len(found.notes)
    assert counted == len(labels)
    assert all(note.isprintable() for note in found.notes)
