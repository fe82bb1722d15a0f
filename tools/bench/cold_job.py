"""A small job from nothing: connections and handshakes are inside the clock."""

from collections import defaultdict
from statistics import median

from tools.bench.cases import Case
from tools.bench.clients import IN_PARALLEL, Job, Measured, measured
from tools.bench.fan_out import turned
from tools.bench.nginx import Server
from tools.bench.results import ColdJob
from tools.bench.target import Target

CASE = Case(latency_ms=50, in_flight=64)
REQUESTS = 10 * CASE.in_flight


def cold_jobs(server: Server, repeats: int) -> dict[str, ColdJob]:
    """Measure every client that can have several requests in flight."""
    rounds: dict[str, list[Measured]] = defaultdict(list)
    job = Job(
        target=Target(
            api_url=server.api_url(CASE.latency_ms, CASE.backups),
            ca_file=server.ca_file,
            in_flight=CASE.in_flight,
        ),
        warm_up=0,
        requests=REQUESTS,
        newest=server.newest,
    )
    for repeat in range(repeats):
        for name in turned(IN_PARALLEL, repeat):
            rounds[name].append(measured(name, job))
    return {
        name: ColdJob(
            seconds=round(median(repeat.seconds for repeat in of_client), 3),
            cpu_us_per_instance=round(
                1e6 * median(repeat.cpu_seconds_per_request for repeat in of_client), 1
            ),
        )
        for name, of_client in rounds.items()
    }
