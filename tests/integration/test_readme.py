"""What the README and its pages show of a run is what a run does; queries find what they should."""

import csv
import io
import json
import re
from pathlib import Path

import duckdb
import jq
import pytest

from backup_audit.judge.verdict import Verdict
from tools.commands import code_blocks, shell_lines
from tools.local_cloud.__main__ import main
from tools.local_cloud.aws import BUCKET
from tools.readme import INVOKE, PARTS, README, REPORTS, generated_parts, masked

pytestmark = pytest.mark.loopback

LINES = shell_lines(REPORTS.read_text("utf-8"))


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two full runs of the sample fleet leave, and runs that tables should leave out."""
    out = tmp_path_factory.mktemp("run")
    for event in ("manual-full", "manual-full", "one-instance", "what-if"):
        arguments = ["--fleet", "sample", "--out", str(out), "--event", f"events/{event}.json"]
        assert main(arguments) == 0
    return out / "s3" / BUCKET / "backup-audit"


@pytest.fixture(scope="module")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects of a run with every verdict."""
    out = tmp_path_factory.mktemp("degraded")
    assert main(["--fleet", "degraded", "--out", str(out)]) == 0
    return out / "s3" / BUCKET / "backup-audit"


@pytest.mark.parametrize(("page", "name"), [(README, "make-run"), (INVOKE, "answer")])
def test_a_shown_run_is_a_real_one(page: Path, name: str) -> None:
    shown = generated_parts(page.read_text("utf-8"))[name]

    assert masked(PARTS[name]()) == masked(shown), "run: make readme"


def _jq_program(file: str) -> str:
    line = next(line for line in LINES if line.startswith("jq ") and line.endswith(file))
    program = re.search(r"'(.*)'", line)
    assert program
    return program[1]


def _newest(bucket: Path) -> dict[str, str]:
    latest: dict[str, str] = json.loads((bucket / "latest.json").read_text())
    return latest


def test_the_newest_report_and_its_findings_are_found_through_latest(bucket: Path) -> None:
    latest = _newest(bucket)

    assert (bucket.parent / latest["report_key"]).exists()
    assert list((bucket.parent / latest["findings_prefix"]).glob("*.jsonl"))
    assert any("jq -r .report_key latest.json" in line for line in LINES)
    assert any("jq -r .findings_prefix latest.json" in line for line in LINES)


def test_the_query_for_what_is_wrong_lists_every_problem(bucket: Path) -> None:
    report = json.loads((bucket.parent / _newest(bucket)["report_key"]).read_text())

    lines = jq.compile(_jq_program("report.json")).input_value(report).all()

    assert len(lines) == len(report["findings"])
    assert lines[0].startswith("never_backed_up\tongoing\tcatalog-postgres\t")


def test_the_query_for_a_team_finds_its_instances(bucket: Path) -> None:
    part = next((bucket.parent / _newest(bucket)["findings_prefix"]).glob("*.jsonl"))

    lines = jq.compile(_jq_program("newest/*.jsonl")).input_text(part.read_text()).all()

    assert lines == ["orders-db\tstale\t75"]


def test_the_query_for_a_team_says_no_age_where_there_is_no_backup(degraded: Path) -> None:
    [part] = degraded.glob("findings/*/*/part-00000.jsonl")
    findings = [json.loads(line) for line in part.read_text().splitlines()]
    assert {one["verdict"] for one in findings} == set(Verdict)
    owned = [{**one, "owner": "team-orders"} for one in findings]
    text = "\n".join(map(json.dumps, owned))

    lines = jq.compile(_jq_program("newest/*.jsonl")).input_text(text).all()

    assert len(lines) == len(findings)
    for line, finding in zip(lines, findings, strict=True):
        age = finding["evidence"]["newest_backup_age_seconds"]
        assert line.split("\t")[2] == ("-" if age is None else str(age // 3600))


def test_the_sql_counts_the_last_full_run_of_each_day(
    bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [query] = code_blocks(REPORTS.read_text("utf-8"), "sql")
    monkeypatch.chdir(bucket)

    rows = duckdb.connect().execute(query).fetchall()

    assert sum(instances for _, _, instances in rows) == 8 * len({dt for dt, _, _ in rows})
    assert ("stale", 2) in {(verdict, instances) for _, verdict, instances in rows}


def test_the_csv_has_what_is_not_healthy_first_and_worst_first(degraded: Path) -> None:
    [table] = degraded.glob("reports/*/*/findings.csv")
    rows = csv.DictReader(io.StringIO(table.read_text("utf-8"), newline=""))
    verdicts = [row["verdict"] for row in rows]

    assert verdicts == sorted(verdicts, key=lambda verdict: Verdict(verdict).rank)


def test_the_layout_that_is_described_is_the_one_that_a_run_leaves(bucket: Path) -> None:
    described = re.findall(r"^    \{prefix\}/(\S+)", REPORTS.read_text("utf-8"), re.MULTILINE)
    patterns = {re.sub(r"YYYY-MM-DD|\{run_id\}", "*", path) for path in described}

    left = {str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()}

    assert all(list(bucket.glob(pattern)) for pattern in patterns)
    known = {str(path.relative_to(bucket)) for one in patterns for path in bucket.glob(one)}
    assert all("/batches-" in path for path in left - known)


def test_the_runs_ids_are_as_described(bucket: Path) -> None:
    ids = {path.name.removeprefix("run=") for path in bucket.glob("reports/*/run=*")}

    kinds = sorted(run_id.split("-")[1] for run_id in ids)

    assert kinds == ["full", "full", "partial", "what_if"]
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-\w+-[0-9a-f]{8}", run_id) for run_id in ids)
