"""What `make bench` leaves in .local/bench.json."""

import msgspec

from tools.bench.clients import OURS

Figures = dict[str, float]  # by case, such as L50_C64; see cases.py


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client's figures: shares of the limit (1 is the limit), CPU µs, requests per second."""

    limit_share: Figures
    cpu_us_per_instance: Figures
    requests_per_second: Figures


class ColdJob(msgspec.Struct, frozen=True, kw_only=True):
    """640 requests, 64 in flight, from nothing."""

    seconds: float
    cpu_us_per_instance: float


class WholeJob(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the function, from the event to its answer; `limit_share` is of N·L/C."""

    seconds: float
    peak_rss_mib: float
    limit_share: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True, rename={"import_": "import"}):
    """CPU milliseconds, without the start of Python itself.

    `import` is that of the handler, `base_import` that of requests, Logger and Metrics alone.
    `first_run` is import and one run over one instance.
    """

    import_: float
    first_run: float
    import_without_pyc: float
    first_run_without_pyc: float
    base_import: float


class Aimd(msgspec.Struct, frozen=True, kw_only=True):
    """With more workers than the server allows; the fixed ones by their number of workers."""

    requests_per_second: float
    fixed_requests_per_second: dict[str, float]
    share_of_best_fixed: float
    rejected_per_success: float


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cores: int
    python: str
    system: str
    nginx: str


class Results(Client, frozen=True, kw_only=True):
    """One run of the benchmark; the figures outside `peers` are the product's."""

    peers: dict[str, Client]
    cold_job: dict[str, ColdJob]
    whole_job: dict[str, WholeJob]  # by the number of instances
    cold_start_cpu_ms: ColdStart
    aimd: Aimd
    machine: Machine
    repeats: int
    measured_at: str  # UTC, ISO 8601
    quick: bool

    @property
    def clients(self) -> dict[str, Client]:
        """All clients by name, the product first."""
        return {OURS: self, **self.peers}
