"""The filter policies of docs/notifications.md on the emulated SNS: who gets which digest."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.digest import digests
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message, text_message
from backup_audit.report.alerts import Audience
from backup_audit.report.changes import compared
from tests.doubles.builders import (
    NOW,
    departed,
    departures,
    ended_problem,
    evidence,
    finding,
    instance,
    inventory,
    open_problem,
    run,
)
from tests.doubles.reports import alerts_from, stored
from tests.doubles.subscribed import got

TEXT = Path("docs/notifications.md").read_text("utf-8")
POLICIES: dict[str, dict[str, Any]] = {
    name: json.loads(policy)
    for name, policy in re.findall(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", TEXT, re.DOTALL)
}
LINKS = Links(runbook_url=None, topic_arn="arn:aws:sns:us-east-1:123456789012:backup-audit")
DAY = timedelta(days=1)
HEALTHY = finding(Verdict.HEALTHY, "well")


def new(verdict: Verdict, owner: str) -> Finding:
    return compared(finding(verdict, f"{owner}-{verdict}", owner=owner), None)


def not_reached() -> Finding:
    silence = evidence(Silence(Cause.NOT_REACHED, "the run's time was over"), None)
    return finding_of(instance("late"), silence, run(), None)


# Days, and what is found on each.
DAYS: dict[str, tuple[list[Finding], dict[str, Any]]] = {
    "opened": ([new(Verdict.STALE, "team-orders"), new(Verdict.NOT_FOUND, "team-cart")], {}),
    "reminded": ([compared(finding(), open_problem(since=NOW - DAY))], {}),
    "ended": ([HEALTHY], {"remembered": [ended_problem(end_notified_at=None)]}),
    "incomplete": ([HEALTHY, not_reached()], {}),
    "complete": ([HEALTHY], {"alerts": alerts_from(NOW, incomplete_since=NOW - DAY)}),
    "left": ([HEALTHY], {"inventory": inventory(**departures(departed(verdict=None)))}),
}


def messages() -> Iterator[Message]:
    """The messages for people of some days, each with its day for a body."""
    for day, (findings, parts) in DAYS.items():
        alerts = parts.get("alerts") or alerts_from(NOW)
        per_owner = msgspec.structs.replace(alerts, per_owner=True)
        report = stored(findings, **{**parts, "alerts": per_owner})
        for message in digests(report, Audience.PEOPLE, LINKS):
            owner = message.attributes.get("owner")
            body = f"{day} {owner}" if owner else day
            yield msgspec.structs.replace(message, body=body, message_id=body)
    yield text_message("failed", "failed", ["x"], event="run_failed", severity="critical")


def taken(policy: dict[str, Any]) -> list[str]:
    """The days of which a queue with this policy gets a message."""
    return [body.strip() for body in got(messages(), policy)]


PLATFORM = {*DAYS, "x"}


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("critical", {"opened", "opened team-orders", "reminded", "ended", "x"}),
        ("changed", (PLATFORM | {"opened team-orders", "opened team-cart"}) - {"reminded"}),
        ("audit", {"incomplete", "complete", "x"}),
        ("team", {"opened team-orders"}),
        ("team_and_audit", {"opened team-orders", "incomplete", "complete", "x"}),
        ("platform", PLATFORM),
    ],
)
def test_a_reader_gets_what_is_theirs_and_nothing_else(name: str, theirs: set[str]) -> None:
    assert sorted(taken(POLICIES[name])) == sorted(theirs)


def test_without_a_policy_a_reader_gets_everything() -> None:
    assert {*taken({"schema_version": ["1"]})} == PLATFORM | {
        "opened team-orders",
        "opened team-cart",
    }


def test_every_policy_that_is_shown_is_tried() -> None:
    assert {*POLICIES} == {
        "critical", "changed", "audit", "team", "team_and_audit", "platform",
    }  # fmt: skip


def test_the_command_that_subscribes_asks_for_a_policy_that_is_shown() -> None:
    attributes = re.search(r"--attributes '([^']+)'", TEXT)

    assert attributes
    assert json.loads(json.loads(attributes[1])["FilterPolicy"]) in POLICIES.values()
