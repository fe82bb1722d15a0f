"""What is asked for next, what again and when, and what is known in the end.

Pure: callers pass the time. The engine's threads carry out what it decides. Instances, or pages of
the list of all, are asked for in their order. Failures are retried after a wait, what was silent
after all others. A request that is silent for ASIDE_AFTER moves aside: its wait goes on, its place
is free.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from typing import Generic

from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import Cause, Evidence, Observation, Refusal, Silence
from backup_audit.probe.attempt import Again, Flight, Result, S, T, Target
from backup_audit.probe.giving_up import (
    FAILURES_IN_A_QUARTER,
    FRUITLESS_REPEATS,
    QUARTERS,
    THROTTLED_MAX,
    Fruitless,
    Outage,
)
from backup_audit.probe.pacing import Outcome, Pace, backoff

ASIDE_AFTER = 10.0  # seconds of silence; an API that works answers well within
_GOLDEN = 0.618  # of the golden ratio: its multiples spread evenly
LONGEST_WAIT = 60.0  # seconds, for what another request decides

Probed = tuple[Instance, Evidence]


class Schedule(Generic[S, T]):
    """What remains to be asked. Times are seconds on one monotonic clock, `ends_at` among them.

    `target` makes what is asked for a target; `open` counts those that are not known yet. `known`
    are the results that nobody has taken yet. `over` is the reason to stop at `ends_at`.
    """

    def __init__(
        self,
        subjects: Sequence[S],
        target: Callable[[S, int, float], Target[S, T]],
        pace: Pace,
        *,
        ends_at: float,
        over: str = "the run's time was over",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._pace = pace
        self._ends_at = ends_at
        self._over = over
        self._jitter = jitter
        self._fresh: list[deque[S]] = [deque() for _ in range(QUARTERS)]
        self._witnesses: list[deque[Target[S, T]]] = [
            deque(maxlen=FAILURES_IN_A_QUARTER) for _ in range(QUARTERS)
        ]
        for place, subject in enumerate(subjects):
            self._fresh[place * QUARTERS // len(subjects)].append(subject)
        self.open = len(subjects)
        self._soon: list[tuple[float, int, Target[S, T]]] = []
        self._late: deque[Target[S, T]] = deque()
        self._flights: dict[Flight[S, T], None] = {}  # in the order in which they began
        self._aside = 0
        self._fruitless_repeats = 0
        self._entries = 0
        self._trials = 0
        self._fruitless = Fruitless()
        self.outage = Outage()
        self.known: list[tuple[S, Observation[T | Refusal | Silence]]] = []
        self.retries = 0
        self.why_stopped: str | None = None
        self._is_late = False

    @property
    def is_done(self) -> bool:
        return self.open == 0

    @property
    def failure(self) -> Exception | None:
        """Why the run fails if nothing at all was answered; None otherwise."""
        return None if self.outage.answered_ever else self._fruitless.error()

    def next(self, now: float) -> Flight[S, T] | None:
        """Begin the next request, if one may begin now."""
        self.check(now)
        if self.wait(now) > 0:
            return None
        target = self._witness() or self._take(now)
        if target is None:
            return None
        flight = Flight(target, now)
        self._flights[flight] = None
        self._pace.start(now)
        if self.outage.is_on:
            self.outage.start(now)
        return flight

    def wait(self, now: float) -> float:
        """Seconds until a request may begin as far as is known now; 0: at once."""
        if self.why_stopped is not None:
            return LONGEST_WAIT
        waits = [self._pace.wait(now)]
        if self.outage.is_on:
            waits.append(self.outage.wait(now))
        elif not (any(self._fresh) or self._late):
            waits.append(self._soon[0][0] - now if self._soon else None)
        return max(LONGEST_WAIT if wait is None else wait for wait in waits)

    def end(self, flight: Flight[S, T], attempt: Result[T], now: float) -> None:
        """Take in a request's result. Ignore it if the request was given up."""
        if flight.is_over:
            return
        self._land(flight)
        in_outage = self._judge_api(flight, attempt, now)
        target = flight.target
        if not target.is_known:
            self._judge_target(target, attempt, now, in_outage=in_outage)
        if target.is_known and attempt.outcome is Outcome.ANSWERED:
            self._witnesses[target.quarter].append(target)

    def give_up(self, flight: Flight[S, T], silence: Silence, taken: datetime, now: float) -> None:
        """Stop waiting for a request, whatever it hangs in; `taken` is in UTC."""
        evidence = flight.target.silent(silence, taken)
        attempt = Result(evidence=evidence, outcome=Outcome.SILENT, again=Again.LATE)
        self.end(flight, attempt, now)

    def move_aside(self, now: float) -> int:
        """Move requests aside that have been silent for long; return how many."""
        moved = 0
        for flight in self._flights:
            if now - flight.began < ASIDE_AFTER or self._aside >= self._pace.ceiling:
                break
            if not flight.is_aside:
                flight.is_aside = True
                self._aside += 1
                self._pace.leave()
                moved += 1
        return moved

    def check(self, now: float) -> None:
        """Stop if the time is over, or nothing was answered for too long."""
        if now >= self._ends_at or self.outage.is_too_long(now):
            silent = self.outage.silent_for(now)
            down = None if silent is None else f"the API had answered nothing for {silent:.0f} s"
            self.stop(down or self._over)
            self._is_late = True

    def stop(self, reason: str) -> None:
        """Begin nothing more; requests under way may still end."""
        self.why_stopped = self.why_stopped or reason

    def put_back(self, flight: Flight[S, T], why: str) -> None:
        """Stop, since nothing can be asked for, and put this one back."""
        self.stop(why)
        if not flight.is_over:
            self._land(flight)
            if not flight.target.is_known:
                self._push(flight.target, ready_at=0.0)

    def abandon(self) -> None:
        """Wait for no request any more, and free their places."""
        for flight in [*self._flights]:
            self._land(flight)

    @property
    def is_closing(self) -> bool:
        """Whether nothing will come any more that is worth waiting for."""
        return self.why_stopped is not None and (self._is_late or not self._flights)

    def close(self, taken: datetime) -> None:
        """Settle everything with what is known. What is unanswered is NOT_REACHED.

        So are failures of an outage that lasts: they are no fault of the instance.
        """
        silence = Silence(Cause.NOT_REACHED, self.why_stopped or "the run was given up")
        for flight in [*self._flights]:
            self._land(flight)
            if not flight.target.is_known:
                evidence = flight.target.silent(silence, taken)
                self._know(flight.target, flight.target.with_effort(evidence, flight.began))
        waiting = (target for _, _, target in self._soon)
        api_died = self.outage.is_on and self.outage.answered_ever
        for target in chain(waiting, self._late):
            last = None if api_died else target.last
            self._know(target, last or target.silent(silence, taken))
        for quarter, fresh in enumerate(self._fresh):
            for subject in fresh:
                target = self._target(subject, quarter, self._ends_at)
                self._know(target, target.silent(silence, taken))
            fresh.clear()
        self._soon.clear()
        self._late.clear()

    def _take(self, now: float) -> Target[S, T] | None:
        """The next target: one due again, else the next of the list, else a silent one."""
        if self.outage.is_suspected and (elsewhere := self._from_another_quarter(now)):
            return elsewhere
        if self._soon and (self._soon[0][0] <= now or self.outage.is_on):
            return heapq.heappop(self._soon)[2]
        for quarter, fresh in enumerate(self._fresh):
            if fresh:
                return self._target(fresh.popleft(), quarter, now)
        if self._late:
            target = self._late.popleft()
            target.repeats += 1
            return target
        return None

    def _from_another_quarter(self, now: float) -> Target[S, T] | None:
        """While only failures come: a target from a part of the list with fewer failures."""
        wanted = [n for n in range(QUARTERS) if self._fresh[n] and self.outage.wants(n)]
        if not wanted:
            return None
        self._trials += 1
        quarter = self.outage.least_tried(wanted)
        fresh = self._fresh[quarter]
        place = int(len(fresh) * (self._trials * _GOLDEN % 1))  # whatever pattern the list has
        target = self._target(fresh[place], quarter, now)
        del fresh[place]
        return target

    def _witness(self) -> Target[S, T] | None:
        """What was answered, asked for again to see whether the API answers at all.

        Only while nothing but failures comes, and a part of the list has no other target.
        """
        if not self.outage.is_suspected or self.outage.is_on:
            return None
        wanted = [quarter for quarter in range(QUARTERS) if self.outage.wants(quarter)]
        if len(wanted) == QUARTERS or any(self._fresh[quarter] for quarter in wanted):
            return None
        there = (self._witnesses[quarter] for quarter in wanted if self._witnesses[quarter])
        witnesses = next(there, None)
        return witnesses.popleft() if witnesses else None

    def _land(self, flight: Flight[S, T]) -> None:
        flight.is_over = True
        del self._flights[flight]
        if flight.is_aside:
            self._aside -= 1
        else:
            self._pace.leave()

    def _judge_api(self, flight: Flight[S, T], attempt: Result[T], now: float) -> bool:
        """Note what a request says about the API; return whether there is an outage."""
        self._pace.note(attempt.outcome, flight.began, now)
        if attempt.outcome is Outcome.ANSWERED:
            self.outage.answered()
            return False
        was_on = self.outage.is_on
        target = flight.target
        self.outage.failed(target.key, target.quarter, attempt.outcome, flight.began)
        if self.outage.token_is_refused:
            self.stop("the Cloud Controller refuses our token")
        if attempt.hold is not None and self.outage.all_throttled:
            self._hold_all(attempt.hold, now)
        if self.outage.is_on:
            if not was_on:
                self._pace.slow_down()
            self.outage.next_trial(flight.began, now)
        return self.outage.is_on

    def _hold_all(self, seconds: float, now: float) -> None:
        until = now + seconds
        self._pace.hold(until)
        self.outage.held(until)
        if until >= self._ends_at:
            left = self._ends_at - now
            self.stop(f"the API asks to wait {seconds:.0f} s, the run has {left:.0f} s left")

    def _judge_target(
        self, target: Target[S, T], attempt: Result[T], now: float, *, in_outage: bool
    ) -> None:
        """Settle what is known of a target, or put it back to be asked for again."""
        self.retries += target.last is not None
        target.attempts += attempt.requests
        target.counted += not in_outage
        target.last = target.with_effort(attempt.evidence, now)
        if target.repeats and attempt.again is Again.LATE:
            self._fruitless_repeats += 1
        if target.goes_on():
            target.counted = 0
            self._push(target, now)
        elif not self._ask_again(target, attempt, now, in_outage=in_outage):
            self._know(target, target.last)
        if not self._may_repeat:
            self._end_repeats()

    def _ask_again(
        self, target: Target[S, T], attempt: Result[T], now: float, *, in_outage: bool
    ) -> bool:
        """Put a target back if it is worth another request; return whether it was."""
        if attempt.again is Again.LATE and not in_outage:
            if target.repeats < target.silent_max - 1 and self._may_repeat:
                self._late.append(target)
                return True
            return False
        most = THROTTLED_MAX if attempt.again is Again.OFTEN else target.attempts_max
        if attempt.again is Again.NO or target.counted >= most:
            return False
        wait = attempt.hold
        if wait is None:
            wait = backoff(max(target.attempts, 1), self._jitter())
        if now + wait >= self._ends_at:
            return False
        self._push(target, now + wait)
        return True

    def _push(self, target: Target[S, T], ready_at: float) -> None:
        self._entries += 1
        heapq.heappush(self._soon, (ready_at, self._entries, target))

    def _know(self, target: Target[S, T], evidence: Observation[T | Refusal | Silence]) -> None:
        if not self.outage.answered_ever:
            self._fruitless.note(evidence)
        target.is_known = True
        self.open -= 1
        self.known.append((target.subject, evidence))

    @property
    def _may_repeat(self) -> bool:
        return self._fruitless_repeats < FRUITLESS_REPEATS * self._pace.ceiling

    def _end_repeats(self) -> None:
        """Repeat no silent request any more: what is known of those is final."""
        for target in self._late:
            if target.last is not None:
                self._know(target, target.last)
        self._late.clear()
