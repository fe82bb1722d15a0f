"""The arithmetic of docs/scale.md."""

import msgspec

LATENCY = 0.05  # seconds of an answer
WORKERS = 32  # requests in flight of an invocation, alone or one of a state machine's
MAP_WORKERS = 96  # requests in flight of a state machine
BATCH = 5_000  # instances
MEMORY = 1769 / 1024  # GB of an invocation

FINDING = 805  # bytes of a finding in findings.jsonl
CSV_ROW = 300  # bytes of a finding in findings.csv
CPU = 0.0008  # seconds of CPU for a request and its finding, as the benchmark's machine has it
CONCLUDING = 0.00006  # seconds for each instance at the end of a run

PAGE = 1_000  # instances of the inventory

# US dollars, list prices of us-east-1, arm64.
GB_SECOND = 0.0000133334
TRANSITION = 0.025 / 1000
PUT = 0.005 / 1000
GB_MONTH = 0.023
METRIC_MONTH = 0.30  # sent in every hour
ALARM_MONTH = 0.10  # for each metric that it watches
DASHBOARD_MONTH = 3.00
SECRET_MONTH = 0.40

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


def row(instances: int, latency: float = LATENCY) -> Row:
    """The figures of a fleet of so many instances, answered after `latency` seconds each."""
    batches = -(-instances // BATCH)
    asking = instances * max(latency / WORKERS, CPU)
    concluding = instances * CONCLUDING
    in_parallel = min(batches, MAP_WORKERS // WORKERS)
    run_gb = instances * (FINDING + CSV_ROW) / 1e9
    lambda_cost = (asking + concluding) * MEMORY * GB_SECOND
    machine_cost = (2 * batches + 3) * TRANSITION + writes(batches) * PUT
    return Row(
        instances=instances,
        seconds=1 + asking + concluding,
        map_seconds=2 + asking / in_parallel + concluding,
        run_gb=run_gb,
        run_cost=lambda_cost + machine_cost,
        storage_cost=run_gb * DAYS * GB_MONTH,
    )


def writes(batches: int) -> int:
    """How many objects a full run of mode map writes: of each batch its list, findings and cost.

    The others are the plan's, the report's, the page, the run's line, pointers, claims and marks.
    """
    return 3 * batches + 17


def metrics_cost(metrics: int, hours_a_day: int) -> float:
    """US dollars a month of so many metrics, sent in so many hours of each day.

    https://aws.amazon.com/cloudwatch/pricing/: prorated by the hour, metered when they are sent.
    """
    return metrics * METRIC_MONTH * hours_a_day / 24


def inventory_requests(instances: int) -> int:
    """How many requests the inventory takes, if no two instances were created in one second.

    Each page but the first begins with the last instance of the page before; one request counts the
    user-provided instances.
    """
    return max(1, -(-(instances - 1) // (PAGE - 1))) + 1


def inventory_row(instances: int) -> str:
    """A row of the inventory's table: its requests, and seconds if a page takes 0.2 s or 1 s."""
    requests = inventory_requests(instances)
    return f"| {instances:,} | {requests:,} | {requests * 0.2:,.1f} s | {requests:,} s |"


SIZES = (1_000, 10_000, 100_000, 1_000_000)
INVENTORIES = (1_000, 10_000, 100_000, 500_000)  # instances; the last is the most that is read
