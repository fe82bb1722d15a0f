"""The verdicts, and the rules that reach them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from backup_audit.fleet.policy import Policy
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import (
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    UnreadableBackup,
    UserProvided,
)
from backup_audit.judge.interval import usual_interval
from backup_audit.text import brief_duration, compared_duration, format_duration, rough_duration


class Severity(StrEnum):
    """How urgent a message is, the most urgent first; consumers filter on it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Verdict(StrEnum):
    """What the evidence proves about an instance; worst first, which is the order of reports."""

    NEVER_BACKED_UP = "never_backed_up"
    STALE = "stale"
    UNSUPPORTED = "unsupported"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"
    IN_GRACE = "in_grace"
    HEALTHY = "healthy"

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look at the instance."""
        return self not in (Verdict.IN_GRACE, Verdict.HEALTHY)

    @property
    def severity(self) -> Severity:
        """Missing backups are critical, other problems are warnings."""
        if self in (Verdict.NEVER_BACKED_UP, Verdict.STALE):
            return Severity.CRITICAL
        return Severity.WARNING if self.is_problem else Severity.INFO

    @property
    def rank(self) -> int:
        """Place in a report, 0 for the worst."""
        return _ORDER[self]


def severity_of(severities: Iterable[Severity]) -> Severity:
    """The most urgent of them; `info` if there is none."""
    return min(severities, key=list(Severity).index, default=Severity.INFO)


_ORDER = {verdict: rank for rank, verdict in enumerate(Verdict)}


_CF_NOT_FOUND = 10010  # CF-ResourceNotFound: gone, or not visible to our client
CF_NO_ROUTE = 10000  # CF-NotFound: this Cloud Controller has no backups endpoint
UNBELIEVABLE = "with an unbelievable time"
"""The words by which a reason says that the time of a backup cannot be believed."""

_CF_BROKER_BUSY = "CF-ConcurrencyError"  # a 422 that passes: docs/decisions/0003-verdicts.md


class Judgement(msgspec.Struct, frozen=True):
    """A verdict and, in one sentence, why.

    `newest` is when the newest backup was made, `usual_interval` the usual time from
    one to the next; None if the list does not show it.
    """

    verdict: Verdict
    reason: str
    newest: datetime | None = None
    usual_interval: timedelta | None = None


def judge(
    evidence: Evidence, policy: Policy, as_of: datetime | None = None, *, is_absent: bool = False
) -> Judgement:
    """Judge one instance, at `as_of` (aware), or when the evidence was taken.

    Backups made after `as_of` and before the evidence did not exist yet: they are left out. Others
    may have expired meanwhile: docs/decisions/0003-verdicts.md says what is proved nevertheless.
    `is_absent`: a complete inventory lacks it, which changes the words of a reason and no verdict.
    """
    match evidence.answer:
        case BackupList() as listing:
            return _judge_list(listing, policy, evidence.observed_at, as_of)
        case Refusal() as refusal:
            return _judge_refusal(evidence.status, refusal, is_absent=is_absent)
        case Silence(cause=Cause.NOT_REACHED, detail=detail):
            return Judgement(Verdict.UNKNOWN, f"not reached: {detail}")
        case Silence(detail=detail):
            return Judgement(Verdict.UNKNOWN, f"no usable answer from the API: {detail}")
        case UserProvided():
            reason = "a user-provided instance: no broker backs it up"
            return Judgement(Verdict.UNSUPPORTED, reason)
        case _ as unreachable:
            assert_never(unreachable)


def _judge_list(
    listing: BackupList, policy: Policy, now: datetime, as_of: datetime | None
) -> Judgement:
    believable, unbelievable = _sorted_out(listing, now)
    moment = as_of or now
    is_earlier = moment < now
    existing = [when for when in believable if not is_earlier or when <= moment]
    if not existing and not unbelievable:
        if is_earlier:
            return _judge_none_left(listing, policy, moment, believable)
        return _judge_none(listing, policy, moment)
    newest = max(existing, default=None)
    young = newest is not None and moment - newest <= policy.max_age
    enough = len(existing) >= policy.min_backups
    goes_on = _goes_on(listing)
    usual = None if goes_on else usual_interval(existing)
    reason = _described(newest, usual, len(existing), policy, moment)
    if young and enough:
        return Judgement(Verdict.HEALTHY, reason + _doubts(unbelievable), newest, usual)
    if unbelievable or goes_on:
        return Judgement(Verdict.UNKNOWN, reason + _doubts(unbelievable) + goes_on, newest, usual)
    if is_earlier and young:  # a newest one that is old proves more: the oldest expire first
        unsure = f"; the list of today does not show how many there were at {_instant(moment)}"
        return Judgement(Verdict.UNKNOWN, reason + unsure, newest, usual)
    return Judgement(Verdict.STALE, reason, newest, usual)


def _sorted_out(listing: BackupList, now: datetime) -> tuple[list[datetime], list[str]]:
    """Separate the believable times from the reasons against the others."""
    believable: list[datetime] = []
    unbelievable: list[str] = []
    for backup in listing.backups:
        match backup:
            case Backup(created_at=when) if when - now > CLOCK_SKEW:
                ahead = brief_duration(when - now)
                unbelievable.append(f"created_at is {ahead} in the future")
            case Backup(created_at=when):
                believable.append(when)
            case UnreadableBackup(why=why):
                unbelievable.append(why)
    return believable, unbelievable


def _judge_none_left(
    listing: BackupList, policy: Policy, moment: datetime, made_later: Sequence[datetime]
) -> Judgement:
    """None is listed that existed at that earlier moment: it is proved only if none was needed."""
    created_at = listing.instance_created_at
    if policy.grace and created_at is not None and moment - created_at <= policy.grace:
        age = moment - created_at
        was = f"was made {brief_duration(-age)} later"
        if age >= timedelta(0):
            was = f"was {compared_duration(age, policy.grace)} old"
        reason = f"the instance {was}, grace is {format_duration(policy.grace)}"
        return Judgement(Verdict.IN_GRACE, reason)
    shown = "it is empty"
    if made_later:
        later = brief_duration(min(made_later) - moment)
        shown = f"the oldest of the {_backups(len(made_later))} listed was made {later} later"
    lost = f"the list of today no longer shows what existed at {_instant(moment)}: {shown}"
    return Judgement(Verdict.UNKNOWN, lost)


def _judge_none(listing: BackupList, policy: Policy, moment: datetime) -> Judgement:
    empty = "the list of backups is empty"
    goes_on = _goes_on(listing)
    if goes_on:
        return Judgement(Verdict.UNKNOWN, empty + goes_on)
    if not policy.grace:
        return Judgement(Verdict.NEVER_BACKED_UP, empty)
    if listing.age_missing is not None:
        unknown = f"{empty}, and the instance's age could not be found out: {listing.age_missing}"
        return Judgement(Verdict.UNKNOWN, unknown)
    if listing.instance_created_at is None:
        unread = f"{empty}, and no grace is given because the instance's age could not be read"
        return Judgement(Verdict.NEVER_BACKED_UP, unread)
    age = moment - listing.instance_created_at
    shown = compared_duration(age, policy.grace)
    known = f"{empty}, the instance is {shown} old, grace is {format_duration(policy.grace)}"
    return Judgement(Verdict.IN_GRACE if age <= policy.grace else Verdict.NEVER_BACKED_UP, known)


def _described(
    newest: datetime | None,
    usual: timedelta | None,
    count: int,
    policy: Policy,
    moment: datetime,
) -> str:
    if newest is None:
        return "no backup with a believable time"
    age = compared_duration(moment - newest, policy.max_age)
    said = f"newest backup is {age} old, max_age is {format_duration(policy.max_age)}"
    if usual is not None:
        said += f", usually every {rough_duration(usual)}"
    if count < policy.min_backups:
        return f"only {_backups(count)}, min_backups is {policy.min_backups}; {said}"
    return f"{said}; {_backups(count)} listed"


def _goes_on(listing: BackupList) -> str:
    """Why there may be backups that are not listed; empty if nothing speaks for it."""
    if listing.more is not None:
        return f"; the list goes on: {listing.more}"
    if listing.limit is not None and len(listing.backups) >= listing.limit:
        return f"; the list may have been cut at limit {listing.limit}"
    return ""


def _doubts(unbelievable: list[str]) -> str:
    if not unbelievable:
        return ""
    return f"; {_backups(len(unbelievable))} {UNBELIEVABLE}: {unbelievable[0]}"


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _backups(count: int) -> str:
    return "1 backup" if count == 1 else f"{count} backups"


def _judge_refusal(status: int | None, refusal: Refusal, *, is_absent: bool) -> Judgement:
    said = f"HTTP {status}{_error(refusal)}"
    is_broker_busy = refusal.title == _CF_BROKER_BUSY
    if status == 422 and refusal.is_of_cloud_foundry and not is_broker_busy:
        return Judgement(Verdict.UNSUPPORTED, f"backups are not supported: {said}")
    if status == 404 and refusal.code == _CF_NOT_FOUND:
        gone = "gone, or not visible to our client:"
        if is_absent:
            gone = "gone: the foundation lists it no longer, and answers"
        return Judgement(Verdict.NOT_FOUND, f"{gone} {said}")
    return Judgement(Verdict.UNKNOWN, f"{_meaning(status, refusal)}: {said}")


def _error(refusal: Refusal) -> str:
    title = f" {refusal.title}" if refusal.title else ""
    code = f" ({refusal.code})" if refusal.code is not None else ""
    named = title + code or " without a Cloud Foundry error"
    return f'{named}, "{refusal.detail}"' if refusal.detail else named


def _meaning(status: int | None, refusal: Refusal) -> str:
    if status == 404 and refusal.code == CF_NO_ROUTE:
        return "this Cloud Controller has no backups endpoint"
    if status is not None and 300 <= status < 400:
        return "the API redirects, which is not followed"
    return _MEANINGS.get(status, "the API gives no list of backups")


_MEANINGS: dict[int | None, str] = {
    401: "the API does not accept our token",
    403: "our client lacks the permission",
    404: "no route to the API, or a wrong address",
    409: "the instance is being changed",
    429: "the API's rate limit is used up",
}
