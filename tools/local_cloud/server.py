"""The HTTP server below the simulated foundation: keep-alive, TLS if wanted, on loopback."""

import contextlib
import socket
import socketserver
import ssl
import sys
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tools.local_cloud.replies import Reply
from tools.local_cloud.request import Request


class ApiServer(ThreadingHTTPServer):
    """Answers each connection in a thread; `reply` says what, or None to close it."""

    daemon_threads = True
    request_queue_size = 128  # all workers connect at once; a dropped SYN costs a second

    def __init__(
        self, reply: Callable[[Request], Reply | None], tls: ssl.SSLContext | None
    ) -> None:
        self.reply = reply
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_address[1]}"
        if tls:  # each connection shakes hands in its own thread
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name."""
        socketserver.TCPServer.server_bind(self)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Remember the connection while it is open."""
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request_thread(request, client_address)
        self._open.discard(request)

    def server_close(self) -> None:
        """Stop listening, and end the connections that clients keep alive."""
        super().server_close()
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over clients that go away, or that do not trust the certificate."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for a delayed ACK
    wbufsize = -1  # headers and body in one packet
    server: ApiServer

    def do_GET(self) -> None:
        """Answer any request."""
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            url=self.server.url,
            method=self.command,
            target=self.path,
            authorization=self.headers.get("Authorization"),
            body=self.rfile.read(length),
        )
        reply = self.server.reply(request)
        if reply is None:
            self.close_connection = True
        else:
            self._send(reply)

    do_POST = do_GET  # noqa: N815  # the base class calls it so

    def log_message(self, *_: object) -> None:
        """Stay silent: the counters tell what came."""

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("X-VCAP-Request-ID", self._request_id())
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _request_id(self) -> str:
        sent = self.headers.get("X-VCAP-Request-ID")
        ours = str(uuid.uuid4())
        return f"{sent}::{ours}" if sent else ours
