"""What the API answered: a list, a refusal or nothing usable; or why it was not asked."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from backup_audit.text import one_line

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
    """An entry of the list whose time cannot be read; `why` goes into the reason."""

    why: str


def read_backup(entry: object) -> Backup | UnreadableBackup:
    """Read an entry of the list, parsed from JSON.

    The API promises `created_at` as an integer, seconds since 1970 in UTC. Milliseconds are not
    converted: an API that breaks its promise once cannot be trusted to mean the rest. Whether the
    time is in the future is checked by `judge`. `id` is opaque and not read.
    """
    if not isinstance(entry, dict):
        return UnreadableBackup(f"the entry is {shown(entry)}, not an object")
    created_at = entry.get("created_at")
    if created_at is None:
        return UnreadableBackup("created_at is missing")
    if isinstance(created_at, bool) or not isinstance(created_at, int):
        return UnreadableBackup(f"created_at is {shown(created_at)}, not an integer")
    if created_at <= 0:
        return UnreadableBackup(f"created_at is {shown(created_at)}")
    if created_at >= SECONDS_END:
        return UnreadableBackup(f"created_at is {shown(created_at)}, too large to be seconds")
    return Backup(datetime.fromtimestamp(created_at, UTC))


def shown(value: object) -> str:
    """A strange value out of an answer, as a reason quotes it."""
    return one_line(json.dumps(value), _SHOWN_MAX)


class BackupList(msgspec.Struct, frozen=True):
    """HTTP 200 with a list. The order has no meaning.

    `instance_created_at` (UTC) is asked for only where a grace may apply; None: not asked, or the
    API does not say. `age_missing` says why the age could not be found out, though it may be known
    later. `limit` is what the request asked for at the most; None: no limit was sent. `more` says
    how the answer itself tells that the list goes on; None: it does not.
    """

    backups: tuple[Backup | UnreadableBackup, ...]
    instance_created_at: datetime | None = None
    age_missing: str | None = None
    limit: int | None = None
    more: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP status other than 200.

    `code`, `title` and `detail` are those of the first Cloud Foundry error in the body, and None
    where the body holds none: then the answer came from something before the Cloud Controller.
    """

    code: int | None = None
    title: str | None = None
    detail: str | None = None

    @property
    def is_of_cloud_foundry(self) -> bool:
        """Whether the body holds a whole Cloud Foundry error."""
        return self.code is not None and self.title is not None


class Cause(StrEnum):
    """Why there is no answer to judge."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    UNREADABLE = "unreadable"  # HTTP 200 whose body is not what the API promises
    TOO_LARGE = "too_large"
    NOT_REACHED = "not_reached"  # the run stopped before; the detail says why


class Silence(msgspec.Struct, frozen=True):
    """No answer, or none that can be read; `detail` says more, in a few words.

    `by_proxy`: the proxy before the API is the cause.
    """

    cause: Cause
    detail: str
    by_proxy: bool = False


TOO_SLOW = Silence(Cause.TIMEOUT, "no whole answer in time")


class UserProvided(msgspec.Struct, frozen=True):
    """Not asked: the instance is a user-provided one, so there is no broker to list backups."""


Answer = BackupList | Refusal | Silence | UserProvided

T_co = TypeVar("T_co", covariant=True)


class Observation(msgspec.Struct, Generic[T_co], frozen=True, kw_only=True):
    """An answer, and what it took to get it.

    `status` is the HTTP status, None without one. `request_id` is X-VCAP-Request-ID.
    `attempts` counts the HTTP requests, `milliseconds` the time of all of them with the waits
    between. `observed_at` (UTC) is when the answer was complete: the "now" of its judgement.
    """

    answer: T_co
    observed_at: datetime
    status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    milliseconds: int = 0


Evidence = Observation[Answer]  # of an instance's backups: what a verdict rests on


def with_age(
    listing: Evidence, created_at: datetime | None, missing: str | None = None
) -> Evidence:
    """An empty list with the instance's age, or why that could not be found out."""
    if not isinstance(listing.answer, BackupList):
        return listing
    answer = msgspec.structs.replace(
        listing.answer, instance_created_at=created_at, age_missing=missing
    )
    return msgspec.structs.replace(listing, answer=answer)
