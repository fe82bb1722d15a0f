"""The event's contract, strict: an unknown key or a wrong type is an error that names it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from backup_audit.domain.configuration import Guid, PositiveDuration
from backup_audit.domain.duration import parse_duration
from backup_audit.domain.judge import CLOCK_SKEW
from backup_audit.domain.run import AuditRequest
from backup_audit.domain.strict import read_strictly
from backup_audit.errors import InvalidEvent

Instant = Annotated[
    datetime,
    msgspec.Meta(tz=True, description='an RFC 3339 time such as "2026-01-31T05:00:00Z"'),
]
Flag = Annotated[bool, msgspec.Meta(description="true or false")]


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the schedule sends, or a person; an empty object asks for a full run."""

    scheduled_time: Instant | UnsetType = UNSET
    instance_guids: (
        Annotated[list[Guid], msgspec.Meta(min_length=1, description="a list of at least one GUID")]
        | UnsetType
    ) = UNSET
    max_age: PositiveDuration | UnsetType = UNSET
    as_of: Instant | UnsetType = UNSET
    dry_run: Flag = False
    notify: Flag | UnsetType = UNSET


def parse_event(raw: object, now: datetime) -> AuditRequest:
    """Read an event; raise InvalidEvent with all its faults."""
    event, faults = read_strictly(raw, Event)
    if event is not None:
        faults = _contradictions(event, now)
    if event is None or faults:
        raise InvalidEvent(faults)
    return AuditRequest(
        scheduled_time=_utc(event.scheduled_time),
        instance_guids=tuple(event.instance_guids) if event.instance_guids else None,
        max_age=parse_duration(event.max_age) if event.max_age else None,
        as_of=_utc(event.as_of),
        dry_run=event.dry_run,
        notify=None if event.notify is UNSET else event.notify,
    )


def asks_for_silence(raw: object) -> bool:
    """Whether an event, however broken, asks that nobody is told."""
    return isinstance(raw, dict) and (raw.get("dry_run") is True or raw.get("notify") is False)


def _contradictions(event: Event, now: datetime) -> list[str]:
    faults = []
    if event.scheduled_time and event.scheduled_time - now > CLOCK_SKEW:
        # latest.json only moves forward: a run of next year would hold it for a year.
        faults.append("scheduled_time: lies in the future; leave it out to run by hand")
    if event.dry_run and event.notify is True:
        faults.append("notify: cannot be true with dry_run, which tells nobody")
    counted = Counter(event.instance_guids or [])
    faults += [
        f"instance_guids: {guid!r} is listed {count} times"
        for guid, count in counted.items()
        if count > 1
    ]
    return faults


def _utc(instant: datetime | UnsetType) -> datetime | None:
    return instant.astimezone(UTC) if instant else None
