"""What would break a released contract is noticed, and what may change within a version is not."""

from typing import Any

import pytest

from tools.compatible import broken

FORMS = [{"type": "integer"}, {"type": "null"}]
OPTIONAL = {"anyOf": FORMS, "default": None}


def schema(required: tuple[str, ...] = ("name",), **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    whole = {"name": {"type": "string"}, "part": {"$ref": "#/$defs/Part"}, **properties}
    return {
        "$ref": "#/$defs/Whole",
        "$defs": {
            "Whole": {
                "description": "A whole.",
                "type": "object",
                "properties": {key: value for key, value in whole.items() if value},
                "required": list(required),
            },
            "Part": {"enum": ["one", "two"]},
        },
    }


def with_part(**part: Any) -> dict[str, Any]:  # noqa: ANN401
    return schema() | {"$defs": schema()["$defs"] | {"Part": part}}


def described(words: str) -> dict[str, Any]:
    changed = schema()
    changed["$defs"]["Whole"]["description"] = words
    return changed


@pytest.mark.parametrize("is_read_by_us", [True, False])
@pytest.mark.parametrize("today", [schema(), schema(count=OPTIONAL), described("Another wording.")])
def test_an_optional_field_more_and_other_words_break_nothing(
    today: dict[str, Any], *, is_read_by_us: bool
) -> None:
    assert broken(schema(), today, is_read_by_us=is_read_by_us) == []


@pytest.mark.parametrize("is_read_by_us", [True, False])
@pytest.mark.parametrize(
    ("today", "said"),
    [
        (schema(name=None), "Whole.name: is gone"),
        (schema(name={"type": "integer"}), "Whole.name: type was 'string'"),
        (schema(name={"type": "string", "maxLength": 9}), "Whole.name: maxLength was None"),
        (schema(part={"type": "string"}), "Whole.part: $ref was '#/$defs/Part'"),
        (schema(part={"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]}), "Whole.part: $ref"),
        (with_part(enum=["one"]), "Part: enum was ['one', 'two']"),
        (with_part(enum=["one", "two", "three"]), "Part: enum was ['one', 'two']"),
    ],
)
def test_a_field_that_goes_or_means_something_else_breaks_a_contract(
    today: dict[str, Any], said: str, *, is_read_by_us: bool
) -> None:
    (found, *_) = broken(schema(), today, is_read_by_us=is_read_by_us)

    assert found.startswith(said)


def test_what_was_always_written_may_not_be_missing() -> None:
    today = schema(required=())

    assert broken(schema(), today, is_read_by_us=False) == ["Whole.name: may be missing now"]
    assert broken(schema(), today, is_read_by_us=True) == []


def test_what_could_be_left_out_may_not_be_needed() -> None:
    today = schema(required=("name", "part"))

    assert broken(schema(), today, is_read_by_us=True) == ["Whole.part: is needed now"]
    assert broken(schema(), today, is_read_by_us=False) == []


def test_what_people_write_may_have_another_form_more_and_what_we_write_may_not() -> None:
    released, today = schema(count=OPTIONAL), schema(count={"anyOf": [*FORMS, {}]})

    assert broken(released, today, is_read_by_us=True) == []
    assert broken(released, today, is_read_by_us=False) == [
        "Whole.count: had 2 alternatives, has 3"
    ]
    assert broken(today, released, is_read_by_us=True) == ["Whole.count: had 3 alternatives, has 2"]


def test_a_change_deep_in_a_list_is_found_once() -> None:
    def listed(kind: str) -> dict[str, Any]:
        listing = {"type": "array", "items": {"type": kind}}
        return schema(parts=listing, more={"$ref": "#/$defs/Part"})

    assert broken(listed("string"), listed("integer"), is_read_by_us=False) == [
        "Whole.parts[]: type was 'string'"
    ]


def test_a_type_that_refers_to_itself_is_compared_once() -> None:
    itself = with_part(type="object", properties={"part": {"$ref": "#/$defs/Part"}})

    assert broken(itself, itself, is_read_by_us=False) == []
