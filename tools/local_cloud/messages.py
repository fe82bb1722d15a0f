"""What was published: moto keeps the messages, a file keeps them for people."""

import json
from pathlib import Path
from typing import Any

import msgspec
from moto.sns.models import sns_backends


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A line of sns.jsonl; `message` holds the variants by protocol."""

    topic_arn: str
    message_id: str
    subject: str | None
    message: dict[str, Any]
    attributes: dict[str, Any]


def sent_to(topic_arn: str) -> list[SentMessage]:
    """The messages that a topic took, parts of one digest in the order of their numbers."""
    _, _, _, region, account, _ = topic_arn.split(":")
    topic = sns_backends[account][region].topics[topic_arn]
    taken = [
        SentMessage(
            topic_arn=topic_arn,
            message_id=message_id,
            subject=subject,
            message=_variants(body),
            attributes={name: _value(attribute) for name, attribute in (attributes or {}).items()},
        )
        for message_id, body, subject, attributes, _ in topic.sent_notifications
    ]
    return sorted(taken, key=lambda sent: sent.message["default"].get("part", 0))


def append_to(path: Path, messages: list[SentMessage]) -> None:
    """Add a line for each."""
    lines = [json.dumps(msgspec.to_builtins(sent), ensure_ascii=False) for sent in messages]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def _variants(body: str) -> dict[str, Any]:
    variants = json.loads(body)
    return {**variants, "default": json.loads(variants["default"])}


def _value(attribute: dict[str, str]) -> object:
    value = attribute["Value"]
    return json.loads(value) if attribute["Type"] == "String.Array" else value
