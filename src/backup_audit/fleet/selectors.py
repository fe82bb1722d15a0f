"""Selectors: which instances are meant, by org, space, offering, plan, name and labels."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from backup_audit.fleet.fields import Globs
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.labels import PATTERN, Requirement, requirements

# Texts of which is remembered what they fit: names and labels come from tenants, who may have
# thousands; what is beyond is compared again.
_REMEMBERED_MAX = 10_000

LabelSelector = Annotated[
    str,
    msgspec.Meta(
        description='a label selector such as "env=prod,!legacy"',
        extra_json_schema={"pattern": PATTERN},
    ),
]


class Selector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fits an instance if every key that is given fits; a list fits if one of its globs does.

    In a glob, * stands for any text and ? for one character; it has to fit the whole name, capitals
    and all. All requirements of a label selector must hold.
    """

    org: Globs | None = None
    space: Globs | None = None
    offering: Globs | None = None
    plan: Globs | None = None
    name: Globs | None = None
    labels: LabelSelector | None = None


KEYS = tuple(field.name for field in msgspec.structs.fields(Selector))
NAMES = KEYS[:-1]  # keys that have globs

_Compare = Callable[[str], re.Match[str] | None]

_ANY = re.compile(r"\*+")
_ANY_NAME = re.compile(r"\*+\??\**|\?\*+")
_WILD = re.compile(r"[*?]")


def globs_of(selector: Selector, key: str) -> tuple[str, ...]:
    """The globs of a key, none if it is not given."""
    stated = getattr(selector, key)
    return () if stated is None else (stated,) if isinstance(stated, str) else tuple(stated)


def as_configured(selector: Selector) -> dict[str, Any]:
    """The keys that are given, for a document that a later version of us may have written."""
    return {key: stated for key in KEYS if (stated := getattr(selector, key)) is not None}


def fits_all(selector: Selector) -> bool:
    """Whether it fits every instance, as {"org": "*"} does, even one without names."""
    return _fits_by(is_any, selector)


def fits_all_named(selector: Selector) -> bool:
    """Whether it fits every instance whose names our client may see, as {"org": "?*"} does too."""
    return _fits_by(is_any_name, selector)


def _fits_by(is_wide: Callable[[str], bool], selector: Selector) -> bool:
    stated = [globs for key in NAMES if (globs := globs_of(selector, key))]
    return selector.labels is None and all(any(map(is_wide, globs)) for globs in stated)


def is_any(glob: str) -> bool:
    """Whether a glob fits everything, even a name that our client may not see."""
    return _ANY.fullmatch(glob) is not None


def is_any_name(glob: str) -> bool:
    """Whether a glob fits every name: each has a character."""
    return _ANY_NAME.fullmatch(glob) is not None


def glob_fits(glob: str, name: str | None) -> bool:
    """Whether a glob fits a name; None is a name that is not known, which * alone fits."""
    return is_any(glob) if name is None else _compiled(glob)(name) is not None


@lru_cache(maxsize=_REMEMBERED_MAX)
def _compiled(glob: str) -> _Compare:
    return _compare(_pattern(glob))


def _pattern(glob: str) -> str:
    """A glob as a regular expression that tells in linear time whether it fits, for any name.

    A star gives back nothing that it took (an atomic group): the shortest that leads to the next
    piece is right for all that follows, and a hostile name can start no search.
    """
    first, *others = re.split(r"\*+", glob)
    if not others:
        return _piece(first)
    *middle, last = others
    between = "".join(f"(?>.*?{_piece(piece)})" for piece in middle)
    return f"{_piece(first)}{between}.*{_piece(last)}"


def _piece(text: str) -> str:
    return re.escape(text).replace(r"\?", ".")


def why_fits(selector: Selector, row: ServiceInstance) -> str:
    """The globs and labels by which it fits an instance, such as "org prod-*, plan gold"."""
    return ", ".join(_parts_that_fit(selector, row))


def _parts_that_fit(selector: Selector, row: ServiceInstance) -> Iterator[str]:
    for key in NAMES:
        name = getattr(row, key)
        fitting = (glob for glob in globs_of(selector, key) if glob_fits(glob, name))
        if (glob := next(fitting, None)) is not None:
            yield f"{key} {glob}"
    if selector.labels is not None:
        yield f"labels {selector.labels}"


class Names(dict[str | None, int]):
    """Which selectors a name fits, as bits: selector 0 is the lowest. Each name is compared once.

    `globs` are those of every selector that has the key. Most names fit no glob, or few: all globs
    together are one expression, which is asked first.
    """

    def __init__(self, globs: Mapping[int, Sequence[str]], everyone: int) -> None:
        super().__init__()
        known = {bit: any(map(is_any, of_one)) for bit, of_one in globs.items()}
        self._always = everyone & ~sum(globs) | sum(bit for bit in globs if known[bit])
        self._exact: dict[str, int] = {}
        patterns: dict[int, str] = {}
        for bit, of_one in globs.items():
            if known[bit]:
                continue
            for glob in of_one:
                if not _WILD.search(glob):
                    self._exact[glob] = self._exact.get(glob, 0) | bit
            if wild := [_pattern(glob) for glob in of_one if _WILD.search(glob)]:
                patterns[bit] = "|".join(wild)
        self._globs = [(bit, _compare(pattern)) for bit, pattern in patterns.items()]
        self._any_glob = _compare("|".join(patterns.values()))

    def __missing__(self, name: str | None) -> int:
        found = self._always
        if name is not None:
            found |= self._exact.get(name, 0)
            if self._any_glob(name):
                found |= sum(bit for bit, fits in self._globs if fits(name))
        if len(self) < _REMEMBERED_MAX:
            self[name] = found
        return found


def _compare(pattern: str) -> _Compare:
    return re.compile(pattern, re.DOTALL).fullmatch


class _Label:
    """Which selectors the value of one label fits, as bits; None is an instance without it."""

    def __init__(self, required: Iterable[tuple[int, Requirement]], everyone: int) -> None:
        self._everyone = everyone
        self._there = self._absent = self._any_of = 0
        self._one_of: dict[str, int] = {}
        self._none_of: dict[str, int] = {}
        wanted: dict[int, frozenset[str]] = {}
        for bit, one in required:
            if one.values is None and one.is_wanted:
                self._there |= bit
            elif one.values is None:
                self._absent |= bit
            elif one.is_wanted:
                wanted[bit] = wanted.get(bit, one.values) & one.values
            else:
                _add(self._none_of, one.values, bit)
        for bit, values in wanted.items():
            self._any_of |= bit
            _add(self._one_of, values, bit)

    def bits(self, value: str | None) -> int:
        if value is None:
            return self._everyone & ~(self._there | self._any_of)
        misses = self._any_of & ~self._one_of.get(value, 0)
        return self._everyone & ~(misses | self._absent | self._none_of.get(value, 0))


def _add(to: dict[str, int], values: Iterable[str], bit: int) -> None:
    for value in values:
        to[value] = to.get(value, 0) | bit


class Selectors:
    """Many selectors, compared at once with an instance; None among them fits nothing."""

    def __init__(self, selectors: Sequence[Selector | None]) -> None:
        given = [(1 << at, one) for at, one in enumerate(selectors) if one is not None]
        self._everyone = sum(bit for bit, _ in given)
        self._names = [
            (key, Names(globs, self._everyone))
            for key in NAMES
            if (globs := {bit: of_one for bit, one in given if (of_one := globs_of(one, key))})
        ]
        self._labelled = sum(bit for bit, one in given if one.labels is not None)
        self._labels = {
            key: _Label(required, self._everyone) for key, required in _by_label(given).items()
        }

    @property
    def label_keys(self) -> frozenset[str]:
        """The labels that are compared."""
        return frozenset(self._labels)

    def fitting(self, row: ServiceInstance | None) -> int:
        """The selectors that fit, as bits. Of an instance without a row nothing is known."""
        known = _UNKNOWN if row is None else row
        found = self._everyone
        for key, names in self._names:
            if not found:
                return 0
            found &= names[getattr(known, key)]
        if not found & self._labelled:
            return found
        return found & (self._fitting_labels(row.labels) if row is not None else ~self._labelled)

    def _fitting_labels(self, labels: Mapping[str, str]) -> int:
        found = self._everyone
        for key, label in self._labels.items():
            found &= label.bits(labels.get(key))
        return found


def indexes(bits: int) -> Iterator[int]:
    """The selectors that bits stand for, the first of them first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


_UNKNOWN = ServiceInstance(guid="")


def _by_label(given: Sequence[tuple[int, Selector]]) -> dict[str, list[tuple[int, Requirement]]]:
    """What each selector requires of each label."""
    by_key: dict[str, list[tuple[int, Requirement]]] = {}
    for bit, selector in given:
        for one in requirements(selector.labels) if selector.labels is not None else ():
            by_key.setdefault(one.key, []).append((bit, one))
    return by_key
