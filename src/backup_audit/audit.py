"""The use case: plan, audit_batch, conclude. A run in one invocation is the three in a row.

Each step may be repeated: it does what earlier deliveries of the run left undone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime

import msgspec

from backup_audit.batches import (
    all_failed,
    not_by_hand,
    store_failure,
    unfinished,
    why_failed,
)
from backup_audit.discovery import Fleet, Rows, fleet_of
from backup_audit.edges import Edges
from backup_audit.errors import ReportStoreFailed, named
from backup_audit.fleet.configuration import Configuration, parse_configuration
from backup_audit.fleet.doubts import doubts_about
from backup_audit.fleet.explain import Explained, explain
from backup_audit.fleet.inventory import USER_PROVIDED
from backup_audit.fleet.run import AuditRequest, Run, Scope
from backup_audit.judge.evidence import Cause, Evidence, Silence, UserProvided
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.notify.links import Links
from backup_audit.plan import (
    EXECUTION_LONGEST,
    Entry,
    PlanAnswer,
    alone,
    batch_size,
    plan_audit,
    read_batch,
    shared_out,
    split,
    store_items,
    store_plan,
    stored_efforts,
    ways_out,
)
from backup_audit.probe.engine import Engine
from backup_audit.publish import publish
from backup_audit.report.alerts import Alerts, Audience
from backup_audit.report.alerts import planned as alerts_planned
from backup_audit.report.changes import compared
from backup_audit.report.commit import StoredReport, commit, committed_report
from backup_audit.report.drift import FleetRow, LastFleet
from backup_audit.report.groups import EVENTS_MAX
from backup_audit.report.latest import is_known, refuse_anothers
from backup_audit.report.listeners import Listeners, heard
from backup_audit.report.previous import Previous, last_fleet, left_problems, previous_of
from backup_audit.report.rendering import json_line
from backup_audit.report.report import (
    ANSWER_LIST_MAX,
    Answer,
    Ceilings,
    Effort,
    Plan,
    StoredPlan,
    coverage_of,
    shortened,
    why_incomplete,
)
from backup_audit.report.store import RunKeys, Turn, find, settle
from backup_audit.report.summary import Summary
from backup_audit.settings import Settings
from backup_audit.text import parse_duration

# Seconds kept for each instance at a run's end: its finding is read again, summed up, and written
# into the CSV and the page. Measured: 0.075 ms; a busy machine may take four times that.
_SECONDS_PER_FINDING = 0.0003

# Besides for each instance of a full run that may have an event for programs: it is made, and sent
# with nine others. Measured: 0.36 ms of work, and 20 ms for an answer of SNS, of which eight are
# waited for at a time, hide behind it; a busy machine may take four times that. Whatever is left
# when the time is over, a retry sends.
_SECONDS_PER_EVENT = 0.0015

_NOTHING = Effort(api_calls=0, retries=0, seconds=0.0)


class Audit:
    """One deployment's audit, in an invocation that Lambda ends at `ends_at` (UTC).

    Every step raises AuditError.
    """

    def __init__(
        self, settings: Settings, edges: Edges, invocation_id: str, ends_at: datetime
    ) -> None:
        self._settings = settings
        self._edges = edges
        self._store = edges.store
        self._invocation_id = invocation_id
        self._ends_at = ends_at
        self._ceilings = alone(settings.workers, settings.requests_per_second)

    def run(self, request: AuditRequest, run: Run) -> Answer:
        """Carry a run out, or what an earlier delivery of it left undone."""
        if request.dry_run:
            return self._judge_only(request, run)
        self._refuse_anothers(run)
        report = committed_report(self._store, self._keys(run))
        if report is not None and is_known(report):
            return self._publish(report, notifies=request.notifies, repeated=True)
        turn = self._turn(run, self._invocation_id)
        with turn.freed():
            if (other := turn.claim(self._ends_at)) is not None:
                return _already_running(other)
            if report is not None:
                return self._publish(report, notifies=request.notifies, repeated=True)
            stored = self._plan(request, run, self._ceilings, size=None)
            self._keep_time_for_events(stored)
            efforts = [self._audit_batch(stored, number) for number in range(stored.batches)]
            return self._conclude(stored, efforts)

    def _keep_time_for_events(self, stored: StoredPlan) -> None:
        """Ask for less time: what a run that sends events needs after it, if all of them open."""
        is_full, plan = stored.run.scope is Scope.FULL, stored.plan
        if is_full and plan.notifies and Audience.EVENTS in self._edges.notifiers:
            most = min(plan.instances, EVENTS_MAX)
            self._edges.deadline.keep_back(most * _SECONDS_PER_EVENT)

    def explain(self, asked: str) -> Explained:
        """Why an instance is audited, or is not, and under which policy; nothing is written."""
        configuration = self._configuration()
        with self._edges.inventory(self._ceilings) as reader:
            return explain(asked, configuration, reader, self._edges.now().date())

    def plan(
        self, request: AuditRequest, run: Run, *, by_hand: bool = False
    ) -> PlanAnswer | Answer:
        """Step 1: settle a run and write its batches, unless there is a plan already.

        By hand nothing is claimed: nobody knows when the next step comes, or whether it does.
        """
        self._refuse_anothers(run)
        if by_hand:
            return self._plan_batches(request, run)
        turn = self._turn(run, run.run_id)  # so that the last step can free it
        with turn.freed(at_the_end=False):
            if (other := turn.claim(self._ends_at)) is not None:
                return _already_running(other)
            answer = self._plan_batches(request, run)
            turn.claim(run.started_at + EXECUTION_LONGEST)
            return answer

    def audit_batch(self, stored: StoredPlan, number: int) -> Effort:
        """Step 2, many at the same time: store a batch's findings; answer what it has cost.

        If it fails, its reason is stored for the last step: it may be tried no more.
        """
        try:
            effort = self._audit_batch(stored, number)
        except Exception as error:
            self._store_failure(stored, number, error)
            raise
        return settle(self._store, stored.effort_key(number), effort)

    def conclude(self, stored: StoredPlan, *, by_hand: bool = False) -> Answer:
        """Step 3: write the report and notify; instances of batches that failed are `unknown`.

        That the state machine concludes says that no batch is tried any more. By hand nothing says
        so: nothing incomplete is concluded, and nobody is notified.
        """
        if by_hand:
            return self._conclude_by_hand(stored)
        turn = self._turn(stored.run, stored.run.run_id)
        with turn.freed():
            turn.claim(self._ends_at)  # if this step is killed, nobody waits for the execution
            report = committed_report(self._store, self._keys(stored.run))
            if report is not None:
                return self._publish(report, notifies=stored.plan.notifies, repeated=True)
            self._fill_in_failed_batches(stored)
            return self._conclude(stored, stored_efforts(self._store, stored))

    def _conclude_by_hand(self, stored: StoredPlan) -> Answer:
        keys = self._keys(stored.run)
        report = committed_report(self._store, keys)
        if report is not None:
            return self._publish(report, notifies=False, repeated=True, by_hand=True)
        if left := unfinished(self._store, keys, stored):
            raise not_by_hand(stored, left)
        report, is_ours = self._commit(stored, stored_efforts(self._store, stored), by_hand=True)
        return self._publish(report, notifies=False, repeated=not is_ours, by_hand=True)

    def _store_failure(self, stored: StoredPlan, number: int, error: Exception) -> None:
        """Store why a batch failed; a second error does not hide the first."""
        key = stored.failure_key(number)
        at, invocation_id = self._edges.now(), self._invocation_id
        try:
            store_failure(self._store, key, error, failed_at=at, invocation_id=invocation_id)
        except Exception as second:  # noqa: BLE001  # the first error is raised again
            self._edges.telemetry.warned(
                f"why batch {number} failed could not be stored: {named(second)}"
            )

    def _plan_batches(self, request: AuditRequest, run: Run) -> PlanAnswer:
        settings = self._settings
        ceilings = shared_out(settings.workers, settings.requests_per_second)
        size = batch_size(settings.batch_size, ceilings)
        stored = self._plan(request, run, ceilings, size=size)
        return store_items(self._store, self._keys(run), stored)

    def _plan(
        self, request: AuditRequest, run: Run, ceilings: Ceilings, *, size: int | None
    ) -> StoredPlan:
        """Settle the run in batches of this size (None: one for all), unless that has been done."""
        keys = self._keys(run)
        stored = find(self._store, keys.plan, StoredPlan)
        if stored is not None:
            return stored
        previous = previous_of(self._store, keys, run.due_at)
        if previous.warning:
            self._edges.telemetry.warned(previous.warning)
        configuration = self._configuration()
        fleet = self._fleet(request, run, configuration, ceilings, lambda: previous)
        plan, entries = self._planned(request, run, configuration, previous, fleet)
        plan = self._with_readers(run, plan, previous)
        batches = split(entries, size or len(entries))
        how = ways_out(previous, entries, fleet.left) if run.scope.is_compared else {}
        left = left_problems(self._store, previous, how, run, notifies=plan.notifies)
        ours = StoredPlan(
            run=run,
            plan=plan,
            alerts=self._alerts(run, previous),
            mutes=fleet.mutes,
            place=keys.batches(self._invocation_id),
            batches=len(batches),
            ceilings=ceilings,
            left=len(how),
            history=previous.history,
            inventory=fleet.inventory,
        )
        return store_plan(self._store, keys, ours, batches, left=left, fleet=fleet.rows())

    def _alerts(self, run: Run, previous: Previous) -> Alerts:
        """What the run goes on with where it notifies."""
        settings, is_compared = self._settings, run.scope.is_compared
        return alerts_planned(
            run.due_at,
            tuple(self._edges.notifiers),
            parse_duration(settings.remind_every),
            per_owner=settings.digest_per_owner and is_compared,
            before=previous.alerts if is_compared else None,
            marked=previous.marked,
        )

    def _configuration(self) -> Configuration:
        source = self._edges.source
        return parse_configuration(source.read(), source.uri)

    def _fleet(
        self,
        request: AuditRequest,
        run: Run,
        configuration: Configuration,
        ceilings: Ceilings,
        previous: Callable[[], Previous],
    ) -> Fleet:
        """Read the inventory, and find out which instances the run audits."""

        def recall(rows: Rows, is_wanted: Callable[[FleetRow], bool]) -> LastFleet:
            return last_fleet(self._store, previous(), rows, is_wanted)

        compares = run.scope is Scope.FULL and not request.dry_run
        problems = previous().state.open if compares else {}
        telemetry = self._edges.telemetry
        with self._edges.inventory(ceilings) as reader:
            fleet = fleet_of(
                request,
                run,
                configuration,
                reader,
                recall=recall,
                problems=problems,
                compares=compares,
            )
        telemetry.surveyed(fleet.inventory)
        for warning in fleet.warnings:
            telemetry.warned(warning)
        return fleet

    def _planned(
        self,
        request: AuditRequest,
        run: Run,
        configuration: Configuration,
        previous: Previous,
        fleet: Fleet,
    ) -> tuple[Plan, list[Entry]]:
        """Settle the run; log what the configuration hardly means, at once: it can be much."""
        doubts = (*doubts_about(configuration, run.started_at.date()), *fleet.doubts)
        if doubts:
            self._edges.telemetry.doubted(doubts)
        return plan_audit(
            request,
            run,
            fleet.audited,
            previous,
            configuration_uri=self._edges.source.uri,
            configuration_sha256=configuration.sha256,
            warnings=(*fleet.warnings, *doubts),
        )

    def _with_readers(self, run: Run, plan: Plan, previous: Previous) -> Plan:
        """The plan with who listens to the topics, and what is wrong with them or the bucket."""
        listeners, warnings = self._listeners(run, previous)
        of_the_bucket = self._warning_of_the_bucket()
        warnings = (*warnings, *([of_the_bucket] if of_the_bucket else ()))
        for warning in warnings:
            self._edges.telemetry.warned(warning)
        return msgspec.structs.replace(
            plan, listeners=listeners, warnings=(*plan.warnings, *warnings)
        )

    def _listeners(self, run: Run, previous: Previous) -> tuple[Listeners, tuple[str, ...]]:
        """How many listen to each topic, and what to warn of; asked for a full run only."""
        if run.scope is not Scope.FULL:
            return {}, ()
        return heard(self._edges.notifiers, self._edges.confirmed, previous.listeners)

    def _warning_of_the_bucket(self) -> str | None:
        """What a bucket lacks that the stack has not made; to be unable to ask ends no run."""
        try:
            if self._store.keeps_versions():
                return None
        except ReportStoreFailed as failure:
            return str(failure)
        return (
            f"s3://{self._store.bucket} keeps no versions: what a person deletes or writes over is "
            "lost. Enable its versioning"
        )

    def _audit_batch(self, stored: StoredPlan, number: int) -> Effort:
        """Audit a batch unless its findings are there; return what it has cost."""
        run = stored.run
        key = self._keys(run).findings(number)
        if self._store.exists(key):
            return _NOTHING
        batch = read_batch(self._store, stored, number)
        with self._store.new_object(key) as out, self._edges.engine(stored.ceilings) as engine:
            for entry, evidence in self._asked(engine, batch):
                out.write(json_line(_finding_of(entry, evidence, stored)))
            return self._effort(run, engine.calls, engine.retries)

    def _judge_only(self, request: AuditRequest, run: Run) -> Answer:
        """Judge, compare with nothing, and store nothing."""
        configuration = self._configuration()
        ceilings, keys = self._ceilings, self._keys(run)
        fleet = self._fleet(
            request,
            run,
            configuration,
            ceilings,
            lambda: previous_of(self._store, keys, run.due_at),
        )
        plan, entries = self._planned(request, run, configuration, Previous(), fleet)
        summing_up = closing(Summary(notifies=False, per_owner=False))
        with summing_up as summary, self._edges.engine(ceilings) as engine:
            for entry, evidence in self._asked(engine, entries):
                summary.add(finding_of(entry.instance, evidence, run, entry.mute))
            why = why_incomplete(summary.why_incomplete, fleet.inventory)
            return Answer(
                run_id=run.run_id,
                scope=run.scope,
                dry_run=True,
                complete=why is None,
                why_incomplete=why,
                counts=summary.counts,
                coverage=coverage_of(summary.counts),
                problems=summary.worst(ANSWER_LIST_MAX),
                warnings=list(plan.warnings[:ANSWER_LIST_MAX]),
                inventory=shortened(fleet.inventory),
            )

    def _asked(self, engine: Engine, batch: Sequence[Entry]) -> Iterator[tuple[Entry, Evidence]]:
        """Ask for every instance of a batch; yield each once, as the answers come.

        User-provided instances have no broker to be asked for, and come first.
        """
        entries, telemetry = {one.instance.guid: one for one in batch}, self._edges.telemetry
        telemetry.started(len(batch))
        self._edges.deadline.keep_back(len(batch) * _SECONDS_PER_FINDING)
        provided = [one for one in batch if one.instance.type == USER_PROVIDED]
        for entry in provided:
            yield entry, Evidence(answer=UserProvided(), observed_at=self._edges.now())
        asked = [one.instance for one in batch if one.instance.type != USER_PROVIDED]
        for done, (instance, evidence) in enumerate(engine.probe(asked), len(provided) + 1):
            yield entries[instance.guid], evidence
            telemetry.progressed(done, len(batch))

    def _fill_in_failed_batches(self, stored: StoredPlan) -> None:
        """Write the findings of batches that have none; raise BatchesFailed if none has any."""
        keys = self._keys(stored.run)
        missing = unfinished(self._store, keys, stored)
        if len(missing) == stored.batches:
            raise all_failed(stored, missing)
        for number, why in missing.items():
            silence, now = Silence(Cause.NOT_REACHED, why_failed(why)), self._edges.now()
            evidence = Evidence(answer=silence, observed_at=now)
            batch = read_batch(self._store, stored, number)
            with self._store.new_object(keys.findings(number)) as out:
                for entry in batch:
                    out.write(json_line(_finding_of(entry, evidence, stored)))

    def _conclude(self, stored: StoredPlan, efforts: Iterable[Effort]) -> Answer:
        report, is_ours = self._commit(stored, efforts)
        notifies = stored.plan.notifies and is_ours
        return self._publish(report, notifies=notifies, repeated=not is_ours)

    def _commit(
        self, stored: StoredPlan, efforts: Iterable[Effort], *, by_hand: bool = False
    ) -> tuple[StoredReport, bool]:
        costs = list(efforts)
        calls, retries = sum(one.api_calls for one in costs), sum(one.retries for one in costs)
        calls += stored.inventory.requests if stored.inventory else 0
        return commit(
            self._store,
            self._keys(stored.run),
            stored,
            foundation=self._settings.foundation,
            effort=self._effort(stored.run, calls, retries),
            finished_at=self._edges.now(),
            invocation_id=self._invocation_id,
            draw=self._edges.page,
            page_failed=self._edges.telemetry.page_failed,
            only_complete=by_hand,
        )

    def _publish(
        self, stored: StoredReport, *, notifies: bool, repeated: bool, by_hand: bool = False
    ) -> Answer:
        settings = self._settings
        return publish(
            stored,
            self._edges,
            Links(runbook_url=settings.runbook_url, topic_arn=settings.topic_arn),
            notifies=notifies,
            repeated=repeated,
            by_hand=by_hand,
        )

    def _turn(self, run: Run, held_by: str) -> Turn:
        key, telemetry = self._keys(run).running, self._edges.telemetry
        foundation, now = self._settings.foundation, self._edges.now
        return Turn(self._store, key, foundation, run, held_by, now, telemetry.warned)

    def _refuse_anothers(self, run: Run) -> None:
        refuse_anothers(self._store, self._keys(run), self._settings.foundation)

    def _keys(self, run: Run) -> RunKeys:
        return RunKeys.of(self._settings.report_prefix, run)

    def _effort(self, run: Run, api_calls: int, retries: int) -> Effort:
        seconds = (self._edges.now() - run.started_at).total_seconds()
        return Effort(api_calls=api_calls, retries=retries, seconds=round(seconds, 3))


def _finding_of(entry: Entry, evidence: Evidence, stored: StoredPlan) -> Finding:
    finding = finding_of(entry.instance, evidence, stored.run, entry.mute)
    if not stored.run.scope.is_compared:
        return finding
    return compared(
        finding,
        entry.open,
        entry.resolved,
        notifies=stored.plan.notifies,
        owed_from=stored.alerts.owed_from,
    )


def _already_running(run_id: str) -> Answer:
    return Answer(run_id=run_id, scope=Scope.FULL, already_running=True, complete=False, counts={})
