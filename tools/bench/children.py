"""Starts the processes that are measured."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")


class ChildFailed(Exception):
    """A process that should have measured something did not."""


def clean_environment(python_path: str = f"src{os.pathsep}.") -> dict[str, str]:
    """No proxies, CAs, AWS or Python settings of whoever runs the benchmark."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": python_path,
        "PYTHONHASHSEED": "0",
    }


def ask(
    arguments: Sequence[str],
    answer: type[T],
    *,
    told: object = None,
    environment: Mapping[str, str] | None = None,
) -> T:
    """Run Python with arguments; return what it printed in its last line, parsed from JSON."""
    child = subprocess.run(
        [sys.executable, *arguments],
        input=msgspec.json.encode(told),
        env=environment or clean_environment(),
        capture_output=True,
        check=False,
    )
    lines = child.stdout.splitlines()
    if child.returncode or not lines:
        said = (child.stderr or child.stdout).decode("utf-8", "replace")[-2000:]
        raise ChildFailed(f"{' '.join(arguments)}: exit status {child.returncode}\n{said}")
    return msgspec.json.decode(lines[-1], type=answer)
