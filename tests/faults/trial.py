"""A run of the real client, from the engine to the finding, against a server with a fault."""

import contextlib
import logging
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.probe.authorization import ReadyHeader, Secret
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.schedule import Probed
from backup_audit.probe.session import new_session
from tests.doubles.builders import NOW, run
from tests.doubles.fake_time import FakeTime
from tests.faults.fault import TOKEN, Channel, Fault
from tests.faults.server import CA, FAULTY, NEIGHBOUR, Site, site

_WITH_GRACE = msgspec.structs.replace(BUILT_IN, grace_seconds=24 * 3600)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a fault on one channel.

    `neighbours` are the findings about an instance of which the API said, each time and between
    the faults, that its newest backup is 50 hours old. `ended` is the error that ended the run.
    `requests` are the heads of all that the server got, `to_proxy` is all that each connection
    brought the proxy; `waits` are seconds.
    """

    findings: tuple[Finding, ...]
    neighbours: tuple[Finding, ...]
    ended: str | None
    requests: tuple[bytes, ...]
    to_proxy: tuple[bytes, ...]
    foreign_connections: int
    waits: tuple[float, ...]


class Trial(msgspec.Struct, frozen=True):
    """What became of a fault on each channel, and all that was logged meanwhile, by anybody."""

    outcomes: dict[Channel, Outcome]
    log: str


def try_out(fault: Fault) -> Trial:
    """Run a fault on all its channels, at the same time."""
    with logged() as lines, ThreadPoolExecutor(len(fault.channels)) as pool:
        outcomes = list(pool.map(lambda channel: _run(fault, channel), fault.channels))
    return Trial(dict(zip(fault.channels, outcomes, strict=True)), "\n".join(lines))


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Keep what all loggers say, at the lowest level."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextlib.contextmanager
def engine_at(there: Site, fault: Fault, time: FakeTime) -> Iterator[Engine]:
    """A real engine, with real connections to a faulty site, at a time that does not pass."""
    with new_session(CA) as session:
        http = HttpClient(
            session,
            connect_timeout=fault.connect_timeout,
            read_timeout=fault.read_timeout,
            proxy=there.proxy_url,
        )
        token = ReadyHeader(Secret(TOKEN))
        api = CloudController(there.url, http, token, clock=lambda: NOW, now=NOW.timestamp)
        engine = Engine(
            time.watched(api),
            Deadline(math.inf),
            workers=1,
            clock=lambda: NOW,
            monotonic=time.monotonic,
            wait=time.wait,
            jitter=lambda: 1.0,
        )
        with contextlib.closing(engine):
            yield engine


def _run(fault: Fault, channel: Channel) -> Outcome:
    time = FakeTime()
    probed: list[Probed] = []
    ended = None
    with site(fault, channel) as there, engine_at(there, fault, time) as engine:
        try:
            probed.extend(engine.probe(_instances(fault)))
        except AuditError as error:
            ended = str(error)
    findings = [finding_of(instance, evidence, run(), None) for instance, evidence in probed]
    return Outcome(
        findings=tuple(found for found in findings if found.guid != NEIGHBOUR),
        neighbours=tuple(found for found in findings if found.guid == NEIGHBOUR),
        ended=ended,
        requests=tuple(there.heads),
        to_proxy=tuple(there.to_proxy),
        foreign_connections=there.foreign_connections,
        waits=tuple(time.waits),
    )


def _instances(fault: Fault) -> list[Instance]:
    """One for each variation; the neighbour before, between and after, if it can be reached."""
    policy = _WITH_GRACE if fault.of_age else BUILT_IN
    faulty = [Instance(f"{FAULTY}{number}", policy) for number in range(len(fault.does))]
    if not fault.reaches_the_api:
        return faulty
    neighbour = Instance(NEIGHBOUR, BUILT_IN)
    return [neighbour, *(one for instance in faulty for one in (instance, neighbour))]
