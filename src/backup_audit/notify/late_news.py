"""What a digest says of healthy instances that are late: how many, and a few of them by name.

No digest goes out for them: nothing is judged by the usual interval.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from backup_audit.report.alerts import PLATFORM
from backup_audit.report.commit import StoredReport
from backup_audit.report.figures import LateInstance
from backup_audit.text import brief_duration, named, rough_duration

NAMED_MAX = 5


class Late(msgspec.Struct, frozen=True):
    """The late instances of one reader; `named` are the first five, by far late first.

    `is_whole` is false if the report names fewer than there are, so that an owner may have more.
    """

    count: int = 0
    named: tuple[LateInstance, ...] = ()
    is_whole: bool = True


NOBODY = Late()


def late_by_reader(stored: StoredReport) -> dict[str, Late]:
    """The late instances of the platform and of each owner who has any.

    The report is read for it only if somebody is late; it names 1,000 at the most.
    """
    total = stored.head.late_count
    if not total:
        return {}
    counts = Counter[str]()
    first = defaultdict[str, list[LateInstance]](list)
    for one in stored.late():
        for reader in {PLATFORM, one.owner or PLATFORM}:
            counts[reader] += 1
            if len(first[reader]) < NAMED_MAX:
                first[reader].append(one)
    is_whole = counts[PLATFORM] == total
    found = {reader: Late(counts[reader], tuple(some), is_whole) for reader, some in first.items()}
    return found | {PLATFORM: Late(total, tuple(first[PLATFORM]))}


def late_section(late: Late) -> Iterator[str]:
    """A section that names them, each with the age of its newest backup; nothing if nobody is."""
    if not late.count:
        return
    yield ""
    yield f"LATE ({_count(late)}): healthy, and longer without a backup than usual"
    yield from (f"- {_line(one)}" for one in late.named)
    if more := late.count - len(late.named):
        yield f"And {more:,} more, in the report."


def late_line(late: Late) -> Iterator[str]:
    """How many they are, on a line; nothing if nobody is."""
    if late.count:
        yield f"Late, though healthy: {_count(late)}."


def _count(late: Late) -> str:
    return f"{late.count:,}" if late.is_whole else f"at least {late.count:,}"


def _line(one: LateInstance) -> str:
    age = brief_duration(timedelta(seconds=one.newest_backup_age_seconds))
    usual = rough_duration(timedelta(seconds=one.usual_interval_seconds))
    return f"{named(one.guid, one.name)}: {age}, usually every {usual}"
