"""A page of the list of service instances, with pagination and included resources."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from tools.local_cloud.behaviours import SimulatedInstance
from tools.local_cloud.foundation import Broker, Offering, Org, Plan, Space
from tools.local_cloud.instance_table import Page
from tools.local_cloud.query import Fields, ListQuery
from tools.local_cloud.resources import PATH, resource_document
from tools.local_cloud.roles import Role

Document = dict[str, object]
Included = TypeVar("Included", Space, Org, Plan, Offering, Broker)


def list_document(page: Page, query: ListQuery, role: Role, external_url: str) -> Document:
    """The answer to a list query."""
    document: Document = {
        "pagination": _pagination(page.total, query, f"{external_url}{PATH}"),
        "resources": [resource_document(one, external_url) for one in page.instances],
    }
    return document | included(page.instances, query.fields, role)


def included(instances: Sequence[SimulatedInstance], fields: Fields, role: Role) -> Document:
    """What the instances use, each once; plans and offerings only if one of them is managed.

    A space or an org that the client may not read comes without its name.
    """
    plans = [one.plan for one in instances if one.plan]
    found: Document = {}
    if wanted := fields.get("space"):
        spaces = _each(one.space for one in instances)
        found["spaces"] = [_space(one, wanted, role) for one in spaces]
    if wanted := fields.get("space.organization"):
        orgs = _each(one.space.org for one in instances)
        found["organizations"] = [_org(one, wanted, role) for one in orgs]
    if plans and (wanted := fields.get("service_plan")):
        found["service_plans"] = [_plan(one, wanted) for one in _each(plans)]
    offerings = _each(plan.offering for plan in plans)
    if plans and (wanted := fields.get("service_plan.service_offering")):
        found["service_offerings"] = [_offering(one, wanted) for one in offerings]
    if plans and (wanted := fields.get("service_plan.service_offering.service_broker")):
        brokers = _each(offering.broker for offering in offerings)
        found["service_brokers"] = [_named(one, wanted) for one in brokers]
    return {"included": found} if found else {}


def _pagination(total: int, query: ListQuery, address: str) -> Document:
    pages = max(1, -(-total // query.per_page))

    def link(page: int) -> Document:
        return {"href": f"{address}?{query.href(page)}"}

    return {
        "total_results": total,
        "total_pages": pages,
        "first": link(1),
        "last": link(pages),
        "next": link(query.page + 1) if query.page < pages else None,
        "previous": link(query.page - 1) if query.page > 1 else None,
    }


def _each(resources: Iterable[Included]) -> list[Included]:
    by_guid = {resource.guid: resource for resource in resources}
    return [by_guid[guid] for guid in sorted(by_guid)]


def _named(resource: Included, wanted: frozenset[str]) -> Document:
    document: Document = {"guid": resource.guid, "name": resource.name}
    return {key: value for key, value in document.items() if key in wanted}


def _without_name_unless(document: Document, *, is_readable: bool) -> Document:
    if not is_readable:
        document.pop("name", None)
    return document


def _related(wanted: frozenset[str], to: str, guid: str) -> Document:
    if f"relationships.{to}" not in wanted:
        return {}
    return {"relationships": {to: {"data": {"guid": guid}}}}


def _space(space: Space, wanted: frozenset[str], role: Role) -> Document:
    named = _without_name_unless(_named(space, wanted), is_readable=role.reads_space(space))
    return named | _related(wanted, "organization", space.org.guid)


def _org(org: Org, wanted: frozenset[str], role: Role) -> Document:
    return _without_name_unless(_named(org, wanted), is_readable=role.reads_org(org))


def _plan(plan: Plan, wanted: frozenset[str]) -> Document:
    return _named(plan, wanted) | _related(wanted, "service_offering", plan.offering.guid)


def _offering(offering: Offering, wanted: frozenset[str]) -> Document:
    more: Document = {
        "description": offering.description,
        "tags": [],
        "documentation_url": None,
    }
    return (
        _named(offering, wanted)
        | {key: value for key, value in more.items() if key in wanted}
        | _related(wanted, "service_broker", offering.broker.guid)
    )
