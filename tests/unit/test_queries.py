"""The queries of the docs, over what a few runs write today, find what they should."""

import csv
import importlib
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import jq
import msgspec
import pytest

from backup_audit.fleet.run import AuditRequest, Run, Scope
from backup_audit.fleet.selection import Standing
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import FleetRow
from backup_audit.report.latest import advance_latest
from tests.doubles.builders import finding, run
from tests.doubles.days import EVERYTHING, Days, row
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import stored
from tools.commands import code_blocks, shell_lines
from tools.readme import OPERATE, REPORTS

TEXT = REPORTS.read_text("utf-8")
OF_ONE, OF_SEVERAL = TEXT.split("\n## Several foundations at once\n")
LINES = shell_lines(TEXT)
ROOT = Path("tests/golden/today/bucket").absolute()
BUCKET = ROOT / "backup-audit"


def _jq_program(file: str, containing: str = "", lines: Sequence[str] = LINES) -> str:
    [line] = [
        line
        for line in lines
        if line.startswith("jq ") and line.endswith(f" {file}") and containing in line
    ]
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


def test_what_is_wrong_is_listed_worst_first_with_its_change() -> None:
    reports = _full_reports()
    program = jq.compile(_jq_program("report.json", ".findings"))

    shown = [[line.split("\t") for line in program.input_value(report).all()] for report in reports]

    listed = {one["verdict"] for report in reports for one in report["findings"]}
    assert listed == set(Verdict) - {Verdict.HEALTHY}
    for report, lines in zip(reports, shown, strict=True):
        wrong = [one for one in report["findings"] if Verdict(one["verdict"]).is_problem]
        assert [verdict for verdict, *_ in lines] == [one["verdict"] for one in wrong]
        ranks = [Verdict(verdict).rank for verdict, *_ in lines]
        assert ranks == sorted(ranks)
        # Who was not reached, and had no problem before, has none now.
        assert {change.removesuffix(", muted") for _, change, *_ in lines} <= {*Change, ""}


def test_a_problem_that_is_muted_is_listed_with_a_mark() -> None:
    problem = {"verdict": "stale", "change": "new", "name": "db", "guid": "a", "reason": "old"}
    report = {"findings": [{**problem, "mute": {"until": "2026-12-31"}}, {**problem, "mute": None}]}

    program = jq.compile(_jq_program("report.json", ".findings"))
    lines = program.input_value(report).all()

    assert lines == ["stale\tnew, muted\tdb\told", "stale\tnew\tdb\told"]


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


def test_who_is_late_is_listed_with_age_and_usual_interval_in_hours() -> None:
    program = jq.compile(_jq_program("report.json", ".late"))

    shown = [line for report in _full_reports() for line in program.input_value(report).all()]

    assert shown == ["name-0a-healthy\t3.05\t2"]


MANY = 25_000  # DuckDB takes types from the first 20,480 rows unless it is asked to read all
UMLAUTS = "zürich-gebühren-db"
FORMULA = "=SUM(A1:A9)"


def _left(
    store: InMemoryStore,
    of: Run,
    findings: list[Finding],
    *,
    committed: bool,
    prefix: str | None = None,
) -> StoredReport:
    """What a run leaves in a bucket; without its reports if it died before they were written."""
    mine = [
        msgspec.structs.replace(one, run_id=of.run_id, scope=of.scope, due_at=of.due_at)
        for one in findings
    ]
    report = stored(mine, of=of, store=store, prefix=prefix)
    keys = report.keys
    if not committed:
        for key in [key for key in store.objects if key.startswith(keys.report(""))]:
            del store.objects[key]
    return report


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a bucket with several runs a day, of all scopes, and a fleet nearly all healthy."""
    store = InMemoryStore()
    small = [finding(Verdict.STALE, f"guid-{number}") for number in range(4)]
    for run_id, hour, scope, committed in (
        ("20260130T050000Z", 5, Scope.FULL, True),
        ("20260130T110000Z-full-0a1b2c3d", 11, Scope.FULL, True),
        ("20260130T120000Z-partial-0a1b2c3d", 12, Scope.PARTIAL, True),
        ("20260130T130000Z-what_if-0a1b2c3d", 13, Scope.WHAT_IF, True),
        ("20260130T200000Z-full-0a1b2c3d", 20, Scope.FULL, False),
    ):
        of = msgspec.structs.replace(
            run(scope, datetime(2026, 1, 30, hour, tzinfo=UTC)), run_id=run_id
        )
        _left(store, of, small if hour == 11 else small[:1], committed=committed)
    well = [finding(Verdict.HEALTHY, f"guid-{number:05}", name="db") for number in range(MANY)]
    ill = [
        finding(Verdict.UNSUPPORTED, "a", name=UMLAUTS, owner="team-orders"),
        finding(Verdict.STALE, "b", name=FORMULA, owner="team-orders"),
        finding(Verdict.NOT_FOUND, "c"),
    ]
    _left(store, run(), [*well, *ill], committed=True)
    copy = tmp_path_factory.mktemp("copy")
    for key, body in store.objects.items():
        _write(copy / key.removeprefix("backup-audit/"), body)
    return copy


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the prefixes of two foundations, whose runs have the same ids.

    On the first day all was well, and nobody audited anything.
    """
    store = InMemoryStore()
    for prefix, problems, nobodys in (
        ("eu", [Verdict.STALE, Verdict.STALE, Verdict.NEVER_BACKED_UP], ["p.mysql", "p.mysql"]),
        ("us", [Verdict.UNSUPPORTED], ["postgres", None]),
    ):
        well = [finding(Verdict.HEALTHY, f"well-{number}") for number in range(3)]
        ill = [finding(verdict, f"ill-{number}") for number, verdict in enumerate(problems)]
        unaudited = [
            FleetRow(guid=f"nobodys-{number}", offering=offering, standing=Standing.UNAUDITED)
            for number, offering in enumerate(nobodys)
        ]
        for day, findings in ((30, well), (31, [*well, *ill])):
            of = run(due_at=datetime(2026, 1, day, 5, tzinfo=UTC))
            of = msgspec.structs.replace(of, run_id=f"202601{day}T050000Z")
            report = _left(store, of, findings, committed=True, prefix=prefix)
            advance_latest(report)
            audited = [FleetRow(guid=one.guid, standing=Standing.AUDITED) for one in findings]
            others = unaudited if day == 31 else [*unaudited, *unaudited]
            lines = [msgspec.json.encode(row) + b"\n" for row in [*audited, *others]]
            store.objects[report.keys.report("fleet.jsonl")] = b"".join(lines)
    folder = tmp_path_factory.mktemp("fleets")
    for key, body in store.objects.items():
        _write(folder / key, body)
    return folder


def _sql_rows(
    copy: Path, monkeypatch: pytest.MonkeyPatch, text: str = OF_ONE
) -> list[list[tuple[Any, ...]]]:
    """The rows of each query of a part of the page, carried out in its order in a copy."""
    monkeypatch.chdir(copy)
    connection = duckdb.connect()
    statements = [
        statement.query
        for block in code_blocks(text, "sql")
        for statement in connection.extract_statements(block)
    ]
    return [connection.execute(statement).fetchall() for statement in statements][1:]


def test_the_sql_counts_the_last_committed_full_run_of_each_day(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [counts, _] = _sql_rows(copy, monkeypatch)

    assert counts == [
        ("2026-01-30", "stale", 4),
        ("2026-01-31", "healthy", MANY),
        ("2026-01-31", "not_found", 1),
        ("2026-01-31", "stale", 1),
        ("2026-01-31", "unsupported", 1),
    ]


def test_the_sql_finds_the_codes_of_a_few_problems_behind_many_healthy_instances(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [_, codes] = _sql_rows(copy, monkeypatch)

    assert codes == [
        ("2026-01-31", 404, 10010, "CF-ResourceNotFound", 1),
        ("2026-01-31", 422, 10008, "CF-UnprocessableEntity", 1),
    ]


def test_several_foundations_have_a_line_each(fleets: Path) -> None:
    program = jq.compile(_jq_program("*/latest.json"))
    newest = [
        json.loads((fleets / prefix / "latest.json").read_text("utf-8")) for prefix in ("eu", "us")
    ]

    shown = [program.input_value(latest).first().split("\t") for latest in newest]
    assert [columns[1:] for columns in shown] == [  # the first is the file's name, at a shell
        ["20260131T050000Z", "6 of 6", "3"],
        ["20260131T050000Z", "4 of 4", "0"],
    ]


def test_the_sql_keeps_foundations_apart_whose_runs_have_the_same_id(
    fleets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [verdicts, unaudited] = _sql_rows(fleets, monkeypatch, OF_SEVERAL)

    assert verdicts == [
        ("eu", "healthy", 3),
        ("eu", "never_backed_up", 1),
        ("eu", "stale", 2),
        ("us", "healthy", 3),
        ("us", "unsupported", 1),
    ]
    assert unaudited == [("eu", "p.mysql", 2), ("us", "postgres", 1), ("us", None, 1)]


def test_the_instances_that_nobody_audits_are_counted_by_offering_or_not_known() -> None:
    program = jq.compile(_jq_program("report.json", ".unaudited"))
    counted = {"inventory": {"unaudited": {"by_offering": {"p.mysql": 12, "unknown": 1}}}}
    failed = {"inventory": {"unaudited": None}}

    assert program.input_value(counted).all() == ["12\tp.mysql", "1\tunknown"]
    assert program.input_value(failed).all() == ["not known"]


@pytest.mark.parametrize(
    ("containing", "says"),
    [
        ("coverage", ['"configured": 2']),
        ("counts", ['"healthy": 2', '"why_incomplete": null']),
        (".warnings", ["discover[1]: fits no instance of the foundation"]),
        (".inventory", ['"sees": "all"', '"managed": 3', '"exclude[0]"', '"rules[0]"']),
    ],
)
def test_what_is_to_be_read_of_a_dry_run_is_in_its_answer(containing: str, says: list[str]) -> None:
    discovering = {
        "discover": [*EVERYTHING["discover"], {"org": "nowhere"}],
        "exclude": [{"match": {"plan": "lab"}, "owner": "x", "reason": "y", "until": "never"}],
        "rules": [{"match": {"plan": "gold"}, "max_age": "4h"}],
    }
    world = Days([row("a", plan="gold"), row("b"), row("c", plan="lab")], discovering)
    answer = msgspec.to_builtins(world.run(AuditRequest(dry_run=True)))
    lines = shell_lines(OPERATE.read_text("utf-8"))

    program = jq.compile(_jq_program("answer.json", containing, lines))

    shown = json.dumps(program.input_value(answer).all())
    assert [one for one in says if one not in shown] == []


def test_pandas_counts_the_verdicts_of_each_owner_in_the_table(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [program] = code_blocks(TEXT, "python")
    monkeypatch.chdir(copy / "reports/dt=2026-01-31/run=20260131T050000Z")
    names: dict[str, Any] = {}

    pandas = importlib.import_module("pandas")  # without types
    with pandas.option_context("display.max_columns", 2, "display.max_rows", 1):
        exec(program, names)  # what a reader of the page would do

    words = capsys.readouterr().out.split()  # all, however wide the table
    assert words[:5] == ["verdict", "healthy", "not_found", "stale", "unsupported"]
    assert words[6:] == ["-", str(MANY), "1", "0", "0", "team-orders", "0", "0", "1", "1"]
    table = names["table"]
    assert list(table["name"][:2]) == [f"'{FORMULA}", UMLAUTS]
    assert list(table.columns[:3]) == ["name", "guid", "owner"]


def test_the_csv_has_what_is_not_healthy_first_and_worst_first() -> None:
    tables = list(BUCKET.glob("reports/*/*/findings.csv"))

    assert tables
    for table in tables:
        rows = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""))
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
