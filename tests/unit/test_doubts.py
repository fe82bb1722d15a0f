"""What a configuration may say, but hardly means."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.doubts import (
    doubt_about_guid,
    doubts_about,
    doubts_beside_faults,
    misses_instances,
)

TODAY = date(2026, 1, 31)
GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"
OTHER = "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55"


def mute(guid: str, until: date) -> dict[str, str]:
    return {"guid": guid, "owner": "o", "reason": "r", "until": until.isoformat()}


def doubts(instances: Sequence[Any], mutes: Sequence[Any] = ()) -> tuple[str, ...]:
    document = {"instances": list(instances), "mutes": list(mutes)}
    return doubts_about(parse_configuration(json.dumps(document).encode(), "test"), TODAY)


@pytest.mark.parametrize("guid", [GUID, GUID.upper(), "00000000-0000-0000-0000-000000000000"])
def test_a_guid_in_the_form_of_a_uuid_raises_no_doubt(guid: str) -> None:
    assert doubts([guid, {"guid": OTHER, "name": "orders-db"}]) == ()


@pytest.mark.parametrize(
    "name", ["orders-db", "db", "billing-db-eu-prod-mysqlcluster", "orders2026"]
)
def test_a_name_where_a_guid_belongs_is_doubted(name: str) -> None:
    assert doubts([OTHER, {"guid": name}]) == (
        f'instances[1]: "{name}" is not a GUID; if it is a name: cf service NAME --guid',
    )


@pytest.mark.parametrize(
    ("guid", "length"),
    [
        (GUID[:-1], 35),
        (GUID[1:], 35),
        (GUID[:9] + GUID[10:], 35),
        (GUID + "0", 37),
        (GUID.replace("-", ""), 32),
    ],
)
def test_a_guid_with_a_character_too_few_or_too_many_is_doubted(guid: str, length: int) -> None:
    assert doubts([guid]) == (
        f'instances[0]: "{guid}" is not a whole GUID: it has {length} characters, not 36',
    )


@pytest.mark.parametrize("guid", [GUID.replace("0", "O"), GUID.replace("1", "l"), "g" + GUID[1:]])
def test_a_guid_with_a_letter_for_a_digit_is_doubted(guid: str) -> None:
    assert doubt_about_guid(guid) == (
        f'"{guid}" is not a GUID: those are 8-4-4-4-12 digits from 0 to 9 and a to f'
    )


@pytest.mark.parametrize(("digits", "is_almost"), [(7, False), (8, True), (9, True)])
def test_what_has_few_digits_is_a_name_and_no_broken_guid(digits: int, *, is_almost: bool) -> None:
    broken = "1" * digits + "a" * (31 - digits)
    guid = "-".join([broken[:8], broken[8:12], broken[12:16], broken[16:20], broken[20:]])

    assert ("is not a whole GUID: it has 35" in str(doubt_about_guid(guid))) is is_almost
    assert ("if it is a name" in str(doubt_about_guid(guid))) is not is_almost


def test_instances_and_mutes_are_doubted_together() -> None:
    found = doubts(["orders-db"], [mute("orders-db", TODAY)])

    assert [doubt.partition(":")[0] for doubt in found] == ["instances[0]", "mutes[0]"]


@pytest.mark.parametrize(
    ("days", "doubt"),
    [
        (-1, "the mute is over since 2026-01-30"),
        (0, "the mute ends on 2026-01-31: then notifications begin again"),
        (6, "the mute ends on 2026-02-06: then notifications begin again"),
        (7, "the mute ends on 2026-02-07: then notifications begin again"),
        (8, None),
    ],
)
def test_a_mute_that_is_over_or_ends_within_a_week_is_doubted(days: int, doubt: str | None) -> None:
    expected = (f"mutes[0]: {doubt}",) if doubt else ()

    assert doubts([GUID], [mute(GUID, TODAY + timedelta(days=days))]) == expected


def test_a_mute_of_an_instance_that_is_not_listed_is_doubted() -> None:
    until = TODAY + timedelta(days=99)

    assert doubts([GUID], [mute(GUID, until), mute(OTHER, until)]) == (
        f'mutes[1]: "{OTHER}" is not listed in instances: the mute has no effect',
    )


def test_thousands_of_one_kind_are_one() -> None:
    [doubt] = doubts([f"db-{number}" for number in range(3_000)])

    assert doubt.startswith("3,000 × instances[]: … is not a GUID; if it is a name: ")  # noqa: RUF001
    assert doubt.endswith(", first at instances[0]")


# ── Selection and policy ──────────────────────────────────────────────────────────────────────────


def excluded(until: str = "never", **match: str) -> dict[str, Any]:
    return {"match": match, "owner": "sre", "reason": "torn down", "until": until}


def doubts_of(**parts: Any) -> tuple[str, ...]:  # noqa: ANN401
    document = {"discover": [{"org": "prod-*"}]} | parts
    return doubts_about(parse_configuration(json.dumps(document).encode(), "test"), TODAY)


@pytest.mark.parametrize(
    ("until", "doubt"),
    [
        ("2026-01-30", "the exclude is over since 2026-01-30: what it took out is back"),
        ("2026-01-31", "the exclude ends on 2026-01-31: then what it takes out is back"),
        ("2026-02-06", "the exclude ends on 2026-02-06: then what it takes out is back"),
        ("2026-02-07", "the exclude ends on 2026-02-07: then what it takes out is back"),
        ("2026-02-08", None),
        ("never", None),
    ],
)
def test_an_exclude_that_is_over_or_ends_within_a_week_is_doubted(
    until: str, doubt: str | None
) -> None:
    expected = (f"exclude[0]: {doubt}",) if doubt else ()

    assert doubts_of(exclude=[excluded(until, org="lab")]) == expected


@pytest.mark.parametrize("glob", ["*", "**", "?*", "*?", "*?*"])
def test_an_exclude_or_a_mute_of_everything_is_doubted(glob: str) -> None:
    muted = {"match": {"space": glob}, "owner": "o", "reason": "r", "until": "2027-01-01"}

    assert doubts_of(exclude=[excluded(org=glob)], mutes=[muted]) == (
        "exclude[0]: takes out everything that is not listed",
        "mutes[0]: nobody is notified of any instance",
    )


REGEX = "looks like a regular expression, and is read as a glob"
HELP = "write * for any text, ? for one character, and a list for several"
COMMA = "has a comma, and is one glob"
BLANK = "begins or ends with a blank, as hardly a name does"


@pytest.mark.parametrize(
    ("glob", "doubt"),
    [
        ("prod-.*", f'{REGEX}: write "prod-*"'),
        (".*prod", f'{REGEX}: write "*prod"'),
        ("^prod", f'{REGEX}: write "prod"'),
        ("^gebühren", f'{REGEX}: write "gebühren"'),
        ("prod$", f'{REGEX}: write "prod"'),
        ("^prod-.*$", f'{REGEX}: write "prod-*"'),
        ("/prod/", f'{REGEX}: write "prod"'),
        ("(a|b)", f'{REGEX}: write ["a", "b"]'),
        ("^(prod|test)-.*$", f'{REGEX}: write ["prod-*", "test-*"]'),
        ("{a,b}", f'{REGEX}: write ["a", "b"]'),
        ("prod-{eu,us}", f'{REGEX}: write ["prod-eu", "prod-us"]'),
        ("db[0-9]", f"{REGEX}: {HELP}"),
        ("\\d", f"{REGEX}: {HELP}"),
        ("(a|b)-(c|d)", f"{REGEX}: {HELP}"),
        ("prod-eu,prod-us", f'{COMMA}: write ["prod-eu", "prod-us"]'),
        ("prod-eu, prod-us", f'{COMMA}: write ["prod-eu", "prod-us"]'),
        (" prod", f'{BLANK}: write "prod"'),
        ("prod ", f'{BLANK}: write "prod"'),
        ("prod-* ", f'{BLANK}: write "prod-*"'),
        (" ", f"{BLANK}: {HELP}"),
        (",", f"{COMMA}: {HELP}"),
        ("^$", f"{REGEX}: {HELP}"),
    ],
)
def test_what_is_hardly_meant_as_a_glob_is_doubted_with_what_to_write_wherever_it_stands(
    glob: str, doubt: str
) -> None:
    muted = {"match": {"plan": glob}, "owner": "o", "reason": "r", "until": "2027-01-01"}
    rule = {"match": {"offering": glob}, "unless": {"name": glob}, "max_age": "1h"}

    found = doubts_of(
        discover=[{"org": ["a", glob]}],
        exclude=[excluded(space=glob)],
        rules=[rule],
        mutes=[muted],
    )

    assert found == tuple(
        f'{place}: "{glob}" {doubt}'
        for place in (
            "discover[0].org",
            "exclude[0].match.space",
            "rules[0].match.offering",
            "rules[0].unless.name",
            "mutes[0].match.plan",
        )
    )


@pytest.mark.parametrize(
    ("parts", "misses"),
    [
        ({}, False),
        ({"discover": [{"org": "prod-*"}, {"space": "^lab"}]}, True),
        ({"exclude": [excluded(org="a,b")]}, True),
        ({"rules": [{"match": {"org": "a,b"}, "max_age": "1h"}]}, False),
        ({"mutes": [mute(GUID, TODAY)]}, False),
        (
            {
                "mutes": [
                    {"match": {"org": " a"}, "owner": "o", "reason": "r", "until": "2027-01-01"}
                ]
            },
            True,
        ),
        ({"instances": ["orders-db"]}, True),
        ({"instances": [GUID]}, False),
    ],
)
def test_what_hardly_fits_an_instance_makes_a_wrong_all_clear(
    parts: dict[str, Any], *, misses: bool
) -> None:
    document = {"discover": [{"org": "prod-*"}]} | parts

    assert misses_instances(parse_configuration(json.dumps(document).encode(), "x")) is misses


@pytest.mark.parametrize(
    "glob",
    ["*", "p.*sql", "p.mysql", "prod-*.eu", "a|b", "cash$flow", "a/b", "a b", "{a}", "(old)"],
)
def test_what_may_be_a_glob_is_not_doubted(glob: str) -> None:
    assert doubts_of(discover=[{"org": glob}]) == ()


def test_a_rule_below_one_that_fits_all_it_fits_and_states_all_it_states_is_doubted() -> None:
    rules = [
        {"match": {"space": "a"}, "max_age": "1h", "unless": {"plan": "x"}},
        {"match": {"org": "*"}, "max_age": "2h"},
        {"match": {"space": "a"}, "max_age": "3h"},
        {"match": {"space": "a"}, "max_age": "3h", "owner": "o"},
        {"match": {"space": "a"}, "owner": "p"},
        {"match": {"space": "a"}, "owner": "p", "max_age": "4h"},
        {"match": {"space": "b"}, "owner": "q"},
    ]

    assert doubts_of(rules=rules) == (
        "rules[2]: decides nothing: shadowed by rules[1]",
        "rules[4]: decides nothing: shadowed by rules[3]",
        "rules[5]: decides nothing: shadowed by rules[1], rules[3]",
    )


def test_what_is_muted_may_be_discovered() -> None:
    assert doubts_of(mutes=[mute(OTHER, TODAY + timedelta(days=99))]) == ()


def test_beside_faults_every_entry_that_is_whole_is_doubted() -> None:
    document = {
        "discover": [{"org": "a.*"}, {"org": 7}],
        "exclude": [excluded("2026-01-30", org="lab"), {"match": {}}],
        "rules": [{"match": {"org": "*"}, "max_age": "1h"}] * 2 + [{"match": 1}],
        "mutes": [mute(GUID, TODAY), {"guid": 7}],
        "instances": [GUID, "orders-db", 7, {"guid": "invoices"}],
    }

    assert [one.partition(": ")[0] for one in doubts_beside_faults(document, TODAY)] == [
        "instances[1]",
        "instances[3]",
        "discover[0].org",
        "exclude[0]",
        "rules[1]",
        "mutes[0]",
    ]


@pytest.mark.parametrize(
    ("discover", "is_doubted"), [(None, True), ([{"org": "x"}], False), ([{"org": 7}], False)]
)
def test_beside_faults_too_what_is_muted_may_be_discovered(
    discover: object, *, is_doubted: bool
) -> None:
    far = TODAY + timedelta(days=99)
    document = {"instances": [GUID, 7], "mutes": [mute(GUID, far), mute(OTHER, far)]}

    found = doubts_beside_faults(document | {"discover": discover}, TODAY)

    assert [one.partition(":")[0] for one in found] == (["mutes[1]"] if is_doubted else [])


@pytest.mark.parametrize(
    "parts",
    [
        {"rules": [{"match": {"org": "prod-*"}}]},
        {"rules": [{"match": {"org": "a.*", "labels": "!!x"}, "max_age": "1h"}]},
        {"exclude": [excluded() | {"match": {}}]},
        {"exclude": [excluded("soon", org="*")]},
        {"mutes": [mute(OTHER, TODAY) | {"match": {"org": "*"}}]},
        {"discover": [{"org": "a.*", "labels": "env in x"}]},
        {"self_service": {"max_age": {}, "grace": {"at_least": "2d", "at_most": "1d"}}},
    ],
)
def test_an_entry_with_a_fault_is_not_doubted_besides(parts: dict[str, Any]) -> None:
    assert doubts_beside_faults({"instances": [GUID], "discover": []} | parts, TODAY) == ()


def test_two_rules_of_one_name_are_doubted() -> None:
    rules = [
        {"match": {"org": f"org-{number}"}, "max_age": "1h", "name": name}
        for number, name in enumerate(["gold", "lab", "gold", None, None, "gold"])
    ]

    assert doubts_of(rules=rules) == (
        'rules[2].name: "gold" is the name of rules[0] too',
        'rules[5].name: "gold" is the name of rules[0] too',
    )


@pytest.mark.parametrize(
    ("parts", "doubt"),
    [
        ({"max_age": {}}, "self_service.max_age: bounds nothing: labels may state any value"),
        ({"grace": {}}, "self_service.grace: bounds nothing: labels may state any value"),
        (
            {"min_backups": {}},
            "self_service.min_backups: bounds nothing: labels may state any value",
        ),
        ({"owner": ["a", "*"]}, "self_service.owner: bounds nothing: labels may state any value"),
        ({"max_age": {"at_least": "1h"}}, None),
        ({"min_backups": {"at_most": 7}}, None),
        ({"owner": ["team-*"]}, None),
        ({"skip": {"at_most": "365d"}}, None),
        ({"skip": {"at_most": "366d"}}, None),
        (
            {"skip": {"at_most": "366d1m"}},
            (
                "self_service.skip.at_most: 366d1m is more than a year: "
                "so long a label may keep an instance from being audited"
            ),
        ),
    ],
)
def test_bounds_that_bound_nothing_are_doubted(parts: dict[str, Any], doubt: str | None) -> None:
    expected = () if doubt is None else (doubt,)

    assert doubts_of(self_service=parts) == expected
    assert doubts_beside_faults({"self_service": parts}, TODAY) == expected


def test_an_exclude_where_only_the_listed_are_read_is_doubted() -> None:
    document = {"instances": [GUID], "exclude": [excluded(org="x"), excluded(org="y")]}
    listed = document | {"inventory": "listed"}

    assert doubts_beside_faults(document, TODAY) == ()
    assert doubts_about(parse_configuration(json.dumps(listed).encode(), "x"), TODAY) == (
        (
            'exclude: has no effect: with "inventory": "listed" only instances that are listed are '
            "read"
        ),
    )
    assert doubts_beside_faults(listed, TODAY) != ()
