"""What the reports of a period prove: the document that `backup-audit evidence` makes."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal

import msgspec

from backup_audit import __version__
from backup_audit.fleet.run import Scope
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Ended


class Period(msgspec.Struct, frozen=True):
    """Days in UTC, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def start(self) -> datetime:
        """The moment at which the first day begins."""
        return datetime.combine(self.first, time(), UTC)

    def position(self, day: str) -> "Position":
        """Where a day such as "2026-01-31" stands to it."""
        if day < self.first.isoformat():
            return Position.BEFORE
        return Position.WITHIN if day <= self.last.isoformat() else Position.AFTER


class Proof(StrEnum):
    """What a day (UTC) of the period has, the best that one of its full runs gives."""

    PROVED = "proved"  # a complete full run, which the newest run vouches for, or is
    UNVOUCHED = "unvouched"  # a complete full run that the chain does not reach
    NOTHING_KNOWN = "nothing_known"  # complete full runs, in which no instance could be audited
    INCOMPLETE = "incomplete"  # full runs, and none of them complete
    NO_RUN = "no_run"
    TO_COME = "to_come"  # it is not over, or has not begun, and has no complete run yet


class RunRef(msgspec.Struct, frozen=True):
    """A run, and when it was due (UTC)."""

    run_id: str
    due_at: datetime


class DayRange(msgspec.Struct, frozen=True, kw_only=True):
    """Days in a row, both included, that are not proved for the same reason."""

    proof: Proof
    first: date
    last: date
    days: int


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """The days of the period (UTC): how many there are, how many proved, and which are not."""

    count: int
    proved: int
    not_proved: tuple[DayRange, ...]


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """The runs due in the period.

    `complete` and `incomplete` are full runs. `partial` and `what_if` are no evidence.
    `uncommitted` have no manifest: they failed, or somebody deleted it. `unreadable` are damaged,
    or not what their manifest describes. `gone` were committed, as a run after them or their line
    in runs/ says, and are not there any more.
    """

    complete: int
    incomplete: int
    partial: int
    what_if: int
    uncommitted: int
    unreadable: int
    gone: int


class Lowest(msgspec.Struct, frozen=True, kw_only=True):
    """The run with the lowest coverage, in percent from 0 to 100; of several, the first."""

    run: RunRef
    percent: float
    audited: int
    configured: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Two complete full runs in a row, and the time between them."""

    after: RunRef
    until: RunRef
    seconds: int


class IncompleteRun(msgspec.Struct, frozen=True, kw_only=True):
    """A full run that did not reach all, and why."""

    run: RunRef
    percent: float
    why: str


class LateRun(msgspec.Struct, frozen=True, kw_only=True):
    """A full run that began more than a day after it was due: it says what was so then."""

    run: RunRef
    started_at: datetime
    seconds: int


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the reports are those that were written, as far as the runs after them say.

    `holds` is null where nothing is wrong and there is no full run: then there is no chain.
    `newest` is the newest full run of all, be it after the period; null if there is none.
    `is_newest_within`: it is of the period. It vouches for `vouched` full runs of the period, never
    for itself, and neither it nor a run after them vouches for `not_vouched`. `later` counts the
    committed runs after the period that were read for that.
    """

    holds: bool | None
    newest: RunRef | None
    is_newest_within: bool
    vouched: int
    not_vouched: tuple[RunRef, ...]
    not_vouched_count: int
    later: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]


class PeriodProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem of an instance: when the run was due that opened it, and the one that ended it.

    `ended` says how, null if it is open at the end; `seconds` is how long it was open, until the
    end or until the last full run of the period.
    """

    guid: str
    name: str | None
    owner: str | None
    org: str | None
    space: str | None
    offering: str | None
    plan: str | None
    verdict: Verdict
    opened_at: datetime
    ended_at: datetime | None
    ended: Ended | None
    seconds: int
    muted: bool


class Problems(msgspec.Struct, frozen=True, kw_only=True):
    """Problems, muted ones included.

    `opened` counts those that opened in the period, `ended` those that ended in it, and `open`
    those that the last full run, `as_of`, left open. Of each, the 5,000 that lasted longest are
    named.
    """

    as_of: RunRef | None
    opened: int
    ended_count: int
    ended: tuple[PeriodProblem, ...]
    open_count: int
    open: tuple[PeriodProblem, ...]


class MuteSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A mute that was in force, and the full runs that had it; `instances` is the most it held."""

    guid: str | None
    match: dict[str, Any] | None
    owner: str
    reason: str
    until: date
    instances: int
    runs: int
    first: RunRef
    last: RunRef


class ExcludeSpan(msgspec.Struct, frozen=True, kw_only=True):
    """An exclude that took instances out, and the full runs that had it.

    `instances` is the most it took out. All labels backup-audit.skip-until are one, without
    `match`, `owner`, `reason` and `until`.
    """

    rule: str
    match: dict[str, Any] | None
    owner: str | None
    reason: str | None
    until: str | None
    instances: int
    runs: int
    first: RunRef
    last: RunRef


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What full runs had in common: a version, a configuration or a policy digest."""

    value: str
    runs: int
    first: RunRef
    last: RunRef


class ConfigurationUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that full runs read: its address and the sha256 of the document."""

    uri: str
    sha256: str
    runs: int
    first: RunRef
    last: RunRef


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """An object that was read, as it is stored now."""

    key: str
    bytes: int
    sha256: str


class Position(StrEnum):
    """Where a run stands to the period."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


class RestsOn(msgspec.Struct, frozen=True, kw_only=True):
    """A committed run that the evidence rests on, and its objects.

    One before or after the period says of those within whether they are what was written.
    """

    run: RunRef
    scope: Scope
    complete: bool
    position: Position
    report: Checked
    manifest: Checked


class PeriodEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the reports of one foundation prove of a period. All times and days are UTC.

    `is_proved`: every day has a complete full run that is the newest, or is vouched for, the chain
    holds, and no run of the period is gone. `answer` says it in a sentence, with the lowest
    coverage, which is not judged. `made_at` is when this was read from `where`. Of lists with more
    than 5,000 entries the rest is in `left_out`, by the list's name.
    """

    schema_version: Literal[1] = 1
    tool: str = f"backup-audit {__version__}"
    made_at: datetime
    where: str
    foundation: str | None
    first_day: date
    last_day: date
    is_proved: bool
    answer: str
    days: Days
    runs: Runs
    lowest_coverage: Lowest | None
    longest_gap: Gap | None
    incomplete: tuple[IncompleteRun, ...]
    late: tuple[LateRun, ...]
    chain: Chain
    problems: Problems
    mutes: tuple[MuteSpan, ...]
    excludes: tuple[ExcludeSpan, ...]
    versions: tuple[Used, ...]
    configurations: tuple[ConfigurationUsed, ...]
    policies: tuple[Used, ...]
    left_out: dict[str, int]
    rests_on: tuple[RestsOn, ...]


def days_of(period: Period, proofs: Mapping[date, Proof], today: date) -> Days:
    """The days of a period, by the proofs of those that have a full run."""
    ranges: list[DayRange] = []
    proved = 0
    for number in range(period.days):
        day = period.first + timedelta(days=number)
        proof = _proof_of(proofs.get(day, Proof.NO_RUN), is_over=day < today)
        if proof is Proof.PROVED:
            proved += 1
        else:
            _extend(ranges, proof, day)
    return Days(count=period.days, proved=proved, not_proved=tuple(ranges))


def _proof_of(proof: Proof, *, is_over: bool) -> Proof:
    is_open = proof in (Proof.NO_RUN, Proof.INCOMPLETE) and not is_over
    return Proof.TO_COME if is_open else proof


def _extend(ranges: list[DayRange], proof: Proof, day: date) -> None:
    if ranges and ranges[-1].proof is proof and (day - ranges[-1].last).days == 1:
        before = ranges.pop()
        ranges.append(msgspec.structs.replace(before, last=day, days=before.days + 1))
        return
    ranges.append(DayRange(proof=proof, first=day, last=day, days=1))


def answer_of(period: Period, days: Days, runs: Runs, lowest: Lowest | None, chain: Chain) -> str:
    """What is proved, in a sentence; without a full stop. Coverage is stated, and not judged."""
    wrong = list(_wrong(runs, chain))
    if not runs.complete and not runs.incomplete:
        others = (runs.partial, runs.what_if, runs.uncommitted, runs.unreadable, runs.gone)
        at_all = f"No {'full run' if any(others) else 'run'} at all, {period}: nothing is proved"
        return ", and ".join([at_all, *wrong])
    whole = "a complete full run"
    if any(one.proof is Proof.UNVOUCHED for one in days.not_proved):
        whole += " that is the newest, or is vouched for"
    has = "has" if days.proved == 1 else "have"
    said = f"{days.proved:,} of {days.count:,} days {has} {whole}"
    if days.proved == days.count:
        said = f"{f'each of {days.count:,} days' if days.count > 1 else period} has {whole}"
    if chain.holds:
        said += ", and the chain of reports holds"
    if wrong:
        said += f", but {', and '.join(wrong)}"
    is_proved = days.proved == days.count and not wrong
    said = f"{said[0].upper()}{said[1:]}" if is_proved else f"Not proved: {said}"
    return f"{said}; {_coverage(lowest)}" if lowest else said


def _wrong(runs: Runs, chain: Chain) -> Iterator[str]:
    if chain.holds is False:
        yield "the chain of reports is broken"
    if runs.gone == 1:
        yield "1 run of the period is gone"
    elif runs.gone:
        yield f"{runs.gone:,} runs of the period are gone"


def _coverage(lowest: Lowest) -> str:
    if lowest.percent == 100:
        return "coverage always 100 %"
    return f"lowest coverage {lowest.percent:g} % ({lowest.run.due_at:%Y-%m-%d})"
