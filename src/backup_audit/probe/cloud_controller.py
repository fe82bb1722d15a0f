"""The Cloud Controller API, v3: an instance's backups, its age, and pages of the list of all.

docs/cloud-controller.md separates promises from observations.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from backup_audit.fleet.inventory import Sees
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import (
    BackupList,
    Cause,
    Evidence,
    Observation,
    Refusal,
    Silence,
    read_backup,
    shown,
    with_age,
)
from backup_audit.probe.attempt import Again, Attempt, Result, T
from backup_audit.probe.http import MAY_PASS, HttpClient, NoReply, Reply
from backup_audit.probe.pacing import Outcome, retry_after
from backup_audit.text import one_line

_TEXT_MAX = 500  # characters of an error's title or detail; a broker can send kilobytes
_CODE_MAX = 2**63 - 1  # 64 bits: one more, in one finding, and no query could read the others
_ENTRIES_MAX = 100_000  # entries of a list; two million fit into an answer, and would take 300 MB
_TOKEN_MIN = 16  # characters; a shorter word may stand in any text
_REQUEST_ID = "X-VCAP-Request-ID"  # for the platform's logs
_ROUTER_ERROR = "X-Cf-RouterError"  # the router itself answers: it found no Cloud Controller
_REPEATS_OUR_TOKEN = Silence(Cause.UNREADABLE, "the answer repeats our token")
_THROTTLING = frozenset({429, 503})


class Authorization(Protocol):
    """Where the Authorization header comes from. Both raise AuditError if no token can be had."""

    @property
    def sees(self) -> Sees:
        """What a client with the token's scope sees; UNKNOWN before the first token."""

    def header(self) -> str:
        """The header's value for the next request."""

    def renewed(self, refused: str) -> str | None:
        """Another value after this one was refused with 401; None if there is no other."""


class CloudController:
    """A BackupApi over HTTP. `clock` gives the present in UTC, `now` in seconds since 1970."""

    def __init__(
        self,
        api_url: str,
        http: HttpClient,
        authorization: Authorization,
        *,
        clock: Callable[[], datetime],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._instances_url = f"{api_url}/v3/service_instances"
        self._http = http
        self._authorization = authorization
        self._clock = clock
        self._now = now
        self.cut = http.cut
        self.cut_all = http.cut_all

    @property
    def calls(self) -> int:
        return self._http.calls

    @property
    def sees(self) -> Sees:
        return self._authorization.sees

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        """GET /v3/service_instances/{guid}/backups."""
        query = f"?limit={limit}" if limit else ""
        url = f"{self._instances_url}/{guid}/backups{query}"
        return self._ask(url, lambda body: _backups(body, limit))

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        """GET /v3/service_instances/{guid}.

        A throttled, broken or silent API proves nothing about the age: a later run may learn it. If
        the Cloud Controller refuses for good, the age stays unknown.
        """
        attempt: Attempt = self._ask(f"{self._instances_url}/{guid}", self._age)
        match attempt.evidence.answer:
            case BackupList(instance_created_at=created_at):
                evidence = with_age(listing, created_at)
            case Silence(detail=detail):
                evidence = with_age(listing, None, detail)
            case Refusal():
                evidence = with_age(listing, None, _passing(attempt))
        return msgspec.structs.replace(attempt, evidence=evidence)

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        """GET /v3/service_instances?{query}.

        A page that took too long is not asked for again: a smaller one may arrive.
        """
        result = self._ask(f"{self._instances_url}?{query}", read)
        is_late = result.evidence.status == 504
        return msgspec.structs.replace(result, again=Again.LATE) if is_late else result

    def _ask(self, url: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        """GET with our token; on a 401 once more with another."""
        token = self._authorization.header()
        attempt = self._ask_once(url, read, token)
        is_refused = attempt.outcome is Outcome.REFUSED
        renewed = self._authorization.renewed(token) if is_refused else None
        if renewed is None:
            return attempt
        again = self._ask_once(url, read, token, renewed)
        return msgspec.structs.replace(again, requests=again.requests + attempt.requests)

    def _ask_once(self, url: str, read: Callable[[bytes], T | Silence], *tokens: str) -> Result[T]:
        """GET with the last of our tokens."""
        try:
            with self._http.get(url, tokens[-1]) as reply:
                if _repeats(tokens, reply):
                    only_status = Reply(status=reply.status, headers={}, body=b"")
                    return self._attempt(only_status, _REPEATS_OUR_TOKEN)
                return self._attempt(reply, _answer(reply, read))
        except NoReply as none:
            return self._silent(none.silence, may_pass=none.may_pass)

    def _silent(self, silence: Silence, *, may_pass: bool = False) -> Result[T]:
        late = silence.cause is Cause.TIMEOUT
        again = Again.LATE if late else Again.SOON
        return Result(
            evidence=Observation(answer=silence, observed_at=self._clock()),
            outcome=Outcome.SILENT if late else Outcome.FAILED,
            again=again if may_pass else Again.NO,
        )

    def _attempt(self, reply: Reply, answer: T | Refusal | Silence) -> Result[T]:
        asks_to_wait = reply.headers.get("Retry-After") if reply.status in _THROTTLING else None
        return Result(
            evidence=Observation(
                answer=answer,
                observed_at=self._clock(),
                status=reply.status,
                request_id=_text(reply.headers.get(_REQUEST_ID)),
            ),
            outcome=_outcome(reply.status, answer),
            again=_again(reply, answer),
            hold=retry_after(asks_to_wait, self._now()),
        )

    def _age(self, body: bytes) -> BackupList:
        """An empty list with the age; without it if the body has none, or one in the future."""
        try:
            created_at = _consistent(body, _INSTANCE).created_at
        except UNREADABLE:
            return BackupList(())
        is_past = created_at - self._clock() <= CLOCK_SKEW
        return BackupList((), instance_created_at=created_at if is_past else None)


def _passing(attempt: Attempt) -> str | None:
    """The status of a refusal that may pass; None if the Cloud Controller refused for good."""
    status = attempt.evidence.status or 0
    stays = attempt.outcome is Outcome.ANSWERED and status < 500 and status != 409
    return None if stays else f"HTTP {status}"


def _outcome(status: int, answer: object) -> Outcome:
    """What an answer says about the API: whether the Cloud Controller itself gave it."""
    if status in _THROTTLING:
        return Outcome.THROTTLED
    if status == 401:
        return Outcome.REFUSED
    is_foreign = isinstance(answer, Refusal) and answer.code is None
    return Outcome.FAILED if is_foreign or isinstance(answer, Silence) else Outcome.ANSWERED


def _again(reply: Reply, answer: object) -> Again:
    if reply.status == 429:
        return Again.OFTEN
    if reply.status == 504 and isinstance(answer, Refusal) and answer.code is not None:
        return Again.LATE  # the broker was silent for a minute
    may_pass = reply.status in MAY_PASS or _ROUTER_ERROR in reply.headers
    return Again.SOON if may_pass else Again.NO


class _InstanceResource(msgspec.Struct):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


class _Body(msgspec.Struct):
    """`backups` must be there: an answer without a list proves nothing about backups.

    The last four are not documented. Cloud Foundry's other lists, v2's too, say by them that there
    is more.
    """

    backups: Annotated[list[object], msgspec.Meta(max_length=_ENTRIES_MAX)]
    errors: object = None
    pagination: object = None
    total_results: object = None
    next: object = None
    next_url: object = None


def _answer(reply: Reply, read: Callable[[bytes], T | Silence]) -> T | Refusal | Silence:
    if reply.status != 200 or _ROUTER_ERROR in reply.headers:
        return _refusal(reply)
    return read(reply.body)


def _backups(body: bytes, limit: int | None) -> BackupList | Silence:
    try:
        listed = _consistent(body, _BODY)
        backups = tuple(read_backup(entry) for entry in listed.backups)
        more = _more(listed)
    except msgspec.ValidationError as error:
        return Silence(Cause.UNREADABLE, f"HTTP 200 without a list of backups: {error}")
    except UNREADABLE:
        return Silence(Cause.UNREADABLE, "HTTP 200 with a body that is not JSON")
    if listed.errors:
        return Silence(Cause.UNREADABLE, "HTTP 200 with errors beside the list of backups")
    return BackupList(backups, limit=limit, more=more)


def _more(listed: _Body) -> str | None:
    """How an answer says itself that the list goes on, in a few words; None if it does not."""
    pagination = {} if listed.pagination is None else listed.pagination
    if not isinstance(pagination, dict):
        return "its pagination cannot be read"
    for link in (pagination.get("next"), listed.next, listed.next_url):
        if link.get("href") if isinstance(link, dict) else link:
            return "there is a next page"
    count = len(listed.backups)
    for total in (pagination.get("total_results"), listed.total_results):
        if not _is_at_most(count, total):
            return f"total_results is {shown(total)}, and {count} are listed"
    pages = pagination.get("total_pages")
    return None if _is_at_most(1, pages) else f"total_pages is {shown(pages)}"


def _is_at_most(most: int, number: object) -> bool:
    """Whether nothing speaks of more: what is no number may."""
    return number is None or (isinstance(number, (int, float)) and number <= most)


# Made here, by one thread: msgspec learns a type when it first meets it, and two threads that do so
# at once crash the process, since one sees what the other has half learned.
_BODY = msgspec.json.Decoder(_Body)
_INSTANCE = msgspec.json.Decoder(_InstanceResource)
_ANYTHING = msgspec.json.Decoder(object)

_T = TypeVar("_T")

# What `decoded` raises.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


def decoded(body: bytes, decoder: "msgspec.json.Decoder[_T]", each_once: json.JSONDecoder) -> _T:
    """Decode JSON that does not contradict itself; raises UNREADABLE.

    msgspec does not check the UTF-8 of what it skips, and takes the last of two equal keys:
    `each_once` raises for those.
    """
    text = body.decode()
    value = decoder.decode(text)
    each_once.decode(text)
    return value


def _consistent(body: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    return decoded(body, decoder, _EACH_ONCE)


_READ = (
    *("backups", "created_at", "errors", "code", "title"),
    *("pagination", "total_results", "total_pages", "next", "next_url", "href"),
)


def _each_once(pairs: Sequence[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        for name in _READ:
            if names.count(name) > 1:
                raise msgspec.ValidationError(f"an object has `{name}` twice")


_EACH_ONCE = json.JSONDecoder(object_pairs_hook=_each_once, parse_int=str)  # int: 4,300 digits


def _refusal(reply: Reply) -> Refusal:
    """Take the first Cloud Foundry error out of the body, whatever Content-Type it claims."""
    router = _text(reply.headers.get(_ROUTER_ERROR))
    if router:
        return Refusal(detail=one_line(f"the router says {router}", _TEXT_MAX))
    try:
        body = _consistent(reply.body, _ANYTHING)
    except UNREADABLE:
        return Refusal()
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return Refusal()
    return Refusal(
        code=_code(first.get("code")),
        title=_text(first.get("title")),
        detail=_text(first.get("detail")),
    )


def _code(value: object) -> int | None:
    """The code of an error, None for what is no whole number that a column of a table can hold."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _CODE_MAX:
        return value
    return None


def _repeats(tokens: Iterable[str], reply: Reply) -> bool:
    """Whether an answer repeats our token: plain, or escaped as in JSON or a form.

    Its words would go into reports, so such an answer is not read.
    """
    body = reply.body
    if b"\\" in body:
        body += _ESCAPED.sub(_plain, body)
    used = (reply.headers.get(name, "") for name in (_REQUEST_ID, _ROUTER_ERROR))
    texts = (body, *(value.encode(errors="replace") for value in used))
    forms = [form.encode() for token in tokens for form in _forms(token)]
    return any(form in text for form in forms for text in texts)


# How JSON may write what a token is made of. Whether a backslash before it is one itself does not
# matter: at worst an answer is not read that only looks like one with a token.
_ESCAPED = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|/)")


def _plain(escaped: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escaped[1].decode()) if escaped[1] else b"/"


def _forms(token: str) -> set[str]:
    secret = token.rpartition(" ")[2]
    return {secret, quote(secret), quote(secret, safe="")} if len(secret) >= _TOKEN_MIN else set()


def _text(value: object) -> str | None:
    """A text on one line, without control characters, cut to _TEXT_MAX."""
    return (one_line(value, _TEXT_MAX) or None) if isinstance(value, str) else None
