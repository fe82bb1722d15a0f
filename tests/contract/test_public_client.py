"""A public client of the Cloud Controller finds in the local cloud what the local cloud has."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.v3.entities import Entity

from tools.local_cloud.behaviours import SimulatedInstance
from tools.local_cloud.fleets import FLEETS
from tools.local_cloud.places import space
from tools.local_cloud.roles import reader_of
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)

pytestmark = pytest.mark.loopback

# The links of pages name this host, which is none: the client reaches it through the local cloud
# as its proxy.
EXTERNAL_URL = "http://api.foundation.test"
FIELDS = {
    "space": ["guid", "name", "relationships.organization"],
    "space.organization": ["guid", "name"],
    "service_plan": ["guid", "name", "relationships.service_offering"],
    "service_plan.service_offering": ["guid", "name"],
}
INSTANCES = FLEETS["discovered"](datetime(2026, 1, 31, 5, 0, tzinfo=UTC)).instances
THERE = [instance for instance in INSTANCES if instance.is_there]
SHOP = space("prod-eu", "shop")


@pytest.fixture(scope="module")
def foundation() -> Iterator[SimulatedCloudController]:
    with SimulatedCloudController(INSTANCES, external_url=EXTERNAL_URL) as running:
        yield running


def client_of(foundation: SimulatedCloudController) -> CloudFoundryClient:
    client = CloudFoundryClient(
        EXTERNAL_URL,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        proxy={"http": foundation.url},
    )
    client.init_with_client_credentials()
    return client


def listed(foundation: SimulatedCloudController, **query: object) -> list[Entity]:
    return list(client_of(foundation).v3.service_instances.list(fields=FIELDS, **query))


def names_of(entity: Entity) -> tuple[str | None, ...]:
    """GUID, name, space, org, plan and offering, as the client joins them."""
    where = entity.space()
    what = entity.service_plan() if "service_plan" in entity["relationships"] else None
    return (
        entity["guid"],
        entity["name"],
        where.get("name"),
        where.organization().get("name"),
        what and what["name"],
        what and what.service_offering()["name"],
    )


def names_in(instance: SimulatedInstance) -> tuple[str | None, ...]:
    plan = instance.plan
    return (
        instance.guid,
        instance.name,
        instance.space.name,
        instance.space.org.name,
        plan.name if plan else None,
        plan.offering.name if plan else None,
    )


@pytest.mark.parametrize("per_page", [20, 50, 5_000])
def test_it_lists_each_instance_once_with_its_names(
    foundation: SimulatedCloudController, per_page: int
) -> None:
    found = listed(foundation, per_page=per_page)

    assert [names_of(entity) for entity in found] == [names_in(one) for one in THERE]


def test_it_reads_labels_and_what_is_under_way(foundation: SimulatedCloudController) -> None:
    found = listed(foundation, order_by="created_at")

    by_guid = {one.guid: one for one in THERE}
    assert [one["created_at"] for one in found] == sorted(one["created_at"] for one in found)
    for entity in found:
        instance = by_guid[entity["guid"]]
        assert entity["metadata"]["labels"] == instance.labels
        operation = instance.last_operation
        assert entity["last_operation"].get("state") == (operation.state if operation else None)


def is_labelled(instance: SimulatedInstance) -> bool:
    labels = instance.labels
    return "backup-audit.max-age" in labels and labels["team"] != "warehouse"


FILTERS: list[tuple[dict[str, object], Callable[[SimulatedInstance], bool]]] = [
    ({"names": ["orders-db", "tax-cache"]}, lambda one: one.name in ("orders-db", "tax-cache")),
    ({"guids": [one.guid for one in THERE[:150]]}, lambda one: one in THERE[:150]),
    (
        {"space_guids": [SHOP.guid], "type": "managed"},
        lambda one: one.space == SHOP and one.is_managed,
    ),
    ({"label_selector": "backup-audit.max-age,team!=warehouse"}, is_labelled),
]


@pytest.mark.parametrize(("query", "fits"), FILTERS)
def test_it_filters(
    foundation: SimulatedCloudController,
    query: dict[str, object],
    fits: Callable[[SimulatedInstance], bool],
) -> None:
    found = {entity["guid"] for entity in listed(foundation, **query)}

    assert found
    assert found == {one.guid for one in THERE if fits(one)}


def test_it_counts(foundation: SimulatedCloudController) -> None:
    instances = client_of(foundation).v3.service_instances

    assert instances.len() == len(THERE)
    assert instances.len(type="user-provided", per_page=1) == 1


def test_it_sees_no_more_than_its_roles_show() -> None:
    shared = next(one for one in THERE if one.space != SHOP)
    with SimulatedCloudController(
        INSTANCES, external_url=EXTERNAL_URL, role=reader_of(SHOP)
    ) as foundation:
        foundation.instances.put(
            SimulatedInstance(
                guid=shared.guid,
                name=shared.name,
                created_at=shared.created_at,
                behaviour=shared.behaviour,
                space=shared.space,
                shared_into=(SHOP,),
            )
        )

        found = {entity["guid"]: names_of(entity) for entity in listed(foundation)}

    assert found.keys() == {one.guid for one in THERE if one.space == SHOP} | {shared.guid}
    assert found[shared.guid][2] is None, "a space that we may not read has no name"
