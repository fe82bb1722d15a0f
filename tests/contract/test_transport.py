"""The transport: a connection for each thread, one TLS context, one time limit an answer."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import requests
import trustme

from backup_audit.probe.session import new_session
from tests.doubles.scripted_server import Answer, scripted_server
from tests.doubles.stubborn_server import (
    ANSWER,
    Serve,
    closes_on_the_second,
    closes_quietly,
    drips,
    keeps_alive,
    listening,
    proxies,
    read_head,
    refuses_to_proxy,
)

pytestmark = pytest.mark.loopback

AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes().decode()


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session(PEM, connect_timeout=5.0, read_timeout=5.0) as made:
        yield made


def sent(session: requests.Session, url: str) -> requests.Response:
    return session.send(session.prepare_request(requests.Request("GET", url)))


def test_a_thread_keeps_its_connection(session: requests.Session, tls: ssl.SSLContext) -> None:
    with listening(keeps_alive, tls) as server:
        url = f"https://127.0.0.1:{server.port}/"
        answers = [sent(session, url).content for _ in range(5)]
        session.close()

    assert answers == [b'{"backups": []}'] * 5
    assert server.connections == 1


def test_each_thread_has_a_connection_of_its_own(
    session: requests.Session, tls: ssl.SSLContext
) -> None:
    with listening(keeps_alive, tls) as server:
        url = f"https://127.0.0.1:{server.port}/"

        def work() -> None:
            for _ in range(3):
                sent(session, url)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        session.close()

    assert server.connections == 4


@pytest.mark.parametrize("serve", [closes_quietly, closes_on_the_second])
def test_a_kept_connection_that_the_server_closes_is_made_anew(
    session: requests.Session, serve: Serve
) -> None:
    with listening(serve) as server:
        url = f"http://127.0.0.1:{server.port}/"
        answers = [sent(session, url).status_code for _ in range(3)]
        session.close()

    assert answers == [200, 200, 200]
    assert server.connections == 3


def test_what_is_posted_on_such_a_connection_is_not_posted_again(session: requests.Session) -> None:
    with listening(closes_on_the_second) as server:
        url = f"http://127.0.0.1:{server.port}/"
        sent(session, url)
        with pytest.raises(requests.ConnectionError, match="closed without an answer"):
            session.send(session.prepare_request(requests.Request("POST", url)))

    assert server.connections == 1


def test_the_cas_are_read_once_for_all_connections(
    session: requests.Session, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the CAs are read again")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", never)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", never)
    with listening(keeps_alive, tls) as server:
        answer = sent(session, f"https://127.0.0.1:{server.port}/")
        session.close()

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "serve",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x" * 5000),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-Slow: " + b"x" * 5000),
        drips(b"", b"HTTP/1.1 200 OK" + b" " * 5000),
    ],
    ids=["body", "chunks", "headers", "status"],
)
@pytest.mark.parametrize("secured", [True, False])
def test_an_answer_that_drips_is_cut_when_its_time_is_over(
    serve: Serve, tls: ssl.SSLContext, *, secured: bool
) -> None:
    scheme = "https" if secured else "http"
    with (
        listening(serve, tls if secured else None) as server,
        new_session(PEM, connect_timeout=5.0, read_timeout=0.2) as session,
        pytest.raises(requests.ReadTimeout, match="no whole answer in time"),
    ):
        sent(session, f"{scheme}://127.0.0.1:{server.port}/")


def test_an_answer_in_time_is_not_cut(session: requests.Session) -> None:
    with listening(drips(ANSWER[:-2], ANSWER[-2:])) as server:
        answer = sent(session, f"http://127.0.0.1:{server.port}/")

    assert answer.content == b'{"backups": []}'


def test_the_watchdog_ends_with_its_session() -> None:
    with scripted_server([Answer()]) as server:
        session = new_session(None, connect_timeout=5.0, read_timeout=5.0)
        sent(session, server.url)
        assert [thread for thread in threading.enumerate() if thread.name == "watchdog"]
        session.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_cookies_are_not_kept(session: requests.Session) -> None:
    with scripted_server([Answer(200, b"{}", (("Set-Cookie", "canary=1"),))]) as server:
        sent(session, server.url)
        sent(session, server.url)

    assert not session.cookies
    assert "cookie" not in server.seen[1].headers


def test_a_proxy_tunnels_tls_to_the_api(tls: ssl.SSLContext) -> None:
    with (
        listening(keeps_alive, tls) as server,
        listening(proxies) as proxy,
        new_session(
            PEM,
            connect_timeout=5.0,
            read_timeout=5.0,
            proxy=f"http://127.0.0.1:{proxy.port}",
        ) as session,
    ):
        answers = [sent(session, f"https://127.0.0.1:{server.port}/").status_code for _ in range(2)]

    assert answers == [200, 200]
    assert (proxy.connections, server.connections) == (1, 1)


def test_a_proxy_proves_nothing_about_the_api(tls: ssl.SSLContext) -> None:
    with (
        listening(keeps_alive, tls) as server,
        listening(proxies) as proxy,
        new_session(
            trustme.CA().cert_pem.bytes().decode(),
            connect_timeout=5.0,
            read_timeout=5.0,
            proxy=f"http://127.0.0.1:{proxy.port}",
        ) as session,
        pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"),
    ):
        sent(session, f"https://127.0.0.1:{server.port}/")


def test_a_proxy_that_refuses_is_named() -> None:
    with (
        listening(refuses_to_proxy) as proxy,
        new_session(
            PEM, connect_timeout=5.0, read_timeout=5.0, proxy=f"http://127.0.0.1:{proxy.port}"
        ) as session,
        pytest.raises(requests.ConnectionError, match=r"the proxy refuses: .* 407"),
    ):
        sent(session, "https://127.0.0.1:9/")


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
    with (
        listening(serve) as proxy,
        new_session(
            PEM, connect_timeout=0.2, read_timeout=5.0, proxy=f"http://127.0.0.1:{proxy.port}"
        ) as session,
        pytest.raises(requests.ConnectTimeout, match="the proxy gave no whole answer"),
    ):
        sent(session, "https://127.0.0.1:9/")


def test_headers_without_end_of_a_proxy_come_to_an_end() -> None:
    def floods(connection: socket.socket) -> None:
        read_head(connection)
        connection.settimeout(0.3)  # TCP does not tell a sender that it was cut off
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X: y\r\n" * 1000)

    with (
        listening(floods) as proxy,
        new_session(
            PEM, connect_timeout=0.2, read_timeout=5.0, proxy=f"http://127.0.0.1:{proxy.port}"
        ) as session,
        pytest.raises(requests.exceptions.ProxyError),  # by their number, or by the time-out
    ):
        sent(session, "https://127.0.0.1:9/")


def test_a_proxy_that_is_not_there_is_named() -> None:
    with listening(proxies) as gone:
        pass
    with (
        new_session(
            PEM, connect_timeout=5.0, read_timeout=5.0, proxy=f"http://127.0.0.1:{gone.port}"
        ) as session,
        pytest.raises(requests.exceptions.ProxyError, match="the proxy is not there"),
    ):
        sent(session, "https://127.0.0.1:9/")


def test_a_proxy_that_nobody_knows_is_named() -> None:
    with (
        new_session(
            PEM, connect_timeout=5.0, read_timeout=5.0, proxy="http://proxy.invalid:3128"
        ) as session,
        pytest.raises(requests.exceptions.ProxyError, match="the proxy's host name is not known"),
    ):
        sent(session, "https://127.0.0.1:9/")


def test_a_proxy_that_takes_no_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", too_late)
    with (
        new_session(
            PEM, connect_timeout=5.0, read_timeout=5.0, proxy="http://127.0.0.1:9"
        ) as session,
        pytest.raises(requests.ConnectTimeout, match="the proxy took no connection"),
    ):
        sent(session, "https://127.0.0.1:9/")


@pytest.mark.parametrize(("address", "port"), [("http://p", 80), ("http://p:3128", 3128)])
def test_a_proxy_without_a_port_is_at_that_of_http(
    monkeypatch: pytest.MonkeyPatch, address: str, port: int
) -> None:
    tried = []

    def refuses(address: tuple[str, int], *_: object, **__: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuses)
    with (
        new_session(PEM, connect_timeout=5.0, read_timeout=5.0, proxy=address) as session,
        pytest.raises(requests.exceptions.ProxyError),
    ):
        sent(session, "https://127.0.0.1:9/")

    assert tried == [("p", port)]


def test_a_host_that_cannot_be_asked_of_a_proxy_is_said() -> None:
    with (
        listening(refuses_to_proxy) as proxy,
        new_session(
            PEM, connect_timeout=5.0, read_timeout=5.0, proxy=f"http://127.0.0.1:{proxy.port}"
        ) as session,
    ):
        request = session.prepare_request(requests.Request("GET", "https://127.0.0.1/"))
        request.url = "https://\xe4/"
        with pytest.raises(requests.ConnectionError, match="the proxy"):
            session.send(request)


def test_a_host_that_nobody_knows_is_said(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match="the host name is not known"):
        sent(session, "https://api.invalid/")
