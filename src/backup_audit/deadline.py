"""How much time a run has left."""

import math
import time
from collections.abc import Callable


class Deadline:
    """An instant on a monotonic clock, in seconds, after which nothing new is begun."""

    def __init__(self, at: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._at = at
        self._clock = clock

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> "Deadline":
        """A deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    @classmethod
    def never(cls) -> "Deadline":
        """No deadline: for a person at a shell."""
        return cls(math.inf)

    def remaining(self) -> float:
        """Seconds left, 0 when it is over."""
        return max(self._at - self._clock(), 0.0)

    def keep_back(self, seconds: float) -> None:
        """Come so much earlier: what is left to do afterwards needs the time."""
        self._at -= seconds
