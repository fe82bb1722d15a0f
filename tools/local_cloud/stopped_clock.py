"""The function's clock, stopped: for runs on another day than today."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from unittest.mock import patch

# Where the function asks for the present. They are imported when its settings are made.
_CLOCKS = ("backup_audit.handler.now", "backup_audit.wiring.now")


@contextmanager
def stopped_clock(instant: datetime | None) -> Iterator[None]:
    """Within, it is that time for the function, in UTC and in whole seconds; None: it is now.

    To be entered with the function's settings in place. What it waits for is not shorter.
    """
    with ExitStack() as patches:
        for clock in _CLOCKS if instant else ():
            patches.enter_context(patch(clock, lambda: instant))
        yield
