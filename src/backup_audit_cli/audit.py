"""Runs the function at a shell: `python -m backup_audit_cli.audit events/manual-full.json`.

The same handler, with the environment's settings and AWS credentials. The answer goes to stdout,
log lines and metrics to stderr. Exit status: 0 the run has its report, 1 it failed, 2 wrong usage.
"""

import argparse
import contextlib
import json
import sys
import uuid
from pathlib import Path

from backup_audit.errors import AuditError
from backup_audit.handler import handler
from backup_audit.text import printable


class ShellContext:
    """Stands for Lambda's context: an id of its own, and a day of time."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """A person at a shell can interrupt the run."""
        return 24 * 60 * 60 * 1000


def main(arguments: list[str] | None = None) -> int:
    """Run one audit; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m backup_audit_cli.audit", description=__doc__)
    parser.add_argument("event", help="file with the event's JSON, or - for standard input")
    event_file = parser.parse_args(arguments).event
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


if __name__ == "__main__":
    sys.exit(main())
