"""The engine: asks the API for many things at the same time, and owns the time.

What it asks for is the backups of instances, and pages of the list of all instances. Workers are
threads. Each asks once for one thing and hands the result over; the schedule decides
what comes next. The reader, which takes the results, looks at the clock: it moves silent requests
aside and cuts those that exceed their time. A request that still hangs, in name resolution, say, is
left behind with its thread. At the end, hanging threads are not waited for.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Generic, Protocol

from backup_audit.errors import AuditError
from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import Sees
from backup_audit.judge.evidence import (
    TOO_SLOW,
    BackupList,
    Evidence,
    Observation,
    Refusal,
    Silence,
)
from backup_audit.probe.attempt import Attempt, Flight, InstanceTarget, Result, S, T
from backup_audit.probe.pacing import Deadline, Pace
from backup_audit.probe.page import Page, PageQuery, PageTarget
from backup_audit.probe.schedule import LONGEST_WAIT, Probed, Schedule

# Results handed over together: waking the reader for each would cost as much as asking.
_TOGETHER = 16
_LOOKS_EVERY = 0.25  # seconds between the reader's looks at the clock
_BUFFERED_MAX = 50_000  # results and what they list that wait for the reader; then workers wait too

Wait = Callable[[threading.Condition, float], object]
Paged = tuple[PageQuery, Observation[Page | Refusal | Silence]]


class BackupApi(Protocol):
    """The Cloud Controller, asked by several threads at the same time.

    A failure with one instance is evidence. Asking raises CredentialsRefused or
    ApiUnreachable if no token can be had.
    """

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, those for tokens included."""

    @property
    def sees(self) -> Sees:
        """What our client sees of the foundation; UNKNOWN before the first request."""

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        """Ask once for an instance's backups; None: as many as are listed by default."""

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        """Ask once for the age of an instance with an empty list; return the evidence with it."""

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        """Ask once for a page of the list of instances; `read` reads its body."""

    def cut(self) -> Sequence[int]:
        """End the requests whose time is over; return the threads that hang nevertheless."""

    def cut_all(self) -> None:
        """End all requests: nobody waits for their answers any more."""


class Engine:
    """Asks one API: `workers` requests at a time, and as many that moved aside.

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
        self._pace = Pace(workers, per_second)
        self._clock = clock
        self._monotonic = monotonic
        self._wait = wait
        self._jitter = jitter
        self._is_begun = False
        self.retries = 0  # requests sent again

    @property
    def calls(self) -> int:
        """HTTP requests sent, retries and those for tokens included."""
        return self._api.calls

    @property
    def sees(self) -> Sees:
        """What our client sees of the foundation; UNKNOWN before the first request."""
        return self._api.sees

    def now(self) -> datetime:
        """The present, in UTC."""
        return self._clock()

    def end_of_share(self, share: float) -> float:
        """When this share of the time that is left is over (monotonic seconds)."""
        now = self._monotonic()
        return now + share * (self._deadline.at - now)

    def probe(self, instances: Sequence[Instance]) -> Iterator[Probed]:
        """Yield every instance once with its evidence, in the order in which the answers come.

        Raises CredentialsRefused or ApiUnreachable if the API answers for no instance at all, and
        any unexpected error of a worker. An engine probes once: its requests are cut afterwards.
        """
        if self._is_begun:
            raise RuntimeError("an engine probes once")
        self._is_begun = True
        schedule = Schedule(
            instances,
            InstanceTarget,
            self._pace,
            ends_at=self._deadline.at,
            jitter=self._jitter,
        )
        try:
            yield from self._asked(schedule, fails=True)
        finally:
            self.close()
        if schedule.failure is not None:
            raise schedule.failure

    def ask(self, queries: Sequence[PageQuery], *, ends_at: float, over: str) -> Iterator[Paged]:
        """Yield every query once with the page, in the order in which the answers come.

        May be called again and again, until the engine probes. At `ends_at` (monotonic seconds),
        or at the run's end, the rest is not reached; `over` says why. It is not reached either if
        no token can be had. Raises any unexpected error of a worker.
        """
        if self._is_begun:
            raise RuntimeError("an engine asks for pages before it probes")
        ends_at = min(ends_at, self._deadline.at)
        schedule = Schedule(
            queries, PageTarget, self._pace, ends_at=ends_at, over=over, jitter=self._jitter
        )
        yield from self._asked(schedule, fails=False)

    def close(self) -> None:
        """Cut what is still under way: nobody waits for it any more."""
        self._api.cut_all()

    def _asked(
        self, schedule: Schedule[S, T], *, fails: bool
    ) -> Iterator[tuple[S, Observation[T | Refusal | Silence]]]:
        crew = _Crew(
            self._api,
            schedule,
            self._pace.ceiling,
            fails=fails,
            clock=self._clock,
            monotonic=self._monotonic,
            wait=self._wait,
        )
        try:
            yield from crew.results()
        finally:
            crew.let_go()
            self.retries += schedule.retries


class _Crew(Generic[S, T]):
    """The threads that ask for what one schedule has, `workers` at the most.

    If `fails`, an AuditError that stops a worker before the first answer is raised by the reader.
    """

    def __init__(
        self,
        api: BackupApi,
        schedule: Schedule[S, T],
        workers: int,
        *,
        fails: bool,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        wait: Wait,
    ) -> None:
        self._api = api
        self._schedule = schedule
        self._workers = workers
        self._fails = fails
        self._clock = clock
        self._monotonic = monotonic
        self._wait = wait
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._reader = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._flights: dict[int, Flight[S, T]] = {}  # by thread, those given up among them
        self._looked_at = math.inf  # when the next of the idle workers wakes by itself
        self._buffered = 0
        self._is_over = False
        self._error: Exception | None = None

    def results(self) -> Iterator[tuple[S, Observation[T | Refusal | Silence]]]:
        """Yield the workers' results; raise the error that stopped one of them."""
        schedule = self._schedule
        self._hire(min(self._workers, schedule.open))
        while True:
            with self._lock:
                self._look()
                if not schedule.known and not schedule.is_done:
                    self._reader.wait(_LOOKS_EVERY)
                    self._look()
                found, schedule.known = schedule.known, []
                is_done = schedule.is_done
                if self._buffered >= _BUFFERED_MAX:
                    self._idle.notify_all()
                self._buffered = 0
            yield from found
            if is_done:
                return

    def _look(self) -> None:
        """Look at the clock: move aside, cut, give up, stop."""
        if self._error is not None:
            raise self._error
        schedule, now = self._schedule, self._monotonic()
        for thread in self._api.cut():
            flight = self._flights.get(thread)
            if flight is None or flight.is_over:
                continue
            schedule.give_up(flight, TOO_SLOW, self._clock(), now)
            if flight.is_aside:
                self._idle.notify()
            else:
                self._hire(1)
        self._hire(schedule.move_aside(now))
        schedule.check(now)
        if schedule.is_closing:
            schedule.close(self._clock())

    def _hire(self, count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._work, name="probe", daemon=True)
            thread.start()
            self._threads.append(thread)

    def let_go(self) -> None:
        """Let the workers go. Those whose requests are still out are not waited for."""
        with self._lock:
            self._is_over = True
            self._schedule.abandon()
            self._idle.notify_all()
            idle = [one for one in self._threads if one.ident not in self._flights]
        for thread in idle:
            thread.join()

    def _work(self) -> None:
        flight = None
        try:
            while (flight := self._next()) is not None:
                if not self._end(flight, flight.target.ask(self._api)):
                    return
        except Exception as error:  # noqa: BLE001  # raised again by the reader
            self._stop(error, flight)
        finally:
            with self._lock:
                self._flights.pop(threading.get_ident(), None)

    def _next(self) -> Flight[S, T] | None:
        """Wait for the next request to send; None if there is none for this worker any more."""
        with self._lock:
            while not self._is_over:
                now = self._monotonic()
                wait = LONGEST_WAIT
                if self._buffered < _BUFFERED_MAX:  # else the reader wakes us
                    flight = self._schedule.next(now)
                    wait = self._schedule.wait(now)
                    if flight is not None:
                        self._flights[threading.get_ident()] = flight
                        if now + wait < self._looked_at:
                            self._idle.notify()
                        return flight
                self._rest(now, wait)
        return None

    def _rest(self, now: float, seconds: float) -> None:
        """Wait to be woken, and no longer than so if no other worker wakes by then."""
        if now + seconds >= self._looked_at:
            self._idle.wait()
            return
        self._looked_at = now + seconds
        self._wait(self._idle, seconds)
        self._looked_at = math.inf

    def _end(self, flight: Flight[S, T], attempt: Result[T]) -> bool:
        """Hand a result over; return whether the worker goes on: another may have its place."""
        schedule = self._schedule
        with self._lock:
            del self._flights[threading.get_ident()]
            replaced = flight.is_aside or flight.is_over
            before = len(schedule.known)
            schedule.end(flight, attempt, self._monotonic())
            if replaced:
                self._idle.notify()  # another sees what there is to ask again
            for _, evidence in schedule.known[before:]:
                self._buffered += _size(evidence.answer)
            enough = len(schedule.known) >= _TOGETHER or self._buffered >= _BUFFERED_MAX
            if enough or schedule.is_done:
                self._reader.notify()
            return not replaced

    def _stop(self, error: Exception, flight: Flight[S, T] | None) -> None:
        """Stop. If there is no token any more, results so far are reported; else the run fails."""
        with self._lock:
            goes_on = not self._fails or self._schedule.outage.answered_ever
            if isinstance(error, AuditError) and goes_on:
                if flight is not None:
                    self._schedule.put_back(flight, str(error))
            else:
                self._error = self._error or error
            self._reader.notify()


def _size(answer: object) -> int:
    """How much a result keeps in memory: itself, and what it lists."""
    match answer:
        case BackupList(backups=listed) | Page(rows=listed):
            return 1 + len(listed)
        case _:
            return 1
