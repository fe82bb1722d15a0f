"""The figures as pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tools.bench import clients
from tools.bench.cases import Case, cases_of
from tools.bench.results import Figures, Results
from tools.bench.whole_job import CASE as WHOLE_JOB

# Okabe and Ito's colours, which colour-blind people tell apart; the loops, far off, in grey.
_COLOURS = {
    clients.OURS: "#0072B2",
    clients.THREADS: "#E69F00",
    clients.CF_CLIENT: "#CC79A7",
    clients.AIOHTTP: "#009E73",
    clients.CURL: "#56B4E9",
    clients.LOOP: "#4D4D4D",
    clients.LOOP_ONE_CA: "#999999",
}
_MARKERS = dict(zip(_COLOURS, "osD^vXP", strict=True))
_BARS = 0.84  # of the room between two groups of bars

mpl.use("Agg")  # no screen
plt.rcParams.update(
    {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": "#DDDDDD",
        "savefig.dpi": 130,
    }
)

_Panel = Callable[[Axes, Sequence[Case], Results], None]


def draw(results: Results, folder: Path) -> None:
    """Write the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if results.limit_share:
        _by_case(results, "Share of the physical limit N·L/C: more is better", _share).savefig(
            folder / "limit-share.png"
        )
        _by_case(results, "CPU time of the client per instance: less is better", _cpu).savefig(
            folder / "cpu.png"
        )
    if results.whole_job:
        _whole_job(results).savefig(folder / "whole-job.png")


def _by_case(results: Results, title: str, panel: _Panel) -> Figure:
    """A panel for each latency and size of the answers, over the number of requests in flight."""
    cases = [case for case in cases_of((20, 50, 200), (16, 32, 64), (5, 30)) if _has(results, case)]
    rows = sorted({case.backups for case in cases})
    columns = sorted({case.latency_ms for case in cases})
    figure, axes = plt.subplots(
        len(rows),
        len(columns),
        figsize=(max(9, 1 + 3.5 * len(columns)), 1.6 + 2.6 * len(rows)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for row, backups in enumerate(rows):
        for column, latency_ms in enumerate(columns):
            axis = axes[row][column]
            own = [
                case for case in cases if (case.backups, case.latency_ms) == (backups, latency_ms)
            ]
            panel(axis, own, results)
            axis.set_title(f"L = {latency_ms} ms, {backups} backups", fontsize=10)
            axis.set_xticks(range(len(own)), [str(case.in_flight) for case in own])
            axis.set_xlabel("requests in flight" if row == len(rows) - 1 else "")
            axis.set_ylabel(axis.get_ylabel() if column == 0 else "")
    figure.suptitle(title, fontsize=13)
    handles, labels = axes[0][0].get_legend_handles_labels()
    columns_of_legend = len(labels) if len(labels) <= 5 else 4
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns_of_legend, frameon=False
    )
    return figure


def _share(axis: Axes, cases: Sequence[Case], results: Results) -> None:
    """Bars; without the loops, whose limit is another one."""
    drawn = {name: results.clients[name] for name in clients.IN_PARALLEL}
    width = _BARS / len(drawn)
    for place, (name, client) in enumerate(drawn.items()):
        offset = (place - (len(drawn) - 1) / 2) * width
        axis.bar(
            [index + offset for index in range(len(cases))],
            [100 * share for share in _figures(client.limit_share, cases)],
            width=width * 0.9,
            color=_COLOURS[name],
            label=name,
        )
    axis.axhline(100, color="#4D4D4D", linewidth=1, linestyle="--")
    axis.set_ylim(0, 105)
    axis.set_ylabel("share of the limit, %")


def _cpu(axis: Axes, cases: Sequence[Case], results: Results) -> None:
    """Lines, on a logarithmic axis: between the first and the last lies a factor of hundreds."""
    for name, client in results.clients.items():
        axis.plot(
            range(len(cases)),
            _figures(client.cpu_us_per_instance, cases),
            color=_COLOURS[name],
            marker=_MARKERS[name],
            linewidth=2.5 if name == clients.OURS else 1.2,
            label=name,
        )
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(FuncFormatter(_thousands))
    axis.set_xlim(-0.3, len(cases) - 0.7)
    axis.set_ylabel("CPU per instance, µs (log)")


def _whole_job(results: Results) -> Figure:
    sizes = [int(size) for size in results.whole_job]
    jobs = list(results.whole_job.values())
    figure, (time, memory) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    figure.suptitle(
        "The whole job, from the event to the committed report: "
        f"{WHOLE_JOB.in_flight} workers, L = {WHOLE_JOB.latency_ms} ms",
        fontsize=13,
    )
    colour = _COLOURS[clients.OURS]
    time.plot(sizes, [job.seconds for job in jobs], "o-", color=colour, label="the whole job")
    limit = [WHOLE_JOB.limit_seconds(size) for size in sizes]
    time.plot(sizes, limit, "--", color="#4D4D4D", label="physical limit of the requests, N·L/C")
    time.set_yscale("log")
    time.yaxis.set_major_formatter(FuncFormatter(_thousands))
    time.set_ylabel("seconds (log)")
    time.legend(frameon=False)
    memory.plot(sizes, [job.peak_rss_mib for job in jobs], "o-", color=colour)
    memory.set_ylim(0, 1.3 * max(job.peak_rss_mib for job in jobs))
    memory.set_ylabel("peak memory of the process, MiB")
    for axis, shown in ((time, "{0.seconds:,.1f} s"), (memory, "{0.peak_rss_mib:.0f} MiB")):
        axis.set_xscale("log")
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.minorticks_off()
        axis.margins(x=0.22)
        axis.set_xlabel("instances (log)")
        for size, job, line in zip(sizes, jobs, axis.lines[0].get_ydata(), strict=True):
            axis.annotate(
                shown.format(job),
                (size, line),
                xytext=(-4, 7),  # to the left of a line that rises
                textcoords="offset points",
                ha="right",
            )
    return figure


def _has(results: Results, case: Case) -> bool:
    return case.key in results.limit_share


def _figures(figures: Figures, cases: Sequence[Case]) -> list[float]:
    return [figures[case.key] for case in cases]


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
