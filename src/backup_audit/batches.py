"""What the steps of a run hand to each other, in the bucket below `plans/`.

plan.json names the place of the batches that count, and is written last, once: whatever the
configuration says later, all deliveries and steps of a run audit one list.
docs/decisions/0002-commit-protocol.md and 0006-distributed-map.md have the reasons.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.run import Run
from backup_audit.judge.finding import Mute
from backup_audit.plan import Batch
from backup_audit.report.changes import OpenProblem, Resolved, State
from backup_audit.report.rendering import as_json
from backup_audit.report.report import Effort, MuteRecord, Plan
from backup_audit.report.store import JSON, JSON_LINES, ObjectStore, RunKeys

T = TypeVar("T")

# TimeoutSeconds of the state machine: an execution, and its claim, ends before the next day's.
EXECUTION_LONGEST = timedelta(hours=20)


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """The ceilings against the API for each of so many batches audited at the same time."""

    concurrency: int
    workers: int
    requests_per_second: float | None


class StoredPlan(msgspec.Struct, frozen=True, kw_only=True):
    """plan.json: the plan of a run, and where its batches are stored."""

    run: Run
    plan: Plan
    mutes: tuple[MuteRecord, ...]
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


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine needs of a plan: where its items are stored, how many at once.

    `run_id` and `instances` are for whoever looks at an execution. By `already_running` the state
    machine tells it from the answer that names another run.
    """

    run_id: str
    instances: int
    batches: int
    bucket: str
    items_key: str
    plan_key: str
    concurrency: int
    already_running: bool = False


class BatchAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch answers; its findings are in the bucket."""

    batch: int
    instances: int


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a batch: an instance, its mute, and what the last full run left of it."""

    instance: Instance
    mute: Mute | None = None
    open: OpenProblem | None = None
    resolved: Resolved | None = None


_decode_entry = msgspec.json.Decoder(_Entry).decode


def share(in_flight_max: int, workers: int, requests_per_second: float | None) -> Pacing:
    """Share ceilings out: batches at a time times workers of each is at most `in_flight_max`."""
    workers = min(workers, in_flight_max)
    concurrency = in_flight_max // workers
    return Pacing(
        concurrency=concurrency,
        workers=workers,
        requests_per_second=requests_per_second / concurrency if requests_per_second else None,
    )


def find_plan(store: ObjectStore, keys: RunKeys) -> StoredPlan | None:
    """Read the plan of a run, if there is one."""
    return _find(store, keys.plan("plan.json"), StoredPlan)


def read_plan(store: ObjectStore, plan_key: str) -> StoredPlan:
    """Read a plan; raise ReportStoreFailed if there is none."""
    return _read(store, plan_key, StoredPlan)


def store_plan(
    store: ObjectStore,
    keys: RunKeys,
    run: Run,
    *,
    plan: Plan,
    mutes: tuple[MuteRecord, ...],
    batches: Sequence[Batch],
    pacing: Pacing,
    attempt: str,
) -> tuple[StoredPlan, bool]:
    """Write the batches at a place of this attempt, then plan.json, which makes them count.

    Return the plan that counts, and whether it is this one.
    """
    place = keys.plan(f"batches-{hashlib.sha256(attempt.encode()).hexdigest()[:8]}")
    for number, batch in enumerate(batches):
        with store.new_object(_batch_key(place, number), JSON_LINES) as out:
            for entry in _entries(batch):
                out.write(msgspec.json.encode(entry) + b"\n")
    stored = StoredPlan(
        run=run, plan=plan, mutes=mutes, place=place, batches=len(batches), pacing=pacing
    )
    if store.put_new(keys.plan("plan.json"), msgspec.json.encode(stored), JSON):
        return stored, True
    first = read_plan(store, keys.plan("plan.json"))
    return first, first.place == place


def read_batch(store: ObjectStore, stored: StoredPlan, number: int) -> Batch:
    """Read a batch, counted from 0."""
    key = _batch_key(stored.place, number)
    try:
        entries = [_decode_entry(line) for line in store.lines(key)]
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} cannot be read: {error}") from error
    return Batch(
        instances=tuple(one.instance for one in entries),
        mutes={one.instance.guid: one.mute for one in entries if one.mute},
        state=State(
            {one.instance.guid: one.open for one in entries if one.open},
            {one.instance.guid: one.resolved for one in entries if one.resolved},
        ),
    )


def store_items(store: ObjectStore, keys: RunKeys, stored: StoredPlan) -> PlanAnswer:
    """Write the items of the map, which are references to batches."""
    plan_key, items_key = keys.plan("plan.json"), f"{stored.place}/items.json"
    items = [BatchTask(plan_key=plan_key, batch=number) for number in range(stored.batches)]
    store.put_new(items_key, msgspec.json.encode(items), JSON)
    return PlanAnswer(
        run_id=stored.run.run_id,
        instances=stored.plan.instances,
        batches=stored.batches,
        bucket=store.bucket,
        items_key=items_key,
        plan_key=plan_key,
        concurrency=stored.pacing.concurrency,
    )


def store_effort(store: ObjectStore, stored: StoredPlan, number: int, effort: Effort) -> None:
    """Write what a batch has cost, for the last step to sum up."""
    store.put_new(_effort_key(stored.place, number), as_json(effort), JSON)


def stored_efforts(store: ObjectStore, stored: StoredPlan) -> Iterator[Effort]:
    """Read what the batches have cost; one that failed has written nothing."""
    for number in range(stored.batches):
        effort = _find(store, _effort_key(stored.place, number), Effort)
        if effort is not None:
            yield effort


def _entries(batch: Batch) -> Iterator[_Entry]:
    for instance in batch.instances:
        guid = instance.guid
        yield _Entry(
            instance,
            batch.mutes.get(guid),
            batch.state.open.get(guid),
            batch.state.resolved.get(guid),
        )


def _read(store: ObjectStore, key: str, kind: type[T]) -> T:
    found = _find(store, key, kind)
    if found is None:
        raise ReportStoreFailed(f"there is no s3://{store.bucket}/{key}: run the step plan first")
    return found


def _find(store: ObjectStore, key: str, kind: type[T]) -> T | None:
    found = store.get(key)
    try:
        return None if found is None else msgspec.json.decode(found.body, type=kind)
    except msgspec.MsgspecError as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} cannot be read: {error}") from error


def _batch_key(place: str, number: int) -> str:
    return f"{place}/batch-{number:05d}.jsonl"


def _effort_key(place: str, number: int) -> str:
    return f"{place}/effort-{number:05d}.json"
