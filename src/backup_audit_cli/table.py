"""The table of judged instances, for `try` and for `make run`."""

import sys
from collections.abc import Sequence
from itertools import groupby

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from backup_audit.judge.verdict import Severity, Verdict

_WIDTH = 120  # columns, where no terminal says otherwise
_NARROW = 110  # columns; below, the reason has a line of its own

_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "green"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as the table has it; `change` is empty where nothing was compared."""

    verdict: Verdict
    guid: str
    name: str | None
    reason: str
    change: str = ""


def new_console() -> Console:
    """A console on stdout: colour only at a terminal, unless NO_COLOR is set."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False)


def plain_lines(captured: str) -> str:
    """What a console printed, without the spaces that it fills lines up with."""
    return "\n".join(line.rstrip() for line in captured.splitlines())


def table_of(rows: Sequence[Row], width: int) -> RenderableType:
    """The rows as a table, or as the e-mail has them where there are few columns."""
    return _wide(rows) if width >= _NARROW else _narrow(rows)


def styled(verdict: Verdict) -> Text:
    """A verdict in the colour of its severity."""
    return Text(verdict, style=_STYLES[verdict.severity])


def _wide(rows: Sequence[Row]) -> RenderableType:
    with_change = any(row.change for row in rows)
    table = Table("verdict", "instance", box=box.SIMPLE)
    table.columns[1].no_wrap = True
    for name in ("change", "reason") if with_change else ("reason",):
        table.add_column(name)
    for row in rows:
        instance = f"{row.name}\n{row.guid}" if row.name else row.guid
        texts = [instance, *([row.change] if with_change else []), row.reason]
        table.add_row(styled(row.verdict), *map(Text, texts))
    return table


def _narrow(rows: Sequence[Row]) -> RenderableType:
    lines: list[RenderableType] = []
    for verdict, group in groupby(rows, key=lambda row: row.verdict):
        lines += ["", styled(verdict)]
        for row in group:
            instance = f"{row.name} ({row.guid})" if row.name else row.guid
            mark = f" [{row.change}]" if row.change else ""
            lines.append(Padding(Text(instance + mark), (0, 0, 0, 2)))
            lines.append(Padding(Text(row.reason), (0, 0, 0, 6)))
    return Group(*lines, "")
