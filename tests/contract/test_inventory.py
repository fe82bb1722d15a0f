"""The inventory, over real sockets: what servers do, and what a reading makes of it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from backup_audit.fleet.inventory import Read, Reading, Sees
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.http import BODY_MAX, HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.paging import PagedInventory
from backup_audit.probe.session import new_session
from tests.doubles.builders import NOW
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import FixedToken
from tests.doubles.foundation import page_of, resource
from tests.doubles.scripted_server import Answer, Raw, Seen, scripted_server

pytestmark = pytest.mark.loopback

ONE = Answer(200, page_of([resource("guid-1")]))
NONE = Answer(200, page_of([]))


@contextlib.contextmanager
def inventory(url: str, *tokens: str, read_timeout: float = 20.0) -> Iterator[PagedInventory]:
    time = FakeTime()
    with new_session(None) as session:
        http = HttpClient(session, connect_timeout=20.0, read_timeout=read_timeout)
        token = FixedToken(*tokens or ("bearer one",), sees=Sees.ROLES)
        api = CloudController(url, http, token, clock=lambda: NOW)
        engine = Engine(
            time.watched(api),
            Deadline.after(900.0, time.monotonic),
            workers=4,
            clock=lambda: NOW,
            monotonic=time.monotonic,
            wait=time.wait,
            jitter=lambda: 1.0,
        )
        with contextlib.closing(engine):
            yield PagedInventory(engine)


def scanned(*answers: Answer | Raw, tokens: tuple[str, ...] = ()) -> tuple[Reading, list[Seen]]:
    with scripted_server(answers) as server, inventory(server.url, *tokens) as there:
        return there.scan(()), server.seen


def sizes(seen: list[Seen]) -> list[int]:
    return [int(parse_qs(urlsplit(one.path).query)["per_page"][0]) for one in seen]


def test_a_scan_is_two_requests_with_our_token() -> None:
    reading, seen = scanned(ONE, NONE)

    assert (reading.read, set(reading.rows)) == (Read.COMPLETE, {"guid-1"})
    assert (reading.requests, reading.user_provided, reading.sees) == (2, 0, Sees.ROLES)
    assert [urlsplit(one.path).path for one in seen] == ["/v3/service_instances"] * 2
    assert {one.headers["authorization"] for one in seen} == {"bearer one"}


def test_a_next_page_elsewhere_is_never_asked_for() -> None:
    with scripted_server([ONE]) as elsewhere:
        pagination = {"total_results": 2, "next": {"href": f"{elsewhere.url}/v3/next?page=2"}}
        first = Answer(200, page_of([resource("guid-0")], pagination=pagination))

        reading, seen = scanned(first, ONE, NONE)

        assert elsewhere.seen == []
    assert set(reading.rows) == {"guid-0", "guid-1"}
    assert "created_ats%5Bgte%5D=2024-01-01T00%3A00%3A00Z" in seen[1].path


@pytest.mark.parametrize(
    "too_much",
    [
        Answer(504, b"<html>504 Gateway Time-out</html>"),
        Answer(504, b'{"errors": [{"code": 10001, "title": "CF-HttpClientTimeout"}]}'),
        Answer(200, b" " * (BODY_MAX + 1)),
        Answer(200, b"{"),
        Answer(200, page_of([], total=3)),
    ],
    ids=["504", "504 of the Cloud Controller", "over the cap", "cut", "fewer than it says"],
)
def test_after_a_page_that_is_too_much_a_smaller_one_is_asked_for(too_much: Answer) -> None:
    reading, seen = scanned(too_much, ONE, NONE)

    assert (reading.read, reading.requests) == (Read.COMPLETE, 3)
    assert sizes(seen) == [1000, 500, 1]


@pytest.mark.parametrize(
    "passes",
    [
        Answer(429),
        Answer(502),
        Answer(503, b"API down for maintenance"),
        Answer(404, b"", (("X-Cf-RouterError", "unknown_route"),)),
        Raw(b""),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
    ],
    ids=lambda one: str(getattr(one, "status", one))[:40],
)
def test_a_failure_that_may_pass_is_asked_for_again_as_it_is(passes: Answer | Raw) -> None:
    reading, seen = scanned(passes, ONE, NONE)

    assert (reading.read, reading.requests) == (Read.COMPLETE, 3)
    assert sizes(seen) == [1000, 1000, 1]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(302, b"", (("Location", "https://elsewhere.example.com"),)), "HTTP 302"),
        (Answer(404, b"<html>"), "HTTP 404"),
        (Answer(500), "HTTP 500"),
        (
            Answer(403, b'{"errors": [{"code": 10003, "title": "CF-NotAuthorized"}]}'),
            "HTTP 403 CF-NotAuthorized 10003",
        ),
        (
            Answer(401, b'{"errors": [{"code": 1000, "title": "CF-InvalidAuthToken"}]}'),
            "HTTP 401 CF-InvalidAuthToken 1000",
        ),
        (Answer(414, b"<html>414 Request-URI Too Large</html>"), "HTTP 414"),
    ],
)
def test_a_refusal_is_the_reason_of_a_reading_that_failed(answer: Answer, why: str) -> None:
    reading, seen = scanned(answer)

    assert (reading.read, reading.rows, reading.why) == (Read.FAILED, {}, why)
    assert len(seen) == 1


def test_a_token_that_is_refused_is_renewed() -> None:
    reading, seen = scanned(Answer(401), ONE, NONE, tokens=("bearer one", "bearer two"))

    assert (reading.read, reading.requests) == (Read.COMPLETE, 3)
    assert [one.headers["authorization"][-3:] for one in seen] == ["one", "two", "two"]


def test_a_page_that_repeats_our_token_is_not_read() -> None:
    token = "canary+one/012345=="
    stolen = json.loads(ONE.body)
    stolen["resources"][0]["name"] = token

    reading, _ = scanned(Answer(200, json.dumps(stolen).encode()), tokens=(f"bearer {token}",))

    assert (reading.read, reading.rows) == (Read.FAILED, {})
    assert reading.why == "the answer repeats our token"


def test_a_silent_api_is_asked_for_less_and_given_up_in_time() -> None:
    over = threading.Event()
    halved = [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]

    def silent(_: Seen) -> Raw:
        over.wait(timeout=30)
        return Raw(b"")

    with scripted_server(silent) as server, inventory(server.url, read_timeout=0.05) as there:
        reading = there.scan(())
        over.set()
        server.wait_for(len(halved))

    assert (reading.read, reading.why) == (Read.FAILED, "no whole answer in time")
    assert sizes(server.seen) == halved


def test_many_guids_are_looked_up_in_few_requests() -> None:
    guids = [f"8938f60b-aaaa-4bbb-8ccc-{number:012d}" for number in range(400)]

    def there_are_all(seen: Seen) -> Answer:
        asked = parse_qs(urlsplit(seen.path).query)["guids"][0].split(",")
        return Answer(200, page_of([resource(guid) for guid in asked]))

    with scripted_server(there_are_all) as server, inventory(server.url) as there:
        reading = there.look_up(guids, ())

    assert (reading.read, len(reading.rows), len(server.seen)) == (Read.COMPLETE, 400, 3)
    assert max(len(one.line) for one in server.seen) < 8_192
