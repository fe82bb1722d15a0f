"""The table of docs/scale.md is what its arithmetic gives."""

from pathlib import Path

import msgspec
import pytest

from backup_audit.notify.digest import digests
from backup_audit.plan import shared_out
from backup_audit.telemetry import METRICS
from tests.doubles.builders import PLACE, finding
from tests.doubles.reports import stored
from tools.scale import (
    ALARM_MONTH,
    DASHBOARD_MONTH,
    MAP_WORKERS,
    ONE_INVOCATION,
    SECRET_MONTH,
    SIZES,
    WORKERS,
    metrics_cost,
    row,
)
from tools.template import Template

PAGE = Path("docs/scale.md").read_text("utf-8")


@pytest.mark.parametrize("size", SIZES)
def test_a_row_of_the_table_is_computed(size: int) -> None:
    assert row(size).markdown in PAGE


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


def test_a_bad_digest_is_as_many_messages_as_the_page_says() -> None:
    stale = msgspec.structs.replace(finding(owner="team-orders"), **PLACE)
    problems = [
        msgspec.structs.replace(
            stale, guid=f"{number:08x}-0000-4000-8000-000000000000", name=f"orders-db-{number}"
        )
        for number in range(10_000)
    ]

    few, many = (sum(1 for _ in digests(stored(problems[:count]))) for count in (1000, 10_000))

    assert f"a digest of 1,000 problems is {few} messages; 10,000 problems are {many}" in PAGE
