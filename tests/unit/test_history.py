"""The history in a report: the full runs before it and itself, each as it was judged then."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import BackupList, Cause, Silence
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.report.history import HISTORY_MAX, HistoryPoint, continued
from backup_audit.report.report import Answer, StoredPlan, WholeReport
from tests.doubles.builders import NOW, a_list
from tests.doubles.days import DAY, EVERYTHING, Days, row

GUIDS = ("a", "b", "c", "d")
Make = Callable[..., Days]


@pytest.fixture(params=[False, True], ids=["single", "map"])
def days(request: pytest.FixtureRequest) -> Days:
    """A foundation of four instances, audited in one invocation or in the steps of mode map."""
    return Days([row(guid) for guid in GUIDS], mapped=request.param)


def report_of(days: Days, answer: Answer) -> WholeReport:
    assert answer.report
    return msgspec.json.decode(days.store.objects[answer.report.key], type=WholeReport)


def run_ids(report: WholeReport) -> list[str]:
    return [one.run_id for one in report.history]


def point(number: int) -> HistoryPoint:
    return HistoryPoint(
        run_id=f"run-{number}",
        due_at=NOW + number * DAY,
        complete=True,
        percent=100.0,
        counts={},
        open=0,
        new=0,
        resolved=0,
        muted=0,
    )


@pytest.mark.parametrize(
    ("before", "first"),
    [(0, 0), (1, 0), (HISTORY_MAX - 2, 0), (HISTORY_MAX - 1, 0), (HISTORY_MAX, 1), (200, 111)],
)
def test_a_history_has_ninety_full_runs_and_loses_the_oldest(before: int, first: int) -> None:
    points = [point(number) for number in range(before + 1)]

    history = continued(points[:-1], points[-1])

    assert history == tuple(points[first:])
    assert len(history) == min(before + 1, HISTORY_MAX)


def test_the_first_full_run_is_the_only_one_of_its_history(days: Days) -> None:
    report = report_of(days, days.run())

    assert run_ids(report) == [report.run.run_id]


def test_a_run_stands_in_its_history_with_its_own_figures(days: Days) -> None:
    days.answers["a"] = a_list(50)
    days.answers["b"] = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
    days.configuration = {
        **EVERYTHING,
        "mutes": [{"guid": "c", "owner": "dba", "reason": "moves", "until": "2026-12-31"}],
    }
    days.answers["c"] = BackupList(())
    days.run()
    days.answers["a"] = a_list(3)
    days.answers["d"] = a_list(70)

    report = report_of(days, days.run())

    assert report.history[-1] == HistoryPoint(
        run_id=report.run.run_id,
        due_at=report.run.due_at,
        complete=False,
        percent=75.0,
        counts=report.counts,
        open=report.news.problems,
        new=1,
        resolved=1,
        muted=1,
    )
    assert report.history[-1].open == 1
    assert [one.due_at for one in report.history] == [NOW + DAY, NOW + 2 * DAY]


def test_days_without_a_run_leave_no_point(days: Days) -> None:
    days.run()

    report = report_of(days, days.run(days=5))

    assert [one.due_at for one in report.history] == [NOW + DAY, NOW + 6 * DAY]


@pytest.mark.parametrize(
    "request_of",
    [
        AuditRequest(instance_guids=["a"]),
        AuditRequest(max_age="1h"),
        AuditRequest(as_of=NOW),
    ],
    ids=["partial", "max_age", "as_of"],
)
def test_a_run_of_another_scope_has_the_full_runs_before_it_and_adds_none(
    days: Days, request_of: AuditRequest
) -> None:
    full = report_of(days, days.run())

    other = report_of(days, days.run(request_of))
    later = report_of(days, days.run())

    assert other.history == full.history
    assert later.history[:-1] == full.history


def test_a_run_of_another_scope_before_any_full_one_has_no_history(days: Days) -> None:
    assert report_of(days, days.run(AuditRequest(instance_guids=["a"]))).history == []


def test_what_a_run_was_judged_by_then_no_later_policy_changes(days: Days) -> None:
    days.answers["a"] = a_list(50)
    before = report_of(days, days.run())

    days.configuration = {**EVERYTHING, "rules": [{"match": {"org": "*"}, "max_age": "1h"}]}
    strict = report_of(days, days.run())
    days.configuration = {**EVERYTHING, "rules": [{"match": {"org": "*"}, "max_age": "99d"}]}
    mild = report_of(days, days.run())

    assert [one.counts["stale"] for one in mild.history] == [1, 4, 0]
    assert [one.open for one in mild.history] == [1, 4, 0]
    assert mild.history[:2] == strict.history
    assert strict.history[:1] == before.history


def test_a_report_that_is_lost_takes_the_history_with_it_and_the_next_says_so(days: Days) -> None:
    days.run()
    days.run()
    key = days.latest.report_key
    del days.store.objects[key]

    report = report_of(days, days.run())

    assert run_ids(report) == [report.run.run_id]
    assert f"backup-audit/latest.json points at {key}, which is gone: all is new" in (
        report.plan.warnings
    )


def test_a_report_whose_history_is_damaged_is_no_report_and_the_next_begins_anew(
    days: Days,
) -> None:
    days.run()
    key = days.latest.report_key
    body = days.store.objects[key]
    days.store.objects[key] = body.replace(b'"percent":100.0,"counts"', b'"percent":"x","counts"')
    assert days.store.objects[key] != body

    report = report_of(days, days.run())

    assert run_ids(report) == [report.run.run_id]
    assert [one for one in report.plan.warnings if one.startswith(f"{key} is no report (")]


def test_the_history_is_settled_with_the_plan_whatever_is_committed_meanwhile() -> None:
    days = Days([row(guid) for guid in GUIDS], mapped=True)
    first = report_of(days, days.run())
    at = NOW + 2 * DAY
    run = plan_run(AuditRequest(scheduled_time=at), at, "execution")
    planned = days.audit().plan(AuditRequest(scheduled_time=at), run)
    assert isinstance(planned, PlanAnswer)
    stored = read_plan(days.store, planned.plan_key)
    del days.store.objects["backup-audit/running.json"]  # as if its execution had been given up
    other = report_of(days, days.run(AuditRequest()))

    for number in range(stored.batches):
        days.audit().audit_batch(stored, number)
    report = report_of(days, days.audit().conclude(stored))

    assert run_ids(report) == [first.run.run_id, stored.run.run_id]
    assert run_ids(other) == [first.run.run_id, other.run.run_id]


def test_two_deliveries_that_die_and_go_on_write_one_history(days: Days) -> None:
    days.run()
    answer = days.run()
    report = report_of(days, answer)
    [plan_key] = [key for key in days.store.objects if f"{answer.run_id}/plan.json" in key]
    plan = msgspec.json.decode(days.store.objects[plan_key], type=StoredPlan)
    for name in ("report.json", "report.html", "manifest.json"):
        del days.store.objects[days.latest.report_key.replace("report.json", name)]

    again = report_of(days, days.run(AuditRequest(scheduled_time=report.run.due_at)))

    assert again.history == report.history
    assert [*plan.history, report.history[-1]] == report.history
    assert len(again.history) == 2


def test_a_run_that_is_late_has_the_runs_that_were_due_before_it() -> None:
    days = Days([row(guid) for guid in GUIDS])
    days.run()
    days.run(days=2)

    late = report_of(days, days.run(AuditRequest(scheduled_time=NOW + 2 * DAY)))
    after = report_of(days, days.run())

    assert [one.due_at for one in late.history] == [NOW + DAY, NOW + 2 * DAY]
    assert [one.due_at for one in after.history] == [NOW + DAY, NOW + 3 * DAY, NOW + 4 * DAY]


def test_full_runs_by_hand_are_points_too(days: Days) -> None:
    days.run()
    days.run(AuditRequest(), days=0)

    report = report_of(days, days.run())

    assert len(report.history) == 3
    assert report.history[1].run_id.startswith("20260201T050000Z-full-")
    assert report.history[1].due_at - report.history[0].due_at == timedelta(0)


def test_a_run_concluded_by_hand_is_a_point_as_any_other() -> None:
    days = Days([row(guid) for guid in GUIDS], mapped=True)
    first = report_of(days, days.run())
    days.day += 1
    request, at = AuditRequest(), NOW + days.day * DAY
    planned = days.audit().plan(request, plan_run(request, at, "by hand"), by_hand=True)
    assert isinstance(planned, PlanAnswer)
    stored = read_plan(days.store, planned.plan_key)
    for number in range(stored.batches):
        days.audit().audit_batch(stored, number)

    report = report_of(days, days.audit().conclude(stored, by_hand=True))
    after = report_of(days, days.run())

    assert run_ids(report) == [first.run.run_id, stored.run.run_id]
    assert after.history[:-1] == report.history


def test_ninety_one_days_leave_the_last_ninety() -> None:
    days = Days([row("a")])
    for _ in range(HISTORY_MAX + 1):
        answer = days.run()

    report = report_of(days, answer)

    assert [one.due_at for one in report.history] == [
        NOW + number * DAY for number in range(2, HISTORY_MAX + 2)
    ]
    size = sum(len(msgspec.json.encode(one)) for one in report.history)
    assert size < 40_000, "report.json stays small"
