"""Invokes the handler as Lambda would: with a context, its output kept as a log."""

import contextlib
import uuid
from pathlib import Path
from typing import Any

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
    with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        # The environment must be set when the handler is imported, as it is in Lambda.
        from backup_audit.handlers.audit_fleet import handler  # noqa: PLC0415

        return handler(event, LocalContext())
