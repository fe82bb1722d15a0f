"""The figures as tables, the same for a terminal and for a page."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from tools.bench.aimd import ADAPTIVE
from tools.bench.goals import goals
from tools.bench.lambda_cpu import SHARE
from tools.bench.results import (
    BEFORE,
    LIVES,
    PRINTED,
    STEPS,
    Aimd,
    AlertDay,
    Alerts,
    BadDays,
    Client,
    ColdJob,
    ColdStart,
    Figures,
    Inventory,
    MemoryDay,
    ReportPage,
    Results,
    Sending,
    Silent,
    Throttled,
    WholeJob,
)


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
    return [_goals(results), *_of_invocations(results), *_of_fleets(results)]


def _of_invocations(results: Results) -> list[Table]:
    """How fast one is, and what it takes."""
    found = _fan_out(results) if results.limit_share else []
    if results.cold_job:
        found.append(_cold_job(results.cold_job))
    if results.whole_job:
        found.append(_whole_job(results.whole_job))
    if results.cold_start_cpu_ms:
        found.append(_cold_start(results.cold_start_cpu_ms))
    if results.aimd:
        found.append(_aimd(results.aimd))
    if results.throttled:
        found.append(_throttled(results.throttled))
    return found


def _of_fleets(results: Results) -> list[Table]:
    """What becomes of fleets, and what is said of them."""
    found = []
    if results.bad_days:
        found += [_silent(results.bad_days.silent), _other_bad_days(results.bad_days)]
    if results.memory:
        found.append(_large_bad_days(results.memory))
    if results.inventory:
        found += [_planning(results.inventory), _histories(results.inventory)]
    if results.alerts:
        found += _alerts(results.alerts)
    if results.report_page:
        found.append(_pages(results.report_page))
    return found


def _fan_out(results: Results) -> list[Table]:
    return [
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
    ]


def _by_case(results: Results, of: Callable[[Client], Figures], shown: str) -> list[list[str]]:
    return [
        [case, *(shown.format(of(client)[case]) for client in results.clients.values())]
        for case in results.limit_share
    ]


def _cold_job(measured: Mapping[str, ColdJob]) -> Table:
    return Table(
        title="Cold job",
        note="640 requests, 64 in flight, L = 50 ms: connections and handshakes are inside the "
        "clock. The limit is 0.50 s.",
        head=["client", "seconds", "CPU µs per instance"],
        rows=[
            [name, f"{job.seconds:.2f}", f"{job.cpu_us_per_instance:,.0f}"]
            for name, job in measured.items()
        ],
    )


def _whole_job(measured: Mapping[str, WholeJob]) -> Table:
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
            for size, job in measured.items()
        ],
    )


def _cold_start(measured: ColdStart) -> Table:
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


def _aimd(measured: Aimd) -> Table:
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


def _throttled(measured: Throttled) -> Table:
    before = measured.before or {}
    return Table(
        title="At Lambda's share of a CPU",
        note=f"Seconds of the whole process, from Python's start to its end, at {SHARE:.2f} of a "
        f"CPU by {measured.how}: 32 workers, L = 200 ms. Before: commit {BEFORE}, which had a "
        "transport of its own, measured in turn with this one.",
        head=["instances", "now", "before"],
        rows=[
            [f"{int(size):,}", f"{seconds:.2f}", f"{before[size]:.2f}" if before else ""]
            for size, seconds in measured.now.items()
        ],
    )


def _silent(days: Sequence[Silent]) -> Table:
    return Table(
        title="Brokers that hang",
        note="4,000 instances, of which a share says nothing: how many of the others are judged. "
        "In simulated time: plan, schedule and state are the product's, the API is a function.",
        head=["silent", "day", "of the others judged", "simulated seconds"],
        rows=[
            [
                f"{day.share:.1%}, {day.where}",
                str(day.day),
                f"{day.judged:.1%}",
                f"{day.seconds:.0f}",
            ]
            for day in days
        ],
    )


def _other_bad_days(measured: BadDays) -> Table:
    runs, hanging = measured.starved_runs, measured.hanging
    refused = f"{measured.refused_judged:.1%} of the others judged"
    starved = f"each judged in {runs} runs" if runs else "some never judged"
    over = f"{hanging.known:,} known, {hanging.not_reached} not reached, {hanging.seconds:.1f} s"
    return Table(
        title="Other bad days",
        note="The first two in simulated time, the last in real time against nginx.",
        head=["day", "what came of it"],
        rows=[
            ["two of 4,000 instances refused for ever", refused],
            ["500 instances, the API lets 100 a run through", starved],
            ["one of 1,001 hangs, Lambda's time is over in 20 s", over],
        ],
    )


def _large_bad_days(memory: Mapping[str, Sequence[MemoryDay]]) -> Table:
    return Table(
        title="Large bad days",
        note="A process a day; objects are files, and an API in the same process answers at once. "
        "Peak of the resident set, CPU of the whole process, temporary files.",
        head=["instances, day", "problems", "CPU s", "peak, MiB", "files, MiB", "messages"],
        rows=[
            [
                f"{int(size):,} {case}, {number}",
                f"{day.problems:,}",
                f"{day.cpu_seconds:.1f}",
                f"{day.peak_mib:.0f}",
                f"{day.temporary_mib:.0f}",
                f"{day.messages:,}",
            ]
            for key, days in memory.items()
            for case, size in [key.split()]
            for number, day in enumerate(days, 1)
        ],
    )


def _planning(measured: Inventory) -> Table:
    return Table(
        title="Planning a discovered fleet",
        note="From the first page of the list to the batches, under 50 rules and 20 excludes: "
        "requests, and CPU seconds of the process without its imports. The list is served by "
        "another process over HTTP.",
        head=["instances", "requests", "CPU s", "of them for the inventory"],
        rows=[
            [
                f"{int(size):,}",
                f"{one.requests:,}",
                f"{one.cpu_seconds:.1f}",
                f"{one.inventory_cpu_seconds:.1f}",
            ]
            for size, one in measured.planning.items()
        ],
    )


def _histories(measured: Inventory) -> Table:
    return Table(
        title="Instances that come and go between pages",
        note="Random histories: instances are made, deleted, renamed and moved between any two "
        "requests. Those that live all the while must be read once each.",
        head=["paging", "histories", "complete", "partial", "missed", "doubled"],
        rows=[
            [
                paging,
                f"{one.histories:,}",
                f"{one.complete:,}",
                f"{one.partial:,}",
                f"{one.missed:,}",
                f"{one.doubled:,}",
            ]
            for paging, one in measured.histories.items()
        ],
    )


def _alerts(measured: Alerts) -> list[Table]:
    return [_new_problems(measured), _messages(measured), _lives(measured)]


def _new_problems(measured: Alerts) -> Table:
    again = measured.again
    return Table(
        title="New problems",
        note="A run in which every instance has a new problem. Each message is made, signed and "
        "sent by boto3; SNS takes a batch in 20 ms, within the process. When a run of 10,000 died "
        f"in the middle, {again.before:,} messages were out, and its retry sent {again.after:,} of "
        f"{again.messages:,}. A fleet with 50 open problems, audited every hour for a week, had "
        f"{measured.digests_in_a_week} digests.",
        head=["problems, audience", "messages", "requests", "largest, KiB", "CPU s"],
        rows=[
            [f"{int(size):,}, {audience}", *_sending(one)]
            for size, day in measured.new.items()
            for audience, one in day.sent.items()
        ],
    )


def _messages(measured: Alerts) -> Table:
    return Table(
        title="Messages of a fleet",
        note="What each audience got, a day after the other, and by how much the peak of the "
        "run's memory rose meanwhile.",
        head=[
            "instances, day, audience",
            "messages",
            "requests",
            "largest, KiB",
            "CPU s",
            "above the run, MiB",
        ],
        rows=[
            [f"{which}, {audience}", *_sending(one), f"{one.above_mib:.0f}"]
            for which, day in _days_of(measured, smallest=100_000)
            for audience, one in day.sent.items()
            if one.messages
        ],
    )


def _lives(measured: Alerts) -> Table:
    meanings = "; ".join(f"{life}: {what}" for life, what in LIVES.items())
    return Table(
        title="Problems from day to day",
        note=f"CPU seconds of each step, without the start of Python, and peak memory. {meanings}.",
        head=["instances, day", *STEPS, "peak, MiB"],
        rows=[
            [
                which,
                *(f"{day.cpu_seconds.get(step, 0):.2f}" for step in STEPS),
                f"{day.peak_mib:.0f}",
            ]
            for which, day in _days_of(measured)
        ],
    )


def _sending(one: Sending) -> list[str]:
    return [
        f"{one.messages:,}",
        f"{one.batches:,}",
        f"{one.largest / 1024:.1f}",
        f"{one.cpu_seconds:.2f}",
    ]


def _days_of(measured: Alerts, smallest: int = 0) -> Iterator[tuple[str, AlertDay]]:
    """Every day of fleets of that size at least, with its name."""
    for key, days in measured.days.items():
        life, size = key.split()
        for number, day in enumerate(days, 1):
            if int(size) >= smallest:
                yield f"{int(size):,} {life}, {number}", day


def _pages(measured: ReportPage) -> Table:
    return Table(
        title="The report's page",
        note="report.html by its problems: KB, CPU seconds of drawing it, and milliseconds in a "
        "Chromium that reads it from a disk. Its list can be used when the script has drawn the "
        "first rows; a link leads to the last problem. The first page of a process costs "
        f"{measured.import_cpu_ms:.0f} ms of CPU for imports, Jinja2 among them, and "
        f"{measured.templates_cpu_ms:.0f} ms for the templates. To commit 100,000 problems takes "
        f"{measured.peak_mib:.0f} MiB at the peak, and {measured.sketched_peak_mib:.0f} where the "
        f"page is one line. {PRINTED} problems are printed on {measured.sheets} sheets of A4.",
        head=[
            "problems",
            "KB",
            "CPU s",
            "first paint",
            "usable",
            "link",
            "filter",
            "search",
            "sort",
        ],
        rows=[
            [
                f"{int(problems):,}",
                f"{page.bytes / 1_000:,.0f}",
                f"{page.cpu_seconds:.2f}",
                *(
                    f"{milliseconds:,.0f}"
                    for milliseconds in (
                        page.opened.first_paint,
                        page.opened.usable,
                        page.opened.linked,
                        page.opened.filtered,
                        page.opened.searched,
                        page.opened.sorted,
                    )
                ),
            ]
            for problems, page in measured.pages.items()
        ],
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
