"""Notifies of a run that failed: once for all its attempts, and not with every run of a bad week.

A mark where the run's report would be says for each audience that it was notified of this run.
Programs hear of each. People and chat hear of the first full run that fails, and are reminded while
it goes on: failing.json has when. Both are written after the messages: a crash doubles, and loses
nothing. A late run, older than the newest that is committed, neither counts nor notifies anybody.
"""

from collections.abc import Callable, Collection, Mapping

import msgspec

from backup_audit.errors import named
from backup_audit.notify.message import Message
from backup_audit.notify.run_failure import RunFailure
from backup_audit.notify.send import Notifier
from backup_audit.report.alerts import Audience
from backup_audit.report.failing import FailingRuns
from backup_audit.report.latest import is_late
from backup_audit.report.marks import Mark
from backup_audit.report.rendering import as_json
from backup_audit.report.store import ObjectStore, RunKeys

MessageOf = Callable[[RunFailure], Message]


class Records(msgspec.Struct, frozen=True):
    """What is stored of a failed run.

    `runs` is None unless it is a full run of a known foundation.
    """

    store: ObjectStore
    keys: RunKeys
    runs: FailingRuns | None

    def is_marked(self, audience: Audience) -> bool:
        return self.store.exists(self.keys.report(audience.failure_mark))

    def mark(self, audience: Audience) -> None:
        mark = self.keys.report(audience.failure_mark)
        self.store.put_new(mark, as_json(Mark(next=1, done=True)))


def records_of(
    failure: RunFailure, store: ObjectStore, prefix: str, warn: Callable[[str], None]
) -> Records | None:
    """Where a failed run is noted; None if it is not known which run it was."""
    if failure.run is None:
        return None
    keys, runs = RunKeys.of(prefix, failure.run), None
    if failure.is_full and failure.foundation:
        runs = FailingRuns(store, keys.failing, failure.foundation, warn)
    return Records(store, keys, runs)


def notify_of_failure(
    failure: RunFailure,
    notifiers: Mapping[Audience, Notifier],
    messages: Mapping[Audience, MessageOf],
    records: Records | None,
    warn: Callable[[str], None],
) -> None:
    """Notify each audience that is due; warn of everything that could not be done.

    One audience that fails keeps none of the others from hearing. If S3 cannot be asked, rather
    twice than not at all; and it is asked no more before the messages are out, since Lambda's time
    may be nearly over.
    """
    failure, due = _due(failure, notifiers, records, warn)
    notified = []
    for audience in due:
        try:
            notifiers[audience].publish([messages[audience](failure)])
            notified.append(audience)
        except Exception as error:  # noqa: BLE001  # the others are notified all the same
            warn(f"{audience}: not notified of the failed run: {named(error)}")
    if records is not None and notified:
        try:
            _note(failure, notified, records)
        except Exception as error:  # noqa: BLE001  # the run's own error is raised again
            warn(f"who was notified of the failed run could not be noted: {named(error)}")


def _due(
    failure: RunFailure,
    audiences: Collection[Audience],
    records: Records | None,
    warn: Callable[[str], None],
) -> tuple[RunFailure, list[Audience]]:
    """Count the run; return what is known of it now, and whom to notify."""
    if records is None:
        return failure, list(audiences)
    due = list(audiences)
    try:
        due = [one for one in due if not records.is_marked(one)]
        if records.runs is not None and failure.run is not None:
            if is_late(records.store, records.keys, records.runs.foundation, failure.run):
                warn(
                    f"run {failure.run.run_id} is older than the one that {records.keys.latest} "
                    "names: that it failed is not counted, and nobody is notified"
                )
                return failure, []
            failing = records.runs.failed_again(
                failure.run.run_id, failure.failed_at, failure.cause
            )
            failure = msgspec.structs.replace(failure, failing=failing)
    except Exception as error:  # noqa: BLE001  # rather twice than not at all
        warn(f"whether the failed run is known already could not be read: {named(error)}")
    return failure, [one for one in due if _is_due(one, failure)]


def _is_due(audience: Audience, failure: RunFailure) -> bool:
    failing = failure.failing
    if failing is None or failure.run is None:
        return True
    if audience is Audience.EVENTS:
        return failing.ended_at is None
    return failing.is_due(audience, failure.run.due_at, failure.remind_every)


def _note(failure: RunFailure, notified: Collection[Audience], records: Records) -> None:
    if failure.failing is not None and records.runs is not None and failure.run is not None:
        records.runs.notified(notified, failure.run.due_at)
    for audience in notified:
        records.mark(audience)
