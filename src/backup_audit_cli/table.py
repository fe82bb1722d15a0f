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

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.text import NAME_MAX, named, one_line, placed

_WIDTH = 120  # columns, where no terminal says otherwise
_NARROW = 110  # columns; below, the reason has a line of its own
_GUID = 36  # characters; the column of instances is no narrower

_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "green"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as the table has it; `change` is empty where nothing was compared."""

    verdict: Verdict
    guid: str
    name: str | None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    reason: str
    change: str = ""

    @property
    def lines(self) -> list[str]:
        """What the instance is called and where it is, as far as that is known."""
        said = [
            one_line(self.name or "", NAME_MAX),
            self.guid,
            placed(self.org, self.space),
            placed(None, None, self.offering, self.plan),
        ]
        return [line for line in said if line]


def row_of(finding: Finding, change: str = "") -> Row:
    """The row of a finding."""
    return Row(
        verdict=finding.verdict,
        guid=finding.guid,
        name=finding.name,
        org=finding.org,
        space=finding.space,
        offering=finding.offering,
        plan=finding.plan,
        reason=finding.reason,
        change=change,
    )


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
    table.columns[1].min_width = _GUID
    table.columns[1].overflow = "fold"
    for name in ("change", "reason") if with_change else ("reason",):
        table.add_column(name)
    for row in rows:
        texts = ["\n".join(row.lines), *([row.change] if with_change else []), row.reason]
        table.add_row(styled(row.verdict), *map(Text, texts))
    return table


def _narrow(rows: Sequence[Row]) -> RenderableType:
    lines: list[RenderableType] = []
    for verdict, group in groupby(rows, key=lambda row: row.verdict):
        lines += ["", styled(verdict)]
        for row in group:
            mark = f" [{row.change}]" if row.change else ""
            lines.append(Padding(Text(named(row.guid, row.name) + mark), (0, 0, 0, 2)))
            if place := placed(row.org, row.space, row.offering, row.plan):
                lines.append(Padding(Text(place), (0, 0, 0, 6)))
            lines.append(Padding(Text(row.reason), (0, 0, 0, 6)))
    return Group(*lines, "")
