"""How a simulated service instance answers when it is asked for its backups: a closed set."""

from datetime import datetime

import msgspec


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
    """A service instance of the simulated foundation; `created_at` is aware."""

    guid: str
    name: str
    created_at: datetime
    behaviour: Behaviour
    owner: str | None = None


NOT_FOUND = Refuses(404, 10010, "CF-ResourceNotFound", "Service instance not found")
INVALID_TOKEN = Refuses(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")
RATE_LIMITED = Refuses(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded", retry_after=0)
BROKER_SILENT = Refuses(
    504, 10001, "CF-HttpClientTimeout", "The request to the service broker timed out"
)
DATABASE_DOWN = Refuses(
    503, 10015, "CF-ServiceUnavailable", "Database connection failure", retry_after=0
)
