"""Log lines and metrics through Powertools: JSON on stdout, metrics in the embedded format."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from backup_audit.errors import AuditError
from backup_audit.fleet.run import Scope
from backup_audit.judge.verdict import Verdict
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.listeners import topics_without_subscribers
from backup_audit.report.report import Report

NAMESPACE = "BackupAudit"
SERVICE = "backup-audit"

_PROGRESS_EVERY = 5.0  # seconds between progress lines


class Metric(msgspec.Struct, frozen=True):
    """A figure of a full run; `value` gives None if there is none."""

    name: str
    unit: MetricUnit
    value: Callable[[Report], float | None]
    meaning: str


def _instances(verdict: Verdict) -> Metric:
    name = "Instances" + verdict.title().replace("_", "")
    meaning = f"instances with the verdict `{verdict}`, zero included"
    return Metric(name, _COUNT, lambda report: report.counts[verdict], meaning)


def _unaudited(report: Report) -> float | None:
    unaudited = report.inventory and report.inventory.unaudited
    return unaudited.count if unaudited else None


def _inventory_age(report: Report) -> float | None:
    read_at = report.inventory and report.inventory.read_at
    return round((report.finished_at - read_at) / timedelta(hours=1), 2) if read_at else None


_COUNT, _SECONDS = MetricUnit.Count, MetricUnit.Seconds
_PAGES_FAILED = "PagesFailed"

METRICS = (
    *(_instances(verdict) for verdict in Verdict),
    Metric(
        "Coverage",
        MetricUnit.Percent,
        lambda report: report.coverage.percent,
        "instances that are not `unknown`, of all that the run is for",
    ),
    Metric(
        "InstancesStillUnknown",
        _COUNT,
        lambda report: report.news.still_unknown,
        "instances that are `unknown` as in the full run before, and not muted",
    ),
    Metric(
        "OldestNewestBackupAge",
        _SECONDS,
        lambda report: report.oldest_newest_backup_age_seconds,
        "of the newest backups of all instances, the age of the oldest",
    ),
    Metric(
        "InstancesUnaudited",
        _COUNT,
        _unaudited,
        "managed instances that nobody listed, discovered or excluded, of those that our client "
        "sees",
    ),
    Metric(
        "InventoryAgeHours",
        MetricUnit.NoUnit,
        _inventory_age,
        "hours since the inventory was last read completely",
    ),
    Metric(
        "TopicsWithoutSubscribers",
        _COUNT,
        lambda report: topics_without_subscribers(report.plan.listeners),
        "topics that lost their last confirmed subscription since the full run before; all if none "
        "has any",
    ),
    Metric(
        "Duration", _SECONDS, lambda report: report.effort.seconds, "from the start to the report"
    ),
    Metric(
        "ApiCalls",
        _COUNT,
        lambda report: report.effort.api_calls,
        "HTTP requests to the Cloud Controller and UAA, retries included",
    ),
    Metric("ApiRetries", _COUNT, lambda report: report.effort.retries, "the retries among them"),
    Metric("RunsCompleted", _COUNT, lambda _: 1, "1: the run has its report"),
    Metric(
        "RunsIncomplete",
        _COUNT,
        lambda report: int(not report.complete),
        "1 if not every instance was reached, or many disappeared at once, else 0; report and log "
        "say why (`why_incomplete`)",
    ),
    Metric("RunsFailed", _COUNT, lambda _: 0, "1 if a run, full or not, failed, else 0"),
    Metric(
        _PAGES_FAILED,
        _COUNT,
        lambda _: 0,
        "1 if the page of a run, full or not, could not be drawn, else 0",
    ),
)


class _CurrentStdout(logging.Handler):
    """Prints each line to the stdout of the moment, so that a redirected stdout gets it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record))


# One for the process, as Powertools wants it; its level is POWERTOOLS_LOG_LEVEL. Its lines are
# ASCII: no text in them breaks a line, or fails to print.
_LOGGER = Logger(
    service=SERVICE,
    location=None,
    logger_handler=_CurrentStdout(),
    json_serializer=partial(json.dumps, default=str, separators=(",", ":")),
)


class PowertoolsTelemetry:
    """The Telemetry of one invocation; `function_name` is None outside Lambda."""

    def __init__(
        self,
        invocation_id: str,
        function_name: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._function_name = function_name
        _LOGGER.append_keys(invocation_id=invocation_id, run_id=None)
        self._monotonic = monotonic
        self._progress_due = monotonic() + _PROGRESS_EVERY
        self._page_failed = False

    def identified(self, run_id: str) -> None:
        _LOGGER.append_keys(run_id=run_id)

    def surveyed(self, inventory: InventoryRecord) -> None:
        unaudited = inventory.unaudited
        _LOGGER.info(
            "inventory read",
            extra={
                "read": inventory.read,
                "why": inventory.why,
                "requests": inventory.requests,
                "sees": inventory.sees,
                "managed": inventory.managed,
                "user_provided": inventory.user_provided,
                "appeared": inventory.appeared,
                "vanished": inventory.vanished_count,
                "lost": inventory.lost,
                "unaudited": unaudited.count if unaudited else None,
            },
        )

    def started(self, instances: int) -> None:
        _LOGGER.info("audit started", extra={"instances": instances})

    def progressed(self, done: int, total: int) -> None:
        if self._monotonic() >= self._progress_due:
            self._progress_due = self._monotonic() + _PROGRESS_EVERY
            _LOGGER.info("audit in progress", extra={"done": done, "total": total})

    def warned(self, warning: str) -> None:
        _LOGGER.warning(warning)

    def doubted(self, doubts: Sequence[str]) -> None:
        _LOGGER.warning("the configuration hardly means all it says: %s", "; ".join(doubts))

    def reported(self, report: Report, *, messages_sent: int) -> None:
        """Log the outcome; metrics follow full runs only, as alarms do."""
        _LOGGER.info(
            "audit finished",
            extra={
                "scope": report.run.scope,
                "complete": report.complete,
                "why_incomplete": report.why_incomplete,
                "counts": report.counts,
                "coverage_percent": report.coverage.percent,
                "seconds": report.effort.seconds,
                "api_calls": report.effort.api_calls,
                "retries": report.effort.retries,
                "messages_sent": messages_sent,
            },
        )
        if report.run.scope is not Scope.FULL:
            return
        metrics = self._metrics(report.foundation)
        for metric in METRICS:
            value = metric.value(report)
            is_said = metric.name == _PAGES_FAILED and self._page_failed
            if value is not None and not is_said:
                metrics.add_metric(metric.name, metric.unit, value)
        metrics.flush_metrics()

    def page_failed(self, error: Exception) -> None:
        """Log and count it; the fault is ours, so the line has its traceback."""
        self._page_failed = True
        _LOGGER.error("the page could not be drawn", exc_info=error)
        metrics = self._metrics(None)
        metrics.add_metric(_PAGES_FAILED, MetricUnit.Count, 1)
        metrics.flush_metrics()

    def failed(self, error: Exception, foundation: str | None) -> None:
        """Log and count it; where an error is ours the reason is enough, without a traceback."""
        extra = {"reason": str(error), "exception_name": type(error).__name__}
        unknown = None if isinstance(error, AuditError) else error
        _LOGGER.error("audit failed", exc_info=unknown, extra=extra)
        metrics = self._metrics(foundation)
        metrics.add_metric("RunsFailed", MetricUnit.Count, 1)
        metrics.flush_metrics()

    def _metrics(self, foundation: str | None) -> AmazonCloudWatchEMFProvider:
        """A provider of its own for each emission: the Metrics class shares its state.

        By function only: each set of dimensions costs as much as the first, and an alarm names its
        metric exactly. The foundation stands beside the metrics in the log line.
        """
        metrics = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service=SERVICE)
        if foundation:
            metrics.add_metadata("foundation", foundation)
        if self._function_name:
            metrics.add_dimension("function_name", self._function_name)
        return metrics
