"""What a bad day of a large fleet takes: peak memory, time and temporary files, a process a day.

    python -m tools.bench.memory stale --instances 100000
    python -m tools.bench.memory stale --instances 300000 --batch-size 5000

All instances have the same problem, on two days in a row; `resolved` is the day on which all are
healthy again. Objects are files, so that the store takes no memory; the API answers at once.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from backup_audit.audit import Audit
from backup_audit.aws import CLIENTS
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer, Refusal
from backup_audit.notify.message import Message
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.probe.attempt import Attempt
from backup_audit.report.store import StoredObject
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    RecordingTelemetry,
    ScriptedApi,
    attempt,
)

MIB = 1024 * 1024
DAY = timedelta(days=1)
STALE = (a_list(50), 200)
CASES: dict[str, list[tuple[Answer, int]]] = {
    "stale": [STALE, STALE],
    "muted": [STALE, STALE],
    "details": [(Refusal(10008, "CF-UnprocessableEntity", "d" * 500), 422)] * 2,
    "resolved": [STALE, (a_list(1), 200), STALE],
    "healthy": [(a_list(1), 200)] * 2,
}


class FileStore:
    """An ObjectStore in a folder."""

    bucket = "reports"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> StoredObject | None:
        path = self._path(key)
        return StoredObject(path.read_bytes(), "tag") if path.exists() else None

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        assert content_type
        if self.exists(key):
            return False
        self._path(key).write_bytes(body)
        return True

    @contextmanager
    def new_object(self, key: str, content_type: str) -> "Iterator[_NewFile]":
        assert content_type
        with _NewFile(self._path(key), "xb") as file:
            yield file

    def lines(self, key: str) -> Iterator[bytes]:
        with self._path(key).open("rb") as file:
            yield from file

    def exists(self, key: str) -> bool:
        return self._path(key).exists()

    def put_if_unchanged(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        assert content_type
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

    def publish(self, messages: Iterable[Message]) -> int:
        count = 0
        for message in messages:
            assert message.fits
            count += 1
            self.bytes += message.size
        self.messages += count
        return count


class SameAnswer(ScriptedApi):
    """A BackupApi that says the same of every instance."""

    def __init__(self, answer: Answer, status: int) -> None:
        super().__init__({})
        self._answer = answer
        self._status = status

    def list_backups(self, guid: str) -> Attempt:
        same = attempt(self._answer, self._status)
        evidence = msgspec.structs.replace(same.evidence, request_id=f"r-{guid}")
        return msgspec.structs.replace(same, evidence=evidence)


def configuration(instances: int, *, muted: bool) -> bytes:
    """So many instances with names and owners."""
    guids = [f"{number:08x}-1111-4222-8333-444455556666" for number in range(instances)]
    document: dict[str, object] = {
        "instances": [
            {"guid": guid, "name": f"service-{number}", "owner": f"team-{number % 100}"}
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


def one_day(folder: Path, case: str, day: int, batch_size: int | None) -> None:
    """Run a day in this process, and say what it took."""
    CLIENTS.s3  # noqa: B018  # what a client takes counts too
    source = FixedSource(b"")
    body = folder / "configuration.json"
    source.read = body.read_bytes  # type: ignore[method-assign]
    answer, status = CASES[case][day]
    notifier = Discarding()
    due = NOW + day * DAY
    edges = FakeEdges(
        source=source,
        api=SameAnswer(answer, status),
        store=FileStore(folder),
        notifier=notifier,
        heartbeat=CountingHeartbeat(),
        telemetry=RecordingTelemetry(),
        at=due,
    )
    settings = SETTINGS
    if batch_size:
        settings = msgspec.structs.replace(SETTINGS, batch_size=batch_size)
    audit = Audit(settings, edges, f"invocation-{day}", due + timedelta(minutes=15))
    request = AuditRequest(scheduled_time=due)
    run = plan_run(request, due, "i")
    temporary = _Watched()
    began = time.monotonic()
    if batch_size is None:
        said = audit.run(request, run)
    else:
        planned = audit.plan(request, run)
        assert isinstance(planned, PlanAnswer)
        plan_key = planned.plan_key
        for number in range(planned.batches):
            audit.audit_batch(read_plan(edges.store, plan_key), number)
        print(f"    plan and batches: {time.monotonic() - began:.1f} s, {peak()} MiB")
        sys.stdout.flush()
        concluded = subprocess.run(
            [sys.executable, "-m", "tools.bench.memory", "--conclude", plan_key, str(folder)],
            check=True,
        )
        assert concluded.returncode == 0
        return
    seconds, cpu = time.monotonic() - began, time.process_time()
    print(
        f"  day {day + 1}: {seconds:6.1f} s, CPU {cpu:.1f} s, peak {peak()} MiB, "
        f"temporary files {temporary.peak() / MIB:.0f} MiB, {notifier.messages} messages, "
        f"{notifier.bytes / MIB:.1f} MiB, {said.counts}"
    )


def conclude(folder: Path, plan_key: str) -> None:
    """The last step in a process of its own."""
    CLIENTS.s3  # noqa: B018
    notifier = Discarding()
    store = FileStore(folder)
    stored = read_plan(store, plan_key)
    edges = FakeEdges(
        source=FixedSource(b""),
        api=SameAnswer(*STALE),
        store=store,
        notifier=notifier,
        heartbeat=CountingHeartbeat(),
        telemetry=RecordingTelemetry(),
        at=stored.run.due_at,
    )
    temporary = _Watched()
    began = time.monotonic()
    ends_at = stored.run.due_at + timedelta(minutes=15)
    Audit(SETTINGS, edges, "conclude", ends_at).conclude(stored)
    print(
        f"    conclude: {time.monotonic() - began:6.1f} s, CPU {time.process_time():.1f} s, "
        f"peak {peak()} MiB, temporary files {temporary.peak() / MIB:.0f} MiB, "
        f"{notifier.messages} messages"
    )


def peak() -> int:
    """Of this process, in MiB; getrusage would count what the parent had taken."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


class _Watched:
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=[*CASES, "--conclude"], nargs="?")
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--day", nargs=2)
    parser.add_argument("--conclude", nargs=2)
    asked = parser.parse_args()
    if asked.conclude:
        conclude(Path(asked.conclude[1]), asked.conclude[0])
        return
    if asked.day:
        one_day(Path(asked.day[1]), asked.case, int(asked.day[0]), asked.batch_size)
        return
    print(f"{asked.instances} instances, {asked.case}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        body = configuration(asked.instances, muted=asked.case == "muted")
        (folder / "configuration.json").write_bytes(body)
        for day in range(len(CASES[asked.case])):
            sys.stdout.flush()
            arguments = [asked.case, "--day", str(day), name, "--instances", str(asked.instances)]
            if asked.batch_size:
                arguments += ["--batch-size", str(asked.batch_size)]
            subprocess.run([sys.executable, "-m", "tools.bench.memory", *arguments], check=True)


if __name__ == "__main__":
    main()
