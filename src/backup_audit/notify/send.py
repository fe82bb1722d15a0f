"""Telling people, once: a mark beside the report says that its messages are out.

The mark is written after the messages. A crash between the two tells again: twice is better than
not at all. docs/decisions/0002-commit-protocol.md has every case.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.notify.digest import digests
from backup_audit.notify.events import finding_messages, run_failed, run_incomplete
from backup_audit.notify.message import Message
from backup_audit.report.commit import JSON, ObjectStore, RunKeys
from backup_audit.report.rendering import as_json
from backup_audit.report.report import Report, ReportAddress
from backup_audit.settings import NotifyMode


class Notifier(Protocol):
    """The topic."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, at least once each; raise NotificationFailed if one was not taken."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """told.json and run_failed.json: the ids of the messages that SNS took."""

    message_ids: list[str]


def tell(
    report: Report, store: ObjectStore, keys: RunKeys, notifier: Notifier, mode: NotifyMode
) -> int:
    """Send what the report has to say unless it was sent; return how many messages went out."""
    if store.get(keys.report("told.json")) is not None:
        return 0
    messages = news_of(
        report, ReportAddress(bucket=store.bucket, key=keys.report("report.json")), mode
    )
    _publish_and_mark(messages, store, keys.report("told.json"), notifier)
    return len(messages)


def news_of(report: Report, address: ReportAddress, mode: NotifyMode) -> list[Message]:
    """All messages of a report; none if nothing is wrong and nothing has changed for the better."""
    about_the_run = [] if report.complete else [run_incomplete(report, address)]
    build = digests if mode is NotifyMode.DIGEST else finding_messages
    return about_the_run + build(report, address)


def tell_failure(
    error: Exception,
    notifier: Notifier,
    *,
    foundation: str | None,
    failed_at: datetime,
    invocation_id: str,
    run_id: str | None = None,
    store: ObjectStore | None = None,
    keys: RunKeys | None = None,
) -> None:
    """Say that a run failed, once for all the retries of a scheduled run, if S3 can be asked."""
    message = run_failed(
        error,
        run_id=run_id,
        foundation=foundation,
        failed_at=failed_at,
        invocation_id=invocation_id,
    )
    if store is None or keys is None:
        notifier.publish([message])
        return
    mark = keys.report("run_failed.json")
    try:
        told_before = store.get(mark) is not None
    except ReportStoreFailed:
        notifier.publish([message])
        return
    if not told_before:
        _publish_and_mark([message], store, mark, notifier)


def _publish_and_mark(
    messages: Sequence[Message], store: ObjectStore, mark: str, notifier: Notifier
) -> None:
    if messages:
        notifier.publish(messages)
        told = Told(message_ids=[message.message_id for message in messages])
        store.put_new(mark, as_json(told), JSON)
