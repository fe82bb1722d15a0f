"""Bad days in simulated time: the real plan, schedule and state; the API is a function."""

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import partial

from backup_audit.judge.evidence import BackupList, Evidence, Refusal
from backup_audit.judge.finding import finding_of
from backup_audit.probe.attempt import Again, Attempt
from backup_audit.report.changes import State, compared, open_problems
from backup_audit.report.previous import Previous
from tests.doubles.builders import NOW, audited, instance, run
from tests.doubles.fakes import attempt
from tests.doubles.reports import planned
from tests.doubles.simulation import HEALTHY, SILENCE, Server, Simulation
from tools.bench.results import Silent

FLEET = 4_000
SHARES = (0.013, 0.05, 0.10)
STARVING = 500  # instances
A_RUN = 100  # requests that the API lets through
REFUSED = 2

_FAST = 0.02  # seconds
_SILENT_FOR = 70.0  # seconds, of connecting and reading
_DAYS_MAX = 30
_LIMIT = Refusal(10013, "CF-RateLimitExceeded")

_Found = dict[str, Evidence]


def silent_instances() -> list[Silent]:
    """Fleets of which a share hangs, spread or all first in the list, on two days in a row."""
    return [
        Silent(
            share=share,
            where=where,
            day=day,
            judged=_share_judged(found, hung),
            seconds=round(seconds, 1),
        )
        for share in SHARES
        for where, hung in (("spread", _spread(share)), ("first", _first(share)))
        for day, (found, seconds) in enumerate(
            _days(FLEET, 2, partial(_all_but, hung, SILENCE, _SILENT_FOR)), 1
        )
    ]


def refused_for_ever() -> float:
    """Two are answered 429, Retry-After 60, each time: the share of the others that is judged."""
    bad = set(_guids(FLEET)[FLEET // 4 :: FLEET // REFUSED])
    limited = attempt(_LIMIT, 429, again=Again.OFTEN, hold=60.0)
    found, _ = next(_days(FLEET, 1, partial(_all_but, bad, limited, _FAST)))
    return _share_judged(found, bad)


def runs_until_all_are_judged() -> int | None:
    """How many runs it takes that lets only a part of the fleet through each time."""
    judged: set[str] = set()
    for day, (found, _) in enumerate(_days(STARVING, _DAYS_MAX, _rate_limited), 1):
        judged |= _judged(found)
        if len(judged) == STARVING:
            return day
    return None


def _days(size: int, days: int, server: Callable[[], Server]) -> Iterator[tuple[_Found, float]]:
    """Runs of a fleet, one a day, each planned after the last; the seconds that each took."""
    fleet = audited(*map(instance, _guids(size)))
    previous = Previous()
    for day in range(days):
        of = run(due_at=NOW + timedelta(days=day))
        _, batch = planned(fleet, of, previous)
        simulation = Simulation([one.instance for one in batch], server())
        found = simulation.run()
        yield found, simulation.now
        findings = [
            compared(finding_of(one.instance, found[one.instance.guid], of, None), one.open)
            for one in batch
        ]
        previous = Previous(state=State(open_problems(findings), {}))


def _all_but(guids: Collection[str], came: Attempt, took: float) -> Server:
    return lambda guid, _: (took, came) if guid in guids else (_FAST, HEALTHY)


def _rate_limited() -> Server:
    left = iter(range(A_RUN))
    refusal = attempt(_LIMIT, 429, again=Again.OFTEN, hold=3000.0)
    return lambda *_: (_FAST, refusal if next(left, None) is None else HEALTHY)


def _spread(share: float) -> set[str]:
    count = round(FLEET * share)
    return {_guids(FLEET)[place * FLEET // count] for place in range(count)}


def _first(share: float) -> set[str]:
    return set(_guids(FLEET)[: round(FLEET * share)])


def _guids(count: int) -> list[str]:
    return [f"guid-{number:05d}" for number in range(count)]


def _share_judged(found: _Found, bad: Collection[str]) -> float:
    others = found.keys() - set(bad)
    return round(len(_judged(found) & others) / len(others), 4)


def _judged(found: _Found) -> set[str]:
    return {guid for guid, one in found.items() if isinstance(one.answer, BackupList)}
