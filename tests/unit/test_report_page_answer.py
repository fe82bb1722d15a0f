"""The answer in words, of heads of reports: no page is drawn for it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.run import Scope
from backup_audit.judge.evidence import Cause as NoAnswer
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page import causes, words
from backup_audit.page.answer import (
    Banner,
    Figures,
    banners,
    figures_of,
    heading,
    largest,
    last_known,
    lead,
    marks,
    quiet,
    verdicts_in,
)
from backup_audit.page.causes import Cause, causes_of
from backup_audit.report.figures import BreakdownRow, By
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import Plan, PreviousReport, Report
from tests.doubles.builders import MUTE, NOW, finding, run
from tests.doubles.reports import alerts_from, stored

DAY = timedelta(days=1)
PREVIOUS = PreviousReport(
    run_id="yesterday", report_key="r.json", report_sha256="0" * 64, manifest_sha256=None
)
LOST_ROLE: dict[str, Any] = {"complete": False, "why_incomplete": "900 disappeared at once"}


def fleet(
    verdict: Verdict,
    count: int,
    cause: str | None = None,
    status: int | None = None,
    **parts: Any,  # noqa: ANN401
) -> list[Finding]:
    """So many findings, with the cause and the HTTP status of an unknown one."""
    one = finding(verdict)
    if cause:
        silence = NoAnswer(cause) if cause in list(NoAnswer) else None
        title = None if silence else cause
        summed = msgspec.structs.replace(
            one.evidence, silence=silence, title=title, http_status=status
        )
        one = msgspec.structs.replace(one, evidence=summed)
    return [
        msgspec.structs.replace(one, guid=f"{verdict}-{cause}-{number}", **parts)
        for number in range(count)
    ]


def healthy(count: int) -> list[Finding]:
    return fleet(Verdict.HEALTHY, count)


def stale(count: int, **parts: Any) -> list[Finding]:  # noqa: ANN401
    return fleet(Verdict.STALE, count, **parts)


def muted(count: int) -> list[Finding]:
    return fleet(Verdict.UNSUPPORTED, count, mute=MUTE)


def being_deleted(count: int) -> list[Finding]:
    return fleet(Verdict.NOT_FOUND, count, operation=Operation("delete", "in progress", NOW))


def in_grace(count: int) -> list[Finding]:
    young = fleet(Verdict.NEVER_BACKED_UP, count)
    return [msgspec.structs.replace(one, verdict=Verdict.IN_GRACE) for one in young]


def not_reached(count: int) -> list[Finding]:
    return fleet(Verdict.UNKNOWN, count, NoAnswer.NOT_REACHED)


def timed_out(count: int) -> list[Finding]:
    return fleet(Verdict.UNKNOWN, count, NoAnswer.TIMEOUT)


def refused(count: int, title: str = "CF-NotAuthorized") -> list[Finding]:
    return fleet(Verdict.UNKNOWN, count, title, 403)


def head_of(*parts: Sequence[Finding], scope: Scope = Scope.FULL, **others: Any) -> Report:  # noqa: ANN401
    """The head of a report of these, which goes on from one before it."""
    head = stored([one for part in parts for one in part], of=run(scope)).head
    plan = msgspec.structs.replace(head.plan, previous=PREVIOUS)
    return msgspec.structs.replace(head, **{"plan": plan, **others})


def answer_of(*parts: Sequence[Finding], **others: Any) -> str:  # noqa: ANN401
    head = head_of(*parts, **others)
    return heading(head, figures_of(head), causes_of([one for part in parts for one in part]))


def point(day: int, run_id: str = "", **parts: Any) -> HistoryPoint:  # noqa: ANN401
    """A run of ten instances, so many days from now, in which all was well."""
    one = HistoryPoint(
        run_id=run_id or f"r{day}",
        due_at=NOW + day * DAY,
        complete=True,
        percent=100.0,
        counts={"healthy": 10},
        open=0,
        new=0,
        resolved=0,
        muted=0,
    )
    return msgspec.structs.replace(one, **parts)


# ── The heading ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([healthy(1)], "No problem found: 1 instance backed up"),
        ([healthy(2)], "No problem found: all 2 instances backed up"),
        ([healthy(2), in_grace(1)], "No problem found: 2 of 3 instances backed up, 1 in grace"),
        (
            [healthy(2), muted(1)],
            "No open problem: 2 of 3 instances backed up, 1 muted with a problem",
        ),
        (
            [healthy(2), being_deleted(1)],
            "No open problem: 2 of 3 instances backed up, 1 with a problem and being deleted",
        ),
        (
            [healthy(2), being_deleted(3), in_grace(2), muted(1)],
            (
                "No open problem: 2 of 8 instances backed up, 1 muted with a problem, 2 in grace, "
                "3 with a problem and being deleted"
            ),
        ),
        ([in_grace(1)], "No problem found: 0 of 1 instance backed up, 1 in grace"),
    ],
)
def test_it_is_never_more_of_an_all_clear_than_is_true(
    findings: Sequence[Sequence[Finding]], said: str
) -> None:
    assert answer_of(*findings) == said


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([healthy(3)], "no problem"),
        ([healthy(3), in_grace(1)], "no problem"),
        ([healthy(3), muted(1)], "no open problem"),
        ([healthy(3), being_deleted(1)], "no open problem"),
    ],
)
def test_whoever_hides_a_problem_is_not_called_free_of_one_beside_those_not_reached(
    findings: Sequence[Sequence[Finding]], said: str
) -> None:
    assert answer_of(*findings, not_reached(1)).endswith(
        f" instances was not reached; {said} among the others"
    )


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        (
            [not_reached(2)],
            "Nothing is known: none of 2 instances was reached",
        ),
        (
            [not_reached(1), timed_out(1)],
            "Nothing is known: the API answered for none of 2 instances",
        ),
        (
            [timed_out(1)],
            "Nothing is known: the API answered for none of 1 instance",
        ),
        (
            [not_reached(1), timed_out(1), refused(1)],
            "Nothing is known: the API gave no usable answer for any of 3 instances",
        ),
    ],
)
def test_where_nothing_is_known_it_says_as_much_as_the_causes_prove(
    findings: Sequence[Sequence[Finding]], said: str
) -> None:
    assert answer_of(*findings) == said


@pytest.mark.parametrize(("others", "is_nothing_known"), [(0, True), (1, False)])
def test_nothing_is_known_only_if_not_one_could_be_audited(
    others: int, *, is_nothing_known: bool
) -> None:
    said = answer_of(refused(3), healthy(others))

    assert said.startswith("Nothing is known") is is_nothing_known


def test_without_a_cause_it_does_not_say_that_nobody_was_reached() -> None:
    head = head_of(not_reached(2))

    assert heading(head, figures_of(head)) == (
        "Nothing is known: the API answered for none of 2 instances"
    )


@pytest.mark.parametrize(
    ("scope", "count", "have"),
    [
        (Scope.FULL, 1, "has"),
        (Scope.FULL, 2, "have"),
        (Scope.PARTIAL, 2, "have"),
        (Scope.WHAT_IF, 1, "would have"),
        (Scope.WHAT_IF, 2, "would have"),
    ],
)
def test_who_has_a_problem_in_a_what_if_only_would_have_one(
    scope: Scope, count: int, have: str
) -> None:
    said = answer_of(stale(count), healthy(3), scope=scope)

    assert said == f"{count} of {count + 3} instances {have} a backup problem"


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([healthy(2)], "Incomplete: no problem found, all 2 instances backed up"),
        ([healthy(1), stale(1)], "Incomplete: 1 of 2 instances has a backup problem"),
        (
            [healthy(2), not_reached(1)],
            "1 of 3 instances was not reached; no problem among the others",
        ),
        (
            [stale(2), not_reached(1)],
            "2 of 3 instances have a backup problem, and 1 was not reached",
        ),
        (
            [stale(1), not_reached(2)],
            "1 of 3 instances has a backup problem, and 2 were not reached",
        ),
    ],
)
def test_an_incomplete_run_is_called_so_unless_it_says_who_was_not_reached(
    findings: Sequence[Sequence[Finding]], said: str
) -> None:
    assert answer_of(*findings, **LOST_ROLE) == said


def test_counts_are_worst_first_and_those_that_are_not_there_0() -> None:
    found = verdicts_in({"healthy": 3, "stale": 2})

    assert list(found.items()) == [
        (Verdict.NEVER_BACKED_UP, 0),
        (Verdict.STALE, 2),
        (Verdict.UNSUPPORTED, 0),
        (Verdict.NOT_FOUND, 0),
        (Verdict.UNKNOWN, 0),
        (Verdict.IN_GRACE, 0),
        (Verdict.HEALTHY, 3),
    ]


def test_a_run_in_numbers_adds_up() -> None:
    head = head_of(healthy(3), stale(9), muted(1), in_grace(2), being_deleted(3), not_reached(4))

    assert figures_of(head) == Figures(
        configured=22,
        healthy=3,
        in_grace=2,
        open=9,
        muted=1,
        not_reached=4,
        being_deleted=3,
        unknown=4,
        problems=17,
    )


# ── What is said below it ─────────────────────────────────────────────────────────────────────────


def lead_of(*parts: Sequence[Finding], **others: Any) -> str:  # noqa: ANN401
    head = head_of(*parts, **others)
    return lead(head, figures_of(head))


def test_the_line_below_the_heading_has_all_that_the_run_found_in_its_order() -> None:
    head = head_of(healthy(3), stale(9), muted(1), in_grace(2), being_deleted(3), not_reached(4))
    news = msgspec.structs.replace(head.news, new=5, worse=6, resolved=7)
    head = msgspec.structs.replace(head, news=news)

    assert lead(head, figures_of(head)) == (
        "Audited 18 of 22 (81.81 %). 5 new, 6 worse than before, 7 ended, 1 muted, 2 in grace, "
        "3 with a problem and being deleted and 4 not reached."
    )


def test_with_nothing_to_add_the_coverage_stands_alone() -> None:
    assert lead_of(healthy(2)) == "Audited 2 of 2 (100 %)."


@pytest.mark.parametrize(
    ("scope", "previous", "is_said"),
    [
        (Scope.FULL, PREVIOUS, True),
        (Scope.FULL, None, False),
        (Scope.PARTIAL, PREVIOUS, False),
        (Scope.WHAT_IF, PREVIOUS, False),
    ],
)
def test_what_is_new_is_said_of_full_runs_that_have_one_before_them(
    scope: Scope, previous: PreviousReport | None, *, is_said: bool
) -> None:
    head = head_of(healthy(2), stale(1), scope=scope)
    news = msgspec.structs.replace(head.news, new=1, worse=1, resolved=1)
    plan = msgspec.structs.replace(head.plan, previous=previous)
    head = msgspec.structs.replace(head, news=news, plan=plan)

    said = lead(head, figures_of(head))

    assert said.endswith(" 1 new, 1 worse than before and 1 ended.") is is_said
    assert ("new" in said, "ended" in said) == (is_said, is_said)


@pytest.mark.parametrize(
    ("unknown", "left", "of"),
    [
        (0, 2, r"\. 2 not reached"),
        (1, 0, r": of 1 nothing could be found out"),
        (1, 2, r": of 1 nothing could be found out\. 2 not reached"),
    ],
)
def test_of_how_many_nothing_could_be_found_out_counts_those_that_were_asked(
    unknown: int, left: int, of: str
) -> None:
    said = lead_of(healthy(3), refused(unknown), not_reached(left))

    assert re.fullmatch(r"Audited 3 of \d \([\d.]+ %\)" + of + r"\.", said)


def test_where_nothing_is_known_nothing_is_called_new_or_ended() -> None:
    head = head_of(refused(2), not_reached(1), fleet(Verdict.UNKNOWN, 1, "CF-X", 500, mute=MUTE))
    news = msgspec.structs.replace(head.news, new=2, worse=1, resolved=1)
    head = msgspec.structs.replace(head, news=news)

    assert lead(head, figures_of(head)) == "Audited 0 of 4 (0 %). 1 muted and 1 not reached."


def owners(*counts: int, by: By = By.OWNER) -> list[BreakdownRow]:
    """A row for each of several owners, who have so many open problems."""
    return [
        BreakdownRow(
            by=by,
            owner=f"team-{n}",
            instances=9,
            open=count,
            new=0,
            muted=0,
            counts={},
            open_counts={},
        )
        for n, count in enumerate(counts)
    ]


@pytest.mark.parametrize(("count", "is_said"), [(99, False), (100, True), (101, True)])
def test_from_a_hundred_problems_on_it_is_said_who_has_most(count: int, *, is_said: bool) -> None:
    head = head_of(stale(count), healthy(1))

    assert (largest(owners(60, 40), figures_of(head)) is not None) is is_said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (owners(70), "team-0 70"),
        (owners(40, 30, 20), "team-0 40, team-1 30 and team-2 20"),
        (owners(40, 30, 20, 10), "team-0 40, team-1 30 and team-2 20"),
        ([*owners(90, by=By.SPACE), *owners(10, 0)], "team-0 10"),
        ([msgspec.structs.replace(*owners(90), owner=None), *owners(10)], "team-0 10"),
    ],
)
def test_the_three_owners_with_most_problems_are_named(
    rows: Sequence[BreakdownRow], said: str
) -> None:
    figures = figures_of(head_of(stale(100), healthy(1)))

    assert largest(rows, figures) == f"Most of them: {said}."


def test_without_an_owner_or_without_knowledge_nobody_is_named() -> None:
    nobody = [msgspec.structs.replace(*owners(100), owner=None)]

    assert largest(nobody, figures_of(head_of(stale(100), healthy(1)))) is None
    assert largest(owners(100), figures_of(head_of(refused(100)))) is None


# ── Since when all is quiet ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("history", "runs"),
    [
        ([], None),
        ([point(0)], None),
        ([point(-1), point(0)], 2),
        ([point(-2), point(-1), point(0)], 3),
        ([point(-3, open=1), point(-2), point(-1), point(0)], 3),
        ([point(-3, percent=0.0), point(-2), point(-1), point(0)], 3),
        ([point(-3, complete=False), point(-2), point(-1), point(0)], 3),
        ([point(-2), point(-1), point(0, open=1)], None),
        ([point(-1, open=1), point(0)], None),
        ([point(-1, percent=0.01), point(0)], 2),
    ],
)
def test_quiet_is_a_row_of_two_complete_runs_that_knew_something_and_more(
    history: Sequence[HistoryPoint], runs: int | None
) -> None:
    said = quiet(head_of(healthy(1)), history)

    since = {2: "30 Jan", 3: "29 Jan"}
    assert said == (
        runs
        and f"No open problem in {runs} full runs in a row, since 2026-01-{since[runs][:2]} "
        "05:00 UTC."
    )


@pytest.mark.parametrize("others", [{"scope": Scope.PARTIAL}, {"scope": Scope.WHAT_IF}, LOST_ROLE])
def test_an_incomplete_run_or_one_of_another_scope_is_not_quiet(others: dict[str, Any]) -> None:
    assert quiet(head_of(healthy(1), **others), [point(-1), point(0)]) is None


# ── What a reader must know before all ────────────────────────────────────────────────────────────


def banners_of(head: Report, history: Sequence[HistoryPoint] = ()) -> list[Banner]:
    return list(banners(head, figures_of(head), history))


def test_an_ordinary_run_has_no_banner_and_no_mark() -> None:
    head = head_of(healthy(2))

    assert (banners_of(head), marks(head)) == ([], [])


@pytest.mark.parametrize(
    ("count", "asked"), [(1, "1 instance was asked"), (2, "2 instances were asked")]
)
def test_a_run_of_some_instances_is_no_evidence_of_the_fleet(count: int, asked: str) -> None:
    head = head_of(healthy(count), scope=Scope.PARTIAL)

    [banner] = banners_of(head)

    assert (banner.title, banner.is_grave) == ("Only some instances.", True)
    assert banner.text.startswith(f"{asked} for by hand. This says nothing of the others")
    assert marks(head) == ["PARTIAL"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"as_of": NOW - DAY}, "judged as of 2026-01-30 05:00 UTC: not the"),
        ({"max_age_seconds": 3600}, "judged with a max_age of 1 h for each instance: not the"),
        (
            {"as_of": NOW - DAY, "max_age_seconds": 7_200},
            "judged as of 2026-01-30 05:00 UTC and judged with a max_age of 2 h for each instance:",
        ),
    ],
)
def test_a_what_if_says_what_it_was_judged_by(asked: dict[str, Any], said: str) -> None:
    head = head_of(healthy(2), scope=Scope.WHAT_IF)
    head = msgspec.structs.replace(head, run=msgspec.structs.replace(head.run, **asked))

    [banner] = banners_of(head)

    assert (banner.title, banner.is_grave) == ("A what-if:", True)
    assert banner.text.startswith(said)
    assert marks(head) == ["WHAT-IF"]


@pytest.mark.parametrize(
    ("since", "said"),
    [
        (None, "900 disappeared at once."),
        (NOW, "900 disappeared at once."),
        (
            NOW - DAY,
            "900 disappeared at once. Runs are incomplete since 2026-01-30 05:00 UTC.",
        ),
    ],
)
def test_an_incomplete_run_says_why_and_if_it_is_not_the_first_since_when(
    since: Any,  # noqa: ANN401
    said: str,
) -> None:
    alerts = alerts_from(NOW, incomplete_since=since)
    head = head_of(healthy(2), alerts=alerts, **LOST_ROLE)

    [banner] = banners_of(head)

    assert banner == Banner("The audit is incomplete:", said, page="docs/runbook.md#incompleterun")
    assert marks(head) == ["INCOMPLETE"]


def test_a_run_that_began_late_says_by_how_much() -> None:
    head = head_of(healthy(2))
    late = msgspec.structs.replace(head.run, started_at=NOW + 3 * DAY)

    [banner] = banners_of(msgspec.structs.replace(head, run=late))

    assert banner == Banner(
        "Late.", "The run was due at 2026-01-31 05:00 UTC, and began 3 d later."
    )


def without_one_before(head: Report, *warnings: str) -> Report:
    plan: Plan = msgspec.structs.replace(head.plan, previous=None, warnings=warnings)
    return msgspec.structs.replace(head, plan=plan)


@pytest.mark.parametrize(("count", "is_first"), [(0, True), (1, True), (2, False)])
def test_the_first_full_run_says_so_and_that_is_nothing_grave(
    count: int, *, is_first: bool
) -> None:
    head = without_one_before(head_of(healthy(2)), "labels were ignored")

    shown = banners_of(head, [point(-day) for day in range(count)])

    nothing_new = "There is no run before to compare with: nothing is marked as new."
    said = Banner("First full run.", nothing_new, is_grave=False)
    assert shown == ([said] if is_first else [])


def test_a_report_that_is_lost_is_named_whatever_the_history_has_and_is_grave() -> None:
    lost = ("latest.json is gone: all is new", "a.json is no report: all is new")
    head = without_one_before(head_of(healthy(2)), lost[0], "labels were ignored", lost[1])

    [banner] = banners_of(head, [point(-1), point(0)])

    assert banner == Banner(
        "The report before is lost.",
        f"{lost[0]}; {lost[1]}. History and changes start anew with this run.",
    )


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_a_run_of_another_scope_is_never_called_the_first(scope: Scope) -> None:
    head = without_one_before(head_of(healthy(2), scope=scope))

    assert len(banners_of(head)) == 1


def test_the_gravest_comes_first() -> None:
    head = without_one_before(head_of(healthy(2), **LOST_ROLE))
    late = msgspec.structs.replace(head.run, started_at=NOW + 3 * DAY)

    shown = banners_of(msgspec.structs.replace(head, run=late))

    assert [one.title for one in shown] == [
        "The audit is incomplete:",
        "Late.",
        "First full run.",
    ]


# ── Where nothing is known ────────────────────────────────────────────────────────────────────────


def test_the_last_known_run_is_the_last_before_this_one_that_knew_something() -> None:
    head = head_of(refused(2))
    earlier = point(-3, open=2, counts={"healthy": 7, "stale": 2, "unknown": 1}, percent=90.0)
    history = [
        point(-4, open=9),
        earlier,
        point(-2, percent=0.0),
        point(0, head.run.run_id, percent=50.0),
    ]

    known = last_known(head, history)

    assert known is not None
    assert known.point == earlier
    assert known.said == "2 of 10 instances had a problem"
    assert (known.when, known.machine_time) == (
        "Wed 28 Jan 2026, 05:00 UTC",
        "2026-01-28T05:00:00Z",
    )


@pytest.mark.parametrize("history", [[], [point(-1, percent=0.0)]])
def test_there_may_be_no_run_that_knew_anything(history: Sequence[HistoryPoint]) -> None:
    assert last_known(head_of(refused(2)), history) is None


def test_the_three_most_frequent_causes_are_named_with_the_reason_of_their_first() -> None:
    said = [(4, "CF-A"), (1, "CF-B"), (3, "CF-C"), (2, "CF-D")]
    found = [
        msgspec.structs.replace(one, reason=f"{title} {number}")
        for count, title in said
        for number, one in enumerate(refused(count, title))
    ]

    assert causes_of(found) == [
        Cause(http_status=403, title="CF-A", reason="CF-A 0", count=4),
        Cause(http_status=403, title="CF-C", reason="CF-C 0", count=3),
        Cause(http_status=403, title="CF-D", reason="CF-D 0", count=2),
    ]


def test_a_cause_is_of_one_status_and_one_title() -> None:
    found = [*refused(1), *refused(1, "CF-Other"), *fleet(Verdict.UNKNOWN, 1, "CF-Other", 500)]

    assert [one.count for one in causes_of(found)] == [1, 1, 1]


def test_kinds_beyond_those_that_are_counted_apart_hide_none_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(causes, "_KINDS_MAX", 2)
    titles = ("CF-A", "CF-B", "CF-C", "CF-C", "CF-C", "CF-B", "CF-B", "CF-A")
    found = [one for title in titles for one in refused(1, title)]

    assert [(one.title, one.count) for one in causes_of(found)] == [("CF-B", 3), ("CF-A", 2)]


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("difference", "said"),
    [(-1_200, "\N{MINUS SIGN}1,200"), (-1, "\N{MINUS SIGN}1"), (1, "+1"), (1_200, "+1,200")],
)
def test_a_difference_has_its_sign(difference: int, said: str) -> None:
    assert words.signed(difference) == said


def test_a_day_has_the_name_of_its_month_and_a_moment_that_of_its_weekday() -> None:
    firsts = [datetime(2026, month, 1, 5, 3, 9, tzinfo=UTC) for month in range(1, 13)]
    week = [datetime(2026, 11, day, tzinfo=UTC) for day in range(23, 30)]

    assert [words.day(one)[:5] for one in firsts] == [
        *("1 Jan", "1 Feb", "1 Mar", "1 Apr", "1 May", "1 Jun"),
        *("1 Jul", "1 Aug", "1 Sep", "1 Oct", "1 Nov", "1 Dec"),
    ]
    assert [words.long_time(one)[:3] for one in week] == [
        *("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    ]
    assert words.long_time(firsts[0]) == "Thu 1 Jan 2026, 05:03 UTC"
    assert words.dated(firsts[-1]) == "1 Dec 2026"
    assert words.machine_time(firsts[-1]) == "2026-12-01T05:03:09Z"


@pytest.mark.parametrize(
    ("parts", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_a_list_is_said_with_an_and(parts: list[str], said: str) -> None:
    assert words.joined(parts) == said


@pytest.mark.parametrize(
    ("org", "space", "said"),
    [
        ("eu", "prod", "eu / prod"),
        ("eu", None, "eu / ?"),
        (None, "prod", "? / prod"),
        (" ", "\n", "not known"),
        (None, None, "not known"),
    ],
)
def test_a_place_is_said_as_far_as_it_is_known(
    org: str | None, space: str | None, said: str
) -> None:
    assert words.place_of(org, space) == said


@pytest.mark.parametrize(
    ("offering", "plan", "said"),
    [
        ("mysql", "gold", "mysql gold"),
        ("mysql", None, "mysql"),
        (None, "gold", "gold"),
        (" ", "", ""),
    ],
)
def test_a_service_is_said_as_far_as_it_is_known(
    offering: str | None, plan: str | None, said: str
) -> None:
    assert words.service_of(offering, plan) == said


def test_a_usual_interval_is_said_roughly() -> None:
    assert words.rough(6 * 3600 - 100) == "6 h"


def test_the_address_of_a_view_is_made_of_data_and_means_nothing_else() -> None:
    assert words.fragment(o="a/b&c=d #e", v="stale") == "#o=a%2Fb%26c%3Dd%20%23e&v=stale"
