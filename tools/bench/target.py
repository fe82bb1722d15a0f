"""What every client is told: whom to ask, how, and for what."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import msgspec

# Called once for each answer, as it comes and by any thread: with the newest backup's time (seconds
# since 1970), or None where no list of backups came.
Answered = Callable[[int | None], None]

AUTHORIZATION = "bearer of-the-benchmark"
TIMEOUT = (5, 65)  # seconds, to connect and to read: as the product has it


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The API's address, the CAs to trust (a PEM file) and how many requests may be in flight."""

    api_url: str
    ca_file: str
    in_flight: int

    def url(self, guid: str) -> str:
        """Where the backups of an instance are listed."""
        return f"{self.api_url}/v3/service_instances/{guid}/backups"


# A client: asks for the backups of every GUID.
Client = Callable[[Target, Sequence[str], Answered], None]


class _Backup(TypedDict):
    created_at: int


class _BackupList(TypedDict):
    backups: list[_Backup]


def newest(document: _BackupList) -> int:
    """The newest timestamp of a list of backups, parsed from JSON."""
    return max(backup["created_at"] for backup in document["backups"])
