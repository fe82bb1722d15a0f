"""A report at a glance: what `show` says of it, found in one pass over the stored report."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from backup_audit.fleet.mutes import MuteRecord, MuteState
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.page.answer import figures_of, heading
from backup_audit.page.causes import Cause
from backup_audit.report.changes import Resolved
from backup_audit.report.figures import BreakdownRow, By, LateInstance
from backup_audit.report.history import HistoryPoint
from backup_audit.report.rendering import ReportReader
from backup_audit.report.report import Report
from backup_audit.text import at, instances

NAMED_MAX = 5  # of those that are late, and of those that ended


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose instances a person asks for; null: of all. An empty owner or org: of nobody known."""

    owner: str | None = None
    org: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.owner is None and self.org is None

    @property
    def said(self) -> str:
        """What they have in common, such as "owner team-a, org shop"."""
        asked = {"owner": self.owner, "org": self.org}
        return ", ".join(
            f"{key} {value}" if value else f"no {key}"
            for key, value in asked.items()
            if value is not None
        )

    def has(self, one: Finding | Resolved | LateInstance) -> bool:
        """Whether an instance is one of them."""
        is_owned = self.owner is None or (one.owner or "") == self.owner
        return is_owned and (self.org is None or (one.org or "") == self.org)


class RunsFail(msgspec.Struct, frozen=True, kw_only=True):
    """That full runs fail, as failing.json says. Times are UTC.

    `runs` counts those that failed since `since`; `cause` is what the last said, at
    `last_failed_at`.
    """

    since: datetime
    runs: int
    cause: str
    last_failed_at: datetime

    @property
    def said(self) -> str:
        """It in a sentence; the cause may be foreign text."""
        counted = f"{self.runs:,} so far, the last at {at(self.last_failed_at)}"
        return f"Full runs have failed since {at(self.since)}, {counted}: {self.cause}"


class GlanceHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of the whole fleet, whoever is asked for.

    `where` is the address of report.json, `answer` the heading of its page. `notes` say what is
    wrong with latest.json and failing.json. `failing` is null unless full runs have failed since
    this one, the newest; of a run that was asked for by its id it is not known.
    """

    schema_version: Literal[1] = 1
    where: str
    answer: str
    notes: tuple[str, ...]
    failing: RunsFail | None
    asked: Wanted
    report: Report
    history: list[HistoryPoint]


class GlanceTail(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of those who were asked for, which are known once all findings have passed.

    `answer` is for those who were asked for. `problems` counts open problems, as it does; of them
    `left_out` are not named in `findings`. `muted`, `being_deleted`, `in_grace` and `not_reached`
    count other findings, `others` the open problems of those who were not asked for. `unknown`
    counts all that are unknown, whatever else they are, and `unreached` those of them that the run
    did not get to. `late_count` of those who were asked for, unless all were, counts the late ones
    that the report names: 1,000 of the whole fleet at most. `resolved` are the problems that ended
    in this run.
    """

    answer: str
    problems: int
    unknown: int
    unreached: int
    left_out: int
    muted: int
    being_deleted: int
    in_grace: int
    not_reached: int
    others: int
    late: list[LateInstance]
    late_count: int
    resolved: list[Resolved]
    resolved_count: int


class ShownReport(GlanceHead, frozen=True, kw_only=True):
    """What `backup-audit show --json` prints of one report.

    `findings` are open problems, worst first. Times are UTC.
    """

    findings: list[Finding]
    found: GlanceTail


class Mutes(msgspec.Struct, frozen=True):
    """How many mutes are in force, are over, or are for no audited instance."""

    in_force: int
    over: int
    unmatched: int


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """A report at a glance.

    `findings` are the worst open problems of those who were asked for. `instances` counts those who
    were asked for, healthy ones included, None if the report does not say. `is_nobody`: it does
    not know of any of them. `has_problem`: whether one of them has a problem, muted or not.
    """

    head: GlanceHead
    tail: GlanceTail
    findings: tuple[Finding, ...]
    mutes: Mutes
    instances: int | None
    is_nobody: bool
    has_problem: bool


class Glancing:
    """Takes a report in, in one pass; `most` findings are kept.

    `causes` say why nothing is known, where that is so.
    """

    def __init__(self, asked: Wanted, most: int, causes: Sequence[Cause] = ()) -> None:
        self._asked = asked
        self._causes = causes
        self._most = most
        self._findings: list[Finding] = []
        self._open = self._all_open = self._muted = self._in_grace = self._not_reached = 0
        self._being_deleted = self._unknown = self._unreached = self._open_known = 0
        self._is_somebody = self._has_problem = False
        self._hides = False  # a known problem that is not open

    def glance(
        self, reader: ReportReader, where: str, notes: Sequence[str], failing: RunsFail | None
    ) -> Glance:
        """Read it all; raise MsgspecError or UnicodeDecodeError if it is damaged."""
        head = GlanceHead(
            where=where,
            answer=heading(reader.head, figures_of(reader.head), self._causes),
            notes=tuple(notes),
            failing=failing,
            asked=self._asked,
            report=reader.head,
            history=list(reader.history()),
        )
        known = _Known(reader.breakdown(), self._asked)
        late = [one for one in reader.late() if self._asked.has(one)]
        mutes = _counted(reader.mutes())
        for finding in reader.findings():
            self._add(finding)
        count, ended = _ended(reader.resolved(), reader.head.run.due_at, self._asked.has)
        return Glance(
            head=head,
            tail=self._tail(head, known.instances, late, ended, count),
            findings=tuple(self._findings),
            mutes=mutes,
            instances=known.instances,
            is_nobody=known.has_unknown and not self._is_somebody,
            has_problem=self._has_problem,
        )

    def _add(self, finding: Finding) -> None:
        is_open = is_shown(finding)
        self._all_open += is_open
        if not self._asked.has(finding):
            return
        self._is_somebody = True
        self._has_problem |= finding.verdict.is_problem
        is_unknown = finding.verdict is Verdict.UNKNOWN
        self._unknown += is_unknown
        self._unreached += not finding.is_reached
        self._hides |= finding.verdict.is_problem and not is_unknown and not is_open
        if is_open:
            self._open += 1
            self._open_known += not is_unknown
            if len(self._findings) < self._most:
                self._findings.append(finding)
        elif finding.mute is not None:
            self._muted += 1
        elif finding.is_problem:
            self._being_deleted += 1
        elif finding.verdict.is_problem:
            self._not_reached += 1
        else:
            self._in_grace += 1

    def _tail(
        self,
        head: GlanceHead,
        everybody: int | None,
        late: list[LateInstance],
        ended: list[Resolved],
        count: int,
    ) -> GlanceTail:
        return GlanceTail(
            answer=head.answer if self._asked.is_all else self._answer(everybody),
            problems=self._open,
            unknown=self._unknown,
            unreached=self._unreached,
            left_out=self._open - len(self._findings),
            muted=self._muted,
            being_deleted=self._being_deleted,
            in_grace=self._in_grace,
            not_reached=self._not_reached,
            others=self._all_open - self._open,
            late=late[:NAMED_MAX],
            late_count=head.report.late_count if self._asked.is_all else len(late),
            resolved=ended,
            resolved_count=count,
        )

    def _answer(self, everybody: int | None) -> str:
        """The answer for some: what is not known of them comes first, never an all-clear."""
        whose = f"with {self._asked.said}"
        all_of_them = f"{instances(everybody)} {whose}" if everybody is not None else None
        if self._unknown and self._unknown == everybody:
            return f"Nothing is known of {all_of_them}: {self._why_nothing()}"
        if self._unknown:
            return f"{self._not_known(all_of_them, whose)}; {self._of_others(everybody)}"
        if self._open:
            of = f"{self._open:,} of {all_of_them}" if all_of_them else None
            counted = of or f"{instances(self._open)} {whose}"
            return f"{counted} {_have(self._open)} a backup problem"
        found = "No open problem" if self._hides else "No problem found"
        return f"{found} {f'among {all_of_them}' if all_of_them else whose}"

    def _why_nothing(self) -> str:
        if self._unreached < self._unknown:
            return "no usable answer"
        return "it was not reached" if self._unknown == 1 else "none was reached"

    def _not_known(self, all_of_them: str | None, whose: str) -> str:
        counts = {
            "not reached": (self._unreached, "was", "were"),
            "unknown": (self._unknown - self._unreached, "is", "are"),
        }
        said = [
            (count, f"{one if count == 1 else more} {what}")
            for what, (count, one, more) in counts.items()
            if count
        ]
        first, how = said[0]
        who = f"{first:,} of {all_of_them}" if all_of_them else f"{instances(first)} {whose}"
        return ", ".join([f"{who} {how}", *(f"{count:,} {what}" for count, what in said[1:])])

    def _of_others(self, everybody: int | None) -> str:
        if self._open_known:
            others = "1 other" if self._open_known == 1 else f"{self._open_known:,} others"
            return f"{others} {_have(self._open_known)} a backup problem"
        found = "no open problem" if self._hides else "no problem found"
        return f"{found} besides" if everybody is None else f"{found} among the others"


def is_shown(finding: Finding) -> bool:
    """Whether it is an open problem, as messages count them."""
    return finding.is_notified


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def shown_findings(reader: ReportReader, asked: Wanted) -> Iterator[Finding]:
    """All open problems of those who are asked for, worst first."""
    return (one for one in reader.findings() if is_shown(one) and asked.has(one))


class _Known:
    """How many instances each name that is asked for has, as far as a breakdown has room."""

    def __init__(self, rows: Iterator[BreakdownRow], asked: Wanted) -> None:
        self._wanted = {
            by: name
            for by, name in {By.OWNER: asked.owner, By.SPACE: asked.org}.items()
            if name is not None
        }
        self._counted = dict.fromkeys(self._wanted, 0)
        self._summed_up = set[By]()  # the breakdowns that have no room for all names
        for row in rows:
            if row.by in self._wanted:
                self._add(row)

    @property
    def instances(self) -> int | None:
        """How many instances have the name; None if several are asked for, or it is not said."""
        if len(self._wanted) != 1:
            return None
        [(by, count)] = self._counted.items()
        is_one_row = count and by is By.OWNER
        return count if is_one_row or by not in self._summed_up else None

    @property
    def has_unknown(self) -> bool:
        """Whether no instance is known to have one of the names."""
        return not all(self._counted.values())

    def _add(self, row: BreakdownRow) -> None:
        if row.others:
            self._summed_up.add(row.by)
        elif (row.owner if row.by is By.OWNER else row.org) == (self._wanted[row.by] or None):
            self._counted[row.by] += row.instances


def _counted(mutes: Iterator[MuteRecord]) -> Mutes:
    states = [mute.state for mute in mutes]
    return Mutes(
        in_force=sum(state in (MuteState.ACTIVE, MuteState.ENDING) for state in states),
        over=states.count(MuteState.EXPIRED),
        unmatched=states.count(MuteState.UNMATCHED),
    )


def _ended(
    resolved: Iterator[Resolved], due_at: datetime, is_wanted: Callable[[Resolved], bool]
) -> tuple[int, list[Resolved]]:
    """How many ended in the run due then, and the first of them."""
    ended = (one for one in resolved if one.resolved_at == due_at and is_wanted(one))
    named = list(islice(ended, NAMED_MAX))
    return len(named) + sum(1 for _ in ended), named
