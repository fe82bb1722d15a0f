"""Runs one audit for a person at a shell, and prints the function's answer."""

import json
from typing import Any

import msgspec

from backup_audit.fleet.explain import Explained
from backup_audit.fleet.run import is_question
from backup_audit.judge.verdict import Verdict
from backup_audit_cli.documents import read_document
from backup_audit_cli.exit_status import ExitStatus, WrongUsage
from backup_audit_cli.explain import status_of_explanation
from backup_audit_cli.function import answer_to
from backup_audit_cli.output import complain, say


def run(where: str) -> ExitStatus:
    """Run one event, print its answer; raise WrongUsage without an event, and AuditError."""
    event = _event(where)
    answer = answer_to(event)
    say(json.dumps(answer, indent=2))
    if is_question(event):
        return status_of_explanation(msgspec.convert(answer, Explained))
    return _status_of(answer)


def _status_of(answer: dict[str, Any]) -> ExitStatus:
    """How a run, or a step of one, ended; a step before the last one has judged nothing yet."""
    if answer.get("already_running"):
        complain(f"run {answer['run_id']} is at work: nothing was asked")
        return ExitStatus.WRONG
    counts = answer.get("counts", {})
    has_problems = any(counts[verdict] for verdict in counts if Verdict(verdict).is_problem)
    return ExitStatus.WRONG if has_problems or not answer.get("complete", True) else ExitStatus.FINE


def _event(where: str) -> object:
    try:
        return json.loads(read_document(where, "EVENT"))
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"EVENT {where} is not JSON: {error}") from None
