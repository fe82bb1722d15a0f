"""Demands, where they come from, and what none may be."""

from datetime import timedelta

import pytest

from backup_audit.fleet.configuration import BUILT_IN, Policy, layered

SECOND = timedelta(seconds=1)
NONE = timedelta(0)


@pytest.mark.parametrize(
    ("max_age", "min_backups", "grace", "fault"),
    [
        (-SECOND, 1, NONE, "max_age must be longer than zero"),
        (NONE, 1, NONE, "max_age must be longer than zero"),
        (SECOND, -1, NONE, "min_backups must be at least 1"),
        (SECOND, 0, NONE, "min_backups must be at least 1"),
        (SECOND, 1, -SECOND, "grace must not be negative"),
    ],
)
def test_a_demand_without_sense_is_refused(
    max_age: timedelta, min_backups: int, grace: timedelta, fault: str
) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        Policy(max_age=max_age, min_backups=min_backups, grace=grace)


def test_the_least_demands_there_are() -> None:
    assert Policy(max_age=SECOND, min_backups=1, grace=NONE)


def test_a_layer_states_what_it_states_and_leaves_the_rest() -> None:
    policy = layered(BUILT_IN, "instance", max_age=4 * SECOND)

    assert (policy.max_age, policy.max_age_source) == (4 * SECOND, "instance")
    assert policy.min_backups == BUILT_IN.min_backups
    assert policy.min_backups_source == BUILT_IN.min_backups_source


def test_a_layer_that_states_nothing_changes_nothing() -> None:
    assert layered(BUILT_IN, "instance") == BUILT_IN
