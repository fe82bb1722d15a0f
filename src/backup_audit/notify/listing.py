"""What a digest names, and what it counts: chosen in one pass over a report, for many readers.

News come first, then the worst. Memory holds what may be named, a hundred problems and ends of each
reader, however many a day has.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Severity, Verdict, severity_of
from backup_audit.notify.late_news import NOBODY, Late, late_by_reader
from backup_audit.notify.message import lost_of
from backup_audit.notify.mute_news import mute_head_lines, mute_section
from backup_audit.notify.unheard import NOTHING, Unheard, unheard_by
from backup_audit.report.alerts import PLATFORM, Alerts, Audience, Reason
from backup_audit.report.changes import Ended, Resolved
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing
from backup_audit.report.groups import GROUP_FROM, Cause, cause_of, of_one_cause
from backup_audit.report.report import Report, ReportAddress

NAMED_MAX = 100  # problems, and as many ends, that a digest names
EXAMPLES = 3  # names of unknown instances that share a cause

# Readers of one pass: each holds some 200 KiB at the most on a bad day.
_READERS_AT_A_TIME = 250

# Kinds of causes, places and ends that are told apart; there are few, unless somebody makes them
# up.
_CAUSES_MAX = 100
_PLACES_MAX = 10_000
_ENDS_MAX = 20


class Part(StrEnum):
    """The part of a digest in which a problem stands."""

    NEW = "new"  # or reopened: this audience has not heard of it
    AGAIN = "again"  # it had, before it was said that all is clear
    WORSE = "worse"  # than what it heard of last
    OPEN = "open"  # as before, or compared with nothing


class Listed(msgspec.Struct, frozen=True):
    """A problem that may be named."""

    part: Part
    finding: Finding


class Alike(msgspec.Struct, frozen=True):
    """Instances that share a cause: ten or more, of which these are in one part.

    They are unknown, or not found where a role seems lost. `cause` is null where so many different
    ones were found that the others are counted together. `examples` are the first three.
    """

    part: Part
    verdict: Verdict
    cause: Cause | None
    count: int
    examples: tuple[Finding, ...]


class EndsAlike(msgspec.Struct, frozen=True):
    """Ten or more unknown problems of one offering that ended in the same way.

    `examples` are the first three.
    """

    ended: Ended
    offering: str | None
    count: int
    examples: tuple[Resolved, ...]


class Place(msgspec.Struct, frozen=True):
    """Where the problems are that a digest counts and does not name; null if not known."""

    org: str | None
    space: str | None
    offering: str | None


class DigestContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest says to one reader, for whatever form it takes.

    `reader` is "" for the platform, or an owner. `reasons` say why it goes out. `counts` are all
    problems that are open and neither muted nor being deleted, by part and verdict; `severities`
    are theirs, and of what is hidden behind unknown ones. Of them `named` are those to name, a
    hundred at the most and the most important first, and `alike` those of one cause. `ends` are the
    first hundred problems that ended, of `ended` in all, by how, but for the `ended_in_fleet`:
    `unheard`, which the platform hears of the fleet, names those; and but for `ends_alike`.
    `unsaid` counts those that opened and ended before anybody was notified. `not_reached` counts
    instances that the run did not get to, and that had no problem before, `not_asked` all that it
    did not get to, `without_result` those that are unknown though they were asked, muted or not.
    `late` has the healthy instances of the reader that are late.
    `recovered` has the full runs that failed before this one, null if none did. `large_mutes` and
    `mutes` are lines about the mutes themselves, for a head and as a section: the platform's, after
    a full run.
    """

    report: Report
    address: ReportAddress
    reader: str
    reasons: tuple[Reason, ...]
    counts: dict[Part, dict[Verdict, int]]
    reopened: int
    severities: frozenset[Severity]
    named: list[Listed]
    alike: list[Alike]
    places: dict[Place, int]
    ended: dict[Ended, int]
    ended_in_fleet: dict[Ended, int]
    ends: list[Resolved]
    ends_alike: list[EndsAlike]
    unsaid: int
    muted: int
    being_deleted: int
    not_reached: int
    not_asked: int
    without_result: int
    late: Late
    unheard: Unheard
    recovered: Failing | None
    large_mutes: tuple[str, ...]
    mutes: tuple[str, ...]

    @property
    def open(self) -> int:
        """How many problems are open that messages name or count."""
        return sum(self.of(part) for part in Part)

    def of(self, part: Part) -> int:
        """How many problems stand in a part."""
        return sum(self.counts.get(part, {}).values())

    @property
    def alike_count(self) -> int:
        return sum(one.count for one in self.alike)

    @property
    def ended_count(self) -> int:
        return sum(self.ended.values())

    @property
    def is_all_clear(self) -> bool:
        return Reason.ALL_CLEAR in self.reasons

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of everything that is named or counted, the worst first; healthy: a problem ended so."""
        found = {verdict for counts in self.counts.values() for verdict in counts}
        if Ended.HEALTHY in self.ended:
            found.add(Verdict.HEALTHY)
        return tuple(verdict for verdict in Verdict if verdict in found)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What of the problems that are named or counted is said to have changed."""
        if not self.report.run.scope.is_compared:
            return ()
        there_is = {
            Change.NEW: self.of(Part.NEW) > self.reopened,
            Change.ONGOING: self.open > self.of(Part.NEW),
            Change.RESOLVED: Ended.HEALTHY in self.ended,
            Change.REOPENED: self.reopened > 0,
        }
        return tuple(change for change, is_there in there_is.items() if is_there)

    @property
    def severity(self) -> Severity:
        """The worst of all that is named or counted; `warning` at least if the audit is not whole.

        `info` if all is clear.
        """
        severities = [*self.severities, *(verdict.severity for verdict in self.verdicts)]
        severities += [fleet.news.severity for fleet in self.unheard.fleets]
        if not self.report.complete:
            severities.append(Severity.WARNING)
        return severity_of(severities)

    def rest_by_verdict(self, shown: Mapping[Verdict, int]) -> dict[Verdict, int]:
        """How many problems there are besides those that are shown, the worst verdict first."""
        total = Counter[Verdict]()
        for counts in self.counts.values():
            total.update(counts)
        return {one: more for one in Verdict if (more := total[one] - shown.get(one, 0)) > 0}

    def rest(self, named: Collection[str]) -> Counter[Place]:
        """By place the problems that are neither alike nor among the GUIDs that are named."""
        places = (_place_of(one.finding) for one in self.named if one.finding.guid in named)
        known = (place if place in self.places else ELSEWHERE for place in places)
        return Counter(self.places) - Counter(known)


ELSEWHERE = Place(None, None, None)
"""Of more places than are told apart, and where it is not known."""


def contents(
    stored: StoredReport, audience: Audience, recovered: Failing | None = None
) -> Iterator[DigestContent]:
    """What each digest says that is due for people or chat: the platform's, then each owner's.

    `recovered` has the full runs that failed before this one. The report is read once for 250
    readers.
    """
    report = stored.head
    due = list(_due(report, audience, is_due=recovered is not None))
    late = late_by_reader(stored) if due else {}
    for first in range(0, len(due), _READERS_AT_A_TIME):
        readers = due[first : first + _READERS_AT_A_TIME]
        choosers = {
            reader: _Chooser(
                report,
                reader,
                audience,
                unheard_by(audience, stored) if reader == PLATFORM else NOTHING,
            )
            for reader in readers
        }
        everything = choosers.get(PLATFORM)
        for entry in stored.entries():
            if everything is not None:
                everything.add(entry)
            if entry.owner and entry.owner in choosers:
                choosers[entry.owner].add(entry)
        for reader in readers:
            again = recovered if reader == PLATFORM else None
            late_ones = late.get(reader, NOBODY)
            yield choosers.pop(reader).content(stored, reader, again, late_ones)


def _due(report: Report, audience: Audience, *, is_due: bool) -> Iterator[str]:
    """The readers, the platform first; `is_due`: there is something to say to it in any case."""
    alerts = report.alerts
    if audience not in alerts.news_from:  # its topic came after the plan
        return
    if is_due or alerts.gets_digest(audience, PLATFORM) or _is_first(report, audience):
        yield PLATFORM
    if audience is not Audience.PEOPLE:
        return
    for reader in alerts.readers:
        if reader != PLATFORM and alerts.gets_digest(audience, reader):
            yield reader


def _is_first(report: Report, audience: Audience) -> bool:
    """Whether an audience is new, and has to hear what others know already."""
    is_wrong = report.news.problems > 0 or not report.complete
    return report.run.scope is Scope.FULL and report.alerts.is_new(audience) and is_wrong


def _of_mutes(stored: StoredReport) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines about the mutes, for a head and as a section; of a run that is no full one none."""
    run, configured = stored.head.run, stored.head.coverage.configured
    if run.scope is not Scope.FULL:
        return (), ()
    section = mute_section(stored.mutes(), run.started_at.date())
    return tuple(mute_head_lines(stored.mutes(), configured)), tuple(section)


def _place_of(finding: Finding) -> Place:
    return Place(finding.org, finding.space, finding.offering)


class _Held(msgspec.Struct):
    """The problems of a cause: all of them as long as they are few, then three a part."""

    count: int
    by_part: Counter[Part]
    first: list[tuple[int, Listed]]  # with the number in the order of the report

    def add(self, number: int, one: Listed) -> None:
        self.count += 1
        self.by_part[one.part] += 1
        if self.count < GROUP_FROM or self.by_part[one.part] <= EXAMPLES:
            self.first.append((number, one))
        if self.count == GROUP_FROM:
            self.first = [
                first
                for part in Part
                for first in [held for held in self.first if held[1].part is part][:EXAMPLES]
            ]

    def alike(self, verdict: Verdict, cause: Cause | None) -> Iterator[Alike]:
        for part in Part:
            examples = (one.finding for _, one in self.first if one.part is part)
            if count := self.by_part[part]:
                yield Alike(part, verdict, cause, count, tuple(examples))


def _part_of_known(alerts: Alerts, reader: str, audience: Audience) -> Part | None:
    """Where problems stand that others know already, if they are news to a reader.

    None if the reader was notified of them, or of others since the last all-clear.
    """
    state, news_from = alerts.readers.get(reader), alerts.news_from[audience]
    if alerts.is_new(audience):
        return Part.NEW
    if state is None or state.episode is None or state.episode < news_from:
        return None
    return Part.NEW if state.all_clear_at is None else Part.AGAIN


def _was_worse(finding: Finding) -> bool:
    """Whether it had a worse verdict before, which readers should see beside this one."""
    before = finding.before
    return before is not None and before.verdict.rank < finding.verdict.rank


class _HeldEnds(msgspec.Struct):
    """The ends of unknown problems of a kind: all of them as long as they are few, then three."""

    count: int
    first: list[Resolved]

    def add(self, one: Resolved) -> None:
        self.count += 1
        if self.count < GROUP_FROM:
            self.first.append(one)
        else:
            del self.first[EXAMPLES:]


class _Chooser:
    """Chooses what one reader's digest names, from entries in the report's order: worst first."""

    def __init__(self, report: Report, reader: str, audience: Audience, unheard: Unheard) -> None:
        self._unheard = unheard
        self._named_as_left = {
            (fleet.due_at, one.guid) for fleet in unheard.fleets for one in fleet.news.left
        }
        self._news_from = report.alerts.news_from[audience]
        self._is_compared = report.run.scope.is_compared
        self._state = report.alerts.readers.get(reader)
        self._anew = _part_of_known(report.alerts, reader, audience)
        self._is_new = report.alerts.is_new(audience)
        self._alike_verdicts = of_one_cause(is_role_lost=lost_of(report) > 0)
        self._severities = set[Severity]()
        self._counts: dict[Part, Counter[Verdict]] = {part: Counter() for part in Part}
        self._named: dict[Part, list[Listed]] = {part: [] for part in Part}
        self._held: dict[tuple[Verdict, Cause | None], _Held] = {}
        self._places = Counter[Place]()
        self._ended = Counter[Ended]()
        self._ended_in_fleet = Counter[Ended]()
        self._ends: list[Resolved] = []
        self._reopened = self._unsaid = 0
        self._unknown_ends: dict[tuple[Ended, str | None], _HeldEnds] = {}
        self._muted = self._being_deleted = self._not_reached = 0
        self._not_asked = self._without_result = 0
        self._numbers = itertools.count()

    def add(self, entry: Finding | Resolved) -> None:
        """Take in a finding, or the end of a problem."""
        if isinstance(entry, Resolved):
            self._add_end(entry)
            return
        if not entry.is_reached:
            self._not_asked += 1
        elif entry.verdict is Verdict.UNKNOWN:
            self._without_result += 1
        if entry.mute is not None:
            self._muted += 1
        elif entry.is_notified:
            self._add_problem(Listed(self._part_of(entry), entry))
        elif entry.is_problem:
            self._being_deleted += 1
        elif entry.verdict.is_problem:
            self._not_reached += 1

    def content(
        self,
        stored: StoredReport,
        reader: str,
        recovered: Failing | None,
        late: Late,
    ) -> DigestContent:
        """What the digest says, once all is taken in."""
        large, section = _of_mutes(stored) if reader == PLATFORM else ((), ())
        alike = [
            one
            for key, held in self._held.items()
            if held.count >= GROUP_FROM
            for one in held.alike(*key)
        ]
        few = [one for held in self._held.values() if held.count < GROUP_FROM for one in held.first]
        for _, one in sorted(few, key=lambda numbered: numbered[0]):
            self._list(one)
        return DigestContent(
            report=stored.head,
            address=stored.for_people,
            reader=reader,
            reasons=self._reasons(stored.head, reader, recovered),
            counts={part: dict(counts) for part, counts in self._counts.items() if counts},
            reopened=self._reopened,
            severities=frozenset(self._severities),
            named=[one for part in Part for one in self._named[part]][:NAMED_MAX],
            alike=sorted(alike, key=lambda one: (list(Part).index(one.part), -one.count)),
            places=dict(self._places),
            ended={ended: self._ended[ended] for ended in Ended if self._ended[ended]},
            ended_in_fleet=dict(self._ended_in_fleet),
            ends=self._first_ends(),
            ends_alike=[
                EndsAlike(*kind, held.count, tuple(held.first))
                for kind, held in self._unknown_ends.items()
                if held.count >= GROUP_FROM
            ],
            unsaid=self._unsaid,
            muted=self._muted,
            being_deleted=self._being_deleted,
            not_reached=self._not_reached,
            not_asked=self._not_asked,
            without_result=self._without_result,
            late=late,
            unheard=self._unheard,
            recovered=recovered,
            large_mutes=large,
            mutes=section,
        )

    def _is_news(self, instant: datetime | None) -> bool:
        return instant is not None and instant >= self._news_from

    def _part_of(self, finding: Finding) -> Part:
        if not self._is_compared:
            return Part.OPEN
        if self._is_news(finding.notified_at):
            return Part.NEW
        if self._anew is not None:
            return self._anew
        alert, state = finding.alert, self._state
        if alert is None:
            return Part.OPEN
        is_back = self._is_news(alert.named_again_at)
        if is_back and state is not None and state.was_clear_since(finding.notified_at):
            return Part.AGAIN
        return Part.WORSE if self._is_news(alert.worsened_at) else Part.OPEN

    def _add_problem(self, one: Listed) -> None:
        finding = one.finding
        self._counts[one.part][finding.verdict] += 1
        self._reopened += one.part is Part.NEW and finding.change is Change.REOPENED
        self._severities.add(finding.severity)
        if finding.verdict not in self._alike_verdicts or _was_worse(finding):
            self._list(one)
            return
        key: tuple[Verdict, Cause | None] = finding.verdict, cause_of(finding)
        if key not in self._held and len(self._held) >= _CAUSES_MAX:
            key = finding.verdict, None
        held = self._held.setdefault(key, _Held(0, Counter(), []))
        held.add(next(self._numbers), one)

    def _list(self, one: Listed) -> None:
        """Count a problem at its place, and keep it if there is room for it."""
        place = _place_of(one.finding)
        if place not in self._places and len(self._places) >= _PLACES_MAX:
            place = ELSEWHERE
        self._places[place] += 1
        self._named[one.part].append(one)
        if sum(map(len, self._named.values())) > NAMED_MAX:
            last = next(part for part in reversed(Part) if self._named[part])
            self._named[last].pop()

    def _add_end(self, one: Resolved) -> None:
        if not self._is_news(one.end_notified_at):
            return
        if one.notified_at is None:
            self._unsaid += 1
            return
        self._ended[one.ended] += 1
        if (one.resolved_at, one.guid) in self._named_as_left:
            self._ended_in_fleet[one.ended] += 1
        elif held := self._held_ends(one):
            held.add(one)
        elif len(self._ends) < NAMED_MAX:
            self._ends.append(one)

    def _held_ends(self, one: Resolved) -> "_HeldEnds | None":
        """Where to take in the end of an unknown problem: None if there are too many kinds."""
        if one.verdict is not Verdict.UNKNOWN:
            return None
        kind = (one.ended, one.offering)
        if kind not in self._unknown_ends and len(self._unknown_ends) >= _ENDS_MAX:
            return None
        return self._unknown_ends.setdefault(kind, _HeldEnds(0, []))

    def _first_ends(self) -> list[Resolved]:
        """The ends to name: those that were known, then the unknown ones that are few."""
        few = [held.first for held in self._unknown_ends.values() if held.count < GROUP_FROM]
        return [*self._ends, *(one for first in few for one in first)][:NAMED_MAX]

    def _reasons(
        self, report: Report, reader: str, recovered: Failing | None
    ) -> tuple[Reason, ...]:
        """What the run decided, and what this audience has not heard of runs before."""
        state = report.alerts.readers.get(reader)
        decided = state.why if state is not None and self._is_news(state.digest_at) else ()
        is_platform = reader == PLATFORM
        news = {
            Reason.OPENED: self._counts[Part.NEW].total() + self._counts[Part.AGAIN].total(),
            Reason.WORSENED: self._counts[Part.WORSE].total(),
            Reason.ENDED: self._ended.total(),
            Reason.INCOMPLETE: is_platform and self._is_incomplete_news(report),
            Reason.RECOVERED: is_platform and recovered is not None,
        }
        found = {
            *decided,
            *self._unheard.reasons,
            *(reason for reason, there_is in news.items() if there_is),
        }
        if not report.complete:
            found.discard(Reason.COMPLETE)
        if len(found) > 1:
            found.discard(Reason.REMINDER)
        return tuple(reason for reason in Reason if reason in found)

    def _is_incomplete_news(self, report: Report) -> bool:
        is_first = self._is_new and not report.complete
        return is_first or self._is_news(report.alerts.incomplete_since)
