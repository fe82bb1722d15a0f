"""Asks the function for a person at a shell.

The same handler, with the settings and the AWS credentials of the environment. Log lines and
metrics go to stderr. At a terminal, of the log only warnings and progress show: an error is said
once, when the command ends.
"""

import contextlib
import io
import json
import sys
import uuid
from typing import Any

from backup_audit.handler import handler
from backup_audit_cli.output import complain


class ShellContext:
    """Stands for Lambda's context: an id of its own, and an hour."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds. A run that is killed keeps other full runs waiting for as long."""
        return 60 * 60 * 1000


class TerminalLog(io.TextIOBase):
    """Takes log lines and metrics, and says what a person at a terminal needs of them."""

    def __init__(self) -> None:
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            said = _for_people(line)
            if said:
                complain(said)
        return len(text)


def answer_to(event: object) -> dict[str, Any]:
    """The function's answer to an event; log lines and metrics go to stderr. Raise AuditError."""
    log = TerminalLog() if sys.stderr.isatty() else sys.stderr
    with contextlib.redirect_stdout(log):
        return handler(event, ShellContext())


def _for_people(line: str) -> str | None:
    """What a log line says to a person; None for metrics, the usual, and the last error."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    match record:
        case {"level": "WARNING", "message": message}:
            return f"warning: {message}"
        case {"level": "INFO", "done": done, "total": total}:
            return f"{done} of {total} asked"
        case _:
            return None
