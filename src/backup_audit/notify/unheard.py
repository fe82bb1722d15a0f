"""What an audience has not heard of the fleet: of this run, and of those before it.

Departures and new unaudited instances are told once, by the run that finds them. If its messages
never got out, the next run says it: the reports of both are there to be read.
"""

from datetime import datetime

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.notify.fleet_news import FleetNews, fleet_news
from backup_audit.report.alerts import PLATFORM, Audience, Reason
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.rendering import ReportReader
from backup_audit.report.report import Report
from backup_audit.report.store import ObjectStore
from backup_audit.strict import UNDECODABLE

REPORTS_MAX = 24  # reports that are read again: a day of hourly runs

# Bytes of text for names: half of it for the last run with news, a quarter for the one before.
ROOM = 20_000

# What else a run decided to say is said of what is so now.
_LASTING = (Reason.COMPLETE, Reason.LEFT_FLEET, Reason.NEW_UNAUDITED, Reason.FIRST_UNAUDITED)


class FleetOf(msgspec.Struct, frozen=True):
    """What a run found of the fleet; `due_at` is the run's."""

    due_at: datetime
    record: InventoryRecord
    news: FleetNews


class Unheard(msgspec.Struct, frozen=True):
    """What is news to an audience of the fleet, the last run first, and the reasons of runs before.

    `before` says until when there are runs whose news of the fleet are in their reports alone; null
    if there are none.
    """

    fleets: tuple[FleetOf, ...]
    reasons: tuple[Reason, ...] = ()
    before: datetime | None = None


NOTHING = Unheard(())


def unheard_by(audience: Audience, stored: StoredReport) -> Unheard:
    """What an audience has not heard; of a run that is no full one nothing."""
    report, fleets, reasons = stored.head, list[FleetOf](), list[Reason]()
    if report.run.scope is not Scope.FULL:
        return NOTHING
    news_from, room = report.alerts.news_from[audience], ROOM
    for _ in range(REPORTS_MAX):
        if report.inventory is not None:
            news = fleet_news(report.inventory, room // 2)
            if news.is_news:
                fleets.append(FleetOf(report.run.due_at, report.inventory, news))
                room //= 2
        before = _before(stored.store, report)
        if before is None or before.run.due_at < news_from:
            return Unheard(tuple(fleets), tuple(reasons))
        report = before
        state = report.alerts.readers.get(PLATFORM)
        if state is not None and state.digest_at == report.run.due_at:
            reasons += [one for one in state.why if one in _LASTING]
    return Unheard(tuple(fleets), tuple(reasons), report.run.due_at)


def _before(store: ObjectStore, report: Report) -> Report | None:
    """The full report before one; None if there is none, or none that can be read any more."""
    previous = report.plan.previous
    if previous is None or not store.exists(previous.report_key):
        return None
    try:
        return ReportReader(store.lines(previous.report_key), previous.report_key).head
    except UNDECODABLE:
        return None
