"""The queries of the docs, over what a few runs write today, find what they should."""

import csv
import importlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import jq
import msgspec
import pytest
import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.optimizer.qualify import qualify

from backup_audit.fleet.run import AuditRequest, Scope
from backup_audit.fleet.selection import Standing
from backup_audit.judge.evidence import Evidence
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict, judge
from backup_audit.report.drift import FleetRow
from backup_audit.report.report import Manifest
from tests.doubles.builders import finding, run
from tests.doubles.days import EVERYTHING, Days, row
from tests.doubles.fakes import InMemoryStore
from tests.doubles.month import ANSWERS, FORMULA, MANY, UMLAUTS, day, month, published
from tests.doubles.some import rest
from tools.commands import code_blocks, shell_lines
from tools.readme import OPERATE, REPORTS
from tools.tables import MACROS, TABLES
from tools.template import REQUIRED, Template

TEMPLATE = Template.read()
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
    program = jq.compile(_jq_program("report.json", "muted"))

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

    program = jq.compile(_jq_program("report.json", "muted"))
    lines = program.input_value(report).all()

    assert lines == ["stale\tnew, muted\tdb\told", "stale\tnew\tdb\told"]


def test_a_team_finds_its_instances_each_with_an_age_or_none() -> None:
    parts = BUCKET.glob("findings/*/*/*.jsonl")
    findings = [json.loads(line) for one in parts for line in one.read_text("utf-8").splitlines()]
    assert {one["verdict"] for one in findings} == set(Verdict)
    texts = [json.dumps({**one, "owner": "team-orders"}) for one in findings]
    others = [json.dumps({**findings[0], "owner": owner}) for owner in (None, "team-catalog")]

    program = jq.compile(_jq_program("newest/*.jsonl", "team-orders"))
    lines = program.input_text("\n".join(texts + others)).all()

    ages = [one["evidence"]["newest_backup_age_seconds"] for one in findings]
    assert [line.split("\t")[2] for line in lines] == [
        "-" if age is None else str(age // 3600) for age in ages
    ]


def test_who_is_late_is_listed_with_age_and_usual_interval_in_hours() -> None:
    program = jq.compile(_jq_program("report.json", ".late"))

    shown = [line for report in _full_reports() for line in program.input_value(report).all()]

    assert shown == ["name-0a-healthy\t3.05\t2"]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of a bucket: a month of two foundations."""
    return _copied(month(), tmp_path_factory.mktemp("bucket"))


def _copied(objects: Mapping[str, bytes], folder: Path) -> Path:
    for key, body in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


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
        for number, findings in ((30, well), (31, [*well, *ill])):
            of = run(due_at=day(number, 5))
            of = msgspec.structs.replace(of, run_id=f"202601{number}T050000Z")
            report = published(store, of, findings, prefix=prefix)
            audited = [FleetRow(guid=one.guid, standing=Standing.AUDITED) for one in findings]
            others = unaudited if number == 31 else [*unaudited, *unaudited]
            lines = [msgspec.json.encode(row) + b"\n" for row in [*audited, *others]]
            store.objects[report.keys.report("fleet.jsonl")] = b"".join(lines)
    return _copied(store.objects, tmp_path_factory.mktemp("fleets"))


# ── The tables ────────────────────────────────────────────────────────────────────────────────────


def _described(table: str, prefix: str = "eu") -> dict[str, Any]:
    """A table as the template describes it to Athena."""
    [found] = [
        one["Properties"]["TableInput"]
        for one in TEMPLATE.deployed(**REQUIRED, QueryTables="on", ReportPrefix=prefix).values()
        if one.get("Type") == "AWS::Glue::Table"
        and one["Properties"]["TableInput"]["Name"] == table
    ]
    return dict(found)


def _columns(table: str) -> dict[str, str]:
    """Its columns, with types in DuckDB's words."""
    columns = _described(table)["StorageDescriptor"]["Columns"]
    ddl = ", ".join(f"{one['Name']} {one['Type']}" for one in columns)
    [tree] = sqlglot.parse(f"CREATE TABLE t ({ddl})", read="hive")
    assert tree
    return {
        one.name: one.args["kind"].sql("duckdb")
        for one in tree.find_all(exp.ColumnDef)
        if one.parent is tree.this
    }


class _Athena:
    """DuckDB in its place: the template's tables, in a database for each foundation."""

    def __init__(self, bucket: Path) -> None:
        self._connection = duckdb.connect()
        for prefix in ("eu", "us"):
            self._connection.execute(f"CREATE SCHEMA backup_audit_{prefix}")
            for table in TABLES:
                location = _described(table, prefix)["StorageDescriptor"]["Location"]
                folder = location.replace("s3://<ReportBucket>", str(bucket))
                columns = ", ".join(f"{name}: '{kind}'" for name, kind in _columns(table).items())
                self._connection.execute(
                    f"CREATE TABLE backup_audit_{prefix}.{table} AS SELECT * FROM read_json("
                    f"'{folder}dt=*/**', format = 'newline_delimited', columns = {{{columns}}}, "
                    "hive_partitioning = true, hive_types = {dt: VARCHAR})"
                )

    def rows(self, statement: str, prefix: str) -> list[tuple[Any, ...]]:
        """The rows of a statement of Athena's, in translation."""
        self._connection.execute(f"USE backup_audit_{prefix}")
        [translated] = sqlglot.transpile(statement, read="athena", write="duckdb")
        return self._connection.execute(translated).fetchall()

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Meanwhile every run of `eu` that left findings is taken for a committed one."""
        self._connection.begin()
        self._connection.execute(
            "CREATE OR REPLACE TABLE backup_audit_eu.runs AS "
            "SELECT DISTINCT runs.* REPLACE (found.run_id AS run_id, found.scope AS scope, "
            "found.due_at AS due_at, found.dt AS dt) "
            "FROM backup_audit_eu.findings AS found, "
            "(FROM backup_audit_eu.runs LIMIT 1) AS runs"
        )
        yield
        self._connection.rollback()


@pytest.fixture(scope="module")
def athena(bucket: Path) -> _Athena:
    """Both foundations' tables."""
    return _Athena(bucket)


def _in_duckdb(folder: Path, text: str) -> duckdb.DuckDBPyConnection:
    """DuckDB started in a folder as the page says, with the tables that a part of it makes."""
    connection = duckdb.connect()
    connection.execute(MACROS.read_text("utf-8"))
    with chdir(folder):
        for statement in _statements(text):
            if statement.startswith("CREATE"):
                connection.execute(statement)
    return connection


@cache
def _statements(text: str) -> list[str]:
    with duckdb.connect() as connection:
        return [
            statement.query.strip()
            for block in code_blocks(text, "sql")
            for statement in connection.extract_statements(block)
        ]


def _query(containing: str, text: str = TEXT) -> str:
    [found] = [one for one in _statements(text) if containing in one and "CREATE" not in one]
    return found


# Every query that is for Athena, by what it alone contains.
QUERIES = {
    "verdicts of a day": "SELECT dt, verdict, count(*)",
    "codes of a day": "evidence.title AS title",
    "problems older than a week": "INTERVAL '7' DAY",
    "never healthy": "HAVING count_if(verdict = 'healthy') = 0",
    "12 h": "healthy_at_12_h",
    "several foundations": "SELECT foundation, verdict",
}
OF_DUCKDB = "read_json("


def test_the_queries_of_the_page_are_these() -> None:
    queries = [one for one in _statements(TEXT) if not one.startswith("CREATE")]

    for_athena = [one for one in queries if OF_DUCKDB not in one]

    assert len(queries) == len(for_athena) + 1
    assert for_athena == [_query(containing) for containing in QUERIES.values()]


@pytest.mark.parametrize("dialect", ["athena", "trino"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_athenas_sql_and_names_columns_that_there_are(name: str, dialect: str) -> None:
    tables = {table: {**_columns(table), "dt": "VARCHAR"} for table in TABLES}
    schemas: dict[str, object] = {f"backup_audit_{prefix}": tables for prefix in ("eu", "us")}
    [tree] = sqlglot.parse(_query(QUERIES[name]), read=dialect, error_level=ErrorLevel.RAISE)
    assert tree

    qualified = qualify(
        tree, dialect=dialect, schema=schemas, db="backup_audit_eu", validate_qualify_columns=True
    )

    assert {table.name for table in qualified.find_all(exp.Table) if table.db} == set(TABLES)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_groups_by_what_athena_can_group_by(name: str) -> None:
    [tree] = sqlglot.parse(_query(QUERIES[name]), read="athena")
    assert tree

    selects = [one for one in tree.find_all(exp.Select) if one.args.get("group")]

    assert selects
    for select in selects:
        # By a column or a place in the list: Athena does not know the names that SELECT gives.
        names = {one.alias for one in select.expressions if isinstance(one, exp.Alias)}
        for by in select.args["group"].expressions:
            assert isinstance(by, exp.Literal) or (
                isinstance(by, exp.Column) and by.name not in names
            )


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_joins_the_committed_runs_and_takes_full_ones_of_days_that_it_names(
    name: str,
) -> None:
    text = _query(QUERIES[name])

    assert "scope = 'full'" in text
    assert re.search(r"JOIN (newest|runs) USING \((dt, |prefix, )?run_id\)", text)
    [tree] = sqlglot.parse(text, read="athena")
    assert tree
    reading = [one for one in tree.find_all(exp.Select) if _read_by(one) & TABLES.keys()]
    assert reading
    assert all("dt BETWEEN" in one.args["where"].sql() for one in reading)


def _read_by(select: exp.Select) -> set[str]:
    """What a SELECT reads itself, not by one within it."""
    read = [select.args["from_"], *select.args.get("joins", ())]
    return {one.this.name for one in read}


@pytest.mark.parametrize("prefix", ["eu", "us"])
@pytest.mark.exhaustive
def test_the_queries_find_in_duckdb_what_they_find_in_translation(
    prefix: str, bucket: Path, athena: _Athena
) -> None:
    connection = _in_duckdb(bucket / prefix, OF_ONE)
    statements = [_query(text) for text in list(QUERIES.values())[:-1]]

    found = [connection.execute(statement).fetchall() for statement in statements]

    assert found == [athena.rows(statement, prefix) for statement in statements]
    empty = [] if prefix == "eu" else [_query(QUERIES["problems older than a week"])]
    assert [one for one, rows in zip(statements, found, strict=True) if not rows] == empty


def test_the_query_over_several_finds_in_duckdb_what_it_finds_in_translation(
    bucket: Path, athena: _Athena
) -> None:
    connection, statement = _in_duckdb(bucket, OF_SEVERAL), _query(QUERIES["several foundations"])

    assert connection.execute(statement).fetchall() == athena.rows(statement, "eu")


@pytest.mark.parametrize("name", QUERIES)
def test_without_the_scope_a_query_would_find_something_else(name: str, athena: _Athena) -> None:
    statement = _query(QUERIES[name])

    careless, times = re.subn(r"(runs\.)?scope = 'full'", "true", statement)

    assert times == 1
    assert athena.rows(careless, "eu") != athena.rows(statement, "eu")


@pytest.mark.parametrize("name", QUERIES)
def test_without_the_committed_runs_a_query_would_find_something_else(
    name: str, athena: _Athena
) -> None:
    statement = _query(QUERIES[name])
    rows = athena.rows(statement, "eu")

    with athena.trusting():
        assert athena.rows(statement, "eu") != rows

    assert athena.rows(statement, "eu") == rows


# ── What was so, by the manifests and in Python ───────────────────────────────────────────────────


@cache
def _findings_of(prefix: str) -> dict[str, list[Finding]]:
    """The findings of each full run that has a manifest, by its id, in the order they were due."""
    manifests = [
        msgspec.json.decode(body, type=Manifest)
        for key, body in month().items()
        if key.startswith(f"{prefix}/") and key.endswith("/manifest.json")
    ]
    runs = sorted(
        (one.run for one in manifests if one.run.scope is Scope.FULL), key=lambda run: run.due_at
    )
    return {
        run.run_id: [
            msgspec.json.decode(line, type=Finding)
            for key, body in month().items()
            if key.startswith(f"{prefix}/findings/") and f"/run={run.run_id}/" in key
            for line in body.splitlines()
        ]
        for run in runs
    }


def _last_of_each_day(prefix: str) -> dict[str, list[Finding]]:
    return {
        f"{findings[0].due_at:%Y-%m-%d}": findings for findings in _findings_of(prefix).values()
    }


def _newest(prefix: str) -> list[Finding]:
    return list(_findings_of(prefix).values())[-1]


def _names(findings: Iterable[Finding]) -> set[str | None]:
    return {one.name for one in findings}


def test_the_month_is_one_in_which_each_trap_is_laid() -> None:
    bucket, days = month(), _last_of_each_day("eu")
    stored = {re.sub(r".*/run=|/part.*", "", key) for key in bucket if "eu/findings/" in key}

    died = stored - {re.sub(r".*/run=|\.json", "", key) for key in bucket if "eu/runs/" in key}
    assert died == {"20260114T170000Z", next(one for one in died if "20260131T200000Z" in one)}
    scopes = {str(scope) for scope in Scope}
    assert {one["scope"] for one in map(json.loads, _lines("eu/findings/"))} == scopes
    assert {day: findings[0].run_id[:16] for day, findings in days.items()}.items() >= {
        "2026-01-03": "20260103T170000Z",  # a partial run was due later
        "2026-01-09": "20260109T170000Z",  # a what-if was due later
        "2026-01-10": "20260110T210000Z",  # by hand
        "2026-01-14": "20260114T050000Z",  # the later one died
        "2026-01-22": "20260122T170000Z",  # late: a newer one was committed before
        "2026-01-31": "20260131T170000Z",  # all of these, and one that died, were due later
    }.items()
    assert {one.owner for one in _of("moved")} == {"team-orders", "team-catalog"}
    assert Change.REOPENED in {one.change for one in _of("flapping")}
    assert all(one.mute for one in _of("muted"))
    shared = {re.sub("^../", "", key) for key in bucket if key.startswith("us/runs/")}
    assert all(f"eu/{key}" in bucket for key in shared)


def _of(name: str) -> list[Finding]:
    every = _findings_of("eu").values()
    return [one for findings in every for one in findings if one.name == name]


def _lines(prefix: str) -> Iterator[bytes]:
    for key, body in month().items():
        if key.startswith(prefix):
            yield from body.splitlines()


# ── What the queries find ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", ["eu", "us"])
def test_the_verdicts_of_a_day_are_those_of_its_last_full_run(prefix: str, athena: _Athena) -> None:
    rows = athena.rows(_query(QUERIES["verdicts of a day"]), prefix)

    expected = {
        (day, str(verdict)): count
        for day, findings in _last_of_each_day(prefix).items()
        for verdict, count in Counter(one.verdict for one in findings).items()
    }
    assert {(day, verdict): count for day, verdict, count in rows} == expected
    assert len(rows) == len(expected)
    assert len({day for day, _ in expected}) == {"eu": 31, "us": 2}[prefix]


@pytest.mark.parametrize("prefix", ["eu", "us"])
def test_the_codes_of_a_few_problems_are_found_behind_many_healthy_instances(
    prefix: str, athena: _Athena
) -> None:
    rows = athena.rows(_query(QUERIES["codes of a day"]), prefix)

    expected = Counter(
        (day, one.evidence.http_status, one.evidence.code, one.evidence.title)
        for day, findings in _last_of_each_day(prefix).items()
        for one in findings
        if one.evidence.code is not None
    )
    assert {tuple(key): count for *key, count in rows} == expected
    if prefix == "us":
        assert rows == [
            ("2026-01-31", 404, 10010, "CF-ResourceNotFound", 1),
            ("2026-01-31", 422, 10008, "CF-UnprocessableEntity", 1),
        ]
        [part] = [body for key, body in month().items() if "us/findings/dt=2026-01-31" in key]
        assert part.index(b'"code":1') > 20_480 * len(part.splitlines()[0]) * 0.9


@pytest.mark.parametrize(("option", "found"), [("", 0), rest("sample_size = -1,", 2)])
def test_columns_that_duckdb_guesses_from_the_first_rows_lose_the_codes_of_a_few_problems(
    option: str, found: int, bucket: Path
) -> None:
    assert option.rstrip(",") in TEXT
    with chdir(bucket / "us"), duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT evidence.code FROM read_json('findings/*/*/*.jsonl', "
            f"{option} hive_partitioning = false) WHERE evidence.code IS NOT NULL"
        ).fetchall()

    assert len(rows) == found


def test_problems_older_than_a_week_count_for_the_owner_that_they_have_now(
    athena: _Athena,
) -> None:
    rows = athena.rows(_query(QUERIES["problems older than a week"]), "eu")

    old = [
        one
        for one in _newest("eu")
        if one.verdict.is_problem and one.mute is None
        if one.opened_at and one.due_at - one.opened_at > timedelta(days=7)
    ]
    owners = Counter(one.owner or "-" for one in old)
    assert {owner: count for owner, count, _ in rows} == owners
    assert [count for _, count, _ in rows] == sorted(owners.values(), reverse=True)
    oldest = {owner: when for owner, _, when in rows}
    assert oldest["team-catalog"] == "2026-01-10T17:00:00Z"
    assert {"moved", "stale", "gone"} <= _names(old)
    assert not {"muted", "flapping", "well", "young"} & _names(old)


def test_a_problem_of_exactly_a_week_is_not_older() -> None:
    query = _query(QUERIES["problems older than a week"])
    [condition] = re.findall(r"(from_iso8601_timestamp\(opened_at\) .* DAY)$", query, re.MULTILINE)

    with duckdb.connect() as connection:
        connection.execute(MACROS.read_text("utf-8"))
        ages = connection.execute(
            f"SELECT {condition} FROM (VALUES ('2026-01-31T05:00:00Z')) AS run(due_at), (VALUES"
            " ('2026-01-24T05:00:01Z'), ('2026-01-24T05:00:00Z'), ('2026-01-24T04:59:59Z')"
            ") AS problem(opened_at)"
        ).fetchall()

    assert ages == [(False,), (False,), (True,)]


def test_who_was_never_healthy_is_named_as_it_was_called_last(athena: _Athena) -> None:
    rows = athena.rows(_query(QUERIES["never healthy"]), "eu")

    seen: dict[str, list[Finding]] = {}
    for findings in _findings_of("eu").values():
        for one in findings:
            if one.due_at >= day(2):
                seen.setdefault(one.guid, []).append(one)
    expected = [
        (
            guid,
            findings[-1].name or "-",
            findings[-1].owner or "-",
            str(findings[-1].verdict),
            len(findings),
            f"{findings[0].due_at:%Y-%m-%d}",
            f"{findings[-1].due_at:%Y-%m-%d}",
        )
        for guid, findings in sorted(seen.items())
        if all(one.verdict is not Verdict.HEALTHY for one in findings)
    ]
    assert rows == expected
    names = {row[1] for row in rows}
    assert {"never", "bare", "silent", "muted", "thin", "young"} <= names
    assert not {"well", "stale", "moved", "gone", "flapping"} & names


def test_what_a_policy_of_12_hours_would_say_is_what_the_judge_says_of_the_same_evidence(
    athena: _Athena,
) -> None:
    query = _query(QUERIES["12 h"])
    by_instance = query.split("SELECT offering, count(*)")[0] + (
        "SELECT guid, healthy, healthy_at_12_h FROM judged"
    )
    when, found = day(31, 17), {one.guid: one for one in _newest("eu")}

    rows = athena.rows(by_instance, "eu")

    assert {guid for guid, _, _ in rows} == found.keys()
    for guid, healthy, healthy_at_12_h in rows:
        one = found[guid]
        given = ANSWERS[str(one.name)](when)
        answer, status = given if isinstance(given, tuple) else (given, 200)
        evidence = Evidence(answer=answer, observed_at=when, status=status)
        policy = msgspec.structs.replace(one.policy, max_age_seconds=12 * 3600)
        assert healthy == (one.verdict is Verdict.HEALTHY)
        judged = judge(evidence, policy).verdict is Verdict.HEALTHY
        # Its finding does not say how many of its backups have a time that can be believed.
        assert healthy_at_12_h == (judged and one.name != "cautious"), one.name
    at_12_h = {str(found[guid].name) for guid, _, healthy in rows if healthy}
    assert at_12_h == {"well", "fast", "gold", "hasty"}


def test_a_policy_of_12_hours_is_counted_by_offering(athena: _Athena) -> None:
    rows = athena.rows(_query(QUERIES["12 h"]), "eu")

    offerings = Counter(one.offering for one in _newest("eu"))
    healthy = Counter(one.offering for one in _newest("eu") if one.verdict is Verdict.HEALTHY)
    assert [row[:3] for row in rows] == [
        (offering, offerings[offering], healthy[offering]) for offering in ("p.mysql", "postgres")
    ]
    assert [row[3] for row in rows] == [1, 3]  # gold; well, fast and hasty


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


def test_foundations_are_kept_apart_whose_runs_have_the_same_id(athena: _Athena) -> None:
    rows = athena.rows(_query(QUERIES["several foundations"]), "eu")

    expected = {
        (prefix, str(verdict)): count
        for prefix in ("eu", "us")
        for verdict, count in Counter(one.verdict for one in _newest(prefix)).items()
    }
    assert {(foundation, verdict): count for foundation, verdict, count in rows} == expected
    assert expected["us", "healthy"] == MANY
    assert len(rows) == len(expected)


def test_what_nobody_audits_is_counted_by_foundation_and_offering(fleets: Path) -> None:
    connection = _in_duckdb(fleets, OF_SEVERAL)

    with chdir(fleets):
        rows = connection.execute(_query(OF_DUCKDB)).fetchall()

    assert rows == [("eu", "p.mysql", 2), ("us", "postgres", 1), ("us", None, 1)]


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


def _printed(program: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What a program of the page leaves, done in a folder; it printed whatever `capsys` has."""
    names: dict[str, Any] = {}
    pandas = importlib.import_module("pandas")  # without types
    capsys.readouterr()
    with (
        chdir(folder),
        pandas.option_context("display.max_columns", 2, "display.max_rows", 1),
    ):
        exec(program, names)  # what a reader of the page would do
    return names


def test_pandas_counts_the_verdicts_of_each_owner_in_the_table(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bucket / "us/reports/dt=2026-01-31/run=20260131T050000Z"
    program, _ = code_blocks(TEXT, "python")

    names = _printed(program, folder, capsys)

    words = capsys.readouterr().out.split()  # all, however wide the table
    assert words[:5] == ["verdict", "healthy", "not_found", "stale", "unsupported"]
    assert words[6:] == ["-", str(MANY), "1", "0", "0", "team-orders", "0", "0", "1", "1"]
    table = names["table"]
    assert list(table["name"][:2]) == [f"'{FORMULA}", UMLAUTS]
    assert list(table.columns[:3]) == ["name", "guid", "owner"]


@pytest.mark.parametrize("prefix", ["eu", rest("us")])
def test_pandas_answers_as_the_queries_do(
    prefix: str, bucket: Path, athena: _Athena, capsys: pytest.CaptureFixture[str]
) -> None:
    _, program = code_blocks(TEXT, "python")
    rows = {name: athena.rows(_query(text), prefix) for name, text in QUERIES.items()}

    names = _printed(program, bucket / prefix, capsys)

    assert list(names["daily"].items()) == [
        ((day, verdict), count) for day, verdict, count in rows["verdicts of a day"]
    ]
    old = {owner: count for owner, count, _ in rows["problems older than a week"]}
    assert dict(names["old"].items()) == old
    assert names["never"] == [guid for guid, *_ in rows["never healthy"]]
    assert dict(names["healthy_at_12_h"].items()) == {row[0]: row[3] for row in rows["12 h"]}
    assert capsys.readouterr().out


def test_jq_takes_the_last_full_run_of_each_day() -> None:
    program = jq.compile(_jq_program("runs/*/*.json"))
    slurped = [json.loads(line) for line in _lines("eu/runs/")]

    shown = [line.split("\t")[:3] for line in program.input_value(slurped).all()]

    assert shown == [
        [day, findings[0].run_id, str(sum(one.verdict is Verdict.STALE for one in findings))]
        for day, findings in _last_of_each_day("eu").items()
    ]


def test_jq_counts_problems_older_than_a_week_as_the_query_does(athena: _Athena) -> None:
    program = jq.compile(_jq_program("report.json", "$week"))
    latest = json.loads(month()["eu/latest.json"])

    shown = program.input_text(month()[latest["report_key"]].decode()).all()

    rows = athena.rows(_query(QUERIES["problems older than a week"]), "eu")
    assert dict(line.split("\t") for line in shown) == {row[0]: str(row[1]) for row in rows}


def test_jq_names_who_would_be_unhealthy_under_a_policy_of_12_hours() -> None:
    program = jq.compile(_jq_program("newest/*.jsonl", "12 * 3600"))
    lines = b"\n".join(msgspec.json.encode(one) for one in _newest("eu")).decode()

    shown = {line.split("\t")[1] for line in program.input_text(lines).all()}

    assert shown == {"nightly", "weekly", "doubtful", "more"}


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
