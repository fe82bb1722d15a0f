"""Time that passes only when somebody waits."""

import threading

from backup_audit.deadline import Deadline
from backup_audit.pacing import Pace, Pacer


class FakeTime:
    """A monotonic clock, in seconds; `waits` has every wait, which passes at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, _: threading.Condition, seconds: float) -> None:
        assert seconds > 0
        self.waits.append(seconds)
        self.now += seconds

    def pacer(self, pace: Pace | None = None, *, seconds_left: float | None = None) -> Pacer:
        """A pacer that lives in this time."""
        deadline = (
            Deadline.never()
            if seconds_left is None
            else Deadline(self.now + seconds_left, self.monotonic)
        )
        return Pacer(pace or Pace(32), deadline, monotonic=self.monotonic, wait=self.wait)
