"""Draws docs/report.png, the first screen of a page: `make picture`. Needs a Chromium.

Of a made-up foundation, the one that the tests look at. The picture holds a fingerprint of what it
shows, so that a test can tell whether it is of today's page, whatever fonts a machine has.
"""

import hashlib
import io
import os
import sys
from datetime import timedelta
from pathlib import Path

from PIL import Image, PngImagePlugin
from playwright.sync_api import ViewportSize, sync_playwright

from backup_audit.page.page import page_pieces
from tests.doubles.builders import NOW
from tests.doubles.pages import objects_of, some

PICTURE = Path("docs/report.png")
_SCREEN: ViewportSize = {"width": 1280, "height": 900}
_SEEN = (b"<style>", b'<section id="list"')  # the first screen begins and ends between them
_COLOURS = 128  # enough for a page, and a third of the bytes
_FINGERPRINT = "page-sha256"


def the_page() -> bytes:
    """The page that the picture is of."""
    report = some()
    return b"".join(page_pieces(report, objects_of(report)))


def fingerprint(page: bytes) -> str:
    """The sha256 of what a first screen can show of a page: its style, and all above the list."""
    begin, end = (page.index(mark) for mark in _SEEN)
    return hashlib.sha256(page[begin:end]).hexdigest()


def fingerprint_of(picture: Path) -> str:
    """The fingerprint of the page that a picture is of."""
    with Image.open(picture) as image:
        return str(image.info[_FINGERPRINT])


def drawn(page: bytes, chromium: str) -> bytes:
    """The first screen of a page, two hours after its run, as a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        tab = browser.new_page(viewport=_SCREEN, color_scheme="light")
        tab.clock.set_fixed_time(NOW + timedelta(hours=2, minutes=1))
        tab.route("**/*", lambda route: route.fulfill(body=page, content_type="text/html"))
        tab.goto("https://reports.example/report.html")
        tab.locator("time .ago, time + .ago").first.wait_for()
        shot = tab.screenshot()
        browser.close()
    return shot


def main() -> int:
    """Write the picture; the browser is $CHROMIUM."""
    page = the_page()
    about = PngImagePlugin.PngInfo()
    about.add_text(_FINGERPRINT, fingerprint(page))
    with Image.open(io.BytesIO(drawn(page, os.environ["CHROMIUM"]))) as shot:
        shot.quantize(_COLOURS).save(PICTURE, optimize=True, pnginfo=about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
