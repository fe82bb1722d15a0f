"""The clients in every case, in alternation: what a noisy machine does, it does to all of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from tools.bench.cases import Case
from tools.bench.clients import (
    CURL,
    IN_PARALLEL,
    LOOP_ONE_CA,
    ONE_AT_A_TIME,
    Job,
    Measured,
    measured,
)
from tools.bench.figures import Figure, figure_of
from tools.bench.nginx import Server
from tools.bench.target import Target

# curl's handshakes cannot be kept out of the clock; at least they shall not read the public CAs.
_ONE_CA = (LOOP_ONE_CA, CURL)

Rounds = dict[tuple[str, Case], list[Measured]]


def fan_out(
    server: Server, cases: Sequence[Case], repeats: int, tell: Callable[[str], None]
) -> dict[str, dict[Case, Figure]]:
    """Measure every client in every case; return its figures by name and case.

    Whatever a case has in flight, those who ask one at a time have one, and the same figure.
    """
    rounds: Rounds = defaultdict(list)
    most = max(case.in_flight for case in cases)
    for repeat in range(repeats):
        for case in cases:
            tell(f"round {repeat + 1} of {repeats}, {case.key}")
            for name in turned(IN_PARALLEL, repeat):
                rounds[name, case].append(_measured(name, server, case))
            for name in ONE_AT_A_TIME if case.in_flight == most else ():
                alone = case.one_at_a_time()
                rounds[name, alone].append(_measured(name, server, alone))
    return {
        name: {
            case: figure_of(own, rounds[name, own])
            for case in cases
            for own in [case.one_at_a_time() if name in ONE_AT_A_TIME else case]
        }
        for name in (*IN_PARALLEL, *ONE_AT_A_TIME)
    }


def turned(names: Sequence[str], turn: int) -> list[str]:
    """The names, beginning with another one at every turn: nobody is always the first."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def _measured(name: str, server: Server, case: Case) -> Measured:
    return measured(
        name,
        Job(
            target=Target(
                api_url=server.api_url(case.latency_ms, case.backups),
                ca_file=server.one_ca_file if name in _ONE_CA else server.ca_file,
                in_flight=case.in_flight,
            ),
            warm_up=case.warm_up,
            requests=case.requests,
            newest=server.newest,
        ),
    )
