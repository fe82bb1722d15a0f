"""A fleet: what the foundation has, and what the auditor's configuration says of it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tools.local_cloud.behaviours import Behaviour, SimulatedInstance
from tools.local_cloud.names import guid_of, name_on_foundation, owner_of
from tools.local_cloud.places import labels_of, plan_of, space_of
from tools.local_cloud.troubles import HAS_GRACE
from tools.local_cloud.weather import Weather, fair

_DAYS = 2_000  # on which instances were created; in a larger fleet several on each


class Happening(msgspec.Struct, frozen=True):
    """What happens on the foundation after the first run, in a sentence."""

    said: str
    guid: str
    becomes: SimulatedInstance | None = None  # None: it is deleted


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """A foundation's instances with what the auditor's configuration says of them.

    `latency` is seconds an answer takes. `knows_us`: whether UAA accepts our client. `is_mapped`:
    whether the state machine audits it, instead of one invocation. `weather` is the
    foundation's. `faster` is how many times shorter the waits for an answer are than deployed.
    `later` is what happens between the first run and the second.
    """

    instances: tuple[SimulatedInstance, ...]
    configuration: dict[str, Any]
    latency: float
    knows_us: bool = True
    is_mapped: bool = False
    weather: Weather = fair
    faster: int = 1
    later: tuple[Happening, ...] = ()


def instance_of(index: int, now: datetime, behaviour: Behaviour) -> SimulatedInstance:
    """The instance of an index, which differs from fleet to fleet in how it answers."""
    turn, day = divmod(index, _DAYS)
    age = timedelta(hours=6) if index == HAS_GRACE else timedelta(days=30 + day, seconds=turn)
    return SimulatedInstance(
        guid=guid_of(index),
        name=name_on_foundation(index),
        owner=owner_of(index),
        created_at=now - age,
        behaviour=behaviour,
        space=space_of(index),
        plan=plan_of(index),
        labels=labels_of(index),
    )


def on_the_second_day(fleet: Fleet) -> Fleet:
    """The fleet after all that happens later."""
    instances = {one.guid: one for one in fleet.instances}
    for each in fleet.later:
        if each.becomes is None:
            del instances[each.guid]
        else:
            instances[each.guid] = each.becomes
    return msgspec.structs.replace(fleet, instances=tuple(instances.values()))
