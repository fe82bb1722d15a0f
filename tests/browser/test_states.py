"""Each state of the page, as people open it: nothing fails, nothing is refused, all can use it."""

import pytest
from playwright.sync_api import ViewportSize

from tests.browser.visitor import Visitor, violations
from tests.doubles.pages import STATES

_OF_COLOURS = ("color-contrast", "link-in-text-block")
_TELEPHONE: ViewportSize = {"width": 390, "height": 844}
_MOST = (
    "none",
    "all_healthy",
    "some",
    "all_unknown",
    "what_if",
    "hostile",
)  # of what pages look like
# To ask a section for its width lays it out, though it is below the screen.
_SIDEWAYS = """
[document.documentElement, ...document.querySelectorAll("section")].reduce(
  (all, one) => all + Math.max(0, one.scrollWidth - one.clientWidth), 0)
"""


@pytest.mark.parametrize("state", STATES)
def test_a_page_opens_without_an_error_and_without_a_breach_of_its_policy(
    visitor: Visitor, state: str
) -> None:
    page = visitor.opens(state)

    assert page.locator("h1").inner_text()
    assert visitor.complaints == []


@pytest.mark.parametrize("state", STATES)
def test_a_page_can_be_used_by_all_in_the_light_and_in_the_dark(
    visitor: Visitor, state: str
) -> None:
    page = visitor.opens(state, bypass_csp=True)
    assert violations(page) == []

    page.emulate_media(color_scheme="dark")
    assert violations(page, *_OF_COLOURS) == []


@pytest.mark.parametrize("state", _MOST)
def test_a_page_can_be_used_by_all_on_a_telephone(visitor: Visitor, state: str) -> None:
    page = visitor.opens(state, bypass_csp=True, viewport=_TELEPHONE)

    assert violations(page) == []


@pytest.mark.parametrize("state", ["none", "all_healthy", "some", "partial", "hostile"])
def test_a_page_whose_script_was_taken_out_can_be_used_by_all(visitor: Visitor, state: str) -> None:
    page = visitor.opens_without_its_script(state, bypass_csp=True)

    assert not page.locator("#filter").is_visible()
    assert violations(page) == []


@pytest.mark.parametrize("state", ["some", "hostile", "what_if", "all_unknown"])
@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
def test_nobody_scrolls_sideways_on_320_pixels(
    visitor: Visitor, state: str, *, script: bool
) -> None:
    narrow = {"width": 320, "height": 640}
    page = visitor.opens(state, viewport=narrow, java_script_enabled=script)

    assert page.evaluate(_SIDEWAYS) == 0


def test_forced_colours_leave_charts_their_colours_and_texts_those_of_the_reader(
    visitor: Visitor,
) -> None:
    page = visitor.opens("some", bypass_csp=True, forced_colors="active")

    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    colours = "one => getComputedStyle(one).fill"
    fills = page.eval_on_selector_all("#verdicts svg [class^=f-]", f"all => all.map({colours})")
    assert len(set(fills)) > 3
    assert violations(page) == []


def test_a_page_without_a_script_says_what_it_lacks(visitor: Visitor) -> None:
    page = visitor.opens("many", java_script_enabled=False)

    assert page.locator("#rows > tr").count() == 500
    assert not page.locator("#filter").is_visible()
    assert not page.locator("#pages").is_visible()
    text = page.locator("#list").inner_text()
    assert "4,500" in text
    assert "findings.csv" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, None),
        (172_800, None),
        (172_801, "This page is 2 days old: it says what was so on 31 Jan 2026."),
        (299 * 86_400, "This page is 299 days old: it says what was so on 31 Jan 2026."),
    ],
)
def test_an_old_page_says_first_that_it_is_old(
    visitor: Visitor, seconds: int, words: str | None
) -> None:
    finished_at = STATES["some"]().head.finished_at
    now = int(finished_at.timestamp()) + seconds

    page = visitor.opens("some", before=f"Date.now = () => {now * 1000}")

    assert page.locator("#old").is_visible() is (words is not None)
    if words:
        assert page.locator("#old").inner_text() == words


def test_a_page_says_how_old_it_is_when_it_is_read(visitor: Visitor) -> None:
    page = visitor.opens("some")

    assert (
        page.locator("header time")
        .first.evaluate("one => one.nextSibling.textContent")
        .endswith(" ago)")
    )
