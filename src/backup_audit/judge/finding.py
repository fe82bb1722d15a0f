"""A finding: one line of findings.jsonl, everything a run found out about one instance."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.policy import Policy
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.evidence import BackupList, Cause, Evidence, Refusal, Silence
from backup_audit.judge.interval import is_late
from backup_audit.judge.under_way import is_deletion_young, with_operation
from backup_audit.judge.verdict import Judgement, Severity, Verdict, judge, severity_of


class Change(StrEnum):
    """A finding compared with the last committed full report."""

    NEW = "new"
    ONGOING = "ongoing"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class EvidenceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence for the verdict; null if the API gave no such thing.

    `http_status` to `title` are the answer's, `silence` says why there is none. `detail` explains
    the refusal, or the missing answer. `usual_interval_seconds` is the usual time from one
    backup to the next: the median of the last 3 to 15 gaps, null if the list does not show so
    many or may not be whole. `backup_count` counts the list as it came. `request_id` is
    X-VCAP-Request-ID, for the platform's logs.
    """

    http_status: int | None
    code: int | None
    title: str | None
    detail: str | None
    silence: Cause | None
    newest_backup_at: datetime | None
    newest_backup_age_seconds: int | None
    usual_interval_seconds: int | None = None
    backup_count: int | None
    instance_created_at: datetime | None
    request_id: str | None
    attempts: int
    milliseconds: int
    observed_at: datetime


class Problem(msgspec.Struct, frozen=True, gc=False):
    """A problem of an instance, and the due time of the first run in a row that found it."""

    verdict: Verdict
    since: datetime


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What readers were notified of a problem, besides that it is open.

    `verdict` is the last that all of them heard of, `worsened_at` the due time of the run in which
    it was last a worse one than before. `group_id` names the group that stands for the problem
    where programs are notified, `left_group_at` the due time of the run in which it left one, or
    was named again. `is_owed`: some audience had not heard that it is open when messages began to
    leave it out, since it is muted, say. Once it is named again, that is news to all. `left_out`:
    messages leave it out now. `named_again_at` is the due time of the run in which they last named
    it again after that.
    """

    verdict: Verdict
    worsened_at: datetime | None = None
    group_id: str | None = None
    left_group_at: datetime | None = None
    is_owed: bool = False
    left_out: bool = False
    named_again_at: datetime | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Instance, verdict, reason, evidence, policy, and how it compares with the last full report.

    `scope` and `due_at` are those of the run. `type` to `plan` are what the foundation says of the
    instance, null if that is not known. `policy_notes` say which labels were ignored, and why,
    and what ordinarily excludes it. `late`: it is healthy, and its newest backup is older than 1.5
    times the usual interval; no verdict depends on it.
    `operation` is one that was under way when the run read the inventory. `since` is the due time
    of the first run in a row with this verdict. `problem_id` to `before` are null outside of full
    runs, and where no problem is open: `opened_at` is the due time of the run that opened it,
    `notified_at` of the first that decided to name it, `alert` is null as long as none did.
    `before` is the verdict that the problem had before this one; if it is `unknown`, the problem
    that nobody can see now; of a finding that ended a problem, that problem.
    """

    schema_version: Literal[1] = 1
    run_id: str
    scope: Scope
    due_at: datetime
    guid: str
    name: str | None
    owner: str | None
    type: str | None = None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    verdict: Verdict
    reason: str
    late: bool = False
    change: Change | None = None
    since: datetime | None = None
    problem_id: str | None = None
    opened_at: datetime | None = None
    notified_at: datetime | None = None
    alert: Alert | None = None
    before: Problem | None = None
    mute: Mute | None = None
    policy: Policy
    policy_notes: tuple[str, ...] = ()
    operation: Operation | None = None
    evidence: EvidenceSummary

    @property
    def is_being_deleted(self) -> bool:
        """Whether nobody is notified of a problem, since its instance is about to go."""
        return is_deletion_young(self.operation, self.evidence.observed_at)

    @property
    def is_reached(self) -> bool:
        """Whether the run got through to the instance, be it to a refusal."""
        return self.evidence.silence is not Cause.NOT_REACHED

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look at the instance: who was not reached opens no problem."""
        return self.verdict.is_problem and (self.problem_id is not None or self.is_reached)

    @property
    def is_notified(self) -> bool:
        """Whether messages name it: a problem that nobody muted, of an instance that stays."""
        return self.is_problem and self.mute is None and not self.is_being_deleted

    @property
    def hidden(self) -> Problem | None:
        """The known problem that nobody can see now, since the instance is unknown."""
        return self.before if self.verdict is Verdict.UNKNOWN else None

    @property
    def severity(self) -> Severity:
        """That of the verdict, or of the problem behind it if that is more urgent."""
        seen = (self.verdict, self.hidden.verdict) if self.hidden else (self.verdict,)
        return severity_of(verdict.severity for verdict in seen)

    @property
    def newest_backup_at(self) -> datetime | None:
        return self.evidence.newest_backup_at

    @property
    def newest_backup_age_seconds(self) -> int | None:
        return self.evidence.newest_backup_age_seconds

    @property
    def max_age_seconds(self) -> int:
        return self.policy.max_age_seconds

    @property
    def min_backups(self) -> int:
        return self.policy.min_backups

    @property
    def http_status(self) -> int | None:
        return self.evidence.http_status

    @property
    def cause(self) -> str | None:
        """Why nothing is known: the title of the refusal, or why there is no answer."""
        return self.evidence.title or self.evidence.silence

    @property
    def request_id(self) -> str | None:
        return self.evidence.request_id


class NotifiedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding in short, as messages and answers name it.

    `http_status`, `cause` (the title of a refusal, or why there is no answer) and `request_id` are
    those of the answer, null if there is none.
    """

    guid: str
    name: str | None
    owner: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    verdict: Verdict
    severity: Severity
    change: Change | None
    since: datetime | None
    reason: str
    policy_notes: list[str]
    newest_backup_at: datetime | None
    newest_backup_age_seconds: int | None
    max_age_seconds: int
    min_backups: int
    http_status: int | None
    cause: str | None
    request_id: str | None
    problem_id: str | None
    opened_at: datetime | None
    notified_at: datetime | None
    alert: Alert | None
    before: Problem | None


def in_short(finding: Finding) -> NotifiedFinding:
    """A finding for a message."""
    return msgspec.convert(finding, NotifiedFinding, from_attributes=True)


def finding_of(instance: Instance, evidence: Evidence, run: Run, mute: Mute | None) -> Finding:
    """Judge one instance and write down why."""
    judged = judge(evidence, instance.policy, run.as_of, is_absent=instance.is_absent)
    judgement = with_operation(judged, evidence, instance, run.as_of)
    summary = _summary(evidence, instance, judgement, run.as_of or evidence.observed_at)
    return Finding(
        run_id=run.run_id,
        scope=run.scope,
        due_at=run.due_at,
        guid=instance.guid,
        name=instance.name,
        owner=instance.owner,
        type=instance.type,
        org=instance.org,
        space=instance.space,
        offering=instance.offering,
        plan=instance.plan,
        verdict=judgement.verdict,
        reason=judgement.reason,
        late=judgement.verdict is Verdict.HEALTHY
        and is_late(summary.newest_backup_age_seconds, summary.usual_interval_seconds),
        mute=mute,
        policy=instance.policy,
        policy_notes=instance.policy_notes,
        operation=instance.operation,
        evidence=summary,
    )


def _summary(
    evidence: Evidence, instance: Instance, judgement: Judgement, moment: datetime
) -> EvidenceSummary:
    answer, newest, usual = evidence.answer, judgement.newest, judgement.usual_interval
    refusal = answer if isinstance(answer, Refusal) else Refusal()
    listing = answer if isinstance(answer, BackupList) else None
    silence = answer if isinstance(answer, Silence) else None
    detail = silence.detail if silence else refusal.detail
    listed_age = listing.instance_created_at if listing else None
    return EvidenceSummary(
        http_status=evidence.status,
        code=refusal.code,
        title=refusal.title,
        detail=detail,
        silence=silence.cause if silence else None,
        newest_backup_at=newest,
        newest_backup_age_seconds=int((moment - newest).total_seconds()) if newest else None,
        usual_interval_seconds=int(usual.total_seconds()) if usual else None,
        backup_count=len(listing.backups) if listing else None,
        instance_created_at=listed_age or instance.created_at,
        request_id=evidence.request_id,
        attempts=evidence.attempts,
        milliseconds=evidence.milliseconds,
        observed_at=evidence.observed_at,
    )
