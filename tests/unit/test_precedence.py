"""Which place decides: against a naive reading of the rules, for any configuration and order."""

import fnmatch
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.configuration import Instance, parse_configuration
from backup_audit.fleet.explain import explained
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.selection import Selection
from backup_audit.plan import policy_digest
from backup_audit.text import parse_duration
from tests.doubles.builders import NOW

DEMANDS = ("max_age", "min_backups", "grace", "owner")
BUILT_IN = {"max_age": "26h", "min_backups": 1, "grace": "0h"}

_Document = dict[str, Any]


def naive_fits(selector: _Document, row: _Document) -> bool:
    for key in ("org", "space", "plan"):
        globs = selector.get(key, row[key])
        globs = globs if isinstance(globs, list) else [globs]
        if key in selector and not any(fnmatch.fnmatchcase(row[key], glob) for glob in globs):
            return False
    key, _, value = selector.get("labels", "").partition("=")
    return not key or row["labels"].get(key) == value


def naive(document: _Document, row: _Document, event: str | None) -> dict[str, tuple[Any, str]]:
    """What is in force and where it is stated, by reading the document from the top."""
    places: list[tuple[str, _Document]] = [("event", {"max_age": event} if event else {})]
    for index, entry in enumerate(document.get("instances", [])):
        if entry["guid"] == row["guid"]:
            places.append((f"instances[{index}]", entry))
    if "self_service" in document:
        for demand in DEMANDS:
            label = f"backup-audit.{demand.replace('_', '-')}"
            if demand in document["self_service"] and label in row["labels"]:
                text = row["labels"][label]
                value = int(text) if demand == "min_backups" else text
                places.append((f"label {label}", {demand: value}))
    for index, rule in enumerate(document.get("rules", [])):
        if naive_fits(rule["match"], row) and not (
            "unless" in rule and naive_fits(rule["unless"], row)
        ):
            places.append((f"rules[{index}]", rule))
    places += [("defaults", document.get("defaults", {})), ("built-in", BUILT_IN)]
    return {
        demand: next(
            ((stated[demand], place) for place, stated in places if demand in stated),
            (None, "nobody"),
        )
        for demand in DEMANDS
    }


def carried(instance: Instance) -> dict[str, tuple[Any, str]]:
    """What the instance of a run carries; who owns it has no source there."""
    policy = instance.policy
    return {
        "max_age": (policy.max_age_seconds, policy.max_age_source),
        "min_backups": (policy.min_backups, policy.min_backups_source),
        "grace": (policy.grace_seconds, policy.grace_source),
        "owner": (instance.owner, ""),
    }


def in_seconds(found: dict[str, tuple[Any, str]]) -> dict[str, tuple[Any, str]]:
    return {
        demand: (
            parse_duration(value) if demand in ("max_age", "grace") else value,
            "" if demand == "owner" else place,
        )
        for demand, (value, place) in found.items()
    }


stated = st.fixed_dictionaries(
    {},
    optional={
        "max_age": st.sampled_from(["1h", "2h", "3h"]),
        "min_backups": st.integers(1, 3),
        "grace": st.sampled_from(["0h", "1h"]),
        "owner": st.sampled_from(["sre", "dba"]),
    },
)
selectors = st.fixed_dictionaries(
    {},
    optional={
        "org": st.sampled_from(["*", "prod-*", "lab", ["lab", "prod-eu"]]),
        "space": st.sampled_from(["pay*", "x", "*"]),
        "plan": st.sampled_from(["gold", "g*"]),
        "labels": st.sampled_from(["tier=gold", "env=prod"]),
    },
).filter(bool)
rules = st.builds(
    lambda match, unless, demands: {"match": match} | unless | demands,
    selectors,
    st.fixed_dictionaries({}, optional={"unless": selectors}),
    stated.filter(bool),
)
bounds: dict[str, Any] = {"max_age": {}, "min_backups": {}, "grace": {}, "owner": ["*"]}
documents = st.fixed_dictionaries(
    {"discover": st.just([{"org": "*"}])},
    optional={
        "instances": st.builds(lambda demands: [{"guid": "b"}, {"guid": "a"} | demands], stated),
        "rules": st.lists(rules, max_size=5),
        "defaults": stated,
        "self_service": st.sets(st.sampled_from(DEMANDS)).map(
            lambda keys: {key: bounds[key] for key in keys}
        ),
    },
)
labels = st.fixed_dictionaries(
    {},
    optional={
        "tier": st.sampled_from(["gold", "x"]),
        "env": st.just("prod"),
        "backup-audit.max-age": st.just("9h"),
        "backup-audit.min-backups": st.just("9"),
        "backup-audit.grace": st.just("8h"),
        "backup-audit.owner": st.just("team"),
    },
)
rows = st.fixed_dictionaries(
    {
        "guid": st.just("a"),
        "org": st.sampled_from(["prod-eu", "lab"]),
        "space": st.sampled_from(["payments", "x"]),
        "plan": st.sampled_from(["gold", "silver"]),
        "labels": labels,
    }
)


@given(documents, rows, st.none() | st.just("5h"))
def test_a_run_and_its_explanation_decide_as_the_rules_read(
    document: _Document, row: _Document, event: str | None
) -> None:
    configuration = parse_configuration(json.dumps(document).encode(), "test")
    chosen, of = Selection(configuration, NOW.date(), max_age=event), ServiceInstance(**row)

    instance = chosen.decide("a", of, is_fresh=True).instance
    explanation = explained(chosen, "a", of)

    expected = naive(document, row, event)
    assert instance is not None
    assert carried(instance) == in_seconds(expected)
    said = {one.demand: one.in_force for one in explanation.demands}
    assert {
        demand: (None, "nobody") if one is None else (one.value, one.place)
        for demand, one in said.items()
    } == expected
    deciding = {place for _, place in expected.values()}
    assert [one.decided for one in chosen.rule_uses()] == [
        int(one.rule in deciding) for one in chosen.rule_uses()
    ]


RULES = (
    {"match": {"org": "*"}, "max_age": "8h", "owner": "platform"},
    {"match": {"space": "pay*"}, "min_backups": 7, "owner": "payments"},
    {"match": {"plan": "gold"}, "unless": {"labels": "tier=gold"}, "max_age": "4h", "grace": "1d"},
    {"match": {"labels": "env=prod"}, "max_age": "6h", "min_backups": 2},
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(RULES)))), ids=str)
def test_in_every_order_of_the_rules_the_explanation_names_what_the_instance_carries(
    order: tuple[int, ...],
) -> None:
    rules = [RULES[at] for at in order]
    document = {"discover": [{"org": "*"}], "rules": rules}
    configuration = parse_configuration(json.dumps(document).encode(), "test")
    chosen = Selection(configuration, NOW.date())
    of = ServiceInstance(
        guid="a", org="prod-eu", space="payments", plan="gold", labels={"env": "prod"}
    )

    instance = chosen.decide("a", of, is_fresh=True).instance
    explanation = explained(chosen, "a", of)

    assert instance is not None
    policy = instance.policy
    said = {one.demand: one.in_force for one in explanation.demands}
    for demand, source, value in (
        ("max_age", policy.max_age_source, policy.max_age_seconds),
        ("min_backups", policy.min_backups_source, policy.min_backups),
        ("grace", policy.grace_source, policy.grace_seconds),
    ):
        one = said[demand]
        assert one is not None
        assert one.place == source
        stated_value = one.value if isinstance(one.value, int) else parse_duration(one.value)
        assert stated_value == value
    owner = said["owner"]
    assert owner is not None
    assert owner.value == instance.owner
    assert rules[int(owner.place.removeprefix("rules[")[:-1])]["owner"] == instance.owner


_DAY = 24 * 3600
GIVEN = [
    ("6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01", "", "", 26 * 3600, "defaults", 2, "defaults", _DAY),
    ("b", "orders-db", "team-orders", 4 * 3600, "instances[1]", 2, "defaults", _DAY),
    ("c", "", "", 26 * 3600, "defaults", 7, "instances[2]", 0),
]
DIGEST = "15d70ab76ae4e5ffba66bd6d62fe6c0bb610f4bf1d95eb6a706c88068ac710c5"


def test_documents_of_before_give_the_plan_and_the_digest_that_they_gave() -> None:
    document = {
        "schema_version": 1,
        "defaults": {"max_age": "26h", "min_backups": 2, "grace": "24h"},
        "instances": [
            "6F1C0A52-3B1E-4C5F-9A57-0D2F6C1B8E01",
            {"guid": "b", "name": "orders-db", "max_age": "4h", "owner": "team-orders"},
            {"guid": "c", "min_backups": 7, "grace": "0h"},
        ],
    }
    chosen = Selection(parse_configuration(json.dumps(document).encode(), "test"), NOW.date())

    found = [
        chosen.decide(guid, None, is_fresh=True).instance
        for guid in ("6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01", "b", "c")
    ]
    instances = [one for one in found if one is not None]

    # Written down when a configuration had only a list and defaults.
    assert [
        (
            one.guid,
            one.name or "",
            one.owner or "",
            one.policy.max_age_seconds,
            one.policy.max_age_source,
            one.policy.min_backups,
            one.policy.min_backups_source,
            one.policy.grace_seconds,
        )
        for one in instances
    ] == GIVEN
    assert [one.policy.grace_source for one in instances] == [
        "defaults",
        "defaults",
        "instances[2]",
    ]
    assert policy_digest(instances) == DIGEST
