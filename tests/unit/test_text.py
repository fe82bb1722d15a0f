"""Others' words, made fit for a line of a report."""

import pytest

from backup_audit.text import one_line


@pytest.mark.parametrize(
    ("length", "line"), [(4, "aaaa"), (5, "aaaaa"), (6, "aaaa…")], ids=["less", "just", "more"]
)
def test_words_are_cut_to_their_length(length: int, line: str) -> None:
    assert one_line("a" * length, 5) == line


@pytest.mark.parametrize("char", ["\n", "\0", "\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\ud800"])
def test_what_would_move_a_cursor_or_turn_text_around_becomes_a_blank(char: str) -> None:
    assert one_line(f"a{char}b", 5) == "a b"


def test_words_in_other_scripts_stay() -> None:
    assert one_line("früh 早い", 99) == "früh 早い"
