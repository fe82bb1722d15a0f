"""Writes the columns of the tables in template.yaml from the types: `make schemas`."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import inspect

from backup_audit.judge.finding import Finding
from backup_audit.report.report import RunLine

TEMPLATE = Path("template.yaml")

# The types of the objects that a table reads, by the name of the table.
TABLES: dict[str, type[msgspec.Struct]] = {"findings": Finding, "runs": RunLine}

# What no column type describes, since it is a text here and a list there: a table passes over it.
LEFT_OUT = ("mute.match",)

# RFC 3339 is no timestamp of Hive's, and a date that is null one day must not fail a query.
_TEXTS = (inspect.StrType, inspect.DateTimeType, inspect.DateType)
_SIMPLE = {inspect.IntType: "bigint", inspect.FloatType: "double", inspect.BoolType: "boolean"}

_PART = re.compile(r"^( *)# columns: (\w+)\n.*?^ *# end of columns\n", re.DOTALL | re.MULTILINE)


def columns_of(table: str) -> dict[str, str]:
    """The columns of a table, each with its type as Hive spells it."""
    return dict(_fields(inspect.type_info(TABLES[table]), ""))


def with_columns(text: str) -> str:
    """The template with the columns of today's types between its marks."""
    return _PART.sub(lambda part: _block(part[1], part[2]), text)


def _block(indentation: str, table: str) -> str:
    columns = [
        f'- {{ Name: {name}, Type: "{kind}" }}' for name, kind in columns_of(table).items()
    ]
    lines = [f"# columns: {table}", *columns, "# end of columns"]
    return "".join(f"{indentation}{line}\n" for line in lines)


def _fields(kind: inspect.Type, place: str) -> Iterator[tuple[str, str]]:
    assert isinstance(kind, inspect.StructType)
    for field in kind.fields:
        name = f"{place}{field.encode_name}"
        if name not in LEFT_OUT:
            yield field.encode_name, _hive(field.type, name)


def _hive(kind: inspect.Type, place: str) -> str:
    """The column type for what stands at a place; raise TypeError where there is none."""
    match kind:
        case inspect.Metadata(type=inner):
            return _hive(inner, place)
        case inspect.UnionType(types=types):
            [inner] = [one for one in types if not isinstance(one, inspect.NoneType)]
            return _hive(inner, place)
        case inspect.EnumType(cls=cls) if issubclass(cls, StrEnum):
            return "string"
        case inspect.LiteralType(values=values) if all(isinstance(one, int) for one in values):
            return "bigint"
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"array<{_hive(item, place)}>"
        case inspect.DictType(key_type=key, value_type=value):
            return f"map<{_hive(key, place)},{_hive(value, place)}>"
        case inspect.StructType():
            inner = ",".join(f"{name}:{of}" for name, of in _fields(kind, f"{place}."))
            return f"struct<{inner}>"
        case _ if isinstance(kind, _TEXTS):
            return "string"
        case _ if type(kind) in _SIMPLE:
            return _SIMPLE[type(kind)]
    raise TypeError(f"{place}: no column type for {kind}")


def written(path: Path) -> Mapping[str, list[str]]:
    """Write the columns into a template; the names of each table's columns."""
    path.write_text(with_columns(path.read_text("utf-8")), "utf-8")
    return {table: list(columns_of(table)) for table in TABLES}


if __name__ == "__main__":
    written(TEMPLATE)
