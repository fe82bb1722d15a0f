"""Mutes: whom a person decided not to be notified of, and until when."""

from datetime import date
from enum import StrEnum

import msgspec

from backup_audit.fleet.fields import Day, Guid, Text, spelled
from backup_audit.fleet.selectors import Selector


class Mute(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A person's decision not to be notified, up to and including a day (UTC).

    It is for the instance of a GUID; `guid` is null if it is for all that `match` fits.
    """

    guid: Guid | None
    owner: Text
    reason: Text
    until: Day
    match: Selector | None = None

    def is_in_force(self, today: date) -> bool:
        return today <= self.until


class MuteEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mute as people write it, with a GUID or what it fits."""

    guid: Guid | None = None
    match: Selector | None = None
    owner: Text
    reason: Text
    until: Day

    def resolved(self) -> Mute:
        guid = None if self.guid is None else spelled(self.guid)
        return Mute(guid, self.owner, self.reason, self.until, self.match)


class MuteState(StrEnum):
    """The state of a configured mute in a run."""

    ACTIVE = "active"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"  # it is for no audited instance


class MuteRecord(Mute, frozen=True, kw_only=True, gc=False):
    """A configured mute, and its state in this run."""

    state: MuteState
