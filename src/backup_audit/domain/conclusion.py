"""How a plan and the findings become a report."""

from collections.abc import Sequence
from datetime import datetime

from backup_audit.domain.changes import Resolved
from backup_audit.domain.plan import Plan
from backup_audit.domain.report import Effort, Report, Tool, coverage_of
from backup_audit.domain.summary import Summary


def report_of(
    plan: Plan,
    summary: Summary,
    *,
    tool: Tool,
    foundation: str,
    effort: Effort,
    finished_at: datetime,
    resolved: Sequence[Resolved],
) -> Report:
    """Sum a run up."""
    run = plan.run
    return Report(
        tool=tool,
        foundation=foundation,
        run_id=run.run_id,
        scope=run.scope,
        due_at=run.due_at,
        started_at=run.started_at,
        finished_at=finished_at,
        as_of=run.as_of,
        max_age_seconds=int(run.max_age.total_seconds()) if run.max_age else None,
        complete=summary.complete,
        configuration_uri=plan.configuration_uri,
        configuration_sha256=plan.configuration_sha256,
        policy_digest=plan.policy_digest,
        coverage=coverage_of(summary.counts),
        counts=summary.counts,
        oldest_newest_backup_age_seconds=summary.oldest,
        effort=effort,
        previous_run_id=plan.previous_run_id,
        previous_report_sha256=plan.previous_report_sha256,
        previous_manifest_sha256=plan.previous_manifest_sha256,
        findings=summary.unhealthy,
        resolved=list(resolved),
        mutes=list(plan.mutes),
        warnings=list(plan.warnings),
    )
