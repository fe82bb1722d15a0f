"""What goes wrong with single instances: each way once, by the index in the fleet."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tools.local_cloud.behaviours import (
    DATABASE_DOWN,
    INVALID_TOKEN,
    NOT_FOUND,
    RATE_LIMITED,
    Backups,
    Behaviour,
    Closes,
    FlakyThen,
    Garbled,
    Html,
    Refuses,
    RouterError,
)

# Indices whose configuration entry says more than GUID, name and owner.
HAS_GRACE, WANTS_THREE, FOUR_HOURS, MUTED = 6, 8, 10, 11

UNSUPPORTED = Refuses(
    422, 10008, "CF-UnprocessableEntity", "The service offering does not support backups."
)
_FORBIDDEN = Refuses(
    403, 10003, "CF-NotAuthorized", "You are not authorized to perform the requested action"
)
BUSY = Refuses(
    409,
    60016,
    "CF-AsyncServiceInstanceOperationInProgress",
    "An operation for service instance is in progress.",
)
CRASHED = Refuses(500, 10001, "UnknownError", "An unknown error occurred.")
_BROKER_DOWN = Refuses(
    502,
    10001,
    "CF-ServiceBrokerBadResponse",
    "Service broker error: The service broker returned an invalid response. Status Code: 500",
)


def backups(now: datetime, *hours: float) -> Backups:
    """Backups so many hours old; negative hours lie in the future."""
    return Backups(tuple(int((now - timedelta(hours=age)).timestamp()) for age in hours))


def daily(index: int, now: datetime, within: float = 22) -> Backups:
    """A backup a day for some days, the newest within so many hours, in no order."""
    order = random.Random(index)
    newest = order.uniform(0.5, 3.5 if index == FOUR_HOURS else within)
    ages = [newest + 24 * day for day in range(order.randint(3, 8))]
    order.shuffle(ages)
    return backups(now, *ages)


def _in_milliseconds(now: datetime) -> Backups:
    return Backups(tuple(raw * 1000 for raw in backups(now, 2, 26).created_at if type(raw) is int))


def _some_unreadable(now: datetime) -> Backups:
    return Backups((None, *backups(now, 50, 3).created_at, "2026-01-31T05:00:00Z", 0))


TROUBLES: dict[int, Callable[[datetime], Behaviour]] = {
    0: lambda now: backups(now, 99, 75, 123, 147),
    2: lambda _: Backups(()),
    3: lambda _: UNSUPPORTED,
    4: lambda now: FlakyThen(2, DATABASE_DOWN, daily(4, now)),
    5: lambda _: NOT_FOUND,
    HAS_GRACE: lambda _: Backups(()),
    7: lambda now: backups(now, 31),
    WANTS_THREE: lambda now: backups(now, 4, 28),
    9: lambda _: Backups(()),
    FOUR_HOURS: lambda now: backups(now, 30, 6),
    MUTED: lambda now: backups(now, 200, 224),
    12: lambda _: INVALID_TOKEN,
    13: lambda _: _FORBIDDEN,
    14: lambda _: RouterError(),
    15: lambda _: BUSY,
    16: lambda _: RATE_LIMITED,
    17: lambda _: CRASHED,
    18: lambda _: _BROKER_DOWN,
    19: lambda _: Html(503),
    20: lambda _: Closes(),
    21: lambda _: Garbled(),
    22: _in_milliseconds,
    23: lambda now: backups(now, -5),
    24: _some_unreadable,
    25: lambda now: FlakyThen(2, RATE_LIMITED, daily(25, now)),
    26: lambda now: backups(now, 14, 20, 26, 32),  # healthy, and late
}

# Those that cost a run no time, for fleets with many of them.
QUICK_TROUBLES = (0, 2, 3, 5, 13, 17)
