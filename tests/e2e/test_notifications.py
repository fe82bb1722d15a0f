"""Messages as their subscribers get them: people, owners, programs and chat."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.foundation import COUNTS, Foundation
from tests.e2e.polling import eventually
from tests.e2e.queues import Delivered, listening, take, take_raw
from tests.e2e.stack import Stack
from tools.local_cloud.behaviours import Refuses

_DELIVERY = 10.0  # seconds; SNS hands over at once
_PROBLEMS = sum(COUNTS.values()) - COUNTS["healthy"] - COUNTS["in_grace"]


@pytest.fixture(scope="module")
def fresh(new_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A stack of its own, to which nobody has been notified of anything, with every reader."""
    stack = new_stack("backup-audit-readers", DigestPerOwner="true", ChatTopic="on")
    stack.deploy()
    yield stack
    stack.delete()


@pytest.fixture(scope="module")
def owner(foundation: Foundation) -> str:
    """The owner of an instance with a problem: its broker has no backups."""
    refused = {one.guid for one in foundation.fleet.instances if isinstance(one.behaviour, Refuses)}
    owners = owners_of(foundation)
    return next(owner for guid, owner in owners.items() if owner and guid in refused)


def owners_of(foundation: Foundation) -> dict[str, str | None]:
    """The owner that the configuration states for each instance that it lists."""
    listed = foundation.fleet.configuration["instances"]
    entries = [{"guid": one} if isinstance(one, str) else one for one in listed]
    return {one["guid"]: one.get("owner") for one in entries}


@pytest.fixture(scope="module")
def queues(fresh: Stack, owner: str) -> dict[str, str]:
    """A queue for each kind of reader, with raw delivery; their addresses."""
    policies: dict[str, tuple[str, Any]] = {
        "platform": ("TopicArn", {"owner": [{"exists": False}]}),
        "owner": ("TopicArn", {"owner": [owner]}),
        "another": ("TopicArn", {"owner": ["somebody-else"]}),
        "programs": ("EventsTopicArn", {"event": ["problem", "group", "run"]}),
        "chat": ("ChatTopicArn", {"foundation": ["e2e"]}),
    }
    return {
        name: listening(fresh.aws, f"readers-{name}", fresh.output(topic), policy, raw=True)
        for name, (topic, policy) in policies.items()
    }


@pytest.fixture(scope="module")
def filtered(fresh: Stack) -> dict[str, str]:
    """A queue for the platform's digests with each of these verdicts, without raw delivery."""
    return {
        verdict: listening(
            fresh.aws,
            f"readers-of-{verdict}",
            fresh.output("TopicArn"),
            {"owner": [{"exists": False}], "verdict": [verdict]},
        )
        for verdict in ("stale", "unknown")
    }


@pytest.fixture(scope="module")
def first_day(
    fresh: Stack, queues: dict[str, str], filtered: dict[str, str]
) -> dict[str, list[Delivered]]:
    """What each reader gets of the first run, of which everything is news."""
    assert filtered  # they listen already
    fresh.invoke({})
    eventually(
        lambda: _number(fresh, queues["chat"]), within=_DELIVERY, what="the message for chat"
    )
    return {name: take_raw(fresh.aws, url) for name, url in queues.items()}


def _number(stack: Stack, url: str) -> int:
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    answer = stack.aws.client("sqs").get_queue_attributes(**asked)
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


# ── People ────────────────────────────────────────────────────────────────────────────────────────


def test_the_platform_gets_one_digest_as_text(first_day: dict[str, list[Delivered]]) -> None:
    [digest] = first_day["platform"]

    assert digest.attributes["event"] == "digest"
    assert digest.attributes["foundation"] == "e2e"
    assert "owner" not in digest.attributes
    assert not digest.body.startswith("{")


def test_an_owner_gets_theirs_and_nothing_of_others(
    first_day: dict[str, list[Delivered]], foundation: Foundation, owner: str
) -> None:
    [digest] = first_day["owner"]

    assert digest.attributes["owner"] == owner
    others = [guid for guid, of in owners_of(foundation).items() if of != owner]
    assert others
    assert [guid for guid in others if guid in digest.body] == []
    assert first_day["another"] == []


@pytest.mark.usefixtures("first_day")
def test_a_digest_arrives_with_its_subject_where_a_filter_policy_lets_it(
    fresh: Stack, filtered: dict[str, str]
) -> None:
    [notification] = take(fresh.aws, filtered["stale"])

    assert notification["Subject"].startswith("[backup-audit] e2e: ")
    assert notification["Message"].splitlines()
    assert notification["MessageAttributes"]["foundation"]["Value"] == "e2e"
    assert take(fresh.aws, filtered["unknown"]) == []


def test_a_run_that_notifies_nobody_sends_nothing(stack: Stack) -> None:
    policy = {"event": ["digest", "run_failed", "problem", "group", "run"]}
    queues = [
        listening(stack.aws, f"silence-{name}", stack.output(name), policy)
        for name in ("TopicArn", "EventsTopicArn")
    ]

    assert stack.invoke({"notify": False})["messages_sent"] == 0
    assert stack.invoke({"dry_run": True})["messages_sent"] == 0

    assert [take(stack.aws, queue) for queue in queues] == [[], []]


# ── Programs ──────────────────────────────────────────────────────────────────────────────────────


def documents(delivered: list[Delivered], event: str) -> list[dict[str, Any]]:
    """The documents of the events of this kind."""
    return [json.loads(one.body) for one in delivered if one.attributes["event"] == event]


def test_programs_get_an_event_for_each_problem_and_one_for_the_run(
    first_day: dict[str, list[Delivered]],
) -> None:
    problems = documents(first_day["programs"], "problem")
    [run] = documents(first_day["programs"], "run")

    assert len(problems) == _PROBLEMS
    assert {one["action"] for one in problems} == {"opened"}
    assert len({one["problem_id"] for one in problems}) == _PROBLEMS
    assert run["state"] == "completed"
    for one in first_day["programs"]:
        assert len(one.attributes) <= 10, "with more, raw delivery loses the message"
        assert json.loads(one.body)["event"] == one.attributes["event"]


@pytest.mark.usefixtures("first_day")
def test_what_goes_on_is_no_news(fresh: Stack, queues: dict[str, str]) -> None:
    fresh.invoke({})

    delivered = eventually(
        lambda: take_raw(fresh.aws, queues["programs"]), within=_DELIVERY, what="the run's event"
    )

    assert [one.attributes["event"] for one in delivered] == ["run"]
    assert take_raw(fresh.aws, queues["platform"]) == []
    assert take_raw(fresh.aws, queues["chat"]) == []


# ── Chat ──────────────────────────────────────────────────────────────────────────────────────────


def test_chat_gets_the_platforms_digest_in_the_form_that_it_reads(
    first_day: dict[str, list[Delivered]],
) -> None:
    [sent] = first_day["chat"]

    document = json.loads(sent.body)
    assert (document["version"], document["source"]) == ("1.0", "custom")
    assert document["content"]["description"]
    assert sent.attributes["event"] == "digest"


# ── Whether anybody listens ───────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("first_day")
def test_a_report_has_the_number_of_subscriptions_and_warns_if_they_are_gone(
    fresh: Stack, queues: dict[str, str], filtered: dict[str, str]
) -> None:
    sns = fresh.aws.client("sns")
    topics = {
        "people": fresh.output("TopicArn"),
        "events": fresh.output("EventsTopicArn"),
        "chat": fresh.output("ChatTopicArn"),
    }

    def subscriptions(topic: str) -> list[str]:
        listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return [one["SubscriptionArn"] for one in listed]

    def plan() -> dict[str, Any]:
        answer = fresh.invoke({"notify": False})
        report: dict[str, Any] = json.loads(fresh.read(answer["report"]["key"]))["plan"]
        return report

    counted = {name: one["confirmed"] for name, one in plan()["listeners"].items()}
    assert counted == {name: len(subscriptions(arn)) for name, arn in topics.items()}
    assert sum(counted.values()) == len(queues) + len(filtered)

    for subscription in subscriptions(topics["chat"]):
        sns.unsubscribe(SubscriptionArn=subscription)
    [warning] = [one for one in plan()["warnings"] if "subscription" in one]
    assert "ChatTopicArn" in warning
    assert not [one for one in plan()["warnings"] if "subscription" in one]
