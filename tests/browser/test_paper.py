"""The page on paper, read page by page."""

import io
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pypdf import PdfReader

from tests.browser.visitor import Visitor
from tests.doubles.pages import STATES

_HEADER = ("Verdict", "Instance", "Owner", "Newest backup", "Reason")


def bare(text: str) -> str:
    """A text without blanks, since where lines break says nothing, and without ligatures."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


Printed = Callable[..., list[str]]


@pytest.fixture(scope="module")
def printed(browser: Browser, page_file: Callable[[str | int], Path]) -> Printed:
    """Print a page on A4; the bare text of each sheet. What was printed once is not again."""

    @cache
    def sheets(state: str, fragment: str = "", *, script: bool = True) -> list[str]:
        visitor = Visitor(browser, page_file)
        page = visitor.opens(state, fragment, java_script_enabled=script)
        pdf = page.pdf(format="A4", prefer_css_page_size=True)
        visitor.leave()
        return [bare(one.extract_text()) for one in PdfReader(io.BytesIO(pdf)).pages]

    return sheets


def test_sixty_problems_take_nine_pages_at_most(printed: Printed) -> None:
    assert len(printed("sixty")) <= 9


@pytest.mark.parametrize(
    ("state", "mark"),
    [("what_if", "WHAT-IF"), ("partial", "PARTIAL"), ("incomplete", "INCOMPLETE")],
)
def test_each_sheet_says_what_kind_of_run_it_is_of(printed: Printed, state: str, mark: str) -> None:
    run_id = STATES[state]().head.run.run_id

    assert all(f"run{run_id}:{mark}" in sheet for sheet in printed(state))


@pytest.mark.parametrize("state", ["none", "sixty", "partial", "hostile"])
def test_each_sheet_says_which_run_and_which_page_it_is(printed: Printed, state: str) -> None:
    sheets = printed(state)
    run_id = STATES[state]().head.run.run_id

    for number, sheet in enumerate(sheets, 1):
        assert run_id in sheet
        assert f"{number}/{len(sheets)}" in sheet or f"{number}of{len(sheets)}" in sheet


def test_each_sheet_of_the_list_has_its_header(printed: Printed) -> None:
    guids = [one.guid for one in STATES["sixty"]().reader().findings()]

    sheets = printed("sixty")

    of_list = [sheet for sheet in sheets if sum(guid in sheet for guid in guids) > 2]
    assert len(of_list) > 1
    for sheet in of_list:
        assert all(bare(word) in sheet for word in _HEADER)


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
def test_nothing_of_a_row_is_cut_off(printed: Printed, *, script: bool) -> None:
    text = "".join(printed("sixty", script=script))

    for one in STATES["sixty"]().reader().findings():
        for part in (one.guid, one.name, one.owner, one.reason, one.org, one.plan):
            assert bare(part or "") in text


def test_a_name_of_200_letters_is_not_cut_off(printed: Printed) -> None:
    text = "".join(printed("hostile"))

    assert text.count("W" * 200) >= 2 * 3  # two rows: name, owner, place


def test_what_is_of_no_use_on_paper_is_not_there(printed: Printed) -> None:
    text = "".join(printed("many", "#v=stale"))

    assert "Search" not in text
    assert "Nextpage" not in text
    assert "Copy" not in text
    assert bare(f"3,425 of {5_000:,} shown") in text


def test_paper_is_light_in_the_dark(visitor: Visitor) -> None:
    page = visitor.opens("some", color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) != "rgb(255, 255, 255)"

    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_an_open_row_is_printed_open_and_the_others_are_not(printed: Printed) -> None:
    wanted = next(STATES["sixty"]().reader().findings())

    text = "".join(printed("sixty", f"#i={wanted.guid}"))

    assert text.count("cfcurl") == 1
    assert f"service_instances/{wanted.guid}" in text
