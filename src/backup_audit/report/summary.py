"""Sums findings up for the report, one after the other.

A fleet's findings need not fit into memory: a temporary file holds the lines of those that the
report names; memory has only their sort keys and positions.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice

import msgspec

from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Change, Finding, NotifiedFinding, in_short
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved, resolved_by
from backup_audit.report.rendering import json_line
from backup_audit.report.report import News
from backup_audit.text import instances, one_line

_REASONS_MAX = 3  # that a text can name
_REASON_MAX = 300  # characters


class Summary:
    """Sums findings up; close it, for it holds a temporary file.

    `oldest` is the age in seconds of the oldest of the newest backups, None if there is none.
    `remembered` are the problems, by GUID, that ended before and may be reopened.
    """

    def __init__(self, remembered: Mapping[str, Resolved] | None = None) -> None:
        self._remembered = dict(remembered or {})
        self._counted: Counter[Verdict] = Counter()
        self._news: Counter[str] = Counter()
        self._unhealthy: list[tuple[int, int, str, int]] = []  # rank, -age, GUID, position
        self._ended: list[int] = []  # positions
        self._why_not_reached: Counter[str] = Counter()
        self.oldest: int | None = None
        self._lines = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close

    def close(self) -> None:
        self._lines.close()

    def add(self, finding: Finding, line: bytes | None = None) -> None:
        """Sum a finding up; `line` is its line if there is one already."""
        evidence, verdict = finding.evidence, finding.verdict
        self._counted[verdict] += 1
        self._count_news(finding)
        if _replaces_memory(finding):
            self._remembered.pop(finding.guid, None)
        if evidence.silence is Cause.NOT_REACHED:
            self._why_not_reached[one_line(evidence.detail or "", _REASON_MAX)] += 1
        age = evidence.newest_backup_age_seconds
        if age is not None and (self.oldest is None or age > self.oldest):
            self.oldest = age
        if verdict is not Verdict.HEALTHY:
            key = (verdict.rank, -(age or 0), finding.guid)
            self._unhealthy.append((*key, self._store(line or json_line(finding))))
        elif ended := resolved_by(finding):
            self._ended.append(self._store(msgspec.json.encode(ended) + b"\n"))

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
        """The lines of findings not healthy: by verdict, the longest without a backup first."""
        self._unhealthy.sort()
        return (self._line(position) for *_, position in self._unhealthy)

    def worst(self, count: int) -> list[NotifiedFinding]:
        """The worst problems, muted or not."""
        lines = islice(self.unhealthy(), count)
        findings = [msgspec.json.decode(line, type=Finding) for line in lines]
        return [in_short(finding) for finding in findings if finding.verdict.is_problem]

    def resolved(self, due_at: datetime) -> Iterator[Resolved]:
        """The problems that these findings ended, then those before that may be reopened."""
        for position in self._ended:
            yield msgspec.json.decode(self._line(position), type=Resolved)
        yield from (one for one in self._remembered.values() if one.may_be_reopened(due_at))

    def _count_news(self, finding: Finding) -> None:
        if finding.mute is not None:
            self._news["muted"] += finding.verdict is not Verdict.HEALTHY
        elif finding.change is Change.RESOLVED:
            self._news["resolved"] += 1
        elif finding.verdict.is_problem and finding.is_being_deleted:
            self._news["being_deleted"] += 1
        elif finding.verdict.is_problem:
            self._news["problems"] += 1
            self._news["new"] += finding.change in (Change.NEW, Change.REOPENED)
            still = finding.verdict is Verdict.UNKNOWN and finding.change is Change.ONGOING
            self._news["still_unknown"] += still

    def _store(self, line: bytes) -> int:
        position = self._lines.tell()
        self._lines.write(line)
        return position

    def _line(self, position: int) -> bytes:
        self._lines.seek(position)
        return self._lines.readline()


def _replaces_memory(finding: Finding) -> bool:
    """Whether a finding is a problem, or ended one; `unknown` is neither."""
    ended = finding.earlier_problem if finding.change is Change.RESOLVED else None
    verdict = ended.verdict if ended else finding.verdict
    return verdict.is_problem and verdict is not Verdict.UNKNOWN
