"""Self-service: what the teams that own instances may say of them, by labels and within bounds.

A label beyond its bounds, or one that cannot be read, is ignored, and the finding says so. No label
mutes.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from backup_audit.fleet.fields import (
    BACKUPS_MAX,
    TEXT_PATTERN,
    Duration,
    Glob,
    MinBackups,
    PositiveDuration,
    Text,
    day_of,
)
from backup_audit.fleet.policy import Demands, Statement
from backup_audit.fleet.selectors import glob_fits
from backup_audit.strict import description_of
from backup_audit.text import one_line, parse_duration

PREFIX = "backup-audit."
SKIP_UNTIL = f"{PREFIX}skip-until"
LABELS = {
    "max_age": f"{PREFIX}max-age",
    "min_backups": f"{PREFIX}min-backups",
    "grace": f"{PREFIX}grace",
    "owner": f"{PREFIX}owner",
    "skip": SKIP_UNTIL,
}

ALL_OF_OURS = f"{PREFIX}*"  # as a reader of the inventory takes it

_OURS = ", ".join(label.removeprefix(PREFIX) for label in LABELS.values())

PLACES = {key: f"label {label}" for key, label in LABELS.items()}

_LABELS = frozenset(LABELS.values())

IS_IGNORED = " is ignored: "  # in a note, after the label and before the reason

_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)

_SHOWN_MAX = 63  # characters, as many as the value of a label has


class DurationBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of a duration, both of them within."""

    at_least: PositiveDuration | None = None
    at_most: PositiveDuration | None = None


class GraceBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of a grace, both of them within."""

    at_least: Duration | None = None
    at_most: Duration | None = None


class CountBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of a number of backups, both of them within."""

    at_least: MinBackups | None = None
    at_most: MinBackups | None = None


class SkipBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far ahead the last day may be on which an instance is not audited."""

    at_most: PositiveDuration


class SelfService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What labels may state, and within which bounds; what is not given, labels may not state."""

    max_age: DurationBounds | None = None
    min_backups: CountBounds | None = None
    grace: GraceBounds | None = None
    owner: (
        Annotated[list[Glob], msgspec.Meta(min_length=1, description="a list of at least one glob")]
        | None
    ) = None
    skip: SkipBounds | None = None


class Stated(NamedTuple):
    """What the labels of an instance state within the bounds; `notes` say what was ignored, why.

    `skip_until` is the last day (UTC) on which it is not audited; if it is over, a note says so.
    """

    statements: tuple[Statement, ...] = ()
    skip_until: date | None = None
    notes: tuple[str, ...] = ()


NOTHING = Stated()


def stated_by(
    labels: Mapping[str, str],
    allowed: SelfService,
    today: date,
    others: Collection[str] = frozenset(),
) -> Stated:
    """Read the labels of an instance; `today` is a day in UTC.

    `others` are keys that selectors read: whatever else has our prefix is taken for a mistake.
    """
    statements, skip_until, notes = [], None, []
    for key, label in LABELS.items():
        if label not in labels:
            continue
        try:
            value = _read(key, labels[label], allowed, today)
        except _Ignored as why:
            notes.append(_note(label, labels[label], str(why)))
        else:
            if isinstance(value, date):
                skip_until = value
                if value < today:
                    notes.append(_note(label, labels[label], "it is over"))
            else:
                stated: Any = {key: value}
                statements.append(Statement(PLACES[key], Demands(**stated)))
    for label, text in labels.items():
        if label.startswith(PREFIX) and label not in _LABELS and label not in others:
            notes.append(_note(label, text, f"it is no label of ours, which are {_OURS}"))
    return Stated(tuple(statements), skip_until, tuple(notes))


def _note(label: str, text: str, why: str) -> str:
    """Say that a label is ignored, in a text that selection.py counts by its reason."""
    shown = one_line(text, _SHOWN_MAX)
    return f'label {one_line(label, _SHOWN_MAX)} "{shown}"{IS_IGNORED}{why}'


def within(allowed: SelfService, demand: str) -> str:
    """The bounds of a demand, such as "within 1h..7d", or "one of team-*" for an owner."""
    bounds = getattr(allowed, demand)
    if isinstance(bounds, list):
        return f"one of {', '.join(bounds)}"
    if bounds.at_least is None and bounds.at_most is None:
        return "without bounds"
    if bounds.at_most is None:
        return f"at least {bounds.at_least}"
    if bounds.at_least is None:
        return f"at most {bounds.at_most}"
    return f"within {bounds.at_least}..{bounds.at_most}"


class _Ignored(Exception):
    """Why a label is ignored."""


def _read(key: str, text: str, allowed: SelfService, today: date) -> str | int | date:
    """What a label says; raise _Ignored if it is not allowed to, or cannot be read."""
    bounds: Any = getattr(allowed, key)
    if bounds is None:
        raise _Ignored(f"self_service does not have {key}")
    if key == "skip":
        return _skip_until(text, bounds, today)
    match key:
        case "owner":
            if not any(glob_fits(glob, _owner(text)) for glob in bounds):
                raise _Ignored(f"it is not {within(allowed, key)}")
            return text
        case "min_backups":
            count = _count(text)
            _refuse_beyond(bounds, count, bounds.at_least, bounds.at_most)
            return count
        case _:
            seconds = _duration(text, PositiveDuration if key == "max_age" else Duration)
            _refuse_beyond(bounds, seconds, _limit(bounds.at_least), _limit(bounds.at_most))
            return text


# Of a large fleet any number of labels is read: what msgspec does for a document takes too long.


def _owner(text: str) -> str:
    if not re.search(TEXT_PATTERN, text):
        raise _Ignored(f"it is not {description_of(Text)}")
    return text


def _count(text: str) -> int:
    count = int(text) if _COUNT.fullmatch(text) else 0
    if not 1 <= count <= BACKUPS_MAX:
        raise _Ignored(f"it is not {description_of(MinBackups)}")
    return count


def _duration(text: str, kind: object) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = None
    if seconds is None or (kind is PositiveDuration and not seconds):
        raise _Ignored(f"it is not {description_of(kind)}")
    return seconds


@lru_cache
def _limit(bound: str | None) -> int | None:
    return None if bound is None else parse_duration(bound)


def _refuse_beyond(bounds: Any, value: int, least: int | None, most: int | None) -> None:  # noqa: ANN401
    """Raise _Ignored with the bound, as it is written, that a value is beyond."""
    if least is not None and value < least:
        raise _Ignored(f"it is less than {bounds.at_least}")
    if most is not None and value > most:
        raise _Ignored(f"it is more than {bounds.at_most}")


def _skip_until(text: str, bounds: SkipBounds, today: date) -> date:
    day = day_of(text)
    if day is None:
        raise _Ignored("it is not a day such as 2027-01-31")
    if day - today > timedelta(seconds=parse_duration(bounds.at_most)):
        raise _Ignored(f"it is more than {bounds.at_most} ahead")
    return day
