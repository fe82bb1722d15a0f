"""Time that runs faster, for fleets that are silent: the function's waits for an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import msgspec

from backup_audit.probe import schedule
from backup_audit.settings import Settings
from tools.local_cloud.environment import settings

READ_TIMEOUT = next(
    float(field.default)
    for field in msgspec.structs.fields(Settings)
    if field.name == "read_timeout"
)
_ASIDE_AFTER = schedule.ASIDE_AFTER


@contextmanager
def scaled(faster: int) -> Iterator[None]:
    """Within, the function waits for so many times less than deployed."""
    read_timeout = {"READ_TIMEOUT_SECONDS": f"{READ_TIMEOUT / faster:g}"}
    with patch.object(schedule, "ASIDE_AFTER", _ASIDE_AFTER / faster), settings(read_timeout):
        yield


def said(faster: int) -> str:
    """What a person should know of it."""
    return (
        f"time is scaled 1:{faster}: a request is given {READ_TIMEOUT / faster:g} s, not "
        f"{READ_TIMEOUT:g} s, and keeps its place for {_ASIDE_AFTER / faster:g} s, not "
        f"{_ASIDE_AFTER:g} s"
    )
