"""The recipes of docs/reports.md for figures and runs show what is stored."""

import json
import re
from pathlib import Path
from typing import Any

import jq
import msgspec
import pytest

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.figures import BINS
from backup_audit.report.report import WholeReport
from tests.doubles.builders import finding
from tests.doubles.reports import whole
from tools.commands import shell_lines
from tools.readme import REPORTS

BUCKET = Path("tests/golden/today/bucket/backup-audit")
LINES = shell_lines(REPORTS.read_text("utf-8"))


def shown(document: Any, file: str, about: str) -> list[list[str]]:  # noqa: ANN401  # any JSON
    """What the one recipe about this says of a document, in cells."""
    [line] = [
        one for one in LINES if one.startswith(f"jq -r '{about}") and one.endswith(f" {file}")
    ]
    program = re.search(r"'(.*)'", line)
    assert program
    return [row.split("\t") for row in jq.compile(program[1]).input_value(document).all()]


@pytest.fixture(scope="module")
def report() -> WholeReport:
    """The newest full one that is golden."""
    latest = json.loads((BUCKET / "latest.json").read_text("utf-8"))
    path = BUCKET.parent / latest["report_key"]
    return msgspec.json.decode(path.read_bytes(), type=WholeReport)


def rows(report: WholeReport, about: str) -> list[list[str]]:
    return shown(msgspec.to_builtins(report), "report.json", about)


def test_the_ages_are_shown_by_their_bins(report: WholeReport) -> None:
    ages = {name: getattr(report.ages, name) for name in BINS}

    assert sum(ages.values())
    assert rows(report, ".ages") == [[name, str(count)] for name, count in ages.items()]


def owned(count: int) -> list[Finding]:
    """Stale instances of so many owners, of nobody, and a healthy one of somebody else."""
    mine = [finding(Verdict.STALE, owner=f"team-{number:03}") for number in range(count)]
    return [*mine, finding(Verdict.STALE), finding(Verdict.HEALTHY, owner="well")]


def test_who_has_to_act_is_shown_by_owner_whoever_has_nothing_to_do_left_out() -> None:
    found = rows(whole(owned(2)), ".breakdown")

    assert found == [
        ["nobody", "1", "0", "1"],
        ["team-000", "1", "0", "1"],
        ["team-001", "1", "0", "1"],
    ]


@pytest.mark.parametrize(("owners", "rest"), [(101, "3"), (250, "152")])
def test_those_without_a_row_of_their_own_are_the_rest(owners: int, rest: str) -> None:
    [*named, last] = rows(whole(owned(owners)), ".breakdown")

    assert len(named) == 100
    assert last[:2] == ["the rest", str(int(rest) - 1)]
    assert last[3] == rest


def test_the_history_is_shown_from_day_to_day(report: WholeReport) -> None:
    found = rows(report, ".history")

    days = [one.due_at for one in report.history]
    assert [day for day, *_ in found] == [f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in days]
    assert float(found[-1][1].removesuffix(" %")) == report.coverage.percent
    assert found[-1][2] == str(report.news.problems)
    assert len(found) > 1


def test_every_committed_run_is_shown_with_what_it_audited() -> None:
    lines = [path.read_bytes() for path in sorted(BUCKET.glob("runs/*/*.json"))]

    found = [shown(json.loads(line), "copy/runs/*/*.json | sort", "[.due_at")[0] for line in lines]

    committed = {path.parent.name for path in BUCKET.glob("reports/*/*/manifest.json")}
    assert {f"run={run_id}" for _, _, run_id, _ in found} == committed
    assert all(re.fullmatch(r"\d+ of \d+", audited) for *_, audited in found)
