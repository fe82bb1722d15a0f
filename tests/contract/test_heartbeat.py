"""The dead man's switch's contract, over the fake and over HTTP."""

import socket
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest

from backup_audit.errors import HeartbeatFailed
from backup_audit.notify.send import Heartbeat, HttpHeartbeat
from backup_audit.probe.authorization import Secret
from tests.doubles.fakes import CountingHeartbeat
from tests.doubles.scripted_server import Answer, Raw, scripted_server
from tests.doubles.stubborn_server import listening

pytestmark = pytest.mark.loopback

KEY = "canary-key"

Breaks = Callable[[], None]
Heard = Callable[[], int]


@pytest.fixture(params=["fake", "http"])
def switch(request: pytest.FixtureRequest) -> Iterator[tuple[Heartbeat, Heard, Breaks]]:
    """A heartbeat, how often it was taken, and what makes the switch take none."""
    if request.param == "fake":
        fake = CountingHeartbeat()
        yield fake, lambda: fake.beats, lambda: setattr(fake, "broken", True)
        return
    broken = threading.Event()
    with scripted_server(lambda _: Answer(500 if broken.is_set() else 200)) as server:
        yield HttpHeartbeat(Secret(server.url), pauses=()), lambda: len(server.seen), broken.set


def test_each_beat_is_taken_once(switch: tuple[Heartbeat, Heard, Breaks]) -> None:
    heartbeat, heard, _ = switch

    heartbeat.beat()
    heartbeat.beat()

    assert heard() == 2


def test_a_beat_that_is_not_taken_is_an_error_that_says_why(
    switch: tuple[Heartbeat, Heard, Breaks],
) -> None:
    heartbeat, _, breaks = switch
    breaks()

    with pytest.raises(HeartbeatFailed, match="the answer was HTTP 500"):
        heartbeat.beat()


@pytest.mark.parametrize(
    "failures",
    [
        [Answer(503)],
        [Answer(503), Answer(503)],
        [Answer(500), Answer(429)],
        [Raw(b"", reset=True), Answer(502)],
        [Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")],
    ],
)
def test_a_failure_that_passes_loses_no_beat(failures: list[Answer | Raw]) -> None:
    with scripted_server([*failures, Answer()]) as server:
        HttpHeartbeat(Secret(server.url), pauses=(0.0, 0.0)).beat()

    assert len(server.seen) == len(failures) + 1


def test_it_is_tried_as_often_as_there_are_pauses_and_once_more() -> None:
    with scripted_server([Answer(503)] * 4) as server:
        heartbeat = HttpHeartbeat(Secret(server.url), pauses=(0.0, 0.0))
        with pytest.raises(HeartbeatFailed, match="the answer was HTTP 503"):
            heartbeat.beat()

    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    with scripted_server([Answer(status), Answer()]) as server:
        heartbeat = HttpHeartbeat(Secret(server.url), pauses=(0.0, 0.0))
        with pytest.raises(HeartbeatFailed, match=f"the answer was HTTP {status}"):
            heartbeat.beat()

    assert len(server.seen) == 1


def test_all_attempts_have_the_time_of_one_together() -> None:
    with scripted_server([Answer(503), Answer()]) as server:
        heartbeat = HttpHeartbeat(Secret(server.url), within=0.2, pauses=(60.0,))
        with pytest.raises(HeartbeatFailed, match=r"HTTP 503|no whole answer in time"):
            heartbeat.beat()

    assert len(server.seen) <= 1


@pytest.mark.parametrize("path", ["/canary-key", "/canary-key/", "/push?key=canary-key&status=up"])
def test_the_address_is_asked_as_it_stands_and_told_nothing_else(path: str) -> None:
    with scripted_server([Answer(body=b"OK")]) as server:
        HttpHeartbeat(Secret(server.url + path)).beat()

    [seen] = server.seen
    assert seen.line == f"GET {path} HTTP/1.1"
    assert seen.body == b""
    assert seen.headers.keys() <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
    }


@pytest.mark.parametrize(
    ("status", "taken"),
    [(199, False), (200, True), (204, True), (299, True), (300, False), (404, False), (503, False)],
)
def test_it_is_taken_if_the_answer_says_so(status: int, *, taken: bool) -> None:
    with scripted_server([Answer(status, b"")]) as server:
        assert _failure(server.url) == (None if taken else f"the answer was HTTP {status}")


def test_a_redirect_is_not_followed() -> None:
    with (
        scripted_server([Answer()]) as elsewhere,
        scripted_server([Answer(302, headers=(("Location", elsewhere.url),))]) as server,
    ):
        assert _failure(server.url) == "the answer was HTTP 302"

    assert elsewhere.seen == []


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = Secret(f"http://127.0.0.1:{silent.getsockname()[1]}")

        with pytest.raises(HeartbeatFailed, match="no whole answer in time"):
            HttpHeartbeat(url, within=0.01).beat()


def test_an_answer_that_drips_is_not_waited_for() -> None:
    over = threading.Event()

    def drips(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.01):
            connection.sendall(b"x")

    with listening(drips) as server:
        url = Secret(f"http://127.0.0.1:{server.port}/{KEY}")

        with pytest.raises(HeartbeatFailed, match="no whole answer in time"):
            HttpHeartbeat(url, within=0.1).beat()
        over.set()


def test_nobody_there_is_said_in_words_of_our_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]

    assert _failure(f"http://127.0.0.1:{port}") == ("no connection: refused or unreachable")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "127.0.0.1", "gopher://127.0.0.1"])
def test_an_address_that_cannot_be_asked_is_not_quoted(url: str) -> None:
    assert _failure(url) == "the address cannot be asked for"


@pytest.mark.parametrize("answer", [Raw(b"", reset=True), Raw(b"canary\r\n\r\n"), Answer(500)])
def test_whatever_goes_wrong_the_key_stays_secret(answer: Answer | Raw) -> None:
    with scripted_server([answer]) as server, pytest.raises(HeartbeatFailed) as raised:
        HttpHeartbeat(Secret(f"{server.url}/{KEY}"), pauses=()).beat()

    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_it_goes_through_the_proxy_if_there_is_one() -> None:
    with scripted_server([Answer(403, b"")]) as proxy, pytest.raises(HeartbeatFailed) as raised:
        HttpHeartbeat(Secret(f"https://switch.example.com/{KEY}"), proxy.url, pauses=()).beat()

    assert proxy.seen[0].line.startswith("CONNECT switch.example.com:443 HTTP/1.")
    assert "the proxy refuses" in str(raised.value)
    assert KEY not in str(raised.value)


def _failure(url: str) -> str | None:
    """Why a heartbeat was not taken; None if it was."""
    try:
        HttpHeartbeat(Secret(f"{url}/{KEY}"), pauses=()).beat()
    except HeartbeatFailed as failure:
        return str(failure)
    return None
