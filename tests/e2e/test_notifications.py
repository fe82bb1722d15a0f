"""Messages as a subscriber gets them."""

import json

from tests.e2e.polling import eventually
from tests.e2e.queues import listening, take
from tests.e2e.stack import Stack

_DELIVERY = 10.0  # seconds; SNS hands over at once


def test_a_digest_arrives_in_a_queue_whose_filter_policy_it_passes(stack: Stack) -> None:
    policy = {"event": ["digest"], "severity": ["critical"], "verdict": ["stale"]}
    queue = listening(stack.aws, "stale-digests", stack.output("TopicArn"), policy)

    answer = stack.invoke({})

    (notification,) = eventually(
        lambda: take(stack.aws, queue), within=_DELIVERY, what="the digest arrives"
    )
    assert notification["Subject"] == "[backup-audit] e2e: 5 problems"
    message = json.loads(notification["Message"])
    assert message["run_id"] == answer["run_id"]
    assert notification["MessageAttributes"]["foundation"]["Value"] == "e2e"


def test_no_digest_arrives_in_a_queue_whose_filter_policy_it_does_not_pass(stack: Stack) -> None:
    topic = stack.output("TopicArn")
    unknown = listening(stack.aws, "unknown-only", topic, {"verdict": ["unknown"]})
    everything = listening(stack.aws, "everything", topic, {"foundation": ["e2e"]})

    stack.invoke({})

    eventually(lambda: take(stack.aws, everything), within=_DELIVERY, what="the digest arrives")
    assert take(stack.aws, unknown) == []


def test_a_run_that_tells_nobody_sends_nothing(stack: Stack) -> None:
    queue = listening(
        stack.aws, "silence", stack.output("TopicArn"), {"event": ["digest", "run_failed"]}
    )

    assert stack.invoke({"notify": False})["messages_sent"] == 0
    assert stack.invoke({"dry_run": True})["messages_sent"] == 0
    assert stack.invoke({})["messages_sent"] == 1

    messages = eventually(lambda: take(stack.aws, queue), within=_DELIVERY, what="one arrives")
    assert len(messages) == 1
