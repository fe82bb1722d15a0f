"""One request's result, and the state of what is being asked for."""

from abc import ABC, abstractmethod
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import msgspec

from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import (
    BackupList,
    Evidence,
    Observation,
    Refusal,
    Silence,
    UserProvided,
    with_age,
)
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX
from backup_audit.probe.pacing import Outcome

if TYPE_CHECKING:
    from backup_audit.probe.engine import BackupApi

S = TypeVar("S")  # what is asked for: an instance, or a page of a list
T = TypeVar("T")  # what the Cloud Controller gives for it

# Backups; more than anybody keeps of a database, and as many as Cloud Foundry's other lists allow
# on a page, which is at most 5,000.
_LIMIT = 1000


class Again(Enum):
    """Whether a failed request is worth another."""

    NO = auto()
    SOON = auto()
    OFTEN = auto()  # 429: the API is up and serves others
    LATE = auto()  # it held a place for long: once all others have been asked


class Result(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The result of asking once: the evidence, and how to go on.

    `hold`: the seconds that the API asks us to wait. `requests`: how many HTTP requests it took.
    """

    evidence: Observation[T | Refusal | Silence]
    outcome: Outcome
    again: Again = Again.NO
    hold: float | None = None
    requests: int = 1


Attempt = Result[BackupList | UserProvided]  # of an instance's backups


class Target(ABC, Generic[S, T]):
    """What is being asked for, and what is known of it so far."""

    attempts_max: int = ATTEMPTS_MAX  # requests, if none of them was answered
    silent_max: ClassVar[int] = SILENT_MAX  # of those, if the API was silent

    def __init__(self, subject: S, quarter: int, began: float) -> None:
        self.subject = subject
        self.quarter = quarter  # of the list, from 0
        self.began = began
        self.attempts = 0  # requests
        self.counted = 0  # those that count against it
        self.is_known = False  # to the end: another request only shows whether the API answers
        self.repeats = 0  # of silence
        self.last: Observation[T | Refusal | Silence] | None = None  # of what is asked for now

    @property
    @abstractmethod
    def key(self) -> str:
        """What tells it from the others of its list."""

    @abstractmethod
    def ask(self, api: "BackupApi") -> Result[T]:
        """Ask once."""

    def goes_on(self) -> bool:
        """Whether another request belongs to it, after what was answered last."""
        return False

    def silent(self, silence: Silence, taken: datetime) -> Observation[T | Refusal | Silence]:
        """Evidence of no answer."""
        return Observation(
            answer=silence,
            observed_at=taken,
            attempts=self.last.attempts if self.last else 0,
            milliseconds=self.last.milliseconds if self.last else 0,
        )

    def with_effort(
        self, evidence: Observation[T | Refusal | Silence], now: float
    ) -> Observation[T | Refusal | Silence]:
        """The evidence with its effort: requests, and the time with the waits between."""
        milliseconds = round((now - self.began) * 1000)
        return msgspec.structs.replace(
            evidence, attempts=max(self.attempts, 1), milliseconds=milliseconds
        )


class InstanceTarget(Target[Instance, BackupList | UserProvided]):
    """An instance that is asked for its backups and, if it has none, for its age.

    The age is asked for only where it may excuse an empty list, and the inventory has not told it.
    """

    def __init__(self, subject: Instance, quarter: int, began: float) -> None:
        super().__init__(subject, quarter, began)
        self.listing: Evidence | None = None  # an empty list, where the age may excuse it

    @property
    def key(self) -> str:
        return self.subject.guid

    @property
    def limit(self) -> int | None:
        """How many backups to ask for at the most; None: as many as the API lists by default.

        Nobody documents how many that are: the forerunner listed 5. Nor is an order documented, so
        where more than one is wanted, the whole list is.
        """
        wanted = self.subject.policy.min_backups
        return max(wanted, _LIMIT) if wanted > 1 else None

    def ask(self, api: "BackupApi") -> Attempt:
        if self.listing is None:
            return api.list_backups(self.subject.guid, self.limit)
        return api.add_age(self.subject.guid, self.listing)

    def goes_on(self) -> bool:
        if self.last is None or self.listing is not None or not self.subject.policy.grace:
            return False
        answer = self.last.answer
        if not isinstance(answer, BackupList) or answer.backups or answer.more is not None:
            return False
        if self.subject.created_at is not None:
            self.last = with_age(self.last, self.subject.created_at)
            return False
        self.listing, self.last = self.last, None
        self.attempts -= 1  # the first for the age is not counted
        return True

    def silent(self, silence: Silence, taken: datetime) -> Evidence:
        """Evidence of no answer; after an empty list, of an age that is not known."""
        if self.listing is not None:
            return with_age(self.listing, None, silence.detail)
        return super().silent(silence, taken)


class Flight(Generic[S, T]):
    """A request under way."""

    def __init__(self, target: Target[S, T], began: float) -> None:
        self.target = target
        self.began = began
        self.is_aside = False
        self.is_over = False
