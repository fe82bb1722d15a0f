"""Messages, and what all of them share: text on its line, attributes for filter policies."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from backup_audit.report.report import Report
from backup_audit.text import instances, printable

T = TypeVar("T")

SIZE_MAX = 256 * 1024  # bytes; SNS counts body and attributes, an e-mail topic takes no more
SUBJECT_MAX = 99  # characters; SNS refuses more

Attribute = str | tuple[str, ...]  # a tuple holds several values to filter on


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message: text for people, a JSON document for programs and for chat.

    All of them have the plain structure: SNS delivers attributes with no other. A subject is for
    people alone.
    """

    message_id: str
    subject: str | None = None
    body: str
    attributes: dict[str, Attribute]

    @property
    def size(self) -> int:
        """Bytes that SNS counts, and the subject besides, to be on the safe side."""
        attributes = sum(
            len(name) + len("String.Array") + len(attribute_value(value).encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes + len(self.subject or "")


def lost_of(report: Report) -> int:
    """How many instances disappeared from the inventory at once; 0 if none did."""
    return report.inventory.lost if report.inventory else 0


def lost_role(report: Report) -> Iterator[str]:
    """The first line of a text if instances disappeared at once."""
    if lost := lost_of(report):
        yield (
            f"LOST ROLE? {instances(lost)} disappeared from the inventory at once: check the roles "
            "of our client. They stay in the fleet."
        )


def text_message(
    message_id: str, subject: str, lines: Iterable[str], **attributes: Attribute | None
) -> Message:
    """A message for people."""
    return Message(
        message_id=message_id,
        subject=subject_line(subject),
        body=text_of(lines),
        attributes=stated(attributes),
    )


def json_message(
    message_id: str, document: msgspec.Struct, **attributes: Attribute | None
) -> Message:
    """A message for programs, or for chat."""
    body = msgspec.json.encode(document).decode()
    return Message(message_id=message_id, body=body, attributes=stated(attributes))


def stated(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    """Attributes with the version; those without a value are left out."""
    everything = {**attributes, "schema_version": "1"}
    return {name: value for name, value in everything.items() if value}


def packed(
    items: Iterable[T], size_of: Callable[[T], int], room: int, most: int
) -> Iterator[list[T]]:
    """Share items out to lists, in order: of at most `most`, and at most `room` large together.

    An item larger than that has a list of its own.
    """
    together: list[T] = []
    size = 0
    for item in items:
        more = size_of(item)
        if together and (len(together) == most or size + more > room):
            yield together
            together, size = [], 0
        together.append(item)
        size += more
    if together:
        yield together


def size_of_text(lines: Iterable[str]) -> int:
    """Bytes that lines add to a text."""
    return len(text_of(lines).encode())


def attribute_value(value: Attribute) -> str:
    """An attribute as SNS takes it: alternatives are a JSON array."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def text_of(lines: Iterable[str]) -> str:
    """Lines for people: whatever a name or an error holds, it stays on its line."""
    return "".join(printable(line) + "\n" for line in lines)


def subject_line(text: str) -> str:
    """ASCII, printable and short enough for SNS."""
    shown = "".join(char if " " <= char <= "~" else "?" for char in text)
    return shown[:SUBJECT_MAX]
