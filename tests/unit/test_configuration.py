"""The configuration document: what is accepted, what it resolves to, and how faults are told."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import Configuration, parse_configuration
from backup_audit.fleet.selectors import Selector
from backup_audit.fleet.self_service import SkipBounds
from tests.doubles.builders import decided


def parsed(document: object) -> Configuration:
    return parse_configuration(json.dumps(document).encode(), "ssm:/test")


def faults_of(document: object | bytes) -> list[str]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(InvalidConfiguration) as raised:
        parse_configuration(body, "ssm:/test")
    return list(raised.value.faults)


def test_a_bare_guid_gets_the_defaults_and_an_object_its_own_demands() -> None:
    configuration = parsed(
        {
            "schema_version": 1,
            "defaults": {"max_age": "26h", "min_backups": 2, "grace": "24h"},
            "instances": [
                "a",
                {"guid": "b", "name": "orders-db", "max_age": "4h", "owner": "team"},
            ],
        }
    )

    bare, entry = decided(configuration)
    assert (bare.guid, bare.name, bare.policy.max_age) == ("a", None, timedelta(hours=26))
    assert bare.policy.max_age_source == "defaults"
    assert (entry.name, entry.owner) == ("orders-db", "team")
    assert entry.policy.max_age == timedelta(hours=4)
    assert entry.policy.max_age_source == "instances[1]"
    assert entry.policy.min_backups == 2
    assert entry.policy.min_backups_source == "defaults"
    assert entry.policy.grace == timedelta(hours=24)


def test_what_nobody_states_is_built_in() -> None:
    [instance] = decided(parsed({"instances": ["a"]}))

    assert instance.policy.max_age == timedelta(hours=26)
    assert instance.policy.max_age_source == "built-in"


def test_a_grace_of_zero_overrides_a_default() -> None:
    [instance] = decided(
        parsed({"defaults": {"grace": "24h"}, "instances": [{"guid": "a", "grace": "0h"}]})
    )

    assert instance.policy.grace == timedelta(0)


def test_mutes_are_read() -> None:
    mute = {"guid": "a", "owner": "team", "reason": "moves", "until": "2026-12-31"}

    [entry] = parsed({"instances": ["a"], "mutes": [mute]}).mutes

    assert entry.until == date(2026, 12, 31)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_configuration(b'\xef\xbb\xbf{"instances": ["a"]}', "file:x").instances


UUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"


@pytest.mark.parametrize("written", [UUID, UUID.upper(), UUID.title()])
def test_a_uuid_is_made_lower_case_wherever_it_is_read(written: str) -> None:
    mute = {"guid": written, "owner": "team", "reason": "moves", "until": "2026-12-31"}

    bare = parsed({"instances": [written], "mutes": [mute]})
    [entry] = parsed({"instances": [{"guid": written}]}).instances

    assert bare.instances[0].guid == bare.mutes[0].guid == entry.guid == UUID


@pytest.mark.parametrize("name", ["Orders-DB", UUID.upper()[:-1], UUID.upper() + "A"])
def test_what_has_not_the_form_of_a_uuid_stays_as_it_is(name: str) -> None:
    assert parsed({"instances": [name]}).instances[0].guid == name


def test_two_spellings_of_a_guid_are_one() -> None:
    assert faults_of({"instances": [UUID, {"guid": UUID.upper()}]}) == [
        f"instances[1].guid: '{UUID}' is listed already at instances[0]"
    ]


def test_the_address_of_a_schema_is_for_editors_only() -> None:
    document = {"instances": ["a"]}
    with_schema = parsed({"$schema": "https://example.com/configuration.schema.json"} | document)

    assert with_schema.instances == parsed(document).instances


def test_null_is_as_if_a_key_were_not_given() -> None:
    keys = ["$schema", "schema_version", "defaults", "mutes"]
    of_demands = {"max_age": None, "min_backups": None, "grace": None}
    entry = {"guid": "a", "name": None, "owner": None}

    nulls = parsed({"instances": [entry | of_demands]} | dict.fromkeys(keys))
    in_defaults = parsed({"instances": ["a"], "defaults": of_demands})

    assert nulls.instances == in_defaults.instances == parsed({"instances": ["a"]}).instances
    assert nulls.mutes == ()


def test_a_key_that_must_be_given_may_not_be_null() -> None:
    mute = {"guid": None, "owner": None, "reason": None, "until": None}
    document = {"instances": ["a", {"guid": None}], "mutes": [mute]}

    positions = [fault.split(":")[0] for fault in faults_of(document)]

    assert positions == [
        "instances[1].guid",
        *(f"mutes[0].{key}" for key in mute if key != "guid"),
        "mutes[0]",
    ]
    assert faults_of({"instances": None}) == ["the document: needs instances or discover"]


@pytest.mark.parametrize("document", [[], ["a", "b"], [{"guid": "a"}]])
def test_of_a_bare_list_it_is_said_what_to_write(document: object) -> None:
    assert faults_of(document) == [
        'the document is a bare list: write {"schema_version": 1, "instances": […]} around it'
    ]


def test_every_fault_is_told_at_once_with_its_position() -> None:
    faults = faults_of(
        {
            "schema_version": 2,
            "defaults": {"max_age": "", "min_backups": 0},
            "instances": [1, "a/b", {"guid": "..", "max_age": "0h", "nme": 1}, {"name": ""}],
            "mutes": [{"guid": "q", "until": "tomorrow"}],
            "extra": True,
        }
    )

    positions = [fault.split(":")[0] for fault in faults]
    assert sorted(positions) == sorted(
        [
            "schema_version",
            "defaults.max_age",
            "defaults.min_backups",
            "instances[0]",
            "instances[1]",
            "instances[2].guid",
            "instances[2].max_age",
            "instances[2].nme",
            "instances[3].guid",
            "instances[3].name",
            "mutes[0].owner",
            "mutes[0].reason",
            "mutes[0].until",
            "extra",
        ]
    )


def test_faults_are_told_in_the_order_of_the_document_what_is_missing_first() -> None:
    def places(**parts: object) -> list[str]:
        return [fault.partition(":")[0] for fault in faults_of(parts)]

    assert places(defaults=1, extra=1) == ["the document", "defaults", "extra"]
    assert places(mutes=[{}, 1], extra=1, instances=[1]) == [
        "mutes[0].owner",
        "mutes[0].reason",
        "mutes[0].until",
        "mutes[0]",
        "mutes[1]",
        "extra",
        "instances[0]",
    ]
    many = [{"org": "x"}] * 1_001
    assert places(discover=[many[0], 1, *many]) == ["discover", "discover[1]"]


def test_the_error_names_the_source_and_counts() -> None:
    with pytest.raises(InvalidConfiguration, match=r"^the configuration ssm:/test has 1 fault: "):
        parsed({"instances": []})


def test_a_guid_listed_twice_is_told_with_both_positions() -> None:
    assert faults_of({"instances": ["a", {"guid": "b"}, {"guid": "a"}]}) == [
        "instances[2].guid: 'a' is listed already at instances[0]"
    ]


def test_a_guid_muted_twice_is_a_fault() -> None:
    mute = {"guid": "a", "owner": "team", "reason": "moves", "until": "2026-12-31"}

    assert faults_of({"instances": ["a"], "mutes": [mute, mute]}) == [
        "mutes[1].guid: 'a' is listed already at mutes[0]"
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"instances": ["a"] "b"}', "line 1, column 21"),
        (b'{"instances": ["a"],}', "line 1, column 2"),  # of the comma, or of what follows it
        (b'{"instances":\n  [a]}', "line 2, column 4"),
        (b"", "line 1, column 1"),
        (b"\xff", "not UTF-8"),
        (b'{"instances": ["a"], "instances": ["b"]}', "'instances' stands twice"),
        (b'{"instances": ["a"], "defaults": {"min_backups": NaN}}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"null", "the document"),
    ],
)
def test_what_is_no_document_is_told_with_its_place(body: bytes, fault: str) -> None:
    [told] = faults_of(body)

    assert fault in told


@pytest.mark.parametrize(
    "guid",
    ["6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01", "A", "...", ".hidden", "-x", "a_b~c.d", "x" * 200],
)
def test_an_odd_but_safe_guid_is_accepted(guid: str) -> None:
    assert parsed({"instances": [guid]}).instances[0].guid == guid


@pytest.mark.parametrize(
    "guid",
    ["", ".", "..", "a/b", "../a", "a?b", "a#b", "a%2fb", "a b", "a\n", "a\r\nHost: x", "a\\b",
     "a;b", "ä", "a\u0000", "x" * 201, "٣"],
)  # fmt: skip
def test_a_guid_that_could_change_the_path_is_refused(guid: str) -> None:
    [fault] = faults_of({"instances": [guid]})

    assert fault.startswith("instances[0]: ")
    assert fault.isprintable()


@pytest.mark.parametrize(
    "name",
    ["", "a\nb", "a\r", "\u202e", "x" * 201, "\x1b[31m", "\u0085", "\u061c", "\u200b", "\u2028",
     "\u2060", "\u2067", "\ufeff", "\uffff"],
)  # fmt: skip
def test_a_name_that_could_break_an_output_is_refused(name: str) -> None:
    assert faults_of({"instances": [{"guid": "a", "name": name}]})


@pytest.mark.parametrize(
    "document", ['["a\\ud800"]', '[{"guid": "a", "name": "x\\udfff"}]', '[{"\\ud83d": 1}]']
)
def test_half_a_character_is_refused_wherever_it_stands(document: str) -> None:
    [fault] = faults_of(f'{{"instances": {document}}}'.encode())

    assert "half a surrogate pair" in fault


@pytest.mark.parametrize("name", ["=SUM(A1)", "zürich-gebühren", "数据库", "x" * 200])
def test_an_unusual_name_is_accepted(name: str) -> None:
    assert parsed({"instances": [{"guid": "a", "name": name}]}).instances[0].name == name


# ── Selection and policy ──────────────────────────────────────────────────────────────────────────

EVERYTHING = [{"org": "*"}]
EXCLUDE = {"match": {"org": "lab"}, "owner": "sre", "reason": "torn down", "until": "never"}
MUTE = {"owner": "dba", "reason": "CHG-4711", "until": "2026-11-27"}


def test_to_discover_everything_is_a_whole_configuration() -> None:
    configuration = parsed({"discover": [{"org": "*"}]})

    assert configuration.discover == (Selector(org="*"),)
    assert configuration.instances == ()
    assert configuration.is_scanned


def test_every_key_is_read() -> None:
    configuration = parsed(
        {
            "instances": ["a"],
            "discover": [{"org": ["prod-*", "lab"], "labels": "audit=yes,!legacy"}],
            "exclude": [EXCLUDE, EXCLUDE | {"until": "2027-03-31"}],
            "rules": [
                {
                    "name": "gold",
                    "match": {"plan": "gold-*"},
                    "unless": {"space": "x"},
                    "owner": "o",
                }
            ],
            "self_service": {
                "max_age": {"at_least": "1h", "at_most": "7d"},
                "min_backups": {"at_most": 60},
                "grace": {"at_least": "0h"},
                "owner": ["team-*"],
                "skip": {"at_most": "90d"},
            },
            "defaults": {"owner": "platform"},
            "mutes": [MUTE | {"match": {"offering": "p.mysql"}}, MUTE | {"guid": "a"}],
        }
    )

    assert configuration.discover[0].org == ["prod-*", "lab"]
    never, ending = configuration.exclude
    assert (never.last_day, ending.last_day) == (None, date(2027, 3, 31))
    [rule] = configuration.rules
    assert (rule.name, rule.owner, rule.max_age) == ("gold", "o", None)
    assert configuration.self_service is not None
    assert configuration.self_service.skip == SkipBounds(at_most="90d")
    assert configuration.defaults.owner == "platform"
    assert [mute.guid for mute in configuration.mutes] == [None, "a"]
    assert [mute.match for mute in configuration.mutes] == [Selector(offering="p.mysql"), None]


def test_a_list_may_be_looked_up_without_a_scan() -> None:
    assert not parsed({"instances": ["a"], "inventory": "listed"}).is_scanned
    assert parsed({"instances": ["a"], "inventory": None}).is_scanned


def test_the_owner_of_the_defaults_owns_what_nobody_else_does() -> None:
    instances = [{"guid": "a"}, {"guid": "b", "owner": "team"}]

    owners = [
        one.owner
        for one in decided(parsed({"instances": instances, "defaults": {"owner": "platform"}}))
    ]

    assert owners == ["platform", "team"]


_POSITIVE = 'a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"'
_KEYS = "org, space, offering, plan, name, labels"
_SELECTOR = "an object with some of org, space, offering, plan, name, labels"
_SELF_SERVICE = "an object with some of max_age, min_backups, grace, owner, skip"
_ANY = f'needs at least one of {_KEYS}; {{"org": "*"}} is everything'


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        ({"discover": [{"org": "x"}, {}]}, [f"discover[1]: {_ANY}"]),
        ({"discover": [{"org": None}]}, [f"discover[0]: {_ANY}"]),
        ({"exclude": [EXCLUDE | {"match": {}}]}, [f"exclude[0].match: {_ANY}"]),
        (
            {"rules": [{"match": {}, "unless": {}, "max_age": "1h"}]},
            [f"rules[0].match: {_ANY}", f"rules[0].unless: {_ANY}"],
        ),
        ({"mutes": [MUTE | {"match": {}}]}, [f"mutes[0].match: {_ANY}"]),
        (
            {"rules": [{"match": {"org": "a"}, "owner": "o"}] * 2 + [{"match": {"org": "a"}}]},
            ["rules[2]: states no demand"],
        ),
        ({"rules": [{"match": {"org": "a"}, "max_age": None}]}, ["rules[0]: states no demand"]),
        (
            {"rules": [{"match": {"labels": "env in prod"}, "max_age": "1h"}]},
            ['rules[0].match.labels: "env in prod": brackets expected after in'],
        ),
        (
            {"discover": [{"labels": "env in prod,-x"}]},
            [
                'discover[0].labels: "env in prod": brackets expected after in',
                (
                    'discover[0].labels: "-x": "-x" cannot be a key: those have 1 to 63 letters, '
                    "digits and - _ . with a letter or digit at both ends, maybe after a prefix as "
                    "example.com/"
                ),
            ],
        ),
        (
            {"exclude": [{key: EXCLUDE[key] for key in ("match", "owner", "reason")}]},
            ['exclude[0].until: missing: a day such as "2027-06-30", or "never"'],
        ),
        (
            {"exclude": [EXCLUDE | {"until": until} for until in ("soon", "2027-02-30", 7)]},
            [
                f'exclude[{at}].until: {shown} is not a day such as "2027-06-30", or "never"'
                for at, shown in enumerate(('"soon"', '"2027-02-30"', "7"))
            ],
        ),
        ({"mutes": [MUTE]}, ["mutes[0]: needs one of guid and match"]),
        (
            {"mutes": [MUTE | {"guid": "a", "match": {"org": "x"}}]},
            ["mutes[0]: needs one of guid and match"],
        ),
        (
            {"self_service": {"max_age": {"at_least": "7d", "at_most": "1d"}}},
            ["self_service.max_age: at_least 7d is longer than at_most 1d"],
        ),
        (
            {"self_service": {"grace": {"at_least": "1d", "at_most": "0h"}}},
            ["self_service.grace: at_least 1d is longer than at_most 0h"],
        ),
        (
            {"self_service": {"min_backups": {"at_least": 7, "at_most": 6}}},
            ["self_service.min_backups: at_least 7 is more than at_most 6"],
        ),
        (
            {"self_service": {"skip": {}, "owner": []}},
            [
                f"self_service.skip.at_most: missing: {_POSITIVE}",
                "self_service.owner: [] is not a list of at least one glob",
            ],
        ),
        (
            {"self_service": {"max_age": {"at_least": "0h"}}},
            [f'self_service.max_age.at_least: "0h" is not {_POSITIVE}'],
        ),
        ({"inventory": "scanned"}, ['inventory: "scanned" is not "listed"']),
        (
            {"inventory": "listed", "discover": EVERYTHING},
            ['inventory: "listed" reads no inventory, and discover needs one'],
        ),
        ({"discover": []}, ["discover: [] is not a list of at least one selector"]),
        ({"discover": ["prod"]}, [f'discover[0]: "prod" is not {_SELECTOR}']),
        ({"self_service": True}, [f"self_service: true is not {_SELF_SERVICE}"]),
        ({"rules": [{"max_age": "1h"}]}, [f"rules[0].match: missing: {_SELECTOR}"]),
        ({"exclude": 7}, ["exclude: 7 is not a list"]),
        (
            {"exclude": ["x"]},
            ['exclude[0]: "x" is not an object with match, owner, reason, until'],
        ),
        (
            {"mutes": [7]},
            ["mutes[0]: 7 is not an object with owner, reason, until, and maybe guid, match"],
        ),
        (
            {"mutes": [MUTE | {"match": {"org": "x"}}, *([MUTE | {"guid": "a"}] * 2)]},
            ["mutes[2].guid: 'a' is listed already at mutes[1]"],
        ),
        (
            {"discover": [{"org": "*", "region": "eu"}]},
            [f"discover[0].region: unknown key, expected one of {_KEYS}"],
        ),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_faults_of_selection_and_policy_are_told_with_their_position(
    parts: dict[str, Any], faults: list[str]
) -> None:
    assert sorted(faults_of({"instances": ["a"]} | parts)) == sorted(faults)


def test_bounds_may_be_equal() -> None:
    equal = {"at_least": "1d", "at_most": "24h"}
    document = {
        "instances": ["a"],
        "self_service": {
            "max_age": equal,
            "grace": equal,
            "min_backups": {"at_least": 2, "at_most": 2},
        },
    }

    assert parsed(document).self_service is not None


@pytest.mark.parametrize(
    ("parts", "position"),
    [
        ({"defaults": {"x": 1}}, "defaults.x"),
        ({"instances": [{"guid": "a", "x": 1}]}, "instances[0].x"),
        ({"exclude": [EXCLUDE | {"x": 1}]}, "exclude[0].x"),
        ({"exclude": [EXCLUDE | {"match": {"org": "a", "x": 1}}]}, "exclude[0].match.x"),
        ({"rules": [{"match": {"org": "a"}, "owner": "o", "x": 1}]}, "rules[0].x"),
        ({"mutes": [MUTE | {"guid": "a", "x": 1}]}, "mutes[0].x"),
        ({"self_service": {"x": 1}}, "self_service.x"),
        ({"self_service": {"max_age": {"x": 1}}}, "self_service.max_age.x"),
        ({"self_service": {"grace": {"x": 1}}}, "self_service.grace.x"),
        ({"self_service": {"min_backups": {"x": 1}}}, "self_service.min_backups.x"),
        ({"self_service": {"skip": {"at_most": "1d", "x": 1}}}, "self_service.skip.x"),
    ],
)
def test_a_key_that_nobody_knows_is_a_fault_wherever_it_stands(
    parts: dict[str, Any], position: str
) -> None:
    [fault] = faults_of({"instances": ["a"]} | parts)

    assert fault.startswith(f"{position}: unknown key, expected one of ")


@pytest.mark.parametrize(
    "document", [{}, {"instances": None}, {"rules": [], "exclude": [EXCLUDE], "mutes": []}]
)
def test_without_instances_and_discover_there_is_nothing_to_audit(document: object) -> None:
    assert faults_of(document) == ["the document: needs instances or discover"]


@pytest.mark.parametrize(
    "glob", ["", "x" * 256, "a\nb", "\u202e", "\ufeff", 5, [""], ["a", "\n"], [["a"]], [], {}]
)
def test_a_glob_that_could_fit_nothing_is_refused(glob: object) -> None:
    for document in (
        {"discover": [{"org": glob}]},
        {"instances": ["a"], "mutes": [MUTE | {"match": {"name": glob}}]},
    ):
        [fault] = faults_of(document)
        assert " is not a glob such as prod-*" in fault
        assert fault.isprintable()


def test_a_glob_that_is_refused_is_shown() -> None:
    [fault] = faults_of({"discover": [{"org": "a\u202eb"}]})

    assert fault.startswith('discover[0].org: "a\ufffdb" is not a glob such as prod-*')


def test_a_selector_with_faults_is_read_however_often() -> None:
    """A text with a pattern beside a list, in one type, is what msgspec 0.22 frees twice."""
    document = {"discover": [{"org": [5, "a"], "space": 5, "plan": [], "name": ""}]}

    for _ in range(200):
        assert len(faults_of(document)) == 4


def test_thousands_of_equal_faults_are_one() -> None:
    rules = [{"match": {"org": f"org-{number}"}} for number in range(1_000)]

    [fault] = faults_of({"discover": EVERYTHING, "rules": rules})

    assert fault == "1,000 × rules[]: states no demand, first at rules[0]"  # noqa: RUF001


@pytest.mark.parametrize(("count", "is_right"), [(999, True), (1_000, True), (1_001, False)])
def test_a_thousand_selectors_are_the_most_of_a_key(count: int, *, is_right: bool) -> None:
    selectors = [{"org": f"org-{number}"} for number in range(count)]
    by_guid = [MUTE | {"guid": f"guid-{number}"} for number in range(1_500)]
    document = {
        "discover": selectors,
        "exclude": [EXCLUDE | {"match": one} for one in selectors],
        "rules": [{"match": one, "max_age": "1h"} for one in selectors],
        "mutes": [*(MUTE | {"match": one} for one in selectors), *by_guid],
    }

    if is_right:
        assert len(parsed(document).mutes) == count + 1_500
    else:
        assert faults_of(document) == [
            "discover: has 1,001 entries; 1,000 are the most",
            "exclude: has 1,001 entries; 1,000 are the most",
            "rules: has 1,001 entries; 1,000 are the most",
            "mutes: has 1,001 entries with match; 1,000 are the most",
        ]


def test_faults_of_types_and_of_values_are_told_together_in_the_order_of_the_keys() -> None:
    faults = faults_of(
        {
            "rules": [{"match": {"labels": "env in prod"}, "max_age": 7}],
            "discover": [{}, {"org": 7}],
            "inventory": "listed",
            "mutes": [{"until": "2027-01-01"}],
            "self_service": {"max_age": {"at_least": "2d", "at_most": "1d"}, "owner": "x"},
        }
    )

    assert [fault.partition(": ")[0] for fault in faults] == [
        "rules[0].max_age",
        "rules[0].match.labels",
        "discover[0]",
        "discover[1].org",
        "inventory",
        "mutes[0].owner",
        "mutes[0].reason",
        "mutes[0]",
        "self_service.owner",
        "self_service.max_age",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        *("schema_version", "defaults", "instances", "mutes", "guid", "max_age", "grace", "name"),
        *("discover", "exclude", "rules", "self_service", "inventory", "match", "labels", "org"),
    ]
)
documents = st.dictionaries(
    keys, json_values | st.lists(st.dictionaries(keys, json_values, max_size=3), max_size=3)
)


@given(documents)
def test_any_json_is_a_configuration_or_a_list_of_faults(document: dict[str, Any]) -> None:
    faults: tuple[str, ...] = ()
    instances: tuple[object, ...] = ()
    try:
        configuration = parsed(document)
        instances = configuration.instances or configuration.discover
    except InvalidConfiguration as error:
        faults = error.faults

    assert bool(instances) != bool(faults)
    assert all(fault.isprintable() for fault in faults)


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), min_size=1, unique=True))
def test_every_guid_is_there_once_and_in_order(guids: list[str]) -> None:
    assert [instance.guid for instance in parsed({"instances": guids}).instances] == guids


def test_twenty_thousand_instances_are_all_there() -> None:
    guids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20_000)]

    configuration = parsed({"instances": guids})

    assert [instance.guid for instance in configuration.instances] == guids
