"""Lists that are bounded, with exact counts: a quarter of hourly runs has to fit into memory."""

import heapq
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from backup_audit_cli.period import PeriodProblem, RunRef

NAMED_MAX = 5_000  # entries of a list

T = TypeVar("T")
S = TypeVar("S")


class Bounded(Generic[T]):
    """A list of the first 5,000 entries, and a count of all."""

    def __init__(self) -> None:
        self.named: list[T] = []
        self.count = 0

    def add(self, one: T) -> None:
        self.count += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(one)

    @property
    def left_out(self) -> int:
        return self.count - len(self.named)


class Longest:
    """The 5,000 problems that lasted longest, and counts of all; `since` is the period's start."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._heap: list[tuple[int, str, datetime, PeriodProblem]] = []
        self.count = 0
        self.opened = 0

    def add(self, one: PeriodProblem) -> None:
        self.count += 1
        self.opened += one.opened_at >= self._since
        self._push((one.seconds, one.guid, one.opened_at, one))

    def take(self, other: "Longest") -> None:
        """Add all of another, which is not used any more."""
        self.count += other.count
        self.opened += other.opened
        for entry in other._heap:  # noqa: SLF001  # one of our own
            self._push(entry)

    @property
    def named(self) -> tuple[PeriodProblem, ...]:
        """The longest first."""
        return tuple(entry[-1] for entry in sorted(self._heap, key=lambda e: e[:3], reverse=True))

    def _push(self, entry: tuple[int, str, datetime, PeriodProblem]) -> None:
        if len(self._heap) < NAMED_MAX:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)


class _Span(Generic[S]):
    """What several runs had, as the last of them had it."""

    value: S
    last: RunRef

    def __init__(self, first: RunRef) -> None:
        self.first = first
        self.most = 0
        self.runs = 0


class Spans(Generic[S]):
    """Which runs had what, in the order in which it came up; the first 5,000 are held apart."""

    def __init__(self) -> None:
        self._held: dict[object, _Span[S]] = {}
        self.left_out = 0  # times that a run had something beyond those

    def add(self, key: object, value: S, run: RunRef, instances: int = 0) -> None:
        """Note that a run had this; runs come in the order in which they were due."""
        span = self._held.get(key)
        if span is None:
            if len(self._held) == NAMED_MAX:
                self.left_out += 1
                return
            span = self._held[key] = _Span(run)
        span.value, span.last = value, run
        span.runs += 1
        span.most = max(span.most, instances)

    def all(self, made: Callable[[S, int, int, RunRef, RunRef], T]) -> tuple[T, ...]:
        """Each as a value of another kind: from it, the most instances, runs, first and last."""
        return tuple(
            made(one.value, one.most, one.runs, one.first, one.last) for one in self._held.values()
        )
