"""An error that lists faults names each, and stays short however many there are."""

import json
from datetime import UTC, datetime

import pytest

from backup_audit.errors import InvalidConfiguration, InvalidEvent, merged
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


@pytest.mark.parametrize("count", [4, 19, 20])
def test_more_faults_of_a_kind_are_one_with_all_positions(count: int) -> None:
    error = error_of({"instances": ["whole", *owners(count)]})

    places = ", ".join(f"instances[{number}].owner" for number in range(1, count + 1))
    assert error.faults == (f"{count} × instances[].owner: … is not {TEXT}, at {places}",)  # noqa: RUF001
    assert str(error).startswith(f"the configuration ssm:/x has {count} faults: {count} ")


@pytest.mark.parametrize(("count", "said"), [(21, "21"), (2500, "2,500")])
def test_many_faults_of_a_kind_are_one_with_the_first_position(count: int, said: str) -> None:
    error = error_of({"instances": ["whole", *owners(count)]})

    assert error.faults == (
        f"{said} × instances[].owner: … is not {TEXT}, first at instances[1].owner",  # noqa: RUF001
    )
    assert str(error).startswith(f"the configuration ssm:/x has {said} faults: {said} ")


def shadowed(rule: str, by: str) -> str:
    return f"{rule}: decides nothing: shadowed by {by}"


def test_what_a_fault_refers_to_is_kept() -> None:
    faults = [shadowed(f"rules[{number}]", "rules[1]") for number in range(2, 6)]
    faults.append(shadowed("rules[6]", 'rules[0] "gold"'))

    assert list(merged(faults)) == [
        (
            "4 × rules[]: decides nothing: shadowed by rules[1], "  # noqa: RUF001
            "at rules[2], rules[3], rules[4], rules[5]"
        ),
        shadowed("rules[6]", 'rules[0] "gold"'),
    ]


@pytest.mark.parametrize(("others", "lines"), [(19, 19), (20, 20), (21, 1)])
def test_what_faults_refer_to_is_told_apart_as_long_as_it_is_little(
    others: int, lines: int
) -> None:
    faults = [shadowed(f"rules[{number + 1}]", f"rules[{number}]") for number in range(others)]

    said = list(merged(faults))

    assert said == (
        faults
        if lines > 1
        else ["21 × rules[]: decides nothing: shadowed by rules[], first at rules[1]"]  # noqa: RUF001
    )


def test_the_name_of_a_rule_is_in_its_position_and_makes_no_kind_of_its_own() -> None:
    faults = [f'rules[{number}] "n{number}": fits no audited instance' for number in range(4)]

    assert list(merged(faults)) == [
        (
            "4 × rules[]: fits no audited instance, "  # noqa: RUF001
            'at rules[0] "n0", rules[1] "n1", rules[2] "n2", rules[3] "n3"'
        )
    ]


def test_thousands_that_differ_in_what_they_quote_are_one() -> None:
    globs = [
        f'discover[{n}].org: "db-{n}.*" looks like a regex: write "db-{n}*"' for n in range(99)
    ]
    days = [f"mutes[{n}]: the mute is over since 20{n}-01-31" for n in range(10, 99)]

    assert list(merged(globs + days)) == [
        "99 × discover[].org: … looks like a regex: write …, first at discover[0].org",  # noqa: RUF001
        "89 × mutes[]: the mute is over since …, first at mutes[10]",  # noqa: RUF001
    ]


def test_faults_are_of_a_kind_whatever_the_value_is() -> None:
    error = error_of({"instances": [f"no guid {number}" for number in range(10_000)]})

    [fault] = error.faults
    assert fault.startswith("10,000 × instances[]: … is not a GUID")  # noqa: RUF001
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


MANY = 2_000
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
