"""Killed at any point, delivered again or not: one report, everybody notified, nothing lost.

The points are found by wrapping the ports: before and after every read, write and message.
What comes after a death is decided by what it leaves. Of the points that leave the same, which is
tried at each of them, one stands for all. docs/decisions/0002-commit-protocol.md says when a
message can come twice; so do these tests.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.fleet.run import AuditRequest, Run, plan_run
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.notify.message import Message
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.report.alerts import Audience
from backup_audit.report.failing import FailingRuns
from backup_audit.report.report import Latest, Manifest, RunLine, WholeReport, run_line_of
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.crashing import Died, Effects, OneByOne, dies
from tests.doubles.days import row
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    ListedFoundation,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)
from tests.doubles.some import rest

YESTERDAY, TODAY, TOMORROW = (
    AuditRequest(scheduled_time=NOW + timedelta(days=days)) for days in (-1, 0, 1)
)
ANSWERS: dict[str, Answer | tuple[Answer, int | None]] = {
    "healthy": a_list(3),
    "mended": a_list(3),
    "stale": a_list(50),
    "never": BackupList(()),
    "unsupported": (Refusal(10008, "CF-UnprocessableEntity"), 422),
    # Makes the run incomplete.
    "not-reached": (Silence(Cause.NOT_REACHED, "the run's time was over"), None),
}
# Yesterday one had another problem, which is news today, and two were as they are today.
BEFORE = {**ANSWERS, "mended": a_list(50), "stale": a_list(3), "never": a_list(50)}
DUE = {"stale": "opened", "never": "worsened", "mended": "ended"}  # what programs hear today
BESIDE = ("fleet.jsonl", "findings.csv", "report.json", "report.html")
LATEST = "backup-audit/latest.json"
FAILING = "backup-audit/failing.json"

Left = tuple[dict[str, bytes], dict[Audience, list[Message]]]


class World:
    """What outlives a process: the bucket and the topics. Invocations are numbered from `first`."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._numbers = itertools.count(first)
        self.store = InMemoryStore()
        self.topics = {audience: RecordingNotifier() for audience in Audience}
        configuration = {"instances": ["never"], "discover": [{"org": "*"}]}
        self.source = FixedSource(json.dumps(configuration).encode())
        self.foundation = ListedFoundation(row(guid) for guid in ANSWERS)

    def left(self) -> Left:
        """All that is there now."""
        said = {audience: [*topic.messages] for audience, topic in self.topics.items()}
        return dict(self.store.objects), said

    def copy(self) -> "World":
        """Another world, which goes on from what is there now."""
        other = World(self._first + 100)
        other.store.objects, said = self.left()
        for audience, topic in other.topics.items():
            topic.messages += said[audience]
        return other

    def invocation(self) -> str:
        """The id of one that has not been before."""
        return f"invocation-{next(self._numbers)}"

    def audit(self, effects: Effects, at: datetime = NOW) -> Audit:
        """A process's use case."""
        people, events, chat = (
            OneByOne(topic, effects, audience) for audience, topic in self.topics.items()
        )
        edges = FakeEdges(
            source=effects.around(self.source),
            api=ScriptedApi(ANSWERS if at >= NOW else BEFORE),
            store=effects.around(self.store),
            notifier=people,
            events=events,
            chat=chat,
            heartbeat=effects.around(CountingHeartbeat()),
            telemetry=RecordingTelemetry(),
            at=at + timedelta(seconds=7),
            foundation=effects.around(self.foundation),
        )
        # One worker: a run is the same each time, to the order of the answers.
        settings = msgspec.structs.replace(SETTINGS, batch_size=2, workers=1)
        ends_at = at + timedelta(minutes=15)
        return Audit(settings, edges, self.invocation(), ends_at)


Deliver = Callable[[World, Effects, AuditRequest], None]


def due(request: AuditRequest) -> datetime:
    assert request.scheduled_time
    return request.scheduled_time


def in_one_invocation(world: World, effects: Effects, request: AuditRequest = TODAY) -> None:
    """Deliver the event to the function."""
    run = plan_run(request, due(request), world.invocation())
    world.audit(effects, due(request)).run(request, run)


def in_steps(world: World, effects: Effects, request: AuditRequest = TODAY) -> None:
    """Deliver the event to the state machine: each step is a process of its own."""
    at = due(request)
    run = plan_run(request, at, world.invocation())
    planned = world.audit(effects, at).plan(request, run)
    assert isinstance(planned, PlanAnswer)
    stored = read_plan(effects.around(world.store), planned.plan_key)
    for number in range(planned.batches):
        world.audit(effects, at).audit_batch(stored, number)
    world.audit(effects, at).conclude(stored)


def of_an_earlier_day() -> World:
    """A world in which a run was committed yesterday, and another has failed since."""
    return _an_earlier_day().copy()


@functools.cache
def _an_earlier_day() -> World:
    world = World()
    in_one_invocation(world, Effects(), YESTERDAY)
    failed_at = NOW - timedelta(hours=1)
    runs = FailingRuns(world.store, FAILING, "test", warn=lambda _: None)
    runs.failed_again("20260131T040000Z", failed_at, "ApiUnreachable: it is down")
    runs.notified(tuple(Audience), failed_at)
    for topic in world.topics.values():
        topic.messages.clear()
    return world


def published(world: World) -> dict[Audience, Counter[str]]:
    """The messages of each topic, by id."""
    return {
        audience: Counter(message.message_id for message in topic.messages)
        for audience, topic in world.topics.items()
    }


class Undisturbed(Effects):
    """A run that nothing disturbs: its points, what was there at each, and what each topic got."""

    def __init__(self, deliver: Deliver) -> None:
        super().__init__()
        self._world = of_an_earlier_day()
        self.left: list[Left] = []
        deliver(self._world, self, TODAY)
        self.said = {audience: set(ids) for audience, ids in published(self._world).items()}

    def point(self, name: str) -> None:
        super().point(name)
        self.left.append(self._world.left())

    def alike(self, at: int) -> range:
        """This point and those after it, as long as what is there stays the same."""
        until = (i for i in range(at, len(self.left)) if self.left[i] != self.left[at])
        return range(at, next(until, len(self.left)))

    @property
    def changes(self) -> list[int]:
        """The points at which there is something else than before: one for each that is there."""
        places = range(1, len(self.left))
        return [0, *(at for at in places if self.left[at] != self.left[at - 1])]

    @property
    def kinds(self) -> set[int]:
        """The changes, and the first point before and after each kind of effect."""
        first = dict[str, int]()
        for at, name in enumerate(self.names):
            first.setdefault(name.partition(" backup-audit/")[0], at)
        return {*self.changes, *first.values()}

    @property
    def turns(self) -> list[int]:
        """The points but for those before an effect that has been at the same place after the last.

        Nothing is read or written between the two. Lines are, piece by piece.
        """
        pairs = zip(["", *self.names], self.names, strict=False)
        return [
            at
            for at, (last, name) in enumerate(pairs)
            if not (name.startswith("before ") and last.startswith("after "))
            or last.startswith("after lines ")
        ]


SINGLE, MAPPED = Undisturbed(in_one_invocation), Undisturbed(in_steps)
EVERYTHING = SINGLE.said
assert MAPPED.said == EVERYTHING


def cases(
    places: Callable[[Undisturbed], Iterable[int]],
    some: Callable[[Undisturbed], Iterable[int]] | None = None,
) -> pytest.MarkDecorator:
    """Parameters for a run in either mode, and these of its points.

    `make test` leaves those out of a run in steps that change nothing: one invocation has the same.
    Of that it has but `some` where they are told.
    """
    some = some or places
    return pytest.mark.parametrize(
        ("deliver", "undisturbed", "at"),
        [
            (pytest.param if at in (some(run) if mode == "single" else run.changes) else rest)(
                deliver, run, at, id=f"{mode}-{at}-{run.names[at].replace('/', '.')}"
            )
            for mode, deliver, run in (
                ("single", in_one_invocation, SINGLE),
                ("map", in_steps, MAPPED),
            )
            for at in places(run)
        ],
    )


every_point = cases(lambda run: range(len(run.names)), lambda run: run.kinds)
every_change = cases(lambda run: run.changes)
every_turn = cases(lambda run: run.turns)


def assert_pointer_leads_to_a_committed_run(world: World) -> None:
    """latest.json never points at anything half written, nor at a run that has no line."""
    latest = msgspec.json.decode(world.store.objects[LATEST], type=Latest)
    manifest = msgspec.json.decode(world.store.objects[latest.manifest_key], type=Manifest)
    assert manifest.run == latest.run
    assert_lines_are_of_committed_runs(world)
    assert line_of(world, latest.run).report_key == latest.report_key


def assert_lines_are_of_committed_runs(world: World) -> None:
    """What queries count is committed, and its objects are those that its manifest describes."""
    lines = [key for key in world.store.objects if "/runs/" in key]
    for key in lines:
        line = msgspec.json.decode(world.store.objects[key], type=RunLine)
        body = world.store.objects[line.report_key]
        report = msgspec.json.decode(body, type=WholeReport)
        assert line == run_line_of(report, line.report_key)
        [mine] = [one for one in report.history if one.run_id == line.run_id]
        assert (mine.due_at, mine.counts) == (line.due_at, line.counts)
        manifest_key = line.report_key.replace("report.json", "manifest.json")
        manifest = msgspec.json.decode(world.store.objects[manifest_key], type=Manifest)
        names = Counter(kept.key.rpartition("/")[2].partition("-")[0] for kept in manifest.objects)
        assert names.pop("part") >= 1
        assert names == dict.fromkeys(BESIDE, 1)
        for kept in manifest.objects:
            stored = world.store.objects[kept.key]
            assert (len(stored), hashlib.sha256(stored).hexdigest()) == (kept.bytes, kept.sha256)


def line_of(world: World, run: Run) -> RunLine:
    """The line of a run in runs/."""
    key = f"backup-audit/runs/dt={run.due_at:%Y-%m-%d}/run={run.run_id}.json"
    return msgspec.json.decode(world.store.objects[key], type=RunLine)


def assert_one_report_of_everything(world: World) -> None:
    """Each instance appears once, in the report that latest.json points at."""
    assert_pointer_leads_to_a_committed_run(world)
    latest = msgspec.json.decode(world.store.objects[LATEST], type=Latest)
    assert latest.run.due_at == NOW
    lines = [
        json.loads(line)
        for key, body in world.store.objects.items()
        if key.startswith(latest.findings_prefix)
        for line in body.splitlines()
    ]
    assert sorted(line["guid"] for line in lines) == sorted(ANSWERS)
    fleet = world.store.objects[latest.report_key.replace("report.json", "fleet.jsonl")]
    assert sorted(json.loads(line)["guid"] for line in fleet.splitlines()) == sorted(ANSWERS)
    for name in ("/report.json", "/report.html", "/manifest.json"):
        found = [key for key in world.store.objects if key.endswith(name)]
        assert len(found) == 2, "yesterday's and today's"
    report = msgspec.json.decode(world.store.objects[latest.report_key], type=WholeReport)
    assert [one.due_at for one in report.history] == [due(YESTERDAY), due(TODAY)]


def is_in_the_window(audience: Audience, names: list[str], at: int) -> bool:
    """Whether a message is out by this point, and not yet the mark that says so."""
    return names.index(f"after publish {audience}") <= at < marked(audience, names)


def marked(audience: Audience, names: list[str]) -> int:
    """The point after which an audience's messages are known to be out."""
    return next(
        i
        for i, name in enumerate(names)
        if name.startswith("after put_new") and name.endswith(audience.mark)
    )


def assert_everybody_was_notified(world: World, doubled: Callable[[Audience], bool]) -> None:
    """Each audience got all of its messages, and none twice unless it may be `doubled`."""
    for audience, ids in published(world).items():
        assert set(ids) == EVERYTHING[audience]
        assert max(ids.values()) == 1 or doubled(audience)


def is_over(world: World) -> bool:
    """Whether failing.json says that runs succeed again."""
    return json.loads(world.store.objects[FAILING])["ended_at"] is not None


@every_point
def test_killed_at_this_point_a_run_leaves_what_was_there_and_nothing_else(
    deliver: Deliver, undisturbed: Undisturbed, at: int
) -> None:
    world = of_an_earlier_day()

    with pytest.raises(Died):
        deliver(world, Effects(at, dies), TODAY)

    assert world.left() == undisturbed.left[at]


@every_change
def test_killed_at_this_point_and_delivered_again_nothing_is_lost_and_nothing_said_twice(
    deliver: Deliver, undisturbed: Undisturbed, at: int
) -> None:
    world = of_an_earlier_day()
    with pytest.raises(Died):
        deliver(world, Effects(at, dies), TODAY)
    assert_pointer_leads_to_a_committed_run(world)

    deliver(world, Effects(), TODAY)

    names = undisturbed.names
    assert_one_report_of_everything(world)
    assert_everybody_was_notified(world, lambda one: is_in_the_window(one, names, at))
    # If all is out, and that it is over could not be noted, the next run says it once more.
    closed = max(i for i, name in enumerate(names) if name == f"after put_if_unchanged {FAILING}")
    assert is_over(world) or marked(Audience.EVENTS, names) <= at < closed


@every_change
def test_killed_twice_at_this_point_and_delivered_again_nothing_is_lost(
    deliver: Deliver, undisturbed: Undisturbed, at: int
) -> None:
    once = of_an_earlier_day()
    with pytest.raises(Died):
        deliver(once, Effects(at, dies), TODAY)

    done = list[Left]()
    for again in undisturbed.alike(at):
        world = once.copy()
        with contextlib.suppress(Died):
            deliver(world, Effects(again, dies), TODAY)
        if world.left() in done:
            continue
        done.append(world.left())
        assert_pointer_leads_to_a_committed_run(world)

        deliver(world, Effects(), TODAY)

        assert_one_report_of_everything(world)
        assert {audience: set(ids) for audience, ids in published(world).items()} == EVERYTHING


@every_change
def test_killed_at_this_point_and_never_delivered_again_the_next_run_says_what_was_not_said(
    deliver: Deliver, undisturbed: Undisturbed, at: int
) -> None:
    world = of_an_earlier_day()
    with pytest.raises(Died):
        deliver(world, Effects(at, dies), TODAY)

    deliver(world, Effects(), TOMORROW)

    assert_pointer_leads_to_a_committed_run(world)
    heard = Counter(
        (event["instance"]["guid"], event["action"])
        for event in map(json.loads, (one.body for one in world.topics[Audience.EVENTS].messages))
        if event["event"] == "problem"
    )
    assert {guid: action for guid, action in heard if action != "reminded"} == DUE
    is_doubled = is_in_the_window(Audience.EVENTS, undisturbed.names, at)
    assert all(heard[of] == 1 for of in DUE.items()) or is_doubled
    for audience in (Audience.PEOPLE, Audience.CHAT):
        digests = world.topics[audience].messages
        assert [one for one in digests if "audit works again" in one.body]
        assert [one for one in digests if "new" in one.attributes["change"]]
    assert is_over(world)


def committed_and_not_marked(audience: Audience, names: list[str], at: int) -> bool:
    """Whether another delivery that comes at this point says what the first is yet to say."""
    committed = next(
        i
        for i, name in enumerate(names)
        if name.startswith("after put_new") and name.endswith("manifest.json")
    )
    return committed <= at < marked(audience, names)


@every_turn
def test_overtaken_at_this_point_by_another_delivery_there_is_one_report(
    deliver: Deliver, undisturbed: Undisturbed, at: int
) -> None:
    names, world = undisturbed.names, of_an_earlier_day()
    overtakes = Effects(at, lambda: deliver(world, Effects(), TODAY))

    deliver(world, overtakes, TODAY)

    assert_one_report_of_everything(world)
    assert_everybody_was_notified(world, lambda one: committed_and_not_marked(one, names, at))


@pytest.mark.parametrize("deliver", [in_one_invocation, in_steps])
def test_two_deliveries_in_real_threads_leave_one_report(deliver: Deliver) -> None:
    world = of_an_earlier_day()
    together = threading.Barrier(2, timeout=30)

    def work() -> None:
        together.wait()
        deliver(world, Effects(), TODAY)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert_one_report_of_everything(world)
    assert {audience: set(ids) for audience, ids in published(world).items()} == EVERYTHING


def test_every_kind_of_effect_is_among_the_points() -> None:
    for names in (SINGLE.names, MAPPED.names):
        kinds = {name.split()[1] for name in names}
        assert kinds >= {"read", "scan", "get", "exists", "put_new", "new_object", "lines"}
        assert kinds >= {"put_if_unchanged", "publish"}
        assert {name for name in names if name.startswith("after publish")} == {
            f"after publish {audience}" for audience in Audience
        }
        for key in (FAILING, *(audience.mark for audience in Audience)):
            assert any(name.startswith("after put") and key in name for name in names)
        for name in ("report.html", "/runs/"):
            assert [one for one in names if one.startswith("after") and name in one]
        fleets = [name for name in names if name.endswith("fleet.jsonl")]
        written = [name for name in fleets if name.startswith("before the end of new_object")]
        assert len(written) == 2, "beside the batches, and beside the report"
        assert any(name.startswith("before lines") for name in fleets), "the last one is read"
