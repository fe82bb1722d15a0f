"""The state machine with the real handlers, on an interpreter of its language."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import ConfigurationUnavailable, CredentialsUnavailable, InvalidEvent
from backup_audit.handler import handler
from backup_audit.plan import EXECUTION_LONGEST
from backup_audit.text import one_line
from tests.doubles.samples import sample
from tests.integration.deployment import (
    EXECUTION,
    PLACE_OF_THE_NEXT_DAY,
    PLAN_KEY,
    RUN_ID,
    SCHEDULED,
    THE_NEXT_DAY,
    Context,
    Deployment,
    deployed,
    hours_ago,
    instance,
)
from tools.local_cloud.lambda_service import lambda_service
from tools.local_cloud.state_machine import StateMachine

pytestmark = pytest.mark.loopback

FLEET = [
    instance(f"guid-{number:02d}", hours_ago(40 if number in (3, 17) else 3))
    for number in range(23)
]
BATCHES = {f"guid-{number:02d}": number // 5 for number in range(23)}

Fails = Callable[[dict[str, Any], int], bool]


class Steps:
    """The real handler; `fails` says of a task, and how often it came before, whether it fails."""

    def __init__(self, fails: Fails) -> None:
        self._fails = fails
        self.done: Counter[str] = Counter()

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        name = f"{task['step']} {task.get('batch', '')}".strip()
        before = self.done[name]
        self.done[name] += 1
        if self._fails(task, before):
            raise RuntimeError("the invocation died")
        return handler(task, Context())


@contextmanager
def fleet_of_23(
    fails: Fails = lambda *_: False, *, in_s3: bool = False, **environment: str
) -> Iterator[tuple[Deployment, StateMachine, Steps]]:
    """A deployment with batches of five, two of them at a time."""
    steps = Steps(fails)
    settings: dict[str, Any] = {"BATCH_SIZE": "5", "WORKERS": "64", "in_s3": in_s3}
    with deployed(FLEET, **settings | environment) as function, lambda_service(steps):
        yield function, StateMachine(), steps


def manifest_of(function: Deployment) -> dict[str, Any]:
    [key] = [key for key in function.keys if key.endswith("manifest.json")]
    document: dict[str, Any] = json.loads(function.read(key))
    return document


def test_a_fleet_is_audited_in_batches_and_told_once() -> None:
    with fleet_of_23(in_s3=True) as (function, machine, steps):
        execution = machine.run(SCHEDULED)

        assert execution.status == "SUCCEEDED", execution
        assert execution.output
        assert execution.output["counts"]["stale"] == 2
        assert execution.output["counts"]["healthy"] == 21
        assert execution.output["complete"]
        assert execution.output["messages_sent"] == function.messages_sent
        assert sorted(function.findings()) == sorted(BATCHES)
        assert len([key for key in function.keys if "/findings/" in key]) == 5
        assert [message.attributes["event"] for message in function.messages] == ["digest"]
        assert steps.done == {"plan": 1, **{f"audit_batch {n}": 1 for n in range(5)}, "conclude": 1}


@pytest.mark.exhaustive
def test_the_report_is_that_of_one_invocation() -> None:
    with fleet_of_23() as (function, machine, _):
        mapped = machine.run(SCHEDULED).output
        assert mapped
        report = function.report(mapped)
        objects = {kept["key"].rsplit("/", 1)[1] for kept in manifest_of(function)["objects"]}
    with deployed(FLEET) as function:
        single = function.report(function.invoke(SCHEDULED))

    for one in (report, single):
        del one["run"]["started_at"]
        del one["inventory"]["read_at"]
    differing = {"finished_at", "effort", "oldest_newest_backup_age_seconds"}
    assert {name for name in report if report[name] != single[name]} <= differing | {"findings"}
    assert {f["guid"] for f in report["findings"]} == {f["guid"] for f in single["findings"]}
    assert report["effort"]["api_calls"] >= len(FLEET)
    assert objects == {
        *(f"part-{number:05d}.jsonl" for number in range(5)),
        "fleet.jsonl",
        "report.json",
        "report.html",
        "findings.csv",
    }


@pytest.mark.exhaustive
def test_a_batch_that_fails_twice_and_then_succeeds_leaves_no_trace() -> None:
    def fails(task: dict[str, Any], before: int) -> bool:
        return task.get("batch") == 2 and before < 2

    with fleet_of_23(fails) as (function, machine, steps):
        execution = machine.run(SCHEDULED)

        assert execution.output
        assert execution.output["complete"]
        assert execution.output["coverage"]["percent"] == 100
        assert steps.done["audit_batch 2"] == 3
        assert sorted(function.findings()) == sorted(BATCHES)


def test_a_batch_that_fails_for_good_is_unknown_by_guid_and_the_report_incomplete() -> None:
    with fleet_of_23(lambda task, _: task.get("batch") == 3) as (function, machine, steps):
        execution = machine.run(SCHEDULED)

        assert execution.status == "SUCCEEDED", execution
        assert execution.output
        assert not execution.output["complete"]
        assert execution.output["coverage"] == {
            "configured": 23,
            "audited": 18,
            "unknown": 5,
            "percent": 78.26,
        }
        assert steps.done["audit_batch 3"] == 4
        unknown = {guid for guid, f in function.findings().items() if f["verdict"] == "unknown"}
        assert unknown == {guid for guid, batch in BATCHES.items() if batch == 3}
        why = "its batch failed for good: it was killed, or never began"
        assert why in function.findings()["guid-15"]["reason"]
        assert why in execution.output["why_incomplete"]
        [digest] = function.messages
        assert "incomplete" in digest.attributes["reason"]


@pytest.mark.exhaustive
def test_the_next_run_begins_with_what_a_failed_batch_left_out() -> None:
    with fleet_of_23(lambda task, before: task.get("batch") == 3 and before < 4) as (
        function,
        machine,
        _,
    ):
        machine.run(SCHEDULED)
        machine.run(THE_NEXT_DAY)

        first = function.read(f"backup-audit/findings/{PLACE_OF_THE_NEXT_DAY}/part-00000.jsonl")
        assert {json.loads(line)["guid"] for line in first.splitlines()} == {
            guid for guid, batch in BATCHES.items() if batch == 3
        }


def test_batches_that_all_fail_are_a_failed_run_and_told_once() -> None:
    with fleet_of_23(lambda task, _: "batch" in task) as (function, machine, _):
        execution = machine.run(SCHEDULED)

        assert execution.status == "FAILED"
        assert [message.attributes["event"] for message in function.messages] == ["run_failed"]
        assert not [key for key in function.keys if key.endswith("manifest.json")]


def test_an_execution_that_is_started_twice_is_one_run() -> None:
    with fleet_of_23() as (function, machine, _):
        first = machine.run(SCHEDULED)
        second = machine.run(SCHEDULED)

        assert first.output
        assert second.output
        assert second.output["repeated"]
        assert second.output["report"] == first.output["report"]
        assert len(function.messages) == 1
        assert sum(function.foundation.requests.values()) < 2 * len(FLEET)


@pytest.mark.exhaustive
def test_a_run_that_one_invocation_committed_gets_no_more_findings() -> None:
    with fleet_of_23() as (function, machine, _):
        function.invoke(SCHEDULED)
        keys = [key for key in function.keys if "/findings/" in key]

        execution = machine.run(SCHEDULED)

        assert execution.output
        assert execution.output["repeated"]
        assert [key for key in function.keys if "/findings/" in key] == keys
        assert sorted(function.findings()) == sorted(BATCHES)


@pytest.mark.exhaustive
def test_two_executions_of_a_run_at_the_same_time_leave_one_report() -> None:
    with fleet_of_23() as (function, machine, _):
        started = [machine.start(SCHEDULED) for _ in range(2)]
        ended = [machine.ended(arn) for arn in started]

        assert [execution.status for execution in ended] == ["SUCCEEDED"] * 2
        assert len([key for key in function.keys if key.endswith("manifest.json")]) == 1
        assert sorted(function.findings()) == sorted(BATCHES)
        # Standard topics deliver at least once: two at once may tell twice, under one id.
        ids = {event["message_id"] for event in function.events}
        assert len(ids) == 2 + 1, "of two problems and of the run"
        assert all(one.startswith(f"local/{RUN_ID}/") for one in ids)


def test_steps_that_are_repeated_find_their_work_done() -> None:
    with fleet_of_23() as (function, machine, steps):
        machine.run(SCHEDULED)
        plan_key = PLAN_KEY
        before, keys = sum(function.foundation.requests.values()), function.keys

        steps({"step": "plan", "event": SCHEDULED, "execution": f"{EXECUTION}-again"})
        steps({"step": "audit_batch", "plan_key": plan_key, "batch": 4})
        answer = steps({"step": "conclude", "plan_key": plan_key, "execution": EXECUTION})

        assert answer["repeated"]
        assert function.keys == keys
        assert sum(function.foundation.requests.values()) == before
        assert len(function.messages) == 1


@pytest.mark.exhaustive
def test_no_more_than_the_ceiling_is_asked_at_a_time() -> None:
    with fleet_of_23(WORKERS="70") as (function, machine, _):
        machine.run(SCHEDULED)

        [plan_key] = [key for key in function.keys if key.endswith("plan.json")]
        ceilings = json.loads(function.read(plan_key))["ceilings"]
    assert ceilings["concurrency"] * ceilings["workers"] <= 70
    assert ceilings == {"concurrency": 2, "workers": 32, "requests_per_second": None}


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"dry_run": True}, "dry_run: the steps write batches"),
        ({"explain": "orders-db"}, "explain: the steps write batches"),
        ({"max_agee": "1h"}, "max_agee"),
    ],
)
def test_an_event_that_cannot_be_planned_fails_the_execution(
    event: dict[str, Any], fault: str
) -> None:
    with fleet_of_23() as (function, machine, steps):
        execution = machine.run(event)

        assert execution.status == "FAILED"
        assert execution.error == "InvalidEvent"
        assert fault in (execution.cause or "")
        assert steps.done == {"plan": 1}
        assert function.messages == []


@pytest.mark.parametrize("path", sorted(Path("events/steps").glob("*.json")), ids=lambda p: p.name)
def test_every_step_can_be_invoked_by_hand(path: Path) -> None:
    order = ["plan.json", "audit-batch.json", "conclude.json"]
    with fleet_of_23(BATCH_SIZE="23") as (function, _, steps):
        answer: dict[str, Any] = {"plan_key": ""}
        for name in order[: order.index(path.name) + 1]:
            answer |= steps(sample(path.parent / name, key=answer["plan_key"]))

        assert answer
        committed = [key for key in function.keys if key.endswith("manifest.json")]
        assert len(committed) == (path.name == "conclude.json")


def by_hand(steps: Steps, event: dict[str, Any], batches: Iterable[int] = ()) -> str:
    """Plan and audit these batches as a person does; return the plan's key."""
    plan_key: str = steps({"step": "plan", "event": event})["plan_key"]
    for batch in batches:
        steps({"step": "audit_batch", "plan_key": plan_key, "batch": batch})
    return plan_key


def test_steps_by_hand_notify_nobody_and_leave_no_claim() -> None:
    with fleet_of_23() as (function, _, steps):
        plan_key = by_hand(steps, {"notify": True}, range(5))
        answer = steps({"step": "conclude", "plan_key": plan_key})
        again = steps({"step": "conclude", "plan_key": plan_key})

        assert (answer["scope"], answer["complete"], answer["repeated"]) == ("full", True, False)
        assert (answer["messages_sent"], again["messages_sent"], again["repeated"]) == (0, 0, True)
        assert function.messages == []
        assert "backup-audit/running.json" not in function.keys


@pytest.mark.parametrize("audited", [[], [0], [0, 1, 3, 4]])
def test_by_hand_nothing_is_concluded_while_a_batch_has_no_findings(audited: list[int]) -> None:
    left = [number for number in range(5) if number not in audited]
    with fleet_of_23() as (function, _, steps):
        plan_key = by_hand(steps, SCHEDULED, audited)

        with pytest.raises(InvalidEvent) as refused:
            steps({"step": "conclude", "plan_key": plan_key})

        said = (
            f"batches without findings, of 5 in all: {', '.join(map(str, left))}; by hand nothing"
        )
        assert said in str(refused.value)
        assert "invoke audit_batch for each of them first" in str(refused.value)
        assert function.messages == []
        assert not [key for key in function.keys if key.endswith(("manifest.json", "latest.json"))]


def test_a_batch_that_failed_is_named_with_its_reason_and_not_concluded_by_hand_either() -> None:
    with fleet_of_23(CA_BUNDLE="ssm:/not/there") as (function, _, steps):
        plan_key = by_hand(steps, SCHEDULED)
        with pytest.raises(ConfigurationUnavailable):
            steps({"step": "audit_batch", "plan_key": plan_key, "batch": 3})

        with pytest.raises(InvalidEvent, match=r"3 \(ConfigurationUnavailable: .*ssm:/not/there"):
            steps({"step": "conclude", "plan_key": plan_key})

        assert function.messages == []


def test_findings_of_instances_that_were_not_reached_are_not_concluded_by_hand() -> None:
    no_time = Context()
    no_time.get_remaining_time_in_millis = lambda: 0  # type: ignore[method-assign]
    with fleet_of_23() as (function, _, steps):
        plan_key = by_hand(steps, SCHEDULED, range(4))
        handler({"step": "audit_batch", "plan_key": plan_key, "batch": 4}, no_time)

        with pytest.raises(InvalidEvent, match="not every instance was reached: the run's time"):
            steps({"step": "conclude", "plan_key": plan_key})

        assert not [key for key in function.keys if key.endswith(("report.json", "findings.csv"))]


@pytest.mark.exhaustive
def test_the_state_machine_concludes_and_notifies_what_was_begun_by_hand() -> None:
    with fleet_of_23() as (function, machine, steps):
        by_hand(steps, SCHEDULED, [2])

        execution = machine.run(SCHEDULED)

        assert execution.output
        assert execution.output["complete"]
        assert len(function.messages) == 1


def test_a_scheduled_run_notifies_of_what_was_concluded_by_hand() -> None:
    with fleet_of_23() as (function, _, steps):
        steps({"step": "conclude", "plan_key": by_hand(steps, SCHEDULED, range(5))})

        answer = function.invoke(SCHEDULED)

        assert answer["repeated"]
        assert len(function.messages) == 1


@pytest.mark.exhaustive
def test_the_reason_of_a_batch_that_failed_comes_into_the_report_and_its_messages() -> None:
    with fleet_of_23() as (function, _, steps):
        plan = {"step": "plan", "event": SCHEDULED, "execution": EXECUTION}
        plan_key = steps(plan)["plan_key"]
        for batch in (0, 1, 2, 4):
            steps({"step": "audit_batch", "plan_key": plan_key, "batch": batch})
        CLIENTS.secretsmanager.delete_secret(
            SecretId=os.environ["CF_CREDENTIALS_SECRET"], ForceDeleteWithoutRecovery=True
        )
        with pytest.raises(CredentialsUnavailable) as failed:
            steps({"step": "audit_batch", "plan_key": plan_key, "batch": 3})

        answer = steps({"step": "conclude", "plan_key": plan_key, "execution": EXECUTION})

        why = f"its batch failed for good: CredentialsUnavailable: {failed.value}"
        assert answer["why_incomplete"] == one_line(why, 300)
        assert function.findings()["guid-15"]["reason"].startswith(f"not reached: {why}"[:300])
        [digest] = function.messages
        assert answer["why_incomplete"] in " ".join(digest.body.split())


@pytest.mark.parametrize(("days", "accepted"), [(14, True), (16, False), (2557, False)])
def test_an_execution_says_no_more_than_a_schedule_when_it_began(
    days: int, *, accepted: bool
) -> None:
    began = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    task = {"step": "plan", "event": {}, "execution": EXECUTION, "started_at": began}
    with fleet_of_23() as (_, _, steps):
        if accepted:
            assert steps(task)["batches"] == 5
        else:
            with pytest.raises(InvalidEvent, match="started_at: is more than 15 days ago"):
                steps(task)


@pytest.mark.parametrize(
    "task",
    [
        {"step": "plan"},
        {"step": "plan", "event": {}, "execution": "by-hand"},
        {"step": "conclude", "plan_key": "x", "execution": ""},
        {"step": "audit_batch", "plan_key": "x", "batch": "one"},
        {"step": "conclude", "plan_key": "x", "more": 1},
        {"step": "rest"},
    ],
)
def test_a_task_that_breaks_its_contract_is_refused(task: dict[str, Any]) -> None:
    with fleet_of_23() as (_, _, steps), pytest.raises(Exception, match="the event has 1 fault"):
        steps(task)


@pytest.mark.parametrize("text", ["\x1b[2J\r\nx", "\u202e\u2028", "x" * 5000, "\ud800"])
def test_a_task_that_is_refused_is_quoted_on_one_line(text: str) -> None:
    for task in ({"step": text}, {"step": "conclude", "plan_key": "x", text: 1}):
        with pytest.raises(InvalidEvent) as raised:
            handler(task, Context())

        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize("step", ["audit_batch", "conclude"])
def test_a_step_without_its_plan_says_what_to_do(step: str) -> None:
    task = {"step": step, "plan_key": "plans/none.json"} | ({"batch": 0} if "batch" in step else {})

    with fleet_of_23() as (_, _, steps), pytest.raises(Exception, match="run the step plan first"):
        steps(task)


def at_work(function: Deployment, ends_in: timedelta) -> None:
    """Let another full run be at work."""
    claim = {"schema_version": 1, "foundation": "local", "run_id": "another", "held_by": "another"}
    ends_at = (datetime.now(UTC) + ends_in).isoformat(timespec="seconds")
    function.write("backup-audit/running.json", json.dumps(claim | {"ends_at": ends_at}).encode())


def test_an_execution_that_begins_while_a_run_is_at_work_names_it_and_asks_nothing() -> None:
    with fleet_of_23() as (function, machine, steps):
        at_work(function, timedelta(minutes=5))

        execution = machine.run(SCHEDULED)

        assert execution.status == "SUCCEEDED", execution
        assert execution.output
        assert execution.output["already_running"]
        assert execution.output["run_id"] == "another"
        assert steps.done == {"plan": 1}
        assert not function.foundation.requests
        assert function.messages == []


@pytest.mark.exhaustive
def test_an_execution_takes_the_claim_of_a_run_that_was_killed_over() -> None:
    with fleet_of_23() as (function, machine, _):
        at_work(function, timedelta(minutes=-5))

        execution = machine.run({})

        assert execution.output
        assert execution.output["complete"]
        claim = json.loads(function.read("backup-audit/running.json"))
        assert claim["run_id"] == execution.output["run_id"]
        assert datetime.fromisoformat(claim["ends_at"]) <= datetime.now(UTC)


def test_the_claim_of_an_execution_ends_with_its_time_out() -> None:
    definition = json.loads(Path("src/state_machine.asl.json").read_text("utf-8"))

    assert definition["TimeoutSeconds"] == EXECUTION_LONGEST.total_seconds()


def test_a_step_plan_that_is_repeated_is_the_run_of_its_execution() -> None:
    started_at = datetime.now(UTC).isoformat()
    task = {"step": "plan", "event": {}, "execution": EXECUTION, "started_at": started_at}
    with fleet_of_23() as (_, _, steps):
        first, second = steps(task), steps(task)

        assert first == second
        assert not second["already_running"]


def test_the_last_step_needs_no_secret_but_for_the_heartbeat(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with fleet_of_23(CA_BUNDLE="ssm:/not/there") as (function, _, steps):
        planned = steps({"step": "plan", "event": SCHEDULED, "execution": EXECUTION})
        with pytest.raises(ConfigurationUnavailable):
            steps({"step": "audit_batch", "plan_key": planned["plan_key"], "batch": 0})
    capsys.readouterr()
    with fleet_of_23() as (function, _, steps):
        planned = steps({"step": "plan", "event": SCHEDULED, "execution": EXECUTION})
        for batch in range(5):
            steps({"step": "audit_batch", "plan_key": planned["plan_key"], "batch": batch})
        CLIENTS.secretsmanager.delete_secret(
            SecretId=os.environ["CF_CREDENTIALS_SECRET"], ForceDeleteWithoutRecovery=True
        )

        answer = steps(
            {"step": "conclude", "plan_key": planned["plan_key"], "execution": EXECUTION}
        )
        again = function.invoke(SCHEDULED)

        assert answer["complete"]
        assert again["repeated"]
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        warnings = [line["message"] for line in lines if line.get("level") == "WARNING"]
        assert [warning.partition(": ")[0] for warning in warnings] == [
            "the configuration hardly means all it says",
            "the heartbeat was not taken",
            "the heartbeat was not taken",
        ]
