"""A server that answers what a test tells it to, byte by byte if need be."""

import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec


class Raw(msgspec.Struct, frozen=True):
    """Bytes to send as they are; then the connection is closed, or reset."""

    data: bytes
    reset: bool = False


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer with the right length."""

    status: int = 200
    body: bytes = b'{"backups": []}'
    headers: tuple[tuple[str, str], ...] = ()


class Seen(msgspec.Struct, frozen=True):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target of the request."""
        return self.line.split(" ")[1]


Script = Callable[[Seen], Answer | Raw]


class ScriptedServer:
    """`seen` has the requests, in order."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self.seen: list[Seen] = []
        self._script = script
        self._came = threading.Condition()
        self._server = _Server(self, tls)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Seen) -> Answer | Raw:
        """What the script says."""
        with self._came:
            self.seen.append(request)
            self._came.notify_all()
        return self._script(request)

    def wait_for(self, requests: int) -> None:
        """Wait until so many have been read: on a busy machine a client gives up before that."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.seen) >= requests, timeout=30)


@contextlib.contextmanager
def scripted_server(
    script: Script | Sequence[Answer | Raw], tls: ssl.SSLContext | None = None
) -> Iterator[ScriptedServer]:
    """Serve a script, or a list of answers of which the last is given again and again."""
    server = ScriptedServer(script if callable(script) else _one_by_one(script), tls)
    thread = threading.Thread(target=server._server.serve_forever, args=(0.02,))  # noqa: SLF001
    thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()  # noqa: SLF001
        server._server.server_close()  # noqa: SLF001
        thread.join()


def _one_by_one(answers: Sequence[Answer | Raw]) -> Script:
    rest = iter(answers[:-1])
    return lambda _: next(rest, answers[-1])


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, scripted: ScriptedServer, tls: ssl.SSLContext | None) -> None:
        self.scripted = scripted
        self.tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(socketserver.StreamRequestHandler):
    """One request, one answer, one connection."""

    server: _Server

    def setup(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def handle(self) -> None:
        line = self.rfile.readline().decode().strip()
        headers = {}
        while header := self.rfile.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        answer = self.server.scripted.answer(Seen(line, headers, body))
        self.wfile.write(answer.data if isinstance(answer, Raw) else _encoded(answer))
        if isinstance(answer, Raw) and answer.reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()


def _encoded(answer: Answer) -> bytes:
    head = [f"HTTP/1.1 {answer.status} Whatever", f"Content-Length: {len(answer.body)}"]
    head += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + answer.body
