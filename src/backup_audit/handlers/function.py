"""The function's entry point: a step of the state machine, or a whole run.

One function for both, so that there is one package, one role and one log to look at.
"""

from typing import Any

from backup_audit.handlers import audit_fleet
from backup_audit.handlers.invocation import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Do what the event asks for; raise AuditError."""
    if isinstance(event, dict) and "step" in event:
        # Imported when there is a state machine: not every cold start has to pay for it.
        from backup_audit.handlers import steps  # noqa: PLC0415

        return steps.handler(event, context)
    return audit_fleet.handler(event, context)
