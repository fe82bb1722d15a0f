"""The credentials for the API, and the heartbeat's address, from Secrets Manager."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from backup_audit.aws import aws_errors, said
from backup_audit.errors import CredentialsUnavailable
from backup_audit.settings import secure_url

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


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


class _SecretDocument(msgspec.Struct, forbid_unknown_fields=True):
    authorization: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    heartbeat_url: str | None = None


_SHAPES = (
    'it must hold JSON with either "authorization" (such as "bearer eyJ…") '
    'or "client_id" and "client_secret", and may hold a "heartbeat_url"'
)


def read_credentials(secret_id: str, client: "Callable[[], SecretsManagerClient]") -> Credentials:
    """Read the secret (ARN or name); raise CredentialsUnavailable, which never quotes it."""
    try:
        text = client().get_secret_value(SecretId=secret_id).get("SecretString", "")
    except aws_errors() as error:
        raise CredentialsUnavailable(
            f"the secret {secret_id} could not be read: {said(error)}"
        ) from error
    try:
        document = msgspec.json.decode(text, type=_SecretDocument)
        return Credentials(_for_the_api(document), _heartbeat_url(document.heartbeat_url))
    except msgspec.MsgspecError:
        raise CredentialsUnavailable(f"the secret {secret_id} is unusable: {_SHAPES}") from None
    except _Unusable as unusable:
        raise CredentialsUnavailable(f"the secret {secret_id} is unusable: {unusable}") from None


class _Unusable(Exception):
    """Why the secret is unusable, without quoting it."""


def _for_the_api(document: _SecretDocument) -> ReadyHeader | ClientCredentials:
    match document:
        case _SecretDocument(authorization=str(value), client_id=None, client_secret=None):
            if not value.isascii() or not value.isprintable() or not value.strip():
                raise _Unusable("authorization cannot stand in a header")
            return ReadyHeader(Secret(value.strip()))
        case _SecretDocument(
            authorization=None, client_id=str(client_id), client_secret=str(client_secret)
        ) if client_id:
            return ClientCredentials(client_id, Secret(client_secret))
        case _:
            raise _Unusable(_SHAPES)


def _heartbeat_url(text: str | None) -> Secret | None:
    """Check an address; unlike the API's it may have a query, where some switches want the key."""
    if text is None:
        return None
    try:
        secure_url(text.partition("?")[0])
    except ValueError:
        usable = False
    else:
        usable = text.isascii() and text.isprintable() and " " not in text and "#" not in text
    if not usable:
        raise _Unusable("heartbeat_url is not an address such as https://switch.example.com/key")
    return Secret(text)
