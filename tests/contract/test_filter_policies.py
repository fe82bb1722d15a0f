"""Filter policies on the emulated SNS: each reader gets what is theirs, and nobody another's.

Messages are those of six days of a foundation with two teams: problems are opened, reminded of and
ended, all is clear, a run fails, and the audit works again. The policies are those of
docs/events.md, for programs, and of docs/notifications.md, for people.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer, Cause, Refusal, Silence
from backup_audit.notify.events import run_failed_event
from backup_audit.notify.run_failure import failure_of, run_failed
from backup_audit.notify.send_failure import notify_of_failure, records_of
from backup_audit.report.alerts import Audience
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.days import DAY, Days, row
from tests.doubles.subscribed import got

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
RUNS = {
    "1 run completed",
    "2 run completed",
    "3 run incomplete",
    "4 run completed",
    "5 run failed",
    "6 run recovered",
}
OPENED = {one for one in PROBLEMS | GROUPS if one.endswith("opened")}
ENDED = {one for one in PROBLEMS | GROUPS if one.endswith("ended")}


@pytest.fixture(scope="module")
def days() -> Days:
    """Problems of two teams, an outage, a run that is incomplete, one that fails, its end."""
    rows = [
        row(guid, org=ORG.get(guid, "prod"), offering="redis" if guid in MANY else "postgres")
        for guid in ("orders", "billing", "ledger", *MANY)
    ]
    teams = [
        {"match": {"name": f"name-{guid}"}, "owner": f"team-{guid}"}
        for guid in ("orders", "billing")
    ]
    teams.append({"match": {"name": "name-cache-3"}, "owner": "team-orders"})
    days = Days(rows, {"discover": [{"org": "*"}], "rules": teams})
    days.settings = msgspec.structs.replace(SETTINGS, digest_per_owner=True)
    for answers in DAYS:
        days.answers = dict(answers)
        days.run()
    fails(days)
    days.run()
    return days


def fails(days: Days) -> None:
    """The full run of the next day fails, and its readers are notified."""
    days.day += 1
    at = NOW + days.day * DAY
    failure = failure_of(
        ApiUnreachable("nothing answers"),
        run=plan_run(AuditRequest(scheduled_time=at), at, "i"),
        foundation=days.settings.foundation,
        invocation_id="i",
        failed_at=at,
        remind_every=DAY,
        runbook_url=None,
    )
    warnings: list[str] = []
    notify_of_failure(
        failure,
        {Audience.PEOPLE: days.notifier, Audience.EVENTS: days.events},
        {Audience.PEOPLE: run_failed, Audience.EVENTS: run_failed_event},
        records_of(failure, days.store, "backup-audit", warnings.append),
        warnings.append,
    )
    assert warnings == []


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
        ("critical", {"1 orders opened", "2 orders reminded", "3 billing worsened"} | ENDED | RUNS),
        ("problems", PROBLEMS | GROUPS),
        (
            "team",
            {one for one in PROBLEMS if " orders " in one} | GROUPS | ENDED,
        ),  # a cache is theirs
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

PLATFORM = {"1", "2", "3", "4", "5 run_failed", "6"}
ORDERS = {"1 orders", "2 orders", "3 orders", "4 orders"}
BILLING = {"1 billing", "2 billing", "3 billing", "4 billing"}
REMINDERS = {"2", "2 orders", "2 billing"}
AUDIT = {"3", "4", "5 run_failed", "6"}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("critical", PLATFORM | ORDERS | {"3 billing", "4 billing"}),
        ("changed", (PLATFORM | ORDERS | BILLING) - REMINDERS),
        ("audit", AUDIT),
        ("team", ORDERS),
        ("team_and_audit", ORDERS | AUDIT),
        ("platform", PLATFORM),
    ],
)
def test_a_person_filters_on_attributes(days: Days, name: str, theirs: set[str]) -> None:
    """A digest is named by its day and its reader; the platform has no name."""
    messages = [msgspec.structs.replace(one, body=one.message_id) for one in days.notifier.messages]

    ids = got(messages, documented("policy", name, "notifications"), "MessageAttributes")

    digest = re.compile(r"test/2026020(.)T050000Z/(?:digest/?)?(?:team-)?(.*)")
    assert sorted(digest.sub(r"\1 \2", one).strip() for one in ids) == sorted(theirs)


def test_the_story_of_people_has_every_reason_to_hear_again(days: Days) -> None:
    reasons = {one for sent in days.notifier.messages for one in sent.attributes.get("reason", ())}

    assert reasons >= {"opened", "reminder", "ended", "all_clear", "recovered"}


def test_every_policy_of_people_is_tried() -> None:
    text = Path("docs/notifications.md").read_text("utf-8")

    assert set(re.findall(r"<!-- policy: (\w+) -->", text)) == {
        "critical", "changed", "audit", "team", "team_and_audit", "platform",
    }  # fmt: skip


# ── What SNS takes ────────────────────────────────────────────────────────────────────────────────


def parts_of(policy: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The keys of a policy, each with its values."""
    for key, values in policy.items():
        if key == "$or":
            for part in values:
                yield from parts_of(part)
        elif isinstance(values, dict):
            yield from parts_of(values)
        else:
            yield key, values


@pytest.mark.parametrize("page", ["events", "notifications"])
def test_every_policy_is_within_the_limits_of_sns(page: str) -> None:
    """docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html."""
    text = Path(f"docs/{page}.md").read_text("utf-8")
    shown = re.findall(
        r"<!-- (?:policy|attributes|body): \w+ -->\n```json\n(.*?)```", text, re.DOTALL
    )

    for policy in map(json.loads, shown):
        parts = list(parts_of(policy))
        assert len({key for key, _ in parts}) <= 5
        assert math.prod(len(values) for _, values in parts) <= 150
        assert "$or" not in policy or len(policy["$or"]) >= 2, "else it is a name like any other"
