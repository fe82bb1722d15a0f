"""The use case: plan, probe, judge, keep, tell.

`run` does it in one invocation. For a fleet that is too large for that, mapped.py takes the same
steps in many.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from backup_audit import __version__
from backup_audit.errors import HeartbeatFailed
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.plan import Batch, Plan, Previous, plan_audit, state_for
from backup_audit.fleet.run import AuditRequest, Run, Scope
from backup_audit.fleet.sources import ConfigurationSource
from backup_audit.judge.evidence import Cause, Evidence, Silence
from backup_audit.judge.finding import Finding, find
from backup_audit.notify.send import Notifier, notify
from backup_audit.probe.engine import BackupApi, Probed, Telemetry, probe
from backup_audit.probe.pacing import Deadline
from backup_audit.report.answer import Answer, answer_of
from backup_audit.report.changes import compared, resolved_problems
from backup_audit.report.commit import (
    ObjectStore,
    RunKeys,
    advance_latest,
    commit,
    committed_report,
    keep_findings,
    previous_of,
)
from backup_audit.report.report import Effort, Report, ReportAddress, Tool
from backup_audit.report.summary import Summary, report_of
from backup_audit.settings import Settings


class Heartbeat(Protocol):
    """An external dead-man's switch: it calls people when it hears nothing for too long."""

    def beat(self) -> None:
        """Say that a full run is completed; raise HeartbeatFailed, which keeps the address."""


TOOL = Tool(name="backup-audit", version=__version__)

# Seconds kept for each instance at a run's end: its finding is read again, judged worth telling
# or not, and written into the CSV. Measured: 0.05 ms on a whole CPU, of which Lambda may give a
# fourth.
_SECONDS_PER_FINDING = 0.0002


class Audit:
    """One deployment's audit; a run is one call of `run`."""

    def __init__(
        self,
        settings: Settings,
        *,
        source: ConfigurationSource,
        api: BackupApi,
        store: ObjectStore,
        notifier: Notifier,
        heartbeat: Heartbeat | None = None,
        telemetry: Telemetry,
        deadline: Deadline,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._source = source
        self._api = api
        self._store = store
        self._notifier = notifier
        self._heartbeat = heartbeat
        self._telemetry = telemetry
        self._deadline = deadline
        self._clock = clock

    def run(self, request: AuditRequest, run: Run, invocation_id: str) -> Answer:
        """Carry a run out, or what an earlier delivery of it left undone; raise AuditError."""
        if request.dry_run:
            return self._judge_only(run, request)
        keys = self.keys(run)
        report = committed_report(self._store, keys)
        if report is not None:
            return self.conclude(report, keys, tells=request.tells, repeated=True)
        previous = self.previous(keys)
        plan, fleet = self.plan(request, run, previous)
        self.keep_batch(plan.run, fleet, keys.findings(0))
        report, ours = self.commit(plan, previous, 1, self.effort(run), invocation_id)
        return self.conclude(report, keys, tells=plan.tells and ours, repeated=not ours)

    def keys(self, run: Run) -> RunKeys:
        """Where the objects of a run lie."""
        return RunKeys.of(self._settings.report_prefix, run)

    def plan(self, request: AuditRequest, run: Run, previous: Previous) -> tuple[Plan, Batch]:
        """Read the configuration and settle the run."""
        configuration = parse_configuration(self._source.read(), self._source.uri)
        return plan_audit(request, run, configuration, self._source.uri, previous)

    def previous(self, keys: RunKeys) -> Previous:
        """The last full report, to compare with."""
        previous = previous_of(self._store, keys)
        if previous.warning:
            self._telemetry.warned(previous.warning)
        return previous

    def keep_batch(self, run: Run, batch: Batch, key: str) -> None:
        """Audit a batch and keep its findings, unless an earlier delivery has."""
        if not self._store.exists(key):
            keep_findings(self._store, key, self._judged(run, batch, self._probed(batch)))

    def keep_failed_batch(self, run: Run, batch: Batch, key: str, why: str) -> None:
        """Keep findings that say of each instance of a batch that it was not reached."""
        evidence = Evidence(answer=Silence(Cause.NOT_REACHED, why), observed_at=self._clock())
        evidences = ((instance, evidence) for instance in batch.instances)
        keep_findings(self._store, key, self._judged(run, batch, evidences))

    def commit(
        self,
        plan: Plan,
        previous: Previous,
        parts: int,
        effort: Effort,
        invocation_id: str,
    ) -> tuple[Report, bool]:
        """Write the report that follows from so many parts; say whether it was us."""
        return commit(
            self._store,
            self.keys(plan.run),
            parts,
            lambda summary: self._report(plan, previous, summary, effort),
            invocation_id,
        )

    def conclude(self, report: Report, keys: RunKeys, *, tells: bool, repeated: bool) -> Answer:
        """Move the pointer forward, tell, and let the dead-man's switch hear of it.

        Whoever committed the report does both; if that delivery dies first, its retry does.
        """
        advance_latest(self._store, keys, report)
        sent = (
            notify(report, self._store, keys, self._notifier, self._settings.notify_mode)
            if tells
            else 0
        )
        self._telemetry.reported(report, messages_sent=sent)
        if tells or not repeated:  # a delivery that lost the race leaves both to the winner
            self._beat(report)
        return answer_of(
            report,
            repeated=repeated,
            address=ReportAddress(bucket=self._store.bucket, key=keys.report("report.json")),
            messages_sent=sent,
        )

    def effort(self, run: Run) -> Effort:
        """What the run has cost so far."""
        seconds = (self._clock() - run.started_at).total_seconds()
        return Effort(
            api_calls=self._api.calls, retries=self._api.retries, seconds=round(seconds, 3)
        )

    def _judge_only(self, run: Run, request: AuditRequest) -> Answer:
        nothing = Previous()
        plan, fleet = self.plan(request, run, nothing)
        summary = Summary.of(self._judged(run, fleet, self._probed(fleet)))
        return answer_of(self._report(plan, nothing, summary, self.effort(run)), dry_run=True)

    def _probed(self, batch: Batch) -> Iterator[Probed]:
        instances = batch.instances
        self._telemetry.started(len(instances))
        self._deadline.keep_back(len(instances) * _SECONDS_PER_FINDING)
        return probe(instances, self._api, self._telemetry, workers=self._settings.workers)

    @staticmethod
    def _judged(run: Run, batch: Batch, evidences: Iterable[Probed]) -> Iterator[Finding]:
        for instance, evidence in evidences:
            finding = find(instance, evidence, run, batch.mutes.get(instance.guid))
            if run.scope is not Scope.WHAT_IF:
                finding = compared(finding, batch.state, run.due_at)
            yield finding

    def _beat(self, report: Report) -> None:
        """Send a heartbeat for a full run that reached every instance; a failure ends no run."""
        if self._heartbeat is None or report.scope is not Scope.FULL or not report.complete:
            return
        try:
            self._heartbeat.beat()
        except HeartbeatFailed as failure:
            self._telemetry.warned(f"the heartbeat was not taken: {failure}")

    def _report(self, plan: Plan, previous: Previous, summary: Summary, effort: Effort) -> Report:
        state = state_for(plan.run, previous)
        return report_of(
            plan,
            summary,
            tool=TOOL,
            foundation=self._settings.foundation,
            effort=effort,
            finished_at=self._clock(),
            resolved=resolved_problems(summary.noted, state, plan.run.due_at),
        )
