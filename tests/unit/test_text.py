"""Others' words, made fit for a line of a report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.text import LINE_MAX, instances, named, one_line, placed, wrapped


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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("orders-db", "orders-db (guid-1)"),
        (None, "guid-1"),
        ("", "guid-1"),
        ("\n\x1b", "guid-1"),
        ("a\n  b", "a b (guid-1)"),
        ("n" * 255, f"{'n' * 255} (guid-1)"),
        ("n" * 256, f"{'n' * 254}… (guid-1)"),
    ],
)
def test_an_instance_is_named_by_its_name_and_guid(name: str | None, said: str) -> None:
    assert named("guid-1", name) == said


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("prod", "payments", "p.mysql", "small"), "prod / payments · p.mysql small"),
        (("prod", "payments", None, None), "prod / payments"),
        (("prod", None, None, None), "prod / ?"),
        ((None, "payments", None, None), "? / payments"),
        ((None, None, "p.mysql", "small"), "p.mysql small"),
        ((None, None, "p.mysql", None), "p.mysql"),
        ((None, None, None, "small"), "small"),
        ((None, None, None, None), ""),
        (("a\n b", "c\x1bd", "e\u202ef", "g  h"), "a b / c d · e f g h"),
        (("o" * 256, "s", None, None), f"{'o' * 254}… / s"),
    ],
)
def test_a_place_is_said_without_what_is_not_known(
    place: tuple[str | None, str | None, str | None, str | None], said: str
) -> None:
    assert placed(*place) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 instances"), (1, "1 instance"), (2, "2 instances"), (1_000, "1,000 instances")],
)
def test_instances_are_counted(count: int, said: str) -> None:
    assert instances(count) == said


ADDRESS = "https://console.example.com/" + "x" * LINE_MAX
GUID = "9b02c1de-6f0e-4a2c-8a55-2c1d0e6b7a11"


@pytest.mark.parametrize(("length", "lines"), [(93, 1), (94, 1), (95, 2)])
def test_prose_breaks_after_a_hundred_characters_with_its_indentation(
    length: int, lines: int
) -> None:
    text = "a" * (length - 2) + " b"

    wrapped_lines = list(wrapped(text, " " * 6))

    assert len(wrapped_lines) == lines
    assert max(map(len, wrapped_lines)) <= LINE_MAX


def test_a_line_that_goes_on_is_indented_by_two_more() -> None:
    first, second = wrapped("a" * 60 + " " + "b" * 60, "  ")

    assert (first, second) == ("  " + "a" * 60, "    " + "b" * 60)


def test_a_word_that_is_longer_than_a_line_stands_whole_on_a_line_of_its_own() -> None:
    assert list(wrapped(f"See {ADDRESS} for more.", "  ")) == [
        "  See",
        f"    {ADDRESS}",
        "    for more.",
    ]


def test_names_with_hyphens_and_wide_words_are_not_broken() -> None:
    words = [GUID, "zürich-gebühren-db", "早" * 101, "s3://bucket/dt=2026-01-31/run=a-b"] * 9

    lines = list(wrapped(" ".join(words), "  "))

    assert " ".join(line.strip() for line in lines).split() == words


@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\v", "\x85", "\u2028", "\xa0", "\x1b"])
def test_a_stranger_can_neither_break_a_line_nor_keep_one_together(char: str) -> None:
    assert list(wrapped(f"a{char}{char}b")) == ["a b"]


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing_is_no_line(text: str) -> None:
    assert list(wrapped(text, "  ")) == []


@given(st.text(), st.sampled_from(["", "  ", " " * 6]))
def test_whatever_the_text_no_word_is_lost_and_only_long_ones_stick_out(
    text: str, indent: str
) -> None:
    lines = list(wrapped(text, indent))

    assert all(len(line) <= LINE_MAX or len(line.split()) == 1 for line in lines)
    assert all(line.startswith(indent) and line.isprintable() for line in lines)
    assert " ".join(lines).split() == one_line(text, len(text) + 1).split()
