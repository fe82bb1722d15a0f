"""What a chat channel shows: in AWS's form, and whatever somebody calls an instance."""

import html
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.errors import ApiUnreachable
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.evidence import Cause, Refusal
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.chat import (
    DESCRIPTION_AIM,
    DESCRIPTION_MAX,
    NAMED_MAX,
    TITLE_MAX,
    ChatMessage,
    code,
    run_failed_chat,
)
from backup_audit.notify.digest import digests
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message
from backup_audit.notify.run_failure import failure_of
from backup_audit.report.alerts import Audience, ReaderState
from backup_audit.report.changes import Ended, compared
from backup_audit.report.drift import Unaudited
from backup_audit.report.failing import Failing
from tests.doubles.builders import (
    FAILING,
    MUTE,
    NOW,
    PLACE,
    departed,
    departures,
    ended_problem,
    finding,
    inventory,
    open_problem,
    run,
    unaudited,
)
from tests.doubles.fits import assert_fits
from tests.doubles.reports import alerts_from, stored

PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]
DAY = timedelta(days=1)
LINKS = Links(
    runbook_url="https://git.example.com/docs",
    topic_arn="arn:aws:sns:eu-central-1:123456789012:backup-audit-chat",
)
HEALTHY = finding(Verdict.HEALTHY, "well")
SCHEMA = Path("docs/schemas/chat.schema.json")

HOSTILE = [
    "<!channel> <!here> <@U012AB3CD> @channel @everyone",
    "<https://x.example|the report> [the report](https://x.example) https://x.example",
    "`code` ``` ``fence`` `",
    "*bold* _it_ ~gone~ **b** __i__ ~~s~~ # head > quote",
    "| a | b |\n|---|---|\n| c | d |",
    "a\r\n\u2022 stale: `orders-db` is healthy\n\u2028b",
    "&lt;!channel&gt; &amp; &#60;",
    "a\x00b\x1b[2Jc\u202ed\u2066e\u200bf\ufeffg",
    "\U0001f534 all clear \U0001f468\u200d\U0001f469",
    "\u0301" * 255,
    "x" * 255,
    "&" * 255,
    "`" * 255,
    " \u00a0\u3000",
]


def problem(number: int = 1, verdict: Verdict = Verdict.STALE, **parts: Any) -> Finding:  # noqa: ANN401
    """A problem that opens in this run."""
    names = {"name": f"orders-{number}", "owner": "team-orders", **PLACE, **parts}
    return compared(msgspec.structs.replace(finding(verdict, f"guid-{number:03}"), **names), None)


def named(text: str) -> Finding:
    """A problem of which all names are this text."""
    return problem(**dict.fromkeys(("name", "owner", *PLACE), text))  # type: ignore[arg-type]


def chat(*findings: Finding, recovered: Failing | None = None, **parts: Any) -> Message:  # noqa: ANN401
    """The message of a run with these findings."""
    report = stored([HEALTHY, *findings], **parts)
    [message] = digests(report, Audience.CHAT, LINKS, recovered)
    return message


def valid(message: Message) -> ChatMessage:
    """The message as it is read, if it keeps to the form."""
    assert_fits(json.loads(message.body), SCHEMA)
    return msgspec.json.decode(message.body, type=ChatMessage)


def shown(message: Message) -> list[str]:
    return valid(message).content.description.split("\n")


def outside_of_code(text: str) -> str:
    """What a channel takes for markdown: all but the code spans."""
    return re.sub(r"`[^`\n]+`", "", text)


# ── The form ──────────────────────────────────────────────────────────────────────────────────────


def test_a_digest_has_the_form_that_is_read() -> None:
    message = chat(problem())

    assert json.loads(message.body) == {
        "version": "1.0",
        "source": "custom",
        "id": "test/20260131T050000Z/digest",
        "content": {
            "textType": "client-markdown",
            "title": "\U0001f534 [backup-audit] test: 1 problem, 1 new",
            "description": (
                "1 of 2 instances has a problem, 1 of them new.\n"
                "\u2022 NEW stale: `orders-1` \u00b7 "
                "`prod-eu / payments \u00b7 p.mysql db-gold-small` \u00b7 `team-orders` \u00b7 "
                "newest backup 2 d 2 h old, max_age 26 h \u00b7 since 2026-01-31 05:00 UTC"
            ),
            "nextSteps": [
                (
                    "Report: https://eu-central-1.console.aws.amazon.com/s3/object/reports?"
                    "region=eu-central-1&amp;prefix=backup-audit/reports/dt%3D2026-01-31/"
                    "run%3D20260131T050000Z/report.html"
                ),
                "stale: https://git.example.com/docs/verdicts.md#stale",
            ],
            "keywords": ["test", "stale"],
        },
        "metadata": {
            "threadId": "backup-audit/test/20260131T0500Z",
            "summary": "[backup-audit] test: 1 problem, 1 new",
            "eventType": "backup-audit-digest",
            "relatedResources": ["guid-001"],
            "additionalContext": {
                "foundation": "test",
                "run_id": "20260131T050000Z",
                "severity": "critical",
                "problems": "1",
                "new": "1",
            },
        },
    }
    assert message.subject is None
    assert message.message_id == "test/20260131T050000Z/digest"
    assert message.attributes["event"] == "digest"
    assert message.attributes["severity"] == "critical"
    assert "owner" not in message.attributes


def test_problem_reminders_and_all_clear_are_one_thread() -> None:
    episode = NOW - 3 * DAY
    state = ReaderState(digest_at=NOW - DAY, why=(), episode=episode, cleared=False)
    before = alerts_from(NOW, readers={"": state})

    threads = {
        valid(chat(*findings, alerts=before, inventory=inventory())).metadata.thread_id
        for findings in ([problem()], [])
    }

    assert threads == {"backup-audit/test/20260128T0500Z"}


def test_what_is_no_problem_begins_no_thread() -> None:
    message = chat(recovered=FAILING)

    assert "threadId" not in json.loads(message.body)["metadata"]


def test_the_ten_most_important_are_named_and_the_others_counted() -> None:
    lines = shown(chat(*(problem(number) for number in range(NAMED_MAX + 2))))

    assert sum(line.startswith("\u2022") for line in lines) == NAMED_MAX
    assert lines[-1] == "And 2 more, in the report: 2 stale."


def test_what_is_not_named_is_counted_by_verdict() -> None:
    never = [problem(number, Verdict.NEVER_BACKED_UP) for number in range(20)]
    stale = [problem(number) for number in range(20, 30)]

    lines = shown(chat(*never, *stale))

    assert lines[-1] == "And 20 more, in the report: 10 never backed up, 10 stale."


def test_unknowns_of_one_cause_are_a_line() -> None:
    broken = Refusal(10001, "CF-ServiceBrokerApiUnreachable")
    unknown = [problem(number, Verdict.UNKNOWN) for number in range(12)]
    evidence = msgspec.structs.replace(
        unknown[0].evidence, http_status=502, title=broken.title, silence=None
    )
    same = [msgspec.structs.replace(one, evidence=evidence) for one in unknown]

    lines = shown(chat(*same))

    assert lines[1:] == [
        "\u2022 NEW unknown: 12 instances `p.mysql` HTTP 502 `CF-ServiceBrokerApiUnreachable`"
    ]


def test_of_unknowns_without_an_answer_the_line_has_what_there_is() -> None:
    for offering, status, said in (
        ("p.mysql", None, " `p.mysql`"),
        ("p.mysql", 503, " `p.mysql` HTTP 503"),
        (None, 503, " HTTP 503"),
        (None, None, ""),
    ):
        unknown = [problem(n, Verdict.UNKNOWN, offering=offering) for n in range(12)]
        evidence = msgspec.structs.replace(
            unknown[0].evidence, http_status=status, title=None, silence=None
        )
        same = [msgspec.structs.replace(one, evidence=evidence) for one in unknown]

        assert shown(chat(*same))[1:] == [f"\u2022 NEW unknown: 12 instances{said}"]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.NEVER_BACKED_UP, "no backup exists to restore from"),
        (Verdict.UNSUPPORTED, "the offering lacks backup support"),
        (Verdict.UNKNOWN, "`timeout`"),
    ],
)
def test_each_verdict_says_how_bad_it_is(verdict: Verdict, said: str) -> None:
    assert f" \u00b7 {said} \u00b7 since " in shown(chat(problem(1, verdict)))[1]


def test_of_an_unknown_one_whose_refusal_has_no_title_the_status_is_said() -> None:
    found = problem(1, Verdict.UNKNOWN)
    evidence = msgspec.structs.replace(
        found.evidence, http_status=502, title="", silence=None, detail=""
    )

    shown_line = shown(chat(msgspec.structs.replace(found, evidence=evidence)))[1]

    assert " \u00b7 HTTP 502 \u00b7 since " in shown_line


def test_an_incomplete_run_says_so_and_where_to_read_on() -> None:
    found = finding(Verdict.UNKNOWN, "away")
    evidence = msgspec.structs.replace(
        found.evidence, silence=Cause.NOT_REACHED, detail="the run's time was over <!channel>"
    )

    message = chat(msgspec.structs.replace(found, evidence=evidence))

    incomplete = "The audit is INCOMPLETE: `the run's time was over &lt;!channel&gt;`"
    assert incomplete in shown(message)
    assert shown(message)[-1] == "Not reached: 1."
    steps = valid(message).content.next_steps
    assert "Incomplete: https://git.example.com/docs/runbook.md#incompleterun" in steps
    assert valid(message).content.title.startswith("\U0001f7e1 ")


def test_what_ended_and_what_is_not_named_are_counted_last() -> None:
    ends = [
        ended_problem("e-0"),
        ended_problem("e-1", ended=Ended.LEFT_SELECTION),
        ended_problem("e-2", ended=Ended.LEFT_SELECTION),
    ]
    muted = compared(finding(guid="guid-muted", mute=MUTE), None)
    deleted = problem(operation=Operation("delete", "in progress", NOW))

    lines = shown(chat(muted, deleted, remembered=ends))

    assert lines[-2:] == ["Ended: 1 healthy, 2 left selection.", "Muted: 1. Being deleted: 1."]


def test_that_the_audit_works_again_is_said() -> None:
    again = msgspec.structs.replace(FAILING, cause="ApiUnreachable: `x` <!here>")

    assert shown(chat(recovered=again))[1] == (
        "The audit works again: it failed 5 times since 2026-01-30 05:00 UTC, the last time "
        "because `ApiUnreachable: 'x' &lt;!here&gt;`"
    )


def test_a_reminder_says_that_it_is_one() -> None:
    known = compared(finding(), open_problem(Verdict.STALE, NOW - DAY))

    assert shown(chat(known))[1] == "This is a reminder of what is still open."


def test_an_all_clear_says_in_its_title_how_many_are_muted() -> None:
    muted = compared(finding(guid="guid-muted", mute=MUTE), None)
    state = ReaderState(digest_at=NOW - DAY, why=(), episode=NOW - DAY, cleared=False)

    message = chat(muted, alerts=alerts_from(NOW, readers={"": state}), inventory=inventory())

    assert valid(message).content.title == "\U0001f7e2 [backup-audit] test: all clear, 1 muted"


def test_a_user_provided_instance_is_told_from_an_offering_without_backups() -> None:
    line = shown(chat(problem(verdict=Verdict.UNSUPPORTED, type="user-provided")))[1]

    assert " \u00b7 a user-provided instance, which no broker backs up \u00b7 since " in line


# ── The fleet ─────────────────────────────────────────────────────────────────────────────────────


NEWS_PAGE = "Fleet: https://git.example.com/docs/runbook.md#news-of-the-fleet"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 instance: `orders-0` `p.mysql`"),
        (3, "3 instances: `orders-0` `p.mysql`, `orders-1` `p.mysql`, `orders-2` `p.mysql`"),
        (
            4,
            (
                "4 instances: `orders-0` `p.mysql`, `orders-1` `p.mysql`, `orders-2` `p.mysql`, "
                "and 1 more"
            ),
        ),
    ],
)
def test_news_of_the_fleet_are_said_by_number_and_three_by_name(count: int, said: str) -> None:
    left = [departed(f"guid-{n}", verdict=None, name=f"orders-{n}") for n in range(count)]
    names = [unaudited(f"guid-{n}", name=f"orders-{n}") for n in range(count)]
    nobodys = Unaudited(count=count, new=count, by_offering={}, instances=names)

    gone = chat(inventory=inventory(**departures(*left)))
    fresh = chat(inventory=inventory(unaudited=nobodys))

    assert shown(gone)[1:] == [f"\u2022 Left the fleet: {said}"]
    assert shown(fresh)[1:] == [f"\u2022 New and unaudited: {said}"]
    for message in (gone, fresh):
        assert NEWS_PAGE in valid(message).content.next_steps
    assert NEWS_PAGE not in valid(chat(problem())).content.next_steps


@pytest.mark.parametrize(
    ("name", "offering", "said"),
    [
        (None, "p.mysql", "`guid-1` `p.mysql`"),
        ("orders", None, "`orders`"),
        (None, None, "`guid-1`"),
    ],
)
def test_of_an_instance_of_the_fleet_is_said_what_is_known(
    name: str | None, offering: str | None, said: str
) -> None:
    gone = departed("guid-1", verdict=None, name=name, offering=offering)

    message = chat(inventory=inventory(**departures(gone)))

    assert shown(message)[1:] == [f"\u2022 Left the fleet: 1 instance: {said}"]


@pytest.mark.parametrize(("length", "more"), [(65, False), (66, False), (67, True)])
def test_names_of_the_fleet_are_said_as_far_as_they_have_room(length: int, *, more: bool) -> None:
    names = ["a" * 66, "b" * length, "c"]
    left = [
        departed(name[0], verdict=None, name=name, offering=name[0].upper() * 78) for name in names
    ]

    [said] = shown(chat(inventory=inventory(**departures(*left[:2]))))[1:]
    [of_three] = shown(chat(inventory=inventory(**departures(*left))))[1:]

    assert said.endswith(", and 1 more") is more
    assert ("`c`" in of_three) is False
    assert of_three.endswith(f", and {2 if more else 1} more")


def test_what_the_first_inventory_found_is_said_by_offering() -> None:
    offerings = {"p.mysql": 7, "p.<redis>": 3, "": 2, "p.rabbit": 1}
    found = Unaudited(count=13, new=0, by_offering=offerings, instances=[])

    message = chat(inventory=inventory(appeared=None, unaudited=found))

    assert shown(message)[1:] == [
        "\u2022 Unaudited: 13 instances: 7 `p.mysql`, 3 `p.&lt;redis&gt;`, 2, and 1 more"
    ]
    assert NEWS_PAGE in valid(message).content.next_steps


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_of_the_fleet_can_mislead(text: str) -> None:
    names: dict[str, Any] = dict.fromkeys(("name", *PLACE), text)
    left = [departed(f"guid-{n}", **names) for n in range(9)]
    nobodys = Unaudited(
        count=9, new=9, by_offering={}, instances=[unaudited("guid-10", **names)] * 9
    )

    message = chat(inventory=inventory(**departures(*left), unaudited=nobodys))

    assert_cannot_mislead(message, lines=3)


@pytest.mark.parametrize("text", HOSTILE)
def test_the_largest_day_is_no_longer_than_a_channel_shows(text: str) -> None:
    names: dict[str, Any] = dict.fromkeys(("name", *PLACE), text)
    left = [departed(f"guid-{n}", **names) for n in range(9)]
    problems = [problem(n, verdict) for verdict in PROBLEMS for n in range(30)]
    findings = [msgspec.structs.replace(one, guid=f"g-{n:03}") for n, one in enumerate(problems)]

    message = chat(
        *findings,
        inventory=inventory(lost=99_999, **departures(*left)),
        recovered=FAILING,
    )

    assert len(valid(message).content.description) <= DESCRIPTION_AIM
    assert any(line.startswith("And ") for line in shown(message))


def test_without_a_console_the_address_in_s3_is_said() -> None:
    nowhere = msgspec.structs.replace(LINKS, topic_arn="arn:aws-iso:sns:us-iso-east-1:1:chat")
    [message] = digests(stored([problem()]), Audience.CHAT, nowhere)

    assert valid(message).content.next_steps[0].startswith("Report: `s3://reports/backup-audit/")


def test_a_lost_role_is_said_first_and_where_to_read_on() -> None:
    message = chat(problem(), inventory=inventory(lost=12))

    assert shown(message)[0].startswith("LOST ROLE? 12 instances disappeared")
    assert "Lost role: https://git.example.com/docs/runbook.md#many-disappeared-at-once" in (
        valid(message).content.next_steps
    )


def test_unknowns_of_very_many_causes_are_a_line_too() -> None:
    unknown = problem(verdict=Verdict.UNKNOWN)
    findings = [
        msgspec.structs.replace(
            unknown,
            guid=f"guid-{number}",
            evidence=msgspec.structs.replace(unknown.evidence, title=f"CF-{number}"),
        )
        for number in range(120)
    ]

    assert "\u2022 NEW unknown: 20, for many causes" in shown(chat(*findings))


# ── Names of others ───────────────────────────────────────────────────────────────────────────────


def assert_cannot_mislead(message: Message, lines: int) -> None:
    """Of the message stand outside of code only our own words, on so many lines."""
    content = valid(message).content
    assert len(content.description.split("\n")) == lines
    ours = outside_of_code(content.description)
    assert re.fullmatch(r"[A-Za-z0-9 \u2022\u00b7,:._()%+-]*", ours.replace("\n", " ")), ours
    assert "`" not in ours
    for text in (content.title, content.description, *content.next_steps):
        assert not re.search(r"[<>]", text)
        assert not re.search(r"&(?!(amp|lt|gt);)", text)
        assert all(part.isprintable() for part in text.split("\n"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_can_mislead(text: str) -> None:
    assert_cannot_mislead(chat(named(text)), lines=2)


@given(st.text(max_size=255))
def test_no_name_whatever_can_mislead(text: str) -> None:
    assert_cannot_mislead(chat(named(text)), lines=2)


@given(st.text())
def test_a_code_span_is_one_and_shows_the_text(text: str) -> None:
    span = code(text, 1_000)

    assert re.fullmatch(r"(`[^`\n]+`)?", span)
    seen = "".join(char if char.isprintable() else " " for char in text).replace("`", "'")
    assert html.unescape(span[1:-1]).split() == seen.split() or "&" in text or len(text) > 999


@pytest.mark.parametrize("text", HOSTILE)
def test_a_message_is_shortened_by_whole_lines(text: str) -> None:
    findings = [
        msgspec.structs.replace(named(text), guid=f"guid-{number:03}") for number in range(40)
    ]

    message = chat(*findings)

    lines = shown(message)
    assert len(valid(message).content.description) <= DESCRIPTION_AIM
    assert_cannot_mislead(message, len(lines))
    rest = re.fullmatch(r"And (\d+) more, in the report: \d+ stale\.", lines[-1])
    assert rest
    assert len(lines) - 2 + int(rest[1]) == 40


# ── A run that failed ─────────────────────────────────────────────────────────────────────────────


def failed(reason: str = "nothing answers", of: Run | None = None, **parts: Any) -> Message:  # noqa: ANN401
    failure = failure_of(
        ApiUnreachable(reason),
        run=of,
        foundation="test",
        invocation_id="i",
        failed_at=NOW,
        remind_every=DAY,
        runbook_url="https://git.example.com/docs",
    )
    return run_failed_chat(msgspec.structs.replace(failure, **parts))


def test_a_run_that_failed_says_since_when_and_why() -> None:
    message = failed(of=run(), failing=FAILING)

    document = valid(message)
    assert document.content.description.split("\n") == [
        "The backup audit of test failed at 2026-01-31 05:00 UTC (run 20260131T050000Z).",
        "5 full runs have failed since 2026-01-30 05:00 UTC.",
        "`ApiUnreachable: nothing answers`",
        "Until one succeeds, nobody is notified of any backup: silence is no good news.",
    ]
    assert document.content.title.startswith("\U0001f534 [backup-audit] test: ")
    assert document.content.next_steps == [
        "What to do: https://git.example.com/docs/runbook.md#failedrun",
        "The function's log has the rest.",
    ]
    assert document.metadata.thread_id == "backup-audit/test/failing/20260130T050000Z"
    assert document.metadata.event_type == "backup-audit-run-failed"
    assert message.message_id == "test/20260131T050000Z/run_failed"
    assert message.attributes == {
        "event": "run_failed",
        "severity": "critical",
        "foundation": "test",
        "schema_version": "1",
    }


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_how_many_runs_have_failed_is_said_from_two_on(runs: int) -> None:
    message = failed(of=run(), failing=msgspec.structs.replace(FAILING, runs=runs))

    said = f"{runs} full runs have failed since 2026-01-30 05:00 UTC."
    assert (said in shown(message)) is (runs > 1)


def test_a_run_of_some_instances_that_failed_has_no_thread() -> None:
    message = failed(of=run(Scope.PARTIAL))

    assert "threadId" not in json.loads(message.body)["metadata"]
    assert len(shown(message)) == 2
    assert shown(message)[0].startswith("A partial run of the backup audit of test failed at ")
    assert "test: a partial run failed" in valid(message).content.title


@pytest.mark.parametrize(
    ("length", "said"), [(399, "x" * 383), (400, "x" * 384), (401, "x" * 383 + "\u2026")]
)
def test_a_reason_is_said_in_400_characters(length: int, said: str) -> None:
    error = "ApiUnreachable: "

    message = failed("x" * (length - len(error)))

    assert shown(message)[1] == f"`{error}{said}`"


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 60_000])
def test_no_reason_can_mislead(text: str) -> None:
    content = valid(failed(text)).content

    ours = outside_of_code(content.description)
    assert ours.strip() == (
        "The backup audit of test failed at 2026-01-31 05:00 UTC (run without an id)."
    )
    assert len(content.description) <= DESCRIPTION_AIM


def test_the_limits_are_in_the_schema() -> None:
    content = json.loads(SCHEMA.read_text("utf-8"))["$defs"]["ChatContent"]["properties"]

    assert content["title"]["maxLength"] == TITLE_MAX
    assert content["description"]["maxLength"] == DESCRIPTION_MAX
