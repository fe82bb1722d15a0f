"""Makes a committed report known: to queries, the next run, the readers, the dead man's switch.

The delivery that committed the report does it; if it dies first, its retry does.
docs/decisions/0002-commit-protocol.md has the order and its reasons.
"""

from backup_audit.edges import Edges
from backup_audit.errors import AuditError, HeartbeatFailed
from backup_audit.fleet.run import Scope
from backup_audit.notify.links import Links
from backup_audit.notify.send import notify
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import FailingRuns
from backup_audit.report.latest import advance_latest
from backup_audit.report.rendering import as_line
from backup_audit.report.report import Answer, Report, run_line_of


def publish(
    stored: StoredReport,
    edges: Edges,
    links: Links,
    *,
    notifies: bool,
    repeated: bool,
    by_hand: bool = False,
) -> Answer:
    """Move the pointer forward, notify, and send a heartbeat; by hand neither is sent.

    `repeated`: another delivery has committed the report. Raise ReportStoreFailed, and
    NotificationFailed once all messages were tried.
    """
    report, telemetry = stored.head, edges.telemetry
    stored.store.put_new(stored.keys.run_line, as_line(run_line_of(report, stored.address.key)))
    is_late = not advance_latest(stored)
    if is_late:
        telemetry.warned(
            f"run {report.run.run_id} is older than the one that {stored.keys.latest} names: "
            "its report is stored, nothing else moves, and nobody is notified"
        )
    sent = _notify(stored, edges, links) if notifies and not is_late else 0
    telemetry.reported(report, messages_sent=sent)
    # A delivery that lost the race leaves both to the winner.
    if (notifies or not repeated) and not is_late and not by_hand:
        _beat(report, edges)
    return Answer(
        run_id=report.run.run_id,
        scope=report.run.scope,
        repeated=repeated,
        complete=report.complete,
        why_incomplete=report.why_incomplete,
        counts=report.counts,
        coverage=report.coverage,
        report=stored.address,
        messages_sent=sent,
    )


def _notify(stored: StoredReport, edges: Edges, links: Links) -> int:
    """Notify, also that full runs succeed again; return how many messages there were.

    That is closed once messages have said so. If it cannot be, or if all messages were out before,
    the next full run says so: twice is better than not at all.
    """
    run, warn = stored.head.run, edges.telemetry.warned
    if run.scope is not Scope.FULL:
        return notify(stored, edges.notifiers, links)
    runs = FailingRuns(stored.store, stored.keys.failing, stored.head.foundation, warn)
    failing = runs.still_failing(run.run_id, stored.head.finished_at)
    sent = notify(stored, edges.notifiers, links, failing)
    if failing is not None and sent:
        try:
            runs.recovered(failing, edges.now())
        except AuditError as failure:
            warn(f"that full runs succeed again could not be noted: {failure}")
    return sent


def _beat(report: Report, edges: Edges) -> None:
    """Send a heartbeat for a full run that reached every instance; a failure ends no run."""
    if report.run.scope is not Scope.FULL or not report.complete:
        return
    try:
        heartbeat = edges.heartbeat()
        if heartbeat is not None:
            heartbeat.beat()
    except (AuditError, HeartbeatFailed) as failure:
        edges.telemetry.warned(f"the heartbeat was not taken: {failure}")
    except Exception as error:  # noqa: BLE001  # its text may quote the address
        edges.telemetry.warned(f"the heartbeat was not taken: {type(error).__name__}")
