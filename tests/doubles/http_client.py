"""The real HttpClient, with somebody who owns the time beside it, as a run's reader does."""

import contextlib
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from backup_audit.judge.evidence import Silence
from backup_audit.probe.http import HttpClient, NoReply
from backup_audit.probe.session import new_session

AUTHORITY = trustme.CA()
CA = AUTHORITY.cert_pem.bytes()
THREADS = 4


@contextlib.contextmanager
def client(
    *,
    ca: bytes | None = CA,
    connect_timeout: float = 20.0,
    read_timeout: float = 20.0,
    proxy: int | str | None = None,
) -> Iterator[HttpClient]:
    """A client for some threads, whose requests are cut when their time is over."""
    if isinstance(proxy, int):
        proxy = f"http://127.0.0.1:{proxy}"
    over = threading.Event()
    with new_session(ca, size=THREADS) as session:
        http = HttpClient(
            session, connect_timeout=connect_timeout, read_timeout=read_timeout, proxy=proxy
        )

        def look_at_the_clock() -> None:
            while not over.wait(0.02):
                http.cut()

        looks = threading.Thread(target=look_at_the_clock)
        looks.start()
        try:
            yield http
        finally:
            over.set()
            looks.join()


def at(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/"


def got(http: HttpClient, url: str) -> bytes:
    with http.get(url) as reply:
        return reply.body


def silence(http: HttpClient, url: str) -> Silence:
    with pytest.raises(NoReply) as raised, http.get(url):
        pass
    return raised.value.silence


def tls_of_a_server() -> ssl.SSLContext:
    """The context of a server on this machine that the client trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    return context
