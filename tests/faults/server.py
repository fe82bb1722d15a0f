"""A Cloud Controller that does what a fault says, and answers properly for the neighbour."""

import contextlib
import functools
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import trustme

from tests.doubles.stubborn_server import listening, read_head
from tests.faults.fault import (
    EMPTY,
    FOREIGN_HOST,
    OLD,
    OUR_TOKEN,
    SAME_HOST,
    Certificate,
    Channel,
    Does,
    Fault,
    http,
)

NEIGHBOUR = "neighbour"
FAULTY = "faulty-"

_AUTHORITY = trustme.CA()
CA = _AUTHORITY.cert_pem.bytes()


class Site(msgspec.Struct):
    """What the server, the foreign host and the proxy saw.

    `heads` are the server's requests, `to_proxy` is all that each connection brought the proxy.
    """

    url: str
    heads: list[bytes]
    to_proxy: list[bytes]
    foreign_connections: int = 0
    proxy_url: str | None = None


class Script(Protocol):
    """What comes for a request, by its head: what is right, or else a part of the fault."""

    def proper(self, head: bytes) -> bytes | None:
        """What comes for all that the fault does not touch; None for what it does."""

    def faulty(self, head: bytes) -> Does:
        """What the fault does."""


class Backups:
    """The script by which the faults are in the answers about the backups of an instance."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def proper(self, head: bytes) -> bytes | None:
        path = target(head)
        if NEIGHBOUR in path:
            return http(OLD)
        if self._fault.of_age and path.endswith("/backups"):
            return http(EMPTY)
        return None

    def faulty(self, head: bytes) -> Does:
        return self._fault.does[int(target(head).split("/")[3].removeprefix(FAULTY))]


@contextlib.contextmanager
def site(fault: Fault, channel: Channel, script: Script | None = None) -> Iterator[Site]:
    """Serve until the block is left; only then are `foreign_connections`, `to_proxy` known."""
    script = script or Backups(fault)
    tls = _context(fault.certificate) if channel is Channel.TLS else None
    there = Site("", [], [])

    def serve(connection: socket.socket) -> None:
        # Else the answer waits for the client's delayed ACK of TLS's session tickets.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if fault.certificate is Certificate.NONE:
            _do(fault.does[0], connection)
            return
        while head := _read_head(connection):
            there.heads.append(head)
            proper = script.proper(head)
            if proper is not None:
                connection.sendall(proper)
                continue
            _do(_filled(script.faulty(head), head), connection)
            if not fault.keeps:
                return

    def _filled(does: Does, head: bytes) -> Does:
        if not isinstance(does, bytes) or not _has_gaps(does):
            return does
        token = head.partition(b"Authorization: ")[2].partition(b"\r\n")[0]
        places = {OUR_TOKEN: token, SAME_HOST: there.url.encode(), FOREIGN_HOST: foreign_url}
        for place, value in places.items():
            does = does.replace(place, value)
        return does

    def serve_proxy(connection: socket.socket) -> None:
        does = fault.proxy or b""
        with _overheard(connection, there.to_proxy) as heard:
            _do(_filled(does, read_head(heard)) if isinstance(does, bytes) else does, heard)

    with (
        listening(_hangs_up) as foreign,
        listening(serve, tls) as server,
        listening(serve_proxy) as proxy,
    ):
        scheme = "http" if channel is Channel.PLAIN else "https"
        foreign_url = f"{scheme}://127.0.0.1:{foreign.port}".encode()
        there.url = f"{scheme}://127.0.0.1:{server.port}"
        there.proxy_url = f"http://127.0.0.1:{proxy.port}" if fault.proxy is not None else None
        yield there
    there.foreign_connections = foreign.connections


@functools.cache  # some are megabytes, and are sent again and again
def _has_gaps(does: bytes) -> bool:
    """Whether something is filled in when it is sent."""
    return any(place in does for place in (OUR_TOKEN, SAME_HOST, FOREIGN_HOST))


class _Overheard(socket.socket):
    """A connection that keeps all that came."""

    came = b""

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        self.came += data
        return data


@contextlib.contextmanager
def _overheard(connection: socket.socket, log: list[bytes]) -> Iterator[_Overheard]:
    timeout = connection.gettimeout()
    with _Overheard(fileno=connection.detach()) as heard:
        heard.settimeout(timeout)
        try:
            yield heard
        finally:
            log.append(heard.came)


def _do(does: Does, connection: socket.socket) -> None:
    if isinstance(does, bytes):
        connection.sendall(does)
    else:
        does(connection)


def _hangs_up(connection: socket.socket) -> None:
    """Whoever comes here was sent to the wrong place."""


def target(head: bytes) -> str:
    """What a request asks for."""
    return head.split(b" ")[1].decode()


def _read_head(connection: socket.socket) -> bytes:
    """A request's head, which is all of it; empty when the client has closed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(65536)
        if not data:
            return b""
        head += data
    return head


@functools.cache
def _context(certificate: Certificate) -> ssl.SSLContext | None:
    if certificate is Certificate.NONE:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is Certificate.SELF_SIGNED:
        lone = trustme.CA()
        with lone.cert_pem.tempfile() as cert, lone.private_key_pem.tempfile() as key:
            context.load_cert_chain(cert, key)
    else:
        _issued(certificate).configure_cert(context)
    return context


def _issued(certificate: Certificate) -> trustme.LeafCert:
    match certificate:
        case Certificate.EXPIRED:
            return _AUTHORITY.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
        case Certificate.NOT_YET_VALID:
            return _AUTHORITY.issue_cert("127.0.0.1", not_before=datetime(2037, 1, 1, tzinfo=UTC))
        case Certificate.OTHER_NAME:
            return _AUTHORITY.issue_cert("api.other.example.com")
        case Certificate.OTHER_CA:
            return trustme.CA().issue_cert("127.0.0.1")
        case _:
            return _AUTHORITY.issue_cert("127.0.0.1")
