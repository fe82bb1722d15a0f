"""The figures as tables, the same for a terminal and for a page."""

from collections.abc import Callable, Sequence

import msgspec

from tools.bench.aimd import ADAPTIVE
from tools.bench.goals import goals
from tools.bench.results import Client, Figures, Results


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under a head, all of the same length; `picture` is a file in docs/bench."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    picture: str | None = None

    def markdown(self) -> str:
        """Aligned Markdown: the first column to the left, figures to the right."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rule = ["-" * width for width in widths]
        rule[1:] = [f"{dashes[1:]}:" for dashes in rule[1:]]
        return "\n".join(
            f"| {' | '.join(_aligned(line, widths))} |" for line in [self.head, rule, *self.rows]
        )


def tables(results: Results) -> list[Table]:
    """The goals, and everything that was measured."""
    return [
        _goals(results),
        Table(
            title="Share of the limit",
            note="N requests of L ms each, C in flight: nobody is faster than N·L/C. requests.get "
            "has one in flight, so its limit is N·L.",
            head=["case", *results.clients],
            rows=_by_case(results, lambda client: client.limit_share, "{:.1%}"),
            picture="limit-share.png",
        ),
        Table(
            title="CPU per instance",
            note="User and system time of the client, µs.",
            head=["case", *results.clients],
            rows=_by_case(results, lambda client: client.cpu_us_per_instance, "{:,.0f}"),
            picture="cpu.png",
        ),
        Table(
            title="Requests per second",
            note="The same measurements once more.",
            head=["case", *results.clients],
            rows=_by_case(results, lambda client: client.requests_per_second, "{:,.0f}"),
        ),
        _cold_job(results),
        _whole_job(results),
        _cold_start(results),
        _aimd(results),
    ]


def _by_case(results: Results, of: Callable[[Client], Figures], shown: str) -> list[list[str]]:
    return [
        [case, *(shown.format(of(client)[case]) for client in results.clients.values())]
        for case in of(results)
    ]


def _cold_job(results: Results) -> Table:
    return Table(
        title="Cold job",
        note="640 requests, 64 in flight, L = 50 ms: connections and handshakes are inside the "
        "clock. The limit is 0.50 s.",
        head=["client", "seconds", "CPU µs per instance"],
        rows=[
            [name, f"{job.seconds:.2f}", f"{job.cpu_us_per_instance:,.0f}"]
            for name, job in results.cold_job.items()
        ],
    )


def _whole_job(results: Results) -> Table:
    return Table(
        title="Whole job",
        note="The function from the event to the committed report, with 64 workers, L = 50 ms and "
        "local AWS.",
        picture="whole-job.png",
        head=["instances", "seconds", "share of the limit", "peak memory, MiB"],
        rows=[
            [
                f"{int(size):,}",
                f"{job.seconds:.2f}",
                f"{job.limit_share:.1%}",
                f"{job.peak_rss_mib:.0f}",
            ]
            for size, job in results.whole_job.items()
        ],
    )


def _cold_start(results: Results) -> Table:
    measured = results.cold_start_cpu_ms
    return Table(
        title="Cold start",
        note="CPU ms of a new process, without the start of Python itself.",
        head=["what", "with .pyc", "without .pyc"],
        rows=[
            ["requests + Logger + Metrics alone", f"{measured.base_import:.0f}", ""],
            [
                "import of the handler",
                f"{measured.import_:.0f}",
                f"{measured.import_without_pyc:.0f}",
            ],
            [
                "import and first run, one instance",
                f"{measured.first_run:.0f}",
                f"{measured.first_run_without_pyc:.0f}",
            ],
        ],
    )


def _aimd(results: Results) -> Table:
    measured = results.aimd
    rows = [
        [f"{workers} workers", f"{rate:,.0f}", "0"]
        for workers, rate in measured.fixed_requests_per_second.items()
    ]
    found = f"{measured.requests_per_second:,.0f}"
    rows.append([f"AIMD, up to {ADAPTIVE}", found, f"{measured.rejected_per_success:.3f}"])
    return Table(
        title="AIMD",
        note="The server allows 64 requests at once and refuses more with 429; L = 50 ms.",
        head=["setting", "requests per second", "rejected per success"],
        rows=rows,
    )


def _goals(results: Results) -> Table:
    return Table(
        title="Goals",
        note="Where a case has answers of two sizes, the worse figure counts.",
        head=["figure", "wanted", "got", "verdict"],
        rows=[[goal.what, goal.wanted, goal.got or "", goal.verdict] for goal in goals(results)],
    )


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
