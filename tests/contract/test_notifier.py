"""The topic's contract, over the fake and over SNS."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import msgspec
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import NotificationFailed
from backup_audit.notify.message import SIZE_MAX, Message
from backup_audit.notify.send import Notifier
from backup_audit.notify.sns import ATTEMPTS_MAX, SnsNotifier
from tests.doubles.fakes import RecordingNotifier
from tools.local_cloud.messages import sent_to

ARN = "arn:aws:sns:us-east-1:123456789012:backup-audit"


def message(number: int = 0, text: str = "words") -> Message:
    return Message(
        message_id=f"r/digest/{number}",
        subject=f"subject {number}",
        text=text,
        document=msgspec.Raw(b'{"event":"digest"}'),
        attributes={"event": "digest", "verdict": ("stale", "unknown")},
    )


Subjects = Callable[[], list[str | None]]


@pytest.fixture(params=["fake", "sns"])
def topic(request: pytest.FixtureRequest) -> Iterator[tuple[Notifier, Subjects]]:
    if request.param == "fake":
        fake = RecordingNotifier()
        yield fake, lambda: [taken.subject for taken in fake.messages]
        return
    with mock_aws():
        client = CLIENTS.sns
        client.create_topic(Name="backup-audit")
        notifier = SnsNotifier(ARN, lambda: client)
        yield notifier, lambda: [sent.subject for sent in sent_to(ARN)]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_every_message_is_taken_in_order(topic: tuple[Notifier, Subjects], count: int) -> None:
    notifier, subjects = topic

    notifier.publish([message(number) for number in range(count)])

    assert subjects() == [f"subject {number}" for number in range(count)]


def test_sns_gets_variants_by_protocol_and_attributes_to_filter_on() -> None:
    with mock_aws():
        client = CLIENTS.sns
        client.create_topic(Name="backup-audit")

        SnsNotifier(ARN, lambda: client).publish([message()])

        [sent] = sent_to(ARN)
    assert sent.message == {"default": {"event": "digest"}, "email": "words", "sms": "subject 0"}
    assert sent.attributes == {"event": "digest", "verdict": ["stale", "unknown"]}


def stubbed() -> tuple[SnsNotifier, Stubber, list[float]]:
    client = CLIENTS.sns
    waits: list[float] = []
    return SnsNotifier(ARN, lambda: client, waits.append), Stubber(client), waits


def batch_of(*ids: str) -> dict[str, Any]:
    entry = {
        "Subject": ANY,
        "Message": ANY,
        "MessageStructure": "json",
        "MessageAttributes": {
            "event": {"DataType": "String", "StringValue": "digest"},
            "verdict": {"DataType": "String.Array", "StringValue": '["stale","unknown"]'},
        },
    }
    return {"TopicArn": ARN, "PublishBatchRequestEntries": [{"Id": name} | entry for name in ids]}


def failed(*ids: str) -> dict[str, Any]:
    return {
        "Failed": [
            {"Id": name, "Code": "InternalError", "Message": "try later", "SenderFault": False}
            for name in ids
        ]
    }


def test_only_what_was_not_taken_is_sent_again() -> None:
    notifier, stub, waits = stubbed()
    stub.add_response("publish_batch", failed("1"), batch_of("0", "1", "2"))
    stub.add_response("publish_batch", {}, batch_of("1"))

    with stub:
        notifier.publish([message(number) for number in range(3)])

    stub.assert_no_pending_responses()
    assert len(waits) == 1


def test_what_is_never_taken_is_an_error_that_counts() -> None:
    notifier, stub, waits = stubbed()
    stub.add_response("publish_batch", failed("0", "2"), batch_of("0", "1", "2"))
    for _ in range(ATTEMPTS_MAX - 1):
        stub.add_response("publish_batch", failed("0", "2"), batch_of("0", "2"))

    with stub, pytest.raises(NotificationFailed, match=r"2 of 3 .* InternalError try later"):
        notifier.publish([message(number) for number in range(3)])

    stub.assert_no_pending_responses()
    assert waits == sorted(waits)
    assert len(waits) == ATTEMPTS_MAX - 1


def test_the_batches_after_one_that_fails_are_sent_all_the_same() -> None:
    notifier, stub, _ = stubbed()
    ids = [str(number) for number in range(10)]
    stub.add_response("publish_batch", failed("0"), batch_of(*ids))
    for _ in range(ATTEMPTS_MAX - 1):
        stub.add_response("publish_batch", failed("0"), batch_of("0"))
    stub.add_response("publish_batch", {}, batch_of("0"))

    with stub, pytest.raises(NotificationFailed, match="1 of 11"):
        notifier.publish([message(number) for number in range(11)])

    stub.assert_no_pending_responses()


def test_messages_share_a_batch_only_while_they_fit_together() -> None:
    notifier, stub, _ = stubbed()
    half = message(text="x" * (SIZE_MAX // 2))
    assert half.fits
    stub.add_response("publish_batch", {}, batch_of("0"))
    stub.add_response("publish_batch", {}, batch_of("0"))

    with stub:
        notifier.publish([half, half])

    stub.assert_no_pending_responses()


def test_a_topic_that_refuses_altogether_is_an_error_that_names_it() -> None:
    notifier, stub, _ = stubbed()
    stub.add_client_error("publish_batch", "AuthorizationError", "not allowed", 403)

    with stub, pytest.raises(NotificationFailed, match=f"{ARN} .*AuthorizationError: not allowed"):
        notifier.publish([message()])


def test_a_fifo_topic_drops_what_comes_again() -> None:
    with mock_aws():
        sns, sqs = CLIENTS.sns, boto3.client("sqs")
        arn = sns.create_topic(Name="audit.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        queue = sqs.create_queue(QueueName="audit.fifo", Attributes={"FifoQueue": "true"})
        address = queue["QueueUrl"]
        of_queue = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=of_queue["Attributes"]["QueueArn"])
        notifier = SnsNotifier(arn, lambda: sns)

        notifier.publish([message(1), message(2)])
        notifier.publish([message(1)])

        received = sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=10)["Messages"]
    assert len(received) == 2


@pytest.mark.parametrize("name", ["backup-audit", "backup-audit.fifo"])
def test_only_a_fifo_topic_gets_an_id_to_drop_by(name: str) -> None:
    client = CLIENTS.sns
    stub = Stubber(client)
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "before-parameter-build.sns.PublishBatch", lambda params, **_: sent.append(params)
    )
    stub.add_response("publish_batch", {"Successful": [], "Failed": []})

    with stub:
        SnsNotifier(f"arn:aws:sns:us-east-1:123456789012:{name}", lambda: client).publish(
            [message()]
        )

    [entry] = sent[0]["PublishBatchRequestEntries"]
    assert ("MessageDeduplicationId" in entry) is name.endswith(".fifo")
    assert ("MessageGroupId" in entry) is name.endswith(".fifo")
