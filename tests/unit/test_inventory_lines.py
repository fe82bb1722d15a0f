"""What `make run` says of the inventory: how it was read, who is not audited, who left."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.selection import ExcludeState, ExcludeUse, RuleUse
from backup_audit.judge.finding import Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.report.drift import (
    Departed,
    Departure,
    InventoryRecord,
    Unaudited,
    UnauditedInstance,
)
from tests.doubles.builders import departed
from tools.local_cloud.inventory_lines import inventory_lines

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def record(**special: Any) -> InventoryRecord:  # noqa: ANN401
    usual: dict[str, Any] = {
        "read": Read.COMPLETE,
        "why": None,
        "read_at": NOON,
        "requests": 3,
        "sees": Sees.ALL,
        "managed": 201,
        "user_provided": 1,
        "appeared": 0,
        "vanished": [],
        "vanished_count": 0,
        "left": [],
        "lost": 0,
        "unaudited": Unaudited(count=0, new=0, by_offering={}, instances=[]),
        "excluded": [],
        "rules": [],
    }
    return InventoryRecord(**{**usual, **special})


def unaudited(name: str | None, *, is_new: bool) -> UnauditedInstance:
    return UnauditedInstance(
        guid="0a-guid",
        name=name,
        org="lab",
        space=None,
        offering="postgres",
        plan="db-small",
        is_new=is_new,
    )


def said(**special: Any) -> list[str]:  # noqa: ANN401
    return [line.strip() for line in inventory_lines(record(**special))]


def test_a_complete_inventory_says_how_much_there_is() -> None:
    assert said() == [
        "Inventory read completely · 3 requests · our client sees all",
        "201 managed service instances, 1 user-provided",
        "unaudited: 0",
        "appeared since the last full run: 0",
        "left since the last full run: 0",
    ]


def test_an_inventory_that_was_not_read_claims_nothing() -> None:
    lines = said(
        read=Read.FAILED,
        why="HTTP 503",
        requests=1,
        sees=Sees.UNKNOWN,
        managed=None,
        user_provided=None,
        appeared=None,
        vanished=None,
        vanished_count=None,
        unaudited=None,
    )

    assert lines == [
        "Inventory not read: HTTP 503 · 1 request · what our client may see is not known",
        "unaudited: nobody knows",
    ]


def test_user_provided_instances_may_be_uncounted() -> None:
    assert "201 managed service instances, user-provided ones not counted" in said(
        user_provided=None
    )


def test_the_unaudited_are_counted_by_offering_and_the_new_ones_named() -> None:
    lines = said(
        unaudited=Unaudited(
            count=3,
            new=1,
            by_offering={"postgres": 2, "p.redis": 1},
            instances=[
                unaudited("prototype\n\x1b[31m", is_new=True),
                unaudited(None, is_new=False),
            ],
        )
    )

    assert "unaudited: 3, 1 of them new (postgres 2, p.redis 1)" in lines
    assert "new: prototype [31m (0a-guid) · lab / ? · postgres db-small" in lines
    assert len([line for line in lines if line.startswith("new:")]) == 1


@pytest.mark.parametrize(("new", "rest"), [(19, None), (20, None), (21, 1)])
def test_twenty_new_ones_are_named(new: int, rest: int | None) -> None:
    instances = [unaudited("one", is_new=True)] * new
    lines = said(unaudited=Unaudited(count=new, new=new, by_offering={}, instances=instances))

    assert len([line for line in lines if line.startswith("new:")]) == min(new, 20)
    assert [line for line in lines if "more in report.json" in line] == (
        [f"… and {rest} more in report.json"] if rest else []
    )


def test_who_left_is_named_with_the_problem_that_was_open() -> None:
    def one(name: str, how: Departure, problem: Problem | None) -> Departed:
        return departed("0a-guid", how, None, name=name, open_problem=problem)

    lines = said(
        vanished_count=2,
        vanished=[
            one("one", Departure.DESELECTED, Problem(Verdict.STALE, NOON)),
            one("two", Departure.EXCLUDED, None),
        ],
    )

    assert lines[-3:] == [
        "left since the last full run: 2",
        (
            "one (0a-guid) · prod-eu / payments · p.mysql db-gold-small: nothing selects it any "
            "more; was stale since 2026-01-31"
        ),
        (
            "two (0a-guid) · prod-eu / payments · p.mysql db-gold-small: excluded by exclude[1] "
            "until 2026-03-31; no problem"
        ),
    ]


def test_more_than_twenty_that_left_are_counted() -> None:
    lines = said(vanished_count=21, vanished=[departed()] * 21)

    assert lines[-1] == "… and 1 more in report.json"


def test_a_mass_disappearance_is_said_to_be_a_lost_role() -> None:
    assert "30 disappeared at once: taken for a lost role, all are still audited" in said(lost=30)


@pytest.mark.parametrize(
    ("rule", "reason", "until", "line"),
    [
        (
            "exclude[0]",
            "smoke tests",
            "never",
            "4 excluded by exclude[0] “smoke tests”, until never (active)",
        ),
        (
            "label backup-audit.skip-until",
            None,
            None,
            "4 excluded by label backup-audit.skip-until (active)",
        ),
    ],
)
def test_each_exclude_is_said_with_its_reason_and_end(
    rule: str, reason: str | None, until: str | None, line: str
) -> None:
    use = ExcludeUse(
        rule=rule,
        match=None,
        owner="platform",
        reason=reason,
        until=until,
        state=ExcludeState.ACTIVE,
        instances=4,
    )

    assert said(excluded=[use])[-1] == line


def rule(number: int, matched: int, name: str | None = None) -> RuleUse:
    return RuleUse(
        rule=f"rules[{number}]",
        name=name,
        match={"org": "*"},
        unless=None,
        matched=matched,
        decided=1,
    )


def test_each_rule_is_said_with_what_it_fits_and_decides() -> None:
    lines = said(rules=[rule(0, 12, "gold"), rule(1, 1)])

    assert lines[-2:] == [
        "rules[0] “gold” fits 12 audited instances, and decides for 1",
        "rules[1] fits 1 audited instance, and decides for 1",
    ]


@pytest.mark.parametrize(("count", "last"), [(20, "rules[19]"), (21, "… and 1 more")])
def test_of_many_rules_twenty_are_named(count: int, last: str) -> None:
    lines = said(rules=[rule(number, 2) for number in range(count)])

    assert lines[-1].startswith(last)
