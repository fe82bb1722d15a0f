"""Time that need not be waited for: it passes as it does, and what nobody uses is skipped."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from backup_audit.fleet.inventory import Sees
from backup_audit.judge.evidence import Evidence, Silence
from backup_audit.probe.attempt import Attempt, Result
from backup_audit.probe.engine import BackupApi
from backup_audit.probe.schedule import LONGEST_WAIT

T = TypeVar("T")


class FakeTime:
    """A monotonic clock, in seconds; `waits` has every wait that was skipped.

    Nothing is skipped while a request is under way: `watched` tells of those.
    """

    def __init__(self) -> None:
        self._skipped = 0.0
        self._busy = 0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """An engine's wait, under its lock."""
        assert seconds > 0
        if self._busy or seconds == LONGEST_WAIT:  # until another request ends
            condition.wait(0.005)
            return
        self.waits.append(round(seconds, 1))
        self._skipped += seconds

    def sleep(self, seconds: float) -> None:
        """A wait that nobody shares."""
        self.waits.append(round(seconds, 2))
        self._skipped += seconds

    def watched(self, api: BackupApi) -> BackupApi:
        """The same API, whose requests keep time from being skipped."""
        return _Watched(api, self)

    def during(self, ask: Callable[[], T]) -> T:
        self._busy += 1
        try:
            return ask()
        finally:
            self._busy -= 1


class _Watched:
    def __init__(self, api: BackupApi, fake: FakeTime) -> None:
        self._api = api
        self._fake = fake

    @property
    def calls(self) -> int:
        return self._api.calls

    @property
    def sees(self) -> Sees:
        return self._api.sees

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        return self._fake.during(lambda: self._api.list_backups(guid, limit))

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        return self._fake.during(lambda: self._api.add_age(guid, listing))

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        return self._fake.during(lambda: self._api.list_page(query, read))

    def cut(self) -> Sequence[int]:
        return self._api.cut()

    def cut_all(self) -> None:
        self._api.cut_all()
