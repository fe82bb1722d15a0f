"""A report at a glance: what is counted of those who were asked for, and the answer for them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.inventory import Operation
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page.causes import causes_of
from backup_audit_cli.glance import Glance, Glancing, Mutes, RunsFail, Wanted, shown_findings
from tests.doubles.builders import HOUR, MUTE, NOW, PLACE, ended_problem, finding
from tests.doubles.report_folder import mute_record
from tests.doubles.reports import stored

DELETION = Operation("delete", "in progress", NOW)
EVERYBODY = Wanted()
TEAM = Wanted(owner="a")


def made(verdict: Verdict, guid: str, owner: str | None = "a", **parts: Any) -> Finding:  # noqa: ANN401
    return msgspec.structs.replace(finding(verdict, guid, owner=owner), **{**PLACE, **parts})


def stale(guid: str, owner: str | None = "a", **parts: Any) -> Finding:  # noqa: ANN401
    return made(Verdict.STALE, guid, owner, **parts)


def healthy(guid: str, owner: str | None = "a", **parts: Any) -> Finding:  # noqa: ANN401
    return made(Verdict.HEALTHY, guid, owner, **parts)


def unknown(guid: str, owner: str | None = "a", **parts: Any) -> Finding:  # noqa: ANN401
    return made(Verdict.UNKNOWN, guid, owner, **parts)


def not_reached(guid: str, owner: str | None = "a", **parts: Any) -> Finding:  # noqa: ANN401
    one = unknown(guid, owner)
    evidence = msgspec.structs.replace(one.evidence, silence=Cause.NOT_REACHED)
    return msgspec.structs.replace(one, evidence=evidence, **parts)


def in_grace(guid: str) -> Finding:
    young = made(Verdict.NEVER_BACKED_UP, guid)
    return msgspec.structs.replace(young, verdict=Verdict.IN_GRACE)


def late(number: int, owner: str = "a") -> Finding:
    one = healthy(f"late-{number}", owner, late=True)
    evidence = msgspec.structs.replace(
        one.evidence, usual_interval_seconds=3600, newest_backup_age_seconds=7200 + number
    )
    return msgspec.structs.replace(one, evidence=evidence)


def glance_of(
    findings: Sequence[Finding],
    asked: Wanted = TEAM,
    most: int = 25,
    **parts: Any,  # noqa: ANN401
) -> Glance:
    reader = stored(findings, **parts).reader()
    return Glancing(asked, most, causes_of(findings)).glance(
        reader, "report.json", ["a note"], None
    )


def answer_of(findings: Sequence[Finding], asked: Wanted = TEAM) -> str:
    return glance_of(findings, asked).tail.answer


# ── Whose ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "guids", "said"),
    [
        (Wanted(), ["1", "2", "3", "4"], ""),
        (Wanted(owner="a"), ["1", "2"], "owner a"),
        (Wanted(owner=""), ["4"], "no owner"),
        (Wanted(org="x"), ["1", "3"], "org x"),
        (Wanted(org=""), ["4"], "no org"),
        (Wanted(owner="a", org="x"), ["1"], "owner a, org x"),
        (Wanted(owner="", org=""), ["4"], "no owner, no org"),
        (Wanted(owner="a", org=""), [], "owner a, no org"),
    ],
)
def test_who_is_asked_for_has_both_names(asked: Wanted, guids: list[str], said: str) -> None:
    found = [
        stale("1", org="x"),
        stale("2", org="y"),
        stale("3", "b", org="x"),
        stale("4", None, org=None),
    ]

    assert [one.guid for one in found if asked.has(one)] == guids
    assert [one.guid for one in shown_findings(stored(found).reader(), asked)] == guids
    assert (asked.said, asked.is_all) == (said, asked == Wanted())


# ── The answer ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ([healthy("1")], "No problem found among 1 instance with owner a"),
        ([healthy("1"), in_grace("2")], "No problem found among 2 instances with owner a"),
        ([healthy("1"), stale("2", mute=MUTE)], "No open problem among 2 instances with owner a"),
        (
            [healthy("1"), stale("2", operation=DELETION)],
            "No open problem among 2 instances with owner a",
        ),
        ([healthy("1"), stale("2")], "1 of 2 instances with owner a has a backup problem"),
        ([stale("1"), stale("2")], "2 of 2 instances with owner a have a backup problem"),
        (
            [healthy("1"), unknown("2")],
            "1 of 2 instances with owner a is unknown; no problem found among the others",
        ),
        (
            [healthy("1"), unknown("2"), unknown("3")],
            "2 of 3 instances with owner a are unknown; no problem found among the others",
        ),
        (
            [healthy("1"), not_reached("2")],
            "1 of 2 instances with owner a was not reached; no problem found among the others",
        ),
        (
            [healthy("1"), *map(not_reached, "23"), *map(unknown, "456")],
            (
                "2 of 6 instances with owner a were not reached, 3 are unknown; no problem found "
                "among the others"
            ),
        ),
        (
            [unknown("1"), stale("2")],
            "1 of 2 instances with owner a is unknown; 1 other has a backup problem",
        ),
        (
            [unknown("1"), stale("2"), stale("3")],
            "1 of 3 instances with owner a is unknown; 2 others have a backup problem",
        ),
        (
            [unknown("1"), stale("2", mute=MUTE)],
            "1 of 2 instances with owner a is unknown; no open problem among the others",
        ),
        (
            [unknown("1", mute=MUTE), healthy("2")],
            "1 of 2 instances with owner a is unknown; no problem found among the others",
        ),
        (
            [not_reached("1")],
            "Nothing is known of 1 instance with owner a: it was not reached",
        ),
        (
            [not_reached("1"), not_reached("2")],
            "Nothing is known of 2 instances with owner a: none was reached",
        ),
        (
            [not_reached("1"), unknown("2")],
            "Nothing is known of 2 instances with owner a: no usable answer",
        ),
    ],
)
def test_the_answer_for_some_is_never_more_than_is_known_of_them(
    found: Sequence[Finding], answer: str
) -> None:
    of_others = [stale("other", "b"), unknown("another", "b")]

    assert answer_of([*found, *of_others]) == answer
    assert answer_of([*of_others, *found]) == answer


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ([healthy("1")], "No problem found with owner a, org prod-eu"),
        ([stale("1", mute=MUTE)], "No open problem with owner a, org prod-eu"),
        ([stale("1")], "1 instance with owner a, org prod-eu has a backup problem"),
        ([stale("1"), stale("2")], "2 instances with owner a, org prod-eu have a backup problem"),
        (
            [unknown("1")],
            "1 instance with owner a, org prod-eu is unknown; no problem found besides",
        ),
        (
            [not_reached("1"), not_reached("2"), stale("3")],
            (
                "2 instances with owner a, org prod-eu were not reached; 1 other has a backup "
                "problem"
            ),
        ),
    ],
)
def test_where_it_is_not_known_how_many_they_are_they_are_not_counted(
    found: Sequence[Finding], answer: str
) -> None:
    assert answer_of(found, Wanted(owner="a", org="prod-eu")) == answer


def test_for_all_the_answer_is_that_of_the_page() -> None:
    found = [stale("1"), healthy("2", "b")]

    everybodys, teams = glance_of(found, EVERYBODY), glance_of(found)

    assert everybodys.tail.answer == "1 of 2 instances has a backup problem"
    assert everybodys.head.answer == teams.head.answer == everybodys.tail.answer
    assert teams.tail.answer != everybodys.tail.answer


def test_where_nothing_is_known_the_answer_has_the_cause() -> None:
    assert glance_of([not_reached("1")], EVERYBODY).tail.answer == (
        "Nothing is known: none of 1 instance was reached"
    )


# ── Counts ────────────────────────────────────────────────────────────────────────────────────────


def test_each_finding_of_those_who_were_asked_for_is_counted_once() -> None:
    mine = [
        stale("1"),
        unknown("2"),
        *(stale(f"m{n}", mute=MUTE) for n in range(2)),
        *(stale(f"d{n}", operation=DELETION) for n in range(3)),
        *(not_reached(f"n{n}") for n in range(4)),
        *(in_grace(f"g{n}") for n in range(5)),
        healthy("h"),
    ]
    theirs = [*(stale(f"b{n}", "b") for n in range(6)), stale("bm", "b", mute=MUTE)]

    for found in ([*mine, *theirs], [*theirs, *mine]):
        tail = glance_of(found).tail

        assert (tail.problems, tail.muted, tail.being_deleted) == (2, 2, 3)
        assert (tail.not_reached, tail.in_grace) == (4, 5)
        assert (tail.unknown, tail.unreached, tail.others) == (5, 4, 6)
        assert glance_of(found, EVERYBODY).tail.others == 0


@pytest.mark.parametrize(("most", "left_out"), [(2, 1), (3, 0), (4, 0)])
def test_so_many_open_problems_are_kept_the_worst_and_the_others_counted(
    most: int, left_out: int
) -> None:
    found = [stale("m", mute=MUTE), *(stale(f"{n}") for n in range(3)), stale("b", "b")]

    glance = glance_of(found, most=most)

    assert [one.guid for one in glance.findings] == ["0", "1", "2"][:most]
    assert (glance.tail.problems, glance.tail.left_out) == (3, left_out)


@pytest.mark.parametrize(
    ("found", "has_problem"),
    [
        ([healthy("1"), in_grace("2"), stale("b", "b")], False),
        ([healthy("1"), stale("2")], True),
        ([stale("2"), in_grace("3")], True),
        ([stale("2", mute=MUTE)], True),
        ([not_reached("2")], True),
    ],
)
def test_a_problem_is_one_muted_or_not_but_not_one_of_others(
    found: Sequence[Finding], *, has_problem: bool
) -> None:
    assert glance_of(found).has_problem is has_problem


@pytest.mark.parametrize(("count", "named"), [(4, 4), (5, 5), (6, 5)])
def test_five_that_are_late_and_five_that_ended_are_named(count: int, named: int) -> None:
    ended = [ended_problem(f"e{n}", owner="a") for n in range(count)]
    others = [
        ended_problem("b", owner="b"),
        ended_problem("old", owner="a", resolved_at=NOW - HOUR),
    ]
    found = [*(late(n) for n in range(count)), late(99, "b")]

    for asked, more in ((TEAM, 0), (EVERYBODY, 1)):
        tail = glance_of(found, asked, remembered=[*others, *ended]).tail

        assert (len(tail.late), tail.late_count) == (min(named + more, 5), count + more)
        assert (len(tail.resolved), tail.resolved_count) == (min(named + more, 5), count + more)
    assert tail.late[0].guid == "late-99"


def test_late_instances_that_the_report_does_not_name_count_for_all_alone() -> None:
    report = stored([late(1), late(2, "b")])
    head = msgspec.structs.replace(report.head, late_count=1_234)

    for asked, count in ((EVERYBODY, 1_234), (TEAM, 1)):
        reader = report.reader()
        reader.head = head
        tail = Glancing(asked, 25).glance(reader, "", [], None).tail
        assert tail.late_count == count


def test_mutes_are_in_force_or_over_or_for_nobody() -> None:
    states = [
        "active",
        "ending",
        "active",
        "expired",
        "unmatched",
        "unmatched",
        "expired",
        "expired",
    ]

    glance = glance_of([healthy("1")], mutes=[mute_record(state=state) for state in states])

    assert glance.mutes == Mutes(in_force=3, over=3, unmatched=2)


def test_the_head_says_what_was_asked_and_where_it_is() -> None:
    failing = RunsFail(since=NOW, runs=1_200, cause="down", last_failed_at=NOW + HOUR)
    reader = stored([healthy("1")]).reader()

    head = Glancing(TEAM, 25).glance(reader, "r.json", ["one"], failing).head

    assert (head.where, head.notes, head.failing, head.asked) == ("r.json", ("one",), failing, TEAM)
    assert [one.run_id for one in head.history] == [head.report.run.run_id]
    assert failing.said == (
        "Full runs have failed since 2026-01-31 05:00 UTC, 1,200 so far, the last at "
        "2026-01-31 06:00 UTC: down"
    )


# ── Who is known ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "instances", "is_nobody"),
    [
        (EVERYBODY, None, False),
        (Wanted(owner="a"), 2, False),
        (Wanted(owner="b"), 1, False),
        (Wanted(owner=""), 1, False),
        (Wanted(owner="c"), 0, True),
        (Wanted(org="prod-eu"), 2, False),
        (Wanted(org="other"), 2, False),
        (Wanted(org=""), 0, True),
        (Wanted(owner="a", org="other"), None, False),
        (Wanted(owner="b", org="nowhere"), None, True),
        (Wanted(owner="c", org="other"), None, True),
    ],
)
def test_how_many_they_are_says_the_breakdown_healthy_ones_included(
    asked: Wanted, instances: int | None, *, is_nobody: bool
) -> None:
    found = [
        healthy("1"),
        healthy("2", org="other", space="x"),
        healthy("3", "b", org="other", space="y"),
        healthy("4", None),
    ]

    glance = glance_of(found, asked)

    assert (glance.instances, glance.is_nobody) == (instances, is_nobody)


@pytest.mark.parametrize(
    ("asked", "instances", "is_nobody"),
    [
        (Wanted(owner="team-099"), 1, False),
        (Wanted(owner="team-100"), None, False),
        (Wanted(owner="team-999"), None, True),
        (Wanted(org="org-099"), None, False),
        (Wanted(org="org-100"), None, False),
        (Wanted(org="org-999"), None, True),
    ],
)
def test_where_the_breakdown_has_no_room_only_an_owner_with_a_row_is_counted(
    asked: Wanted, instances: int | None, *, is_nobody: bool
) -> None:
    """An org may have more spaces than those that have a row."""
    found = [stale(f"{n}", f"team-{n:03}", org=f"org-{n:03}") for n in range(101)]

    glance = glance_of(found, asked)

    assert (glance.instances, glance.is_nobody) == (instances, is_nobody)
