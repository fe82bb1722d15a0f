"""The table of docs/scale.md is what its arithmetic gives."""

import re
from pathlib import Path

import msgspec
import pytest

from backup_audit.notify.digest import digests
from backup_audit.notify.links import Links
from backup_audit.plan import shared_out
from backup_audit.probe.paging import PER_PAGE, REQUESTS_MAX, ROWS_MAX, SHARE
from backup_audit.report.alerts import Audience
from backup_audit.telemetry import METRICS
from tests.doubles.builders import PLACE, SETTINGS, finding
from tests.doubles.days import Days
from tests.doubles.days import row as row_of
from tests.doubles.reports import stored
from tools import scale
from tools.scale import (
    ALARM_MONTH,
    DASHBOARD_MONTH,
    INVENTORIES,
    MAP_WORKERS,
    ONE_INVOCATION,
    SECRET_MONTH,
    SIZES,
    WORKERS,
    inventory_requests,
    inventory_row,
    metrics_cost,
    row,
    writes,
)
from tools.template import Template

PAGE = Path("docs/scale.md").read_text("utf-8")


@pytest.mark.parametrize("size", SIZES)
def test_a_row_of_the_table_is_computed(size: int) -> None:
    assert row(size).markdown in PAGE


@pytest.mark.parametrize("size", INVENTORIES)
def test_a_row_of_the_inventorys_table_is_computed(size: int) -> None:
    assert inventory_row(size) in PAGE


@pytest.mark.parametrize(
    ("instances", "requests"),
    [(0, 2), (1, 2), (1_000, 2), (1_001, 3), (1_999, 3), (2_000, 4), (10_000, 12)],
)
def test_a_page_of_the_inventory_begins_with_the_last_instance_of_the_one_before(
    instances: int, requests: int
) -> None:
    assert inventory_requests(instances) == requests
    assert PER_PAGE == scale.PAGE


@pytest.mark.parametrize(("instances", "batches"), [(3, 1), (4, 2), (10, 4)])
def test_the_objects_that_a_run_writes_are_counted(instances: int, batches: int) -> None:
    days = Days([row_of(f"guid-{number}") for number in range(instances)], mapped=True)
    days.run()
    before = len(days.store.writes)

    days.run()

    assert len(days.store.writes) - before == writes(batches)
    assert f"(3 · batches + {writes(0)}) writes to S3" in PAGE.replace("\n  ", " ")


def test_how_long_a_page_of_a_large_inventory_may_take_is_computed() -> None:
    seconds = ONE_INVOCATION * SHARE
    page = seconds / inventory_requests(ROWS_MAX)

    said = (
        f"{seconds:.0f} s in Lambda's 15 minutes, enough for {ROWS_MAX:,} instances at "
        f"{page * 1000:.0f} ms a page"
    )
    assert said in " ".join(PAGE.split())
    assert INVENTORIES[-1] == ROWS_MAX
    assert inventory_requests(ROWS_MAX) <= REQUESTS_MAX


def test_the_figures_are_those_of_the_defaults() -> None:
    defaults = {name: one.get("Default") for name, one in Template.read().parameters.items()}

    function = Template.read().properties("AuditFunction")
    in_map = shared_out(MAP_WORKERS, None)

    assert defaults["Workers"] == WORKERS == in_map.workers
    assert in_map.concurrency == MAP_WORKERS // WORKERS
    assert f"`Workers` = {WORKERS} in one invocation and {MAP_WORKERS} in mode `map`" in PAGE
    assert f"batches of {function['Environment']['Variables']['BATCH_SIZE']}" in PAGE
    assert f"{function['MemorySize']} MB:" in PAGE
    assert f"= {defaults['ReportExpirationDays']} runs" in PAGE


def test_what_metrics_alarms_and_dashboard_cost_is_said() -> None:
    resources = Template.read().resources.values()
    alarms = [one["Properties"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    watched = sum(
        sum("MetricStat" in part for part in alarm.get("Metrics", [{"MetricStat": {}}]))
        for alarm in alarms
    )
    daily, hourly = (metrics_cost(len(METRICS), hours) for hours in (1, 24))

    assert f"| {len(METRICS)} custom metrics, by one set of dimensions |" in PAGE
    assert f"${daily:.2f} for a run a day, ${hourly:.2f} for one an hour" in PAGE
    assert f"alarms, {watched} metrics in mode `map` | ${watched * ALARM_MONTH:.2f};" in PAGE
    assert f"| the dashboard | ${DASHBOARD_MONTH:.2f};" in PAGE
    assert f"| the secret | ${SECRET_MONTH:.2f} |" in PAGE


@pytest.mark.parametrize(
    ("latency", "said"),
    [
        (0.2, "L = 200 ms takes 100,000 instances {0.seconds:,.0f} s in one invocation and"),
        (0.2, "and {0.map_seconds:,.0f} s in mode map"),
        (1.0, "L = 1 s takes 100,000 instances {0.map_seconds:,.0f} s in mode map"),
    ],
)
def test_what_a_slower_api_makes_of_it_is_computed_too(latency: float, said: str) -> None:
    assert said.format(row(100_000, latency)) in " ".join(PAGE.split())


def test_a_fleet_that_one_invocation_cannot_audit_is_said_to_be_so() -> None:
    assert row(1_000_000).seconds > ONE_INVOCATION
    assert row(100_000).seconds < ONE_INVOCATION


def test_a_digest_of_a_bad_day_is_one_message_as_the_page_says() -> None:
    stale = msgspec.structs.replace(finding(owner="team-orders"), **PLACE)
    problems = [
        msgspec.structs.replace(
            stale, guid=f"{number:08x}-0000-4000-8000-000000000000", name=f"orders-db-{number}"
        )
        for number in range(2_000)
    ]

    [digest] = digests(
        stored(problems), Audience.PEOPLE, Links(runbook_url=None, topic_arn=SETTINGS.topic_arn)
    )

    assert digest.size <= 64 * 1024
    assert "a digest is one message of at most 64 KiB, which names 100 problems" in PAGE
    named = re.findall("[0-9a-f]{8}-0000-4000-8000-000000000000", digest.body)
    assert len(set(named)) == 100
