"""What the README shows of a run is what a run does, and its queries find something in it."""

import json
import re
from pathlib import Path

import duckdb
import jq
import pytest

from tools.commands import code_blocks, shell_lines
from tools.local_cloud.__main__ import main
from tools.local_cloud.aws import BUCKET
from tools.readme import PARTS, README, generated_parts, masked

pytestmark = pytest.mark.loopback

TEXT = README.read_text("utf-8")
LINES = shell_lines(TEXT)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The objects that a run of the sample fleet leaves."""
    out = tmp_path_factory.mktemp("run")
    assert main(["--fleet", "sample", "--out", str(out)]) == 0
    return out / "s3" / BUCKET / "backup-audit"


@pytest.mark.parametrize("name", ["make-run", "answer"])
def test_a_shown_run_is_a_real_one(name: str) -> None:
    assert masked(PARTS[name]()) == masked(generated_parts(TEXT)[name]), "run: make readme"


def _jq_program(file: str) -> str:
    line = next(line for line in LINES if line.startswith("jq ") and line.endswith(file))
    program = re.search(r"'(.*)'", line)
    assert program
    return program[1]


def test_the_newest_report_is_found_through_latest(bucket: Path) -> None:
    latest = json.loads((bucket / "latest.json").read_text())

    assert (bucket.parent / latest["report_key"]).exists()
    assert any("jq -r .report_key latest.json" in line for line in LINES)


def test_the_query_for_what_is_wrong_lists_every_problem(bucket: Path) -> None:
    report = json.loads(next(bucket.glob("reports/*/*/report.json")).read_text())

    lines = jq.compile(_jq_program("report.json")).input_value(report).all()

    assert len(lines) == len(report["findings"])
    assert lines[0].startswith("never_backed_up\tnew\tcatalog-postgres\t")


def test_the_query_for_a_team_finds_its_instances(bucket: Path) -> None:
    findings = next(bucket.glob("findings/*/*/part-00000.jsonl")).read_text()

    lines = jq.compile(_jq_program("part-00000.jsonl")).input_text(findings).all()

    assert lines == ["orders-db\tstale\t75"]


def test_the_sql_counts_the_fleet(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [query] = code_blocks(TEXT, "sql")
    monkeypatch.chdir(bucket)

    rows = duckdb.connect().execute(query).fetchall()

    assert sum(instances for _, _, instances in rows) == 8
    assert ("stale", 2) in {(verdict, instances) for _, verdict, instances in rows}
