"""The table of docs/scale.md is what its arithmetic gives."""

from pathlib import Path

import pytest

from backup_audit.notify.digest import digests
from tests.doubles.builders import finding
from tests.doubles.reports import stored
from tools.scale import ONE_INVOCATION, SIZES, row
from tools.template import Template

PAGE = Path("docs/scale.md").read_text("utf-8")


@pytest.mark.parametrize("size", SIZES)
def test_a_row_of_the_table_is_computed(size: int) -> None:
    assert row(size).markdown in PAGE


def test_the_figures_are_those_of_the_defaults() -> None:
    defaults = {name: one.get("Default") for name, one in Template.read().parameters.items()}

    assert f"`Workers` = {defaults['Workers']}" in PAGE
    assert f"`InFlightMax` = {defaults['InFlightMax']}" in PAGE
    assert f"`BatchSize` = {defaults['BatchSize']}" in PAGE
    assert f"{defaults['MemorySize']} MB" in PAGE
    assert f"= {defaults['ReportExpirationDays']} runs" in PAGE


def test_a_fleet_that_one_invocation_cannot_audit_is_said_to_be_so() -> None:
    assert row(1_000_000).seconds > ONE_INVOCATION
    assert row(100_000).seconds < ONE_INVOCATION


def test_a_bad_digest_is_as_many_messages_as_the_page_says() -> None:
    problems = [
        finding(
            guid=f"{number:08x}-0000-4000-8000-000000000000",
            name=f"orders-db-{number}",
            owner="team-orders",
        )
        for number in range(10_000)
    ]

    few, many = (sum(1 for _ in digests(stored(problems[:count]))) for count in (1000, 10_000))

    assert f"a digest of 1,000 problems is {few} messages; 10,000 problems are {many}" in PAGE
