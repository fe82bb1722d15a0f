"""requests' transport as the engine needs it: one connection a thread, one time limit an answer.

Session and PreparedRequest stay requests'; connections, TLS and unpacking are urllib3's.
What is left out is the pool between them: each worker keeps its own connection, which halves the
CPU time of a request (docs/benchmark.md). What it raises are requests' exceptions.
"""

import http.client
import logging
import ssl
import threading
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.response import BaseHTTPResponse

from backup_audit.probe.tunnel import TunnelledConnection
from backup_audit.probe.watchdog import Watchdog

# It quotes the headers that it cannot parse, and with them what a server repeats of ours.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

_TOO_SLOW = "no whole answer in time"
# What http.client lets through: a chunk's size of -5, and whatever the parser of e-mails that it
# reads headers with makes of a parameter of Content-Type that is none.
_LET_THROUGH = (ArithmeticError, LookupError, TypeError, ValueError)
_BROKEN = "the connection broke within the answer"


class BodyTooLarge(requests.RequestException):
    """The answer is larger than the cap; it was not read to its end."""


class WorkerTransport(BaseAdapter):
    """Sends a thread's requests over that thread's own connection.

    Times are seconds: `connect_timeout` to connect (a proxy's answer and TLS have as much again,
    each), `answer_timeout` from the request to the end of the answer's body, however slowly that
    drips. `body_max` is bytes, unpacked. `proxy` is an http:// address, through which TLS is
    tunnelled.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        connect_timeout: float,
        answer_timeout: float,
        body_max: int,
        proxy: str | None = None,
    ) -> None:
        super().__init__()
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._body_max = body_max
        self._proxy = urlsplit(proxy) if proxy else None
        self._own = threading.local()
        self._lock = threading.Lock()
        self._all: list[HTTPConnection] = []
        self._watchdog = Watchdog()

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        """Send a request and read the answer to its end; raise RequestException."""
        url = urlsplit(request.url or "")
        connection = self._connection(url)
        kept = connection.is_connected and not _has_rest(connection)
        try:
            return self._send(connection, request, url, connect=not kept)
        except requests.ConnectionError:
            if not kept or request.method != "GET":
                raise
        # A server may close a kept connection at any time, also while a request is on its way.
        return self._send(connection, request, url, connect=True)

    def _send(
        self,
        connection: HTTPConnection,
        request: requests.PreparedRequest,
        url: SplitResult,
        *,
        connect: bool,
    ) -> requests.Response:
        try:
            if connect:
                self._connect(connection, url)
            answer, body = self._exchange(connection, request, url)
        except BaseException:
            connection.close()  # nobody knows what of an answer is still to come on it
            raise
        if answer.status < 200:
            connection.close()  # the answer itself is still to come: not for the next request
        return _response(request, answer, body)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._watchdog.stop()
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _connection(self, url: SplitResult) -> HTTPConnection:
        """The thread's connection to a host: there are two hosts, the API and UAA."""
        mine: dict[str, HTTPConnection] = self._own.__dict__
        connection = mine.get(url.netloc)
        if connection is None:
            connection = mine[url.netloc] = self._new_connection(url)
            with self._lock:
                self._all.append(connection)
        return connection

    def _new_connection(self, url: SplitResult) -> HTTPConnection:
        host, port = url.hostname or "", url.port
        if url.scheme != "https":
            return HTTPConnection(host, port)
        if self._proxy:
            return TunnelledConnection(
                self._proxy.hostname or "",
                self._proxy.port or 80,
                tls=self._tls,
                watchdog=self._watchdog,
                answer_timeout=self._connect_timeout,
            )
        return HTTPSConnection(host, port, ssl_context=self._tls)

    def _connect(self, connection: HTTPConnection, url: SplitResult) -> None:
        connection.close()  # what the server has closed meanwhile
        connection.timeout = self._connect_timeout
        through = ""
        if isinstance(connection, TunnelledConnection):
            connection.set_tunnel(url.hostname or "", url.port or 443)
            through = " through the proxy"
        try:
            connection.connect()
        except requests.RequestException:  # the proxy's doing, and said so
            raise
        except (HTTPError, OSError, *_LET_THROUGH) as error:
            raise _not_connected(error, through) from error
        connection.timeout = self._answer_timeout

    def _exchange(
        self, connection: HTTPConnection, request: requests.PreparedRequest, url: SplitResult
    ) -> tuple[BaseHTTPResponse, bytes]:
        target = f"{url.path}?{url.query}" if url.query else url.path or "/"
        with self._watchdog.watching(connection.sock, self._answer_timeout) as watch:
            try:
                connection.request(
                    request.method or "GET",
                    target,
                    body=request.body,
                    headers=request.headers,
                    preload_content=False,
                )
                answer = connection.getresponse()
                body = answer.read(self._body_max + 1, decode_content=True)
            except DecodeError as error:
                raise requests.exceptions.ContentDecodingError("not what it says") from error
            except (HTTPError, http.client.HTTPException, OSError, *_LET_THROUGH) as error:
                if watch.over or isinstance(error, (TimeoutError, ReadTimeoutError)):
                    raise requests.ReadTimeout(_TOO_SLOW) from error
                raise requests.ConnectionError(_broken_reason(error)) from error
        if watch.over:  # http.client takes an end within the headers for the end of the answer
            raise requests.ReadTimeout(_TOO_SLOW)
        if not body and answer.length_remaining is None and not answer.chunked:
            # Nor does it say when the headers were cut, or a length among them.
            raise requests.ConnectionError(_BROKEN)
        if len(body) > self._body_max:
            raise BodyTooLarge(f"the answer is larger than {self._body_max} bytes")
        return answer, body


def _has_rest(connection: HTTPConnection) -> bool:
    """Whether more came than the last answer, out of TLS already, where no select shows it."""
    return isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending() > 0


def _response(
    request: requests.PreparedRequest, answer: BaseHTTPResponse, body: bytes
) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = answer.headers  # type: ignore[assignment]  # as case-insensitive as theirs
    response.url = request.url or ""
    response.request = request
    # Read already: the cap and the time limit are ours. So there is no `raw`, nor a jar of cookies.
    response._content = body  # noqa: SLF001
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def _not_connected(error: Exception, through: str) -> requests.RequestException:
    match error:
        case NewConnectionError() | ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            # urllib3 and ssl count them among the next. Python says one or the other of a server
            # that closes in the handshake, by its release.
            return requests.ConnectionError(_connect_reason(error, through))
        case ConnectTimeoutError() | TimeoutError():
            return requests.ConnectTimeout(f"no connection{through} within the connect time-out")
        case ssl.SSLCertVerificationError():  # such as "certificate has expired"
            reason = f"certificate verify failed{through}: {error.verify_message}"
            return requests.exceptions.SSLError(reason)
        case ssl.SSLError():
            return requests.exceptions.SSLError(f"no handshake{through}")
        case _:
            return requests.ConnectionError(_connect_reason(error, through))


def _connect_reason(error: Exception, through: str) -> str:
    """Say what happened without the libraries' words, which hold addresses of memory."""
    match error:
        case NameResolutionError():
            return "the host name is not known"
        case NewConnectionError():
            return "no connection: refused or unreachable"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return f"the connection{through} was closed in the handshake"
        case _:
            return f"the connection{through} broke while it was made"


def _broken_reason(error: Exception) -> str:
    match error:
        case ConnectionError():  # RemoteDisconnected is one, a reset, a broken pipe
            return "the connection was closed without an answer"
        case http.client.BadStatusLine() | http.client.LineTooLong():
            return "the answer is not HTTP"
        case _:
            return _BROKEN
