"""One browser for all tests, and a fresh profile for each."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from backup_audit.page.page import page_pieces
from tests.browser.visitor import Visitor
from tests.doubles.pages import STATES, objects_of, size

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """$CHROMIUM, or a Chromium that is on the PATH: Playwright brings none here."""
    given = os.environ.get("CHROMIUM")
    path = next(filter(None, map(shutil.which, [given] if given else _NAMES)), None)
    assert path, f"no browser: set CHROMIUM, or install one of {', '.join(_NAMES)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | int], Path]:
    """Draw the page of a state, or of so many problems, and say where it is."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def drawn(state: str | int) -> Path:
        report = size(state) if isinstance(state, int) else STATES[state]()
        path = folder / f"{state}.html"
        path.write_bytes(b"".join(page_pieces(report, objects_of(report))))
        return path

    return drawn


@pytest.fixture
def visitor(browser: Browser, page_file: Callable[[str | int], Path]) -> Iterator[Visitor]:
    """Who opens pages, and holds each of them to log no error and to be refused nothing."""
    visitor = Visitor(browser, page_file)
    yield visitor
    visitor.leave()
    assert visitor.complaints == []
