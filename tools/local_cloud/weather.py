"""Troubles of a whole foundation, instead of one instance: what every request may meet."""

from collections.abc import Callable

import msgspec

from tools.local_cloud.behaviours import Closes, Refuses


class Stalls(msgspec.Struct, frozen=True):
    """Nothing is said for so many seconds; then the connection is closed."""

    seconds: float


class Moment(msgspec.Struct, frozen=True):
    """When a request about an instance comes: as which since the start, from 1, beside how many
    others, and how many seconds after the first."""

    number: int
    at_once: int
    seconds: float


# What a request meets instead of its answer, or None for fair weather.
Weather = Callable[[Moment], "Refuses | Closes | Stalls | None"]

_TOO_MANY = Refuses(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")
_MAINTENANCE = Refuses(503, 10015, "CF-ServiceUnavailable", "Database connection failure")


def fair(_: Moment) -> None:
    """Nothing is wrong."""


def allows(at_once: int, *, retry_after: int | None = None) -> Weather:
    """Refuse what comes while so many others are answered."""
    refusal = msgspec.structs.replace(_TOO_MANY, retry_after=retry_after)
    return lambda moment: refusal if moment.at_once > at_once else None


def quota(requests: int, *, again_after: int) -> Weather:
    """Refuse what comes after so many requests, until so many seconds have passed."""

    def weather(moment: Moment) -> Refuses | None:
        left = again_after - moment.seconds
        if moment.number <= requests or left <= 0:
            return None
        return msgspec.structs.replace(_TOO_MANY, retry_after=int(left) + 1)

    return weather


def resets(every: int) -> Weather:
    """Close the connection of every so-and-so-many-th request."""
    return lambda moment: None if moment.number % every else Closes()


def stalls(every: int, seconds: float) -> Weather:
    """Say nothing to every so-and-so-many-th request."""
    return lambda moment: None if moment.number % every else Stalls(seconds)


def maintenance(after: float, seconds: float) -> Weather:
    """Answer 503 from a time on, for so many seconds, as while the platform is backed up."""
    return lambda moment: _MAINTENANCE if after <= moment.seconds < after + seconds else None


def dies(after: int) -> Weather:
    """Answer so many requests, and never again."""
    return lambda moment: Closes() if moment.number > after else None
