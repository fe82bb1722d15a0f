"""The inventory: which service instances a foundation says exist, and how that was read."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from backup_audit.text import one_line

_WHY_MAX = 300  # characters

MANAGED = "managed"
USER_PROVIDED = "user-provided"


class Operation(msgspec.Struct, frozen=True, gc=False):
    """The last operation on an instance: create, update or delete, its state, and since when.

    The state is "initial", "in progress", "succeeded" or "failed". `updated_at` is UTC.
    """

    type: str
    state: str
    updated_at: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        return self.state in ("initial", "in progress")


class ServiceInstance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An instance as the foundation lists it. A name is None if our client may not see it.

    `created_at` is UTC. `labels` are only those that the configuration reads.
    """

    guid: str
    type: str = MANAGED
    name: str | None = None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    created_at: datetime | None = None
    last_operation: Operation | None = None
    labels: Mapping[str, str] = {}


class Read(StrEnum):
    """How much of the inventory was read."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    LISTED = "listed"  # only the instances that the configuration, or the event, lists


class Sees(StrEnum):
    """What our client sees of a foundation, by the scope of its token."""

    ALL = "all"
    ROLES = "its roles"
    UNKNOWN = "unknown"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, by GUID.

    `why` says why it is not complete. `user_provided` counts them if that is known. `read_at` is
    UTC: when the last answer came.
    """

    read: Read
    rows: Mapping[str, ServiceInstance]
    read_at: datetime
    requests: int = 0
    sees: Sees = Sees.UNKNOWN
    user_provided: int | None = None
    why: str | None = None

    @property
    def why_in_short(self) -> str | None:
        """Why it is not complete, on one line."""
        return one_line(self.why, _WHY_MAX) if self.why else None


class InventoryReader(Protocol):
    """Reads the inventory. What cannot be had is said in the reading, and raises nothing.

    `labels` are the keys to keep. One that ends with * stands for all that begin so, of which the
    first five of an instance are kept: any number may come from tenants.
    """

    def scan(self, labels: Collection[str]) -> Reading:
        """Every managed instance that our client sees."""

    def look_up(self, guids: Sequence[str], labels: Collection[str]) -> Reading:
        """These instances, managed or not; one that is not there has no row."""

    def named(self, name: str, labels: Collection[str]) -> Reading:
        """The instances of this name: there may be one in each space."""


class Unreadable:
    """The reader where none can be made: every reading failed, for this reason."""

    def __init__(self, why: str, at: datetime) -> None:
        self._failed = Reading(read=Read.FAILED, rows={}, read_at=at, why=why)

    def scan(self, labels: Collection[str]) -> Reading:  # noqa: ARG002
        return self._failed

    def look_up(self, guids: Sequence[str], labels: Collection[str]) -> Reading:  # noqa: ARG002
        return self._failed

    def named(self, name: str, labels: Collection[str]) -> Reading:  # noqa: ARG002
        return self._failed
