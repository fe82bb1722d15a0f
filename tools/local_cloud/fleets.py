"""The fleets to audit, by name: always the same, but for the times, which follow `now`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

import msgspec

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import parse_configuration
from tools.local_cloud.behaviours import (
    BROKER_SILENT,
    Behaviour,
    Closes,
    Hangs,
)
from tools.local_cloud.changing import changing
from tools.local_cloud.discovered import discovered
from tools.local_cloud.fleet import Fleet, instance_of
from tools.local_cloud.names import guid_of, name_in_configuration, owner_of
from tools.local_cloud.troubles import (
    FOUR_HOURS,
    HAS_GRACE,
    MUTED,
    QUICK_TROUBLES,
    TROUBLES,
    WANTS_THREE,
    backups,
    daily,
)
from tools.local_cloud.weather import (
    Weather,
    allows,
    dies,
    maintenance,
    quota,
    resets,
    stalls,
)

_SAMPLE_SIZE = 8
_HEALTHY_SIZE = 24
_DEGRADED_SIZE = 60
_LARGE_SIZE = 2_000
_HUGE_SIZE = 100_000
_LARGE_TROUBLE_EVERY = 97  # about 1 %
_HUNG_EVERY = 20  # 5 %
_LIMITED_SIZE = 500
_BAD_SIZE = 4_000
_FASTER = 20  # times, where a foundation is silent: 20 s become one


def sample(now: datetime) -> Fleet:
    """8 instances, five of them with a problem: enough to see what an audit says."""
    return _fleet(_SAMPLE_SIZE, now, lambda index: _troubled(index, index, now), latency=0.05)


def healthy(now: datetime) -> Fleet:
    """24 instances, all with young backups."""
    return _fleet(_HEALTHY_SIZE, now, lambda index: daily(index, now), latency=0.01)


def degraded(now: datetime) -> Fleet:
    """60 instances; everything that can be answered wrong is, once."""
    return _fleet(_DEGRADED_SIZE, now, lambda index: _troubled(index, index, now), latency=0.01)


def large(now: datetime) -> Fleet:
    """2,000 instances, about 1 % of them with problems."""
    return _mostly_healthy(_LARGE_SIZE, now)


def huge(now: datetime) -> Fleet:
    """100,000 instances, about 1 % of them with problems, audited by the state machine."""
    return msgspec.structs.replace(_mostly_healthy(_HUGE_SIZE, now), is_mapped=True)


def locked_out(now: datetime) -> Fleet:
    """The healthy fleet of a foundation whose UAA refuses our client."""
    return msgspec.structs.replace(healthy(now), knows_us=False)


def throttling(now: datetime) -> Fleet:
    """2,000 instances of a foundation that answers 8 requests at once and refuses others."""
    return _in_weather(now, allows(8))


def stalling(now: datetime) -> Fleet:
    """2,000 instances of a foundation that leaves every 100th request without an answer."""
    fleet = _in_weather(now, stalls(100, seconds=70 / _FASTER))
    return msgspec.structs.replace(fleet, faster=_FASTER)


def hung(now: datetime, size: int = _LARGE_SIZE, faster: int = _FASTER) -> Fleet:
    """2,000 instances; the broker of 5 % of them hangs, and nothing is answered."""
    return _with_a_hung_broker(now, size, faster, Hangs(70 / faster, Closes()))


def hung_504(now: datetime, size: int = _LARGE_SIZE, faster: int = _FASTER) -> Fleet:
    """The hung fleet of a foundation that waits 60 s for the broker, then answers 504."""
    return _with_a_hung_broker(now, size, faster, Hangs(60 / faster, BROKER_SILENT))


def limited(now: datetime, size: int = _LIMITED_SIZE, requests: int = 100) -> Fleet:
    """500 instances under a rate limit of 100 requests a run: run it until all had a turn."""
    fleet = _fleet(size, now, lambda index: daily(index, now), latency=0.02)
    return msgspec.structs.replace(fleet, weather=quota(requests, again_after=3_000))


def bad(now: datetime, size: int = _BAD_SIZE) -> Fleet:
    """4,000 instances, 3,000 of them stale: run it twice, for the day after a bad day."""

    def behaviour(index: int) -> Behaviour:
        return backups(now, 30 + index % 200) if index % 4 else daily(index, now)

    return _fleet(size, now, behaviour, latency=0.02)


def resetting(now: datetime) -> Fleet:
    """2,000 instances of a foundation that breaks every 10th connection."""
    return _in_weather(now, resets(10))


def maintained(now: datetime) -> Fleet:
    """2,000 instances of a foundation that answers 503 for a minute in the middle of the run."""
    return _in_weather(now, maintenance(after=1.0, seconds=60.0))


def dying(now: datetime) -> Fleet:
    """2,000 instances of a foundation that dies for good in the middle of the run."""
    return _in_weather(now, dies(after=1_000))


FLEETS: dict[str, Callable[[datetime], Fleet]] = {
    "sample": sample,
    "healthy": healthy,
    "degraded": degraded,
    "large": large,
    "huge": huge,
    "locked-out": locked_out,
    "throttling": throttling,
    "stalling": stalling,
    "hung": hung,
    "hung-504": hung_504,
    "limited": limited,
    "resetting": resetting,
    "maintained": maintained,
    "dying": dying,
    "bad": bad,
    "discovered": discovered,
    "changing": changing,
}
# Those that were not always as they are.
_WITH_A_PAST: dict[str, Callable[[datetime, int], Fleet]] = {"changing": changing}


def fleet_on(name: str, now: datetime, days_ago: int = 0) -> Fleet:
    """The fleet of a name as it was so many days before now."""
    if name in _WITH_A_PAST:
        return _WITH_A_PAST[name](now, days_ago)
    return FLEETS[name](now - timedelta(days=days_ago))


def with_instances_of(configuration: bytes, fleet: Fleet) -> Fleet:
    """A foundation that has the instances of a configuration, which behave as the fleet's in turn.

    One that discovers has the fleet's own to find beside them. A configuration with faults has
    none: the run that reads it says which.
    """
    try:
        resolved = parse_configuration(configuration, "CONFIG")
    except InvalidConfiguration:
        return fleet
    instances = {
        entry.guid: msgspec.structs.replace(behaves, guid=entry.guid)
        for entry, behaves in zip(resolved.instances, cycle(fleet.instances), strict=False)
    }
    if resolved.discover:
        instances |= {one.guid: one for one in fleet.instances}
    return msgspec.structs.replace(fleet, instances=tuple(instances.values()))


def _mostly_healthy(size: int, now: datetime) -> Fleet:
    def behaviour(index: int) -> Behaviour:
        nth, rest = divmod(index, _LARGE_TROUBLE_EVERY)
        if rest:
            return daily(index, now)
        return _troubled(index, QUICK_TROUBLES[nth % len(QUICK_TROUBLES)], now)

    return _fleet(size, now, behaviour, latency=0.02)


def _with_a_hung_broker(now: datetime, size: int, faster: int, hangs: Hangs) -> Fleet:
    def behaviour(index: int) -> Behaviour:
        return daily(index, now) if index % _HUNG_EVERY else hangs

    return msgspec.structs.replace(_fleet(size, now, behaviour, latency=0.02), faster=faster)


def _in_weather(now: datetime, weather: Weather) -> Fleet:
    fleet = _fleet(_LARGE_SIZE, now, lambda index: daily(index, now), latency=0.02)
    return msgspec.structs.replace(fleet, weather=weather)


def _troubled(index: int, trouble: int, now: datetime) -> Behaviour:
    return TROUBLES[trouble](now) if trouble in TROUBLES else daily(index, now)


def _fleet(
    size: int, now: datetime, behaviour: Callable[[int], Behaviour], *, latency: float
) -> Fleet:
    return Fleet(
        instances=tuple(instance_of(index, now, behaviour(index)) for index in range(size)),
        configuration={
            "schema_version": 1,
            "defaults": {"max_age": "26h", "min_backups": 1},
            "instances": [_entry(index) for index in range(size)],
            "mutes": [_mute(now)] if size > MUTED else [],
        },
        latency=latency,
    )


def _entry(index: int) -> str | dict[str, Any]:
    name = name_in_configuration(index)
    if name is None:
        return guid_of(index)
    entry = {"guid": guid_of(index), "name": name, "owner": owner_of(index)}
    return entry | _POLICIES.get(index, {})


_POLICIES: dict[int, dict[str, Any]] = {
    HAS_GRACE: {"grace": "24h"},
    WANTS_THREE: {"min_backups": 3},
    FOUR_HOURS: {"max_age": "4h"},
}


def _mute(now: datetime) -> dict[str, Any]:
    return {
        "guid": guid_of(MUTED),
        "owner": owner_of(MUTED),
        "reason": "is moved to another foundation this month",
        "until": (now + timedelta(days=30)).date().isoformat(),
    }
