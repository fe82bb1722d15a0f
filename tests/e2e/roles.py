"""What a role of the stack may do: by trying, and by asking IAM's simulator."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.e2e.emulator import Emulator
from tests.e2e.polling import eventually
from tests.e2e.stack import Stack

_NAME = "probe"
_ACTIVE = 10.0  # seconds until a new function can be invoked


class Attempt(Protocol):
    """Tries an operation of boto3; returns "allowed", or the code of the refusal."""

    def __call__(self, service: str, operation: str, /, **parameters: object) -> str:
        """Try it."""


def arn_of_role(stack: Stack, resource: str) -> str:
    """The ARN of a role in the template."""
    role = stack.aws.client("iam").get_role(RoleName=stack.physical_id(resource))
    arn: str = role["Role"]["Arn"]
    return arn


def decision(stack: Stack, role: str, action: str, resource: str) -> str:
    """What IAM's simulator says: "allowed" or "implicitDeny"."""
    simulated = stack.aws.client("iam").simulate_principal_policy(
        PolicySourceArn=arn_of_role(stack, role), ActionNames=[action], ResourceArns=[resource]
    )
    said: str = simulated["EvaluationResults"][0]["EvalDecision"]
    return said


def administrator(aws: Emulator) -> dict[str, str]:
    """The access key of a new user whose own policy allows everything."""
    iam = aws.client("iam")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.create_user(UserName=_NAME)
    iam.put_user_policy(UserName=_NAME, PolicyName="everything", PolicyDocument=document)
    key = iam.create_access_key(UserName=_NAME)["AccessKey"]
    return {"key_id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


@contextmanager
def acting_as(stack: Stack, role: str) -> Iterator[Attempt]:
    """Have a function of our own under a role of the template, which Lambda alone may take."""
    client = stack.aws.client("lambda")
    client.create_function(
        FunctionName=_NAME,
        Role=arn_of_role(stack, role),
        Runtime="python3.13",
        Handler="probe.handler",
        Timeout=60,  # seconds
        Code={"ZipFile": _zipped(Path(__file__).with_name("probe.py"))},
    )
    eventually(
        lambda: client.get_function(FunctionName=_NAME)["Configuration"]["State"] == "Active",
        within=_ACTIVE,
        what="the probe is active",
    )
    yield _invoking(client)
    client.delete_function(FunctionName=_NAME)


def _invoking(client: Any) -> Attempt:  # noqa: ANN401
    def attempt(service: str, operation: str, /, **parameters: object) -> str:
        call = {"service": service, "operation": operation, "parameters": parameters}
        answer = client.invoke(FunctionName=_NAME, Payload=json.dumps(call))
        said = json.loads(answer["Payload"].read())
        assert isinstance(said, str), said
        return said

    return attempt


def _zipped(module: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(module.name, module.read_bytes())
    return packed.getvalue()
