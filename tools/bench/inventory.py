"""The inventory: its requests, the CPU of planning what it discovers, and what its pages miss.

python -m tools.bench.inventory --instances 100000
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from backup_audit.audit import Audit
from backup_audit.fleet.inventory import InventoryReader, Read, Reading
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.plan import PlanAnswer
from backup_audit.report.report import Ceilings
from tests.doubles.builders import NOW, SETTINGS
from tests.doubles.fakes import CountingHeartbeat, FixedSource, RecordingTelemetry, ScriptedApi
from tools.bench import children, discovered, list_server
from tools.bench.histories import histories
from tools.bench.memory import Discarding, Edges, FileStore
from tools.bench.results import Inventory, Planning

SIZES = (10_000, 20_000, 100_000)
HISTORIES = 1_000


def inventory(*, quick: bool, tell: Callable[[str], None]) -> Inventory:
    """Plan fleets of each size, in a process each, and read the histories."""
    planning = {}
    for size in SIZES:
        instances = size // 100 if quick else size
        tell(f"{instances:,} discovered instances are planned")
        planning[str(instances)] = planned(instances)
    count = HISTORIES // 10 if quick else HISTORIES
    tell(f"{count:,} histories")
    return Inventory(planning=planning, histories=histories(count))


def planned(instances: int) -> Planning:
    """Plan a run over so many discovered instances, a fiftieth of which is excluded."""
    with tempfile.TemporaryDirectory() as folder, list_server.running(instances) as url:
        task = Task(instances=instances, folder=folder, list_url=url)
        return children.ask(["-m", "tools.bench.inventory", "--task"], Planning, told=task)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A run to plan, for a process of its own."""

    instances: int
    folder: str
    list_url: str


def _carry_out(task: Task) -> Planning:
    source = FixedSource(discovered.configuration())
    edges = _Edges(
        source=source,
        api=ScriptedApi({}),
        store=FileStore(Path(task.folder)),
        notifier=Discarding(),
        heartbeat=CountingHeartbeat(),
        telemetry=RecordingTelemetry(),
        at=NOW,
    )
    edges.list_url = task.list_url
    audit = Audit(SETTINGS, edges, "invocation", NOW + timedelta(minutes=15))
    request = AuditRequest(scheduled_time=NOW)
    began = time.process_time()
    answer = audit.plan(request, plan_run(request, NOW, "i"))
    cpu_seconds = time.process_time() - began
    assert isinstance(answer, PlanAnswer)
    assert answer.instances == discovered.audited(task.instances)
    reader = edges.reader
    return Planning(
        requests=reader.requests,
        cpu_seconds=round(cpu_seconds, 2),
        inventory_cpu_seconds=round(reader.cpu_seconds, 2),
    )


class _Watched:
    """An InventoryReader that knows what its readings have cost."""

    def __init__(self, reader: InventoryReader) -> None:
        self._reader = reader
        self.requests = 0
        self.cpu_seconds = 0.0

    def scan(self, labels: Collection[str]) -> Reading:
        return self._read(lambda: self._reader.scan(labels))

    def look_up(self, guids: Sequence[str], labels: Collection[str]) -> Reading:
        return self._read(lambda: self._reader.look_up(guids, labels))

    def named(self, name: str, labels: Collection[str]) -> Reading:
        return self._read(lambda: self._reader.named(name, labels))

    def _read(self, read: Callable[[], Reading]) -> Reading:
        began = time.process_time()
        reading = read()
        self.cpu_seconds += time.process_time() - began
        self.requests += reading.requests
        assert reading.read is Read.COMPLETE, reading.why
        return reading


class _Edges(Edges):
    """Edges that know the reader."""

    reader: _Watched

    @contextmanager
    def inventory(self, ceilings: Ceilings) -> Iterator[InventoryReader]:
        with super().inventory(ceilings) as reader:
            self.reader = _Watched(reader)
            yield self.reader


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, nargs="+", default=[])
    parser.add_argument("--histories", type=int, default=0)
    parser.add_argument("--task", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        done = _carry_out(msgspec.json.decode(sys.stdin.buffer.read(), type=Task))
        print(msgspec.json.encode(done).decode())
        return
    for instances in asked.instances:
        print(f"{instances:,} instances", planned(instances), flush=True)
    if asked.histories:
        print(histories(asked.histories))


if __name__ == "__main__":
    main()
