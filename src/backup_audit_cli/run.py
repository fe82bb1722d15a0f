"""Runs the function for a person at a shell.

The same handler, with the settings and the AWS credentials of the environment. The answer goes to
stdout, log lines and metrics to stderr.
"""

import contextlib
import json
import sys
import uuid
from pathlib import Path

from backup_audit.errors import AuditError
from backup_audit.handler import handler
from backup_audit.text import printable


class ShellContext:
    """Stands for Lambda's context: an id of its own, and an hour."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds. A run that is killed keeps other full runs waiting for as long."""
        return 60 * 60 * 1000


def run(event_file: str) -> int:
    """Run one audit; return 0 if the run has its report, 1 if it failed, 2 if there is no event."""
    try:
        text = sys.stdin.read() if event_file == "-" else Path(event_file).read_text("utf-8")
        event = json.loads(text)
    except (OSError, ValueError) as error:
        print(f"{event_file}: {error}", file=sys.stderr)
        return 2
    try:
        with contextlib.redirect_stdout(sys.stderr):
            answer = handler(event, ShellContext())
    except AuditError as error:
        print(f"{type(error).__name__}: {printable(str(error))}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2))
    return 0
