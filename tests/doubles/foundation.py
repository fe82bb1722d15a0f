"""A foundation's list of service instances, as the Cloud Controller gives it: page by page.

Filters, order, paging and refusals are those of cloud_controller_ng; what is not needed to list
instances is left out.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

from backup_audit.fleet.inventory import Sees
from backup_audit.judge.evidence import TOO_SLOW, Cause, Observation, Refusal, Silence
from backup_audit.probe.attempt import Again, Result
from backup_audit.probe.pacing import Outcome
from tests.doubles.builders import NOW
from tests.doubles.fakes import ScriptedApi

T = TypeVar("T")

Resource = dict[str, Any]
Came = bytes | Refusal | Silence | Exception

BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
TOO_LARGE = Silence(Cause.TOO_LARGE, "the answer is larger than 4194304 bytes")
_KNOWN = frozenset(
    {
        *("type", "names", "guids", "per_page", "page", "order_by", "created_ats[gte]"),
        *("fields[space]", "fields[space.organization]"),
        *("fields[service_plan]", "fields[service_plan.service_offering]"),
    }
)


def at(seconds: int) -> str:
    """An instant so many seconds after the beginning, as the API writes it."""
    return instant(BEGINNING + timedelta(seconds=seconds))


def instant(moment: datetime) -> str:
    """An instant (UTC), as the API writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def resource(guid: str, created: int = 0, **more: object) -> Resource:
    """A managed instance in space payments of org prod, as it is listed."""
    created_at = at(created)
    return {
        "guid": guid,
        "created_at": created_at,
        "updated_at": created_at,
        "name": f"db-{guid}",
        "tags": [],
        "last_operation": {
            "type": "create",
            "state": "succeeded",
            "description": "",
            "updated_at": created_at,
            "created_at": created_at,
        },
        "type": "managed",
        "relationships": {
            "space": {"data": {"guid": "space-1"}},
            "service_plan": {"data": {"guid": "plan-1"}},
        },
        "metadata": {"labels": {"tier": "gold", "other": "x"}, "annotations": {}},
        "links": {"self": {"href": f"https://api.example.com/v3/service_instances/{guid}"}},
        **more,
    }


INCLUDED = {
    "spaces": [
        {
            "guid": "space-1",
            "name": "payments",
            "relationships": {"organization": {"data": {"guid": "org-1"}}},
        }
    ],
    "organizations": [{"guid": "org-1", "name": "prod"}],
    "service_plans": [
        {
            "guid": "plan-1",
            "name": "db-gold-small",
            "relationships": {"service_offering": {"data": {"guid": "offering-1"}}},
        }
    ],
    "service_offerings": [{"guid": "offering-1", "name": "p.mysql"}],
}


def page_of(rows: Sequence[Resource], total: int | None = None, **more: object) -> bytes:
    """A page that ends the list, unless `pagination` says otherwise."""
    total = len(rows) if total is None else total
    pagination = {"total_results": total, "total_pages": 1, "next": None}
    return json.dumps(
        {"pagination": pagination, "resources": rows, "included": INCLUDED, **more}
    ).encode()


class Foundation(ScriptedApi):
    """An API with a list of instances that changes while it is read.

    `before_page` is called before each page, with its number in the order of asking, from 0.
    `comes` says what comes instead of a page, if anything; an exception is raised.
    """

    def __init__(
        self,
        rows: Iterable[Resource] = (),
        *,
        by_time: bool = True,
        before_page: Callable[[int], None] = lambda _: None,
        comes: Callable[[int, Mapping[str, str]], Came | None] = lambda *_: None,
        sees: Sees = Sees.ALL,
    ) -> None:
        super().__init__({})
        self.rows = {row["guid"]: row for row in rows}
        self.queries: list[dict[str, str]] = []
        self.texts: list[str] = []
        self.given: list[list[str]] = []  # GUIDs, page by page
        self.sees = sees
        self._by_time = by_time
        self._before_page = before_page
        self._comes = comes
        self._all = threading.Lock()

    @property
    def calls(self) -> int:
        return super().calls + len(self.queries)

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        with self._all:
            asked = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
            place = len(self.queries)
            self._before_page(place)
            self.queries.append(asked)
            self.texts.append(query)
            came = self._comes(place, asked)
            if came is None:
                came = self._page(asked)
        if isinstance(came, Exception):
            raise came
        answer = read(came) if isinstance(came, bytes) else came
        return page_result(answer)

    def _page(self, asked: Mapping[str, str]) -> bytes | Refusal:
        unknown = asked.keys() - _KNOWN
        if not self._by_time:
            unknown |= asked.keys() & {"order_by", "created_ats[gte]"}
        if unknown:
            return Refusal(10005, "CF-BadQueryParameter", f"Unknown query parameter(s): {unknown}")
        rows = _asked_for(self.rows.values(), asked)
        if asked.get("order_by") == "created_at":
            rows.sort(key=lambda row: (row["created_at"], row["guid"]))
        per_page, number = int(asked.get("per_page", 50)), int(asked.get("page", 1))
        listed = rows[(number - 1) * per_page : number * per_page]
        self.given.append([row["guid"] for row in listed])
        goes_on = number * per_page < len(rows)
        following = {"href": "https://elsewhere.example.com/?page=2"} if goes_on else None
        return page_of(listed, pagination={"total_results": len(rows), "next": following})


def _asked_for(rows: Iterable[Resource], asked: Mapping[str, str]) -> list[Resource]:
    """The rows that the filters let through; several values of one stand between commas."""
    wanted = {
        key: {unquote(one) for one in asked[parameter].split(",")}
        for parameter, key in (("type", "type"), ("names", "name"), ("guids", "guid"))
        if parameter in asked
    }
    since = asked.get("created_ats[gte]", "")
    return [
        row
        for row in rows
        if row["created_at"] >= since and all(row[key] in wanted[key] for key in wanted)
    ]


_STATUS = {10005: 400, 10003: 403, 1000: 401, 10013: 429, 10015: 503}


def page_result(answer: T | Refusal | Silence) -> Result[T]:
    """What comes of asking once: final, unless it is known to pass."""
    status: int | None = 200
    outcome, again = Outcome.ANSWERED, Again.NO
    match answer:
        case Refusal(code=code):
            status = 502 if code is None else _STATUS.get(code, 500)
            if status in (502, 503):
                outcome, again = Outcome.FAILED, Again.SOON
        case Silence(cause=Cause.TIMEOUT):
            status, outcome, again = None, Outcome.SILENT, Again.LATE
        case Silence(cause=Cause.CONNECTION):
            status, outcome, again = None, Outcome.FAILED, Again.SOON
        case Silence():
            outcome = Outcome.FAILED
    return Result(
        evidence=Observation(answer=answer, observed_at=NOW, status=status),
        outcome=outcome,
        again=again,
    )


def slow_above(rows: int) -> Callable[[int, Mapping[str, str]], Came | None]:
    """Pages of more rows than that take too long."""
    return lambda _, asked: TOO_SLOW if int(asked["per_page"]) > rows else None
