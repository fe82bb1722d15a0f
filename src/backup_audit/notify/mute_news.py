"""What a digest says of the mutes themselves: which hold much, end, have ended, or are for nothing.

People write them, and there may be as many as instances: few are named, the others counted.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from backup_audit.fleet.doubts import is_about_a_mutes_state
from backup_audit.fleet.mutes import MuteRecord, MuteState
from backup_audit.report.report import floor_percent
from backup_audit.text import instances, one_line

NAMED_MAX = 20  # mutes named in a digest's head, and in its section
_LARGE_SHARE = 10  # a mute of more than a tenth of the fleet is named in the head
_TEXT_MAX = 255  # characters of an owner, a reason

_Named = tuple[int, MuteRecord]  # with its index in the configuration


def mute_head_lines(mutes: Iterable[MuteRecord], audited: int) -> Iterator[str]:
    """The mutes in force for more than a tenth of the audited instances.

    Without them, silence reads as health. `mutes` are all that are configured, in their order; they
    are read once. `audited` counts the instances of the fleet, those that are unknown included.
    """
    named, more = list[str](), 0
    for index, one in enumerate(mutes):
        if not audited or one.instances * _LARGE_SHARE <= audited:
            continue
        if len(named) < NAMED_MAX:
            percent = floor_percent(one.instances, audited)
            named.append(
                f"Muted: {one.instances:,} of {audited:,} instances ({percent:g} %) until "
                f"{one.until}, by {_called(index, one)}."
            )
        else:
            more += 1
    yield from named
    if more:
        yield f"{more:,} more mutes hold more than a tenth of the fleet each."


def mute_section(mutes: Iterable[MuteRecord], today: date) -> Iterator[str]:
    """A section on mutes that ended within 7 days, end within 7 days, or are for nothing.

    `mutes` are all that are configured, in their order; they are read once. `today` is the day of
    the run in UTC. Nothing if there is nothing to say.
    """
    ended, ending, unmatched = list[_Named](), list[_Named](), list[_Named]()
    others = {MuteState.ENDING: ending, MuteState.UNMATCHED: unmatched}
    long_over = 0
    for index, one in enumerate(mutes):
        if one.state is MuteState.EXPIRED:
            if one.has_just_ended(today):
                ended.append((index, one))
            else:
                long_over += 1
        elif one.state in others:
            others[one.state].append((index, one))
    ended.sort(key=lambda named: named[1].until, reverse=True)
    ending.sort(key=lambda named: named[1].until)
    found = [*ended, *ending, *unmatched]
    if not found and not long_over:
        return
    yield ""
    yield f"MUTES ({len(found) + long_over:,})"
    yield from (f"  {_line(index, one, today)}" for index, one in found[:NAMED_MAX])
    yield from (f"  {line}" for line in _rest(found[NAMED_MAX:], long_over))


def other_warnings(warnings: Iterable[str]) -> list[str]:
    """The warnings of a run without what the section says already, with more about it."""
    return [one for one in warnings if not is_about_a_mutes_state(one)]


def _line(index: int, one: MuteRecord, today: date) -> str:
    called = _called(index, one)
    match one.state:
        case MuteState.UNMATCHED:
            return f"fits nothing: {called}, until {one.until}"
        case MuteState.ENDING:
            return f"{_ends(one, today)}: {called}, for {instances(one.instances)}"
        case _:
            return f"{_ended(one, today)}: {called}{_left(one)}"


def _ends(one: MuteRecord, today: date) -> str:
    left = one.days_left(today)
    when = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
    return f"ends {when} ({one.until})"


def _ended(one: MuteRecord, today: date) -> str:
    was_yesterday = one.days_left(today) == -1
    return f"ended yesterday ({one.until})" if was_yesterday else f"ended on {one.until}"


def _left(one: MuteRecord) -> str:
    if one.problems is None:
        return ""
    count = instances(one.problems) if one.problems else "no instance"
    return f": {count} that it held had a problem at the last full run"


def _rest(found: Iterable[_Named], long_over: int) -> Iterator[str]:
    """How many more there are of each state."""
    states = [one.state for _, one in found]
    said = {
        "ended within the last 7 days": states.count(MuteState.EXPIRED),
        "end within 7 days": states.count(MuteState.ENDING),
        "fit nothing": states.count(MuteState.UNMATCHED),
    }
    yield from (f"and {count:,} more that {what}" for what, count in said.items() if count)
    if long_over:
        yield f"and {long_over:,} that ended more than 7 days ago: take them out"


def _called(index: int, one: MuteRecord) -> str:
    """A mute by its place, with its owner and reason."""
    owner, reason = one_line(one.owner, _TEXT_MAX), one_line(one.reason, _TEXT_MAX)
    return f"mutes[{index}] ({owner}: {reason})"
