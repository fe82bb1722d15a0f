"""What changed between the fleet of the last full run and that of this one, and what nobody audits.

The documents that report.json has under `inventory`.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.selection import ExcludeUse, RuleUse
from backup_audit.judge.finding import Problem

NAMED_MAX = 5_000  # instances that a list of the report names; its head is read at once


class Departure(StrEnum):
    """How an instance left the fleet."""

    GONE = "gone"  # from the foundation
    DESELECTED = "deselected"  # it is there, and nothing selects it any more
    EXCLUDED = "excluded"


class Departed(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that was audited, and left the fleet; `open_problem` is what it had."""

    guid: str
    name: str | None
    org: str | None
    space: str | None
    how: Departure
    open_problem: Problem | None


class UnauditedInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that nobody audits; `is_new`: since the last full run."""

    guid: str
    name: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    is_new: bool


class Unaudited(msgspec.Struct, frozen=True, kw_only=True):
    """The managed instances that our client sees and that nobody listed, discovered or excluded.

    `new` counts those since the last full run, 0 at the first. `instances` names new ones first,
    5,000 at the most.
    """

    count: int
    new: int
    by_offering: dict[str, int]
    instances: list[UnauditedInstance]


class InventoryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The inventory that a run used, and what it says of the fleet.

    `read_at` is when one was last read completely, `why` says what was wrong with this reading.
    `managed` and `user_provided` count what our client sees. `vanished` are instances that were
    audited and left the fleet, those with an open problem first, 5,000 at the most, of
    `vanished_count`. `lost` counts those that disappeared at once, which is taken for a lost role:
    all of them stay in the fleet. Null: not known, since the inventory was not read completely.
    """

    read: Read
    why: str | None
    read_at: datetime | None
    requests: int
    sees: Sees
    managed: int | None
    user_provided: int | None
    appeared: int | None
    vanished: list[Departed] | None
    vanished_count: int | None
    lost: int
    unaudited: Unaudited | None
    excluded: list[ExcludeUse]
    rules: list[RuleUse]
