"""Filter policies on the emulated SNS: each reader gets what is theirs, and nobody another's.

Messages are those of four days of a foundation with two teams. The policies are those of
docs/events.md, for programs, and of docs/notifications.md, for people.
"""

import json
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import ApiUnreachable
from backup_audit.judge.evidence import Answer, Cause, Refusal, Silence
from backup_audit.notify.message import Message
from backup_audit.notify.run_failure import failure_of, run_failed
from backup_audit.notify.sns import SnsNotifier
from tests.doubles.builders import NOW, SETTINGS, a_list, run
from tests.doubles.days import Days, row

BROKEN = (Refusal(10001, "CF-ServiceBrokerApiUnreachable"), 502)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
UNSUPPORTED = (Refusal(10008, "CF-UnprocessableEntity"), 422)
MANY = [f"cache-{number}" for number in range(10)]
OUTAGE = dict.fromkeys(MANY, BROKEN)
ORG = {"ledger": "test"}

# What is answered each day, but for who is healthy.
DAYS: list[dict[str, Answer | tuple[Answer, int | None]]] = [
    {"orders": a_list(50), "billing": UNSUPPORTED, "ledger": UNSUPPORTED, **OUTAGE},
    {"orders": a_list(50), "billing": UNSUPPORTED, "ledger": UNSUPPORTED, **OUTAGE},
    {"billing": a_list(50), "ledger": NOT_REACHED},
    {},
]

# The events, each with its day, that the topic for programs takes.
PROBLEMS = {
    "1 orders opened",
    "1 billing opened",
    "1 ledger opened",
    "2 orders reminded",
    "2 billing reminded",
    "2 ledger reminded",
    "3 orders ended",
    "3 billing worsened",
    "3 ledger reminded",
    "4 billing ended",
    "4 ledger ended",
}
GROUPS = {"1 group opened", "2 group reminded", "3 group ended"}
RUNS = {"1 run completed", "2 run completed", "3 run incomplete", "4 run completed"}
OPENED = {one for one in PROBLEMS | GROUPS if one.endswith("opened")}
ENDED = {one for one in PROBLEMS | GROUPS if one.endswith("ended")}


@pytest.fixture(scope="module")
def days() -> Days:
    """Problems of two teams that open, get worse and end, an outage, a run that is incomplete."""
    rows = [
        row(guid, org=ORG.get(guid, "prod"), offering="redis" if guid in MANY else "postgres")
        for guid in ("orders", "billing", "ledger", *MANY)
    ]
    teams = [
        {"match": {"name": f"name-{guid}"}, "owner": f"team-{guid}"}
        for guid in ("orders", "billing")
    ]
    days = Days(rows, {"discover": [{"org": "*"}], "rules": teams})
    days.settings = msgspec.structs.replace(SETTINGS, digest_per_owner=True)
    for answers in DAYS:
        days.answers = dict(answers)
        days.run()
    return days


def got(messages: Iterable[Message], policy: dict[str, Any], scope: str) -> list[str]:
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


def named(body: str) -> str:
    """An event, with the day of its run."""
    event = json.loads(body)
    day, kind = event["due_at"][9], event["event"]
    if kind == "problem":
        return f"{day} {event['instance']['guid']} {event['action']}"
    return f"{day} {kind} {event.get('action') or event['state']}"


def documented(kind: str, name: str, page: str = "events") -> dict[str, Any]:
    """A policy that a page shows."""
    text = Path(f"docs/{page}.md").read_text("utf-8")
    found = re.search(rf"<!-- {kind}: {name} -->\n```json\n(.*?)```", text, re.DOTALL)
    assert found
    policy: dict[str, Any] = json.loads(found[1])
    return policy


def test_without_a_policy_a_program_gets_every_event(days: Days) -> None:
    policy = {"schema_version": ["1"]}

    assert {*map(named, got(days.events.messages, policy, "MessageAttributes"))} == (
        PROBLEMS | GROUPS | RUNS
    )


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("critical", {"1 orders opened", "2 orders reminded", "3 billing worsened"} | ENDED),
        ("problems", PROBLEMS | GROUPS),
        ("team", {one for one in PROBLEMS if " orders " in one}),
        ("changed", OPENED | ENDED),
        ("audit", RUNS),
    ],
)
def test_a_program_filters_on_attributes(days: Days, name: str, theirs: set[str]) -> None:
    policy = documented("attributes", name)

    bodies = got(days.events.messages, policy, "MessageAttributes")

    assert sorted(map(named, bodies)) == sorted(theirs)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("org", {one for one in PROBLEMS if " ledger " not in one}),
        ("ends", {one for one in ENDED if "group" not in one}),
    ],
)
def test_a_program_filters_on_the_body(days: Days, name: str, theirs: set[str]) -> None:
    bodies = got(days.events.messages, documented("body", name), "MessageBody")

    assert sorted(map(named, bodies)) == sorted(theirs)


def test_every_policy_that_is_shown_is_tried() -> None:
    text = Path("docs/events.md").read_text("utf-8")

    assert set(re.findall(r"<!-- (?:attributes|body): (\w+) -->", text)) == {
        "critical", "problems", "team", "changed", "audit", "org", "ends",
    }  # fmt: skip


# ── People ────────────────────────────────────────────────────────────────────────────────────────

PLATFORM = {"1", "2", "3", "4"}
ORDERS = {"1 orders", "2 orders", "3 orders", "4 orders"}
BILLING = {"1 billing", "2 billing", "3 billing", "4 billing"}
REMINDERS = {"2", "2 orders", "2 billing"}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("critical", {"1", "1 orders", "2", "2 orders", "3", "3 billing", "5 run_failed"}),
        ("changed", (PLATFORM | ORDERS | BILLING | {"5 run_failed"}) - REMINDERS),
        ("audit", {"3", "4", "5 run_failed"}),
        ("team", ORDERS),
        ("platform", PLATFORM | {"5 run_failed"}),
    ],
)
def test_a_person_filters_on_attributes(days: Days, name: str, theirs: set[str]) -> None:
    """A digest is named by its day and its reader; the platform has no name."""
    failure = failure_of(
        ApiUnreachable("nothing answers"),
        run=msgspec.structs.replace(run(), run_id="20260205T050000Z"),
        foundation="test",
        invocation_id="i",
        failed_at=NOW,
        remind_every=timedelta(days=1),
        runbook_url=None,
    )
    messages = [
        msgspec.structs.replace(one, body=one.message_id)
        for one in (*days.notifier.messages, run_failed(failure))
    ]

    ids = got(messages, documented("policy", name, "notifications"), "MessageAttributes")

    digest = re.compile(r"test/2026020(.)T050000Z/(?:digest/?)?(?:team-)?(.*)")
    assert sorted(digest.sub(r"\1 \2", one).strip() for one in ids) == sorted(theirs)


def test_every_policy_of_people_is_tried() -> None:
    text = Path("docs/notifications.md").read_text("utf-8")

    assert set(re.findall(r"<!-- policy: (\w+) -->", text)) == {
        "critical", "changed", "audit", "team", "platform",
    }  # fmt: skip
