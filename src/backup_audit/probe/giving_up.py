"""The limits at which asking is given up. The schedule applies them.

Failures make an outage only if they come from all over the list: an instance that fails, or a
broker that hangs, says nothing about the API. In an outage one trial at a time goes out. An API
that had answered before is given PATIENCE to come back; then the run stops asking.
"""

from collections.abc import Collection

from backup_audit.errors import ApiUnreachable, AuditError, token_refused
from backup_audit.judge.evidence import Cause, Observation, Refusal, Silence
from backup_audit.probe.pacing import Outcome

ATTEMPTS_MAX = 5  # requests for one answer
THROTTLED_MAX = 12  # of those, if the last was answered 429: the API is up and serves others

# Requests for a silent instance; the second is sent after all others. No more repeats are sent once
# 2 x workers of them came to nothing.
SILENT_MAX = 2
FRUITLESS_REPEATS = 2  # times the workers

# Instances in a row for which our token is refused, after a renewal if there is one. A 401 comes
# before the Cloud Controller looks at the instance, so it says nothing about any of them.
REFUSALS_MAX = 3

# Times that a run answers a refusal with a new token. More would only burden UAA: a client without
# authorities gets a token each time, and 401 for each of them.
RENEWALS_MAX = 3
SILENT_TOKENS_MAX = 2  # times that UAA may let a request for a token time out

THROTTLED_IN_A_ROW = 3  # targets answered 429 with none answered meanwhile: then all are meant
QUARTERS = 4  # parts of the list that an outage must show in
FAILURES_IN_A_QUARTER = 2  # targets of each part
PATIENCE = 90.0  # seconds without an answer, for an API that had answered
PATIENCE_AT_START = 3.0  # seconds, for one that never has: a retry of the whole run costs nothing
_TRIALS_AFTER = (1.0, 2.0, 4.0, 5.0)  # seconds between trials; the last again and again


class Outage:
    """Failures alone, from all over the list, are an outage. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failed: list[set[str]] = [set() for _ in range(QUARTERS)]
        self._bad: set[str] = set()  # failed while others were answered: their own fault
        self._failing_since = 0.0
        self._throttled: set[str] = set()
        self._refusals = 0
        self._trials = 0
        self._trial_at = 0.0
        self._trial_began: float | None = None
        self.answered_ever = False
        self.is_on = False

    @property
    def is_suspected(self) -> bool:
        """Whether something failed and nothing was answered since."""
        return any(self._failed)

    @property
    def all_throttled(self) -> bool:
        """Whether the API seems to answer 429 for every instance."""
        return len(self._throttled) >= THROTTLED_IN_A_ROW

    @property
    def token_is_refused(self) -> bool:
        """Whether our token is refused for one instance after the other."""
        return self._refusals >= REFUSALS_MAX

    def wants(self, quarter: int) -> bool:
        """Whether more failures from that part are needed to call it an outage."""
        return len(self._failed[quarter]) < FAILURES_IN_A_QUARTER

    def least_tried(self, quarters: Collection[int]) -> int:
        """The part of the list with the fewest failures."""
        return min(quarters, key=lambda quarter: len(self._failed[quarter]))

    def wait(self, now: float) -> float | None:
        """In an outage, seconds until the next trial may start; None while one is under way."""
        return None if self._trial_began is not None else max(self._trial_at - now, 0.0)

    def start(self, now: float) -> None:
        self._trial_began = now

    def answered(self) -> None:
        """Note an answer of the Cloud Controller: earlier failures were no outage."""
        self.answered_ever = True
        for failed in self._failed:
            self._bad |= failed
            failed.clear()
        self._throttled.clear()
        self._refusals = self._trials = 0
        self._trial_began = None
        self.is_on = False

    def failed(self, key: str, quarter: int, outcome: Outcome, began: float) -> None:
        """Note a failed request for a target in that quarter of the list."""
        if outcome is Outcome.REFUSED:
            self._refusals += 1
            return
        if outcome is Outcome.THROTTLED:
            self._throttled.add(key)
        if key in self._bad:
            return
        if not self.is_suspected:
            self._failing_since = began
        self._failed[quarter].add(key)
        self.is_on = not any(self.wants(one) for one in range(QUARTERS))

    def next_trial(self, began: float, now: float) -> None:
        """Set when the next trial starts, after a request that began then failed in an outage."""
        if self._trials == 0 or began == self._trial_began:
            self._trial_began = None
            self._trial_at = now + _TRIALS_AFTER[min(self._trials, len(_TRIALS_AFTER) - 1)]
            self._trials += 1

    def held(self, until: float) -> None:
        """Note a pause that the API asked for; it is not held against the API."""
        self._throttled.clear()
        self._failing_since = max(self._failing_since, until)

    def silent_for(self, now: float) -> float | None:
        """Seconds of nothing but failures, in an outage."""
        return now - self._failing_since if self.is_on else None

    def is_too_long(self, now: float) -> bool:
        """Whether it lasts too long to go on asking."""
        silent = self.silent_for(now)
        patience = PATIENCE if self.answered_ever else PATIENCE_AT_START
        return silent is not None and silent >= patience


class Fruitless:
    """The failures of a run that has had no answer."""

    def __init__(self) -> None:
        self.asked = 0
        self._first: Observation[object] | None = None
        self._refusal: Observation[object] | None = None
        self._all_by_proxy = True

    def note(self, evidence: Observation[object]) -> None:
        """Count an instance without an answer; one that was not reached was not asked."""
        answer = evidence.answer
        if isinstance(answer, Silence) and answer.cause is Cause.NOT_REACHED:
            return
        self.asked += 1
        self._first = self._first or evidence
        if evidence.status == 401:
            self._refusal = self._refusal or evidence
        self._all_by_proxy &= isinstance(answer, Silence) and answer.by_proxy

    def error(self) -> AuditError | None:
        """Why the run fails; None if no instance was asked."""
        if self._refusal is not None:
            return token_refused(said(self._refusal), self.asked)
        if self._first is None:
            return None
        suspects = "CF_API_URL, the network and the API's health"
        if self._all_by_proxy:
            suspects = "PROXY_URL, and that the proxy lets us through to CF_API_URL"
        none = f"none of the {self.asked} instances asked got an answer"
        if self.asked == 1:
            none = "the instance asked got no answer"
        return ApiUnreachable(
            f"{none} from the Cloud Controller (the first: {said(self._first)}): check {suspects}"
        )


def said(evidence: Observation[object]) -> str:
    """What came instead of an answer, in a few words."""
    match evidence.answer:
        case Refusal(code=code, title=title):
            named = f" {title} {code}" if code is not None else ""
            return f"HTTP {evidence.status}{named}"
        case Silence(detail=detail):
            return detail
        case _:
            return "a list"
