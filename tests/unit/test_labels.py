"""Label selectors: six forms, and what is wrong with one that is none of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.labels import PATTERN, faults_of_labels, requirements

ABSENT = None


def holds(text: str, **labels: str) -> bool:
    return all(one.holds(labels.get(one.key)) for one in requirements(text))


@pytest.mark.parametrize(
    ("text", "with_prod", "with_test", "without"),
    [
        ("env", True, True, False),
        ("!env", False, False, True),
        ("env=prod", True, False, False),
        ("env!=prod", False, True, True),
        ("env in (prod)", True, False, False),
        ("env in (prod,test)", True, True, False),
        ("env notin (prod)", False, True, True),
        ("env notin (prod,test)", False, False, True),
    ],
)
def test_each_form_holds_where_the_cloud_controllers_does(
    text: str, *, with_prod: bool, with_test: bool, without: bool
) -> None:
    assert list(faults_of_labels(text)) == []
    assert holds(text, env="prod") is with_prod
    assert holds(text, env="test") is with_test
    assert holds(text) is without


def test_all_requirements_must_hold() -> None:
    text = "env=prod,tier notin (scratch,test),!legacy"

    assert holds(text, env="prod")
    assert holds(text, env="prod", tier="gold")
    assert not holds(text, env="prod", tier="scratch")
    assert not holds(text, env="prod", legacy="yes")
    assert not holds(text, tier="gold")


def test_contradictions_hold_nowhere() -> None:
    assert not holds("env=prod,env=test", env="prod")
    assert not holds("env,!env", env="prod")
    assert not holds("env,!env")


@pytest.mark.parametrize(
    "text",
    ["env = prod", " env=prod ", "env=prod , tier", "env  in  (prod)", "env in(prod)", "env !=x"],
)
def test_blanks_around_what_is_compared_do_not_matter(text: str) -> None:
    assert list(faults_of_labels(text)) == []
    assert requirements(text)[0].key == "env"


@pytest.mark.parametrize("key", ["a", "A-b_c.9", "example.com/env", "backup-audit.max-age", "in"])
def test_a_key_may_have_a_prefix_and_marks_within(key: str) -> None:
    for text in (key, f"!{key}", f"{key}=v", f"{key} in (v)"):
        assert [one.key for one in requirements(text)] == [key]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("env in prod", ['"env in prod": brackets expected after in']),
        ("env in", ['"env in": brackets expected after in']),
        ("env notin prod", ['"env notin prod": brackets expected after notin']),
        ("env in (prod", ['"env in (prod": a closing bracket expected at the end']),
        ("env in (prod) x", ['"env in (prod) x": a closing bracket expected at the end']),
        ("env in (a, b)", ['"env in (a, b)": no blanks are allowed within brackets']),
        ("env in ()", ['"env in ()": a value expected after in']),
        ("env in (a,)", ['"env in (a,)": a value expected after in']),
        ("! legacy", ['"! legacy": no blank is allowed after !']),
        ("!  a b", ['"! a b": no blank is allowed after !']),
        ("env=", ['"env=": a value expected after =']),
        ("env!=", ['"env!=": a value expected after !=']),
        ("", ['"": a requirement expected, such as env=prod']),
        ("a,,b", ['"": a requirement expected, such as env=prod']),
        ("a,", ['"": a requirement expected, such as env=prod']),
    ],
)
def test_a_fault_names_the_requirement_and_what_is_expected(text: str, faults: list[str]) -> None:
    assert list(faults_of_labels(text)) == faults


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("-x", "-x"),
        ("x-", "x-"),
        ("x" * 64, "x" * 59 + "…"),
        ("backup-audit/max-age", "backup-audit/max-age"),
        ("ä=1", "ä"),
        ("a b", "a b"),
        ("=prod", "=prod"),
        ("!!a", "!a"),
        ("!a=b", "a=b"),
        ("!a in (b)", "!a"),
        ("a\n", "a"),
    ],
)
def test_what_cannot_be_a_key_is_said(text: str, quoted: str) -> None:
    [fault] = faults_of_labels(text)

    assert f'"{quoted}" cannot be a key: those have 1 to 63 letters, digits and - _ .' in fault


@pytest.mark.parametrize("value", ["-x", "x-", "x" * 64, "a b", "a/b", "ä", "=b", "a\n", "(a)"])
def test_what_cannot_be_a_value_is_said(value: str) -> None:
    [fault] = faults_of_labels(f"env={value}")

    assert "cannot be a value: those have 1 to 63 letters, digits and - _ ." in fault
    assert fault.isprintable()


@pytest.mark.parametrize(("count", "is_right"), [(49, True), (50, True), (51, False)])
def test_fifty_requirements_are_the_most(count: int, *, is_right: bool) -> None:
    text = ",".join(f"key-{number}" for number in range(count))

    faults = list(faults_of_labels(text))

    assert faults == ([] if is_right else [f"{count} requirements are too many: 50 at the most"])
    assert bool(re.search(PATTERN, text)) is is_right


def test_every_faulty_requirement_is_said() -> None:
    assert len(list(faults_of_labels("env in prod,ok,-x,tier="))) == 3


def test_a_text_with_faults_is_not_read() -> None:
    with pytest.raises(ValueError, match="brackets expected"):
        requirements("ok,env in prod")


pieces = st.sampled_from(
    ["env", "tier", "a.b/c", "!", "=", "!=", " in ", " notin ", "(", ")", ",", "x", "-", " ", "\n"]
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_the_json_schema_takes_what_the_code_takes(text: str) -> None:
    assert bool(re.search(PATTERN, text)) is (not list(faults_of_labels(text)))


WHITE = ["\t", "\n", "\r", "\x0b", "\u00a0", "\u3000"]


@pytest.mark.parametrize("white", WHITE)
@pytest.mark.parametrize(
    "text",
    ["_a,b", "a_,b", "a,_b", "a,b_", "a_=b", "a=_b", "a in_(b)", "a in _(b)", "a in (b)_,c"],
)
def test_white_space_other_than_blanks_belongs_to_nothing(text: str, white: str) -> None:
    assert list(faults_of_labels(text.replace("_", " "))) == []
    assert len(list(faults_of_labels(text.replace("_", white)))) == 1


@pytest.mark.parametrize("letter", ["A", "X", "Z"])
def test_a_letter_at_an_end_belongs_to_the_key_or_the_value(letter: str) -> None:
    key, value = f"{letter}key{letter}", f"{letter}value{letter}"
    forms = ["k", "!k", "k=v", "k!=v", "k in (v,w)", "k notin (v,w)", "k = v"]

    read = requirements(",".join(forms).replace("k", key).replace("v", value))

    assert {one.key for one in read} == {key}
    assert [one.values for one in read] == [
        None,
        None,
        {value},
        {value},
        {value, "w"},
        {value, "w"},
        {value},
    ]
    for text in (f"a in {letter}(b)", f"a in (b){letter}"):
        assert len(list(faults_of_labels(text))) == 1
