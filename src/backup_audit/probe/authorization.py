"""How we authorize: the secret with the API's credentials, and the tokens that UAA gives for them.

The same secret may hold the heartbeat's address.
"""

import math
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from backup_audit.errors import ApiUnreachable, AuditError, CredentialsRefused
from backup_audit.fleet.inventory import Sees
from backup_audit.judge.evidence import Cause
from backup_audit.probe.giving_up import ATTEMPTS_MAX, RENEWALS_MAX, SILENT_TOKENS_MAX
from backup_audit.probe.http import MAY_PASS, HttpClient, NoReply, Reply
from backup_audit.probe.pacing import backoff, retry_after
from backup_audit.probe.secret import edge_of, is_header, read_secret
from backup_audit.settings import secure_url
from backup_audit.strict import UNDECODABLE

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_RENEWED_BEFORE = 60.0  # seconds before a token's end; the cf CLI keeps the same margin
_TRIED_AGAIN_AFTER = 10.0  # seconds after a renewal ahead of time that failed
_LIFETIME_DEFAULT = 600.0  # seconds, where UAA does not say; its own default is 43,200

# Seconds in which a worker that needs a token waits for the one that fetches it.
_FETCHED_WITHIN = 120.0
_HOLD_MAX = 30.0  # seconds; what UAA's Retry-After may ask for

# OpenSSL's words; a certificate that expired, or is for another host, is no question of its CA.
UNKNOWN_CA = re.compile(r"certificate verify failed.*(issuer certificate|self-signed certificate)")
CA_HINT = "; CA_BUNDLE (parameter CaBundleUri) names the certificates of a private CA"


class Secret:
    """A text that does not show in logs, tracebacks or messages."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, to put into a request and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class ReadyHeader(msgspec.Struct, frozen=True):
    """A fixed Authorization header; somebody else renews it."""

    value: Secret

    @property
    def sees(self) -> Sees:
        return Sees.UNKNOWN  # its scope stands in the token, which is not ours to read

    def header(self) -> str:
        return self.value.reveal()

    def renewed(self, refused: str) -> str | None:  # noqa: ARG002  # the port's signature
        return None


class ClientCredentials(msgspec.Struct, frozen=True):
    """The client id and secret for UAA."""

    client_id: str
    client_secret: Secret


class Credentials(msgspec.Struct, frozen=True):
    """The parsed secret."""

    api: ReadyHeader | ClientCredentials
    heartbeat_url: Secret | None


def read_credentials(secret_id: str, client: "Callable[[], SecretsManagerClient]") -> Credentials:
    """Read the secret (ARN or name); raise CredentialsUnavailable, which never quotes it."""
    stated = read_secret(secret_id, client)
    api: ReadyHeader | ClientCredentials
    if stated.authorization is not None:
        api = ReadyHeader(Secret(stated.authorization))
    else:
        api = ClientCredentials(stated.client_id or "", Secret(stated.client_secret or ""))
    return Credentials(api, Secret(stated.heartbeat_url) if stated.heartbeat_url else None)


class _TokenBody(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0
    scope: object = None


class _Link(msgspec.Struct):
    href: str


class _Links(msgspec.Struct):
    uaa: _Link | None = None
    login: _Link | None = None


class _Root(msgspec.Struct):
    links: _Links


# Made here, by one thread: cloud_controller.py says why.
_TOKEN_BODY = msgspec.json.Decoder(_TokenBody)
_ROOT = msgspec.json.Decoder(_Root)

# With one of these, the Cloud Controller shows every instance; with others, those in the spaces in
# which the client has a role.
_SEES_ALL = frozenset(
    {
        "cloud_controller.admin",
        "cloud_controller.admin_read_only",
        "cloud_controller.global_auditor",
    }
)


class _Token(msgspec.Struct, frozen=True):
    """A token as the header has it; times are seconds on the monotonic clock."""

    header: str
    renew_at: float
    ends_at: float
    sees: Sees = Sees.UNKNOWN


_NO_TOKEN = _Token("", renew_at=-math.inf, ends_at=-math.inf)


def _seen_with(scope: object) -> Sees:
    """What a token's scope shows, as UAA says it: words with blanks between."""
    if not isinstance(scope, str) or not scope.strip():
        return Sees.UNKNOWN
    return Sees.ROLES if _SEES_ALL.isdisjoint(scope.split()) else Sees.ALL


def _hint(credentials: ClientCredentials) -> str:
    """What is hardly meant, but may be: it was sent as it is."""
    secret = credentials.client_secret.reveal()
    strange = {
        "client_id": edge_of(credentials.client_id),
        "client_secret": edge_of(secret) if secret else "is empty",
    }
    said = " and ".join(f"{name} {how}" for name, how in strange.items() if how)
    return f"; {said}: is that meant?" if said else ""


class ClientCredentialsGrant:
    """Tokens for the client-credentials grant, shared by all workers, renewed before they end."""

    def __init__(
        self,
        api_url: str,
        http: HttpClient,
        credentials: ClientCredentials,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api_url = api_url
        self._http = http
        self._credentials = credentials
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._token = _NO_TOKEN
        self._renewals = 0
        self._failure: AuditError | None = None

    @property
    def sees(self) -> Sees:
        """What a client with the last token's scope sees."""
        return self._token.sees

    def header(self) -> str:
        """The value of a valid token; raises CredentialsRefused, ApiUnreachable.

        One worker renews it ahead of its end; the others go on with the old one meanwhile.
        """
        token = self._token
        now = self._monotonic()
        if now < token.renew_at:
            return token.header
        lasts = now < token.ends_at
        if self._lock.acquire(timeout=0 if lasts else _FETCHED_WITHIN):
            try:
                return self._renewed_if_due().header
            finally:
                self._lock.release()
        if not lasts:
            raise ApiUnreachable(f"UAA gave no token within {_FETCHED_WITHIN:.0f} s")
        return token.header

    def _renewed_if_due(self) -> _Token:
        """Renew the token unless another worker just has; a failure can wait while it lasts."""
        token = self._token
        now = self._monotonic()
        if now < token.renew_at:
            return token
        try:
            self._token = self._fetch_once()
        except AuditError:
            if now >= token.ends_at:
                raise
            self._failure = None
            self._token = msgspec.structs.replace(token, renew_at=now + _TRIED_AGAIN_AFTER)
        return self._token

    def renewed(self, refused: str) -> str | None:
        """Fetch another token, unless another worker has, or it was tried too often."""
        with self._lock:
            if self._token.header != refused:
                return self._token.header
            if self._renewals >= RENEWALS_MAX and self._failure is None:
                return None
            self._renewals += 1
            self._token = self._fetch_once()
            return self._token.header

    def _fetch_once(self) -> _Token:
        """Fetch a token; a failure ends the run, so that the other workers need not try as well."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._fetch()
        except AuditError as error:
            self._failure = error
            raise

    def _fetch(self) -> _Token:
        credentials = self._credentials
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret.reveal(),
        }
        url = f"{self._uaa_url()}/oauth/token"
        # A link is not quoted: the API may know a token of ours.
        whom = f"UAA, to which GET {self._api_url}/ links,"
        reply = self._reply(lambda: self._http.post(url, form), whom)
        if reply.status in (400, 401, 403):
            raise CredentialsRefused(
                f"UAA refused client {credentials.client_id!r} (HTTP {reply.status}): check "
                "client_id and client_secret, and the client's grant type" + _hint(credentials)
            )
        if reply.status != 200:
            raise ApiUnreachable(f"UAA answered HTTP {reply.status} instead of a token")
        return self._read_token(reply)

    def _read_token(self, reply: Reply) -> _Token:
        try:
            body = _TOKEN_BODY.decode(reply.body)
        except UNDECODABLE:
            raise ApiUnreachable("UAA answered HTTP 200 without an access_token") from None
        if not is_header(body.access_token):
            raise ApiUnreachable("UAA's access_token is no token: it cannot stand in a header")
        lifetime = body.expires_in if body.expires_in > 0 else _LIFETIME_DEFAULT
        # A short-lived token is used for half its life.
        used_for = max(lifetime - _RENEWED_BEFORE, lifetime / 2)
        now = self._monotonic()
        return _Token(
            f"bearer {body.access_token}", now + used_for, now + lifetime, _seen_with(body.scope)
        )

    def _uaa_url(self) -> str:
        """Find UAA through the API's root document, which needs no token."""
        root = f"{self._api_url}/"
        reply = self._reply(lambda: self._http.get(root), f"GET {root}")
        if reply.status != 200:
            raise ApiUnreachable(f"GET {self._api_url}/ answered HTTP {reply.status}")
        try:
            links = _ROOT.decode(reply.body).links
        except UNDECODABLE:
            raise ApiUnreachable(f"GET {self._api_url}/ has no links: is it the API?") from None
        link = links.uaa or links.login
        if link is None:
            raise ApiUnreachable(f"GET {self._api_url}/ links neither uaa nor login")
        try:
            return secure_url(link.href)
        except ValueError as error:
            raise ApiUnreachable(
                f"the API's link to UAA {error}: look at GET {self._api_url}/"
            ) from None

    def _reply(self, send: Callable[[], AbstractContextManager[Reply]], whom: str) -> Reply:
        """Send until there is a usable answer, at most ATTEMPTS_MAX times."""
        attempt = silent = 0
        while True:
            attempt += 1
            hold = None
            try:
                with send() as reply:
                    pass
                if reply.status not in MAY_PASS or attempt == ATTEMPTS_MAX:
                    return reply
                hold = retry_after(reply.headers.get("Retry-After"), time.time())
            except NoReply as none:
                silent += none.silence.cause is Cause.TIMEOUT
                if not none.may_pass or attempt == ATTEMPTS_MAX or silent == SILENT_TOKENS_MAX:
                    why = none.silence.detail
                    hint = CA_HINT if UNKNOWN_CA.search(why) else ""
                    raise ApiUnreachable(f"{whom} gave no answer: {why}{hint}") from None
            usual = backoff(attempt, jitter=1.0)
            self._sleep(usual if hold is None or hold > _HOLD_MAX else hold)
