"""docs/events.md: its samples are documents of the code, and its rule does what it says."""

import itertools
import json
import random
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jq
import msgspec
import pytest

from backup_audit.errors import NotificationFailed
from backup_audit.fleet.run import AuditRequest
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.finding import Change
from backup_audit.judge.verdict import Severity
from backup_audit.notify import events
from backup_audit.notify.event_documents import (
    Action,
    GroupAction,
    GroupEvent,
    ProblemEvent,
    RunEvent,
    RunState,
)
from backup_audit.report.alerts import Reason
from backup_audit.report.changes import Ended
from backup_audit.report.groups import EVENTS_MAX, EXAMPLES_MAX, GROUP_FROM, OWNERS_MAX
from tests.doubles.builders import NOW, a_list
from tests.doubles.days import Days, row
from tests.doubles.some import rest

PAGE = Path("docs/events.md").read_text("utf-8")
TYPES = {"problem": ProblemEvent, "group": GroupEvent, "run": RunEvent}
MANY = [f"db-{number}" for number in range(12)]

Scripted = Answer | tuple[Answer, int | None]

ANSWERS: list[Scripted] = [
    a_list(3),
    a_list(3),
    a_list(50),
    BackupList(()),
    (Refusal(10008, "CF-UnprocessableEntity"), 422),
    (Silence(Cause.NOT_REACHED, "the run's time was over"), None),
    (Refusal(10001, "CF-ServiceBrokerApiUnreachable"), 502),
]
BROKEN = ANSWERS[-1]


def said(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_is_a_whole_document(name: str) -> None:
    found = re.search(rf"<!-- event: {name} -->\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert found
    document = msgspec.json.decode(found[1], type=TYPES[name])

    assert json.loads(msgspec.json.encode(document)) == json.loads(found[1])
    assert list(json.loads(msgspec.json.encode(document))) == list(json.loads(found[1]))


def test_the_actions_states_and_ends_are_the_codes() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*?`) \|", PAGE, re.MULTILINE))

    assert re.findall(r"`(\w+)`", rows["problem"]) == list(Action)
    assert re.findall(r"`(\w+)`", rows["group"]) == list(GroupAction)
    assert re.findall(r"`(\w+)`", rows["run"]) == list(RunState)
    actions = re.findall(r"^\| `(\w+)` \|.*$", PAGE.split("## Groups")[0], re.MULTILINE)
    assert actions[3:] == list(Action)
    assert all(f"`{ended}`" in PAGE for ended in Ended)


def test_the_figures_are_the_codes() -> None:
    assert GROUP_FROM == 10
    assert "Ten or more `unknown` problems" in said(PAGE)
    assert "So are ten or more `not_found` problems" in said(PAGE)
    assert f"the first {OWNERS_MAX} by name" in said(PAGE)
    assert (EXAMPLES_MAX, events.OWNERS_MAX) == (3, 20)
    assert f"an array: the first {events.OWNERS_MAX} of its owners" in PAGE
    assert f"If more than {EVENTS_MAX:,} events would go out" in said(PAGE)


def test_the_values_of_attributes_are_the_codes() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([\w, ]+) \| (.*) \|$", PAGE, re.MULTILINE)
    values = {(name, of): set(re.findall(r"`(\w+)`", told)) for name, of, told in rows}

    assert values["`event`", "all"] == set(TYPES)
    assert values["`severity`", "all"] == set(Severity)
    assert values["`change`", "problems, groups"] == set(Change)
    reasons = values["`reason`", "problems, groups"] | values["`reason`", "runs"]
    assert reasons == set(Reason) - {Reason.ALL_CLEAR}


# ── The pager's rule ──────────────────────────────────────────────────────────────────────────────

Incidents = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def rule() -> Callable[[dict[str, Any], Incidents], None]:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    code: dict[str, Any] = {}
    exec(found[1], code)  # the sample, as a reader copies it
    apply: Callable[[dict[str, Any], Incidents], None] = code["apply"]
    return apply


def open_now(days: Days) -> set[str]:
    """What programs should have open after a run: problems that they heard of, or their groups."""
    alerts = {one.problem_id: one.alert for one in days.report.findings if one.verdict.is_problem}
    return {alert.group_id or str(key) for key, alert in alerts.items() if alert is not None}


def a_run_event(state: RunState, scope: str | None) -> dict[str, Any]:
    return {"event": "run", "foundation": "eu", "state": state, "scope": scope}


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("scope", ["partial", "what_if", None])
@pytest.mark.parametrize("is_failing", [True, False])
def test_only_full_runs_open_and_close_the_incident_of_the_audit(
    rule: Callable[[dict[str, Any], Incidents], None],
    state: RunState,
    scope: str | None,
    is_failing: bool,  # noqa: FBT001
) -> None:
    incidents = Incidents()
    full = a_run_event(RunState.FAILED if is_failing else RunState.COMPLETED, "full")
    rule(full, incidents)

    rule(a_run_event(state, scope), incidents)

    assert incidents == ({"audit of eu": full} if is_failing else {})


@pytest.mark.parametrize("state", [one for one in RunState if one is not RunState.FAILED])
def test_a_full_run_that_has_its_report_closes_it(
    rule: Callable[[dict[str, Any], Incidents], None], state: RunState
) -> None:
    incidents = Incidents()
    rule(a_run_event(RunState.FAILED, "full"), incidents)

    rule(a_run_event(state, "full"), incidents)

    assert incidents == {}


every_seed = pytest.mark.parametrize(
    "seed",
    [0, *map(rest, range(1, 20))],
)


@every_seed
def test_whoever_keeps_to_the_rule_has_open_what_is_open(
    rule: Callable[[dict[str, Any], Incidents], None], seed: int
) -> None:
    chance, incidents = random.Random(seed), Incidents()
    days = Days(row(guid) for guid in MANY)
    for _ in range(12):
        outage = chance.random() < 0.3
        days.answers = {
            guid: BROKEN if outage and chance.random() < 0.9 else chance.choice(ANSWERS)
            for guid in MANY
        }
        days.run()
        messages = [json.loads(one.body) for one in days.events.messages]
        days.events.messages.clear()
        chance.shuffle(messages)
        for event in itertools.chain(messages, chance.sample(messages, 1)):
            rule(event, incidents)
        assert set(incidents) == open_now(days)


@every_seed
def test_what_a_topic_did_not_take_is_open_with_the_next_run_that_is_heard(
    rule: Callable[[dict[str, Any], Incidents], None], seed: int
) -> None:
    chance, incidents = random.Random(seed), Incidents()
    days = Days(row(guid) for guid in MANY)
    for hour in range(20):  # within a day, so that no reminder makes up for what is lost
        outage, unheard = chance.random() < 0.3, chance.random() < 0.4
        days.answers = {
            guid: BROKEN if outage and chance.random() < 0.9 else chance.choice(ANSWERS)
            for guid in MANY
        }
        lost = chance.random()
        days.events.refuses = lambda _, unheard=unheard, lost=lost: (  # type: ignore[misc]
            unheard and chance.random() < lost
        )
        try:
            days.run(AuditRequest(scheduled_time=NOW + timedelta(hours=hour)))
            is_heard = True
        except NotificationFailed:
            is_heard = False
        for one in days.events.messages:
            rule(json.loads(one.body), incidents)
        days.events.messages.clear()
        if is_heard:
            assert set(incidents) == open_now(days)


# ── The queue ─────────────────────────────────────────────────────────────────────────────────────


def test_the_policy_of_a_queue_lets_this_topic_send_and_no_other() -> None:
    found = re.search(r"jq -n .*? '(.*?)' > attributes.json", PAGE, re.DOTALL)
    assert found
    topic, queue = "arn:aws:sns:eu-central-1:1:events", "arn:aws:sqs:eu-central-1:1:reader"
    asked = {"topic": topic, "queue": queue}

    attributes = jq.compile(found[1], args=asked).input_value(None).first()

    assert set(attributes) == {"Policy"}
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }


def test_what_a_run_said_and_no_retry_could_say_whole_comes_again_under_other_ids() -> None:
    days = Days(row(guid) for guid in MANY)
    days.answers = dict.fromkeys(MANY, a_list(50))
    days.events.refuses = lambda one: "db-7" in one.message_id
    with pytest.raises(NotificationFailed):
        days.run()
    first = [json.loads(one.body) for one in days.events.messages]
    days.events.messages.clear()
    days.events.refuses = lambda _: False

    days.run()

    second = [json.loads(one.body) for one in days.events.messages]
    opened = [one for one in second if one.get("action") == "opened"]
    assert len(opened) == len(MANY)
    assert {one["message_id"] for one in first}.isdisjoint(one["message_id"] for one in second)
    again = {one["problem_id"] for one in first if one.get("action") == "opened"}
    assert again < {one["problem_id"] for one in opened}
