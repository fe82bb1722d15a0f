"""The function: an event in, one audit, its answer out."""

import os
from typing import Any, Protocol

import msgspec

from backup_audit.adapters.powertools import PowertoolsTelemetry
from backup_audit.bootstrap import Adapters, clock
from backup_audit.deadline import Deadline
from backup_audit.domain.run import Run, plan_run
from backup_audit.errors import AuditError
from backup_audit.handlers.event import asks_for_silence, parse_event
from backup_audit.keep import RunKeys
from backup_audit.settings import DEFAULT_PREFIX, foundation_of, read_settings
from backup_audit.tell import tell_failure

# Seconds of Lambda's time that are kept to write the report and to tell: uploading the findings of
# a large fleet takes a few, S3 and SNS may each need retries.
_RESERVED = 30.0
_RESERVED_SHARE_MAX = 0.25  # of a short time-out


class LambdaContext(Protocol):
    """What Lambda says about an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Audit what the event asks for; raise AuditError, so that a failed run fails visibly."""
    invocation_id = context.aws_request_id
    telemetry = PowertoolsTelemetry(invocation_id)
    run, tells = None, not asks_for_silence(event)
    with Adapters() as adapters:
        try:
            request = parse_event(event, clock())
            run, tells = plan_run(request, clock(), invocation_id), request.tells
            telemetry.identified(run.run_id)
            audit = adapters.audit(read_settings(os.environ), _deadline(context), telemetry)
            answer: dict[str, Any] = msgspec.to_builtins(audit.run(request, run, invocation_id))
        except AuditError as error:
            telemetry.failed(error, foundation_of(os.environ))
            if tells:
                _tell(error, run, invocation_id, adapters, telemetry)
            raise
    return answer


def _deadline(context: LambdaContext) -> Deadline:
    remaining = context.get_remaining_time_in_millis() / 1000
    return Deadline.after(remaining - min(_RESERVED, remaining * _RESERVED_SHARE_MAX))


def _tell(
    error: AuditError,
    run: Run | None,
    invocation_id: str,
    adapters: Adapters,
    telemetry: PowertoolsTelemetry,
) -> None:
    """Say that the run failed. The settings may be what is broken, so only the needed are read."""
    topic, bucket = os.environ.get("TOPIC_ARN"), os.environ.get("REPORT_BUCKET")
    prefix = os.environ.get("REPORT_PREFIX") or DEFAULT_PREFIX
    if not topic:
        telemetry.warned("nobody can be told: TOPIC_ARN is not set")
        return
    try:
        tell_failure(
            error,
            adapters.notifier(topic),
            foundation=foundation_of(os.environ),
            failed_at=clock(),
            invocation_id=invocation_id,
            run_id=run.run_id if run else None,
            store=adapters.store(bucket) if bucket else None,
            keys=RunKeys.of(prefix, run) if run else None,
        )
    except AuditError as second:
        telemetry.warned(f"nobody could be told, or it could not be noted: {second}")
