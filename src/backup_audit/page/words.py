"""How the page says verdicts, changes, numbers, times and durations.

Every verdict, change and state has its words here: one that has none is an error, not a gap.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from urllib.parse import quote

from backup_audit.fleet.mutes import MuteState
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState
from backup_audit.judge.finding import Change
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Ended
from backup_audit.report.drift import Departure
from backup_audit.text import brief_duration, printable, rough_duration

VERDICTS: Mapping[Verdict, str] = {
    Verdict.NEVER_BACKED_UP: "Never backed up",
    Verdict.STALE: "Stale",
    Verdict.UNSUPPORTED: "Unsupported",
    Verdict.NOT_FOUND: "Not found",
    Verdict.UNKNOWN: "Unknown",
    Verdict.IN_GRACE: "In grace",
    Verdict.HEALTHY: "Healthy",
}
CHANGES: Mapping[Change, str] = {
    Change.NEW: "new",
    Change.ONGOING: "as before",
    Change.RESOLVED: "resolved",
    Change.REOPENED: "came back",
}
SCOPES: Mapping[Scope, str] = {
    Scope.FULL: "full run",
    Scope.PARTIAL: "run of some instances",
    Scope.WHAT_IF: "what-if",
}
ENDED: Mapping[Ended, str] = {
    Ended.HEALTHY: "healthy on proof",
    Ended.IN_GRACE: "in grace by a policy",
    Ended.DROPPED: "no longer listed",
    Ended.GONE: "gone from the foundation",
    Ended.LEFT_SELECTION: "no longer selected, or excluded",
}
MUTES: Mapping[MuteState, str] = {
    MuteState.ACTIVE: "active",
    MuteState.ENDING: "ending within 7 days",
    MuteState.EXPIRED: "expired",
    MuteState.UNMATCHED: "matching nothing",
}
EXCLUDES: Mapping[ExcludeState, str] = {
    ExcludeState.ACTIVE: "active",
    ExcludeState.EXPIRED: "expired",
    ExcludeState.UNMATCHED: "matching nothing",
}
DEPARTURES: Mapping[Departure, str] = {
    Departure.GONE: "gone from the foundation",
    Departure.DESELECTED: "no longer selected",
    Departure.EXCLUDED: "excluded",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(count: int) -> str:
    """Say a number: "2,314"."""
    return f"{count:,}"


def signed(difference: int) -> str:
    """Say a difference, with a minus sign as wide as a plus."""
    return f"+{difference:,}" if difference > 0 else f"\N{MINUS SIGN}{-difference:,}"


def percent(share: float) -> str:
    """Say a percentage with two digits at the most."""
    return f"{share:g} %"


def day(when: date) -> str:
    """Say a day: "24 Nov"."""
    return f"{when.day} {_MONTHS[when.month - 1]}"


def dated(when: date) -> str:
    """Say a day with its year: "24 Nov 2026"."""
    return f"{day(when)} {when.year}"


def long_time(when: datetime) -> str:
    """Say when, with the day of the week: "Tue 24 Nov 2026, 05:03 UTC"."""
    return f"{_DAYS[when.weekday()]} {dated(when)}, {when:%H:%M} UTC"


def machine_time(when: datetime) -> str:
    """RFC 3339 in UTC, as `datetime` of an element wants it."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def duration(seconds: int) -> str:
    """Say a duration briefly: "3 d 3 h"."""
    return brief_duration(timedelta(seconds=seconds))


def rough(seconds: int) -> str:
    """Say a duration that is never exact, such as a usual interval."""
    return rough_duration(timedelta(seconds=seconds))


def foreign(text: str | None) -> str:
    """Text of others: nothing in it breaks a line or turns the direction; empty for None."""
    return printable(text).strip() if text else ""


def place_of(org: str | None, space: str | None) -> str:
    """Say "org / space", with "?" for what is not known of one."""
    shown_org, shown_space = foreign(org), foreign(space)
    if not shown_org and not shown_space:
        return "not known"
    return f"{shown_org or '?'} / {shown_space or '?'}"


def service_of(offering: str | None, plan: str | None) -> str:
    """Say "offering plan" of what is known."""
    return " ".join(filter(None, (foreign(offering), foreign(plan))))


def fragment(**parts: str) -> str:
    """The address of a view of this page, "#v=stale&o=team-orders": the only one made of data."""
    return "#" + "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items())


def joined(parts: list[str]) -> str:
    """Say a list: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
