"""A topic: sends messages in batches, and sends again those that SNS does not take.

Its attributes say how many subscribe to it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import TYPE_CHECKING

import msgspec

from backup_audit.aws import aws_errors, code_of, said
from backup_audit.errors import NotificationFailed, SubscriptionsUnknown
from backup_audit.notify.message import SIZE_MAX, Message, attribute_value, packed
from backup_audit.notify.progress import BatchResult

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


class _Batch(msgspec.Struct, frozen=True):
    """Messages that are sent together; `first` is the place of the first among all that are."""

    first: int
    messages: Sequence[Message]

    def result(self, refused: Mapping[int, str]) -> BatchResult:
        return BatchResult(first=self.first, size=len(self.messages), refused=refused)


class _Sent(msgspec.Struct, frozen=True):
    """What came of a batch, and whether SNS answered at all."""

    result: BatchResult
    answered: bool

    @property
    def why(self) -> str:
        """Why the first was not taken; empty if all were."""
        return next(iter(self.result.refused.values()), "")


class SnsNotifier(msgspec.Struct, frozen=True):
    """A Notifier over PublishBatch, whose HTTP 200 can hold a failure for each entry."""

    topic_arn: str
    client: "Callable[[], SNSClient]"
    sleep: Callable[[float], None] = time.sleep

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        """Send a few batches at a time; go on after one that is refused."""
        total = failed = in_a_row = 0
        first, answers = "", True

        def send(batch: _Batch) -> _Sent:
            if in_a_row < _HOPELESS:
                return self._publish_batch(batch, WAITS)
            if answers:  # each is given its chance, but nothing is waited for any more
                return self._publish_batch(batch, ())
            return _Sent(
                batch.result(dict.fromkeys(range(len(batch.messages)), first)), answered=False
            )

        for sent in _few_at_a_time(send, _batches(messages)):
            result = sent.result
            total += result.size
            failed += len(result.refused)
            in_a_row = in_a_row + 1 if len(result.refused) == result.size else 0
            first = first or sent.why
            answers = sent.answered
            took(result)
        if failed:
            raise NotificationFailed(
                f"{self.topic_arn} did not take {failed} of {total} messages "
                f"(the first: {first}): check the topic's policy and its KMS key"
            )
        return total

    def _publish_batch(self, batch: _Batch, waits: Sequence[float]) -> _Sent:
        entries = {str(place): _entry(str(place), one) for place, one in enumerate(batch.messages)}
        failed, answered = self._send(list(entries.values()))
        for seconds in waits:
            if not failed:
                break
            self.sleep(seconds)
            failed, answered = self._send([entries[entry_id] for entry_id in failed])
        refused = {int(entry_id): why for entry_id, why in failed.items()}
        return _Sent(batch.result(refused), answered)

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


def _batches(messages: Iterable[Message]) -> Iterator[_Batch]:
    """Ten at the most; together they may be no larger than one."""
    first = 0
    for batch in packed(messages, lambda message: message.size, SIZE_MAX, BATCH_MAX):
        yield _Batch(first, batch)
        first += len(batch)


def _few_at_a_time(send: Callable[[_Batch], _Sent], batches: Iterator[_Batch]) -> Iterator[_Sent]:
    """Yield each batch's result as the answers come; take a batch when it is its turn."""
    with ThreadPoolExecutor(SENDERS) as pool:
        under_way: set[Future[_Sent]] = set()
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
