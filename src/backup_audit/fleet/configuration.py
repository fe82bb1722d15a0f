"""The configuration: which instances to audit, under which policy, and which are muted."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.faults import faults_among
from backup_audit.fleet.fields import (
    DayOrNever,
    Guid,
    SchemaAddress,
    Text,
    day_of,
    spelled,
)
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.mutes import Mute, MuteEntry
from backup_audit.fleet.policy import Demands, Policy
from backup_audit.fleet.selectors import Selector
from backup_audit.fleet.self_service import SelfService
from backup_audit.strict import read_strictly

SchemaVersion = Annotated[Literal[1], msgspec.Meta(description="1, the only version there is")]


class InstanceEntry(Demands, frozen=True, kw_only=True, gc=False):
    """An instance with more than its GUID."""

    guid: Guid
    name: Text | None = None


class Exclude(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instances that are not audited although they are discovered, up to and including a day (UTC).

    What `instances` lists is audited all the same.
    """

    match: Selector
    owner: Text
    reason: Text
    until: DayOrNever

    @property
    def last_day(self) -> date | None:
        """None if it never ends."""
        return day_of(self.until)

    def is_in_force(self, today: date) -> bool:
        return self.last_day is None or today <= self.last_day


class Rule(Demands, frozen=True, kw_only=True):
    """Demands on the instances that `match` fits and `unless` does not; the first rule decides."""

    match: Selector
    unless: Selector | None = None
    name: Text | None = None


class ConfigurationDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document that CONFIG_URI points at. Null is as if an optional key were not given.

    It needs `instances` or `discover`. `inventory` "listed": the foundation is asked for the
    instances that are listed, and nobody knows which others it has.
    """

    instances: (
        Annotated[
            list[Guid | InstanceEntry],
            msgspec.Meta(min_length=1, description="a list of at least one instance"),
        ]
        | None
    ) = None
    discover: (
        Annotated[
            list[Selector],
            msgspec.Meta(min_length=1, description="a list of at least one selector"),
        ]
        | None
    ) = None
    exclude: list[Exclude] | None = None
    rules: list[Rule] | None = None
    self_service: SelfService | None = None
    inventory: Annotated[Literal["listed"], msgspec.Meta(description='"listed"')] | None = None
    schema_version: SchemaVersion | None = 1
    defaults: Demands | None = None
    mutes: list[MuteEntry] | None = None
    schema: SchemaAddress | None = msgspec.field(name="$schema", default=None)


class Instance(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A service instance to audit, with the policy that applies to it.

    A configured name wins over the foundation's. `created_at` and `operation`, one that is under
    way, are there only if this run read them. `policy_notes` say which labels were ignored, and
    why, and what ordinarily excludes an instance that the event asks for. `is_absent`: it was
    discovered once, and a complete inventory of this run lacks it.
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
    is_absent: bool = False


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration as it was read. `sha256` is that of the document.

    `is_scanned` is false if only the listed instances are looked up.
    """

    instances: tuple[InstanceEntry, ...] = ()
    discover: tuple[Selector, ...] = ()
    exclude: tuple[Exclude, ...] = ()
    rules: tuple[Rule, ...] = ()
    self_service: SelfService | None = None
    defaults: Demands = Demands()
    mutes: tuple[Mute, ...] = ()
    is_scanned: bool = True
    sha256: str = ""


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
    faults += faults_among(raw)
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


def _in_order(faults: Sequence[str], raw: object) -> list[str]:
    """The faults in the order of the document; what is missing comes first."""
    keys = {key: place for place, key in enumerate(raw if isinstance(raw, dict) else ())}

    def place(fault: str) -> tuple[int, int]:
        [(key, index)] = re.findall(r"^([^.\[:]*)(?:\[([0-9]+)\])?", fault)
        return keys.get(key, -1), int(index or 0)

    return sorted(faults, key=place)


def _resolved(document: ConfigurationDocument, sha256: str) -> Configuration:
    return Configuration(
        instances=tuple(map(_entry, document.instances or ())),
        discover=tuple(document.discover or ()),
        exclude=tuple(document.exclude or ()),
        rules=tuple(document.rules or ()),
        self_service=document.self_service,
        defaults=document.defaults or Demands(),
        mutes=tuple(entry.resolved() for entry in document.mutes or ()),
        is_scanned=document.inventory is None,
        sha256=sha256,
    )


def _entry(written: str | InstanceEntry) -> InstanceEntry:
    if isinstance(written, str):
        return InstanceEntry(guid=spelled(written))
    return msgspec.structs.replace(written, guid=spelled(written.guid))
