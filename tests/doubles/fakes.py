"""Fakes that keep the contracts of the ports; tests/contract runs the same tests over both."""

import hashlib
import io
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from backup_audit.errors import HeartbeatFailed, NotificationFailed, ReportStoreFailed
from backup_audit.fleet.inventory import MANAGED, Read, Reading, Sees, ServiceInstance
from backup_audit.judge.evidence import (
    Answer,
    Cause,
    Evidence,
    Observation,
    Refusal,
    Silence,
    with_age,
)
from backup_audit.notify.message import SIZE_MAX, Message, packed
from backup_audit.notify.progress import BatchResult
from backup_audit.notify.sns import BATCH_MAX
from backup_audit.probe.attempt import Attempt, Result, T
from backup_audit.probe.engine import BackupApi, Engine
from backup_audit.probe.pacing import Deadline, Outcome
from backup_audit.report.drift import InventoryRecord
from backup_audit.report.report import Report
from backup_audit.report.store import StoredObject
from tests.doubles.builders import NOW


class _NewObject(io.BytesIO):
    is_new = False


class InMemoryStore:
    """An ObjectStore; `writes` lists the keys written, in order."""

    bucket = "reports"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.versioned = True
        self._lock = threading.Lock()

    def get(self, key: str) -> StoredObject | None:
        with self._lock:
            body = self.objects.get(key)
        return None if body is None else StoredObject(body, _etag(body))

    def put_new(self, key: str, body: bytes) -> bool:
        with self._lock:
            if key in self.objects:
                return False
            self._write(key, body)
            return True

    @contextmanager
    def new_object(self, key: str) -> Iterator["_NewObject"]:
        new = _NewObject()
        yield new
        new.is_new = self.put_new(key, new.getvalue())

    def lines(self, key: str) -> Iterator[bytes]:
        stored = self.get(key)
        if stored is None:
            raise ReportStoreFailed(f"s3://{self.bucket}/{key} could not be read: NoSuchKey")
        yield from io.BytesIO(stored.body)

    def exists(self, key: str) -> bool:
        return self.get(key) is not None

    def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
        with self._lock:
            if key not in self.objects or _etag(self.objects[key]) != etag:
                return False
            self._write(key, body)
            return True

    def keeps_versions(self) -> bool:
        return self.versioned

    def _write(self, key: str, body: bytes) -> None:
        self.objects[key] = body
        self.writes.append(key)


@lru_cache(maxsize=64)  # the same objects are read again and again
def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class RecordingNotifier:
    """A Notifier that keeps what it took: none while `broken`, and none of what it `refuses`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken = False
        self.refuses: Callable[[Message], bool] = lambda _: False

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        sent = refused = 0
        for batch in packed(messages, lambda message: message.size, SIZE_MAX, BATCH_MAX):
            why = {place: "no" for place, one in enumerate(batch) if self._refuses(one)}
            assert all(message.size <= SIZE_MAX for message in batch)
            taken = [one for place, one in enumerate(batch) if place not in why]
            self.messages += taken
            took(BatchResult(first=sent, size=len(batch), refused=why))
            sent, refused = sent + len(batch), refused + len(why)
        if refused:
            raise NotificationFailed(f"the topic did not take {refused} of {sent} messages")
        return sent

    def _refuses(self, message: Message) -> bool:
        return self.broken or self.refuses(message)

    @property
    def events(self) -> list[str | tuple[str, ...]]:
        """The kinds of messages taken."""
        return [message.attributes["event"] for message in self.messages]


class CountingHeartbeat:
    """A Heartbeat that counts; while `broken`, it takes nothing."""

    def __init__(self) -> None:
        self.beats = 0
        self.broken = False

    def beat(self) -> None:
        if self.broken:
            raise HeartbeatFailed("the answer was HTTP 500")
        self.beats += 1


class FixedSource:
    """A DocumentSource that is always there."""

    uri = "ssm:/test"

    def __init__(self, body: bytes) -> None:
        self.body = body

    def read(self) -> bytes:
        return self.body


NOT_FOUND = Refusal(10010, "CF-ResourceNotFound", "Service instance not found")


class ScriptedApi:
    """A BackupApi that answers by GUID, once for all; an unknown GUID is not found.

    It has no list of instances: tests/doubles/foundation.py has.
    """

    sees = Sees.UNKNOWN

    def __init__(
        self,
        answers: Mapping[str, Answer | tuple[Answer, int | None]],
        *,
        created_at: datetime | None = None,
        before_each: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._answers = answers
        self._created_at = created_at
        self._before_each = before_each
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.ages_asked: list[str] = []
        self.cuts = 0

    @property
    def calls(self) -> int:
        return len(self.asked) + len(self.ages_asked)

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        self._before_each(guid)
        with self._lock:
            self.asked.append(guid)
        scripted = self._answers.get(guid, (NOT_FOUND, 404))
        answer, status = scripted if isinstance(scripted, tuple) else (scripted, 200)
        return attempt(answer, status)

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        with self._lock:
            self.ages_asked.append(guid)
        evidence = with_age(listing, self._created_at)
        return Attempt(evidence=evidence, outcome=Outcome.ANSWERED)

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        del query, read
        no_route: Observation[T | Refusal | Silence] = Observation(
            answer=Refusal(10000, "CF-NotFound", "Unknown request"), observed_at=NOW, status=404
        )
        return Result(evidence=no_route, outcome=Outcome.ANSWERED)

    def cut(self) -> list[int]:
        return []

    def cut_all(self) -> None:
        self.cuts += 1


def attempt(answer: Answer, status: int | None = 200, **more: Any) -> Attempt:  # noqa: ANN401
    """What came of asking once: final, unless `again` says otherwise."""
    if status == 401:
        outcome = Outcome.REFUSED
    elif status in (429, 503):
        outcome = Outcome.THROTTLED
    elif isinstance(answer, Silence):
        silent = answer.cause is Cause.TIMEOUT
        outcome = Outcome.SILENT if silent else Outcome.FAILED
    else:
        named = not isinstance(answer, Refusal) or answer.code is not None
        outcome = Outcome.ANSWERED if named else Outcome.FAILED
    evidence = Evidence(answer=answer, observed_at=NOW, status=status)
    return Attempt(evidence=evidence, outcome=outcome, **more)


def engine(api: BackupApi, *, workers: int = 4, ends_at: float = math.inf, **more: Any) -> Engine:  # noqa: ANN401
    """An engine over an API, in real time, without an end unless it is given one."""
    return Engine(api, Deadline(ends_at), workers=workers, clock=lambda: NOW, **more)


class RecordingTelemetry:
    """A Telemetry that keeps what it was told."""

    def __init__(self) -> None:
        self.progress: list[tuple[int, int]] = []
        self.warnings: list[str] = []
        self.doubts: list[str] = []
        self.reports: list[tuple[Report, int]] = []
        self.failures: list[Exception] = []
        self.inventories: list[InventoryRecord] = []
        self.instances: int | None = None
        self.run_id: str | None = None

    def identified(self, run_id: str) -> None:
        self.run_id = run_id

    def surveyed(self, inventory: InventoryRecord) -> None:
        self.inventories.append(inventory)

    def started(self, instances: int) -> None:
        self.instances = instances

    def progressed(self, done: int, total: int) -> None:
        self.progress.append((done, total))

    def warned(self, warning: str) -> None:
        self.warnings.append(warning)

    def doubted(self, doubts: Sequence[str]) -> None:
        self.doubts += doubts

    def page_failed(self, error: Exception) -> None:
        """No page of a test may fail; who tests that says so."""
        raise error

    def reported(self, report: Report, *, messages_sent: int) -> None:
        self.reports.append((report, messages_sent))

    def failed(self, error: Exception, foundation: str | None) -> None:
        assert foundation is None or foundation
        self.failures.append(error)


class ListedFoundation:
    """An InventoryReader over these rows; what `breaks` makes of a reading is what is read.

    `hidden` are left out of the scan, though they can be looked up. `calls` are in order.
    """

    def __init__(self, rows: Iterable[ServiceInstance] = ()) -> None:
        self.rows = {row.guid: row for row in rows}
        self.hidden: set[str] = set()
        self.sees = Sees.ALL
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.breaks: Callable[[str, Reading], Reading] = lambda _, reading: reading
        self.at = NOW

    def scan(self, labels: Collection[str]) -> Reading:
        rows = [row for row in self.rows.values() if row.type == MANAGED]
        return self._read("scan", (), [row for row in rows if row.guid not in self.hidden], labels)

    def look_up(self, guids: Sequence[str], labels: Collection[str]) -> Reading:
        found = [self.rows[guid] for guid in guids if guid in self.rows]
        return self._read("look_up", tuple(guids), found, labels)

    def named(self, name: str, labels: Collection[str]) -> Reading:
        found = [row for row in self.rows.values() if row.name == name]
        return self._read("named", (name,), found, labels)

    def _read(
        self,
        call: str,
        asked: tuple[str, ...],
        rows: Sequence[ServiceInstance],
        labels: Collection[str],
    ) -> Reading:
        self.calls.append((call, asked))
        reading = Reading(
            read=Read.COMPLETE,
            rows={row.guid: _with_labels(row, labels) if row.labels else row for row in rows},
            read_at=self.at,
            requests=1,
            sees=self.sees,
            user_provided=sum(row.type != MANAGED for row in self.rows.values()),
        )
        return self.breaks(call, reading)


def _with_labels(row: ServiceInstance, wanted: Collection[str]) -> ServiceInstance:
    """The row with those of its labels that an InventoryReader keeps."""
    beginnings = tuple(key[:-1] for key in wanted if key.endswith("*"))
    more = sorted(key for key in row.labels if key.startswith(beginnings) and key not in wanted)
    kept = {*wanted, *more[:5]}
    labels = {key: value for key, value in row.labels.items() if key in kept}
    return msgspec.structs.replace(row, labels=labels)


class FixedToken:
    """An Authorization that knows the values in a list, each after the one before was refused."""

    def __init__(self, *values: str, sees: Sees = Sees.UNKNOWN) -> None:
        self.sees = sees
        self._values = list(values)

    def header(self) -> str:
        return self._values[0]

    def renewed(self, refused: str) -> str | None:
        assert refused == self._values[0]
        if len(self._values) == 1:
            return None
        self._values.pop(0)
        return self._values[0]
