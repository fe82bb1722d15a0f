"""What a report needs of the findings, taken from each as it passes by.

A fleet's findings need not fit into memory: what is held is the problems, not the fleet.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from backup_audit.domain.evidence import Cause
from backup_audit.domain.finding import Change, Finding
from backup_audit.domain.verdict import Verdict


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
            self._add(finding)
            yield finding

    @property
    def counts(self) -> dict[str, int]:
        """Instances per verdict, with zeros, worst first."""
        return {verdict.value: self._counted[verdict] for verdict in Verdict}

    @property
    def unhealthy(self) -> list[Finding]:
        """The findings that are not healthy: by verdict, the longest without a backup first."""
        return sorted((f for f in self.noted if f.verdict is not Verdict.HEALTHY), key=_badness)

    def _add(self, finding: Finding) -> None:
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
