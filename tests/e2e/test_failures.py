"""Runs that fail: visibly, told once, and kept in the queue when nobody waits for an answer."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.inputs import CREDENTIALS, Inputs
from tests.e2e.polling import eventually
from tests.e2e.queues import listening, take
from tests.e2e.stack import Stack

_RETRIES = 120.0  # seconds; ministack tries three times, 1 s and 2 s apart, on a busy machine
_DELIVERY = 10.0  # seconds

_WRONG = "c0ffee-and-cake"


@pytest.fixture
def refused_secret(stack: Stack, inputs: Inputs) -> Iterator[None]:
    """UAA does not know the secret, as after it was changed there and not here."""
    secrets = stack.aws.client("secretsmanager")

    def put(**changes: str) -> None:
        secrets.put_secret_value(
            SecretId=inputs.secret_arn, SecretString=json.dumps(CREDENTIALS | changes)
        )

    stack.invoke({})  # ends what failed before, of which people are reminded only once a day
    put(client_secret=_WRONG)
    yield
    put()


def failed_run(stack: Stack) -> dict[str, Any]:
    """The one message that gets to the queue for failed runs."""
    url = stack.output("FailedRunsQueueUrl")
    messages = eventually(
        lambda: take(stack.aws, url), within=_RETRIES, what="a message for the failed run"
    )
    assert len(messages) == 1
    message: dict[str, Any] = messages[0]
    return message


def test_an_event_with_a_fault_ends_in_the_queue_for_failed_runs(stack: Stack) -> None:
    began = datetime.now(UTC)

    stack.send({"instance_guid": "one"})

    message = failed_run(stack)
    assert message["requestContext"]["condition"] == "RetriesExhausted"
    assert message["requestPayload"] == {"instance_guid": "one"}
    assert "instance_guid" in message["responsePayload"]["errorMessage"]
    assert stack.log(began).count('"message":"audit failed"') == 3


@pytest.mark.usefixtures("refused_secret")
def test_a_scheduled_run_that_uaa_refuses_is_told_once_for_all_its_attempts(stack: Stack) -> None:
    began = datetime.now(UTC)
    told = listening(stack.aws, "failures", stack.output("TopicArn"), {"event": ["run_failed"]})

    due = datetime.now(UTC)  # one that was due before the last full run would notify nobody
    event = {"scheduled_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"}
    stack.send(event)

    message = failed_run(stack)
    assert message["requestPayload"] == event
    assert stack.log(began).count('"message":"audit failed"') == 3
    (notification,) = take(stack.aws, told)
    assert f"{due:%Y%m%dT%H%M%SZ}" in notification["Message"]


@pytest.mark.usefixtures("refused_secret")
def test_no_secret_shows_in_the_log_or_in_the_answer_of_a_refused_run(stack: Stack) -> None:
    began = datetime.now(UTC)

    said = stack.failure({"notify": False})

    log = eventually(lambda: stack.log(began), within=_DELIVERY, what="the log")
    assert "CredentialsRefused" in log
    assert _WRONG not in log + said
