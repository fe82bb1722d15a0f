"""The use case: plan, probe, judge, keep, tell."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from backup_audit import __version__
from backup_audit.domain.answer import Answer, answer_of
from backup_audit.domain.changes import NOTHING_YET, State, compared, resolved_problems
from backup_audit.domain.configuration import (
    Configuration,
    Instance,
    parse_configuration,
)
from backup_audit.domain.finding import Finding, find, mutes_in_force
from backup_audit.domain.policy import PolicyLayer, layered
from backup_audit.domain.report import (
    Effort,
    Report,
    ReportAddress,
    Tool,
    report_of,
)
from backup_audit.domain.run import AuditRequest, Run, Scope
from backup_audit.keep import (
    Previous,
    RunKeys,
    advance_latest,
    commit,
    committed_report,
    previous_of,
)
from backup_audit.ports import BackupApi, ConfigurationSource, Notifier, ObjectStore, Telemetry
from backup_audit.probe import probe
from backup_audit.settings import Settings
from backup_audit.tell import tell

TOOL = Tool(name="backup-audit", version=__version__)


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
        telemetry: Telemetry,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._source = source
        self._api = api
        self._store = store
        self._notifier = notifier
        self._telemetry = telemetry
        self._clock = clock

    def run(self, request: AuditRequest, run: Run, invocation_id: str) -> Answer:
        """Carry a run out, or what an earlier delivery of it left undone; raise AuditError."""
        if request.dry_run:
            return self._judge_only(run, request)
        keys = RunKeys.of(self._settings.report_prefix, run)
        report = committed_report(self._store, keys)
        repeated, responsible = report is not None, True
        if report is None:
            report, responsible = self._audit_and_keep(run, request, keys, invocation_id)
        advance_latest(self._store, keys, report)
        # Whoever committed the report tells; if that delivery dies first, its retry does.
        tells = request.tells and responsible
        sent = (
            tell(report, self._store, keys, self._notifier, self._settings.notify_mode)
            if tells
            else 0
        )
        self._telemetry.reported(report, messages_sent=sent)
        return answer_of(
            report,
            repeated=repeated or not responsible,
            address=ReportAddress(bucket=self._store.bucket, key=keys.report("report.json")),
            messages_sent=sent,
        )

    def _audit_and_keep(
        self, run: Run, request: AuditRequest, keys: RunKeys, invocation_id: str
    ) -> tuple[Report, bool]:
        configuration = self._configuration()
        previous = previous_of(self._store, keys)
        if previous.warning:
            self._telemetry.warned(previous.warning)
        findings = self._findings(run, request, configuration, _state_for(run, previous))
        return commit(
            self._store,
            keys,
            findings,
            lambda kept: self._report(run, configuration, previous, kept),
            invocation_id,
        )

    def _judge_only(self, run: Run, request: AuditRequest) -> Answer:
        configuration = self._configuration()
        findings = self._findings(run, request, configuration, NOTHING_YET)
        report = self._report(run, configuration, Previous(), findings)
        return answer_of(report, dry_run=True)

    def _configuration(self) -> Configuration:
        return parse_configuration(self._source.read(), self._source.uri)

    def _findings(
        self, run: Run, request: AuditRequest, configuration: Configuration, state: State
    ) -> list[Finding]:
        instances = instances_of(request, configuration)
        mutes = mutes_in_force(configuration, run.started_at.date())
        self._telemetry.started(len(instances))
        evidences = probe(instances, self._api, self._telemetry, workers=self._settings.workers)
        found = (
            find(instance, evidence, run, mutes.get(instance.guid))
            for instance, evidence in evidences
        )
        if run.scope is Scope.WHAT_IF:
            return list(found)
        return [compared(finding, state, run.due_at) for finding in found]

    def _report(
        self,
        run: Run,
        configuration: Configuration,
        previous: Previous,
        findings: Sequence[Finding],
    ) -> Report:
        finished_at = self._clock()
        seconds = (finished_at - run.started_at).total_seconds()
        resolved = resolved_problems(findings, _state_for(run, previous), run.due_at)
        return report_of(
            run,
            findings,
            tool=TOOL,
            foundation=self._settings.foundation,
            configuration=configuration,
            configuration_uri=self._source.uri,
            effort=Effort(
                api_calls=self._api.calls, retries=self._api.retries, seconds=round(seconds, 3)
            ),
            finished_at=finished_at,
            previous_run_id=previous.run_id,
            resolved=resolved,
            warnings=[previous.warning] if previous.warning else [],
        )


def instances_of(request: AuditRequest, configuration: Configuration) -> list[Instance]:
    """The instances that an event asks for, configured or not, under the policy it asks for."""
    instances = list(configuration.instances)
    if request.instance_guids is not None:
        configured = {instance.guid: instance for instance in instances}
        instances = [
            configured.get(guid) or Instance(guid, configuration.default_policy)
            for guid in request.instance_guids
        ]
    if request.max_age is None:
        return instances
    layer = PolicyLayer(source="event", max_age=request.max_age)
    return [
        msgspec.structs.replace(instance, policy=layered(instance.policy, layer))
        for instance in instances
    ]


def _state_for(run: Run, previous: Previous) -> State:
    """A what-if is judged by another measure, so it is compared with nothing."""
    return NOTHING_YET if run.scope is Scope.WHAT_IF else previous.state
