"""What the API said about one instance: a list of backups, a refusal, or silence."""

from datetime import datetime
from enum import StrEnum

import msgspec

from backup_audit.domain.backup import Backup, UnreadableBackup


class BackupList(msgspec.Struct, frozen=True):
    """HTTP 200 with a list, in the order of the API, which means nothing.

    `instance_created_at` (UTC) is asked for only where a grace may apply; None: not asked, or
    not to be had. `limit` is what the request asked for at the most; None: no limit was sent.
    """

    backups: tuple[Backup | UnreadableBackup, ...]
    instance_created_at: datetime | None = None
    limit: int | None = None


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP status other than 200.

    `code`, `title` and `detail` are those of the first Cloud Foundry error in the body, and None
    where the body holds none: then the answer came from something before the Cloud Controller.
    """

    code: int | None = None
    title: str | None = None
    detail: str | None = None


class Cause(StrEnum):
    """Why there is no answer to judge."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    UNREADABLE = "unreadable"  # HTTP 200 whose body is not what the API promises
    TOO_LARGE = "too_large"
    NOT_REACHED = "not_reached"  # the run's time was over


class Silence(msgspec.Struct, frozen=True):
    """No answer, or none that can be read; `detail` says more, in a few words.

    `by_proxy`: the proxy before the API is the cause.
    """

    cause: Cause
    detail: str
    by_proxy: bool = False


Answer = BackupList | Refusal | Silence


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and how it was got.

    `status` is the HTTP status, None without one. `request_id` is X-VCAP-Request-ID.
    `attempts` counts the HTTP requests, `milliseconds` the time of all of them with the waits
    between. `observed_at` (UTC) is when the answer was complete: the "now" of its judgement.
    """

    answer: Answer
    observed_at: datetime
    status: int | None = None
    request_id: str | None = None
    attempts: int = 0
    milliseconds: int = 0
