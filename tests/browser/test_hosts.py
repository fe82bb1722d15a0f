"""The page as others hand it out: with policies of their own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor, names
from tests.doubles.pages import STATES

pytestmark = pytest.mark.loopback

_SANDBOX = "sandbox allow-scripts"
# What Jenkins serves archived files with unless its owner decides otherwise.
_JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';"


@contextmanager
def served(path: Path, policy: str) -> Iterator[str]:
    """A server on this machine that hands out a page with a policy; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/report.html"
        finally:
            server.shutdown()


@pytest.mark.parametrize("state", ["some", "many"])
def test_in_a_sandbox_that_lets_scripts_run_the_list_works(
    visitor: Visitor, page_file: Callable[[str | int], Path], state: str
) -> None:
    wanted = list(STATES[state]().reader().findings())[-1]
    with served(page_file(state), _SANDBOX) as address:
        page = visitor.goes_to(f"{address}#i={wanted.guid}")

        expect(page.locator(f"[id='i={wanted.guid}']")).to_be_focused()
        page.locator("#filter [name=v]").select_option("stale")
        page.locator("th[data-s=age] button").click()
        page.go_back()
        expect(page.locator("[aria-sort]")).to_have_count(0)
        assert page.url.endswith("#v=stale")
        assert names(page)


def test_where_scripts_and_styles_are_refused_all_is_there_to_read(
    visitor: Visitor, page_file: Callable[[str | int], Path]
) -> None:
    findings = list(STATES["some"]().reader().findings())
    with served(page_file("some"), _JENKINS) as address:
        page = visitor.goes_to(address, waits=False)

        assert page.locator("h1").is_visible()
        assert not page.locator("#filter").is_visible()
        assert page.locator("#rows > tr").count() == len(findings)
        fills = page.locator("#verdicts svg [fill]").evaluate_all(
            "all => all.map(one => getComputedStyle(one).fill)"
        )
        assert len(set(fills)) > 3
    refused = ("Content Security Policy", "sandboxed")
    assert all(any(words in one for words in refused) for one in visitor.complaints)
    visitor.complaints.clear()
