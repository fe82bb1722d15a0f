"""A run: one audit of the fleet, or of a part of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec

from backup_audit.errors import InvalidEvent
from backup_audit.fleet.faults import duplicates
from backup_audit.fleet.fields import Guid, PositiveDuration, SchemaAddress, spelled
from backup_audit.strict import description_of, read_strictly, shown
from backup_audit.text import parse_duration

# A clock may run ahead by this much: NTP keeps hosts within seconds, a request can take a minute.
CLOCK_SKEW = timedelta(minutes=5)

# A report says what was so when it was due. The failed-runs queue gives an event back for 14 days
# (template.yaml: MessageRetentionPeriod), after attempts of 6 hours twice; a day is for both the
# attempts and the redrive.
LATE_MAX = timedelta(days=15)

_DELAY_SAID = timedelta(days=1)  # readers of a report should know if it was made later than that

_SHORT = 8  # hexadecimal digits that separate runs of the same second


class Scope(StrEnum):
    """The scope of a run. Only full runs are compared, with the last full one."""

    FULL = "full"
    PARTIAL = "partial"
    WHAT_IF = "what_if"

    @property
    def is_compared(self) -> bool:
        """Whether problems open and end in such runs: others are answers to one question."""
        return self is Scope.FULL


Instant = Annotated[
    datetime, msgspec.Meta(tz=True, description='an RFC 3339 time such as "2026-01-31T05:00:00Z"')
]
Asked = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        description="the GUID or the name of an instance, of 1 to 255 characters",
    ),
]
Flag = Annotated[bool, msgspec.Meta(description="true or false")]


class AuditRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event of the schedule, or of a person; an empty object asks for a full run.

    `explain` asks for no run, but why an instance is audited, or is not; white space around it is
    left out. Null is as if a key were
    not given.
    """

    scheduled_time: Instant | None = None
    instance_guids: (
        Annotated[list[Guid], msgspec.Meta(min_length=1, description="a list of at least one GUID")]
        | None
    ) = None
    max_age: PositiveDuration | None = None
    as_of: Instant | None = None
    dry_run: Flag | None = False
    notify: Flag | None = None
    explain: Asked | None = None
    schema: SchemaAddress | None = msgspec.field(name="$schema", default=None)

    @property
    def scope(self) -> Scope:
        """A changed policy or instant makes a what-if, a choice of instances a partial run."""
        if self.max_age or self.as_of:
            return Scope.WHAT_IF
        return Scope.PARTIAL if self.instance_guids else Scope.FULL

    @property
    def notifies(self) -> bool:
        """Whether people are notified: of a what-if only on request, of a dry run never."""
        if self.dry_run:
            return False
        return self.scope is not Scope.WHAT_IF if self.notify is None else self.notify


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One audit. `due_at` orders runs: the scheduled time, else the start.

    Times are UTC. `as_of` and `max_age_seconds` make a what-if, null if none was asked for.
    """

    run_id: str
    scope: Scope
    due_at: datetime
    started_at: datetime
    as_of: datetime | None = None
    max_age_seconds: int | None = None

    @property
    def delay(self) -> timedelta | None:
        """How long after it was due it began, None if that is a day or less."""
        delay = self.started_at - self.due_at
        return delay if delay > _DELAY_SAID else None


def plan_run(request: AuditRequest, started_at: datetime, invocation_id: str) -> Run:
    """Make the run that a request asks for, with its id.

    A scheduled full run is named by its scheduled time alone, so that a second delivery of the
    same event is the same run. Any other id ends with a digest of what the run asks for, and by
    hand of its invocation too.
    """
    due_at = request.scheduled_time or started_at
    run_id = f"{due_at:%Y%m%dT%H%M%SZ}"
    if not request.scheduled_time:
        run_id += f"-{request.scope}-{_digest(request, invocation_id)}"
    elif request.scope is not Scope.FULL:
        run_id += f"-{request.scope}-{_digest(request)}"
    return Run(
        run_id=run_id,
        scope=request.scope,
        due_at=due_at,
        started_at=started_at,
        as_of=request.as_of,
        max_age_seconds=parse_duration(request.max_age) if request.max_age else None,
    )


def is_scheduled(run_id: str) -> bool:
    """Whether a full run came by its schedule and not by hand: then its id is a time alone."""
    return run_id.endswith("Z")


def _digest(request: AuditRequest, *more: str) -> str:
    return hashlib.sha256(msgspec.json.encode((request, more))).hexdigest()[:_SHORT]


_WITH_EXPLAIN = ("explain", "$schema")


def parse_event(raw: object, now: datetime) -> AuditRequest:
    """Read an event, its times as UTC in whole seconds; raise InvalidEvent with all its faults."""
    if isinstance(raw, list):
        raise InvalidEvent(['the event is a bare list: write {"instance_guids": […]} around it'])
    request, faults = read_strictly(raw, AuditRequest)
    if request is not None:
        faults = [*_contradictions(request, raw, now), *_of_question(request)]
    if request is None or faults:
        raise InvalidEvent(faults)
    guids = request.instance_guids
    return AuditRequest(
        scheduled_time=_utc(request.scheduled_time),
        instance_guids=[spelled(guid) for guid in guids] if guids else None,
        max_age=request.max_age,
        as_of=_utc(request.as_of),
        dry_run=request.dry_run or False,
        notify=request.notify,
        explain=spelled(request.explain.strip()) if request.explain else None,
    )


def faults_of_due(name: str, due_at: datetime, now: datetime) -> list[str]:
    """What is wrong with the time at which a run says that it is due, under that key."""
    if due_at - now > CLOCK_SKEW:
        # latest.json only moves forward: a run of next year would hold it for a year.
        return [f"{name}: is in the future; leave it out to run now"]
    if now - due_at > LATE_MAX:
        no_proof = "what the API lists now says nothing of that day; leave it out to run now"
        return [f"{name}: is more than {LATE_MAX.days} days ago, and {no_proof}"]
    return []


def asks_for_silence(raw: object) -> bool:
    """Whether an event, however broken, asks that nobody is notified."""
    if not isinstance(raw, dict):
        return False
    return raw.get("dry_run") is True or raw.get("notify") is False or is_question(raw)


def is_question(raw: object) -> bool:
    """Whether an event, however broken, asks why an instance is audited, and for no run."""
    return isinstance(raw, dict) and raw.get("explain") is not None


def _contradictions(request: AuditRequest, raw: object, now: datetime) -> list[str]:
    if request.explain is not None:
        given = raw if isinstance(raw, dict) else {}
        others = [key for key in given if given[key] is not None and key not in _WITH_EXPLAIN]
        return [f"{key}: cannot be given with explain, which asks for no run" for key in others]
    faults = faults_of_due("scheduled_time", request.scheduled_time or now, now)
    if request.dry_run and request.notify is True:
        faults.append("notify: cannot be true with dry_run, which notifies nobody")
    return [*faults, *duplicates("instance_guids", request.instance_guids or ())]


def _of_question(request: AuditRequest) -> list[str]:
    if request.explain is None or request.explain.strip():
        return []
    return [f"explain: {shown(request.explain)} is not {description_of(Asked)}"]


def _utc(instant: datetime | None) -> datetime | None:
    return instant.astimezone(UTC).replace(microsecond=0) if instant else None
