"""report.html: its size, what drawing it takes of a run, and what it is like in a browser.

    python -m tools.bench.report_page

Pages are of the fleets that the tests look at: a third of the problems stale, the others of each
kind. What is drawn, and what is imported, is in processes of their own.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from tests.doubles.pages import none, objects_of, size
from tools.bench import children, memory
from tools.bench.reader import reading
from tools.bench.results import PAGE_SIZES, PRINTED, DrawnPage, ReportPage

_SELF = ("-m", "tools.bench.report_page", "--task")


def report_page(*, repeats: int, quick: bool, tell: Callable[[str], None]) -> ReportPage:
    """Measure everything; quickly, with a hundredth of the largest fleet."""
    largest = PAGE_SIZES[-1] // (100 if quick else 1)
    tell("the first page of a process")
    firsts = [children.ask(_SELF, First, told=Task()) for _ in range(repeats)]
    pages = {}
    with tempfile.TemporaryDirectory() as folder, reading() as reader:
        for problems in (*PAGE_SIZES[:-1], largest):
            tell(f"a page of {problems:,} problems")
            path = Path(folder, f"{problems}.html")
            task = Task(problems=problems, path=str(path), repeats=repeats)
            drawn = children.ask(_SELF, Drawn, told=task)
            pages[str(problems)] = DrawnPage(
                bytes=path.stat().st_size,
                cpu_seconds=drawn.cpu_seconds,
                opened=reader.opened(path, drawn.last_guid, repeats),
            )
        sheets = reader.sheets(Path(folder, f"{PRINTED}.html"))
    tell(f"{largest:,} problems are committed with a page, and with a sketch of one")
    peak, sketched = (
        memory.committed(largest, with_page=with_page).peak_mib for with_page in (True, False)
    )
    return ReportPage(
        pages=pages,
        import_cpu_ms=round(median(one.import_cpu_ms for one in firsts), 1),
        templates_cpu_ms=round(median(one.templates_cpu_ms for one in firsts), 1),
        peak_mib=peak,
        sketched_peak_mib=sketched,
        sheets=sheets,
    )


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """For a process of its own: a page to draw into a file, so often, or the first one of all."""

    problems: int | None = None
    path: str = ""
    repeats: int = 1


class First(msgspec.Struct, frozen=True, kw_only=True):
    """What a process pays for once: see ReportPage."""

    import_cpu_ms: float
    templates_cpu_ms: float


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The median of drawing a page, templates compiled; the GUID of its last problem."""

    cpu_seconds: float
    last_guid: str


def _first() -> First:
    import backup_audit.wiring  # noqa: F401, PLC0415  # what a function has imported by then

    report = none()
    objects = objects_of(report)
    began = time.process_time()
    from backup_audit.page.page import page_pieces  # noqa: PLC0415

    imported = time.process_time()
    for _ in page_pieces(report, objects):
        pass
    first = time.process_time()
    for _ in page_pieces(report, objects):
        pass
    second = time.process_time()
    return First(
        import_cpu_ms=(imported - began) * 1000,
        templates_cpu_ms=((first - imported) - (second - first)) * 1000,
    )


def _drawn(problems: int, path: Path, repeats: int) -> Drawn:
    from backup_audit.page.page import page_pieces  # noqa: PLC0415

    report = size(problems)
    objects = objects_of(report)
    for _ in page_pieces(none(), objects):  # compiles the templates
        pass
    rounds = []
    for _ in range(repeats):
        with path.open("wb") as file:
            began = time.process_time()
            for piece in page_pieces(report, objects):
                file.write(piece)
            rounds.append(time.process_time() - began)
    *_, last = report.reader().findings()
    return Drawn(cpu_seconds=round(median(rounds), 3), last_guid=last.guid)


def main() -> None:
    if "--task" in sys.argv:
        task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
        done: First | Drawn = (
            _first()
            if task.problems is None
            else _drawn(task.problems, Path(task.path), task.repeats)
        )
        print(msgspec.json.encode(done).decode())
        return
    measured = report_page(repeats=3, quick=False, tell=lambda it: print(it, flush=True))
    print(msgspec.json.format(msgspec.json.encode(measured)).decode())


if __name__ == "__main__":
    main()
