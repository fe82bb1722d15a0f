"""What is settled before the first request, and what the steps of a run hand to each other.

An invocation needs only the plan and a batch to audit the batch, on any machine, at any time of the
run; the same answers of the API give the same findings. plan.json names the place of the batches
that count, and is written last, once: all deliveries and steps of a run audit one list, whatever
the configuration says later. docs/decisions/0002-commit-protocol.md and
0006-distributed-map.md have the reasons.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.run import AuditRequest, Run
from backup_audit.fleet.selection import Decision
from backup_audit.report.changes import (
    NOTHING_YET,
    SHARED_OF_PROBLEMS,
    Ended,
    OpenProblem,
    Resolved,
)
from backup_audit.report.drift import FleetRow
from backup_audit.report.previous import Previous
from backup_audit.report.report import Ceilings, Effort, Plan, StoredPlan
from backup_audit.report.store import ObjectStore, RunKeys, decoding, find, settle
from backup_audit.sharing import sharing

# More threads than this make it slower, not faster, in one Python process.
THREADS_MAX = 96

# Of one batch among many: then a fleet has enough batches to be audited at the same time.
_WORKERS_OF_A_BATCH = 32

# A batch is to be over by then, of Lambda's 15 minutes, if answers take no longer on average.
BATCH_LONGEST = timedelta(minutes=13)
_ANSWER = timedelta(seconds=4)

# Of the instances of a batch few differ in these.
_REPEATED = ("policy", "owner", "type", "org", "space", "offering", "plan")

# TimeoutSeconds of the state machine: an execution, and its claim, ends before the next day's.
EXECUTION_LONGEST = timedelta(hours=20)


_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of a batch: an instance, its mute, and what the last full run left of it."""

    instance: Instance
    mute: Mute | None = None
    open: OpenProblem | None = None
    resolved: Resolved | None = None


def ways_out(
    previous: Previous, entries: Iterable[Entry], left: Mapping[str, Ended]
) -> dict[str, Ended]:
    """How the instances with an open problem left that a run audits no more, by GUID.

    `left` is what the inventory knows of it; the others are dropped from the configuration.
    """
    audited = {one.instance.guid for one in entries}
    return {
        guid: left.get(guid, Ended.DROPPED)
        for guid, one in previous.state.open.items()
        if one.opened_at is not None and guid not in audited
    }


class BatchTask(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="audit_batch"
):
    """An item of the map: a batch to audit, counted from 0."""

    plan_key: str
    batch: int


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine needs of a plan: where its items are stored, how many at once.

    `run_id` and `instances` are for people who look at an execution. `already_running` separates it
    from an Answer.
    """

    run_id: str
    instances: int
    batches: int
    bucket: str
    items_key: str
    plan_key: str
    concurrency: int
    already_running: bool = False


def plan_audit(
    request: AuditRequest,
    run: Run,
    fleet: Sequence[Decision],
    previous: Previous,
    *,
    configuration_uri: str,
    configuration_sha256: str,
    warnings: Iterable[str] = (),
) -> tuple[Plan, list[Entry]]:
    """Settle a run; return its plan, and the whole fleet as one batch.

    Instances that earlier runs did not reach come first, the longest not reached first of all: even
    if each run gets through a part only, every instance has its turn. The others keep the order of
    the fleet.
    """
    decided = [(one.instance, one.mute) for one in fleet if one.instance is not None]
    plan = Plan(
        notifies=request.notifies,
        instances=len(decided),
        configuration_uri=configuration_uri,
        configuration_sha256=configuration_sha256,
        policy_digest=policy_digest([instance for instance, _ in decided]),
        previous=previous.report,
        warnings=(*([previous.warning] if previous.warning else ()), *warnings),
    )
    state = previous.state if run.scope.is_compared else NOTHING_YET
    decided.sort(key=lambda one: _sort_key(previous.state.open.get(one[0].guid)))
    entries = [
        Entry(one, mute, state.open.get(one.guid), state.resolved.get(one.guid))
        for one, mute in decided
    ]
    return plan, entries


def policy_digest(instances: Sequence[Instance]) -> str:
    """sha256 over GUIDs with their demands, in the order of the GUIDs."""
    digest = hashlib.sha256()
    for one in sorted(instances, key=lambda instance: instance.guid):
        policy = one.policy
        demands = (one.guid, policy.max_age_seconds, policy.min_backups, policy.grace_seconds)
        digest.update(msgspec.json.encode(demands))
    return digest.hexdigest()


def split(fleet: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    """Cut a fleet into batches of so many instances, the last of what is left."""
    return [fleet[first : first + size] for first in range(0, len(fleet), size)]


def alone(workers: int, requests_per_second: float | None) -> Ceilings:
    """The ceilings of a run in one invocation."""
    return Ceilings(
        concurrency=1,
        workers=min(workers, THREADS_MAX),
        requests_per_second=requests_per_second,
    )


def shared_out(workers: int, requests_per_second: float | None) -> Ceilings:
    """Share ceilings out: batches at a time times workers of each is at most `workers`."""
    each = min(workers, _WORKERS_OF_A_BATCH)
    concurrency = workers // each
    return Ceilings(
        concurrency=concurrency,
        workers=each,
        requests_per_second=requests_per_second / concurrency if requests_per_second else None,
    )


def batch_size(most: int, ceilings: Ceilings) -> int:
    """How many instances a batch may have to be over in time: `most` at most, and one at least."""
    size = min(most, int(BATCH_LONGEST / _ANSWER * ceilings.workers))
    if ceilings.requests_per_second:
        size = min(size, int(BATCH_LONGEST.total_seconds() * ceilings.requests_per_second))
    return max(size, 1)


def read_plan(store: ObjectStore, plan_key: str) -> StoredPlan:
    """Read a plan; raise ReportStoreFailed if there is none."""
    found = find(store, plan_key, StoredPlan)
    if found is None:
        raise ReportStoreFailed(
            f"there is no s3://{store.bucket}/{plan_key}: run the step plan first"
        )
    return found


def store_plan(
    store: ObjectStore,
    keys: RunKeys,
    ours: StoredPlan,
    batches: Iterable[Sequence[Entry]],
    *,
    left: Iterable[Resolved] = (),
    fleet: Iterable[FleetRow] = (),
) -> StoredPlan:
    """Write batches, ends and fleet at their place, then plan.json, which makes them count.

    `left` are the open problems of instances that left the fleet.

    Return the plan that counts: that of another delivery, if it was faster.
    """
    for number, batch in enumerate(batches):
        with store.new_object(ours.batch_key(number)) as out:
            for entry in batch:
                out.write(_encode(entry) + b"\n")
    if ours.left:
        with store.new_object(ours.left_key) as out:
            for ended in left:
                out.write(_encode(ended) + b"\n")
    if ours.fleet_key is not None:
        with store.new_object(ours.fleet_key) as out:
            for row in fleet:
                out.write(_encode(row) + b"\n")
    # Not indented, which takes three times the memory: there may be as many mutes as instances.
    return settle(store, keys.plan, ours, msgspec.json.encode)


def read_batch(store: ObjectStore, stored: StoredPlan, number: int) -> list[Entry]:
    """Read a batch, counted from 0. Equal policies and texts are shared: there are few of each."""
    key = stored.batch_key(number)
    decode, entries = msgspec.json.Decoder(Entry).decode, list[Entry]()

    def instances() -> Iterator[Instance]:
        for line in store.lines(key):
            entries.append(decode(line))
            yield entries[-1].instance

    with decoding(store, key):
        for _ in sharing(instances(), *_REPEATED):
            pass
    for _ in sharing((one.open for one in entries if one.open), "since", *SHARED_OF_PROBLEMS):
        pass
    return entries


def store_items(store: ObjectStore, keys: RunKeys, stored: StoredPlan) -> PlanAnswer:
    """Write the items of the map, which are references to batches."""
    items_key = f"{stored.place}/items.json"
    items = [BatchTask(keys.plan, number) for number in range(stored.batches)]
    store.put_new(items_key, msgspec.json.encode(items))
    return PlanAnswer(
        run_id=stored.run.run_id,
        instances=stored.plan.instances,
        batches=stored.batches,
        bucket=store.bucket,
        items_key=items_key,
        plan_key=keys.plan,
        concurrency=stored.ceilings.concurrency,
    )


def stored_efforts(store: ObjectStore, stored: StoredPlan) -> Iterator[Effort]:
    """Read what the batches have cost; one that failed has written nothing."""
    for number in range(stored.batches):
        effort = find(store, stored.effort_key(number), Effort)
        if effort is not None:
            yield effort


def _sort_key(before: OpenProblem | None) -> tuple[bool, datetime | None]:
    """Not reached ones first, the longest before all; the others keep their order."""
    not_reached = before is not None and before.not_reached
    return (not not_reached, before.since if before and not_reached else None)
