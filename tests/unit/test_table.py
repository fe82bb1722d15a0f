"""The table of verdicts and reasons, on wide terminals, on narrow ones, and where there is none."""

import io
import re
from collections.abc import Sequence

import msgspec
import pytest
from rich.console import Console

from backup_audit.fleet.mutes import Mute
from backup_audit.judge.finding import Change
from backup_audit.judge.verdict import Verdict
from backup_audit_cli.table import Row, new_console, plain_lines, row_of, table_of
from tests.doubles.builders import MUTE, PLACE, finding
from tools.local_cloud.show import change_of

GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"
REASON = (
    "newest backup is 3 d 3 h old, max_age is 26 h; 3 backups listed, and the rest of a long one"
)
STALE = Row(verdict=Verdict.STALE, guid=GUID, name="orders-db", reason=REASON, change="new, muted")
PLACED = Row(
    verdict=Verdict.STALE,
    guid=GUID,
    name="orders-db",
    org="prod-eu",
    space="payments",
    offering="p.mysql",
    plan="db-gold-small",
    reason="old",
)
BARE = Row(verdict=Verdict.STALE, guid="bare", name=None, reason="old")
FINE = Row(verdict=Verdict.HEALTHY, guid="fine", name=None, reason="young")


def printed(rows: Sequence[Row], width: int, **terminal: object) -> list[str]:
    """The lines of a table on a console of so many columns."""
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, **terminal)  # type: ignore[arg-type]
    with console.capture() as captured:
        console.print(table_of(rows, width))
    return plain_lines(captured.get()).splitlines()


@pytest.mark.parametrize(
    ("width", "is_wide"), [(80, False), (109, False), (110, True), (111, True)]
)
def test_where_columns_are_few_the_reason_has_a_line_of_its_own(
    width: int, *, is_wide: bool
) -> None:
    lines = printed([STALE], width)

    assert any(line.lstrip().startswith("verdict") for line in lines) is is_wide
    assert any(line.startswith("      newest backup is 3 d") for line in lines) is not is_wide


@pytest.mark.parametrize("width", [40, 80, 109, 110, 120, 200])
def test_nothing_of_a_row_is_cut(width: int) -> None:
    said = " ".join(" ".join(printed([STALE, BARE, FINE], width)).split())

    for word in (*REASON.split(), GUID, "orders-db", "stale", "new, muted", "bare", "healthy"):
        assert word in said
    assert "…" not in said


def test_a_narrow_terminal_has_the_rows_as_the_e_mail_has_them() -> None:
    assert printed([STALE, BARE, FINE], 80) == [
        "",
        "stale",
        f"  orders-db ({GUID}) [new, muted]",
        "      newest backup is 3 d 3 h old, max_age is 26 h; 3 backups listed, and the",
        "      rest of a long one",
        "  bare",
        "      old",
        "",
        "healthy",
        "  fine",
        "      young",
    ]


def test_a_narrow_terminal_has_the_place_below_the_name() -> None:
    assert printed([PLACED], 80)[2:5] == [
        f"  orders-db ({GUID})",
        "      prod-eu / payments · p.mysql db-gold-small",
        "      old",
    ]


def test_a_wide_terminal_has_name_guid_and_place_below_each_other() -> None:
    lines = printed([PLACED, BARE], 120)

    at = next(n for n, line in enumerate(lines) if "orders-db" in line)
    assert [line.split("  ") for line in map(str.strip, lines[at + 1 : at + 4])] == [
        [GUID],
        ["prod-eu / payments"],
        ["p.mysql db-gold-small"],
    ]
    assert lines[at + 4].split() == ["stale", "bare", "old"]


@pytest.mark.parametrize("width", [40, 80, 110, 120])
def test_a_long_name_goes_on_in_the_next_line(width: int) -> None:
    long = msgspec.structs.replace(PLACED, name="n" * 255, org="o" * 255)

    said = "".join(printed([long], width))

    assert (said.count("n"), said.count("o")) >= (255, 255)
    assert "…" not in said


@pytest.mark.parametrize("width", [80, 120])
def test_a_hostile_name_stays_in_its_place(width: int) -> None:
    hostile = msgspec.structs.replace(PLACED, name="a\n\x1b[2Jb", space="c\u202ed")

    lines = printed([hostile], width)

    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(printed([PLACED], width))


def test_the_row_of_a_finding_has_its_place() -> None:
    found = msgspec.structs.replace(finding(name="orders-db"), **PLACE)

    row = row_of(found, "new")

    assert {name: getattr(row, name) for name in PLACE} == PLACE
    assert (row.verdict, row.guid, row.name) == (Verdict.STALE, "guid-1", "orders-db")
    assert (row.reason, row.change) == (found.reason, "new")
    assert row_of(found).change == ""


def test_where_nothing_was_compared_there_is_no_column_for_changes() -> None:
    assert "change" in printed([STALE, BARE], 120)[1]
    assert "change" not in printed([BARE, FINE], 120)[1]


@pytest.mark.parametrize("width", [80, 120])
def test_colour_is_for_terminals(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = {"force_terminal": True, "color_system": "standard", "legacy_windows": False}
    coloured = re.compile(r"\x1b\[[\d;]*3[1-6]m")

    assert coloured.search("\n".join(printed([STALE, FINE], width, **terminal)))
    assert "\x1b" not in "\n".join(printed([STALE, FINE], width))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured.search("\n".join(printed([STALE, FINE], width, **terminal)))


def test_severities_differ_in_colour() -> None:
    terminal = {"force_terminal": True, "color_system": "standard", "legacy_windows": False}
    unknown = Row(verdict=Verdict.UNKNOWN, guid="u", name=None, reason="r")
    lines = printed([STALE, unknown, FINE], 80, **terminal)

    styles = [re.findall(r"\x1b\[[\d;]*m", line)[0] for line in lines if "\x1b" in line]
    assert len(set(styles)) == 3


def test_what_is_no_terminal_has_120_columns_and_no_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())

    console = new_console()

    assert (console.width, console.is_terminal) == (120, False)


@pytest.mark.parametrize(
    ("change", "mute", "said"),
    [
        (None, None, ""),
        (None, MUTE, "muted"),
        (Change.NEW, None, "new"),
        (Change.NEW, MUTE, "new, muted"),
    ],
)
def test_a_mute_stands_behind_the_change_or_alone(
    change: Change | None, mute: Mute | None, said: str
) -> None:
    assert change_of(msgspec.structs.replace(finding(mute=mute), change=change)) == said
