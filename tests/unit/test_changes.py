"""New, ongoing, resolved, reopened: what a finding is against the last full report."""

from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.finding import Change, Finding, Problem, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import (
    NOTHING_YET,
    State,
    compared,
    open_problems,
    resolved_by,
)
from backup_audit.report.commit import advance_latest, previous_of
from backup_audit.report.store import RunKeys
from tests.doubles.builders import MUTE, NOW, evidence, finding, instance, run
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import stored

DAY = timedelta(days=1)
S, H, U = Verdict.STALE, Verdict.HEALTHY, Verdict.UNKNOWN
PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]


def history(*verdicts: Verdict, gap: timedelta = DAY) -> list[Finding]:
    """Findings of one instance, a run after the other."""
    state, found = NOTHING_YET, []
    for number, verdict in enumerate(verdicts):
        current, state = the_next(verdict, state, NOW + number * gap)
        found.append(current)
    return found


def young() -> Finding:
    policy = msgspec.structs.replace(BUILT_IN, grace_seconds=24 * 3600)
    listed = evidence(BackupList((), instance_created_at=NOW))
    found = finding_of(Instance("guid-1", policy), listed, run(), None)
    assert found.verdict is Verdict.IN_GRACE
    return found


def the_next(
    verdict: Verdict, state: State, due_at: datetime, mute: Mute | None = None
) -> tuple[Finding, State]:
    """A run's finding, and the state that its report leaves."""
    the_run = run(due_at=due_at)
    plain = young() if verdict is Verdict.IN_GRACE else finding(verdict, mute=mute)
    found = msgspec.structs.replace(plain, due_at=due_at)
    current = compared(found, state.open.get(found.guid), state.resolved.get(found.guid))
    store, keys = InMemoryStore(), RunKeys.of("backup-audit", the_run)
    report = stored([current], remembered=list(state.resolved.values()), of=the_run, store=store)
    advance_latest(report)
    return current, previous_of(store, keys).state


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
    assert unknown.earlier_problem
    assert (unknown.earlier_problem.verdict, unknown.earlier_problem.since) == (Verdict.STALE, NOW)
    assert again.change is Change.ONGOING
    assert again.since == stale.since


def test_a_problem_is_kept_through_any_number_of_unknown_runs() -> None:
    found = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.UNKNOWN)

    assert [one.change for one in found[1:]] == [Change.NEW, Change.ONGOING, Change.ONGOING]
    assert found[-1].earlier_problem == found[1].earlier_problem


def test_only_health_resolves_an_earlier_problem() -> None:
    found = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.HEALTHY)

    assert found[-1].change is Change.RESOLVED
    assert found[-1].since == NOW


def state_after(*verdicts: Verdict, mute: Mute | None = None) -> State:
    """What runs leave, a day after the other, the last of them now."""
    state = NOTHING_YET
    for ago, verdict in zip(reversed(range(len(verdicts))), verdicts, strict=True):
        _, state = the_next(verdict, state, NOW - ago * DAY, mute)
    return state


@pytest.mark.parametrize(
    ("days", "change"), [(29, Change.REOPENED), (30, Change.REOPENED), (31, Change.NEW)]
)
def test_a_problem_that_returns_within_thirty_days_is_reopened(days: int, change: Change) -> None:
    again, _ = the_next(
        Verdict.STALE, state_after(Verdict.STALE, Verdict.HEALTHY), NOW + days * DAY
    )

    assert again.change is change


@pytest.mark.parametrize(("days", "kept"), [(29, 1), (30, 1), (31, 0)])
def test_a_resolved_problem_is_remembered_for_thirty_days(days: int, kept: int) -> None:
    state = state_after(Verdict.STALE, Verdict.HEALTHY)

    _, later = the_next(Verdict.HEALTHY, state, NOW + days * DAY)

    assert len(later.resolved) == kept


def test_a_resolved_problem_says_what_it_was_and_whether_anybody_wants_to_know() -> None:
    [problem] = state_after(Verdict.STALE, Verdict.HEALTHY, mute=MUTE).resolved.values()

    assert (problem.verdict, problem.since, problem.resolved_at) == (Verdict.STALE, NOW - DAY, NOW)
    assert problem.muted


def test_a_problem_that_is_back_is_no_longer_among_the_resolved() -> None:
    assert state_after(Verdict.STALE, Verdict.HEALTHY, Verdict.STALE).resolved == {}


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        # The unknown in between is not what came back, and what came back is.
        ([S, H, U, S], [Change.NEW, Change.RESOLVED, Change.NEW, Change.REOPENED]),
        (
            [S, H, U, H, S],
            [Change.NEW, Change.RESOLVED, Change.NEW, Change.RESOLVED, Change.REOPENED],
        ),
        # Not knowing was no problem that could come back.
        ([U, H, U], [Change.NEW, Change.RESOLVED, Change.NEW]),
        ([U, H, S], [Change.NEW, Change.RESOLVED, Change.NEW]),
    ],
)
def test_an_unknown_neither_uses_up_nor_makes_the_memory_of_ended_problems(
    verdicts: list[Verdict], said: list[Change]
) -> None:
    assert changes(*verdicts) == said


@pytest.mark.parametrize("problem", PROBLEMS)
def test_an_instance_in_grace_keeps_its_problem_until_it_is_healthy(problem: Verdict) -> None:
    opened, young, ended = history(problem, Verdict.IN_GRACE, Verdict.HEALTHY)

    assert young.change is None
    assert young.earlier_problem == Problem(problem, NOW)
    assert ended.change is Change.RESOLVED
    assert ended.earlier_problem == Problem(problem, opened.due_at)


def test_a_problem_behind_a_grace_goes_on_when_it_is_back() -> None:
    assert changes(S, Verdict.IN_GRACE, S) == [Change.NEW, None, Change.ONGOING]
    assert changes(S, Verdict.IN_GRACE, U, H) == [
        Change.NEW,
        None,
        Change.NEW,
        Change.RESOLVED,
    ]


def test_an_unknown_instance_ends_no_problem_though_it_carries_one() -> None:
    *_, unknown = history(Verdict.STALE, Verdict.UNKNOWN)

    assert unknown.earlier_problem
    assert resolved_by(unknown) is None


def test_a_finding_that_ends_a_problem_carries_it() -> None:
    ended = history(Verdict.STALE, Verdict.UNKNOWN, Verdict.HEALTHY)[-1]

    assert ended.earlier_problem == Problem(Verdict.STALE, NOW)


@pytest.mark.parametrize(
    ("verdict", "silence", "status", "not_reached"),
    [
        (U, Silence(Cause.NOT_REACHED, "late"), None, True),
        (U, Refusal(), 428, False),
        (U, Refusal(), 429, True),
        (U, Refusal(), 430, False),
        (U, Silence(Cause.TIMEOUT, "late"), None, False),
        (U, Refusal(), 503, False),
    ],
)
def test_what_was_not_asked_or_refused_for_the_rate_limit_was_not_reached(
    verdict: Verdict, silence: Answer, status: int | None, *, not_reached: bool
) -> None:
    found = finding_of(instance(), evidence(silence, status), run(), None)
    assert found.verdict is verdict

    [opened] = open_problems([compared(found, None)]).values()

    assert opened.not_reached is not_reached
