"""The report and how it is written."""

import csv
import io
from collections.abc import Iterable
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.configuration import MuteEntry, parse_configuration
from backup_audit.fleet.plan import policy_digest
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Finding, find, mutes_in_force
from backup_audit.judge.verdict import Verdict
from backup_audit.report.rendering import (
    CSV_COLUMNS,
    as_csv,
    as_json,
    from_json_lines,
    json_line,
)
from backup_audit.report.report import (
    MuteState,
    Report,
    coverage_of,
    floor_percent,
    mute_records,
)
from tests.doubles.builders import MUTE, NOW, a_list, evidence, finding, instance, report, run


def rows_of(findings: Iterable[Finding]) -> list[dict[str, str]]:
    body = b"".join(as_csv(findings)).decode()
    return list(csv.DictReader(io.StringIO(body, newline="")))


def test_problems_come_worst_first_and_the_longest_without_a_backup_before_the_others() -> None:
    older = find(instance("older"), evidence(a_list(90)), run(), None)
    found = [finding(verdict, verdict) for verdict in reversed(Verdict) if verdict != "in_grace"]

    listed = report([*found, older]).findings

    assert [one.guid for one in listed] == [
        "never_backed_up",
        "older",
        "stale",
        "unsupported",
        "not_found",
        "unknown",
    ]


def test_every_verdict_is_counted_and_zeros_are_said() -> None:
    counts = report([finding(Verdict.STALE), finding(Verdict.STALE)]).counts

    assert counts == {verdict.value: 2 if verdict is Verdict.STALE else 0 for verdict in Verdict}


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(0, 3, 0.0), (1, 3, 33.33), (99_999, 100_000, 99.99), (100_000, 100_000, 100.0)],
)
def test_a_hundred_percent_is_said_of_the_whole_only(part: int, whole: int, percent: float) -> None:
    assert floor_percent(part, whole) == percent


def test_unknown_instances_are_configured_and_not_audited() -> None:
    counts = report([finding(Verdict.UNKNOWN, "a"), finding(Verdict.STALE, "b")]).counts

    coverage = coverage_of(counts)

    assert (coverage.configured, coverage.audited, coverage.unknown) == (2, 1, 1)


@pytest.mark.parametrize(
    ("cause", "complete"), [(cause, cause != "not_reached") for cause in Cause]
)
def test_a_run_is_complete_if_every_instance_was_reached(cause: Cause, *, complete: bool) -> None:
    silent = find(instance(), evidence(Silence(cause, "x"), None), run(), None)

    assert report([silent]).complete is complete


def test_the_oldest_newest_backup_is_that_of_who_waited_longest() -> None:
    found = [finding(Verdict.HEALTHY, "a"), finding(Verdict.STALE, "b"), finding(Verdict.UNKNOWN)]

    assert report(found).oldest_newest_backup_age_seconds == 50 * 3600
    assert report([finding(Verdict.UNKNOWN)]).oldest_newest_backup_age_seconds is None


def test_the_policy_digest_follows_the_policies_and_not_the_order() -> None:
    first, second = instance("a"), instance("b")
    policy = msgspec.structs.replace(first.policy, max_age=timedelta(minutes=1))
    stricter = msgspec.structs.replace(first, policy=policy)

    assert policy_digest([first, second]) == policy_digest([second, first])
    assert policy_digest([first, second]) != policy_digest([stricter, second])


def test_a_report_is_read_back_as_it_was() -> None:
    original = report([finding(verdict) for verdict in (Verdict.STALE, Verdict.UNKNOWN)])

    assert msgspec.json.decode(as_json(original), type=Report) == original


def test_findings_are_one_object_a_line_and_read_back() -> None:
    found = [finding(Verdict.STALE, "a", name="a\u2028b"), finding(Verdict.HEALTHY, "b", mute=MUTE)]

    lines = [json_line(one) for one in found]

    assert [line.count(b"\n") for line in lines] == [1, 1]
    assert list(from_json_lines(lines)) == found


def test_a_csv_row_has_every_column_and_its_schema_version() -> None:
    [row] = rows_of([finding(Verdict.STALE, "a", name="orders-db", mute=MUTE)])

    assert tuple(row) == CSV_COLUMNS
    assert row["schema_version"] == "1"
    assert row["name"] == "orders-db"
    assert row["newest_backup_age_seconds"] == "180000"
    assert row["muted_until"] == "2026-01-31"
    assert row["code"] == ""


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u3000+", "\uff1d", "\uff0b", "\uff0d", "\uff20"],
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(start: str) -> None:
    [row] = rows_of([finding(name=f"{start}cmd|' /C calc'!A0")])

    assert row["name"] == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("separator", [";", "|", "\t", ";;"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\u00a0=", "\uff1d"])
def test_no_spreadsheet_that_parts_cells_elsewhere_finds_a_formula(
    separator: str, start: str
) -> None:
    [row] = rows_of([finding(name=f"x{separator}{start}1+1")])

    assert row["name"] == f"x{separator}'{start}1+1"


def test_what_is_no_formula_is_left_alone() -> None:
    name = "a-b; c=d|e+f, -1 @x"

    [row] = rows_of([finding(name=name)])

    assert row["name"] == name


def test_a_csv_of_many_findings_comes_in_pieces_and_is_whole() -> None:
    found = [finding(guid=f"guid-{number}") for number in range(1000)]

    pieces = list(as_csv(found))

    assert len(pieces) > 2
    assert [row["guid"] for row in rows_of(found)] == [one.guid for one in found]


@given(st.text())
def test_any_name_comes_out_of_the_csv_as_it_was_but_for_apostrophes(name: str) -> None:
    [row] = rows_of([finding(name=name)])

    assert row["name"].replace("'", "") == name.replace("'", "")


@pytest.mark.parametrize(
    ("until", "holds"), [("2026-01-30", False), ("2026-01-31", True), ("2026-02-01", True)]
)
def test_a_mute_holds_through_its_last_day(until: str, *, holds: bool) -> None:
    document = {"guid": "a", "owner": "team", "reason": "moves", "until": until}
    configuration = parse_configuration(
        msgspec.json.encode({"instances": ["a"], "mutes": [document]}), "test"
    )

    assert ("a" in mutes_in_force(configuration, NOW.date())) is holds
    [record] = mute_records(configuration, NOW.date())
    assert record.state is (MuteState.ACTIVE if holds else MuteState.EXPIRED)


def test_a_mute_of_an_instance_that_is_not_configured_is_seen() -> None:
    entry = MuteEntry("gone", "team", "moves", date(2027, 1, 1))
    configuration = msgspec.structs.replace(
        parse_configuration(b'{"instances": ["a"]}', "test"), mutes=(entry,)
    )

    [record] = mute_records(configuration, NOW.date() + timedelta(days=1))

    assert record.state is MuteState.UNMATCHED
