"""The answer in words: the heading, the lines below it, and what a reader must know before all."""

from collections.abc import Iterator, Sequence

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.judge.advice import Runbook, runbook_page
from backup_audit.judge.verdict import Verdict
from backup_audit.page.causes import Cause
from backup_audit.page.words import (
    VERDICTS,
    duration,
    joined,
    long_time,
    machine_time,
    number,
    percent,
)
from backup_audit.report.figures import BreakdownRow, By
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import Report
from backup_audit.text import at, instances, one_line, were

_LARGEST = 3  # owners that a sentence names
_MANY = 100  # problems: from there on the owners with most of them are named in a sentence
_OWNER_MAX = 100  # characters
_REPORTS_LOST = "all is new"  # how warnings end that say why there is no report to go on from


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A run in numbers that add up.

    `configured` is the sum of all others but `problems`, which are those with a verdict that is a
    problem: `open`, which is what digests count, `muted`, `being_deleted` and `not_reached`.
    """

    configured: int
    healthy: int
    in_grace: int
    open: int
    muted: int
    not_reached: int
    being_deleted: int
    unknown: int
    problems: int

    @property
    def is_nothing_known(self) -> bool:
        """Whether not one instance could be audited."""
        return self.unknown == self.configured


def figures_of(report: Report) -> Figures:
    """Sort the counts out; raise ValueError if they have other verdicts than ours."""
    counts = verdicts_in(report.counts)
    problems = sum(count for verdict, count in counts.items() if verdict.is_problem)
    news = report.news
    apart = news.problems + news.being_deleted + news.not_reached
    return Figures(
        configured=sum(counts.values()),
        healthy=counts[Verdict.HEALTHY],
        in_grace=counts[Verdict.IN_GRACE],
        open=news.problems,
        muted=problems - apart,
        not_reached=news.not_reached,
        being_deleted=news.being_deleted,
        unknown=counts[Verdict.UNKNOWN],
        problems=problems,
    )


def verdicts_in(counts: dict[str, int]) -> dict[Verdict, int]:
    """Counts by verdict, worst first; raise ValueError if one is unknown, or lacks its words."""
    found = {Verdict(name): count for name, count in counts.items()}
    return {verdict: found.get(verdict, 0) for verdict in VERDICTS}


def heading(report: Report, figures: Figures, causes: Sequence[Cause] = ()) -> str:
    """The answer in a sentence; `causes` are needed where nothing is known.

    Of an incomplete run it is no plain all-clear: who was not reached stands in it, and where the
    reason is another one, that the run is incomplete.
    """
    if figures.is_nothing_known:
        return _nothing_known(figures, causes)
    if figures.open:
        said = _problems(report, figures)
    elif figures.not_reached:
        said = _not_reached(figures)
    else:
        said = _no_problem(figures)
    if report.complete or figures.not_reached:
        return said
    return f"Incomplete: {said[0].lower()}{said[1:].replace(': ', ', ')}"


def _nothing_known(figures: Figures, causes: Sequence[Cause]) -> str:
    everybody = f"of {instances(figures.configured)}"
    if causes and all(cause.is_not_reached for cause in causes):
        return f"Nothing is known: none {everybody} was reached"
    if any(cause.http_status is not None for cause in causes):
        return f"Nothing is known: the API gave no usable answer for any {everybody}"
    return f"Nothing is known: the API answered for none {everybody}"


def _problems(report: Report, figures: Figures) -> str:
    have = "has" if figures.open == 1 else "have"
    if report.run.scope is Scope.WHAT_IF:
        have = "would have"
    found = f"{figures.open:,} of {instances(figures.configured)} {have} a backup problem"
    if not figures.not_reached:
        return found
    return f"{found}, and {figures.not_reached:,} {were(figures.not_reached)} not reached"


def _not_reached(figures: Figures) -> str:
    """Without an open problem: nobody knows of those whether they have one."""
    left = f"{figures.not_reached:,} of {instances(figures.configured)}"
    found = "no open problem" if figures.muted or figures.being_deleted else "no problem"
    return f"{left} {were(figures.not_reached)} not reached; {found} among the others"


def _no_problem(figures: Figures) -> str:
    """Never that all are backed up while some are in grace or muted."""
    everybody = instances(figures.configured)
    if figures.healthy == figures.configured:
        all_of = "" if figures.configured == 1 else "all "
        return f"No problem found: {all_of}{everybody} backed up"
    others = {
        "muted with a problem": figures.muted,
        "in grace": figures.in_grace,
        "with a problem and being deleted": figures.being_deleted,
    }
    said = [f"{count:,} {what}" for what, count in others.items() if count]
    is_hidden = figures.muted or figures.being_deleted
    found = "No open problem" if is_hidden else "No problem found"
    return f"{found}: {', '.join([f'{figures.healthy:,} of {everybody} backed up', *said])}"


def lead(report: Report, figures: Figures) -> str:
    """What was audited, and what is new, ended, muted, in grace, being deleted, not reached.

    Unknown instances count as problems where they were asked, or had one before.
    """
    coverage, news = report.coverage, report.news
    whole = f"{coverage.audited:,} of {coverage.configured:,} ({percent(coverage.percent)})"
    counts = {
        "new": news.new,
        "worse than before": news.worse,
        "ended": news.resolved,
    }
    if not report.run.scope.is_compared or is_first(report):
        counts = {}
    counts |= {
        "muted": figures.muted,
        "in grace": figures.in_grace,
        "with a problem and being deleted": figures.being_deleted,
        "not reached": figures.not_reached,
    }
    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    if figures.is_nothing_known:
        said = [one for one in said if one.endswith(("muted", "reached"))]
    elif without := figures.unknown - figures.not_reached:
        whole += f": of {without:,} nothing could be found out"
    return f"Audited {whole}." + (f" {joined(said)}." if said else "")


def largest(rows: Sequence[BreakdownRow], figures: Figures) -> str | None:
    """The owners with most problems, where there are many; None if nobody is named as an owner."""
    if figures.open < _MANY or figures.is_nothing_known:
        return None
    named = [(one.owner, one.open) for one in rows if one.by is By.OWNER and one.owner and one.open]
    if not named:
        return None
    shares = joined([f"{one_line(who, _OWNER_MAX)} {count:,}" for who, count in named[:_LARGEST]])
    return f"Most of them: {shares}."


def quiet(report: Report, history: Sequence[HistoryPoint]) -> str | None:
    """Since when complete full runs find no open problem.

    None if this one did, or is the only one, or incomplete.
    """
    if not report.run.scope.is_compared or not report.complete:
        return None
    since = None
    for count, point in enumerate(reversed(history), 1):
        if point.open or point.percent == 0 or not point.complete:
            break
        since, runs = point.due_at, count
    if since is None or runs < 2:
        return None
    return f"No open problem in {runs:,} full runs in a row, since {at(since)}."


def is_first(report: Report) -> bool:
    """Whether there was no report to compare with."""
    return report.plan.previous is None


def marks(report: Report) -> list[str]:
    """What each printed page has to say of a run that is no ordinary one."""
    run = report.run
    found = {
        "WHAT-IF": run.scope is Scope.WHAT_IF,
        "PARTIAL": run.scope is Scope.PARTIAL,
        "INCOMPLETE": not report.complete,
    }
    return [mark for mark, applies in found.items() if applies]


class Banner(msgspec.Struct, frozen=True):
    """What a reader must know before all; `is_grave` if the run cannot be relied on as ever.

    `page` is where to read what to do, a path in the repository; empty if there is nothing to do.
    """

    title: str
    text: str
    is_grave: bool = True
    page: str = ""


def banners(report: Report, figures: Figures, history: Sequence[HistoryPoint]) -> Iterator[Banner]:
    """What limits what the page proves, the gravest first."""
    run = report.run
    if run.scope is Scope.PARTIAL:
        asked = instances(figures.configured)
        text = (
            f"{asked} were asked for by hand."
            if figures.configured != 1
            else f"{asked} was asked for by hand."
        )
        yield Banner(
            "Only some instances.",
            f"{text} This says nothing of the others, and is no evidence of the fleet.",
        )
    if run.scope is Scope.WHAT_IF:
        yield Banner(
            "A what-if:",
            f"{joined(list(_asked(report)))}: not the configured policy, and no evidence.",
        )
    if not report.complete:
        since = report.alerts.incomplete_since
        still = f" Runs are incomplete since {at(since)}." if since and since != run.due_at else ""
        yield Banner(
            "The audit is incomplete:",
            f"{report.why_incomplete}.{still}",
            page=runbook_page(Runbook.INCOMPLETE_RUN, None),
        )
    if run.delay is not None:
        late = duration(int(run.delay.total_seconds()))
        yield Banner("Late.", f"The run was due at {at(run.due_at)}, and began {late} later.")
    if run.scope is Scope.FULL and is_first(report):
        yield from first(report, history)


def _asked(report: Report) -> Iterator[str]:
    run = report.run
    if run.as_of is not None:
        yield f"judged as of {at(run.as_of)}"
    if run.max_age_seconds is not None:
        yield f"judged with a max_age of {duration(run.max_age_seconds)} for each instance"


def first(report: Report, history: Sequence[HistoryPoint]) -> Iterator[Banner]:
    """Why a full run is compared with none: it is the first, or the report before is lost."""
    lost = [one for one in report.plan.warnings if one.endswith(_REPORTS_LOST)]
    if lost:
        text = f"{'; '.join(lost)}. History and changes start anew with this run."
        yield Banner("The report before is lost.", text)
    elif len(history) <= 1:
        text = "There is no run before to compare with: nothing is marked as new."
        yield Banner("First full run.", text, is_grave=False)


class LastKnown(msgspec.Struct, frozen=True, kw_only=True):
    """The last full run that knew something, where this one knows nothing."""

    point: HistoryPoint
    when: str
    machine_time: str
    said: str


def last_known(report: Report, history: Sequence[HistoryPoint]) -> LastKnown | None:
    """The last of the runs before that could audit an instance; None if there is none."""
    for point in reversed(history):
        if point.run_id == report.run.run_id or point.percent == 0:
            continue
        configured = sum(point.counts.values())
        return LastKnown(
            point=point,
            when=long_time(point.due_at),
            machine_time=machine_time(point.due_at),
            said=f"{number(point.open)} of {instances(configured)} had a problem",
        )
    return None
