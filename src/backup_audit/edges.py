"""What a run needs of the outside: protocols, so that the use case knows no AWS and no clock."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from backup_audit.fleet.inventory import InventoryReader
from backup_audit.fleet.sources import DocumentSource
from backup_audit.notify.send import Heartbeat, Notifier
from backup_audit.probe.engine import Engine
from backup_audit.probe.pacing import Deadline
from backup_audit.report.alerts import Audience
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.report import Ceilings, KeptObject, Report
from backup_audit.report.store import ObjectStore


class Telemetry(Protocol):
    """What operators see of a run besides its report: log lines and metrics."""

    def surveyed(self, inventory: InventoryRecord) -> None:
        """Log how the inventory was read, and what it says of the fleet."""

    def started(self, instances: int) -> None:
        """Log how many instances will be asked for."""

    def progressed(self, done: int, total: int) -> None:
        """Log from time to time how many of them have been asked for."""

    def warned(self, warning: str) -> None:
        """Log what is wrong and does not end the run."""

    def doubted(self, doubts: Sequence[str]) -> None:
        """Log what the configuration says and hardly means."""

    def page_failed(self, error: Exception) -> None:
        """Log and count that the page for people could not be drawn."""

    def reported(self, report: Report, *, messages_sent: int) -> None:
        """Log the end of a run that has its report."""


class Edges(Protocol):
    """What a run needs of the outside. Nothing is read or connected to before its use.

    `notifiers` has the topic of each audience that has one; people always do.
    """

    source: DocumentSource
    store: ObjectStore
    notifiers: Mapping[Audience, Notifier]
    telemetry: Telemetry
    deadline: Deadline

    def now(self) -> datetime:
        """The present, in UTC."""

    def engine(self, ceilings: Ceilings) -> AbstractContextManager[Engine]:
        """The engine, within these ceilings; raises AuditError without credentials or CA."""

    def inventory(self, ceilings: Ceilings) -> AbstractContextManager[InventoryReader]:
        """The reader of the inventory; without credentials or CA each reading says so."""

    def confirmed(self, audience: Audience) -> int:
        """How many subscriptions of its topic are confirmed; raises SubscriptionsUnknown."""

    def page(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        """Draw the page for people, in pieces; what draws it is imported by the first piece."""

    def heartbeat(self) -> Heartbeat | None:
        """The dead man's switch if there is one; raises CredentialsUnavailable."""
