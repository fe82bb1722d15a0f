"""Notifying: what the messages of a run take, and what it takes to know problems from day to day.

    python -m tools.bench.alerts stale --instances 100000

A day is a run in a process of its own. Messages go through boto3, which makes and signs requests;
SNS takes each in 20 ms, within the process. Objects are files, and the API answers at once.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from backup_audit.audit import Audit
from backup_audit.aws import CLIENTS
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Refusal
from backup_audit.notify.message import Message
from backup_audit.notify.progress import BatchResult
from backup_audit.notify.sns import BATCH_MAX, SnsNotifier
from backup_audit.probe.attempt import Attempt
from backup_audit.probe.engine import Engine
from backup_audit.report.alerts import Audience
from backup_audit.report.report import Ceilings
from backup_audit.wiring import drawn
from tests.doubles.builders import NOW, SETTINGS
from tests.doubles.days import EVERYTHING, row
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    ListedFoundation,
    RecordingTelemetry,
    ScriptedApi,
    attempt,
)
from tools.bench import children, discovered, list_server
from tools.bench.fake_sns import FakeSns, Killed
from tools.bench.memory import (
    DAY,
    HEALTHY,
    STALE,
    Discarding,
    Edges,
    FileStore,
    SameAnswer,
    configuration,
    peak_mib,
)
from tools.bench.results import (
    ALERT_SIZES,
    AUDIT,
    COMMIT,
    LIVES,
    NEW_PROBLEMS,
    NOTIFY,
    PLAN,
    Again,
    AlertDay,
    Alerts,
    Sending,
    life_key,
)

T = TypeVar("T")

_CONFIGURATION = "configuration.json"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
}

_REFUSED = attempt(Refusal(10001, "CF-ServiceBrokerBadResponse", "the broker says no"), 502)
_OWNERS = 1_000
_WEEK = 7 * 24  # hours
_STABLE, _OPEN = 500, 50  # instances of a fleet that stays as it is, and its open problems


class Life(msgspec.Struct, frozen=True):
    """What becomes of a fleet: what the API answers, a day after the other.

    Each of the `owners` has a digest of its own if `per_owner`. If it `leaves`, nobody audits any
    instance but one from the second day on. `differs`: each refusal has a title of its own.
    """

    answers: tuple[Attempt, ...]
    owners: int = 100
    per_owner: bool = False
    muted: bool = False
    leaves: bool = False
    differs: bool = False

    def configuration(self, instances: int, day: int) -> bytes:
        audited = 1 if self.leaves and day else instances
        return configuration(audited, muted=self.muted, owners=self.owners)


_LIVES: Mapping[str, Life] = {
    "stale": Life((STALE, STALE, HEALTHY, HEALTHY)),
    "leave": Life((STALE, STALE), leaves=True),
    "muted": Life((STALE, STALE), muted=True),
    "one-cause": Life((_REFUSED, _REFUSED)),
    "many-causes": Life((_REFUSED, _REFUSED), differs=True),
    "owners": Life((STALE, STALE, HEALTHY), owners=_OWNERS, per_owner=True),
}
assert _LIVES.keys() == LIVES.keys()


def alerts(*, repeats: int, quick: bool, tell: Callable[[str], None]) -> Alerts:
    """Measure everything; quickly, at a hundredth, and for a day instead of a week."""
    less = 100 if quick else 1
    new, days = {}, {}
    for size in NEW_PROBLEMS:
        tell(f"{size // less:,} new problems")
        new[str(size // less)] = _new_problems(size // less, repeats)
    tell("a death in the middle")
    again = _death(NEW_PROBLEMS[1] // less)
    for life, size in itertools.product(LIVES, ALERT_SIZES):
        tell(f"{size // less:,} instances, {life}")
        days[life_key(life, size // less)] = list(_days(life, size // less))
    tell("hourly runs")
    digests = _digests_of_hourly_runs(24 if quick else _WEEK)
    return Alerts(new=new, again=again, days=days, digests_in_a_week=digests)


def _new_problems(instances: int, repeats: int) -> AlertDay:
    """A day on which all are new: the round whose events took the median of CPU time."""
    rounds = [next(_days("stale", instances)) for _ in range(repeats)]
    rounds.sort(key=lambda day: day.sent[Audience.EVENTS].cpu_seconds)
    return rounds[len(rounds) // 2]


def _days(life: str, instances: int) -> Iterator[AlertDay]:
    with _first_day(life, instances) as first:
        for day in range(len(_LIVES[life].answers)):
            yield _live(msgspec.structs.replace(first, day=day), AlertDay)


def _death(instances: int) -> Again:
    """A run dies when half of its events are out; its retry sends the rest."""
    with _first_day("stale", instances) as first:
        dies = msgspec.structs.replace(first, kills_after=instances // BATCH_MAX // 2)
        before = _live(dies, int)
        retry = _live(msgspec.structs.replace(first, invocation="retry"), AlertDay)
    after = sum(one.messages for one in retry.sent.values())
    everything = instances + 1 + 2  # with the run's own event, and two digests
    return Again(messages=everything, before=before, after=after)


@contextmanager
def _first_day(life: str, instances: int) -> Iterator["Task"]:
    with tempfile.TemporaryDirectory() as folder, list_server.running(instances) as url:
        yield Task(life=life, instances=instances, folder=folder, list_url=url)


def _live(task: "Task", answer: type[T]) -> T:
    source = _LIVES[task.life].configuration(task.instances, task.day)
    Path(task.folder, _CONFIGURATION).write_bytes(source)
    environment = {**children.clean_environment(), **_CREDENTIALS}
    arguments = ["-m", "tools.bench.alerts", "--task"]
    return children.ask(arguments, answer, told=task, environment=environment)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A day of a life, for a process of its own: it dies with the request after so many."""

    life: str
    day: int = 0
    instances: int
    folder: str
    list_url: str
    invocation: str = "first"
    kills_after: int | None = None


def _carry_out(task: Task) -> AlertDay | int:
    """Live through a day; how many messages were taken is returned if it is killed."""
    CLIENTS.s3  # noqa: B018  # what a client takes counts too
    sns, life, meter = FakeSns(CLIENTS.sns, task.kills_after), _LIVES[task.life], _Meter()
    due = NOW + task.day * DAY
    source = FixedSource(b"")
    source.read = Path(task.folder, _CONFIGURATION).read_bytes  # type: ignore[method-assign]
    edges = _Edges(
        source=source,
        api=_Api(life.answers[task.day], float("inf"), differs=life.differs),
        store=FileStore(Path(task.folder)),
        notifier=_Topic(Audience.PEOPLE, meter),
        events=_Topic(Audience.EVENTS, meter),
        chat=_Topic(Audience.CHAT, meter),
        heartbeat=CountingHeartbeat(),
        telemetry=RecordingTelemetry(),
        at=due,
        draw=drawn,
    )
    edges.list_url, edges.meter = task.list_url, meter
    settings = msgspec.structs.replace(SETTINGS, digest_per_owner=life.per_owner)
    audit = Audit(settings, edges, f"{task.invocation}-{task.day}", due + timedelta(minutes=15))
    request = AuditRequest(scheduled_time=due)
    meter.begin()
    try:
        audit.run(request, plan_run(request, due, "i"))
    except Killed:
        return sns.taken
    return AlertDay(
        cpu_seconds={step: round(seconds, 3) for step, seconds in meter.cpu.items()},
        peak_mib=round(peak_mib(), 1),
        sent=meter.sent,
    )


class _Meter:
    """What each step and each audience takes: CPU seconds since the step before."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.sent: dict[str, Sending] = {}
        self._last = 0.0

    def begin(self) -> None:
        self._last = time.process_time()

    def ended(self, step: str) -> float:
        """Add what passed to a step; return it."""
        before, self._last = self._last, time.process_time()
        self.cpu[step] = self.cpu.get(step, 0) + self._last - before
        return self._last - before


class _Topic:
    """A Notifier that is measured."""

    def __init__(self, audience: Audience, meter: _Meter) -> None:
        self._audience = audience
        self._meter = meter
        self._sns = SnsNotifier(
            f"arn:aws:sns:us-east-1:123456789012:{audience}", lambda: CLIENTS.sns
        )

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        peak, batches, largest = peak_mib(), 0, 0
        self._meter.ended(COMMIT)

        def weighed() -> Iterator[Message]:
            nonlocal largest
            for message in messages:
                largest = max(largest, message.size)
                yield message

        def counted(result: BatchResult) -> None:
            nonlocal batches
            batches += 1
            took(result)

        sent = self._sns.publish(weighed(), counted)
        self._meter.sent[self._audience] = Sending(
            messages=sent,
            batches=batches,
            largest=largest,
            cpu_seconds=round(self._meter.ended(NOTIFY), 3),
            above_mib=round(peak_mib() - peak, 1),
        )
        return sent


class _Edges(Edges):
    """Edges whose meter knows when asking begins and ends."""

    meter: _Meter

    @contextmanager
    def engine(self, ceilings: Ceilings) -> Iterator[Engine]:
        self.meter.ended(PLAN)
        with super().engine(ceilings) as engine:
            yield engine
        self.meter.ended(AUDIT)


class _Api(SameAnswer):
    """The same answer for all, or one with a title of its own for each."""

    def __init__(self, same: Attempt, lives_for: float, *, differs: bool) -> None:
        super().__init__(same, lives_for)
        self._differs = differs

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        same = super().list_backups(guid, limit)
        if not self._differs:
            return same
        answer = Refusal(10001, f"CF-Of-{guid}", "the broker says no")
        evidence = msgspec.structs.replace(same.evidence, answer=answer)
        return msgspec.structs.replace(same, evidence=evidence)


class _Stable(ScriptedApi):
    """Whose fleet has the same problems at any time."""

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        return STALE if guid in _OPEN_GUIDS else HEALTHY


_GUIDS = [discovered.row(number).guid for number in range(_STABLE)]
_OPEN_GUIDS = frozenset(_GUIDS[:_OPEN])


def _digests_of_hourly_runs(hours: int) -> int:
    """How many digests people get while the same 50 problems are open."""
    people = Discarding()
    with tempfile.TemporaryDirectory() as folder:
        for hour in range(hours):
            due = NOW + timedelta(hours=hour)
            edges = FakeEdges(
                source=FixedSource(msgspec.json.encode(EVERYTHING)),
                api=_Stable({}),
                store=FileStore(Path(folder)),
                notifier=people,
                heartbeat=None,
                telemetry=RecordingTelemetry(),
                at=due,
                foundation=ListedFoundation(map(row, _GUIDS)),
            )
            request = AuditRequest(scheduled_time=due)
            audit = Audit(SETTINGS, edges, f"hour-{hour}", due + timedelta(minutes=15))
            audit.run(request, plan_run(request, due, "i"))
    return people.messages


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("life", choices=LIVES, nargs="?", default="stale")
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--task", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.task:
        done = _carry_out(msgspec.json.decode(sys.stdin.buffer.read(), type=Task))
        print(msgspec.json.encode(done).decode())
        return
    print(f"{asked.instances:,} instances, {asked.life}")
    for day in _days(asked.life, asked.instances):
        print(day, flush=True)


if __name__ == "__main__":
    main()
