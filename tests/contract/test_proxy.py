"""A proxy before the API: it tunnels TLS and proves nothing, and what it does wrong is named."""

import base64
import socket
import ssl

import pytest
import trustme

from backup_audit.judge.evidence import Cause, Silence
from tests.doubles.http_client import at, client, got, silence, tls_of_a_server
from tests.doubles.stubborn_server import (
    Serve,
    drips,
    keeps_alive,
    listening,
    proxies,
    read_head,
    refuses_to_proxy,
)

pytestmark = pytest.mark.loopback

NOWHERE = "https://127.0.0.1:9/"


@pytest.fixture
def tls() -> ssl.SSLContext:
    return tls_of_a_server()


def test_a_proxy_tunnels_tls_to_the_api(tls: ssl.SSLContext) -> None:
    with (
        listening(keeps_alive, tls) as server,
        listening(proxies) as proxy,
        client(proxy=proxy.port) as http,
    ):
        answers = [got(http, at(server.port, "https")) for _ in range(2)]

    assert answers == [b'{"backups": []}'] * 2
    assert (proxy.connections, server.connections) == (1, 1)


def test_a_proxy_proves_nothing_about_the_api(tls: ssl.SSLContext) -> None:
    another = trustme.CA().cert_pem.bytes()
    with (
        listening(keeps_alive, tls) as server,
        listening(proxies) as proxy,
        client(ca=another, proxy=proxy.port) as http,
    ):
        told = silence(http, at(server.port, "https"))

    assert told.cause is Cause.CONNECTION
    assert told.detail.startswith("TLS failed: certificate verify failed through the proxy: ")
    assert not told.by_proxy


def test_user_and_password_are_sent_to_the_proxy_only(tls: ssl.SSLContext) -> None:
    heard: dict[str, list[bytes]] = {"proxy": [], "api": []}

    def api(connection: socket.socket) -> None:
        while head := read_head(connection):
            heard["api"].append(head)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def proxy_with_a_door(connection: socket.socket) -> None:
        proxies(connection, heard["proxy"].append)

    with (
        listening(api, tls) as server,
        listening(proxy_with_a_door) as proxy,
        client(proxy=f"http://audit:p%40ss-canary@127.0.0.1:{proxy.port}") as http,
        http.get(at(server.port, "https"), "bearer one"),
    ):
        pass

    [connect], [request] = heard["proxy"], heard["api"]
    known = b"Proxy-Authorization: Basic " + base64.b64encode(b"audit:p@ss-canary")
    assert known in connect.splitlines()
    assert b"Proxy-Authorization" not in request
    assert b"Authorization: bearer one" in request.splitlines()
    assert b"bearer" not in connect


@pytest.mark.parametrize("serve", [refuses_to_proxy, drips(b"nonsense\r\n\r\n"), drips(b"")])
def test_a_proxys_password_is_not_told(serve: Serve) -> None:
    with (
        listening(serve) as proxy,
        client(proxy=f"http://audit:canary@127.0.0.1:{proxy.port}") as http,
    ):
        told = silence(http, NOWHERE)

    assert told.by_proxy
    assert "canary" not in told.detail


def test_a_proxy_that_refuses_is_named() -> None:
    with listening(refuses_to_proxy) as proxy, client(proxy=proxy.port) as http:
        told = silence(http, NOWHERE)

    assert told.detail.startswith("the proxy refuses: HTTP 407")
    assert told.by_proxy


@pytest.mark.parametrize(
    "serve",
    [
        drips(b"HTTP/1.1 200 ", b"O" * 5000),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: y\r\n" * 500),
        drips(b"", b"HTTP/1.1 403 " + b"F" * 5000),
    ],
    ids=["status", "headers", "refusal"],
)
def test_a_proxy_that_drips_is_cut_when_its_time_is_over(serve: Serve) -> None:
    with listening(serve) as proxy, client(connect_timeout=0.1, proxy=proxy.port) as http:
        told = silence(http, NOWHERE)

    assert told == Silence(
        Cause.TIMEOUT, "the proxy gave no whole answer within the connect time-out", by_proxy=True
    )


def test_headers_without_end_of_a_proxy_come_to_an_end() -> None:
    def floods(connection: socket.socket) -> None:
        read_head(connection)
        connection.settimeout(0.3)  # TCP does not tell a sender that it was cut off
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X: y\r\n" * 1000)

    with listening(floods) as proxy, client(connect_timeout=0.2, proxy=proxy.port) as http:
        told = silence(http, NOWHERE)

    assert told.by_proxy  # by their number, or by the time-out


def test_a_proxy_that_is_not_there_is_named() -> None:
    with listening(proxies) as gone:
        pass
    with client(proxy=gone.port) as http:
        told = silence(http, NOWHERE)

    assert told.detail.startswith("the proxy is not there")
    assert told.by_proxy


def test_a_proxy_that_nobody_knows_is_named() -> None:
    with client(proxy="http://proxy.invalid:3128") as http:
        told = silence(http, NOWHERE)

    assert told == Silence(Cause.CONNECTION, "the proxy's host name is not known", by_proxy=True)


def test_a_proxy_that_takes_no_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", too_late)
    with client(proxy="http://127.0.0.1:9") as http:
        told = silence(http, NOWHERE)

    assert told.detail.startswith("the proxy took no connection")
    assert (told.cause, told.by_proxy) == (Cause.TIMEOUT, True)


@pytest.mark.parametrize(("address", "port"), [("http://p", 80), ("http://p:3128", 3128)])
def test_a_proxy_without_a_port_is_at_that_of_http(
    monkeypatch: pytest.MonkeyPatch, address: str, port: int
) -> None:
    tried = []

    def refuses(address: tuple[str, int], *_: object, **__: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuses)
    with client(proxy=address) as http:
        silence(http, NOWHERE)

    assert tried == [("p", port)]


def test_a_host_that_cannot_be_asked_of_a_proxy_is_said() -> None:
    with listening(refuses_to_proxy) as proxy, client(proxy=proxy.port) as http:
        told = silence(http, "https://\xe4/")

    assert told.cause is Cause.CONNECTION
