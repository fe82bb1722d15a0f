"""The service instances of a foundation: a table with an index, for there may be 100,000."""

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from tools.local_cloud.behaviours import SimulatedInstance
from tools.local_cloud.labels import Requirement
from tools.local_cloud.query import ListQuery, Span
from tools.local_cloud.roles import Role

Predicate = Callable[[SimulatedInstance], bool]


class Page(msgspec.Struct, frozen=True):
    """The instances of a page, and how many there are on all pages."""

    instances: Sequence[SimulatedInstance]
    total: int


class InstanceTable:
    """Instances with ids in the order in which they came."""

    def __init__(self, instances: Iterable[SimulatedInstance] = ()) -> None:
        self._lock = threading.Lock()
        self._by_guid = {one.guid: one for one in instances if one.is_there}
        self._ids = {guid: number for number, guid in enumerate(self._by_guid)}
        self._next_id = len(self._ids)
        self._by_creation = sorted(self._by_guid.values(), key=_creation)

    def __iter__(self) -> Iterator[SimulatedInstance]:
        with self._lock:
            return iter(list(self._by_guid.values()))

    def get(self, guid: str) -> SimulatedInstance | None:
        """The instance of a GUID."""
        return self._by_guid.get(guid)

    def put(self, instance: SimulatedInstance) -> None:
        """Add an instance, or change the one that has its GUID."""
        with self._lock:
            self._leave_index(instance.guid)
            insort(self._by_creation, instance, key=_creation)
            self._by_guid[instance.guid] = instance
            if instance.guid not in self._ids:
                self._ids[instance.guid] = self._next_id
                self._next_id += 1

    def delete(self, guid: str) -> None:
        """Take an instance out, if it is there."""
        with self._lock:
            self._leave_index(guid)
            self._by_guid.pop(guid, None)
            self._ids.pop(guid, None)

    def page(self, query: ListQuery, role: Role) -> Page:
        """A page of what a client sees; one behind the last says that there is none at all."""
        with self._lock:
            found = self._found(query, role)
        begin = (query.page - 1) * query.per_page
        instances = found[begin : begin + query.per_page]
        return Page(instances, len(found) if instances else 0)

    def _found(self, query: ListQuery, role: Role) -> list[SimulatedInstance]:
        found = self._candidates(query)
        predicates = list(_predicates(query))
        if not role.sees_all:
            predicates.append(role.sees)
        for fits in predicates:
            found = [one for one in found if fits(one)]
        match query.order_by:
            case "name":
                found.sort(key=lambda one: (one.name.lower(), one.guid))
            case "updated_at":
                found.sort(key=lambda one: (one.updated_at or one.created_at, one.guid))
            case "id":
                found.sort(key=lambda one: self._ids[one.guid])
            case _:  # the candidates come so
                pass
        return found[::-1] if query.descending else found

    def _candidates(self, query: ListQuery) -> list[SimulatedInstance]:
        """Those of the GUIDs, or those that the index gives; in the order of creation."""
        if query.guids is not None:
            known = (self._by_guid.get(guid) for guid in query.guids)
            return sorted((one for one in known if one), key=_creation)
        spans = query.spans.get("created_at")
        if spans is None or len(spans) > 1:
            return self._by_creation.copy()
        begin, end = (bisect_left(self._by_creation, at, key=_created_at) for at in spans[0])
        return self._by_creation[begin:end]

    def _leave_index(self, guid: str) -> None:
        known = self._by_guid.get(guid)
        if known is not None:
            del self._by_creation[bisect_left(self._by_creation, _creation(known), key=_creation)]


def _creation(instance: SimulatedInstance) -> tuple[datetime, str]:
    return instance.created_at, instance.guid


def _created_at(instance: SimulatedInstance) -> datetime:
    return instance.created_at


def _predicates(query: ListQuery) -> Iterator[Predicate]:
    if query.type is not None:
        managed = query.type == "managed"
        yield lambda one: one.is_managed == managed
    if "created_at" in query.spans:
        yield lambda one: _is_within(one.created_at, query.spans["created_at"])
    if "updated_at" in query.spans:
        yield lambda one: _is_within(one.updated_at or one.created_at, query.spans["updated_at"])
    for key, values in query.lists.items():
        # The database takes capitals for small letters in names, and GUIDs have none.
        yield _has_one_of(frozenset(value.lower() for value in values), _VALUES[key])
    for requirement in query.requirements:
        yield _has_labels_of(requirement)


def _has_labels_of(requirement: Requirement) -> Predicate:
    return lambda one: requirement.fits(one.labels)


def _is_within(moment: datetime, spans: Sequence[Span]) -> bool:
    return any(begin <= moment < end for begin, end in spans)


def _has_one_of(
    wanted: frozenset[str], values: Callable[[SimulatedInstance], Iterable[str]]
) -> Predicate:
    return lambda one: not wanted.isdisjoint(values(one))


# An instance is found by the spaces and orgs that it is shared into, too.
_VALUES: dict[str, Callable[[SimulatedInstance], Iterable[str]]] = {
    "names": lambda one: [one.name.lower()],
    "space_guids": lambda one: [space.guid for space in one.spaces],
    "organization_guids": lambda one: [space.org.guid for space in one.spaces],
    "service_plan_guids": lambda one: [one.plan.guid] if one.plan else [],
    "service_plan_names": lambda one: [one.plan.name.lower()] if one.plan else [],
}
