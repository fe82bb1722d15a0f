"""When a request is sent again, and after how long."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ATTEMPTS_MAX = 5  # requests for one answer
THROTTLED_MAX = 12  # of those, if all are answered 429: the API takes others meanwhile
RETRIED = frozenset({429, 502, 503, 504})
RETRY_AFTER_MAX = 3600.0  # seconds: the window of the Cloud Controller's rate limit

_BACKOFF_FIRST = 0.25  # seconds
_BACKOFF_MAX = 8.0  # seconds
_EPOCH_FROM = 10**9  # a Retry-After this large is an instant: Cloud Controllers before 3.139


def backoff(attempt: int, jitter: float) -> float:
    """Seconds to wait after an attempt (from 1): exponential, with `jitter` from 0 to 1.

    Between half and all of the step, so that workers that failed together do not return together.
    """
    step = min(_BACKOFF_FIRST * 2.0 ** (attempt - 1), _BACKOFF_MAX)
    return float(step * (0.5 + jitter / 2))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that Retry-After asks for; None if that is nothing sane, or over RETRY_AFTER_MAX.

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
