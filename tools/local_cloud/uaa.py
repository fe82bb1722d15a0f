"""A UAA that knows the client-credentials grant."""

import base64
import binascii
import threading
import uuid
from collections.abc import Callable, Mapping

from tools.local_cloud.replies import Reply, json_reply
from tools.local_cloud.roles import Role


class SimulatedUaa:
    """Gives tokens and knows them again until they end or are revoked.

    All clients have the same role, which may change; a token says the one of its time.
    """

    def __init__(
        self,
        clients: Mapping[str, str],
        role: Role,
        *,
        lifetime: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.role = role
        self._clients = clients
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    @property
    def tokens(self) -> list[str]:
        """Every token given so far, those that ended among them, and not those revoked."""
        with self._lock:
            return list(self._ends)

    def grant(self, form: Mapping[str, str], authorization: str | None) -> Reply:
        """POST /oauth/token."""
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "Unsupported grant type")
        if authorization is None:
            client, error = (form.get("client_id"), form.get("client_secret")), "invalid_client"
        else:
            client, error = _basic(authorization), "unauthorized"
        client_id, client_secret = client
        if client_id is None or self._clients.get(client_id) != client_secret:
            return _error(401, error, "Bad credentials")
        return json_reply(self._new_token())

    def knows(self, token: str) -> bool:
        """Whether a token was given here, and neither ended nor was revoked."""
        with self._lock:
            return self._monotonic() < self._ends.get(token, float("-inf"))

    def revoke_tokens(self) -> None:
        """Forget every token given so far."""
        with self._lock:
            self._ends.clear()

    def _new_token(self) -> dict[str, object]:
        token = uuid.uuid4().hex
        with self._lock:
            self._ends[token] = self._monotonic() + self._lifetime
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._lifetime),
            "scope": self.role.scope,
            "jti": uuid.uuid4().hex,
        }


def _error(status: int, error: str, description: str) -> Reply:
    return json_reply({"error": error, "error_description": description}, status)


def _basic(authorization: str) -> tuple[str | None, str | None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        client_id, _, client_secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return client_id, client_secret
