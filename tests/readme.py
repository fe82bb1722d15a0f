"""Writes the generated parts of README.md, and reads its samples: `make readme`."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.template import Template

from backup_audit.adapters.powertools import METRICS

_GENERATED = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def regenerated(text: str) -> str:
    """The README with its generated parts as they are today."""
    return _GENERATED.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


def generated_part(text: str, name: str) -> str:
    """A generated part as it stands in the README."""
    parts = {match[2]: match[0] for match in _GENERATED.finditer(text)}
    return parts[name]


def code_blocks(text: str, language: str) -> Iterator[str]:
    """The fenced blocks of a language, without their indentation."""
    for match in re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        yield re.sub(rf"^{match[1]}", "", match[2], flags=re.MULTILINE)


def masked(text: str) -> str:
    """A run's output without what differs from run to run: figures, times, ids, and their width."""
    text = re.sub(r"(?<![A-Za-z])[0-9a-f]{8}\b", "#", text)
    text = re.sub(r"[0-9][0-9.,:]*", "#", text)
    return re.sub(r"[ \t]+", " ", text)


def make_run() -> str:
    """What `make run` prints on its first day."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-m", "tests.local_cloud", "--out", ".local"],
            cwd=Path.cwd(),
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "110"},
            capture_output=True,
            text=True,
            check=True,
        )
        del folder
    return f"```text\n{run.stdout.strip()}\n```"


def metrics() -> str:
    """The table of metrics."""
    rows = [f"| `{metric.name}` | {metric.unit.value} | {metric.meaning} |" for metric in METRICS]
    return "\n".join(["| metric | unit | meaning |", "|---|---|---|", *rows])


def parameters() -> str:
    """The table of parameters with the variables that they set."""
    template = Template.read()
    variables = template.variables_by_parameter()
    rows = [
        "| "
        + " | ".join(
            [
                f"`{name}`",
                _default(parameter.get("Default")),
                " ".join(parameter["Description"].split()).replace("|", "\\|"),
                f"`{variables[name]}`" if name in variables else "",
            ]
        )
        + " |"
        for name, parameter in template.parameters.items()
    ]
    return "\n".join(["| parameter | default | meaning | variable |", "|---|---|---|---|", *rows])


PARTS: dict[str, Callable[[], str]] = {
    "make-run": make_run,
    "metrics": metrics,
    "parameters": parameters,
}


def _default(value: object) -> str:
    if value is None:
        return "required"
    return f"`{value}`" if value != "" else "none"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(regenerated(readme.read_text("utf-8")), "utf-8")
    json.dumps("written")
