"""What the function answers to whoever invoked it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import NotifiedFinding
from backup_audit.report.report import Coverage, Report, ReportAddress

PROBLEMS_SHOWN_MAX = 100  # problems that the answer to a dry run names; Lambda takes 6 MB


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the function answers.

    `report` is null after a dry run, whose worst problems, 100 at the most, are in `problems`.
    `repeated` is true if an earlier delivery of the same run had written the report.
    `already_running` is true if nothing was asked, since another full run was at work: `run_id` is
    that run's, and there are no counts.
    """

    schema_version: Literal[1] = 1
    run_id: str
    scope: Scope
    dry_run: bool
    repeated: bool
    already_running: bool
    complete: bool
    counts: dict[str, int]
    coverage: Coverage | None
    report: ReportAddress | None
    messages_sent: int
    problems: list[NotifiedFinding] = []


def answer_of(
    report: Report,
    *,
    dry_run: bool = False,
    repeated: bool = False,
    address: ReportAddress | None = None,
    messages_sent: int = 0,
    problems: Sequence[NotifiedFinding] = (),
) -> Answer:
    """Sum a run up for whoever invoked it."""
    return Answer(
        run_id=report.run.run_id,
        scope=report.run.scope,
        dry_run=dry_run,
        repeated=repeated,
        already_running=False,
        complete=report.complete,
        counts=report.counts,
        coverage=report.coverage,
        report=address,
        messages_sent=messages_sent,
        problems=list(problems),
    )


def already_running(run_id: str) -> Answer:
    """Name the full run that is at work."""
    return Answer(
        run_id=run_id,
        scope=Scope.FULL,
        dry_run=False,
        repeated=False,
        already_running=True,
        complete=False,
        counts={},
        coverage=None,
        report=None,
        messages_sent=0,
    )
