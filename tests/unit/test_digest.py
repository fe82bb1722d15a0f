"""What people and programs are told of a run."""

import itertools
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_audit.errors import InvalidConfiguration, ReportStoreFailed
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Change, Finding, Problem, finding_of
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.digest import digests
from backup_audit.notify.message import (
    SIZE_MAX,
    Message,
    attribute_value,
    finding_messages,
    run_failed,
    run_incomplete,
    subject_line,
)
from backup_audit.report.changes import Resolved
from tests.doubles.builders import MUTE, NOW, PLACE, evidence, finding, instance, run
from tests.doubles.reports import stored

PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def ended(guid: str = "guid-9", name: str = "cache", mute: Mute | None = None) -> Finding:
    return msgspec.structs.replace(
        finding(Verdict.HEALTHY, guid, name=name, mute=mute),
        change=Change.RESOLVED,
        since=NOW - DAY,
        earlier_problem=Problem(Verdict.STALE, NOW - DAY),
    )


def document(message: Message) -> dict[str, Any]:
    """What a program reads."""
    parsed: dict[str, Any] = json.loads(json.loads(message.body)["default"])
    return parsed


def not_reached(why: str, guid: str = "guid-1") -> Finding:
    silence = evidence(Silence(Cause.NOT_REACHED, why), None)
    return finding_of(instance(guid), silence, run(), None)


def one_digest(*findings: Finding, of: Run | None = None) -> Message:
    [message] = digests(stored(findings, of=of))
    return message


def test_nothing_is_said_when_nothing_is_wrong() -> None:
    report = stored([finding(Verdict.HEALTHY)])

    assert list(digests(report)) == []
    assert list(finding_messages(report)) == []


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_every_problem_instance_is_named_with_verdict_reason_and_name(verdict: Verdict) -> None:
    problem = finding(verdict, "guid-7", name="orders-db", owner="team-orders")

    message = one_digest(problem, finding(Verdict.HEALTHY))

    assert "orders-db (guid-7)" in message.text
    assert problem.reason in message.text
    assert verdict.replace("_", " ").upper() in message.text
    [named] = document(message)["findings"]
    assert named["guid"] == "guid-7"
    assert named["verdict"] == verdict
    assert named["severity"] == verdict.severity
    assert named["reason"] == problem.reason


PLACED = msgspec.structs.replace(finding(name="orders-db", owner="team-orders"), **PLACE)
WHERE = "prod-eu / payments · p.mysql db-gold-small"


def test_a_problem_instance_is_named_with_its_place() -> None:
    message = one_digest(msgspec.structs.replace(PLACED, change=Change.NEW))

    lines = message.text.splitlines()
    at = lines.index("  orders-db (guid-1) [new, team-orders]")
    assert lines[at + 1 : at + 3] == [f"      {WHERE}", f"      {PLACED.reason}"]
    [named] = document(message)["findings"]
    assert {key: named[key] for key in PLACE} == PLACE


def test_a_problem_that_ended_is_named_with_its_place() -> None:
    message = one_digest(msgspec.structs.replace(ended(), **PLACE))

    lines = message.text.splitlines()
    at = lines.index("RESOLVED (1)")
    assert lines[at + 1].startswith("  cache (guid-9): was stale since ")
    assert lines[at + 2 : at + 4] == [f"      {WHERE}", ""]
    [resolved] = document(message)["resolved"]
    assert {key: resolved[key] for key in PLACE} == PLACE


def test_a_message_about_an_instance_says_where_it_is() -> None:
    first, second = finding_messages(stored([PLACED, msgspec.structs.replace(ended(), **PLACE)]))

    assert first.text.splitlines()[:3] == [
        f"orders-db (guid-1): {PLACED.reason}",
        f"Where: {WHERE}",
        "Owner: team-orders",
    ]
    assert f"Where: {WHERE}" in second.text
    assert {key: document(first)["finding"][key] for key in PLACE} == PLACE


def test_where_an_instance_is_may_not_be_known() -> None:
    [message] = finding_messages(stored([finding()]))

    assert "Where" not in message.text
    assert document(message)["finding"]["org"] is None


def test_every_message_has_an_id_that_begins_with_its_foundation() -> None:
    report = stored([not_reached("x"), finding(guid="guid-2")])

    [digest], [first, second] = digests(report), finding_messages(report)

    run_id = "20260131T050000Z"
    assert digest.message_id == f"test/{run_id}/digest/1"
    assert first.message_id == f"test/{run_id}/finding/guid-2"
    assert second.message_id == f"test/{run_id}/finding/guid-1"
    assert run_incomplete(report).message_id == f"test/{run_id}/run_incomplete"
    assert failed(KeyError()).message_id == "test/r/run_failed"
    assert failed(KeyError(), run_id=None).message_id == "test/invocation/run_failed"


def being_deleted(verdict: Verdict = Verdict.STALE, guid: str = "guid-going") -> Finding:
    deleting = Operation("delete", "in progress", NOW)
    return msgspec.structs.replace(finding(verdict, guid), operation=deleting)


def test_an_instance_that_is_being_deleted_is_counted_and_not_named() -> None:
    message = one_digest(being_deleted(), finding(guid="guid-told"))

    assert "guid-going" not in message.body
    assert "1 of 2 instances have a problem." in message.text
    assert "Being deleted and not named here: 1." in message.text.splitlines()
    assert document(message)["being_deleted"] == 1
    assert "Being deleted" not in one_digest(finding()).text
    assert document(one_digest(finding()))["being_deleted"] == 0
    assert list(digests(stored([being_deleted()]))) == []
    assert list(finding_messages(stored([being_deleted()]))) == []


def test_problems_are_grouped_by_verdict_worst_first() -> None:
    text = one_digest(*[finding(verdict, verdict) for verdict in PROBLEMS]).text

    titles = [verdict.replace("_", " ").upper() + " (1)" for verdict in PROBLEMS]
    assert [text.index(title) for title in titles] == sorted(map(text.index, titles))


def test_the_reports_address_is_said() -> None:
    message = one_digest(finding())

    key = "backup-audit/reports/dt=2026-01-31/run=20260131T050000Z/report.json"
    assert f"s3://reports/{key}" in message.text
    assert document(message)["report"] == {"bucket": "reports", "key": key}


def test_a_muted_instance_is_counted_and_not_named() -> None:
    muted = finding(guid="guid-muted", mute=MUTE)

    message = one_digest(muted, finding(guid="guid-told"))

    assert "guid-muted" not in message.body
    assert "Muted and not named here: 1." in message.text
    assert document(message)["muted"] == 1
    assert list(digests(stored([muted]))) == []


def test_a_problem_that_ended_is_news() -> None:
    message = one_digest(ended(), finding(Verdict.HEALTHY))

    assert "cache (guid-9): was stale since 2026-01-30 05:00 UTC, is healthy" in message.text
    [resolved] = document(message)["resolved"]
    assert (resolved["guid"], resolved["verdict"], resolved["change"]) == (
        "guid-9",
        "healthy",
        "resolved",
    )
    assert resolved["earlier_problem"] == {"verdict": "stale", "since": "2026-01-30T05:00:00Z"}
    assert message.attributes["severity"] == "info"
    assert message.attributes["change"] == ("resolved",)
    assert message.subject == "[backup-audit] test: 0 problems, 1 resolved"


def test_an_earlier_or_a_muted_resolution_is_no_news() -> None:
    earlier = Resolved(
        guid="guid-8",
        name=None,
        owner=None,
        verdict=Verdict.STALE,
        since=NOW - 2 * DAY,
        resolved_at=NOW - DAY,
    )

    assert list(digests(stored([ended(mute=MUTE)], remembered=[earlier]))) == []


def test_the_attributes_are_what_filter_policies_need() -> None:
    new = msgspec.structs.replace(finding(Verdict.STALE, "a"), change=Change.NEW)
    unknown = msgspec.structs.replace(finding(Verdict.UNKNOWN, "b"), change=Change.ONGOING)

    message = one_digest(unknown, new)

    assert message.attributes == {
        "event": "digest",
        "verdict": ("stale", "unknown"),
        "change": ("new", "ongoing"),
        "severity": "critical",
        "foundation": "test",
        "schema_version": "1",
    }
    assert attribute_value(message.attributes["verdict"]) == '["stale","unknown"]'


ONE_OF_EACH = {verdict: finding(verdict, verdict) for verdict in PROBLEMS} | {
    Verdict.HEALTHY: ended()
}
SUBSETS = [
    subset
    for size in range(1, len(ONE_OF_EACH) + 1)
    for subset in itertools.combinations(ONE_OF_EACH, size)
]
URGENCY = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize("urgent", [None, *PROBLEMS, Verdict.HEALTHY])
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
        message = one_digest(*(ONE_OF_EACH[verdict] for verdict in verdicts))

        severities = {verdict.severity for verdict in verdicts}
        assert message.attributes["severity"] == min(severities, key=URGENCY.index), verdicts
        assert set(message.attributes["verdict"]) == set(verdicts)


@pytest.mark.parametrize(
    ("late", "said"), [(DAY - SECOND, False), (DAY, False), (DAY + SECOND, True), (9 * DAY, True)]
)
def test_a_run_that_was_made_more_than_a_day_after_it_was_due_says_so(
    late: timedelta, *, said: bool
) -> None:
    made_late = run(due_at=NOW - late)

    head = one_digest(finding(), of=made_late).text

    made = "made 2026-01-31 05:00 UTC"
    assert (f"Due {NOW - late:%Y-%m-%d %H:%M} UTC, {made}, " in head) is said
    assert (made in head) is said


def test_the_subject_counts_what_is_new() -> None:
    new = msgspec.structs.replace(finding(guid="a"), change=Change.NEW)
    reopened = msgspec.structs.replace(finding(guid="b"), change=Change.REOPENED)

    message = one_digest(new, reopened, finding(guid="c"))

    assert message.subject == "[backup-audit] test: 3 problems, 2 new"


def test_a_what_if_is_labelled() -> None:
    message = one_digest(finding(), of=run(Scope.WHAT_IF))

    assert message.subject.startswith("[backup-audit what-if] test")
    assert "A what-if" in message.text


def test_an_incomplete_run_says_so_in_its_digest() -> None:
    message = one_digest(not_reached("the API had answered nothing for 93 s"))

    why = "the API had answered nothing for 93 s"
    assert f"INCOMPLETE: not every instance was reached: {why}.\n" in message.text
    assert document(message)["why_incomplete"] == why
    assert document(one_digest(finding()))["why_incomplete"] is None


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
def test_the_reason_of_a_stop_is_one_value_that_every_text_prints(
    reasons: list[str], said: str
) -> None:
    report = stored([not_reached(why, f"guid-{n}") for n, why in enumerate(reasons)])

    [digest], message = digests(report), run_incomplete(report)

    assert report.head.why_incomplete == said
    assert f"Why: {said}.\n" in message.text
    assert document(message)["why_incomplete"] == said
    assert f"not every instance was reached: {said}.\n" in digest.text


def test_a_long_digest_becomes_several_whole_messages() -> None:
    problems = [finding(guid=f"guid-{number:05}", name="n" * 100) for number in range(2_000)]

    messages = list(digests(stored(problems)))

    assert len(messages) > 1
    named = [one["guid"] for message in messages for one in document(message)["findings"]]
    assert named == [problem.guid for problem in problems]
    for part, message in enumerate(messages, 1):
        assert message.size <= SIZE_MAX
        assert (document(message)["part"], document(message)["parts"]) == (part, len(messages))
        assert message.subject.endswith(f"({part}/{len(messages)})")
        assert f"Message {part} of {len(messages)}." in message.text
        for one in document(message)["findings"]:
            assert one["guid"] in message.text
    assert len({message.message_id for message in messages}) == len(messages)


def test_a_long_digest_of_a_foundation_with_a_long_name_fits_too() -> None:
    report = stored([finding(guid=f"guid-{number:05}") for number in range(2_000)])
    report.head = msgspec.structs.replace(report.head, foundation="f" * 5_000)

    messages = list(digests(report))

    assert len(messages) > 1
    assert all(message.size <= SIZE_MAX for message in messages)


texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=255)
told = st.builds(
    lambda verdict, guid, name, owner, place: msgspec.structs.replace(
        finding(verdict, guid, name=name, owner=owner), **place
    ),
    st.sampled_from(PROBLEMS),
    st.from_regex(r"[A-Za-z0-9]{1,200}", fullmatch=True),
    texts,
    texts,
    st.fixed_dictionaries(dict.fromkeys(PLACE, st.none() | texts)),
)


@settings(max_examples=25)  # a digest of thousands takes its time
@given(st.lists(told, min_size=1, max_size=8), st.integers(1, 300))
def test_every_message_of_any_digest_fits_and_none_is_lost(
    problems: list[Finding], times: int
) -> None:
    whole = list(digests(stored(problems * times)))
    single = list(finding_messages(stored(problems)))

    for message in whole + single:
        assert message.size <= SIZE_MAX
        assert len(message.subject) < 100
        assert message.subject.isascii()
        assert message.subject.isprintable()
    named = [one["guid"] for message in whole for one in document(message)["findings"]]
    assert sorted(named) == sorted([problem.guid for problem in problems] * times)
    assert len(single) == len(problems)


def test_a_message_for_each_problem_and_each_that_ended() -> None:
    problem = msgspec.structs.replace(finding(guid="a", name="orders"), change=Change.NEW)

    first, second = finding_messages(stored([problem, ended()]))

    assert first.attributes == {
        "event": "finding",
        "verdict": "stale",
        "severity": "critical",
        "foundation": "test",
        "instance_guid": "a",
        "schema_version": "1",
        "change": "new",
    }
    assert first.subject == "[backup-audit] test: stale orders"
    assert document(first)["finding"]["guid"] == "a"
    assert second.attributes["change"] == "resolved"
    assert second.attributes["verdict"] == "healthy"
    assert second.subject == "[backup-audit] test: resolved cache"


@given(st.text(), st.text(min_size=1))
def test_whatever_a_name_is_it_stays_on_its_line(name: str, owner: str) -> None:
    """Names are chosen by whoever may make an instance, or an org."""
    where = dict.fromkeys(PLACE, f"x{name}")
    named = msgspec.structs.replace(finding(name=name, owner=owner), **where)
    findings = [named, finding(guid="guid-2"), ended(name=name)]

    assert_plain(one_digest(*findings).text, lines=15)
    for message in finding_messages(stored(findings)):
        assert_plain(message.text, lines=4 if "Owner" in message.text else 2)


def assert_plain(text: str, *, lines: int) -> None:
    """So many lines, however lines are told apart, and nothing in them that cannot be seen."""
    assert text.endswith("\n")
    assert len(text.split("\n")) == lines + 1
    assert len(text.splitlines()) == lines
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_message_about_an_instance_names_its_owner() -> None:
    [message] = finding_messages(stored([finding(owner="team-orders")]))

    assert "Owner: team-orders" in message.text


def failed(error: Exception, foundation: str | None = "test", run_id: str | None = "r") -> Message:
    return run_failed(
        error, run_id=run_id, foundation=foundation, failed_at=NOW, invocation_id="invocation"
    )


def test_a_failed_run_says_why() -> None:
    message = failed(InvalidConfiguration(["instances[3].guid: missing"], source="ssm:/x"))

    assert "instances[3].guid: missing" in message.text
    assert message.subject == "[backup-audit] test: the audit failed (InvalidConfiguration)"
    assert message.attributes == {
        "event": "run_failed",
        "severity": Severity.CRITICAL,
        "foundation": "test",
        "schema_version": "1",
    }
    assert document(message)["error"] == "InvalidConfiguration"


def test_of_an_error_that_is_not_ours_only_the_type_is_told() -> None:
    message = failed(KeyError("canary-secret"))

    assert document(message)["reason"] == "an error that the audit does not know"
    assert document(message)["error"] == "KeyError"
    assert "KeyError: an error that the audit does not know" in message.text
    assert "canary-secret" not in message.body + message.subject


def test_a_failure_before_anything_is_known_is_told_too() -> None:
    message = failed(InvalidConfiguration(["x"]), foundation=None, run_id=None)

    assert "foundation" not in message.attributes
    assert document(message)["run_id"] is None
    assert message.message_id == "invocation/run_failed"
    assert failed(KeyError(), foundation=None).message_id == "invocation/run_failed"


@pytest.mark.parametrize("faults", [1, 10_000])
def test_a_failure_with_any_number_of_faults_fits(faults: int) -> None:
    listed = [f'instances[{number}]: "\U0001f600" ' for number in range(faults)]

    assert failed(InvalidConfiguration(listed)).size <= SIZE_MAX


@given(st.text())
def test_whatever_an_error_says_it_stays_on_its_line(said: str) -> None:
    message = failed(ReportStoreFailed(f"begin{said}end"))

    assert_plain(message.text, lines=5)
    [line] = [line for line in message.text.split("\n") if "begin" in line]
    assert line.endswith("end")
    assert document(message)["reason"].isprintable()


def test_an_incomplete_run_is_told_with_its_coverage() -> None:
    message = run_incomplete(stored([not_reached("the run's time was over"), finding()]))

    assert "did not reach every instance: 1 of 2 were audited (50 %)" in message.text
    assert message.attributes["event"] == "run_incomplete"
    assert document(message)["coverage"]["unknown"] == 1


@pytest.mark.parametrize(
    ("text", "line"), [("a\r\nBcc: x", "a??Bcc: x"), ("zürich", "z?rich"), ("x" * 200, "x" * 99)]
)
def test_a_subject_is_one_short_line_of_ascii(text: str, line: str) -> None:
    assert subject_line(text) == line


NOTES = (
    'label backup-audit.max-age "99d" is ignored: it is not within 1h..7d',
    'label backup-audit.owner "x" is ignored: it is not one of team-*',
)


def test_the_labels_that_are_ignored_stand_under_the_instance() -> None:
    found = msgspec.structs.replace(finding(), policy_notes=NOTES)

    [message] = digests(stored([found]))
    [alone] = finding_messages(stored([found]))

    lines = message.text.splitlines()
    at = lines.index(f"      {NOTES[0]}")
    assert lines[at - 1 : at + 2] == [f"      {found.reason}", *(f"      {one}" for one in NOTES)]
    [told] = document(message)["findings"]
    assert told["policy_notes"] == [*NOTES]
    assert alone.text.splitlines()[1:3] == [*NOTES]
    assert document(alone)["finding"]["policy_notes"] == [*NOTES]
