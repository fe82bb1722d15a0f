"""What a report needs of the findings, taken from each as it passes by.

A fleet's findings need not fit into memory: what is held is the problems, not the fleet.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from backup_audit.fleet.plan import Plan
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved
from backup_audit.report.report import Effort, Report, Tool, coverage_of


class Summary:
    """Sums findings up.

    `complete` is false if an instance was not reached before the run's time was over, or was not
    asked for. `oldest` is the age in seconds of the oldest of the newest backups, None if there is
    none. `noted` are the findings that are not healthy, and those that ended a problem.
    """

    def __init__(self) -> None:
        self._counted: Counter[Verdict] = Counter()
        self.complete = True
        self.oldest: int | None = None
        self.noted: list[Finding] = []

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Summary":
        """The summary of findings that lie in memory."""
        summary = cls()
        for _ in summary.passing(findings):
            pass
        return summary

    def passing(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield the findings on; they are summed up once all have passed."""
        for finding in findings:
            self.add(finding)
            yield finding

    @property
    def counts(self) -> dict[str, int]:
        """Instances per verdict, with zeros, worst first."""
        return {verdict.value: self._counted[verdict] for verdict in Verdict}

    @property
    def unhealthy(self) -> list[Finding]:
        """The findings that are not healthy: by verdict, the longest without a backup first."""
        return sorted((f for f in self.noted if f.verdict is not Verdict.HEALTHY), key=_badness)

    def add(self, finding: Finding) -> None:
        """Sum up one finding more."""
        self._counted[finding.verdict] += 1
        if finding.evidence.silence is Cause.NOT_REACHED:
            self.complete = False
        age = finding.evidence.newest_backup_age_seconds
        if age is not None and (self.oldest is None or age > self.oldest):
            self.oldest = age
        if finding.verdict is not Verdict.HEALTHY or finding.change is Change.RESOLVED:
            self.noted.append(finding)


def _badness(finding: Finding) -> tuple[int, int, str]:
    age = finding.evidence.newest_backup_age_seconds or 0
    return (finding.verdict.rank, -age, finding.guid)


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
