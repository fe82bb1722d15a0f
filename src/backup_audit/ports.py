"""What the use case needs from the world outside, in its own words.

Every adapter, and every fake that stands for one in the tests, keeps these contracts; the same
contract tests run over both.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from backup_audit.domain.evidence import Evidence
from backup_audit.domain.message import Message
from backup_audit.domain.report import Report


class ConfigurationSource(Protocol):
    """Where the configuration document lies."""

    @property
    def uri(self) -> str:
        """The address, as CONFIG_URI has it."""

    def read(self) -> bytes:
        """Read the document; raise ConfigurationUnavailable."""


class BackupApi(Protocol):
    """The Cloud Controller, asked by several threads at the same time."""

    def list_backups(self, guid: str) -> Evidence:
        """Ask for an instance's backups.

        Whatever goes wrong with one instance is evidence. Raises CredentialsRefused or
        ApiUnreachable if no token can be had, CredentialsUnavailable if the secret is unusable.
        """

    def instance_created_at(self, guid: str) -> datetime | None:
        """When the instance was created (UTC), or None if that cannot be read."""

    def stop(self, reason: str) -> None:
        """Send no more requests: whoever waits, or asks on, gets silence with this reason."""

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, retries included."""

    @property
    def retries(self) -> int:
        """The retries among them."""


class StoredObject(msgspec.Struct, frozen=True):
    """An object and the tag that changes with its content."""

    body: bytes
    etag: str


class ObjectStore(Protocol):
    """A bucket with conditional writes. Every method may raise ReportStoreFailed."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none."""

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless there is one already; say whether it was written."""

    def put_new_in_pieces(self, key: str, pieces: Iterable[bytes], content_type: str) -> bool:
        """As put_new, for an object larger than memory; all pieces are taken in any case."""

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line, with the line ends; ReportStoreFailed if there is none."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def put_if_unchanged(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        """Write an object if the one there still has this tag; say whether it was written."""


class Archive(Protocol):
    """A bucket, or a copy of it, to be read as a whole."""

    def keys(self) -> Iterator[str]:
        """Every key, in any order; raise ReportStoreFailed."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object's bytes; raise ReportStoreFailed if there is none, or it cannot be read."""


class Notifier(Protocol):
    """The topic."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, at least once each; raise NotificationFailed if one was not taken."""


class Heartbeat(Protocol):
    """An external dead-man's switch: it calls people when it hears nothing for too long."""

    def beat(self) -> None:
        """Say that a full run is completed; raise HeartbeatFailed, which keeps the address."""


class Telemetry(Protocol):
    """What operators see of a run besides its report: log lines and metrics."""

    def identified(self, run_id: str) -> None:
        """The run has an id, which every line bears from now on."""

    def started(self, instances: int) -> None:
        """So many instances will be asked for."""

    def progressed(self, done: int, total: int) -> None:
        """So many of them have been asked for."""

    def warned(self, warning: str) -> None:
        """Something is wrong that does not end the run."""

    def reported(self, report: Report, *, messages_sent: int) -> None:
        """The run is over and has its report."""

    def failed(self, error: Exception, foundation: str | None) -> None:
        """The run ended in an error; the foundation is None if the settings are unreadable."""
