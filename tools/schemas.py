"""Writes the JSON Schemas of everything that users read or write: `make schemas`."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from backup_audit.fleet.configuration import ConfigurationDocument
from backup_audit.fleet.explain import Explained
from backup_audit.fleet.policy import DEMANDS
from backup_audit.fleet.run import AuditRequest
from backup_audit.fleet.selectors import KEYS
from backup_audit.judge.finding import Finding
from backup_audit.notify.chat import ChatMessage
from backup_audit.notify.event_documents import GroupEvent, ProblemEvent, RunEvent
from backup_audit.report.failing import Failing
from backup_audit.report.report import Answer, Latest, Manifest, RunLine, WholeReport
from backup_audit_cli.glance import ShownReport
from backup_audit_cli.period import PeriodEvidence

DOCUMENTS = {
    "answer": Answer,
    "chat": ChatMessage,
    "configuration": ConfigurationDocument,
    "event": AuditRequest,
    "evidence": PeriodEvidence,
    "explanation": Explained,
    "failing": Failing,
    "finding": Finding,
    "group-event": GroupEvent,
    "latest": Latest,
    "manifest": Manifest,
    "problem-event": ProblemEvent,
    "report": WholeReport,
    "run-event": RunEvent,
    "run-line": RunLine,
    "shown-report": ShownReport,
}

# Keys of which one is needed, or just one: types cannot say it, backup_audit.fleet.faults does.
NEEDS = {
    "ConfigurationDocument": ("anyOf", ("instances", "discover")),
    "MuteEntry": ("oneOf", ("guid", "match")),
    "Rule": ("anyOf", DEMANDS),
    "Selector": ("anyOf", KEYS),
}


def schema_of(name: str) -> str:
    """The schema of a document as it is committed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_unindented(msgspec.json.schema(DOCUMENTS[name])),
    }
    for part, (how, keys) in NEEDS.items():
        if part in schema["$defs"]:
            not_null = {"not": {"type": "null"}}
            schema["$defs"][part][how] = [
                {"required": [key], "properties": {key: not_null}} for key in keys
            ]
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


def _unindented(value: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Descriptions without their docstrings' indentation, which Python 3.13 takes away itself."""
    match value:
        case dict():
            return {
                key: inspect.cleandoc(part)
                if key == "description" and isinstance(part, str)
                else _unindented(part)
                for key, part in value.items()
            }
        case list():
            return [_unindented(part) for part in value]
        case _:
            return value


def write_schemas(folder: Path) -> None:
    """Write them all."""
    for name in DOCUMENTS:
        (folder / f"{name}.schema.json").write_text(schema_of(name), "utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
