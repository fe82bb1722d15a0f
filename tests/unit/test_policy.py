"""Demands, where they come from, and what none may be."""

import pytest

from backup_audit.fleet.policy import (
    BUILT_IN,
    BUILT_IN_STATEMENT,
    Demands,
    Policy,
    Statement,
    deciding,
    in_force,
)


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


def test_the_first_that_states_a_demand_decides_it_and_no_other() -> None:
    above = Statement("rules[0]", Demands(max_age="4m", owner="team"), 0)
    below = Statement("rules[1]", Demands(max_age="9h", min_backups=3, owner="sre"), 1)
    last = Statement("rules[2]", Demands(min_backups=5), 2)

    decided = in_force([above, below, last, BUILT_IN_STATEMENT])

    assert (decided.policy.max_age_seconds, decided.policy.max_age_source) == (240, "rules[0]")
    assert (decided.policy.min_backups, decided.policy.min_backups_source) == (3, "rules[1]")
    assert (decided.policy.grace_seconds, decided.policy.grace_source) == (0, "built-in")
    assert decided.owner == "team"
    assert decided.rules == {0, 1}


def test_what_nobody_states_is_built_in_and_nobody_owns_it() -> None:
    assert in_force([]) == in_force([BUILT_IN_STATEMENT]) == (BUILT_IN, None, frozenset())


def test_what_cannot_decide_is_left_out_and_changes_nothing() -> None:
    statements = [
        Statement("rules[0]", Demands(max_age="4m"), 0),
        Statement("rules[1]", Demands(max_age="9h"), 1),
        Statement("rules[2]", Demands(max_age="9h", grace="1d"), 2),
        BUILT_IN_STATEMENT,
    ]

    left = deciding(statements)

    assert [one.place for one in left] == ["rules[0]", "rules[2]", "built-in"]
    assert in_force(left) == in_force(statements)
