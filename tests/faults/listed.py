"""The same faults in the list of instances: where an answer has backups, it has instances here."""

import importlib
import sys
from datetime import timedelta
from typing import Any

import msgspec

from backup_audit.fleet.inventory import USER_PROVIDED
from backup_audit.judge.evidence import Answer, BackupList, Refusal
from tests.doubles.builders import NOW, a_list
from tests.doubles.fakes import NOT_FOUND
from tests.doubles.foundation import INCLUDED, Resource, instant, page_of, resource
from tests.faults.fault import Certificate, Channel, Fault

_PACKAGE = "tests.faults."


def _young(guid: str, hours: float, **more: Any) -> Resource:  # noqa: ANN401
    return resource(guid, created_at=instant(NOW - timedelta(hours=hours)), **more)


_CREATION = {"type": "create", "state": "in progress", "updated_at": instant(NOW)}

# In the order in which they were created, and are listed.
EXCLUDED, SLOW, OLD, YOUNG, CREATED, HEALTHY, NEW = (f"guid-{number}" for number in range(1, 8))
PROVIDED, GONE = "guid-8", "guid-9"
MANAGED: tuple[Resource, ...] = (
    resource(EXCLUDED, 1, name="scratch-1"),
    resource(SLOW, 2, name="archive-2"),
    resource(OLD, 3),
    _young(YOUNG, 4),
    _young(CREATED, 3, last_operation=_CREATION),
    _young(HEALTHY, 2),
    _young(NEW, 1),
)
THERE: tuple[Resource, ...] = (*MANAGED, resource(PROVIDED, 4, type=USER_PROVIDED))

# What the instances themselves answer; where there is no backup, the inventory may excuse it.
ANSWERS: dict[str, Answer | tuple[Answer, int | None]] = {
    EXCLUDED: a_list(50),
    SLOW: a_list(50),
    OLD: BackupList(()),
    YOUNG: BackupList(()),
    CREATED: (NOT_FOUND, 404),
    HEALTHY: a_list(3),
    NEW: BackupList(()),
    PROVIDED: (Refusal(10008, "CF-UnprocessableEntity", "no backups"), 422),
    GONE: (NOT_FOUND, 404),
}

# A fault must take none of the others away, and may excuse the one that it names only if its answer
# counts.
NAMED = YOUNG
_ONE = page_of([MANAGED[3]])
_ONE_OF_MANY = page_of([MANAGED[3]], total=300)
_NONE = page_of([])


def _listing(*entries: bytes) -> bytes:
    return (
        b'{"pagination": {"total_results": %d, "next": null}, "included": %b, "resources": ['
        % (len(entries), msgspec.json.encode(INCLUDED))
        + b", ".join(entries)
        + b"]}"
    )


def _entry(created_at: bytes) -> bytes:
    return b'{"guid": "%b", "type": "managed", "created_at": %b}' % (NAMED.encode(), created_at)


def _catalogue() -> dict[str, Fault]:
    """The faults, made once more with other lists; the modules that are there stay as they are."""
    there = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith(_PACKAGE)}
    try:
        fault = importlib.import_module(f"{_PACKAGE}fault")
        lists = {"YOUNG": _ONE, "OLD": _ONE_OF_MANY, "EMPTY": _NONE, "TEMPTING": (_ONE, _NONE)}
        for name, value in (lists | {"listing": _listing, "backup": _entry}).items():
            setattr(fault, name, value)
        made = importlib.import_module(f"{_PACKAGE}catalogue").FAULTS
    finally:
        for name in [name for name in sys.modules if name.startswith(_PACKAGE)]:
            del sys.modules[name]
        sys.modules.update(there)
        for name, module in there.items():
            setattr(sys.modules["tests.faults"], name.removeprefix(_PACKAGE), module)
    return {name: _known(fault) for name, fault in made.items()}


def _known(fault: Fault) -> Fault:
    """The fault with the types of the modules that are there."""
    values = {name: getattr(fault, name) for name in Fault.__struct_fields__}
    values["channels"] = tuple(map(Channel, fault.channels))
    values["certificate"] = Certificate(fault.certificate)
    return Fault(**values)


FAULTS = _catalogue()
