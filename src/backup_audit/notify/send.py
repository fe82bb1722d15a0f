"""Sends the messages of a run, once: a mark beside the report says that they were sent.

The mark is written after the messages. A crash between the two sends them again: twice is better
than not at all. docs/decisions/0002-commit-protocol.md has every case.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from backup_audit.notify.digest import digests
from backup_audit.notify.message import Message, finding_messages, run_incomplete
from backup_audit.report.commit import StoredReport
from backup_audit.report.rendering import as_json
from backup_audit.report.store import ObjectStore, RunKeys
from backup_audit.settings import NotifyMode


class Notifier(Protocol):
    """The topic."""

    def publish(self, messages: Iterable[Message]) -> int:
        """Publish all, at least once each and in any order; return how many there were.

        Messages are taken one by one, and not kept. One that SNS refuses stops none of the others;
        at the end, NotificationFailed says how many of how many failed.
        """


class Heartbeat(Protocol):
    """An external dead man's switch: it calls people when it hears nothing for too long."""

    def beat(self) -> None:
        """Ping it after each full run that reached every instance; raise HeartbeatFailed."""


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """The mark: how many messages were published."""

    messages: int


def notify(stored: StoredReport, notifier: Notifier, mode: NotifyMode) -> int:
    """Publish the messages of a report unless that was done; return how many."""
    mark = stored.keys.report("notified.json")
    if stored.store.get(mark) is not None:
        return 0
    return _publish_and_mark(_news(stored, mode), stored.store, mark, notifier)


def _news(stored: StoredReport, mode: NotifyMode) -> Iterator[Message]:
    """All messages of a report; none if nothing is wrong and nothing has changed for the better."""
    if not stored.head.complete:
        yield run_incomplete(stored)
    yield from (digests if mode is NotifyMode.DIGEST else finding_messages)(stored)


def notify_of_failure(
    message: Message, notifier: Notifier, store: ObjectStore | None, keys: RunKeys | None
) -> None:
    """Notify of a failed run, once for all retries of a scheduled run, if S3 can be asked."""
    if store is None or keys is None:
        notifier.publish([message])
        return
    mark = keys.report("notified-run_failed.json")
    try:
        notified_before = store.get(mark) is not None
    except Exception:  # noqa: BLE001  # rather twice than not at all
        notified_before = False
    if not notified_before:
        _publish_and_mark([message], store, mark, notifier)


def _publish_and_mark(
    messages: Iterable[Message], store: ObjectStore, mark: str, notifier: Notifier
) -> int:
    count = notifier.publish(messages)
    if count:
        store.put_new(mark, as_json(Notified(messages=count)))
    return count
