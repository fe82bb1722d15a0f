"""Somebody who opens report.html in a Chromium, with a clock: what it is like to use."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tools.bench.nginx import program
from tools.bench.results import Opened

_SCREEN: ViewportSize = {"width": 1280, "height": 900}
_PATIENCE = 60_000  # ms
_AT_REST_AFTER = 1_000  # ms; until then a new context starts processes beside the page

# When the first paint was, and when the list could be used: its script has shown the filters and
# drawn the first rows. To ask for a height makes the browser lay them out.
_WATCH = """
globalThis.painted = new Promise((resolve) => {
  new PerformanceObserver((seen) => {
    for (const paint of seen.getEntriesByName("first-contentful-paint")) resolve(paint.startTime);
  }).observe({ type: "paint", buffered: true });
});
globalThis.usable = new Promise((resolve) => {
  new MutationObserver((_, observer) => {
    const form = document.getElementById("filter");
    if (!form || form.hidden) return;
    observer.disconnect();
    document.body.offsetHeight;
    resolve(performance.now());
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
});
"""
_USABLE, _PAINTED = "globalThis.usable", "globalThis.painted"
_TIMED = """
([selector, value]) => {
  const element = document.querySelector(selector);
  const began = performance.now();
  if (value === null) element.click();
  else {
    element.value = value;
    element.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.body.offsetHeight;
  return performance.now() - began;
}
"""
_FILTER = ("#filter [name=v]", "stale")
_SEARCH = ("#filter [name=q]", "db retail")
_SORT = ("th[data-s=age] button", None)
_SHOW_ALL = ("#filter [type=reset]", None)


class Reader:
    """Opens pages from the disk, each in a fresh context."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def opened(self, path: Path, last_guid: str, repeats: int) -> Opened:
        """The medians of so many readings of a page whose last problem is of that instance."""
        rounds = [self._round(path, last_guid) for _ in range(repeats)]
        return Opened(**{name: _median(rounds, name) for name in Opened.__struct_fields__})

    def sheets(self, path: Path) -> int:
        """How many sheets of A4 a printed page takes."""
        with self._at(path) as page:
            page.evaluate(_USABLE)
            return page.pdf(format="A4", prefer_css_page_size=True).count(b"/Type /Page\n")

    def _round(self, path: Path, last_guid: str) -> Opened:
        with self._at(path, f"#i={last_guid}") as page:
            linked = page.evaluate(_USABLE)
            assert page.evaluate("document.activeElement.id") == f"i={last_guid}"
        with self._at(path) as page:
            first_paint, usable = page.evaluate(_PAINTED), page.evaluate(_USABLE)
            steps = []
            for step in (_FILTER, _SORT, _SEARCH):
                steps.append(page.evaluate(_TIMED, step))
                page.evaluate(_TIMED, _SHOW_ALL)
            filtered, ordered, searched = steps
            return Opened(
                first_paint=first_paint,
                usable=usable,
                linked=linked,
                filtered=filtered,
                searched=searched,
                sorted=ordered,
            )

    @contextlib.contextmanager
    def _at(self, path: Path, fragment: str = "") -> Iterator[Page]:
        """A page that was opened in a browser at rest, as a person's is.

        Nothing polls it, for its policy forbids what that takes.
        """
        with contextlib.closing(self._browser.new_context(viewport=_SCREEN)) as context:
            context.set_default_timeout(_PATIENCE)
            page = context.new_page()
            page.add_init_script(_WATCH)
            page.wait_for_timeout(_AT_REST_AFTER)
            page.goto(path.as_uri() + fragment)
            yield page


@contextlib.contextmanager
def reading() -> Iterator[Reader]:
    """Somebody with $CHROMIUM, or with the one on the PATH; raise ProgramMissing without one."""
    chromium = os.environ.get("CHROMIUM") or program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        yield Reader(browser)
        browser.close()


def _median(rounds: Sequence[Opened], name: str) -> float:
    values: list[float] = [getattr(one, name) for one in rounds]
    return round(median(values), 1)
