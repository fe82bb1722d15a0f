"""A fault: what the server does, and the verdict that must come of it."""

import socket
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum, auto

import msgspec

from backup_audit.judge.verdict import Verdict
from tests.doubles.builders import NOW
from tests.doubles.stubborn_server import proxies

Serve = Callable[[socket.socket], None]
Does = bytes | Serve

TOKEN = "bearer eyJhbGciOiJub25lIn0.canary-canary-canary.c2lnbmF0dXJl"

_SECONDS = int(NOW.timestamp())
YOUNG_TIME = str(_SECONDS - 3 * 3600).encode()
OLD_TIME = str(_SECONDS - 50 * 3600).encode()
YOUNG = b'{"backups": [{"id": "b-1", "created_at": ' + YOUNG_TIME + b"}]}"
OLD = b'{"backups": [{"id": "b-1", "created_at": ' + OLD_TIME + b"}]}"
EMPTY = b'{"backups": []}'
# A fault must turn neither into an all-clear nor into an alarm.
TEMPTING = (YOUNG, EMPTY)

# In an answer, these stand for what only the server knows.
OUR_TOKEN = b"{token}"
SAME_HOST = b"{same}"
FOREIGN_HOST = b"{foreign}"


class Channel(StrEnum):
    """How the client reaches the server."""

    PLAIN = auto()
    TLS = auto()


class Certificate(StrEnum):
    """What the server shows; only the first proves who it is."""

    GOOD = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    SELF_SIGNED = auto()
    OTHER_NAME = auto()
    OTHER_CA = auto()
    NONE = auto()  # no TLS at all: what the fault does is done on the bare connection


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`does` has variations of one fault; the verdict must be the same for each.

    Bytes are sent as they are; then the connection is kept if `keeps`, else closed. `says` must
    stand in every reason. `waits` are the seconds of the longest wait, if the fault decides them.
    `of_age`: what is faulty is the answer about the instance's age, after an empty list.
    `proxy`: what a proxy on the way does; bytes are its answer to CONNECT, and then it closes.
    """

    name: str
    does: tuple[Does, ...]
    verdict: Verdict = Verdict.UNKNOWN
    says: str = ""
    attempts: int = 1
    keeps: bool = False
    channels: tuple[Channel, ...] = (Channel.PLAIN, Channel.TLS)
    certificate: Certificate = Certificate.GOOD
    connect_timeout: float = 20.0  # seconds; what is slow is given less
    read_timeout: float = 20.0
    waits: float | None = None
    of_age: bool = False
    proxy: Does | None = None

    @property
    def reaches_the_api(self) -> bool:
        """Whether TLS, and a proxy, let a request through at all."""
        return self.certificate is Certificate.GOOD and self.proxy in (None, proxies)

    @property
    def is_slow(self) -> bool:
        """Whether an attempt lasts until its time is over."""
        return min(self.connect_timeout, self.read_timeout) < 1


class Group(msgspec.Struct, frozen=True):
    """Faults of a kind; `about` says what they have in common."""

    title: str
    about: str
    faults: tuple[Fault, ...]


def http(
    body: bytes = YOUNG,
    status: int | str = 200,
    *headers: str,
    length: object = "right",
    version: str = "HTTP/1.1",
) -> bytes:
    """An answer; its Content-Length is right, or what `length` says, or left out for None."""
    lines = [f"{version} {status} Whatever"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == 'right' else length}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A 200 in chunks."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return http(chunks, 200, "Transfer-Encoding: chunked", length=None) + end


def listing(*entries: bytes) -> bytes:
    """A list of backups."""
    return b'{"backups": [' + b", ".join(entries) + b"]}"


def backup(created_at: bytes) -> bytes:
    """An entry of such a list."""
    return b'{"id": "b-1", "created_at": ' + created_at + b"}"


def error(code: object, title: str, detail: str = "words") -> bytes:
    """The body of a Cloud Foundry error."""
    fault = {"code": code, "title": title, "detail": detail}
    return msgspec.json.encode({"errors": [fault]})


def at(age: timedelta) -> bytes:
    """A created_at that is so old."""
    return str(int((NOW - age).timestamp())).encode()
