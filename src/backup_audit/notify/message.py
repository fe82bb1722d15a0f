"""A message that fits: text for people, JSON for programs, attributes for filter policies."""

from collections.abc import Iterable

import msgspec

from backup_audit.text import printable

SIZE_MAX = 256 * 1024  # bytes; SNS counts body and attributes, an e-mail topic takes no more
SUBJECT_MAX = 99  # characters; SNS refuses more


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. A tuple among the attributes holds several values to filter on."""

    message_id: str
    subject: str
    text: str
    document: msgspec.Raw
    attributes: dict[str, str | tuple[str, ...]]

    @property
    def body(self) -> str:
        """The variants by protocol (MessageStructure "json"): text for e-mail, else JSON."""
        variants = {
            "default": bytes(self.document).decode(),
            "email": self.text,
            "sms": self.subject,
        }
        return msgspec.json.encode(variants).decode()

    @property
    def size(self) -> int:
        """Bytes that SNS counts, and the subject besides, to be on the safe side."""
        attributes = sum(
            len(name) + len("String.Array") + len(attribute_value(value).encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes + len(self.subject)

    @property
    def fits(self) -> bool:
        """Whether SNS takes it."""
        return self.size <= SIZE_MAX


def attribute_value(value: str | tuple[str, ...]) -> str:
    """An attribute as SNS takes it: alternatives are a JSON array."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def text_of(lines: Iterable[str]) -> str:
    """Lines for people: whatever a name or an error holds, it stays on its line."""
    return "".join(printable(line) + "\n" for line in lines)


def subject_line(text: str) -> str:
    """ASCII, printable and short enough for SNS."""
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return printable[:SUBJECT_MAX]
