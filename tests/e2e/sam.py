"""The SAM CLI, as a person would call it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.emulator import PYTHON, ROOT, Emulator

_SAM = ROOT / ".venv-sam/bin/sam"
_UV = ROOT / ".venv/bin/uv"

# What `make e2e` was called with; src/Makefile would take it as its own.
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"}


class Sam:
    """Builds once into a folder, and deploys from there."""

    def __init__(self, aws: Emulator, folder: Path) -> None:
        self._aws = aws
        self._build = folder / "build"
        self._native = folder / "native"

    def build(self) -> None:
        """Package the function for Lambda, and for this machine too."""
        self._run("build", "--no-cached", "--build-dir", str(self._build))
        _add_native_modules(self._build / "AuditFunction", self._native)

    def deploy(self, stack: str, parameters: Mapping[str, str]) -> None:
        """Create or update a stack from the template."""
        given = [f'{name}="{value}"' for name, value in parameters.items()]
        self._run(
            *("deploy", "--template-file", str(self._build / "template.yaml")),
            *("--config-file", str(ROOT / "samconfig.toml"), "--stack-name", stack),
            *("--no-confirm-changeset", "--no-progressbar"),
            *("--parameter-overrides", *given),
        )

    def change_set(self, stack: str, *arguments: str) -> dict[str, str] | None:
        """The parameters that `sam deploy` asks CloudFormation for; None if they change nothing."""
        config = () if "--config-file" in arguments else ("--config-file", ROOT / "samconfig.toml")
        said = self._run(
            *("deploy", "--template-file", str(self._build / "template.yaml")),
            *map(str, config),
            *("--stack-name", stack, *arguments),
            *("--no-confirm-changeset", "--no-execute-changeset", "--no-progressbar"),
            *("--no-fail-on-empty-changeset", "--force-upload"),
        )
        if "No changes to deploy" in said:
            return None
        found = re.search(r"arn:aws:cloudformation:\S+:changeSet/\S+", said)
        assert found, said
        described = self._aws.client("cloudformation").describe_change_set(ChangeSetName=found[0])
        return {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}

    def invoke(self, stack: str, resource: str, event: Path) -> Any:  # noqa: ANN401
        """Invoke a function, or start a state machine, with an event file; return what it says."""
        return json.loads(
            self._run(
                *("remote", "invoke", resource),
                *("--stack-name", stack, "--event-file", str(event)),
            )
        )

    def delete(self, stack: str) -> None:
        """Delete a stack with its packages."""
        self._run("delete", "--stack-name", stack, "--no-prompts")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [_SAM, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd=ROOT,
        )
        assert done.returncode == 0, f"sam {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """This machine's, for `pip` needs its proxies and CAs, but an AWS of our own."""
        machine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and name not in _OF_MAKE
        }
        # sam packages with a python3.13 that has pip: the one that `.venv-e2e` was made from.
        path = f"{PYTHON.resolve().parent}{os.pathsep}{machine['PATH']}"
        return machine | self._aws.variables | {"PATH": path, "SAM_CLI_TELEMETRY": "0"}


def _add_native_modules(artefact: Path, scratch: Path) -> None:
    """Add what the packages hold for this machine's processor beside that for Lambda's.

    ministack runs the function with this machine's Python. Names of native modules tell the
    processor, so that each Python loads its own, and Lambda would run the same artefact.
    """
    requirements = ROOT / "src/requirements.txt"
    subprocess.run(
        [
            *(_UV, "pip", "install", "--quiet", "--python", PYTHON, "--target", scratch),
            *("--require-hashes", "--requirement", requirements),
        ],
        check=True,
    )
    for module in scratch.rglob("*.so"):
        shutil.copy2(module, artefact / module.relative_to(scratch))
