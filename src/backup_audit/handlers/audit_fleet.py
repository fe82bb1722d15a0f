"""A whole run in one invocation: an event in, one audit, its answer out."""

import os
from typing import Any

import msgspec

from backup_audit.bootstrap import clock
from backup_audit.domain.run import plan_run
from backup_audit.errors import AuditError
from backup_audit.handlers.event import asks_for_silence, parse_event
from backup_audit.handlers.invocation import Invocation, LambdaContext
from backup_audit.settings import read_settings


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Audit what the event asks for; raise AuditError, so that a failed run fails visibly."""
    with Invocation(context) as invocation:
        run, tells = None, not asks_for_silence(event)
        try:
            request = parse_event(event, clock())
            run, tells = plan_run(request, clock(), invocation.id), request.tells
            invocation.telemetry.identified(run.run_id)
            audit = invocation.audit(read_settings(os.environ))
            answer: dict[str, Any] = msgspec.to_builtins(audit.run(request, run, invocation.id))
        except AuditError as error:
            invocation.failed(error, run, tells=tells)
            raise
    return answer
