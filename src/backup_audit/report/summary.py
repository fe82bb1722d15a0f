"""Sums findings up for the report, one after the other.

A fleet's findings need not fit into memory: a temporary file holds the lines of those that the
report names; memory has only their sort keys and positions.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice

import msgspec

from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Change, Finding, NotifiedFinding, in_short
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import PLATFORM, Found, ReaderState
from backup_audit.report.changes import Resolved, resolved_by
from backup_audit.report.figures import Figures
from backup_audit.report.groups import Grouping
from backup_audit.report.rendering import json_line
from backup_audit.report.report import News
from backup_audit.text import instances, one_line

_REASONS_MAX = 3  # that a text can name
_REASON_MAX = 300  # characters


class Summary:
    """Sums findings up; close it, for it holds a temporary file.

    `oldest` is the age in seconds of the oldest of the newest backups, None if there is none.
    `figures` are those that charts show. `found` says what there is for each reader; owners are
    readers only if `per_owner`; `known` is what readers were notified of before.
    `ended_guids` are those of known problems that ended. `due_at` is that of the run, `notifies`
    whether it notifies anybody. `grouping` takes in what programs are notified of.
    """

    def __init__(
        self,
        grouping: Grouping | None = None,
        *,
        notifies: bool,
        per_owner: bool,
        due_at: datetime | None = None,
        known: Mapping[str, ReaderState] | None = None,
    ) -> None:
        self._grouping = grouping
        self._due_at = due_at
        self._notifies = notifies
        self._per_owner = per_owner
        self._known = known or {}
        self._counted: Counter[Verdict] = Counter()
        self._news: Counter[str] = Counter()
        self._unhealthy: list[tuple[int, int, str, int]] = []  # place, position
        self._ended: list[int] = []  # positions
        self._why_not_reached: Counter[str] = Counter()
        self.oldest: int | None = None
        self.figures = Figures()
        self.ended_guids: set[str] = set()
        self.found: defaultdict[str, Found] = defaultdict(Found)
        self._lines = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close

    def close(self) -> None:
        self._lines.close()

    def add(self, finding: Finding, line: bytes | None = None) -> None:
        """Sum a finding up; `line` is its line if there is one already."""
        evidence, verdict = finding.evidence, finding.verdict
        self._counted[verdict] += 1
        self.figures.add(finding)
        if evidence.silence is Cause.NOT_REACHED:
            self._why_not_reached[one_line(evidence.detail or "", _REASON_MAX)] += 1
        age = evidence.newest_backup_age_seconds
        if age is not None and (self.oldest is None or age > self.oldest):
            self.oldest = age
        if ended := resolved_by(finding, notifies=self._notifies):
            self.add_end(ended)
        if verdict is not Verdict.HEALTHY:
            self._count_open(finding)
            self._unhealthy.append((*_place_of(finding), self._store(line or json_line(finding))))

    def add_end(self, ended: Resolved) -> None:
        """Sum up the end of a problem, of this run or of one before."""
        self._ended.append(self._store(msgspec.json.encode(ended) + b"\n"))
        if ended.resolved_at == self._due_at:
            self._news["resolved"] += not ended.muted
            if ended.verdict is not Verdict.UNKNOWN:
                self.ended_guids.add(ended.guid)
        if self._grouping:
            self._grouping.add_end(ended)
        if ended.end_notified_at is None or ended.end_notified_at != self._due_at:
            return
        for reader in self._readers_of(ended.owner):
            self.found[reader].ended += 1

    @property
    def counts(self) -> dict[str, int]:
        """Instances per verdict, with zeros, worst first."""
        return {verdict.value: self._counted[verdict] for verdict in Verdict}

    @property
    def why_incomplete(self) -> str | None:
        """Why instances were not reached, None if all were.

        Each reason once, the most frequent first; with counts if there are several.
        """
        reasons = self._why_not_reached.most_common()
        if len(reasons) < 2:
            return reasons[0][0] if reasons else None
        said = [f"{why} ({instances(count)})" for why, count in reasons[:_REASONS_MAX]]
        left = len(reasons) - len(said)
        return "; ".join(said) + (f"; and {left} more" if left else "")

    @property
    def unhealthy_count(self) -> int:
        return len(self._unhealthy)

    @property
    def news(self) -> News:
        return News(**{name: self._news[name] for name in News.__struct_fields__})

    def unhealthy(self) -> Iterator[bytes]:
        """The lines of findings not healthy: by verdict, the longest without a backup first.

        Of those that are unknown, a known problem that nobody can see now comes first.
        """
        self._unhealthy.sort()
        return (self._line(position) for *_, position in self._unhealthy)

    def worst(self, count: int) -> list[NotifiedFinding]:
        """The worst problems, muted or not."""
        lines = islice(self.unhealthy(), count)
        findings = [msgspec.json.decode(line, type=Finding) for line in lines]
        return [in_short(finding) for finding in findings if finding.verdict.is_problem]

    def ended(self) -> Iterator[Resolved]:
        """The ends that were added."""
        for position in self._ended:
            yield msgspec.json.decode(self._line(position), type=Resolved)

    def _count_open(self, finding: Finding) -> None:
        """Count a finding that is not healthy."""
        if self._grouping and finding.problem_id is not None and finding.is_problem:
            self._grouping.add(finding)
        if finding.mute is not None:
            self._news["muted"] += 1
            return
        if not finding.verdict.is_problem:
            return
        if not finding.is_problem:
            self._news["not_reached"] += 1
            return
        readers = self._readers_of(finding.owner)
        for reader in readers:
            self.found[reader].open += 1
        if finding.is_being_deleted:
            self._news["being_deleted"] += 1
            return
        is_new = finding.notified_at == finding.due_at
        is_worse = finding.alert is not None and finding.alert.worsened_at == finding.due_at
        for reader in readers:
            found = self.found[reader]
            found.named += 1
            found.opened += is_new
            found.again += not is_new and self._is_named_again(finding, reader)
            found.worsened += is_worse
        self._news["problems"] += 1
        self._news["new"] += finding.change in (Change.NEW, Change.REOPENED)
        self._news["worse"] += is_worse
        still = finding.verdict is Verdict.UNKNOWN and finding.change is Change.ONGOING
        self._news["still_unknown"] += still

    def _is_named_again(self, finding: Finding, reader: str) -> bool:
        """Whether it was left out while this reader was notified that all is clear."""
        alert, state = finding.alert, self._known.get(reader)
        is_back = alert is not None and alert.named_again_at == finding.due_at
        return is_back and state is not None and state.was_clear_since(finding.notified_at)

    def _readers_of(self, owner: str | None) -> tuple[str, ...]:
        return (PLATFORM, owner) if self._per_owner and owner else (PLATFORM,)

    def _store(self, line: bytes) -> int:
        position = self._lines.tell()
        self._lines.write(line)
        return position

    def _line(self, position: int) -> bytes:
        self._lines.seek(position)
        return self._lines.readline()


def _place_of(finding: Finding) -> tuple[int, int, str]:
    """What the order of a report goes by: how bad it is, for how long, and the GUID."""
    verdicts, hidden = len(Verdict), finding.hidden
    if hidden is not None:
        rank = finding.verdict.rank * verdicts + hidden.verdict.rank
        return rank, -int((finding.due_at - hidden.since).total_seconds()), finding.guid
    age = finding.evidence.newest_backup_age_seconds or 0
    return (finding.verdict.rank + 1) * verdicts - 1, -age, finding.guid
