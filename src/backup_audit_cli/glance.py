"""A report at a glance: what `show` says of it, found in one pass over the stored report."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

import msgspec

from backup_audit.fleet.mutes import MuteRecord, MuteState
from backup_audit.judge.finding import Finding
from backup_audit.page.answer import figures_of, heading
from backup_audit.page.causes import Cause
from backup_audit.report.changes import Resolved
from backup_audit.report.figures import BreakdownRow, By, LateInstance
from backup_audit.report.history import HistoryPoint
from backup_audit.report.rendering import ReportReader
from backup_audit.report.report import Report
from backup_audit.text import instances

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


class GlanceHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of the whole fleet, whoever is asked for.

    `where` is the address of report.json, `answer` the heading of its page. `note` says what is
    wrong with latest.json, null: nothing.
    """

    schema_version: Literal[1] = 1
    where: str
    answer: str
    note: str | None
    asked: Wanted
    report: Report
    history: list[HistoryPoint]


class GlanceTail(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of those who were asked for, which are known once all findings have passed.

    `problems` counts open problems, as `answer` does; of them `left_out` are not named in
    `findings`. `muted`, `in_grace` and `not_reached` count other findings, `others` the open
    problems of those who were not asked for. `resolved` are the problems that ended in this run.
    """

    problems: int
    left_out: int
    muted: int
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

    @property
    def answer(self) -> str:
        """The answer for those who were asked for."""
        if self.head.asked.is_all:
            return self.head.answer
        of = self.head.asked.said
        found = self.tail.problems
        all_of_them = f" of {instances(self.instances)}" if self.instances is not None else ""
        if found:
            counted = f"{found:,}{all_of_them}" if all_of_them else instances(found)
            return f"{counted} with {of} {'has' if found == 1 else 'have'} a backup problem"
        return f"No problem found{' among' + all_of_them[3:] if all_of_them else ''} with {of}"


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
        self._is_somebody = self._has_problem = False

    def glance(self, reader: ReportReader, where: str, note: str | None) -> Glance:
        """Read it all; raise MsgspecError or UnicodeDecodeError if it is damaged."""
        head = GlanceHead(
            where=where,
            answer=heading(reader.head, figures_of(reader.head), self._causes),
            note=note,
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
            tail=self._tail(reader.head, late, ended, count),
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
        if is_open:
            self._open += 1
            if len(self._findings) < self._most:
                self._findings.append(finding)
        elif finding.mute is not None:
            self._muted += 1
        elif finding.verdict.is_problem:
            self._not_reached += 1
        else:
            self._in_grace += 1

    def _tail(
        self, head: Report, late: list[LateInstance], ended: list[Resolved], count: int
    ) -> GlanceTail:
        return GlanceTail(
            problems=self._open,
            left_out=self._open - len(self._findings),
            muted=self._muted,
            in_grace=self._in_grace,
            not_reached=self._not_reached,
            others=self._all_open - self._open,
            late=late[:NAMED_MAX],
            late_count=head.late_count if self._asked.is_all else len(late),
            resolved=ended,
            resolved_count=count,
        )


def is_shown(finding: Finding) -> bool:
    """Whether it is an open problem, as messages count them."""
    return finding.is_problem and finding.mute is None


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
        self._is_whole = dict.fromkeys(self._wanted, True)
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
        return count if is_one_row or self._is_whole[by] else None

    @property
    def has_unknown(self) -> bool:
        """Whether no instance is known to have one of the names."""
        return not all(self._counted.values())

    def _add(self, row: BreakdownRow) -> None:
        if row.others:
            self._is_whole[row.by] = False
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
