"""Others' words, made fit for a line of a report."""

import pytest

from backup_audit.text import instances, named, one_line, placed


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
