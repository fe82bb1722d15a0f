"""The topic's contract, over the fake and over SNS."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import NotificationFailed, ReportStoreFailed
from backup_audit.notify.message import SIZE_MAX, Message
from backup_audit.notify.progress import BatchResult
from backup_audit.notify.send import Notifier
from backup_audit.notify.sns import BATCH_MAX, SENDERS, WAITS, SnsNotifier
from tests.doubles.builders import a_message
from tests.doubles.fakes import RecordingNotifier
from tools.local_cloud.messages import sent_to

ATTEMPTS_MAX = 1 + len(WAITS)  # times that an entry is sent
ARN = "arn:aws:sns:us-east-1:123456789012:backup-audit"


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
def test_every_message_is_taken_and_counted(topic: tuple[Notifier, Subjects], count: int) -> None:
    notifier, subjects = topic

    taken = notifier.publish(a_message(number) for number in range(count))

    assert taken == count
    assert sorted(map(str, subjects())) == sorted(f"subject {number}" for number in range(count))


@pytest.mark.parametrize("count", [0, 9, 10, 11, 25])
def test_what_came_of_each_batch_is_said(topic: tuple[Notifier, Subjects], count: int) -> None:
    notifier, _ = topic
    results: list[BatchResult] = []

    notifier.publish((a_message(number) for number in range(count)), results.append)

    places = sorted(place for one in results for place in range(one.first, one.first + one.size))
    assert places == list(range(count))
    assert not any(one.refused for one in results)


def test_messages_have_the_plain_structure_with_their_attributes() -> None:
    """SNS delivers no attributes with the structure JSON."""
    notifier, stub, _ = stubbed()
    stub.add_response("publish_batch", {}, batch_of("0"))  # which has no MessageStructure

    with stub:
        notifier.publish([a_message()])

    stub.assert_no_pending_responses()


def test_sns_gets_text_or_a_document_and_attributes_to_filter_on() -> None:
    with mock_aws():
        client = CLIENTS.sns
        client.create_topic(Name="backup-audit")

        document = msgspec.structs.replace(a_message(), body='{"event":"run"}', subject=None)
        SnsNotifier(ARN, lambda: client).publish([a_message(), document])

        text, event = sent_to(ARN)
    assert (text.subject, text.body) == ("subject 0", "words")
    assert (event.subject, event.document) == (None, {"event": "run"})
    for sent in (text, event):
        assert sent.attributes == {"event": "digest", "verdict": ["stale", "unknown"]}


def stubbed() -> tuple[SnsNotifier, Stubber, list[float]]:
    client = CLIENTS.sns
    waits: list[float] = []
    return SnsNotifier(ARN, lambda: client, waits.append), Stubber(client), waits


def batch_of(*ids: str) -> dict[str, Any]:
    entry = {
        "Subject": ANY,
        "Message": ANY,
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
        notifier.publish([a_message(number) for number in range(3)])

    stub.assert_no_pending_responses()
    assert len(waits) == 1


def test_what_is_never_taken_is_an_error_that_counts() -> None:
    notifier, stub, waits = stubbed()
    stub.add_response("publish_batch", failed("0", "2"), batch_of("0", "1", "2"))
    for _ in range(ATTEMPTS_MAX - 1):
        stub.add_response("publish_batch", failed("0", "2"), batch_of("0", "2"))

    with stub, pytest.raises(NotificationFailed, match=r"2 of 3 .* InternalError try later"):
        notifier.publish([a_message(number) for number in range(3)])

    stub.assert_no_pending_responses()
    assert waits == sorted(waits)
    assert len(waits) == ATTEMPTS_MAX - 1


def test_messages_share_a_batch_only_while_they_fit_together() -> None:
    notifier, stub, _ = stubbed()
    half = a_message(text="x" * (SIZE_MAX // 2))
    assert half.size <= SIZE_MAX
    stub.add_response("publish_batch", {}, batch_of("0"))
    stub.add_response("publish_batch", {}, batch_of("0"))

    with stub:
        notifier.publish([half, half])

    stub.assert_no_pending_responses()


def test_a_topic_that_refuses_altogether_is_an_error_that_names_it() -> None:
    notifier, stub, _ = stubbed()
    for _ in range(ATTEMPTS_MAX):
        stub.add_client_error("publish_batch", "AuthorizationError", "not allowed", 403)

    with stub, pytest.raises(NotificationFailed, match=f"{ARN} .*AuthorizationError: not allowed"):
        notifier.publish([a_message()])

    stub.assert_no_pending_responses()


# ── Many batches, a few at a time ─────────────────────────────────────────────────────────────────

REFUSED = ClientError({"Error": {"Code": "Throttled", "Message": "later"}}, "PublishBatch")
SILENT = EndpointConnectionError(endpoint_url="https://sns.us-east-1.amazonaws.com")


class ScriptedSns:
    """SNS, as far as PublishBatch; `refuses` says what becomes of a request with these numbers.

    Of any other it takes all entries but those of the numbers in `picky`.
    """

    def __init__(
        self,
        refuses: Callable[[set[int]], Exception | None] = lambda _: None,
        picky: frozenset[int] = frozenset(),
    ) -> None:
        self._refuses = refuses
        self._picky = picky
        self._lock = threading.Lock()
        self.requests = 0
        self.taken: list[int] = []

    def publish_batch(
        self,
        TopicArn: str,  # noqa: N803
        PublishBatchRequestEntries: Sequence[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        assert TopicArn == ARN
        numbers = [int(entry["Subject"].split()[1]) for entry in PublishBatchRequestEntries]
        error = self._refuses(set(numbers))
        with self._lock:
            self.requests += 1
            if error:
                raise error
            self.taken += [number for number in numbers if number not in self._picky]
        failed = [
            {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
            for entry, number in zip(PublishBatchRequestEntries, numbers, strict=True)
            if number in self._picky
        ]
        return {"Successful": [], "Failed": failed}


def notifier_of(sns: ScriptedSns) -> tuple[SnsNotifier, list[float]]:
    waits: list[float] = []
    return SnsNotifier(ARN, lambda: sns, waits.append), waits  # type: ignore[arg-type,return-value]


def messages(count: int) -> Iterator[Message]:
    return (a_message(number) for number in range(count))


@pytest.mark.parametrize("error", [REFUSED, SILENT])
def test_a_request_that_is_refused_as_a_whole_is_sent_again(error: Exception) -> None:
    refusals = iter([error] * (ATTEMPTS_MAX - 1))
    sns = ScriptedSns(lambda _: next(refusals, None))
    notifier, waits = notifier_of(sns)

    assert notifier.publish(messages(3)) == 3

    assert sns.taken == [0, 1, 2]
    assert waits == list(WAITS)


@pytest.mark.parametrize("first", [0, 90, 630])
def test_whatever_batch_is_refused_all_others_are_sent_once(first: int) -> None:
    refused = set(range(first, first + BATCH_MAX))
    sns = ScriptedSns(lambda numbers: REFUSED if numbers & refused else None)
    notifier, _ = notifier_of(sns)

    with pytest.raises(NotificationFailed, match=r"10 of 640 .* Throttled: later"):
        notifier.publish(messages(640))

    assert sorted(sns.taken) == sorted(set(range(640)) - refused)


def test_of_what_is_never_taken_it_is_said_which_it_was() -> None:
    picky = frozenset({0, 13, 99})
    sns = ScriptedSns(picky=picky)
    notifier, _ = notifier_of(sns)
    results: list[BatchResult] = []

    with pytest.raises(NotificationFailed, match=r"3 of 100 .* InternalError"):
        notifier.publish(messages(100), results.append)

    assert {one.first + place for one in results for place in one.refused} == picky
    assert sorted(sns.taken) == sorted(set(range(100)) - picky), "the others once"


@pytest.mark.parametrize("error", [REFUSED, SILENT])
def test_of_a_topic_that_takes_nothing_everything_is_said_to_be_refused(error: Exception) -> None:
    notifier, _ = notifier_of(ScriptedSns(lambda _: error))
    results: list[BatchResult] = []

    with pytest.raises(NotificationFailed):
        notifier.publish(messages(500), results.append)

    refused = {one.first + place for one in results for place in one.refused}
    assert refused == set(range(500))


def test_a_topic_that_refuses_for_a_while_is_sent_all_the_rest() -> None:
    sns = ScriptedSns(lambda numbers: REFUSED if numbers & set(range(400, 700)) else None)
    notifier, _ = notifier_of(sns)

    with pytest.raises(NotificationFailed, match="300 of 1000"):
        notifier.publish(messages(1000))

    assert sorted(sns.taken) == [*range(400), *range(700, 1000)]


def test_a_topic_that_takes_nothing_is_tried_with_every_batch_but_not_waited_for() -> None:
    sns = ScriptedSns(lambda _: REFUSED)
    notifier, waits = notifier_of(sns)

    with pytest.raises(NotificationFailed, match="2000 of 2000"):
        notifier.publish(messages(2000))

    assert sns.requests >= 200
    assert len(waits) < 2 * SENDERS * len(WAITS)


def test_an_sns_that_never_answers_is_given_up() -> None:
    sns = ScriptedSns(lambda _: SILENT)
    notifier, _ = notifier_of(sns)

    with pytest.raises(NotificationFailed, match=r"2000 of 2000 .*Could not connect"):
        notifier.publish(messages(2000))

    assert sns.requests < 2 * SENDERS * ATTEMPTS_MAX


def test_a_few_batches_are_under_way_at_a_time() -> None:
    together = threading.Barrier(SENDERS)

    def meet(_: set[int]) -> None:
        together.wait(timeout=30)  # breaks, and fails the test, if fewer are under way

    sns = ScriptedSns(meet)
    notifier, _ = notifier_of(sns)

    notifier.publish(messages(2 * SENDERS * BATCH_MAX))

    assert sorted(sns.taken) == list(range(2 * SENDERS * BATCH_MAX))


def test_messages_are_made_when_it_is_their_turn() -> None:
    sns = ScriptedSns()
    notifier, _ = notifier_of(sns)
    ahead = []

    def made() -> Iterator[Message]:
        for number in range(2000):
            ahead.append(number - len(sns.taken))
            yield a_message(number)

    notifier.publish(made())

    assert max(ahead) <= (SENDERS + 1) * BATCH_MAX


def test_messages_that_cannot_be_made_are_an_error_and_those_before_are_sent() -> None:
    sns = ScriptedSns()
    notifier, _ = notifier_of(sns)

    def made() -> Iterator[Message]:
        yield from messages(25)
        raise ReportStoreFailed("report.json could not be read")

    with pytest.raises(ReportStoreFailed):
        notifier.publish(made())

    assert sorted(sns.taken) == list(range(20))


def test_no_thread_is_left_behind() -> None:
    before = set(threading.enumerate())
    notifier, _ = notifier_of(ScriptedSns())

    notifier.publish(messages(100))

    assert set(threading.enumerate()) == before
