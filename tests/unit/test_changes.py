"""New, ongoing, resolved, reopened: what a finding is against the last full report."""

from datetime import datetime, timedelta

import pytest

from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import (
    NOTHING_YET,
    State,
    compared,
    resolved_problems,
    state_of,
)
from tests.doubles.builders import MUTE, NOW, finding

DAY = timedelta(days=1)
PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]


def history(*verdicts: Verdict, start: State = NOTHING_YET, gap: timedelta = DAY) -> list[Finding]:
    """Findings of one instance, a run after the other."""
    state, found = start, []
    for number, verdict in enumerate(verdicts):
        due_at = NOW + number * gap
        current = compared(finding(verdict), state, due_at)
        state = state_of([current], resolved_problems([current], state, due_at))
        found.append(current)
    return found


def changes(*verdicts: Verdict, gap: timedelta = DAY) -> list[Change | None]:
    return [found.change for found in history(*verdicts, gap=gap)]


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_a_problem_is_new_then_ongoing_then_resolved(verdict: Verdict) -> None:
    assert changes(Verdict.HEALTHY, verdict, verdict, Verdict.HEALTHY, Verdict.HEALTHY) == [
        None,
        Change.NEW,
        Change.ONGOING,
        Change.RESOLVED,
        None,
    ]


def test_since_is_the_first_run_that_found_the_problem() -> None:
    found = history(Verdict.STALE, Verdict.STALE, Verdict.HEALTHY)

    assert [one.since for one in found] == [NOW, NOW, NOW]


def test_another_problem_of_the_same_instance_is_new() -> None:
    assert changes(Verdict.STALE, Verdict.UNSUPPORTED) == [Change.NEW, Change.NEW]


def test_an_unknown_instance_keeps_its_problem_and_is_told_as_unknown() -> None:
    stale, unknown, again = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.STALE)

    assert unknown.change is Change.NEW
    assert unknown.kept_problem
    assert (unknown.kept_problem.verdict, unknown.kept_problem.since) == (Verdict.STALE, NOW)
    assert again.change is Change.ONGOING
    assert again.since == stale.since


def test_a_problem_is_kept_through_any_number_of_unknown_runs() -> None:
    found = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.UNKNOWN)

    assert [one.change for one in found[1:]] == [Change.NEW, Change.ONGOING, Change.ONGOING]
    assert found[-1].kept_problem == found[1].kept_problem


def test_only_health_resolves_a_kept_problem() -> None:
    found = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.HEALTHY)

    assert found[-1].change is Change.RESOLVED
    assert found[-1].since == NOW


@pytest.mark.parametrize(
    ("days", "change"), [(29, Change.REOPENED), (30, Change.REOPENED), (31, Change.NEW)]
)
def test_a_problem_that_returns_within_thirty_days_is_reopened(days: int, change: Change) -> None:
    ended = finding(Verdict.HEALTHY)
    before = state_of([compared(finding(Verdict.STALE), NOTHING_YET, NOW - DAY)], [])
    resolved = resolved_problems([compared(ended, before, NOW)], before, NOW)

    again = compared(finding(Verdict.STALE), state_of([], resolved), NOW + days * DAY)

    assert again.change is change


def resolved_after(due_at: datetime, muted: bool = False) -> list[str]:  # noqa: FBT001, FBT002
    before = state_of([compared(finding(Verdict.STALE), NOTHING_YET, NOW - DAY)], [])
    now = compared(finding(Verdict.HEALTHY, mute=MUTE if muted else None), before, NOW)
    first = resolved_problems([now], before, NOW)
    later = resolved_problems([finding(Verdict.HEALTHY)], state_of([], first), due_at)
    return [problem.guid for problem in later]


@pytest.mark.parametrize(("days", "kept"), [(29, 1), (30, 1), (31, 0)])
def test_a_resolved_problem_is_remembered_for_thirty_days(days: int, kept: int) -> None:
    assert len(resolved_after(NOW + days * DAY)) == kept


def test_a_resolved_problem_says_what_it_was_and_whether_anybody_wants_to_know() -> None:
    before = state_of([compared(finding(Verdict.STALE), NOTHING_YET, NOW - DAY)], [])

    [problem] = resolved_problems(
        [compared(finding(Verdict.HEALTHY, mute=MUTE), before, NOW)], before, NOW
    )

    assert (problem.verdict, problem.since, problem.resolved_at) == (Verdict.STALE, NOW - DAY, NOW)
    assert problem.muted


def test_a_problem_that_is_back_is_no_longer_among_the_resolved() -> None:
    before = state_of([compared(finding(Verdict.STALE), NOTHING_YET, NOW - DAY)], [])
    resolved = resolved_problems([compared(finding(Verdict.HEALTHY), before, NOW)], before, NOW)
    state = state_of([], resolved)

    again = compared(finding(Verdict.STALE), state, NOW + DAY)

    assert resolved_problems([again], state, NOW + DAY) == ()
