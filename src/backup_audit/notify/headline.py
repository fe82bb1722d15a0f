"""What every form of a digest has: the answer in a subject and in a sentence, id, attributes."""

from collections.abc import Iterator

from backup_audit.fleet.run import Scope
from backup_audit.notify.listing import DigestContent, Part
from backup_audit.notify.message import Attribute, lost_of
from backup_audit.report.alerts import PLATFORM, Reason
from backup_audit.text import at, instances, one_line

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


def title_of(content: DigestContent) -> str:
    """The subject: where, what is the matter, how much of it is new."""
    label, owner = _LABELS[content.report.run.scope], one_line(content.reader, _OWNER_MAX)
    whose = f" ({owner})" if owner else ""
    return f"[{label}] {content.report.foundation}: {', '.join(_said(content))}{whose}"


def _said(content: DigestContent) -> Iterator[str]:
    is_platform, report = content.reader == PLATFORM, content.report
    if is_platform and (lost := lost_of(report)):
        yield f"{instances(lost)} disappeared at once"
    if content.recovered:
        yield "the audit works again"
    if is_platform and not report.complete:
        yield "INCOMPLETE"
    yield "all clear" if content.is_all_clear else problems(content.open)
    counts = {
        "new": content.of(Part.NEW),
        "worse": content.of(Part.WORSE),
        "ended": content.ended_count,
        **_of_the_fleet(content),
    }
    yield from (f"{count:,} {what}" for what, count in counts.items() if count)
    if content.reasons == (Reason.REMINDER,):
        yield "reminder"


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
    said = f"{_who(content)} {'have' if found > 1 else 'has'} a problem"
    if content.report.run.scope.is_compared and found:
        said += f", {f'{new:,}' if new else 'none'} of them new"
        said += f", {worse:,} worse than before" if worse else ""
    if others := _others(content):
        said += f", but for {' and '.join(others)}"
    said = f"all clear: {said}" if content.is_all_clear else said
    return f"{said[0].upper()}{said[1:]}."


def _others(content: DigestContent) -> list[str]:
    """What keeps a digest without problems from being true word for word."""
    counts = {"muted": content.muted, "being deleted": content.being_deleted}
    return [f"{count:,} {what}" for what, count in counts.items() if count and not content.open]


def _who(content: DigestContent) -> str:
    """The subject of the sentence: "5 of 812 instances"."""
    found = content.open
    if content.reader == PLATFORM:
        everybody = instances(content.report.coverage.configured)
        return f"{found:,} of {everybody}" if found else f"none of {everybody}"
    owner = one_line(content.reader, _OWNER_MAX)
    return f"{instances(found) if found else 'no instance'} of {owner}"


def _how_whole(content: DigestContent) -> str:
    report = content.report
    if report.complete:
        again = " again" if Reason.COMPLETE in content.reasons else ""
        return f"The audit is complete{again}."
    since = report.alerts.incomplete_since
    lasts = f" since {at(since)}" if since is not None and since != report.run.due_at else ""
    return f"The audit is INCOMPLETE{lasts}: {report.why_incomplete}."


def problems(count: int) -> str:
    """Say how many."""
    return "1 problem" if count == 1 else f"{count:,} problems"
