"""Lambda's entry point: a step of the state machine, or a whole run."""

import os
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import AuditError, InvalidEvent
from backup_audit.fleet.run import Run, asks_for_silence, parse_event, plan_run
from backup_audit.mapped import (
    BatchTask,
    ConcludeTask,
    MappedAudit,
    MapPlan,
    read_plan,
    share,
)
from backup_audit.notify.send import notify_of_failure
from backup_audit.probe.pacing import Deadline
from backup_audit.report.commit import ObjectStore, RunKeys
from backup_audit.settings import DEFAULT_PREFIX, Settings, foundation_of, read_settings
from backup_audit.strict import NOT_AS_EXPECTED
from backup_audit.telemetry import PowertoolsTelemetry
from backup_audit.text import one_line
from backup_audit.wiring import Adapters, clock

# Seconds of Lambda's time that are kept to write the report and to tell: uploading the findings of
# a large fleet takes a few, S3 and SNS may each need retries.
_RESERVED = 30.0
_RESERVED_SHARE_MAX = 0.25  # of a short time-out


class LambdaContext(Protocol):
    """What Lambda says about an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class Invocation:
    """One invocation; a context, at whose end its connections are closed."""

    def __init__(self, context: LambdaContext) -> None:
        self.id = context.aws_request_id
        self.telemetry = PowertoolsTelemetry(self.id, os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))
        self._adapters = Adapters()
        remaining = context.get_remaining_time_in_millis() / 1000
        self._deadline = Deadline.after(remaining - min(_RESERVED, remaining * _RESERVED_SHARE_MAX))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._adapters.close()

    def audit(self, settings: Settings) -> Audit:
        """The use case; raises AuditError if the CA or the credentials cannot be read."""
        return self._adapters.audit(settings, self._deadline, self.telemetry)

    def store(self, settings: Settings) -> ObjectStore:
        """The report bucket."""
        return self._adapters.store(settings.report_bucket)

    def failed(self, error: AuditError, run: Run | None, *, tells: bool) -> None:
        """Say in log, metrics and topic that a run failed."""
        self.telemetry.failed(error, foundation_of(os.environ))
        if tells:
            self._tell(error, run)

    def _tell(self, error: AuditError, run: Run | None) -> None:
        """Tell. The settings may be what is broken, so only the needed are read."""
        topic, bucket = os.environ.get("TOPIC_ARN"), os.environ.get("REPORT_BUCKET")
        prefix = os.environ.get("REPORT_PREFIX") or DEFAULT_PREFIX
        if not topic:
            self.telemetry.warned("nobody can be told: TOPIC_ARN is not set")
            return
        try:
            notify_of_failure(
                error,
                self._adapters.notifier(topic),
                foundation=foundation_of(os.environ),
                failed_at=clock(),
                invocation_id=self.id,
                run_id=run.run_id if run else None,
                store=self._adapters.store(bucket) if bucket else None,
                keys=RunKeys.of(prefix, run) if run else None,
            )
        except AuditError as second:
            self.telemetry.warned(f"nobody could be told, or it could not be noted: {second}")


_FAULT_MAX = 300  # characters; it quotes the task


class PlanTask(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="plan"
):
    """What the first step gets: the execution's input, and the execution's id (its ARN)."""

    event: object
    execution: str


Task = PlanTask | BatchTask | ConcludeTask


def _step(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
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


def _audit_fleet(event: object, context: LambdaContext) -> dict[str, Any]:
    """Audit what the event asks for; raise AuditError, so that a failed run fails visibly."""
    with Invocation(context) as invocation:
        run, tells = None, not asks_for_silence(event)
        try:
            request = parse_event(event, clock())
            run, tells = plan_run(request, clock(), invocation.id), request.tells
            invocation.telemetry.identified(run.run_id)
            audit = invocation.audit(read_settings(os.environ))
            answer: dict[str, Any] = msgspec.to_builtins(audit.run(request, run, invocation.id))
        except AuditError as error:
            invocation.failed(error, run, tells=tells)
            raise
    return answer


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for; raise AuditError."""
    if isinstance(event, dict) and "step" in event:
        return _step(event, context)
    return _audit_fleet(event, context)
