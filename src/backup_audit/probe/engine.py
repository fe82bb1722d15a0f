"""The engine: asks the API for many instances at the same time, and owns the time.

Workers are threads. Each asks once for one instance and hands the result over; the schedule decides
what comes next. The reader, which takes the results, looks at the clock: it moves silent requests
aside and cuts those that exceed their time. A request that still hangs, in name resolution, say, is
left behind with its thread. At the end, hanging threads are not waited for.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from backup_audit.errors import AuditError
from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import TOO_SLOW, BackupList, Evidence
from backup_audit.probe.attempt import Attempt, Flight, Target
from backup_audit.probe.pacing import Deadline, Pace
from backup_audit.probe.schedule import LONGEST_WAIT, Probed, Schedule

# Results handed over together: waking the reader for each would cost as much as asking.
_TOGETHER = 16
_LOOKS_EVERY = 0.25  # seconds between the reader's looks at the clock
_BUFFERED_MAX = 50_000  # results and backups listed that wait for the reader; then workers wait too

Wait = Callable[[threading.Condition, float], object]


class BackupApi(Protocol):
    """The Cloud Controller, asked by several threads at the same time.

    A failure with one instance is evidence. Asking raises CredentialsRefused or
    ApiUnreachable if no token can be had.
    """

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, those for tokens included."""

    def list_backups(self, guid: str) -> Attempt:
        """Ask once for an instance's backups."""

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        """Ask once for the age of an instance with an empty list; return the evidence with it."""

    def cut(self) -> Sequence[int]:
        """End the requests whose time is over; return the threads that hang nevertheless."""

    def cut_all(self) -> None:
        """End all requests: nobody waits for their answers any more."""


class Engine:
    """Asks one API, at most `workers` requests at a time, and as many again that moved aside.

    `per_second` bounds the requests that start in a second; None: unbounded. `clock` gives
    the present in UTC. `wait` waits on a condition for so many seconds at most.
    """

    def __init__(
        self,
        api: BackupApi,
        deadline: Deadline,
        *,
        workers: int,
        per_second: float | None = None,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._deadline = deadline
        self._workers = workers
        self._per_second = per_second
        self._clock = clock
        self._monotonic = monotonic
        self._wait = wait
        self._jitter = jitter
        self.retries = 0

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, retries included."""
        return self._api.calls

    def probe(self, instances: Sequence[Instance]) -> Iterator[Probed]:
        """Yield every instance once with its evidence, in the order in which the answers come.

        Raises CredentialsRefused or ApiUnreachable if the API answers for no instance at all, and
        any unexpected error of a worker.
        """
        pace = Pace(self._workers, self._per_second)
        schedule = Schedule(
            instances, pace, workers=self._workers, ends_at=self._deadline.at, jitter=self._jitter
        )
        crew = _Crew(schedule, self._api, self._clock, self._monotonic, self._wait)
        try:
            yield from crew.results(min(self._workers, len(instances)))
        finally:
            crew.dismiss()
            self.retries += schedule.retries
        if schedule.failure is not None:
            raise schedule.failure


class _Crew:
    """The workers of one probe, and what they share with the reader.

    One idle worker, the `_leader`, waits for the time at which the schedule has work; the others
    wait to be woken.
    """

    def __init__(
        self,
        schedule: Schedule,
        api: BackupApi,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        wait: Wait,
    ) -> None:
        self._schedule = schedule
        self._api = api
        self._clock = clock
        self._monotonic = monotonic
        self._wait = wait
        lock = threading.Lock()
        self._lock = lock
        self._idle = threading.Condition(lock)
        self._time = threading.Condition(lock)
        self._reader = threading.Condition(lock)
        self._leader: int | None = None
        self._leads_until = 0.0
        self._threads: dict[int, threading.Thread] = {}
        self._flights: dict[int, Flight] = {}
        self._buffered = 0
        self._is_over = False
        self._error: Exception | None = None

    def results(self, size: int) -> Iterator[Probed]:
        """Yield the workers' results; raise the error that stopped one of them."""
        self._hire(size)
        while True:
            with self._lock:
                self._look()
                if not self._schedule.known and not self._schedule.is_done:
                    self._reader.wait(_LOOKS_EVERY)
                    self._look()
                found, self._schedule.known = self._schedule.known, []
                is_done = self._schedule.is_done
                if self._buffered >= _BUFFERED_MAX:
                    self._idle.notify_all()
                    self._time.notify()
                self._buffered = 0
            yield from found
            if is_done:
                return

    def dismiss(self) -> None:
        """Let the workers go. Those whose requests are still out are not waited for."""
        with self._lock:
            self._is_over = True
            self._idle.notify_all()
            self._time.notify_all()
            idle = [one for ident, one in self._threads.items() if ident not in self._flights]
        self._api.cut_all()
        for thread in idle:
            thread.join()

    def _hire(self, count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._work, name="probe", daemon=True)
            thread.start()
            self._threads[thread.ident or 0] = thread

    def _look(self) -> None:
        """Look at the clock: move aside, cut, give up, stop."""
        if self._error is not None:
            raise self._error
        now = self._monotonic()
        for ident in self._api.cut():
            flight = self._flights.get(ident)
            if flight is None or flight.is_over:
                continue
            self._schedule.give_up(flight, TOO_SLOW, self._clock(), now)
            if flight.is_aside:
                self._time.notify()
            else:
                self._hire(1)
        self._hire(self._schedule.move_aside(now))
        self._schedule.check(now)
        if self._schedule.is_closing:
            self._schedule.close(self._clock())

    def _work(self) -> None:
        me = threading.get_ident()
        flight = None
        try:
            while (flight := self._next(me)) is not None:
                attempt = self._ask(flight.target)
                if not self._end(me, flight, attempt):
                    return
        except AuditError as error:
            self._stop(error, flight)
        except Exception as error:  # noqa: BLE001  # raised again by the reader
            self._fail(error)
        finally:
            with self._lock:
                self._flights.pop(me, None)
                self._threads.pop(me, None)

    def _ask(self, target: Target) -> Attempt:
        if target.listing is None:
            return self._api.list_backups(target.guid)
        return self._api.add_age(target.guid, target.listing)

    def _next(self, me: int) -> Flight | None:
        """Wait for the next request to send; None if there is none for this worker any more."""
        with self._lock:
            while not self._is_over:
                now = self._monotonic()
                wait = LONGEST_WAIT
                if self._buffered < _BUFFERED_MAX:  # else the reader wakes us
                    flight = self._schedule.next(now)
                    if flight is not None:
                        self._flights[me] = flight
                        self._hand_on(me, now)
                        return flight
                    wait = self._schedule.wait(now)
                self._rest(me, now, wait)
        return None

    def _hand_on(self, me: int, now: float) -> None:
        """Wake another if there is more to do, or if this worker was the leader."""
        if self._leader == me:
            self._leader = None
            self._idle.notify()
        elif self._schedule.wait(now) == 0.0:
            self._idle.notify()

    def _rest(self, me: int, now: float, seconds: float) -> None:
        if self._leader in (None, me):
            self._leader = me
            self._leads_until = now + seconds
            self._wait(self._time, seconds)
            return
        if now + seconds < self._leads_until:
            self._time.notify()
        self._idle.wait()

    def _end(self, me: int, flight: Flight, attempt: Attempt) -> bool:
        """Hand a result over; return whether the worker goes on: another may have its place."""
        with self._lock:
            del self._flights[me]
            replaced = flight.is_aside or flight.is_over
            before = len(self._schedule.known)
            self._schedule.end(flight, attempt, self._monotonic())
            if replaced:
                self._time.notify()  # another sees what there is to ask again
            for _, evidence in self._schedule.known[before:]:
                answer = evidence.answer
                self._buffered += 1 + len(answer.backups) if isinstance(answer, BackupList) else 1
            enough = len(self._schedule.known) >= _TOGETHER or self._buffered >= _BUFFERED_MAX
            if enough or self._schedule.is_done:
                self._reader.notify()
            return not replaced

    def _stop(self, error: AuditError, flight: Flight | None) -> None:
        """Stop: there is no token. Results so far are reported; without an answer the run fails."""
        with self._lock:
            if not self._schedule.outage.answered_ever:
                self._error = self._error or error
            elif flight is not None:
                self._schedule.put_back(flight, str(error))
            self._reader.notify()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            self._error = self._error or error
            self._reader.notify()
