"""A person's shell: what the docs show is run as it stands there, but for what it leaves open."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.emulator import ROOT, Emulator
from tools.commands import code_blocks

_AWS_CLI = ROOT / ".venv-awscli/bin"


def shown(page: str, *, beginning: str, naming: str = "") -> str:
    """The one block of shell commands in a page with a line that begins so, and with this text."""
    blocks = code_blocks((ROOT / page).read_text("utf-8"), "sh")
    [found] = [
        block
        for block in blocks
        if naming in block and any(line.startswith(beginning) for line in block.splitlines())
    ]
    return found


def filled_in(script: str, values: Mapping[str, str]) -> str:
    """A script with its own values; each of those must stand in it."""
    for place, value in values.items():
        assert place in script, f"{place} stands nowhere in: {script}"
        script = script.replace(place, value)
    return script


class Shell:
    """bash in a folder that has the repository's events; `aws` is the AWS CLI in version 1."""

    def __init__(self, aws: Emulator, folder: Path) -> None:
        self._aws = aws
        self.folder = folder
        (folder / "events").symlink_to(ROOT / "events")

    def run(self, *scripts: str, stdin: str = "") -> str:
        """Run scripts one after the other, until one of their commands fails."""
        machine = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        path = f"{_AWS_CLI}{os.pathsep}{machine['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(scripts)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=machine | self._aws.variables | {"PATH": path},
        )
        assert done.returncode == 0, f"{scripts}\n{done.stdout}{done.stderr}"
        return done.stdout
