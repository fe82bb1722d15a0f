"""What a person pipes in, or types where nothing echoes: a token, or a client's secret."""

import base64
import binascii
import getpass
import re
import sys
from datetime import UTC, datetime

import msgspec

from backup_audit.errors import CredentialsRefused
from backup_audit.probe.authorization import ClientCredentials, ReadyHeader, Secret
from backup_audit.text import brief_duration
from backup_audit_cli.exit_status import WrongUsage

_BEARER = re.compile(r"\bbearer\s+([\w.~+/=-]+)", re.IGNORECASE | re.ASCII)
# Shorter words are cf's: it prints FAILED where nobody is logged in.
_BARE = re.compile(r"[\w.~+/=-]{16,}", re.ASCII)

_NOTHING_PIPED = (
    "no token is on standard input: log in (cf login), then "
    "cf oauth-token | backup-audit try ...; or name a client with --client-id"
)


class _Claims(msgspec.Struct):
    exp: float


def piped_token(now: datetime) -> ReadyHeader:
    """The token that `cf oauth-token` prints, with or without "bearer", and words around it.

    Raise WrongUsage if there is none, CredentialsRefused if it has ended.
    """
    if _is_terminal():
        raise WrongUsage(_NOTHING_PIPED)
    token = _token_in(_piped())
    ended_at = _end_of(token)
    if ended_at is not None and ended_at <= now:
        raise CredentialsRefused(
            f"the token ended {brief_duration(now - ended_at)} ago: cf oauth-token gives another"
        )
    return ReadyHeader(Secret(f"bearer {token}"))


def client_secret(client_id: str) -> ClientCredentials:
    """A client's secret from standard input, or from a prompt that does not echo."""
    typed = _is_terminal()
    secret = _typed(f"Secret of the client {client_id}: ") if typed else _piped().rstrip("\r\n")
    if not secret:
        raise WrongUsage(f"there is no secret of the client {client_id} on standard input")
    return ClientCredentials(client_id, Secret(secret))


def _typed(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        return ""


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _piped() -> str:
    try:
        return sys.stdin.read() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise WrongUsage("standard input is no text") from None


def _token_in(text: str) -> str:
    """The last token of a text; its words are not quoted, for they may be a secret."""
    found = _BEARER.findall(text) or [word for word in text.split() if _BARE.fullmatch(word)]
    if not found:
        raise WrongUsage(_NOTHING_PIPED)
    token: str = found[-1]
    return token


def _end_of(token: str) -> datetime | None:
    """When a token says that it ends; None if it is none that says so."""
    _, _, rest = token.partition(".")
    claims = rest.partition(".")[0]
    try:
        body = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        return datetime.fromtimestamp(msgspec.json.decode(body, type=_Claims).exp, UTC)
    except (binascii.Error, msgspec.MsgspecError, ValueError, OverflowError, OSError):
        return None
