"""Log lines and metrics through Powertools: JSON on stdout, metrics in the embedded format."""

import time
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from backup_audit.domain.report import Report
from backup_audit.domain.run import Scope
from backup_audit.domain.verdict import Verdict

NAMESPACE = "BackupAudit"
SERVICE = "backup-audit"

_PROGRESS_EVERY = 5.0  # seconds between progress lines


class PowertoolsTelemetry:
    """A Telemetry of one invocation."""

    def __init__(self, invocation_id: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._logger = Logger(service=SERVICE, location=None)
        self._logger.append_keys(invocation_id=invocation_id, run_id=None)
        self._monotonic = monotonic
        self._progress_due = monotonic() + _PROGRESS_EVERY

    def identified(self, run_id: str) -> None:
        """From now on every line bears the run's id."""
        self._logger.append_keys(run_id=run_id)

    def started(self, instances: int) -> None:
        """Log the size of the run."""
        self._logger.info("audit started", extra={"instances": instances})

    def progressed(self, done: int, total: int) -> None:
        """Log a line every few seconds."""
        if self._monotonic() >= self._progress_due:
            self._progress_due = self._monotonic() + _PROGRESS_EVERY
            self._logger.info("audit in progress", extra={"done": done, "total": total})

    def warned(self, warning: str) -> None:
        """Log a warning."""
        self._logger.warning(warning)

    def reported(self, report: Report, *, messages_sent: int) -> None:
        """Log the outcome; metrics follow full runs only, as alarms do."""
        self._logger.info(
            "audit finished",
            extra={
                "scope": report.scope,
                "complete": report.complete,
                "counts": report.counts,
                "coverage_percent": report.coverage.percent,
                "seconds": report.effort.seconds,
                "api_calls": report.effort.api_calls,
                "retries": report.effort.retries,
                "messages_sent": messages_sent,
            },
        )
        if report.scope is Scope.FULL:
            _emit(report)

    def failed(self, error: Exception, foundation: str | None) -> None:
        """Log the error with its traceback and count the failed run."""
        self._logger.error("audit failed", exc_info=error, extra={"reason": str(error)})
        metrics = _metrics(foundation)
        metrics.add_metric("RunsFailed", MetricUnit.Count, 1)
        metrics.flush_metrics()


def _metrics(foundation: str | None) -> AmazonCloudWatchEMFProvider:
    """A provider of its own for each emission: the Metrics class shares its state."""
    metrics = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service=SERVICE)
    if foundation:
        metrics.add_dimension("foundation", foundation)
    return metrics


def _emit(report: Report) -> None:
    metrics = _metrics(report.foundation)
    for verdict in Verdict:
        name = "Instances" + verdict.title().replace("_", "")
        metrics.add_metric(name, MetricUnit.Count, report.counts[verdict])
    metrics.add_metric("RunsCompleted", MetricUnit.Count, 1)
    metrics.add_metric("RunsFailed", MetricUnit.Count, 0)
    metrics.add_metric("RunsIncomplete", MetricUnit.Count, int(not report.complete))
    metrics.add_metric("Coverage", MetricUnit.Percent, report.coverage.percent)
    metrics.add_metric("Duration", MetricUnit.Seconds, report.effort.seconds)
    metrics.add_metric("ApiCalls", MetricUnit.Count, report.effort.api_calls)
    metrics.add_metric("ApiRetries", MetricUnit.Count, report.effort.retries)
    if report.oldest_newest_backup_age_seconds is not None:
        metrics.add_metric(
            "OldestNewestBackupAge", MetricUnit.Seconds, report.oldest_newest_backup_age_seconds
        )
    metrics.flush_metrics()
