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
        run_id, now = self.run.run_id, self.now()
        if self.run.scope is not Scope.FULL:
            return None
        # To the end of the second, since documents have whole seconds.
        rounded = ends_at.replace(microsecond=0) + timedelta(seconds=1)
        ours = Claim(run_id=run_id, held_by=self.held_by, ends_at=rounded)

        def claimed(held: Claim | None) -> Claim | None:
            is_free = held is None or held.run_id == run_id or held.ends_at <= now
            return ours if is_free else None

        at_work = rewrite(self.store, self.key, _read, claimed)
        if at_work is None or at_work.run_id == run_id:
            return None
        self.warn(
            f"run {at_work.run_id} is at work, until {at_work.ends_at:%Y-%m-%dT%H:%M:%SZ} at the "
            "latest"
        )
        return at_work.run_id

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
        """End the claim, unless another delivery or run has taken it over."""

        def ended(held: Claim | None) -> Claim | None:
            if held is None or (held.run_id, held.held_by) != (self.run.run_id, self.held_by):
                return None
            return msgspec.structs.replace(held, ends_at=self.now().replace(microsecond=0))

        try:
            if self.run.scope is Scope.FULL:
                rewrite(self.store, self.key, _read, ended)
        except Exception as error:  # noqa: BLE001  # must not hide why the run failed
            self.warn(
                f"the claim of run {self.run.run_id} could not be freed "
                f"({type(error).__name__}): other full runs wait until the end it states"
            )


def _read(body: bytes) -> Claim | None:
    try:
        return msgspec.json.decode(body, type=Claim)
    except UNDECODABLE:
        return None  # a damaged claim stops no run
