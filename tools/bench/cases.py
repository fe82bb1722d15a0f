"""What is measured: how slow the server is, how much is in flight, how long the answers are."""

from collections.abc import Iterable
from itertools import product

import msgspec

_USUAL_BACKUPS = 5
_WARM_UP_SECONDS = 1.0  # at the physical limit; 64 handshakes that read the public CAs take as long
_SECONDS_MIN = 1.5  # of one measurement, at the physical limit
_ROUNDS_MIN = 15  # requests after each other on one connection, or start and end count too much


class Case(msgspec.Struct, frozen=True):
    """A server that takes `latency_ms` for an answer with so many backups, asked by `in_flight`."""

    latency_ms: int
    in_flight: int
    backups: int = _USUAL_BACKUPS

    @property
    def key(self) -> str:
        """The name in .local/bench.json: L50_C64 with the usual 5 backups, else L50_C64_B30."""
        usual = f"L{self.latency_ms}_C{self.in_flight}"
        return usual if self.backups == _USUAL_BACKUPS else f"{usual}_B{self.backups}"

    @property
    def requests(self) -> int:
        """How many requests make a measurement that says something."""
        rounds = max(_ROUNDS_MIN, round(_SECONDS_MIN * 1000 / self.latency_ms))
        return self.in_flight * rounds

    @property
    def warm_up(self) -> int:
        """How many requests go before, until every connection is open and in its stride."""
        return self.in_flight * round(_WARM_UP_SECONDS * 1000 / self.latency_ms)

    def limit_seconds(self, requests: int) -> float:
        """The time below which nobody gets: N·L/C."""
        return requests * self.latency_ms / 1000 / self.in_flight

    def one_at_a_time(self) -> "Case":
        """The same server, for a client that cannot do more."""
        return Case(self.latency_ms, 1, self.backups)


def cases_of(
    latencies_ms: Iterable[int], in_flight: Iterable[int], backups: Iterable[int]
) -> list[Case]:
    """Every combination."""
    return [Case(*combination) for combination in product(latencies_ms, in_flight, backups)]


ALL_CASES = cases_of((20, 50, 200), (16, 32, 64), (_USUAL_BACKUPS, 30))
QUICK_CASES = cases_of((50,), (16, 32, 64), (_USUAL_BACKUPS,))
