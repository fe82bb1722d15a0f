"""What the tests of several processes look at, and one of them makes."""

import fcntl
import os
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest

T = TypeVar("T")


def made_once(
    factory: pytest.TempPathFactory, name: str, kind: type[T], make: Callable[[], T]
) -> T:
    """What `make` gives, of a name and a kind that has a form in JSON.

    Each process of a run of the suite asks for itself: the first one makes it, the others wait.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all of them
    made = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_bytes(msgspec.json.encode(make()))
    return msgspec.json.decode(made.read_bytes(), type=kind)
