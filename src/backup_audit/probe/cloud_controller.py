"""The Cloud Controller API, v3: an instance's backups, and its age.

What is promised where, and what was only observed, is said in docs/cloud-controller.md.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from backup_audit.errors import token_refused
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import (
    SECONDS_END,
    Answer,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    backup_at,
    read_backup,
)
from backup_audit.probe.http import HttpClient, NoReply, Reply
from backup_audit.text import one_line

# Instances in a row for which our token is refused, after a renewal if there is one. A 401 comes
# before the Cloud Controller looks at the instance, so it says nothing about any of them.
REFUSALS_MAX = 3

_TEXT_MAX = 500  # characters of an error's title or detail; a broker can send kilobytes
_DOUBTFUL_MAX = 100_000  # entries; two million fit into an answer, and would take 300 MB
_TOKEN_MIN = 16  # characters; a shorter word may stand in any text
_ROUTER_ERROR = "X-Cf-RouterError"
_ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|.)", re.DOTALL)  # of JSON, two bytes or six


class Authorization(Protocol):
    """Where the Authorization header comes from."""

    def header(self) -> str:
        """The header's value for the next request."""

    def renewed(self, refused: str) -> str | None:
        """Another value after this one was refused with 401; None if there is no other."""


class CloudController:
    """A BackupApi over HTTP."""

    def __init__(
        self,
        api_url: str,
        http: HttpClient,
        authorization: Authorization,
        *,
        clock: Callable[[], datetime],
        limit: int | None = None,
    ) -> None:
        self._instances_url = f"{api_url}/v3/service_instances"
        self._http = http
        self._authorization = authorization
        self._clock = clock
        self._limit = limit
        self._refusals = 0

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, those to UAA and the retries included."""
        return self._http.calls

    @property
    def retries(self) -> int:
        """The retries among them."""
        return self._http.retries

    def list_backups(self, guid: str) -> Evidence:
        """GET /v3/service_instances/{guid}/backups; whatever comes, or does not, is evidence.

        Raises CredentialsRefused once our token is refused for several instances in a row.
        """
        query = f"?limit={self._limit}" if self._limit else ""
        try:
            reply = self._get(f"{self._instances_url}/{guid}/backups{query}")
        except NoReply as none:
            return Evidence(
                answer=none.silence,
                observed_at=self._clock(),
                attempts=none.attempts,
                milliseconds=none.milliseconds,
            )
        return Evidence(
            answer=_answer(reply, self._limit),
            observed_at=self._clock(),
            status=reply.status,
            request_id=_header(reply.headers, "X-VCAP-Request-ID"),
            attempts=reply.attempts,
            milliseconds=reply.milliseconds,
        )

    def instance_created_at(self, guid: str) -> datetime | None:
        """GET /v3/service_instances/{guid}; None for anything but an instance with a time."""
        try:
            reply = self._get(f"{self._instances_url}/{guid}")
        except NoReply:
            return None
        if reply.status != 200:
            return None
        try:
            created_at = _decoded(reply.body, _InstanceResource).created_at
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return created_at if created_at - self._clock() <= CLOCK_SKEW else None

    def stop(self, reason: str) -> None:
        """Send no more requests."""
        self._http.stop(reason)

    def _get(self, url: str) -> Reply:
        """GET with our token; on a 401 once more with another."""
        token = self._authorization.header()
        used = [token]
        reply = self._http.get(url, token)
        if reply.status == 401:
            renewed = self._authorization.renewed(token)
            reply = self._again(url, reply, renewed)
            used += [renewed] if renewed else []
        reply = _without(used, reply)
        if reply.status == 401:
            self._refused(reply)
        elif self._refusals:
            self._refusals = 0
        return reply

    def _again(self, url: str, refused: Reply, token: str | None) -> Reply:
        if token is None:
            return refused
        try:
            again = self._http.get(url, token)
        except NoReply as none:
            raise NoReply(
                none.silence,
                none.attempts + refused.attempts,
                none.milliseconds + refused.milliseconds,
            ) from None
        return msgspec.structs.replace(
            again,
            attempts=again.attempts + refused.attempts,
            milliseconds=again.milliseconds + refused.milliseconds,
        )

    def _refused(self, reply: Reply) -> None:
        """Count instances for which even a new token is refused; raise if it is so for all."""
        self._refusals += 1  # not to the point: workers that race here all see refusals
        if self._refusals >= REFUSALS_MAX:
            refusal = _refusal(reply)
            raise token_refused(f"HTTP 401 {refusal.title or ''} {refusal.code or ''}".strip())


class _InstanceResource(msgspec.Struct):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


class _Entry(msgspec.Struct):
    """What the API promises, and nothing that read_backup would doubt."""

    created_at: Annotated[int, msgspec.Meta(gt=0, lt=SECONDS_END)]


class _PromisedBody(msgspec.Struct):
    backups: list[_Entry]


class _AnyBody(msgspec.Struct):
    """`backups` must be there: an answer without a list proves nothing about backups."""

    backups: Annotated[list[object], msgspec.Meta(max_length=_DOUBTFUL_MAX)]
    errors: object = None


_PROMISED = msgspec.json.Decoder(_PromisedBody)


def _answer(reply: Reply, limit: int | None) -> Answer:
    if reply.status != 200 or _ROUTER_ERROR in reply.headers:
        return _refusal(reply)
    try:
        promised = _PROMISED.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _doubtful_answer(reply, limit)
    if not _is_plain(reply.body, len(promised.backups)):
        return _doubtful_answer(reply, limit)
    return BackupList(tuple(backup_at(e.created_at) for e in promised.backups), limit=limit)


def _is_plain(body: bytes, entries: int) -> bool:
    """Whether nothing that we read stands twice, as far as counting can tell."""
    return (
        body.isascii()
        and b"\\" not in body  # with an escape, the same key can be written in many ways
        and b'"errors"' not in body
        and body.count(b'"backups"') == 1
        and body.count(b'"created_at"') == entries
    )


def _doubtful_answer(reply: Reply, limit: int | None) -> Answer:
    """Say entry by entry what is not as promised."""
    try:
        body = _decoded(reply.body, _AnyBody)
        backups = tuple(read_backup(entry) for entry in body.backups)
    except msgspec.ValidationError as error:
        return Silence(Cause.UNREADABLE, f"HTTP 200 without a list of backups: {error}")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Silence(Cause.UNREADABLE, "HTTP 200 with a body that is not JSON")
    if body.errors:
        return Silence(Cause.UNREADABLE, "HTTP 200 with errors beside the list of backups")
    return BackupList(backups, limit=limit)


_T = TypeVar("_T")


def _decoded(body: bytes, kind: type[_T]) -> _T:
    """Decode JSON that does not contradict itself; raise DecodeError, ValueError, RecursionError.

    msgspec passes over what is not UTF-8 where it does not read, and takes the last of two keys.
    """
    text = body.decode()
    value = msgspec.json.decode(text, type=kind)
    json.loads(text, object_pairs_hook=_each_once, parse_int=str)  # str: ints end at 4,300 digits
    return value


_READ = ("backups", "created_at", "errors", "code", "title")


def _each_once(pairs: Sequence[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    for name in _READ:
        if names.count(name) > 1:
            raise msgspec.ValidationError(f"an object has `{name}` twice")


def _refusal(reply: Reply) -> Refusal:
    """Take the first Cloud Foundry error out of the body, whatever Content-Type it claims."""
    router = _header(reply.headers, _ROUTER_ERROR)
    if router:
        return Refusal(detail=one_line(f"the router says {router}", _TEXT_MAX))
    try:
        body = _decoded(reply.body, object)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Refusal()
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return Refusal()
    code = first.get("code")
    return Refusal(
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        title=_text(first.get("title")),
        detail=_text(first.get("detail")),
    )


def _without(tokens: Iterable[str], reply: Reply) -> Reply:
    """Leave our tokens out of what a server repeats of a request: its words go into reports.

    They are found as they are and as JSON or a form would write them.
    """
    body, headers = _unescaped(reply.body), reply.headers
    for secret in {form for token in tokens for form in _forms(token)}:
        body = body.replace(secret.encode(), b"[our token]")
        if any(secret in value for value in headers.values()):
            headers = {
                name: value.replace(secret, "[our token]") for name, value in headers.items()
            }
    if body is reply.body and headers is reply.headers:
        return reply
    return msgspec.structs.replace(reply, body=body, headers=headers)


def _forms(token: str) -> tuple[str, ...]:
    secret = token.rpartition(" ")[2]
    if len(secret) < _TOKEN_MIN:
        return ()
    return secret, quote(secret), quote(secret, safe="")


def _unescaped(body: bytes) -> bytes:
    """The same JSON, with what a token can consist of written plainly."""
    return _ESCAPE.sub(_plainly, body) if b"\\" in body else body


def _plainly(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        char = bytes.fromhex(escape[1].decode())
        return escape[0] if char in (b'"', b"\\", b"\x7f") else char
    return b"/" if escape[0] == b"\\/" else escape[0]


def _text(value: object) -> str | None:
    """A text on one line, without control characters, cut to a sane length."""
    return (one_line(value, _TEXT_MAX) or None) if isinstance(value, str) else None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return _text(headers.get(name))
