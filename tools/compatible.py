"""What breaks a contract between the schema of a release and today's.

docs/decisions/0008-schema-versions.md has the rules: documents that we write may gain fields, those
that we read may gain optional keys, and nothing else may change.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_WORDS = ("description", "title", "default", "examples", "$comment")


def broken(released: Schema, today: Schema, *, is_read_by_us: bool) -> list[str]:
    """Each difference that breaks the contract, with its place in the schema."""
    return list(_Comparison(released, today, is_read_by_us=is_read_by_us).of_all())


class _Comparison:
    def __init__(self, released: Schema, today: Schema, *, is_read_by_us: bool) -> None:
        self._released = released
        self._today = today
        self._is_read_by_us = is_read_by_us
        self._compared: set[str] = set()

    def of_all(self) -> Iterator[str]:
        yield from self._of("", self._released, self._today)

    def _of(self, place: str, released: Schema, today: Schema) -> Iterator[str]:
        if "$ref" in released and "$ref" in today:
            yield from self._of_reference(released["$ref"], today["$ref"])
            return
        if _is_union(released):
            yield from self._of_alternatives(place, released, today)
            return
        for word in sorted((released.keys() | today.keys()) - {*_WORDS, *_PARTS}):
            if released.get(word) != today.get(word):
                yield f"{place or 'the document'}: {word} was {released.get(word)!r}"
        yield from self._of_properties(place, released, today)
        for part in ("items", "additionalProperties"):
            old, new = released.get(part), today.get(part)
            if isinstance(old, dict) and isinstance(new, dict):
                yield from self._of(f"{place}[]", old, new)
            elif old != new:
                yield f"{place or 'the document'}: {part} was {old!r}"

    def _of_reference(self, released: str, today: str) -> Iterator[str]:
        name = released.rpartition("/")[2]
        if name in self._compared:
            return
        self._compared.add(name)
        yield from self._of(name, self._at(self._released, released), self._at(self._today, today))

    def _of_properties(self, place: str, released: Schema, today: Schema) -> Iterator[str]:
        old, new = released.get("properties", {}), today.get("properties", {})
        for name, schema in old.items():
            if name in new:
                yield from self._of(f"{place}.{name}", schema, new[name])
            else:
                yield f"{place}.{name}: is gone"
        needed, still_needed = set(released.get("required", ())), set(today.get("required", ()))
        if self._is_read_by_us:
            yield from (f"{place}.{name}: is needed now" for name in still_needed - needed)
        else:
            yield from (f"{place}.{name}: may be missing now" for name in needed - still_needed)

    def _of_alternatives(self, place: str, released: Schema, today: Schema) -> Iterator[str]:
        """Alternatives in their order; what we read may gain some."""
        old, new = released["anyOf"], today["anyOf"] if _is_union(today) else [today]
        if len(new) < len(old) or (len(new) > len(old) and not self._is_read_by_us):
            yield f"{place}: had {len(old)} alternatives, has {len(new)}"
            return
        for one, other in zip(old, new, strict=False):
            yield from self._of(place, one, other)

    @staticmethod
    def _at(schema: Schema, reference: str) -> Schema:
        found: Schema = schema
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found


def _is_union(schema: Schema) -> bool:
    """Whether it is one of several types; an object may say which keys it needs one of."""
    return "anyOf" in schema and "type" not in schema


_PARTS = ("properties", "required", "items", "additionalProperties", "$defs")
