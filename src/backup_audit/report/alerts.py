"""Who is notified of what in a run, and what of it is remembered: pure.

A report is committed before anybody is notified, so it holds decisions. The marks beside it prove
for each audience that its messages are out. Without a mark, what the report had decided is due
again in the next run: `news_from` says from which due time on. docs/decisions/0004-messages.md has
the reasons.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from backup_audit.judge.verdict import Verdict

PLATFORM = ""  # the reader of everything; the others are owners


class Audience(StrEnum):
    """The kinds of readers; each has a topic and a mark of its own."""

    PEOPLE = "people"
    EVENTS = "events"
    CHAT = "chat"

    @property
    def mark(self) -> str:
        """The object beside a report that says that all its messages are out."""
        return f"notified-{self}.json"


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
    `episode` is the due time of the run that opened the first problem since the last all-clear;
    null if there was none since. `cleared`: that digest said that all is clear.
    """

    digest_at: datetime | None
    why: tuple[Reason, ...]
    episode: datetime | None
    cleared: bool


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Problems of one cause, which programs hear of as one.

    `verdict`, and for unknown ones `http_status` and `cause` (the title, or why there was no
    answer), and `offering` are what they share. `opened_at` and `end_notified_at` are due times;
    `members` counts those in this run.
    """

    group_id: str
    verdict: Verdict
    http_status: int | None
    cause: str | None
    offering: str | None
    opened_at: datetime
    notified_at: datetime | None
    end_notified_at: datetime | None
    members: int


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report decided on notifying, and what the next run goes on with.

    `news_from`, for each audience, is the due time from which on what was decided is news to it.
    `reminded_at` is when programs were last reminded of what is open, `incomplete_since` when runs
    began to be incomplete: due times too. A reader is "" (the platform) or an owner.
    """

    news_from: Mapping[Audience, datetime]
    remind_every_seconds: int
    per_owner: bool
    readers: Mapping[str, ReaderState]
    groups: list[Group]
    reminded_at: datetime | None
    incomplete_since: datetime | None
