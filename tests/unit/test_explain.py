"""Explanations: why an instance is audited, or not, and what a person at a shell reads of it."""

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.explain import Explanation, explained
from backup_audit.fleet.inventory import USER_PROVIDED, ServiceInstance
from backup_audit.fleet.selection import Selection, Standing
from backup_audit_cli.explain import text_of

TODAY = date(2026, 11, 26)
GUID = "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55"
DOCUMENT: dict[str, Any] = {
    "defaults": {"max_age": "26h", "owner": "platform"},
    "discover": [{"org": "*"}],
    "exclude": [
        {"match": {"org": "system"}, "owner": "sre", "reason": "tiles", "until": "never"},
        {"match": {"org": "prod-*"}, "owner": "sre", "reason": "moves", "until": "2026-10-01"},
    ],
    "rules": [
        {"name": "sandboxes", "match": {"space": "sandbox*"}, "max_age": "8d"},
        {"name": "gold", "match": {"plan": "db-gold-*"}, "max_age": "6h", "min_backups": 7},
        {"match": {"org": "prod-*", "space": "payments"}, "owner": "team-payments"},
    ],
    "self_service": {
        "max_age": {"at_least": "1h", "at_most": "7d"},
        "owner": ["team-*"],
        "skip": {"at_most": "90d"},
    },
    "mutes": [
        {"guid": GUID, "owner": "dba", "reason": "old", "until": "2026-11-25"},
        {"match": {"org": "prod-us"}, "owner": "dba", "reason": "CHG-1", "until": "2026-11-27"},
    ],
}


def row(**more: Any) -> ServiceInstance:  # noqa: ANN401
    known: dict[str, Any] = {
        "guid": GUID,
        "name": "orders-db",
        "org": "prod-eu",
        "space": "payments",
        "offering": "p.mysql",
        "plan": "db-gold-small",
        "created_at": datetime(2024, 2, 11, 23, 30, tzinfo=UTC),
    }
    return ServiceInstance(**known | more)


def explanation(of: ServiceInstance | None, **parts: Any) -> Explanation:  # noqa: ANN401
    document = json.dumps(DOCUMENT | parts).encode()
    return explained(Selection(parse_configuration(document, "test"), TODAY), GUID, of)


def text(of: ServiceInstance | None, **parts: Any) -> list[str]:  # noqa: ANN401
    return list(text_of(explanation(of, **parts)))


def test_each_demand_is_said_with_its_place_and_what_would_be_without_it() -> None:
    assert text(row(labels={"backup-audit.max-age": "4h"})) == [
        (
            f"orders-db ({GUID})  prod-eu / payments · p.mysql db-gold-small · "
            "created 2024-02-11 · in the foundation now"
        ),
        "audited      discover[0]: org * fits; excluded by none (exclude[1] ended 2026-10-01)",
        (
            "max_age      4h   label backup-audit.max-age, within 1h..7d   "
            '(else rules[1] "gold" 6h, defaults 26h)'
        ),
        'min_backups  7    rules[1] "gold": plan db-gold-* fits',
        "grace        0h   built-in",
        (
            "owner        team-payments   rules[2]: org prod-*, space payments fits   "
            "(else defaults platform)"
        ),
        "muted        no (mutes[0] ended 2026-11-25)",
    ]


def test_the_event_is_named_if_it_states_something() -> None:
    configuration = parse_configuration(json.dumps(DOCUMENT).encode(), "test")

    found = explained(Selection(configuration, TODAY, max_age="2h"), GUID, row())

    assert [one.in_force and one.in_force.place for one in found.demands] == [
        "event",
        "rules[1]",
        "built-in",
        "rules[2]",
    ]


def test_what_is_excluded_has_the_exclude_and_no_demands() -> None:
    head, line = text(row(org="system"))

    assert head.startswith("orders-db")
    assert line == 'excluded     exclude[0]: org system fits · "tiles", sre · until never'
    assert explanation(row(org="system")).demands == []
    assert explanation(row(org="system")).mutes == []
    assert len(explanation(row()).mutes) == 1


def test_a_label_that_skips_is_an_exclude() -> None:
    label = {"backup-audit.skip-until": "2026-12-01"}

    assert text(row(org="x", labels=label))[1] == (
        "excluded     label backup-audit.skip-until · until 2026-12-01"
    )
    over = text(row(org="x", labels={"backup-audit.skip-until": "2026-11-25"}))[1]
    assert over == (
        "audited      discover[0]: org * fits; excluded by none "
        "(label backup-audit.skip-until ended 2026-11-25)"
    )


@pytest.mark.parametrize(
    ("until", "is_over"), [("2026-11-25", True), ("2026-11-26", False), ("2026-11-27", False)]
)
def test_what_excludes_is_over_after_its_last_day(until: str, *, is_over: bool) -> None:
    exclude = DOCUMENT["exclude"][1] | {"until": until}
    skip = {"backup-audit.skip-until": until}

    found = explanation(row(labels=skip), exclude=[exclude])

    assert [(one.place, one.until, one.is_over) for one in found.excludes] == [
        ("exclude[0]", until, is_over),
        ("label backup-audit.skip-until", until, is_over),
    ]
    assert found.standing is (Standing.AUDITED if is_over else Standing.EXCLUDED)


@pytest.mark.parametrize(
    ("until", "is_over"), [("2026-11-25", True), ("2026-11-26", False), ("2026-11-27", False)]
)
def test_a_mute_is_over_after_its_last_day(until: str, *, is_over: bool) -> None:
    [mute] = explanation(row(), mutes=[DOCUMENT["mutes"][0] | {"until": until}]).mutes

    assert (mute.until.isoformat(), mute.is_over) == (until, is_over)


def test_what_nobody_audits_is_said_with_what_ended() -> None:
    unaudited = text(row(), discover=[{"org": "lab"}])[1]

    assert unaudited == ("unaudited    neither listed nor discovered (exclude[1] ended 2026-10-01)")
    assert text(row(type=USER_PROVIDED, offering=None, plan=None)) == [
        (
            f"orders-db ({GUID})  prod-eu / payments · user-provided · created 2024-02-11 · "
            "in the foundation now"
        ),
        "unaudited    user-provided: only what is listed is audited of those",
    ]


def test_what_is_listed_is_audited_though_an_exclude_fits() -> None:
    entry = {"guid": GUID, "name": "orders", "min_backups": 3}

    head, line, *_ = text(row(org="system"), instances=[entry])

    assert head.startswith(f"orders ({GUID})")
    assert line == "audited      instances[0], though exclude[0] fits"
    assert explanation(row(), instances=[entry]).why is None
    assert explanation(row(org="system")).why is None
    assert text(row(org="x"), instances=[entry])[1] == (
        "audited      instances[0]; excluded by none"
    )


def test_what_is_listed_and_not_there_is_said_to_be_missing() -> None:
    assert text(None, instances=[GUID], defaults=None, exclude=None) == [
        f"{GUID}  our client sees no such instance in the foundation",
        "audited      instances[0]; excluded by none",
        "max_age      26h   built-in",
        "min_backups  1     built-in",
        "grace        0h    built-in",
        "owner        nobody",
        "muted        no (mutes[0] ended 2026-11-25)",
    ]


def test_where_the_foundation_was_not_asked_nothing_is_said_to_be_missing() -> None:
    head = next(text_of(explanation(None, instances=[GUID]), was_asked=False))

    assert head == f"{GUID}  not known: the foundation could not be asked"


def test_the_mute_in_force_is_said() -> None:
    assert text(row(org="prod-us"))[-1] == (
        'muted        mutes[1]: "CHG-1", dba · until 2026-11-27'
    )
    [active, over] = explanation(row(org="prod-us")).mutes
    assert (active.place, active.is_over) == ("mutes[1]", False)
    assert (over.place, over.is_over) == ("mutes[0]", True)


def test_ignored_labels_are_said() -> None:
    assert text(row(labels={"backup-audit.max-age": "30d"}))[-1] == (
        'note         label backup-audit.max-age "30d" is ignored: it is more than 7d'
    )


def test_names_that_our_client_may_not_see_are_question_marks() -> None:
    head = text(row(org=None, space=None, offering=None, plan=None, created_at=None))[0]

    assert head == f"orders-db ({GUID})  ? / ? · managed · in the foundation now"


@pytest.mark.parametrize("hostile", ["\x1b[2Jname", "a\nb", "\u202ename", "x" * 5000, "a\r\n  b"])
def test_hostile_names_steer_no_terminal(hostile: str) -> None:
    lines = text(row(name=hostile, org=hostile, space=hostile, offering=hostile, plan=hostile))

    assert all(line.isprintable() for line in lines)
    assert all(len(line) < 2_000 for line in lines)
    assert len(lines) == len(text(row(space="x", plan="x", org="x")))


def test_an_explanation_is_a_document() -> None:
    document = msgspec.to_builtins(explanation(row()))

    assert document["standing"] == "audited"
    assert document["demands"][0] == {
        "demand": "max_age",
        "in_force": {
            "place": "rules[1]",
            "rule": "gold",
            "value": "6h",
            "why": "plan db-gold-* fits",
        },
        "else": [{"place": "defaults", "rule": None, "value": "26h", "why": None}],
    }
    assert msgspec.convert(document, Explanation) == explanation(row())


def test_to_explain_counts_nothing() -> None:
    selection = Selection(parse_configuration(json.dumps(DOCUMENT).encode(), "test"), TODAY)

    found = explained(selection, GUID, row())

    assert found.standing is Standing.AUDITED
    assert {one.matched for one in selection.rule_uses()} == {0}
