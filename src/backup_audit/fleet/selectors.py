"""Selectors: which instances are meant, by org, space, offering, plan, name and labels."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple

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

_Fits = Callable[[str | None], bool]


def globs_of(selector: Selector, key: str) -> tuple[str, ...]:
    """The globs of a key, none if it is not given."""
    stated = getattr(selector, key)
    return () if stated is None else (stated,) if isinstance(stated, str) else tuple(stated)


def fits_all(selector: Selector) -> bool:
    """Whether it fits every instance, as {"org": "*"} does."""
    stated = [globs for key in NAMES if (globs := globs_of(selector, key))]
    return selector.labels is None and all(any(map(is_any, globs)) for globs in stated)


def is_any(glob: str) -> bool:
    """Whether a glob fits everything, even a name that our client may not see."""
    return not glob.strip("*")


def glob_fits(glob: str, name: str | None) -> bool:
    """Whether a glob fits a name; None is a name that is not known, which * alone fits."""
    return is_any(glob) if name is None else compiled(glob)(name) is not None


@lru_cache(maxsize=_REMEMBERED_MAX)
def compiled(glob: str) -> Callable[[str], re.Match[str] | None]:
    """A glob as a function that tells whether it fits, in linear time for any name.

    A star gives back nothing that it took (an atomic group): the shortest that leads to the next
    piece is right for all that follows, and a hostile name can start no search.
    """
    first, *others = re.split(r"\*+", glob)
    if not others:
        return re.compile(_piece(first), re.DOTALL).fullmatch
    *middle, last = others
    between = "".join(f"(?>.*?{_piece(piece)})" for piece in middle)
    return re.compile(f"{_piece(first)}{between}.*{_piece(last)}", re.DOTALL).fullmatch


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


class _OneKey:
    """Which selectors one key's value fits, as bits: selector 0 is the lowest."""

    def __init__(self, tests: Sequence[tuple[int, _Fits]], everyone: int) -> None:
        self._tests = tests
        self._others = everyone & ~sum(bit for bit, _ in tests)
        self._remembered: dict[str | None, int] = {}

    def bits(self, value: str | None) -> int:
        known = self._remembered.get(value)
        if known is None:
            known = self._others | sum(bit for bit, fits in self._tests if fits(value))
            if len(self._remembered) < _REMEMBERED_MAX:
                self._remembered[value] = known
        return known


class _Names(NamedTuple):
    """The globs of a key."""

    fits_unknown: bool
    fitting: tuple[Callable[[str], re.Match[str] | None], ...]

    def fits(self, name: str | None) -> bool:
        if name is None:
            return self.fits_unknown
        return any(fitting(name) for fitting in self.fitting)


class Selectors:
    """Many selectors, compared at once with an instance; None among them fits nothing."""

    def __init__(self, selectors: Sequence[Selector | None]) -> None:
        given = [(1 << at, one) for at, one in enumerate(selectors) if one is not None]
        self._everyone = sum(bit for bit, _ in given)
        self._names = {
            key: _OneKey(tests, self._everyone)
            for key in NAMES
            if (tests := [(bit, _names(one, key)) for bit, one in given if globs_of(one, key)])
        }
        self._labelled = sum(bit for bit, one in given if one.labels is not None)
        self._labels = {
            key: _OneKey(tests, self._everyone) for key, tests in _by_label(given).items()
        }

    @property
    def label_keys(self) -> frozenset[str]:
        """The labels that are compared."""
        return frozenset(self._labels)

    def fitting(self, row: ServiceInstance | None) -> int:
        """The selectors that fit, as bits. Of an instance without a row nothing is known."""
        if row is None:
            row, labels = _UNKNOWN, None
        else:
            labels = row.labels
        found = self._everyone
        for key, one_key in self._names.items():
            if not found:
                return 0
            found &= one_key.bits(getattr(row, key))
        return found & self._fitting_labels(labels, found) if found & self._labelled else found

    def _fitting_labels(self, labels: Mapping[str, str] | None, found: int) -> int:
        if labels is None:
            return found & ~self._labelled
        for key, one_key in self._labels.items():
            found &= one_key.bits(labels.get(key))
        return found


def indexes(bits: int) -> Iterator[int]:
    """The selectors that bits stand for, the first of them first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


_UNKNOWN = ServiceInstance(guid="")


def _names(selector: Selector, key: str) -> _Fits:
    globs = globs_of(selector, key)
    return _Names(any(map(is_any, globs)), tuple(map(compiled, globs))).fits


def _by_label(given: Sequence[tuple[int, Selector]]) -> dict[str, list[tuple[int, _Fits]]]:
    """What each selector requires of each label."""
    by_key: dict[str, dict[int, list[Requirement]]] = {}
    for bit, selector in given:
        for one in requirements(selector.labels) if selector.labels is not None else ():
            by_key.setdefault(one.key, {}).setdefault(bit, []).append(one)
    return {
        key: [(bit, _all_hold(required)) for bit, required in of_key.items()]
        for key, of_key in by_key.items()
    }


def _all_hold(required: Sequence[Requirement]) -> _Fits:
    return lambda value: all(one.holds(value) for one in required)
