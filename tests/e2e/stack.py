"""A deployed stack, and what can be asked of it from outside."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.e2e.emulator import Emulator
from tests.e2e.sam import Sam
from tools.template import Template

DEFAULTS = {
    name: str(parameter["Default"])
    for name, parameter in Template.read().parameters.items()
    if "Default" in parameter
}
LATEST = "backup-audit/latest.json"
RUNNING = "backup-audit/running.json"


class Stack:
    """One stack; `parameters` are those that it has unless a deployment says otherwise."""

    def __init__(self, name: str, aws: Emulator, sam: Sam, parameters: Mapping[str, str]) -> None:
        self.name = name
        self.aws = aws
        self._sam = sam
        self._usual = dict(parameters)
        self._current: dict[str, str] = {}
        self._outputs: dict[str, str] = {}

    def deploy(self, **changes: str) -> None:
        """Give the stack its usual parameters but for some, unless it has them already.

        All are said: a stack that is there keeps what a deployment does not mention.
        """
        wanted = DEFAULTS | self._usual | changes
        if wanted == self._current:
            return
        self._sam.deploy(self.name, wanted)
        self._current = wanted
        described = self.aws.client("cloudformation").describe_stacks(StackName=self.name)
        self._outputs = {
            output["OutputKey"]: output["OutputValue"]
            for output in described["Stacks"][0]["Outputs"]
        }

    def delete(self) -> None:
        """Delete it as a person would."""
        self._sam.delete(self.name)
        self._current = {}

    def set_variable(self, name: str, value: str) -> None:
        """Change a variable of the function that no parameter sets, until it is deployed again."""
        client = self.aws.client("lambda")
        function = self.output("FunctionName")
        now = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=function, Environment={"Variables": now | {name: value}}
        )

    @property
    def parameters(self) -> dict[str, str]:
        """Those that it was deployed with."""
        return dict(self._current)

    def output(self, name: str) -> str:
        """One of the template's outputs."""
        return self._outputs[name]

    def physical_id(self, resource: str) -> str:
        """What a resource of the template is called in AWS."""
        described = self.aws.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=resource
        )
        name: str = described["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def sam_invoke(self, event: Path) -> Any:  # noqa: ANN401
        """The function's answer to an event file, by the SAM CLI."""
        return _answered(self._sam.invoke(self.name, "AuditFunction", event))

    def invoke(self, event: object) -> Any:  # noqa: ANN401
        """The function's answer."""
        return _answered(self._invoke(event))

    def failure(self, event: object) -> str:
        """What the function says went wrong."""
        message: str = self._invoke(event)["errorMessage"]
        return message

    def send(self, event: object) -> None:
        """Invoke the function without waiting, as the schedule does."""
        self.aws.client("lambda").invoke(
            FunctionName=self.output("FunctionName"),
            Payload=json.dumps(event),
            InvocationType="Event",
        )

    def _invoke(self, event: object) -> Any:  # noqa: ANN401
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.output("FunctionName"), Payload=json.dumps(event)
        )
        return json.loads(answer["Payload"].read())

    @property
    def bucket(self) -> str:
        """The report bucket."""
        return self.output("ReportBucketName")

    def objects(self) -> dict[str, str]:
        """The entity tags of the objects in the report bucket, by key."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.bucket)
        return {entry["Key"]: entry["ETag"] for entry in listed.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """An object in the report bucket."""
        body: bytes = self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def content_type(self, key: str) -> str:
        """What a browser takes an object in the report bucket for."""
        kind: str = self.aws.client("s3").head_object(Bucket=self.bucket, Key=key)["ContentType"]
        return kind

    def log(self, since: datetime) -> str:
        """The function's log lines since then, oldest first."""
        if "LogGroupName" not in self._outputs:
            return ""
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=self.output("LogGroupName"), startTime=int(since.timestamp() * 1000)
        )
        return "\n".join(event["message"].rstrip() for page in found for event in page["events"])


def _answered(answer: Any) -> Any:  # noqa: ANN401
    assert "errorMessage" not in answer, answer["errorMessage"]
    return answer
