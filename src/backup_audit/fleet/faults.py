"""What the types of a configuration cannot say: faults of its values among each other.

It is found in the document as parsed, so that it is said beside all other faults.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from backup_audit.fleet.fields import GLOB_PATTERN, NEVER, DayOrNever, Globs, day_of, spelled
from backup_audit.fleet.labels import faults_of_labels
from backup_audit.fleet.policy import DEMANDS
from backup_audit.fleet.selectors import KEYS, NAMES
from backup_audit.fleet.self_service import CountBounds, GraceBounds
from backup_audit.strict import description_of, read_strictly, shown
from backup_audit.text import parse_duration

# Of a list: far more than a person writes, and few enough for 100,000 instances.
SELECTORS_MAX = 1_000


def faults_among(raw: object) -> Iterator[str]:
    """Each fault of a configuration that has the types it should have, or nearly."""
    document = _object(raw)
    if isinstance(raw, dict) and not _is_given(document, "instances", "discover"):
        yield "the document: needs instances or discover"
    if document.get("inventory") == "listed" and _is_given(document, "discover"):
        yield 'inventory: "listed" reads no inventory, and discover needs one'
    for name in ("instances", "mutes"):
        yield from duplicates(name, _list(document.get(name)))
    yield from _too_many(document)
    for name, faults_of in _OF_ENTRIES.items():
        for at, entry in _entries(document, name):
            yield from faults_of(at, entry)
    yield from _of_self_service(_object(document.get("self_service")))


def is_faulty(name: str, part: object) -> bool:
    """Whether an entry of a list, or `self_service`, that has the right types has a fault."""
    if name == "self_service":
        return any(_of_self_service(_object(part)))
    return any(_OF_ENTRIES[name](name, _object(part)))


def _too_many(document: Mapping[str, Any]) -> Iterator[str]:
    """Selectors are compared with every instance: thousands would take a run's time."""
    for name in ("discover", "exclude", "rules"):
        if (count := len(_list(document.get(name)))) > SELECTORS_MAX:
            yield f"{name}: has {count:,} entries; {SELECTORS_MAX:,} are the most"
    matching = sum(_is_given(entry, "match") for _, entry in _entries(document, "mutes"))
    if matching > SELECTORS_MAX:
        yield f"mutes: has {matching:,} entries with match; {SELECTORS_MAX:,} are the most"


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


def _object(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _entries(document: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, entry in enumerate(_list(document.get(name))):
        if isinstance(entry, dict):
            yield f"{name}[{index}]", entry


def _is_given(entry: Mapping[str, Any], *keys: str) -> bool:
    """Whether one of the keys is given: null is as if it were not."""
    return any(entry.get(key) is not None for key in keys)


def _of_selector(at: str, selector: object) -> Iterator[str]:
    if not isinstance(selector, dict):
        return
    if not _is_given(selector, *selector):
        yield f'{at}: needs at least one of {", ".join(KEYS)}; {{"org": "*"}} is everything'
    for key in NAMES:
        glob = selector.get(key)
        if isinstance(glob, str) and not re.search(GLOB_PATTERN, glob):
            yield f"{at}.{key}: {shown(glob)} is not {description_of(Globs)}"
    labels = selector.get("labels")
    if isinstance(labels, str):
        yield from (f"{at}.labels: {fault}" for fault in faults_of_labels(labels))


def _of_exclude(at: str, exclude: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_selector(f"{at}.match", exclude.get("match"))
    until = exclude.get("until")
    if isinstance(until, str) and until != NEVER and day_of(until) is None:
        yield f"{at}.until: {shown(until)} is not {description_of(DayOrNever)}"


def _of_rule(at: str, rule: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_selector(f"{at}.match", rule.get("match"))
    yield from _of_selector(f"{at}.unless", rule.get("unless"))
    if not _is_given(rule, *DEMANDS):
        yield f"{at}: states no demand"


def _of_mute(at: str, mute: Mapping[str, Any]) -> Iterator[str]:
    if _is_given(mute, "guid") is _is_given(mute, "match"):
        yield f"{at}: needs one of guid and match"
    yield from _of_selector(f"{at}.match", mute.get("match"))


def _of_self_service(allowed: Mapping[str, Any]) -> Iterator[str]:
    for key in ("max_age", "grace"):
        bounds, _ = read_strictly(allowed.get(key), GraceBounds)  # zero is found by its own type
        if bounds is None or bounds.at_least is None or bounds.at_most is None:
            continue
        if parse_duration(bounds.at_least) > parse_duration(bounds.at_most):
            how = f"at_least {bounds.at_least} is longer than at_most {bounds.at_most}"
            yield f"self_service.{key}: {how}"
    count, _ = read_strictly(allowed.get("min_backups"), CountBounds)
    if count is None or count.at_least is None or count.at_most is None:
        return
    if count.at_least > count.at_most:
        how = f"at_least {count.at_least} is more than at_most {count.at_most}"
        yield f"self_service.min_backups: {how}"


_OF_ENTRIES: Mapping[str, Callable[[str, Mapping[str, Any]], Iterator[str]]] = {
    "discover": _of_selector,
    "exclude": _of_exclude,
    "rules": _of_rule,
    "mutes": _of_mute,
}
