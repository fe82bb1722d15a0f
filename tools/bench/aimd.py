"""The product against a server that refuses more than 64 requests at once.

With more workers than that it has to find the number itself; with fewer it was told.
"""

from collections import defaultdict
from statistics import median

from tools.bench.clients import OURS, Job, measured_with_failures
from tools.bench.nginx import Server
from tools.bench.nginx_conf import ALLOWED_AT_ONCE
from tools.bench.results import Aimd
from tools.bench.target import Target

FIXED = (32, 48, 64)  # workers that the server never refuses
ADAPTIVE = 96  # workers; as many as the settings allow

_ROUNDS = 100  # requests of each of 64 in flight: 5 s at the server's latency


def aimd(server: Server, repeats: int) -> Aimd:
    """Measure requests per second, and refusals as the server counts them."""
    rates: dict[int, list[float]] = defaultdict(list)
    rejected: list[float] = []
    for _ in range(repeats):
        for workers in (*FIXED, ADAPTIVE):
            before = server.rejections()
            result = measured_with_failures(OURS, _job(server, workers))
            rates[workers].append(result.answered / result.seconds)
            if workers == ADAPTIVE:
                rejections = server.rejections() - before
                rejected.append(rejections / max(result.answered, 1))
    medians = {workers: median(of_workers) for workers, of_workers in rates.items()}
    best = max(medians[workers] for workers in FIXED)
    return Aimd(
        requests_per_second=round(medians[ADAPTIVE], 1),
        fixed_requests_per_second={str(workers): round(medians[workers], 1) for workers in FIXED},
        share_of_best_fixed=round(medians[ADAPTIVE] / best, 4),
        rejected_per_success=round(median(rejected), 4),
    )


def _job(server: Server, workers: int) -> Job:
    return Job(
        target=Target(api_url=server.limited_api_url, ca_file=server.ca_file, in_flight=workers),
        warm_up=0,
        requests=ALLOWED_AT_ONCE * _ROUNDS,
        newest=server.newest,
    )
