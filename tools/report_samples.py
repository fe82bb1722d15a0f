"""A month of reports for the docs: a few problems that come and go, a day without a run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Change, Finding, finding_of
from backup_audit.judge.verdict import Verdict
from tests.doubles.builders import ended_problem, evidence, finding, instance, run
from tests.doubles.report_folder import ReportFolder, mute_record
from tools.local_cloud.names import guid_of

MONTH = datetime(2026, 11, 1, 5, tzinfo=UTC)
READ_AT = datetime(2026, 12, 1, 9, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_WITHOUT_RUN = 13  # days after the first
_INCOMPLETE = 19

# When a problem opened and ended, in days after the first; its place, and what it was.
_PROBLEMS: tuple[tuple[int, int | None, str, str, Verdict], ...] = (
    (2, 5, "carts", "team-shop", Verdict.STALE),
    (8, 12, "reports", "finance", Verdict.STALE),
    (9, 18, "invoices", "finance", Verdict.NEVER_BACKED_UP),
    (21, None, "search", "team-shop", Verdict.UNSUPPORTED),
    (27, None, "orders-db", "team-orders", Verdict.STALE),
    (29, None, "accounts", "finance", Verdict.NEVER_BACKED_UP),
)
_MUTED_FOR = 20  # days
_MUTE = mute_record(guid=guid_of(90), until=(MONTH + _MUTED_FOR * _DAY).date())
_NOT_REACHED = Silence(Cause.NOT_REACHED, "the run's time was over")


def write_month(folder: Path) -> None:
    """Write the reports of November 2026, of 812 instances, below a folder."""
    reports = ReportFolder(folder, foundation="prod-eu1")
    for day in range(30):
        if day == _WITHOUT_RUN:
            continue
        found = sorted(_findings(day), key=lambda one: one.verdict.rank)
        ended = [_ended(one) for one in _PROBLEMS if one[1] == day]
        reports.run(
            MONTH + day * _DAY,
            found,
            healthy=812 - len(found),
            complete=day != _INCOMPLETE,
            resolved=ended,
            mutes=[_MUTE] if day <= _MUTED_FOR else [],
        )


def _findings(day: int) -> Iterator[Finding]:
    for number, (opened, ended, name, owner, verdict) in enumerate(_PROBLEMS):
        if opened <= day and (ended is None or day < ended):
            yield msgspec.structs.replace(
                finding(verdict, guid_of(number), name=name, owner=owner),
                org="shop-eu",
                space="prod",
                offering="p.mysql",
                plan="db-gold",
                opened_at=MONTH + opened * _DAY,
                change=Change.NEW if opened == day else Change.ONGOING,
            )
    for number in range(100, 114) if day == _INCOMPLETE else ():
        yield finding_of(instance(guid_of(number)), evidence(_NOT_REACHED, None), run(), None)


def _ended(problem: tuple[int, int | None, str, str, Verdict]) -> Any:  # noqa: ANN401
    opened, ended, name, owner, verdict = problem
    number = _PROBLEMS.index(problem)
    opened_at = MONTH + opened * _DAY
    return ended_problem(
        guid_of(number),
        name=name,
        owner=owner,
        verdict=verdict,
        since=opened_at,
        opened_at=opened_at,
        resolved_at=MONTH + (ended or 0) * _DAY,
    )
