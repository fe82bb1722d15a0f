"""A run in simulated time: the schedule, asked and answered as the engine would, in no time."""

import heapq
from collections.abc import Callable, Sequence

from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import BackupList, Cause, Evidence, Silence, UserProvided
from backup_audit.probe.attempt import Again, Attempt, Flight, InstanceTarget
from backup_audit.probe.pacing import Pace
from backup_audit.probe.schedule import ASIDE_AFTER, Schedule
from tests.doubles.builders import NOW, a_list
from tests.doubles.fakes import attempt

# What comes of a request for a GUID that begins at so many seconds: after how long, and what.
Server = Callable[[str, float], tuple[float, Attempt]]

LAMBDA = 870.0  # seconds of asking in 15 minutes
HEALTHY = attempt(a_list(3))
SILENCE = attempt(Silence(Cause.TIMEOUT, "no whole answer in time"), None, again=Again.LATE)


class Simulation:
    """One run. Times are seconds from its start."""

    def __init__(
        self,
        instances: Sequence[Instance],
        server: Server,
        *,
        workers: int = 32,
        ends_at: float = LAMBDA,
        per_second: float | None = None,
    ) -> None:
        self.pace = Pace(workers, per_second)
        self.schedule = Schedule(
            instances, InstanceTarget, self.pace, ends_at=ends_at, jitter=lambda: 1.0
        )
        self._server = server
        self._ends_at = ends_at
        self._coming: list[
            tuple[float, int, Flight[Instance, BackupList | UserProvided], Attempt]
        ] = []
        self._sent = 0
        self.now = 0.0
        self.asked: list[str] = []
        self.most_in_flight = 0

    def run(self) -> dict[str, Evidence]:
        """Carry it out; return the evidence by GUID, each once."""
        schedule = self.schedule
        while not schedule.is_done:
            schedule.move_aside(self.now)
            schedule.check(self.now)
            if schedule.is_closing:
                schedule.close(NOW)
                break
            self._send()
            if not schedule.is_done:
                self._advance()
        found = {instance.guid: evidence for instance, evidence in schedule.known}
        assert len(found) == len(schedule.known)
        return found

    def _send(self) -> None:
        while (flight := self.schedule.next(self.now)) is not None:
            self._sent += 1
            self.asked.append(flight.target.key)
            took, came = self._server(flight.target.key, self.now)
            heapq.heappush(self._coming, (self.now + took, self._sent, flight, came))
            self.most_in_flight = max(self.most_in_flight, len(self._coming))

    def _advance(self) -> None:
        times = [self.now + self.schedule.wait(self.now), self._ends_at]
        if self._coming:
            times.append(self._coming[0][0])
        times += [
            flight.began + ASIDE_AFTER
            for _, _, flight, _ in self._coming
            if not flight.is_aside and flight.began + ASIDE_AFTER > self.now
        ]
        self.now = max(min(times), self.now)
        while self._coming and self._coming[0][0] <= self.now:
            _, _, flight, came = heapq.heappop(self._coming)
            self.schedule.end(flight, came, self.now)


def judged(found: dict[str, Evidence]) -> set[str]:
    """The GUIDs of which there is an answer to judge."""
    return {guid for guid, evidence in found.items() if not isinstance(evidence.answer, Silence)}
