"""Connections that break, and servers that take too long."""

import socket
import struct
import threading
from collections.abc import Iterable

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX
from tests.faults.fault import EMPTY, TEMPTING, YOUNG, Fault, Group, Serve, http

_NO_ANSWER = "the connection was closed without an answer"
_BROKE = "the connection broke within the answer"
_TOO_SLOW = "no whole answer in time"


def resets(data: bytes, *, later: bool = False) -> Serve:
    """Reset the connection after so much of an answer; `later`: when another request is there."""

    def serve(connection: socket.socket) -> None:
        if data:
            connection.sendall(data)
        if later and not connection.recv(65536):
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return serve


def at_first(first: bytes, then: bytes) -> Serve:
    """Answer the first request that a server gets with one, all later ones with the other."""
    seen: set[int] = set()

    def serve(connection: socket.socket) -> None:
        port = connection.getsockname()[1]
        connection.sendall(then if port in seen else first)
        seen.add(port)

    return serve


def in_turn(first: bytes, then: bytes) -> Serve:
    """Answer at once with the first, and with the other when the next request is there."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        if connection.recv(65536):
            connection.sendall(then)

    return serve


def _broken(name: str, *does: Serve | bytes, says: str) -> Fault:
    return Fault(name=name, does=does, says=says, attempts=ATTEMPTS_MAX)


CONNECTIONS = Group(
    "Connections that break",
    "",
    (
        _broken("closed before the answer", b"", says=_NO_ANSWER),
        _broken("reset before the answer", resets(b""), says=_NO_ANSWER),
        _broken(
            "reset within the headers",
            resets(http(YOUNG)[:30]),
            resets(http(EMPTY, 422)[:40]),
            says="the connection",  # TLS cannot tell a reset from an end here
        ),
        _broken(
            "closed after the headers",
            *(http(body)[: -len(body)] for body in TEMPTING),
            says=_BROKE,
        ),
        _broken(
            "reset after the headers",
            *(resets(http(body)[: -len(body)]) for body in TEMPTING),
            says=_BROKE,
        ),
        _broken("closed within the body", *(http(body)[:-1] for body in TEMPTING), says=_BROKE),
        _broken(
            "reset within the body",
            *(resets(http(body)[:-1]) for body in TEMPTING),
            says=_BROKE,
        ),
        Fault(
            name="closed after the answer, though it was to be kept",
            does=(http(YOUNG),),
            verdict=Verdict.HEALTHY,
        ),
        Fault(
            name="reset after the answer, when the next request is there",
            does=(resets(http(YOUNG), later=True),),
            verdict=Verdict.HEALTHY,
        ),
    ),
)


def _drips(start: bytes, rest: Iterable[bytes]) -> Serve:
    """Send the rest bit by bit, each long before the time limit: 0.1 s stand for a minute."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        pace = threading.Event()
        for bit in rest:
            pace.wait(0.01)
            connection.sendall(bit)

    return serve


def floods(start: bytes, rest: bytes) -> Serve:
    """Send the rest again and again, as fast as it is taken."""

    def serve(connection: socket.socket) -> None:
        connection.settimeout(0.3)  # TCP does not tell a sender that it was cut off
        connection.sendall(start)
        for _ in range(100_000):
            connection.sendall(rest)

    return serve


def _silent(start: bytes) -> Serve:
    """Send the start and then nothing, until the client gives up."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        while connection.recv(65536):
            pass

    return serve


def _bytes(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


def _slow(name: str, *does: Serve) -> Fault:
    return Fault(name=name, does=does, says=_TOO_SLOW, attempts=SILENT_MAX, read_timeout=_LIMIT)


_LIMIT = 0.1  # seconds
_FOR_EVER = 2000
_CHUNKED = http(b"", 200, "Transfer-Encoding: chunked", length=None)

SLOWNESS = Group(
    "Answers that take too long",
    "The time limit holds for a whole answer, not for each read. In the tests it is 0.1 seconds, "
    "and a byte drips every 0.01: at the default of 65 seconds that would be one every 6.5.",
    (
        _slow("no answer at all", _silent(b"")),
        _slow("silence after the status line", _silent(b"HTTP/1.1 200 OK\r\n")),
        _slow("silence after the headers", _silent(http(YOUNG)[: -len(YOUNG)])),
        _slow("silence within the body", _silent(http(YOUNG)[:-1]), _silent(http(EMPTY)[:-1])),
        _slow("silence after 100 Continue", _silent(http(b"", 100, length=None))),
        _slow("a whole list, and no end of the connection", _silent(http(YOUNG, length=None))),
        _slow("a status line that drips", _drips(b"HTTP/1.1 200 ", _bytes(b"O" * _FOR_EVER))),
        _slow("headers that drip", _drips(b"HTTP/1.1 200 OK\r\nX: ", _bytes(b"x" * _FOR_EVER))),
        _slow("a body that drips", _drips(http(b"", length=_FOR_EVER), _bytes(b" " * _FOR_EVER))),
        _slow("chunks that drip", _drips(_CHUNKED, _bytes(b"1\r\n \r\n" * _FOR_EVER))),
        _slow("a trailer that drips", _drips(_CHUNKED + b"0\r\n", _bytes(b"X: y\r\n" * _FOR_EVER))),
        _slow(
            "100 Continue again and again", _drips(b"", [http(b"", 100, length=None)] * _FOR_EVER)
        ),
        _slow("100 Continue without end", floods(b"", http(b"", 100, length=None) * 100)),
        _slow("chunks of a byte without end", floods(_CHUNKED, b"1\r\n \r\n" * 1000)),
        Fault(
            name="a body without end",
            does=(floods(http(b"", length=None), b" " * 65536),),
            says="the answer is larger than",
        ),
    ),
)
