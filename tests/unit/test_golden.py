"""What a few runs write today, as it is committed. Its difference in a commit is what users see."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema.validators import validator_for

from backup_audit.judge.finding import Finding
from backup_audit_cli.verify import verify
from tools.golden.__main__ import TODAY
from tools.golden.documents import bucket_and_messages
from tools.schemas import DOCUMENTS, schema_of

READ_BY_US = {"configuration", "event"}  # the others are read by users

Documents = dict[str, bytes]


@pytest.fixture(scope="module")
def today() -> Documents:
    return bucket_and_messages()


def committed() -> Documents:
    return {
        path.relative_to(TODAY).as_posix(): path.read_bytes()
        for path in sorted(TODAY.rglob("*"))
        if path.is_file()
    }


def by_kind() -> Iterator[tuple[str, Any]]:
    """Each document with the name of its schema."""
    for name, body in committed().items():
        last = name.rsplit("/", 1)[-1]
        if last in ("report.json", "manifest.json", "latest.json"):
            yield last.removesuffix(".json"), json.loads(body)
        elif last.startswith("part-"):
            yield from (("finding", json.loads(line)) for line in body.splitlines())
        elif last == "answers.json":
            yield from (("answer", answer) for answer in json.loads(body))
        elif last == "explanations.json":
            yield from (("explanation", explained) for explained in json.loads(body))
        elif last == "failing.json":
            yield "failing", json.loads(body)
        elif last == "messages-events.json":
            bodies = [message["body"] for message in json.loads(body)]
            yield from ((f"{one['event']}-event", one) for one in bodies)
        elif last == "messages-chat.json":
            yield from (("chat", message["body"]) for message in json.loads(body))


def test_what_is_written_today_is_what_is_committed(today: Documents) -> None:
    assert sorted(today) == sorted(committed()), "run: make documents, and read the difference"
    for name, body in committed().items():
        assert today[name].decode() == body.decode(), "run: make documents, and read the difference"


def test_every_kind_of_document_is_among_them() -> None:
    assert {kind for kind, _ in by_kind()} == DOCUMENTS.keys() - READ_BY_US


def test_each_document_keeps_its_schema_and_says_its_version() -> None:
    validators = {}
    for kind in DOCUMENTS:
        schema = json.loads(schema_of(kind))
        validators[kind] = validator_for(schema)(schema)

    for kind, document in by_kind():
        # Chat's form is AWS's, whose version is another.
        assert kind == "chat" or document["schema_version"] == 1
        validators[kind].validate(document)


def test_each_document_is_read_by_its_type() -> None:
    for kind, document in by_kind():
        msgspec.json.decode(json.dumps(document), type=DOCUMENTS[kind])


def test_fields_of_a_newer_version_are_ignored_wherever_they_stand() -> None:
    for kind, document in by_kind():
        if kind != "chat":  # nobody reads it but AWS
            msgspec.json.decode(json.dumps(with_more(document)), type=DOCUMENTS[kind])


# These have an entry for each audience or reader, and a newer version may know others.
_MAPS = ("news_from", "added_at", "readers", "listeners", "notified_at")


def _one_more(part: object) -> object:
    """A map with another entry like the first."""
    if not isinstance(part, dict):
        return part
    part = {key: value for key, value in part.items() if key != "of_tomorrow"}
    return part | {"of_tomorrow": next(iter(part.values()))} if part else part


def with_more(value: object) -> object:
    """A document with another field in every object."""
    match value:
        case dict():
            parts = {key: with_more(part) for key, part in value.items()}
            more = {name: _one_more(part) for name, part in parts.items() if name in _MAPS}
            return parts | more | {"of_tomorrow": 0}
        case list():
            return [with_more(part) for part in value]
        case _:
            return value


def test_findings_are_read_back_as_they_were() -> None:
    for name, body in committed().items():
        if "/findings/" in name:
            findings = [msgspec.json.decode(line, type=Finding) for line in body.splitlines()]
            assert [msgspec.json.encode(finding) for finding in findings] == body.splitlines()


def test_the_chain_of_reports_holds() -> None:
    assert verify(str(TODAY / "bucket")) == 0
