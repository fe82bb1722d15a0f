"""The arithmetic of docs/scale.md."""

import msgspec

LATENCY = 0.05  # seconds of an answer
WORKERS = 32  # requests in flight of an invocation
IN_FLIGHT_MAX = 96  # requests in flight of a state machine
BATCH = 5_000  # instances
MEMORY = 0.5  # GB of an invocation

FINDING = 805  # bytes of a finding in findings.jsonl
CSV_ROW = 300  # bytes of a finding in findings.csv
CPU = 0.0008  # seconds of CPU for a request and its finding, as the benchmark's machine has it
CPU_SHARE = 512 / 1769  # of a CPU, for half a GB
CONCLUDING = 0.0002  # seconds for each instance at the end of a run, on half a GB

# US dollars, list prices of us-east-1, arm64.
GB_SECOND = 0.0000133334
TRANSITION = 0.025 / 1000
PUT = 0.005 / 1000
GB_MONTH = 0.023

DAYS = 400  # that reports are kept, one a day
ONE_INVOCATION = 870  # seconds, of Lambda's 900


class Row(msgspec.Struct, frozen=True):
    """What a fleet takes; seconds, GB and US dollars."""

    instances: int
    seconds: float
    map_seconds: float
    run_gb: float
    run_cost: float
    storage_cost: float

    @property
    def markdown(self) -> str:
        """A row of the table."""
        alone = f"{self.seconds:,.0f} s" if self.seconds <= ONE_INVOCATION else "no"
        return (
            f"| {self.instances:,} | {alone} | {self.map_seconds:,.0f} s "
            f"| {self.run_gb:.3f} GB | ${self.run_cost:.4f} | ${self.storage_cost:.2f} |"
        )


def row(instances: int) -> Row:
    """The figures of a fleet of so many instances."""
    batches = -(-instances // BATCH)
    asking = instances * max(LATENCY / WORKERS, CPU / CPU_SHARE)
    concluding = instances * CONCLUDING
    in_parallel = min(batches, IN_FLIGHT_MAX // WORKERS)
    run_gb = instances * (FINDING + CSV_ROW) / 1e9
    lambda_cost = (asking + concluding) * MEMORY * GB_SECOND
    machine_cost = (2 * batches + 3) * TRANSITION + 4 * batches * PUT
    return Row(
        instances=instances,
        seconds=1 + asking + concluding,
        map_seconds=2 + asking / in_parallel + concluding,
        run_gb=run_gb,
        run_cost=lambda_cost + machine_cost,
        storage_cost=run_gb * DAYS * GB_MONTH,
    )


SIZES = (1_000, 10_000, 100_000, 1_000_000)
