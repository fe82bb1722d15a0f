"""What became of the batches of a run: which have no findings, and why.

docs/decisions/0006-distributed-map.md says who knows that a batch has failed for good.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import msgspec

from backup_audit.errors import BatchesFailed, InvalidEvent, named
from backup_audit.report.report import StoredPlan
from backup_audit.report.store import ObjectStore, RunKeys, find, rewrite
from backup_audit.text import one_line

_REASON_MAX = 300  # characters of an error that the findings of a batch quote
_REASONS_MAX = 3  # in an error
_NAMED_MAX = 10  # batches in an error
_FIRST = "invoke audit_batch for each of them first"
_KILLED = "it was killed, or never began: the log of its invocations has the rest"

Unfinished = Mapping[int, str | None]  # batches without findings, why each failed, if it is known


class BatchFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt to audit a batch failed. It counts only while the batch has no findings."""

    failed_at: datetime
    invocation_id: str
    reason: str


def store_failure(
    store: ObjectStore, key: str, error: Exception, *, failed_at: datetime, invocation_id: str
) -> None:
    """Write why a batch failed, instead of why an earlier attempt did."""
    failure = BatchFailure(
        failed_at=failed_at.replace(microsecond=0),
        invocation_id=invocation_id,
        reason=one_line(named(error), _REASON_MAX),
    )
    rewrite(store, key, partial(msgspec.json.decode, type=BatchFailure), lambda _: failure)


def unfinished(store: ObjectStore, keys: RunKeys, stored: StoredPlan) -> Unfinished:
    """The batches without findings."""
    missing = [n for n in range(stored.batches) if not store.exists(keys.findings(n))]
    failures = {n: find(store, stored.failure_key(n), BatchFailure) for n in missing}
    return {n: failure.reason if failure else None for n, failure in failures.items()}


def why_failed(reason: str | None) -> str:
    """Why the instances of a batch without findings were not reached."""
    return f"its batch failed for good: {reason or _KILLED}"


def all_failed(stored: StoredPlan, left: Unfinished) -> BatchesFailed:
    """The error of a run of which no batch has findings."""
    reasons = sorted({reason or _KILLED for reason in left.values()})[:_REASONS_MAX]
    return BatchesFailed(
        f"nothing of run {stored.run.run_id} could be audited "
        f"(instances: {stored.plan.instances}, batches: {stored.batches}): {'; '.join(reasons)}"
    )


def not_by_hand(stored: StoredPlan, left: Unfinished) -> InvalidEvent:
    """The error of whoever concludes by hand what is not finished."""
    each = [f"{number} ({why})" if why else f"{number}" for number, why in left.items()]
    more = len(each) - _NAMED_MAX
    which = ", ".join(each[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    refused = f"batches without findings, of {stored.batches} in all: {which}"
    return InvalidEvent([f"plan_key: {refused}; by hand nothing incomplete is concluded: {_FIRST}"])
