"""The mark of an audience beside a report: how many of its messages are out.

The messages of a report follow from it, in an order of their own, so a position names one.
"""

import msgspec

from backup_audit.report.store import ObjectStore, rewrite
from backup_audit.strict import UNDECODABLE


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """notified-people.json and the like.

    The first `next` messages are out, but for those at the positions `refused`, counted from 0.
    `done`: there are no others.
    """

    next: int = 0
    refused: tuple[int, ...] = ()
    done: bool = False

    def joined(self, other: "Mark") -> "Mark":
        """What is out by either of two, written by two deliveries."""
        longer, shorter = (self, other) if self.next >= other.next else (other, self)
        still_refused = {*shorter.refused, *range(shorter.next, longer.next)}
        refused = tuple(one for one in longer.refused if one in still_refused)
        return Mark(next=longer.next, refused=refused, done=self.done or other.done)


NOT_BEGUN = Mark()


def mark_of(store: ObjectStore, key: str) -> Mark:
    """The mark that is stored; without one, and of a damaged one, nothing is known to be out."""
    stored = store.get(key)
    return (_read(stored.body) if stored else None) or NOT_BEGUN


def write_mark(store: ObjectStore, key: str, ours: Mark) -> None:
    """Write how far we came, joined with what another delivery has written."""

    def further(theirs: Mark | None) -> Mark | None:
        if theirs is None:
            return ours
        both = ours.joined(theirs)
        return None if both == theirs else both

    rewrite(store, key, _read, further)


def _read(body: bytes) -> Mark | None:
    try:
        return msgspec.json.decode(body, type=Mark)
    except UNDECODABLE:
        return None
