"""Time that passes only when somebody waits."""

import threading
from collections.abc import Callable

from backup_audit.probe.pacing import LONGEST_WAIT, Deadline, Pace, Pacer


class FakeTime:
    """A monotonic clock, in seconds; `waits` has every wait, which passes at once.

    Of threads that wait at the same time the shortest wait ends first. Requests take no time: none
    passes while one is under way, nor while fewer wait than `crew` says that there are threads.
    """

    def __init__(self, crew: Callable[[], int] = lambda: 0) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._crew = crew
        self._waiting = 0
        self._until: list[float] = []
        self._pace: Pace | None = None

    def monotonic(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        assert seconds > 0
        self._waiting += 1
        if seconds == LONGEST_WAIT:  # until another thread is done, which takes no such time
            condition.wait(0.01)
        else:
            self._pass(condition, seconds)
        self._waiting -= 1

    def _pass(self, condition: threading.Condition, seconds: float) -> None:
        self.waits.append(seconds)
        until = self.now + seconds
        self._until.append(until)
        condition.wait(0.001)  # gives the others their turn
        while self._somebody_is_busy() or until > min(self._until):
            condition.wait(0.001)
        self._until.remove(until)
        self.now = max(self.now, until)

    def _somebody_is_busy(self) -> bool:
        return bool(self._pace and self._pace.in_flight) or self._waiting < self._crew()

    def pacer(self, pace: Pace | None = None, *, seconds_left: float | None = None) -> Pacer:
        """A pacer that lives in this time."""
        deadline = (
            Deadline.never()
            if seconds_left is None
            else Deadline(self.now + seconds_left, self.monotonic)
        )
        self._pace = pace or Pace(32)
        return Pacer(self._pace, deadline, monotonic=self.monotonic, wait=self.wait)
