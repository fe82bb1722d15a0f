"""Who is notified of what in a run, and what of it is remembered: pure.

A report is committed before anybody is notified, so it holds decisions. The marks beside it prove
for each audience that its messages are out. Without a mark, what the report had decided is due
again in the next run: `news_from` says from which due time on. docs/decisions/0004-messages.md has
the reasons.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from backup_audit.fleet.inventory import Read
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.groups import Group

PLATFORM = ""  # the reader of everything; the others are owners

# Owners that get digests of their own; a reader takes some 150 bytes in the head of each report.
OWNERS_MAX = 1_000

# A daily run in local time comes 23 hours after the last one once a year, and a scheduler may be
# minutes late: a reminder is due a little before its time.
_SLACK_SHARE = 10
_SLACK_MAX = timedelta(hours=1)


class Audience(StrEnum):
    """The kinds of readers; each has a topic and a mark of its own."""

    PEOPLE = "people"
    EVENTS = "events"
    CHAT = "chat"

    @property
    def mark(self) -> str:
        """The object beside a report that says that all its messages are out."""
        return f"notified-{self}.json"

    @property
    def failure_mark(self) -> str:
        """The object where a failed run's report would be: this audience was notified of it."""
        return f"notified-run_failed-{self}.json"


class Reason(StrEnum):
    """Why a digest goes out; consumers filter on it."""

    OPENED = "opened"
    WORSENED = "worsened"
    ENDED = "ended"
    REMINDER = "reminder"
    ALL_CLEAR = "all_clear"
    INCOMPLETE = "incomplete"
    COMPLETE = "complete"  # again, after an incomplete run
    RECOVERED = "recovered"
    LOST_ROLE = "lost_role"
    LEFT_FLEET = "left_fleet"
    NEW_UNAUDITED = "new_unaudited"
    FIRST_UNAUDITED = "first_unaudited"


class ReaderState(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader of digests was notified of.

    `digest_at` is the due time of the last run that decided on a digest, `why` its reasons.
    `episode` is the due time of the run that named the first problem since the all-clear before;
    null if none ever did. `cleared`: since then all was clear, and was said to be. `all_clear_at`
    is the due time of the last run that said so, be it to some audiences alone; null if none did.
    """

    digest_at: datetime | None
    why: tuple[Reason, ...]
    episode: datetime | None
    cleared: bool
    all_clear_at: datetime | None = None

    def is_owed(self, owed_from: datetime) -> bool:
        """Whether a digest was decided on then or later."""
        return self.digest_at is not None and self.digest_at >= owed_from

    def was_clear_since(self, notified_at: datetime | None) -> bool:
        """Whether all was said to be clear after the run that first named a problem."""
        known = self.all_clear_at
        return known is not None and notified_at is not None and known >= notified_at

    @property
    def begins_anew(self) -> bool:
        """Whether the next problem that is named begins an episode: all of it is news then."""
        if self.episode is None:
            return True
        return self.all_clear_at is not None and self.all_clear_at > self.episode


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report decided on notifying, and what the next run goes on with.

    `news_from`, for each audience, is the due time from which on what was decided is news to it.
    `reminded_at` is when programs were last reminded of what is open, `incomplete_since` when runs
    began to be incomplete: due times too. Maps have texts for keys, so that an audience of a newer
    version is no fault. `reminds_of_each`: whether there are few enough events to remind programs
    of single problems. A reader is "" (the platform) or an owner. `added_at` is the due time of the
    first run that had each audience.
    """

    news_from: Mapping[str, datetime]
    added_at: Mapping[str, datetime] = {}
    remind_every_seconds: int
    per_owner: bool
    readers: dict[str, ReaderState] = {}
    groups: list[Group] = []
    reminded_at: datetime | None = None
    reminds_of_each: bool = True
    incomplete_since: datetime | None = None
    lost_role: bool = False

    @property
    def owed_from(self) -> datetime:
        """What was decided from then on, some audience has not been notified of."""
        return min(self.news_from.values())

    def is_new(self, audience: Audience) -> bool:
        """Whether nothing was ever heard by this audience: all that is open is news to it."""
        added_at = self.added_at.get(audience)
        return added_at is not None and self.news_from.get(audience) == added_at

    def gets_digest(self, audience: Audience, reader: str) -> bool:
        """Whether a digest for this reader goes to this audience."""
        state, news_from = self.readers.get(reader), self.news_from.get(audience)
        return state is not None and news_from is not None and state.is_owed(news_from)


def fleet_reasons(record: InventoryRecord | None) -> tuple[Reason, ...]:
    """What the inventory of a full run says that people should hear, whatever the findings are."""
    if record is None:
        return ()
    unaudited = record.unaudited
    is_first = record.appeared is None and record.read is Read.COMPLETE
    what = {
        Reason.LOST_ROLE: record.lost > 0,
        Reason.LEFT_FLEET: any(one.count for one in record.left or ()),
        Reason.NEW_UNAUDITED: unaudited is not None and unaudited.new > 0,
        Reason.FIRST_UNAUDITED: is_first and unaudited is not None and unaudited.count > 0,
    }
    return tuple(reason for reason, there_is in what.items() if there_is)


class Found(msgspec.Struct, kw_only=True):
    """What a run found for one reader.

    Of the problems that are open and not muted, `named` are those that messages name; the others
    are of instances being deleted. `opened`, `again` (named again, after an all-clear), `worsened`
    and `ended` count what is news.
    """

    open: int = 0
    named: int = 0
    opened: int = 0
    again: int = 0
    worsened: int = 0
    ended: int = 0


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run as a whole when it decides whom to notify.

    `is_certain`: it is complete, each instance was audited, and the inventory is known. `fleet` has
    the reasons that the inventory gives.
    """

    due_at: datetime
    is_full: bool
    notifies: bool
    complete: bool
    is_certain: bool
    fleet: tuple[Reason, ...]


def planned(
    due_at: datetime,
    audiences: tuple[Audience, ...],
    remind_every_seconds: int,
    *,
    per_owner: bool,
    before: Alerts | None,
    marked: frozenset[Audience],
) -> Alerts:
    """What a run goes on with: from the last full report, and the marks that stand beside it."""
    ours = Alerts(
        news_from={one.value: due_at for one in audiences},
        added_at={one.value: due_at for one in audiences},
        remind_every_seconds=remind_every_seconds,
        per_owner=per_owner,
    )
    if before is None:
        return ours
    owed = {one: at for one, at in before.news_from.items() if one not in marked}
    return msgspec.structs.replace(
        before,
        news_from={one.value: owed.get(one, due_at) for one in audiences},
        added_at={one.value: before.added_at.get(one, due_at) for one in audiences},
        remind_every_seconds=remind_every_seconds,
        per_owner=per_owner,
        groups=[one for one in before.groups if _is_owed(one, owed.get(Audience.EVENTS))],
    )


def _is_owed(group: Group, owed_from: datetime | None) -> bool:
    """Whether a group is open, or programs have not heard of its end."""
    ended = group.end_notified_at
    return ended is None or (owed_from is not None and ended >= owed_from)


def is_reminder_due(since: datetime, now: datetime, remind_every: timedelta) -> bool:
    """Whether it is time to say again what was said then."""
    slack = min(remind_every / _SLACK_SHARE, _SLACK_MAX)
    return now - since >= remind_every - slack


def decided(
    before: Alerts,
    found: Mapping[str, Found],
    audited: Audited,
    *,
    groups: list[Group],
    reminds_of_each: bool,
) -> Alerts:
    """What a run decides on notifying; `before` is what it goes on with.

    A run that notifies nobody decides nothing.
    """
    if not audited.notifies:
        return before
    due_at, is_open = audited.due_at, found.get(PLATFORM, Found()).named > 0
    reminds = is_open and reminds_programs(before, due_at)
    if not audited.is_full:
        return msgspec.structs.replace(before, readers=_of_this_run_alone(found, audited))
    incomplete_since = None if audited.complete else before.incomplete_since or due_at
    return msgspec.structs.replace(
        before,
        readers=dict(_readers(before, found, audited)),
        groups=groups,
        reminded_at=audited.due_at if reminds else before.reminded_at if is_open else None,
        reminds_of_each=reminds_of_each,
        incomplete_since=incomplete_since,
        lost_role=Reason.LOST_ROLE in audited.fleet,
    )


def _of_this_run_alone(found: Mapping[str, Found], audited: Audited) -> dict[str, ReaderState]:
    """A run that is compared with nothing says what it found, to the platform alone."""
    is_news = found.get(PLATFORM, Found()).named or not audited.complete
    digest_at = audited.due_at if is_news else None
    return {PLATFORM: ReaderState(digest_at=digest_at, why=(), episode=None, cleared=False)}


def _readers(
    before: Alerts, found: Mapping[str, Found], audited: Audited
) -> Iterator[tuple[str, ReaderState]]:
    owners = sorted({*before.readers, *found} - {PLATFORM}) if before.per_owner else []
    yield PLATFORM, _state(before, PLATFORM, found.get(PLATFORM, Found()), audited)
    for owner in owners[:OWNERS_MAX]:
        state = _state(before, owner, found.get(owner, Found()), audited)
        waits_for_all_clear = state.episode is not None and not state.cleared
        if state.is_owed(before.owed_from) or waits_for_all_clear:
            yield owner, state


def _state(before: Alerts, reader: str, found: Found, audited: Audited) -> ReaderState:
    """What a reader was notified of after this run."""
    due_at, is_all_well = audited.due_at, not found.open and audited.is_certain
    known = before.readers.get(reader, _NEVER_NOTIFIED)
    if not is_all_well:
        known = _without_owed_all_clear(known, before)
    begins = known.begins_anew and found.named > 0
    is_clear = is_all_well and known.episode is not None and not known.cleared
    news = _news(before, reader, found, audited, begins=begins)
    why = (*news, *((Reason.ALL_CLEAR,) if is_clear else ()))
    to_say = found.named > 0 or (reader == PLATFORM and not audited.complete)
    if not why and to_say and _is_due(known.digest_at, before, due_at):
        why = (Reason.REMINDER,)
    return ReaderState(
        digest_at=due_at if why else known.digest_at,
        why=why or known.why,
        episode=due_at if begins else known.episode,
        cleared=is_clear or (known.cleared and not begins),
        all_clear_at=due_at if is_clear else known.all_clear_at,
    )


def _without_owed_all_clear(known: ReaderState, before: Alerts) -> ReaderState:
    """Take back an all-clear that has not reached every audience, and is true no longer."""
    if not known.is_owed(before.owed_from) or Reason.ALL_CLEAR not in known.why:
        return known
    why = tuple(reason for reason in known.why if reason is not Reason.ALL_CLEAR)
    digest_at = known.digest_at if why else None
    return msgspec.structs.replace(known, why=why, digest_at=digest_at, cleared=False)


_NEVER_NOTIFIED = ReaderState(digest_at=None, why=(), episode=None, cleared=False)


def _news(
    before: Alerts, reader: str, found: Found, audited: Audited, *, begins: bool
) -> Iterator[Reason]:
    counts = {
        Reason.OPENED: found.opened or found.again or begins,
        Reason.WORSENED: found.worsened,
        Reason.ENDED: found.ended,
    }
    yield from (reason for reason, count in counts.items() if count)
    if reader != PLATFORM:
        return
    if not audited.complete and before.incomplete_since is None:
        yield Reason.INCOMPLETE
    if audited.complete and before.incomplete_since is not None:
        yield Reason.COMPLETE
    for reason in audited.fleet:
        if reason is not Reason.LOST_ROLE or not before.lost_role:
            yield reason


def _is_due(last: datetime | None, before: Alerts, due_at: datetime) -> bool:
    """Whether it is time for a reminder, or for the first word."""
    remind_every = timedelta(seconds=before.remind_every_seconds)
    return last is None or is_reminder_due(last, due_at, remind_every)


def reminds_programs(before: Alerts, due_at: datetime) -> bool:
    """Whether programs are reminded of what is open in a run due then.

    They are if it is time, or if they have not got the last reminder.
    """
    last, news_from = before.reminded_at, before.news_from.get(Audience.EVENTS)
    is_owed = last is not None and news_from is not None and last >= news_from
    return is_owed or _is_due(last, before, due_at)
