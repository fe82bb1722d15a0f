"""Servers for what a client seldom meets: kept connections, drips, a proxy. Loopback only."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import msgspec

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"backups": []}'

Serve = Callable[[socket.socket], None]


class Listening(msgspec.Struct):
    """A server; `connections` counts those that were made to it."""

    port: int
    connections: int = 0


@contextlib.contextmanager
def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[Listening]:
    """Give each connection to `serve`, in a thread of its own, until the block is left."""
    server = socket.create_server(("127.0.0.1", 0))
    state = Listening(server.getsockname()[1])
    threads = []

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # clients that leave are part of the tests
            connection.settimeout(30)
            if tls is None:
                serve(connection)
                return
            with tls.wrap_socket(connection, server_side=True) as secured:
                serve(secured)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                state.connections += 1
                threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield state
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join(timeout=30)
        for thread in threads:
            thread.join(timeout=30)


def keeps_alive(connection: socket.socket) -> None:
    """Answer request after request on one connection."""
    while read_head(connection):
        connection.sendall(ANSWER)


def closes_quietly(connection: socket.socket) -> None:
    """Answer once as if the connection were kept, and close it."""
    read_head(connection)
    connection.sendall(ANSWER)


def closes_on_the_second(connection: socket.socket) -> None:
    """Answer once, and close the connection when the next request is there."""
    read_head(connection)
    connection.sendall(ANSWER)
    read_head(connection)


def drips(data: bytes, after: bytes = b"") -> Serve:
    """Send a part at once and the rest one byte at a time, each long before a read time-out."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(data)
        pace = threading.Event()
        for byte in after:
            pace.wait(0.02)
            connection.sendall(bytes([byte]))

    return serve


def proxies(connection: socket.socket, hears: Callable[[bytes], None] = lambda _: None) -> None:
    """Answer CONNECT by tunnelling; `hears` gets its head."""
    head = read_head(connection)
    hears(head)
    host, _, port = head.split(b" ")[1].decode().partition(":")
    with socket.create_connection((host, int(port))) as target:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=_copy, args=(target, connection), daemon=True)
        back.start()
        _copy(connection, target)
        back.join(timeout=30)


def refuses_to_proxy(connection: socket.socket) -> None:
    """Answer CONNECT as a proxy that knows no such client."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")


def read_head(connection: socket.socket) -> bytes:
    """Read up to the blank line; empty when the client has closed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
