"""HTTP as this tool needs it: a request bounded in size and time, and why it failed."""

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

import msgspec
import requests
import urllib3
import urllib3.exceptions as urllib3_errors

from backup_audit.judge.evidence import TOO_SLOW, Cause, Silence
from backup_audit.probe.session import Exchange
from backup_audit.text import one_line

MAY_PASS = frozenset({429, 502, 503, 504})  # statuses that are worth another request
BODY_MAX = 4 * 1024 * 1024  # bytes, unpacked; about 50,000 backups
_SMALL = 64 * 1024  # bytes; larger answers are read and parsed two at a time, to bound memory
_LARGE_AT_A_TIME = 2
_WORDS_MAX = 200  # characters of a proxy's reason phrase
_REFUSED = "Tunnel connection failed: "  # what http.client puts before status and reason phrase

# The last four are what http.client lets through: for a chunk's size of -5, and for a bad parameter
# of Content-Type, since it reads headers with a parser of e-mails.
_ERRORS = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)

_NOWHERE = Silence(Cause.CONNECTION, "the address cannot be asked for")
_UNMADE = Silence(Cause.CONNECTION, "the connection broke while it was made")
_PACKED = Silence(Cause.UNREADABLE, "the answer could not be unpacked")
_TOO_LARGE = Silence(Cause.TOO_LARGE, f"the answer is larger than {BODY_MAX} bytes")
_NO_ADDRESS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its whole body, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReply(Exception):
    """A request failed; `may_pass` says whether another could succeed."""

    def __init__(self, silence: Silence, *, may_pass: bool = True) -> None:
        super().__init__(silence.detail)
        self.silence = silence
        self.may_pass = may_pass


class HttpClient:
    """Sends requests. A GET is repeated if a kept connection had closed; a redirect is an answer.

    Time-outs are seconds; `proxy` is the address (http://) of the proxy for https requests.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        connect_timeout: float,
        read_timeout: float,
        proxy: str | None = None,
    ) -> None:
        self._session = session
        self._headers = session.prepare_request(requests.Request("GET", "https://api/")).headers
        self._timeouts = (connect_timeout, read_timeout)
        self._proxies = {"https": proxy} if proxy else {}
        self._lock = threading.Lock()
        self._large = threading.BoundedSemaphore(_LARGE_AT_A_TIME)
        self._under_way: set[Exchange] = set()
        self._is_over = False
        self.calls = 0

    def get(self, url: str, authorization: str | None = None) -> AbstractContextManager[Reply]:
        """GET; raises NoReply. Large answers are limited to two at a time until the block ends."""
        request = requests.PreparedRequest()  # by hand: to prepare one costs more than to send it
        request.method = "GET"
        request.url = url
        request.headers = self._headers.copy()
        if authorization is not None:
            request.headers["Authorization"] = authorization
        return self._sent(request)

    def post(self, url: str, form: Mapping[str, str]) -> AbstractContextManager[Reply]:
        """POST a form; raises NoReply."""
        try:
            request = self._session.prepare_request(requests.Request("POST", url, data=form))
        except _ERRORS as error:
            raise NoReply(_NOWHERE, may_pass=False) from error
        return self._sent(request)

    def cut(self) -> list[int]:
        """End the requests whose time is over; return the threads that hang nevertheless."""
        now = time.monotonic()
        over = [one for one in self._under_way.copy() if now >= one.until]
        for exchange in over:
            if not exchange.is_cut:
                exchange.cut()
        return [exchange.thread for exchange in over if exchange.is_hung(now)]

    def cut_all(self) -> None:
        """End all, and those to come: threads that were left behind may be about to begin one."""
        self._is_over = True
        for exchange in self._under_way.copy():
            exchange.cut()

    @contextlib.contextmanager
    def _sent(self, request: requests.PreparedRequest) -> Iterator[Reply]:
        with self._lock:
            self.calls += 1
        with Exchange(*self._timeouts) as exchange:
            self._under_way.add(exchange)
            exchange.is_cut = self._is_over
            try:
                yield self._reply(request, exchange)
            finally:
                self._under_way.discard(exchange)

    def _reply(self, request: requests.PreparedRequest, exchange: Exchange) -> Reply:
        try:
            response = self._response(request, exchange)
            exchange.is_answered = True
            body = self._body(response.raw, exchange)
        except _ERRORS as error:
            exchange.drop()
            raise _no_reply(error, exchange, proxied=bool(self._proxies)) from None
        if exchange.is_cut:  # http.client takes a cut in the headers for the answer's end
            exchange.drop()
            raise NoReply(TOO_SLOW)
        if response.status_code < 200:
            exchange.drop()  # the answer itself is still to come: not for the next request
        if len(body) > BODY_MAX:
            exchange.drop()
            raise NoReply(_TOO_LARGE, may_pass=False)
        return Reply(status=response.status_code, headers=response.raw.headers, body=body)

    def _response(self, request: requests.PreparedRequest, exchange: Exchange) -> requests.Response:
        """Send; repeat a GET if the server had closed a kept connection, as it may at any time."""
        try:
            return self._send(request)
        except requests.ConnectionError:
            if exchange.is_cut or not exchange.is_reused or request.method != "GET":
                raise
        return self._send(request)

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        """Let the adapter send: the Session would keep cookies, and follow redirects."""
        adapter = self._session.get_adapter(request.url or "")
        return adapter.send(request, stream=True, timeout=self._timeouts, proxies=self._proxies)

    def _body(self, raw: urllib3.BaseHTTPResponse, exchange: Exchange) -> bytes:
        """Read the body, at most a byte more than BODY_MAX.

        Raises IncompleteRead if the headers were cut: neither http.client nor urllib3 does.
        """
        body = raw.read(_SMALL, decode_content=True)
        if len(body) == _SMALL:
            exchange.take(self._large)
            body += raw.read(BODY_MAX + 1 - _SMALL, decode_content=True)
        if not body and raw.length_remaining is None and not raw.chunked:
            raise http.client.IncompleteRead(b"")
        return body


def _no_reply(error: Exception, exchange: Exchange, *, proxied: bool) -> NoReply:
    """Turn a library's error into evidence, without its words: they may hold secrets."""
    if isinstance(error, _NO_ADDRESS):
        return NoReply(_NOWHERE, may_pass=False)
    cause, by_proxy = _cause(error)
    if isinstance(cause, urllib3_errors.DecodeError):
        return NoReply(_PACKED, may_pass=False)
    is_late = exchange.is_cut or isinstance(cause, (TimeoutError, urllib3_errors.TimeoutError))
    if exchange.is_connected:
        return NoReply(TOO_SLOW if is_late else _broken(cause, exchange))
    return _unconnected(cause, is_late=is_late, by_proxy=by_proxy, proxied=proxied)


def _cause(error: BaseException) -> tuple[BaseException, bool]:
    """The error inside the libraries' wrappers, and whether they blame the proxy."""
    by_proxy = False
    while True:
        by_proxy |= isinstance(error, urllib3_errors.ProxyError)
        match error:
            case (
                urllib3_errors.MaxRetryError(reason=Exception() as inner)
                | urllib3_errors.ProxyError(original_error=inner)
                | urllib3_errors.ProtocolError(args=[_, BaseException() as inner, *_])
                | urllib3_errors.SSLError(args=[BaseException() as inner, *_])
                | requests.RequestException(args=[BaseException() as inner, *_])
            ):
                error = inner
            case _:
                return error, by_proxy


def _broken(cause: BaseException, exchange: Exchange) -> Silence:
    match cause:
        case ConnectionError() if not exchange.is_answered:  # RemoteDisconnected is one, a reset
            reason = "the connection was closed without an answer"
        case http.client.BadStatusLine() | http.client.LineTooLong():
            reason = "the answer is not HTTP"
        case _:
            reason = "the connection broke within the answer"
    return Silence(Cause.CONNECTION, reason)


def _unconnected(cause: BaseException, *, is_late: bool, by_proxy: bool, proxied: bool) -> NoReply:
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return NoReply(_nowhere(cause, by_proxy=by_proxy))
    if is_late:
        return NoReply(_no_connection_in_time(cause, by_proxy=by_proxy, proxied=proxied))
    if isinstance(cause, ssl.SSLError):
        return _no_handshake(cause, " through the proxy" if proxied else "")
    return NoReply(_refused_by_proxy(cause) if proxied else _UNMADE)


def _nowhere(cause: urllib3_errors.NewConnectionError, *, by_proxy: bool) -> Silence:
    if isinstance(cause, urllib3_errors.NameResolutionError):
        host = "the proxy's host name" if by_proxy else "the host name"
        return Silence(Cause.CONNECTION, f"{host} is not known", by_proxy)
    what = "the proxy is not there" if by_proxy else "no connection"
    return Silence(Cause.CONNECTION, f"{what}: refused or unreachable", by_proxy)


def _no_connection_in_time(cause: BaseException, *, by_proxy: bool, proxied: bool) -> Silence:
    through = " through the proxy" if proxied else ""
    reason = f"no connection{through} within the connect time-out"
    if by_proxy and isinstance(cause, urllib3_errors.ConnectTimeoutError):
        reason = "the proxy took no connection within the connect time-out"
    elif proxied and "handshake" not in f"{cause} {cause.__cause__}":  # ssl says so in its text
        reason, by_proxy = "the proxy gave no whole answer within the connect time-out", True
    return Silence(Cause.TIMEOUT, reason, by_proxy)


def _no_handshake(cause: ssl.SSLError, through: str) -> NoReply:
    # A server closed in the handshake: it depends on Python's release which of the two is raised.
    may_pass = isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if may_pass:
        reason = f"the connection{through} was closed in the handshake"
    elif isinstance(cause, ssl.SSLCertVerificationError):  # such as "certificate has expired"
        reason = f"TLS failed: certificate verify failed{through}: {cause.verify_message}"
    else:
        reason = f"TLS failed: no handshake{through}"
    return NoReply(Silence(Cause.CONNECTION, reason), may_pass=may_pass)


def _refused_by_proxy(cause: BaseException) -> Silence:
    """What a proxy did instead of opening the tunnel."""
    text = str(cause)
    if text.startswith(_REFUSED):
        status, _, words = text.removeprefix(_REFUSED).partition(" ")
        said = f', "{one_line(words, _WORDS_MAX)}"' if words else ""
        reason = f"the proxy refuses: HTTP {status}{said}"
    elif isinstance(cause, OSError):  # RemoteDisconnected is an HTTPException too
        reason = "the proxy closed the connection without an answer"
    else:
        reason = "the proxy's answer is not HTTP"
    return Silence(Cause.CONNECTION, reason, by_proxy=True)
