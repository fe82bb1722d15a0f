"""The fleets of the local cloud are what they promise to be."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from backup_audit.fleet.configuration import Configuration, parse_configuration
from tests.doubles.builders import decided
from tests.doubles.some import rest
from tools.local_cloud.behaviours import (
    Backups,
    Behaviour,
    Closes,
    FlakyThen,
    Hangs,
    Refuses,
)
from tools.local_cloud.changing import changing
from tools.local_cloud.discovered import (
    BEING_CREATED,
    BEING_DELETED,
    GONE,
    HOSTILE,
    LEAVES,
    LISTED,
    USER_PROVIDED,
    VANISHES,
)
from tools.local_cloud.fleet import Fleet, on_the_second_day
from tools.local_cloud.fleets import FLEETS, fleet_on, healthy
from tools.local_cloud.foundation import LastOperation
from tools.local_cloud.names import guid_of
from tools.local_cloud.scaled import READ_TIMEOUT
from tools.local_cloud.troubles import daily
from tools.local_cloud.weather import Moment, fair

NOW = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)

# The huge fleet is the large one at fifty times its size, and as much slower to build.
# Fleets of 2,000 that only their weather tells apart are for `make check`, but for one.
CASES = [
    rest(name) if name in ("limited", "resetting", "maintained", "dying") else name
    for name in FLEETS
    if name != "huge"
]
every_fleet = pytest.mark.parametrize("name", CASES)
every_listed_fleet = pytest.mark.parametrize(
    "name", [case for case in CASES if case not in ("discovered", "changing")]
)


@cache
def fleet_of(name: str) -> Fleet:
    return FLEETS[name](NOW)


def configuration_of(fleet: Fleet) -> Configuration:
    return parse_configuration(json.dumps(fleet.configuration).encode(), "the fleet")


def behaviours_of(fleet: Fleet) -> list[Behaviour]:
    return [instance.behaviour for instance in fleet.instances]


@every_fleet
def test_a_fleet_is_the_same_each_time(name: str) -> None:
    again = FLEETS[name](NOW)

    first, second = (msgspec.structs.replace(one, weather=fair) for one in (fleet_of(name), again))

    assert first == second


def test_the_times_of_the_backups_follow_now() -> None:
    a_day_later = healthy(NOW + timedelta(days=1))

    for before, after in zip(fleet_of("healthy").instances, a_day_later.instances, strict=True):
        assert isinstance(before.behaviour, Backups)
        assert isinstance(after.behaviour, Backups)
        pairs = zip(before.behaviour.created_at, after.behaviour.created_at, strict=True)
        assert {int(str(late)) - int(str(early)) for early, late in pairs} == {86_400}


@every_listed_fleet
def test_the_configuration_is_valid_and_lists_the_foundations_instances(name: str) -> None:
    fleet = fleet_of(name)

    configured = [instance.guid for instance in configuration_of(fleet).instances]

    assert configured == [instance.guid for instance in fleet.instances]


@every_listed_fleet
def test_an_index_has_the_same_guid_name_and_policy_in_every_fleet(name: str) -> None:
    configured = configuration_of(fleet_of(name)).instances
    large = configuration_of(fleet_of("large")).instances

    assert configured[: len(large)] == large[: len(configured)]


def test_no_two_instances_share_a_guid_or_a_name() -> None:
    instances = fleet_of("large").instances

    assert len({instance.guid for instance in instances}) == 2_000
    assert len({instance.name for instance in instances}) == 2_000


def test_the_first_instance_is_the_one_that_the_sample_event_asks_for() -> None:
    event = json.loads(Path("events/one-instance.json").read_text("utf-8"))

    assert event["instance_guids"] == [fleet_of("healthy").instances[0].guid]


def test_every_instance_of_the_healthy_fleet_keeps_its_policy() -> None:
    fleet = fleet_of("healthy")

    for instance, behaviour in zip(
        decided(configuration_of(fleet)), behaviours_of(fleet), strict=True
    ):
        assert isinstance(behaviour, Backups)
        newest = max(int(str(raw)) for raw in behaviour.created_at)
        assert NOW.timestamp() - newest <= instance.policy.max_age.total_seconds()
        assert len(behaviour.created_at) >= instance.policy.min_backups


def test_backups_are_listed_in_no_order() -> None:
    lists = [b.created_at for b in behaviours_of(fleet_of("healthy")) if isinstance(b, Backups)]

    newest_at = {created_at.index(max(created_at, key=str)) for created_at in lists}

    assert len(newest_at) > 2


def test_the_degraded_fleet_answers_in_every_way_there_is() -> None:
    kinds = {type(behaviour) for behaviour in behaviours_of(fleet_of("degraded"))}

    assert kinds | {Hangs} == set(get_args(Behaviour))


def test_the_degraded_fleet_refuses_in_every_way_that_has_a_meaning_of_its_own() -> None:
    refusals = [b for b in behaviours_of(fleet_of("degraded")) if isinstance(b, Refuses)]

    assert {refusal.status for refusal in refusals} == {401, 403, 404, 409, 422, 429, 500, 502}


def test_the_troubles_of_the_degraded_fleet_are_gone_in_the_healthy_one() -> None:
    indices = [
        index
        for index, behaviour in enumerate(behaviours_of(fleet_of("degraded")))
        if not isinstance(behaviour, FlakyThen) and behaviour != daily(index, NOW)
    ]

    assert len(indices) == 24
    assert [index for index in indices if index >= len(fleet_of("healthy").instances)] == [24, 26]


def test_the_degraded_configuration_has_names_that_formats_stumble_over() -> None:
    names = [instance.name for instance in configuration_of(fleet_of("degraded")).instances]

    assert names.count(None) == 1
    assert len([name for name in names if name and name.startswith("=")]) == 1
    assert len([name for name in names if name and not name.isascii()]) == 1


def test_the_degraded_configuration_uses_every_policy_and_a_mute() -> None:
    configuration = configuration_of(fleet_of("degraded"))

    policies = [instance.policy for instance in decided(configuration)]

    assert {policy.max_age for policy in policies} == {timedelta(hours=26), timedelta(hours=4)}
    assert {policy.min_backups for policy in policies} == {1, 3}
    assert {policy.grace for policy in policies} == {timedelta(0), timedelta(hours=24)}
    assert [mute.guid for mute in configuration.mutes] == [configuration.instances[11].guid]


def test_about_one_percent_of_the_large_fleet_is_in_trouble() -> None:
    behaviours = behaviours_of(fleet_of("large"))

    troubled = [b for index, b in enumerate(behaviours) if b != daily(index, NOW)]

    assert len(behaviours) == 2_000
    assert len(troubled) == 21


@pytest.mark.parametrize(("name", "answered"), [("hung", Closes), ("hung-504", Refuses)])
def test_a_hung_broker_has_five_percent_of_the_instances(name: str, answered: type) -> None:
    fleet = fleet_of(name)
    hung = [b for b in behaviours_of(fleet) if isinstance(b, Hangs)]

    assert len(hung) * 20 == len(fleet.instances)
    assert {type(one.then) for one in hung} == {answered}


@pytest.mark.parametrize(("name", "waits_for_it"), [("hung", False), ("hung-504", True)])
def test_the_function_waits_for_the_504_of_a_broker_and_for_no_more(
    name: str, *, waits_for_it: bool
) -> None:
    fleet = fleet_of(name)
    hung = next(b for b in behaviours_of(fleet) if isinstance(b, Hangs))

    assert (hung.seconds < READ_TIMEOUT / fleet.faster) is waits_for_it


@pytest.mark.parametrize(
    ("number", "is_refused"), [(99, False), (100, False), (101, True), (500, True)]
)
def test_the_limited_fleet_answers_a_hundred_requests_a_run(
    number: int, *, is_refused: bool
) -> None:
    met = fleet_of("limited").weather(Moment(number, at_once=1, seconds=10.0))

    assert isinstance(met, Refuses) is is_refused
    if isinstance(met, Refuses):
        assert met.status == 429
        assert (met.retry_after or 0) > 900  # no run lasts as long


def test_three_of_four_instances_of_the_bad_fleet_are_stale() -> None:
    behaviours = behaviours_of(fleet_of("bad"))

    stale = [b for index, b in enumerate(behaviours) if b != daily(index, NOW)]

    assert len(stale) == 3_000
    for behaviour in stale:
        assert isinstance(behaviour, Backups)
        assert all(NOW.timestamp() - int(str(raw)) > 26 * 3600 for raw in behaviour.created_at)


def test_an_index_has_the_same_place_and_plan_in_every_fleet() -> None:
    large = fleet_of("large").instances

    for name in ("sample", "degraded", "bad"):
        for ours, theirs in zip(fleet_of(name).instances, large, strict=False):
            assert (ours.space, ours.plan) == (theirs.space, theirs.plan)


def test_no_two_instances_of_a_space_share_a_name() -> None:
    for name in ("large", "discovered"):
        instances = fleet_of(name).instances

        assert len({(one.space.guid, one.name) for one in instances}) == len(instances)


def test_some_spaces_have_names_that_formats_stumble_over() -> None:
    names = {one.space.name for one in fleet_of("degraded").instances}

    assert len([name for name in names if name.startswith("=")]) == 1
    assert len([name for name in names if "<" in name]) == 1
    assert len([name for name in names if not name.isascii()]) == 2


def test_the_discovered_foundation_has_what_an_inventory_must_tell_apart() -> None:
    instances = {one.guid: one for one in fleet_of("discovered").instances}

    assert len(instances) == 203
    assert [one.guid for one in instances.values() if not one.is_managed] == [
        guid_of(USER_PROVIDED)
    ]
    assert [one.guid for one in instances.values() if not one.is_there] == [guid_of(GONE)]
    assert instances[guid_of(BEING_CREATED)].last_operation == LastOperation(
        "create", "in progress"
    )
    deleted = instances[guid_of(BEING_DELETED)].last_operation
    assert deleted
    assert (deleted.type, deleted.state) == ("delete", "in progress")
    labels = {key for one in instances.values() for key in one.labels}
    assert labels >= {
        "backup-audit.audit",
        "backup-audit.max-age",
        "backup-audit.owner",
        "backup-audit.skip-until",
    }
    assert "\n" in "".join(one.name for one in instances.values())


def test_the_discovered_configuration_lists_a_few_instances_by_hand() -> None:
    listed = fleet_of("discovered").configuration["instances"]

    assert [one["guid"] if isinstance(one, dict) else one for one in listed] == [
        guid_of(index) for index in (USER_PROVIDED, LISTED, GONE)
    ]


def test_on_the_second_day_one_instance_is_gone_one_has_another_label_and_some_are_new() -> None:
    fleet = fleet_of("discovered")
    first = {one.guid: one for one in fleet.instances}
    second = {one.guid: one for one in on_the_second_day(fleet).instances}

    assert first.keys() - second.keys() == {guid_of(VANISHES)}
    changed = [guid for guid in first.keys() & second.keys() if first[guid] != second[guid]]
    assert changed == [guid_of(LEAVES)]
    assert second[guid_of(LEAVES)].labels["backup-audit.audit"] == "no"
    assert len(second.keys() - first.keys()) == 3
    assert len(fleet.later) == 5
    assert guid_of(HOSTILE) in second


@pytest.mark.parametrize("days_ago", [0, 1, 20])
def test_a_fleet_without_a_past_was_always_as_it_is(days_ago: int) -> None:
    assert fleet_on("healthy", NOW, days_ago) == healthy(NOW - timedelta(days=days_ago))


@pytest.mark.parametrize(("days_ago", "answers"), [(15, False), (14, True), (13, True)])
def test_a_trouble_of_the_changing_fleet_has_its_days(days_ago: int, *, answers: bool) -> None:
    of_a_broker_that_was_down = guid_of(15)
    instances = {one.guid: one for one in changing(NOW, days_ago).instances}

    behaviour = instances[of_a_broker_that_was_down].behaviour

    assert isinstance(behaviour, Backups) is answers


def test_of_an_instance_whose_backups_stopped_the_newest_stays_the_newest() -> None:
    days = [
        one.behaviour
        for days_ago in (18, 1, 0)
        for one in changing(NOW, days_ago).instances
        if one.guid == guid_of(26)
    ]

    newest = {max(map(str, one.created_at)) for one in days if isinstance(one, Backups)}

    assert len(days) == 3
    assert len(newest) == 1


def test_the_past_of_the_changing_fleet_has_the_same_instances() -> None:
    guids = [[one.guid for one in changing(NOW, ago).instances] for ago in (0, 20)]

    assert guids[0] == guids[1]
