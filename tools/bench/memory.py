"""What a bad day of a large fleet takes: peak memory, time and temporary files, a process a day.

    python -m tools.bench.memory stale --instances 100000
    python -m tools.bench.memory stale --instances 300000 --batch-size 5000

All instances have the same problem, on two days in a row; `resolved` is the day on which all are
healthy again; `dead` an API that dies when half are answered, and the day it is back. In the cases
`discovered-…` they are discovered, and a fiftieth is excluded; in the others they are listed. In
both the inventory is read over HTTP, from another process. Objects are files, so that the store
takes no memory; the API answers at once.
"""

import argparse
import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import msgspec

from backup_audit.audit import Audit
from backup_audit.aws import CLIENTS
from backup_audit.fleet.inventory import InventoryReader
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Cause, Refusal, Silence
from backup_audit.notify.message import SIZE_MAX, Message
from backup_audit.notify.progress import BatchResult
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.probe.attempt import Again, Attempt
from backup_audit.probe.engine import Engine
from backup_audit.report.report import Ceilings, Latest
from backup_audit.report.store import StoredObject
from backup_audit.wiring import drawn
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges, sketched
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    RecordingTelemetry,
    ScriptedApi,
    attempt,
)
from tools.bench import children, discovered, list_server, ours
from tools.bench.results import (
    DISCOVERED_CASES,
    DISCOVERED_HEALTHY,
    DISCOVERED_STALE,
    MEMORY_CASES,
    MemoryDay,
    memory_key,
)

MIB = 1024 * 1024
DAY = timedelta(days=1)
STALE = attempt(a_list(50))
HEALTHY = attempt(a_list(1))
REFUSED = attempt(Refusal(10008, "CF-UnprocessableEntity", "d" * 500), 422)
DEAD = attempt(Silence(Cause.CONNECTION, "no connection"), None, again=Again.SOON)
CASES: Mapping[str, list[Attempt]] = {
    "stale": [STALE, STALE],
    "muted": [STALE, STALE],
    "details": [REFUSED, REFUSED],
    "resolved": [STALE, HEALTHY],
    "dead": [STALE, HEALTHY],
    "healthy": [HEALTHY, HEALTHY],
    DISCOVERED_HEALTHY: [HEALTHY, HEALTHY],
    DISCOVERED_STALE: [STALE, STALE],
}
_DIES = "dead"  # the case whose API dies on the first day


class FileStore:
    """An ObjectStore in a folder."""

    bucket = "reports"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keeps_versions(self) -> bool:
        return True

    def get(self, key: str) -> StoredObject | None:
        path = self._path(key)
        return StoredObject(path.read_bytes(), "tag") if path.exists() else None

    def put_new(self, key: str, body: bytes) -> bool:
        if self.exists(key):
            return False
        self._path(key).write_bytes(body)
        return True

    @contextmanager
    def new_object(self, key: str) -> "Iterator[_NewFile]":
        with _NewFile(self._path(key), "xb") as file:
            yield file

    def lines(self, key: str) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            yield from file

    def exists(self, key: str) -> bool:
        return self._path(key).exists()

    def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
        assert etag
        self._path(key).write_bytes(body)
        return True

    def _path(self, key: str) -> Path:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _NewFile(io.FileIO):
    is_new = True


class Discarding:
    """A Notifier that counts."""

    messages = 0
    bytes = 0

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        count = 0
        for message in messages:
            assert message.size <= SIZE_MAX
            took(BatchResult(first=count, size=1))
            count += 1
            self.bytes += message.size
        self.messages += count
        return count


class SameAnswer(ScriptedApi):
    """A BackupApi that says the same of every instance, and is dead after so many requests."""

    def __init__(self, same: Attempt, lives_for: float) -> None:
        super().__init__({})
        self._same = same
        self._lives_for = lives_for
        self._asked = count()

    @property
    def calls(self) -> int:
        return 0

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        if next(self._asked) >= self._lives_for:
            return DEAD
        evidence = msgspec.structs.replace(self._same.evidence, request_id=f"r-{guid}")
        return msgspec.structs.replace(self._same, evidence=evidence)


class Edges(FakeEdges):
    """Edges whose engine waits for nothing: nobody waits 90 s for an API that is dead.

    The inventory is that of the API at `list_url`.
    """

    list_url: str

    @contextmanager
    def inventory(self, ceilings: Ceilings) -> Iterator[InventoryReader]:
        assert ceilings
        with ours.inventory_reader(self.list_url) as reader:
            yield reader

    @contextmanager
    def engine(self, ceilings: Ceilings) -> Iterator[Engine]:
        time = FakeTime()
        yield Engine(
            self._api,
            self.deadline,
            workers=ceilings.workers,
            clock=self.now,
            monotonic=time.monotonic,
            wait=time.wait,
        )


def configuration(instances: int, *, muted: bool, owners: int = 100) -> bytes:
    """So many instances with names, of so many owners."""
    guids = [discovered.row(number).guid for number in range(instances)]
    document: dict[str, object] = {
        "instances": [
            {"guid": guid, "name": f"service-{number}", "owner": f"team-{number % owners}"}
            for number, guid in enumerate(guids)
        ]
    }
    if muted:
        until = (NOW + 30 * DAY).date().isoformat()
        document["mutes"] = [
            {"guid": guid, "owner": "team", "reason": "moves to another foundation", "until": until}
            for guid in guids
        ]
    return json.dumps(document).encode()


def large_bad_days(*, quick: bool, tell: Callable[[str], None]) -> dict[str, list[MemoryDay]]:
    """All cases at 100,000 instances, two also at fewer; quickly, at a hundredth."""
    sizes = [
        ("stale", 10_000),
        *((case, 100_000) for case in MEMORY_CASES),
        (DISCOVERED_HEALTHY, 1_000),
        *((case, 100_000) for case in DISCOVERED_CASES),
    ]
    found = {}
    for case, size in sizes:
        instances = size // 100 if quick else size
        tell(f"{instances:,} instances, {case}")
        found[memory_key(case, instances)] = list(_days(case, instances))
    return found


def _days(case: str, instances: int, batch_size: int | None = None) -> Iterator[MemoryDay]:
    with tempfile.TemporaryDirectory() as name, list_server.running(instances) as url:
        folder = Path(name)
        (folder / "configuration.json").write_bytes(_configuration(case, instances))
        of_all = Task(
            case=case, day=0, instances=instances, folder=name, list_url=url, batch_size=batch_size
        )
        for day in range(len(CASES[case])):
            task = msgspec.structs.replace(of_all, day=day)
            done = _lived(_up_to_its_end(task) if batch_size else task)
            is_discovered = case in DISCOVERED_CASES
            _check(folder, day, discovered.audited(instances) if is_discovered else instances)
            yield done


def committed(instances: int, *, with_page: bool) -> MemoryDay:
    """The last step in mode `map` of a day on which all are stale."""
    with tempfile.TemporaryDirectory() as folder, list_server.running(instances) as url:
        Path(folder, "configuration.json").write_bytes(_configuration("stale", instances))
        task = Task(
            case="stale",
            day=0,
            instances=instances,
            folder=folder,
            list_url=url,
            batch_size=5_000,
            sketched=not with_page,
        )
        return _lived(_up_to_its_end(task))


def _lived(task: "Task") -> MemoryDay:
    """Carry a task out in a process of its own."""
    return children.ask([*_SELF, "--task"], MemoryDay, told=task)


def _up_to_its_end(task: "Task") -> "Task":
    """What remains of a day in mode `map` when its batches are audited: the last step."""
    return msgspec.structs.replace(task, plan_key=children.ask([*_SELF, "--task"], str, told=task))


def _configuration(case: str, instances: int) -> bytes:
    if case in DISCOVERED_CASES:
        return discovered.configuration()
    return configuration(instances, muted=case == "muted")


_SELF = ("-m", "tools.bench.memory")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A day, or the last step of one, for a process of its own; its page may be a sketch."""

    case: str
    day: int
    instances: int
    folder: str
    list_url: str
    batch_size: int | None = None
    plan_key: str | None = None
    sketched: bool = False


def _carry_out(task: Task) -> MemoryDay | str:
    """Run a day; in mode map up to the last step, whose plan's key is returned."""
    CLIENTS.s3  # noqa: B018  # what a client takes counts too
    folder = Path(task.folder)
    dies = task.case == _DIES and task.day == 0
    source = FixedSource(b"")
    source.read = (folder / "configuration.json").read_bytes  # type: ignore[method-assign]
    notifier = Discarding()
    due = NOW + task.day * DAY
    edges = Edges(
        source=source,
        api=SameAnswer(CASES[task.case][task.day], task.instances / 2 if dies else float("inf")),
        store=FileStore(folder),
        notifier=notifier,
        events=notifier,
        chat=notifier,
        heartbeat=CountingHeartbeat(),
        telemetry=RecordingTelemetry(),
        at=due,
        draw=sketched if task.sketched else drawn,
    )
    edges.list_url = task.list_url
    settings = msgspec.structs.replace(SETTINGS, batch_size=task.batch_size or SETTINGS.batch_size)
    audit = Audit(settings, edges, f"invocation-{task.day}", due + timedelta(minutes=15))
    request = AuditRequest(scheduled_time=due)
    run = plan_run(request, due, "i")
    if task.batch_size and task.plan_key is None:
        planned = audit.plan(request, run)
        assert isinstance(planned, PlanAnswer)
        for number in range(planned.batches):
            audit.audit_batch(read_plan(edges.store, planned.plan_key), number)
        return planned.plan_key
    files = _Files()
    began = time.monotonic()
    if task.plan_key is None:
        answer = audit.run(request, run)
    else:
        answer = audit.conclude(read_plan(edges.store, task.plan_key))
    return MemoryDay(
        seconds=round(time.monotonic() - began, 1),
        cpu_seconds=round(time.process_time(), 1),
        peak_mib=round(peak_mib(), 1),
        temporary_mib=round(files.peak() / MIB, 1),
        messages=notifier.messages,
        problems=sum(answer.counts.values()) - answer.counts["healthy"],
    )


def _check(folder: Path, day: int, instances: int) -> None:
    """See that the report of the day is there, and every instance in its findings once."""
    stored = FileStore(folder).get(f"{SETTINGS.report_prefix}/latest.json")
    assert stored is not None
    latest = msgspec.json.decode(stored.body, type=Latest)
    assert latest.run.due_at == NOW + day * DAY
    parts = sorted((folder / latest.findings_prefix).iterdir())
    decode = msgspec.json.Decoder(_OfInstance).decode
    guids = [decode(line).guid for part in parts for line in part.read_bytes().splitlines()]
    assert len(guids) == len(set(guids)) == instances


class _OfInstance(msgspec.Struct):
    guid: str


def peak_mib() -> float:
    """From Linux itself: ru_maxrss would count the process that started this one, too."""
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line)


class _Files:
    """The temporary files of this process: their largest size together."""

    def __init__(self) -> None:
        self._largest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak(self) -> int:
        self._over.set()
        self._thread.join()
        return self._largest

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            size = 0
            for link in Path("/proc/self/fd").iterdir():
                try:
                    if str(link.readlink()).startswith("/tmp/") and "deleted" in str(
                        link.readlink()
                    ):
                        size += link.stat().st_size
                except OSError:
                    continue
            self._largest = max(self._largest, size)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES, nargs="?", default="stale")
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--batch-size", type=int, help="mode map: `conclude` is measured")
    parser.add_argument("--task", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        done = _carry_out(msgspec.json.decode(sys.stdin.buffer.read(), type=Task))
        print(msgspec.json.encode(done).decode())
        return
    print(f"{asked.instances:,} instances, {asked.case}")
    for day in _days(asked.case, asked.instances, asked.batch_size):
        print(day, flush=True)


if __name__ == "__main__":
    main()
