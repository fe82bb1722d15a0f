"""The inventory as it is read over HTTP from a foundation that is always on the move."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from backup_audit.fleet.inventory import Read, Reading, Sees
from backup_audit.probe.authorization import ClientCredentials, Secret
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.paging import PagedInventory
from backup_audit.report.report import Ceilings
from backup_audit.text import printable
from backup_audit.wiring import Access, connected
from tests.doubles.some import rest
from tools.local_cloud.behaviours import Backups, SimulatedInstance
from tools.local_cloud.fleets import FLEETS
from tools.local_cloud.instance_table import InstanceTable
from tools.local_cloud.places import space
from tools.local_cloud.roles import reader_of
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)

pytestmark = pytest.mark.loopback

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
INSTANCES = FLEETS["discovered"](NOON).instances
THERE = [instance for instance in INSTANCES if instance.is_there]
MANAGED = {one.guid for one in THERE if one.is_managed}
SHOP = space("prod-eu", "shop")
LABELS = {"team", "backup-audit.max-age"}


@contextmanager
def inventory_of(foundation: SimulatedCloudController) -> Iterator[PagedInventory]:
    credentials = ClientCredentials(CLIENT_ID, Secret(CLIENT_SECRET))
    ceilings = Ceilings(concurrency=1, workers=4, requests_per_second=None)
    access = Access(api_url=foundation.url, credentials=credentials)
    with connected(access, ceilings, Deadline(time.monotonic() + 60)) as engine:
        yield PagedInventory(engine)


def scanned(foundation: SimulatedCloudController) -> Reading:
    with inventory_of(foundation) as inventory:
        return inventory.scan(LABELS)


def test_a_scan_finds_every_managed_instance_under_its_names() -> None:
    with SimulatedCloudController(INSTANCES) as foundation:
        reading = scanned(foundation)

    assert (reading.read, reading.why, reading.sees) == (Read.COMPLETE, None, Sees.ALL)
    assert reading.user_provided == 1
    assert reading.rows.keys() == MANAGED
    for instance in THERE:
        if instance.plan is None:
            continue
        row = reading.rows[instance.guid]
        where = instance.space
        assert (row.name, row.space, row.org) == (
            printable(instance.name),
            where.name,
            where.org.name,
        )
        assert (row.plan, row.offering) == (instance.plan.name, instance.plan.offering.name)
        assert row.created_at == instance.created_at
        assert row.labels == {k: v for k, v in instance.labels.items() if k in LABELS}
        operation = instance.last_operation
        assert (row.last_operation is None) is (operation is None)


def test_instances_are_looked_up_by_guid_whatever_their_type() -> None:
    asked = [one.guid for one in INSTANCES]
    with SimulatedCloudController(INSTANCES) as foundation, inventory_of(foundation) as inventory:
        reading = inventory.look_up(asked, LABELS)

    assert reading.read is Read.COMPLETE
    assert reading.rows.keys() == {one.guid for one in THERE}
    assert len(asked) > 200, "more than one request line can hold"


@pytest.mark.parametrize("name", ["orders-db", "one,two", "a/b?c&d=é", "zürich 🗄"])
def test_instances_are_found_by_a_name_of_any_characters(name: str) -> None:
    odd = msgspec.structs.replace(THERE[0], guid="odd", name=name)
    namesake = msgspec.structs.replace(odd, guid="namesake", space=SHOP, name=name.upper())
    with (
        SimulatedCloudController([odd, namesake, *THERE[1:]]) as foundation,
        inventory_of(foundation) as inventory,
    ):
        reading = inventory.named(name, LABELS)

    assert set(reading.rows) == {"odd"}


def test_a_client_with_a_role_in_a_space_reads_what_it_sees() -> None:
    shared = msgspec.structs.replace(
        next(one for one in THERE if one.space.org.name == "lab"), shared_into=(SHOP,)
    )
    fleet = [shared, *(one for one in THERE if one.guid != shared.guid)]
    with SimulatedCloudController(fleet, role=reader_of(SHOP)) as foundation:
        reading = scanned(foundation)

    assert (reading.read, reading.sees) == (Read.COMPLETE, Sees.ROLES)
    assert reading.rows.keys() == {
        *(one.guid for one in THERE if one.space == SHOP and one.is_managed),
        shared.guid,
    }
    assert (reading.rows[shared.guid].space, reading.rows[shared.guid].org) == (None, None)
    assert reading.rows[shared.guid].offering


def crowd(count: int, *, a_second: int) -> list[SimulatedInstance]:
    return [
        SimulatedInstance(
            guid=f"{number:05d}",
            name=f"db-{number}",
            created_at=NOON + timedelta(seconds=number // a_second),
            behaviour=Backups(()),
        )
        for number in range(count)
    ]


def moving(deleted: Callable[[int], int], created: datetime) -> Callable[[InstanceTable], None]:
    """Before each page, one instance goes and one comes."""
    pages = 0

    def meanwhile(table: InstanceTable) -> None:
        nonlocal pages
        pages += 1
        table.delete(f"{deleted(pages):05d}")
        new = crowd(1, a_second=1)[0]
        table.put(msgspec.structs.replace(new, guid=f"new-{pages}", created_at=created))

    return meanwhile


@pytest.mark.parametrize("created", [NOON, NOON + timedelta(hours=2)], ids=["first", "last"])
@pytest.mark.parametrize("a_second", [rest(1), 7, rest(3_000)], ids="{} a second".format)
def test_what_comes_and_goes_between_pages_costs_no_living_instance(
    created: datetime, a_second: int
) -> None:
    fleet = crowd(3_000, a_second=a_second)
    meanwhile = moving(lambda page: 100 * page, created)
    with SimulatedCloudController(fleet, meanwhile=meanwhile) as foundation:
        reading = scanned(foundation)
        living = {one.guid for one in foundation.instances if not one.guid.startswith("new-")}

    assert reading.rows.keys() >= living or reading.read is not Read.COMPLETE
    if a_second < 3_000:
        assert reading.read is Read.COMPLETE


def test_a_deployment_that_refuses_deep_pages_is_read_all_the_same() -> None:
    fleet = crowd(3_500, a_second=2)
    with SimulatedCloudController(fleet, max_total_results=1_000) as foundation:
        reading = scanned(foundation)

    assert reading.read is Read.COMPLETE
    assert len(reading.rows) == 3_500
