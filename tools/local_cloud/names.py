"""The names of a fleet: an index has the same GUID, name and owner in every fleet."""

import random
import uuid

# events/one-instance.json asks for it.
FIRST_GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"

_SEED = 20_260_131

_SUBJECTS = [
    "orders",
    "billing",
    "catalog",
    "checkout",
    "customers",
    "payments",
    "shipping",
    "inventory",
    "returns",
    "loyalty",
    "search",
    "pricing",
    "invoices",
    "ledger",
    "tickets",
    "users",
    "sessions",
    "consent",
    "newsletter",
    "reviews",
    "suppliers",
    "purchasing",
    "warehouse",
    "routing",
    "fleet",
    "drivers",
    "tracking",
    "claims",
    "fraud",
    "scoring",
    "contracts",
    "leasing",
    "payroll",
    "timesheets",
    "recruiting",
    "training",
    "travel",
    "expenses",
    "budgets",
    "tax",
    "metering",
    "tariffs",
    "outages",
    "meters",
    "grid",
    "assets",
    "workorders",
    "permits",
    "maps",
    "weather",
]
_KINDS = ("db", "mysql", "postgres", "history", "events", "archive", "jobs", "cache")
_PLACES = ("", "-eu", "-us", "-apac", "-test")

# Names that formats and terminals stumble over; None: the configuration lists a bare GUID.
_UNUSUAL: dict[int, str | None] = {5: None, 9: "zürich-gebühren-db", 13: "=SUM(A1:A9)"}


def guid_of(index: int) -> str:
    """The GUID; that of index 0 is well known."""
    if index == 0:
        return FIRST_GUID
    return str(uuid.UUID(int=random.Random(_SEED + index).getrandbits(128), version=4))


def name_on_foundation(index: int) -> str:
    """The service instance's own name; 2,000 of them differ."""
    return f"{subject_of(index)}-{kind_of(index)}{place_of(index)}"


def subject_of(index: int) -> str:
    """What an instance is for."""
    return _SUBJECTS[index % len(_SUBJECTS)]


def kind_of(index: int) -> str:
    """The kind of service that its name says it is."""
    return _KINDS[(index + index // len(_SUBJECTS)) % len(_KINDS)]


def place_of(index: int) -> str:
    """The end of its name, which says where it is; empty for the first 400."""
    return _PLACES[index // len(_SUBJECTS) // len(_KINDS) % len(_PLACES)]


def name_in_configuration(index: int) -> str | None:
    """The name that the configuration gives; None: it lists a bare GUID."""
    return _UNUSUAL.get(index, name_on_foundation(index))


def owner_of(index: int) -> str:
    """The team that is responsible."""
    return f"team-{subject_of(index)}"
