"""The queries of docs/reports.md, over what a few runs write today, find what they should."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import jq
import pytest

from backup_audit.judge.verdict import Verdict
from tools.commands import code_blocks, shell_lines
from tools.readme import REPORTS

TEXT = REPORTS.read_text("utf-8")
LINES = shell_lines(TEXT)
ROOT = Path("tests/golden/today/bucket").absolute()
BUCKET = ROOT / "backup-audit"


def _jq_program(file: str) -> str:
    line = next(line for line in LINES if line.startswith("jq ") and line.endswith(file))
    program = re.search(r"'(.*)'", line)
    assert program
    return program[1]


def _full_reports() -> list[dict[str, Any]]:
    reports = [
        json.loads(path.read_text("utf-8")) for path in BUCKET.glob("reports/*/*/report.json")
    ]
    return [report for report in reports if report["run"]["scope"] == "full"]


def test_the_newest_report_and_its_findings_are_found_through_latest() -> None:
    latest = json.loads((BUCKET / "latest.json").read_text("utf-8"))

    assert (ROOT / latest["report_key"]).exists()
    assert list((ROOT / latest["findings_prefix"]).glob("*.jsonl"))
    assert any("jq -r .report_key latest.json" in line for line in LINES)
    assert any("jq -r .findings_prefix latest.json" in line for line in LINES)


def test_what_is_wrong_is_listed_worst_first() -> None:
    report = max(_full_reports(), key=lambda one: len(one["findings"]))

    lines = jq.compile(_jq_program("report.json")).input_value(report).all()

    assert len(lines) == len(report["findings"]) > 1
    ranks = [Verdict(line.split("\t")[0]).rank for line in lines]
    assert ranks == sorted(ranks)


def test_a_team_finds_its_instances_each_with_an_age_or_none() -> None:
    parts = BUCKET.glob("findings/*/*/*.jsonl")
    findings = [json.loads(line) for one in parts for line in one.read_text("utf-8").splitlines()]
    assert {one["verdict"] for one in findings} == set(Verdict)
    texts = [json.dumps({**one, "owner": "team-orders"}) for one in findings]
    others = [json.dumps({**findings[0], "owner": owner}) for owner in (None, "team-catalog")]

    program = jq.compile(_jq_program("newest/*.jsonl"))
    lines = program.input_text("\n".join(texts + others)).all()

    ages = [one["evidence"]["newest_backup_age_seconds"] for one in findings]
    assert [line.split("\t")[2] for line in lines] == [
        "-" if age is None else str(age // 3600) for age in ages
    ]


def test_the_sql_counts_the_last_full_run_of_each_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [query] = code_blocks(TEXT, "sql")
    shutil.copytree(BUCKET / "findings", tmp_path / "findings")
    for day in (tmp_path / "findings").iterdir():
        earlier = day / "run=earlier"
        earlier.mkdir()
        line = next(day.glob("*/*.jsonl")).read_text("utf-8").splitlines()[0]
        finding = {**json.loads(line), "scope": "full", "due_at": f"{day.name[3:]}T00:00:00Z"}
        (earlier / "part-00000.jsonl").write_text(json.dumps(finding), "utf-8")
    monkeypatch.chdir(tmp_path)

    rows = duckdb.connect().execute(query).fetchall()

    assert len(list(BUCKET.glob("reports/*/*/report.json"))) > len(_full_reports())
    last = {one["run"]["due_at"][:10]: one["counts"] for one in _full_reports()}
    assert len(last) > 1
    assert {(str(day), verdict): count for day, verdict, count in rows} == {
        (day, verdict): count
        for day, counts in last.items()
        for verdict, count in counts.items()
        if count
    }


def test_the_csv_has_what_is_not_healthy_first_and_worst_first() -> None:
    tables = list(BUCKET.glob("reports/*/*/findings.csv"))

    assert tables
    for table in tables:
        rows = csv.DictReader(io.StringIO(table.read_text("utf-8"), newline=""))
        ranks = [Verdict(row["verdict"]).rank for row in rows]
        healthy = [rank == Verdict.HEALTHY.rank for rank in ranks]
        assert ranks == sorted(ranks)
        assert healthy == sorted(healthy)


def test_each_finding_of_a_report_stands_on_a_line_of_its_own() -> None:
    for path in BUCKET.glob("reports/*/*/report.json"):
        lines = [line.rstrip(",") for line in path.read_text("utf-8").splitlines()]
        entries = [json.loads(line) for line in lines if line.startswith('{"')]
        findings = [entry for entry in entries if "evidence" in entry]
        assert findings == json.loads(path.read_text("utf-8"))["findings"]


def test_the_layout_that_is_described_is_the_one_that_runs_leave() -> None:
    described = re.findall(r"^    \{prefix\}/(\S+)", TEXT, re.MULTILINE)
    patterns = {re.sub(r"YYYY-MM-DD|\{run_id\}|0{5}", "*", path) for path in described}

    left = {path for path in BUCKET.rglob("*") if path.is_file()}
    known = {path for one in patterns for path in BUCKET.glob(one)}

    assert [one for one in patterns if not list(BUCKET.glob(one))] == []
    assert {path.relative_to(BUCKET).parts[0] for path in left - known} <= {"plans"}


def test_the_ids_of_runs_are_as_described() -> None:
    ids = {path.name.removeprefix("run=") for path in BUCKET.glob("reports/*/run=*")}

    shown = set(re.findall(r"`(?:\d{8}T\d{6}Z|…)(?:-(\w+?)-[0-9a-f]{8})?`", TEXT))

    assert shown == {"", "full", "partial", "what_if"}
    found = {run_id.partition("-")[2].rpartition("-")[0] for run_id in ids}
    assert {"", "partial", "what_if"} <= found <= shown
