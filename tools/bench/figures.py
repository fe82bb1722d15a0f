"""What becomes of measurements: medians, and shares of the physical limit."""

from collections.abc import Sequence
from statistics import median

import msgspec

from tools.bench.cases import Case
from tools.bench.clients import Measured


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A client in a case: share of the limit (1 is the limit), CPU µs, requests per second."""

    limit_share: float
    cpu_us_per_instance: float
    requests_per_second: float


def figure_of(case: Case, repeats: Sequence[Measured]) -> Figure:
    """The medians over the repeats of one measurement."""
    seconds = median(repeat.seconds for repeat in repeats)
    cpu = median(repeat.cpu_seconds_per_request for repeat in repeats)
    return Figure(
        limit_share=round(case.limit_seconds(case.requests) / seconds, 4),
        cpu_us_per_instance=round(cpu * 1e6, 1),
        requests_per_second=round(case.requests / seconds, 1),
    )
