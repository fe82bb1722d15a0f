"""What programs are notified of: each problem opens, is repeated and ends by its id."""

import itertools
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable, NotificationFailed
from backup_audit.fleet.run import AuditRequest, Run
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.event_documents import Action, GroupEvent, ProblemEvent, RunEvent
from backup_audit.notify.events import action_of, events, run_failed_event
from backup_audit.notify.message import SIZE_MAX, Message
from backup_audit.notify.run_failure import failure_of
from backup_audit.report.alerts import Audience
from backup_audit.report.changes import compared
from backup_audit.report.drift import Departure, Unaudited
from backup_audit.report.failing import Failing
from backup_audit.report.groups import Cause as GroupCause
from backup_audit.report.groups import Example, Group
from tests.doubles.builders import (
    FAILING,
    NOW,
    a_list,
    departed,
    departures,
    finding,
    inventory,
    run,
    unaudited,
)
from tests.doubles.days import DAY, Days, row
from tests.doubles.reports import alerts_from, stored

STALE = a_list(50)
NEVER = BackupList(())
GUID = "g" * 196
BROKEN = (Refusal(10001, "CF-ServiceBrokerApiUnreachable", "no route"), 502)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
GONE = (Refusal(10010, "CF-ResourceNotFound"), 404)
UNSUPPORTED = (Refusal(10008, "CF-UnprocessableEntity"), 422)
HEALTHY = a_list(3)
PLACE = {"owner": "team-orders"}


def days_of(*guids: str, **answers: Answer | tuple[Answer, int | None]) -> Days:
    """A foundation with these instances, and what else is answered of them."""
    days = Days(row(guid) for guid in (*guids, *answers))
    days.answers.update(answers)
    return days


def heard(days: Days) -> list[Message]:
    """The events since the last time that somebody asked."""
    messages = [*days.events.messages]
    days.events.messages.clear()
    return messages


def of(kind: str, messages: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in messages if one.attributes["event"] == kind]


def told(days: Days) -> set[tuple[str, str]]:
    """What happened to which problem in the last run."""
    return {(one["instance"]["guid"], one["action"]) for one in of("problem", heard(days))}


def groups(days: Days) -> list[tuple[str, int]]:
    return [(one["action"], one["members"]) for one in of("group", heard(days))]


def hours_later(days: Days, hours: int) -> None:
    """A full run so many hours after the last daily one."""
    at = NOW + days.day * DAY + timedelta(hours=hours)
    days.run(AuditRequest(scheduled_time=at))


# ── The life of a problem ─────────────────────────────────────────────────────────────────────────


def test_a_problem_opens_is_repeated_and_ends() -> None:
    days = days_of("well", ill=STALE)

    days.run()
    assert told(days) == {("ill", "opened")}
    days.run()
    assert told(days) == {("ill", "reminded")}
    days.answers["ill"] = HEALTHY
    days.run()
    assert told(days) == {("ill", "ended")}
    days.run()
    assert told(days) == set()


def test_between_reminders_programs_hear_only_what_changes() -> None:
    days = days_of(ill=STALE, other=STALE)
    days.run()
    heard(days)

    hours_later(days, 1)
    assert told(days) == set()
    days.answers["other"] = NEVER
    hours_later(days, 2)
    assert told(days) == {("other", "worsened")}
    days.answers["other"] = UNSUPPORTED
    hours_later(days, 3)
    assert told(days) == set(), "a less bad verdict is no news"


def test_a_problem_that_got_worse_says_what_it_was_before() -> None:
    days = days_of(ill=STALE)
    days.run()
    heard(days)
    days.answers["ill"] = NEVER

    days.run()

    [event] = of("problem", heard(days))
    assert (event["action"], event["verdict"]) == ("worsened", "never_backed_up")
    assert event["before"] == {"verdict": "stale", "since": "2026-02-01T05:00:00Z"}


def test_an_unknown_problem_says_why_nothing_is_known_and_which_request_it_was() -> None:
    [_, message] = events(stored([compared(finding(Verdict.UNKNOWN), None)]))

    found = json.loads(message.body)["finding"]

    assert (found["http_status"], found["cause"]) == (None, Cause.TIMEOUT)
    assert found["request_id"] == "r-1"


def test_a_problem_keeps_its_id_until_it_ends_and_gets_another_when_it_comes_back() -> None:
    days = days_of(ill=STALE)
    ids = []
    for answer in (STALE, STALE, HEALTHY, STALE):
        days.answers["ill"] = answer
        days.run()
        [event] = of("problem", heard(days))
        ids.append(event["problem_id"])

    assert ids[0] == ids[1] == ids[2] == "ill@20260201T0500Z"
    assert ids[3] == "ill@20260204T0500Z"


def test_a_document_says_what_an_incident_system_needs() -> None:
    days = Days([row("ill", plan="gold")], {"instances": [{"guid": "ill", "owner": "orders"}]})
    days.answers["ill"] = STALE

    days.run()

    run, problem = heard(days)
    assert msgspec.json.decode(run.body, type=RunEvent).state == "completed"
    assert problem.subject is None
    assert problem.message_id == "test/20260201T050000Z/problem/ill@20260201T0500Z/opened"
    assert problem.attributes == {
        "event": "problem",
        "verdict": "stale",
        "change": "new",
        "severity": "critical",
        "foundation": "test",
        "instance_guid": "ill",
        "owner": "orders",
        "reason": "opened",
        "schema_version": "1",
    }
    document = json.loads(problem.body)
    assert document == {
        "event": "problem",
        "schema_version": 1,
        "message_id": problem.message_id,
        "foundation": "test",
        "run_id": "20260201T050000Z",
        "due_at": "2026-02-01T05:00:00Z",
        "report": {"bucket": "reports", "key": days.latest.report_key},
        "action": "opened",
        "severity": "critical",
        "problem_id": "ill@20260201T0500Z",
        "verdict": "stale",
        "change": "new",
        "ended": None,
        "opened_at": "2026-02-01T05:00:00Z",
        "since": "2026-02-01T05:00:00Z",
        "before": None,
        "instance": {
            "guid": "ill",
            "name": "name-ill",
            "owner": "orders",
            "org": "prod",
            "space": "orders",
            "offering": "postgres",
            "plan": "gold",
        },
        "finding": {
            "reason": "newest backup is 2 d 2 h old, max_age is 26 h; 1 backup listed",
            "policy_notes": [],
            "newest_backup_at": "2026-01-29T03:00:00Z",
            "newest_backup_age_seconds": 180_000,
            "max_age_seconds": 93_600,
            "min_backups": 1,
            "http_status": 200,
            "cause": None,
            "request_id": None,
        },
    }


def test_an_end_says_how_and_only_health_resolves() -> None:
    days = Days([row("a"), row("b"), row("c")], {"instances": ["a", "b", "c"]})
    days.answers = {"a": STALE, "b": STALE, "c": STALE}
    days.run()
    heard(days)

    days.answers["a"] = HEALTHY
    days.foundation.rows.pop("c")
    days.configuration = {"instances": ["a"]}
    days.run()

    messages = [one for one in heard(days) if one.attributes["event"] == "problem"]
    ends = {one["instance"]["guid"]: one for one in of("problem", messages)}
    assert {guid: (one["ended"], one["change"]) for guid, one in ends.items()} == {
        "a": ("healthy", "resolved"),
        "b": ("left_selection", None),
        "c": ("gone", None),
    }
    assert all(one["finding"] is None and one["action"] == "ended" for one in ends.values())
    assert all(one["verdict"] == "stale" for one in ends.values())
    assert {one.message_id for one in messages} == {
        f"test/20260202T050000Z/problem/{guid}@20260201T0500Z/ended" for guid in ("a", "b", "c")
    }
    assert {one.attributes["reason"] for one in messages} == {"ended"}
    assert {one.attributes.get("change") for one in messages} == {"resolved", None}
    assert all(msgspec.json.decode(one.body, type=ProblemEvent) for one in messages)


def test_a_problem_that_comes_back_is_reopened() -> None:
    days = days_of(ill=STALE)
    for answer in (STALE, HEALTHY, STALE):
        days.answers["ill"] = answer
        days.run()

    assert [one["change"] for one in of("problem", heard(days))] == ["new", "resolved", "reopened"]


def test_who_was_not_reached_and_had_no_problem_opens_none() -> None:
    days = days_of(away=NOT_REACHED)

    days.run()

    assert [one.attributes["event"] for one in heard(days)] == ["run"]


# ── Mutes ─────────────────────────────────────────────────────────────────────────────────────────


def mute(days: Days, until: str) -> None:
    days.configuration |= {
        "mutes": [{"guid": "ill", "owner": "dba", "reason": "moves", "until": until}]
    }


def test_a_muted_problem_sends_nothing_but_its_end() -> None:
    days = days_of(ill=STALE)
    days.run()
    heard(days)
    mute(days, "2026-12-31")

    days.answers["ill"] = NEVER
    days.run()
    assert told(days) == set()
    days.answers["ill"] = HEALTHY
    days.run()
    assert told(days) == {("ill", "ended")}


def test_a_problem_that_was_muted_from_its_beginning_opens_when_the_mute_ends() -> None:
    days = days_of(ill=STALE)
    mute(days, "2026-02-01")

    days.run()
    assert told(days) == set()
    days.run()
    assert told(days) == {("ill", "opened")}


def test_a_problem_that_was_muted_all_along_ends_in_silence() -> None:
    days = days_of(ill=STALE)
    mute(days, "2026-12-31")
    days.run()
    days.answers["ill"] = HEALTHY
    heard(days)

    days.run()

    assert told(days) == set()


# ── Groups ────────────────────────────────────────────────────────────────────────────────────────

TEN = [f"db-{number}" for number in range(10)]


def broken_days() -> Days:
    """Ten instances behind a broker that is down."""
    return days_of(**dict.fromkeys(TEN, BROKEN))


def test_an_outage_is_one_event_that_opens_is_repeated_and_ends() -> None:
    days = broken_days()

    days.run()
    assert groups(days) == [("opened", 10)]
    days.run()
    assert groups(days) == [("reminded", 10)]
    days.answers.clear()
    days.run()
    assert groups(days) == [("ended", 0)]
    days.run()
    assert groups(days) == []


def test_between_reminders_nothing_is_said_of_a_group() -> None:
    days = broken_days()
    days.run()
    heard(days)

    hours_later(days, 1)

    assert groups(days) == []


def test_members_of_a_group_have_no_event_of_their_own() -> None:
    days = broken_days()
    for answers in (days.answers, days.answers, {}):
        days.answers = dict(answers)
        days.run()
        assert told(days) == set()


def test_the_document_of_a_group_names_its_cause() -> None:
    days = broken_days()

    days.run()

    message = heard(days)[1]
    document = json.loads(message.body)
    group_id = document["group_id"]
    assert message.message_id == f"test/20260201T050000Z/group/{group_id}/opened"
    assert document["cause"] == {
        "verdict": "unknown",
        "offering": "postgres",
        "http_status": 502,
        "title": "CF-ServiceBrokerApiUnreachable",
    }
    assert message.attributes == {
        "event": "group",
        "verdict": "unknown",
        "change": "new",
        "severity": "warning",
        "foundation": "test",
        "reason": "opened",
        "schema_version": "1",
    }
    assert {one.alert.group_id for one in days.report.findings if one.alert} == {group_id}
    assert msgspec.json.decode(message.body, type=GroupEvent).members == 10


def test_who_leaves_a_group_for_another_verdict_opens_on_its_own() -> None:
    days = broken_days()
    days.run()
    heard(days)

    days.answers["db-0"] = STALE
    days.run()

    messages = heard(days)
    assert [(one["instance"]["guid"], one["action"], one["change"])
            for one in of("problem", messages)] == [("db-0", "opened", "new")]  # fmt: skip
    assert [one["members"] for one in of("group", messages)] == [9]
    days.answers["db-0"] = HEALTHY
    days.run()
    assert told(days) == {("db-0", "ended")}


def test_a_group_whose_members_are_all_muted_says_nothing_but_its_end() -> None:
    days = broken_days()
    days.run()
    heard(days)
    days.configuration |= {
        "mutes": [{"match": {"org": "*"}, "owner": "dba", "reason": "x", "until": "2026-12-31"}]
    }

    days.run()
    assert groups(days) == []
    days.answers.clear()
    days.run()
    assert groups(days) == [("ended", 0)]


def test_a_second_outage_while_the_first_group_is_open_is_another_group() -> None:
    days = broken_days()
    days.foundation.rows |= {guid: row(guid) for guid in map("more-{}".format, range(12))}
    days.run()
    heard(days)

    days.answers |= dict.fromkeys(days.foundation.rows, BROKEN)
    days.run()

    assert sorted(groups(days)) == [("opened", 12), ("reminded", 10)]


def teams_of(days: Days, *owners: str) -> None:
    """Give the ten instances to so many owners in turn."""
    days.configuration = {
        "discover": [{"org": "*"}],
        "instances": [
            {"guid": guid, "owner": owner}
            for guid, owner in zip(TEN, itertools.cycle(owners), strict=False)
        ],
    }


def test_a_group_says_whom_it_is_about_until_it_ends() -> None:
    days = broken_days()
    teams_of(days, "team-b", "team-a")
    for answers in (days.answers, days.answers, {}):
        days.answers = dict(answers)
        days.run()

    messages = [one for one in heard(days) if one.attributes["event"] == "group"]
    documents = of("group", messages)
    assert [one["action"] for one in documents] == ["opened", "reminded", "ended"]
    assert [one["owners"] for one in documents] == [["team-a", "team-b"]] * 3
    assert [one.attributes["owner"] for one in messages] == [("team-a", "team-b")] * 3
    named = [{"guid": guid, "name": f"name-{guid}"} for guid in TEN[:3]]
    assert [one["examples"] for one in documents] == [named] * 3


def test_the_owners_of_a_group_stay_those_that_it_had_when_it_opened() -> None:
    days = broken_days()
    teams_of(days, "team-b")
    days.run()
    teams_of(days, "team-a")

    days.run()

    assert [one["owners"] for one in of("group", heard(days))] == [["team-b"]] * 2


def test_a_group_names_those_who_are_in_it_now() -> None:
    days = broken_days()
    days.run()
    heard(days)
    del days.answers["db-0"]

    days.run()

    [group] = of("group", heard(days))
    assert [one["guid"] for one in group["examples"]] == ["db-1", "db-2", "db-3"]


@pytest.mark.parametrize("owners", [19, 20, 21, 49, 50, 51])
def test_a_group_has_at_most_fifty_owners_and_twenty_in_its_attribute(owners: int) -> None:
    guids = [f"db-{number:02}" for number in range(60)]
    days = days_of(**dict.fromkeys(guids, BROKEN))
    teams = [f"team-{number % owners:02}" for number in range(len(guids))]
    days.configuration["instances"] = [
        {"guid": guid, "owner": team} for guid, team in zip(guids, reversed(teams), strict=True)
    ]

    days.run()

    [message] = [one for one in heard(days) if one.attributes["event"] == "group"]
    names = sorted(set(teams))
    assert json.loads(message.body)["owners"] == names[:50]
    assert message.attributes["owner"] == tuple(names[:20])


@pytest.mark.parametrize("text", ["x", '"', "\\", "\U0001f600"])
def test_a_group_with_the_longest_names_fits(text: str) -> None:
    owners = tuple(f"{number:02}{text * 253}" for number in range(50))
    group = Group(
        group_id="g" * 300,
        cause=GroupCause(verdict=Verdict.UNKNOWN, offering=text * 255, title=text * 255),
        opened_at=NOW,
        members=60,
        named=60,
        owners=owners,
        examples=(Example(guid=GUID, name=text * 255),) * 3,
    )
    report = stored([finding(Verdict.HEALTHY)], alerts=alerts_from(NOW, groups=[group]))

    [_, message] = events(report)

    assert message.size <= SIZE_MAX


# ── What an outage hides ──────────────────────────────────────────────────────────────────────────


def test_a_known_problem_behind_an_outage_is_as_urgent_as_it_was() -> None:
    days = days_of(ill=STALE, odd=UNSUPPORTED)
    days.run()
    heard(days)
    days.answers = {"ill": BROKEN, "odd": BROKEN}

    days.run()

    severities = {one["instance"]["guid"]: one["severity"] for one in of("problem", heard(days))}
    assert severities == {"ill": "critical", "odd": "warning"}


def test_a_known_problem_that_nobody_heard_of_opens_on_its_own_in_an_outage() -> None:
    days = broken_days()
    days.answers = {"ill": STALE}
    days.foundation.rows["ill"] = row("ill")
    mute(days, "2026-02-01")
    days.run()
    heard(days)
    days.answers = dict.fromkeys((*TEN, "ill"), BROKEN)

    days.run()

    messages = heard(days)
    assert [one["members"] for one in of("group", messages)] == [10]
    [problem] = of("problem", messages)
    assert (problem["action"], problem["severity"]) == ("opened", "critical")
    assert problem["before"]["verdict"] == "stale"


# ── A lost role ───────────────────────────────────────────────────────────────────────────────────


def lost_days(vanish: int, *, of_them_known: int = 0) -> Days:
    """Of 40 instances so many disappear at once; some of them have a problem before."""
    guids = [f"db-{number:02}" for number in range(40)]
    days = days_of(*guids)
    days.answers = dict.fromkeys(guids[:of_them_known], STALE)
    days.run()
    heard(days)
    for guid in guids[:vanish]:
        days.foundation.rows.pop(guid)
        days.answers[guid] = GONE
    days.run()
    return days


@pytest.mark.parametrize(
    ("vanish", "problems", "opened"), [(10, 10, []), (11, 0, [11]), (12, 0, [12])]
)
def test_what_is_not_found_since_a_role_is_lost_is_one_event(
    vanish: int, problems: int, opened: list[int]
) -> None:
    days = lost_days(vanish)

    messages = heard(days)

    assert len(of("problem", messages)) == problems
    groups = of("group", messages)
    assert [one["members"] for one in groups] == opened
    cause = {
        "verdict": "not_found",
        "offering": "postgres",
        "http_status": None,
        "title": None,
    }
    assert all(one["cause"] == cause for one in groups)


@pytest.mark.parametrize(("known", "members"), [(10, []), (9, [11]), (8, [12])])
def test_fewer_than_ten_that_are_not_found_open_one_by_one(known: int, members: list[int]) -> None:
    days = lost_days(20 if members else 19, of_them_known=known)

    found = [one["members"] for one in of("group", heard(days))]

    assert found == members


def test_when_the_role_is_back_the_group_ends_and_nothing_is_open() -> None:
    days = lost_days(20)
    kept = [one["group_id"] for one in of("group", heard(days))]
    days.answers.clear()
    days.foundation.rows |= {guid: row(guid) for guid in (f"db-{n:02}" for n in range(40))}

    days.run()

    messages = heard(days)
    assert [(one["group_id"], one["action"]) for one in of("group", messages)] == [
        (kept[0], "ended")
    ]
    assert of("problem", messages) == []


# ── Runs that were not heard of ───────────────────────────────────────────────────────────────────


def run_unheard(days: Days) -> None:
    """A run whose events nobody took."""
    days.events.broken = True
    with pytest.raises(NotificationFailed):
        days.run()
    days.events.broken = False


def test_what_a_run_could_not_send_the_next_one_sends() -> None:
    days = days_of(ill=STALE, worse=STALE, well=STALE)
    days.run()
    heard(days)
    days.answers |= {"worse": NEVER, "well": HEALTHY}
    days.foundation.rows["new"] = row("new")
    days.answers["new"] = STALE

    run_unheard(days)
    days.run()

    assert told(days) == {
        ("ill", "reminded"),
        ("worse", "worsened"),
        ("well", "ended"),
        ("new", "opened"),
    }


def test_what_opened_unheard_opens_in_the_next_run_as_new() -> None:
    days = days_of(ill=STALE)

    run_unheard(days)
    run_unheard(days)
    days.run()

    [event] = of("problem", heard(days))
    assert (event["action"], event["change"]) == ("opened", "new")
    assert event["opened_at"] == "2026-02-01T05:00:00Z"


def test_a_group_that_opened_unheard_opens_in_the_next_run() -> None:
    days = broken_days()

    run_unheard(days)
    days.run()
    assert groups(days) == [("opened", 10)]


def test_a_group_that_ended_unheard_ends_in_the_next_run() -> None:
    days = broken_days()
    days.run()
    heard(days)
    days.answers.clear()

    run_unheard(days)
    days.run()
    assert groups(days) == [("ended", 0)]
    days.run()
    assert days.report.alerts.groups == []


def test_a_reminder_that_nobody_took_comes_with_the_next_run() -> None:
    days = days_of(ill=STALE)
    days.run()
    heard(days)

    run_unheard(days)
    hours_later(days, 1)
    assert told(days) == {("ill", "reminded")}
    hours_later(days, 2)
    assert told(days) == set()


def test_a_topic_that_is_added_hears_of_what_was_open_with_the_next_reminder() -> None:
    days = days_of(ill=STALE)
    topic, days.events = days.events, None  # type: ignore[assignment]
    days.run()
    days.events = topic

    days.run()

    assert told(days) == {("ill", "reminded")}


@pytest.mark.parametrize(
    ("notified", "action"), [(-DAY, None), (0 * DAY, Action.OPENED), (DAY, Action.OPENED)]
)
def test_a_topic_that_came_after_the_plan_hears_what_its_run_decided(
    notified: timedelta, action: Action | None
) -> None:
    report = stored([finding(Verdict.HEALTHY)]).head
    without = msgspec.structs.replace(report.alerts, news_from={Audience.PEOPLE: NOW - 9 * DAY})
    opened = compared(finding(), None)

    assert (
        action_of(
            msgspec.structs.replace(opened, notified_at=NOW + notified),
            msgspec.structs.replace(report, alerts=without),
        )
        is action
    )


# ── The run ───────────────────────────────────────────────────────────────────────────────────────


def run_event(days: Days) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first event of the last run, and its attributes."""
    message = heard(days)[0]
    assert msgspec.json.decode(message.body, type=RunEvent)
    return json.loads(message.body), message.attributes


def test_each_run_has_an_event_with_its_figures() -> None:
    days = days_of("well", ill=STALE)

    days.run()

    document, attributes = run_event(days)
    assert document["message_id"] == "test/20260201T050000Z/run/completed"
    assert (document["state"], document["complete"], document["scope"]) == (
        "completed",
        True,
        "full",
    )
    assert document["counts"]["stale"] == 1
    assert document["coverage"]["percent"] == 100.0
    assert document["news"]["new"] == 1
    assert document["fleet"]["unaudited_count"] == 0
    assert document["report"]["key"] == days.latest.report_key
    assert document["error"] is document["reason"] is document["failing"] is None
    assert attributes == {
        "event": "run",
        "severity": "info",
        "foundation": "test",
        "schema_version": "1",
    }


def test_an_incomplete_run_says_why_and_the_first_complete_one_that_it_is_over() -> None:
    days = days_of(away=NOT_REACHED)

    days.run()
    document, attributes = run_event(days)
    assert document["state"] == "incomplete"
    assert document["why_incomplete"] == "the run's time was over"
    assert (attributes["severity"], attributes["reason"]) == ("warning", ("incomplete",))
    days.answers.clear()
    days.run()
    document, attributes = run_event(days)
    assert (document["state"], attributes["reason"]) == ("completed", ("complete",))
    days.run()
    assert "reason" not in run_event(days)[1]


def test_a_run_of_some_instances_has_an_event_and_opens_nothing() -> None:
    days = days_of(ill=STALE)

    days.run(AuditRequest(instance_guids=["ill"]))

    [message] = heard(days)
    document = json.loads(message.body)
    assert (document["event"], document["scope"], document["fleet"]) == ("run", "partial", None)


def test_the_first_run_after_failures_is_recovered() -> None:
    report = stored([finding(Verdict.HEALTHY)])

    [message] = events(report, FAILING)

    document = json.loads(message.body)
    assert message.message_id.endswith("/run/recovered")
    assert document["state"] == "recovered"
    assert document["failing"] == {
        "since": "2026-01-30T05:00:00Z",
        "runs": 5,
        "cause": "ApiUnreachable: down",
    }
    assert message.attributes["reason"] == ("recovered",)
    assert message.attributes["severity"] == "info"


def test_news_of_the_fleet_make_a_run_a_warning_or_as_urgent_as_who_left() -> None:
    left = departures(departed(how=Departure.DESELECTED))

    [message] = events(stored([finding(Verdict.HEALTHY)], inventory=inventory(**left)))

    assert message.attributes["severity"] == "critical"
    assert message.attributes["reason"] == ("left_fleet",)
    assert json.loads(message.body)["fleet"]["left"][0]["name"] == "orders"


@pytest.mark.parametrize("text", ["x", '"', "\\", "\U0001f600"])
@pytest.mark.parametrize("length", [1, 60, 255])
def test_a_run_with_much_news_of_the_fleet_fits(text: str, length: int) -> None:
    names = dict.fromkeys(("name", "org", "space", "offering", "plan"), text * length)
    parts: dict[str, Any] = {**names}
    left = departures(*(departed(f"{number:03}-{GUID}", **parts) for number in range(200)))
    new = [unaudited(f"{number:03}-{GUID}", **parts) for number in range(50)]
    nobodys = Unaudited(count=50, new=50, by_offering={}, instances=new)

    record = inventory(**left, unaudited=nobodys)
    [message] = events(stored([finding(Verdict.HEALTHY)], inventory=record))

    assert message.size <= SIZE_MAX
    fleet = json.loads(message.body)["fleet"]
    assert (fleet["left_count"], fleet["new_unaudited_count"]) == (200, 50)
    assert fleet["left"]


def test_two_deliveries_make_the_same_events() -> None:
    days = days_of(**dict.fromkeys(TEN, BROKEN), ill=STALE)
    days.run()

    sent = heard(days)
    key = days.latest.report_key.replace("report.json", "notified-events.json")
    del days.store.objects[key]
    days.run(AuditRequest(scheduled_time=NOW + DAY))

    assert heard(days) == sent


# ── A run that failed ─────────────────────────────────────────────────────────────────────────────


def failed(
    of: Run | None = None, foundation: str | None = "test", failing: Failing | None = None
) -> Message:
    failure = failure_of(
        ApiUnreachable("nothing answers"),
        run=of,
        foundation=foundation,
        invocation_id="i",
        failed_at=NOW + timedelta(minutes=1),
        remind_every=DAY,
        runbook_url=None,
    )
    return run_failed_event(msgspec.structs.replace(failure, failing=failing))


def test_a_run_that_failed_has_an_event_with_the_reason() -> None:
    message = failed(run())

    assert message.message_id == "test/20260131T050000Z/run/failed"
    assert message.attributes == {
        "event": "run",
        "severity": "critical",
        "foundation": "test",
        "schema_version": "1",
    }
    document = json.loads(message.body)
    assert msgspec.json.decode(message.body, type=RunEvent)
    assert {name: value for name, value in document.items() if value is not None} == {
        "event": "run",
        "schema_version": 1,
        "message_id": message.message_id,
        "foundation": "test",
        "state": "failed",
        "severity": "critical",
        "run_id": "20260131T050000Z",
        "scope": "full",
        "due_at": "2026-01-31T05:00:00Z",
        "ended_at": "2026-01-31T05:01:00Z",
        "complete": False,
        "error": "ApiUnreachable",
        "reason": "nothing answers",
    }


@pytest.mark.parametrize(
    ("of", "foundation", "message_id"),
    [(None, "test", "test/i/run/failed"), (None, None, "i/run/failed")],
)
def test_a_run_that_failed_early_says_what_is_known(
    of: Run | None, foundation: str | None, message_id: str
) -> None:
    message = failed(of, foundation)

    assert message.message_id == message_id
    assert json.loads(message.body)["run_id"] is None
    assert message.attributes.get("foundation") == foundation


def test_a_run_that_failed_after_others_says_since_when_and_how_many() -> None:
    failing = Failing(
        foundation="test",
        since=NOW - 2 * DAY,
        runs=3,
        cause="ApiUnreachable: nothing answers",
        last_run_id="r",
        last_failed_at=NOW,
        counted=("r",),
    )

    assert json.loads(failed(run(), failing=failing).body)["failing"] == {
        "since": "2026-01-29T05:00:00Z",
        "runs": 3,
        "cause": "ApiUnreachable: nothing answers",
    }
