"""The documents of a run beside its findings: plan, report, manifest, latest.json; the answer.

The report follows from the findings and from what is known before them, so that two deliveries of
one run that start from the same findings cannot disagree.
"""

from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from backup_audit import __version__
from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.finding import Finding, NotifiedFinding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import Alerts
from backup_audit.report.changes import Resolved
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.figures import Ages, BreakdownRow, LateInstance
from backup_audit.report.history import HistoryPoint
from backup_audit.report.listeners import Listeners

# Entries of a list in the function's answer, of which Lambda takes 6 MB.
ANSWER_LIST_MAX = 100
_ANSWER_RECORD_MAX = 2_000_000  # bytes; problems and warnings take 1 MB with the longest names


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a run's instances were audited; `percent` is from 0 to 100.

    `configured` counts them all, be they listed, discovered, or asked for by the event.
    """

    configured: int
    audited: int
    unknown: int
    percent: float


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a run: HTTP requests to the API and UAA, retries included, and seconds."""

    api_calls: int
    retries: int
    seconds: float


class PreviousReport(msgspec.Struct, frozen=True, kw_only=True):
    """The full report that a run is compared with.

    The sha256 of its report.json and of its manifest.json, which vouches for its findings, make
    the reports a chain. The manifest's is null if it was gone.
    """

    run_id: str
    report_key: str
    report_sha256: str
    manifest_sha256: str | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The settled facts of a run.

    `notifies`: whether people are notified. `configuration_sha256` is that of the document,
    `policy_digest` changes with any instance's policy. `previous` is null if there is no report to
    compare with. `listeners` has, for each topic, how many listen to it; empty if the run is not
    full. `warnings` say what is wrong with what the run began with, and did not end it.
    """

    notifies: bool
    instances: int
    configuration_uri: str
    configuration_sha256: str
    policy_digest: str
    previous: PreviousReport | None = None
    listeners: Listeners = {}
    warnings: tuple[str, ...] = ()


class Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    """The ceilings against the API for each of so many batches audited at the same time."""

    concurrency: int
    workers: int
    requests_per_second: float | None


class StoredPlan(msgspec.Struct, frozen=True, kw_only=True):
    """plan.json: the plan of a run, and the place of the batches that count, from 0.

    `alerts` is what the run goes on with where it notifies. `history` has the full runs before it,
    oldest first. `left` counts the open problems whose
    instances nobody audits any more. `inventory` is null in plans of versions
    that read none.
    """

    run: Run
    plan: Plan
    alerts: Alerts
    mutes: tuple[MuteRecord, ...]
    place: str
    batches: int
    ceilings: Ceilings
    left: int = 0
    history: tuple[HistoryPoint, ...] = ()
    inventory: InventoryRecord | None = None

    @property
    def left_key(self) -> str:
        """The key of the problems whose instances nobody audits any more, one on a line."""
        return f"{self.place}/left.jsonl"

    @property
    def fleet_key(self) -> str | None:
        """The key of the inventory that a full run used, None if the plan has none."""
        has_one = self.inventory is not None and self.run.scope is Scope.FULL
        return f"{self.place}/fleet.jsonl" if has_one else None

    def batch_key(self, number: int) -> str:
        return f"{self.place}/batch-{number:05d}.jsonl"

    def effort_key(self, number: int) -> str:
        """The key of what a batch has cost."""
        return f"{self.place}/effort-{number:05d}.json"

    def failure_key(self, number: int) -> str:
        """The key of why a batch failed, the last time that it did and could say so."""
        return f"{self.place}/failure-{number:05d}.json"


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for messages: problems, the new or reopened and the worse ones among them, and ends.

    `resolved` counts the problems that ended in this run, in any way, but for muted ones. `muted`
    counts the findings that are not healthy and muted: nobody is notified of them. `not_reached`
    counts the instances that the run did not get to, and that had no problem before.
    `still_unknown` counts the problems that are `unknown` as in the last full report.
    `being_deleted` counts the problems of which nobody is notified for a day, since their instances
    are being deleted.
    """

    problems: int
    new: int
    worse: int = 0
    resolved: int
    muted: int
    not_reached: int = 0
    still_unknown: int = 0
    being_deleted: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """report.json without its lists.

    `complete` is false if an instance was not reached, or if so many disappeared at once that our
    client seems to have lost a role. `why_incomplete` says why, in the words that every text about
    the run prints; null if it is complete. `oldest_newest_backup_age_seconds`: the age of the
    oldest among the newest backups of all instances; null if no instance has one. `ages` has all
    instances whose list was read, `late_count` the healthy ones that are late. `alerts` is what the
    run decided on notifying. `inventory` is null in reports of versions that read none.
    """

    schema_version: Literal[1] = 1
    tool: str = f"backup-audit {__version__}"
    foundation: str
    run: Run
    plan: Plan
    finished_at: datetime
    complete: bool
    why_incomplete: str | None
    coverage: Coverage
    counts: dict[str, int]
    news: News
    oldest_newest_backup_age_seconds: int | None
    ages: Ages
    late_count: int
    effort: Effort
    alerts: Alerts
    inventory: InventoryRecord | None = None


class WholeReport(Report, frozen=True, kw_only=True):
    """report.json. Times are UTC with whole seconds.

    `history` has full runs, oldest first, as they were judged then, this one last if it is full; 90
    at most. `breakdown` has the fleet by owner, by space and by offering: of each the 100 names
    with most open problems, then a sum of the rest. `late` names healthy instances, 1,000 at most.
    `mutes` are all configured ones, so that one that ended or never matched is seen. `findings` are
    those not healthy, worst first. `resolved`: the problems that ended in this run (`resolved_at`
    is its `due_at`), those of the runs before of whose end somebody is still to be notified, and
    for 30 days the last of each instance.
    """

    history: list[HistoryPoint]
    breakdown: list[BreakdownRow]
    late: list[LateInstance]
    mutes: list[MuteRecord]
    findings: list[Finding]
    resolved: list[Resolved]


class ReportAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a report is stored."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The function's answer.

    After a dry run `report` is null. Then `problems` has the worst problems, `warnings` what a full
    run would warn of, and `inventory` what its report would say of the fleet, compared with none:
    100 entries of each list at the most, fewer if they are long. `repeated` is true if an earlier
    delivery of the same run had written the report. `already_running` is true if nothing was asked,
    since another full run was at work: `run_id` is that run's, and there are no counts.
    """

    schema_version: Literal[1] = 1
    run_id: str
    scope: Scope
    dry_run: bool = False
    repeated: bool = False
    already_running: bool = False
    complete: bool
    counts: dict[str, int]
    why_incomplete: str | None = None
    coverage: Coverage | None = None
    report: ReportAddress | None = None
    messages_sent: int = 0
    problems: list[NotifiedFinding] = []
    warnings: list[str] = []
    inventory: InventoryRecord | None = None


class KeptObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object of the run; `rows` counts its findings, or its instances, without a header."""

    key: str
    bytes: int
    sha256: str
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Marks a run as committed; lists its findings, CSV, fleet and report with their checksums.

    `invocation_id` names the delivery that committed it, of several of the run.
    """

    schema_version: Literal[1] = 1
    run: Run
    complete: bool
    invocation_id: str
    objects: list[KeptObject]


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A committed run in one line, for queries: findings of a run that has none count nowhere.

    All of it follows from the run's report, which `report_key` names. `configured`, `audited` and
    `percent` (0 to 100) are its coverage. Times are UTC.
    """

    schema_version: Literal[1] = 1
    foundation: str
    run_id: str
    scope: Scope
    due_at: datetime
    started_at: datetime
    finished_at: datetime
    complete: bool
    configured: int
    audited: int
    percent: float
    counts: dict[str, int]
    report_key: str


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """latest.json: where the newest committed full run is stored, and its figures."""

    schema_version: Literal[1] = 1
    foundation: str
    run: Run
    complete: bool
    why_incomplete: str | None
    report_key: str
    manifest_key: str
    findings_prefix: str
    coverage: Coverage
    counts: dict[str, int]


def run_line_of(report: Report, report_key: str) -> RunLine:
    """The line of a committed run, from its report and the key at which that is stored."""
    return RunLine(
        foundation=report.foundation,
        run_id=report.run.run_id,
        scope=report.run.scope,
        due_at=report.run.due_at,
        started_at=report.run.started_at,
        finished_at=report.finished_at,
        complete=report.complete,
        configured=report.coverage.configured,
        audited=report.coverage.audited,
        percent=report.coverage.percent,
        counts=report.counts,
        report_key=report_key,
    )


def why_incomplete(not_reached: str | None, inventory: InventoryRecord | None) -> str | None:
    """Why a run is incomplete: what the inventory says of the fleet, then who was not reached."""
    reasons = (inventory.why_incomplete if inventory else None, not_reached)
    return "; ".join(reason for reason in reasons if reason) or None


def shortened(record: InventoryRecord) -> InventoryRecord:
    """The record as an answer has it: the first entries of each list; counts are of all.

    100 of each, or half, a quarter and so on, until it takes no more than 2 MB.
    """
    most = ANSWER_LIST_MAX
    while len(msgspec.json.encode(cut := _cut(record, most))) > _ANSWER_RECORD_MAX and most:
        most //= 2
    return cut


def _cut(record: InventoryRecord, most: int) -> InventoryRecord:
    nobodys = record.unaudited
    if nobodys is not None:
        nobodys = msgspec.structs.replace(
            nobodys,
            by_offering=dict(islice(nobodys.by_offering.items(), most)),
            instances=nobodys.instances[:most],
        )
    return msgspec.structs.replace(
        record,
        vanished=record.vanished[:most] if record.vanished is not None else None,
        unaudited=nobodys,
        excluded=record.excluded[:most],
        rules=record.rules[:most],
    )


def coverage_of(counts: dict[str, int]) -> Coverage:
    """Audited is every verdict but unknown."""
    configured = sum(counts.values())
    unknown = counts[Verdict.UNKNOWN]
    percent = floor_percent(configured - unknown, configured)
    return Coverage(
        configured=configured, audited=configured - unknown, unknown=unknown, percent=percent
    )


def floor_percent(part: int, whole: int) -> float:
    """A percentage, rounded down to two digits: only the whole is 100.0."""
    return part * 10_000 // whole / 100
