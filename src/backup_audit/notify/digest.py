"""The usual message: a run's news, in as few parts as possible."""

from collections.abc import Iterator, Sequence

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, NotifiedFinding
from backup_audit.judge.verdict import Severity, Verdict, severity_of
from backup_audit.notify.fleet_news import (
    FleetNews,
    fleet_news,
    head_lines,
    in_short,
    sections,
    warning_lines,
)
from backup_audit.notify.message import (
    SIZE_MAX,
    Message,
    RunReported,
    lost_first,
    lost_of,
    lost_role,
    message_of,
    packed,
    place_of,
    size_in_message,
)
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.report import Coverage, Report
from backup_audit.text import brief_duration, named

_MEANING = {
    Verdict.NEVER_BACKED_UP: "no backup exists to restore from",
    Verdict.STALE: "backups exist, and are too old or too few",
    Verdict.UNSUPPORTED: "the offering lacks backup support",
    Verdict.NOT_FOUND: "gone, or not visible to our client: check the configuration and the role",
    Verdict.UNKNOWN: "could not be audited",
}
_PARTS_MAX = 999_999  # a number as wide as any count of parts, to measure with
_HEADINGS_MAX = 2_000  # bytes of titles by verdict, and of attributes


class Digest(RunReported, frozen=True, kw_only=True, tag="digest"):
    """One run's news. `part` counts from 1; `counts`, `muted`, `coverage` are of the whole run.

    `being_deleted` counts the problems that are not named since their instances are being deleted.
    `warnings` are the first ten of those in the report's plan, each cut to 300 characters, of
    `warnings_count`. `inventory` is null unless a full run read one.
    """

    complete: bool
    why_incomplete: str | None
    part: int
    parts: int
    counts: dict[str, int]
    coverage: Coverage
    muted: int
    being_deleted: int
    warnings: list[str]
    warnings_count: int
    findings: list[NotifiedFinding]
    resolved: list[NotifiedFinding]
    inventory: FleetNews | None


def digests(stored: StoredReport) -> Iterator[Message]:
    """Name every problem instance and every problem that ended, and what is new of the fleet.

    Nothing if there is no news. Muted instances are counted and not named. The report is read
    twice, since each message says how many there are, and none is held longer than it takes to
    send it.
    """
    news = _fleet_news(stored.head)
    room = SIZE_MAX - _HEADINGS_MAX - _digest(stored, [], news, _PARTS_MAX, _PARTS_MAX).size
    parts = sum(1 for _ in packed(stored.news(), _weight, room))
    if not parts:
        yield from fleet_digest(stored)
    for part, findings in enumerate(packed(stored.news(), _weight, room), 1):
        yield _digest(stored, findings, news, part, parts)
        news = news and news.without_names


def fleet_digest(stored: StoredReport) -> Iterator[Message]:
    """A digest without findings, if there is news of the fleet."""
    news = _fleet_news(stored.head)
    if news is not None and news.reasons:
        yield _digest(stored, [], news, 1, 1)


def _fleet_news(report: Report) -> FleetNews | None:
    record = _inventory(report)
    return fleet_news(record) if record else None


def _inventory(report: Report) -> InventoryRecord | None:
    """The inventory of a full run: others do not look at the whole fleet."""
    return report.inventory if report.run.scope is Scope.FULL else None


def _weight(finding: NotifiedFinding) -> int:
    return size_in_message(finding, _lines_of(finding))


def _digest(
    stored: StoredReport,
    findings: Sequence[NotifiedFinding],
    news: FleetNews | None,
    part: int,
    parts: int,
) -> Message:
    report, run = stored.head, stored.head.run
    record = _inventory(report)
    problems = [finding for finding in findings if finding.verdict.is_problem]
    resolved = [finding for finding in findings if not finding.verdict.is_problem]
    digest = Digest(
        message_id=f"{report.foundation}/{run.run_id}/digest/{part}",
        foundation=report.foundation,
        run_id=run.run_id,
        scope=run.scope,
        due_at=run.due_at,
        report=stored.address,
        complete=report.complete,
        why_incomplete=report.why_incomplete,
        part=part,
        parts=parts,
        counts=report.counts,
        coverage=report.coverage,
        muted=report.news.muted,
        being_deleted=report.news.being_deleted,
        warnings=in_short(report.plan.warnings),
        warnings_count=len(report.plan.warnings),
        findings=problems,
        resolved=resolved,
        inventory=news,
    )
    fleet_severity = news.severity if news else Severity.INFO
    verdicts = {finding.verdict for finding in findings}
    changes = {finding.change for finding in findings if finding.change}
    return message_of(
        digest,
        _subject(report, news, part, parts),
        [
            *_head(report, part, parts),
            *_groups(problems, resolved),
            *(sections(record, news) if record and news else ()),
            "",
            f"Report: {stored.address.uri}",
        ],
        severity=severity_of([fleet_severity, *(finding.severity for finding in findings)]),
        verdict=tuple(verdict for verdict in Verdict if verdict in verdicts),
        change=tuple(change for change in Change if change in changes),
        reason=news.reasons if news else (),
    )


def _head(report: Report, part: int, parts: int) -> Iterator[str]:
    coverage, run, record = report.coverage, report.run, _inventory(report)
    yield from lost_role(report)
    yield f"Backup audit of {report.foundation}, run {run.run_id} ({run.scope})"
    if run.scope is Scope.WHAT_IF:
        yield "A what-if: judged at another instant or under another policy than configured."
    if run.delay is not None:
        yield (
            f"Due {run.due_at:%Y-%m-%d %H:%M} UTC, made {run.started_at:%Y-%m-%d %H:%M} UTC, "
            f"{brief_duration(run.delay)} later: it says what was so then."
        )
    yield f"{report.news.problems} of {coverage.configured} instances have a problem."
    yield (
        f"Audited: {coverage.audited} of {coverage.configured} ({coverage.percent:g} %), "
        f"unknown: {coverage.unknown}."
    )
    if not report.complete:
        what = "" if lost_of(report) else "not every instance was reached: "
        yield f"INCOMPLETE: {what}{report.why_incomplete}."
    if report.news.muted:
        yield f"Muted and not named here: {report.news.muted}."
    if report.news.being_deleted:
        yield f"Being deleted and not named here: {report.news.being_deleted}."
    if record:
        yield from head_lines(record, run.started_at.date())
    yield from warning_lines(report.plan.warnings, record)
    if parts > 1:
        yield f"Message {part} of {parts}."


def _groups(
    problems: Sequence[NotifiedFinding], resolved: Sequence[NotifiedFinding]
) -> Iterator[str]:
    """By verdict, worst first, then what ended."""
    for verdict, meaning in _MEANING.items():
        group = [finding for finding in problems if finding.verdict is verdict]
        if group:
            title = verdict.replace("_", " ").upper()
            yield from ("", f"{title} ({len(group)}): {meaning}")
            yield from (line for finding in group for line in _lines_of(finding))
    if resolved:
        yield from ("", f"RESOLVED ({len(resolved)})")
        yield from (line for finding in resolved for line in _lines_of(finding))


def _lines_of(finding: NotifiedFinding) -> Iterator[str]:
    name, place = named(finding.guid, finding.name), place_of(finding)
    placing = [f"      {place}"] if place else []
    if finding.change is Change.RESOLVED:
        yield from (f"  {name}: {finding.reason}", *placing)
        return
    marks = ", ".join(mark for mark in (finding.change, finding.owner) if mark)
    yield from (f"  {name}" + (f" [{marks}]" if marks else ""), *placing)
    yield f"      {finding.reason}"
    yield from (f"      {note}" for note in finding.policy_notes)
    if earlier := finding.earlier_problem:
        yield f"      before: {earlier.verdict} since {earlier.since:%Y-%m-%d %H:%M} UTC"


def _subject(report: Report, fleet: FleetNews | None, part: int, parts: int) -> str:
    news = report.news
    said = "1 problem" if news.problems == 1 else f"{news.problems} problems"
    said += f", {news.new} new" if news.new else ""
    said += f", {news.resolved} resolved" if news.resolved else ""
    if fleet:
        left, unaudited = fleet.left_count, fleet.new_unaudited_count
        said += f", {left} left the fleet" if left else ""
        said += f", {unaudited} new and unaudited" if unaudited else ""
        said += f", {fleet.unaudited_count} unaudited" if fleet.first_unaudited else ""
    label = "backup-audit what-if" if report.run.scope is Scope.WHAT_IF else "backup-audit"
    numbered = f" ({part}/{parts})" if parts > 1 else ""
    return f"[{label}] {report.foundation}: {lost_first(report)}{said}{numbered}"
