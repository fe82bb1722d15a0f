"""Labels and label selectors, with the Cloud Controller's restrictions and in its words."""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

_NAME_MAX = 63  # characters of a key's name, and of a value
_PREFIX_MAX = 253
_REQUIREMENTS_MAX = 50

_PART = r"([a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])"
_DOMAIN = re.compile(rf"({_PART}\.)+{_PART}", re.IGNORECASE | re.ASCII)
_INVALID_CHARACTER = re.compile(r"[^\w\-.]", re.ASCII)
_STARTS_AND_ENDS_WELL = re.compile(r"(?=[a-zA-Z0-9]).*[a-zA-Z0-9]")

_REQUIREMENT = re.compile(r"(?:\(.*?\)|[^,])+")
_KEY = r"(?P<key>[\w\-._/]+)"
_FORMS = (
    ("in", re.compile(r"(?P<key>.*?) in \((?P<values>.*)\)")),
    ("notin", re.compile(r"(?P<key>.*?) notin \((?P<values>.*)\)")),
    ("in", re.compile(rf"{_KEY}==?(?P<values>.*)", re.ASCII)),
    ("notin", re.compile(rf"{_KEY}!=(?P<values>.*)", re.ASCII)),
    ("exists", re.compile(rf"{_KEY}(?P<values>)", re.ASCII)),
    ("absent", re.compile(rf"!{_KEY}(?P<values>)", re.ASCII)),
)


class Requirement(msgspec.Struct, frozen=True):
    """One of the conditions that a selector joins."""

    key: str
    operator: str
    values: tuple[str, ...]

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fit it; those without the key fit `!=` and `notin`."""
        match self.operator:
            case "in":
                return labels.get(self.key) in self.values
            case "notin":
                return labels.get(self.key) not in self.values
            case "exists":
                return self.key in labels
            case _:
                return self.key not in labels


def parse_selector(selector: str) -> tuple[list[Requirement], list[str]]:
    """The requirements of a selector, and what is wrong with it."""
    parts = _REQUIREMENT.findall(selector)
    if not parts:
        return [], ["Missing label_selector value"]
    if len(parts) > _REQUIREMENTS_MAX:
        return [], [f"Too many label_selector requirements (maximum is {_REQUIREMENTS_MAX})"]
    requirements, faults = [], []
    for part in parts:
        requirement = _requirement(part)
        fault = _fault_of(requirement)
        if fault:
            faults.append(fault)
        elif requirement:
            requirements.append(requirement)
    return requirements, faults


def label_faults(labels: Mapping[str, str]) -> list[str]:
    """Why the Cloud Controller would not take these labels."""
    keys = [f"label key error: {fault}" for fault in map(_key_fault, labels) if fault]
    values = map(_value_fault, labels.values())
    return keys + [f"label value error: {fault}" for fault in values if fault]


def _requirement(text: str) -> Requirement | None:
    for operator, form in _FORMS:
        found = form.fullmatch(text)
        if found:
            values = found["values"].rstrip(",")  # Ruby's split drops empty values at the end
            return Requirement(found["key"], operator, tuple(values.split(",") if values else ()))
    return None


def _fault_of(requirement: Requirement | None) -> str:
    if requirement is None:
        return "Invalid label_selector value"
    faults = [_key_fault(requirement.key), *map(_value_fault, requirement.values)]
    return next(filter(None, faults), "")


def _key_fault(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not key.strip():
        return "key cannot be empty string"
    if key.count("/") > 1:
        return "key has more than one '/'"
    return (slash and _prefix_fault(prefix)) or _name_fault(name)


def _prefix_fault(prefix: str) -> str:
    if not _DOMAIN.fullmatch(prefix):
        return f"prefix '{prefix}' must be in valid dns format"
    if len(prefix) > _PREFIX_MAX:
        return f"prefix '{prefix[:8]}...' is greater than {_PREFIX_MAX} characters"
    if prefix.lower() == "cloudfoundry.org":
        return "prefix 'cloudfoundry.org' is reserved"
    return ""


def _value_fault(value: str) -> str:
    return _name_fault(value) if value else ""


@lru_cache(maxsize=1_000)  # a large fleet has the same names everywhere
def _name_fault(name: str) -> str:
    if not name:
        return "key cannot be empty string"
    if _INVALID_CHARACTER.search(name):
        return f"'{name}' contains invalid characters"
    if not _STARTS_AND_ENDS_WELL.fullmatch(name):
        return f"'{name}' starts or ends with invalid characters"
    if len(name) > _NAME_MAX:
        return f"'{name[:8]}...' is greater than {_NAME_MAX} characters"
    return ""
