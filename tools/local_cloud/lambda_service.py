"""Lambda in this process: moto's, with the real handler behind it instead of a canned answer."""

import json
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
from moto.awslambda_simple.models import LambdaSimpleBackend

Handler = Callable[[Any], dict[str, Any]]

# The clock of moto's interpreter: a retry at once learns no less.
_WAITS_BEFORE_RETRIES = "moto.stepfunctions.parser.asl.component.common.retry.retrier_decl.time"

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:backup-audit"


@contextmanager
def lambda_service(handler: Handler) -> Iterator[None]:
    """Invocations reach the handler; what it raises is answered as Lambda does.

    Lambda runs one invocation in a process, here many threads share one.
    """
    learn_types()

    def invoke(
        _: object,
        function_name: str,
        qualifier: str | None,
        body: str,
        headers: object,
        response_headers: MutableMapping[str, str],
    ) -> bytes:
        del function_name, qualifier, headers
        try:
            return json.dumps(handler(json.loads(body))).encode()
        except Exception as error:  # noqa: BLE001  # whatever it is, Lambda answers
            response_headers["x-amz-function-error"] = "Unhandled"
            failure = {
                "errorType": type(error).__name__,
                "errorMessage": str(error),
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
            return json.dumps(failure).encode()

    with (
        patch.object(LambdaSimpleBackend, "invoke", invoke),
        patch(_WAITS_BEFORE_RETRIES, SimpleNamespace(sleep=lambda _: None)),
    ):
        yield


def learn_types(base: type[msgspec.Struct] = msgspec.Struct) -> None:
    """Let msgspec learn every type that there is by now.

    It learns a type when it first meets it, and two threads that do so at once crash the process.
    """
    for kind in base.__subclasses__():
        with suppress(TypeError, NameError):  # a type that is never read from a document
            msgspec.json.Decoder(kind)
        learn_types(kind)
