"""The credentials for the API, out of Secrets Manager."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from backup_audit.adapters.aws import aws_errors, said
from backup_audit.errors import CredentialsUnavailable

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


class ReadyAuthorization(msgspec.Struct, frozen=True):
    """A value for the Authorization header."""

    authorization: Secret


class ClientCredentials(msgspec.Struct, frozen=True):
    """What UAA gives tokens for."""

    client_id: str
    client_secret: Secret


class _SecretDocument(msgspec.Struct, forbid_unknown_fields=True):
    authorization: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


_SHAPES = (
    'it must hold JSON with either "authorization" (such as "bearer eyJ…") '
    'or "client_id" and "client_secret"'
)


def read_credentials(
    secret_id: str, client: "Callable[[], SecretsManagerClient]"
) -> ReadyAuthorization | ClientCredentials:
    """Read the secret (ARN or name); raise CredentialsUnavailable, which never quotes it."""
    try:
        text = client().get_secret_value(SecretId=secret_id).get("SecretString", "")
    except aws_errors() as error:
        raise CredentialsUnavailable(
            f"the secret {secret_id} could not be read: {said(error)}"
        ) from error
    return _parse(text, secret_id)


def _parse(text: str, secret_id: str) -> ReadyAuthorization | ClientCredentials:
    try:
        document = msgspec.json.decode(text, type=_SecretDocument)
    except msgspec.MsgspecError:
        raise CredentialsUnavailable(f"the secret {secret_id} is unusable: {_SHAPES}") from None
    match document:
        case _SecretDocument(authorization=str(value), client_id=None, client_secret=None):
            if not value.isascii() or not value.isprintable() or not value.strip():
                raise CredentialsUnavailable(
                    f"the secret {secret_id} is unusable: authorization cannot stand in a header"
                )
            return ReadyAuthorization(Secret(value.strip()))
        case _SecretDocument(
            authorization=None, client_id=str(client_id), client_secret=str(client_secret)
        ) if client_id:
            return ClientCredentials(client_id, Secret(client_secret))
        case _:
            raise CredentialsUnavailable(f"the secret {secret_id} is unusable: {_SHAPES}")
