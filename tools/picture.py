"""Draws docs/report.png, the first screen of a page: `make picture`. Needs a Chromium.

Of the page that `make run FLEET=changing DAYS=21` leaves, on a day that is always the same. The
picture holds a fingerprint of what it shows, so that a test can tell whether it is of today's page,
whatever fonts a machine has.
"""

import hashlib
import io
import os
import sys
import tempfile
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, PngImagePlugin
from playwright.sync_api import ViewportSize, sync_playwright

from tools.local_cloud.aws import BUCKET
from tools.local_cloud.local_run import run_locally

PICTURE = Path("docs/report.png")
FLEET, DAYS = "changing", 21
_LAST_DAY = datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
_SCREEN: ViewportSize = {"width": 1280, "height": 900}
_SEEN = (b"<style>", b'<section id="list"')  # the first screen begins and ends between them
_COLOURS = 128  # enough for a page, and a third of the bytes
_FINGERPRINT = "page-sha256"


def the_page() -> bytes:
    """The page that the picture is of, as the last run left it in its bucket."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_locally({}, FLEET, out, lambda *_: nullcontext(), days=DAYS, at=_LAST_DAY)
        [page] = out.glob(f"s3/{BUCKET}/*/reports/dt={_LAST_DAY:%F}/*/report.html")
        return page.read_bytes()


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
        tab.clock.set_fixed_time(_LAST_DAY + timedelta(hours=2, minutes=1))
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
