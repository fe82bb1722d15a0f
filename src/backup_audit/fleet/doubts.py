"""What a configuration may say, but hardly means: names for GUIDs, rules and mutes without effect.

A run takes it, and warns. `backup-audit check` says it before, without the foundation's inventory.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import msgspec

from backup_audit.errors import merged
from backup_audit.fleet.configuration import Configuration, Exclude, Rule
from backup_audit.fleet.faults import is_faulty
from backup_audit.fleet.fields import UUID, Guid, spelled
from backup_audit.fleet.mutes import Mute, MuteEntry
from backup_audit.fleet.policy import DEMANDS
from backup_audit.fleet.selectors import (
    NAMES,
    Selector,
    fits_all,
    fits_all_named,
    globs_of,
    is_any_name,
)
from backup_audit.fleet.self_service import SelfService
from backup_audit.strict import read_strictly
from backup_audit.text import parse_duration

EXCLUDE_ENDS_SOON = timedelta(days=7)

_ALMOST = re.compile(r"[0-9a-z]{6,10}(-?[0-9a-z]{2,6}){3}-?[0-9a-z]{8,16}", re.IGNORECASE)
_DIGITS_MIN = 8  # from 0 to 9; one GUID in 70,000 has fewer, hardly a name as many
_LONG = 36  # characters of a GUID

SKIP_LONG = timedelta(days=366)

# What a regular expression has and a name hardly: .* at an end, an anchor, slashes around it, a
# choice in brackets.
_REGEX = re.compile(r"\.\*$|^\.\*|^\^|\$$|^/.*/$|\(.*\|.*\)|\{.*,.*\}|\[.*\]|\\")
_CHOICE = re.compile(r"(?P<begin>[^(){}]*)[({](?P<among>[^(){}]*)[)}](?P<end>[^(){}]*)")
_LEFT = re.compile(r"[][\\^$(){}|]")  # marks that a glob to write instead has no more

# What the doubts about a mute's state begin with, each alone or many as one.
_MUTE_STATE = re.compile(
    r"([0-9,]+ × )?mutes\[[0-9]*\]: "  # noqa: RUF001
    r"(the mute (is over since|ends on) |is for no audited instance|"
    r'("[^"]*"|…) is not listed in instances: the mute has no effect)'
)

# What the doubts about an exclude's end have in common, each alone or many as one.
_EXCLUDE_ENDS = re.compile(r"exclude\[[0-9]*\]: the exclude (is over since|ends on) ")

_EVERYTHING = b""  # stands for every match that fits all

_T = TypeVar("_T")


class _Said(NamedTuple):
    """What of a document can be doubted, each with its index."""

    guids: Iterable[tuple[int, str]]
    discover: Iterable[tuple[int, Selector]]
    exclude: Iterable[tuple[int, Exclude]]
    rules: Iterable[tuple[int, Rule]]
    mutes: Iterable[tuple[int, Mute]]
    self_service: SelfService | None
    discovers: bool
    excludes_in_vain: bool


def doubts_about(configuration: Configuration, today: date) -> tuple[str, ...]:
    """Each doubt with its position; many of one kind are one. `today` is a day in UTC."""
    said = _Said(
        guids=((index, one.guid) for index, one in enumerate(configuration.instances)),
        discover=enumerate(configuration.discover),
        exclude=enumerate(configuration.exclude),
        rules=enumerate(configuration.rules),
        mutes=enumerate(configuration.mutes),
        self_service=configuration.self_service,
        discovers=bool(configuration.discover),
        excludes_in_vain=bool(configuration.exclude) and not configuration.is_scanned,
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
    mutes = _whole(parts, "mutes", MuteEntry)
    allowed, _ = read_strictly(parts.get("self_service"), SelfService)
    is_bad = allowed is None or is_faulty("self_service", parts["self_service"])
    said = _Said(
        guids=guids,
        discover=_whole(parts, "discover", Selector),
        exclude=_whole(parts, "exclude", Exclude),
        rules=_whole(parts, "rules", Rule),
        mutes=((index, entry.resolved()) for index, entry in mutes),
        self_service=None if is_bad else allowed,
        discovers=parts.get("discover") is not None,
        excludes_in_vain=bool(parts.get("exclude")) and parts.get("inventory") == "listed",
    )
    return tuple(merged(_doubts(said, today)))


def misses_instances(configuration: Configuration) -> bool:
    """Whether it hardly means what it audits or mutes: by a name for a GUID, or by no glob.

    What is then missed gives a wrong all-clear; a rule that fits nothing leaves stricter defaults
    or laxer ones, and takes no instance out.
    """
    selectors = (
        *configuration.discover,
        *(one.match for one in configuration.exclude),
        *(one.match for one in configuration.mutes if one.match is not None),
    )
    return any(doubt_about_guid(one.guid) for one in configuration.instances) or any(
        doubt_about_glob(glob)
        for selector in selectors
        for key in NAMES
        for glob in globs_of(selector, key)
    )


def _whole(parts: Mapping[str, object], name: str, kind: type[_T]) -> Iterator[tuple[int, _T]]:
    for index, entry in enumerate(_list(parts.get(name))):
        value = None if is_faulty(name, entry) else read_strictly(entry, kind)[0]
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
    if said.excludes_in_vain:
        only = 'with "inventory": "listed" only instances that are listed are read'
        yield f"exclude: has no effect: {only}"
    yield from _about_rules(said.rules)
    if said.self_service is not None:
        yield from _about_bounds(said.self_service)
    for index, mute in said.mutes:
        yield from _about_mute(f"mutes[{index}]", mute, None if said.discovers else listed, today)


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
            if doubt := doubt_about_glob(glob):
                yield f'{at}.{key}: "{glob}" {doubt}'


def doubt_about_glob(glob: str) -> str | None:
    """Why a glob is hardly meant as one, and what to write instead."""
    if _REGEX.search(glob):
        return f"looks like a regular expression, and is read as a glob: {_instead(glob)}"
    if "," in glob:
        return f"has a comma, and is one glob: {_instead(glob)}"
    if glob != glob.strip():
        return f"begins or ends with a blank, as hardly a name does: {_instead(glob)}"
    return None


def _instead(glob: str) -> str:
    """What to write for a glob that looks like something else."""
    globs = [one for part in _alternatives_of(glob) if (one := _unmarked(part))]
    if not globs or any(map(_LEFT.search, globs)):
        return "write * for any text, ? for one character, and a list for several"
    return f"write {json.dumps(globs if len(globs) > 1 else globs[0], ensure_ascii=False)}"


def _alternatives_of(glob: str) -> Iterable[str]:
    """The texts of a choice, as of "prod-{eu,us}", "^(a|b)$" or "a,b"; else the glob alone."""
    if choice := _CHOICE.fullmatch(glob):
        begin, among, end = choice.group("begin", "among", "end")
        return (begin + one + end for one in re.split(r"[|,]", among))
    return glob.split(",")


def _unmarked(text: str) -> str:
    """A glob for a regular expression that is nearly one."""
    text = text.strip().removeprefix("/").removesuffix("/")
    return text.removeprefix("^").removesuffix("$").replace(".*", "*")


def _about_exclude(at: str, exclude: Exclude, today: date) -> Iterator[str]:
    yield from _about_globs(f"{at}.match", exclude.match)
    if fits_all_named(exclude.match):
        yield f"{at}: takes out everything that is not listed"
    if (last_day := exclude.last_day) is None:
        return
    if last_day < today:
        yield f"{at}: the exclude is over since {last_day}: what it took out is back"
    elif last_day - today <= EXCLUDE_ENDS_SOON:
        yield f"{at}: the exclude ends on {last_day}: then what it takes out is back"


def is_about_an_end(doubt: str) -> bool:
    """Whether a doubt says that an exclude ended, or ends soon."""
    return _EXCLUDE_ENDS.search(doubt) is not None


def is_about_a_mutes_state(doubt: str) -> bool:
    """Whether a doubt says that a mute ended, ends soon, or is for nothing."""
    return _MUTE_STATE.match(doubt) is not None


def _about_rules(rules: Iterable[tuple[int, Rule]]) -> Iterator[str]:
    """Whether each decides anything: not if one above it, with the same match, states the same."""
    above: dict[bytes, dict[str, int]] = {}
    first: dict[str, int] = {}  # of each name
    for index, rule in rules:
        at, match = f"rules[{index}]", msgspec.json.encode(rule.match)
        yield from _about_globs(f"{at}.match", rule.match)
        if rule.unless is not None:
            yield from _about_globs(f"{at}.unless", rule.unless)
        if rule.name is not None and first.setdefault(rule.name, index) != index:
            yield f'{at}.name: "{rule.name}" is the name of rules[{first[rule.name]}] too'
        stated = [demand for demand in DEMANDS if getattr(rule, demand) is not None]
        before = above.get(match, {}) | above.get(_EVERYTHING, {})
        if all(demand in before for demand in stated):
            shadows = ", ".join(f"rules[{one}]" for one in sorted({before[key] for key in stated}))
            yield f"{at}: decides nothing: shadowed by {shadows}"
        if rule.unless is None:
            kind = _EVERYTHING if fits_all(rule.match) else match
            for demand in stated:
                above.setdefault(kind, {}).setdefault(demand, index)


def _about_bounds(allowed: SelfService) -> Iterator[str]:
    nothing = "bounds nothing: labels may state any value"
    for key in ("max_age", "min_backups", "grace"):
        bounds = getattr(allowed, key)
        if bounds is not None and bounds.at_least is None and bounds.at_most is None:
            yield f"self_service.{key}: {nothing}"
    if allowed.owner is not None and any(map(is_any_name, allowed.owner)):
        yield f"self_service.owner: {nothing}"
    most = None if allowed.skip is None else allowed.skip.at_most
    if most is not None and timedelta(seconds=parse_duration(most)) > SKIP_LONG:
        so_long = "so long a label may keep an instance from being audited"
        yield f"self_service.skip.at_most: {most} is more than a year: {so_long}"


def _about_mute(at: str, mute: Mute, listed: set[str] | None, today: date) -> Iterator[str]:
    """`listed` is None if instances are discovered too: nobody knows yet which."""
    if listed is not None and mute.guid is not None and mute.guid not in listed:
        yield f'{at}: "{mute.guid}" is not listed in instances: the mute has no effect'
    if not mute.is_in_force(today):
        yield f"{at}: the mute is over since {mute.until}"
    elif mute.is_ending(today):
        yield f"{at}: the mute ends on {mute.until}: then notifications begin again"
    if mute.match is not None:
        yield from _about_globs(f"{at}.match", mute.match)
        if fits_all_named(mute.match):
            yield f"{at}: nobody is notified of any instance"
