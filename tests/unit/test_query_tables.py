"""The tables for Athena and DuckDB have the columns of what is stored, and lie over it."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from msgspec import inspect
from sqlglot import exp

from backup_audit.report.store import RunKeys
from tests.doubles.builders import run
from tools import tables
from tools.tables import (
    DUCKDB,
    HIVE,
    LEFT_OUT,
    MACROS,
    TABLES,
    columns_of,
    macros,
    with_columns,
)
from tools.template import KEY, REQUIRED, Template

TEMPLATE = Template.read()
DOCUMENTS = {"findings": "finding", "runs": "run-line"}
OF_QUERIES = {"QueryDatabase", "FindingsTable", "RunsTable", "QueryDatabaseName"}


def deployed(**given: str) -> dict[str, Any]:
    return TEMPLATE.deployed(**REQUIRED, QueryTables="on", **given)


def described(table: str, **given: str) -> dict[str, Any]:
    """A table as it is deployed."""
    [found] = [
        one["Properties"]["TableInput"]
        for one in deployed(**given).values()
        if one.get("Type") == "AWS::Glue::Table"
        and one["Properties"]["TableInput"]["Name"] == table
    ]
    return dict(found)


# ── Columns ───────────────────────────────────────────────────────────────────────────────────────


def test_the_columns_of_the_template_are_those_of_the_types() -> None:
    committed = tables.TEMPLATE.read_text("utf-8")

    assert committed == with_columns(committed), "run: make schemas"


def test_the_columns_for_duckdb_are_those_of_the_types() -> None:
    assert MACROS.read_text("utf-8") == macros(), "run: make schemas"


def test_columns_that_somebody_has_changed_are_written_anew() -> None:
    committed = tables.TEMPLATE.read_text("utf-8")
    changed = committed.replace('- { Name: run_id, Type: "string" }', "- { Name: id, Type: int }")

    assert changed != committed
    assert with_columns(changed) == committed


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_are_the_keys_of_the_committed_schema(table: str) -> None:
    text = Path(f"docs/schemas/{DOCUMENTS[table]}.schema.json").read_text("utf-8")
    schema = json.loads(text)
    columns = {one["Name"]: one["Type"] for one in described(table)["StorageDescriptor"]["Columns"]}

    assert columns == _columns_by(schema, schema, "")


def _columns_by(schema: dict[str, Any], part: dict[str, Any], place: str) -> dict[str, str]:
    """What the committed schema says of an object, in Hive's words."""
    part = _resolved(schema, part)
    return {
        key: _type_by(schema, value, f"{place}{key}")
        for key, value in part["properties"].items()
        if f"{place}{key}" not in LEFT_OUT
    }


def _type_by(schema: dict[str, Any], part: dict[str, Any], place: str) -> str:
    part = _resolved(schema, part)
    kind = part.get("type") or ("integer" if part["enum"] == [1] else "string")
    if kind == "array":
        return f"array<{_type_by(schema, part['items'], place)}>"
    if kind == "object" and "properties" in part:
        fields = _columns_by(schema, part, f"{place}.").items()
        return f"struct<{','.join(f'{name}:{of}' for name, of in fields)}>"
    if kind == "object":
        return f"map<string,{_type_by(schema, part['additionalProperties'], place)}>"
    return {"integer": "bigint", "number": "double", "boolean": "boolean", "string": "string"}[kind]


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The part that is referred to, or that is there where it is not null."""
    if "anyOf" in part:
        [part] = [one for one in part["anyOf"] if one.get("type") != "null"]
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_has_the_types_of_athena(table: str) -> None:
    ddl = ", ".join(f"{name} {kind}" for name, kind in columns_of(table, HIVE).items())

    [tree] = sqlglot.parse(f"CREATE TABLE t ({ddl})", read="hive")

    assert tree
    translated = {
        one.name: one.args["kind"].sql("duckdb").replace("TEXT", "VARCHAR")
        for one in tree.find_all(exp.ColumnDef)
        if one.parent is tree.this
    }
    assert translated == columns_of(table, DUCKDB)


@pytest.mark.parametrize("place", LEFT_OUT)
def test_what_tables_pass_over_has_no_column_type(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LEFT_OUT", ())

    with pytest.raises(TypeError, match=rf"{place}\.\w+: no column type fits .*LEFT_OUT"):
        columns_of("findings", HIVE)


@pytest.mark.parametrize("table", TABLES)
def test_a_time_is_a_text(table: str) -> None:
    kind = inspect.type_info(TABLES[table])
    assert isinstance(kind, inspect.StructType)

    times = {one.encode_name for one in kind.fields if "DateTimeType" in repr(one.type)}

    simple = times - {"alert", "before", "evidence", "mute", "operation"}
    assert "due_at" in simple
    assert {columns_of(table, HIVE)[name] for name in simple} == {"string"}


# ── The template ──────────────────────────────────────────────────────────────────────────────────


def test_there_are_tables_if_they_are_asked_for() -> None:
    without = TEMPLATE.deployed(**REQUIRED)

    assert TEMPLATE.parameters["QueryTables"]["Default"] == "off"
    assert deployed().keys() - without.keys() == OF_QUERIES
    assert {name: part for name, part in deployed().items() if name in without} == without


def test_the_database_has_the_stacks_name_as_sql_takes_it() -> None:
    database = deployed()["QueryDatabase"]["Properties"]

    assert database["DatabaseInput"]["Name"] == "backup_audit"
    assert deployed()["QueryDatabaseName"]["Value"] == "<QueryDatabase>"
    for table in ("FindingsTable", "RunsTable"):
        assert deployed()[table]["Properties"]["DatabaseName"] == "<QueryDatabase>"


@pytest.mark.parametrize("bucket", ["", "reports-of-before"])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_where_runs_store_its_rows(table: str, bucket: str) -> None:
    found = described(table, ReportPrefix="audits/eu", ExistingBucketName=bucket)
    keys = RunKeys.of("audits/eu", run())
    key = {"findings": keys.findings(0), "runs": keys.run_line}[table]

    location = found["StorageDescriptor"]["Location"]

    assert f"s3://{bucket or '<ReportBucket>'}/{key}".startswith(f"{location}dt=2026-01-31/run=")


@pytest.mark.parametrize("table", TABLES)
def test_the_days_of_a_table_are_computed(table: str) -> None:
    found = described(table)

    assert found["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert found["Parameters"] == {
        "classification": "json",
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": "2026-01-01,NOW",
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_line_that_cannot_be_read_fails_a_query(table: str) -> None:
    serde = described(table)["StorageDescriptor"]["SerdeInfo"]

    assert serde == {"SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe"}


def test_a_table_gives_nobody_a_permission() -> None:
    given = {"KmsKeyArn": KEY, "Mode": "map"}
    without = TEMPLATE.deployed(**REQUIRED, **given)

    added = {name: part for name, part in deployed(**given).items() if name not in without}

    assert {part.get("Type") for part in added.values()} == {
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        None,  # the output
    }
