"""Why nothing is known: the causes of unknown verdicts, for a run in which all are unknown."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from backup_audit.judge.evidence import Cause as NoAnswer
from backup_audit.judge.finding import Finding
from backup_audit.page.words import foreign
from backup_audit.text import instances

_CAUSES_MAX = 3  # that are named; the others are counted
_KINDS_MAX = 1_000  # that are counted apart: titles are of others, and there may be any number


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What unknown instances have in common; `reason` is that of the first of them."""

    http_status: int | None
    title: str | None
    reason: str
    count: int

    @property
    def is_not_reached(self) -> bool:
        """Whether the run did not get to these."""
        return self.http_status is None and self.title == NoAnswer.NOT_REACHED

    @property
    def said(self) -> str:
        return f"{instances(self.count)}: {foreign(self.reason)}"


def causes_of(findings: Iterable[Finding]) -> list[Cause]:
    """The most frequent causes, three at the most, with how many instances each has."""
    counts: Counter[tuple[int | None, str | None]] = Counter()
    reasons: dict[tuple[int | None, str | None], str] = {}
    for one in findings:
        kind = (one.http_status, one.cause)
        if kind not in reasons and len(reasons) >= _KINDS_MAX:
            continue
        counts[kind] += 1
        reasons.setdefault(kind, one.reason)
    return [
        Cause(http_status=status, title=title, reason=reasons[status, title], count=count)
        for (status, title), count in counts.most_common(_CAUSES_MAX)
    ]
