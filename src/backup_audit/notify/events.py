"""Events: what programs are notified of, one JSON document a message.

An incident system opens, repeats and closes an incident by `problem_id` or `group_id`. All follows
from the stored report, in one order: so a retry knows which messages are out by their positions.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Severity, severity_of
from backup_audit.notify.event_documents import (
    Action,
    FailedRuns,
    FindingInShort,
    GroupAction,
    GroupEvent,
    Named,
    ProblemEvent,
    RunEvent,
    RunState,
)
from backup_audit.notify.fleet_news import fleet_news
from backup_audit.notify.message import Attribute, Message, json_message
from backup_audit.notify.run_failure import RunFailure
from backup_audit.report.alerts import PLATFORM, Audience, Reason, fleet_reasons
from backup_audit.report.changes import Ended, Resolved
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing
from backup_audit.report.groups import Group
from backup_audit.report.report import Report, ReportAddress

T = TypeVar("T")

OWNERS_MAX = 20  # owners, by name, in the attribute of a group


def events(stored: StoredReport, failing: Failing | None = None) -> Iterator[Message]:
    """The event of the run, then those of groups, then those of problems.

    `failing` are the full runs that failed before this one. Runs that are compared with nothing
    have the first alone. Each is made when it is its turn.
    """
    report, made = stored.head, _Maker(stored.head, stored.address)
    yield made.of_run(failing)
    if not report.run.scope.is_compared:
        return
    for group in report.alerts.groups:
        if (group_action := action_of_group(group, report)) is not None:
            yield made.of_group(group, group_action)
    for entry in stored.entries():
        if isinstance(entry, Resolved):
            if is_end_due(entry, report):
                yield made.of_end(entry)
        elif (action := action_of(entry, report)) is not None:
            yield made.of_problem(entry, action)


def action_of(finding: Finding, report: Report) -> Action | None:
    """What programs are notified of a finding; None if nothing."""
    alert = finding.alert
    if alert is None or alert.group_id is not None or not finding.is_notified:
        return None
    if _is_news(alert.left_group_at or finding.notified_at, report):
        return Action.OPENED
    if _is_news(alert.worsened_at, report):
        return Action.WORSENED
    reminds = report.alerts.reminds_of_each and _is_news(report.alerts.reminded_at, report)
    return Action.REMINDED if reminds else None


def action_of_group(group: Group, report: Report) -> GroupAction | None:
    """What programs are notified of a group; None if nothing."""
    if group.end_notified_at is not None:  # a report has ends alone that programs have not heard of
        return GroupAction.ENDED
    if not group.named:
        return None
    if _is_news(group.opened_at, report):
        return GroupAction.OPENED
    return GroupAction.REMINDED if _is_news(report.alerts.reminded_at, report) else None


def is_end_due(ended: Resolved, report: Report) -> bool:
    """Whether programs are notified of an end."""
    return ended.has_event_of_its_own and _is_news(ended.end_notified_at, report)


def _is_news(decided_at: datetime | None, report: Report) -> bool:
    """Whether programs have not heard yet what was decided then."""
    # The topic may have been added after the run was planned.
    news_from = report.alerts.news_from.get(Audience.EVENTS, report.run.due_at)
    return decided_at is not None and decided_at >= news_from


class _Maker:
    """Makes the messages of a report."""

    def __init__(self, report: Report, address: ReportAddress) -> None:
        self._report = report
        self._address = address

    def of_run(self, failing: Failing | None) -> Message:
        report, run = self._report, self._report.run
        state = _state_of(report, failing)
        full = report.inventory if run.scope is Scope.FULL else None
        fleet = fleet_news(full) if full else None
        severities = [Severity.INFO if report.complete else Severity.WARNING]
        document = RunEvent(
            **self._common(f"run/{state}"),
            state=state,
            severity=severity_of(severities + ([fleet.severity] if fleet else [])),
            scope=run.scope,
            ended_at=report.finished_at,
            complete=report.complete,
            why_incomplete=report.why_incomplete,
            counts=report.counts,
            coverage=report.coverage,
            news=report.news,
            fleet=fleet,
            failing=_failed_runs(failing),
        )
        return _message(document, reason=tuple(_reasons(report, failing)))

    def of_group(self, group: Group, action: GroupAction) -> Message:
        document = GroupEvent(
            **self._common(f"group/{group.group_id}/{action}"),
            action=action,
            severity=group.cause.verdict.severity,
            group_id=group.group_id,
            cause=group.cause,
            opened_at=group.opened_at,
            members=group.members,
            owners=group.owners,
            examples=group.examples,
        )
        return _message(
            document,
            verdict=group.cause.verdict,
            change=_CHANGES[action],
            owner=group.owners[:OWNERS_MAX],
            reason=_REASONS[action],
        )

    def of_problem(self, finding: Finding, action: Action) -> Message:
        is_reopened = finding.change is Change.REOPENED and action is Action.OPENED
        document = ProblemEvent(
            **self._common(f"problem/{finding.problem_id}/{action}"),
            action=action,
            severity=finding.severity,
            problem_id=_stated(finding.problem_id),
            opened_at=_stated(finding.opened_at),
            since=_stated(finding.since),
            verdict=finding.verdict,
            change=Change.REOPENED if is_reopened else _CHANGES[action],
            ended=None,
            before=finding.before,
            instance=_named(finding),
            finding=_found(finding),
        )
        return _message_of_problem(document)

    def of_end(self, ended: Resolved) -> Message:
        document = ProblemEvent(
            **self._common(f"problem/{ended.problem_id}/{Action.ENDED}"),
            action=Action.ENDED,
            severity=ended.verdict.severity,
            problem_id=ended.problem_id,
            verdict=ended.verdict,
            change=Change.RESOLVED if ended.ended is Ended.HEALTHY else None,
            ended=ended.ended,
            opened_at=ended.opened_at,
            since=ended.since,
            before=None,
            instance=_named(ended),
            finding=None,
        )
        return _message_of_problem(document)

    def _common(self, tail: str) -> dict[str, Any]:
        report = self._report
        return {
            "message_id": f"{report.foundation}/{report.run.run_id}/{tail}",
            "foundation": report.foundation,
            "run_id": report.run.run_id,
            "due_at": report.run.due_at,
            "report": self._address,
        }


def _stated(value: T | None) -> T:
    """What stands in each finding whose problem is open, though its type allows for null."""
    return cast("T", value)


# Attributes by what happened. How a problem opened, or ended, may say more of the change.
_CHANGES: Mapping[str, Change | None] = {
    "opened": Change.NEW,
    "worsened": Change.ONGOING,
    "reminded": Change.ONGOING,
    "ended": None,
}
_REASONS: Mapping[str, Reason] = {
    "opened": Reason.OPENED,
    "worsened": Reason.WORSENED,
    "reminded": Reason.REMINDER,
    "ended": Reason.ENDED,
}


def run_failed_event(failure: RunFailure) -> Message:
    """The event of a run that failed."""
    run = failure.run
    document = RunEvent(
        message_id=f"{failure.id}/run/{RunState.FAILED}",
        foundation=failure.foundation,
        state=RunState.FAILED,
        severity=Severity.CRITICAL,
        run_id=run.run_id if run else None,
        scope=run.scope if run else None,
        due_at=run.due_at if run else None,
        ended_at=failure.failed_at,
        complete=False,
        error=failure.error,
        reason=failure.reason,
        failing=_failed_runs(failure.failing),
    )
    return _message(document)


def _failed_runs(failing: Failing | None) -> FailedRuns | None:
    if failing is None:
        return None
    return FailedRuns(since=failing.since, runs=failing.runs, cause=failing.cause)


def _state_of(report: Report, failing: Failing | None) -> RunState:
    if failing is not None:
        return RunState.RECOVERED
    return RunState.COMPLETED if report.complete else RunState.INCOMPLETE


def _reasons(report: Report, failing: Failing | None) -> Iterator[Reason]:
    """What of a run is news, besides its problems."""
    if not report.complete:
        yield Reason.INCOMPLETE
    platform = report.alerts.readers.get(PLATFORM)
    if platform and Reason.COMPLETE in platform.why and platform.digest_at == report.run.due_at:
        yield Reason.COMPLETE
    if failing is not None:
        yield Reason.RECOVERED
    if report.run.scope is Scope.FULL:
        yield from fleet_reasons(report.inventory)


def _message_of_problem(document: ProblemEvent) -> Message:
    return _message(
        document,
        verdict=document.verdict,
        change=document.change,
        instance_guid=document.instance.guid,
        owner=document.instance.owner,
        reason=_REASONS[document.action],
    )


def _message(
    document: ProblemEvent | GroupEvent | RunEvent, **attributes: Attribute | None
) -> Message:
    return json_message(
        document.message_id,
        document,
        event=str(document.__struct_config__.tag),
        severity=document.severity,
        foundation=document.foundation,
        **attributes,
    )


def _named(one: Finding | Resolved) -> Named:
    return Named(
        guid=one.guid,
        name=one.name,
        owner=one.owner,
        org=one.org,
        space=one.space,
        offering=one.offering,
        plan=one.plan,
    )


def _found(finding: Finding) -> FindingInShort:
    return FindingInShort(
        reason=finding.reason,
        policy_notes=finding.policy_notes,
        newest_backup_at=finding.newest_backup_at,
        newest_backup_age_seconds=finding.newest_backup_age_seconds,
        max_age_seconds=finding.max_age_seconds,
        min_backups=finding.min_backups,
        http_status=finding.http_status,
        cause=finding.cause,
        request_id=finding.request_id,
    )
