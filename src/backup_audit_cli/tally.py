"""What the full runs of a period say, counted while they pass in the order of their due times."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse
from backup_audit.fleet.selectors import as_configured
from backup_audit.judge.finding import Finding
from backup_audit.report.changes import Resolved
from backup_audit.report.rendering import ReportReader
from backup_audit.report.report import Report
from backup_audit_cli.bounded import Bounded, Longest, Spans
from backup_audit_cli.period import (
    ConfigurationUsed,
    ExcludeSpan,
    Gap,
    IncompleteRun,
    LateRun,
    Lowest,
    MuteSpan,
    Period,
    PeriodProblem,
    RunRef,
    Used,
)


class Facts:
    """What one report says that is not in its head; `known_to`: the ends that runs before had."""

    def __init__(self, period: Period, known_to: datetime) -> None:
        self._known_to = known_to
        self.mutes: list[MuteRecord] = []
        self.ends = Longest(period.start)

    def read(self, reader: ReportReader) -> None:
        """Read mutes and ends of a full run, while its report passes."""
        run = reader.head.run
        if run.scope is not Scope.FULL:
            return
        self.mutes = list(_in_force(reader.mutes(), run.started_at.date()))
        for one in reader.resolved():
            if self._known_to < one.resolved_at <= run.due_at:
                self.ends.add(_of_end(one))


class Tally:
    """What the full runs say that have been added.

    `known_to` is when the last of them was due: ends up to then are counted.
    """

    def __init__(self, period: Period) -> None:
        self.foundation: str | None = None
        self.lowest: Lowest | None = None
        self.gap: Gap | None = None
        self.incomplete: Bounded[IncompleteRun] = Bounded()
        self.late: Bounded[LateRun] = Bounded()
        self.ends = Longest(period.start)
        self.known_to = period.start - timedelta(seconds=1)
        self._last_complete: RunRef | None = None
        self._mutes: Spans[MuteRecord] = Spans()
        self._excludes: Spans[ExcludeUse] = Spans()
        self._versions: Spans[str] = Spans()
        self._configurations: Spans[tuple[str, str]] = Spans()
        self._policies: Spans[str] = Spans()

    def add(self, report: Report, facts: Facts) -> None:
        """Add a full run that is what its manifest describes."""
        run, ref = report.run, ref_of(report)
        self.foundation = report.foundation
        self._add_coverage(report, ref)
        if run.delay is not None:
            seconds = int(run.delay.total_seconds())
            self.late.add(LateRun(run=ref, started_at=run.started_at, seconds=seconds))
        self.ends.take(facts.ends)
        self.known_to = run.due_at
        self._add_spans(report, facts.mutes, ref)

    @property
    def mutes(self) -> tuple[MuteSpan, ...]:
        return self._mutes.all(_mute_span)

    @property
    def excludes(self) -> tuple[ExcludeSpan, ...]:
        return self._excludes.all(_exclude_span)

    @property
    def versions(self) -> tuple[Used, ...]:
        return self._versions.all(_used)

    @property
    def configurations(self) -> tuple[ConfigurationUsed, ...]:
        return self._configurations.all(_configuration_used)

    @property
    def policies(self) -> tuple[Used, ...]:
        return self._policies.all(_used)

    @property
    def left_out(self) -> dict[str, int]:
        """How much there was no room for, by list."""
        return {
            "incomplete": self.incomplete.left_out,
            "late": self.late.left_out,
            "mutes": self._mutes.left_out,
            "excludes": self._excludes.left_out,
            "versions": self._versions.left_out,
            "configurations": self._configurations.left_out,
            "policies": self._policies.left_out,
        }

    def _add_coverage(self, report: Report, ref: RunRef) -> None:
        coverage = report.coverage
        if self.lowest is None or coverage.percent < self.lowest.percent:
            self.lowest = Lowest(
                run=ref,
                percent=coverage.percent,
                audited=coverage.audited,
                configured=coverage.configured,
            )
        if report.complete:
            self.gap = _longer(self.gap, self._last_complete, ref)
            self._last_complete = ref
        else:
            why = report.why_incomplete or ""
            self.incomplete.add(IncompleteRun(run=ref, percent=coverage.percent, why=why))

    def _add_spans(self, report: Report, mutes: Iterable[MuteRecord], ref: RunRef) -> None:
        for mute in mutes:
            said = (mute.guid, mute.owner, mute.reason, mute.until)
            self._mutes.add((*said, _encoded(mute.match)), mute, ref, mute.instances)
        for one in _that_exclude(report):
            excluded = (one.owner, one.reason, one.until, _encoded(one.match))
            self._excludes.add(excluded, one, ref, one.instances)
        plan = report.plan
        address = (plan.configuration_uri, plan.configuration_sha256)
        self._versions.add(report.tool, report.tool, ref)
        self._configurations.add(address, address, ref)
        self._policies.add(plan.policy_digest, plan.policy_digest, ref)


def ref_of(report: Report) -> RunRef:
    """The run of a report."""
    return RunRef(report.run.run_id, report.run.due_at)


def _of_end(one: Resolved) -> PeriodProblem:
    """A problem that ended."""
    return PeriodProblem(
        guid=one.guid,
        name=one.name,
        owner=one.owner,
        org=one.org,
        space=one.space,
        offering=one.offering,
        plan=one.plan,
        verdict=one.verdict,
        opened_at=one.opened_at,
        ended_at=one.resolved_at,
        ended=one.ended,
        seconds=int((one.resolved_at - one.opened_at).total_seconds()),
        muted=one.muted,
    )


def of_open(one: Finding, opened_at: datetime) -> PeriodProblem:
    """A problem that a run left open; of one that hides behind `unknown`, what it was before."""
    return PeriodProblem(
        guid=one.guid,
        name=one.name,
        owner=one.owner,
        org=one.org,
        space=one.space,
        offering=one.offering,
        plan=one.plan,
        verdict=one.hidden.verdict if one.hidden else one.verdict,
        opened_at=opened_at,
        ended_at=None,
        ended=None,
        seconds=int((one.due_at - opened_at).total_seconds()),
        muted=one.mute is not None,
    )


def _mute_span(one: MuteRecord, most: int, runs: int, first: RunRef, last: RunRef) -> MuteSpan:
    """A mute, and the runs that had it."""
    return MuteSpan(
        guid=one.guid,
        match=as_configured(one.match) if one.match else None,
        owner=one.owner,
        reason=one.reason,
        until=one.until,
        instances=most,
        runs=runs,
        first=first,
        last=last,
    )


def _exclude_span(
    one: ExcludeUse, most: int, runs: int, first: RunRef, last: RunRef
) -> ExcludeSpan:
    """An exclude, and the runs that had it."""
    return ExcludeSpan(
        rule=one.rule,
        match=one.match,
        owner=one.owner,
        reason=one.reason,
        until=one.until,
        instances=most,
        runs=runs,
        first=first,
        last=last,
    )


def _used(one: str, _most: int, runs: int, first: RunRef, last: RunRef) -> Used:
    """A version or a digest, and the runs that had it."""
    return Used(value=one, runs=runs, first=first, last=last)


def _configuration_used(
    one: tuple[str, str], _most: int, runs: int, first: RunRef, last: RunRef
) -> ConfigurationUsed:
    """A configuration, and the runs that read it."""
    return ConfigurationUsed(uri=one[0], sha256=one[1], runs=runs, first=first, last=last)


def _in_force(mutes: Iterable[MuteRecord], today: date) -> Iterator[MuteRecord]:
    """Those that were in force on the day (UTC) of a run, be they for an instance or not."""
    return (mute for mute in mutes if mute.is_in_force(today))


def _that_exclude(report: Report) -> Iterator[ExcludeUse]:
    """Those that took an instance out."""
    uses = report.inventory.excluded if report.inventory else []
    return (one for one in uses if one.state is ExcludeState.ACTIVE)


def _encoded(selector: object) -> bytes:
    """What two selectors have in common that say the same."""
    return msgspec.json.encode(selector)


def _longer(gap: Gap | None, after: RunRef | None, until: RunRef) -> Gap | None:
    """The longer one of a gap, and of the time between two runs; None before the second run."""
    if after is None:
        return gap
    seconds = int((until.due_at - after.due_at).total_seconds())
    is_longer = gap is None or seconds > gap.seconds
    return Gap(after=after, until=until, seconds=seconds) if is_longer else gap
