"""Invokes the handler as AWS would: directly, or by the state machine; its output is a log."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.local_cloud.lambda_service import lambda_service
from tools.local_cloud.state_machine import StateMachine

_TIMEOUT = 900_000  # milliseconds, Lambda's longest


class LocalContext:
    """Stands for Lambda's context."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds, as if the invocation always began now."""
        return _TIMEOUT


def invoke(event: object, log: Path) -> dict[str, Any]:
    """Call the real handler; what it prints is appended to the log. Raises AuditError."""
    with _logged(log):
        return _handle(event)


def execute(event: object, log: Path) -> dict[str, Any]:
    """Run the state machine over the real handler. Raises ExecutionFailed."""
    with _logged(log), lambda_service(_handle):
        execution = StateMachine().run(event)
    if execution.output is None:
        raise ExecutionFailed(f"{execution.status}: {execution.error}: {execution.cause}")
    return execution.output


class ExecutionFailed(Exception):
    """The state machine came to no answer."""


def _handle(event: object) -> dict[str, Any]:
    # The environment must be set when the handler is imported, as it is in Lambda.
    from backup_audit.handler import handler  # noqa: PLC0415

    return handler(event, LocalContext())


@contextlib.contextmanager
def _logged(log: Path) -> Iterator[None]:
    with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        yield
