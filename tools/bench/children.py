"""Starts the processes that are measured."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")


# Runs a command, with standard input and environment, to its end.
Run = Callable[[Sequence[str], bytes, Mapping[str, str]], subprocess.CompletedProcess[bytes]]


class ChildFailed(Exception):
    """A process that should have measured something did not."""


def clean_environment(python_path: str = f"src{os.pathsep}.") -> dict[str, str]:
    """No proxies, CAs, AWS or Python settings of whoever runs the benchmark."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": python_path,
        "PYTHONHASHSEED": "0",
    }


def freely(
    command: Sequence[str], told: bytes, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """A Run with all the CPU that there is."""
    return subprocess.run(command, input=told, env=environment, capture_output=True, check=False)


def ask(
    arguments: Sequence[str],
    answer: type[T],
    *,
    told: object = None,
    environment: Mapping[str, str] | None = None,
    run: Run | None = None,
) -> T:
    """Run Python with arguments; return what it printed in its last line, parsed from JSON."""
    child = (run or freely)(
        [sys.executable, *arguments], msgspec.json.encode(told), environment or clean_environment()
    )
    lines = child.stdout.splitlines()
    if child.returncode or not lines:
        said = (child.stderr or child.stdout).decode("utf-8", "replace")[-2000:]
        raise ChildFailed(f"{' '.join(arguments)}: exit status {child.returncode}\n{said}")
    return msgspec.json.decode(lines[-1], type=answer)
