"""Waiting for what a server does in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_EVERY = 0.2  # seconds


def eventually(look: Callable[[], T | None], *, within: float, what: str) -> T:
    """What `look` finds, looking again and again; fail after `within` seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(_EVERY)
    raise AssertionError(f"{what}: not within {within:g} s")
