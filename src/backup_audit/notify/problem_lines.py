"""The lines of a digest about problems: those that are open, and those that ended.

Each begins with a dash at the beginning of a line; what is said of it is indented. A line that goes
on never begins like that, so no name, and no answer of the API, can pass for an instance.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import islice

import msgspec

from backup_audit.judge.advice import (
    MEANINGS,
    Section,
    check_command,
    check_command_of,
    next_step_of,
    page_of,
)
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.listing import Alike, DigestContent, EndsAlike, Listed, Part, Place
from backup_audit.notify.message import size_of_text
from backup_audit.notify.room import Room
from backup_audit.report.changes import Ended, Resolved
from backup_audit.report.groups import Cause
from backup_audit.text import (
    at,
    compared_duration,
    format_duration,
    named,
    one_line,
    placed,
    wrapped,
)

ALIKE_MAX = 20  # causes that have lines of their own
PLACES_MAX = 20  # lines that count the others

_PLACES_ROOM = 4_000  # bytes
_REASON_MAX = 500  # characters: it can quote an answer
_NOTES_MAX = 10
_TEXT_MAX = 255  # characters of an owner, a title, the id of a request
_INDENT = "    "

_TITLES = {
    Part.NEW: "NEW · ",
    Part.AGAIN: "NAMED AGAIN · ",
    Part.WORSE: "WORSE · ",
    Part.OPEN: "STILL OPEN · ",
}
_ENDS = {
    Ended.HEALTHY: "ENDED · HEALTHY ({}): proved by backups",
    Ended.IN_GRACE: "ENDED · IN GRACE ({}): by a policy, and not on proof",
    Ended.DROPPED: "ENDED · TAKEN OFF THE CONFIGURATION ({}): nobody audits them any more",
    Ended.GONE: "ENDED · GONE ({}): not in the foundation any more",
    Ended.LEFT_SELECTION: "ENDED · LEFT THE SELECTION ({}): nobody audits them any more",
}


class _Block(msgspec.Struct, frozen=True):
    """The lines of an instance, or of those alike, below what is to be done about it."""

    part: Part
    verdict: Verdict
    step: tuple[str, ...]
    lines: list[str]
    shown: Finding | Alike


def problem_sections(content: DigestContent, runbook_url: str | None, room: Room) -> Iterator[str]:
    """The problems that are open: news first, the worst first, and how many more there are where.

    Takes its room.
    """
    room.left -= _PLACES_ROOM
    blocks = list(_fitting(content, runbook_url, room))
    for part in Part:
        for verdict in Verdict:
            group = [one for one in blocks if one.part is part and one.verdict is verdict]
            if group:
                yield from _title(content, part, verdict, runbook_url)
                yield from _by_step(group)
    yield from _not_named(content, blocks)


def end_sections(content: DigestContent, room: Room) -> Iterator[str]:
    """The problems that ended, by how; those that the fleet's sections name are left to them."""
    for how, title in _ENDS.items():
        count = content.ended.get(how, 0) - content.ended_in_fleet.get(how, 0)
        if count:
            alike = [one for one in content.ends_alike if one.ended is how]
            shown = [one for one in content.ends if one.ended is how]
            blocks = [(one.count, _lines_of_ends_alike(one)) for one in alike]
            blocks += [(1, _lines_of_end(one)) for one in shown]
            fitting = [one for one in blocks if room.takes(size_of_text(one[1]))]
            yield from ("", title.format(f"{count:,}"))
            yield from (line for _, lines in fitting for line in lines)
            if more := count - sum(stands_for for stands_for, _ in fitting):
                yield f"And {more:,} more, in the report."


def _blocks(content: DigestContent, runbook_url: str | None) -> Iterator[_Block]:
    """In the order of their importance."""
    for part in Part:
        alike = (one for one in content.alike if one.part is part)
        for one in islice(alike, ALIKE_MAX):
            step = next_step_of(one.examples[0]) if one.cause else ()
            lines = list(_lines_of_alike(one, runbook_url))
            yield _Block(part, one.verdict, step, lines, one)
        for listed in content.named:
            if listed.part is part:
                found = listed.finding
                lines = list(lines_of(listed))
                yield _Block(part, found.verdict, next_step_of(found), lines, found)


def _fitting(content: DigestContent, runbook_url: str | None, room: Room) -> Iterator[_Block]:
    """Those that there is room for, up to the first that there is none for."""
    known: set[tuple[object, ...]] = set()
    for block in _blocks(content, runbook_url):
        lines = list(block.lines)
        if (group := (block.part, block.verdict)) not in known:
            lines += _title(content, block.part, block.verdict, runbook_url)
        if (steps := (*group, block.step)) not in known:
            lines += ["", *_indented(block.step)]
        if not room.takes(size_of_text(lines)):
            return
        known |= {group, steps}
        yield block


def _title(
    content: DigestContent, part: Part, verdict: Verdict, runbook_url: str | None
) -> Iterator[str]:
    count = content.counts[part][verdict]
    compared = _TITLES[part] if content.report.run.scope.is_compared else ""
    yield ""
    yield f"{compared}{_words(verdict).upper()} ({count:,}): {MEANINGS[verdict]}"
    yield f"  {page_of(verdict, runbook_url)}"


def _by_step(group: Iterable[_Block]) -> Iterator[str]:
    """What is to be done, and whom it concerns."""
    by_step: dict[tuple[str, ...], list[_Block]] = {}
    for block in group:
        by_step.setdefault(block.step, []).append(block)
    for number, (step, blocks) in enumerate(by_step.items()):
        yield from ("",) if number else ()
        yield from _indented(step)
        yield from (line for block in blocks for line in block.lines)


def _indented(step: Iterable[str]) -> Iterator[str]:
    return (line for one in step for line in wrapped(one, "  "))


def lines_of(listed: Listed) -> Iterator[str]:
    """An instance with a problem: which, whose, how bad, since when, why, and how to look."""
    finding = listed.finding
    yield f"- {named(finding.guid, finding.name)}"
    yield from _whose(finding)
    yield from wrapped(_age(finding), _INDENT)
    yield from wrapped(_since(listed), _INDENT)
    yield from wrapped(one_line(finding.reason, _REASON_MAX), _INDENT)
    for note in finding.policy_notes[:_NOTES_MAX]:
        yield from wrapped(one_line(note, _REASON_MAX), _INDENT)
    if finding.verdict is Verdict.UNKNOWN and finding.request_id:
        yield f"{_INDENT}X-VCAP-Request-ID: {one_line(finding.request_id, _TEXT_MAX)}"
    if command := check_command_of(finding):
        yield f"{_INDENT}{command}"


def _whose(one: Finding | Resolved) -> Iterator[str]:
    if place := placed(one.org, one.space, one.offering, one.plan):
        yield f"{_INDENT}{place}"
    if one.owner:
        yield f"{_INDENT}owner: {one_line(one.owner, _TEXT_MAX)}"


def _age(finding: Finding) -> str:
    """How old the newest backup is against what policy; empty where neither was found out."""
    policy, age = finding.policy, finding.newest_backup_age_seconds
    demand = f"policy: at most {format_duration(policy.max_age)}"
    if policy.min_backups > 1:
        demand += f", at least {policy.min_backups} backups"
    if age is not None and finding.newest_backup_at is not None:
        shown = compared_duration(timedelta(seconds=age), policy.max_age)
        return f"newest backup {shown} old, of {at(finding.newest_backup_at)}; {demand}"
    if finding.verdict is not Verdict.NEVER_BACKED_UP:
        return ""
    made = finding.evidence.instance_created_at
    return f"no backup; {f'the instance was made {at(made)}; ' if made else ''}{demand}"


def _since(listed: Listed) -> str:
    """Since when it is so; empty if the run is compared with nothing."""
    finding, before = listed.finding, listed.finding.before
    if finding.since is None:
        return ""
    reopened = listed.part is Part.NEW and finding.change is Change.REOPENED
    said = f"{'reopened, ' if reopened else ''}found since {at(finding.since)}"
    return said + (f"; before: {_words(before.verdict)} since {at(before.since)}" if before else "")


def _lines_of_alike(alike: Alike, runbook_url: str | None) -> Iterator[str]:
    yield f"- {alike.count:,} × {said_of(alike.cause)}"  # noqa: RUF001  # as people write it
    if alike.verdict is Verdict.UNKNOWN:
        yield f"{_INDENT}{page_of(Section.GROUP, runbook_url)}"
    yield f"{_INDENT}such as:"
    yield from (f"{_INDENT}{named(one.guid, one.name)}" for one in alike.examples)
    if request_id := alike.examples[0].request_id:
        yield f"{_INDENT}X-VCAP-Request-ID of the first: {one_line(request_id, _TEXT_MAX)}"
    yield f"{_INDENT}{check_command(alike.examples[0].guid)}"


def said_of(cause: Cause | None) -> str:
    """What instances share: "HTTP 502 CF-ServiceBrokerApiUnreachable, p.mysql"."""
    if cause is None:
        return "of many other causes"
    offering = one_line(cause.offering or "", _TEXT_MAX) or "of an unknown offering"
    if cause.verdict is not Verdict.UNKNOWN:
        return f"{_words(cause.verdict)}, {offering}"
    status = f"HTTP {cause.http_status}" if cause.http_status is not None else "no answer"
    title = f" {one_line(cause.title, _TEXT_MAX)}" if cause.title else ""
    return f"{status}{title}, {offering}"


def _not_named(content: DigestContent, blocks: Collection[_Block]) -> Iterator[str]:
    """How many more there are, by verdict, then by space and offering, the most first."""
    shown = {one.shown.guid for one in blocks if isinstance(one.shown, Finding)}
    alike = content.alike_count - sum(
        one.shown.count for one in blocks if isinstance(one.shown, Alike)
    )
    rest = content.rest(shown)
    count = rest.total() + alike
    if not count:
        return
    verdicts = Counter[Verdict]()
    for one in blocks:
        verdicts[one.verdict] += 1 if isinstance(one.shown, Finding) else one.shown.count
    by_verdict = content.rest_by_verdict(verdicts).items()
    yield from ("", f"NOT NAMED HERE ({count:,}): the report has their names")
    yield "  " + ", ".join(f"{there:,} {_words(verdict)}" for verdict, there in by_verdict)
    room, counted = Room(_PLACES_ROOM // 2), 0
    for place, there in rest.most_common(PLACES_MAX):
        line = f"- {there:,}: {_said_place(place)}"
        if room.takes(size_of_text([line])):
            yield line
            counted += there
    if alike:
        yield f"- {alike:,}: alike, of other causes"
    if others := rest.total() - counted:
        yield f"- {others:,}: in other spaces"


def _said_place(place: Place) -> str:
    return placed(place.org, place.space, place.offering) or "in an unknown place"


def _lines_of_ends_alike(alike: EndsAlike) -> list[str]:
    offering = one_line(alike.offering or "", _TEXT_MAX) or "of an unknown offering"
    return [
        f"- {alike.count:,} × unknown before, {offering}",  # noqa: RUF001
        f"{_INDENT}such as:",
        *(f"{_INDENT}{named(one.guid, one.name)}" for one in alike.examples),
    ]


def _lines_of_end(one: Resolved) -> list[str]:
    muted = ", and is muted" if one.muted else ""
    return [
        f"- {named(one.guid, one.name)}",
        *_whose(one),
        f"{_INDENT}was {_words(one.verdict)} since {at(one.since)}{muted}",
    ]


def _words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")
