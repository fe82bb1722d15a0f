"""One measurement of one client, in a process of its own: nobody's imports weigh on another.

python -m tools.bench.clients NAME, with the job on standard input.
"""

import importlib
import resource
import sys
import threading
import time
import uuid

import msgspec

from tools.bench import children
from tools.bench.target import Client, Target

OURS = "backup-audit"
LOOP = "requests.get"
LOOP_ONE_CA = "requests.get, one CA"
THREADS = "Session+ThreadPoolExecutor"
CF_CLIENT = "cloudfoundry-client"
AIOHTTP = "aiohttp+uvloop"
CURL = "curl --parallel"

_MODULES = {
    OURS: "tools.bench.ours",
    LOOP: "tools.bench.peers.requests_get",
    LOOP_ONE_CA: "tools.bench.peers.requests_get",
    THREADS: "tools.bench.peers.session_threads",
    CF_CLIENT: "tools.bench.peers.cf_client",
    AIOHTTP: "tools.bench.peers.aiohttp_uvloop",
    CURL: "tools.bench.peers.curl_parallel",
}

IN_PARALLEL = (OURS, THREADS, CF_CLIENT, AIOHTTP, CURL)
ONE_AT_A_TIME = (LOOP, LOOP_ONE_CA)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure: so many requests, after so many that warm connections and caches.

    `newest` is the timestamp that every answer should be found to hold (seconds since 1970).
    """

    target: Target
    warm_up: int
    requests: int
    newest: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Wall-clock seconds for the requests, CPU seconds of one request, and how many answered."""

    seconds: float
    cpu_seconds_per_request: float
    answered: int


class _Clock:
    """Begins after the warm-up, and counts the answers from then on."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._seen = 0
        self.right = 0
        self._begin()

    def answered(self, newest: int | None) -> None:
        with self._lock:
            self._seen += 1
            if self._seen > self._job.warm_up:
                self.right += newest == self._job.newest
            elif self._seen == self._job.warm_up:
                self._begin()

    def measured(self) -> Measured:
        own = (_cpu(resource.RUSAGE_SELF) - self._cpu) / self._job.requests
        # Of curl's process only the whole is known, its start and its handshakes included.
        children = _cpu(resource.RUSAGE_CHILDREN) / (self._job.requests + self._job.warm_up)
        return Measured(
            seconds=time.perf_counter() - self._began,
            cpu_seconds_per_request=own + children,
            answered=self.right,
        )

    def _begin(self) -> None:
        self._cpu, self._began = _cpu(resource.RUSAGE_SELF), time.perf_counter()


def measured(name: str, job: Job) -> Measured:
    """Measure a client in a new process; raise ChildFailed unless every answer is right."""
    result = measured_with_failures(name, job)
    if result.answered < job.requests:
        raise children.ChildFailed(
            f"{name}: {result.answered} right answers to {job.requests} requests"
        )
    return result


def measured_with_failures(name: str, job: Job) -> Measured:
    """Measure a client in a new process, whatever the answers are."""
    return children.ask(["-m", "tools.bench.clients", name], Measured, told=job)


def _measure(name: str, job: Job) -> Measured:
    run: Client = importlib.import_module(_MODULES[name]).run
    guids = [str(uuid.UUID(int=index)) for index in range(job.warm_up + job.requests)]
    clock = _Clock(job)
    run(job.target, guids, clock.answered)
    return clock.measured()


def _cpu(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    result = _measure(sys.argv[1], msgspec.json.decode(sys.stdin.buffer.read(), type=Job))
    print(msgspec.json.encode(result).decode())
