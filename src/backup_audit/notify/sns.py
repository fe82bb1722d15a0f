"""A topic: sends messages in batches, and sends again those that SNS does not take.

Its attributes say how many subscribe to it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import TYPE_CHECKING

import msgspec

from backup_audit.aws import aws_errors, code_of, said
from backup_audit.errors import NotificationFailed, SubscriptionsUnknown
from backup_audit.notify.message import SIZE_MAX, Message, attribute_value, packed

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import (
        MessageAttributeValueTypeDef,
        PublishBatchRequestEntryTypeDef,
    )

BATCH_MAX = 10  # entries; SNS refuses more
SENDERS = 8  # batches sent at a time: 2,000 in 5 s where one takes 20 ms
WAITS = (0.5, 1.0, 2.0)  # seconds before an entry is sent again; botocore has waited besides
_HOPELESS = 8  # batches in a row of which nothing was taken


class _Outcome(msgspec.Struct, frozen=True):
    """The result of a batch: its size, and the reason for each message not taken."""

    size: int
    failures: Sequence[str]
    answered: bool


class SnsNotifier(msgspec.Struct, frozen=True):
    """A Notifier over PublishBatch, whose HTTP 200 can hold a failure for each entry."""

    topic_arn: str
    client: "Callable[[], SNSClient]"
    sleep: Callable[[float], None] = time.sleep

    def publish(self, messages: Iterable[Message]) -> int:
        """Send a few batches at a time; go on after one that is refused."""
        total = failed = in_a_row = 0
        first, answers = "", True

        def send(batch: Sequence[Message]) -> _Outcome:
            if in_a_row < _HOPELESS:
                return self._publish_batch(batch, WAITS)
            if answers:  # each is given its chance, but nothing is waited for any more
                return self._publish_batch(batch, ())
            return _Outcome(len(batch), [first] * len(batch), answered=False)

        # Together they may be no larger than one.
        batches = packed(messages, lambda message: message.size, SIZE_MAX, BATCH_MAX)
        for outcome in _few_at_a_time(send, batches):
            total += outcome.size
            failed += len(outcome.failures)
            in_a_row = in_a_row + 1 if len(outcome.failures) == outcome.size else 0
            first = first or next(iter(outcome.failures), "")
            answers = outcome.answered
        if failed:
            raise NotificationFailed(
                f"{self.topic_arn} did not take {failed} of {total} messages "
                f"(the first: {first}): check the topic's policy and its KMS key"
            )
        return total

    def _publish_batch(self, batch: Sequence[Message], waits: Sequence[float]) -> _Outcome:
        entries = {str(index): _entry(str(index), message) for index, message in enumerate(batch)}
        failed, answered = self._send(list(entries.values()))
        for seconds in waits:
            if not failed:
                break
            self.sleep(seconds)
            failed, answered = self._send([entries[entry_id] for entry_id in failed])
        return _Outcome(len(batch), list(failed.values()), answered)

    def _send(
        self, entries: "Sequence[PublishBatchRequestEntryTypeDef]"
    ) -> tuple[dict[str, str], bool]:
        """Send once; return the reason for each entry not taken, and whether SNS answered."""
        try:
            answer = self.client().publish_batch(
                TopicArn=self.topic_arn, PublishBatchRequestEntries=entries
            )
        except aws_errors() as error:
            ids = (entry["Id"] for entry in entries)
            return dict.fromkeys(ids, said(error)), bool(code_of(error))
        failed = answer.get("Failed", [])
        why = {one["Id"]: f"{one['Code']} {one.get('Message', '')}".rstrip() for one in failed}
        return why, True


def confirmed_subscriptions(topic_arn: str, client: "SNSClient") -> int:
    """How many subscriptions of a topic are confirmed; raises SubscriptionsUnknown."""
    errors: tuple[type[Exception], ...] = (ValueError, *aws_errors())  # one for what is no number
    try:
        answer = client.get_topic_attributes(TopicArn=topic_arn)
        return int(answer["Attributes"]["SubscriptionsConfirmed"])
    except errors as error:
        raise SubscriptionsUnknown(
            f"how many subscribe to {topic_arn} is not known: {said(error)}",
            answered=bool(code_of(error)),
        ) from None


def _few_at_a_time(
    send: Callable[[Sequence[Message]], _Outcome], batches: Iterator[list[Message]]
) -> Iterator[_Outcome]:
    """Yield each batch's result as the answers come; take a batch when it is its turn."""
    with ThreadPoolExecutor(SENDERS) as pool:
        under_way: set[Future[_Outcome]] = set()
        for batch in batches:
            if len(under_way) == SENDERS:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (sent.result() for sent in done)
            under_way.add(pool.submit(send, batch))
        yield from (sent.result() for sent in as_completed(under_way))


def _entry(entry_id: str, message: Message) -> "PublishBatchRequestEntryTypeDef":
    entry: PublishBatchRequestEntryTypeDef = {
        "Id": entry_id,
        "Message": message.body,
        "MessageAttributes": {
            name: _attribute(value) for name, value in message.attributes.items()
        },
    }
    if message.subject is not None:
        entry["Subject"] = message.subject
    return entry


def _attribute(value: str | tuple[str, ...]) -> "MessageAttributeValueTypeDef":
    kind = "String" if isinstance(value, str) else "String.Array"
    return {"DataType": kind, "StringValue": attribute_value(value)}
