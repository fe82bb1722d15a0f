"""The answer of a report in one sentence: the first that a reader sees, whatever reads it to them.

It never says that all is well while an instance is in grace, muted, not reached or unknown.
"""

from backup_audit.judge.verdict import Verdict
from backup_audit.report.report import Report, open_problems
from backup_audit.text import instances


def answer_of(report: Report) -> str:
    """How many instances have a problem, by the numbers that messages count; without a full stop.

    Problems that are muted are no news, and named apart.
    """
    configured = report.coverage.configured
    if configured and not report.coverage.audited:
        return f"Nothing is known: no usable answer for any of {instances(configured)}"
    found = open_problems(report.news)
    if found:
        have = "has" if found == 1 else "have"
        said = f"{found:,} of {instances(configured)} {have} a backup problem"
        return said if report.complete else f"{said}, and the audit is incomplete"
    rest = "".join(f", {count:,} {what}" for what, count in _not_healthy(report) if count)
    said = f"No problem found: {report.counts[Verdict.HEALTHY]:,} of {instances(configured)} "
    return f"{said}backed up{rest}{'' if report.complete else '; the audit is incomplete'}"


def _not_healthy(report: Report) -> tuple[tuple[str, int], ...]:
    """Why fewer instances are backed up than there are, though none has an open problem.

    Muted ones can be in grace, too: then they are counted as muted, which is why they are not
    named.
    """
    news, counts = report.news, report.counts
    healthy = counts[Verdict.HEALTHY]
    in_grace = report.coverage.configured - healthy - news.muted - news.not_reached
    return (
        ("in grace", in_grace),
        ("muted", news.muted),
        ("not reached", news.not_reached),
    )
