"""Which deliveries are the same run."""

from datetime import UTC, datetime, timedelta

import pytest

from backup_audit.fleet.run import AuditRequest, plan_run

DUE = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)
LATER = DUE + timedelta(minutes=7)


def test_a_scheduled_run_is_named_by_its_scheduled_time_whoever_delivers_it() -> None:
    request = AuditRequest(scheduled_time=DUE)

    first = plan_run(request, LATER, "invocation-1")
    second = plan_run(request, LATER + timedelta(hours=1), "invocation-2")

    assert first.run_id == second.run_id == "20260131T050000Z"
    assert first.due_at == DUE


def test_a_run_by_hand_is_a_run_of_its_own() -> None:
    first = plan_run(AuditRequest(), LATER, "invocation-1")
    second = plan_run(AuditRequest(), LATER, "invocation-2")

    assert first.run_id.startswith("20260131T050700Z-full-")
    assert first.run_id != second.run_id
    assert first.due_at == LATER


@pytest.mark.parametrize(
    "request_",
    [
        AuditRequest(scheduled_time=DUE, instance_guids=["a"]),
        AuditRequest(scheduled_time=DUE, max_age="1h"),
        AuditRequest(scheduled_time=DUE, as_of=DUE),
    ],
)
def test_no_other_run_takes_the_name_of_the_full_one(request_: AuditRequest) -> None:
    run = plan_run(request_, LATER, "invocation-1")

    assert run.run_id.startswith(f"20260131T050000Z-{run.scope}-")
    assert run.run_id == plan_run(request_, LATER, "invocation-2").run_id


def test_what_is_asked_for_tells_scheduled_what_ifs_apart() -> None:
    names = {
        plan_run(AuditRequest(scheduled_time=DUE, max_age=f"{n}h"), LATER, "i").run_id
        for n in range(1, 4)
    }

    assert len(names) == 3
