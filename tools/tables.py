"""Writes the columns of the tables from the types, for Athena and DuckDB: `make schemas`."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import inspect

from backup_audit.judge.finding import Finding
from backup_audit.report.report import RunLine

TEMPLATE = Path("template.yaml")
MACROS = Path("docs/tables.sql")

# The types of the objects that a table reads, by the name of the table.
TABLES: dict[str, type[msgspec.Struct]] = {"findings": Finding, "runs": RunLine}

# Where they are, below the prefix.
_PATHS = {"findings": "findings/*/*/*.jsonl", "runs": "runs/*/*.json"}

# What no column type describes, since it is a text here and a list there: tables pass over it.
LEFT_OUT = ("mute.match",)


class Spelling(NamedTuple):
    """The names of column types. A time is a text: RFC 3339 is no timestamp of Hive's."""

    text: str
    simple: Mapping[type[inspect.Type], str]
    array: Callable[[str], str]
    map: Callable[[str, str], str]
    struct: Callable[[Mapping[str, str]], str]


HIVE = Spelling(
    text="string",
    simple={inspect.IntType: "bigint", inspect.FloatType: "double", inspect.BoolType: "boolean"},
    array="array<{}>".format,
    map="map<{},{}>".format,
    struct=lambda fields: f"struct<{','.join(f'{name}:{of}' for name, of in fields.items())}>",
)
DUCKDB = Spelling(
    text="VARCHAR",
    simple={inspect.IntType: "BIGINT", inspect.FloatType: "DOUBLE", inspect.BoolType: "BOOLEAN"},
    array="{}[]".format,
    map="MAP({}, {})".format,
    struct=lambda fields: f"STRUCT({', '.join(f'{name} {of}' for name, of in fields.items())})",
)

_TEXTS = (inspect.StrType, inspect.EnumType, inspect.DateTimeType, inspect.DateType)
_PART = re.compile(r"^( *)# columns: (\w+)\n.*?^ *# end of columns\n", re.DOTALL | re.MULTILINE)
_HEAD = """\
-- For DuckDB (1.4 or newer): what is stored below a folder, with the columns of Athena's tables.
-- Written by `make schemas`; docs/reports.md has queries.

-- As Athena has it. All times are in UTC.
CREATE MACRO from_iso8601_timestamp(text) AS text::TIMESTAMP;
"""


def columns_of(table: str, spelling: Spelling) -> dict[str, str]:
    """The columns of a table, each with its type."""
    kind = inspect.type_info(TABLES[table])
    assert isinstance(kind, inspect.StructType)
    return dict(_fields(kind, "", spelling))


def with_columns(text: str) -> str:
    """The template with the columns of today's types between its marks."""
    return _PART.sub(lambda part: _block(part[1], part[2]), text)


def macros() -> str:
    """The statements that let DuckDB read the tables in a folder."""
    return "\n".join([_HEAD, *map(_macro, TABLES)])


def _block(indentation: str, table: str) -> str:
    columns = columns_of(table, HIVE).items()
    lines = [f'- {{ Name: {name}, Type: "{kind}" }}' for name, kind in columns]
    marked = [f"# columns: {table}", *lines, "# end of columns"]
    return "".join(f"{indentation}{line}\n" for line in marked)


def _macro(table: str) -> str:
    columns = columns_of(table, DUCKDB).items()
    listed = ",\n".join(f"    {name}: '{kind}'" for name, kind in columns)
    # The folder run=… is a column too, where there is one.
    shown = "* EXCLUDE (run)" if table == "findings" else "*"
    return (
        f"CREATE MACRO {table}_of(folder) AS TABLE SELECT {shown} FROM read_json(\n"
        f"  folder || '/{_PATHS[table]}', format = 'newline_delimited',\n"
        "  hive_partitioning = true, hive_types_autocast = false, columns = {\n"
        f"{listed}\n  }}\n);\n"
    )


def _fields(kind: inspect.StructType, place: str, spelling: Spelling) -> Iterator[tuple[str, str]]:
    for field in kind.fields:
        name = f"{place}{field.encode_name}"
        if name not in LEFT_OUT:
            yield field.encode_name, _column(field.type, name, spelling)


def _column(kind: inspect.Type, place: str, spelling: Spelling) -> str:
    """The column type for what stands at a place; raise TypeError where there is none."""
    kind, of = _bare(kind), partial(_column, place=place, spelling=spelling)
    match kind:
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            column = spelling.array(of(item))
        case inspect.DictType(key_type=key, value_type=value):
            column = spelling.map(of(key), of(value))
        case inspect.StructType():
            column = spelling.struct(dict(_fields(kind, f"{place}.", spelling)))
        case _ if isinstance(kind, _TEXTS):
            column = spelling.text
        case _ if type(kind) in spelling.simple:
            column = spelling.simple[type(kind)]
        case _:
            raise TypeError(f"{place}: no column type fits {kind}; LEFT_OUT names what has none")
    return column


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type without what no column says: bounds, null, and which number of several."""
    match kind:
        case inspect.Metadata(type=inner):
            return _bare(inner)
        case inspect.UnionType(types=(inner, inspect.NoneType())):
            return _bare(inner)
        case inspect.LiteralType(values=values) if all(isinstance(one, int) for one in values):
            return inspect.IntType()
    return kind


def write_tables() -> None:
    """Write both files."""
    TEMPLATE.write_text(with_columns(TEMPLATE.read_text("utf-8")), "utf-8")
    MACROS.write_text(macros(), "utf-8")


if __name__ == "__main__":
    write_tables()
