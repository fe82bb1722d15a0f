"""The documents that programs are notified with: of a problem, of a group of them, of a run.

docs/schemas has a schema of each, docs/notifications.md samples.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, Problem
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.fleet_news import FleetNews
from backup_audit.report.changes import Ended
from backup_audit.report.groups import Cause, Example
from backup_audit.report.report import Coverage, News, ReportAddress


class Action(StrEnum):
    """What happened to a problem."""

    OPENED = "opened"
    WORSENED = "worsened"
    REMINDED = "reminded"
    ENDED = "ended"


class GroupAction(StrEnum):
    """What happened to a group."""

    OPENED = "opened"
    REMINDED = "reminded"
    ENDED = "ended"


class RunState(StrEnum):
    """How a run ended: `recovered` is the first that has its report after runs that failed."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    RECOVERED = "recovered"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An instance by its names, null where they are not known."""

    guid: str
    name: str | None
    owner: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None


class FindingInShort(msgspec.Struct, frozen=True, kw_only=True):
    """Why an instance has its verdict.

    `http_status`, `cause` (the title of a refusal, or why there is no answer) and `request_id` are
    those of the answer, null if there is none.
    """

    reason: str
    policy_notes: tuple[str, ...]
    newest_backup_at: datetime | None
    newest_backup_age_seconds: int | None
    max_age_seconds: int
    min_backups: int
    http_status: int | None
    cause: str | None
    request_id: str | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events of a report have. `run_id` and `due_at` are those of the run that says it."""

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str
    run_id: str
    due_at: datetime
    report: ReportAddress


class ProblemEvent(Event, frozen=True, kw_only=True, tag_field="event", tag="problem"):
    """A problem of an instance. Each has one incident, whose key is `problem_id`.

    `opened`: programs hear of it for the first time, be it after a mute, or since it left a group.
    `worsened`: its verdict is a worse one now. `reminded`: it is still open. `ended`: in one of the
    ways that `ended` names, which is null before. `change` is `new` or `reopened` where it opened,
    `resolved` where health was proved, and null at its other ends. `since` is when it got this
    `verdict`, `before` the verdict before. `finding` is null once it ended.
    """

    action: Action
    severity: Severity
    problem_id: str
    verdict: Verdict
    change: Change | None
    ended: Ended | None
    opened_at: datetime
    since: datetime
    before: Problem | None
    instance: Named
    finding: FindingInShort | None


class GroupEvent(Event, frozen=True, kw_only=True, tag_field="event", tag="group"):
    """Problems that opened together for one cause, as one incident, whose key is `group_id`.

    `members` counts those that are in it in this run: the report's findings name it in their
    `alert`. They have no event of their own. One that gets another verdict leaves, and opens its
    own. The group ends when none is left. `owners` are those that members had when it opened, the
    first 50 by name, `examples` three of the members.
    """

    action: GroupAction
    severity: Severity
    group_id: str
    cause: Cause
    opened_at: datetime
    members: int
    owners: tuple[str, ...]
    examples: tuple[Example, ...]


class FailedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The full runs that failed in a row, since the first one; `cause` is the last one's."""

    since: datetime
    runs: int
    cause: str


class RunEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run"):
    """A run that has its report, or failed.

    Of one that failed, figures and report are null, `error` is the error's type, and `reason` what
    it says. Of one that failed early, what is not known is null too. `complete` is false if an
    instance was not reached, or a role seems lost; `why_incomplete` says why. `fleet` is null
    unless the run is full and read an inventory; it has as many names as there is room for.
    `failing` has the runs that failed before this one, and this one too if it failed.
    """

    schema_version: Literal[1] = 1
    message_id: str
    foundation: str | None
    state: RunState
    severity: Severity
    run_id: str | None
    scope: Scope | None
    due_at: datetime | None
    ended_at: datetime
    complete: bool
    why_incomplete: str | None = None
    counts: dict[str, int] | None = None
    coverage: Coverage | None = None
    news: News | None = None
    fleet: FleetNews | None = None
    report: ReportAddress | None = None
    error: str | None = None
    reason: str | None = None
    failing: FailedRuns | None = None
