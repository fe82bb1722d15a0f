"""Demands, where they come from, and what none may be."""

import pytest

from backup_audit.fleet.configuration import BUILT_IN, Demands, Policy, layered


@pytest.mark.parametrize(
    ("max_age", "min_backups", "grace", "fault"),
    [
        (-1, 1, 0, "max_age must be longer than zero"),
        (0, 1, 0, "max_age must be longer than zero"),
        (1, -1, 0, "min_backups must be at least 1"),
        (1, 0, 0, "min_backups must be at least 1"),
        (1, 1, -1, "grace must not be negative"),
    ],
)
def test_a_demand_without_sense_is_refused(
    max_age: int, min_backups: int, grace: int, fault: str
) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        Policy(max_age_seconds=max_age, min_backups=min_backups, grace_seconds=grace)


def test_the_least_demands_there_are() -> None:
    assert Policy(max_age_seconds=1, min_backups=1, grace_seconds=0)


def test_a_layer_states_what_it_states_and_leaves_the_rest() -> None:
    policy = layered(BUILT_IN, Demands(max_age="4m"), "instance")

    assert (policy.max_age_seconds, policy.max_age_source) == (240, "instance")
    assert policy.min_backups == BUILT_IN.min_backups
    assert policy.min_backups_source == BUILT_IN.min_backups_source


def test_a_layer_that_states_nothing_changes_nothing() -> None:
    assert layered(BUILT_IN, Demands(), "instance") == BUILT_IN
