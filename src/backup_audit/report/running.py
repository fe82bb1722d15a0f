"""running.json: the claim of the full run at work, so that two full runs that overlap are one.

It bounds the load on the API: each run asks by its own ceiling of requests in flight. The role may
delete nothing, so a claim that ends is rewritten with its end.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.report.rendering import as_json
from backup_audit.report.store import JSON, ObjectStore

# Others can win the race for the claim; a run that loses so often meets no race but a fault.
_CAS_ATTEMPTS = 10


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """running.json. The run is at work until `ends_at` (UTC) at the latest; then it was killed.

    `held_by` tells deliveries of one run apart: each claims anew, and only the last may free.
    """

    schema_version: Literal[1] = 1
    run_id: str
    held_by: str
    ends_at: datetime


def claim_until(run_id: str, held_by: str, ends_at: datetime) -> Claim:
    """A claim to the end of the second, since documents have whole seconds."""
    rounded = ends_at.replace(microsecond=0) + timedelta(seconds=1)
    return Claim(run_id=run_id, held_by=held_by, ends_at=rounded)


def take(store: ObjectStore, key: str, claim: Claim, now: datetime) -> Claim | None:
    """Take the claim; return that of another run which is at work, None if it is ours now."""
    for _ in range(_CAS_ATTEMPTS):
        stored = store.get(key)
        if stored is None:
            is_ours = store.put_new(key, as_json(claim), JSON)
        else:
            held = _read(stored.body)
            if held is not None and held.run_id != claim.run_id and held.ends_at > now:
                return held
            is_ours = store.put_if_unchanged(key, as_json(claim), JSON, stored.etag)
        if is_ours:
            return None
    raise ReportStoreFailed(
        f"{key} changed {_CAS_ATTEMPTS} times while run {claim.run_id} tried to claim it: "
        "look for another writer"
    )


def free(store: ObjectStore, key: str, claim: Claim, now: datetime) -> None:
    """End the claim, unless another delivery or run has taken it over."""
    stored = store.get(key)
    held = _read(stored.body) if stored else None
    if stored and held and (held.run_id, held.held_by) == (claim.run_id, claim.held_by):
        ended = msgspec.structs.replace(held, ends_at=now.replace(microsecond=0))
        store.put_if_unchanged(key, as_json(ended), JSON, stored.etag)


def _read(body: bytes) -> Claim | None:
    try:
        return msgspec.json.decode(body, type=Claim)
    except msgspec.MsgspecError:
        return None  # a claim that nobody can read holds nobody
