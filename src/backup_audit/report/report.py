"""The documents of a run beside its findings: report.json, manifest.json, latest.json.

The report follows from the findings and from what is known before them, so that two deliveries of
one run that start from the same findings cannot disagree.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from backup_audit.fleet.configuration import Configuration
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Finding, in_force
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what was to be audited was: `percent` is audited of configured, 0 to 100."""

    configured: int
    audited: int
    unknown: int
    percent: float


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What the run cost: HTTP requests to the API with the retries among them, and seconds."""

    api_calls: int
    retries: int
    seconds: float


class MuteState(StrEnum):
    """What a configured mute does in this run."""

    ACTIVE = "active"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"  # no configured instance has its GUID


class MuteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A configured mute and what it does."""

    guid: str
    owner: str
    reason: str
    until: date
    state: MuteState


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What wrote the report."""

    name: str
    version: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """report.json. Times are UTC; `findings` are those not healthy, worst first.

    `complete` is false if an instance was not reached: the time was over, the API was down, or its
    batch failed.
    `previous_run_id` names the full report that this one was compared with; the sha256 of its
    report.json and of its manifest.json, which vouches for its findings, make the reports a chain.
    They are null in the first report, and in those of versions that did not know them.
    `oldest_newest_backup_age_seconds`: of the newest backups of all instances, the oldest is so
    old; null if no instance has one. `policy_digest`: a sha256 that changes with any policy.
    `resolved`: the problems that this run saw ended (`resolved_at` is its `due_at`) and, for 30
    days, those of the runs before.
    """

    schema_version: Literal[1] = 1
    tool: Tool
    foundation: str
    run_id: str
    scope: Scope
    due_at: datetime
    started_at: datetime
    finished_at: datetime
    as_of: datetime | None
    max_age_seconds: int | None
    complete: bool
    configuration_uri: str
    configuration_sha256: str
    policy_digest: str
    coverage: Coverage
    counts: dict[str, int]
    oldest_newest_backup_age_seconds: int | None
    effort: Effort
    previous_run_id: str | None
    previous_report_sha256: str | None = None
    previous_manifest_sha256: str | None = None
    findings: list[Finding]
    resolved: list[Resolved]
    mutes: list[MuteRecord]
    warnings: list[str]

    @property
    def just_resolved(self) -> list[Resolved]:
        """The problems that this very run saw ended."""
        return [problem for problem in self.resolved if problem.resolved_at == self.due_at]


class ReportAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a report lies."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


class KeptObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object of the run; `rows` are its findings, without a header."""

    key: str
    bytes: int
    sha256: str
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """manifest.json, the mark that a run is committed: every other object of the run.

    `invocation_id` tells which of several deliveries of the run committed it.
    """

    schema_version: Literal[1] = 1
    run_id: str
    scope: Scope
    due_at: datetime
    complete: bool
    invocation_id: str
    objects: list[KeptObject]


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """latest.json: where the newest committed full run lies, and its figures."""

    schema_version: Literal[1] = 1
    run_id: str
    due_at: datetime
    complete: bool
    report_key: str
    manifest_key: str
    findings_prefix: str
    coverage: Coverage
    counts: dict[str, int]


def coverage_of(counts: dict[str, int]) -> Coverage:
    """Audited is every verdict but unknown."""
    configured = sum(counts.values())
    unknown = counts[Verdict.UNKNOWN]
    percent = floor_percent(configured - unknown, configured)
    return Coverage(
        configured=configured, audited=configured - unknown, unknown=unknown, percent=percent
    )


def floor_percent(part: int, whole: int) -> float:
    """Round down to two digits: 100.0 is said of the whole only."""
    return part * 10_000 // whole / 100


def mute_records(configuration: Configuration, today: date) -> list[MuteRecord]:
    """Every configured mute, so that one that ended or never matched is seen."""
    configured = {instance.guid for instance in configuration.instances}

    def state(guid: str, *, holds: bool) -> MuteState:
        if guid not in configured:
            return MuteState.UNMATCHED
        return MuteState.ACTIVE if holds else MuteState.EXPIRED

    return [
        MuteRecord(
            guid=entry.guid,
            owner=entry.owner,
            reason=entry.reason,
            until=entry.until,
            state=state(entry.guid, holds=in_force(entry, today)),
        )
        for entry in configuration.mutes
    ]
