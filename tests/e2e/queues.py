"""SQS queues: those that listen to a topic, and what is in any of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tests.e2e.emulator import Emulator

Policy = Mapping[str, Sequence[str | Mapping[str, bool]]]


class Delivered(msgspec.Struct, frozen=True):
    """A message as raw delivery hands it over: its body, and its attributes by name."""

    body: str
    attributes: dict[str, str]


def listening(
    aws: Emulator, name: str, topic_arn: str, filter_policy: Policy, *, raw: bool = False
) -> str:
    """Make a queue that gets the messages that pass a filter policy; return its address."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = arn_of(aws, url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _open_to(topic_arn, arn)})
    aws.client("sns").subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={
            "FilterPolicy": json.dumps(filter_policy),
            "RawMessageDelivery": str(raw).lower(),
        },
    )
    return url


def arn_of(aws: Emulator, url: str) -> str:
    """The ARN of a queue."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def take(aws: Emulator, url: str) -> list[Any]:
    """Take the notifications that are in a queue, decoded."""
    return [json.loads(message["Body"]) for message in _taken(aws, url)]


def take_raw(aws: Emulator, url: str) -> list[Delivered]:
    """Take what was delivered raw to a queue."""
    return [
        Delivered(
            message["Body"],
            {name: one["StringValue"] for name, one in message["MessageAttributes"].items()},
        )
        for message in _taken(aws, url)
    ]


def _taken(aws: Emulator, url: str) -> Iterator[dict[str, Any]]:
    sqs = aws.client("sqs")
    asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    while messages := sqs.receive_message(**asked).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message


def _open_to(topic_arn: str, queue_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
