"""Selectors: anchored globs, all keys of one, and many of them at once."""

import fnmatch
from collections.abc import Sequence
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.labels import requirements
from backup_audit.fleet.selectors import (
    NAMES,
    Names,
    Selector,
    Selectors,
    fits_all,
    glob_fits,
    globs_of,
    indexes,
    why_fits,
)


def row(**more: Any) -> ServiceInstance:  # noqa: ANN401
    known: dict[str, Any] = {
        "guid": "a",
        "name": "orders-db",
        "org": "prod-eu",
        "space": "payments",
        "offering": "p.mysql",
        "plan": "db-gold-small",
    }
    return ServiceInstance(**known | more)


def fits(selector: Selector, of: ServiceInstance | None) -> bool:
    return Selectors([selector]).fitting(of) == 1


@pytest.mark.parametrize(
    ("glob", "fitting", "others"),
    [
        ("prod", ["prod"], ["", "prod-eu", "a-prod", "Prod", "PROD", "prod\n"]),
        ("prod-*", ["prod-", "prod-eu", "prod-\n"], ["prod", "a-prod-eu", "Prod-eu"]),
        ("*logs", ["logs", "my-logs"], ["logs2", "my-logs-eu"]),
        ("*logs*", ["logs", "my-logs-eu"], ["log", "LOGS"]),
        ("db-?", ["db-1", "db-x", "db-é", "db-\n"], ["db-", "db-12"]),
        ("a*b*c", ["abc", "axbyc", "abbcc", "abcbc"], ["ac", "acb", "abcd"]),
        ("*", ["", "anything", "\n", "*"], []),
        ("**", ["", "anything"], []),
        ("?*", ["a", "ab"], [""]),
        ("system", ["system"], ["systems", "my-system"]),
        ("p.mysql", ["p.mysql"], ["p-mysql", "pxmysql"]),
        ("a[bc]", ["a[bc]"], ["ab"]),
        ("^a$", ["^a$"], ["a"]),
        ("a|b", ["a|b"], ["a", "b"]),
        ("\\d", ["\\d"], ["1"]),
        ("(?i)a", ["(xi)a"], ["A", "(i)a"]),
    ],
)
def test_a_glob_fits_the_whole_name_and_nothing_else(
    glob: str, fitting: Sequence[str], others: Sequence[str]
) -> None:
    for name in (*fitting, *others):
        assert glob_fits(glob, name) is (name in fitting)
        assert fits(Selector(org=glob), row(org=name)) is (name in fitting)


names = st.text(st.sampled_from("ab*?[]!\n."), max_size=8)


@given(names.filter(bool), names)
@example("*a*b*", "ba\nab")
def test_a_glob_is_that_of_the_shell_without_brackets(glob: str, name: str) -> None:
    expected = fnmatch.fnmatchcase(name, glob.replace("[", "[[]"))

    assert glob_fits(glob, name) is expected
    assert fits(Selector(name=glob), row(name=name)) is expected


def test_a_hostile_name_starts_no_search() -> None:
    assert not glob_fits("*a" * 60 + "*b", "a" * 255), "or it would go on for years"


@pytest.mark.parametrize("key", ["org", "space", "offering", "plan", "name"])
def test_a_name_that_is_not_known_is_fitted_by_a_star_alone(key: str) -> None:
    unknown = row(**{key: None})

    def fits_unknown(*globs: str) -> bool:
        return fits(msgspec.convert({key: globs}, Selector), unknown)

    assert fits_unknown("*")
    assert fits_unknown("x", "**")
    assert not fits_unknown("?*")
    assert not fits_unknown("None", "a*")


def test_of_an_instance_without_a_row_nothing_is_known() -> None:
    assert fits(Selector(org="*"), None)
    assert not fits(Selector(org="prod-*"), None)
    assert not fits(Selector(labels="!legacy"), None)
    assert not fits(Selector(org="*", labels="tier!=x"), None)
    assert fits(Selector(labels="!legacy"), row())


def test_every_key_must_fit_and_of_a_list_one_glob() -> None:
    selector = Selector(org=["lab-*", "prod-*"], space="pay*", labels="tier=gold")
    of = row(labels={"tier": "gold"})

    assert fits(selector, of)
    assert not fits(selector, row(org="test", labels={"tier": "gold"}))
    assert not fits(selector, row(space="x", labels={"tier": "gold"}))
    assert not fits(selector, row(labels={"tier": "silver"}))
    assert why_fits(selector, of) == "org prod-*, space pay*, labels tier=gold"


@pytest.mark.parametrize(
    ("selector", "every"),
    [
        (Selector(org="*"), True),
        (Selector(org=["a", "*"], space="**"), True),
        (Selector(org="*", space="a"), False),
        (Selector(org="?*"), False),
        (Selector(org="*", labels="a"), False),
    ],
)
def test_what_fits_every_instance_is_known(selector: Selector, *, every: bool) -> None:
    assert fits_all(selector) is every


selectors = st.builds(
    Selector,
    org=st.none() | st.sampled_from(["*", "prod-*", "prod-eu", "lab"]),
    space=st.none() | st.lists(st.sampled_from(["pay*", "pay?", "x", "*"]), min_size=1),
    name=st.none() | st.sampled_from(["*-db", "orders-db", "o*s-*b", "?"]),
    labels=st.none()
    | st.sampled_from(
        ["tier=gold", "tier", "!tier", "tier!=gold", "tier in (gold,x),env", "tier=x,tier=gold"]
    ),
)
rows = st.builds(
    row,
    org=st.sampled_from(["prod-eu", "lab", None]),
    space=st.sampled_from(["payments", "pay1", "x", None]),
    name=st.sampled_from(["orders-db", "-db", "x"]),
    labels=st.dictionaries(st.sampled_from(["tier", "env"]), st.sampled_from(["gold", "x"])),
)


def reads(selector: Selector | None, of: ServiceInstance | None) -> bool:
    """Whether a selector fits, one key after the other."""
    if selector is None:
        return False
    known = of if of is not None else ServiceInstance(guid="")
    for key in NAMES:
        globs = globs_of(selector, key)
        if globs and not any(glob_fits(glob, getattr(known, key)) for glob in globs):
            return False
    if selector.labels is None:
        return True
    return of is not None and all(
        one.holds(of.labels.get(one.key)) for one in requirements(selector.labels)
    )


@given(st.lists(st.none() | selectors, max_size=8), st.lists(st.none() | rows, max_size=6))
def test_many_at_once_fit_as_each_reads_however_often_they_are_asked(
    many: list[Selector | None], asked: list[ServiceInstance | None]
) -> None:
    together = Selectors(many)

    for of in [*asked, *asked]:
        alone = [at for at, one in enumerate(many) if reads(one, of)]
        assert list(indexes(together.fitting(of))) == alone


@pytest.mark.parametrize(
    ("text", "gold", "other", "without"),
    [
        ("tier", True, True, False),
        ("!tier", False, False, True),
        ("tier=gold", True, False, False),
        ("tier!=gold", False, True, True),
        ("tier in (gold,x)", True, False, False),
        ("tier notin (gold,x)", False, True, True),
        ("tier=gold,tier=silver", False, False, False),
        ("tier in (gold,silver),tier!=silver", True, False, False),
        ("tier!=gold,tier!=silver", False, False, True),
        ("tier,!tier", False, False, False),
        ("tier,tier!=gold", False, True, False),
        ("!tier,tier!=gold", False, False, True),
    ],
)
def test_requirements_of_one_label_hold_together(
    text: str, *, gold: bool, other: bool, without: bool
) -> None:
    selector = Selector(labels=text)

    assert fits(selector, row(labels={"tier": "gold"})) is gold
    assert fits(selector, row(labels={"tier": "silver"})) is other
    assert fits(selector, row(labels={"env": "gold"})) is without


FORMS = ["tier", "!tier", "tier=gold", "tier!=gold", "tier in (gold,x)", "tier notin (gold,x)"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_selectors_about_one_label_fit_each_for_itself(count: int) -> None:
    asked = [row(labels=labels) for labels in ({"tier": "gold"}, {"tier": "x"}, {"tier": "y"}, {})]

    for texts in product([*FORMS, "env!=x"], repeat=count):
        many = [Selector(labels=text) for text in texts]
        for of in asked:
            alone = [at for at, one in enumerate(many) if reads(one, of)]
            assert list(indexes(Selectors(many).fitting(of))) == alone, texts


def test_what_is_remembered_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backup_audit.fleet.selectors._REMEMBERED_MAX", 2)
    names = Names({1: ["*7"], 2: ["n*"]}, everyone=7)

    found = [names[f"n{number}"] for number in range(20)]

    assert found == [7 if number % 10 == 7 else 6 for number in range(20)]
    assert len(names) == 2


def test_the_labels_that_are_compared_are_known() -> None:
    assert Selectors(
        [Selector(labels="a,!b"), None, Selector(org="*"), Selector(labels="c in (d),a=1")]
    ).label_keys == {"a", "b", "c"}


def test_a_selector_has_its_globs_in_order() -> None:
    selector = Selector(org=["b", "a"], plan="c")

    assert [globs_of(selector, key) for key in ("org", "plan", "name")] == [("b", "a"), ("c",), ()]
