"""An error that lists faults names each, and stays short however many there are."""

import json
from datetime import UTC, datetime

import pytest

from backup_audit.errors import InvalidConfiguration, InvalidEvent
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.run import parse_event


def error_of(document: object) -> InvalidConfiguration:
    with pytest.raises(InvalidConfiguration) as raised:
        parse_configuration(json.dumps(document).encode(), "ssm:/x")
    return raised.value


def owners(count: int) -> list[dict[str, object]]:
    return [{"guid": f"guid-{number}", "owner": 7} for number in range(count)]


TEXT = "a text of 1 to 200 characters without control or invisible characters"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_faults_of_a_kind_are_named_one_by_one(count: int) -> None:
    assert error_of({"instances": owners(count)}).faults == tuple(
        f"instances[{number}].owner: 7 is not {TEXT}" for number in range(count)
    )


@pytest.mark.parametrize(("count", "said"), [(4, "4"), (2500, "2,500")])
def test_many_faults_of_a_kind_are_one_with_the_first_position(count: int, said: str) -> None:
    error = error_of({"instances": ["whole", *owners(count)]})

    assert error.faults == (
        f"{said} × instances[].owner: … is not {TEXT}, first at instances[1].owner",  # noqa: RUF001
    )
    assert str(error).startswith(f"the configuration ssm:/x has {said} faults: {said} ")


def test_faults_are_of_a_kind_whatever_the_value_is() -> None:
    error = error_of({"instances": [f"no guid {number}" for number in range(50_000)]})

    [fault] = error.faults
    assert fault.startswith("50,000 × instances[]: … is not a GUID")  # noqa: RUF001
    assert len(str(error)) < 300


def test_guids_that_are_listed_twice_are_of_a_kind() -> None:
    error = error_of({"instances": [*(f"guid-{number}" for number in range(5000))] * 2})

    [fault] = error.faults
    assert fault == (
        "5,000 × instances[]: … is listed already at instances[], first at instances[5000]"  # noqa: RUF001
    )


def test_the_few_are_not_lost_among_the_many() -> None:
    error = error_of(
        {"instances": [*owners(1000), {"guid": "a", "max_age": 7}], "schema_version": 2}
    )

    assert len(error.faults) == 3
    assert any(fault.startswith("instances[1000].max_age: 7 is not") for fault in error.faults)
    assert any(fault.startswith("schema_version: 2 is not") for fault in error.faults)


@pytest.mark.parametrize(
    ("kinds", "more"), [(49, ""), (50, ""), (51, "and 1 more"), (5000, "and 4,950 more")]
)
def test_fifty_kinds_are_named_and_the_rest_is_counted(kinds: int, more: str) -> None:
    error = error_of({"instances": ["a"], **{f"key{number}": 1 for number in range(kinds)}})

    assert len(error.faults) == min(kinds, 50) + bool(more)
    assert error.faults[-1].endswith(more or "$schema")
    assert f"has {kinds:,} faults" in str(error)
    assert len(str(error)) < 10_000


MANY = 5_000
WHOLE = {"guid": "a", "owner": "team", "reason": "moves", "until": "2026-12-31"}


@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        ({"instances": [None] * MANY}, 1),
        ({"instances": [f"no guid {number}" for number in range(MANY)]}, 1),
        ({"instances": [{}] * MANY}, 1),
        ({"instances": [[number] for number in range(MANY)]}, 1),
        ({"instances": [{"guid": f"g{n}", "name": f"a\n{n} is not b"} for n in range(MANY)]}, 1),
        ({"instances": [{"guid": f"g{n}", "max_age": n} for n in range(MANY)]}, 1),
        ({"instances": [{"guid": f"g{n}", "min_backups": -n} for n in range(MANY)]}, 1),
        ({"instances": [{"guid": f"g{n}", "nme": n} for n in range(MANY)]}, 1),
        ({"instances": [{"guid": f"g{n}", f"key{n}": n} for n in range(MANY)]}, 51),
        ({"instances": ["a"] * MANY}, 1),
        ({"instances": [f"g{number}" for number in range(MANY)] * 2}, 1),
        ({"instances": ["a"], "mutes": [WHOLE] * MANY}, 1),
        ({"instances": ["a"], "mutes": [{"guid": f"g{n}"} for n in range(MANY)]}, 3),
        ({"instances": ["a"], "mutes": [WHOLE | {"guid": n, "until": n} for n in range(MANY)]}, 2),
        ({"instances": ["a"]} | {f"key{number}": number for number in range(MANY)}, 51),
    ],
)
def test_whatever_is_wrong_thousands_of_times_the_error_stays_short(
    document: object, kinds: int
) -> None:
    error = error_of(document)

    assert len(error.faults) == kinds
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    "guids", [["a/b"] * MANY, ["a"] * MANY, [f"g{number}" for number in range(MANY)] * 2]
)
def test_the_error_about_an_event_stays_short_as_well(guids: list[str]) -> None:
    with pytest.raises(InvalidEvent) as raised:
        parse_event({"instance_guids": guids}, datetime(2026, 1, 31, tzinfo=UTC))

    assert len(raised.value.faults) == 1
    assert len(str(raised.value)) < 1000
