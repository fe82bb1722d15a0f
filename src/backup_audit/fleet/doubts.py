"""What a configuration may say, but hardly means: names for GUIDs, mutes without effect.

A run takes it, and warns. `backup-audit check` says it before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

import msgspec

from backup_audit.errors import merged
from backup_audit.fleet.configuration import (
    UUID,
    Configuration,
    Guid,
    Mute,
    MuteEntry,
    spelled,
)
from backup_audit.strict import read_strictly

ENDS_SOON = timedelta(days=14)

_ALMOST = re.compile(r"[0-9a-z]{6,10}(-?[0-9a-z]{2,6}){3}-?[0-9a-z]{8,16}", re.IGNORECASE)
_DIGITS_MIN = 8  # from 0 to 9; one GUID in 70,000 has fewer, hardly a name as many
_LONG = 36  # characters of a GUID


def doubts_about(configuration: Configuration, today: date) -> tuple[str, ...]:
    """Each doubt with its position; many of one kind are one. `today` is a day in UTC."""
    guids = ((index, one.guid) for index, one in enumerate(configuration.instances))
    return tuple(merged(_doubts(guids, enumerate(configuration.mutes), today)))


def doubts_beside_faults(document: object, today: date) -> tuple[str, ...]:
    """The doubts about a document that has faults, as parsed: about its GUIDs and whole mutes."""
    parts: Mapping[str, object] = document if isinstance(document, dict) else {}
    guids = (
        (index, spelled(guid))
        for index, entry in enumerate(_list(parts.get("instances")))
        if (guid := read_strictly(entry.get("guid") if isinstance(entry, dict) else entry, Guid)[0])
    )
    mutes = (
        (index, msgspec.structs.replace(mute, guid=spelled(mute.guid)))
        for index, entry in enumerate(_list(parts.get("mutes")))
        if (mute := read_strictly(entry, MuteEntry)[0])
    )
    return tuple(merged(_doubts(guids, mutes, today)))


def _doubts(
    guids: Iterable[tuple[int, str]], mutes: Iterable[tuple[int, Mute]], today: date
) -> Iterator[str]:
    """The doubts about GUIDs and mutes, each with its index."""
    listed: set[str] = set()
    for index, guid in guids:
        listed.add(guid)
        if doubt := doubt_about_guid(guid):
            yield f"instances[{index}]: {doubt}"
    for index, mute in mutes:
        for doubt in _about_mute(mute, listed, today):
            yield f"mutes[{index}]: {doubt}"


def _list(part: object) -> list[object]:
    return part if isinstance(part, list) else []


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


def _about_mute(mute: Mute, listed: set[str], today: date) -> Iterator[str]:
    if mute.guid not in listed:
        yield f'"{mute.guid}" is not listed in instances: the mute has no effect'
    left = mute.until - today
    if left < timedelta(0):
        yield f"the mute is over since {mute.until}"
    elif left <= ENDS_SOON:
        yield f"the mute ends on {mute.until}: then notifications begin again"
