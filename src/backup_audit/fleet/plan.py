"""A plan: everything about a run that is settled before the first request.

Whoever has the plan and a batch can audit the batch, on any machine and at any time of the run,
and comes to the same findings for the same answers of the API.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from backup_audit.fleet.configuration import Configuration, Instance
from backup_audit.fleet.policy import PolicyLayer, layered
from backup_audit.fleet.run import AuditRequest, Run, Scope
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Finding, Mute, mutes_in_force
from backup_audit.report.changes import NOTHING_YET, State, state_of
from backup_audit.report.report import MuteRecord, Report, mute_records

T = TypeVar("T")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of a run beside its findings.

    `configuration_sha256` is that of the document, `policy_digest` changes with any instance's
    policy. `previous_report_key` is None if there is no report to compare with.
    """

    schema_version: Literal[1] = 1
    run: Run
    tells: bool
    instances: int
    configuration_uri: str
    configuration_sha256: str
    policy_digest: str
    mutes: tuple[MuteRecord, ...] = ()
    previous_run_id: str | None = None
    previous_report_key: str | None = None
    previous_report_sha256: str | None = None
    previous_manifest_sha256: str | None = None
    warnings: tuple[str, ...] = ()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Instances to audit, with the mutes and the earlier problems of just these."""

    instances: tuple[Instance, ...]
    mutes: dict[str, Mute]
    state: State


class Previous(msgspec.Struct, frozen=True):
    """The last committed full report, with the sha256 of its bytes and of its manifest's.

    `warning` says what of it cannot be read.
    """

    report: Report | None = None
    report_key: str | None = None
    report_sha256: str | None = None
    manifest_sha256: str | None = None
    warning: str | None = None

    @property
    def state(self) -> State:
        """What it left behind."""
        if self.report is None:
            return NOTHING_YET
        return state_of(self.report.findings, self.report.resolved)


def plan_audit(
    request: AuditRequest,
    run: Run,
    configuration: Configuration,
    configuration_uri: str,
    previous: Previous,
) -> tuple[Plan, Batch]:
    """Settle a run; return its plan and the whole fleet as one batch.

    What earlier runs did not reach comes first, the longest not reached first of all: if each run
    gets through a part only, every instance has its turn.
    """
    today = run.started_at.date()
    state = previous.state
    instances = instances_of(request, configuration)
    plan = Plan(
        run=run,
        tells=request.tells,
        instances=len(instances),
        configuration_uri=configuration_uri,
        configuration_sha256=configuration.sha256,
        policy_digest=policy_digest(instances),
        mutes=tuple(mute_records(configuration, today)),
        previous_run_id=previous.report.run_id if previous.report else None,
        previous_report_key=previous.report_key,
        previous_report_sha256=previous.report_sha256,
        previous_manifest_sha256=previous.manifest_sha256,
        warnings=(previous.warning,) if previous.warning else (),
    )
    fleet = Batch(
        instances=tuple(sorted(instances, key=lambda one: _turn(one, state))),
        mutes=mutes_in_force(configuration, today),
        state=compared_with(run, state),
    )
    return plan, fleet


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
        yield Batch(
            instances=instances,
            mutes=_of(fleet.mutes, instances),
            state=State(_of(fleet.state.open, instances), _of(fleet.state.resolved, instances)),
        )


def _of(by_guid: Mapping[str, T], instances: Iterable[Instance]) -> dict[str, T]:
    """What is said of these instances."""
    return {one.guid: by_guid[one.guid] for one in instances if one.guid in by_guid}


def _turn(instance: Instance, state: State) -> tuple[bool, float]:
    """Sorts what was not reached to the front, the longest not reached first of all."""
    before = state.open.get(instance.guid)
    if before is None or not _was_not_reached(before):
        return True, 0.0
    return False, before.since.timestamp() if before.since else 0.0


def _was_not_reached(before: Finding) -> bool:
    """Whether nobody asked, or the API had no time for us: a limit starves whoever comes last."""
    return before.evidence.silence is Cause.NOT_REACHED or before.evidence.http_status == 429
