"""When a request is sent again, and after how long."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
import requests

from backup_audit.judge.evidence import Cause, Silence
from backup_audit.probe.pacing import Outcome, Pacer, Quota, Stopped
from backup_audit.probe.transport import BodyTooLarge

ATTEMPTS_MAX = 5  # requests for one answer
THROTTLED_MAX = 12  # of those, if all are answered 429: the API takes others meanwhile
RETRIED = frozenset({429, 502, 503, 504})
RETRY_AFTER_MAX = 3600.0  # seconds: the window of the Cloud Controller's rate limit

_BACKOFF_FIRST = 0.25  # seconds
_BACKOFF_MAX = 8.0  # seconds
_EPOCH_FROM = 10**9  # a Retry-After this large is an instant: Cloud Controllers before 3.139


def backoff(attempt: int, jitter: float) -> float:
    """Seconds to wait after an attempt (from 1): exponential, with `jitter` from 0 to 1.

    Between half and all of the step, so that workers that failed together do not return together.
    """
    step = min(_BACKOFF_FIRST * 2.0 ** (attempt - 1), _BACKOFF_MAX)
    return float(step * (0.5 + jitter / 2))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that Retry-After asks for; None if that is nothing sane, or over RETRY_AFTER_MAX.

    It may be seconds, an instant in epoch seconds (Cloud Controllers before 3.139) or an HTTP date.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        number = int(text[:15])
        seconds = number - now if number >= _EPOCH_FROM else float(number)
    else:
        try:
            instant = parsedate_to_datetime(text)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
            seconds = (instant - datetime.fromtimestamp(now, UTC)).total_seconds()
        except (ValueError, OverflowError):  # a year, or a zone, beyond what a date can hold
            return None
    return max(seconds, 0.0) if seconds <= RETRY_AFTER_MAX else None


_THROTTLING = frozenset({429, 503})
_NO_LOOK_UP: dict[str, str] = {}  # the transport knows its proxy; requests would parse the URL
_GATEWAY_ERRORS = frozenset({502, 504})
_ROUTER_ERROR = "X-Cf-RouterError"  # the router answers, since it finds no Cloud Controller
_RESET_MAX = 3600.0  # seconds; the Cloud Controller's default window


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


class _Failure(msgspec.Struct, frozen=True):
    """One attempt that came to nothing."""

    silence: Silence
    worth_retrying: bool


class _Attempt(msgspec.Struct, frozen=True):
    """What came of sending once; `hold` is the seconds that the API asks all to wait."""

    last: requests.Response | _Failure
    worth_retrying: bool
    hold: float | None
    in_outage: bool


class HttpClient:
    """Sends requests when the pacer lets them, and again what may pass."""

    def __init__(
        self,
        session: requests.Session,
        pacer: Pacer,
        *,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._pacer = pacer
        self._jitter = jitter
        self._now = now
        self._own = threading.local()
        self._lock = threading.Lock()
        self.calls = 0
        self.retries = 0

    def get(self, url: str, authorization: str | None = None) -> Reply:
        """GET; raise NoReply."""
        if authorization is None:
            return self._request(self._session.prepare_request(requests.Request("GET", url)))
        prepared = self._prepared()
        prepared.url = url
        prepared.headers["Authorization"] = authorization
        return self._request(prepared)

    def post(self, url: str, form: Mapping[str, str]) -> Reply:
        """POST a form; raise NoReply."""
        return self._request(
            self._session.prepare_request(requests.Request("POST", url, data=form))
        )

    def stop(self, reason: str) -> None:
        """Send no more requests."""
        self._pacer.stop(reason)

    def _prepared(self) -> requests.PreparedRequest:
        """The thread's own request: to prepare one costs more than to send it."""
        prepared: requests.PreparedRequest | None = getattr(self._own, "request", None)
        if prepared is None:
            prepared = self._session.prepare_request(requests.Request("GET", "https://api/"))
            self._own.request = prepared
        return prepared

    def _request(self, prepared: requests.PreparedRequest) -> Reply:
        began = time.monotonic()
        attempts = counted = 0
        last: requests.Response | _Failure = _NOT_SENT
        try:
            while True:
                entered = self._pacer.enter()
                attempts += 1
                self._count(attempts)
                attempt = self._attempt(prepared, entered)
                last = attempt.last
                # An outage is no instance's fault: how long to bear it is the pacer's business.
                counted += not attempt.in_outage
                if not attempt.worth_retrying or counted >= _attempts_max(last):
                    break
                held = attempt.hold is not None
                self._pacer.pause(0.0 if held else backoff(attempts, self._jitter()))
        except Stopped as stopped:
            if last is _NOT_SENT:
                last = _Failure(Silence(Cause.NOT_REACHED, str(stopped)), worth_retrying=False)
        milliseconds = round((time.monotonic() - began) * 1000)
        if isinstance(last, _Failure):
            raise NoReply(last.silence, attempts, milliseconds)
        return Reply(
            status=last.status_code,
            headers=last.headers,
            body=last.content,
            attempts=attempts,
            milliseconds=milliseconds,
        )

    def _attempt(self, prepared: requests.PreparedRequest, entered: float) -> _Attempt:
        """Send once."""
        outcome, hold, quota = Outcome.FAILED, None, None
        last: requests.Response | _Failure
        try:
            last = self._session.send(prepared, proxies=_NO_LOOK_UP)
            outcome = _outcome(last)
            quota = self._quota(last)
            again = last.status_code in RETRIED or _ROUTER_ERROR in last.headers
            if last.status_code in _THROTTLING:
                hold = retry_after(last.headers.get("Retry-After"), self._now())
        except requests.RequestException as error:
            last = _translated(error)
            again = last.worth_retrying
            if last.silence.cause is Cause.TIMEOUT:
                outcome = Outcome.THROTTLED
        finally:
            in_outage = self._pacer.leave(
                outcome, str(prepared.url), entered, hold=hold, quota=quota
            )
        return _Attempt(last, again, hold, in_outage)

    def _quota(self, response: requests.Response) -> Quota | None:
        """What X-RateLimit-Remaining and -Reset (epoch seconds) say, if they do."""
        remaining = response.headers.get("X-RateLimit-Remaining")
        reset = response.headers.get("X-RateLimit-Reset", "")
        if remaining is None or not (_is_number(remaining) and _is_number(reset)):
            return None
        seconds = min(max(int(reset) - self._now(), 0.0), _RESET_MAX)
        return Quota(int(remaining), seconds)

    def _count(self, attempts: int) -> None:
        with self._lock:
            self.calls += 1
            self.retries += attempts > 1


_NOT_SENT = _Failure(Silence(Cause.NOT_REACHED, "not sent"), worth_retrying=False)


def _attempts_max(last: requests.Response | _Failure) -> int:
    throttled = not isinstance(last, _Failure) and last.status_code == 429
    return THROTTLED_MAX if throttled else ATTEMPTS_MAX


def _outcome(response: requests.Response) -> Outcome:
    status = response.status_code
    if status in _THROTTLING:
        return Outcome.THROTTLED
    # With a Cloud Foundry error the Cloud Controller answers, for a broker that did not.
    if status in _GATEWAY_ERRORS and b'"errors"' not in response.content:
        return Outcome.FAILED
    if _ROUTER_ERROR in response.headers:
        return Outcome.FAILED
    return Outcome.ANSWERED


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15


def _translated(error: requests.RequestException) -> _Failure:
    """Say as evidence what the transport raised."""
    by_proxy = isinstance(error, requests.exceptions.ProxyError)
    match error:
        case requests.Timeout():
            return _Failure(Silence(Cause.TIMEOUT, str(error), by_proxy), worth_retrying=True)
        case requests.exceptions.SSLError():
            refused = Silence(Cause.CONNECTION, f"TLS failed: {error}")
            return _Failure(refused, worth_retrying=False)
        case requests.exceptions.ContentDecodingError():
            garbled = Silence(Cause.UNREADABLE, "the answer could not be unpacked")
            return _Failure(garbled, worth_retrying=False)
        case BodyTooLarge():
            return _Failure(Silence(Cause.TOO_LARGE, str(error)), worth_retrying=False)
        case _:
            return _Failure(Silence(Cause.CONNECTION, str(error), by_proxy), worth_retrying=True)
