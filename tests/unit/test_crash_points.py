"""Killed at any point, delivered again or not: one report, everybody notified, nothing lost.

The points are found by wrapping the ports: before and after every read, write and message.
docs/decisions/0002-commit-protocol.md says when a message can come twice; so do these tests.
"""

import hashlib
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.fleet.run import AuditRequest, Run, plan_run
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
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

_invocations = itertools.count()


class World:
    """What outlives a process: the bucket and the topics. Yesterday's runs failed."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.topics = {audience: RecordingNotifier() for audience in Audience}
        configuration = {"instances": ["never"], "discover": [{"org": "*"}]}
        self.source = FixedSource(json.dumps(configuration).encode())
        self.foundation = ListedFoundation(row(guid) for guid in ANSWERS)

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
        settings = msgspec.structs.replace(SETTINGS, batch_size=2)
        ends_at = at + timedelta(minutes=15)
        return Audit(settings, edges, f"invocation-{next(_invocations)}", ends_at)


Deliver = Callable[[World, Effects, AuditRequest], None]


def due(request: AuditRequest) -> datetime:
    assert request.scheduled_time
    return request.scheduled_time


def in_one_invocation(world: World, effects: Effects, request: AuditRequest = TODAY) -> None:
    """Deliver the event to the function."""
    invocation = f"invocation-{next(_invocations)}"
    run = plan_run(request, due(request), invocation)
    world.audit(effects, due(request)).run(request, run)


def in_steps(world: World, effects: Effects, request: AuditRequest = TODAY) -> None:
    """Deliver the event to the state machine: each step is a process of its own."""
    at = due(request)
    run = plan_run(request, at, f"execution-{next(_invocations)}")
    planned = world.audit(effects, at).plan(request, run)
    assert isinstance(planned, PlanAnswer)
    stored = read_plan(effects.around(world.store), planned.plan_key)
    for number in range(planned.batches):
        world.audit(effects, at).audit_batch(stored, number)
    world.audit(effects, at).conclude(stored)


def of_an_earlier_day() -> World:
    """A world in which a run was committed yesterday, and another has failed since."""
    world = World()
    in_one_invocation(world, Effects(), YESTERDAY)
    failed_at = NOW - timedelta(hours=1)
    runs = FailingRuns(world.store, FAILING, "test", warn=lambda _: None)
    runs.failed_again("20260131T040000Z", failed_at, "ApiUnreachable: it is down")
    runs.notified(tuple(Audience), failed_at)
    for topic in world.topics.values():
        topic.messages.clear()
    return world


def points(deliver: Deliver) -> list[str]:
    """All points of a run that nothing disturbs."""
    world, effects = of_an_earlier_day(), Effects()
    deliver(world, effects, TODAY)
    return effects.names


SINGLE, MAPPED = points(in_one_invocation), points(in_steps)
CASES = [
    pytest.param(deliver, names, at, id=f"{mode}-{at}-{names[at].replace('/', '.')}")
    for mode, deliver, names in (
        ("single", in_one_invocation, SINGLE),
        ("map", in_steps, MAPPED),
    )
    for at in range(len(names))
]
every_point = pytest.mark.parametrize(("deliver", "names", "at"), CASES)


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


def published(world: World) -> dict[Audience, Counter[str]]:
    """The messages of each topic, by id."""
    return {
        audience: Counter(message.message_id for message in topic.messages)
        for audience, topic in world.topics.items()
    }


def undisturbed(deliver: Deliver) -> dict[Audience, set[str]]:
    """What each topic gets of a run that nothing disturbs."""
    world = of_an_earlier_day()
    deliver(world, Effects(), TODAY)
    return {audience: set(ids) for audience, ids in published(world).items()}


EVERYTHING = undisturbed(in_one_invocation)
assert undisturbed(in_steps) == EVERYTHING


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
def test_killed_at_this_point_and_delivered_again_nothing_is_lost_and_nothing_said_twice(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
    with pytest.raises(Died):
        deliver(world, Effects(at, dies), TODAY)
    assert_pointer_leads_to_a_committed_run(world)

    deliver(world, Effects(), TODAY)

    assert_one_report_of_everything(world)
    assert_everybody_was_notified(world, lambda one: is_in_the_window(one, names, at))
    # If all is out, and that it is over could not be noted, the next run says it once more.
    closed = max(i for i, name in enumerate(names) if name == f"after put_if_unchanged {FAILING}")
    assert is_over(world) or marked(Audience.EVENTS, names) <= at < closed


@every_point
def test_killed_twice_at_this_point_and_delivered_again_nothing_is_lost(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
    for _ in range(2):
        try:
            deliver(world, Effects(at, dies), TODAY)
        except Died:
            assert_pointer_leads_to_a_committed_run(world)

    deliver(world, Effects(), TODAY)

    assert_one_report_of_everything(world)
    assert {audience: set(ids) for audience, ids in published(world).items()} == EVERYTHING
    assert names


@every_point
def test_killed_at_this_point_and_never_delivered_again_the_next_run_says_what_was_not_said(
    deliver: Deliver, names: list[str], at: int
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
    is_doubled = is_in_the_window(Audience.EVENTS, names, at)
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


@every_point
def test_overtaken_at_this_point_by_another_delivery_there_is_one_report(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
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
    for names in (SINGLE, MAPPED):
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
