"""Messages for chat channels, in the form that Amazon Q Developer in chat applications reads.

It drops whatever is not of this form without a word. A channel shows markdown of its own kind, and
names come from whoever may make an instance: so all that is not ours stands in code spans, in which
no mark, mention or link means anything, without backticks that could end them, and with the
characters as entities of which Slack makes mentions and links.

docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html has the form; the longest lengths
that it takes are those of others who use it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Annotated, Literal

import msgspec

from backup_audit.judge.advice import Runbook, meaning_of, page_of, runbook_page
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.headline import (
    attributes_of,
    how_many,
    message_id_of,
    reminder_of,
    title_of,
)
from backup_audit.notify.late_news import late_line
from backup_audit.notify.links import Links
from backup_audit.notify.listing import EXAMPLES, Alike, DigestContent, Listed, Part
from backup_audit.notify.message import Message, json_message, lost_of, lost_role
from backup_audit.notify.run_failure import RunFailure, recovery, run_failed
from backup_audit.report.drift import Departed, UnauditedInstance
from backup_audit.text import (
    at,
    compared_duration,
    format_duration,
    instances,
    one_line,
    placed,
)

TITLE_MAX, DESCRIPTION_MAX = 250, 8_000  # characters that are taken
DESCRIPTION_AIM = 3_000  # characters, with what entities make of them; a channel folds more away
NAMED_MAX = 10  # problems
ALIKE_MAX = 5  # causes of unknown ones

_NAME_MAX = 80  # characters of a name or a place
_SENTENCE_MAX = 400  # characters of a sentence that may quote others
_EXAMPLES_ROOM = 300  # characters of a line about the fleet
_REST_ROOM = 150  # characters of the description: how many are not named

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})

_SIGNS = {
    Severity.CRITICAL: "\U0001f534",
    Severity.WARNING: "\U0001f7e1",
    Severity.INFO: "\U0001f7e2",
}
_NEWS = {Part.NEW: "NEW ", Part.AGAIN: "AGAIN ", Part.WORSE: "WORSE ", Part.OPEN: ""}


class ChatContent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a channel shows."""

    text_type: Literal["client-markdown"] = "client-markdown"
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_MAX)]
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=DESCRIPTION_MAX)]
    next_steps: list[str]
    keywords: list[str]


class ChatMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a channel threads by, and what custom actions read.

    `threadId` is left out where nothing goes on: else a problem, its reminders and the all-clear
    stand in one thread. `relatedResources` are GUIDs.
    """

    thread_id: str | msgspec.UnsetType = msgspec.UNSET
    summary: str
    event_type: Literal["backup-audit-digest", "backup-audit-run-failed"]
    related_resources: list[str]
    additional_context: dict[str, str]


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A custom notification, as AWS calls it."""

    version: Literal["1.0"] = "1.0"
    source: Literal["custom"] = "custom"
    id: str
    content: ChatContent
    metadata: ChatMetadata


def chat_digest(content: DigestContent, links: Links) -> Message:
    """The platform's digest: the answer, the ten most important problems, and the report."""
    report, title = content.report, title_of(content, TITLE_MAX - len("\U0001f534 "))
    document = ChatMessage(
        id=message_id_of(content),
        content=ChatContent(
            title=_titled(title, content.severity),
            description=_description(content),
            next_steps=list(_next_steps(content, links)),
            keywords=[report.foundation, *content.verdicts],
        ),
        metadata=ChatMetadata(
            thread_id=_thread_of(content),
            summary=one_line(title, TITLE_MAX),
            event_type="backup-audit-digest",
            related_resources=[one.finding.guid for one in content.named[:NAMED_MAX]],
            additional_context={
                "foundation": report.foundation,
                "run_id": report.run.run_id,
                "severity": content.severity,
                "problems": str(content.open),
                "new": str(content.of(Part.NEW)),
            },
        ),
    )
    return json_message(document.id, document, **attributes_of(content))


def run_failed_chat(failure: RunFailure) -> Message:
    """The message of a run that failed."""
    said = run_failed(failure)
    title = said.subject or ""
    failing = failure.failing
    thread = f"{failure.foundation}/failing/{failing.since:%Y%m%dT%H%M%SZ}" if failing else None
    document = ChatMessage(
        id=said.message_id,
        content=ChatContent(
            title=_titled(title, Severity.CRITICAL),
            description="\n".join(_of_failure(failure)),
            next_steps=[
                f"What to do: {_address(failure.runbook)}",
                "The function's log has the rest.",
            ],
            keywords=[one for one in (failure.foundation, failure.error) if one],
        ),
        metadata=ChatMetadata(
            thread_id=f"backup-audit/{thread}" if thread else msgspec.UNSET,
            summary=one_line(title, TITLE_MAX),
            event_type="backup-audit-run-failed",
            related_resources=[],
            additional_context={
                "foundation": failure.foundation or "",
                "run_id": failure.run.run_id if failure.run else "",
                "error": failure.error,
            },
        ),
    )
    return json_message(document.id, document, **said.attributes)


def code(text: str, longest: int = _NAME_MAX) -> str:
    """Others' text, on one line in a code span; empty if nothing of it can be seen."""
    shown = one_line(text, longest).translate(_ENTITIES)
    return f"`{shown}`" if shown else ""


def _description(content: DigestContent) -> str:
    """The lines that fit, whole: the answer first, how many are not named last."""
    head, tail = list(_head(content)), [*_fleet(content), *_tail(content)]
    left = DESCRIPTION_AIM - _length([*head, *tail]) - _REST_ROOM
    named, listed = Counter[Verdict](), []
    for verdict, count, line in _problems(content):
        left -= _length([line])
        if left < 0:
            break
        listed.append(line)
        named[verdict] += count
    return "\n".join([*head, *listed, *_rest(content, named), *tail])


def _head(content: DigestContent) -> Iterator[str]:
    report = content.report
    yield from lost_role(report)
    yield how_many(content)
    if content.recovered:
        yield f"{recovery(content.recovered)} {code(content.recovered.cause, _SENTENCE_MAX)}"
    if not report.complete:
        yield f"The audit is INCOMPLETE: {code(report.why_incomplete or '', _SENTENCE_MAX)}"
    yield from reminder_of(content)


def _problems(content: DigestContent) -> Iterator[tuple[Verdict, int, str]]:
    """Lines of problems, the most important first, each with verdict and number of its problems."""
    for part in Part:
        alike = [one for one in content.alike if one.part is part]
        for several in alike[:ALIKE_MAX]:
            yield Verdict.UNKNOWN, several.count, _line_of_alike(several)
        for one in islice(content.named, NAMED_MAX):
            if one.part is part:
                yield one.finding.verdict, 1, _line_of(one)


def _rest(content: DigestContent, named: Mapping[Verdict, int]) -> Iterator[str]:
    rest = content.rest_by_verdict(named)
    if rest:
        by_verdict = ", ".join(f"{count:,} {_words(verdict)}" for verdict, count in rest.items())
        yield f"And {sum(rest.values()):,} more, in the report: {by_verdict}."


def _fleet(content: DigestContent) -> Iterator[str]:
    """What is new of the fleet: how many, and three by name."""
    news = [fleet.news for fleet in content.unheard.fleets]
    left = [one for each in news for one in each.left]
    new = [one for each in news for one in each.new_unaudited]
    if count := sum(each.left_count or 0 for each in news):
        yield f"\u2022 Left the fleet: {_such_as(count, left)}"
    if count := sum(each.new_unaudited_count or 0 for each in news):
        yield f"\u2022 New and unaudited: {_such_as(count, new)}"
    for each in news:
        if each.first_unaudited and each.unaudited_count:
            yield f"\u2022 Unaudited: {_by_offering(each.unaudited_count, each.first_unaudited)}"


def _such_as(count: int, some: Sequence[Departed | UnauditedInstance]) -> str:
    named = [
        " ".join(filter(None, (code(one.name or "") or code(one.guid), code(one.offering or ""))))
        for one in some[:EXAMPLES]
    ]
    return _with_rest(count, [(name, 1) for name in named])


def _by_offering(count: int, offerings: Mapping[str, int]) -> str:
    most = islice(offerings.items(), EXAMPLES)
    return _with_rest(count, [(f"{of:,} {code(name)}".rstrip(), of) for name, of in most])


def _with_rest(count: int, some: Iterable[tuple[str, int]]) -> str:
    """How many, some of them as far as they have room, and how many more."""
    shown: list[str] = []
    rest = count
    for text, stands_for in some:
        if _length([*shown, text]) > _EXAMPLES_ROOM:
            break
        shown.append(text)
        rest -= stands_for
    more = [f"and {rest:,} more"] if rest and shown else []
    return ": ".join(filter(None, (instances(count), ", ".join([*shown, *more]))))


def _line_of(listed: Listed) -> str:
    finding = listed.finding
    where = placed(finding.org, finding.space, finding.offering, finding.plan)
    parts = (
        code(finding.name or "") or code(finding.guid),
        code(where),
        code(finding.owner or ""),
        _how_bad(finding),
        f"since {at(finding.since)}" if finding.since else "",
    )
    said = " \u00b7 ".join(filter(None, parts))
    return f"\u2022 {_NEWS[listed.part]}{_words(finding.verdict)}: {said}"


def _line_of_alike(alike: Alike) -> str:
    cause, verdict = alike.cause, f"{_NEWS[alike.part]}{_words(alike.verdict)}"
    if cause is None:
        return f"\u2022 {verdict}: {alike.count:,}, for many causes"
    status = f"HTTP {cause.http_status}" if cause.http_status else ""
    parts = (code(cause.offering or ""), status, code(cause.title or ""))
    said = " ".join(filter(None, parts))
    return f"\u2022 {verdict}: {instances(alike.count)} {said}".rstrip()


def _how_bad(finding: Finding) -> str:
    """How old the newest backup is against what is allowed; else what the verdict means."""
    age = finding.newest_backup_age_seconds
    if age is not None:
        most = timedelta(seconds=finding.max_age_seconds)
        shown = compared_duration(timedelta(seconds=age), most)
        return f"newest backup {shown} old, max_age {format_duration(most)}"
    if finding.verdict is Verdict.UNKNOWN:
        status = f"HTTP {finding.http_status}" if finding.http_status else ""
        return " ".join(filter(None, (status, code(finding.cause or ""))))
    return meaning_of(finding)


def _tail(content: DigestContent) -> Iterator[str]:
    if content.ended:
        said = (f"{count:,} {how.replace('_', ' ')}" for how, count in content.ended.items())
        yield f"Ended: {', '.join(said)}."
    counts = {
        "Muted": content.muted,
        "Being deleted": content.being_deleted,
        "Not reached": content.not_reached,
    }
    if any(counts.values()):
        yield " ".join(f"{what}: {count:,}." for what, count in counts.items() if count)
    yield from late_line(content.late)


def _next_steps(content: DigestContent, links: Links) -> Iterator[str]:
    shown_at = links.report(content.address)
    yield f"Report: {_address(shown_at) if shown_at else code(content.address.uri, _SENTENCE_MAX)}"
    if lost_of(content.report):
        yield f"Lost role: {_address(runbook_page(Runbook.LOST_ROLE, links.runbook_url))}"
    elif not content.report.complete:
        yield f"Incomplete: {_address(runbook_page(Runbook.INCOMPLETE_RUN, links.runbook_url))}"
    if any(_fleet(content)):
        yield f"Fleet: {_address(runbook_page(Runbook.NEWS_OF_THE_FLEET, links.runbook_url))}"
    for verdict in content.verdicts:
        if verdict.is_problem:
            yield f"{_words(verdict)}: {_address(page_of(verdict, links.runbook_url))}"


def _of_failure(failure: RunFailure) -> Iterator[str]:
    failing, which = failure.failing, failure.run.run_id if failure.run else "without an id"
    yield f"{failure.subject} failed at {at(failure.failed_at)} (run {which})."
    if failing is not None and failing.runs > 1:
        yield f"{failing.runs:,} full runs have failed since {at(failing.since)}."
    yield code(f"{failure.error}: {failure.reason}", _SENTENCE_MAX)
    if failure.is_full:
        yield "Until one succeeds, nobody is notified of any backup: silence is no good news."


def _thread_of(content: DigestContent) -> str | msgspec.UnsetType:
    """The thread of the platform's problems since the last all-clear."""
    report = content.report
    state = report.alerts.readers.get(content.reader)
    if state is None or state.episode is None:
        return msgspec.UNSET
    seconds = "%S" if state.episode.second else ""
    return f"backup-audit/{report.foundation}/{state.episode:%Y%m%dT%H%M{seconds}Z}"


def _titled(title: str, severity: Severity) -> str:
    return one_line(f"{_SIGNS[severity]} {title}", TITLE_MAX)


def _address(address: str) -> str:
    """An address as it stands in markdown; ours have no backticks."""
    return address.translate(_ENTITIES)


def _words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")


def _length(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)
