"""Writes the generated parts of README.md and of the pages it leads to: `make readme`."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backup_audit.telemetry import METRICS
from tools.local_cloud.local_run import run_locally
from tools.template import Template

README = Path("README.md")
CONFIGURE = Path("docs/configure.md")
INVOKE = Path("docs/invoke.md")
REPORTS = Path("docs/reports.md")
NOTIFICATIONS = Path("docs/notifications.md")
OPERATE = Path("docs/operate.md")
PAGES = (README, CONFIGURE, INVOKE, REPORTS, NOTIFICATIONS, OPERATE)

_PROBLEM_LINES = 6  # of the table: its head, and two problems

_PART = re.compile(r"<!-- generated: ([\w-]+) -->\n(.*?)\n?<!-- end -->", re.DOTALL)


def regenerated(text: str) -> str:
    """A page with its generated parts as they are today.

    A run that differs in nothing but its figures is left as it stands.
    """
    return _PART.sub(lambda part: _marked(part[1], _today(part[1], part[2].strip())), text)


def generated_parts(text: str) -> dict[str, str]:
    """The generated parts as they stand in a page, by name."""
    return {part[1]: part[2].strip() for part in _PART.finditer(text)}


def masked(text: str) -> str:
    """A run's output without what differs from run to run: figures, times, ids, and their width."""
    text = re.sub(r"-[0-9a-f]{8}\b", "-#", text)
    text = re.sub(r"[0-9][0-9.,:]*", "#", text)
    text = re.sub(r"(# (d|h|min|s)\b ?)+", "# ", text)
    return " ".join(text.split())


def make_run() -> str:
    """What `make run` prints on its first day, cut to what a visitor looks for."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "tools.local_cloud",
                "--event",
                root / "events/manual-full.json",
            ],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(root), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=True,
        )
    return f"```text\n{essential(run.stdout)}\n```"


def essential(printed: str) -> str:
    """A run's head, its worst problems, and the first message's subject; `…` for the rest."""
    lines = printed.splitlines()
    problems = _first(lines, "  verdict .* reason")
    published = _first(lines, "Published")
    shown = [
        *(lines[_first(lines, "run ")], "  …"),
        *(*lines[problems : problems + _PROBLEM_LINES], "  …", ""),
        *(*lines[published : published + 2], "  …"),
    ]
    return "\n".join(shown)


def _first(lines: list[str], pattern: str) -> int:
    return next(at for at, line in enumerate(lines) if re.match(pattern, line))


def answer() -> str:
    """What the function answers to a full run of the same fleet."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_locally({}, "sample", Path(folder), lambda *_: contextlib.nullcontext())
    return f"```json\n{json.dumps(outcome.answer, indent=2)}\n```"


def metrics() -> str:
    """The table of metrics."""
    rows = [f"| `{metric.name}` | {metric.unit.value} | {metric.meaning} |" for metric in METRICS]
    return "\n".join(["| metric | unit | meaning |", "|---|---|---|", *rows])


def parameters() -> str:
    """The table of parameters with the variables that they set."""
    template = Template.read()
    variables = template.variables_by_parameter()
    head = ["| parameter | default | meaning | variable |", "|---|---|---|---|"]
    rows = [
        f"| `{name}` | {_default(parameter)} | {_one_line(parameter['Description'])} "
        f"| {_code(variables.get(name))} |"
        for name, parameter in template.parameters.items()
    ]
    return "\n".join(head + rows)


RUNS = ("make-run", "answer")
PARTS: dict[str, Callable[[], str]] = {
    "make-run": make_run,
    "answer": answer,
    "metrics": metrics,
    "parameters": parameters,
}


def _today(name: str, stands: str) -> str:
    content = PARTS[name]()
    return stands if name in RUNS and masked(content) == masked(stands) else content


def _marked(name: str, content: str) -> str:
    return f"<!-- generated: {name} -->\n{content}\n<!-- end -->"


def _default(parameter: dict[str, object]) -> str:
    if "Default" not in parameter:
        return "required"
    return _code(parameter["Default"]) or "none"


def _code(value: object) -> str:
    return "" if value is None or value == "" else f"`{value}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(regenerated(page.read_text("utf-8")), "utf-8")
