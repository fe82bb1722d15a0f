"""Lambda's entry point: an event or a step in, one call, an answer out."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import InvalidEvent, NotificationFailed, named
from backup_audit.fleet.run import (
    AuditRequest,
    Instant,
    Run,
    asks_for_silence,
    faults_of_due,
    is_question,
    parse_event,
    plan_run,
)
from backup_audit.notify.chat import run_failed_chat
from backup_audit.notify.events import run_failed_event
from backup_audit.notify.run_failure import failure_of, run_failed
from backup_audit.notify.send_failure import MessageOf, notify_of_failure, records_of
from backup_audit.plan import BatchTask, read_plan
from backup_audit.probe.pacing import Deadline
from backup_audit.report.alerts import Audience
from backup_audit.report.report import StoredPlan
from backup_audit.settings import (
    DEFAULT_PREFIX,
    foundation_of,
    read_settings,
    remind_every_of,
    runbook_of,
)
from backup_audit.strict import NOT_AS_EXPECTED
from backup_audit.telemetry import PowertoolsTelemetry
from backup_audit.text import one_line
from backup_audit.wiring import AwsEdges, notifier_of, now, store_of

# Seconds of Lambda's time that are kept to write the report and notify: uploading the findings of a
# large fleet takes a few, S3 and SNS may each need retries.
_RESERVED = 30.0
_RESERVED_SHARE_MAX = 0.25  # of a short time-out

_FAULT_MAX = 300  # characters; it quotes the task

# The topic and the message of a failed run, for each audience.
_TOPICS: Mapping[Audience, tuple[str, MessageOf]] = {
    Audience.PEOPLE: ("TOPIC_ARN", run_failed),
    Audience.CHAT: ("CHAT_TOPIC_ARN", run_failed_chat),
    Audience.EVENTS: ("EVENTS_TOPIC_ARN", run_failed_event),
}

# The id of an execution, which only the state machine's context gives: such a step is not by hand.
_EXECUTION = re.compile(r"arn:[\w-]+:states:[\w-]+:[0-9]+:execution:[^:]+:[^:]+")


class LambdaContext(Protocol):
    """What Lambda says about an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class PlanTask(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="plan"
):
    """The input of the first step: the execution's input, its id (its ARN) and its start.

    The execution stands for the invocation: a retry of the step is the same run. By hand there is
    none: the run begins now.
    """

    event: object
    execution: str | None = None
    started_at: Instant | None = None


class ConcludeTask(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="conclude"
):
    """The input of the last step: the plan, and the execution's id; None by hand."""

    plan_key: str
    execution: str | None = None


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for; raise every error again, so that the run fails visibly."""
    invocation = _Invocation(context)
    try:
        document: dict[str, Any] = msgspec.to_builtins(invocation.answer(event))
    except Exception as error:
        invocation.failed(error)
        raise
    return document


class _Invocation:
    """One invocation, and what is known so far of its run."""

    def __init__(self, context: LambdaContext) -> None:
        self._id = context.aws_request_id
        self._telemetry = PowertoolsTelemetry(self._id, os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))
        remaining = context.get_remaining_time_in_millis() / 1000
        self._ends_at = now() + timedelta(seconds=remaining)
        self._deadline = Deadline.after(remaining - min(_RESERVED, remaining * _RESERVED_SHARE_MAX))
        self._run: Run | None = None
        self._notifies = True
        self._batch: int | None = None
        self._by_hand = False
        self._asks_why = False

    def answer(self, event: object) -> msgspec.Struct:
        if not (isinstance(event, dict) and "step" in event):
            self._asks_why = is_question(event)
            request, run = self._read(event, now(), self._id)
            if request.explain is not None:
                return self._audit().explain(request.explain)
            return self._audit().run(request, run)
        execution = event.get("execution")
        self._by_hand = not (isinstance(execution, str) and _EXECUTION.fullmatch(execution))
        match _task(event):
            case PlanTask(event=event, execution=execution, started_at=started_at):
                request, run = self._read(event, started_at or now(), execution or self._id)
                if faults := faults_of_due("started_at", run.started_at, now()):
                    raise InvalidEvent(faults)
                for key in ("dry_run", "explain"):
                    if getattr(request, key):
                        raise InvalidEvent(
                            [f"{key}: the steps write batches; invoke the function instead"]
                        )
                return self._audit().plan(request, run, by_hand=self._by_hand)
            case BatchTask(plan_key=plan_key, batch=batch):
                self._batch = batch
                return self._audit().audit_batch(self._stored(plan_key), batch)
            case ConcludeTask(plan_key=plan_key):
                return self._audit().conclude(self._stored(plan_key), by_hand=self._by_hand)

    def failed(self, error: Exception) -> None:
        """Log, count and notify; a second error does not hide the first.

        A batch only logs: it is tried again, and the last step reports it if it failed for good. So
        does a question, which is no run, and whose answer says what is wrong. A step by hand
        notifies nobody. A broken event is its caller's, and the alarm's: it says nothing of
        anybody's backups. So is a report whose messages were not taken: the audit did not fail.
        """
        if self._batch is not None or self._asks_why:
            with suppress(Exception):
                what = "explain" if self._asks_why else f"batch {self._batch}"
                self._telemetry.warned(f"{what} failed: {type(error).__name__}: {error}")
            return
        with suppress(Exception):
            self._telemetry.failed(error, foundation_of(os.environ))
        is_said_elsewhere = isinstance(error, InvalidEvent | NotificationFailed)
        if self._notifies and not self._by_hand and not is_said_elsewhere:
            try:
                self._notify(error)
            except Exception as second:  # noqa: BLE001  # the first error is raised again
                with suppress(Exception):
                    self._telemetry.warned(f"nobody was notified: {named(second)}")

    def _notify(self, error: Exception) -> None:
        """Notify of a failure. The settings may be broken: only those needed are read."""
        topics = {
            audience: (topic, message_of)
            for audience, (variable, message_of) in _TOPICS.items()
            if (topic := os.environ.get(variable))
        }
        if Audience.PEOPLE not in topics:
            self._telemetry.warned("people cannot be notified: TOPIC_ARN is not set")
        warn, bucket = self._telemetry.warned, os.environ.get("REPORT_BUCKET")
        failure = failure_of(
            error,
            run=self._run,
            foundation=foundation_of(os.environ),
            invocation_id=self._id,
            failed_at=now(),
            remind_every=remind_every_of(os.environ),
            runbook_url=runbook_of(os.environ),
        )
        prefix = os.environ.get("REPORT_PREFIX") or DEFAULT_PREFIX
        notify_of_failure(
            failure,
            {audience: notifier_of(topic) for audience, (topic, _) in topics.items()},
            {audience: message_of for audience, (_, message_of) in topics.items()},
            records_of(failure, store_of(bucket), prefix, warn) if bucket else None,
            warn,
        )

    def _read(self, event: object, started_at: datetime, delivery: str) -> tuple[AuditRequest, Run]:
        self._notifies = not asks_for_silence(event)
        request = parse_event(event, now())
        run = plan_run(request, started_at.astimezone(UTC), delivery)
        self._begin(run, notifies=request.notifies)
        return request, run

    def _stored(self, plan_key: str) -> StoredPlan:
        stored = read_plan(store_of(read_settings(os.environ).report_bucket), plan_key)
        self._begin(stored.run, notifies=stored.plan.notifies)
        return stored

    def _begin(self, run: Run, *, notifies: bool) -> None:
        self._run, self._notifies = run, notifies
        self._telemetry.identified(run.run_id)

    def _audit(self) -> Audit:
        settings = read_settings(os.environ)
        edges = AwsEdges(settings, self._telemetry, self._deadline)
        return Audit(settings, edges, self._id, self._ends_at)


_Task = PlanTask | BatchTask | ConcludeTask


def _task(event: dict[str, Any]) -> _Task:
    try:
        task: _Task = msgspec.convert(event, _Task)
    except NOT_AS_EXPECTED as error:
        raise InvalidEvent([one_line(str(error), _FAULT_MAX)]) from None
    execution = None if isinstance(task, BatchTask) else task.execution
    if execution is not None and not _EXECUTION.fullmatch(execution):
        shown = one_line(execution, _FAULT_MAX)
        raise InvalidEvent(
            [f"execution: {shown!r} is no ARN of an execution: by hand leave it out"]
        )
    return task
