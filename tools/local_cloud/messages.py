"""What was published: moto keeps the messages, a file for each topic keeps them for people."""

import json
from pathlib import Path
from typing import Any

import msgspec
from moto.sns.models import sns_backends


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its subscribers get it: a text for people, a JSON document for the others."""

    topic_arn: str
    message_id: str
    subject: str | None
    body: str
    attributes: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """The document that the body is."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def sent_to(topic_arn: str) -> list[SentMessage]:
    """The messages that a topic took, in their order."""
    _, _, _, region, account, _ = topic_arn.split(":")
    topic = sns_backends[account][region].topics[topic_arn]
    return [
        SentMessage(
            topic_arn=topic_arn,
            message_id=message_id,
            subject=subject,
            body=body,
            attributes={name: _value(attribute) for name, attribute in (attributes or {}).items()},
        )
        for message_id, body, subject, attributes, _ in topic.sent_notifications
    ]


def append_to(path: Path, messages: list[SentMessage], *, are_documents: bool) -> None:
    """Add a line for each; `message` is its text, or its document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for sent in messages:
            line: dict[str, Any] = msgspec.to_builtins(sent)
            body = line.pop("body")
            line["message"] = sent.document if are_documents else body
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _value(attribute: dict[str, str]) -> object:
    value = attribute["Value"]
    return json.loads(value) if attribute["Type"] == "String.Array" else value
