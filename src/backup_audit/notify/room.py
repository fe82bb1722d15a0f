"""Keeps a text within its room: what does not fit is counted."""

from collections.abc import Iterator, Sequence

from backup_audit.notify.message import size_of_text

_LAST_LINE = 100  # bytes, for the line that counts the others


class Room:
    """So many bytes, to be shared out."""

    def __init__(self, size: int) -> None:
        self.left = size

    def takes(self, size: int) -> bool:
        """Take so many bytes, if there are as many."""
        if size > self.left:
            return False
        self.left -= size
        return True


def within(lines: Sequence[str], size: int) -> Iterator[str]:
    """The first of the lines, as many as fit into so many bytes, and how many do not."""
    room = Room(size - _LAST_LINE)
    for number, line in enumerate(lines):
        if not room.takes(size_of_text([line])):
            yield f"And {len(lines) - number} more lines in the report."
            return
        yield line
