"""running.json: a claim, so that a full run does nothing while another is at work.

It bounds the load on the API: each run asks by its own ceiling of requests in flight. The role may
delete nothing, so a claim that ends is rewritten with its end.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from backup_audit.fleet.run import Run, Scope
from backup_audit.report.rendering import as_json
from backup_audit.report.store import ObjectStore, rewrite
from backup_audit.strict import UNDECODABLE


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """running.json. The run is at work until `ends_at` (UTC); after that it counts as killed.

    `held_by` is the delivery, of several of one run: each claims anew, only the last may free.
    """

    schema_version: Literal[1] = 1
    run_id: str
    held_by: str
    ends_at: datetime


class Turn(msgspec.Struct, frozen=True):
    """A delivery's turn to be the full run at work; a run of another scope needs none."""

    store: ObjectStore
    key: str
    run: Run
    held_by: str
    now: Callable[[], datetime]
    warn: Callable[[str], None]

    def claim(self, ends_at: datetime) -> str | None:
        """Claim until then; return the id of another run that is at work, None if it is ours."""
        if self.run.scope is not Scope.FULL:
            return None
        claim = claim_until(self.run.run_id, self.held_by, ends_at)
        other = take(self.store, self.key, claim, self.now())
        if other is None:
            return None
        self.warn(
            f"run {other.run_id} is at work, until {other.ends_at:%Y-%m-%dT%H:%M:%SZ} at the latest"
        )
        return other.run_id

    @contextmanager
    def freed(self, *, at_the_end: bool = True) -> Iterator[None]:
        """Free the claim if the block fails, and at its end: others must not wait."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            self._free()
            raise
        if at_the_end:
            self._free()

    def _free(self) -> None:
        try:
            if self.run.scope is Scope.FULL:
                free(self.store, self.key, self.run.run_id, self.held_by, self.now())
        except Exception as error:  # noqa: BLE001  # must not hide why the run failed
            self.warn(
                f"the claim of run {self.run.run_id} could not be freed "
                f"({type(error).__name__}): other full runs wait until the end it states"
            )


def claim_until(run_id: str, held_by: str, ends_at: datetime) -> Claim:
    """A claim to the end of the second, since documents have whole seconds."""
    rounded = ends_at.replace(microsecond=0) + timedelta(seconds=1)
    return Claim(run_id=run_id, held_by=held_by, ends_at=rounded)


def take(store: ObjectStore, key: str, claim: Claim, now: datetime) -> Claim | None:
    """Take the claim; return that of another run which is at work, None if it is ours now."""
    other: Claim | None = None

    def claimed(body: bytes | None) -> bytes | None:
        nonlocal other
        held = _read(body)
        is_free = held is None or held.run_id == claim.run_id or held.ends_at <= now
        other = None if is_free else held
        return as_json(claim) if is_free else None

    rewrite(store, key, claimed)
    return other


def free(store: ObjectStore, key: str, run_id: str, held_by: str, now: datetime) -> None:
    """End a claim, unless another delivery or run has taken it over."""

    def ended(body: bytes | None) -> bytes | None:
        held = _read(body)
        if held is None or (held.run_id, held.held_by) != (run_id, held_by):
            return None
        return as_json(msgspec.structs.replace(held, ends_at=now.replace(microsecond=0)))

    rewrite(store, key, ended)


def _read(body: bytes | None) -> Claim | None:
    try:
        return None if body is None else msgspec.json.decode(body, type=Claim)
    except UNDECODABLE:
        return None  # a damaged claim stops no run
