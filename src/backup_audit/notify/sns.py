"""The topic: messages go out in batches, and what SNS does not take is sent again."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from backup_audit.aws import aws_errors, said
from backup_audit.errors import NotificationFailed
from backup_audit.notify.message import SIZE_MAX, Message, attribute_value
from backup_audit.probe.http import backoff

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import (
        MessageAttributeValueTypeDef,
        PublishBatchRequestEntryTypeDef,
    )

BATCH_MAX = 10  # entries; SNS refuses more
ATTEMPTS_MAX = 4  # times that an entry is sent


class SnsNotifier:
    """A Notifier over PublishBatch, whose HTTP 200 can hold a failure for each entry."""

    def __init__(
        self,
        topic_arn: str,
        client: "Callable[[], SNSClient]",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._topic_arn = topic_arn
        self._client = client
        self._sleep = sleep

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all of them, at least once each; raise NotificationFailed in the end."""
        failures: list[str] = []
        for batch in _batches(messages):
            failures += self._publish_batch(batch)
        if failures:
            raise NotificationFailed(
                f"{self._topic_arn} did not take {len(failures)} of {len(messages)} messages "
                f"(the first: {failures[0]}): check the topic's policy and its KMS key"
            )

    def _publish_batch(self, batch: Sequence[Message]) -> list[str]:
        """Return what went wrong with each message that was not taken."""
        pending = {str(index): message for index, message in enumerate(batch)}
        failed: dict[str, str] = {}
        for attempt in range(1, ATTEMPTS_MAX + 1):
            failed = self._send(pending)
            pending = {entry_id: pending[entry_id] for entry_id in failed}
            if not pending:
                break
            if attempt < ATTEMPTS_MAX:
                self._sleep(backoff(attempt, jitter=1.0))
        return list(failed.values())

    def _send(self, pending: dict[str, Message]) -> dict[str, str]:
        """Send once; return the ids of the entries that were not taken, with the reason."""
        entries = [_entry(entry_id, message) for entry_id, message in pending.items()]
        if self._topic_arn.endswith(".fifo"):
            for entry, message in zip(entries, pending.values(), strict=True):
                entry |= _once_and_in_order(message)  # noqa: PLW2901  # it changes the entry itself
        try:
            answer = self._client().publish_batch(
                TopicArn=self._topic_arn, PublishBatchRequestEntries=entries
            )
        except aws_errors() as error:
            raise NotificationFailed(
                f"{self._topic_arn} could not be published to: {said(error)}"
            ) from error
        return {
            failure["Id"]: f"{failure['Code']} {failure.get('Message', '')}".rstrip()
            for failure in answer.get("Failed", [])
        }


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """At most ten messages together, and together no larger than one may be."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_MAX or size + message.size > SIZE_MAX):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    if batch:
        yield batch


def _entry(entry_id: str, message: Message) -> "PublishBatchRequestEntryTypeDef":
    return {
        "Id": entry_id,
        "Subject": message.subject,
        "Message": message.body,
        "MessageStructure": "json",
        "MessageAttributes": {
            name: _attribute(value) for name, value in message.attributes.items()
        },
    }


def _once_and_in_order(message: Message) -> "PublishBatchRequestEntryTypeDef":
    """What a FIFO topic demands; it drops a message that comes again within five minutes.

    The id is hashed: SNS takes 128 characters, and a GUID may have 200.
    """
    once = hashlib.sha256(message.message_id.encode()).hexdigest()
    return {"MessageGroupId": "backup-audit", "MessageDeduplicationId": once}  # type: ignore[typeddict-item]


def _attribute(value: str | tuple[str, ...]) -> "MessageAttributeValueTypeDef":
    kind = "String" if isinstance(value, str) else "String.Array"
    return {"DataType": kind, "StringValue": attribute_value(value)}
