"""The state machine as it is deployed, on moto's interpreter."""

import json
import logging
import time
import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import msgspec

from tools.local_cloud.lambda_service import FUNCTION_ARN

if TYPE_CHECKING:
    from moto.core.config import DefaultConfig
    from types_boto3_stepfunctions import SFNClient

_DEFINITION = Path(__file__).parents[2] / "src" / "state_machine.asl.json"
_ROLE_ARN = "arn:aws:iam::123456789012:role/state-machine"
_LOOKS_EVERY = 0.1  # seconds

# moto's mock_aws needs this to run state machines, and functions without containers.
MOTO_CONFIG: "DefaultConfig" = {
    "stepfunctions": {"execute_state_machine": True},
    "lambda": {"use_docker": False},
}

# It warns of what it does not do: it tolerates no failed batch, and takes the map's Catch at once.
logging.getLogger("moto.stepfunctions").setLevel(logging.ERROR)


class Execution(msgspec.Struct, frozen=True):
    """How an execution ended; `output` is there if it succeeded, else `error` and `cause`."""

    status: str
    output: dict[str, Any] | None
    error: str | None
    cause: str | None


class StateMachine:
    """A deployed state machine; to be used within moto."""

    def __init__(self) -> None:
        self._client: SFNClient = boto3.client("stepfunctions")

    @cached_property
    def _arn(self) -> str:
        created = self._client.create_state_machine(
            name="backup-audit-audit", definition=_definition(), roleArn=_ROLE_ARN
        )
        return created["stateMachineArn"]

    def start(self, event: object) -> str:
        """Start an execution; return its ARN."""
        return self._client.start_execution(
            stateMachineArn=self._arn, name=str(uuid.uuid4()), input=json.dumps(event)
        )["executionArn"]

    def ended(self, execution_arn: str) -> Execution:
        """Wait for the end of an execution."""
        while True:
            execution = self._client.describe_execution(executionArn=execution_arn)
            if execution["status"] != "RUNNING":
                break
            time.sleep(_LOOKS_EVERY)
        output = execution.get("output")
        return Execution(
            status=execution["status"],
            output=json.loads(output) if output else None,
            error=execution.get("error"),
            cause=execution.get("cause"),
        )

    def run(self, event: object) -> Execution:
        """Start an execution and wait for its end."""
        return self.ended(self.start(event))


def _definition() -> str:
    """The definition as SAM would deploy it."""
    return _DEFINITION.read_text("utf-8").replace("${FunctionArn}", FUNCTION_ARN)
