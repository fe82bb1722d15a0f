"""Killed at any point, delivered again: one report, everything told, nothing half committed.

The points are found by wrapping the ports: before and after every read, write and message.
docs/decisions/0002-commit-protocol.md says when a message can come twice; so do these tests.
"""

import hashlib
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.plan import PlanAnswer, read_plan
from backup_audit.report.report import Latest, Manifest
from backup_audit.settings import NotifyMode
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

SCHEDULED = AuditRequest(scheduled_time=NOW)
YESTERDAY = AuditRequest(scheduled_time=NOW - timedelta(days=1))
ANSWERS: dict[str, Answer | tuple[Answer, int | None]] = {
    "healthy": a_list(3),
    "stale": a_list(50),
    "never": BackupList(()),
    "unsupported": (Refusal(10008, "CF-UnprocessableEntity"), 422),
    # Makes the run incomplete, which is a message of its own.
    "not-reached": (Silence(Cause.NOT_REACHED, "the run's time was over"), None),
}
PROBLEMS = set(ANSWERS) - {"healthy"}
LATEST = "backup-audit/latest.json"

_invocations = itertools.count()


class World:
    """What outlives a process: the bucket and the topic."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.notifier = RecordingNotifier()
        configuration = {"instances": ["never"], "discover": [{"org": "*"}]}
        self.source = FixedSource(json.dumps(configuration).encode())
        self.foundation = ListedFoundation(row(guid) for guid in ANSWERS)

    def audit(self, effects: Effects) -> Audit:
        """A process's use case."""
        edges = FakeEdges(
            source=effects.around(self.source),
            api=ScriptedApi(ANSWERS),
            store=effects.around(self.store),
            notifier=OneByOne(self.notifier, effects),
            heartbeat=effects.around(CountingHeartbeat()),
            telemetry=RecordingTelemetry(),
            at=NOW + timedelta(seconds=7),
            foundation=effects.around(self.foundation),
        )
        settings = msgspec.structs.replace(SETTINGS, notify_mode=NotifyMode.FINDING, batch_size=2)
        ends_at = NOW + timedelta(minutes=15)
        return Audit(settings, edges, f"invocation-{next(_invocations)}", ends_at)


Deliver = Callable[[World, Effects, AuditRequest], None]


def in_one_invocation(world: World, effects: Effects, request: AuditRequest = SCHEDULED) -> None:
    """Deliver the event to the function."""
    invocation = f"invocation-{next(_invocations)}"
    run = plan_run(request, NOW, invocation)
    world.audit(effects).run(request, run)


def in_steps(world: World, effects: Effects, request: AuditRequest = SCHEDULED) -> None:
    """Deliver the event to the state machine: each step is a process of its own."""
    run = plan_run(request, NOW, f"execution-{next(_invocations)}")
    planned = world.audit(effects).plan(request, run)
    assert isinstance(planned, PlanAnswer)
    stored = read_plan(effects.around(world.store), planned.plan_key)
    for number in range(planned.batches):
        world.audit(effects).audit_batch(stored, number)
    world.audit(effects).conclude(stored)


def points(deliver: Deliver) -> list[str]:
    """All points of a run that nothing disturbs."""
    world, effects = World(), Effects()
    in_one_invocation(world, Effects(), YESTERDAY)
    deliver(world, effects, SCHEDULED)
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
    """latest.json never points at anything half written."""
    latest = msgspec.json.decode(world.store.objects[LATEST], type=Latest)
    manifest = msgspec.json.decode(world.store.objects[latest.manifest_key], type=Manifest)
    assert manifest.run == latest.run
    for kept in manifest.objects:
        body = world.store.objects[kept.key]
        assert (len(body), hashlib.sha256(body).hexdigest()) == (kept.bytes, kept.sha256)


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
    reports = [key for key in world.store.objects if key.endswith("/report.json")]
    assert len(reports) == 2, "yesterday's and today's"


def told_today(world: World) -> Counter[str]:
    """Today's messages, by id."""
    return Counter(
        message.message_id
        for message in world.notifier.messages
        if message.message_id.startswith("test/20260131T050000Z")
    )


ALL_TOLD = {"test/20260131T050000Z/run_incomplete"} | {
    f"test/20260131T050000Z/finding/{guid}" for guid in PROBLEMS
}


def of_an_earlier_day() -> World:
    """A bucket in which a run was committed before."""
    world = World()
    in_one_invocation(world, Effects(), YESTERDAY)
    return world


def is_in_the_window(names: list[str], at: int) -> bool:
    """Whether a message is out by this point, and not yet the mark that says so."""
    marked = next(
        i
        for i, name in enumerate(names)
        if name.startswith("after put_new") and name.endswith("notified.json")
    )
    return names.index("after publish") <= at < marked


@every_point
def test_killed_at_this_point_and_delivered_again_nothing_is_lost_and_nothing_told_twice(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
    with pytest.raises(Died):
        deliver(world, Effects(at, dies), SCHEDULED)
    assert_pointer_leads_to_a_committed_run(world)

    deliver(world, Effects(), SCHEDULED)

    assert_one_report_of_everything(world)
    told = told_today(world)
    assert set(told) == ALL_TOLD
    assert max(told.values()) == 1 or is_in_the_window(names, at)


@every_point
def test_killed_twice_at_this_point_and_delivered_again_nothing_is_lost(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
    for _ in range(2):
        try:
            deliver(world, Effects(at, dies), SCHEDULED)
        except Died:
            assert_pointer_leads_to_a_committed_run(world)

    deliver(world, Effects(), SCHEDULED)

    assert_one_report_of_everything(world)
    assert set(told_today(world)) == ALL_TOLD
    assert names


def committed_and_not_marked(names: list[str], at: int) -> bool:
    """Whether another delivery that comes at this point tells what the first is yet to tell."""
    committed = next(
        i
        for i, name in enumerate(names)
        if name.startswith("after put_new") and name.endswith("manifest.json")
    )
    marked = next(
        i
        for i, name in enumerate(names)
        if name.startswith("after put_new") and name.endswith("notified.json")
    )
    return committed <= at < marked


@every_point
def test_overtaken_at_this_point_by_another_delivery_there_is_one_report(
    deliver: Deliver, names: list[str], at: int
) -> None:
    world = of_an_earlier_day()
    overtakes = Effects(at, lambda: deliver(world, Effects(), SCHEDULED))

    deliver(world, overtakes, SCHEDULED)

    assert_one_report_of_everything(world)
    told = told_today(world)
    assert set(told) == ALL_TOLD
    assert max(told.values()) == 1 or committed_and_not_marked(names, at)


@pytest.mark.parametrize("deliver", [in_one_invocation, in_steps])
def test_two_deliveries_in_real_threads_leave_one_report(deliver: Deliver) -> None:
    world = of_an_earlier_day()
    together = threading.Barrier(2, timeout=30)

    def work() -> None:
        together.wait()
        deliver(world, Effects(), SCHEDULED)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert_one_report_of_everything(world)
    assert set(told_today(world)) == ALL_TOLD


def test_every_kind_of_effect_is_among_the_points() -> None:
    for names in (SINGLE, MAPPED):
        kinds = {name.split()[1] for name in names}
        assert kinds >= {"read", "scan", "get", "exists", "put_new", "new_object", "lines"}
        assert kinds >= {"put_if_unchanged", "publish"}
        fleets = [name for name in names if name.endswith("fleet.jsonl")]
        written = [name for name in fleets if name.startswith("before the end of new_object")]
        assert len(written) == 2, "beside the batches, and beside the report"
        assert any(name.startswith("before lines") for name in fleets), "the last one is read"
