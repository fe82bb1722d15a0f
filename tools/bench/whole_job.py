"""The whole job: from the event to the committed report, with local AWS, a process for each run."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tools.bench.aws import configuration_uri
from tools.bench.cases import Case
from tools.bench.invoke import Invocation, invoke
from tools.bench.nginx import Server
from tools.bench.results import WholeJob

CASE = Case(latency_ms=50, in_flight=64)
ALL_SIZES = (100, 1_000, 10_000, 100_000)
QUICK_SIZES = (100, 1_000)

_ONCE_FROM = 100_000  # instances; so many take over a minute, and need no median


def whole_jobs(
    package: Path,
    server: Server,
    settings: Mapping[str, str],
    sizes: Sequence[int],
    *,
    repeats: int,
    tell: Callable[[str], None],
) -> dict[str, WholeJob]:
    """Run the function over fleets of these sizes; the results by size."""
    runs: dict[int, list[Invocation]] = defaultdict(list)
    for repeat in range(repeats):
        for size in sizes if repeat == 0 else (size for size in sizes if size < _ONCE_FROM):
            tell(f"round {repeat + 1} of {repeats}, {size:,} instances")
            of_run = {
                "CF_API_URL": server.api_url(CASE.latency_ms, CASE.backups, size),
                "CONFIG_URI": configuration_uri(size),
                "WORKERS": str(CASE.in_flight),
                "REPORT_PREFIX": f"{size}-{repeat}",  # each is the first run of its fleet
            }
            runs[size].append(invoke(package, {**settings, **of_run}, size))
    return {str(size): _result(size, of_size) for size, of_size in runs.items()}


def _result(size: int, runs: Sequence[Invocation]) -> WholeJob:
    seconds = median(run.seconds for run in runs)
    return WholeJob(
        seconds=round(seconds, 3),
        peak_rss_mib=round(median(run.peak_rss_mib for run in runs), 1),
        limit_share=round(CASE.limit_seconds(size) / seconds, 4),
    )
