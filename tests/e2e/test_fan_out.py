"""The state machine: deployed, started by the SAM CLI, its report read back.

A batch that fails is tried on moto (tests/integration/test_state_machine.py), whose waits before
retries can be shortened: here they would take minutes.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.foundation import Foundation
from tests.e2e.polling import eventually
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def mapped(new_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A stack of its own, with its state machine, in batches of three."""
    stack = new_stack("backup-audit-map", Mode="map", BatchSize="3")
    stack.deploy()
    yield stack
    stack.delete()


def test_the_state_machine_audits_the_fleet_in_batches(
    mapped: Stack, foundation: Foundation
) -> None:
    client = mapped.aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=mapped.output("StateMachineArn"),
        input=Path("events/manual-full.json").read_text("utf-8"),
    )["executionArn"]

    def ended() -> bool:
        return bool(client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    eventually(ended, within=120, what="the end of the execution")
    description = client.describe_execution(executionArn=execution)
    assert description["status"] == "SUCCEEDED", description

    answer = json.loads(description["output"])
    assert answer["complete"]
    assert answer["coverage"]["configured"] == len(foundation.fleet.configuration["instances"])
    report = json.loads(mapped.read(answer["report"]["key"]))
    assert report["counts"] == answer["counts"]
    parts = [key for key in mapped.objects() if "/findings/" in key and report["run_id"] in key]
    assert len(parts) == 3
    found = [json.loads(line)["guid"] for key in parts for line in mapped.read(key).splitlines()]
    configured = foundation.fleet.configuration["instances"]
    assert sorted(found) == sorted(
        one if isinstance(one, str) else one["guid"] for one in configured
    )


def test_the_steps_can_be_invoked_by_hand(mapped: Stack) -> None:
    for step in ("plan", "audit-batch", "conclude"):
        answer = mapped.sam_invoke(Path(f"events/steps/{step}.json"))
        assert answer
