"""What a foundation has besides its service instances: orgs, spaces, brokers, offerings, plans."""

from datetime import datetime

import msgspec


class Org(msgspec.Struct, frozen=True):
    """An organization."""

    guid: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A space of an org."""

    guid: str
    name: str
    org: Org


class Broker(msgspec.Struct, frozen=True):
    """A service broker."""

    guid: str
    name: str


class Offering(msgspec.Struct, frozen=True):
    """A service offering of a broker."""

    guid: str
    name: str
    broker: Broker
    description: str = ""


class Plan(msgspec.Struct, frozen=True):
    """A service plan of an offering."""

    guid: str
    name: str
    offering: Offering


class LastOperation(msgspec.Struct, frozen=True):
    """The last operation on an instance: create, update or delete.

    The state is "initial", "in progress", "succeeded" or "failed". Without a time of its own it
    began and ended when the instance was created.
    """

    type: str
    state: str
    updated_at: datetime | None = None
    description: str = ""


CREATED = LastOperation("create", "succeeded")

SOME_SPACE = Space(
    "5a84d315-9513-4d74-95e5-f6a5501eeef7",
    "some-space",
    Org("0d4a9a2e-2c6f-4a4e-8f0a-6f2a1c3f7b11", "some-org"),
)
SOME_PLAN = Plan(
    "5358d122-638e-11ea-afca-bf6e756684ac",
    "some-plan",
    Offering(
        "4c1d4b5e-7f0a-4a77-9a0e-2f6d6f0c9d22",
        "some-offering",
        Broker("9f3a1e77-51b0-4d0f-8c55-7d1e0b8a6c33", "some-broker"),
    ),
)
