"""Reads the secret, and says what is wrong with its form: never a word of what it holds."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from backup_audit.aws import aws_errors, or_its_key, said
from backup_audit.errors import CredentialsUnavailable
from backup_audit.settings import secure_url

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


class SecretDocument(msgspec.Struct):
    """A secret of one of the two shapes; all texts that are there can be used."""

    authorization: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    heartbeat_url: str | None = None


_NAMES = SecretDocument.__struct_fields__
_SHAPES = (
    'it must hold a JSON object with either "authorization" (such as "bearer eyJ…") '
    'or "client_id" and "client_secret", and may hold a "heartbeat_url"'
)
_KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


def read_secret(secret_id: str, client: "Callable[[], SecretsManagerClient]") -> SecretDocument:
    """Read the secret (ARN or name); raise CredentialsUnavailable, which never quotes it."""
    try:
        answer = client().get_secret_value(SecretId=secret_id)
    except aws_errors() as error:
        raise CredentialsUnavailable(
            f"the secret {secret_id} could not be read: {said(error)}; check its "
            f"name, and that we may read it{or_its_key(error)}"
        ) from error
    try:
        stated = _stated(answer.get("SecretString"))
        faults = list(_faults(stated))
    except _NoObject as why:
        faults = [str(why)]
    if faults:
        raise CredentialsUnavailable(f"the secret {secret_id} is unusable: {'; '.join(faults)}")
    return SecretDocument(**stated)


def edge_of(text: str) -> str | None:
    """The white space at a text's ends, where hardly anybody means it; None if there is none."""
    if text.endswith(("\n", "\r")):
        return "ends in a line feed"
    if text != text.rstrip():
        return "ends in white space"
    return "begins with white space" if text != text.lstrip() else None


class _NoObject(Exception):
    """Why there is no JSON object to look at."""


def _stated(text: str | None) -> dict[str, Any]:
    """What the object says; null is as if a key were not given."""
    if text is None:
        raise _NoObject("it is binary (SecretBinary): store its JSON as text (SecretString)")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise _NoObject(f"it is empty: {_SHAPES}")
    try:
        value = json.loads(text, object_pairs_hook=_each_once, parse_int=float)
    except json.JSONDecodeError as error:  # its words may quote a character
        where = f"line {error.lineno}, column {error.colno}"
        raise _NoObject(f"it is not JSON ({where}): {_SHAPES}") from None
    except RecursionError:
        raise _NoObject(f"it is nested too deeply: {_SHAPES}") from None
    if not isinstance(value, dict):
        raise _NoObject(f"it is JSON, but {_kind(value)} and not an object: {_SHAPES}")
    return {name: one for name, one in value.items() if one is not None}


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NoObject("a key stands twice in it")
    return found


def _kind(value: object) -> str:
    return "a text" if isinstance(value, str) else _KINDS.get(type(value), "a number")


def _faults(stated: Mapping[str, object]) -> Iterator[str]:
    more = len(stated.keys() - set(_NAMES))
    if more:
        besides = "1 key" if more == 1 else f"{more} keys"
        yield f"it has {besides} besides those that it may have: {', '.join(_NAMES)}"
    for name in _NAMES:
        value = stated.get(name)
        if value is not None:
            fault = _fault(name, value) if isinstance(value, str) else _no_text(value)
            if fault:
                yield f"{name} {fault}"
    pair = [name for name in ("client_id", "client_secret") if name in stated]
    if "authorization" in stated and pair:
        yield f"it has authorization and {' and '.join(pair)}: leave out the one or the other"
    elif len(pair) == 1:
        missing = "client_secret" if pair == ["client_id"] else "client_id"
        yield f"{missing} is missing beside {pair[0]}"
    elif "authorization" not in stated and not pair:
        yield f"it has no credentials: {_SHAPES}"


def _no_text(value: object) -> str:
    return f"is {_kind(value)}, not a text in quotation marks"


def _fault(name: str, text: str) -> str | None:
    """What is wrong with a text.

    White space may be meant at the end of a client's secret, but not at that of a header.
    """
    if not _is_text(text):
        return "has half a surrogate pair, such as \\ud800, which is no character"
    if name != "client_secret" and not text.strip():
        return "is empty"
    if name not in _EXACT:
        return None
    fits, otherwise = _EXACT[name]
    edge = edge_of(text)
    if edge:
        return f"{edge}: leave that out"
    return None if fits(text) else otherwise


def is_header(text: str) -> bool:
    """Whether a text can stand in a header."""
    return text.isascii() and text.isprintable()


def _is_address(text: str) -> bool:
    """Whether it is one; unlike the API's it may have a query, where some switches want the key."""
    try:
        secure_url(text.partition("?")[0])
    except ValueError:
        return False
    return is_header(text) and " " not in text and "#" not in text


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_EXACT: dict[str, tuple[Callable[[str], bool], str]] = {
    "authorization": (is_header, "has characters that cannot stand in a header"),
    "heartbeat_url": (_is_address, "is not an address such as https://switch.example.com/key"),
}
