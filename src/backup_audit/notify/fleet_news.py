"""What a digest says of the fleet itself: who left it, what nobody audits, and what is not known.

Names come from whoever may make an instance, and there may be many: few are named, the others
counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice, takewhile
from operator import itemgetter
from typing import TypeVar

import msgspec

from backup_audit.fleet.doubts import EXCLUDE_ENDS_SOON, is_about_an_end
from backup_audit.fleet.fields import NEVER, day_of
from backup_audit.fleet.inventory import Read
from backup_audit.fleet.selection import ExcludeUse
from backup_audit.judge.verdict import Severity, severity_of
from backup_audit.notify.message import size_of_text
from backup_audit.notify.room import Room
from backup_audit.report.drift import (
    NOT_READ,
    Departed,
    Departure,
    InventoryRecord,
    UnauditedInstance,
)
from backup_audit.text import at, instances, named, one_line, placed, wrapped

S = TypeVar("S", bound=msgspec.Struct)

DEPARTED_MAX = 100  # instances that left, named in a digest
WARNINGS_MAX = 10
UNAUDITED_MAX = 20  # new unaudited instances, named in a digest
_DOCUMENT_ROOM = 128 * 1024  # bytes of both; a message has 256 KiB
_OFFERINGS_MAX = 10  # offerings by which the others are counted
_EXCLUDES_MAX = 10  # excludes whose end is said
_TEXT_MAX = 255  # characters of an offering, an owner, a reason
_WARNING_MAX = 300  # characters

_TITLES = {
    Departure.GONE: "GONE ({}): not in the foundation any more, and nothing selects them",
    Departure.DESELECTED: "NO LONGER SELECTED ({}): nobody audits them any more",
    Departure.EXCLUDED: "EXCLUDED ({}): nobody audits them any more",
}
_NOT_KNOWN = {
    Read.PARTIAL: "The inventory was read in part only",
    Read.FAILED: "The inventory could not be read",
    Read.LISTED: "The inventory is not read, as configured",
}


_MEANING = "nobody listed, discovered or excluded them"


class FleetNews(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory of a full run says of the fleet.

    Counts are null if it was not read completely; `why` says why. `lost` counts the instances that
    disappeared at once, which is taken for a lost role. `left` names those that left the fleet,
    those with an open problem first; who was `not_found` before and is gone is not among them.
    `new_unaudited` names those that nobody audits since the last full run. `first_unaudited` counts
    by offering what nobody audits, ten offerings at most, if no inventory was read completely
    before. These three have as much as there is room for.
    """

    read: Read
    why: str | None
    lost: int
    left_count: int | None
    left_with_problem: int | None
    left: list[Departed]
    unaudited_count: int | None
    new_unaudited_count: int | None
    new_unaudited: list[UnauditedInstance]
    first_unaudited: dict[str, int]

    @property
    def is_news(self) -> bool:
        """Whether people should hear of it, whatever the findings are."""
        counts = (self.lost, self.left_count, self.new_unaudited_count, self.first_unaudited)
        return any(counts)

    @property
    def severity(self) -> Severity:
        """A warning at least, and as urgent as the problems that left; `info` without news."""
        open_problems = (one.open_problem for one in self.left if one.open_problem)
        severities = [problem.verdict.severity for problem in open_problems]
        return severity_of([*severities, Severity.WARNING if self.is_news else Severity.INFO])


def fleet_news(record: InventoryRecord, text_room: int | None = None) -> FleetNews:
    """The news of an inventory, with as many names as a document has room for.

    With `text_room`, as many as have room in a text of so many bytes.
    """
    excludes = _by_place(record)
    room = _DOCUMENT_ROOM if text_room is None else text_room
    unaudited = record.unaudited

    def size_of_departed(one: Departed) -> int:
        return _size(one, _lines_of_departed(one, excludes), is_text=text_room is not None)

    def size_of_unaudited(one: UnauditedInstance) -> int:
        return _size(one, _lines_of_unaudited(one), is_text=text_room is not None)

    return FleetNews(
        read=record.read,
        why=one_line(record.why, _TEXT_MAX) if record.why else None,
        lost=record.lost,
        left_count=_left_count(record),
        left_with_problem=_left_with_problem(record),
        left=_fitting(record.vanished or (), size_of_departed, room * 2 // 3, DEPARTED_MAX),
        unaudited_count=unaudited.count if unaudited else None,
        new_unaudited_count=unaudited.new if unaudited else None,
        new_unaudited=_fitting(_new_unaudited(record), size_of_unaudited, room // 3, UNAUDITED_MAX),
        first_unaudited=_first_unaudited(record),
    )


def head_lines(record: InventoryRecord, today: date) -> Iterator[str]:
    """The figures that stand in any digest that goes out; `today` is a day in UTC."""
    yield from _not_known(record)
    unaudited = record.unaudited
    if unaudited and unaudited.count:
        new = f", {unaudited.new} of them new" if unaudited.new else ""
        yield f"Nobody audits {instances(unaudited.count)} that our client sees{new}."
    if left := _left_count(record):
        yield f"Left the fleet: {left}, with an open problem: {_left_with_problem(record)}."
    yield from _ends_of_excludes(record.excluded, today)


def warning_lines(warnings: Sequence[str], record: InventoryRecord | None) -> Iterator[str]:
    """The warnings of a run, ten at the most, without what the figures of `record` say already."""
    said = [one for one in warnings if record is None or not _is_said(one)]
    yield from (f"Warning: {one}" for one in in_short(said))
    if more := len(said[WARNINGS_MAX:]):
        yield f"And {more} more warnings in the report."


def in_short(warnings: Sequence[str]) -> list[str]:
    """The first ten warnings, each cut to 300 characters on one line."""
    return [one_line(one, _WARNING_MAX) for one in warnings[:WARNINGS_MAX]]


def sections(record: InventoryRecord, news: FleetNews) -> Iterator[str]:
    """Who left the fleet, and what is new and unaudited, by name."""
    if news.left_count:
        yield from _departed(record, news)
    if news.first_unaudited:
        yield from _first(news)
    if count := news.new_unaudited_count:
        yield from ("", f"NEW AND UNAUDITED ({count:,}): {_MEANING}")
        yield from (line for one in news.new_unaudited for line in _lines_of_unaudited(one))
        yield from _other_unaudited(record, len(news.new_unaudited), count)


def _departed(record: InventoryRecord, news: FleetNews) -> Iterator[str]:
    excludes = _by_place(record)
    for left in record.left or ():
        group = [one for one in news.left if one.how is left.how]
        had = f"; {left.with_problem} had a problem" if left.with_problem else ""
        yield from ("", _TITLES[left.how].format(f"{left.count:,}") + had)
        yield from (line for one in group for line in _lines_of_departed(one, excludes))
        if more := left.count - len(group):
            yield f"And {more:,} more, in the report."


def _left_count(record: InventoryRecord) -> int | None:
    left = record.left
    return None if left is None else sum(one.count for one in left)


def _left_with_problem(record: InventoryRecord) -> int | None:
    left = record.left
    return None if left is None else sum(one.with_problem for one in left)


def _first_unaudited(record: InventoryRecord) -> dict[str, int]:
    """By offering, the most first, what nobody audits; nothing if somebody heard of it before."""
    is_first = record.appeared is None and record.read is Read.COMPLETE
    if not is_first or record.unaudited is None:
        return {}
    most = islice(record.unaudited.by_offering.items(), _OFFERINGS_MAX)
    return {one_line(offering, _TEXT_MAX): count for offering, count in most}


def _first(news: FleetNews) -> Iterator[str]:
    yield from ("", f"UNAUDITED ({news.unaudited_count:,}): {_MEANING}; this is said once")
    yield from (f"- {count:,} {offering}" for offering, count in news.first_unaudited.items())
    if rest := (news.unaudited_count or 0) - sum(news.first_unaudited.values()):
        yield f"- {rest:,} of other offerings"


def _is_said(warning: str) -> bool:
    """Whether head_lines says it too, with more about it."""
    return warning.startswith(NOT_READ) or is_about_an_end(warning)


def _new_unaudited(record: InventoryRecord) -> list[UnauditedInstance]:
    return [one for one in record.unaudited.instances if one.is_new] if record.unaudited else []


def _size(one: msgspec.Struct, lines: Iterable[str], *, is_text: bool) -> int:
    """Bytes of an instance in a text, or in a document."""
    return size_of_text(lines) if is_text else len(msgspec.json.encode(one))


def _fitting(items: Iterable[S], size_of: Callable[[S], int], room: int, most: int) -> list[S]:
    """The first of them, as many as there is room for."""
    left = Room(room)
    return list(takewhile(lambda one: left.takes(size_of(one)), islice(items, most)))


def _not_known(record: InventoryRecord) -> Iterator[str]:
    if happened := _NOT_KNOWN.get(record.read):
        why = f" ({one_line(record.why, _TEXT_MAX)})" if record.why else ""
        last = f", last read as a whole at {at(record.read_at)}" if record.read_at else ""
        yield f"{happened}{why}{last}: nobody knows what is unaudited."


def _ends_of_excludes(excludes: Iterable[ExcludeUse], today: date) -> Iterator[str]:
    """The excludes that ended, and those that end within 7 days."""
    ends = ((end, one) for one in excludes if (end := _end(one)))
    near = sorted((one for one in ends if one[0] - today <= EXCLUDE_ENDS_SOON), key=itemgetter(0))
    for end, one in near[:_EXCLUDES_MAX]:
        name = _named(one)
        if end < today:
            yield f"{name} ended on {end}, and takes out nothing any more."
        else:
            yield f"{name} ends on {end}, and takes out {instances(one.instances)} until then."
    if more := len(near[_EXCLUDES_MAX:]):
        yield f"{more} more excludes ended, or end within {EXCLUDE_ENDS_SOON.days} days."


def _by_place(record: InventoryRecord) -> dict[str, str]:
    """What each exclude is called, by its place."""
    return {one.rule: _named(one) for one in record.excluded}


def _named(exclude: ExcludeUse) -> str:
    """An exclude with its owner and reason."""
    parts = (one_line(part, _TEXT_MAX) for part in (exclude.owner, exclude.reason) if part)
    whose = ": ".join(parts)
    return f"{exclude.rule} ({whose})" if whose else exclude.rule


def _end(exclude: ExcludeUse) -> date | None:
    return day_of(exclude.until) if exclude.until else None


def _lines_of_departed(one: Departed, excludes: Mapping[str, str]) -> Iterator[str]:
    """`excludes` says of each place what is excluded there, by whom and why."""
    yield f"- {named(one.guid, one.name)}"
    if place := placed(one.org, one.space, one.offering, one.plan):
        yield f"    {place}"
    if one.owner:
        yield f"    owner: {one_line(one.owner, _TEXT_MAX)}"
    if one.place:
        lasting = "for good" if one.until == NEVER else f"until {one.until}"
        until = f", {lasting}" if one.until else ""
        yield f"    by {excludes.get(one.place, one.place)}{until}"
    if problem := one.open_problem:
        yield f"    was {problem.verdict.replace('_', ' ')} since {at(problem.since)}"


def _lines_of_unaudited(one: UnauditedInstance) -> Iterator[str]:
    yield f"- {named(one.guid, one.name)}"
    if place := placed(one.org, one.space, one.offering, one.plan):
        yield f"    {place}"


def _other_unaudited(record: InventoryRecord, named: int, total: int) -> Iterator[str]:
    """How many more there are, by offering; the report names 5,000 at the most."""
    more = total - named
    if more <= 0:
        return
    others = _new_unaudited(record)[named:]
    counted = Counter(one.offering for one in others).most_common(_OFFERINGS_MAX)
    said = [
        f"{count} {one_line(offering or 'of an unknown offering', _TEXT_MAX)}"
        for offering, count in counted
    ]
    if rest := more - sum(count for _, count in counted):
        said.append(f"{rest} of other offerings")
    yield from wrapped(f"And {more:,} more: {', '.join(said)}.")
