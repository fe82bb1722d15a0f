"""A backup as the API lists it, and what makes its timestamp unbelievable."""

import json
from datetime import UTC, datetime

import msgspec

from backup_audit.domain.text import one_line

# Seconds since 1970 pass this in the year 5138; anything larger is in milliseconds or finer.
SECONDS_END = 10**11
_SHOWN_MAX = 41  # characters of a strange value that a reason quotes


class Backup(msgspec.Struct, frozen=True):
    """One backup; `created_at` is aware, in UTC, with a resolution of a second."""

    created_at: datetime

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError("a backup's created_at needs a time zone")


class UnreadableBackup(msgspec.Struct, frozen=True):
    """An entry of the list whose time cannot be told; `why` goes into the reason."""

    why: str


def read_backup(entry: object) -> Backup | UnreadableBackup:
    """Read an entry of the list, parsed from JSON.

    The API promises `created_at` as an integer, seconds since 1970 in UTC. Milliseconds are not
    converted: an API that breaks its promise once cannot be trusted to mean the rest. Whether the
    time lies in the future is for the judge, who knows the present. `id` is opaque and not read.
    """
    if not isinstance(entry, dict):
        return UnreadableBackup(f"the entry is {_shown(entry)}, not an object")
    created_at = entry.get("created_at")
    if created_at is None:
        return UnreadableBackup("created_at is missing")
    if isinstance(created_at, bool) or not isinstance(created_at, int):
        return UnreadableBackup(f"created_at is {_shown(created_at)}, not an integer")
    if created_at <= 0:
        return UnreadableBackup(f"created_at is {_shown(created_at)}")
    if created_at >= SECONDS_END:
        return UnreadableBackup(f"created_at is {_shown(created_at)}, too large to be seconds")
    return backup_at(created_at)


def backup_at(created_at: int) -> Backup:
    """A backup by its time in seconds since 1970, above 0 and below SECONDS_END."""
    return Backup(datetime.fromtimestamp(created_at, UTC))


def _shown(value: object) -> str:
    return one_line(json.dumps(value), _SHOWN_MAX)
