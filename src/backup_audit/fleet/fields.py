"""The kinds of values that people write in a configuration or an event."""

import re
from datetime import date
from typing import Annotated

import msgspec

from backup_audit.text import DURATION_PATTERN

# The unreserved characters of RFC 3986: whatever they spell, they stay one segment of a path.
# "." and ".." would not, and are refused.
GUID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,200}$(?!\n)"

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

# No control characters, none that turn the direction of the text around them, none that SQS
# refuses, and no invisible ones but joiners, which scripts and emoji need.
_SEEN = (
    r"[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]"
)

Guid = Annotated[
    str,
    msgspec.Meta(
        pattern=GUID_PATTERN,
        description="a GUID: 1 to 200 letters, digits and . _ ~ -, but not . or .. alone",
    ),
]
Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=DURATION_PATTERN, description='a duration such as "26h", "7d", "90m" or "1d12h"'
    ),
]
PositiveDuration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?=.*[1-9])" + DURATION_PATTERN.removeprefix("^"),
        description='a duration longer than zero, such as "26h", "7d", "90m" or "1d12h"',
    ),
]
BACKUPS_MAX = 100_000

MinBackups = Annotated[int, msgspec.Meta(ge=1, le=BACKUPS_MAX, description="a whole number from 1")]

TEXT_PATTERN = rf"^{_SEEN}{{1,200}}$(?!\n)"

Text = Annotated[
    str,
    msgspec.Meta(
        pattern=TEXT_PATTERN,
        description="a text of 1 to 200 characters without control or invisible characters",
    ),
]
Day = Annotated[date, msgspec.Meta(description='a date such as "2026-12-31"')]

NEVER = "never"

# A date and a text are one to JSON, and msgspec takes one of them alone: faults.py checks the day.
DayOrNever = Annotated[
    str,
    msgspec.Meta(
        description=f'a day such as "2027-06-30", or "{NEVER}"',
        extra_json_schema={"pattern": rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|{NEVER})$"},
    ),
]
# Names of Cloud Foundry have 255 characters at most.
GLOB_PATTERN = rf"^{_SEEN}{{1,255}}$(?!\n)"

Glob = Annotated[
    str,
    msgspec.Meta(
        pattern=GLOB_PATTERN,
        description="a glob such as prod-*, of 1 to 255 characters without invisible ones",
    ),
]

# msgspec 0.22 frees memory twice for a pattern beside a list in one union: faults.py checks it.
Globs = (
    Annotated[
        str,
        msgspec.Meta(
            description="a glob such as prod-*, or a list of globs, each of 1 to 255 characters "
            "without invisible ones",
            extra_json_schema={"pattern": GLOB_PATTERN},
        ),
    ]
    | Annotated[list[Glob], msgspec.Meta(min_length=1, description="a list of at least one glob")]
)
SchemaAddress = Annotated[
    str, msgspec.Meta(description="a text: the address of a schema, for editors; it is not read")
]


def spelled(guid: str) -> str:
    """A GUID as it is compared: a UUID in lower case, as the API has it.

    Spreadsheets and Windows tools write capitals, and the API knows no instance by them.
    """
    if not UUID.fullmatch(guid):
        return guid
    lower = guid.lower()
    return guid if guid == lower else lower  # one text for both: a fleet has many


def day_of(text: str) -> date | None:
    """The day that a text such as "2027-06-30" names; None for any other text."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as the 30th of February
        return None
