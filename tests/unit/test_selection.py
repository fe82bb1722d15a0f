"""Which instances are audited, what a run counts of it, and what it warns of."""

import ast
import cProfile
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.configuration import Configuration, Instance, parse_configuration
from backup_audit.fleet.inventory import MANAGED, USER_PROVIDED, Operation, ServiceInstance
from backup_audit.fleet.mutes import MuteState
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.fleet.selection import (
    Decision,
    ExcludeState,
    Selection,
    Standing,
)
from backup_audit.fleet.selectors import Selector
from tests.doubles.builders import NOW

TODAY = NOW.date()
UNAUDITED = Decision(Standing.UNAUDITED, None)


def document(**parts: Any) -> Configuration:  # noqa: ANN401
    return parse_configuration(json.dumps(parts).encode(), "test")


def selection(today: date = TODAY, max_age: str | None = None, **parts: Any) -> Selection:  # noqa: ANN401
    return Selection(document(**parts), today, max_age=max_age)


def row(guid: str = "a", **more: Any) -> ServiceInstance:  # noqa: ANN401
    known: dict[str, Any] = {"guid": guid, "name": "db", "org": "prod-eu", "space": "payments"}
    return ServiceInstance(**known | more)


def excluded(until: str = "never", **match: str) -> dict[str, Any]:
    return {"match": match, "owner": "sre", "reason": "torn down weekly", "until": until}


def muted(until: str = "2027-01-01", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"owner": "dba", "reason": "CHG-4711", "until": until} | more


def decided(chosen: Selection, of: ServiceInstance | None, guid: str = "a") -> Decision:
    return chosen.decide(guid, of, is_fresh=True)


def audited(chosen: Selection, of: ServiceInstance | None, guid: str = "a") -> Instance:
    instance = decided(chosen, of, guid).instance
    assert instance is not None
    return instance


# ── Standing ──────────────────────────────────────────────────────────────────────────────────────


def test_what_is_listed_is_audited_whatever_else_is_said_of_it() -> None:
    chosen = selection(
        instances=["x", "a"], exclude=[excluded(org="*")], self_service={"skip": {"at_most": "9d"}}
    )

    for of in (row(), row(type=USER_PROVIDED), None):
        found = decided(chosen, of)
        assert (found.standing, found.place) == (Standing.AUDITED, "instances[1]")


def test_the_first_selector_that_fits_is_the_place_of_what_is_discovered() -> None:
    chosen = selection(discover=[{"org": "lab"}, {"org": "prod-*"}, {"space": "pay*"}])

    assert decided(chosen, row()).place == "discover[1]"
    assert decided(chosen, row(org="lab")).place == "discover[0]"
    assert decided(chosen, row(org="x", space="x")) == UNAUDITED
    assert decided(chosen, None) == UNAUDITED


def test_a_user_provided_instance_is_not_discovered_and_not_excluded() -> None:
    chosen = selection(discover=[{"org": "*"}], exclude=[excluded(org="*")])

    assert decided(chosen, row(type=USER_PROVIDED)) == UNAUDITED
    assert [one.instances for one in chosen.exclude_uses()] == [0]


def test_an_exclude_takes_out_what_is_discovered_and_what_nobody_would_audit() -> None:
    chosen = selection(instances=["x"], exclude=[excluded(org="lab"), excluded(org="prod-*")])

    assert decided(chosen, row()) == Decision(Standing.EXCLUDED, "exclude[1]")
    assert decided(chosen, row(org="test")) == UNAUDITED


@pytest.mark.parametrize(
    ("until", "standing"),
    [
        ("2026-01-30", Standing.AUDITED),
        ("2026-01-31", Standing.EXCLUDED),
        ("2026-02-01", Standing.EXCLUDED),
        ("never", Standing.EXCLUDED),
    ],
)
def test_an_exclude_holds_through_its_last_day(until: str, standing: Standing) -> None:
    chosen = selection(discover=[{"org": "*"}], exclude=[excluded(until, org="prod-*")])

    assert decided(chosen, row()).standing is standing


@pytest.mark.parametrize(
    ("until", "standing"),
    [
        ("2026-01-30", Standing.AUDITED),
        ("2026-01-31", Standing.EXCLUDED),
        ("2026-02-01", Standing.EXCLUDED),
        ("2027-02-01", Standing.AUDITED),  # beyond at_most
    ],
)
def test_a_label_skips_what_is_discovered_through_its_last_day(
    until: str, standing: Standing
) -> None:
    chosen = selection(discover=[{"org": "*"}], self_service={"skip": {"at_most": "9d"}})

    found = decided(chosen, row(labels={"backup-audit.skip-until": until}))

    assert found.standing is standing
    if standing is Standing.EXCLUDED:
        assert found.place == "label backup-audit.skip-until"


@pytest.mark.parametrize(
    ("until", "note"),
    [
        ("2026-01-30", '"2026-01-30" is ignored: it is over'),
        ("2026-01-31", "is ignored: instances[0] lists the instance"),
        ("2026-02-01", "is ignored: instances[0] lists the instance"),
    ],
)
def test_a_label_does_not_skip_what_is_listed_and_the_finding_says_so(
    until: str, note: str
) -> None:
    chosen = selection(instances=["a"], self_service={"skip": {"at_most": "9d"}})

    instance = audited(chosen, row(labels={"backup-audit.skip-until": until}))

    assert instance.policy_notes == (f"label backup-audit.skip-until {note}",)


def test_without_self_service_no_label_skips() -> None:
    chosen = selection(discover=[{"org": "*"}], self_service={"owner": ["*"]})

    instance = audited(chosen, row(labels={"backup-audit.skip-until": "2026-02-01"}))

    assert instance.policy_notes == (
        'label backup-audit.skip-until "2026-02-01" is ignored: self_service does not have skip',
    )
    labels = {"backup-audit.skip-until": "2026-02-01"}
    assert audited(selection(discover=[{"org": "*"}]), row(labels=labels)).policy_notes == ()


def test_what_the_event_asks_for_is_audited_configured_or_not() -> None:
    chosen = selection(
        instances=[{"guid": "b", "min_backups": 7, "name": "orders-db"}],
        exclude=[excluded(org="*")],
        max_age="2h",
    )

    strange = chosen.decide("a", row(type=USER_PROVIDED), is_fresh=True, asked=True)
    configured = chosen.decide("b", None, is_fresh=True, asked=True)

    assert (strange.standing, strange.place) == (Standing.AUDITED, "event")
    assert configured.place == "event"
    assert configured.instance is not None
    policy = configured.instance.policy
    assert (policy.max_age_seconds, policy.max_age_source) == (7200, "event")
    assert (policy.min_backups, policy.min_backups_source) == (7, "instances[0]")
    assert configured.instance.name == "orders-db"


# ── The instance ──────────────────────────────────────────────────────────────────────────────────


def test_an_instance_has_what_the_inventory_says_of_it() -> None:
    under_way = Operation("update", "in progress", NOW)
    of = row(offering="p.mysql", plan="gold", created_at=NOW, last_operation=under_way)

    instance = audited(selection(instances=[{"guid": "a", "owner": "team-orders"}]), of)

    assert instance == Instance(
        "a",
        BUILT_IN,
        "db",
        "team-orders",
        type=MANAGED,
        org="prod-eu",
        space="payments",
        offering="p.mysql",
        plan="gold",
        created_at=NOW,
        operation=under_way,
    )


def test_of_an_instance_without_a_row_there_is_what_is_configured() -> None:
    entry = {"guid": "a", "name": "orders", "owner": "team-orders", "min_backups": 7}

    instance = audited(selection(instances=[entry]), None)

    policy = instance.policy
    assert instance == Instance("a", policy, "orders", "team-orders")
    assert (policy.min_backups, policy.min_backups_source) == (7, "instances[0]")


def test_a_configured_name_wins() -> None:
    chosen = selection(instances=[{"guid": "a", "name": "orders"}, "b"])

    assert audited(chosen, row()).name == "orders"
    assert audited(chosen, row("b"), "b").name == "db"
    assert audited(chosen, None, "b").name is None


def test_what_this_run_did_not_read_softens_nothing() -> None:
    of = row(created_at=NOW, last_operation=Operation("create", "in progress"), space="lab")
    chosen = selection(instances=["a"], rules=[{"match": {"space": "lab"}, "max_age": "9h"}])

    instance = chosen.decide("a", of, is_fresh=False).instance

    assert instance is not None
    assert (instance.created_at, instance.operation) == (None, None)
    assert (instance.space, instance.policy.max_age_source) == ("lab", "rules[0]")


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_an_operation_that_is_over_is_left_out(state: str) -> None:
    of = row(last_operation=Operation("create", state))

    assert audited(selection(instances=["a"]), of).operation is None


def test_instances_for_which_the_same_is_stated_share_their_policy() -> None:
    chosen = selection(
        instances=["listed", "labelled", {"guid": "by-an-entry", "name": "db"}],
        discover=[{"org": "*"}],
        rules=[{"match": {"space": "lab"}, "max_age": "9h"}],
        self_service={"max_age": {}},
    )
    rows = [row(str(number), space="lab" if number % 2 else "prod") for number in range(8)]
    rows += [row(str(number), labels={"backup-audit.max-age": "4h"}) for number in range(8, 12)]
    rows += [row("listed", space="lab"), row("by-an-entry", space="prod")]
    rows += [row("labelled", labels={"backup-audit.max-age": "4h"})]

    policies = {id(audited(chosen, of, of.guid).policy) for of in rows}

    assert len(policies) == 3


def test_what_is_shared_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backup_audit.fleet.matching._SHARED_MAX", 1)
    rules = [{"match": {"space": f"s{number}"}, "max_age": f"{number}h"} for number in range(1, 5)]
    chosen = selection(discover=[{"org": "*"}], rules=rules)

    ages = [audited(chosen, row(space=f"s{number % 5}")).policy.max_age for number in range(10)]

    assert ages == [timedelta(hours=number % 5 or 26) for number in range(10)]


def test_only_labels_that_something_reads_are_wanted() -> None:
    parts: dict[str, Any] = {
        "discover": [{"labels": "a=1"}],
        "exclude": [excluded(labels="!b")],
        "rules": [{"match": {"labels": "c"}, "unless": {"labels": "d in (x)"}, "max_age": "1h"}],
        "mutes": [muted(match={"labels": "e!=1"})],
    }
    own = {f"backup-audit.{key}" for key in ("max-age", "min-backups", "grace", "owner", "*")}

    assert selection(instances=["a"]).label_keys == set()
    assert selection(**parts).label_keys == {"a", "b", "c", "d", "e"}
    with_own = selection(**parts, self_service={}).label_keys
    assert with_own == {"a", "b", "c", "d", "e", "backup-audit.skip-until", *own}


@pytest.mark.parametrize(
    ("guid", "of", "owner"),
    [
        ("a", {}, "of-the-entry"),
        ("a", {"org": "prod-eu", "labels": {"backup-audit.owner": "x"}}, "of-the-entry"),
        ("b", {"labels": {"backup-audit.owner": "of-the-label"}}, "of-the-label"),
        ("b", {"org": "prod-eu"}, "of-the-rule"),
        ("b", {"org": "lab"}, "of-the-defaults"),
        ("b", {"type": USER_PROVIDED, "org": "prod-eu"}, "of-the-rule"),
    ],
)
def test_an_instance_has_an_owner_audited_or_not(guid: str, of: dict[str, Any], owner: str) -> None:
    chosen = selection(
        instances=[{"guid": "a", "owner": "of-the-entry"}],
        rules=[{"match": {"org": "prod-*"}, "owner": "of-the-rule"}],
        self_service={"owner": ["*"]},
        defaults={"owner": "of-the-defaults"},
    )

    assert chosen.owner_of(row(guid, **of)) == owner
    assert {one.matched for one in chosen.rule_uses()} == {0}


@pytest.mark.parametrize(
    ("of", "until"),
    [
        ({"org": "over"}, None),
        ({"org": "today"}, "2026-01-31"),
        ({"org": "later"}, "2026-02-01"),
        ({"org": "x", "space": "lab"}, "never"),
        ({"org": "later", "space": "lab"}, "2026-02-01"),
        ({"org": "x", "labels": {"backup-audit.skip-until": "2026-02-02"}}, "2026-02-02"),
        ({"org": "today", "labels": {"backup-audit.skip-until": "2026-02-02"}}, "2026-01-31"),
        ({"org": "x"}, None),
    ],
)
def test_the_last_day_of_what_takes_an_instance_out_is_known(
    of: dict[str, str], until: str | None
) -> None:
    chosen = selection(
        discover=[{"org": "*"}],
        exclude=[
            excluded("2026-01-30", org="over"),
            excluded("2026-01-31", org="today"),
            excluded("2026-02-01", org="later"),
            excluded(space="lab"),
        ],
        self_service={"skip": {"at_most": "9d"}},
    )

    assert chosen.excluded_until(row(**of)) == until


# ── Mutes ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_mute_is_for_its_guid_or_for_all_that_it_fits() -> None:
    chosen = selection(
        discover=[{"org": "*"}], mutes=[muted(match={"space": "pay*"}), muted(guid="b")]
    )

    by_match, by_guid = decided(chosen, row()).mute, decided(chosen, row("b"), "b").mute

    assert by_match is not None
    assert by_match.guid is None
    assert by_guid is not None
    assert by_guid.guid == "b", "that of the GUID comes first"
    assert decided(chosen, row("c", space="x"), "c").mute is None


def test_of_several_mutes_the_first_in_force_holds() -> None:
    mutes = [
        muted("2026-01-30", guid="a"),
        muted("2026-01-30", match={"org": "*"}),
        muted("2026-01-31", match={"org": "*"}, reason="first in force"),
        muted("2026-02-09", match={"org": "*"}),
    ]

    mute = decided(selection(instances=["a"], mutes=mutes), row()).mute

    assert mute is not None
    assert mute.reason == "first in force"


def test_what_is_not_audited_has_no_mute() -> None:
    chosen = selection(instances=["b"], mutes=[muted(match={"org": "*"})])

    assert decided(chosen, row()).mute is None
    assert chosen.mute_records(is_whole=True)[0].state is MuteState.UNMATCHED


@pytest.mark.parametrize(
    ("until", "holds"), [("2026-01-30", False), ("2026-01-31", True), ("2026-02-01", True)]
)
def test_a_mute_holds_through_its_last_day(until: str, *, holds: bool) -> None:
    chosen = selection(instances=["a"], mutes=[muted(until, guid="a")])

    assert (decided(chosen, None).mute is not None) is holds
    [record] = chosen.mute_records(is_whole=True)
    assert record.state is (MuteState.ENDING if holds else MuteState.EXPIRED)
    assert record.instances == holds
    assert (record.guid, record.owner, record.reason) == ("a", "dba", "CHG-4711")
    assert (record.until.isoformat(), record.match) == (until, None)


def test_a_mute_of_many_is_recorded_with_what_it_fits() -> None:
    chosen = selection(discover=[{"org": "*"}], mutes=[muted(match={"space": ["pay*", "x"]})])
    decided(chosen, row())

    [record] = chosen.mute_records(is_whole=True)

    assert (record.guid, record.match) == (None, Selector(space=["pay*", "x"]))
    assert (record.owner, record.reason, record.state) == ("dba", "CHG-4711", MuteState.ACTIVE)


def test_a_mute_of_an_instance_that_is_not_audited_is_seen() -> None:
    mutes = [muted(guid="gone"), muted("2020-01-01", guid="gone-too"), muted(match={"org": "x"})]
    chosen = selection(instances=["a"], mutes=mutes)
    decided(chosen, row())

    states = [record.state for record in chosen.mute_records(is_whole=True)]

    assert states == [MuteState.UNMATCHED] * 3


def test_of_a_part_of_the_instances_only_what_cannot_match_is_unmatched() -> None:
    mutes = [muted(guid="a"), muted(guid="gone"), muted(match={"org": "x"})]

    listed = selection(instances=["a"], mutes=mutes).mute_records(is_whole=False)
    discovered = selection(discover=[{"org": "*"}], mutes=mutes).mute_records(is_whole=False)

    assert [record.state for record in listed] == [
        MuteState.ACTIVE,
        MuteState.UNMATCHED,
        MuteState.ACTIVE,
    ]
    assert {record.state for record in discovered} == {MuteState.ACTIVE}


@pytest.mark.parametrize(
    ("until", "state"),
    [
        ("2026-01-30", MuteState.EXPIRED),
        ("2026-01-31", MuteState.ENDING),
        ("2026-02-01", MuteState.ENDING),
        ("2026-02-06", MuteState.ENDING),
        ("2026-02-07", MuteState.ENDING),
        ("2026-02-08", MuteState.ACTIVE),
    ],
)
def test_a_mute_is_ending_in_the_week_before_its_end(until: str, state: MuteState) -> None:
    chosen = selection(instances=["a"], mutes=[muted(until, guid="a")])
    decided(chosen, None)

    assert chosen.mute_records(is_whole=True)[0].state is state


def test_a_mute_that_ends_soon_and_is_for_nothing_is_unmatched() -> None:
    chosen = selection(instances=["a"], mutes=[muted("2026-02-01", guid="gone")])
    decided(chosen, None)

    assert chosen.mute_records(is_whole=True)[0].state is MuteState.UNMATCHED


def test_each_mute_counts_the_audited_instances_that_it_is_in_force_for() -> None:
    mutes = [
        muted(guid="a"),
        muted(match={"org": "*"}),
        muted("2026-01-30", match={"org": "*"}),
        muted(match={"org": "x"}),
    ]
    chosen = selection(instances=["a", "b"], mutes=mutes)
    for guid in ("a", "b", "c"):  # nobody audits the last
        decided(chosen, row(guid), guid)

    assert [one.instances for one in chosen.mute_records(is_whole=True)] == [1, 2, 0, 0]


def freed(problems: set[str] | None, *mutes: dict[str, Any]) -> list[int | None]:
    """What each of these mutes says of problems, where the instances a and b are audited."""
    configured = document(instances=["a", "b"], mutes=mutes)
    chosen = Selection(configured, TODAY, problems=problems)
    for guid in ("a", "b"):
        decided(chosen, row(guid), guid)
    return [one.problems for one in chosen.mute_records(is_whole=True)]


@pytest.mark.parametrize(
    ("until", "problems"),
    [
        ("2026-01-23", None),
        ("2026-01-24", 1),
        ("2026-01-25", 1),
        ("2026-01-30", 1),
        ("2026-01-31", None),
        ("2026-02-01", None),
    ],
)
def test_a_mute_says_in_the_week_after_its_end_what_is_notified_again(
    until: str, problems: int | None
) -> None:
    assert freed({"a", "gone"}, muted(until, match={"org": "*"})) == [problems]


def test_what_another_mute_holds_is_not_notified_again() -> None:
    over, holding = muted("2026-01-30", match={"org": "*"}), muted(guid="b")

    assert freed({"a", "b"}, over) == [2]
    assert freed({"a", "b"}, over, holding) == [1, None]
    assert freed({"b"}, over, holding) == [0, None]


def test_two_mutes_that_ended_both_say_what_is_notified_again() -> None:
    over = muted("2026-01-30", match={"org": "*"})

    assert freed({"a"}, over, muted("2026-01-29", guid="a")) == [1, 1]


def test_a_run_that_is_compared_with_nothing_does_not_say_what_is_notified_again() -> None:
    assert freed(None, muted("2026-01-30", match={"org": "*"})) == [None]


_ENDS_OF_OTHERS = {
    "src/backup_audit/fleet/configuration.py",  # an exclude says itself whether it is in force
    "src/backup_audit/notify/fleet_news.py",  # an exclude without an end
    "src/backup_audit/probe/http.py",  # seconds of a clock
    "src/backup_audit/probe/session.py",
}


def test_only_the_mute_itself_compares_its_end_with_a_day() -> None:
    comparing = {
        str(path)
        for path in Path("src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare | ast.BinOp)
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and part.attr == "until"
    }

    assert comparing - _ENDS_OF_OTHERS == {"src/backup_audit/fleet/mutes.py"}


# ── Counts and warnings ───────────────────────────────────────────────────────────────────────────


def test_excludes_are_counted_with_their_state() -> None:
    chosen = selection(
        discover=[{"org": "*"}],
        exclude=[
            excluded(org="lab-*"),
            excluded(org="lab-1"),
            excluded("2026-01-30", org="prod-*"),
            excluded("2026-02-28", org="none"),
        ],
        self_service={"skip": {"at_most": "9d"}},
    )
    for number in range(3):
        decided(chosen, row(str(number), org=f"lab-{number}"), str(number))
    decided(chosen, row("x"), "x")
    decided(chosen, row("y", labels={"backup-audit.skip-until": "2026-02-01"}), "y")

    uses = chosen.exclude_uses()

    assert [(one.rule, one.state, one.instances) for one in uses] == [
        ("exclude[0]", ExcludeState.ACTIVE, 3),
        ("exclude[1]", ExcludeState.ACTIVE, 0),  # the first takes an instance out
        ("exclude[2]", ExcludeState.EXPIRED, 0),
        ("exclude[3]", ExcludeState.UNMATCHED, 0),
        ("label backup-audit.skip-until", ExcludeState.ACTIVE, 1),
    ]
    assert (uses[0].owner, uses[0].reason, uses[0].until) == ("sre", "torn down weekly", "never")
    assert (uses[4].owner, uses[4].reason, uses[4].until) == (None, None, None)


def test_labels_that_may_not_skip_are_no_exclude() -> None:
    assert selection(discover=[{"org": "*"}], self_service={}).exclude_uses() == []
    [use] = selection(
        discover=[{"org": "*"}], self_service={"skip": {"at_most": "1d"}}
    ).exclude_uses()
    assert use.state is ExcludeState.UNMATCHED


RULES = [
    {"match": {"space": "pay*"}, "max_age": "9h", "owner": "pay", "name": "payments"},
    {"match": {"org": "prod-*"}, "max_age": "8h"},
    {"match": {"org": "*"}, "unless": {"space": "lab"}, "max_age": "7h", "grace": "1d"},
    {"match": {"org": "none"}, "max_age": "6h"},
]


def test_rules_are_counted_by_what_they_fit_and_what_they_decide() -> None:
    chosen = selection(discover=[{"org": "*"}], rules=RULES)
    for number, (org, space) in enumerate(
        [("prod-eu", "payments"), ("test", "payments"), ("test", "lab"), ("test", "x")] * 2
    ):
        decided(chosen, row(str(number), org=org, space=space), str(number))
    decided(chosen, row("u", type=USER_PROVIDED), "u")

    uses = [(one.rule, one.name, one.matched, one.decided) for one in chosen.rule_uses()]

    assert uses == [
        ("rules[0]", "payments", 4, 4),
        ("rules[1]", None, 2, 0),
        ("rules[2]", None, 6, 6),
        ("rules[3]", None, 0, 0),
    ]
    assert chosen.warnings() == (
        'rules[1]: decides nothing: shadowed by rules[0] "payments"',
        "rules[3]: fits no audited instance",
    )


def test_only_rules_that_state_the_same_shadow_another() -> None:
    rules = [
        {"match": {"org": "*"}, "owner": "o"},
        {"match": {"space": "a"}, "max_age": "1h"},
        {"match": {"space": "b"}, "max_age": "2h", "min_backups": 2},
        {"match": {"org": "prod-*"}, "max_age": "3h"},
    ]
    chosen = selection(discover=[{"org": "*"}], rules=rules)
    decided(chosen, row(space="a"))
    decided(chosen, row("b", space="b"), "b")

    assert chosen.warnings() == ("rules[3]: decides nothing: shadowed by rules[1], rules[2]",)


def test_a_rule_that_entries_or_labels_shadow_is_said_so() -> None:
    chosen = selection(
        instances=[{"guid": "a", "max_age": "4h"}],
        rules=[{"match": {"org": "*"}, "max_age": "8h"}],
    )
    decided(chosen, row())

    assert chosen.warnings() == ("rules[0]: decides nothing: instances or labels decide",)


def test_what_fits_nothing_is_warned_of_in_the_order_of_the_keys() -> None:
    chosen = selection(
        instances=["a", "b"],
        discover=[{"org": "prod-*"}, {"org": "none"}],
        exclude=[
            excluded(space="lab"),
            excluded(org="none"),
            excluded(space="pay*"),
            excluded("2026-01-30", org="none"),
            excluded("2026-01-30", org="prod-*"),
        ],
        mutes=[muted(guid="c"), muted(match={"org": "none"}), muted(match={"org": "*"})],
    )
    decided(chosen, row("x", space="lab"), "x")
    decided(chosen, row())
    decided(chosen, row("b", space="x"), "b")

    assert chosen.warnings() == (
        "discover[1]: fits no instance of the foundation",
        "exclude[1]: fits no instance of the foundation",
        "exclude[3]: fits no instance of the foundation",
        "mutes[0]: is for no audited instance",
        "mutes[1]: is for no audited instance",
        "instances[0]: is listed, so it is audited, though exclude[2] fits",
    )


def test_of_a_list_by_hand_a_mute_is_doubted_before_the_inventory_is_read() -> None:
    chosen = selection(instances=["a"], mutes=[muted(guid="gone")])
    decided(chosen, row())

    assert chosen.warnings() == ()


def test_thousands_of_entries_that_an_exclude_names_too_are_one_warning() -> None:
    guids = [f"guid-{number}" for number in range(3_000)]
    chosen = selection(instances=guids, exclude=[excluded(org="*")])
    for guid in guids:
        decided(chosen, row(guid), guid)

    [warning] = chosen.warnings()

    assert warning.startswith("3,000 × instances[]: is listed, so it is audited, ")  # noqa: RUF001
    assert warning.endswith("though exclude[0] fits, first at instances[0]")


def calls_to_decide(count: int) -> int:
    """How many functions are called to decide for so many instances that share nothing."""
    guids = [f"guid-{number}" for number in range(count)]
    chosen = selection(
        instances=[{"guid": guid, "max_age": f"{at + 1}h"} for at, guid in enumerate(guids)],
        discover=[{"org": "*"}],
        exclude=[excluded(org="*")],
        rules=RULES,
        self_service={"max_age": {}, "owner": ["*"]},
        mutes=[muted(guid=guid) for guid in guids],
    )
    profile = cProfile.Profile()
    with profile:
        for guid in guids:
            labels = {"backup-audit.owner": guid, "env": guid}
            of = row(guid, name=guid, org=guid, space=guid, labels=labels)
            decided(chosen, of, guid)
            decided(chosen, msgspec.structs.replace(of, guid="x"), f"{guid}-discovered")
        chosen.warnings()
        chosen.mute_records(is_whole=True)
    return sum(entry.callcount for entry in profile.getstats())


def test_deciding_is_linear_whatever_is_listed_muted_and_labelled() -> None:
    assert calls_to_decide(1_200) < 2.2 * calls_to_decide(600)


def test_names_of_tenants_are_in_no_warning() -> None:
    hostile = row(name="\x1b[2J", org="\u202eprod", space="a\nb")
    chosen = selection(discover=[{"org": "*"}], exclude=[excluded(org="none")])

    assert audited(chosen, hostile).org == "\u202eprod"
    assert all(warning.isprintable() for warning in chosen.warnings())


def test_what_the_event_states_makes_no_rule_idle() -> None:
    rules = [
        {"match": {"org": "*"}, "max_age": "8h"},
        {"match": {"org": "*"}, "max_age": "7h", "owner": "o"},
        {"match": {"org": "prod-*"}, "owner": "p"},
        {"match": {"org": "none"}, "max_age": "7h"},
    ]
    chosen = selection(discover=[{"org": "*"}], rules=rules, max_age="2h")
    decided(chosen, row())

    assert chosen.warnings() == (
        "rules[2]: decides nothing: shadowed by rules[1]",
        "rules[3]: fits no audited instance",
    )


def test_where_only_the_listed_are_read_nothing_is_known_of_the_foundation() -> None:
    parts: dict[str, Any] = {
        "instances": ["a"],
        "exclude": [excluded(org="none")],
        "rules": [{"match": {"org": "none"}, "max_age": "1h"}],
    }
    for inventory, known in ((None, ["exclude[0]", "rules[0]"]), ("listed", ["rules[0]"])):
        chosen = selection(**parts, inventory=inventory)
        decided(chosen, row())

        assert [one.partition(":")[0] for one in chosen.warnings()] == known


@pytest.mark.parametrize(
    ("place", "of"),
    [
        ("exclude[1]", row(space="lab")),
        (
            "label backup-audit.skip-until",
            row(labels={"backup-audit.skip-until": "2026-02-01"}),
        ),
        (None, row()),
        (None, row(org="nobody", space="lab", type=USER_PROVIDED)),
        (None, None),
    ],
)
def test_what_is_asked_for_and_ordinarily_excluded_is_noted(
    place: str | None, of: ServiceInstance | None
) -> None:
    chosen = selection(
        instances=["listed"],
        discover=[{"org": "*"}],
        exclude=[excluded(org="none"), excluded(space="lab")],
        self_service={"skip": {"at_most": "9d"}},
    )

    asked = chosen.decide("a", of, is_fresh=True, asked=True).instance
    listed = chosen.decide("listed", row(space="lab"), is_fresh=True, asked=True).instance

    assert asked is not None
    assert listed is not None
    assert asked.policy_notes == (() if place is None else (f"ordinarily excluded by {place}",))
    assert listed.policy_notes == ()


def test_labels_that_selectors_read_are_not_strange_ones() -> None:
    chosen = selection(
        discover=[{"labels": "backup-audit.audit=yes"}], self_service={"owner": ["*"]}
    )
    labels = {"backup-audit.audit": "yes", "backup-audit.owner": "o", "backup-audit.maxage": "4h"}

    [note] = audited(chosen, row(labels=labels)).policy_notes

    assert note.startswith('label backup-audit.maxage "4h" is ignored: it is no label of ours')


def test_ignored_labels_are_one_warning_of_each_kind_with_the_first_instance() -> None:
    chosen = selection(
        instances=["a", "b"],
        discover=[{"org": "*"}],
        self_service={"max_age": {"at_most": "7d"}, "skip": {"at_most": "9d"}},
    )
    late, skip = {"backup-audit.max-age": "30d"}, {"backup-audit.skip-until": "2026-02-01"}
    for guid in ("a", "b"):
        decided(chosen, row(guid, labels=skip), guid)
    decided(chosen, row("c", labels=late | {"backup-audit.x": "1"}, name="\x1b\ndb"), "c")
    for number in range(2_000):
        days = {"backup-audit.max-age": f"{number + 31}d", f"backup-audit.x{number}": "1"}
        decided(chosen, row(f"d{number}", labels=days), f"d{number}")

    warnings = chosen.warnings()

    assert warnings == (
        (
            "2 labels are ignored, first on db (a): label backup-audit.skip-until is ignored: "
            "instances[0] lists the instance"
        ),
        (
            '2,001 labels are ignored, first on db (c): label backup-audit.max-age "30d" is '
            "ignored: it is more than 7d"
        ),
        (
            '2,001 labels are ignored, first on db (c): label backup-audit.x "1" is ignored: it is '
            "no label of ours, which are max-age, min-backups, grace, owner, skip-until"
        ),
    )


def test_one_ignored_label_is_one_warning() -> None:
    chosen = selection(discover=[{"org": "*"}], self_service={})
    decided(chosen, row(labels={"backup-audit.grace": "1h"}))

    assert chosen.warnings() == (
        (
            '1 label is ignored, on db (a): label backup-audit.grace "1h" is ignored: self_service '
            "does not have grace"
        ),
    )


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "discover[0]"),
        (4, "discover[0], discover[1], discover[2], discover[3]"),
        (5, "discover[0], discover[1], discover[2], discover[3], discover[4]"),
        (6, "discover[0], discover[1], discover[2], discover[3], discover[4] and 1 more"),
        (7, "discover[0], discover[1], discover[2], discover[3], discover[4] and 2 more"),
        (1_000, "discover[0], discover[1], discover[2], discover[3], discover[4] and 995 more"),
    ],
)
def test_of_selectors_that_fit_none_five_are_named(count: int, named: str) -> None:
    chosen = selection(discover=[{"org": f"o-{number}"} for number in range(count)])
    decided(chosen, row())

    assert chosen.why_empty() == f"{named} {'fits' if count == 1 else 'fit'} none"


def test_what_leaves_no_instance_is_said_whether_it_fits_none_or_takes_out() -> None:
    chosen = selection(
        discover=[{"org": "none"}, {"org": "prod-*"}],
        exclude=[excluded(space="none"), excluded(space="pay*"), excluded(space="lab")],
        self_service={"skip": {"at_most": "9d"}},
    )
    for number in range(1_001):
        decided(chosen, row(str(number)), str(number))
    decided(chosen, row("x", space="lab"), "x")
    skips = {"backup-audit.skip-until": "2026-02-01"}
    decided(chosen, row("y", space="y", labels=skips), "y")

    assert chosen.why_empty() == (
        "discover[0] fits none; exclude[1] takes out 1,001, exclude[2] takes out 1, "
        "label backup-audit.skip-until takes out 1"
    )


def test_ignored_labels_of_two_kinds_are_two_warnings_whatever_brackets_are_in_the_reasons() -> (
    None
):
    chosen = selection(
        instances=["a", "b"], self_service={"owner": ["team-[1]"], "skip": {"at_most": "9d"}}
    )
    for guid in ("a", "b"):
        labels = {"backup-audit.owner": "x", "backup-audit.skip-until": "2026-02-01"}
        decided(chosen, row(guid, labels=labels), guid)

    assert [warning.rpartition(" is ignored: ")[2] for warning in chosen.warnings()] == [
        "it is not one of team-[1]",
        "instances[0] lists the instance",
    ]
    assert all(warning.startswith("2 labels are ignored, ") for warning in chosen.warnings())


def test_what_a_label_says_makes_no_warning_of_its_own() -> None:
    chosen = selection(discover=[{"org": "*"}], self_service={})
    for text in ("x", "y", "1 is ignored: 2", "1 is ignored: 3", " is ignored: "):
        decided(chosen, row(labels={"backup-audit.grace": text}))

    [warning] = chosen.warnings()

    assert warning.startswith('5 labels are ignored, first on db (a): label backup-audit.grace "x"')
