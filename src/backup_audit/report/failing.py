"""failing.json: since when full runs fail, and who was notified of it.

The first failure is news, then reminders are, and the committed full run that ends it says so. The
object is moved by compare-and-swap. The role may delete nothing, so what is over is rewritten with
its end. docs/decisions/0004-messages.md has the reasons.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import msgspec

from backup_audit.report.alerts import Audience, is_reminder_due
from backup_audit.report.rendering import refuse_newer
from backup_audit.report.store import ObjectStore, refuse_foreign, rewrite
from backup_audit.strict import UNDECODABLE

# Ids of runs that are kept, so that a run counts once. Attempts of an hourly run may come 12 hours
# late, and a person may start again those of two weeks.
_COUNTED_MAX = 400


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """failing.json. Times are UTC with whole seconds.

    `runs` counts the full runs that failed since `since`, each once for all its attempts, and none
    that was asked to notify nobody. `cause` is what the last attempt said, at `last_failed_at`, of
    the run `last_run_id`. `notified_at` says for each audience when the run was due that it last
    heard of. `counted` are the ids of the last runs counted, 400 at the most. `ended_at` is null
    while runs fail.
    """

    schema_version: Literal[1] = 1
    foundation: str
    since: datetime
    runs: int
    cause: str
    last_run_id: str
    last_failed_at: datetime
    counted: tuple[str, ...]
    notified_at: Mapping[str, datetime] = {}
    ended_at: datetime | None = None

    def is_due(self, audience: Audience, due_at: datetime, remind_every: timedelta) -> bool:
        """Whether an audience is to be notified of the run due then: it heard of none, or long ago.

        Due times are regular; how long a run takes to fail is not.
        """
        if self.ended_at is not None:
            return False
        at = self.notified_at.get(audience)
        return at is None or is_reminder_due(at, due_at, remind_every)

    def is_ended_by(self, run_id: str, finished_at: datetime) -> bool:
        """Whether a committed run shows that the audit works again.

        One that had finished before the last failure shows nothing, though its messages may be sent
        only now; unless that failure is its own, of an attempt before.
        """
        is_over = self.ended_at is not None
        return not is_over and (run_id == self.last_run_id or finished_at >= self.last_failed_at)


class FailingRuns(msgspec.Struct, frozen=True):
    """What a deployment knows of its failing full runs, in the object `key`.

    Every method raises ReportStoreFailed, also if the object is of a newer version, and
    InvalidSettings if it is another foundation's. A damaged one is a warning, and as none.
    """

    store: ObjectStore
    key: str
    foundation: str
    warn: Callable[[str], None]

    def failed_again(self, run_id: str, at: datetime, cause: str) -> Failing:
        """Count a failed full run, once for all its attempts; return what is stored now."""
        began = Failing(
            foundation=self.foundation,
            since=at,
            runs=1,
            cause=cause,
            last_run_id=run_id,
            last_failed_at=at,
            counted=(run_id,),
        )
        return self._rewrite(partial(_counted, began)) or began

    def notified(self, audiences: Collection[Audience], due_at: datetime) -> None:
        """Note that these were notified of the run due then; once their messages are out.

        A run that is made late turns no reminder back.
        """

        def noted(stored: Failing | None) -> Failing | None:
            if stored is None or stored.ended_at is not None:
                return None
            before = stored.notified_at
            heard = {one: max(before.get(one, due_at), due_at) for one in audiences}
            return msgspec.structs.replace(stored, notified_at={**before, **heard})

        self._rewrite(noted)

    def still_failing(self, run_id: str, finished_at: datetime) -> Failing | None:
        """What a committed full run ends, and its messages say; None if nothing failed."""
        stored = self.store.get(self.key)
        failing = self._read(stored.body) if stored else None
        if failing is None:
            return None
        refuse_foreign(self.store, self.key, failing.foundation, self.foundation)
        return failing if failing.is_ended_by(run_id, finished_at) else None

    def recovered(self, failing: Failing, at: datetime) -> None:
        """Close it, after all messages that say so are out.

        If a run has failed since `failing` was read, it stays open: the next committed run ends it.
        """

        def ended(stored: Failing | None) -> Failing | None:
            is_as_read = stored is not None and (
                (stored.since, stored.runs, stored.last_failed_at, stored.ended_at)
                == (failing.since, failing.runs, failing.last_failed_at, None)
            )
            if stored is None or not is_as_read:
                return None
            return msgspec.structs.replace(stored, ended_at=at)

        self._rewrite(ended)

    def _rewrite(self, changed: Callable[[Failing | None], Failing | None]) -> Failing | None:
        def ours(stored: Failing | None) -> Failing | None:
            if stored is not None:
                refuse_foreign(self.store, self.key, stored.foundation, self.foundation)
            return changed(stored)

        return rewrite(self.store, self.key, self._read, ours)

    def _read(self, body: bytes) -> Failing | None:
        where = f"s3://{self.store.bucket}/{self.key}"
        refuse_newer(body, where, to_go_back="remove it")
        try:
            return msgspec.json.decode(body, type=Failing)
        except UNDECODABLE:
            self.warn(f"{where} is damaged: since when runs fail is not known")
            return None


def _counted(began: Failing, stored: Failing | None) -> Failing | None:
    """What is stored once a run has failed; None to leave it as it is."""
    if stored is None:
        return began
    is_known = began.last_run_id in stored.counted
    if stored.ended_at is not None:
        # An attempt of a run that failed before it was over, and of which people know.
        if is_known:
            return None
        return msgspec.structs.replace(began, counted=_with(stored.counted, began.last_run_id))
    return msgspec.structs.replace(
        stored,
        runs=stored.runs if is_known else stored.runs + 1,
        cause=began.cause,
        last_run_id=began.last_run_id,
        last_failed_at=max(began.last_failed_at, stored.last_failed_at),
        counted=stored.counted if is_known else _with(stored.counted, began.last_run_id),
    )


def _with(counted: tuple[str, ...], run_id: str) -> tuple[str, ...]:
    return (*counted, run_id)[-_COUNTED_MAX:]
