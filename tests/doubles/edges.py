"""The edges of a use case, made of fakes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from backup_audit.edges import Telemetry
from backup_audit.errors import AuditError, SubscriptionsUnknown
from backup_audit.fleet.inventory import InventoryReader, Unreadable
from backup_audit.fleet.sources import DocumentSource
from backup_audit.notify.send import Heartbeat, Notifier
from backup_audit.probe.engine import BackupApi, Engine
from backup_audit.probe.pacing import Deadline
from backup_audit.report.alerts import Audience
from backup_audit.report.commit import Draw, StoredReport
from backup_audit.report.report import Ceilings, KeptObject
from backup_audit.report.store import ObjectStore
from tests.doubles.fakes import ListedFoundation


def sketched(stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
    """Instead of the page, which takes longer to draw than all else that a small run does."""
    yield f"{stored.head.run.run_id}: {len(objects)} objects\n".encode()


class FakeEdges:
    """Edges at a fixed time; `secret_is_gone` makes whatever needs the secret fail.

    `notifier` is that of the people's topic. `subscribers` has the confirmed subscriptions of each
    topic, or why they are not known. `draw` draws the page. Without a foundation the inventory
    knows no instance.
    """

    def __init__(
        self,
        *,
        source: DocumentSource,
        api: BackupApi,
        store: ObjectStore,
        notifier: Notifier,
        events: Notifier | None = None,
        chat: Notifier | None = None,
        heartbeat: Heartbeat | None,
        telemetry: Telemetry,
        at: datetime,
        foundation: InventoryReader | None = None,
        draw: Draw = sketched,
    ) -> None:
        self.source = source
        self.store = store
        notifiers = {Audience.PEOPLE: notifier, Audience.EVENTS: events, Audience.CHAT: chat}
        self.notifiers: Mapping[Audience, Notifier] = {
            one: topic for one, topic in notifiers.items() if topic
        }
        self.subscribers: dict[Audience, int | SubscriptionsUnknown] = dict.fromkeys(Audience, 1)
        self.telemetry = telemetry
        self.deadline = Deadline(math.inf)
        self.secret_is_gone: AuditError | None = None
        self._api = api
        self._heartbeat = heartbeat
        self._at = at
        self._draw = draw
        self._foundation = foundation or ListedFoundation()

    def now(self) -> datetime:
        return self._at

    @contextmanager
    def engine(self, ceilings: Ceilings) -> Iterator[Engine]:
        self._read_secret()
        yield Engine(
            self._api,
            self.deadline,
            workers=ceilings.workers,
            clock=self.now,
            monotonic=lambda: 0.0,
        )

    @contextmanager
    def inventory(self, ceilings: Ceilings) -> Iterator[InventoryReader]:
        gone = self.secret_is_gone
        yield Unreadable(str(gone), self._at) if gone else self._foundation

    def confirmed(self, audience: Audience) -> int:
        number = self.subscribers[audience]
        if isinstance(number, SubscriptionsUnknown):
            raise number
        return number

    def page(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        return self._draw(stored, objects)

    def heartbeat(self) -> Heartbeat | None:
        self._read_secret()
        return self._heartbeat

    def _read_secret(self) -> None:
        if self.secret_is_gone is not None:
            raise self.secret_is_gone
