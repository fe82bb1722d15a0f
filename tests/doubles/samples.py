"""The samples in events/, as a person sends them: filled in by the documented commands."""

import re
from pathlib import Path
from typing import Any

import jq

from tools.commands import shell_lines

_ROOT = Path(__file__).parents[2]
_FILLS_IN = re.compile(r"jq (?:--arg \w+ \S+ )?'([^']+)' (events/\S+\.json)")


def sample(path: Path, **arguments: str) -> dict[str, Any]:
    """A sample, filled in by the jq program that docs/invoke.md has for it, if it has one."""
    text = path.read_text("utf-8")
    program = _programs().get(path.resolve().relative_to(_ROOT).as_posix(), ".")
    event: dict[str, Any] = jq.compile(program, args=arguments).input_text(text).first()
    return event


def _programs() -> dict[str, str]:
    lines = "\n".join(shell_lines((_ROOT / "docs/invoke.md").read_text("utf-8")))
    return {path: program for program, path in _FILLS_IN.findall(lines)}
