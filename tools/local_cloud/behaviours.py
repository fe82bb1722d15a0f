"""How a simulated service instance answers when it is asked for its backups: a closed set."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from tools.local_cloud.foundation import (
    CREATED,
    SOME_PLAN,
    SOME_SPACE,
    LastOperation,
    Plan,
    Space,
)
from tools.local_cloud.labels import label_faults


class Backups(msgspec.Struct, frozen=True):
    """200 with a list, in this order; `created_at` is raw JSON, right or wrong.

    `by_default` is how many are listed without a limit; None: all.
    """

    created_at: tuple[object, ...]
    by_default: int | None = None


class Refuses(msgspec.Struct, frozen=True):
    """A Cloud Foundry error."""

    status: int
    code: int
    title: str
    detail: str
    retry_after: int | None = None  # seconds


class RouterError(msgspec.Struct, frozen=True):
    """404 from the gorouter, which knows no such route."""


class Html(msgspec.Struct, frozen=True):
    """A page of the nginx before the Cloud Controller."""

    status: int


class Garbled(msgspec.Struct, frozen=True):
    """200 with half a document."""


class Closes(msgspec.Struct, frozen=True):
    """No answer: the connection is closed."""


class Hangs(msgspec.Struct, frozen=True):
    """The broker says nothing: neither does the Cloud Controller, for so many seconds."""

    seconds: float
    then: Refuses | Closes


class FlakyThen(msgspec.Struct, frozen=True):
    """A number of refusals, then something else."""

    times: int
    first: Refuses
    then: Backups


Behaviour = Backups | Refuses | RouterError | Html | Garbled | Closes | Hangs | FlakyThen


class SimulatedInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A service instance of the simulated foundation; times are aware.

    Without a plan it is user-provided. It was updated when it was created, unless it says when.
    """

    guid: str
    name: str
    created_at: datetime
    behaviour: Behaviour
    owner: str | None = None
    space: Space = SOME_SPACE
    plan: Plan | None = SOME_PLAN
    labels: Mapping[str, str] = {}
    last_operation: LastOperation | None = CREATED
    updated_at: datetime | None = None
    shared_into: tuple[Space, ...] = ()

    def __post_init__(self) -> None:
        faults = label_faults(self.labels)
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def is_managed(self) -> bool:
        return self.plan is not None

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Its own space, and those that it is shared into."""
        return (self.space, *self.shared_into)

    @property
    def is_there(self) -> bool:
        """Whether the foundation has it: one that is always answered 404/10010 is none."""
        return self.behaviour != NOT_FOUND


NOT_FOUND = Refuses(404, 10010, "CF-ResourceNotFound", "Service instance not found")
INVALID_TOKEN = Refuses(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")
RATE_LIMITED = Refuses(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded", retry_after=0)
BROKER_SILENT = Refuses(
    504, 10001, "CF-HttpClientTimeout", "The request to the service broker timed out"
)
DATABASE_DOWN = Refuses(
    503, 10015, "CF-ServiceUnavailable", "Database connection failure", retry_after=0
)
