"""The use case in many invocations: the steps of a state machine's Distributed Map.

    plan         settles the run and writes its batches
    audit_batch  audits one of them and keeps its findings, many at the same time
    conclude     writes the report that follows from all the findings, and tells

They hand each other objects in the bucket, below `plans/`, since what a state machine can hand on
is too small for a fleet. Each may be repeated, and two executions of one run share a plan:
docs/decisions/0006-distributed-map.md has the reasons.
"""

from typing import TypeVar

import msgspec

from backup_audit.audit import Audit
from backup_audit.errors import ApiUnreachable, ReportStoreFailed
from backup_audit.fleet.plan import Batch, Plan, Previous, split
from backup_audit.fleet.run import AuditRequest, Run
from backup_audit.report.answer import Answer
from backup_audit.report.commit import JSON, ObjectStore, RunKeys, committed_report, read_report
from backup_audit.report.rendering import as_json
from backup_audit.report.report import Effort

T = TypeVar("T")


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How the ceilings against the API are shared out among batches audited at the same time."""

    concurrency: int
    workers: int
    requests_per_second: float | None


class MapPlan(msgspec.Struct, frozen=True, kw_only=True):
    """plan.json: the plan of a run in many invocations. `place` is where its batches lie."""

    plan: Plan
    place: str
    batches: int
    pacing: Pacing


class BatchTask(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="step",
    tag="audit_batch",
    forbid_unknown_fields=True,
):
    """An item of the map: a batch to audit, counted from 0."""

    plan_key: str
    batch: int


class ConcludeTask(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="step",
    tag="conclude",
    forbid_unknown_fields=True,
):
    """What the last step gets."""

    plan_key: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine needs to know of a plan: where the map's items lie, how many at once.

    `run_id` and `instances` are for whoever looks at an execution.
    """

    run_id: str
    instances: int
    batches: int
    bucket: str
    items_key: str
    plan_key: str
    concurrency: int


class BatchAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch answers; the findings lie in the bucket."""

    batch: int
    instances: int


def share(in_flight_max: int, workers: int, requests_per_second: float | None) -> Pacing:
    """Share ceilings out: batches at a time times workers of each is at most `in_flight_max`."""
    workers = min(workers, in_flight_max)
    concurrency = in_flight_max // workers
    return Pacing(
        concurrency=concurrency,
        workers=workers,
        requests_per_second=requests_per_second / concurrency if requests_per_second else None,
    )


class MappedAudit:
    """One deployment's audit in steps."""

    def __init__(self, audit: Audit, store: ObjectStore) -> None:
        self._audit = audit
        self._store = store

    def plan(
        self, request: AuditRequest, run: Run, pacing: Pacing, *, size: int, attempt: str
    ) -> Planned:
        """Write the batches of a run, so many instances each, unless there is a plan already.

        `attempt` tells this planning from others of the same run.
        """
        keys = self._audit.keys(run)
        plan_key = keys.plan("plan.json")
        if not self._store.exists(plan_key):
            self._write_plan(request, run, pacing, size, keys.plan(attempt))
        return self._planned(plan_key)

    def audit_batch(self, planned: MapPlan, number: int) -> BatchAudited:
        """Audit a batch, unless that has been done, or the whole run is committed already."""
        run = planned.plan.run
        batch = self._batch(planned, number)
        if self._store.exists(self._audit.keys(run).report("manifest.json")):
            return BatchAudited(batch=number, instances=len(batch.instances))
        self._audit.keep_batch(run, batch, self._audit.keys(run).findings(number))
        effort = self._audit.effort(run)
        self._store.put_new(_effort_key(planned, number), as_json(effort), JSON)
        return BatchAudited(batch=number, instances=len(batch.instances))

    def conclude(self, planned: MapPlan, invocation_id: str) -> Answer:
        """Write the report and tell; batches that failed for good are unknown, by GUID."""
        plan = planned.plan
        keys = self._audit.keys(plan.run)
        report = committed_report(self._store, keys)
        if report is not None:
            return self._audit.conclude(report, keys, tells=plan.tells, repeated=True)
        self._fill_in_failed_batches(planned, keys)
        report, ours = self._audit.commit(
            plan, self._previous(plan), planned.batches, self._effort(planned), invocation_id
        )
        return self._audit.conclude(report, keys, tells=plan.tells and ours, repeated=not ours)

    def _write_plan(
        self, request: AuditRequest, run: Run, pacing: Pacing, size: int, place: str
    ) -> None:
        """Write the batches at a place of their own, and plan.json last: it makes them count."""
        plan, fleet = self._audit.plan(request, run, self._audit.previous(self._audit.keys(run)))
        plan_key = self._audit.keys(run).plan("plan.json")
        batches = 0
        for batch in split(fleet, size):
            self._store.put_new(_batch_key(place, batches), msgspec.json.encode(batch), JSON)
            batches += 1
        items = [BatchTask(plan_key=plan_key, batch=number) for number in range(batches)]
        self._store.put_new(_items_key(place), msgspec.json.encode(items), JSON)
        planned = MapPlan(plan=plan, place=place, batches=batches, pacing=pacing)
        self._store.put_new(plan_key, as_json(planned), JSON)

    def _planned(self, plan_key: str) -> Planned:
        planned = read_plan(self._store, plan_key)
        return Planned(
            run_id=planned.plan.run.run_id,
            instances=planned.plan.instances,
            batches=planned.batches,
            bucket=self._store.bucket,
            items_key=_items_key(planned.place),
            plan_key=plan_key,
            concurrency=planned.pacing.concurrency,
        )

    def _batch(self, planned: MapPlan, number: int) -> Batch:
        return _read(self._store, _batch_key(planned.place, number), Batch)

    def _previous(self, plan: Plan) -> Previous:
        """The report that the batches were compared with, whatever latest.json points at now."""
        if plan.previous_report_key is None:
            return Previous()
        report = read_report(self._store, plan.previous_report_key)
        return Previous(report, plan.previous_report_key)

    def _fill_in_failed_batches(self, planned: MapPlan, keys: RunKeys) -> None:
        """Write the findings of batches that have none; raise ApiUnreachable if none has any."""
        missing = [
            number
            for number in range(planned.batches)
            if not self._store.exists(keys.findings(number))
        ]
        if len(missing) == planned.batches:
            raise ApiUnreachable(
                f"none of the {planned.batches} batches of run {keys.run_id} could be audited: "
                "the log has the reason of each"
            )
        for number in missing:
            self._audit.keep_failed_batch(
                planned.plan.run,
                self._batch(planned, number),
                keys.findings(number),
                f"batch {number} failed for good: the log of its invocations has the reason",
            )

    def _effort(self, planned: MapPlan) -> Effort:
        """What all steps have cost; the time is that from the start of the run."""
        efforts = [
            msgspec.json.decode(stored.body, type=Effort)
            for number in range(planned.batches)
            if (stored := self._store.get(_effort_key(planned, number))) is not None
        ]
        return msgspec.structs.replace(
            self._audit.effort(planned.plan.run),
            api_calls=sum(effort.api_calls for effort in efforts),
            retries=sum(effort.retries for effort in efforts),
        )


def read_plan(store: ObjectStore, plan_key: str) -> MapPlan:
    """Read a plan; raise ReportStoreFailed if there is none."""
    return _read(store, plan_key, MapPlan)


def _read(store: ObjectStore, key: str, kind: type[T]) -> T:
    stored = store.get(key)
    if stored is None:
        raise ReportStoreFailed(f"there is no s3://{store.bucket}/{key}: run the step plan first")
    try:
        return msgspec.json.decode(stored.body, type=kind)
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} cannot be read: {error}") from error


def _items_key(place: str) -> str:
    return f"{place}/items.json"


def _batch_key(place: str, number: int) -> str:
    return f"{place}/batch-{number:05d}.json"


def _effort_key(planned: MapPlan, number: int) -> str:
    return f"{planned.place}/effort-{number:05d}.json"
