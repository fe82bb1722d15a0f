"""Shows the newest full report to a person at a terminal, or a run that they name."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from textwrap import indent

import msgspec
from rich.text import Text

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Finding
from backup_audit.page.answer import figures_of, first, is_first
from backup_audit.page.causes import Cause, causes_of
from backup_audit.report.changes import Resolved
from backup_audit.report.failing import Failing
from backup_audit.report.figures import LATE_NAMED_MAX, LateInstance
from backup_audit.report.report import Report
from backup_audit.strict import UNDECODABLE
from backup_audit.text import at, brief_duration, named, one_line, placed, printable
from backup_audit.wiring import now
from backup_audit_cli.archives import archive_at, place_or_bucket
from backup_audit_cli.exit_status import ExitStatus, WrongUsage
from backup_audit_cli.glance import Glance, Glancing, RunsFail, Wanted, shown_findings
from backup_audit_cli.output import complain, say
from backup_audit_cli.runs import Place, Root, failing_runs, newest_full, opened, roots, run_named
from backup_audit_cli.sparkline import trend_line
from backup_audit_cli.table import new_console, plain_lines, row_of, table_of

FINDINGS_MAX = 25  # without --all
_OLD_FROM = timedelta(days=2)  # the newest run is said to be old
_FOUNDATION_MAX = 100  # characters
_SAID_MAX = 500  # characters of a text of others
_AT_A_TIME = 500  # findings that are printed together


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for; without `where`, the bucket of the environment."""

    where: str | None
    wanted: Wanted
    run_id: str | None = None
    all_of_them: bool = False
    as_json: bool = False


class _Found(msgspec.Struct, frozen=True):
    """The run to show of a root; None if it has no such run. `failing` is of the root."""

    root: Root
    place: Place | None
    glance: Glance | None
    failing: Failing | None = None


def show(asked: Asked) -> ExitStatus:
    """Print the report of each root; raise ReportStoreFailed, or WrongUsage for names in vain."""
    where = place_or_bucket(asked.where, os.environ)
    found = [_found(root, asked) for root in roots(archive_at(where))]
    _refuse_nothing(found, where, asked)
    is_wrong = False
    for number, one in enumerate(found):
        if number and not asked.as_json:
            say("")
        is_wrong |= _print(one, asked)
    return ExitStatus.WRONG if is_wrong else ExitStatus.FINE


def _found(root: Root, asked: Asked) -> _Found:
    """What a root has, with the first findings only; raise ReportStoreFailed if it is damaged."""
    place, notes, failing = _wanted(root, asked)
    if place is None:
        return _Found(root, None, None, failing)
    where = root.shown(place.key("report.json"))
    causes: Sequence[Cause] = ()
    try:
        reader, _ = opened(root, place)
        if figures_of(reader.head).is_nothing_known:
            causes = causes_of(reader.findings())
            reader, _ = opened(root, place)
        glancing = Glancing(asked.wanted, FINDINGS_MAX, causes)
        glance = glancing.glance(reader, where, notes, _since(reader.head, failing))
    except UNDECODABLE as error:
        raise ReportStoreFailed(f"{where} is damaged: {error}") from error
    return _Found(root, place, glance)


def _wanted(root: Root, asked: Asked) -> tuple[Place | None, list[str], Failing | None]:
    """The run, what is wrong with latest.json and failing.json, and whether full runs fail.

    The last two are looked at for the newest run only.
    """
    if asked.run_id:
        return run_named(root, asked.run_id), [], None
    place, about_latest = newest_full(root)
    failing, about_failing = failing_runs(root)
    return place, [note for note in (about_latest, about_failing) if note], failing


def _since(report: Report, failing: Failing | None) -> RunsFail | None:
    """What failed since a report; None if its run shows that the audit works."""
    if failing is None or failing.is_ended_by(report.run.run_id, report.finished_at):
        return None
    return _runs_fail(failing)


def _runs_fail(failing: Failing) -> RunsFail:
    return RunsFail(
        since=failing.since,
        runs=failing.runs,
        cause=failing.cause,
        last_failed_at=failing.last_failed_at,
    )


def _refuse_nothing(found: Sequence[_Found], where: str, asked: Asked) -> None:
    """Refuse a place without such a run, and names that nobody has: of those no problem is found.

    That would be a wrong all-clear.
    """
    glances = [one.glance for one in found if one.glance is not None]
    if not glances:
        none_below = "no reports/dt=.../run=.../manifest.json of one is below it"
        why = "".join(f". {_line(_runs_fail(one.failing).said)}" for one in found if one.failing)
        raise ReportStoreFailed(f"{where} holds no committed {_what(asked)}: {none_below}{why}")
    if all(glance.is_nobody for glance in glances):
        raise WrongUsage(
            f"{where} knows of no instance with {_line(asked.wanted.said)}: names are compared "
            "letter by letter; findings.csv has all"
        )


def _what(asked: Asked) -> str:
    return f"run {asked.run_id}" if asked.run_id else "full run"


def _is_wrong(glance: Glance) -> bool:
    return glance.has_problem or not glance.head.report.complete or glance.head.failing is not None


def _print(one: _Found, asked: Asked) -> bool:
    """Print the report of a root; whether something is not in order."""
    place, glance = one.place, one.glance
    if place is None or glance is None:
        why = f". {_line(_runs_fail(one.failing).said)}" if one.failing else ""
        complain(f"{one.root.where} holds no committed {_what(asked)}{why}")
        return not asked.run_id
    if glance.is_nobody:
        complain(f"{glance.head.where} knows of no instance with {_line(asked.wanted.said)}")
        return False
    if asked.as_json:
        for text in _json(one.root, place, glance, asked):
            say(text)
        return _is_wrong(glance)
    console = new_console()
    with console.capture() as captured:
        for line in _before(glance, is_newest=not asked.run_id):
            console.print(Text(line, style="bold"), soft_wrap=True)
        console.print(Text(_line(glance.tail.answer), style="bold"), soft_wrap=True)
        for line in _head(glance, console.width):
            console.print(Text(line), soft_wrap=True)
        if glance.findings and not asked.all_of_them:
            mark = _mark_of(glance.head.report)
            rows = [row_of(finding, mark(finding)) for finding in glance.findings]
            console.print(table_of(rows, console.width))
    say(plain_lines(captured.get()))
    if asked.all_of_them:
        for text in _whole(one.root, place, asked.wanted):
            say(text)
    say("\n".join([*_tail(glance, asked), _line(_to_open(one.root, place))]))
    return _is_wrong(glance)


def _to_open(root: Root, place: Place) -> str:
    """The address of the page, or of report.json where no page could be drawn."""
    page = place.key("report.html")
    return root.shown(page if root.archive.has(root.path + page) else place.key("report.json"))


def _before(glance: Glance, *, is_newest: bool) -> Iterator[str]:
    """What a reader must know before the answer, which could be an all-clear without it."""
    head, run = glance.head, glance.head.report.run
    if head.failing is not None:
        yield _line(head.failing.said)
    age = now() - run.due_at
    if is_newest and age > _OLD_FROM:
        yield f"note: the newest full run is {brief_duration(age)} old"
    if run.scope is not Scope.FULL:
        yield (
            f"note: {_LESS[run.scope]}: it is compared with no other run, and no evidence of the "
            "whole fleet"
        )
    yield from (f"note: {_line(note)}" for note in head.notes)


def _head(glance: Glance, width: int) -> Iterator[str]:
    """The lines between the answer and the problems."""
    head, report = glance.head, glance.head.report
    run = report.run
    if not head.asked.is_all:
        yield f"of the whole report: {head.answer}"
    age = brief_duration(now() - run.due_at)
    whole = "complete" if report.complete else f"INCOMPLETE: {report.why_incomplete}"
    parts = [one_line(report.foundation, _FOUNDATION_MAX), _SCOPES[run.scope], run.run_id]
    yield _line(" · ".join([*parts, f"due {at(run.due_at)}, {age} ago", whole]))
    yield _counts(report)
    if trend := trend_line(head.history, width):
        yield trend if run.scope.is_compared else f"of the whole fleet, before this run: {trend}"
    if run.delay is not None:
        yield f"note: it was made {brief_duration(run.delay)} after it was due"


_SCOPES = {Scope.FULL: "full run", Scope.PARTIAL: "partial run", Scope.WHAT_IF: "what-if"}
_LESS = {
    Scope.PARTIAL: "a run of some instances",
    Scope.WHAT_IF: "a what-if, not the configured policy",
}


def _counts(report: Report) -> str:
    coverage = report.coverage
    audited = f"audited {coverage.audited:,} of {coverage.configured:,} ({coverage.percent:g} %)"
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in report.counts.items() if count)
    return f"{audited}: {counts}" if counts else audited


def _tail(glance: Glance, asked: Asked) -> Iterator[str]:
    """The lines below the problems."""
    tail = glance.tail
    if tail.left_out and not asked.all_of_them:
        yield f"  … and {tail.left_out:,} more: --all prints them, findings.csv has them too"
    head, report = glance.head, glance.head.report
    if report.run.scope.is_compared and is_first(report):
        yield from (f"{one.title} {printable(one.text)}" for one in first(report, head.history))
    elif report.run.scope.is_compared and asked.wanted.is_all:
        yield f"since the run before: {report.news.new:,} new, {tail.resolved_count:,} ended"
    yield from _some("ended", map(_ended, tail.resolved), tail.resolved_count)
    yield from _some("late", map(_late, tail.late), tail.late_count)
    if not asked.wanted.is_all and report.late_count > LATE_NAMED_MAX:
        of_all = f"{LATE_NAMED_MAX:,} of {report.late_count:,}"
        yield f"late: the report names {of_all}: there may be more"
    counts = {
        "muted": tail.muted,
        "with a problem and being deleted": tail.being_deleted,
        "in grace": tail.in_grace,
        "not reached, and without a problem before": tail.not_reached,
        "problems of others": tail.others,
    }
    left_out = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    if left_out:
        yield f"not shown: {left_out}"
    yield from _mutes(glance)


def _mutes(glance: Glance) -> Iterator[str]:
    mutes = glance.mutes
    counts = {
        "in force": mutes.in_force,
        "over": mutes.over,
        "for no audited instance": mutes.unmatched,
    }
    if said := ", ".join(f"{count:,} {what}" for what, count in counts.items() if count):
        yield f"mutes: {said}"


def _some(what: str, lines: Iterable[str], count: int) -> Iterator[str]:
    named_ones = list(lines)
    yield from (f"{what}: {line}" for line in named_ones)
    if count > len(named_ones):
        yield f"{what}: … and {count - len(named_ones):,} more"


def _ended(one: Resolved) -> str:
    lasted = brief_duration(one.resolved_at - one.opened_at)
    how = one.ended.replace("_", " ")
    return f"{named(one.guid, one.name)}: {one.verdict}, after {lasted}: {how}"


def _late(one: LateInstance) -> str:
    age, usual = (
        brief_duration(timedelta(seconds=seconds))
        for seconds in (one.newest_backup_age_seconds, one.usual_interval_seconds)
    )
    return f"{named(one.guid, one.name)}: newest backup is {age} old, usually one every {usual}"


def _whole(root: Root, place: Place, wanted: Wanted) -> Iterator[str]:
    """All open problems, as a narrow terminal has them: a table of 100,000 takes minutes."""
    reader, _ = opened(root, place)
    mark = _mark_of(reader.head)
    lines: list[str] = []
    for verdict, findings in groupby(shown_findings(reader, wanted), key=lambda one: one.verdict):
        lines += [verdict.value]
        for finding in findings:
            lines += _lines(finding, mark(finding))
            if len(lines) >= _AT_A_TIME:
                yield "\n".join(lines)
                lines.clear()
    yield "\n".join([*lines, ""])


def _mark_of(report: Report) -> Callable[[Finding], str]:
    """How a problem's change is marked; of a first run all is new, and nothing is marked."""
    return (lambda _: "") if is_first(report) else (lambda one: one.change or "")


def _lines(one: Finding, change: str) -> Iterator[str]:
    mark = f" [{change}]" if change else ""
    yield f"  {named(one.guid, one.name)}{mark}"
    if place := placed(one.org, one.space, one.offering, one.plan):
        yield f"      {place}"
    yield f"      {printable(one.reason)}"


def _json(root: Root, place: Place, glance: Glance, asked: Asked) -> Iterator[str]:
    """The document of a report, in pieces: what is printed of 100,000 need not fit into memory."""
    yield _members(glance.head).removesuffix("\n}") + ',\n  "findings": ['
    findings: Iterable[Finding] = glance.findings
    tail = glance.tail
    if asked.all_of_them:
        findings = shown_findings(opened(root, place)[0], asked.wanted)
        tail = msgspec.structs.replace(tail, left_out=0)
    comma = ""
    for some in _batched(map(_encoded, findings)):
        yield comma + ",\n".join(some)
        comma = ","
    yield '  ],\n  "found": ' + indent(_members(tail), "  ").lstrip() + "\n}"


def _members(document: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _encoded(finding: Finding) -> str:
    return msgspec.json.encode(finding).decode()


def _batched(texts: Iterable[str]) -> Iterator[list[str]]:
    some = list(islice(iterator := iter(texts), _AT_A_TIME))
    while some:
        yield some
        some = list(islice(iterator, _AT_A_TIME))


def _line(text: str) -> str:
    return one_line(text, _SAID_MAX)
