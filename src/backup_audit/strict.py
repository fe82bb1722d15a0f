"""Strict reading of documents that people write: every fault at once, each with its position.

msgspec stops at the first fault. If it finds one, the document is walked again, field by field,
to list them all. The types stay the only description of what is allowed.
"""

import functools
import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

from backup_audit.text import printable

T = TypeVar("T")

# What msgspec raises: a ValueError when it compares half a surrogate pair, or a number of thousands
# of digits, with what is allowed.
NOT_AS_EXPECTED = (msgspec.ValidationError, ValueError)

# What msgspec raises for bytes that are not the JSON wanted: the second if they are not UTF-8.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError)

_SHOWN_MAX = 60  # characters of a faulty value that a message quotes


def read_strictly(
    document: object, expected: type[T], *, strict: bool = True
) -> tuple[T | None, list[str]]:
    """Convert parsed JSON; return the value, or None and each fault as "position: what".

    If not `strict`, a text that spells a number counts as one.
    """
    try:
        return msgspec.convert(document, expected, strict=strict), []
    except NOT_AS_EXPECTED:
        return None, list(_faults(document, expected, "", strict))


def _faults(document: object, expected: object, at: str, strict: bool) -> Iterator[str]:  # noqa: FBT001
    kinds = [kind for kind, _ in _alternatives(expected)]
    struct = next((kind for kind in kinds if hasattr(kind, "__struct_fields__")), None)
    items = next((kind for kind in kinds if get_origin(kind) is list), None)
    if struct is not None and isinstance(document, dict):
        yield from _struct_faults(document, struct, at, strict)
    elif items is not None and isinstance(document, list) and document:
        [item] = get_args(items)
        for index, value in enumerate(document):
            yield from _faults(value, item, f"{at}[{index}]", strict)
    else:
        yield from _value_faults(document, expected, at, strict)


def _struct_faults(
    document: Mapping[str, object],
    struct: type,
    at: str,
    strict: bool,  # noqa: FBT001
) -> Iterator[str]:
    fields = _fields(struct)
    for key in document:
        if key not in fields:
            known = ", ".join(fields)
            yield f"{_joined(at, key)}: unknown key, expected one of {known}"
    for name, field in fields.items():
        if name in document:
            yield from _faults(document[name], field.type, _joined(at, name), strict)
        elif field.required:
            described = description_of(field.type)
            yield f"{_joined(at, name)}: missing" + (f": {described}" if described else "")


@functools.cache
def _fields(struct: type) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def _value_faults(value: object, expected: object, at: str, strict: bool) -> Iterator[str]:  # noqa: FBT001
    try:
        msgspec.convert(value, expected, strict=strict)
    except NOT_AS_EXPECTED as error:
        described = description_of(expected)
        wrong = f"{shown(value)} is not {described}" if described else _cut(str(error))
        yield f"{at or 'the document'}: {wrong}"


def _joined(at: str, key: str) -> str:
    return f"{at}.{_cut(key)}" if at else _cut(key)


def shown(value: object) -> str:
    """A faulty value as a fault quotes it: as JSON, cut, on one line."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError):  # nested too deeply, or thousands of digits
        return "what is there"
    # An address with a user may hold a password too.
    return "what is there" if re.search(r"//[^/\s]*@", text) else _cut(text)


def _cut(text: str) -> str:
    """Keep a message on one line and short, whatever a document holds."""
    return printable(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…", "�")


def description_of(expected: object) -> str | None:
    """What a type's Meta says for people, such as "a whole number from 1"; else what it is made of.

    None for a plain type, such as int.
    """
    alternatives = list(_alternatives(expected))
    described = (text for _, text in alternatives if text)
    made_of = (text for kind, _ in alternatives if (text := _made_of(kind)))
    return next(described, None) or next(made_of, None)


def _made_of(kind: object) -> str | None:
    """An object with its keys, or a list."""
    if get_origin(kind) is list:
        return "a list"
    if not (isinstance(kind, type) and hasattr(kind, "__struct_fields__")):
        return None
    required = ", ".join(name for name, field in _fields(kind).items() if field.required)
    others = ", ".join(name for name, field in _fields(kind).items() if not field.required)
    if not required:
        return f"an object with some of {others}"
    return f"an object with {required}" + (f", and maybe {others}" if others else "")


def _alternatives(expected: object) -> Iterator[tuple[Any, str | None]]:
    """The types that a union names, or the only one; each with what its Meta says for people."""
    is_union = get_origin(expected) in (Union, types.UnionType)
    for member in get_args(expected) if is_union else (expected,):
        if get_origin(member) is Annotated:
            kind, meta = get_args(member)
            yield kind, meta.description
        else:
            yield member, None
