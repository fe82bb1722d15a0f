"""What is smuggled into a page does nothing: its policy refuses it, in the browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from tests.browser.visitor import Visitor
from tests.doubles.pages import HOSTILE_TEXTS

PageFile = Callable[[str | int], Path]

_PLANTED = "document.title = 'planted'"
_EVIL = "https://evil.example/spy.png"
_SMUGGLED = {
    "a script": (f"<script>{_PLANTED}</script>", "script"),
    "a script of another place": ("<script src='https://evil.example/a.js'></script>", "script"),
    "a handler": (f"<img src='data:,' onerror=\"{_PLANTED}\">", "script"),
    "a remote image": (f"<img src='{_EVIL}'>", "img"),
    "a style": ("<style>h1 { display: none }</style>", "style"),
    "a style of an element": ("<b style='color: red'>x</b>", "style"),
    "a frame": (f"<iframe src='{_EVIL}'></iframe>", "frame"),
    "another base": ("<base href='https://evil.example/'>", "base-uri"),
}


def with_more(page_file: PageFile, markup: str, into: Path) -> str:
    """The page with something smuggled into its end; where it is."""
    html = page_file("some").read_text("utf-8")
    path = into / "planted.html"
    path.write_text(html.replace("</body>", f"{markup}</body>"), "utf-8")
    return path.as_uri()


@pytest.mark.parametrize("what", _SMUGGLED)
def test_what_is_smuggled_in_is_refused(
    visitor: Visitor, page_file: PageFile, tmp_path: Path, what: str
) -> None:
    markup, named = _SMUGGLED[what]

    page = visitor.goes_to(with_more(page_file, markup, tmp_path))

    assert page.title() != "planted"
    assert page.locator("h1").is_visible()
    assert all("Content Security Policy" in one and named in one for one in visitor.complaints)
    visitor.complaints.clear()


def test_a_link_that_is_a_script_does_nothing(
    visitor: Visitor, page_file: PageFile, tmp_path: Path
) -> None:
    link = f'<p><a id="evil" href="javascript:{_PLANTED}">x</a></p>'
    page = visitor.goes_to(with_more(page_file, link, tmp_path))

    with page.expect_console_message(lambda said: "script-src" in said.text):
        page.locator("#evil").click()

    assert page.title() != "planted"
    visitor.complaints.clear()


def test_a_form_goes_nowhere(visitor: Visitor, page_file: PageFile, tmp_path: Path) -> None:
    form = '<form action="https://evil.example/"><button id="evil">x</button></form>'
    page = visitor.goes_to(with_more(page_file, form, tmp_path))

    with page.expect_console_message(lambda said: "form-action" in said.text):
        page.evaluate("document.querySelector('#evil').form.requestSubmit()")

    assert page.url.startswith("file:")
    visitor.complaints.clear()


@pytest.mark.parametrize(
    "does",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "document.write('<b>x</b>')",
        "trustedTypes.createPolicy('mine', {})",
    ],
)
def test_no_text_becomes_markup_or_code(visitor: Visitor, does: str) -> None:
    page = visitor.opens("some")

    with pytest.raises(Error, match="TypeError"):
        page.evaluate(f"() => {{ {does} }}")
    visitor.complaints.clear()


def test_no_text_becomes_code_even_in_a_script_that_runs(visitor: Visitor) -> None:
    page = visitor.opens("some")
    tries = "() => { try { done(eval('1')) } catch (error) { done(error.name) } }"

    assert page.evaluate(f"new Promise(done => setTimeout({tries}))") == "EvalError"
    visitor.complaints.clear()


def test_a_script_fetches_nothing(visitor: Visitor) -> None:
    page = visitor.opens("some")

    with page.expect_console_message(lambda said: "connect-src" in said.text):
        fetched = page.evaluate("fetch('https://evil.example/').catch(error => error.name)")

    assert fetched == "TypeError"
    visitor.complaints.clear()


@pytest.mark.parametrize("script", [True, False], ids=["drawn", "served"])
def test_what_strangers_name_things_is_shown_as_it_is(visitor: Visitor, *, script: bool) -> None:
    page = visitor.opens("hostile", java_script_enabled=script)

    shown = " ".join(page.locator("#rows").inner_text().split())
    for text in HOSTILE_TEXTS:
        if text.isprintable() and text.strip():
            assert " ".join(text.split()) in shown
    assert page.title() != "planted"
    assert page.locator("#rows script, #rows img, #rows svg[onload]").count() == 0
    assert addresses_beyond(page) == []


def addresses_beyond(page: Page) -> list[str]:
    """Addresses that lead out of the page."""
    found: list[str] = page.eval_on_selector_all(
        "[href], [src], [action], [formaction]",
        "all => all.map(one => one.getAttribute('href') ?? one.getAttribute('src') ?? '?')",
    )
    return [one for one in found if not one.startswith("#") and one != "data:,"]


def test_a_page_leads_nowhere_and_stores_nothing(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.locator("#filter [name=q]").fill("orders")
    page.locator("th[data-s=age] button").click()

    assert addresses_beyond(page) == []
    assert requests == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert page.context.cookies() == []
