"""What every invocation needs: its adapters, its log, its time, and how its failure is told."""

import os
from types import TracebackType
from typing import Protocol, Self

from backup_audit.adapters.powertools import PowertoolsTelemetry
from backup_audit.audit import Audit
from backup_audit.bootstrap import Adapters, clock
from backup_audit.deadline import Deadline
from backup_audit.domain.run import Run
from backup_audit.errors import AuditError
from backup_audit.keep import RunKeys
from backup_audit.ports import ObjectStore
from backup_audit.settings import DEFAULT_PREFIX, Settings, foundation_of
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
            tell_failure(
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
