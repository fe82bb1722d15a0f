"""How far the messages of a report are out: pure. A retry sends only those that are not."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from backup_audit.notify.message import Message
from backup_audit.report.marks import Mark

# Positions that a mark names. If more were refused, a retry sends again what came after them.
REFUSED_MAX = 1_000


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a batch.

    `first` is the place of its first message among those that were sent, `size` how many it has;
    `refused` has the reason for each that was not taken, by its place in the batch.
    """

    first: int
    size: int
    refused: Mapping[int, str] = {}


class Progress:
    """Counts what is out of an audience's messages; `before` is what earlier deliveries sent."""

    def __init__(self, before: Mark) -> None:
        self._before = before
        self._again = before.refused
        self._next = before.next
        self._refused = set(before.refused)
        self._settled: dict[int, bool] = {}  # positions from next on: whether it was refused
        self._total: int | None = None

    def left(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Of all messages those that are not out yet."""
        total, again = 0, frozenset(self._again)
        for position, message in enumerate(messages):
            total = position + 1
            if position >= self._before.next or position in again:
                yield message
        self._total = total

    def took(self, result: BatchResult) -> None:
        """Take in what came of a batch of those that were left."""
        for place in range(result.size):
            position, is_refused = self._position(result.first + place), place in result.refused
            if position >= self._before.next:
                self._settled[position] = is_refused
            elif not is_refused:
                self._refused.discard(position)
        self._advance()

    @property
    def mark(self) -> Mark:
        """What is out now."""
        is_all = self._total is not None and self._next >= self._total
        return Mark(
            next=self._next,
            refused=tuple(sorted(self._refused)),
            done=is_all and not self._refused,
        )

    def _advance(self) -> None:
        while (is_refused := self._settled.get(self._next)) is not None:
            if is_refused and len(self._refused) >= REFUSED_MAX:
                return
            if is_refused:
                self._refused.add(self._next)
            del self._settled[self._next]
            self._next += 1

    def _position(self, place: int) -> int:
        """The position among all messages of one that was sent: first those refused before."""
        if place < len(self._again):
            return self._again[place]
        return self._before.next + place - len(self._again)
