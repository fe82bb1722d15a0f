"""Proxies that make no tunnel to the API, or one that leads elsewhere, and one that works."""

import socket
import threading
from collections.abc import Iterable

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX
from tests.doubles.stubborn_server import proxies, read_head
from tests.faults.connections import resets
from tests.faults.fault import (
    EMPTY,
    FOREIGN_HOST,
    OLD,
    OUR_TOKEN,
    YOUNG,
    Certificate,
    Channel,
    Does,
    Fault,
    Group,
    Serve,
    error,
    http,
)

_TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSES = "the proxy refuses: HTTP"
_NO_ANSWER = "the proxy closed the connection without an answer"
_NOT_HTTP = "the proxy's answer is not HTTP"
_TOO_SLOW = "the proxy gave no whole answer within the connect time-out"
_LIMIT = 0.1  # seconds
_FOR_EVER = 2000
_CUT = 199  # characters of a proxy's words, and an ellipsis


def _fails(
    name: str,
    proxy: Does,
    says: str,
    *,
    attempts: int = ATTEMPTS_MAX,
    connect_timeout: float = 20.0,
) -> Fault:
    return Fault(
        name=name,
        does=(http(YOUNG),),
        proxy=proxy,
        says=says,
        attempts=attempts,
        channels=(Channel.TLS,),
        connect_timeout=connect_timeout,
    )


def _slow(name: str, proxy: Serve, says: str = _TOO_SLOW) -> Fault:
    return _fails(name, proxy, says, attempts=SILENT_MAX, connect_timeout=_LIMIT)


def _works(name: str, verdict: Verdict, *does: bytes) -> Fault:
    return Fault(
        name=f"works, and the API answers {name}",
        does=does,
        proxy=proxies,
        verdict=verdict,
        keeps=True,
        channels=(Channel.TLS,),
    )


def _drips(start: bytes, rest: Iterable[int]) -> Serve:
    """Answer byte by byte, each long before the time limit: 0.1 s stand for the time-out."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(start)
        pace = threading.Event()
        for byte in rest:
            pace.wait(0.01)
            connection.sendall(bytes([byte]))

    return serve


def _says(*parts: bytes, closes: bool = False) -> Serve:
    """Say one part when CONNECT is there, each other when the client goes on; then wait for it."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        for number, part in enumerate(parts):
            if number and not connection.recv(65536):
                return
            connection.sendall(part)
        while connection.recv(65536) and not closes:
            pass

    return serve


def _resets(connection: socket.socket) -> None:
    read_head(connection)
    resets(b"")(connection)


PROXIES = Group(
    "Proxies",
    "TLS to the API goes through the proxy's tunnel. The time limit for its answer to CONNECT is "
    "the connect time-out, 0.1 seconds here where it is slow, however the answer drips.",
    (
        _works("with a young list", Verdict.HEALTHY, http(YOUNG)),
        _works("with an old list", Verdict.STALE, http(OLD)),
        _works("with an empty list", Verdict.NEVER_BACKED_UP, http(EMPTY)),
        _works(
            "404 CF-ResourceNotFound",
            Verdict.NOT_FOUND,
            http(error(10010, "CF-ResourceNotFound"), 404),
        ),
        _works("403", Verdict.UNKNOWN, http(b"", 403)),
        _fails("refuses", b"HTTP/1.1 403 Forbidden\r\n\r\n", f'{_REFUSES} 403, "Forbidden"'),
        _fails(
            "wants a password",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            b'Proxy-Authenticate: Basic realm="proxy"\r\n\r\n',
            f'{_REFUSES} 407, "Proxy Authentication Required"',
        ),
        _fails(
            "cannot reach the API", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", f'{_REFUSES} 502, "Bad'
        ),
        _fails(
            "redirects to a foreign host",
            b"HTTP/1.1 302 Found\r\nLocation: " + FOREIGN_HOST + b"/\r\n\r\n",
            f'{_REFUSES} 302, "Found"',
        ),
        _fails("refuses without words", b"HTTP/1.1 403\r\n\r\n", f"{_REFUSES} 403"),
        _fails("closes without an answer", b"", _NO_ANSWER),
        _fails("resets without an answer", _resets, _NO_ANSWER),
        _slow("says nothing", _says(b"")),
        _slow("a status line that drips", _drips(b"HTTP/1.1 200 ", b"O" * _FOR_EVER)),
        _slow("headers that drip", _drips(b"HTTP/1.1 200 OK\r\nX: ", b"x" * _FOR_EVER)),
        _fails("speaks SSH", b"SSH-2.0-OpenSSH_9.6\r\n", _NOT_HTTP),
        _fails("speaks SMTP", b"220 proxy.example.com ESMTP\r\n", _NOT_HTTP),
        _fails("speaks TLS", b"\x15\x03\x01\x00\x02\x02\x46", _NOT_HTTP),
        _fails("answers with the list, instead of a tunnel", YOUNG, _NOT_HTTP),
        _fails("a status line without end", b"HTTP/1.1 200 " + b"O" * 200_000, _NOT_HTTP),
        _fails("a header without end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, _NOT_HTTP),
        _fails(
            "says what would move a terminal's cursor, clear it, or turn the text around",
            b"HTTP/1.1 403 a\x00\x07\x08\x1b[2J\x9b31m\x7f\xad\xe2\x80\xae.\r\n\r\n",
            f'{_REFUSES} 403, "a [2J 31m \xe2 \xae."',
        ),
        _fails(
            "says 10,000 characters",
            b"HTTP/1.1 403 " + b"F" * 10_000 + b"\r\n\r\n",
            f'{_REFUSES} 403, "{"F" * _CUT}…"',
        ),
        _fails(
            "repeats what it heard of us",
            b"HTTP/1.1 407 Authorization: [" + OUR_TOKEN + b"]\r\n\r\n",
            f'{_REFUSES} 407, "Authorization: []"',
        ),
        _fails(
            "a tunnel that is closed",
            _says(_TUNNEL, closes=True),
            "the connection through the proxy was closed in the handshake",
        ),
        _slow(
            "a tunnel in which nothing comes",
            _says(_TUNNEL),
            "no connection through the proxy within the connect time-out",
        ),
        _fails(
            "a page to log in, instead of the tunnel that it promised",
            _says(_TUNNEL, http(b"<html>")),
            "TLS failed: no handshake through the proxy",
            attempts=1,
        ),
        Fault(
            name="opens TLS, and shows a certificate of its own",
            does=(http(YOUNG), http(EMPTY)),
            proxy=proxies,
            says="TLS failed: certificate verify failed through the proxy: unable to get",
            channels=(Channel.TLS,),
            certificate=Certificate.OTHER_CA,
        ),
    ),
)
