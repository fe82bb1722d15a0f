"""Time that passes only when somebody waits."""

import threading

from backup_audit.deadline import Deadline
from backup_audit.pacing import LONGEST_WAIT, Pace, Pacer


class FakeTime:
    """A monotonic clock, in seconds; `waits` has every wait, which passes at once.

    Threads that wait at the same time wait together: the time that passes is the longest of them.
    Requests take no time: none passes while one is under way.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._pace: Pace | None = None

    def monotonic(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        assert seconds > 0
        if seconds == LONGEST_WAIT:  # until another thread is done, which takes no such time
            condition.wait(0.01)
            return
        self.waits.append(seconds)
        until = self.now + seconds
        condition.wait(0.001)  # gives the others their turn
        while self._pace and self._pace.in_flight:
            condition.wait(0.001)
        self.now = max(self.now, until)

    def pacer(self, pace: Pace | None = None, *, seconds_left: float | None = None) -> Pacer:
        """A pacer that lives in this time."""
        deadline = (
            Deadline.never()
            if seconds_left is None
            else Deadline(self.now + seconds_left, self.monotonic)
        )
        self._pace = pace or Pace(32)
        return Pacer(self._pace, deadline, monotonic=self.monotonic, wait=self.wait)
