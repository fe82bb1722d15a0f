"""SQS queues: those that listen to a topic, and what lies in any of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.emulator import Emulator


def listening(
    aws: Emulator, name: str, topic_arn: str, filter_policy: Mapping[str, Sequence[str]]
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
        Attributes={"FilterPolicy": json.dumps(filter_policy)},
    )
    return url


def arn_of(aws: Emulator, url: str) -> str:
    """The ARN of a queue."""
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def take(aws: Emulator, url: str) -> list[Any]:
    """Take the messages that lie in a queue, decoded; a notification's message too."""
    sqs = aws.client("sqs")
    taken = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken.append(json.loads(message["Body"]))
    return taken


def _open_to(topic_arn: str, queue_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
