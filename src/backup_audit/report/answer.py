"""The answer of a report in one sentence: the first that a reader sees, whatever reads it to them.

It never says that all is well while an instance is in grace, muted, not reached or unknown.
"""

from backup_audit.fleet.run import Scope
from backup_audit.judge.verdict import Verdict
from backup_audit.report.report import Report, open_problems
from backup_audit.text import instances


def answer_of(report: Report) -> str:
    """How many instances have a problem, as messages count them; without a full stop."""
    configured, found = report.coverage.configured, open_problems(report.news)
    if configured == 0:
        return "No instance was audited: there was none to audit"
    if not report.coverage.audited:
        return f"Nothing is known: no usable answer for any of {instances(configured)}"
    if not found:
        return _no_problem(report)
    have = "has" if found == 1 else "have"
    if report.run.scope is Scope.WHAT_IF:
        have = "would have"
    return f"{found:,} of {instances(configured)} {have} a backup problem"


def _no_problem(report: Report) -> str:
    configured, counts = report.coverage.configured, report.counts
    if counts[Verdict.HEALTHY] == configured:
        all_of_them = "" if configured == 1 else "all "
        return f"No problem found: {all_of_them}{instances(configured)} backed up"
    problems = sum(count for verdict, count in counts.items() if Verdict(verdict).is_problem)
    muted = problems - report.news.not_reached
    others = {
        "muted with a problem": muted,
        "in grace": counts[Verdict.IN_GRACE],
        "not reached": report.news.not_reached,
    }
    said = [f"{count:,} {what}" for what, count in others.items() if count]
    backed_up = f"{counts[Verdict.HEALTHY]:,} of {instances(configured)} backed up"
    found = "No open problem" if muted else "No problem found"
    return f"{found}: {', '.join([backed_up, *said])}"
