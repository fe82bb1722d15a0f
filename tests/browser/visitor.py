"""Somebody who opens pages in a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page

_AXE = Axe()
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

_SCRIPT = re.compile("<script>.*?</script>", re.DOTALL)
_CAN_BE_USED = "#filter:not([hidden]), #problems[hidden]"


class Visitor:
    """Opens pages, each in a fresh context; `complaints` are what a page logs as an error."""

    def __init__(self, browser: Browser, page_file: Callable[[str | int], Path]) -> None:
        self._browser = browser
        self._page_file = page_file
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def opens(self, state: str | int, fragment: str = "", **how: Any) -> Page:  # noqa: ANN401
        """Open the page of a state from the disk; see `goes_to`."""
        return self.goes_to(self._page_file(state).as_uri() + fragment, **how)

    def opens_without_its_script(self, state: str, **how: Any) -> Page:  # noqa: ANN401
        """Open the page as hosts show it that take scripts out."""
        path = self._page_file(state)
        stripped = path.with_suffix(".stripped.html")
        stripped.write_text(_SCRIPT.sub("", path.read_text("utf-8")), "utf-8")
        return self.goes_to(stripped.as_uri(), waits=False, **how)

    def goes_to(
        self,
        address: str,
        *,
        waits: bool = True,
        before: str = "",
        **how: Any,  # noqa: ANN401
    ) -> Page:
        """Open an address on a screen of 1,280 by 900; `how` are options of a context.

        `waits`: until the list can be used, where there is one and scripts run. `before` is a
        script that runs before those of the page.
        """
        context = self._browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
        self._contexts.append(context)
        context.set_default_timeout(5_000)
        page = context.new_page()
        page.add_init_script(before or "0")
        page.on("pageerror", self._failed)
        page.on("console", self._logged)
        page.goto(address)
        if waits and how.get("java_script_enabled", True):
            page.locator(_CAN_BE_USED).first.wait_for(state="attached")
        return page

    def leave(self) -> None:
        for context in self._contexts:
            context.close()

    def _failed(self, error: Error) -> None:
        self.complaints.append(error.message)

    def _logged(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)


def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds: rule, where, why; in the first rows of tables, for the others are as these.

    By all rules of WCAG 2.2 AA and of good practice, or by those that are given.

    The page is open with `bypass_csp`: axe is no part of it.
    """
    context = {"include": [["html"]], "exclude": [["tbody > tr:nth-child(n+13)"]]}
    options = {
        "runOnly": {"type": "rule" if rules else "tag", "values": list(rules or _RULES)},
        "resultTypes": ["violations"],
        "selectors": False,
        "preload": False,
    }
    found = _AXE.run(page, context=context, options=options).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"][:3]
    ]


def names(page: Page) -> list[str]:
    """The GUIDs of the rows that are there, in their order."""
    ids: list[str] = page.eval_on_selector_all("#rows > tr", "rows => rows.map(row => row.id)")
    return [one.removeprefix("i=") for one in ids]
