"""What a configuration may say, but hardly means: names for GUIDs, rules and mutes without effect.

A run takes it, and warns. `backup-audit check` says it before, without the foundation's inventory.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import msgspec

from backup_audit.errors import merged
from backup_audit.fleet.configuration import Configuration, Exclude, Rule
from backup_audit.fleet.fields import UUID, Guid, spelled
from backup_audit.fleet.mutes import Mute, MuteEntry
from backup_audit.fleet.policy import DEMANDS
from backup_audit.fleet.selectors import NAMES, Selector, fits_all, globs_of
from backup_audit.strict import read_strictly

ENDS_SOON = timedelta(days=14)
EXCLUDE_ENDS_SOON = timedelta(days=7)

_ALMOST = re.compile(r"[0-9a-z]{6,10}(-?[0-9a-z]{2,6}){3}-?[0-9a-z]{8,16}", re.IGNORECASE)
_DIGITS_MIN = 8  # from 0 to 9; one GUID in 70,000 has fewer, hardly a name as many
_LONG = 36  # characters of a GUID

# What a regular expression has and a name hardly: .* at an end, an anchor, a choice in brackets.
_REGEX = re.compile(r"\.\*$|^\.\*|^\^|\$$|\(.*\|.*\)|\[.*\]|\\")

_EVERYTHING = b""  # stands for every match that fits all

_T = TypeVar("_T")


class _Said(NamedTuple):
    """What of a document can be doubted, each with its index."""

    guids: Iterable[tuple[int, str]]
    discover: Iterable[tuple[int, Selector]]
    exclude: Iterable[tuple[int, Exclude]]
    rules: Iterable[tuple[int, Rule]]
    mutes: Iterable[tuple[int, Mute]]
    discovers: bool


def doubts_about(configuration: Configuration, today: date) -> tuple[str, ...]:
    """Each doubt with its position; many of one kind are one. `today` is a day in UTC."""
    said = _Said(
        guids=((index, one.guid) for index, one in enumerate(configuration.instances)),
        discover=enumerate(configuration.discover),
        exclude=enumerate(configuration.exclude),
        rules=enumerate(configuration.rules),
        mutes=enumerate(configuration.mutes),
        discovers=bool(configuration.discover),
    )
    return tuple(merged(_doubts(said, today)))


def doubts_beside_faults(document: object, today: date) -> tuple[str, ...]:
    """The doubts about a document that has faults, as parsed: about each entry that is whole."""
    parts: Mapping[str, object] = document if isinstance(document, dict) else {}
    guids = (
        (index, spelled(guid))
        for index, entry in enumerate(_list(parts.get("instances")))
        if (guid := read_strictly(entry.get("guid") if isinstance(entry, dict) else entry, Guid)[0])
    )
    mutes = _whole(parts.get("mutes"), MuteEntry)
    said = _Said(
        guids=guids,
        discover=_whole(parts.get("discover"), Selector),
        exclude=_whole(parts.get("exclude"), Exclude),
        rules=_whole(parts.get("rules"), Rule),
        mutes=((index, entry.resolved()) for index, entry in mutes),
        discovers=parts.get("discover") is not None,
    )
    return tuple(merged(_doubts(said, today)))


def _whole(part: object, kind: type[_T]) -> Iterator[tuple[int, _T]]:
    for index, entry in enumerate(_list(part)):
        value, _ = read_strictly(entry, kind)
        if value is not None:
            yield index, value


def _list(part: object) -> list[object]:
    return part if isinstance(part, list) else []


def _doubts(said: _Said, today: date) -> Iterator[str]:
    listed: set[str] = set()
    for index, guid in said.guids:
        listed.add(guid)
        if doubt := doubt_about_guid(guid):
            yield f"instances[{index}]: {doubt}"
    for index, selector in said.discover:
        yield from _about_globs(f"discover[{index}]", selector)
    for index, exclude in said.exclude:
        yield from _about_exclude(f"exclude[{index}]", exclude, today)
    yield from _about_rules(said.rules)
    for index, mute in said.mutes:
        for doubt in _about_mute(mute, None if said.discovers else listed, today):
            yield f"mutes[{index}]: {doubt}"
        if mute.match is not None:
            yield from _about_globs(f"mutes[{index}].match", mute.match)
            if fits_all(mute.match):
                yield f"mutes[{index}]: nobody is notified of any instance"


def doubt_about_guid(guid: str) -> str | None:
    """Why a GUID is hardly one of Cloud Foundry's, which all have the form of a UUID."""
    if UUID.fullmatch(guid):
        return None
    digits = sum(character.isdigit() for character in guid)
    if digits < _DIGITS_MIN or not _ALMOST.fullmatch(guid):
        return f'"{guid}" is not a GUID; if it is a name: cf service NAME --guid'
    if len(guid) != _LONG:
        return f'"{guid}" is not a whole GUID: it has {len(guid)} characters, not {_LONG}'
    return f'"{guid}" is not a GUID: those are 8-4-4-4-12 digits from 0 to 9 and a to f'


def _about_globs(at: str, selector: Selector) -> Iterator[str]:
    for key in NAMES:
        for glob in globs_of(selector, key):
            if _REGEX.search(glob):
                yield f'{at}.{key}: "{glob}" looks like a regular expression, and is read as a glob'


def _about_exclude(at: str, exclude: Exclude, today: date) -> Iterator[str]:
    yield from _about_globs(f"{at}.match", exclude.match)
    if fits_all(exclude.match):
        yield f"{at}: takes out everything that is not listed"
    if (last_day := exclude.last_day) is None:
        return
    if last_day < today:
        yield f"{at}: the exclude is over since {last_day}: what it took out is back"
    elif last_day - today <= EXCLUDE_ENDS_SOON:
        yield f"{at}: the exclude ends on {last_day}: then what it takes out is back"


def _about_rules(rules: Iterable[tuple[int, Rule]]) -> Iterator[str]:
    """Whether each decides anything: not if one above it, with the same match, states the same."""
    above: dict[bytes, dict[str, int]] = {}
    for index, rule in rules:
        at, match = f"rules[{index}]", msgspec.json.encode(rule.match)
        yield from _about_globs(f"{at}.match", rule.match)
        if rule.unless is not None:
            yield from _about_globs(f"{at}.unless", rule.unless)
        stated = [demand for demand in DEMANDS if getattr(rule, demand) is not None]
        before = above.get(match, {}) | above.get(_EVERYTHING, {})
        if all(demand in before for demand in stated):
            shadows = ", ".join(f"rules[{one}]" for one in sorted({before[key] for key in stated}))
            yield f"{at}: decides nothing: shadowed by {shadows}"
        if rule.unless is None:
            kind = _EVERYTHING if fits_all(rule.match) else match
            for demand in stated:
                above.setdefault(kind, {}).setdefault(demand, index)


def _about_mute(mute: Mute, listed: set[str] | None, today: date) -> Iterator[str]:
    """`listed` is None if instances are discovered too: nobody knows yet which."""
    if listed is not None and mute.guid is not None and mute.guid not in listed:
        yield f'"{mute.guid}" is not listed in instances: the mute has no effect'
    left = mute.until - today
    if left < timedelta(0):
        yield f"the mute is over since {mute.until}"
    elif left <= ENDS_SOON:
        yield f"the mute ends on {mute.until}: then notifications begin again"
