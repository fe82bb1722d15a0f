"""The event's contract."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.errors import InvalidEvent
from backup_audit.fleet.run import AuditRequest, Scope, asks_for_silence, is_question, parse_event

NOW = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)


def nested(depth: int) -> object:
    """A list in a list in a list."""
    document: list[object] = []
    for _ in range(depth):
        document = [document]
    return document


def faults_of(event: object) -> list[str]:
    with pytest.raises(InvalidEvent) as raised:
        parse_event(event, NOW)
    return list(raised.value.faults)


def test_an_empty_event_asks_for_a_full_run() -> None:
    request = parse_event({}, NOW)

    assert request == AuditRequest()
    assert request.scope is Scope.FULL
    assert request.notifies


def test_every_key_is_read() -> None:
    request = parse_event(
        {
            "scheduled_time": "2026-01-31T06:00:00+01:00",
            "instance_guids": ["a", "b"],
            "max_age": "1d12h",
            "as_of": "2026-01-30T05:00:00Z",
            "dry_run": True,
            "notify": False,
        },
        NOW,
    )

    assert request == AuditRequest(
        scheduled_time=NOW,
        instance_guids=["a", "b"],
        max_age="1d12h",
        as_of=NOW - timedelta(days=1),
        dry_run=True,
        notify=False,
    )


def test_instants_are_read_as_utc_whatever_the_machines_time_zone() -> None:
    request = parse_event({"scheduled_time": "2026-01-31T06:00:00+01:00"}, NOW)

    assert request.scheduled_time
    assert request.scheduled_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("event", "scope", "notifies"),
    [
        ({}, Scope.FULL, True),
        ({"notify": False}, Scope.FULL, False),
        ({"dry_run": True}, Scope.FULL, False),
        ({"instance_guids": ["a"]}, Scope.PARTIAL, True),
        ({"instance_guids": ["a"], "notify": False}, Scope.PARTIAL, False),
        ({"max_age": "4h"}, Scope.WHAT_IF, False),
        ({"as_of": "2026-01-30T05:00:00Z"}, Scope.WHAT_IF, False),
        ({"max_age": "4h", "notify": True}, Scope.WHAT_IF, True),
        ({"instance_guids": ["a"], "max_age": "4h"}, Scope.WHAT_IF, False),
    ],
)
def test_the_scope_and_who_is_told_follow_from_the_event(
    event: dict[str, Any], scope: Scope, *, notifies: bool
) -> None:
    request = parse_event(event, NOW)

    assert (request.scope, request.notifies) == (scope, notifies)


@pytest.mark.parametrize(
    ("event", "position"),
    [
        ({"max_ages": "4h"}, "max_ages"),
        ({"max_age": 4}, "max_age"),
        ({"max_age": "0h"}, "max_age"),
        ({"dry_run": "true"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"as_of": "2026-01-30"}, "as_of"),
        ({"as_of": "2026-01-30T05:00:00"}, "as_of"),
        ({"as_of": 1769749200}, "as_of"),
        ({"scheduled_time": "<aws.scheduler.scheduled-time>"}, "scheduled_time"),
        ({"instance_guids": []}, "instance_guids"),
        ({"instance_guids": "a"}, "instance_guids"),
        ({"instance_guids": ["a", "../b"]}, "instance_guids[1]"),
        ({"instance_guids": ["a", None]}, "instance_guids[1]"),
        ({"instance_guids": ["a", "a"]}, "instance_guids[1]"),
        ({"dry_run": True, "notify": True}, "notify"),
        ({"max_age": "\ud800"}, "max_age"),
        ({"max_age": 10**5000}, "max_age"),
        ({"max_age": nested(20_000)}, "max_age"),
        ({"\ud800\r\n": 1}, "\ufffd\ufffd\ufffd"),
        (None, "the document"),
        ("{}", "the document"),
    ],
)
def test_anything_else_is_an_error_that_names_it(event: object, position: str) -> None:
    [fault] = faults_of(event)

    assert fault.startswith(f"{position}: ")
    assert fault.isprintable()
    assert len(fault) < 200


UUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"


def test_a_uuid_is_made_lower_case() -> None:
    request = parse_event({"instance_guids": [UUID.upper(), "Orders-DB"]}, NOW)

    assert request.instance_guids == [UUID, "Orders-DB"]


def test_two_spellings_of_a_guid_are_one() -> None:
    assert faults_of({"instance_guids": ["a", UUID, UUID.upper()]}) == [
        f"instance_guids[2]: '{UUID}' is listed already at instance_guids[1]"
    ]


def test_null_is_as_if_a_key_were_not_given() -> None:
    keys = [field.encode_name for field in msgspec.structs.fields(AuditRequest)]

    assert parse_event(dict.fromkeys(keys), NOW) == parse_event({}, NOW)


def test_the_address_of_a_schema_changes_nothing() -> None:
    event = {"scheduled_time": "2026-01-31T05:00:00Z", "instance_guids": ["a"]}

    assert parse_event(event | {"$schema": "x"}, NOW) == parse_event(event, NOW)


def test_of_a_bare_list_it_is_said_what_to_write() -> None:
    assert faults_of(["a"]) == ['the event is a bare list: write {"instance_guids": […]} around it']


def test_all_faults_are_told_at_once() -> None:
    assert len(faults_of({"max_ages": 1, "dry_run": 1, "instance_guids": ["/"]})) == 3


@pytest.mark.parametrize(
    ("ahead", "accepted"),
    [
        (timedelta(minutes=5, seconds=-1), True),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
    ],
)
def test_a_scheduled_time_may_be_ahead_by_no_more_than_a_clock(
    ahead: timedelta, *, accepted: bool
) -> None:
    event = {"scheduled_time": (NOW + ahead).isoformat()}

    if accepted:
        assert parse_event(event, NOW).scheduled_time == NOW + ahead
    else:
        assert faults_of(event) == ["scheduled_time: is in the future; leave it out to run now"]


FOURTEEN_DAYS = timedelta(days=14)  # the failed-runs queue keeps an event so long
A_DAY = timedelta(days=1)  # for the attempts before, and for somebody to send it again


@pytest.mark.parametrize(
    ("late", "accepted"),
    [
        (FOURTEEN_DAYS + A_DAY - timedelta(seconds=1), True),
        (FOURTEEN_DAYS + A_DAY, True),
        (FOURTEEN_DAYS + A_DAY + timedelta(seconds=1), False),
        (timedelta(days=2557), False),
    ],
)
@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"max_age": "4h"}])
def test_a_scheduled_time_is_no_older_than_what_the_failed_runs_queue_can_give_back(
    more: dict[str, Any], late: timedelta, *, accepted: bool
) -> None:
    event = {"scheduled_time": (NOW - late).isoformat(), **more}

    if accepted:
        assert parse_event(event, NOW).scheduled_time == NOW - late
    else:
        [fault] = faults_of(event)
        assert fault == (
            "scheduled_time: is more than 15 days ago, and what the API lists now says nothing of "
            "that day; leave it out to run now"
        )


@pytest.mark.parametrize(
    ("event", "silence"),
    [
        ({"dry_run": True, "x": 1}, True),
        ({"notify": False, "x": 1}, True),
        ({"x": 1}, False),
        ({"notify": 0}, False),
        ([], False),
    ],
)
def test_a_broken_event_can_still_ask_for_silence(event: object, *, silence: bool) -> None:
    assert asks_for_silence(event) is silence


def test_a_question_stands_alone() -> None:
    event = {"explain": "orders-db", "dry_run": True, "notify": None, "$schema": "x"}

    assert faults_of(event) == ["dry_run: cannot be given with explain, which asks for no run"]
    assert parse_event({"explain": "orders-db", "$schema": "x"}, NOW).explain == "orders-db"


@pytest.mark.parametrize("guid", ["6F1C0A52-3B1E-4C5F-9A57-0D2F6C1B8E01", "Orders-DB"])
def test_a_guid_in_a_question_is_spelled_as_the_api_does_and_a_name_as_it_is(guid: str) -> None:
    expected = guid.lower() if guid.startswith("6F") else guid

    assert parse_event({"explain": guid}, NOW).explain == expected


@pytest.mark.parametrize("asked", [" orders-db", "orders-db\n", "\t orders-db  "])
def test_white_space_around_what_is_asked_for_is_left_out(asked: str) -> None:
    assert parse_event({"explain": asked}, NOW).explain == "orders-db"


def test_white_space_alone_is_no_question() -> None:
    assert faults_of({"explain": " \n"}) == [
        r'explain: " \n" is not the GUID or the name of an instance, of 1 to 255 characters'
    ]


@pytest.mark.parametrize(
    ("length", "accepted"), [(0, False), (1, True), (254, True), (255, True), (256, False)]
)
def test_a_name_to_explain_is_as_long_as_cloud_foundry_lets_it_be(
    length: int, *, accepted: bool
) -> None:
    event = {"explain": "x" * length}

    if accepted:
        assert parse_event(event, NOW).explain == "x" * length
    else:
        [fault] = faults_of(event)
        assert fault.endswith("is not the GUID or the name of an instance, of 1 to 255 characters")


@pytest.mark.parametrize(
    ("event", "asks"),
    [
        ({"explain": "x"}, True),
        ({"explain": "x", "unknown": 1}, True),
        ({"explain": 1}, True),
        ({"explain": None}, False),
        ({}, False),
        ([], False),
    ],
)
def test_a_broken_question_is_one_too_and_notifies_nobody(event: object, *, asks: bool) -> None:
    assert is_question(event) is asks
    assert asks_for_silence(event) is asks
