"""What the figures should be, and whether they are. A missed goal is said; it fails nothing."""

from collections.abc import Iterable

import msgspec

from tools.bench.clients import LOOP, LOOP_ONE_CA, OURS, THREADS
from tools.bench.results import ColdStart, Figures, Results


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal; `got` and `met` are None where its figure was not measured."""

    what: str
    wanted: str
    got: str | None = None
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """In a word or two."""
        return "not measured" if self.met is None else "met" if self.met else "missed"


def goals(results: Results) -> list[Goal]:
    """All goals; where a case has answers of two sizes, the worse one counts."""
    return [
        _share(results, "L50_C16", 0.95),
        _share(results, "L50_C32", 0.93),
        _share(results, "L50_C64", 0.90),
        _share(results, "L200_C64", 0.95),
        _cpu(results, THREADS, 1 / 2),
        _cpu(results, LOOP, 1 / 4),
        _cpu(results, LOOP_ONE_CA, 1 / 4),
        _cold_job(results),
        _memory(results),
        _cold_start(results.cold_start_cpu_ms),
        _at_least(
            "AIMD where the server allows 64 at once, of the best fixed setting",
            0.90,
            results.aimd.share_of_best_fixed,
            "{:.1%}",
        ),
        _below(
            "AIMD, rejected requests per success", 0.1, results.aimd.rejected_per_success, "{:.3f}"
        ),
    ]


def _share(results: Results, case: str, wanted: float) -> Goal:
    share = min(_of_case(results.limit_share, case), default=None)
    return _at_least(f"share of the limit, {case}", wanted, share, "{:.1%}")


def _cpu(results: Results, peer: str, wanted: float) -> Goal:
    ours = _of_case(results.cpu_us_per_instance, "L50_C64")
    theirs = _of_case(results.peers[peer].cpu_us_per_instance, "L50_C64")
    ratio = max((mine / its for mine, its in zip(ours, theirs, strict=True)), default=None)
    return _at_most(f"CPU per instance, L50_C64, of {peer}", wanted, ratio, "{:.2f}")


def _of_case(figures: Figures, case: str) -> list[float]:
    """The figures of a case, whatever the size of its answers."""
    return [value for key, value in figures.items() if f"{key}_".startswith(f"{case}_")]


def _cold_job(results: Results) -> Goal:
    ratio = results.cold_job[THREADS].seconds / results.cold_job[OURS].seconds
    return _at_least(f"cold job, times as fast as {THREADS}", 2, ratio, "{:.2f}")


def _memory(results: Results) -> Goal:
    small, large = (results.whole_job.get(size) for size in ("1000", "100000"))
    more = large.peak_rss_mib - small.peak_rss_mib if small and large else None
    return _at_most("peak memory at 100,000 instances, above that at 1,000", 40, more, "{:.0f} MiB")


def _cold_start(measured: ColdStart) -> Goal:
    # 220 ms on a machine where the base takes 183; as a ratio it holds on others too.
    return _at_most(
        "import of the handler with .pyc, of requests + Logger + Metrics alone",
        220 / 183,
        measured.import_ / measured.base_import,
        "{:.2f}",
    )


def _at_least(what: str, wanted: float, got: float | None, shown: str) -> Goal:
    return _goal(what, "at least", wanted, got, shown, met=got is not None and got >= wanted)


def _at_most(what: str, wanted: float, got: float | None, shown: str) -> Goal:
    return _goal(what, "at most", wanted, got, shown, met=got is not None and got <= wanted)


def _below(what: str, wanted: float, got: float | None, shown: str) -> Goal:
    return _goal(what, "below", wanted, got, shown, met=got is not None and got < wanted)


def _goal(
    what: str, relation: str, wanted: float, got: float | None, shown: str, *, met: bool
) -> Goal:
    return Goal(
        what=what,
        wanted=f"{relation} {shown.format(wanted)}",
        got=None if got is None else shown.format(got),
        met=None if got is None else met,
    )


def missed(of: Iterable[Goal]) -> int:
    """How many goals are missed."""
    return sum(goal.met is False for goal in of)
