"""What every form of a digest has: the answer in a subject and in a sentence, id, attributes."""

from collections.abc import Iterator
from typing import NamedTuple

from backup_audit.fleet.run import Scope
from backup_audit.notify.listing import DigestContent, Part
from backup_audit.notify.message import SUBJECT_MAX, Attribute, lost_of
from backup_audit.report.alerts import PLATFORM, Reason
from backup_audit.report.changes import Ended
from backup_audit.report.report import Report
from backup_audit.text import at, instances, one_line, were

_LABELS = {
    Scope.FULL: "backup-audit",
    Scope.PARTIAL: "backup-audit partial run",
    Scope.WHAT_IF: "backup-audit what-if",
}
_OWNER_MAX = 200  # characters


def message_id_of(content: DigestContent) -> str:
    """The id by which doubles are known."""
    report = content.report
    tail = f"/{content.reader}" if content.reader != PLATFORM else ""
    return f"{report.foundation}/{report.run.run_id}/digest{tail}"


def attributes_of(content: DigestContent) -> dict[str, Attribute | None]:
    """What filter policies select by; without a value where there is none."""
    return {
        "event": "digest",
        "severity": content.severity,
        "verdict": tuple(content.verdicts),
        "change": tuple(content.changes),
        "reason": tuple(content.reasons),
        "foundation": content.report.foundation,
        "owner": content.reader,
    }


def title_of(content: DigestContent, longest: int = SUBJECT_MAX) -> str:
    """The subject: where, what is the matter, how much of it is new.

    What there is no room for is left out, the least important first; how many problems there are
    stays, and whose. Names are cut if they must.
    """
    report, parts = content.report, list(_said(content))
    where, answer = f"[{_LABELS[report.run.scope]}] {report.foundation}: ", _answer(content)
    whose = _whose(content.reader, longest - len(where) - len(answer))

    def title() -> str:
        return f"{where}{', '.join(one.text for one in parts)}{whose}"

    while len(title()) > longest and len(parts) > 1:
        parts.remove(max(parts, key=lambda one: one.place))
    return title()


def _whose(owner: str, room: int) -> str:
    if not owner:
        return ""
    name, most = one_line(owner, _OWNER_MAX), room - len(" ()")
    return f" ({name if len(name) <= most else f'{name[: most - 3]}...'})"


class _Said(NamedTuple):
    """A part of a subject, and its place by importance: 0 is the answer."""

    place: int
    text: str


def _answer(content: DigestContent) -> str:
    return "all clear" if content.is_all_clear else problems(content.open)


def _said(content: DigestContent) -> Iterator[_Said]:
    """The parts of a subject in their order."""
    is_platform, report = content.reader == PLATFORM, content.report
    if is_platform and (lost := lost_of(report)):
        yield _Said(1, f"{instances(lost)} disappeared at once")
    if content.recovered:
        yield _Said(4, "the audit works again")
    if is_platform and not report.complete:
        yield _Said(2, "INCOMPLETE")
    yield _Said(0, _answer(content))
    counts = {
        "muted": content.muted if content.is_all_clear else 0,
        "new": content.of(Part.NEW),
        "named again": content.of(Part.AGAIN),
        "worse": content.of(Part.WORSE),
        "ended": content.ended_count,
        **_of_the_fleet(content),
    }
    said = (f"{count:,} {what}" for what, count in counts.items() if count)
    yield from (_Said(place, text) for place, text in enumerate(said, 5))
    if content.reasons == (Reason.REMINDER,):
        yield _Said(3, "reminder")


def _of_the_fleet(content: DigestContent) -> dict[str, int]:
    news = [fleet.news for fleet in content.unheard.fleets]
    return {
        "left the fleet": sum(one.left_count or 0 for one in news),
        "new and unaudited": sum(one.new_unaudited_count or 0 for one in news),
        "unaudited": sum(one.unaudited_count or 0 for one in news if one.first_unaudited),
    }


def headline_of(content: DigestContent) -> str:
    """The answer: how many, how many of them new, and whether the audit itself is all right."""
    return " ".join((how_many(content), _how_whole(content)))


def how_many(content: DigestContent) -> str:
    """How many have a problem, and how many of them are news."""
    found, new, worse = content.open, content.of(Part.NEW), content.of(Part.WORSE)
    again = content.of(Part.AGAIN)
    reached = content.report.coverage.configured - content.not_asked
    if not found and not reached and content.reader == PLATFORM:
        return f"None of {instances(content.not_asked)} was reached."
    said = f"{_who(content, reached)} {'have' if found > 1 else 'has'} a problem"
    if content.report.run.scope.is_compared and found:
        said += f", {f'{new:,}' if new else 'none'} of them new"
        said += f", {again:,} named again" if again else ""
        said += f", {worse:,} worse than before" if worse else ""
    if others := _others(content):
        said += f", but for {' and '.join(others)}"
    if content.not_asked:
        said += f"; {content.not_asked:,} {were(content.not_asked)} not reached"
    if content.is_all_clear:
        said = f"all clear: {said}{_without_proof(content)}"
    return f"{said[0].upper()}{said[1:]}."


def _without_proof(content: DigestContent) -> str:
    """What nobody audits any more, or a grace excuses, is not open; it is not healthy either."""
    unproved = content.ended_count - content.ended.get(Ended.HEALTHY, 0)
    return f"; {unproved:,} ended without proof of health" if unproved else ""


def _others(content: DigestContent) -> list[str]:
    """What keeps a digest without problems from being true word for word."""
    counts = {"muted": content.muted, "being deleted": content.being_deleted}
    return [f"{count:,} {what}" for what, count in counts.items() if count and not content.open]


def _who(content: DigestContent, reached: int) -> str:
    """The subject of the sentence: "5 of 812 instances", or "none" of those that were reached."""
    found, owner = content.open, one_line(content.reader, _OWNER_MAX)
    if found:
        return f"{instances(found)} of {owner}" if owner else _of_all(content)
    everybody = f"no instance of {owner}" if owner else f"none of {instances(reached)}"
    if content.not_asked:
        everybody += f" that {were(1 if owner else reached)} reached"
    return everybody


def _of_all(content: DigestContent) -> str:
    return f"{content.open:,} of {instances(content.report.coverage.configured)}"


def _how_whole(content: DigestContent) -> str:
    report, is_again = content.report, Reason.COMPLETE in content.reasons
    if not report.complete:
        return f"The audit is INCOMPLETE{_since(report)}: {report.why_incomplete}."
    complete = f"The audit is complete{' again' if is_again else ''}"
    if not content.without_result:
        return f"{complete}."
    asked = f"very instance was asked, but of {content.without_result:,} nothing could be found out"
    return f"{complete}: e{asked}." if is_again else f"E{asked}."


def _since(report: Report) -> str:
    """Since when runs are incomplete, which may have had other causes."""
    since = report.alerts.incomplete_since
    if since is None or since == report.run.due_at:
        return ""
    return f", as runs have been since {at(since)}; this one"


def reminder_of(content: DigestContent) -> Iterator[str]:
    """The sentence of a digest that goes out to remind, and for nothing else."""
    if content.reasons == (Reason.REMINDER,):
        is_open = content.open or content.being_deleted
        still = "of what is still open" if is_open else "that the audit is still incomplete"
        yield f"This is a reminder {still}."


def problems(count: int) -> str:
    """Say how many."""
    return "1 problem" if count == 1 else f"{count:,} problems"
