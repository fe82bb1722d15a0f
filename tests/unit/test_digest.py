"""What people read of a run: the answer, what is new, what ended, and what to do."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.mutes import MuteRecord, MuteState
from backup_audit.fleet.run import Scope
from backup_audit.judge.advice import MEANINGS, next_step
from backup_audit.judge.evidence import Cause, Refusal, Silence
from backup_audit.judge.finding import Finding, Problem, finding_of
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify import listing
from backup_audit.notify.digest import DIGEST_MAX, digests
from backup_audit.notify.links import Links
from backup_audit.notify.listing import EXAMPLES, NAMED_MAX, contents
from backup_audit.notify.message import SUBJECT_MAX, Message, attribute_value, subject_line
from backup_audit.notify.problem_lines import PLACES_MAX
from backup_audit.notify.run_failure import recovery_line
from backup_audit.report.alerts import OWNERS_MAX, Audience, ReaderState, Reason
from backup_audit.report.changes import Ended, Resolved, compared
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing
from backup_audit.report.groups import GROUP_FROM
from backup_audit.text import LINE_MAX
from tests.doubles.builders import (
    FAILING,
    MUTE,
    NOW,
    PLACE,
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
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import alerts_from, stored
from tests.doubles.some import rest
from tools.readme import sample_of

PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
DOCS = "https://git.example.com/docs"
LINKS = Links(runbook_url=DOCS, topic_arn="arn:aws:sns:eu-central-1:123456789012:backup-audit")
HEALTHY = finding(Verdict.HEALTHY, "well")
HEALTHY_TOO = finding(Verdict.HEALTHY, "well-too")
WHERE: dict[str, Any] = {**PLACE}
replace = msgspec.structs.replace


def new(verdict: Verdict = Verdict.STALE, guid: str = "guid-1", **parts: Any) -> Finding:  # noqa: ANN401
    """A problem that this run opens."""
    return compared(replace(finding(verdict, guid), **parts), None)


def known(verdict: Verdict = Verdict.STALE, guid: str = "guid-1", **parts: Any) -> Finding:  # noqa: ANN401
    """A problem of which everybody was notified a day ago."""
    found = replace(finding(verdict, guid), **parts)
    return compared(found, open_problem(verdict, NOW - DAY))


def worse(guid: str = "guid-1", **parts: Any) -> Finding:  # noqa: ANN401
    """A problem that was unsupported when everybody was notified of it, and is stale now."""
    found = replace(finding(Verdict.STALE, guid), **parts)
    return compared(found, open_problem(Verdict.UNSUPPORTED, NOW - DAY))


def refused(
    guid: str = "guid-1", title: str = "CF-ServiceBrokerApiUnreachable", status: int = 502
) -> Finding:
    """An instance whose broker answers nothing."""
    answer = evidence(Refusal(10001, title, "no answer"), status)
    return replace(finding_of(instance(guid, f"db-{guid}"), answer, run(), None), **WHERE)


def not_reached(why: str = "the run's time was over", guid: str = "guid-1") -> Finding:
    silence = evidence(Silence(Cause.NOT_REACHED, why), None)
    return finding_of(instance(guid), silence, run(), None)


def being_deleted(guid: str = "guid-going") -> Finding:
    return new(guid=guid, operation=Operation("delete", "in progress", NOW))


def digest_of(
    *findings: Finding,
    audience: Audience = Audience.PEOPLE,
    **parts: Any,  # noqa: ANN401
) -> Message:
    """The platform's digest of a run that found this."""
    [message] = digests(stored(findings, **parts), audience, LINKS)
    return message


def lines_of(message: Message) -> list[str]:
    return message.body.splitlines()


def part_of(message: Message, title: str) -> list[str]:
    """The lines of the section that begins like this."""
    lines = lines_of(message)
    [first] = [number for number, line in enumerate(lines) if line.startswith(title)]
    return lines[first : lines.index("", first)]


def none(report: StoredReport, audience: Audience = Audience.PEOPLE) -> bool:
    return list(digests(report, audience, LINKS)) == []


# ── The answer ────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_said_when_nothing_is_wrong() -> None:
    assert none(stored([HEALTHY]))


@pytest.mark.parametrize(
    ("findings", "answer", "subject"),
    [
        (
            [new()],
            "1 of 2 instances has a problem, 1 of them new. The audit is complete.",
            "1 problem, 1 new",
        ),
        (
            [new(), new(guid="b"), known(guid="c")],
            "3 of 4 instances have a problem, 2 of them new. The audit is complete.",
            "3 problems, 2 new",
        ),
        (
            [known(), worse("b")],
            (
                "2 of 3 instances have a problem, none of them new, 1 worse than before. "
                "The audit is complete."
            ),
            "2 problems, 1 worse",
        ),
        (
            [known()],
            "1 of 2 instances has a problem, none of them new. The audit is complete.",
            "1 problem, reminder",
        ),
        (
            [new(), not_reached(guid="b")],
            (
                "1 of 3 instances has a problem, 1 of them new; 1 was not reached. "
                "The audit is INCOMPLETE: the run's time was over."
            ),
            "INCOMPLETE, 1 problem, 1 new",
        ),
        (
            [not_reached(guid="b")],
            (
                "None of 1 instance that was reached has a problem; 1 was not reached. "
                "The audit is INCOMPLETE: the run's time was over."
            ),
            "INCOMPLETE, 0 problems",
        ),
        (
            [HEALTHY_TOO, not_reached(guid="b"), not_reached(guid="c")],
            (
                "None of 2 instances that were reached has a problem; 2 were not reached. "
                "The audit is INCOMPLETE: the run's time was over."
            ),
            "INCOMPLETE, 0 problems",
        ),
    ],
)
def test_the_first_line_and_the_subject_are_the_answer(
    findings: list[Finding], answer: str, subject: str
) -> None:
    message = digest_of(*findings, HEALTHY)

    assert " ".join(message.body.split()).startswith(answer)
    assert message.subject == f"[backup-audit] test: {subject}"


def test_nobody_is_said_to_be_well_if_nobody_was_reached() -> None:
    message = digest_of(*(not_reached(guid=f"n-{number}") for number in range(1_004)))

    assert " ".join(message.body.split()).startswith(
        "None of 1,004 instances was reached. The audit is INCOMPLETE: the run's time was over."
    )


def test_a_known_problem_that_was_not_reached_is_a_problem_and_not_reached() -> None:
    hidden = compared(not_reached(), open_problem(Verdict.STALE, NOW - DAY))

    message = digest_of(hidden, HEALTHY)

    assert lines_of(message)[0].startswith(
        "1 of 2 instances has a problem, none of them new; 1 was not reached. The audit is"
    )


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([], "The audit is complete."),
        ([new()], "The audit is complete."),
        ([refused()], "Every instance was asked, but of 1 nothing could be found out."),
        (
            [refused(), refused("b")],
            "Every instance was asked, but of 2 nothing could be found out.",
        ),
    ],
)
def test_an_audit_that_found_nothing_out_about_some_is_not_called_complete(
    findings: list[Finding], said: str
) -> None:
    found = [compared(one, None) for one in findings]
    ends = [over("guid-9")]

    for notified in (alerts_from(NOW), alerts_from(NOW, incomplete_since=NOW - DAY)):
        message = digest_of(*found, HEALTHY, remembered=ends, alerts=notified)
        text = " ".join(message.body.partition("Backup audit of")[0].split())
        if notified.incomplete_since:
            said = said.replace("complete.", "complete again.").replace(
                "Every", "The audit is complete again: every"
            )
        assert text.endswith(said)


OPENED_BEFORE = {
    "": ReaderState(digest_at=NOW - DAY, why=(Reason.OPENED,), episode=NOW - DAY, cleared=False)
}


def test_all_clear_is_said_once_everything_ended() -> None:
    over = ended_problem("gone-well", name="cache", end_notified_at=None, resolved_at=NOW - HOUR)

    message = digest_of(
        HEALTHY,
        remembered=[over],
        inventory=inventory(),
        alerts=alerts_from(NOW, readers=OPENED_BEFORE),
    )

    assert lines_of(message)[0] == (
        "All clear: none of 1 instance has a problem. The audit is complete."
    )
    assert message.subject == "[backup-audit] test: all clear, 1 ended"
    assert message.attributes["severity"] == "info"
    assert message.attributes["reason"] == ("ended", "all_clear")


@pytest.mark.parametrize("ended", [one for one in Ended if one is not Ended.HEALTHY])
def test_an_all_clear_says_what_ended_without_proof_of_health(ended: Ended) -> None:
    parts = {"end_notified_at": None, "resolved_at": NOW - HOUR}
    by_decree = ended_problem("by-decree", ended=ended, **parts)
    proved = ended_problem("proved", **parts)

    message = digest_of(
        HEALTHY,
        remembered=[by_decree, proved],
        inventory=inventory(),
        alerts=alerts_from(NOW, readers=OPENED_BEFORE),
    )

    assert " ".join(message.body.split()).startswith(
        "All clear: none of 1 instance has a problem; 1 ended without proof of health. "
    )


def test_an_all_clear_says_how_many_problems_are_muted() -> None:
    muted = compared(finding(guid="guid-muted", mute=MUTE), None)
    cleared = alerts_from(NOW, readers=OPENED_BEFORE)

    message = digest_of(muted, HEALTHY, inventory=inventory(), alerts=cleared)

    assert lines_of(message)[0] == (
        "All clear: none of 2 instances has a problem, but for 1 muted. The audit is complete."
    )
    assert message.subject == "[backup-audit] test: all clear, 1 muted"
    assert "muted" not in (digest_of(muted, new(), alerts=cleared).subject or "")


def test_an_all_clear_that_was_never_sent_is_not_sent_when_it_is_no_longer_true() -> None:
    state = ReaderState(
        digest_at=NOW - HOUR, why=(Reason.ALL_CLEAR,), episode=NOW - DAY, cleared=True
    )
    owed = alerts_from(NOW - HOUR, readers={"": state})

    again = digest_of(HEALTHY, alerts=owed, inventory=inventory())

    assert again.subject == "[backup-audit] test: all clear"
    assert none(stored([being_deleted(), HEALTHY], alerts=owed, inventory=inventory()))


def test_a_reminder_says_that_it_is_one() -> None:
    reminded = digest_of(known())

    assert "This is a reminder of what is still open." in lines_of(reminded)
    assert reminded.attributes["reason"] == ("reminder",)
    assert "reminder" not in digest_of(known(), new(guid="b")).body


def test_a_reminder_that_the_audit_is_incomplete_says_so() -> None:
    state = ReaderState(digest_at=NOW - DAY, why=(Reason.INCOMPLETE,), episode=None, cleared=False)
    since = alerts_from(NOW, incomplete_since=NOW - DAY, readers={"": state})

    reminded = digest_of(not_reached(), HEALTHY, alerts=since)

    assert reminded.attributes["reason"] == ("reminder",)
    assert "This is a reminder that the audit is still incomplete." in lines_of(reminded)


def test_a_subject_is_shortened_by_whole_parts_the_least_important_first() -> None:
    lost = inventory(lost=1_387, **departures(departed("guid-5")))
    report = stored([new(guid=f"g-{n:04}") for n in range(1_287)], inventory=lost)

    [message] = digests(report, Audience.PEOPLE, LINKS, FAILING)
    [named] = digests(
        stored([new(), not_reached(guid="b")], inventory=lost, prefix="f" * 32),
        Audience.PEOPLE,
        LINKS,
        FAILING,
    )

    assert message.subject == (
        "[backup-audit] test: 1,387 instances disappeared at once, INCOMPLETE, 1,287 problems"
    )
    assert named.subject == (
        f"[backup-audit] {'f' * 32}: 1,387 instances disappeared at once, 1 problem"
    )


@pytest.mark.parametrize("length", [rest(1), 20, rest(40), 200])
def test_a_subject_never_loses_its_problems_or_whose_they_are(length: int) -> None:
    owner = "o" * length
    found = [new(guid=f"g-{n:04}", owner=owner) for n in range(1_287)]
    report = stored(found, alerts=PER_OWNER, prefix="f" * 32)

    subject = by_owner(report)[owner].subject or ""

    assert len(subject) <= SUBJECT_MAX
    assert f"{'f' * 32}: 1,287 problems" in subject
    whose = subject.rpartition("(")[2]
    assert whose == f"{owner})" or (length > 20 and whose.startswith("ooooo") and "...)" in whose)


def test_the_recovery_of_the_audit_is_said_whatever_there_is_besides() -> None:
    [message] = digests(stored([HEALTHY]), Audience.PEOPLE, LINKS, FAILING)

    assert lines_of(message)[0] == "None of 1 instance has a problem. The audit is complete."
    assert recovery_line(FAILING) in " ".join(message.body.split())
    assert message.subject == "[backup-audit] test: the audit works again, 0 problems"
    assert message.attributes["reason"] == ("recovered",)
    assert message.attributes["severity"] == "info"


def test_an_audit_that_stays_incomplete_says_since_when_and_then_that_it_is_whole_again() -> None:
    since = alerts_from(NOW, incomplete_since=NOW - DAY)

    still = digest_of(not_reached(), alerts=since)
    again = digest_of(HEALTHY, alerts=since)

    assert (
        "The audit is INCOMPLETE, as runs have been since 2026-01-30 05:00 UTC; this one: the run's"
    ) in " ".join(still.body.split())
    assert f"{DOCS}/runbook.md#incompleterun" in lines_of(still)
    assert still.attributes["severity"] == "warning"
    assert lines_of(again)[0].endswith("The audit is complete again.")
    assert again.attributes["reason"] == ("complete",)
    assert again.attributes["severity"] == "info"


DOWN, OVER = "the API had answered nothing for 93 s", "the run's time was over"


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ([DOWN], DOWN),
        ([OVER, DOWN, DOWN], f"{DOWN} (2 instances); {OVER} (1 instance)"),
        (
            ["a", "a", "b", "b", "c", "d", "e"],
            "a (2 instances); b (2 instances); c (1 instance); and 2 more",
        ),
    ],
)
def test_the_reason_of_a_stop_is_the_reports(reasons: list[str], said: str) -> None:
    report = stored([not_reached(why, f"guid-{n}") for n, why in enumerate(reasons)])

    [digest] = digests(report, Audience.PEOPLE, LINKS)

    assert report.head.why_incomplete == said
    assert f"INCOMPLETE: {said}." in " ".join(digest.body.split())


# ── An instance ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_a_problem_is_named_with_all_that_a_person_needs_to_act(verdict: Verdict) -> None:
    problem = new(verdict, "guid-7", name="orders-db", owner="team-orders", **WHERE)

    lines = part_of(digest_of(problem, HEALTHY), "NEW · ")

    title = verdict.replace("_", " ").upper()
    assert lines[:2] == [
        f"NEW · {title} (1): {MEANINGS[verdict]}",
        f"  {DOCS}/verdicts.md#{verdict}",
    ]
    steps = next_step(verdict, problem.http_status, problem.cause)
    assert steps
    assert lines[2 : 2 + len(steps)] == [f"  {step}" for step in steps]
    assert lines[2 + len(steps) : 5 + len(steps)] == [
        "- orders-db (guid-7)",
        "    prod-eu / payments · p.mysql db-gold-small",
        "    owner: team-orders",
    ]
    assert f"    {problem.reason}" in lines
    assert "    found since 2026-01-31 05:00 UTC" in lines
    assert lines[-1] == '    cf curl "/v3/service_instances/guid-7/backups"'
    assert ("    X-VCAP-Request-ID: r-1" in lines) is (verdict is Verdict.UNKNOWN)


def test_a_stale_instance_says_how_old_and_against_which_policy() -> None:
    demanding = replace(finding().policy, min_backups=2)

    plain, strict = digest_of(new()), digest_of(new(policy=demanding))

    newest = "    newest backup 2 d 2 h old, of 2026-01-29 03:00 UTC; policy: at most 26 h"
    assert newest in lines_of(plain)
    assert f"{newest}, at least 2 backups" in lines_of(strict)


def test_an_instance_without_a_backup_says_when_it_was_made_if_that_is_known() -> None:
    unknown = new(Verdict.NEVER_BACKED_UP)
    made = replace(unknown.evidence, instance_created_at=NOW - 9 * DAY)

    first, second = digest_of(unknown), digest_of(replace(unknown, evidence=made))

    assert "    no backup; policy: at most 26 h" in lines_of(first)
    made_at = "    no backup; the instance was made 2026-01-22 05:00 UTC; policy: at most 26 h"
    assert made_at in lines_of(second)


def test_nobody_is_sent_to_the_broker_of_a_user_provided_instance() -> None:
    found = new(Verdict.UNSUPPORTED, "mail", type="user-provided")

    lines = lines_of(digest_of(found, new(Verdict.UNSUPPORTED, "broken")))

    first = lines.index("  A user-provided instance has no broker that could back it up.")
    assert lines[first + 1 : first + 3] == [
        "  Back it up another way, and mute or exclude it.",
        "- mail",
    ]
    text = "\n".join(lines)
    assert "service_instances/mail/backups" not in text
    assert "service_instances/broken/backups" in text


def test_what_an_instance_was_before_is_said() -> None:
    hidden = open_problem(Verdict.UNKNOWN, NOW - DAY, Problem(Verdict.STALE, NOW - 3 * DAY))
    unknown = compared(finding(Verdict.UNKNOWN), hidden)

    found = "    found since 2026-01-31 05:00 UTC; before: unsupported since 2026-01-30 05:00 UTC"
    assert found in part_of(digest_of(worse()), "WORSE · STALE (1)")
    found = "    found since 2026-01-30 05:00 UTC; before: stale since 2026-01-28 05:00 UTC"
    assert found in part_of(digest_of(unknown), "STILL OPEN · UNKNOWN (1)")


def test_a_reopened_problem_is_news_and_says_so() -> None:
    ended = ended_problem(resolved_at=NOW - DAY)
    message = digest_of(compared(finding(), None, ended))

    assert "    reopened, found since 2026-01-31 05:00 UTC" in part_of(message, "NEW · STALE (1)")
    assert message.attributes["change"] == ("reopened",)


@pytest.mark.parametrize(
    ("opened", "reopened", "change"),
    [
        (2, 0, ("new",)),
        (1, 1, ("new", "reopened")),
        (0, 2, ("reopened",)),
        (2, 2, ("new", "reopened")),
    ],
)
def test_a_digest_tells_apart_what_is_new_and_what_came_back(
    opened: int, reopened: int, change: tuple[str, ...]
) -> None:
    ended = ended_problem(resolved_at=NOW - DAY)
    first = [new(guid=f"new-{number}") for number in range(opened)]
    again = [compared(finding(guid=f"again-{number}"), None, ended) for number in range(reopened)]

    assert digest_of(*first, *again).attributes["change"] == change


NOTES = (
    'label backup-audit.max-age "99d" is ignored: it is not within 1h..7d',
    'label backup-audit.owner "x" is ignored: it is not one of team-*',
)


def test_the_labels_that_are_ignored_stand_under_the_reason() -> None:
    found = new(policy_notes=NOTES)

    lines = lines_of(digest_of(found))

    at = lines.index(f"    {found.reason}")
    assert lines[at + 1 : at + 3] == [f"    {one}" for one in NOTES]


def test_prose_is_wrapped_and_addresses_commands_and_names_are_not() -> None:
    name, guid = " ".join(["long-name"] * 20), "g" * 200
    why = "the broker says " + "no and again no " * 20
    long = new(Verdict.UNKNOWN, guid, name=name, reason=why, org="o" * 120)

    lines = lines_of(digest_of(long, warnings=["a rule that fits nothing " * 10]))

    assert f"- {name} ({guid})" in lines
    assert f'    cf curl "/v3/service_instances/{guid}/backups"' in lines
    too_long = [line for line in lines if len(line) > LINE_MAX]
    whole = (f"- {name}", "    cf curl ", f"    {'o' * 120}", "https://", "aws s3 ")
    assert [line for line in too_long if not line.startswith(whole)] == []
    assert " ".join(why.split()) in " ".join(" ".join(lines).split())


# ── News first, then the worst ────────────────────────────────────────────────────────────────────


def test_new_problems_come_first_then_those_that_are_worse_and_each_part_worst_first() -> None:
    everything = [
        *(new(verdict, f"new-{verdict}") for verdict in PROBLEMS),
        worse("worse"),
        *(known(verdict, f"known-{verdict}") for verdict in PROBLEMS),
    ]

    lines = lines_of(digest_of(*reversed(everything)))

    titles = [line.partition(" (")[0] for line in lines if " · " in line]
    words = [verdict.replace("_", " ").upper() for verdict in PROBLEMS]
    assert titles == [
        *(f"NEW · {word}" for word in words),
        "WORSE · STALE",
        *(f"STILL OPEN · {word}" for word in words),
    ]
    named = [line[2:] for line in lines if line.startswith("- ")]
    assert named == [one.guid for one in everything]


@pytest.mark.parametrize(
    ("age", "title"), [(HOUR - SECOND, "NEW"), (HOUR, "NEW"), (HOUR + SECOND, "STILL OPEN")]
)
def test_what_an_audience_has_not_heard_of_yet_is_new_to_it(age: timedelta, title: str) -> None:
    owed = alerts_from(NOW)
    owed = replace(owed, news_from={**owed.news_from, Audience.PEOPLE: NOW - HOUR})
    opened = compared(finding(), open_problem(Verdict.STALE, NOW - age))

    message = digest_of(opened, alerts=owed)

    assert part_of(message, f"{title} · STALE (1)")
    is_new = title == "NEW"
    assert message.attributes["change"] == (("new",) if is_new else ("ongoing",))
    assert message.attributes["reason"] == (("opened",) if is_new else ("reminder",))


@pytest.mark.parametrize("count", [9, 10, 11])
def test_ten_unknown_instances_of_one_cause_are_one_line(count: int) -> None:
    unknown = [compared(refused(f"u-{number:02}"), None) for number in range(count)]

    message = digest_of(*unknown, compared(refused("other", "CF-ServiceBrokerBadResponse"), None))

    lines = lines_of(message)
    together = f"- {count} × HTTP 502 CF-ServiceBrokerApiUnreachable, p.mysql"  # noqa: RUF001
    assert (together in lines) is (count >= 10)
    assert "- db-other (other)" in lines
    assert message.body.count("(u-") == (3 if count >= 10 else count)
    if count >= 10:
        at = lines.index(together)
        assert lines[at + 1 : at + 8] == [
            f"    {DOCS}/verdicts.md#a-group-of-unknowns",
            "    such as:",
            "    db-u-00 (u-00)",
            "    db-u-01 (u-01)",
            "    db-u-02 (u-02)",
            "    X-VCAP-Request-ID of the first: r-1",
            '    cf curl "/v3/service_instances/u-00/backups"',
        ]


def test_of_one_cause_those_that_are_new_are_told_from_those_still_open() -> None:
    before = open_problem(Verdict.UNKNOWN, NOW - DAY)
    old = [compared(refused(f"old-{number}"), before) for number in range(8)]
    fresh = [compared(refused(f"new-{number}"), None) for number in range(4)]

    message = digest_of(*old, *fresh)

    cause = "HTTP 502 CF-ServiceBrokerApiUnreachable, p.mysql"
    assert f"- 4 × {cause}" in part_of(message, "NEW · UNKNOWN (4)")  # noqa: RUF001
    assert f"- 8 × {cause}" in part_of(message, "STILL OPEN · UNKNOWN (8)")  # noqa: RUF001


@pytest.mark.parametrize("fresh", [6, 7, 8, 9, 10])
def test_of_each_part_the_first_three_are_examples_wherever_in_the_report_they_stand(
    fresh: int,
) -> None:
    before = open_problem(Verdict.UNKNOWN, NOW - DAY)
    first = [compared(refused(f"a-{number:02}"), None) for number in range(fresh)]
    then = [compared(refused(f"b-{number}"), before) for number in range(4)]

    [content] = contents(stored([*first, *then]), Audience.PEOPLE)

    assert [[one.guid for one in alike.examples] for alike in content.alike] == [
        ["a-00", "a-01", "a-02"],
        ["b-0", "b-1", "b-2"],
    ]


def test_of_many_unknown_instances_one_that_was_worse_before_is_named_by_itself() -> None:
    hidden = Problem(Verdict.STALE, NOW - 3 * DAY)
    was_worse = compared(refused("z"), open_problem(Verdict.UNKNOWN, NOW - DAY, hidden))
    others = [compared(refused(f"u-{number:02}"), None) for number in range(11)]

    [content] = contents(stored([*others, was_worse]), Audience.PEOPLE)

    assert [one.finding.guid for one in content.named] == ["z"]
    assert [one.count for one in content.alike] == [11]


def test_few_unknown_instances_stand_in_the_order_of_the_report_whatever_their_causes() -> None:
    causes = {"a": "One", "b": "Another", "c": "One", "d": "Another"}
    unknown = [compared(refused(guid, title), None) for guid, title in causes.items()]

    [content] = contents(stored(unknown), Audience.PEOPLE)

    assert [one.finding.guid for one in content.named] == ["a", "b", "c", "d"]


def test_causes_without_an_answer_or_an_offering_are_said_too() -> None:
    silent = [new(Verdict.UNKNOWN, f"u-{number}") for number in range(10)]

    lines = lines_of(digest_of(*silent))

    assert "- 10 × no answer timeout, of an unknown offering" in lines  # noqa: RUF001


def test_a_cause_without_a_title_is_said_by_its_status() -> None:
    without_a_title = [compared(refused(f"u-{number}", ""), None) for number in range(10)]

    lines = lines_of(digest_of(*without_a_title))

    assert "- 10 × HTTP 502, p.mysql" in lines  # noqa: RUF001


def test_more_causes_than_are_told_apart_are_counted_together() -> None:
    many = [compared(refused(f"u-{n:03}", f"Title{n:03}"), None) for n in range(115)]

    message = digest_of(*many)

    assert "- 15 × of many other causes" in lines_of(message)  # noqa: RUF001


def test_unknown_instances_stand_under_what_is_to_be_done_about_them() -> None:
    unknown = [
        compared(refused("a", "CF-ServiceBrokerBadResponse"), None),
        compared(refused("b", "CF-ConcurrencyError", 422), None),
        compared(refused("c", "CF-ServiceBrokerRequestRejected"), None),
    ]

    lines = lines_of(digest_of(*unknown))

    said = [line for line in lines if line.startswith(("- ", "  Those", "  The instance"))]
    assert lines[lines.index("  The instance is being changed: the next run asks again.") - 1] == ""
    assert said == [
        "  Those who run the service's broker look into it, by the finding's X-VCAP-Request-ID.",
        "- db-a (a)",
        "- db-c (c)",
        "  The instance is being changed: the next run asks again.",
        "- db-b (b)",
    ]


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_at_most_a_hundred_are_named_and_the_others_counted(count: int, named: int) -> None:
    message = digest_of(*(new(guid=f"guid-{number:03}", **WHERE) for number in range(count)))

    assert message.body.count("- guid-") == named
    assert f"NEW · STALE ({count}): " in message.body
    more = "NOT NAMED HERE (1): the report has their names"
    assert (more in lines_of(message)) is (count > named)
    assert ("- 1: prod-eu / payments · p.mysql" in lines_of(message)) is (count > named)


def test_news_are_named_before_what_is_worse_and_both_before_the_worst_that_is_known() -> None:
    old = [known(Verdict.NEVER_BACKED_UP, f"old-{number:03}") for number in range(100)]
    more = [worse(f"worse-{number}") for number in range(2)]
    fresh = [new(Verdict.NOT_FOUND, f"new-{number}") for number in range(3)]

    message = digest_of(*old, *more, *fresh)

    assert [message.body.count(f"- {one}-") for one in ("new", "worse", "old")] == [3, 2, 95]
    assert "NOT NAMED HERE (5): the report has their names" in lines_of(message)
    assert "- 5: in an unknown place" in lines_of(message)


@pytest.mark.parametrize(("spaces", "others"), [(19, 0), (20, 0), (21, 1)])
def test_the_others_are_counted_in_at_most_twenty_places(spaces: int, others: int) -> None:
    named = [new(Verdict.NEVER_BACKED_UP, f"guid-{number:03}") for number in range(100)]
    rest = [
        new(guid=f"rest-{number:02}", **{**WHERE, "space": f"space-{number % spaces:02}"})
        for number in range(spaces + 1)
    ]

    lines = part_of(digest_of(*named, *rest), f"NOT NAMED HERE ({spaces + 1})")

    assert lines[1:3] == [f"  {spaces + 1} stale", "- 2: prod-eu / space-00 · p.mysql"]
    assert sum(" / space-" in line for line in lines) == min(spaces, 20)
    assert lines[-1:] == (["- 1: in other spaces"] if others else lines[-1:])


def test_places_beyond_those_that_are_told_apart_are_counted_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "_PLACES_MAX", 2)
    monkeypatch.setattr(listing, "NAMED_MAX", 1)
    found = [new(guid=f"g-{n}", **{**WHERE, "space": f"space-{n}"}) for n in range(5)]

    lines = part_of(digest_of(*found), "NOT NAMED HERE (4)")

    assert lines[2:] == ["- 3: in an unknown place", "- 1: prod-eu / space-1 · p.mysql"]


def test_what_is_not_named_is_counted_by_verdict_first() -> None:
    never = [new(Verdict.NEVER_BACKED_UP, f"never-{n:03}") for n in range(150)]
    stale = [new(Verdict.STALE, f"stale-{n:03}") for n in range(1_150)]
    alike = [compared(refused(f"u-{n:02}"), None) for n in range(12)]

    lines = part_of(digest_of(*never, *stale, *alike), "NOT NAMED HERE (1,200)")

    assert lines[1:] == ["  50 never backed up, 1,150 stale", "- 1,200: in an unknown place"]


def test_who_is_named_is_not_counted_once_more_at_a_place_that_is_not_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "_PLACES_MAX", 1)
    found = [new(guid=guid, space=guid) for guid in ("a", "b", "c")]

    [content] = contents(stored(found), Audience.PEOPLE)

    assert content.rest({"a", "b"}) == {listing.ELSEWHERE: 1}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_causes_the_one_with_more_instances_stands_first(order: int) -> None:
    names = ["a", "b"][::order]
    few = [compared(refused(f"{names[0]}-{n:02}", "Few"), None) for n in range(10)]
    many = [compared(refused(f"{names[1]}-{n:02}", "Many"), None) for n in range(11)]

    [content] = contents(stored([*few, *many][::order]), Audience.PEOPLE)

    assert [one.count for one in content.alike] == [11, 10]


# ── Why it goes out ───────────────────────────────────────────────────────────────────────────────


def reasons_of(report: StoredReport, recovered: Failing | None = None) -> tuple[Reason, ...]:
    [content] = contents(report, Audience.PEOPLE, recovered)
    return content.reasons


def test_what_was_said_before_is_no_reason_of_a_digest_that_goes_out_for_another() -> None:
    said = replace(OPENED_BEFORE[""], digest_at=NOW - HOUR)
    alerts = alerts_from(NOW, readers={"": said})

    assert reasons_of(stored([known()], alerts=alerts), FAILING) == (Reason.RECOVERED,)


def test_that_runs_became_incomplete_is_a_reason_until_people_have_heard_it() -> None:
    heard = alerts_from(NOW, incomplete_since=NOW - HOUR)
    owed = replace(heard, news_from={**heard.news_from, Audience.PEOPLE: NOW - HOUR})
    found = [new(), not_reached(guid="b")]

    assert reasons_of(stored(found, alerts=heard)) == (Reason.OPENED,)
    assert reasons_of(stored(found, alerts=owed)) == (Reason.OPENED, Reason.INCOMPLETE)


def test_a_run_that_is_incomplete_again_says_of_none_before_that_it_was_complete() -> None:
    store, before = InMemoryStore(), run(due_at=NOW - HOUR)
    before = replace(before, run_id="before", started_at=NOW - HOUR)
    was_incomplete = alerts_from(NOW - HOUR, incomplete_since=NOW - DAY)
    first = stored([HEALTHY], of=before, store=store, alerts=was_incomplete)
    unheard = alerts_from(NOW - HOUR, readers=first.head.alerts.readers)

    again = stored([not_reached()], store=store, alerts=unheard, after=first)

    assert reasons_of(first) == (Reason.COMPLETE,)
    assert reasons_of(again) == (Reason.INCOMPLETE,)


# ── Ends ──────────────────────────────────────────────────────────────────────────────────────────


def over(guid: str = "guid-9", ended: Ended = Ended.HEALTHY, **parts: Any) -> Resolved:  # noqa: ANN401
    """A problem that ended an hour ago, and of whose end nobody was notified yet."""
    unsaid = {"end_notified_at": None, "resolved_at": NOW - HOUR, "ended": ended}
    return ended_problem(guid, **{**unsaid, **parts})


TITLES = {
    Ended.HEALTHY: "ENDED · HEALTHY (1): proved by backups",
    Ended.IN_GRACE: "ENDED · IN GRACE (1): by a policy, and not on proof",
    Ended.DROPPED: "ENDED · TAKEN OFF THE CONFIGURATION (1): nobody audits them any more",
    Ended.GONE: "ENDED · GONE (1): not in the foundation any more",
    Ended.LEFT_SELECTION: "ENDED · LEFT THE SELECTION (1): nobody audits them any more",
}


@pytest.mark.parametrize("ended", Ended)
def test_a_problem_that_ended_is_named_with_how(ended: Ended) -> None:
    one = over("guid-9", ended, name="cache", owner="team-a", **WHERE)

    message = digest_of(HEALTHY, remembered=[one])

    assert part_of(message, "ENDED") == [
        TITLES[ended],
        "- cache (guid-9)",
        "    prod-eu / payments · p.mysql db-gold-small",
        "    owner: team-a",
        "    was stale since 2026-01-30 05:00 UTC",
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 1 ended"
    assert message.attributes["reason"] == ("ended",)
    assert message.attributes["severity"] == "info"
    is_healthy = ended is Ended.HEALTHY
    assert message.attributes.get("change") == (("resolved",) if is_healthy else None)
    assert message.attributes.get("verdict") == (("healthy",) if is_healthy else None)


def test_who_was_notified_of_a_problem_hears_of_its_end_though_it_was_muted_since() -> None:
    message = digest_of(HEALTHY, remembered=[over(muted=True)])

    assert "    was stale since 2026-01-30 05:00 UTC, and is muted" in part_of(message, "ENDED")


@pytest.mark.parametrize("count", [9, 10, 11])
def test_ten_ends_of_unknown_instances_of_one_offering_are_one_line(count: int) -> None:
    unknown: dict[str, Any] = {"verdict": Verdict.UNKNOWN, "offering": "p.mysql"}
    ends = [over(f"u-{n:02}", name=f"db-{n:02}", **unknown) for n in range(count)]
    others = [
        over("known", offering="p.mysql"),
        over("gone", Ended.GONE, **unknown),
        over("elsewhere", verdict=Verdict.UNKNOWN, offering="p.redis"),
    ]

    message = digest_of(HEALTHY, remembered=[*ends, *others])

    healthy = part_of(message, f"ENDED · HEALTHY ({count + 2})")
    together = f"- {count} × unknown before, p.mysql"  # noqa: RUF001
    named = [line for line in healthy if line.startswith("- ")]
    if count < 10:
        few = [f"- db-{n:02} (u-{n:02})" for n in range(count)]
        assert named == ["- known", *few, "- elsewhere"]
    else:
        assert named == [together, "- known", "- elsewhere"]
        assert healthy[1:6] == [
            together,
            "    such as:",
            "    db-00 (u-00)",
            "    db-01 (u-01)",
            "    db-02 (u-02)",
        ]
    assert part_of(message, "ENDED · GONE (1)")[1] == "- gone"
    assert "more, in the report" not in message.body


def test_ends_of_more_offerings_than_are_told_apart_are_named_one_by_one() -> None:
    ends = [
        over(f"e-{n:02}-{offering:02}", verdict=Verdict.UNKNOWN, offering=f"o-{offering:02}")
        for offering in range(21)
        for n in range(10)
    ]

    lines = part_of(digest_of(HEALTHY, remembered=ends), "ENDED · HEALTHY (210)")

    together = [line for line in lines if " × " in line]  # noqa: RUF001
    assert [line.rpartition(" ")[2] for line in together] == [f"o-{n:02}" for n in range(20)]
    assert sum(line.startswith("- e-") for line in lines) == 10


@pytest.mark.parametrize(
    ("end_notified_at", "said"), [(HOUR - SECOND, True), (HOUR, True), (HOUR + SECOND, False)]
)
def test_an_end_is_said_to_an_audience_until_it_has_heard_of_it(
    end_notified_at: timedelta, *, said: bool
) -> None:
    owed = alerts_from(NOW)
    owed = replace(owed, news_from={**owed.news_from, Audience.PEOPLE: NOW - HOUR})
    one = over(end_notified_at=NOW - end_notified_at)

    message = digest_of(known(), remembered=[one], alerts=owed)

    assert ("ENDED" in message.body) is said


def test_problems_that_came_and_went_unsaid_are_a_number() -> None:
    unsaid = [over(f"u-{n}", notified_at=None, alert=None) for n in range(3)]

    message = digest_of(new(), remembered=unsaid)

    assert "Opened and ended before anybody was notified: 3." in lines_of(message)
    assert "u-1" not in message.body
    assert "ended" not in (message.subject or "")
    assert none(stored([HEALTHY], remembered=unsaid))


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_at_most_a_hundred_ends_are_named_and_the_others_counted(count: int, named: int) -> None:
    message = digest_of(HEALTHY, remembered=[over(f"e-{n:03}") for n in range(count)])

    assert message.body.count("- e-") == named
    assert f"ENDED · HEALTHY ({count}): " in message.body
    assert ("And 1 more, in the report." in lines_of(message)) is (count > named)


def test_a_departure_is_named_by_the_fleets_section_and_not_once_more() -> None:
    left = over("guid-5", Ended.LEFT_SELECTION, resolved_at=NOW, end_notified_at=NOW)
    other = replace(left, guid="guid-6")
    earlier = replace(left, guid="earlier", resolved_at=NOW - HOUR)
    record = inventory(**departures(departed("guid-5"), departed("guid-6")))

    message = digest_of(HEALTHY, remembered=[left, other, earlier], inventory=record)

    assert message.body.count("(guid-5)") == message.body.count("(guid-6)") == 1
    assert part_of(message, "NO LONGER SELECTED (2)")[1] == "- orders (guid-5)"
    assert part_of(message, "ENDED · LEFT THE SELECTION (1)")[1] == "- earlier"
    assert message.subject == "[backup-audit] test: 0 problems, 3 ended, 2 left the fleet"


# ── The head and the end ──────────────────────────────────────────────────────────────────────────


def test_a_muted_instance_is_counted_and_not_named() -> None:
    muted = compared(finding(guid="guid-muted", mute=MUTE), None)

    message = digest_of(muted, new(guid="guid-named"))

    assert "guid-muted" not in message.body
    assert "Muted and not named here: 1." in lines_of(message)
    assert none(stored([muted]))


def test_an_instance_that_is_being_deleted_is_counted_and_not_named() -> None:
    message = digest_of(being_deleted(), new(guid="guid-named"))

    assert "guid-going" not in message.body
    assert lines_of(message)[0].startswith("1 of 2 instances has a problem, ")
    assert "Being deleted and not named here: 1." in lines_of(message)
    assert "Being deleted" not in digest_of(new()).body
    assert none(stored([being_deleted()]))


def test_who_was_not_reached_is_a_number() -> None:
    many = [not_reached(guid=f"n-{number}") for number in range(30)]

    message = digest_of(new(guid="guid-named"), *many)

    assert "Not reached, and without a problem before: 30." in lines_of(message)
    assert "n-1" not in message.body
    assert "Audited: 1 of 31 (3.22 %), unknown: 30." in lines_of(message)


@pytest.mark.parametrize(
    ("late", "said"), [(DAY - SECOND, False), (DAY, False), (DAY + SECOND, True), (9 * DAY, True)]
)
def test_a_run_that_was_made_more_than_a_day_after_it_was_due_says_so(
    late: timedelta, *, said: bool
) -> None:
    made_late = run(due_at=NOW - late)

    message = digest_of(new(), of=made_late, alerts=alerts_from(NOW - late))

    text = " ".join(message.body.split())
    assert f"due {NOW - late:%Y-%m-%d %H:%M} UTC" in text
    assert ("made 2026-01-31 05:00 UTC" in text) is said


def test_a_run_of_some_instances_is_compared_with_nothing_and_says_so() -> None:
    message = digest_of(finding(), HEALTHY, of=run(Scope.PARTIAL))

    assert message.subject == "[backup-audit partial run] test: 1 problem"
    assert lines_of(message)[0] == "1 of 2 instances has a problem. The audit is complete."
    assert (
        "Of 2 instances asked for by hand: verdicts, which are compared with nothing."
        in lines_of(message)
    )
    assert part_of(message, "STALE (1)")
    assert "found since" not in message.body
    assert {"change", "reason"} & {*message.attributes} == set()
    assert message.attributes["verdict"] == ("stale",)


def test_a_what_if_is_labelled() -> None:
    message = digest_of(finding(), of=run(Scope.WHAT_IF))

    assert message.subject == "[backup-audit what-if] test: 1 problem"
    assert "A what-if: judged at another instant" in message.body


def mute_record(**parts: Any) -> MuteRecord:  # noqa: ANN401
    record = MuteRecord(
        guid=None,
        owner="sre",
        reason="moves",
        until=NOW.date() + 3 * DAY,
        state=MuteState.ENDING,
        instances=1,
    )
    return replace(record, **parts)


def test_mutes_that_are_large_or_end_are_said_after_a_full_run() -> None:
    parts: dict[str, Any] = {"mutes": [mute_record()]}

    full, partial = digest_of(new(), **parts), digest_of(finding(), of=run(Scope.PARTIAL), **parts)

    assert "Muted: 1 of 1 instances (100 %) until 2026-02-03, by mutes[0] (sre: moves)." in (
        lines_of(full)
    )
    assert part_of(full, "MUTES (1)")[1].startswith("  ends in 3 days (2026-02-03): mutes[0] ")
    assert "mutes[" not in partial.body


@pytest.mark.parametrize(
    ("arn", "console"),
    [
        (
            "arn:aws:sns:eu-central-1:123456789012:t",
            "https://eu-central-1.console.aws.amazon.com/s3/object/reports?region=eu-central-1&",
        ),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", "https://console.amazonaws-us-gov.com"),
        ("arn:aws-iso:sns:us-iso-east-1:123456789012:t", None),
    ],
)
def test_a_digest_leads_to_the_page_in_the_console_and_by_a_command(
    arn: str, console: str | None
) -> None:
    links = replace(LINKS, topic_arn=arn)

    [message] = digests(stored([new()]), Audience.PEOPLE, links)

    key = "backup-audit/reports/dt=2026-01-31/run=20260131T050000Z/report.html"
    *_, before, last = lines_of(message)
    region = arn.split(":")[3]
    assert last == f"aws s3 presign s3://reports/{key} --region {region}"
    assert before.startswith(console or "The report:")


def test_without_a_page_a_digest_leads_to_the_report_for_programs() -> None:
    def fails(*_: object) -> Iterator[bytes]:
        raise ZeroDivisionError

    report = stored([new()], draw=fails, page_failed=lambda _: None)

    [message] = digests(report, Audience.PEOPLE, LINKS)

    assert "/report.json --region " in lines_of(message)[-1]


def test_without_an_address_pages_are_named_by_their_paths() -> None:
    [message] = digests(stored([new()]), Audience.PEOPLE, replace(LINKS, runbook_url=None))

    assert "  docs/verdicts.md#stale" in lines_of(message)


# ── Attributes ────────────────────────────────────────────────────────────────────────────────────


def test_the_attributes_are_what_filter_policies_need() -> None:
    message = digest_of(known(Verdict.UNKNOWN, "b"), new(guid="a"), worse("c"))

    assert message.message_id == "test/20260131T050000Z/digest"
    assert message.attributes == {
        "event": "digest",
        "verdict": ("stale", "unknown"),
        "change": ("new", "ongoing"),
        "severity": "critical",
        "reason": ("opened", "worsened"),
        "foundation": "test",
        "schema_version": "1",
    }
    assert attribute_value(message.attributes["verdict"]) == '["stale","unknown"]'


ONE_OF_EACH = {verdict: new(verdict, verdict) for verdict in PROBLEMS}
SUBSETS = [
    subset
    for size in range(1, len(ONE_OF_EACH) + 1)
    for subset in itertools.combinations(ONE_OF_EACH, size)
]
URGENCY = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize("urgent", [None, *PROBLEMS])
def test_a_digest_is_as_urgent_as_the_most_urgent_that_it_names(
    monkeypatch: pytest.MonkeyPatch, urgent: Verdict | None
) -> None:
    """Whatever a maintainer calls critical, its place in the report does not matter."""
    if urgent is not None:
        severity_of = {verdict: verdict.severity for verdict in Verdict}
        monkeypatch.setattr(
            Verdict,
            "severity",
            property(lambda one: Severity.CRITICAL if one is urgent else severity_of[one]),
        )

    for verdicts in SUBSETS:
        message = digest_of(*(ONE_OF_EACH[verdict] for verdict in verdicts))

        severities = {verdict.severity for verdict in verdicts}
        assert message.attributes["severity"] == min(severities, key=URGENCY.index), verdicts
        assert set(message.attributes["verdict"]) == set(verdicts)


def test_what_is_counted_and_not_named_is_as_urgent() -> None:
    fresh = [new(Verdict.NOT_FOUND, f"new-{number:03}") for number in range(100)]

    message = digest_of(*fresh, known(Verdict.STALE, "old"))

    assert "- old" not in message.body
    assert message.attributes["severity"] == "critical"
    assert message.attributes["verdict"] == ("stale", "not_found")


# ── The page ──────────────────────────────────────────────────────────────────────────────────────

PAGE = Path("docs/notifications.md")


def test_the_digest_that_is_shown_is_one() -> None:
    orders = new(
        guid="9b02c1de-4f7a-4a39-9d6e-2f1f3c5b7a10",
        name="orders-db",
        owner="team-orders",
        **WHERE,
    )
    cache = over("c1c00e9e-8a51-4c35-a1d5-8b1e6ad5a0f3", name="cache", **WHERE)

    message = digest_of(
        orders, HEALTHY, finding(Verdict.HEALTHY, "fine"), remembered=[cache], prefix="prod-eu"
    )

    assert sample_of(PAGE, "digest") == message.body
    assert f"Subject: {message.subject}" in PAGE.read_text("utf-8")


def test_the_figures_of_the_page_are_the_codes() -> None:
    said = " ".join(PAGE.read_text("utf-8").split())

    assert f"of {DIGEST_MAX // 1024} KiB at the most" in said
    assert f"At most {NAMED_MAX} are named" in said
    assert f"in {PLACES_MAX} lines at most" in said
    assert f"At most {OWNERS_MAX:,} owners get digests" in said
    assert GROUP_FROM == 10
    assert "Ten or more unknown instances of one cause" in said
    assert EXAMPLES == 3
    assert "are one line with three names" in said


# ── Owners ────────────────────────────────────────────────────────────────────────────────────────

PER_OWNER = alerts_from(NOW, per_owner=True)


def by_owner(report: StoredReport) -> dict[str, Message]:
    return {
        str(message.attributes.get("owner", "")): message
        for message in digests(report, Audience.PEOPLE, LINKS)
    }


@pytest.mark.parametrize("at_a_time", [1, 2, 3, 250])
def test_each_owner_gets_theirs_and_nobody_anothers(
    monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(listing, "_READERS_AT_A_TIME", at_a_time)
    owners = [f"team-{number}" for number in range(4)]
    problems = [new(guid=f"of-{owner}", owner=owner) for owner in owners]
    ends = [over(f"end-of-{owner}", owner=owner) for owner in owners[:2]]

    found = by_owner(stored([*problems, new(guid="nobodys")], remembered=ends, alerts=PER_OWNER))

    assert list(found) == ["", *owners]
    assert all(f"of-{owner}" in found[""].body for owner in owners)
    for owner in owners:
        others = [f"of-{other}" for other in owners if other != owner]
        assert f"- of-{owner}" in lines_of(found[owner])
        assert not [one for one in [*others, "nobodys"] if one in found[owner].body]
        assert found[owner].message_id == f"test/20260131T050000Z/digest/{owner}"
    assert found["team-0"].subject == ("[backup-audit] test: 1 problem, 1 new, 1 ended (team-0)")
    assert lines_of(found["team-3"])[0] == (
        "1 instance of team-3 has a problem, 1 of them new. The audit is complete."
    )


def test_an_owner_hears_nothing_of_the_fleet_or_of_the_audit_but_whether_it_is_whole() -> None:
    record = inventory(**departures(departed("guid-5", owner="team-0")))
    left = over(
        "guid-5", Ended.LEFT_SELECTION, owner="team-0", resolved_at=NOW, end_notified_at=NOW
    )
    report = stored(
        [new(owner="team-0"), not_reached(guid="b")],
        remembered=[left],
        inventory=record,
        alerts=PER_OWNER,
        warnings=["a rule that fits nothing"],
    )

    theirs = by_owner(report)["team-0"]

    assert part_of(theirs, "ENDED · LEFT THE SELECTION (1)")[1] == "- guid-5"
    assert "INCOMPLETE" in theirs.body
    assert "INCOMPLETE" not in (theirs.subject or "")
    assert "NO LONGER SELECTED" not in theirs.body
    assert "a rule" not in theirs.body
    assert "Audited: " not in theirs.body


def test_the_recovery_of_the_audit_and_the_mutes_are_the_platforms() -> None:
    report = stored([new(owner="team-0")], alerts=PER_OWNER, mutes=[mute_record()])

    platform, owner = contents(report, Audience.PEOPLE, FAILING)

    assert (platform.recovered, owner.recovered) == (FAILING, None)
    assert platform.mutes
    assert platform.large_mutes
    assert owner.mutes == owner.large_mutes == ()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_who_is_muted_and_who_is_being_deleted_are_counted(count: int) -> None:
    muted = [compared(finding(guid=f"m-{n}", mute=MUTE), None) for n in range(count)]
    going = [being_deleted(f"d-{n}") for n in range(count)]

    [content] = contents(stored([new(), *muted, *going]), Audience.PEOPLE)

    assert (content.muted, content.being_deleted) == (count, count)


def test_where_nothing_else_is_wrong_the_answer_says_who_is_muted_and_who_is_being_deleted() -> (
    None
):
    muted = compared(finding(guid="guid-muted", mute=MUTE), None)

    since = alerts_from(NOW, incomplete_since=NOW - DAY)

    message = digest_of(HEALTHY, muted, being_deleted(), alerts=since)

    assert "but for 1 muted and 1 being deleted." in lines_of(message)[0]


@pytest.mark.parametrize(
    ("count", "answer"),
    [
        (0, "No instance of team-a has a problem."),
        (1, "No instance of team-a that was reached has a problem; 1 was not reached."),
        (2, "No instance of team-a that was reached has a problem; 2 were not reached."),
    ],
)
def test_an_owner_whose_problems_ended_hears_that_none_is_left(count: int, answer: str) -> None:
    missed = [replace(not_reached(guid=f"m-{n}"), owner="team-a") for n in range(count)]
    ended = over(owner="team-a")

    report = stored([HEALTHY, HEALTHY_TOO, *missed], remembered=[ended], alerts=PER_OWNER)

    assert lines_of(by_owner(report)["team-a"])[0].startswith(answer)


@pytest.mark.parametrize(("lost", "together"), [(0, False), (1, True), (2, True)])
def test_where_a_role_seems_lost_those_not_found_are_alike(lost: int, *, together: bool) -> None:
    gone = [new(Verdict.NOT_FOUND, f"n-{n}") for n in range(GROUP_FROM)]

    [content] = contents(stored(gone, inventory=inventory(lost=lost)), Audience.PEOPLE)

    assert [one.count for one in content.alike] == ([GROUP_FROM] if together else [])


def test_chat_hears_the_platforms_digest_alone() -> None:
    report = stored([new(owner="team-0")], alerts=PER_OWNER)

    assert [one.reader for one in contents(report, Audience.CHAT)] == [""]
    assert [one.reader for one in contents(report, Audience.PEOPLE)] == ["", "team-0"]


def test_an_audience_whose_topic_came_after_the_plan_is_notified_from_the_next_run_on() -> None:
    without = alerts_from(NOW, news_from={Audience.PEOPLE: NOW})

    assert list(contents(stored([new()], alerts=without), Audience.CHAT, FAILING)) == []


@pytest.mark.parametrize(
    ("found", "incomplete_since", "added_at", "hears"),
    [
        (known(), None, NOW, True),
        (not_reached(), NOW - DAY, NOW, True),
        (HEALTHY, None, NOW, False),
        (known(), None, NOW - DAY, False),
    ],
)
def test_an_audience_that_is_new_hears_what_others_know_already(
    found: Finding, incomplete_since: datetime | None, added_at: datetime, *, hears: bool
) -> None:
    told = ReaderState(digest_at=NOW - HOUR, why=(), episode=NOW - DAY, cleared=False)
    alerts = alerts_from(
        NOW,
        added_at={Audience.PEOPLE: NOW - DAY, Audience.CHAT: added_at},
        readers={"": told},
        incomplete_since=incomplete_since,
    )

    report = stored([found], alerts=alerts)

    assert none(report, Audience.PEOPLE)
    assert none(report, Audience.CHAT) is not hears


# ── Any day, any name ─────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=255)
named = st.builds(
    lambda state, verdict, guid, name, owner, place: (new if state else known)(
        verdict, guid, name=name, owner=owner, **place
    ),
    st.booleans(),
    st.sampled_from(PROBLEMS),
    st.from_regex(r"[A-Za-z0-9]{1,200}", fullmatch=True),
    texts,
    texts,
    st.fixed_dictionaries(dict.fromkeys(PLACE, st.none() | texts)),
)


@settings(max_examples=25)  # a digest of thousands takes its time
@given(st.lists(named, min_size=1, max_size=8, unique_by=lambda one: one.guid), st.integers(1, 300))
def test_any_digest_is_one_message_of_64_kib_that_names_or_counts_all(
    problems: list[Finding], times: int
) -> None:
    many = [replace(one, guid=f"{one.guid}-{n}") for one in problems for n in range(times)]

    message = digest_of(*many)

    assert message.size <= DIGEST_MAX
    assert message.subject
    assert len(message.subject) < 100
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert message.body.count("\n- ") <= 100 + 20 + 22
    assert said_in(message) == len(many)


def said_in(message: Message) -> int:
    """How many problems a digest names, says to be alike, or counts."""
    total, counts = 0, False
    for line in lines_of(message):
        counts = line.startswith("NOT NAMED HERE") or (counts and bool(line))
        if not line.startswith("- "):
            continue
        together = line.partition(" × ")  # noqa: RUF001
        if counts:
            total += int(line[2:].partition(":")[0].replace(",", ""))
        elif together[1] and together[0][2:].replace(",", "").isdigit():
            total += int(together[0][2:].replace(",", ""))
        else:
            total += 1
    return total


WIDE = "\U0001f600" * 255


def test_the_largest_day_with_the_widest_names_fits_and_still_names_the_news() -> None:
    place: dict[str, Any] = dict.fromkeys(("name", *PLACE), WIDE)
    problems = [
        new(guid=f"{'g' * 190}-{n:03}", owner="\U0001f600" * 200, reason=WIDE * 40, **place)
        for n in range(150)
    ]
    ends = [over(f"{'e' * 190}-{n:03}", owner="\U0001f600" * 200, **place) for n in range(150)]
    left = [departed(f"d-{n:03}", **place, owner=WIDE) for n in range(150)]

    message = digest_of(
        *problems,
        remembered=ends,
        inventory=inventory(**departures(*left)),
        mutes=[mute_record(owner=WIDE[:200], reason=WIDE[:200])] * 50,
        warnings=[WIDE * 9] * 50,
    )

    assert message.size <= DIGEST_MAX
    assert "NEW · STALE (150): " in message.body
    assert f"({'g' * 190}-000)" in message.body
    assert f"({'e' * 190}-000)" in message.body
    assert "(d-000)" in message.body
    assert lines_of(message)[-1].startswith("aws s3 presign s3://")


def test_a_digest_that_is_full_has_room_for_its_attributes() -> None:
    problem = new(reason="x", owner="a")
    problems = [
        replace(
            problem,
            guid=f"{'g' * 150}-{n:03}",
            **dict.fromkeys(("name", *PLACE), f"{n:03}{WIDE[:30]}"),
        )
        for n in range(80)
    ]

    message = digest_of(*problems)

    assert DIGEST_MAX - 6_000 < len(message.body.encode()) <= DIGEST_MAX - 2_000


@given(st.text(), st.text(min_size=1))
def test_whatever_a_name_is_it_stays_on_its_line(name: str, owner: str) -> None:
    """Names are chosen by whoever may make an instance, or an org."""
    where: dict[str, Any] = dict.fromkeys(PLACE, f"x{name}")
    plain: dict[str, Any] = dict.fromkeys(PLACE, "x")
    problem = new(name=name, owner=f"x{owner}", **where)
    end = over(name=name, owner=f"x{owner}", **where)

    message = digest_of(problem, remembered=[end])

    meant = digest_of(
        replace(problem, name="x", owner="x", **plain),
        remembered=[replace(end, name="x", owner="x", **plain)],
    )
    assert_plain(message.body, lines=len(lines_of(meant)))


FORGED = "fine. NEW · STALE (9): all of it - orders (guid-1) ENDED · HEALTHY (3)"


def test_no_answer_of_the_api_passes_for_a_line_of_ours() -> None:
    """It is broken where it is too long, wherever that is: what follows is indented."""
    for padding in range(LINE_MAX):
        text = "x" * padding + " " + FORGED
        problem = new(reason=text, policy_notes=(text,), name="a")

        lines = lines_of(digest_of(problem, not_reached(f"{text} end", "b"), warnings=[text]))

        assert [line for line in lines if line.startswith("- ")] == ["- a (guid-1)"]
        assert [line for line in lines if line.startswith(("NEW", "ENDED"))] == [
            f"NEW · STALE (1): {MEANINGS[Verdict.STALE]}"
        ]


def assert_plain(text: str, *, lines: int) -> None:
    """So many lines, however lines are told apart, and nothing in them that cannot be seen."""
    assert text.endswith("\n")
    assert len(text.split("\n")) == lines + 1
    assert len(text.splitlines()) == lines
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("text", "line"), [("a\r\nBcc: x", "a??Bcc: x"), ("zürich", "z?rich"), ("x" * 200, "x" * 99)]
)
def test_a_subject_is_one_short_line_of_ascii(text: str, line: str) -> None:
    assert subject_line(text) == line
