"""What a person sees of a run's inventory: how it was read, who is not audited, who left."""

from collections.abc import Iterable, Iterator
from itertools import islice

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.selection import ExcludeUse, RuleUse
from backup_audit.report.drift import Departure, InventoryRecord, Unaudited
from backup_audit.text import named, one_line, placed

_NAMED_MAX = 20  # instances a list names
_TEXT_MAX = 80  # characters of a name or a reason
_READ = {
    Read.COMPLETE: "read completely",
    Read.PARTIAL: "read in part",
    Read.FAILED: "not read",
    Read.LISTED: "read for the listed instances only",
}
_SEES = {
    Sees.ALL: "our client sees all",
    Sees.ROLES: "our client sees what its roles show",
    Sees.UNKNOWN: "what our client may see is not known",
}
_LEFT = {
    Departure.GONE: "gone from the foundation",
    Departure.DESELECTED: "nothing selects it any more",
    Departure.EXCLUDED: "excluded",
}


def inventory_lines(record: InventoryRecord) -> Iterator[str]:
    """The lines, without colour; names are tenants' and are made safe to print."""
    why = f": {one_line(record.why, 500)}" if record.why else ""
    yield (
        f"Inventory {_READ[record.read]}{why} · {_counted(record.requests, 'request')} · "
        f"{_SEES[record.sees]}"
    )
    if record.managed is not None:
        yield f"  {record.managed} managed service instances, {_user_provided(record)}"
    if record.lost:
        yield f"  {record.lost} disappeared at once: taken for a lost role, all are still audited"
    yield from _unaudited_lines(record.unaudited)
    if record.appeared is not None:
        yield f"  appeared since the last full run: {record.appeared}"
    yield from _departed_lines(record)
    yield from _named(map(_excluded, record.excluded), len(record.excluded))
    yield from _named(map(_rule, record.rules), len(record.rules))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _user_provided(record: InventoryRecord) -> str:
    if record.user_provided is None:
        return "user-provided ones not counted"
    return f"{record.user_provided} user-provided"


def _unaudited_lines(unaudited: Unaudited | None) -> Iterator[str]:
    if unaudited is None:
        yield "  unaudited: nobody knows"
        return
    by_offering = ", ".join(
        f"{one_line(offering, _TEXT_MAX)} {count}"
        for offering, count in unaudited.by_offering.items()
    )
    new_ones = f", {unaudited.new} of them new" if unaudited.new else ""
    listed = f" ({by_offering})" if by_offering else ""
    yield f"  unaudited: {unaudited.count}{new_ones}{listed}"
    new = [one for one in unaudited.instances if one.is_new]
    for one in new[:_NAMED_MAX]:
        place = placed(one.org, one.space, one.offering, one.plan)
        yield f"    new: {_joined(named(one.guid, one.name), place)}"
    if len(new) > _NAMED_MAX:
        yield f"    … and {len(new) - _NAMED_MAX} more in report.json"


def _departed_lines(record: InventoryRecord) -> Iterator[str]:
    if record.vanished is None:
        return
    yield f"  left since the last full run: {record.vanished_count}"
    for one in record.vanished[:_NAMED_MAX]:
        problem = one.open_problem
        had = f"was {problem.verdict} since {problem.since:%Y-%m-%d}" if problem else "no problem"
        place = placed(one.org, one.space, one.offering, one.plan)
        who = _joined(named(one.guid, one.name), place)
        by = f" by {one.place}" if one.place else ""
        until = f" until {one.until}" if one.until else ""
        yield f"    {who}: {_LEFT[one.how]}{by}{until}; {had}"
    if len(record.vanished) > _NAMED_MAX:
        yield f"    … and {len(record.vanished) - _NAMED_MAX} more in report.json"


def _named(lines: Iterable[str], count: int) -> Iterator[str]:
    for line in islice(lines, _NAMED_MAX):
        yield f"  {line}"
    if count > _NAMED_MAX:
        yield f"  … and {count - _NAMED_MAX} more"


def _joined(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def _excluded(exclude: ExcludeUse) -> str:
    reason = f" “{one_line(exclude.reason, _TEXT_MAX)}”" if exclude.reason else ""
    until = "" if exclude.until is None else f", until {exclude.until}"
    return f"{exclude.instances} excluded by {exclude.rule}{reason}{until} ({exclude.state})"


def _rule(rule: RuleUse) -> str:
    name = f" “{one_line(rule.name, _TEXT_MAX)}”" if rule.name else ""
    fits = _counted(rule.matched, "audited instance")
    return f"{rule.rule}{name} fits {fits}, and decides for {rule.decided}"
