"""Whole runs of the engine over real sockets while something hangs. Nothing is waited out."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from backup_audit.judge.evidence import BackupList, Cause, Evidence, Silence
from backup_audit.probe.authorization import ReadyHeader, Secret
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.giving_up import SILENT_MAX
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.session import new_session
from tests.doubles.builders import NOW, instance
from tests.doubles.fake_time import FakeTime
from tests.doubles.scripted_server import Answer, scripted_server
from tests.doubles.stubborn_server import ANSWER, Serve, listening

pytestmark = pytest.mark.loopback

WORKERS = 4
RUN = 600.0  # seconds that a run may ask
HUNG = "hung"
OTHERS = [f"guid-{number}" for number in range(16)]
NOTHING = Silence(Cause.NOT_REACHED, "the run's time was over")


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hangs is found out soon."""
    monkeypatch.setattr("backup_audit.probe.engine._LOOKS_EVERY", 0.01)
    monkeypatch.setattr("backup_audit.probe.session._HUNG_AFTER", 0.1)


class Running:
    """An engine over real HTTP; `time` can be skipped."""

    def __init__(self, http: HttpClient, url: str) -> None:
        self.http = http
        self.time = FakeTime()
        token = ReadyHeader(Secret("bearer one"))
        self.api = CloudController(url, http, token, clock=lambda: NOW)
        self._engine = Engine(
            self.api,
            Deadline.after(RUN, self.time.monotonic),
            workers=WORKERS,
            clock=lambda: NOW,
            monotonic=self.time.monotonic,
            jitter=lambda: 1.0,
        )

    def evidence(
        self, guids: list[str], after: int = -1, then: Callable[[], object] = lambda: None
    ) -> dict[str, Evidence]:
        """What is known of each in the end; something is done after so many."""
        found: dict[str, Evidence] = {}
        for one, evidence in self._engine.probe([*map(instance, guids)]):
            found[one.guid] = evidence
            if len(found) == after:
                then()
        return found

    def is_over(self) -> None:
        """The run's time is over."""
        self.time.sleep(RUN)


@contextmanager
def running(
    url: str, *, connect_timeout: float = 20.0, read_timeout: float = 20.0
) -> Iterator[Running]:
    with new_session(None, size=2 * WORKERS) as session:
        http = HttpClient(session, connect_timeout=connect_timeout, read_timeout=read_timeout)
        yield Running(http, url)


def workers() -> list[threading.Thread]:
    """The engine's threads that have not gone yet."""
    return [thread for thread in threading.enumerate() if thread.name == "probe"]


def all_gone() -> bool:
    for thread in workers():
        thread.join(timeout=30)
    return not workers()


class Resolver:
    """Name resolution that hangs, each time but for some, until the test lets it go."""

    def __init__(self, hangs: Callable[[int], bool]) -> None:
        self.goes_on = threading.Event()
        self._hangs = hangs
        self._asked = count()
        self._resolve = socket.getaddrinfo

    def __call__(self, *arguments: object, **named: object) -> object:
        if self._hangs(next(self._asked)):
            self.goes_on.wait(timeout=30)
        return self._resolve(*arguments, **named)  # type: ignore[arg-type]


def test_a_worker_that_hangs_in_name_resolution_is_replaced_once_and_its_instance_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = Resolver(lambda number: number == 0)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    looked_often = threading.Event()
    times = most = 0

    def answers(_: object) -> Answer:
        if len({seen.path for seen in server.seen}) == len(OTHERS):  # that one comes last
            looked_often.wait(timeout=30)
        return Answer()

    with scripted_server(answers) as server, running(server.url, connect_timeout=0.1) as run:

        def looks() -> list[int]:
            nonlocal times, most
            hung = run.http.cut()
            times += bool(hung)
            most = max(most, len(workers()))
            if times >= 20:
                looked_often.set()
            return hung

        monkeypatch.setattr(run.api, "cut", looks)
        found = run.evidence(OTHERS)
        resolver.goes_on.set()
        assert all_gone()

    assert all(isinstance(evidence.answer, BackupList) for evidence in found.values())
    assert sorted(evidence.attempts for evidence in found.values()) == [1] * 15 + [2]
    assert most == WORKERS + 1


def test_a_run_whose_name_resolution_hangs_ends_at_its_deadline_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = Resolver(lambda number: number > 0)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)

    with scripted_server([Answer()]) as server, running(server.url) as run:
        found = run.evidence(OTHERS, 1, run.is_over)
        assert len(workers()) == WORKERS, "nobody waits for them"
        resolver.goes_on.set()
        assert all_gone()

    answers = [evidence.answer for evidence in found.values()]
    assert isinstance(answers[0], BackupList)
    assert answers[1:] == [NOTHING] * (len(OTHERS) - 1)
    asked = [seen for seen in server.seen if seen.line]
    assert len(asked) == 1, "what was given up is not asked any more"


def answers_all_but(stalls: Callable[[socket.socket], None]) -> Serve:
    """Answer; do something else with a request for the one that hangs."""

    def serve(connection: socket.socket) -> None:
        while head := connection.recv(65536):
            if b"/hung/" in head:
                stalls(connection)
                return
            connection.sendall(ANSWER)

    return serve


def test_an_answer_that_drips_is_cut_and_holds_nobody_up() -> None:
    def drips(connection: socket.socket) -> None:
        pace = threading.Event()
        for byte in b"HTTP/1.1 200 OK" + b" " * 5000:
            pace.wait(0.02)
            connection.sendall(bytes([byte]))

    with (
        listening(answers_all_but(drips)) as server,
        running(f"http://127.0.0.1:{server.port}", read_timeout=0.2) as run,
    ):
        found = run.evidence([HUNG, *OTHERS])
        assert all_gone()

    assert found[HUNG].answer == Silence(Cause.TIMEOUT, "no whole answer in time")
    assert found[HUNG].attempts == SILENT_MAX
    assert all(isinstance(found[guid].answer, BackupList) for guid in OTHERS)


def left_after(runs: int) -> tuple[int, int]:
    """Threads and file descriptors after so many runs, in each of which one instance hangs."""
    arrived = threading.Event()

    def says_nothing(connection: socket.socket) -> None:
        arrived.set()
        connection.recv(1)  # until the client goes

    with listening(answers_all_but(says_nothing)) as server:
        for _ in range(runs):
            with running(f"http://127.0.0.1:{server.port}") as run:

                def all_others_are_known(run: Running = run) -> None:
                    arrived.wait(timeout=30)
                    arrived.clear()
                    run.is_over()

                found = run.evidence([HUNG, *OTHERS], len(OTHERS), all_others_are_known)
            assert found.pop(HUNG).answer == NOTHING
            assert all(isinstance(evidence.answer, BackupList) for evidence in found.values())
        assert all_gone()
    return threading.active_count(), len([*Path("/dev/fd").iterdir()])


@pytest.mark.exhaustive
def test_fifty_warm_runs_with_something_that_hangs_in_each_leave_nothing_behind() -> None:
    assert left_after(1) == left_after(50)
