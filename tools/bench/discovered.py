"""The foundation that is measured: its list of instances, and a configuration that discovers them.

An instance is made of its number, so that a list of 100,000 takes no memory until it is asked for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import msgspec

RULES = 50
EXCLUDES = 20
USER_PROVIDED = 137  # instances that are counted and not listed

_BEGAN = datetime(2019, 1, 1, tzinfo=UTC)
_ORGS, _SPACES, _OFFERINGS, _PLANS = 200, 1_000, 10, 40
_IN_A_LAB = 50  # every fiftieth instance is in an organization that is excluded
_TAG = {"service": "bench", "tier": "gold"}


class Row(msgspec.Struct, frozen=True):
    """An instance of the foundation, by its number; `created_at` is UTC."""

    guid: str
    created_at: datetime
    number: int


def row(number: int) -> Row:
    """The instance of this number; each is created a minute after the one before."""
    guid = f"{number:08x}-1111-4222-8333-444455556666"
    return Row(guid, _BEGAN + timedelta(minutes=number), number)


def audited(instances: int) -> int:
    """How many of a foundation's instances the configuration does not exclude."""
    return instances - -(-instances // _IN_A_LAB)


def configuration() -> bytes:
    """Everything is discovered, under 50 rules and 20 excludes.

    The excludes take out a fiftieth of the instances. A rule states one demand, so that all rules
    before the one that decides it, and for the others all, are tried.
    """
    labs = [f"lab-{number:02d}" for number in range(EXCLUDES)]
    excludes = [
        {"match": {"org": org, "space": "*"}, "owner": "sre", "reason": "a lab", "until": "never"}
        for org in labs
    ]
    document = {
        "schema_version": 1,
        "defaults": {"max_age": "26h", "grace": "24h"},
        "discover": [{"org": "*"}],
        "exclude": excludes,
        "rules": [_rule(number) for number in range(RULES)],
    }
    return json.dumps(document).encode()


def _rule(number: int) -> dict[str, object]:
    matches: list[dict[str, object]] = [
        {"org": f"org-{number:03d}*", "space": "space-*"},
        {"plan": [f"plan-{number:02d}", f"gold-{number}-*"]},
        {"space": f"*-{number:04d}"},
        {"labels": f"service=bench,team in (team-{number},team-{number + 50})"},
        {"offering": f"offering-{number % _OFFERINGS}", "name": f"*-{number}?"},
    ]
    demands: list[dict[str, object]] = [
        {"max_age": "30h"},
        {"min_backups": 1},
        {"owner": "team-rule"},
    ]
    match, demand = matches[number % len(matches)], demands[number % len(demands)]
    return {"name": f"rule {number}", "match": match, **demand}


class InstanceList:
    """What a Cloud Controller answers to `GET /v3/service_instances`, of so many instances."""

    def __init__(self, instances: int) -> None:
        self._instances = instances

    def answer(self, query: str) -> bytes:
        """The page that a query string asks for."""
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        if asked.get("type") == "user-provided":
            return page([], asked, total=USER_PROVIDED)
        if "guids" in asked:
            numbers = [int(guid[:8], 16) for guid in asked["guids"].split(",")]
            return self._page([one for one in numbers if one < self._instances], asked)
        since = asked.get("created_ats[gte]")
        first = 0 if since is None else self._first_since(datetime.fromisoformat(since))
        return self._page(range(first, self._instances), asked)

    def pages(self, size: int) -> Iterator[tuple[str | None, bytes]]:
        """Every page that a reader asks for, and the time from which it does; None for the first.

        Each begins with the last instance of the page before.
        """
        first = 0
        while True:
            since = _time(row(first)) if first else None
            yield since, self._page(range(first, self._instances), {"per_page": str(size)})
            first += size - 1
            if first + 1 >= self._instances:
                return

    def _page(self, numbers: Sequence[int], asked: Mapping[str, str]) -> bytes:
        size, number = int(asked.get("per_page", "50")), int(asked.get("page", "1"))
        wanted = numbers[size * (number - 1) : size * number]
        return page([row(one) for one in wanted], asked, total=len(numbers))

    def _first_since(self, since: datetime) -> int:
        return max(0, -(-(since - _BEGAN) // timedelta(minutes=1)))


def page(rows: Sequence[Row], asked: Mapping[str, str], *, total: int) -> bytes:
    """An answer with these instances, as the Cloud Controller writes one."""
    size, number = int(asked.get("per_page", "50")), int(asked.get("page", "1"))
    pages = max(1, -(-total // size))
    path = "https://api.example.com/v3/service_instances"
    more = {"href": f"{path}?page={number + 1}"} if number < pages else None
    numbers = [one.number for one in rows]
    return msgspec.json.encode(
        {
            "pagination": {
                "total_results": total,
                "total_pages": pages,
                "first": {"href": f"{path}?page=1"},
                "last": {"href": f"{path}?page={pages}"},
                "next": more,
                "previous": None,
            },
            "resources": [_resource(one, path) for one in rows],
            "included": dict(_included(numbers)),
        }
    )


def _resource(one: Row, path: str) -> dict[str, object]:
    number, at = one.number, _time(one)
    space, plan = _guid("c", _space(number)), _guid("a", number % _PLANS)
    href = f"{path}/{one.guid}"
    return {
        "guid": one.guid,
        "created_at": at,
        "updated_at": at,
        "name": f"service-{number}",
        "tags": [],
        "type": "managed",
        "maintenance_info": {"version": "10.0.2-build.7"},
        "upgrade_available": False,
        "dashboard_url": f"https://dashboard.sys.example.com/instances/{one.guid}",
        "last_operation": {
            "type": "create",
            "state": "succeeded",
            "description": "Instance provisioning completed",
            "updated_at": at,
            "created_at": at,
        },
        "relationships": {
            "space": {"data": {"guid": space}},
            "service_plan": {"data": {"guid": plan}},
        },
        "metadata": {"labels": {**_TAG, "team": f"team-{number % 100}"}, "annotations": {}},
        "links": {
            "self": {"href": href},
            "space": {"href": f"https://api.example.com/v3/spaces/{space}"},
            "service_plan": {"href": f"https://api.example.com/v3/service_plans/{plan}"},
            "parameters": {"href": f"{href}/parameters"},
            "shared_spaces": {"href": f"{href}/relationships/shared_spaces"},
            "service_credential_bindings": {"href": f"{href}/credential_bindings"},
        },
    }


def _time(one: Row) -> str:
    """When an instance was created, as the Cloud Controller writes it."""
    return one.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _included(numbers: Sequence[int]) -> Iterator[tuple[str, list[object]]]:
    """The spaces, organizations, plans and offerings of a page."""
    spaces = sorted({_space(number) for number in numbers})
    plans = sorted({number % _PLANS for number in numbers})
    yield "spaces", [_space_resource(space) for space in spaces]
    orgs = sorted({_org(space) for space in spaces})
    yield "organizations", [{"guid": _guid("b", org), "name": _org_name(org)} for org in orgs]
    if plans:
        yield "service_plans", [_plan_resource(plan) for plan in plans]
        offerings = sorted({plan % _OFFERINGS for plan in plans})
        yield (
            "service_offerings",
            [{"guid": _guid("d", one), "name": f"offering-{one}"} for one in offerings],
        )


def _space_resource(space: int) -> object:
    org = {"data": {"guid": _guid("b", _org(space))}}
    return {
        "guid": _guid("c", space),
        "name": f"space-{space:04d}",
        "relationships": {"organization": org},
    }


def _plan_resource(plan: int) -> object:
    offering = {"data": {"guid": _guid("d", plan % _OFFERINGS)}}
    return {
        "guid": _guid("a", plan),
        "name": f"plan-{plan:02d}",
        "relationships": {"service_offering": offering},
    }


def _guid(kind: str, number: int) -> str:
    return f"{kind}{number:07x}-1111-4222-8333-444455556666"


def _space(number: int) -> int:
    """Instances of a lab have spaces of their own, behind those of the others."""
    if number % _IN_A_LAB == 0:
        return _SPACES + number // _IN_A_LAB % EXCLUDES
    return number % _SPACES


def _org(space: int) -> int:
    return space % _ORGS if space < _SPACES else _ORGS + space - _SPACES


def _org_name(org: int) -> str:
    return f"org-{org:03d}" if org < _ORGS else f"lab-{org - _ORGS:02d}"
