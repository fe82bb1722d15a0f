"""What a few runs write today, as it is committed. Its difference in a commit is what users see."""

import json

import msgspec
import pytest
from jsonschema.validators import validator_for

from backup_audit.judge.finding import Finding
from backup_audit_cli.verify import verify
from tools.golden.__main__ import TODAY
from tools.golden.documents import bucket_and_messages
from tools.golden.kinds import Documents, by_kind, documents_in
from tools.schemas import DOCUMENTS, schema_of

READ_BY_US = {"configuration", "event"}  # the others are read by users


@pytest.fixture(scope="module")
def today() -> Documents:
    return bucket_and_messages()


def committed() -> Documents:
    return documents_in(TODAY)


def test_what_is_written_today_is_what_is_committed(today: Documents) -> None:
    assert sorted(today) == sorted(committed()), "run: make documents, and read the difference"
    for name, body in committed().items():
        assert today[name].decode() == body.decode(), "run: make documents, and read the difference"


def test_every_kind_of_document_is_among_them() -> None:
    assert {kind for kind, _ in by_kind(committed())} == DOCUMENTS.keys() - READ_BY_US


def test_each_document_keeps_its_schema_and_says_its_version() -> None:
    validators = {}
    for kind in DOCUMENTS:
        schema = json.loads(schema_of(kind))
        validators[kind] = validator_for(schema)(schema)

    for kind, document in by_kind(committed()):
        # Chat's form is AWS's, whose version is another.
        assert kind == "chat" or document["schema_version"] == 1
        validators[kind].validate(document)


def test_each_document_is_read_by_its_type() -> None:
    for kind, document in by_kind(committed()):
        msgspec.json.decode(json.dumps(document), type=DOCUMENTS[kind])


def test_fields_of_a_newer_version_are_ignored_wherever_they_stand() -> None:
    for kind, document in by_kind(committed()):
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
