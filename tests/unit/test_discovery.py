"""Which instances a run audits, by inventory and last fleet; in one invocation and in steps."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.errors import (
    CredentialsUnavailable,
    EmptyFleet,
    InventoryUnavailable,
    ReportStoreFailed,
)
from backup_audit.fleet.explain import Explained
from backup_audit.fleet.inventory import (
    USER_PROVIDED,
    Operation,
    Read,
    Reading,
    ServiceInstance,
)
from backup_audit.fleet.mutes import MuteState
from backup_audit.fleet.run import AuditRequest
from backup_audit.fleet.selection import Standing
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.verdict import Verdict
from backup_audit.report.drift import LOST_FOR, Departure
from backup_audit.report.report import Answer as RunAnswer
from backup_audit.report.report import Report, WholeReport
from tests.doubles.builders import NOW, a_list
from tests.doubles.days import DAY, EVERYTHING, Days, row
from tests.doubles.fakes import InMemoryStore

SILENCE = (Silence(Cause.TIMEOUT, "no answer"), None)
BROKEN = (Refusal(10001, "CF-ServiceBrokerBadResponse"), 502)
STALE: Answer = a_list(50)
WHY = "HTTP 503 without a Cloud Foundry error"

Broken = Callable[[str, Reading], Reading]
Make = Callable[..., Days]


@pytest.fixture(params=["function", "map"])
def days(request: pytest.FixtureRequest) -> Make:
    """A foundation, audited in either mode."""

    def made(*rows: str | ServiceInstance, **more: Any) -> Days:  # noqa: ANN401
        listed = [row(one) if isinstance(one, str) else one for one in rows]
        return Days(listed, mapped=request.param == "map", **more)

    return made


def failed(_: str, reading: Reading) -> Reading:
    return msgspec.structs.replace(reading, read=Read.FAILED, rows={}, why=WHY)


def partial(*guids: str) -> Broken:
    """Only these were read before the API gave no answer any more."""

    def broken(_: str, reading: Reading) -> Reading:
        rows = {guid: one for guid, one in reading.rows.items() if guid in guids}
        return msgspec.structs.replace(reading, read=Read.PARTIAL, rows=rows, why=WHY)

    return broken


def no_look_up(call: str, reading: Reading) -> Reading:
    return failed(call, reading) if call == "look_up" else reading


def excluding(**match: str | list[str]) -> dict[str, Any]:
    exclude = {"match": match, "owner": "sre", "reason": "torn down", "until": "never"}
    return {**EVERYTHING, "exclude": [exclude]}


def guids(count: int) -> list[str]:
    return [f"guid-{number:03}" for number in range(count)]


# ── What is asked of the foundation ───────────────────────────────────────────────────────────────


def test_a_full_run_audits_each_instance_that_the_foundation_lists(days: Make) -> None:
    world = days("a", "b", row("c", org="lab", plan="small"))

    answer = world.run()

    assert answer.counts["healthy"] == 3
    assert sorted(world.asked) == ["a", "b", "c"]
    found = world.findings()["c"]
    assert (found.name, found.org, found.plan) == ("name-c", "lab", "small")
    assert world.report.effort.api_calls == 3 + 1
    inventory = world.inventory
    assert (inventory.read, inventory.managed, inventory.sees) == ("complete", 3, "all")
    assert inventory.read_at == NOW + DAY
    assert [one.read for one in world.telemetry.inventories] == [Read.COMPLETE]


def test_the_listed_come_first_in_their_order_then_the_others_by_guid() -> None:
    world = Days(map(row, "dbcae"), EVERYTHING | {"instances": ["e", "x", "b"]})

    world.run()

    [key] = [key for key in world.store.objects if key.endswith("batch-00000.jsonl")]
    lines = [json.loads(line) for line in world.store.objects[key].splitlines()]
    assert [line["instance"]["guid"] for line in lines] == ["e", "x", "b", "a", "c", "d"]


def test_what_the_list_lacks_of_the_configuration_is_looked_up(days: Make) -> None:
    world = days("a", row("provided", type=USER_PROVIDED), configuration=EVERYTHING)
    world.configuration["instances"] = ["a", "provided", "gone"]

    world.run()

    assert world.foundation.calls == [("scan", ()), ("look_up", ("provided", "gone"))]
    assert sorted(world.asked) == ["a", "gone"]
    verdicts = {guid: one.verdict for guid, one in world.findings().items()}
    assert verdicts == {"a": "healthy", "provided": "unsupported", "gone": "not_found"}
    assert "user-provided" in world.findings()["provided"].reason
    assert world.inventory.user_provided == 1


def test_a_run_of_some_instances_looks_up_those_alone(days: Make) -> None:
    world = days("a", "b", "c")

    answer = world.run(AuditRequest(instance_guids=["b", "x"]))

    assert world.foundation.calls == [("look_up", ("b", "x"))]
    found = world.findings(answer)
    assert {guid: one.name for guid, one in found.items()} == {"b": "name-b", "x": None}
    assert not [key for key in world.store.objects if key.endswith("fleet.jsonl")]
    [report] = [body for key, body in world.store.objects.items() if key.endswith("report.json")]
    inventory = msgspec.json.decode(report, type=Report).inventory
    assert inventory
    assert (inventory.read, inventory.unaudited, inventory.vanished) == ("listed", None, None)


def test_a_run_of_some_instances_counts_neither_excludes_nor_rules(days: Make) -> None:
    configuration = excluding(space="lab") | {"rules": [{"match": {"org": "*"}, "owner": "o"}]}
    world = days("a", row("b", space="lab"), configuration=configuration)

    answer = world.run(AuditRequest(instance_guids=["a", "b"]))

    notes = {guid: one.policy_notes for guid, one in world.findings(answer).items()}
    assert notes == {"a": (), "b": ("ordinarily excluded by exclude[0]",)}
    [inventory] = world.telemetry.inventories
    assert (inventory.excluded, inventory.rules) == ([], [])


def test_a_configuration_that_wants_no_scan_gets_none(days: Make) -> None:
    world = days("a", "b", configuration={"instances": ["a"], "inventory": "listed"})

    world.run()

    assert world.foundation.calls == [("look_up", ("a",))]
    assert world.findings()["a"].name == "name-a"
    inventory = world.inventory
    assert (inventory.read, inventory.read_at, inventory.why) == ("listed", None, None)
    assert (inventory.unaudited, inventory.vanished, inventory.appeared) == (None, None, None)
    assert world.report.complete


@pytest.mark.parametrize("inventory", ["listed", "complete"])
@pytest.mark.parametrize("hidden", [set(), {"a"}])
def test_a_label_counts_however_the_instance_was_read(inventory: str, hidden: set[str]) -> None:
    configuration = {"instances": ["a"], "self_service": {"max_age": {"at_most": "7d"}}}
    if inventory == "listed":
        configuration["inventory"] = inventory
    world = Days([row("a", labels={"backup-audit.max-age": "4h"})], configuration)
    world.foundation.hidden = hidden

    world.run()

    assert world.inventory.read == inventory
    assert world.findings()["a"].max_age_seconds == 4 * 3600


@pytest.mark.parametrize("request_", [AuditRequest(max_age="1h"), AuditRequest(dry_run=True)])
def test_a_what_if_and_a_dry_run_scan_and_are_compared_with_no_fleet(
    request_: AuditRequest,
) -> None:
    world = Days(map(row, "abc"))
    world.run()
    world.foundation.rows.pop("c")

    answer = world.run(request_)

    assert world.foundation.calls == [("scan", ())]
    assert sum(answer.counts.values()) == 2
    [inventory] = world.telemetry.inventories
    assert (inventory.read, inventory.vanished, inventory.lost) == ("complete", None, 0)


def test_a_dry_run_shows_what_a_full_run_would_audit_and_warn_of() -> None:
    selects = {
        "discover": [{"org": "prod"}, {"org": "no-such-org"}],
        "exclude": [
            {"match": {"plan": "lab"}, "owner": "sre", "reason": "torn down", "until": "never"}
        ],
        "rules": [{"name": "gold", "match": {"plan": "gold"}, "max_age": "4h"}],
    }
    rows = [row("a", plan="gold"), row("b"), row("c", plan="lab"), row("d", org="elsewhere")]
    world = Days(rows, selects)

    answer = world.run(AuditRequest(dry_run=True))

    inventory = answer.inventory
    assert inventory
    assert (inventory.read, inventory.managed) == ("complete", 4)
    assert [(one.rule, one.instances) for one in inventory.excluded] == [("exclude[0]", 1)]
    assert [(one.rule, one.matched, one.decided) for one in inventory.rules] == [("rules[0]", 1, 1)]
    assert inventory.unaudited
    assert [one.guid for one in inventory.unaudited.instances] == ["d"]
    assert answer.warnings == ["discover[1]: fits no instance of the foundation"]


def test_a_run_with_a_report_has_its_warnings_and_its_inventory_there(days: Make) -> None:
    world = days("a", configuration={"discover": [{"org": "*"}, {"org": "no-such-org"}]})

    answer = world.run()

    assert (answer.warnings, answer.inventory) == ([], None)
    assert world.report.plan.warnings


def test_a_dry_run_leaves_nothing_where_the_inventory_was_not_read_either(days: Make) -> None:
    world = days("a")
    world.run()
    before = dict(world.store.objects)
    world.foundation.breaks = failed

    answer = world.run(AuditRequest(dry_run=True))

    assert answer.counts["healthy"] == 1, "of the last fleet"
    assert answer.inventory
    assert (answer.inventory.read, answer.inventory.unaudited) == ("failed", None)
    assert any("the last fleet goes on" in warning for warning in answer.warnings)
    assert world.store.objects == before


def test_an_event_that_names_instances_needs_no_inventory(days: Make) -> None:
    world = days("a")
    world.run()
    world.foundation.breaks = failed

    answer = world.run(AuditRequest(instance_guids=["a", "x"]))

    found = world.findings(answer)
    assert {guid: one.name for guid, one in found.items()} == {"a": "name-a", "x": None}
    said = f"the inventory was not read completely (failed: {WHY}): the last fleet goes on"
    assert said in world.telemetry.warnings
    [inventory] = world.telemetry.inventories
    assert (inventory.read, inventory.why) == ("failed", WHY)


def empty(world: Days) -> str:
    with pytest.raises(EmptyFleet) as raised:
        world.run()
    return str(raised.value)


def test_nothing_selected_is_no_success_and_the_cause_is_said(days: Make) -> None:
    world = days("a", "b", configuration={"discover": [{"org": "nowhere"}]})
    say = "there is nothing to audit: our client sees 2 instances; "
    check = "; mend that, or check the client's roles"

    assert empty(world) == f"{say}discover[0] fits none{check}"

    world.configuration = {"discover": [{"org": "nowhere"}, {"org": "neither"}]}
    assert empty(world) == f"{say}discover[0], discover[1] fit none{check}"

    world.configuration = excluding(space="lab") | {"self_service": {"skip": {"at_most": "9d"}}}
    world.configuration["exclude"] = world.configuration["exclude"] * 2
    labels = {"backup-audit.skip-until": f"{NOW + 3 * DAY:%Y-%m-%d}"}
    world.foundation.rows["a"] = row("a", space="lab")
    world.foundation.rows["b"] = row("b", labels=labels)
    taken = "exclude[0] takes out 1, label backup-audit.skip-until takes out 1"
    assert empty(world) == f"{say}{taken}{check}"


def test_many_causes_of_an_empty_fleet_are_the_first_and_a_number(days: Make) -> None:
    world = days("a", configuration={"discover": [{"org": f"o{at}"} for at in range(1_000)]})

    assert "discover[0], discover[1], discover[2], discover[3], discover[4] and 995 more" in empty(
        world
    )


def test_a_delivery_that_finds_the_plan_needs_neither_inventory_nor_secret(days: Make) -> None:
    world = days("a", "b")
    world.run()
    kept = {k: v for k, v in world.store.objects.items() if "/findings/" in k or "/plans/" in k}
    world.store.objects.clear()
    world.store.objects.update(kept)
    world.secret_is_gone = CredentialsUnavailable("the secret could not be read")

    answer = world.run(AuditRequest(scheduled_time=NOW + DAY))

    assert world.foundation.calls == []
    assert (answer.complete, answer.counts["healthy"]) == (True, 2)
    assert world.inventory.read is Read.COMPLETE


def test_a_secret_that_is_gone_is_a_reading_that_failed(days: Make) -> None:
    world = days("a", configuration={"instances": ["a"]})
    world.secret_is_gone = CredentialsUnavailable("the secret could not be read")

    with pytest.raises(CredentialsUnavailable):
        world.run()

    [inventory] = world.telemetry.inventories
    assert (inventory.read, inventory.why) == ("failed", "the secret could not be read")


# ── Who left, and who is new ──────────────────────────────────────────────────────────────────────


def test_an_instance_that_is_gone_is_audited_once_more_told_by_name_and_forgotten(
    days: Make,
) -> None:
    world = days("a", "b")
    world.run()
    world.foundation.rows.pop("b")

    world.run()

    assert world.foundation.calls == [("scan", ()), ("look_up", ("b",))]
    assert world.findings()["b"].verdict is Verdict.NOT_FOUND
    assert world.findings()["b"].reason.startswith(
        "gone: the foundation lists it no longer, and answers HTTP 404 CF-ResourceNotFound (10010)"
    )
    assert [one.attributes["reason"] for one in world.told()] == [("opened",)]
    assert world.findings()["b"].name == "name-b"
    assert world.fleet["b"].absent
    assert world.inventory.vanished == []

    world.run()

    assert world.asked == ["a"]
    assert list(world.fleet) == ["a"]
    [gone] = world.inventory.vanished or []
    assert (gone.guid, gone.name, gone.how) == ("b", "name-b", Departure.GONE)
    assert gone.open_problem
    assert (gone.open_problem.verdict, gone.open_problem.since) == ("not_found", NOW + 2 * DAY)
    [told] = world.told()
    assert told.attributes["reason"] == ("ended", "all_clear", "left_fleet")
    assert "was not found since 2026-02-02 05:00 UTC" in told.body
    assert world.told() == [], "the run before has said it"

    world.run()

    assert world.inventory.vanished == []
    assert world.report.complete


def test_an_instance_that_the_list_lacks_and_that_is_there_stays(days: Make) -> None:
    world = days("a", "b")
    world.run()
    world.foundation.hidden.add("b")

    world.run()

    assert world.findings()["b"].verdict is Verdict.HEALTHY
    assert not world.fleet["b"].absent
    assert (world.inventory.vanished, world.inventory.appeared) == ([], 0)


def test_an_instance_whose_own_answer_does_not_say_that_it_is_gone_stays(days: Make) -> None:
    world = days("a", "b")
    world.run()
    world.foundation.rows.pop("b")
    world.answers["b"] = SILENCE
    for _ in range(3):
        world.run()
        assert world.findings()["b"].verdict is Verdict.UNKNOWN
        assert world.inventory.vanished == []
    world.answers.pop("b")
    world.run()
    world.run()

    [gone] = world.inventory.vanished or []
    assert gone.guid == "b"


def test_an_instance_that_comes_back_is_neither_gone_nor_new(days: Make) -> None:
    world = days("a", "b")
    world.run()
    kept = world.foundation.rows.pop("b")
    world.run()
    world.foundation.rows["b"] = kept

    world.run()

    assert world.findings()["b"].verdict is Verdict.HEALTHY
    assert not world.fleet["b"].absent
    assert (world.inventory.vanished, world.inventory.appeared) == ([], 0)


def test_a_listed_instance_that_is_gone_stays_a_problem_with_its_name(days: Make) -> None:
    world = days("a", "b", configuration={"instances": ["a", "b"]})
    world.run()
    world.foundation.rows.pop("b")

    for _ in range(3):
        world.run()
        found = world.findings()["b"]
        assert (found.verdict, found.name) == (Verdict.NOT_FOUND, "name-b")
        assert found.reason.startswith("gone, or not visible to our client: ")
        assert world.inventory.vanished == []


@pytest.mark.parametrize("problem", [Verdict.STALE, None])
@pytest.mark.parametrize(
    ("configuration", "how"),
    [
        (excluding(space="b"), (Departure.EXCLUDED, "exclude[0]", "never")),
        ({"discover": [{"space": "a"}]}, (Departure.DESELECTED, None, None)),
    ],
)
def test_an_instance_that_is_no_longer_selected_is_told_once_with_the_problem_that_it_had(
    days: Make,
    configuration: dict[str, Any],
    how: tuple[Departure, str | None, str | None],
    problem: Verdict | None,
) -> None:
    world = days(row("a", space="a"), row("b", space="b", plan="small"))
    if problem:
        world.answers["b"] = STALE
    world.run()
    world.told()
    world.configuration = configuration | {"defaults": {"owner": "platform"}}

    world.run()

    [left] = world.inventory.vanished or []
    assert (left.guid, (left.how, left.place, left.until)) == ("b", how)
    assert (left.offering, left.plan, left.owner) == ("postgres", "small", "platform")
    assert (left.open_problem and left.open_problem.verdict) == problem
    assert world.asked == ["a"]
    [message] = world.told()
    assert message.subject
    assert message.subject.endswith(", 1 left the fleet")
    assert "- name-b (b)\n    prod / b · postgres small\n    owner: platform\n" in message.body
    assert ("was stale since" in message.body) is bool(problem)
    assert ("ended" in message.attributes["reason"]) is bool(problem)
    world.run()
    assert world.inventory.vanished == []
    assert world.told() == []


def test_a_selector_that_is_mistyped_is_heard_of_at_once(days: Make) -> None:
    others = (row(guid, org=f"prod-{guid}") for guid in guids(50))
    world = days("a", *others, configuration={"discover": [{"org": "prod"}, {"org": "prod-*"}]})
    world.run()
    assert world.told() == []
    world.configuration["discover"][1] = {"org": "prod-.*"}

    world.run()

    [message] = world.told()
    assert message.subject == "[backup-audit] test: 0 problems, 50 left the fleet"
    assert "NO LONGER SELECTED (50): " in message.body
    assert "Warning: discover[1]: fits no instance of the foundation" in message.body
    world.run()
    assert world.told() == []


def test_a_label_that_skips_an_instance_is_told_with_its_last_day(days: Make) -> None:
    world = days(
        "a", "b", configuration=EVERYTHING | {"self_service": {"skip": {"at_most": "90d"}}}
    )
    world.run()
    last_day = (NOW + 30 * DAY).date().isoformat()
    world.foundation.rows["b"] = row("b", labels={"backup-audit.skip-until": last_day})

    world.run()

    [left] = world.inventory.vanished or []
    assert (left.place, left.until) == ("label backup-audit.skip-until", last_day)
    [message] = world.told()
    assert f"    by label backup-audit.skip-until, until {last_day}" in message.body


def test_the_first_inventory_says_what_nobody_audits_and_the_second_does_not(days: Make) -> None:
    world = days("a", "b", "c", configuration={"instances": ["a"]})

    world.run()

    [message] = world.told()
    assert message.subject == "[backup-audit] test: 0 problems, 2 unaudited"
    world.run()
    assert world.told() == []


def test_the_fleet_says_of_each_instance_which_place_decided(days: Make) -> None:
    rows = [row("a"), row("b", space="lab"), row("c", space="x"), row("d", space="skip")]
    world = days(*rows)
    world.foundation.rows["d"] = row("d", labels={"backup-audit.skip-until": "2026-03-01"})
    world.configuration = excluding(space="lab") | {
        "discover": [{"space": "orders"}],
        "instances": ["a"],
        "self_service": {"skip": {"at_most": "90d"}},
    }
    world.foundation.rows["e"] = row("e")
    world.run()
    places = {guid: (one.standing, one.place) for guid, one in world.fleet.items()}

    assert places == {
        "a": ("audited", "instances[0]"),
        "b": ("excluded", "exclude[0]"),
        "c": ("unaudited", None),
        "d": ("excluded", "label backup-audit.skip-until"),
        "e": ("audited", "discover[0]"),
    }
    world.foundation.rows.pop("e")
    world.run()
    assert world.fleet["e"].absent
    assert world.fleet["e"].place == "discover[0]"
    world.foundation.breaks = failed
    world.run()
    assert {guid: (one.standing, one.place) for guid, one in world.fleet.items()} == places


def test_a_report_says_what_its_excludes_and_rules_meant(days: Make) -> None:
    gold = {"match": {"plan": "gold-*"}, "unless": {"labels": "tier=scratch"}, "max_age": "4h"}
    world = days("a", configuration=excluding(space=["lab", "x"]) | {"rules": [gold]})

    world.run()

    inventory = json.loads(world.store.objects[world.latest.report_key])["inventory"]
    assert inventory["excluded"][0]["match"] == {"space": ["lab", "x"]}
    assert inventory["rules"][0]["match"] == gold["match"]
    assert inventory["rules"][0]["unless"] == gold["unless"]


def test_an_instance_that_is_neither_selected_nor_there_leaves_at_once(days: Make) -> None:
    world = days(row("a", space="a"), row("b", space="b"))
    world.run()
    world.configuration = {"discover": [{"space": "a"}]}
    world.foundation.rows.pop("b")

    world.run()

    [left] = world.inventory.vanished or []
    assert (left.guid, left.how, world.asked) == ("b", Departure.GONE, ["a"])


def test_what_is_audited_and_was_not_has_appeared(days: Make) -> None:
    world = days("a", row("b", space="b"), configuration=excluding(space="b"))
    world.run()
    assert world.inventory.appeared is None, "there is nothing to compare the first reading with"
    world.configuration = dict(EVERYTHING)
    world.foundation.rows["c"] = row("c")

    world.run()

    assert world.inventory.appeared == 2
    world.run()
    assert world.inventory.appeared == 0


def test_what_nobody_audits_is_counted_and_later_named_as_new(days: Make) -> None:
    world = days("a", "b", row("c", offering=None), configuration={"instances": ["a"]})
    world.run()
    unaudited = world.inventory.unaudited
    assert unaudited
    assert (unaudited.count, unaudited.new) == (2, 0)
    assert unaudited.by_offering == {"postgres": 1, "unknown": 1}
    world.foundation.rows["d"] = row("d")

    world.run()

    unaudited = world.inventory.unaudited
    assert unaudited
    assert (unaudited.count, unaudited.new) == (3, 1)
    assert [(one.guid, one.is_new) for one in unaudited.instances] == [
        ("d", True),
        ("b", False),
        ("c", False),
    ]
    world.run()
    assert world.inventory.unaudited
    assert world.inventory.unaudited.new == 0


def test_an_exclude_that_ends_makes_the_unaudited_new(days: Make) -> None:
    listed = {"instances": ["a"]}
    world = days("a", row("b", space="b"), configuration=excluding(space="b") | listed)
    world.run()
    world.configuration = dict(listed)

    world.run()

    assert world.inventory.unaudited
    assert (world.inventory.unaudited.count, world.inventory.unaudited.new) == (1, 1)


def test_user_provided_instances_are_unaudited_by_nobodys_fault(days: Make) -> None:
    world = days("a", row("p", type=USER_PROVIDED), configuration={"instances": ["a", "p"]})
    world.run()
    world.configuration = {"instances": ["a"]}

    world.run()

    assert world.inventory.unaudited
    assert world.inventory.unaudited.count == 0


def test_a_first_reading_after_runs_without_one_makes_nothing_new(days: Make) -> None:
    world = days("a", "b", configuration={"instances": ["a"], "inventory": "listed"})
    world.run()
    world.configuration.pop("inventory")

    world.run()

    assert world.inventory.unaudited
    assert (world.inventory.unaudited.count, world.inventory.unaudited.new) == (1, 0)
    assert (world.inventory.appeared, world.inventory.vanished) == (None, [])


# ── A lost role ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fleet", "vanish", "lost"),
    [
        (20, 9, 0),
        (20, 10, 0),
        (20, 11, 11),
        (120, 11, 0),
        (120, 12, 0),
        (120, 13, 13),
        (11, 11, 11),
    ],
)
def test_more_than_ten_and_more_than_a_tenth_at_once_are_a_lost_role(
    fleet: int, vanish: int, lost: int
) -> None:
    world = Days(map(row, guids(fleet)))
    world.run()
    for guid in guids(vanish):
        world.foundation.rows.pop(guid)

    answer = world.run()

    assert world.inventory.lost == lost
    assert answer.complete is (lost == 0)
    assert len(world.findings()) == fleet
    assert len(world.fleet) == fleet
    assert world.inventory.vanished == []


def test_many_that_the_list_lacks_and_that_are_there_are_no_lost_role(days: Make) -> None:
    world = days(*guids(30))
    world.run()
    world.foundation.hidden.update(guids(20))

    answer = world.run()

    assert (answer.complete, answer.counts["healthy"]) == (True, 30)
    assert (world.inventory.read, world.inventory.lost) == ("complete", 0)


def test_of_a_lost_role_nobody_is_said_to_be_gone(days: Make) -> None:
    world = days(*guids(30))
    world.run()
    for guid in guids(20):
        world.foundation.rows.pop(guid)

    world.run()

    assert world.findings()["guid-000"].reason.startswith("gone, or not visible to our client: ")


def test_of_a_lost_role_nobody_leaves_until_it_is_back(days: Make) -> None:
    world = days(*guids(30))
    world.run()
    kept = dict(world.foundation.rows)
    for guid in guids(20):
        world.foundation.rows.pop(guid)
    for _ in range(3):
        answer = world.run()
        assert not answer.complete
        assert answer.why_incomplete
        assert answer.why_incomplete.startswith("20 instances disappeared from the foundation's")
        assert (len(world.fleet), world.inventory.vanished) == (30, [])
    assert not world.latest.complete
    world.foundation.rows.update(kept)

    answer = world.run()

    assert (answer.complete, answer.counts["healthy"]) == (True, 30)
    assert (world.inventory.lost, world.inventory.appeared) == (0, 0)


@pytest.mark.parametrize(("after", "left"), [(-1, 0), (0, 20), (1, 20)])
def test_what_was_not_found_for_a_week_leaves_though_it_were_many(after: int, left: int) -> None:
    world = Days(map(row, guids(30)))
    world.run()
    for guid in guids(20):
        world.foundation.rows.pop(guid)
    world.run()

    world.run(days=LOST_FOR.days + after)

    assert world.inventory.vanished_count == left
    assert len(world.findings()) == 30 - left


def test_the_reason_of_a_lost_role_stands_before_those_of_who_was_not_reached(
    days: Make,
) -> None:
    world = days(*guids(30))
    world.run()
    for guid in guids(20):
        world.foundation.rows.pop(guid)
    world.answers[guids(30)[-1]] = (Silence(Cause.NOT_REACHED, "the time was over"), None)

    answer = world.run()

    assert answer.why_incomplete
    assert answer.why_incomplete.endswith("they stay in the fleet; the time was over")


@pytest.mark.parametrize(("vanish", "lost"), [(9, 0), (10, 0), (11, 11)])
def test_listed_instances_that_disappear_at_once_are_problems_and_a_lost_role_too(
    days: Make, vanish: int, lost: int
) -> None:
    world = days(*guids(20), configuration={"instances": guids(20)})
    world.run()
    for guid in guids(vanish):
        world.foundation.rows.pop(guid)

    answer = world.run()

    assert (answer.counts["not_found"], world.inventory.lost) == (vanish, lost)
    assert answer.complete is (lost == 0)


@pytest.mark.parametrize(("after", "lost"), [(-1, 20), (0, 0), (1, 0)])
def test_listed_instances_that_were_not_found_for_a_week_are_no_lost_role_any_more(
    after: int, lost: int
) -> None:
    world = Days(map(row, guids(30)), configuration={"instances": guids(30)})
    world.run()
    for guid in guids(20):
        world.foundation.rows.pop(guid)
    world.run()

    answer = world.run(days=LOST_FOR.days + after)

    assert (answer.counts["not_found"], world.inventory.lost) == (20, lost)
    assert answer.complete is (lost == 0)


def test_many_that_are_gone_and_off_the_list_are_no_lost_role(days: Make) -> None:
    world = days(*guids(20), configuration={"instances": guids(20)})
    world.run()
    for guid in guids(20)[1:]:
        world.foundation.rows.pop(guid)
    world.configuration = {"instances": guids(1)}

    answer = world.run()

    assert answer.complete
    assert (world.inventory.lost, world.inventory.vanished_count) == (0, 19)
    assert {one.how for one in world.inventory.vanished or []} == {Departure.GONE}


# ── A bad day ─────────────────────────────────────────────────────────────────────────────────────


def test_where_nothing_is_read_the_last_fleet_goes_on(days: Make) -> None:
    configuration = excluding(space="lab") | {"instances": ["x"]}
    world = days("a", row("b", space="lab"), configuration=configuration)
    world.run()
    first = world.fleet
    world.foundation.breaks = failed

    answer = world.run()

    assert answer.complete
    assert world.findings()["a"].name == "name-a"
    assert sorted(world.findings()) == ["a", "x"]
    assert world.fleet == first
    inventory = world.inventory
    assert (inventory.read, inventory.why, inventory.read_at) == ("failed", WHY, NOW + DAY)
    for figure in (
        inventory.managed,
        inventory.appeared,
        inventory.vanished,
        inventory.vanished_count,
        inventory.unaudited,
    ):
        assert figure is None
    said = f"the inventory was not read completely (failed: {WHY}): the last fleet goes on"
    assert said in world.report.plan.warnings
    assert said in world.telemetry.warnings


def nothing_read(world: Days) -> None:
    world.foundation.breaks = failed


def listed_no_more(world: Days) -> None:
    world.foundation.rows.pop("a")


@pytest.mark.parametrize("happens", [nothing_read, listed_no_more])
def test_what_the_last_fleet_says_softens_nothing(
    days: Make, happens: Callable[[Days], None]
) -> None:
    create = Operation("create", "in progress", NOW)
    configuration = EVERYTHING | {"defaults": {"grace": "2d"}}
    world = days(row("a", created_at=NOW, last_operation=create), configuration=configuration)
    world.answers["a"] = BackupList(())
    world.run()
    assert world.findings()["a"].verdict is Verdict.IN_GRACE
    happens(world)

    world.run()

    assert world.findings()["a"].verdict is Verdict.NEVER_BACKED_UP


def test_a_second_bad_day_is_as_the_first_and_the_good_one_after_it_says_what_changed(
    days: Make,
) -> None:
    world = days("a", "b", row("c", space="c"))
    world.run()
    first = world.fleet
    world.foundation.rows.pop("b")
    world.foundation.rows["d"] = row("d")
    world.configuration = excluding(space="c")
    world.foundation.breaks = failed
    for _ in range(2):
        world.run()
        assert sorted(world.findings()) == ["a", "b"]
        assert world.fleet == first
        assert world.inventory.read_at == NOW + DAY
    world.foundation.breaks = lambda _, reading: reading

    world.run()

    assert sorted(world.findings()) == ["a", "d"]
    assert world.inventory.appeared == 1
    left = {one.guid: one.how for one in world.inventory.vanished or []}
    assert left == {"b": Departure.GONE, "c": Departure.EXCLUDED}


def test_of_a_partial_reading_what_was_read_counts_and_nobody_leaves(days: Make) -> None:
    world = days("a", "b", row("c", space="c"), row("d", space="lab"))
    world.configuration = excluding(space="lab")
    world.run()
    world.foundation.rows["a"] = row("a", name="renamed")
    world.foundation.rows["c"] = row("c", space="lab")
    world.foundation.rows["new"] = row("new")
    world.foundation.rows["nobody's"] = row("nobody's", space="lab")
    world.foundation.breaks = partial("a", "c", "d", "new", "nobody's")

    world.run()

    assert sorted(world.findings()) == ["a", "b", "c", "new"]
    assert world.findings()["a"].name == "renamed"
    standings = {guid: one.standing for guid, one in world.fleet.items()}
    assert standings.pop("d") is Standing.EXCLUDED
    assert standings == dict.fromkeys(["a", "b", "c", "new"], Standing.AUDITED)
    assert (world.inventory.read, world.inventory.unaudited) == ("partial", None)
    world.foundation.breaks = lambda _, reading: reading

    world.run()

    assert sorted(world.findings()) == ["a", "b", "new"]
    [left] = world.inventory.vanished or []
    assert (left.guid, left.how) == ("c", Departure.EXCLUDED)


def test_where_the_missing_cannot_be_looked_up_nobody_is_called_gone(days: Make) -> None:
    world = days("a", "b")
    world.run()
    world.foundation.rows.pop("b")
    world.foundation.breaks = no_look_up
    for _ in range(3):
        world.run()
        assert (world.inventory.read, world.inventory.vanished) == ("partial", None)
        assert world.inventory.why == f"instances that the list lacks: {WHY}"
        assert world.inventory.managed is None
        assert sorted(world.fleet) == ["a", "b"]
        assert sorted(world.findings()) == ["a", "b"]


def test_only_where_everything_was_read_is_it_said_that_a_selector_or_a_mute_fits_nobody(
    days: Make,
) -> None:
    mute = {"match": {"space": "nowhere"}, "owner": "sre", "reason": "moves", "until": "2026-12-31"}
    selectors = [{"org": "*"}, {"space": "nowhere"}]
    world = days("a", configuration={"discover": selectors, "mutes": [mute]})

    def fits_nobody(answer: RunAnswer) -> bool:
        assert answer.report
        body = world.store.objects[answer.report.key]
        warnings = msgspec.json.decode(body, type=WholeReport).plan.warnings
        return "discover[1]: fits no instance of the foundation" in warnings

    assert fits_nobody(world.run())
    assert [one.state for one in world.report.mutes] == [MuteState.UNMATCHED]

    world.foundation.breaks = failed
    assert not fits_nobody(world.run())
    assert [one.state for one in world.report.mutes] == [MuteState.ACTIVE]

    world.foundation.breaks = lambda _, reading: reading
    assert not fits_nobody(world.run(AuditRequest(instance_guids=["a"])))


def test_who_is_listed_after_it_was_excluded_and_is_gone_by_then_keeps_its_name(days: Make) -> None:
    world = days("a", row("b", space="lab"), configuration=excluding(space="lab"))
    world.run()
    world.foundation.rows.pop("b")
    world.configuration = EVERYTHING | {"instances": ["b"]}

    world.run()

    assert world.findings()["b"].name == "name-b"


def test_a_partial_reading_names_no_place_for_the_standing_that_an_instance_had(days: Make) -> None:
    world = days("a", row("b", space="lab"), configuration={"discover": [{"space": "orders"}]})
    world.run()
    world.configuration = excluding(space="lab")
    world.foundation.breaks = partial("a", "b")

    world.run()

    assert (world.fleet["b"].standing, world.fleet["b"].place) == (Standing.UNAUDITED, None)


def test_who_stays_as_it_was_in_the_last_fleet_gets_no_grace_for_it(days: Make) -> None:
    create = Operation("create", "in progress", NOW)
    world = days(row("a", created_at=NOW, last_operation=create))
    world.configuration = excluding(space="lab") | {"defaults": {"grace": "2d"}}
    world.answers["a"] = BackupList(())
    world.run()
    assert world.findings()["a"].verdict is Verdict.IN_GRACE
    world.foundation.rows["a"] = row("a", space="lab", created_at=NOW, last_operation=create)
    world.foundation.breaks = partial("a")

    world.run()

    assert world.findings()["a"].verdict is Verdict.NEVER_BACKED_UP


def test_what_is_to_be_discovered_and_was_never_read_fails_the_run(days: Make) -> None:
    world = days("a", configuration=EVERYTHING | {"instances": ["x"]})
    world.foundation.breaks = failed

    with pytest.raises(InventoryUnavailable, match="no run before has left a fleet"):
        world.run()

    assert world.asked == []
    world.foundation.breaks = lambda _, reading: reading
    assert world.run(days=0).complete, "a retry plans anew"


def test_a_partial_reading_is_no_fleet_to_begin_with(days: Make) -> None:
    world = days("a", "b")
    world.foundation.breaks = partial("a")

    with pytest.raises(InventoryUnavailable, match=rf"partial: {WHY}"):
        world.run()


def test_a_scan_is_enough_to_begin_with_though_the_listed_could_not_be_looked_up(
    days: Make,
) -> None:
    world = days("a", configuration=EVERYTHING | {"instances": ["x"]})
    world.foundation.breaks = no_look_up

    world.run()

    assert sorted(world.findings()) == ["a", "x"]
    assert (world.inventory.read, world.inventory.read_at) == ("partial", None)
    assert list(world.fleet) == ["a"]


def test_a_list_by_hand_needs_no_inventory(days: Make) -> None:
    world = days("a", "b", configuration={"instances": ["a"]})
    world.foundation.breaks = failed

    answer = world.run()

    assert answer.complete
    assert (world.inventory.read, world.inventory.read_at) == ("failed", None)
    [warning, *_] = world.report.plan.warnings
    assert warning.endswith("no last fleet is known")


def test_a_fleet_of_listed_instances_alone_is_none_to_discover_from(days: Make) -> None:
    world = days("a", "b", configuration={"instances": ["a"]})
    world.foundation.breaks = failed
    world.run()
    world.configuration = EVERYTHING

    with pytest.raises(InventoryUnavailable):
        world.run()


# ── The last fleet ────────────────────────────────────────────────────────────────────────────────


def cut(body: bytes) -> bytes:
    return body[:-10]


def edited(body: bytes) -> bytes:
    return body.replace(b"name-b", b"name-x")


def gone(_: bytes) -> None:
    return None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "fleet.jsonl is damaged ("),
        (edited, "fleet.jsonl is not what its manifest says: "),
        (gone, "fleet.jsonl is gone: "),
    ],
)
def test_a_last_fleet_that_cannot_be_read_is_none_and_a_warning(
    days: Make, damage: Callable[[bytes], bytes | None], said: str
) -> None:
    world = days("a", "b", "c")
    world.run()
    damaged = damage(world.store.objects.pop(world.fleet_key))
    if damaged is not None:
        world.store.objects[world.fleet_key] = damaged
    world.foundation.rows.pop("b")

    world.run()

    assert sorted(world.findings()) == ["a", "c"]
    assert world.inventory.vanished is None
    [warning] = [one for one in world.report.plan.warnings if said in one]
    assert warning.endswith("this run's fleet is compared with none")
    assert warning in world.telemetry.warnings


def test_a_damaged_manifest_vouches_for_no_fleet(days: Make) -> None:
    world = days("a")
    world.run()
    world.store.objects[world.latest.manifest_key] = b"{}"

    world.run()

    assert world.inventory.vanished is None
    assert any("manifest.json is damaged" in one for one in world.report.plan.warnings)


class _Breaks(InMemoryStore):
    """An S3 that cannot read the fleet just now."""

    def lines(self, key: str) -> Any:  # noqa: ANN401
        if "/reports/" in key and key.endswith("fleet.jsonl"):
            raise ReportStoreFailed(f"s3://{self.bucket}/{key} could not be read: SlowDown")
        return super().lines(key)


def test_a_last_fleet_that_cannot_be_read_just_now_fails_the_run(days: Make) -> None:
    world = days("a")
    world.run()
    broken = _Breaks()
    broken.objects = world.store.objects
    world.store = broken
    before = {key for key in broken.objects if "/reports/" in key}

    with pytest.raises(ReportStoreFailed, match="SlowDown"):
        world.run()

    assert {key for key in broken.objects if "/reports/" in key} == before


def test_a_manifest_of_a_newer_version_fails_the_run(days: Make) -> None:
    world = days("a")
    world.run()
    key = world.latest.manifest_key
    body = world.store.objects[key]
    world.store.objects[key] = body.replace(b'"schema_version": 1', b'"schema_version": 2', 1)

    with pytest.raises(ReportStoreFailed, match=r"manifest.json is of schema_version 2"):
        world.run()


def test_a_report_of_a_version_that_kept_no_fleet_is_a_first_one(days: Make) -> None:
    world = days("a", "b")
    world.run()
    key = world.latest.manifest_key
    manifest = json.loads(world.store.objects[key])
    manifest["objects"] = [
        one for one in manifest["objects"] if not one["key"].endswith("fleet.jsonl")
    ]
    world.store.objects[key] = json.dumps(manifest).encode()

    world.run()

    assert (world.inventory.appeared, world.inventory.vanished) == (None, None)
    assert not any("fleet" in one for one in world.report.plan.warnings)


def test_the_manifest_counts_the_instances_of_the_fleet(days: Make) -> None:
    world = days("a", "b", row("c", space="lab"), configuration=excluding(space="lab"))
    world.run()

    manifest = json.loads(world.store.objects[world.latest.manifest_key])

    [kept] = [one for one in manifest["objects"] if one["key"] == world.fleet_key]
    assert kept["rows"] == 3
    assert kept["bytes"] == len(world.store.objects[world.fleet_key])


# ── Whatever the list gives ───────────────────────────────────────────────────────────────────────

NAMES = [f"guid-{number:02}" for number in range(14)]
some = st.sets(st.sampled_from(NAMES))
a_day = st.tuples(
    some,  # are there
    some,  # of them, hidden from the list, though they can be looked up
    st.sampled_from(["complete", "failed", "partial", "no look-up"]),
    some,  # read before a partial reading broke off
    some,  # of a broker that answers for none
    some,  # are in a space that is excluded
)


@given(st.lists(a_day, min_size=2, max_size=6), some, st.booleans())
def test_whatever_the_list_gives_each_is_reported_once_and_no_living_one_is_called_gone(
    history: list[tuple[set[str], set[str], str, set[str], set[str], set[str]]],
    listed: set[str],
    mapped: bool,  # noqa: FBT001
) -> None:
    configuration = excluding(space="lab") | {"instances": [*sorted(listed), "always"]}
    world = Days([row("always")], configuration, mapped=mapped)
    world.run()
    audited_before: set[str] = {"always"}
    for there, hidden, read, were_read, broken, lab in history:
        rows = [row(one, space="lab" if one in lab else "orders") for one in there]
        world.foundation.rows = {one.guid: one for one in [*rows, row("always")]}
        world.foundation.hidden = hidden
        world.answers = dict.fromkeys(broken, BROKEN)
        world.foundation.breaks = {
            "complete": lambda _, reading: reading,
            "failed": failed,
            "partial": partial(*were_read),
            "no look-up": no_look_up,
        }[read]

        answer = world.run()

        found = world.findings()
        inventory, living = world.inventory, there | {"always"}
        assert len(found) == sum(answer.counts.values()) == world.report.plan.instances
        assert listed <= set(found)
        gone = {one.guid for one in inventory.vanished or [] if one.how is Departure.GONE}
        assert not gone & living
        assert not gone & set(found)
        left = {one.guid for one in inventory.vanished or []}
        if inventory.read is Read.COMPLETE:
            seen = (living - hidden) | (audited_before & living)
            assert {one for one in seen if one not in lab} <= set(found) | left
            assert audited_before <= set(found) | left
        elif read != "no look-up":
            assert {one for one in audited_before if one not in lab} <= set(found)
        audited_before = {
            guid for guid, one in world.fleet.items() if one.standing is Standing.AUDITED
        }


# ── Explained ─────────────────────────────────────────────────────────────────────────────────────

A_GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"


def standings(answer: Explained) -> dict[str, Standing]:
    return {one.guid: one.standing for one in answer.instances}


@pytest.mark.parametrize(
    ("asked", "calls", "found"),
    [
        (A_GUID, [("look_up", (A_GUID,))], {A_GUID: "audited"}),
        ("listed", [("look_up", ("listed",))], {"listed": "audited"}),
        (
            "orders-db",
            [("look_up", ("listed",)), ("named", ("orders-db",))],
            {"listed": "audited", "b": "audited", "c": "excluded"},
        ),
        ("cache", [("named", ("cache",))], {"d": "audited"}),
        ("Cache", [("named", ("Cache",))], {}),
    ],
)
def test_an_instance_is_explained_by_guid_or_by_any_name_it_has(
    asked: str, calls: list[tuple[str, tuple[str, ...]]], found: dict[str, str]
) -> None:
    rows = [
        row(A_GUID),
        row("b", name="orders-db"),
        row("c", name="orders-db", space="lab"),
        row("d", name="cache"),
    ]
    listed = {"instances": [{"guid": "listed", "name": "orders-db"}]}
    world = Days(rows, excluding(space="lab") | listed)

    answer = world.audit().explain(asked)

    assert world.foundation.calls == calls
    assert standings(answer) == found
    assert answer.found == len(found)
    assert world.store.objects == {}
    assert world.notifier.messages == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nobody", "our client sees no instance of this name: "),
        (A_GUID, "our client sees no such instance in the foundation"),
    ],
)
def test_what_the_client_does_not_see_is_said(asked: str, said: str) -> None:
    answer = Days([row("a")]).audit().explain(asked)

    assert answer.said
    assert answer.said.startswith(said)


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        ("a", {"a": "audited"}, "what it knows of the instance is missing here"),
        ("orders-db", {"b": "audited"}, "what it knows of the instance is missing here"),
        (A_GUID, {}, "it is not known whether the instance is audited"),
        ("nobody", {}, "it is not known whether the instance is audited"),
    ],
)
def test_where_the_foundation_cannot_be_asked_only_what_is_listed_is_explained(
    asked: str, found: dict[str, str], said: str
) -> None:
    listed = {"instances": ["a", {"guid": "b", "name": "orders-db"}]}
    world = Days([row("a"), row(A_GUID)], listed)
    world.foundation.breaks = failed

    answer = world.audit().explain(asked)

    assert standings(answer) == found
    assert answer.found == len(found)
    assert (answer.read, answer.why) == ("failed", WHY)
    assert answer.said == f"the foundation could not be asked: {said}"


@pytest.mark.parametrize("call", ["look_up", "named"])
def test_an_explanation_says_that_one_of_two_questions_got_no_answer(call: str) -> None:
    listed = {"instances": [{"guid": "listed", "name": "orders-db"}]}
    world = Days([row("listed"), row("b", name="orders-db")], EVERYTHING | listed)
    world.foundation.breaks = lambda asked, reading: (
        failed(asked, reading) if asked == call else reading
    )

    answer = world.audit().explain("orders-db")

    assert [asked for asked, _ in world.foundation.calls] == ["look_up", "named"]
    assert (answer.read, answer.why) == ("failed", WHY)
    assert answer.said
    assert answer.said.startswith("the foundation could not be asked: ")
    assert "listed" in standings(answer)


@pytest.mark.parametrize("asked", [A_GUID, "orders-db"])
def test_an_explanation_knows_the_labels_of_the_instance(asked: str) -> None:
    labelled = row(A_GUID, name="orders-db", labels={"backup-audit.max-age": "4h"})
    self_service = {"self_service": {"max_age": {"at_most": "7d"}}}

    [found] = Days([labelled], EVERYTHING | self_service).audit().explain(asked).instances

    max_age = found.demands[0].in_force
    assert max_age
    assert (max_age.place, max_age.value) == ("label backup-audit.max-age", "4h")


@pytest.mark.parametrize(
    ("days_left", "standing"), [(-1, "audited"), (0, "excluded"), (1, "excluded")]
)
def test_an_explanation_is_one_of_today(days_left: int, standing: str) -> None:
    configuration = excluding(space="orders")
    configuration["exclude"][0]["until"] = f"{NOW + days_left * DAY:%Y-%m-%d}"

    answer = Days([row(A_GUID)], configuration).audit().explain(A_GUID)

    assert standings(answer) == {A_GUID: standing}


@pytest.mark.parametrize(("spaces", "explained"), [(99, 99), (100, 100), (101, 100)])
def test_of_a_name_in_very_many_spaces_a_hundred_are_explained(spaces: int, explained: int) -> None:
    world = Days(row(guid, name="db", space=guid) for guid in guids(spaces))

    answer = world.audit().explain("db")

    assert (answer.found, len(answer.instances)) == (spaces, explained)
    assert (answer.said is None) is (spaces == explained)
