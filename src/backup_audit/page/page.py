"""The page for people: report.html, streamed from the stored report.

It follows from report.json as it is stored, and from the hashes of the other objects, never
from memory or the clock: two deliveries of a run draw the same page. One pass over the lists; what
is not bounded is counted, or packed, while it passes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page import charts, sections
from backup_audit.page.answer import (
    banners,
    figures_of,
    heading,
    is_first,
    largest,
    last_known,
    lead,
    marks,
    quiet,
    verdicts_in,
)
from backup_audit.page.causes import causes_of
from backup_audit.page.markup import rendered
from backup_audit.page.period import period_of, slots_of
from backup_audit.page.rows import REAL_ROWS, Block, PackedBlock, RowMaker
from backup_audit.report.commit import StoredReport
from backup_audit.report.figures import BreakdownRow
from backup_audit.report.history import HistoryPoint
from backup_audit.report.report import KeptObject
from backup_audit.report.store import decoding

T = TypeVar("T")

_ROWS_AT_ONCE = 50


def page_pieces(stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
    """report.html in pieces, from the stored report.json and the hashes of the other objects.

    Raises ReportStoreFailed. Whatever else it raises is a fault of ours, and no reason to do
    without the report.
    """
    reader, head = stored.reader(), stored.head
    history = list(_read(stored, reader.history()))
    breakdown = list(_read(stored, reader.breakdown()))
    late = list(islice(_read(stored, reader.late()), sections.LATE_MAX))
    mutes = sections.mutes_of(_read(stored, reader.mutes()))
    seen, maker = sections.Seen(), RowMaker(is_first=is_first(head))
    row_count = head.coverage.configured - verdicts_in(head.counts)[Verdict.HEALTHY]
    shared = {
        "head": head,
        "figures": figures_of(head),
        "row_count": row_count,
        "is_first": is_first(head),
        "csv_key": stored.keys.report("findings.csv"),
        "mutes": mutes,
    }
    yield rendered("begin.html", **shared, **_first_screen(stored, history, breakdown))
    findings = _seen(_read(stored, reader.findings()), seen)
    yield from _problems(findings, maker, shared, row_count)
    yield rendered(
        "rest.html",
        **shared,
        late=late,
        ended=sections.ends_of(_read(stored, reader.resolved()), head.run.due_at),
        period=period_of(history),
        equation=sections.equation(head),
        seen=seen,
        bucket=stored.address.bucket,
        verify_where=f"s3://{stored.address.bucket}/{stored.keys.prefix}",
        objects=objects,
    )


def _first_screen(
    stored: StoredReport, history: Sequence[HistoryPoint], breakdown: Sequence[BreakdownRow]
) -> dict[str, object]:
    """The answer, and the charts."""
    head, figures = stored.head, figures_of(stored.head)
    causes = causes_of(_findings(stored)) if figures.is_nothing_known else []
    known = last_known(head, history) if figures.is_nothing_known else None
    slots = slots_of(history)
    return {
        "heading": heading(head, figures, causes),
        "lead": lead(head, figures),
        "quiet": quiet(head, history),
        "largest": largest(breakdown, figures),
        "marks": marks(head),
        "banners": list(banners(head, figures, history)),
        "causes": causes,
        "last_known": known,
        "last_bar": charts.bar(verdicts_in(known.point.counts)) if known else (),
        "verdict_bar": charts.bar(verdicts_in(head.counts)),
        "tiles": list(sections.tiles_of(head, sections.run_before(head, figures, history))),
        "history": history,
        "trend": charts.trend(slots),
        "trend_sentence": sections.trend_sentence(history) if history else "",
        "ages": charts.ages(head.ages),
        "ages_sentence": sections.ages_sentence(head),
        "groups": [] if figures.is_nothing_known else list(sections.actors(breakdown)),
        "shows_changes": head.run.scope.is_compared and not is_first(head),
    }


def _problems(
    findings: Iterator[Finding], maker: RowMaker, shared: dict[str, object], row_count: int
) -> Iterator[bytes]:
    """The first rows in HTML, then all of them for the script."""
    is_packed = row_count > REAL_ROWS
    block = PackedBlock() if is_packed else Block()
    held = [block.begin()]
    for chunk in _in_chunks(islice(findings, REAL_ROWS), _ROWS_AT_ONCE):
        held += (block.add(maker.values(one, is_real=True)) for one in chunk)
        yield rendered("rows.html", rows=[maker.row(one) for one in chunk])
    yield rendered("end.html", **shared)
    kind, name = ("text/plain", "packed") if is_packed else ("application/json", "data")
    yield f'<script type="{kind}" id="{name}">'.encode()
    yield from held
    for one in findings:
        if ready := block.add(maker.values(one, is_real=False)):
            yield ready
    yield block.end(maker.steps)
    yield b"</script>\n"


def _findings(stored: StoredReport) -> Iterator[Finding]:
    """The findings in a pass of their own: for a run in which nothing is known, to say why."""
    yield from _read(stored, stored.reader().findings())


def _read(stored: StoredReport, entries: Iterator[T]) -> Iterator[T]:
    """The entries of a list; what cannot be decoded fails as the store does."""
    with decoding(stored.store, stored.address.key):
        yield from entries


def _seen(findings: Iterable[Finding], seen: sections.Seen) -> Iterator[Finding]:
    for one in findings:
        seen.add(one)
        yield one


def _in_chunks(entries: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(entries, size)):
        yield chunk
