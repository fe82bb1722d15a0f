"""How many requests are in flight, and when the next may start. Pure: callers pass the time.

The number grows with every answer until the API first throttles (429, 503, silence), from then on
by one a round trip. It shrinks by a tenth when the API throttles, at most once a round trip:
additive increase, multiplicative decrease, as in TCP.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

FLOOR = 4  # requests in flight that a throttling API still gets
_START = 32  # requests in flight before the first answer; as many as the settings' default
RETRY_AFTER_MAX = 3600.0  # seconds: the window of the Cloud Controller's rate limit
_EPOCH_FROM = 10**9  # a Retry-After this large is an instant: Cloud Controllers before 3.139
_BACKOFF_FIRST = 0.25  # seconds
_BACKOFF_MAX = 8.0  # seconds
_SHRINK = 0.9  # a stronger cut would use the limit of an API worse (docs/benchmark.md)


class Outcome(Enum):
    """How a request ended."""

    ANSWERED = auto()  # the Cloud Controller itself answered
    THROTTLED = auto()  # 429, 503
    SILENT = auto()  # no whole answer in time
    FAILED = auto()  # no connection, or something before the Cloud Controller answered
    REFUSED = auto()  # 401: our token is not accepted


class Pace:
    """When the next request may start. Times are seconds on one monotonic clock.

    `ceiling` bounds the requests in flight, `per_second` (None: unbounded) how many start. A
    request that moved aside is not counted: its place is free.
    """

    def __init__(self, ceiling: int, per_second: float | None = None) -> None:
        self.ceiling = ceiling
        self._floor = min(FLOOR, ceiling)
        self.limit = float(min(_START, ceiling))
        self._interval = 1 / per_second if per_second else 0.0
        self._next_start = 0.0
        self._ramping = True
        self._shrunk_at = 0.0
        self._answered_at = 0.0
        self._answered = 0
        self.held_until = 0.0
        self.in_flight = 0

    def wait(self, now: float) -> float | None:
        """Seconds until a request may start, 0 for now; None: when another has ended."""
        if self.held_until > now:
            return self.held_until - now
        if self.in_flight >= int(self.limit):
            return None
        return max(self._next_start - now, 0.0)

    def start(self, now: float) -> None:
        self.in_flight += 1
        if self._interval:
            self._next_start = max(self._next_start, now) + self._interval

    def leave(self) -> None:
        """Free the place of a request that ended or moved aside."""
        self.in_flight -= 1

    def note(self, outcome: Outcome, began: float, now: float) -> None:
        """Adjust the limit to how a request ended; `began` is when it started."""
        if outcome is Outcome.ANSWERED:
            self._answered_at = now
            self._answered += 1
            step = 1.0 if self._ramping else 1 / self.limit
            self.limit = min(self.limit + step, float(self.ceiling))
            return
        # While others are answered, silence is that of one target and says nothing of the API.
        silent = outcome is Outcome.SILENT and self._answered_at <= began
        if (silent or outcome is Outcome.THROTTLED) and began >= self._shrunk_at:
            self._ramping = False
            self._shrunk_at = now
            self.limit = max(self.limit * _SHRINK, float(self._floor))

    def hold(self, until: float) -> None:
        """Start nothing until the pause that the API asks for is over.

        Afterwards as many may be in flight as were answered since the last pause: so many does the
        API let through.
        """
        if until <= self.held_until:
            return
        self.held_until = until
        self._ramping = False
        self.limit = min(self.limit, max(float(self._answered), float(self._floor)))
        self._answered = 0

    def slow_down(self) -> None:
        """Start again with few: an API that comes back after an outage should not be overrun."""
        self.limit = float(self._floor)


class Deadline:
    """The end of a run's time for asking: an instant on a monotonic clock, in seconds."""

    def __init__(self, at: float) -> None:
        self.at = at

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> "Deadline":
        """A deadline so many seconds from now."""
        return cls(monotonic() + seconds)

    def keep_back(self, seconds: float) -> None:
        """Move the deadline so much earlier, for the work that comes after asking."""
        self.at -= seconds


def backoff(attempt: int, jitter: float) -> float:
    """Seconds to wait after an attempt (from 1): exponential, with `jitter` from 0 to 1.

    It is half to all of the step, so that requests that failed together do not return together.
    """
    step = min(_BACKOFF_FIRST * 2.0 ** (attempt - 1), _BACKOFF_MAX)
    return float(step * (0.5 + jitter / 2))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that Retry-After asks for; None if it is not usable, or over RETRY_AFTER_MAX.

    It may be seconds, an instant in epoch seconds (Cloud Controllers before 3.139) or an HTTP date.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        number = int(text[:15])
        seconds = number - now if number >= _EPOCH_FROM else float(number)
    else:
        try:
            instant = parsedate_to_datetime(text)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
            seconds = (instant - datetime.fromtimestamp(now, UTC)).total_seconds()
        except (ValueError, OverflowError):  # a year, or a zone, beyond what a date can hold
            return None
    return max(seconds, 0.0) if seconds <= RETRY_AFTER_MAX else None
