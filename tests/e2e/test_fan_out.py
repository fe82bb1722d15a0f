"""The state machine: deployed, started, its report read back."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.samples import sample
from tests.e2e.foundation import DEAD, Foundation
from tests.e2e.inputs import Inputs
from tests.e2e.polling import eventually
from tests.e2e.stack import Stack

_RETRIES = 210.0  # seconds that the definition waits before it gives a batch up


@pytest.fixture(scope="module")
def mapped(new_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A stack of its own, with its state machine, in batches of three."""
    stack = new_stack("backup-audit-map", Mode="map", Workers="64")
    in_batches_of_three(stack)
    yield stack
    stack.delete()


def in_batches_of_three(stack: Stack, **changes: str) -> None:
    stack.deploy(**changes)
    stack.set_variable("BATCH_SIZE", "3")


def executed(stack: Stack, *, within: float) -> Any:  # noqa: ANN401
    """The answer of a full run."""
    client = stack.aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=stack.output("StateMachineArn"),
        input=Path("events/manual-full.json").read_text("utf-8"),
    )["executionArn"]

    def ended() -> bool:
        return bool(client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    eventually(ended, within=within, what="the end of the execution")
    description = client.describe_execution(executionArn=execution)
    assert description["status"] == "SUCCEEDED", description
    return json.loads(description["output"])


def test_the_state_machine_audits_the_fleet_in_batches(
    mapped: Stack, foundation: Foundation
) -> None:
    answer = executed(mapped, within=120)

    assert answer["complete"]
    assert answer["coverage"]["configured"] == len(foundation.fleet.configuration["instances"])
    report = json.loads(mapped.read(answer["report"]["key"]))
    assert report["counts"] == answer["counts"]
    parts = [
        key for key in mapped.objects() if "/findings/" in key and report["run"]["run_id"] in key
    ]
    assert len(parts) == 3
    found = [json.loads(line)["guid"] for key in parts for line in mapped.read(key).splitlines()]
    configured = foundation.fleet.configuration["instances"]
    assert sorted(found) == sorted(
        one if isinstance(one, str) else one["guid"] for one in configured
    )


def test_the_steps_can_be_invoked_by_hand(mapped: Stack) -> None:
    steps = Path("events/steps")
    planned = mapped.invoke(sample(steps / "plan.json"))
    audit_batch = sample(steps / "audit-batch.json", key=planned["plan_key"])
    for batch in range(planned["batches"]):
        mapped.invoke(audit_batch | {"batch": batch})

    answer = mapped.invoke(sample(steps / "conclude.json", key=planned["plan_key"]))

    assert (answer["complete"], answer["scope"]) == (True, "what_if")


def test_a_child_that_fails_for_good_leaves_the_others_and_is_unknown_by_guid(
    mapped: Stack, inputs: Inputs
) -> None:
    in_batches_of_three(mapped, ConfigUri=inputs.configurations["with a dead batch"])

    answer = executed(mapped, within=_RETRIES + 120)

    assert not answer["complete"]
    assert answer["coverage"]["configured"] == 9
    report = json.loads(mapped.read(answer["report"]["key"]))
    unknown = [found for found in report["findings"] if found["verdict"] == "unknown"]
    assert sorted(found["guid"] for found in unknown) == sorted(DEAD)
    assert all("its batch failed for good" in found["reason"] for found in unknown)
