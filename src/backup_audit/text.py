"""Makes foreign text safe for a line. Wraps prose. Names instances. Reads and writes durations."""

import re
import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache


def printable(text: str, instead: str = " ") -> str:
    """Replace what breaks a line, steers a terminal, turns the direction, or shows nothing.

    Of white space only the ASCII space stays. Emoji stay, their joiners do not.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else instead for char in text)


def one_line(text: str, longest: int) -> str:
    """Foreign text, cut to `longest` characters.

    Spaces in a row become one: with enough of them, a stranger could choose where a mail program
    breaks the line, and so write a line that looks like ours.
    """
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


LINE_MAX = 100  # characters of a line of prose, with its indentation


def wrapped(text: str, indent: str = "") -> Iterator[str]:
    """Break prose into lines of at most 100 characters, between words only.

    A word that is longer, such as an address, stands whole on a line of its own. Lines that go on
    are indented by two more: a stranger who chooses where a line breaks starts none like ours.
    """
    line = " ".join(printable(text).split())
    if len(indent) + len(line) <= LINE_MAX:  # most do: textwrap took half of a digest's time
        yield from [indent + line] if line else []
        return
    yield from textwrap.wrap(
        line,
        LINE_MAX,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


NAME_MAX = 255  # characters; Cloud Foundry's names are no longer


def named(guid: str, name: str | None) -> str:
    """The name with the GUID, or the GUID alone."""
    shown = one_line(name or "", NAME_MAX)
    return f"{shown} ({guid})" if shown else guid


def placed(
    org: str | None, space: str | None, offering: str | None = None, plan: str | None = None
) -> str:
    """Say "org / space · offering plan" without what is not known; empty if nothing is."""
    org, space, offering, plan = (
        one_line(part or "", NAME_MAX) for part in (org, space, offering, plan)
    )
    where = f"{org or '?'} / {space or '?'}" if org or space else ""
    what = " ".join(filter(None, (offering, plan)))
    return " · ".join(filter(None, (where, what)))


def instances(count: int) -> str:
    """Say how many."""
    return "1 instance" if count == 1 else f"{count:,} instances"


def were(count: int) -> str:
    """The verb of so many."""
    return "was" if count == 1 else "were"


def at(instant: datetime) -> str:
    """Say when, as a clock shows it; `instant` is UTC."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


# At most 9999 days: far beyond any policy, far below what a timedelta can hold.
# The last group refuses the line feed that "$" would let pass.
DURATION_PATTERN = r"^(?=[0-9])([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?$(?!\n)"

_MINUTE = 60  # seconds
_HOUR = 60 * _MINUTE
_HALF_DAY = 12 * _HOUR
_DAY = 24 * _HOUR
_DAYS_FROM = 48 * _HOUR  # below this people count hours: "26 h", not "1 d 2 h"


@lru_cache(maxsize=4096)  # a fleet has few
def parse_duration(text: str) -> int:
    """Read "26h", "7d", "90m" or "1d12h" as seconds; raise ValueError for anything else."""
    match = re.search(DURATION_PATTERN, text)
    if match is None:
        raise ValueError(f'{text!r} is not a duration such as "26h", "7d", "90m" or "1d12h"')
    days, hours, minutes = (int(part[:-1]) if part else 0 for part in match.groups())
    return days * _DAY + hours * _HOUR + minutes * _MINUTE


def format_duration(duration: timedelta) -> str:
    """Say a duration exactly to the second: "26 h 1 s" is not "26 h". Negative ones are "0 s"."""
    rest = max(int(duration.total_seconds()), 0)
    units = [("h", _HOUR), ("min", _MINUTE), ("s", 1)]
    if rest >= _DAYS_FROM:
        units.insert(0, ("d", _DAY))
    parts = []
    for unit, seconds in units:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def brief_duration(duration: timedelta) -> str:
    """Say a duration as people do: days with hours, hours with minutes, minutes with seconds."""
    seconds = max(int(duration.total_seconds()), 0)
    smallest = _HOUR if seconds >= _DAYS_FROM else _MINUTE if seconds >= _HOUR else 1
    return format_duration(timedelta(seconds=seconds - seconds % smallest))


def rough_duration(duration: timedelta) -> str:
    """Say a duration that is never exact, to the nearest hour, or finer below 12 hours.

    From an hour on to a quarter of an hour, from a minute on to a minute.
    """
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < _MINUTE:
        return format_duration(timedelta(seconds=seconds))
    step = _MINUTE if seconds < _HOUR else _HOUR // 4 if seconds < _HALF_DAY else _HOUR
    return format_duration(timedelta(seconds=(seconds + step // 2) // step * step))


def compared_duration(duration: timedelta, limit: timedelta) -> str:
    """Say a duration briefly, or exactly if it would read like the limit."""
    brief = brief_duration(duration)
    return format_duration(duration) if brief == format_duration(limit) else brief
