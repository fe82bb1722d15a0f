"""A plan: everything about a run that is settled before the first request.

Whoever has the plan and a batch can audit the batch, on any machine and at any time of the run,
and comes to the same findings for the same answers of the API.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from backup_audit.fleet.configuration import Configuration, Instance
from backup_audit.fleet.policy import PolicyLayer, layered
from backup_audit.fleet.run import AuditRequest, Run, Scope
from backup_audit.judge.finding import Mute, mutes_in_force
from backup_audit.report.changes import NOTHING_YET, State
from backup_audit.report.reading import Previous
from backup_audit.report.report import MuteRecord, Plan, mute_records

T = TypeVar("T")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Instances to audit, with the mutes and the earlier problems of just these."""

    instances: tuple[Instance, ...]
    mutes: dict[str, Mute]
    state: State


def plan_audit(
    request: AuditRequest,
    run: Run,
    configuration: Configuration,
    configuration_uri: str,
    previous: Previous,
) -> tuple[Plan, tuple[MuteRecord, ...], Batch]:
    """Settle a run; return its plan, the mutes, and the whole fleet as one batch.

    What earlier runs did not reach comes first, the longest not reached first of all: if each run
    gets through a part only, every instance has its turn.
    """
    today = run.started_at.date()
    instances = instances_of(request, configuration)
    plan = Plan(
        tells=request.tells,
        instances=len(instances),
        configuration_uri=configuration_uri,
        configuration_sha256=configuration.sha256,
        policy_digest=policy_digest(instances),
        previous=previous.report,
        warnings=(previous.warning,) if previous.warning else (),
    )
    fleet = Batch(
        instances=tuple(sorted(instances, key=lambda one: _turn(one, previous.state))),
        mutes=mutes_in_force(configuration, today),
        state=compared_with(run, previous.state),
    )
    return plan, mute_records(configuration, today), fleet


def instances_of(request: AuditRequest, configuration: Configuration) -> Sequence[Instance]:
    """The instances that an event asks for, configured or not, under the policy it asks for."""
    instances: Sequence[Instance] = configuration.instances
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


def compared_with(run: Run, state: State) -> State:
    """A what-if is judged by another measure, so it is compared with nothing."""
    return NOTHING_YET if run.scope is Scope.WHAT_IF else state


def policy_digest(instances: Sequence[Instance]) -> str:
    """sha256 over GUIDs with their demands, in the order of the GUIDs."""
    digest = hashlib.sha256()
    for one in sorted(instances, key=lambda instance: instance.guid):
        policy = one.policy
        demands = (one.guid, policy.max_age, policy.min_backups, policy.grace)
        digest.update(msgspec.json.encode(demands))
    return digest.hexdigest()


def split(fleet: Batch, size: int) -> Iterator[Batch]:
    """Cut a fleet into batches of so many instances, the last of what is left."""
    for start in range(0, len(fleet.instances), size):
        instances = fleet.instances[start : start + size]
        guids = [instance.guid for instance in instances]
        yield Batch(
            instances=instances,
            mutes=_some(fleet.mutes, guids),
            state=State(_some(fleet.state.open, guids), _some(fleet.state.resolved, guids)),
        )


def _some(by_guid: Mapping[str, T], guids: Sequence[str]) -> dict[str, T]:
    return {guid: by_guid[guid] for guid in guids if guid in by_guid}


def _turn(instance: Instance, state: State) -> tuple[bool, datetime | None]:
    """What sorts an instance: not reached, the longest first; then the others as they come."""
    before = state.open.get(instance.guid)
    not_reached = before is not None and before.not_reached
    return (not not_reached, before.since if before and not_reached else None)
