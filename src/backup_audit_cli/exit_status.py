"""The exit statuses: one meaning in all commands.

As diff does: 0 nothing to complain of, 1 something is wrong with what was looked at, and above that
it could not be looked at.
"""

from enum import IntEnum
from typing import Self

from backup_audit.errors import (
    ApiUnreachable,
    AuditError,
    CredentialsRefused,
    CredentialsUnavailable,
    EmptyFleet,
    InvalidDocument,
    InventoryUnavailable,
)


class ExitStatus(IntEnum):
    """How a command ended."""

    def __new__(cls, value: int, meaning: str) -> Self:
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    meaning: str

    FINE = 0, "all that was looked at is in order"
    WRONG = 1, "something that was looked at is not in order: the output says what"
    USAGE = (
        2,
        "wrong usage, or input that cannot be used: arguments, event, settings, configuration",
    )
    CREDENTIALS = 3, "credentials are refused, have ended, or could not be read"
    UNREACHABLE = 4, "the Cloud Controller or its UAA gave no usable answer"
    UNAVAILABLE = 5, "something else could not be read or written: configuration, reports, topic"
    NO_ENDPOINT = 6, "the foundation has no endpoint for backups"
    BUG = 70, "an error of this program, with a traceback to report"
    INTERRUPTED = 130, "interrupted by Ctrl-C"


class WrongUsage(Exception):
    """What a person gave cannot be used; the message says what, and what to do."""


class NoEndpoint(AuditError):
    """The foundation cannot be asked for backups."""


def status_of(error: AuditError) -> ExitStatus:
    """The exit status that an error ends with."""
    match error:
        case InvalidDocument() | EmptyFleet():
            return ExitStatus.USAGE
        case CredentialsRefused() | CredentialsUnavailable():
            return ExitStatus.CREDENTIALS
        case ApiUnreachable() | InventoryUnavailable():
            return ExitStatus.UNREACHABLE
        case NoEndpoint():
            return ExitStatus.NO_ENDPOINT
        case _:
            return ExitStatus.UNAVAILABLE
