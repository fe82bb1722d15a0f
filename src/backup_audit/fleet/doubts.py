"""What a configuration may say, but hardly means: names for GUIDs, mutes without effect.

A run takes it, and warns. `backup-audit check` says it before.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from backup_audit.errors import merged
from backup_audit.fleet.configuration import UUID, Configuration, Mute

ENDS_SOON = timedelta(days=14)

_ALMOST = re.compile(r"[0-9a-z]{6,10}(-?[0-9a-z]{2,6}){3}-?[0-9a-z]{8,16}", re.IGNORECASE)
_DIGITS_MIN = 8  # from 0 to 9; one GUID in 70,000 has fewer, hardly a name as many
_LONG = 36  # characters of a GUID


def doubts_about(configuration: Configuration, today: date) -> tuple[str, ...]:
    """Each doubt with its position; many of one kind are one. `today` is a day in UTC."""
    return tuple(merged(_doubts(configuration, today)))


def _doubts(configuration: Configuration, today: date) -> Iterator[str]:
    for index, instance in enumerate(configuration.instances):
        if doubt := doubt_about_guid(instance.guid):
            yield f"instances[{index}]: {doubt}"
    listed = {instance.guid for instance in configuration.instances}
    for index, mute in enumerate(configuration.mutes):
        for doubt in _about_mute(mute, listed, today):
            yield f"mutes[{index}]: {doubt}"


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
