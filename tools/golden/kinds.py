"""Which kind of document each golden file holds."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Documents = Mapping[str, bytes]


def documents_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by their path below it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def by_kind(documents: Documents) -> Iterator[tuple[str, Any]]:
    """Each document with the name of its schema."""
    for name, body in documents.items():
        last = name.rsplit("/", 1)[-1]
        if last in ("report.json", "manifest.json", "latest.json"):
            yield last.removesuffix(".json"), json.loads(body)
        elif "/runs/" in name:
            yield "run-line", json.loads(body)
        elif last.startswith("part-"):
            yield from (("finding", json.loads(line)) for line in body.splitlines())
        elif last == "answers.json":
            yield from (("answer", answer) for answer in json.loads(body))
        elif last == "explanations.json":
            yield from (("explanation", explained) for explained in json.loads(body))
        elif last in ("evidence.json", "failing.json", "shown-report.json"):
            yield last.removesuffix(".json"), json.loads(body)
        elif last == "messages-events.json":
            bodies = [message["body"] for message in json.loads(body)]
            yield from ((f"{one['event']}-event", one) for one in bodies)
        elif last == "messages-chat.json":
            yield from (("chat", message["body"]) for message in json.loads(body))
