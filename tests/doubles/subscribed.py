"""A queue that subscribes to a topic with a filter policy, on an SNS and an SQS in the process."""

import json
from collections.abc import Iterable
from typing import Any

import boto3
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.notify.message import Message
from backup_audit.notify.sns import SnsNotifier


def got(
    messages: Iterable[Message], policy: dict[str, Any], scope: str = "MessageAttributes"
) -> list[str]:
    """The bodies that a queue with this policy gets."""
    with mock_aws():
        sns, sqs = CLIENTS.sns, boto3.client("sqs")
        topic = sns.create_topic(Name="topic")["TopicArn"]
        queue = sqs.create_queue(QueueName="reader")["QueueUrl"]
        asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=asked["Attributes"]["QueueArn"],
            Attributes={
                "RawMessageDelivery": "true",
                "FilterPolicyScope": scope,
                "FilterPolicy": json.dumps(policy),
            },
        )
        SnsNotifier(topic, lambda: sns).publish(messages)
        bodies: list[str] = []
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            bodies += [one["Body"] for one in found]
            for one in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        return bodies
