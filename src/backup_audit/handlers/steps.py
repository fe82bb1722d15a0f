"""The steps of the state machine: each translates its task, makes one call, and answers."""

import os
from typing import Any

import msgspec

from backup_audit.bootstrap import clock
from backup_audit.domain.run import plan_run
from backup_audit.domain.strict import NOT_AS_EXPECTED
from backup_audit.domain.text import one_line
from backup_audit.errors import AuditError, InvalidEvent
from backup_audit.handlers.event import asks_for_silence, parse_event
from backup_audit.handlers.invocation import Invocation, LambdaContext
from backup_audit.mapped import (
    BatchTask,
    ConcludeTask,
    MappedAudit,
    MapPlan,
    read_plan,
    share,
)
from backup_audit.settings import Settings, read_settings

_FAULT_MAX = 300  # characters; it quotes the task


class PlanTask(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="plan"
):
    """What the first step gets: the execution's input, and the execution's id (its ARN)."""

    event: object
    execution: str


Task = PlanTask | BatchTask | ConcludeTask


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do a step; raise AuditError."""
    with Invocation(context) as invocation:
        match _task(event):
            case PlanTask() as task:
                answer = _plan(task, invocation)
            case BatchTask() as task:
                answer = _audit_batch(task, invocation)
            case ConcludeTask() as task:
                answer = _conclude(task, invocation)
    document: dict[str, Any] = msgspec.to_builtins(answer)
    return document


def _task(event: dict[str, Any]) -> Task:
    try:
        task: Task = msgspec.convert(event, Task)
    except NOT_AS_EXPECTED as error:
        raise InvalidEvent([one_line(str(error), _FAULT_MAX)]) from None
    return task


def _plan(task: PlanTask, invocation: Invocation) -> msgspec.Struct:
    """As a whole run begins: what fails here is told."""
    run, tells = None, not asks_for_silence(task.event)
    try:
        request = parse_event(task.event, clock())
        if request.dry_run:
            raise InvalidEvent(["dry_run: the steps write batches; invoke the function instead"])
        # The execution stands for the invocation: a retry of the step is the same run.
        run, tells = plan_run(request, clock(), task.execution), request.tells
        invocation.telemetry.identified(run.run_id)
        settings = read_settings(os.environ)
        pacing = share(settings.in_flight_max, settings.workers, settings.requests_per_second)
        audit = MappedAudit(invocation.audit(settings), invocation.store(settings))
        return audit.plan(request, run, pacing, size=settings.batch_size, attempt=invocation.id)
    except AuditError as error:
        invocation.failed(error, run, tells=tells)
        raise


def _audit_batch(task: BatchTask, invocation: Invocation) -> msgspec.Struct:
    """A batch that fails is tried again, and told by the last step if it fails for good."""
    try:
        settings = read_settings(os.environ)
        planned = read_plan(invocation.store(settings), task.plan_key)
        invocation.telemetry.identified(planned.plan.run.run_id)
        audit = MappedAudit(invocation.audit(_paced(settings, planned)), invocation.store(settings))
        return audit.audit_batch(planned, task.batch)
    except AuditError as error:
        invocation.telemetry.warned(f"batch {task.batch} failed: {error}")
        raise


def _conclude(task: ConcludeTask, invocation: Invocation) -> msgspec.Struct:
    run, tells = None, True
    try:
        settings = read_settings(os.environ)
        planned = read_plan(invocation.store(settings), task.plan_key)
        run, tells = planned.plan.run, planned.plan.tells
        invocation.telemetry.identified(run.run_id)
        audit = MappedAudit(invocation.audit(settings), invocation.store(settings))
        return audit.conclude(planned, invocation.id)
    except AuditError as error:
        invocation.failed(error, run, tells=tells)
        raise


def _paced(settings: Settings, planned: MapPlan) -> Settings:
    """The batch's share of what the API may be asked for."""
    return msgspec.structs.replace(
        settings,
        workers=planned.pacing.workers,
        requests_per_second=planned.pacing.requests_per_second,
    )
