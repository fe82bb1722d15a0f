"""The committed JSON Schemas are those of today's types, and they say what the code does."""

import json
from pathlib import Path

import jsonschema
import pytest

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import parse_configuration
from tools.schemas import DOCUMENTS, schema_of

SCHEMAS = Path("docs/schemas")
EXCLUDE = {"match": {"org": "lab"}, "owner": "sre", "reason": "torn down", "until": "never"}
MUTE = {"owner": "dba", "reason": "CHG-4711", "until": "2026-11-27"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_schema_is_that_of_the_types(name: str) -> None:
    committed = (SCHEMAS / f"{name}.schema.json").read_text("utf-8")

    assert committed == schema_of(name), "run: make schemas"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_valid_itself(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_of(name)))


def test_there_is_no_schema_of_a_document_that_is_gone() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{n}.schema.json" for n in DOCUMENTS}


@pytest.mark.parametrize(
    "document",
    [
        {"instances": ["a"]},
        {"instances": [{"guid": "a", "max_age": "1d12h", "grace": "0h"}], "schema_version": 1},
        {"instances": ["a"], "mutes": []},
        {"instances": ["a"], "mutes": [{"guid": "a"}]},
        {"instances": []},
        {"instances": [{"guid": "a", "max_age": "0h"}]},
        {"instances": ["a/b"]},
        {"instances": [".."]},
        {"instances": ["a\n"]},
        {"instances": ["a"], "schema_version": 2},
        {"instances": ["a"], "defaults": {"min_backups": 0}},
        {"instances": ["a"], "unknown": 1},
        {"instances": ["a"], "$schema": "configuration.schema.json", "mutes": None},
        {"instances": [{"guid": "a", "owner": None}], "defaults": {"grace": None}},
        {"instances": [{"guid": None}]},
        {"instances": None},
        {},
        {"discover": [{"org": "*"}]},
        {"discover": [{"org": ["a", "b*"], "labels": "env in (prod,test),!legacy"}]},
        {"discover": [{"org": None}]},
        {"discover": [{}]},
        {"discover": []},
        {"discover": [{"org": ""}]},
        {"discover": [{"org": []}]},
        {"discover": [{"org": ["a", ""]}]},
        {"discover": [{"labels": "env in prod"}]},
        {"discover": [{"labels": ""}]},
        {"instances": ["a"], "exclude": [EXCLUDE]},
        {"instances": ["a"], "exclude": [EXCLUDE | {"until": "2027-03-31"}]},
        {"instances": ["a"], "exclude": [EXCLUDE | {"until": "soon"}]},
        {"instances": ["a"], "exclude": [EXCLUDE | {"until": None}]},
        {"instances": ["a"], "exclude": [EXCLUDE | {"match": {}}]},
        {"instances": ["a"], "rules": [{"match": {"org": "a"}}]},
        {"instances": ["a"], "rules": [{"match": {"org": "a"}, "max_age": None}]},
        {"instances": ["a"], "rules": [{"match": {"org": "a"}, "owner": "o"}]},
        {"instances": ["a"], "rules": [{"match": {"org": "a"}, "owner": "o", "unless": {}}]},
        {"instances": ["a"], "rules": [{"owner": "o"}]},
        {"instances": ["a"], "mutes": [MUTE]},
        {"instances": ["a"], "mutes": [MUTE | {"guid": "a"}]},
        {"instances": ["a"], "mutes": [MUTE | {"match": {"org": "a"}, "guid": None}]},
        {"instances": ["a"], "mutes": [MUTE | {"match": {"org": "a"}, "guid": "a"}]},
        {"instances": ["a"], "self_service": {}},
        {"instances": ["a"], "self_service": {"max_age": {}, "owner": ["team-*"]}},
        {"instances": ["a"], "self_service": {"skip": {}}},
        {"instances": ["a"], "self_service": {"owner": "team-*"}},
        {"instances": ["a"], "inventory": "listed"},
        {"instances": ["a"], "inventory": "scan"},
        ["a"],
    ],
    ids=json.dumps,
)
def test_the_schema_of_the_configuration_accepts_what_the_code_accepts(
    document: object,
) -> None:
    schema = json.loads((SCHEMAS / "configuration.schema.json").read_text("utf-8"))

    by_schema = jsonschema.Draft202012Validator(schema).is_valid(document)

    assert by_schema == _is_accepted(document)


def _is_accepted(document: object) -> bool:
    try:
        parse_configuration(json.dumps(document).encode(), "test")
    except InvalidConfiguration:
        return False
    return True
