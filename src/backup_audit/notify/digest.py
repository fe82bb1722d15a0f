"""The digest: one message for people, whatever the size of the day.

The answer comes first, then what is new, then the worst. Prose is wrapped; addresses, commands and
names stand whole on lines of their own.
"""

from collections.abc import Callable, Iterator, Mapping

from backup_audit.fleet.run import Scope
from backup_audit.judge.advice import Runbook, runbook_page
from backup_audit.notify.chat import chat_digest
from backup_audit.notify.fleet_news import head_lines, sections, warning_lines
from backup_audit.notify.headline import (
    attributes_of,
    headline_of,
    message_id_of,
    reminder_of,
    title_of,
)
from backup_audit.notify.late_news import late_section
from backup_audit.notify.links import Links
from backup_audit.notify.listing import DigestContent, contents
from backup_audit.notify.message import Message, lost_of, lost_role, size_of_text, text_message
from backup_audit.notify.mute_news import other_warnings
from backup_audit.notify.problem_lines import end_sections, problem_sections
from backup_audit.notify.room import Room, within
from backup_audit.notify.run_failure import recovery_line
from backup_audit.report.alerts import PLATFORM, Audience
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing
from backup_audit.text import at, brief_duration, instances, wrapped

DIGEST_MAX = 64 * 1024  # bytes: a telephone shows it

# Bytes of it. What these do not use, problems have; they have 20 KiB at least.
_ATTRIBUTES_ROOM = 2_000
_HEAD_ROOM = 11_000
_LATE_ROOM = 1_000
_FLEET_ROOM = 12_000
_ENDS_ROOM = 12_000
_MUTES_ROOM = 6_000


def digests(
    stored: StoredReport, audience: Audience, links: Links, recovered: Failing | None = None
) -> Iterator[Message]:
    """The digests that are due for people or chat: the platform's, then each owner's.

    `recovered` has the full runs that failed before this one.
    """
    form = _FORMS[audience]
    for content in contents(stored, audience, recovered):
        yield form(content, links)


def text_digest(content: DigestContent, links: Links) -> Message:
    """A digest for people, of at most 64 KiB."""
    head = list(within(list(_head(content, links)), _HEAD_ROOM))
    ends = list(end_sections(content, Room(_ENDS_ROOM)))
    late = list(within(list(late_section(content.late)), _LATE_ROOM))
    fleet = list(within(list(_fleet(content, links)), _FLEET_ROOM))
    mutes = list(within(list(_mutes(content)), _MUTES_ROOM))
    tail = list(_tail(content, links))
    used = size_of_text([*head, *ends, *late, *fleet, *mutes, *tail]) + _ATTRIBUTES_ROOM
    problems = problem_sections(content, links.runbook_url, Room(DIGEST_MAX - used))
    return text_message(
        message_id_of(content),
        title_of(content),
        [*head, *problems, *ends, *late, *fleet, *mutes, *tail],
        **attributes_of(content),
    )


_FORMS: Mapping[Audience, Callable[[DigestContent, Links], Message]] = {
    Audience.PEOPLE: text_digest,
    Audience.CHAT: chat_digest,
}


def _head(content: DigestContent, links: Links) -> Iterator[str]:
    report, is_platform = content.report, content.reader == PLATFORM
    if is_platform and lost_of(report):
        yield from (line for said in lost_role(report) for line in wrapped(said))
        yield runbook_page(Runbook.LOST_ROLE, links.runbook_url)
    yield from wrapped(headline_of(content))
    if not report.complete and is_platform:
        yield runbook_page(Runbook.INCOMPLETE_RUN, links.runbook_url)
    for said in (*_of_the_run(content), *_counts(content), *content.large_mutes):
        yield from wrapped(said)
    if is_platform:
        for said in _of_the_fleet(content):
            yield from wrapped(said)


def _of_the_fleet(content: DigestContent) -> Iterator[str]:
    """The figures of the fleet, and the warnings of the run."""
    report = content.report
    record = report.inventory if report.run.scope is Scope.FULL else None
    if record is not None:
        yield from head_lines(record, report.run.started_at.date())
    if before := content.unheard.before:
        yield f"What runs before {at(before)} found of the fleet is in their reports alone."
    warnings = other_warnings(report.plan.warnings) if record else report.plan.warnings
    yield from warning_lines(warnings, record)


def _of_the_run(content: DigestContent) -> Iterator[str]:
    report, run = content.report, content.report.run
    if content.recovered:
        yield recovery_line(content.recovered)
    yield from reminder_of(content)
    if run.scope is Scope.WHAT_IF:
        yield "A what-if: judged at another instant or under another policy than configured."
    if run.scope is Scope.PARTIAL:
        asked = instances(report.coverage.configured)
        yield f"Of {asked} asked for by hand: verdicts, which are compared with nothing."
    when = f"due {at(run.due_at)}"
    if run.delay is not None:
        late = brief_duration(run.delay)
        when += f", made {at(run.started_at)}, {late} later: it says what was so then"
    yield f"Backup audit of {report.foundation}, {when} (run {run.run_id})."


def _counts(content: DigestContent) -> Iterator[str]:
    coverage = content.report.coverage
    if content.reader == PLATFORM:
        yield (
            f"Audited: {coverage.audited:,} of {coverage.configured:,} ({coverage.percent:g} %), "
            f"unknown: {coverage.unknown:,}."
        )
    counts = {
        "Not reached, and without a problem before": content.not_reached,
        "Muted and not named here": content.muted,
        "Being deleted and not named here": content.being_deleted,
        "Opened and ended before anybody was notified": content.unsaid,
    }
    yield from (f"{what}: {count:,}." for what, count in counts.items() if count)


def _fleet(content: DigestContent, links: Links) -> Iterator[str]:
    """What is new of the fleet itself, by name: of this run, then of those before."""
    lines: list[str] = []
    for fleet in content.unheard.fleets:
        said = list(sections(fleet.record, fleet.news))
        if said and fleet.due_at != content.report.run.due_at:
            lines += ["", f"Of the run due {at(fleet.due_at)}, whose messages were not taken:"]
        lines += said
    if lines:
        yield from lines
        yield runbook_page(Runbook.NEWS_OF_THE_FLEET, links.runbook_url)


def _mutes(content: DigestContent) -> Iterator[str]:
    for line in content.mutes:
        indent = line[: len(line) - len(line.lstrip())]
        yield from wrapped(line, indent) if line else [""]


def _tail(content: DigestContent, links: Links) -> Iterator[str]:
    """Where the report is. Who wants a signed address makes it: ours would die with our session."""
    yield from ("", "The report:")
    if shown_at := links.report(content.address):
        yield shown_at
    yield links.command(content.address)
