"""How many subscriptions a topic has, as SNS counts them: moto always says none."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.sns.models import SNSBackend, Topic

# SNS waits for a person, or a program, to confirm the others: moto has nobody who does.
_CONFIRMED_AT_ONCE = {"application", "firehose", "lambda", "sms", "sqs"}


@contextmanager
def counted_subscriptions() -> Iterator[None]:
    """A topic's attributes have the number of those that are confirmed, and of those that wait."""
    found = SNSBackend.get_topic

    def counted(backend: SNSBackend, arn: str) -> Topic:
        topic = found(backend, arn)
        protocols = [one.protocol for one in backend.subscriptions.values() if one.topic is topic]
        topic.subscriptions_confimed = sum(one in _CONFIRMED_AT_ONCE for one in protocols)
        topic.subscriptions_pending = len(protocols) - topic.subscriptions_confimed
        return topic

    with patch.object(SNSBackend, "get_topic", counted):
        yield
