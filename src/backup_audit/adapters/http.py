"""HTTP as this tool needs it: bounded in size, in time and in attempts."""

import random
import threading
import time
from collections.abc import Callable, Mapping

import msgspec
import requests
from urllib3.exceptions import (
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from backup_audit.adapters.retry import ATTEMPTS_MAX, RETRIED, backoff, retry_after
from backup_audit.deadline import Deadline
from backup_audit.domain.evidence import Cause, Silence

BODY_MAX = 4 * 1024 * 1024  # bytes; about 50,000 backups
_CHUNK = 64 * 1024  # bytes
_SHORTEST = 0.001  # seconds; urllib3 refuses a time-out of zero


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its whole body. `attempts` and `milliseconds` count all that it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int
    milliseconds: int


class NoReply(Exception):
    """Every attempt came to nothing."""

    def __init__(self, silence: Silence, attempts: int, milliseconds: int) -> None:
        super().__init__(silence.detail)
        self.silence = silence
        self.attempts = attempts
        self.milliseconds = milliseconds


class _Failed(Exception):
    """One attempt came to nothing."""

    def __init__(self, silence: Silence, *, worth_retrying: bool) -> None:
        super().__init__(silence.detail)
        self.silence = silence
        self.worth_retrying = worth_retrying


class HttpClient:
    """Sends requests, retries what may pass, and never waits past the deadline."""

    def __init__(
        self,
        session: requests.Session,
        *,
        connect_timeout: float,
        read_timeout: float,
        deadline: Deadline,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._lock = threading.Lock()
        self.calls = 0
        self.retries = 0

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """GET; raise NoReply."""
        return self._request("GET", url, headers, None)

    def post(self, url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Reply:
        """POST a form; raise NoReply."""
        return self._request("POST", url, headers, form)

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Reply:
        began = time.monotonic()
        attempt = 0
        while True:
            if self._deadline.remaining() <= 0:
                over = Silence(Cause.NOT_REACHED, "the run's time was over")
                raise NoReply(over, attempt, _milliseconds_since(began))
            attempt += 1
            self._count(attempt)
            try:
                response, body = self._send(method, url, headers, form)
            except _Failed as failure:
                wait = backoff(attempt, self._jitter())
                if not failure.worth_retrying or not self._may_retry(attempt, wait):
                    raise NoReply(failure.silence, attempt, _milliseconds_since(began)) from None
            else:
                wait = self._wait_before_retry(response, attempt)
                if response.status_code not in RETRIED or not self._may_retry(attempt, wait):
                    return Reply(
                        status=response.status_code,
                        headers=response.headers,
                        body=body,
                        attempts=attempt,
                        milliseconds=_milliseconds_since(began),
                    )
            self._sleep(wait)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[requests.Response, bytes]:
        """One attempt. Redirects are not followed: they would carry the token elsewhere."""
        remaining = max(self._deadline.remaining(), _SHORTEST)
        timeout = (min(self._connect_timeout, remaining), min(self._read_timeout, remaining))
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=form,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _read(response)
        except requests.RequestException as error:
            raise _translated(error) from None

    def _wait_before_retry(self, response: requests.Response, attempt: int) -> float:
        asked = retry_after(response.headers.get("Retry-After"), self._now())
        return asked if asked is not None else backoff(attempt, self._jitter())

    def _may_retry(self, attempt: int, wait: float) -> bool:
        return attempt < ATTEMPTS_MAX and wait < self._deadline.remaining()

    def _count(self, attempt: int) -> None:
        with self._lock:
            self.calls += 1
            self.retries += attempt > 1


def _read(response: requests.Response) -> bytes:
    """Read the body, unpacked, up to BODY_MAX."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > BODY_MAX:
            too_large = Silence(Cause.TOO_LARGE, f"the answer is larger than {BODY_MAX} bytes")
            raise _Failed(too_large, worth_retrying=False)
    return bytes(body)


def _translated(error: requests.RequestException) -> _Failed:
    """Say what happened without the words of the libraries, which can hold addresses of memory."""
    wrapped = error.args[0] if error.args else None
    match error:
        case requests.exceptions.SSLError():
            refused = Silence(Cause.CONNECTION, f"TLS failed: {_tls_reason(error)}")
            return _Failed(refused, worth_retrying=False)
        case requests.ConnectTimeout():
            silence = Silence(Cause.TIMEOUT, "no connection within the connect time-out")
        case requests.ReadTimeout():
            silence = Silence(Cause.TIMEOUT, "no answer within the read time-out")
        case requests.ConnectionError() if isinstance(wrapped, ReadTimeoutError):
            silence = Silence(Cause.TIMEOUT, "the answer stopped within its body")
        case requests.exceptions.ContentDecodingError():
            garbled = Silence(Cause.UNREADABLE, "the answer could not be unpacked")
            return _Failed(garbled, worth_retrying=False)
        case requests.exceptions.ChunkedEncodingError():
            silence = Silence(Cause.CONNECTION, "the connection broke within the answer")
        case _:
            silence = Silence(Cause.CONNECTION, _connection_reason(wrapped))
    return _Failed(silence, worth_retrying=True)


def _connection_reason(wrapped: object) -> str:
    reason = wrapped.reason if isinstance(wrapped, MaxRetryError) else wrapped
    match reason:
        case NameResolutionError():
            return "the API's host name is not known"
        case NewConnectionError():
            return "no connection: refused or unreachable"
        case ProtocolError():
            return "the connection was closed without an answer"
        case _:
            return f"the connection failed ({type(reason).__name__})"


def _tls_reason(error: BaseException) -> str:
    """The verification error deep within, such as "certificate has expired"."""
    text = str(error)
    _, found, reason = text.partition("certificate verify failed: ")
    return f"certificate verify failed: {reason.split(' (_ssl')[0]}" if found else "no handshake"


def _milliseconds_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
