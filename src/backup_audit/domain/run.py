"""A run: one audit of the fleet, or of a part of it."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

_SHORT = 8  # hexadecimal digits that tell apart runs of the same second


class Scope(StrEnum):
    """What a run's report stands for; only a full run is what the next is compared with."""

    FULL = "full"
    PARTIAL = "partial"
    WHAT_IF = "what_if"


class AuditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an event asks for; all times are aware."""

    scheduled_time: datetime | None = None
    instance_guids: tuple[str, ...] | None = None
    max_age: timedelta | None = None
    as_of: datetime | None = None
    dry_run: bool = False
    notify: bool | None = None

    @property
    def scope(self) -> Scope:
        """A changed policy or instant makes a what-if, a choice of instances a partial run."""
        if self.max_age is not None or self.as_of is not None:
            return Scope.WHAT_IF
        return Scope.FULL if self.instance_guids is None else Scope.PARTIAL

    @property
    def tells(self) -> bool:
        """Whether people are told: a what-if only on request, a dry run never."""
        if self.dry_run:
            return False
        return self.scope is not Scope.WHAT_IF if self.notify is None else self.notify


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One audit. `due_at` orders runs: the scheduled time, else the start. Times are UTC."""

    run_id: str
    scope: Scope
    due_at: datetime
    started_at: datetime
    as_of: datetime | None = None
    max_age: timedelta | None = None


def plan_run(request: AuditRequest, started_at: datetime, invocation_id: str) -> Run:
    """Give the run its id.

    A scheduled full run is named by its scheduled time alone, so that a second delivery of the
    same event is the same run. Any other is told apart by what it asks for, and a run by hand by
    its invocation too.
    """
    due_at = request.scheduled_time or started_at
    run_id = f"{due_at:%Y%m%dT%H%M%SZ}"
    if request.scheduled_time is None:
        run_id += f"-{request.scope}-{_digest(request, invocation_id)}"
    elif request.scope is not Scope.FULL:
        run_id += f"-{request.scope}-{_digest(request)}"
    return Run(
        run_id=run_id,
        scope=request.scope,
        due_at=due_at,
        started_at=started_at,
        as_of=request.as_of,
        max_age=request.max_age,
    )


def _digest(request: AuditRequest, *more: str) -> str:
    return hashlib.sha256(msgspec.json.encode((request, more))).hexdigest()[:_SHORT]
