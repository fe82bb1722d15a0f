"""One session for all threads: kept connections, one TLS context, one time limit an answer."""

import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backup_audit.judge.evidence import Cause, Silence
from backup_audit.probe.http import HttpClient, NoReply
from tests.doubles.http_client import THREADS, at, client, got, silence, tls_of_a_server
from tests.doubles.scripted_server import Answer, scripted_server
from tests.doubles.stubborn_server import (
    ANSWER,
    Serve,
    closes_on_the_second,
    closes_quietly,
    drips,
    keeps_alive,
    listening,
    read_head,
)

pytestmark = pytest.mark.loopback

TOO_SLOW = Silence(Cause.TIMEOUT, "no whole answer in time")
LARGE = b" " * (64 * 1024)
BUFFER = 8192  # bytes that Python reads of a connection at a time


@pytest.fixture
def tls() -> ssl.SSLContext:
    return tls_of_a_server()


@pytest.fixture(name="http")
def _http() -> Iterator[HttpClient]:
    with client() as made:
        yield made


def test_a_thread_keeps_its_connection(tls: ssl.SSLContext) -> None:
    with listening(keeps_alive, tls) as server, client() as http:
        answers = [got(http, at(server.port, "https")) for _ in range(5)]

    assert answers == [b'{"backups": []}'] * 5
    assert server.connections == 1


def test_at_most_as_many_connections_are_made_as_there_are_threads(tls: ssl.SSLContext) -> None:
    together = threading.Barrier(THREADS)

    def answers_all_together(connection: socket.socket) -> None:
        while read_head(connection):
            together.wait(timeout=30)
            connection.sendall(ANSWER)

    with (
        listening(answers_all_together, tls) as server,
        client() as http,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        urls = [at(server.port, "https")] * (3 * THREADS)
        assert list(pool.map(lambda url: got(http, url), urls)) == [b'{"backups": []}'] * len(urls)

    assert server.connections == THREADS


def test_what_one_thread_kept_another_uses() -> None:
    with listening(keeps_alive) as server, client() as http:
        for _ in range(3):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(got, http, at(server.port)).result()

    assert server.connections == 1


@pytest.mark.parametrize("serve", [closes_quietly, closes_on_the_second])
def test_a_kept_connection_that_the_server_closes_is_made_anew(serve: Serve) -> None:
    with listening(serve) as server, client() as http:
        answers = [got(http, at(server.port)) for _ in range(3)]

    assert answers == [b'{"backups": []}'] * 3
    assert server.connections == 3


def test_a_new_connection_that_the_server_closes_is_not_made_again(http: HttpClient) -> None:
    def closes_without_an_answer(connection: socket.socket) -> None:
        read_head(connection)

    with listening(closes_without_an_answer) as server:
        told = silence(http, at(server.port))

    assert told == Silence(Cause.CONNECTION, "the connection was closed without an answer")
    assert server.connections == 1


def test_what_is_posted_on_such_a_connection_is_not_posted_again(http: HttpClient) -> None:
    with listening(closes_on_the_second) as server:
        got(http, at(server.port))
        with (
            pytest.raises(NoReply, match="closed without an answer"),
            http.post(at(server.port), {"a": "b"}),
        ):
            pass

    assert server.connections == 1


@pytest.mark.parametrize("size", [1000, BUFFER - 1, BUFFER, BUFFER + 1, 12_000])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("secured", [False, True])
def test_an_answer_left_over_on_a_kept_connection_is_not_the_next_requests(
    tls: ssl.SSLContext, size: int, *, apart: bool, secured: bool
) -> None:
    """Whether it was read with the answer, came out of TLS with it, or is yet to be read."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %5d\r\n\r\n"
    body = b" " * (size - len(head % 0))
    left_over = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    is_there = threading.Event()
    asked = itertools.count()

    def answers_twice(connection: socket.socket) -> None:
        while read_head(connection):
            first = next(asked) == 0
            data = head % len(body) + body
            parts = [data, left_over] if apart else [data + left_over]
            for part in parts if first else [ANSWER]:
                connection.sendall(part)
            is_there.set()

    scheme = "https" if secured else "http"
    with listening(answers_twice, tls if secured else None) as server, client() as http:
        got(http, at(server.port, scheme))
        is_there.wait(timeout=30)

        assert got(http, at(server.port, scheme)) == b'{"backups": []}'


@pytest.mark.parametrize("fails", [False, True])
def test_no_connection_outlives_its_session(*, fails: bool) -> None:
    """A server that closes leads to an error, which keeps references to pools in a cycle."""
    serve = closes_on_the_second if fails else keeps_alive
    gone = threading.Event()

    def tells_the_end(connection: socket.socket) -> None:
        serve(connection)
        if server.connections == 1 + fails:
            gone.set()

    with listening(tells_the_end) as server:
        with client() as http:
            for _ in range(2):
                got(http, at(server.port))
        assert gone.wait(timeout=10)


def test_the_cas_are_read_once_for_all_connections(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the CAs are read again")

    with client():
        pass
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", never)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", never)
    with listening(keeps_alive, tls) as server:
        for _ in range(2):  # sessions, as one warm run after the other has
            with client() as http:
                assert got(http, at(server.port, "https")) == b'{"backups": []}'


@pytest.mark.parametrize(
    "serve",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x" * 5000),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 5000),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: " + b"x" * 5000),
        drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 90),
        drips(b"", b"HTTP/1.1 200 OK" + b" " * 5000),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    ],
    ids=["body", "chunks", "chunk's size", "header", "headers", "status", "interim answers"],
)
@pytest.mark.parametrize("secured", [True, False])
def test_an_answer_that_drips_is_cut_when_its_time_is_over(
    serve: Serve, tls: ssl.SSLContext, *, secured: bool
) -> None:
    scheme = "https" if secured else "http"
    with listening(serve, tls if secured else None) as server, client(read_timeout=0.2) as http:
        assert silence(http, at(server.port, scheme)) == TOO_SLOW


def test_a_large_answer_that_drips_is_cut_when_its_time_is_over() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with (
        listening(drips(head + LARGE, b"x" * 5000)) as server,
        client(read_timeout=0.2) as http,
    ):
        assert silence(http, at(server.port)) == TOO_SLOW


def test_an_answer_in_time_is_not_cut(http: HttpClient) -> None:
    with listening(drips(ANSWER[:-2], ANSWER[-2:])) as server:
        assert got(http, at(server.port)) == b'{"backups": []}'


def test_a_connection_that_was_cut_is_not_used_again() -> None:
    asked, over = itertools.count(), threading.Event()

    def stalls_within_the_first(connection: socket.socket) -> None:
        while read_head(connection):
            if next(asked) == 0:
                connection.sendall(ANSWER[:-2])
                over.wait(timeout=30)
            connection.sendall(ANSWER)

    with listening(stalls_within_the_first) as server, client(read_timeout=0.2) as http:
        assert silence(http, at(server.port)) == TOO_SLOW
        over.set()

        assert got(http, at(server.port)) == b'{"backups": []}'
    assert server.connections == 2


def test_a_handshake_that_drips_is_over_with_the_connect_time_out() -> None:
    def drips_a_record(connection: socket.socket) -> None:
        connection.recv(65536)
        pace = threading.Event()
        for byte in b"\x16\x03\x03\x3f\xff" + b"\x02" * 5000:
            pace.wait(0.02)
            connection.sendall(bytes([byte]))

    with listening(drips_a_record) as server, client(connect_timeout=0.2) as http:
        told = silence(http, at(server.port, "https"))

    assert told == Silence(Cause.TIMEOUT, "no connection within the connect time-out")


def test_a_request_that_is_cut_before_there_is_a_connection_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def hanging(*arguments: object, **named: object) -> object:
        hangs.set()
        goes_on.wait(timeout=30)
        return resolve(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    heads = []

    def keeps_heads(connection: socket.socket) -> None:
        heads.append(read_head(connection))

    with listening(keeps_heads) as server, client() as http, ThreadPoolExecutor(1) as pool:
        told = pool.submit(silence, http, at(server.port))
        hangs.wait(timeout=30)
        http.cut_all()
        goes_on.set()

        assert told.result(timeout=30).cause is Cause.TIMEOUT
    assert [head for head in heads if head] == []


def test_after_all_were_cut_nothing_is_sent_any_more() -> None:
    """Neither on a kept connection nor on a new one, by a thread that nobody waits for."""
    with listening(keeps_alive) as kept, listening(keeps_alive) as new, client() as http:
        got(http, at(kept.port))
        http.cut_all()

        assert silence(http, at(kept.port)) == TOO_SLOW
        assert silence(http, at(new.port)).cause is Cause.TIMEOUT

    assert (kept.connections, new.connections) == (1, 0)


def test_large_answers_are_read_two_at_a_time_and_small_ones_beside_them() -> None:
    two, over = threading.Barrier(2), threading.Event()
    lock = threading.Lock()
    held = most = 0

    def answers(connection: socket.socket) -> None:
        while head := read_head(connection):
            body = LARGE if head.startswith(b"GET /large") else b"{}"
            length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(length + body)

    def hold(url: str) -> int:
        nonlocal held, most
        with http.get(url) as reply:
            with lock:
                held += 1
                most = max(most, held)
            two.wait(timeout=30)
            over.wait(timeout=30)
            with lock:
                held -= 1
        return len(reply.body)

    with listening(answers) as server, client() as http, ThreadPoolExecutor(6) as pool:
        large = [pool.submit(hold, f"{at(server.port)}large") for _ in range(6)]
        for _ in range(20):
            assert got(http, at(server.port)) == b"{}"
        over.set()
        sizes = [one.result(timeout=30) for one in large]

    assert sizes == [len(LARGE)] * 6
    assert most == 2


def test_cookies_are_not_kept() -> None:
    with (
        scripted_server([Answer(200, b"{}", (("Set-Cookie", "canary=1"),))]) as server,
        client() as http,
        ThreadPoolExecutor(1) as pool,
    ):
        got(http, server.url)
        got(http, server.url)
        pool.submit(got, http, server.url).result()
        with http.post(server.url, {"a": "b"}):
            pass

    assert len(server.seen) == 4
    assert [seen for seen in server.seen if "cookie" in seen.headers] == []


def test_a_host_that_nobody_knows_is_said(http: HttpClient) -> None:
    told = silence(http, "https://api.invalid/")

    assert told == Silence(Cause.CONNECTION, "the host name is not known")


def test_waiting_for_the_large_answers_of_others_is_not_held_against_an_answer() -> None:
    over = threading.Event()
    holding = threading.Barrier(3)

    def answers(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
            )

    def hold(http: HttpClient, url: str) -> None:
        with http.get(url):
            holding.wait(timeout=30)
            over.wait(timeout=30)

    with (
        listening(answers) as server,
        client(read_timeout=0.1) as http,
        ThreadPoolExecutor(3) as pool,
    ):
        two = [pool.submit(hold, http, at(server.port)) for _ in range(2)]
        holding.wait(timeout=30)
        third = pool.submit(got, http, at(server.port))
        pause = threading.Event()
        for _ in range(6):  # longer than its time would be
            pause.wait(0.05)
            http.cut()
        over.set()

        assert third.result(timeout=30) == LARGE
        for one in two:
            one.result(timeout=30)
