"""How many subscriptions of a topic are confirmed, asked of SNS."""

from collections.abc import Iterator

import msgspec
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import SubscriptionsUnknown
from backup_audit.notify.sns import confirmed_subscriptions
from backup_audit.probe.pacing import Deadline
from backup_audit.report.alerts import Audience
from backup_audit.wiring import AwsEdges
from tests.doubles.builders import SETTINGS
from tests.doubles.fakes import RecordingTelemetry
from tools.local_cloud.subscriptions import counted_subscriptions

ARN = SETTINGS.topic_arn
QUEUE = "arn:aws:sqs:us-east-1:123456789012:reader"


@pytest.fixture
def topic() -> Iterator[str]:
    with mock_aws(), counted_subscriptions():
        yield CLIENTS.sns.create_topic(Name="backup-audit")["TopicArn"]


def subscribed(topic: str, protocol: str, endpoint: str) -> str:
    """The ARN of a new subscription."""
    answer = CLIENTS.sns.subscribe(
        TopicArn=topic, Protocol=protocol, Endpoint=endpoint, ReturnSubscriptionArn=True
    )
    return answer["SubscriptionArn"]


@pytest.mark.parametrize("queues", [0, 1, 2])
def test_queues_are_counted(topic: str, queues: int) -> None:
    for number in range(queues):
        subscribed(topic, "sqs", f"{QUEUE}-{number}")

    assert confirmed_subscriptions(topic, CLIENTS.sns) == queues


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [("email", "ops@example.com"), ("https", "https://hook.example.com")],
)
def test_what_nobody_has_confirmed_is_not_counted(topic: str, protocol: str, endpoint: str) -> None:
    subscribed(topic, protocol, endpoint)

    assert confirmed_subscriptions(topic, CLIENTS.sns) == 0


def test_a_subscription_that_was_deleted_is_not_counted(topic: str) -> None:
    subscription = subscribed(topic, "sqs", QUEUE)
    assert confirmed_subscriptions(topic, CLIENTS.sns) == 1

    CLIENTS.sns.unsubscribe(SubscriptionArn=subscription)

    assert confirmed_subscriptions(topic, CLIENTS.sns) == 0


def test_the_subscriptions_of_another_topic_are_not_counted(topic: str) -> None:
    other = CLIENTS.sns.create_topic(Name="other")["TopicArn"]
    subscribed(other, "sqs", QUEUE)

    assert confirmed_subscriptions(topic, CLIENTS.sns) == 0


def test_a_topic_that_is_gone_is_not_known(topic: str) -> None:
    gone = f"{topic}-gone"

    with pytest.raises(SubscriptionsUnknown, match=f"{gone} is not known: NotFound") as raised:
        confirmed_subscriptions(gone, CLIENTS.sns)

    assert raised.value.answered


def test_a_refusal_is_told_with_the_topic_and_the_reason() -> None:
    stub = Stubber(CLIENTS.sns)
    stub.add_client_error("get_topic_attributes", "AuthorizationError", "not allowed", 403)

    with stub, pytest.raises(SubscriptionsUnknown, match=f"{ARN} .*Error: not allowed") as raised:
        confirmed_subscriptions(ARN, CLIENTS.sns)

    assert raised.value.answered


class _Silent:
    """A client that gets no answer."""

    def get_topic_attributes(self, **_: str) -> None:
        raise ConnectTimeoutError(endpoint_url="https://sns.us-east-1.amazonaws.com")


def test_that_sns_does_not_answer_is_told_apart() -> None:
    with pytest.raises(SubscriptionsUnknown, match="Connect timeout") as raised:
        confirmed_subscriptions(ARN, _Silent())  # type: ignore[arg-type]

    assert not raised.value.answered


@pytest.mark.parametrize("attributes", [{}, {"SubscriptionsConfirmed": ""}])
def test_an_answer_without_the_number_is_no_number(attributes: dict[str, str]) -> None:
    stub = Stubber(CLIENTS.sns)
    stub.add_response("get_topic_attributes", {"Attributes": attributes})

    with stub, pytest.raises(SubscriptionsUnknown, match="no usable answer"):
        confirmed_subscriptions(ARN, CLIENTS.sns)


def test_each_audience_that_has_a_topic_has_a_notifier_and_a_number(topic: str) -> None:
    events = CLIENTS.sns.create_topic(Name="backup-audit-events")["TopicArn"]
    subscribed(events, "sqs", QUEUE)
    settings = msgspec.structs.replace(SETTINGS, topic_arn=topic, events_topic_arn=events)

    edges = AwsEdges(settings, RecordingTelemetry(), Deadline.after(60))

    numbers = {audience: edges.confirmed(audience) for audience in edges.notifiers}
    assert numbers == {Audience.PEOPLE: 0, Audience.EVENTS: 1}
