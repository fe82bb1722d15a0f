"""Mutes: whom a person decided not to be notified of, and until when."""

from datetime import date, timedelta
from enum import StrEnum

import msgspec

from backup_audit.fleet.fields import Day, Guid, Text, spelled
from backup_audit.fleet.selectors import Selector

NEAR = timedelta(days=7)  # a mute whose end is no farther away is said to end, or to have ended


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
        """Whether nobody is notified on a day (UTC); all that asks for a mute's end asks here."""
        return today <= self.until

    def days_left(self, today: date) -> int:
        """How many days it is in force after this one (UTC); below 0 if it is over."""
        return (self.until - today).days

    def is_ending(self, today: date) -> bool:
        """Whether it is in force and ends within 7 days."""
        return self.is_in_force(today) and self.days_left(today) <= NEAR.days

    def has_just_ended(self, today: date) -> bool:
        """Whether it is over since 7 days at the most."""
        return not self.is_in_force(today) and -self.days_left(today) <= NEAR.days


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
    ENDING = "ending"  # in force, and its last day is no more than 7 days ahead
    EXPIRED = "expired"
    UNMATCHED = "unmatched"  # it is for no audited instance


class MuteRecord(Mute, frozen=True, kw_only=True, gc=False):
    """A configured mute, and its state in this run, by the day (UTC) on which the run began.

    `instances` counts the audited instances that it is in force for; several may be for one.
    `problems`, of a mute that ended within the last 7 days, counts those that it was for, that have
    an open problem in the last full report and no other mute in force; some may be over by now. It
    is left out of other mutes, and where a run is not compared.
    """

    state: MuteState
    instances: int
    problems: int | None = None


def state_of(mute: Mute, today: date, *, is_matched: bool) -> MuteState:
    """The state of a mute on a day (UTC); `is_matched`: it is for an audited instance."""
    if not is_matched:
        return MuteState.UNMATCHED
    if mute.is_ending(today):
        return MuteState.ENDING
    return MuteState.ACTIVE if mute.is_in_force(today) else MuteState.EXPIRED
