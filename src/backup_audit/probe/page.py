"""A page of the Cloud Controller's list of service instances: how it is asked for, and read.

Names and labels come from tenants, so nothing of a row is believed but its GUID: what cannot be
read is None. Without a GUID the whole page cannot be read, for nobody knows what is missing.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec

from backup_audit.fleet.fields import GUID_PATTERN, spelled
from backup_audit.fleet.inventory import MANAGED, USER_PROVIDED, Operation, ServiceInstance
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.probe.attempt import Result, Target
from backup_audit.probe.cloud_controller import UNREADABLE, decoded
from backup_audit.text import printable

if TYPE_CHECKING:
    from backup_audit.probe.engine import BackupApi

# Bytes of a query. The Cloud Controller's nginx refuses request lines above 8,192 (HTTP 414); the
# rest is for GET, the path, HTTP/1.1, and what a proxy's address may put before the path.
QUERY_MAX = 8000

_PER_PAGE_MAX = 5000  # rows; more is refused
NAME_MAX = 255  # characters; what the Cloud Controller allows in a name
_LABEL_MAX = 63  # characters of a label's value, and of a key without prefix
_BEGINNING_SO_MAX = 5  # labels of an instance that are kept for how their keys begin
_TYPES = frozenset({MANAGED, USER_PROVIDED})
_OPERATIONS = frozenset({"create", "update", "delete"})
_STATES = frozenset({"initial", "in progress", "succeeded", "failed"})
_GUID = re.compile(GUID_PATTERN)

# The names of space, organization, plan and offering come with each page.
FIELDS = {
    "fields[space]": "guid,name,relationships.organization",
    "fields[space.organization]": "guid,name",
    "fields[service_plan]": "guid,name,relationships.service_offering",
    "fields[service_plan.service_offering]": "guid,name",
}


class Page(msgspec.Struct, frozen=True):
    """A page of the list.

    `total` counts what the list has on all its pages. `goes_on` says whether it names a next one.
    `earliest` and `latest` (UTC, to the second) are when its first and its last row were created,
    as far as that can be read; `in_order`, whether the rows between were created in their order.
    """

    rows: Sequence[ServiceInstance]
    total: int
    goes_on: bool
    earliest: datetime | None
    latest: datetime | None
    in_order: bool


class PageQuery(msgspec.Struct, frozen=True):
    """A request for a page: its query, how the answer is read, how many requests it may take."""

    text: str
    read: Callable[[bytes], Page | Silence]
    attempts_max: int


class PageTarget(Target[PageQuery, Page]):
    """A page that is asked for. If the API is silent, whoever asks will want a smaller one."""

    silent_max = 1

    def __init__(self, subject: PageQuery, quarter: int, began: float) -> None:
        super().__init__(subject, quarter, began)
        self.attempts_max = subject.attempts_max

    @property
    def key(self) -> str:
        return self.subject.text

    def ask(self, api: "BackupApi") -> Result[Page]:
        return api.list_page(self.subject.text, self.subject.read)


def query_of(parameters: Mapping[str, str]) -> str:
    """The parameters as a query, in ASCII."""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items()
    )


def one_name(name: str) -> str:
    """A name as the only value of a parameter that takes many.

    The Cloud Controller parts the values at commas, and then decodes each once more.
    """
    return quote(name, safe="", errors="replace")


def instant_text(instant: datetime) -> str:
    """An instant (UTC) as the API writes it, and wants it in a filter."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


class _Pagination(msgspec.Struct):
    total_results: Annotated[int, msgspec.Meta(ge=0)]
    next: object


class _Row(msgspec.Struct, gc=False):
    guid: str
    name: object = None
    type: object = None
    created_at: object = None
    last_operation: object = None
    relationships: object = None
    metadata: object = None


class _List(msgspec.Struct):
    pagination: _Pagination
    resources: Annotated[list[_Row], msgspec.Meta(max_length=_PER_PAGE_MAX)]
    included: object = None
    errors: object = None


# Made here, by one thread: cloud_controller.py says why.
_LIST = msgspec.json.Decoder(_List)


def _each_once(pairs: Sequence[tuple[str, object]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        raise msgspec.ValidationError("an object has a key twice")


_EACH_ONCE = json.JSONDecoder(object_pairs_hook=_each_once, parse_int=str)  # int: 4,300 digits


class PageReader:
    """Reads pages, in several threads at the same time. Texts that are equal are kept once.

    `labels` are the keys to keep, as an InventoryReader takes them. `clock` gives the present in
    UTC: what was created later was not, and its time is not read.
    """

    def __init__(self, labels: Collection[str], clock: Callable[[], datetime]) -> None:
        self._labels = [key for key in labels if not key.endswith("*")]
        self._beginnings = tuple(key[:-1] for key in labels if key.endswith("*"))
        self._clock = clock
        self._texts: dict[str, str] = {}
        self._kept: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {(): {}}

    def read(self, body: bytes, *, before: int, per_page: int) -> Page | Silence:
        """Read a page of `per_page` rows at the most, with `before` rows on the pages before it.

        Silence says why it cannot be read.
        """
        try:
            listed = decoded(body, _LIST, _EACH_ONCE)
            fault = _fault(listed, before, per_page)
            return self._page(listed) if fault is None else unreadable(fault)
        except msgspec.ValidationError as error:
            return unreadable(f"without a list of instances: {error}")
        except UNREADABLE:
            return unreadable("with a body that is not JSON")

    def _page(self, listed: _List) -> Page:
        latest_possible = self._clock() + CLOCK_SKEW
        places = _Places(listed.included, self._shared)
        times = [_instant(row.created_at) for row in listed.resources]
        readable = [one for one in times if one is not None]
        return Page(
            rows=[
                self._row(row, created_at, places, latest_possible)
                for row, created_at in zip(listed.resources, times, strict=True)
            ],
            total=listed.pagination.total_results,
            goes_on=listed.pagination.next is not None,
            earliest=readable[0] if readable else None,
            latest=readable[-1] if readable else None,
            in_order=all(one <= other for one, other in pairwise(readable)),
        )

    def _row(
        self,
        row: _Row,
        created_at: datetime | None,
        places: "_Places",
        latest_possible: datetime,
    ) -> ServiceInstance:
        if not _GUID.match(row.guid):
            raise msgspec.ValidationError("the guid of an instance cannot be read")
        space, org = places.of_space(_related(row.relationships, "space"))
        plan, offering = places.of_plan(_related(row.relationships, "service_plan"))
        is_past = created_at is not None and created_at <= latest_possible
        return ServiceInstance(
            guid=spelled(row.guid),
            type=USER_PROVIDED if row.type == USER_PROVIDED else MANAGED,
            name=_name(row.name),
            org=org,
            space=space,
            offering=offering,
            plan=plan,
            created_at=created_at if is_past else None,
            last_operation=self._operation(row.last_operation, latest_possible),
            labels=self._labels_of(row.metadata),
        )

    def _shared(self, text: str | None) -> str | None:
        return None if text is None else self._texts.setdefault(text, text)

    def _operation(self, document: object, latest_possible: datetime) -> Operation | None:
        if not isinstance(document, dict):
            return None
        kind, state = document.get("type"), document.get("state")
        if not (isinstance(kind, str) and isinstance(state, str)):
            return None
        if kind not in _OPERATIONS or state not in _STATES:
            return None
        updated_at = _instant(document.get("updated_at"))
        is_past = updated_at is not None and updated_at <= latest_possible
        return Operation(
            type=self._texts.setdefault(kind, kind),
            state=self._texts.setdefault(state, state),
            updated_at=updated_at if is_past else None,
        )

    def _labels_of(self, metadata: object) -> Mapping[str, str]:
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        if not isinstance(labels, dict):
            return self._kept[()]
        keys = [*self._labels, *(self._beginning_so(labels) if self._beginnings else ())]
        kept = tuple((key, labels[key]) for key in keys if _is_label(labels.get(key)))
        return self._kept.setdefault(kept, dict(kept))

    def _beginning_so(self, labels: Mapping[str, object]) -> list[str]:
        """The first keys with one of the beginnings, beside those that are kept anyway."""
        found = (
            key
            for key, value in labels.items()
            if key.startswith(self._beginnings) and len(key) <= _LABEL_MAX and _is_label(value)
        )
        return sorted(key for key in found if key not in self._labels)[:_BEGINNING_SO_MAX]


def _is_label(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LABEL_MAX


def _fault(listed: _List, before: int, per_page: int) -> str | None:
    """What contradicts the rest of an answer: then some rows may be missing."""
    count, pagination = len(listed.resources), listed.pagination
    if listed.errors:
        return "with errors beside the list of instances"
    if count > per_page:
        return f"with {count} instances, where {per_page} at the most were asked for"
    if pagination.next is not None:
        return None if count else "with a next page after an empty one"
    if before + count < pagination.total_results:
        total = pagination.total_results
        return f"without a next page after {before + count} of {total} instances"
    return None


class _Places:
    """The names of what a page's instances stand in, by GUID; whatever is strange has none."""

    def __init__(self, included: object, shared: Callable[[str | None], str | None]) -> None:
        lists = included if isinstance(included, dict) else {}
        orgs = {guid: shared(_name(one.get("name"))) for guid, one in _each(lists, "organizations")}
        offerings = {
            guid: shared(_name(one.get("name"))) for guid, one in _each(lists, "service_offerings")
        }
        self._spaces = {
            guid: (
                shared(_name(one.get("name"))),
                orgs.get(_related(one.get("relationships"), "organization")),
            )
            for guid, one in _each(lists, "spaces")
        }
        self._plans = {
            guid: (
                shared(_name(one.get("name"))),
                offerings.get(_related(one.get("relationships"), "service_offering")),
            )
            for guid, one in _each(lists, "service_plans")
        }

    def of_space(self, guid: str) -> tuple[str | None, str | None]:
        """The names of a space and its organization."""
        return self._spaces.get(guid, (None, None))

    def of_plan(self, guid: str) -> tuple[str | None, str | None]:
        """The names of a plan and its offering."""
        return self._plans.get(guid, (None, None))


def _each(lists: Mapping[str, object], name: str) -> Iterator[tuple[str, dict[str, object]]]:
    listed = lists.get(name)
    for one in listed if isinstance(listed, list) else ():
        guid = one.get("guid") if isinstance(one, dict) else None
        if isinstance(guid, str):
            yield guid, one


def _related(relationships: object, name: str) -> str:
    """The GUID of what a resource belongs to; empty if it cannot be read."""
    relation = relationships.get(name) if isinstance(relationships, dict) else None
    data = relation.get("data") if isinstance(relation, dict) else None
    guid = data.get("guid") if isinstance(data, dict) else None
    return guid if isinstance(guid, str) else ""


def _name(value: object) -> str | None:
    """A name as all documents have it: what cannot be seen in it is a space."""
    return (printable(value[:NAME_MAX]) or None) if isinstance(value, str) else None


def _instant(value: object) -> datetime | None:
    """An instant with its zone, in UTC and whole seconds; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is UTC and not instant.microsecond:
            return instant  # as the Cloud Controller writes all of them
        return instant.astimezone(UTC).replace(microsecond=0) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def unreadable(why: str) -> Silence:
    """What is said of a page that contradicts itself, or what was asked for."""
    return Silence(Cause.UNREADABLE, f"HTTP 200 {why}")
