"""Where a fleet's instances are, what they are plans of, and their labels: by index, as names."""

import uuid
from collections.abc import Mapping
from functools import cache

from tools.local_cloud.foundation import Broker, Offering, Org, Plan, Space
from tools.local_cloud.names import kind_of, place_of, subject_of

_PLACES = {"-eu": "prod-eu", "-us": "prod-us", "-apac": "prod-apac", "-test": "staging"}
_ORGS = ("prod-eu",) * 4 + ("prod-us",) * 3 + ("staging",) * 2 + ("lab",)
_SPACES = ("shop", "finance", "logistics", "risk", "people", "grid")

# Names that formats and terminals stumble over.
_UNUSUAL_SPACES = {
    13: '=HYPERLINK("https://evil.example";"finance")',
    21: "café & <b>söhne</b>",
    28: "المالية",
}

_BROKERS = {
    "p.mysql": "dedicated-mysql-broker",
    "postgres": "postgres-odb",
    "p.redis": "redis-odb",
    "p.rabbitmq": "rabbitmq-odb",
    "p.opensearch": "opensearch-odb",
}
_PLANS = {
    "db": ("p.mysql", "db-small"),
    "mysql": ("p.mysql", "db-medium"),
    "postgres": ("postgres", "on-demand-postgres-db"),
    "history": ("p.opensearch", "index-small"),
    "events": ("p.rabbitmq", "on-demand-plan"),
    "archive": ("postgres", "on-demand-postgres-db"),
    "jobs": ("p.rabbitmq", "on-demand-plan"),
    "cache": ("p.redis", "on-demand-cache"),
}
_GOLD = {"p.mysql": "db-gold-medium", "postgres": "db-gold-large"}
_GOLD_EVERY = 7

_UNUSUAL_LABELS = {
    2: {"note": ""},
    4: {"example.com/compliance": "gxp_2"},
    8: {"A" * 63: "z" * 63},
}


@cache
def space(org: str, name: str) -> Space:
    """The space of a name in the org of a name."""
    return Space(_guid("space", org, name), name, Org(_guid("org", org), org))


@cache
def plan(offering: str, name: str) -> Plan:
    """The plan of a name, of the offering of a name."""
    broker = _BROKERS[offering]
    return Plan(
        _guid("plan", offering, name),
        name,
        Offering(
            _guid("offering", offering),
            offering,
            Broker(_guid("broker", broker), broker),
            f"{offering} on demand",
        ),
    )


def space_of(index: int) -> Space:
    """The space of an instance, with its org."""
    org = _PLACES.get(place_of(index)) or _ORGS[index % len(_ORGS)]
    return space(org, _UNUSUAL_SPACES.get(index) or _space_name(index, org))


def plan_of(index: int) -> Plan:
    """The plan of an instance, with its offering; one in seven databases is gold."""
    offering, name = _PLANS[kind_of(index)]
    if index % _GOLD_EVERY == 0:
        name = _GOLD.get(offering, name)
    return plan(offering, name)


def labels_of(index: int) -> Mapping[str, str]:
    """The labels of an instance."""
    usual = _usual_labels(space_of(index).org.name, subject_of(index))
    return {**usual, **_UNUSUAL_LABELS[index]} if index in _UNUSUAL_LABELS else usual


@cache
def _usual_labels(org: str, subject: str) -> Mapping[str, str]:
    return {"env": "prod" if org.startswith("prod-") else org, "team": subject}


def _space_name(index: int, org: str) -> str:
    if org == "lab":
        return "chaos" if index % 20 == 9 else "experiments"
    if org == "staging" and index % 10 == 8:
        return "sandbox"
    return _SPACES[index // 10 % len(_SPACES)]


def _guid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))
