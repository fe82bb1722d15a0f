"""The threat model names tests and files that there are."""

import re
from pathlib import Path

import pytest

TEXT = Path("docs/threat-model.md").read_text("utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
FILES = re.findall(r"`((?:src|tests|docs|\.github)/[\w./-]+|Makefile|template\.yaml)`", TEXT)
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| (?!could|---)", line)]


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", Path(path).read_text("utf-8"), re.MULTILINE)


def test_a_file_that_is_named_exists() -> None:
    assert len(FILES) >= 5
    assert [path for path in FILES if not Path(path).is_file()] == []


def test_every_row_says_what_holds_and_what_shows_it() -> None:
    assert len(ROWS) >= 25
    for row in ROWS:
        _, threat, held_by, shown_by, _ = re.split(r"(?<!\\)\|", row)
        assert threat.strip()
        assert held_by.strip()
        assert re.search(r"`[\w./-]+(::\w+)?`", shown_by), row


def test_no_test_is_named_in_a_form_that_is_not_checked() -> None:
    assert TEXT.count("::") == len(TESTS)
    assert len(TESTS) == len(set(TESTS)), "a test shows one thing"
