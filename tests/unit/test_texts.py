"""What people read of faults, failures and news, word for word."""

import json
from datetime import timedelta

import msgspec
import pytest

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import ConfigurationDocument as Document
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.judge.finding import Change, Finding, Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.message import attribute_value, subject_line
from backup_audit.report.changes import compared, resolved_by
from backup_audit.strict import read_strictly
from backup_audit.text import brief_duration, compared_duration
from tests.doubles.builders import NOW, PLACE, finding, open_problem
from tests.doubles.reports import whole

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def faults_of(document: object) -> list[str]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(InvalidConfiguration) as raised:
        parse_configuration(body, "ssm:/x")
    assert str(raised.value).startswith("the configuration ssm:/x has ")
    return list(raised.value.faults)


WRITE = 'write {"schema_version": 1, "instances": […]} around it'


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        (b"[" * 100_000, ["the document is nested too deeply"]),
        (b"{", ["line 1, column 2: Expecting property name enclosed in double quotes"]),
        ([], [f"the document is a bare list: {WRITE}"]),
        (
            7,
            [
                (
                    "the document: 7 is not an object with some of instances, discover, exclude, "
                    "rules, self_service, inventory, schema_version, defaults, mutes, $schema"
                )
            ],
        ),
        ({"instances": []}, ["instances: [] is not a list of at least one instance"]),
        (
            {"instances": ["a"], "x": 1},
            [
                (
                    "x: unknown key, expected one of instances, discover, exclude, rules, "
                    "self_service, inventory, schema_version, defaults, mutes, $schema"
                )
            ],
        ),
        (
            {"instances": ["a"], "defaults": {"max_age": "x", "min_backups": 0}},
            [
                (
                    'defaults.max_age: "x" is not a duration longer than zero, '
                    'such as "26h", "7d", "90m" or "1d12h"'
                ),
                "defaults.min_backups: 0 is not a whole number from 1",
            ],
        ),
        (
            {"instances": [1, "b", {"guid": "c"}, "b", {"guid": "c"}, "b"]},
            [
                (
                    "instances[0]: 1 is not a GUID: 1 to 200 letters, digits and . _ ~ -, "
                    "but not . or .. alone"
                ),
                "instances[3]: 'b' is listed already at instances[1]",
                "instances[4].guid: 'c' is listed already at instances[2]",
                "instances[5]: 'b' is listed already at instances[1]",
            ],
        ),
        (
            {"instances": ["a"], "schema_version": "x" * 58},
            [f'schema_version: "{"x" * 58}" is not 1, the only version there is'],
        ),
        (
            {"instances": ["a"], "schema_version": "x" * 59},
            [f'schema_version: "{"x" * 59}… is not 1, the only version there is'],
        ),
        (
            {"instances": ["a"], "schema_version": "\u202e"},
            ['schema_version: "�" is not 1, the only version there is'],
        ),
        (
            {"instances": ["a"], "schema_version": {"a": [1, 2]}},
            ['schema_version: {"a":[1,2]} is not 1, the only version there is'],
        ),
        (
            b'{"instances": ["\\ud800"]}',
            ["half a surrogate pair, such as \\ud800, is no character"],
        ),
        (b'{"a": 1, "b": 2, "b": 3}', ["'b' stands twice in one object"]),
        (
            b'{"%s": 1, "%s": 3}' % (b"k" * 61, b"k" * 61),
            [f"'{'k' * 60}' stands twice in one object"],
        ),
        (
            {"instances": ["g" * 201, "g" * 201]},
            [
                (
                    f'instances[0]: "{"g" * 59}… is not a GUID: 1 to 200 letters, digits and '
                    ". _ ~ -, but not . or .. alone"
                ),
                (
                    f'instances[1]: "{"g" * 59}… is not a GUID: 1 to 200 letters, digits and '
                    ". _ ~ -, but not . or .. alone"
                ),
                f"instances[1]: '{'g' * 200}' is listed already at instances[0]",
            ],
        ),
    ],
    ids=range(16),
)
def test_faults_of_a_configuration(document: object, faults: list[str]) -> None:
    assert faults_of(document) == faults


def test_a_value_that_cannot_be_shown_is_not_shown() -> None:
    _, faults = read_strictly({"instances": ["a"], "schema_version": 10**5000}, Document)

    assert faults == ["schema_version: what is there is not 1, the only version there is"]


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (HOUR - SECOND, "59 min 59 s"),
        (HOUR, "1 h"),
        (HOUR + SECOND, "1 h"),
        (48 * HOUR - SECOND, "47 h 59 min"),
        (48 * HOUR, "2 d"),
        (48 * HOUR + 59 * 60 * SECOND, "2 d"),
    ],
)
def test_durations(duration: timedelta, said: str) -> None:
    assert brief_duration(duration) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (26 * HOUR, "26 h"),
        (26 * HOUR + SECOND, "26 h 1 s"),
        (27 * HOUR + SECOND, "27 h"),
    ],
)
def test_a_duration_beside_its_limit(duration: timedelta, said: str) -> None:
    assert compared_duration(duration, 26 * HOUR) == said


def test_who_owns_an_instance_and_where_it_is_are_kept_when_its_problem_ends() -> None:
    stale = open_problem(Verdict.STALE, NOW - HOUR)
    healthy = finding(Verdict.HEALTHY, "guid-9", name="c", owner="team-c")
    now = compared(msgspec.structs.replace(healthy, **PLACE), stale)

    ended = resolved_by(now, notifies=True)

    assert ended
    assert (ended.guid, ended.name, ended.owner) == ("guid-9", "c", "team-c")
    assert (ended.org, ended.space) == ("prod-eu", "payments")
    assert (ended.offering, ended.plan) == ("p.mysql", "db-gold-small")
    assert (ended.verdict, ended.since, ended.resolved_at) == (Verdict.STALE, NOW - HOUR, NOW)


def test_an_unknown_that_stays_unknown_hides_what_it_hid_before() -> None:
    earlier = Problem(Verdict.STALE, NOW - 9 * HOUR)
    unknown = open_problem(Verdict.UNKNOWN, NOW - HOUR, earlier)

    again = compared(finding(Verdict.UNKNOWN), unknown)

    assert again.change is Change.ONGOING
    assert again.since == NOW - HOUR
    assert again.before == earlier


@pytest.mark.parametrize(("value", "sent"), [("a", "a"), (("a", "b"), '["a","b"]')])
def test_an_attribute_is_a_word_or_an_array_of_words(
    value: str | tuple[str, ...], sent: str
) -> None:
    assert attribute_value(value) == sent


def test_a_subject_has_all_that_can_be_printed_in_ascii() -> None:
    assert subject_line("\x1f !}~\x7fä") == "? !}~??"


def _aged(guid: str, seconds: int | None) -> Finding:
    found = finding(Verdict.UNKNOWN, guid)
    evidence = msgspec.structs.replace(found.evidence, newest_backup_age_seconds=seconds)
    return msgspec.structs.replace(found, evidence=evidence)


def test_the_longest_without_a_backup_comes_first_and_those_of_no_known_age_last() -> None:
    report = whole([_aged("a", None), _aged("b", 1), _aged("c", 2), _aged("d", None)])

    assert [one.guid for one in report.findings] == ["c", "b", "a", "d"]
    assert report.oldest_newest_backup_age_seconds == 2


class _Numbers(msgspec.Struct):
    number: int
    numbers: list[int]


@pytest.mark.parametrize(
    ("strict", "faults"),
    [
        (
            True,
            [
                "number: Expected `int`, got `str`",
                "numbers[0]: Expected `int`, got `str`",
                "numbers[1]: Expected `int`, got `str`",
            ],
        ),
        (False, ["numbers[1]: Expected `int`, got `str`"]),
    ],
)
def test_a_text_that_spells_a_number_is_a_fault_only_where_reading_is_strict(
    strict: bool,  # noqa: FBT001
    faults: list[str],
) -> None:
    document = {"number": "1", "numbers": ["2", "x"]}

    assert read_strictly(document, _Numbers, strict=strict) == (None, faults)


def test_what_is_missing_is_said_without_a_description_where_its_type_has_none() -> None:
    class _Plain(msgspec.Struct):
        count: int

    assert read_strictly({}, _Plain) == (None, ["count: missing"])
