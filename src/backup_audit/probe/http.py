"""HTTP as this tool needs it: a request bounded in size and time, and why it failed."""

import contextlib
import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping

import msgspec
import requests
import urllib3.exceptions as urllib3_errors

from backup_audit.judge.evidence import TOO_SLOW, Cause, Silence
from backup_audit.probe.session import Exchange, Exchanges
from backup_audit.text import one_line

MAY_PASS = frozenset({429, 502, 503, 504})  # statuses that are worth another request
BODY_MAX = 4 * 1024 * 1024  # bytes, unpacked; about 50,000 backups
_SMALL = 64 * 1024  # bytes; larger answers are read and parsed two at a time, to bound memory
_LARGE_AT_A_TIME = 2
_WORDS_MAX = 200  # characters of a proxy's reason phrase
_REFUSED = "Tunnel connection failed: "  # what http.client puts before status and reason phrase
_BROKEN = "the connection broke within the answer"

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

_NOWHERE = "the address cannot be asked for"
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
    """Sends requests. A GET is repeated if a kept connection had closed.

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
        self._exchanges = Exchanges(connect_timeout, read_timeout)
        self._proxies = {"https": proxy} if proxy else {}
        self._own = threading.local()
        self._lock = threading.Lock()
        self._large = threading.BoundedSemaphore(_LARGE_AT_A_TIME)
        self.calls = 0
        self.cut = self._exchanges.cut
        self.cut_all = self._exchanges.cut_all

    @contextlib.contextmanager
    def get(self, url: str, authorization: str | None = None) -> Iterator[Reply]:
        """GET; raises NoReply. Large answers are limited to two at a time until the block ends."""
        prepared = self._prepared()
        prepared.url = url
        prepared.headers.pop("Authorization", None)
        if authorization is not None:
            prepared.headers["Authorization"] = authorization
        with self._sent(prepared) as reply:
            yield reply

    @contextlib.contextmanager
    def post(self, url: str, form: Mapping[str, str]) -> Iterator[Reply]:
        """POST a form; raises NoReply."""
        try:
            prepared = self._session.prepare_request(requests.Request("POST", url, data=form))
        except _ERRORS as error:
            raise NoReply(Silence(Cause.CONNECTION, _NOWHERE), may_pass=False) from error
        with self._sent(prepared) as reply:
            yield reply

    def _prepared(self) -> requests.PreparedRequest:
        """The thread's own request: to prepare one costs more than to send it."""
        prepared: requests.PreparedRequest | None = getattr(self._own, "request", None)
        if prepared is None:
            prepared = self._session.prepare_request(requests.Request("GET", "https://api/"))
            self._own.request = prepared
        return prepared

    @contextlib.contextmanager
    def _sent(self, prepared: requests.PreparedRequest) -> Iterator[Reply]:
        with self._lock:
            self.calls += 1
        with self._exchanges.exchange() as exchange, contextlib.ExitStack() as large:
            try:
                response = self._response(prepared, exchange)
                exchange.answers()
                body = self._body(response, exchange, large)
                _check(response, body)
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
                too_large = f"the answer is larger than {BODY_MAX} bytes"
                raise NoReply(Silence(Cause.TOO_LARGE, too_large), may_pass=False)
            yield Reply(status=response.status_code, headers=response.headers, body=body)

    def _response(
        self, prepared: requests.PreparedRequest, exchange: Exchange
    ) -> requests.Response:
        """Send; repeat a GET if the server had closed a kept connection, as it may at any time."""
        try:
            return self._send(prepared)
        except requests.ConnectionError:
            if exchange.is_cut or not exchange.is_reused or prepared.method != "GET":
                raise
        return self._send(prepared)

    def _send(self, prepared: requests.PreparedRequest) -> requests.Response:
        return self._session.send(
            prepared,
            stream=True,
            timeout=self._exchanges.timeouts,
            proxies=self._proxies,
            allow_redirects=False,
        )

    def _body(
        self, response: requests.Response, exchange: Exchange, large: contextlib.ExitStack
    ) -> bytes:
        """Read the body, at most a byte more than BODY_MAX."""
        body: bytes = response.raw.read(_SMALL, decode_content=True)
        if len(body) < _SMALL:
            return body
        with exchange.paused():  # others' large answers are not held against this one
            large.enter_context(self._large)
        rest: bytes = response.raw.read(BODY_MAX + 1 - _SMALL, decode_content=True)
        return body + rest


def _check(response: requests.Response, body: bytes) -> None:
    """Raise IncompleteRead if the headers were cut: neither http.client nor urllib3 does."""
    raw = response.raw
    if not body and raw.length_remaining is None and not raw.chunked:
        raise http.client.IncompleteRead(b"")


def _no_reply(error: Exception, exchange: Exchange, *, proxied: bool) -> NoReply:
    """Turn a library's error into evidence, without its words: they may hold secrets."""
    if isinstance(error, _NO_ADDRESS):
        return NoReply(Silence(Cause.CONNECTION, _NOWHERE), may_pass=False)
    cause, by_proxy = _cause(error)
    if isinstance(cause, urllib3_errors.DecodeError):
        garbled = Silence(Cause.UNREADABLE, "the answer could not be unpacked")
        return NoReply(garbled, may_pass=False)
    if exchange.is_connected:
        if exchange.is_cut or isinstance(cause, (TimeoutError, urllib3_errors.TimeoutError)):
            return NoReply(TOO_SLOW)
        return NoReply(Silence(Cause.CONNECTION, _broken_reason(cause, exchange)))
    return _not_connected(cause, by_proxy=by_proxy, proxied=proxied, is_cut=exchange.is_cut)


def _cause(error: BaseException) -> tuple[BaseException, bool]:
    """The error inside the libraries' wrappers, and whether they blame the proxy."""
    by_proxy = False
    while True:
        by_proxy |= isinstance(error, urllib3_errors.ProxyError)
        match error:
            case urllib3_errors.MaxRetryError(reason=Exception() as inner):
                error = inner
            case urllib3_errors.ProxyError(original_error=inner):
                error = inner
            case requests.RequestException(args=[BaseException() as inner, *_]):
                error = inner
            case urllib3_errors.SSLError(args=[BaseException() as inner, *_]):
                error = inner
            case urllib3_errors.ProtocolError(args=[_, BaseException() as inner, *_]):
                error = inner
            case _:
                return error, by_proxy


def _not_connected(cause: BaseException, *, by_proxy: bool, proxied: bool, is_cut: bool) -> NoReply:
    refused = _proxy_refusal(cause) if proxied and not is_cut else None
    if refused is not None:
        return refused
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return _nowhere(cause, by_proxy)
    if is_cut or isinstance(cause, (TimeoutError, urllib3_errors.TimeoutError)):
        return _no_connection_in_time(cause, by_proxy=by_proxy, proxied=proxied)
    if isinstance(cause, ssl.SSLError):
        return _no_handshake(cause, " through the proxy" if proxied else "")
    if isinstance(cause, OSError) and proxied:
        return _unconnected("the proxy closed the connection without an answer", by_proxy=True)
    return _unconnected("the connection broke while it was made")


def _no_handshake(cause: ssl.SSLError, through: str) -> NoReply:
    # A server closed in the handshake: it depends on Python's release which of the two is raised.
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _unconnected(f"the connection{through} was closed in the handshake")
    reason = f"no handshake{through}"
    if isinstance(cause, ssl.SSLCertVerificationError):  # such as "certificate has expired"
        reason = f"certificate verify failed{through}: {cause.verify_message}"
    return NoReply(Silence(Cause.CONNECTION, f"TLS failed: {reason}"), may_pass=False)


def _nowhere(cause: urllib3_errors.NewConnectionError, by_proxy: bool) -> NoReply:  # noqa: FBT001
    if isinstance(cause, urllib3_errors.NameResolutionError):
        host = "the proxy's host name" if by_proxy else "the host name"
        return _unconnected(f"{host} is not known", by_proxy)
    what = "the proxy is not there" if by_proxy else "no connection"
    return _unconnected(f"{what}: refused or unreachable", by_proxy)


def _no_connection_in_time(cause: BaseException, *, by_proxy: bool, proxied: bool) -> NoReply:
    through = " through the proxy" if proxied else ""
    reason = f"no connection{through} within the connect time-out"
    if by_proxy and isinstance(cause, urllib3_errors.ConnectTimeoutError):
        reason = "the proxy took no connection within the connect time-out"
    elif proxied and not _is_of_tls(cause):
        reason, by_proxy = "the proxy gave no whole answer within the connect time-out", True
    return NoReply(Silence(Cause.TIMEOUT, reason, by_proxy))


def _proxy_refusal(cause: BaseException) -> NoReply | None:
    """A proxy's answer that refuses the tunnel, if it is one."""
    text = str(cause)
    if text.startswith(_REFUSED):
        status, _, words = text.removeprefix(_REFUSED).partition(" ")
        said = f', "{one_line(words, _WORDS_MAX)}"' if words else ""
        return _unconnected(f"the proxy refuses: HTTP {status}{said}", by_proxy=True)
    if isinstance(cause, http.client.HTTPException) and not isinstance(cause, ConnectionError):
        return _unconnected("the proxy's answer is not HTTP", by_proxy=True)
    return None


def _unconnected(reason: str, by_proxy: bool = False) -> NoReply:  # noqa: FBT001, FBT002
    return NoReply(Silence(Cause.CONNECTION, reason, by_proxy))


def _is_of_tls(cause: BaseException) -> bool:
    """Whether it was the handshake that took too long: ssl says so in its text."""
    return "handshake" in f"{cause} {cause.__cause__}"


def _broken_reason(cause: BaseException, exchange: Exchange) -> str:
    match cause:
        case ConnectionError() if not exchange.is_answered:  # RemoteDisconnected is one, a reset
            return "the connection was closed without an answer"
        case http.client.BadStatusLine() | http.client.LineTooLong():
            return "the answer is not HTTP"
        case _:
            return _BROKEN
