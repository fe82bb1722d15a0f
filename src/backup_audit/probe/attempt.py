"""One request's result, and the state of an instance being asked."""

from datetime import datetime
from enum import Enum, auto

import msgspec

from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import Evidence, Silence, with_age
from backup_audit.probe.pacing import Outcome

# Backups; more than anybody keeps of a database, and as many as Cloud Foundry's other lists allow
# on a page, which is at most 5,000.
_LIMIT = 1000


class Again(Enum):
    """Whether a failed request is worth another."""

    NO = auto()
    SOON = auto()
    OFTEN = auto()  # 429: the API is up and serves others
    LATE = auto()  # it held a place for long: once all others have been asked


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The result of asking once: the evidence, and how to go on.

    `hold`: the seconds that the API asks us to wait. `requests`: how many HTTP requests it took.
    """

    evidence: Evidence
    outcome: Outcome
    again: Again = Again.NO
    hold: float | None = None
    requests: int = 1


class Target:
    """An instance that is being asked for, and what is known of it so far."""

    def __init__(self, instance: Instance, quarter: int, began: float) -> None:
        self.instance = instance
        self.quarter = quarter  # of the list, from 0
        self.began = began
        self.attempts = 0  # requests, the first for the age not counted
        self.counted = 0  # those that count against it
        self.is_known = False  # to the end: another request only shows whether the API answers
        self.repeats = 0  # of silence
        self.last: Evidence | None = None  # of what is asked for now: the list, or the age
        self.listing: Evidence | None = None  # an empty list, where the age may excuse it

    @property
    def guid(self) -> str:
        return self.instance.guid

    @property
    def limit(self) -> int | None:
        """How many backups to ask for at the most; None: as many as the API lists by default.

        Nobody documents how many that are: the forerunner listed 5. Nor is an order documented, so
        where more than one is wanted, the whole list is.
        """
        wanted = self.instance.policy.min_backups
        return max(wanted, _LIMIT) if wanted > 1 else None

    def silent(self, silence: Silence, taken: datetime) -> Evidence:
        """Evidence of no answer; after an empty list, of an age that is not known."""
        if self.listing is not None:
            return with_age(self.listing, None, silence.detail)
        return Evidence(
            answer=silence,
            observed_at=taken,
            attempts=self.last.attempts if self.last else 0,
            milliseconds=self.last.milliseconds if self.last else 0,
        )

    def with_effort(self, evidence: Evidence, now: float) -> Evidence:
        """The evidence with its effort: requests, and the time with the waits between."""
        milliseconds = round((now - self.began) * 1000)
        return msgspec.structs.replace(
            evidence, attempts=max(self.attempts, 1), milliseconds=milliseconds
        )


class Flight:
    """A request under way."""

    def __init__(self, target: Target, began: float) -> None:
        self.target = target
        self.began = began
        self.is_aside = False
        self.is_over = False
