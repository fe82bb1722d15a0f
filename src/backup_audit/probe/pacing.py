"""How much time a run has left."""

import math
import threading
import time
from collections.abc import Callable
from enum import Enum, auto

import msgspec


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


FLOOR = 4  # requests in flight that a throttling API still gets
_START = 32  # requests in flight before the first answer; so many as the settings' default
_SHRINK = 0.9  # by more, a limit in requests at a time would be used worse (docs/benchmark.md)

FAILURES_OF_AN_OUTAGE = 10  # in a row and of different targets, over all workers
PATIENCE = 90.0  # seconds without an answer, for an API that had answered
PATIENCE_AT_START = 3.0  # seconds, for one that never has: a retry of the whole run costs nothing
_TRIALS_AFTER = (1.0, 2.0, 4.0, 5.0)  # seconds between trials; the last again and again

LONGEST_WAIT = 60.0  # seconds, for those who are woken
_ALL = 1_000_000


class Outcome(Enum):
    """What became of a request, as far as pacing goes."""

    ANSWERED = auto()
    THROTTLED = auto()  # 429, 503, time-out: less would do
    FAILED = auto()  # no connection, or something before the Cloud Controller answered


class Quota(msgspec.Struct, frozen=True):
    """X-RateLimit-Remaining, an estimate in steps of a tenth, and the seconds until its reset."""

    remaining: int
    resets_in: float


class Stopped(Exception):
    """The run sends no more requests; the text says why."""


class Pace:
    """When the next request may start. Times are seconds on one monotonic clock.

    `ceiling` bounds the requests in flight, `per_second` (None: unbounded) how many start.
    """

    def __init__(self, ceiling: int, per_second: float | None = None) -> None:
        self._ceiling = ceiling
        self._floor = min(FLOOR, ceiling)
        self.limit = float(min(_START, ceiling))
        self._interval = 1 / per_second if per_second else 0.0
        self._next_start = 0.0
        self._ramping = True
        self._shrunk_at = 0.0
        self._held_until = 0.0
        self._low_until = 0.0
        self.in_flight = 0
        self._failed_targets: set[str] = set()
        self._failing_since = 0.0
        self._answered_ever = False
        self._trials = 0
        self._trial_at = 0.0
        self._trial_began: float | None = None

    @property
    def is_outage(self) -> bool:
        """Whether nothing but failures came lately."""
        return len(self._failed_targets) >= FAILURES_OF_AN_OUTAGE

    def wait(self, now: float) -> float | None:
        """Seconds until a request may start, 0 for now; None: when another has ended."""
        if self._held_until > now:
            return self._held_until - now
        if self.is_outage:
            return None if self._trial_began is not None else max(self._trial_at - now, 0.0)
        if self.in_flight >= int(self.limit):
            return None
        return max(self._next_start - now, 0.0)

    def start(self, now: float) -> None:
        """A request starts."""
        self.in_flight += 1
        if self.is_outage:
            self._trial_began = now
        if self._interval:
            self._next_start = max(self._next_start, now) + self._interval

    def end(self, outcome: Outcome, target: str, began: float, now: float) -> None:
        """A request for a target that began then has ended."""
        self.in_flight -= 1
        if outcome is Outcome.ANSWERED:
            self._answered(now)
            return
        self._failed(target, began, now)
        if outcome is Outcome.THROTTLED and began >= self._shrunk_at:
            self._ramping = False
            self._shrunk_at = now
            self.limit = max(self.limit * _SHRINK, float(self._floor))

    def hold(self, seconds: float, now: float) -> None:
        """The API asked for a pause: nothing starts until it is over."""
        self._held_until = max(self._held_until, now + seconds)
        if self._failed_targets:
            self._failing_since = max(self._failing_since, self._held_until)

    def quota(self, quota: Quota, now: float) -> None:
        """Go slowly while the API's quota seems used up; it may still let requests through."""
        if quota.remaining > 0:
            self._low_until = 0.0
            return
        self._low_until = now + quota.resets_in
        self._ramping = False
        self.limit = float(self._floor)

    def silent_for(self, now: float) -> float | None:
        """Seconds for which nothing but failures came, if that is too long to go on asking."""
        patience = PATIENCE if self._answered_ever else PATIENCE_AT_START
        silent = now - self._failing_since
        return silent if self.is_outage and silent >= patience else None

    def _answered(self, now: float) -> None:
        self._answered_ever = True
        self._failed_targets.clear()
        self._trials = 0
        self._trial_began = None
        if now < self._low_until:
            return
        step = 1.0 if self._ramping else 1 / self.limit
        self.limit = min(self.limit + step, float(self._ceiling))

    def _failed(self, target: str, began: float, now: float) -> None:
        was_outage = self.is_outage
        if not self._failed_targets:
            self._failing_since = began
        self._failed_targets.add(target)
        begins = self.is_outage and not was_outage
        if begins:
            self.limit = float(self._floor)  # whatever comes back should not be run over
        if begins or began == self._trial_began:
            self._trial_began = None
            self._trial_at = now + _TRIALS_AFTER[min(self._trials, len(_TRIALS_AFTER) - 1)]
            self._trials += 1


class Pacer:
    """Makes threads wait for their turn; ends the waiting when the run should send nothing more.

    `wait` waits on a condition for so many seconds at most.
    """

    def __init__(
        self,
        pace: Pace,
        deadline: Deadline,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        self._pace = pace
        self._deadline = deadline
        self._monotonic = monotonic
        self._wait = wait
        lock = threading.Lock()
        self._turn = threading.Condition(lock)
        self._rest = threading.Condition(lock)
        self._stopped: str | None = None

    def enter(self) -> float:
        """Wait until a request may start; return when that is. Raises Stopped."""
        with self._turn:
            while True:
                now = self._monotonic()
                left = self._left(now)
                wait = self._pace.wait(now)
                if wait == 0.0:
                    self._pace.start(now)
                    return now
                self._wait(self._turn, min(left, LONGEST_WAIT if wait is None else wait))

    def leave(
        self,
        outcome: Outcome,
        target: str,
        began: float,
        *,
        hold: float | None = None,
        quota: Quota | None = None,
    ) -> bool:
        """A request for a target, entered at `began`, has ended.

        `hold`: seconds that the API asks all to wait. Returns whether nothing but failures came
        lately: then the target is not to blame for its own.
        """
        with self._turn:
            now = self._monotonic()
            was_outage = self._pace.is_outage
            self._pace.end(outcome, target, began, now)
            if quota is not None:
                self._pace.quota(quota, now)
            if hold is not None:
                self._pace.hold(hold, now)
                left = self._deadline.remaining()
                if hold >= left:
                    self._stop(f"the API asks to wait {hold:.0f} s, the run has {left:.0f} s left")
            # One turn is free, and one more if the limit has grown.
            is_outage = self._pace.is_outage
            self._turn.notify(_ALL if was_outage or is_outage else 2)
            return is_outage

    def pause(self, seconds: float) -> None:
        """Rest before a retry; raises Stopped."""
        with self._rest:
            until = self._monotonic() + seconds
            while (now := self._monotonic()) < until:
                self._wait(self._rest, min(self._left(now), until - now))

    def stop(self, reason: str) -> None:
        """Let no request start any more."""
        with self._turn:
            self._stop(reason)

    def _left(self, now: float) -> float:
        """Seconds until the deadline; raises Stopped if nothing is to be sent any more."""
        silent = self._pace.silent_for(now)
        if silent is not None:
            self._stop(f"the API had answered nothing for {silent:.0f} s")
        left = self._deadline.remaining()
        if left <= 0:
            self._stop("the run's time was over")
        if self._stopped is not None:
            raise Stopped(self._stopped)
        return left

    def _stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason
        self._turn.notify_all()
        self._rest.notify_all()
