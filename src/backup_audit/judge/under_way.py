"""What an operation under way excuses, by the inventory of this run: for a day, and no more.

It can make a problem of an instance that is being created `in_grace`. It makes nothing healthy.
"""

from datetime import datetime, timedelta

import msgspec

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import BackupList, Evidence, Refusal
from backup_audit.judge.verdict import Judgement, Verdict
from backup_audit.text import compared_duration, format_duration

# A broker that takes longer to create or to delete an instance hangs, and somebody should know.
EXCUSED_FOR = timedelta(hours=24)

_OF_CREATION = (409, 422)  # statuses of a refusal by Cloud Foundry


def with_operation(
    judgement: Judgement, evidence: Evidence, instance: Instance, as_of: datetime | None = None
) -> Judgement:
    """The judgement in the light of what is under way on the instance.

    The verdict stays, or is `in_grace`. Of an earlier instant, `as_of`, it proves nothing.
    """
    operation, moment = instance.operation, as_of or evidence.observed_at
    if operation is None or not operation.is_under_way or not judgement.verdict.is_problem:
        return judgement
    if operation.type == "delete":
        return _said(judgement, operation)
    created_at = instance.created_at
    if operation.type != "create" or created_at is None or moment < evidence.observed_at:
        return judgement
    age = moment - created_at
    if not -CLOCK_SKEW <= age <= EXCUSED_FOR or not _fits_creation(judgement, evidence):
        return judgement
    taken, most = compared_duration(age, EXCUSED_FOR), format_duration(EXCUSED_FOR)
    reason = f"being created for {taken}, which may take {most}: {judgement.reason}"
    return Judgement(Verdict.IN_GRACE, reason)


def is_deletion_young(operation: Operation | None, now: datetime) -> bool:
    """Whether the instance is being deleted, for a day at most: then nobody is notified of it."""
    if operation is None or operation.type != "delete" or not operation.is_under_way:
        return False
    since = operation.updated_at
    return since is not None and -CLOCK_SKEW <= now - since <= EXCUSED_FOR


def _fits_creation(judgement: Judgement, evidence: Evidence) -> bool:
    """Whether the API answers like that while an instance is not there yet, or not whole."""
    match evidence.answer:
        case BackupList(backups=(), more=None):
            return True
        case Refusal(is_of_cloud_foundry=True) if evidence.status in _OF_CREATION:
            return True
        case _:
            return judgement.verdict is Verdict.NOT_FOUND


def _said(judgement: Judgement, operation: Operation) -> Judgement:
    since = f" since {operation.updated_at:%Y-%m-%d %H:%M} UTC" if operation.updated_at else ""
    reason = f"{judgement.reason}; the instance is being deleted{since}"
    return msgspec.structs.replace(judgement, reason=reason)
