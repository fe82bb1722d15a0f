"""What a digest says of the fleet itself: who left it, what nobody audits, and what is not known.

Names come from whoever may make an instance, and there may be many: few are named, the others
counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from enum import StrEnum
from operator import itemgetter
from typing import TypeVar

import msgspec

from backup_audit.fleet.inventory import Read
from backup_audit.fleet.selection import ExcludeUse
from backup_audit.judge.verdict import Severity, severity_of
from backup_audit.notify.message import packed, size_in_message
from backup_audit.report.drift import Departed, Departure, InventoryRecord, UnauditedInstance
from backup_audit.text import instances, named, one_line, placed

S = TypeVar("S", bound=msgspec.Struct)

DEPARTED_MAX = 100  # instances that left, named in a digest
UNAUDITED_MAX = 20  # new unaudited instances, named in a digest
ENDS_SOON = timedelta(days=7)
_ROOM = 48 * 1024  # bytes for each of the two lists; a message has 256 KiB
_OFFERINGS_MAX = 10  # offerings by which the others are counted
_EXCLUDES_MAX = 10  # excludes whose end is said
_TEXT_MAX = 255  # characters of an offering, an owner, a reason

_TITLES = {
    Departure.GONE: "GONE ({}): not in the foundation any more, and not audited any more",
    Departure.DESELECTED: "NO LONGER SELECTED ({}): a problem was open, and nobody audits them now",
    Departure.EXCLUDED: "EXCLUDED ({}): a problem was open, and nobody audits them now",
}
_NOT_KNOWN = {
    Read.PARTIAL: "The inventory was read in part only",
    Read.FAILED: "The inventory could not be read",
    Read.LISTED: "The inventory is not read, as configured",
}


class Reason(StrEnum):
    """Why a digest goes out, besides its findings; consumers filter on it."""

    LOST_ROLE = "lost_role"
    LEFT_FLEET = "left_fleet"
    NEW_UNAUDITED = "new_unaudited"


class FleetNews(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory of a full run says of the fleet.

    Counts are null if it was not read completely; `why` says why. `lost` counts the instances that
    disappeared at once, which is taken for a lost role. `vanished` names those that left the fleet
    with an open problem, `new_unaudited` those that nobody audits since the last full run: as many
    as there is room for, in the first part of a digest.
    """

    read: Read
    why: str | None
    lost: int
    vanished_count: int | None
    vanished_with_problem: int | None
    vanished: list[Departed]
    unaudited_count: int | None
    new_unaudited_count: int | None
    new_unaudited: list[UnauditedInstance]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why people should hear of it, whatever the findings are."""
        what = {
            Reason.LOST_ROLE: self.lost,
            Reason.LEFT_FLEET: self.vanished,
            Reason.NEW_UNAUDITED: self.new_unaudited,
        }
        return tuple(reason for reason, there_is in what.items() if there_is)

    @property
    def severity(self) -> Severity:
        """A warning at least, and as urgent as the problems that left; `info` without reasons."""
        open_problems = (one.open_problem for one in self.vanished if one.open_problem)
        severities = [problem.verdict.severity for problem in open_problems]
        return severity_of(severities + [Severity.WARNING for _ in self.reasons])

    @property
    def without_names(self) -> "FleetNews":
        """The same, as the other parts of a digest have it."""
        return msgspec.structs.replace(self, vanished=[], new_unaudited=[])


def fleet_news(record: InventoryRecord) -> FleetNews:
    """The news of an inventory, with as many names as a message has room for."""
    unaudited, with_problem = record.unaudited, _with_problem(record)
    return FleetNews(
        read=record.read,
        why=one_line(record.why, _TEXT_MAX) if record.why else None,
        lost=record.lost,
        vanished_count=record.vanished_count,
        vanished_with_problem=None if record.vanished is None else len(with_problem),
        vanished=_fitting(with_problem, _lines_of_departed, DEPARTED_MAX),
        unaudited_count=unaudited.count if unaudited else None,
        new_unaudited_count=unaudited.new if unaudited else None,
        new_unaudited=_fitting(_new_unaudited(record), _lines_of_unaudited, UNAUDITED_MAX),
    )


def head_lines(record: InventoryRecord, today: date) -> Iterator[str]:
    """The figures that stand in any digest that goes out; `today` is a day in UTC."""
    yield from _not_known(record)
    unaudited = record.unaudited
    if unaudited and unaudited.count:
        new = f", {unaudited.new} of them new" if unaudited.new else ""
        yield f"Nobody audits {instances(unaudited.count)} that our client sees{new}."
    if record.vanished_count:
        bad = len(_with_problem(record))
        yield f"Left the fleet: {record.vanished_count}, with an open problem: {bad}."
    yield from _ends_of_excludes(record.excluded, today)


def sections(record: InventoryRecord, news: FleetNews) -> Iterator[str]:
    """Who left the fleet with an open problem, and what is new and unaudited, by name."""
    if news.vanished:
        yield from _departed(record, news)
    if news.new_unaudited:
        meaning = "nobody listed, discovered or excluded them"
        yield from ("", f"NEW AND UNAUDITED ({news.new_unaudited_count}): {meaning}")
        yield from (line for one in news.new_unaudited for line in _lines_of_unaudited(one))
        yield from _other_unaudited(record, news)


def _departed(record: InventoryRecord, news: FleetNews) -> Iterator[str]:
    left = Counter(one.how for one in _with_problem(record))
    for how, title in _TITLES.items():
        group = [one for one in news.vanished if one.how is how]
        if left[how]:
            yield from ("", title.format(left[how]))
            yield from (line for one in group for line in _lines_of_departed(one))
        if more := left[how] - len(group):
            yield f"  and {more} more, in the report"


def _with_problem(record: InventoryRecord) -> list[Departed]:
    return [one for one in record.vanished or () if one.open_problem]


def _new_unaudited(record: InventoryRecord) -> list[UnauditedInstance]:
    return [one for one in record.unaudited.instances if one.is_new] if record.unaudited else []


def _fitting(items: Iterable[S], lines_of: Callable[[S], Iterable[str]], most: int) -> list[S]:
    """The first of them, as many as there is room for."""
    lists = packed(items, lambda one: size_in_message(one, lines_of(one)), _ROOM, most)
    return next(lists, [])


def _not_known(record: InventoryRecord) -> Iterator[str]:
    if happened := _NOT_KNOWN.get(record.read):
        why = f" ({one_line(record.why, _TEXT_MAX)})" if record.why else ""
        at = record.read_at
        last = f", last read as a whole at {at:%Y-%m-%d %H:%M} UTC" if at else ""
        yield f"{happened}{why}{last}: nobody knows what is unaudited."


def _ends_of_excludes(excludes: Iterable[ExcludeUse], today: date) -> Iterator[str]:
    """The excludes that ended, and those that end within 7 days."""
    ends = ((end, one) for one in excludes if (end := _end(one)))
    near = sorted((one for one in ends if one[0] - today <= ENDS_SOON), key=itemgetter(0))
    for end, one in near[:_EXCLUDES_MAX]:
        whose = ": ".join(one_line(part, _TEXT_MAX) for part in (one.owner, one.reason) if part)
        name = f"{one.rule} ({whose})" if whose else one.rule
        if end < today:
            yield f"{name} ended on {end}, and takes out nothing any more."
        else:
            yield f"{name} ends on {end}, and takes out {instances(one.instances)} until then."
    if more := len(near[_EXCLUDES_MAX:]):
        yield f"{more} more excludes ended, or end within {ENDS_SOON.days} days."


def _end(exclude: ExcludeUse) -> date | None:
    return None if exclude.until in (None, "never") else date.fromisoformat(exclude.until)


def _lines_of_departed(one: Departed) -> Iterator[str]:
    yield f"  {named(one.guid, one.name)}"
    if place := placed(one.org, one.space):
        yield f"      {place}"
    if problem := one.open_problem:
        yield f"      was {problem.verdict} since {problem.since:%Y-%m-%d %H:%M} UTC"


def _lines_of_unaudited(one: UnauditedInstance) -> Iterator[str]:
    yield f"  {named(one.guid, one.name)}"
    if place := placed(one.org, one.space, one.offering, one.plan):
        yield f"      {place}"


def _other_unaudited(record: InventoryRecord, news: FleetNews) -> Iterator[str]:
    """How many more there are, by offering; the report names 5,000 at the most."""
    more = (news.new_unaudited_count or 0) - len(news.new_unaudited)
    if more <= 0:
        return
    others = _new_unaudited(record)[len(news.new_unaudited) :]
    counted = Counter(one.offering for one in others).most_common(_OFFERINGS_MAX)
    said = [
        f"{count} {one_line(offering or 'of an unknown offering', _TEXT_MAX)}"
        for offering, count in counted
    ]
    if rest := more - sum(count for _, count in counted):
        said.append(f"{rest} of other offerings")
    yield f"  and {more} more: {', '.join(said)}"
