"""Label selectors, such as "env=prod,tier notin (scratch,test),!legacy": six forms, all must hold.

The grammar is that of the Cloud Controller's `label_selector`: docs/configure.md has the forms.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from backup_audit.text import one_line

REQUIREMENTS_MAX = 50  # the Cloud Controller takes no more

_SHOWN_MAX = 60  # characters of a faulty requirement

_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}/"
_KEY = re.compile(rf"({_PREFIX})?{_NAME}", re.ASCII)
_VALUE = re.compile(_NAME, re.ASCII)
_OF_A_SET = re.compile(r"(?P<key>\S+) +(?P<how>in|notin)(?P<rest>[ (].*|)", re.DOTALL)
_EQUALITY = re.compile(r"(?P<key>[^=!]*)(?P<how>!?=)(?P<value>.*)", re.DOTALL)

# The same grammar for editors, which read the JSON Schema.
_BRACKETS = rf"\({_NAME}(,{_NAME})*\)"
_COMPARED = rf"( *!?= *{_NAME}| +(in|notin) *{_BRACKETS})"
_REQUIREMENT = rf"(!?({_PREFIX})?{_NAME}|({_PREFIX})?{_NAME}{_COMPARED})"
PATTERN = rf"^ *{_REQUIREMENT}( *, *{_REQUIREMENT}){{0,{REQUIREMENTS_MAX - 1}}} *$(?!\n)"


class Requirement(NamedTuple):
    """One label must, or must not, have one of these values; None: must, or must not, be there.

    An instance without the label has none of the values.
    """

    key: str
    values: frozenset[str] | None
    is_wanted: bool

    def holds(self, value: str | None) -> bool:
        """Whether it holds for the label's value, None if the instance has no such label."""
        has = value is not None if self.values is None else value in self.values
        return has is self.is_wanted


def requirements(text: str) -> tuple[Requirement, ...]:
    """Read a label selector; raise ValueError for one with faults."""
    return tuple(_requirement(part) for part in _parts(text))


def faults_of_labels(text: str) -> Iterator[str]:
    """Each fault of a label selector: the requirement that has it, and what is wrong."""
    parts = _parts(text)
    if len(parts) > REQUIREMENTS_MAX:
        yield f"{len(parts):,} requirements are too many: {REQUIREMENTS_MAX} at the most"
        return
    for part in parts:
        try:
            _requirement(part)
        except ValueError as fault:
            yield f'"{one_line(part, _SHOWN_MAX)}": {fault}'


def _parts(text: str) -> list[str]:
    """The requirements: what is between commas that stand in no brackets."""
    parts, depth, begin = [], 0, 0
    for at, character in enumerate(text):
        if character == "," and not depth:
            parts.append(text[begin:at].strip(" "))
            begin = at + 1
        elif character in "()":
            depth = int(character == "(")
    return [*parts, text[begin:].strip(" ")]


def _requirement(part: str) -> Requirement:
    if not part:
        raise ValueError("a requirement expected, such as env=prod")
    if match := _OF_A_SET.fullmatch(part):
        key, how, rest = match.group("key", "how", "rest")
        return Requirement(_key(key), frozenset(_in_brackets(rest.strip(" "), how)), how == "in")
    if match := _EQUALITY.fullmatch(part):
        key, how, value = match.group("key", "how", "value")
        if key:
            values = frozenset([_value(value.strip(" "), how)])
            return Requirement(_key(key.rstrip(" ")), values, how == "=")
    if part.startswith("! "):
        raise ValueError("no blank is allowed after !")
    return Requirement(_key(part.removeprefix("!")), None, not part.startswith("!"))


def _in_brackets(text: str, how: str) -> list[str]:
    if not text.startswith("("):
        raise ValueError(f"brackets expected after {how}")
    if not text.endswith(")"):
        raise ValueError("a closing bracket expected at the end")
    if " " in text:
        raise ValueError("no blanks are allowed within brackets")
    return [_value(value, how) for value in text[1:-1].split(",")]


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(
            f'"{one_line(text, _SHOWN_MAX)}" cannot be a key: those have 1 to 63 letters, digits '
            "and - _ . with a letter or digit at both ends, maybe after a prefix as example.com/"
        )
    return text


def _value(text: str, how: str) -> str:
    if not text:
        raise ValueError(f"a value expected after {how}")
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f'"{one_line(text, _SHOWN_MAX)}" cannot be a value: those have 1 to 63 letters, digits '
            "and - _ . with a letter or digit at both ends"
        )
    return text
