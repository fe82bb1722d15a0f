"""The time a run has left."""

import math

from backup_audit.probe.pacing import Deadline


def test_time_runs_out_and_stays_out() -> None:
    now = [100.0]
    deadline = Deadline.after(30.0, clock=lambda: now[0])

    assert deadline.remaining() == 30.0

    now[0] = 129.0
    assert deadline.remaining() == 1.0

    now[0] = 130.0
    assert deadline.remaining() == 0.0

    now[0] = 131.0
    assert deadline.remaining() == 0.0


def test_without_a_deadline_time_never_runs_out() -> None:
    assert Deadline.never().remaining() == math.inf
