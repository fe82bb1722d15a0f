"""The configuration: which instances to audit, under which policy, and which are muted."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.inventory import Operation
from backup_audit.strict import read_strictly
from backup_audit.text import DURATION_PATTERN, parse_duration

# The unreserved characters of RFC 3986: whatever they spell, they stay one segment of a path.
# "." and ".." would not, and are refused.
GUID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,200}$(?!\n)"

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

Guid = Annotated[
    str,
    msgspec.Meta(
        pattern=GUID_PATTERN,
        description="a GUID: 1 to 200 letters, digits and . _ ~ -, but not . or .. alone",
    ),
]
Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=DURATION_PATTERN, description='a duration such as "26h", "7d", "90m" or "1d12h"'
    ),
]
PositiveDuration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.*[1-9])" + DURATION_PATTERN.removeprefix("^"),
        description='a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"',
    ),
]
MinBackups = Annotated[int, msgspec.Meta(ge=1, le=100_000, description="a whole number from 1")]
Text = Annotated[
    str,
    msgspec.Meta(
        # No control characters, none that turn the direction of the text around them, none that
        # SQS refuses, and no invisible ones but joiners, which scripts and emoji need.
        pattern=r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
        r"\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]{1,200}$(?!\n)",
        description="a text of 1 to 200 characters without control or invisible characters",
    ),
]
Day = Annotated[date, msgspec.Meta(description='a date such as "2026-12-31"')]
SchemaAddress = Annotated[
    str, msgspec.Meta(description="a text: the address of a schema, for editors; it is not read")
]

SchemaVersion = Annotated[Literal[1], msgspec.Meta(description="1, the only version there is")]


class Demands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The demands that somebody states; the others are those of the layer below."""

    max_age: PositiveDuration | None = None
    min_backups: MinBackups | None = None
    grace: Duration | None = None


class InstanceEntry(Demands, frozen=True, kw_only=True):
    """An instance with more than its GUID."""

    guid: Guid
    name: Text | None = None
    owner: Text | None = None


class Mute(msgspec.Struct, frozen=True):
    """A person's decision not to be notified of an instance, up to and including a day (UTC)."""

    guid: Guid
    owner: Text
    reason: Text
    until: Day

    def is_in_force(self, today: date) -> bool:
        return today <= self.until


class MuteEntry(Mute, frozen=True, forbid_unknown_fields=True):
    """A mute as people write it: a key that nobody knows is a mistake."""


class ConfigurationDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document that CONFIG_URI points at. Null is as if an optional key were not given."""

    instances: Annotated[
        list[Guid | InstanceEntry],
        msgspec.Meta(min_length=1, description="a list of at least one instance"),
    ]
    schema_version: SchemaVersion | None = 1
    defaults: Demands | None = None
    mutes: list[MuteEntry] | None = None
    schema: SchemaAddress | None = msgspec.field(name="$schema", default=None)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The demands on one instance, and their sources.

    A source is "built-in", "defaults", "instances[3]" or "event".
    """

    max_age_seconds: int
    max_age_source: str = "built-in"
    min_backups: int
    min_backups_source: str = "built-in"
    grace_seconds: int
    grace_source: str = "built-in"

    def __post_init__(self) -> None:
        if self.max_age_seconds <= 0:
            raise ValueError("max_age must be longer than zero")
        if self.min_backups < 1:
            raise ValueError("min_backups must be at least 1")
        if self.grace_seconds < 0:
            raise ValueError("grace must not be negative")

    @property
    def max_age(self) -> timedelta:
        return timedelta(seconds=self.max_age_seconds)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)


# 26 h: a backup a day, and 2 h for one that runs late. No grace unless somebody decides on one.
BUILT_IN = Policy(max_age_seconds=26 * 3600, min_backups=1, grace_seconds=0)


def layered(policy: Policy, stated: Demands, source: str) -> Policy:
    """Replace the demands that a source states."""
    changes: dict[str, int | str] = {}
    if stated.max_age:
        changes |= {"max_age_seconds": parse_duration(stated.max_age), "max_age_source": source}
    if stated.min_backups:
        changes |= {"min_backups": stated.min_backups, "min_backups_source": source}
    if stated.grace:
        changes |= {"grace_seconds": parse_duration(stated.grace), "grace_source": source}
    return msgspec.structs.replace(policy, **changes)


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service instance to audit, with the policy that applies to it.

    A configured name wins over the foundation's. `created_at` and `operation`, one that is under
    way, are there only if this run read them. `policy_notes` say which labels were ignored, and
    why.
    """

    guid: str
    policy: Policy
    name: str | None = None
    owner: str | None = None
    type: str | None = None
    org: str | None = None
    space: str | None = None
    offering: str | None = None
    plan: str | None = None
    created_at: datetime | None = None
    operation: Operation | None = None
    policy_notes: tuple[str, ...] = ()


class Configuration(msgspec.Struct, frozen=True):
    """The configuration, resolved. `sha256` is that of the document as it was read."""

    instances: tuple[Instance, ...]
    default_policy: Policy
    mutes: tuple[Mute, ...]
    sha256: str


def parse_configuration(body: bytes, source: str) -> Configuration:
    """Read a configuration document; raise InvalidConfiguration with all its faults."""
    try:
        raw = loaded(body)
    except ValueError as error:
        raise InvalidConfiguration([str(error)], source=source) from None
    if isinstance(raw, list):
        write = 'write {"schema_version": 1, "instances": […]} around it'
        raise InvalidConfiguration([f"the document is a bare list: {write}"], source=source)
    document, faults = read_strictly(raw, ConfigurationDocument)
    faults += _duplicates(raw)
    if document is None or faults:
        raise InvalidConfiguration(_in_order(faults, raw), source=source)
    return _resolved(document, hashlib.sha256(body).hexdigest())


def loaded(body: bytes) -> object:
    """Parse JSON; raise ValueError with line and column of a syntax error.

    What would lose something is refused too.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start}: the document is not UTF-8") from None
    try:
        raw = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        msgspec.json.encode(raw)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair, such as \\ud800, is no character") from None
    return raw


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON parsers keep the last of two equal keys: half a list of instances would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice[:60]!r} stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def spelled(guid: str) -> str:
    """A GUID as it is compared: a UUID in lower case, as the API has it.

    Spreadsheets and Windows tools write capitals, and the API knows no instance by them.
    """
    if not UUID.fullmatch(guid):
        return guid
    lower = guid.lower()
    return guid if guid == lower else lower  # one text for both: a fleet has many


def duplicates(name: str, entries: Sequence[object]) -> Iterator[str]:
    """Yield a fault for every GUID, or entry with one, that was listed before; both positions."""
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        written = entry.get("guid") if isinstance(entry, dict) else entry
        if not isinstance(written, str):
            continue
        guid = spelled(written)
        if guid in first:
            place = f"{name}[{index}].guid" if isinstance(entry, dict) else f"{name}[{index}]"
            yield f"{place}: {guid[:200]!r} is listed already at {name}[{first[guid]}]"
        else:
            first[guid] = index


def _duplicates(raw: object) -> Iterator[str]:
    for name in ("instances", "mutes"):
        entries = raw.get(name) if isinstance(raw, dict) else None
        yield from duplicates(name, entries if isinstance(entries, list) else ())


def _in_order(faults: Sequence[str], raw: object) -> list[str]:
    """The faults in the order of the document; what is missing comes first."""
    keys = {key: place for place, key in enumerate(raw if isinstance(raw, dict) else ())}

    def place(fault: str) -> tuple[int, int]:
        [(key, index)] = re.findall(r"^([^.\[:]*)(?:\[([0-9]+)\])?", fault)
        return keys.get(key, -1), int(index or 0)

    return sorted(faults, key=place)


def _resolved(document: ConfigurationDocument, sha256: str) -> Configuration:
    default_policy = layered(BUILT_IN, document.defaults or Demands(), "defaults")
    instances = tuple(
        Instance(spelled(entry), default_policy)
        if isinstance(entry, str)
        else Instance(
            guid=spelled(entry.guid),
            policy=layered(default_policy, entry, f"instances[{index}]"),
            name=entry.name,
            owner=entry.owner,
        )
        for index, entry in enumerate(document.instances)
    )
    mutes = tuple(
        msgspec.structs.replace(mute, guid=spelled(mute.guid)) for mute in document.mutes or ()
    )
    return Configuration(instances, default_policy, mutes, sha256)
