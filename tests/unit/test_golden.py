"""Documents that were written once stay readable, and readers of schema 1 get what they know.

docs/decisions/0008-schema-versions.md says what may change within a version.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.plan import Batch
from backup_audit.fleet.run import parse_event
from backup_audit.judge.finding import Finding
from backup_audit.mapped import MapPlan
from backup_audit.report.rendering import from_json_lines
from backup_audit_cli.verify import main as verify
from tools.golden.__main__ import TODAY
from tools.golden.documents import FIRST_DAY, bucket_and_messages
from tools.schemas import DOCUMENTS, schema_of

SCHEMA_1 = TODAY.parent / "schema-1"
OLD = SCHEMA_1 / "documents"
READ_BY_US = ("configuration", "event")  # the others are read by users
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text("utf-8"))
    for path in (SCHEMA_1 / "schemas").iterdir()
}

Documents = dict[str, bytes]


def validator(schema: dict[str, Any]) -> Validator:
    """Made once a schema: checking that itself takes longer than checking a document."""
    kind = validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


VALIDATORS = {kind: validator(schema) for kind, schema in SCHEMAS.items()}


@pytest.fixture(scope="module")
def today() -> Documents:
    return bucket_and_messages()


def read(folder: Path) -> Documents:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def by_kind(documents: Documents) -> Iterator[tuple[str, Any]]:
    """Each document with the name of its schema."""
    for name, body in documents.items():
        last = name.rsplit("/", 1)[-1]
        if last in ("report.json", "manifest.json", "latest.json", "configuration.json"):
            yield last.removesuffix(".json"), json.loads(body)
        elif last.startswith("part-"):
            yield from (("finding", json.loads(line)) for line in body.splitlines())
        elif last == "answers.json":
            yield from (("answer", answer) for answer in json.loads(body))
        elif last == "messages.json":
            yield from (("message", message["document"]) for message in json.loads(body))


def test_what_is_written_today_is_what_lies_here(today: Documents) -> None:
    assert sorted(today) == sorted(read(TODAY)), "run: make documents, and read the difference"
    for name, body in read(TODAY).items():
        assert today[name].decode() == body.decode(), "run: make documents, and read the difference"


def test_every_kind_of_document_is_among_them(today: Documents) -> None:
    kinds = set(SCHEMAS) - {"event"}

    assert {kind for kind, _ in by_kind(today)} == kinds
    assert {kind for kind, _ in by_kind(read(OLD))} == kinds


def test_what_is_written_today_keeps_the_schemas_of_version_1(today: Documents) -> None:
    for kind, document in by_kind(today):
        assert document["schema_version"] == 1
        VALIDATORS[kind].validate(document)


def test_what_was_written_then_keeps_the_schemas_of_today() -> None:
    validators = {kind: validator(json.loads(schema_of(kind))) for kind in SCHEMAS}

    for kind, document in by_kind(read(OLD)):
        validators[kind].validate(document)


def test_what_was_written_then_is_read_by_the_types_of_today() -> None:
    for kind, document in by_kind(read(OLD)):
        msgspec.json.decode(json.dumps(document), type=DOCUMENTS[kind])


def test_findings_of_then_are_read_back_as_they_were() -> None:
    for name, body in read(OLD).items():
        if name.endswith(".jsonl"):
            findings = list(from_json_lines(body.splitlines()))
            assert all(isinstance(finding, Finding) for finding in findings)
            assert [msgspec.json.encode(finding) for finding in findings] == body.splitlines()


def test_a_plan_of_then_is_carried_out_by_the_steps_of_today() -> None:
    plans = {name: body for name, body in read(OLD).items() if "/plans/" in name}
    [plan] = [body for name, body in plans.items() if name.endswith("/plan.json")]
    batches = [body for name, body in plans.items() if "/batch-" in name]

    planned = msgspec.json.decode(plan, type=MapPlan)

    assert planned.batches == len(batches) == 3
    for body in batches:
        assert msgspec.json.decode(body, type=Batch).instances


def test_the_chain_of_reports_of_then_holds() -> None:
    assert verify([str(OLD / "bucket")]) == 0


@pytest.mark.parametrize("name", sorted(path.name for path in (SCHEMA_1 / "events").iterdir()))
def test_an_event_of_then_is_accepted(name: str) -> None:
    event = json.loads((SCHEMA_1 / "events" / name).read_bytes())
    later = FIRST_DAY.replace(year=2100)

    assert parse_event(event, later)


def test_a_configuration_of_then_is_accepted() -> None:
    configuration = parse_configuration((OLD / "configuration.json").read_bytes(), "file:then")

    assert len(configuration.instances) == 10


@pytest.mark.parametrize("kind", sorted(set(SCHEMAS) - set(READ_BY_US)))
def test_readers_of_version_1_find_everything_they_know(kind: str) -> None:
    assert list(_lost(SCHEMAS[kind], json.loads(schema_of(kind)))) == []


@pytest.mark.parametrize("kind", READ_BY_US)
def test_writers_of_version_1_may_say_everything_they_said(kind: str) -> None:
    assert list(_refused(SCHEMAS[kind], json.loads(schema_of(kind)))) == []


@pytest.mark.parametrize(
    ("then", "now", "lost"),
    [
        ({"a": {"type": "integer"}}, {}, ["a: is gone"]),
        ({"a": {"type": "integer"}}, {"a": {"type": "string"}}, ["a: another type"]),
        ({"a": {"enum": ["x"]}}, {"a": {"enum": ["x", "y"]}}, ["a: another type"]),
        ({}, {"a": {"type": "integer"}}, []),
        ({"a": {"type": "integer", "description": "d"}}, {"a": {"type": "integer"}}, []),
    ],
)
def test_a_loss_is_seen(then: object, now: object, lost: list[str]) -> None:
    assert list(_lost({"properties": then}, {"properties": now})) == lost


def test_a_property_that_is_no_longer_certain_is_a_loss() -> None:
    then = {"properties": {"a": {}}, "required": ["a"]}

    assert list(_lost(then, then | {"required": []})) == [": no longer required: a"]


def _lost(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What a reader relies on and does not find any more."""
    for at, old, new in _pairs(then, now, then, now, ""):
        if new is None:
            yield f"{at}: is gone"
        elif _rest(old) != _rest(new):
            yield f"{at}: another type"
        elif gone := set(old.get("required", [])) - set(new.get("required", [])):
            yield f"{at}: no longer required: {', '.join(sorted(gone))}"


def _refused(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What a writer said and may not say any more."""
    for at, old, new in _pairs(then, now, then, now, ""):
        if new is None:
            yield f"{at}: is gone"
        elif _rest(old) != _rest(new):
            yield f"{at}: another type"
        elif added := set(new.get("required", [])) - set(old.get("required", [])):
            yield f"{at}: now required: {', '.join(sorted(added))}"


def _pairs(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    then_root: Mapping[str, Any],
    now_root: Mapping[str, Any],
    at: str,
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
    """Each schema of then beside that of now, None if there is none; references are followed."""
    then, now = _followed(then, then_root), _followed(now, now_root)
    yield at, then, now
    for name, old in then.get("properties", {}).items():
        place = f"{at}.{name}" if at else name
        if name in now.get("properties", {}):
            yield from _pairs(old, now["properties"][name], then_root, now_root, place)
        else:
            yield place, old, None
    for key in ("items", "additionalProperties"):
        if isinstance(then.get(key), dict) and isinstance(now.get(key), dict):
            yield from _pairs(then[key], now[key], then_root, now_root, f"{at}[]")
    for key in ("anyOf", "oneOf"):
        for number, (old, new) in enumerate(zip(then.get(key, []), now.get(key, []), strict=False)):
            yield from _pairs(old, new, then_root, now_root, f"{at}|{number}")


def _followed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


_COMPARED_ELSEWHERE = {"properties", "required", "items", "anyOf", "oneOf", "$defs", "$ref"}
_SAYS_NOTHING = {"description", "title", "$schema", "default", "examples", "discriminator"}


def _rest(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared as it stands."""
    rest = {
        key: value
        for key, value in schema.items()
        if key not in _COMPARED_ELSEWHERE | _SAYS_NOTHING
    }
    if isinstance(rest.get("additionalProperties"), dict):
        rest["additionalProperties"] = "another schema"
    return rest | {
        f"count of {key}": len(schema[key]) for key in ("anyOf", "oneOf") if key in schema
    }
