"""The function's clock, stopped: for the days before today of a run on this machine."""

from datetime import UTC, datetime

import pytest

from backup_audit import handler, wiring
from tools.local_cloud.stopped_clock import stopped_clock

THEN = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize("module", [handler, wiring], ids=["handler", "wiring"])
def test_the_clock_stands_within_and_goes_on_after(module: object) -> None:
    clock = vars(module)["now"]

    with stopped_clock(THEN):
        assert vars(module)["now"]() == THEN

    assert vars(module)["now"] is clock


def test_without_a_time_the_clock_goes_on() -> None:
    clock = wiring.now

    with stopped_clock(None):
        assert wiring.now is clock
