"""The product as a client: all that the benchmark knows of the engine's inside."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import InventoryReader
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.judge.evidence import Backup, BackupList, Evidence
from backup_audit.probe.attempt import Attempt
from backup_audit.probe.authorization import ReadyHeader, Secret
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.paging import PagedInventory
from backup_audit.probe.session import new_session
from tools.bench.target import AUTHORIZATION, TIMEOUT, Answered, Target


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """Probe every instance as a run of the product does."""
    ca = Path(target.ca_file).read_bytes()
    probe_all(target.api_url, ca, target.in_flight, guids, answered)


def probe_all(
    api_url: str, ca: bytes, workers: int, guids: Sequence[str], answered: Answered
) -> None:
    """Tell each instance's newest backup (seconds since 1970), None where no list came."""
    connect_timeout, read_timeout = TIMEOUT
    instances = [Instance(guid, BUILT_IN) for guid in guids]
    with new_session(ca, size=2 * workers) as session:
        http = HttpClient(session, connect_timeout=connect_timeout, read_timeout=read_timeout)
        api = _Watched(api_url, http, ReadyHeader(Secret(AUTHORIZATION)), clock=_clock)
        api.answered = answered
        engine = Engine(api, Deadline(math.inf), workers=workers, clock=_clock)
        for _ in engine.probe(instances):
            pass


@contextmanager
def inventory_reader(api_url: str) -> Iterator[InventoryReader]:
    """The product's reader of the list of instances."""
    connect_timeout, read_timeout = TIMEOUT
    with new_session(None) as session:
        http = HttpClient(session, connect_timeout=connect_timeout, read_timeout=read_timeout)
        yield reader_over(http, api_url)


def reader_over(http: HttpClient, api_url: str) -> InventoryReader:
    """The same over a client, or over what stands in its place."""
    api = CloudController(api_url, http, ReadyHeader(Secret(AUTHORIZATION)), clock=_clock)
    return PagedInventory(Engine(api, Deadline(math.inf), workers=1, clock=_clock))


class _Watched(CloudController):
    """Tells of every answer when it comes; the engine hands several over together, later."""

    answered: Answered

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        attempt = super().list_backups(guid, limit)
        self.answered(_newest(attempt.evidence))
        return attempt


def _newest(evidence: Evidence) -> int | None:
    if not isinstance(evidence.answer, BackupList):
        return None
    times = (entry.created_at for entry in evidence.answer.backups if isinstance(entry, Backup))
    newest = max(times, default=None)
    return int(newest.timestamp()) if newest else None


def _clock() -> datetime:
    return datetime.now(UTC)
