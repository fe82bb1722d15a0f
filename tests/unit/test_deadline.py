"""The end of a run's time for asking."""

import math

from backup_audit.probe.pacing import Deadline


def test_it_comes_so_many_seconds_from_now() -> None:
    assert Deadline.after(30.0, monotonic=lambda: 100.0).at == 130.0


def test_it_comes_earlier_by_what_is_kept_back() -> None:
    deadline = Deadline.after(30.0, monotonic=lambda: 100.0)

    deadline.keep_back(0.5)
    deadline.keep_back(2.0)

    assert deadline.at == 127.5


def test_without_one_time_never_runs_out() -> None:
    deadline = Deadline(math.inf)

    deadline.keep_back(2.0)

    assert deadline.at == math.inf
