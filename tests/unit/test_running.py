"""Two full runs that overlap are one: running.json names the one at work."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.errors import BatchesFailed, InvalidConfiguration, ReportStoreFailed
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.plan import EXECUTION_LONGEST, PlanAnswer, read_plan
from backup_audit.probe.engine import Engine
from backup_audit.report.report import Answer, Ceilings
from backup_audit.report.store import Claim, StoredObject, Turn
from tests.doubles.builders import NOW, SETTINGS, a_list, run
from tests.doubles.crashing import Died
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)

KEY = "backup-audit/running.json"
LAMBDA = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class World:
    """What outlives an invocation; `during` is called once, when the API is first asked."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.asked: list[str] = []
        self.warnings: list[str] = []
        self.during: Callable[[], None] = lambda: None

    def audit(self, at: datetime, invocation: str) -> Audit:
        return Audit(SETTINGS, _Edges(self, at, invocation), invocation, at + LAMBDA)

    def happens(self, invocation: str) -> None:
        self.asked.append(invocation)
        during, self.during = self.during, lambda: None
        during()

    @property
    def claim(self) -> Claim:
        return claim_of(self.store)


class _Edges(FakeEdges):
    """Edges whose API lets something happen before it is asked."""

    def __init__(self, world: World, at: datetime, invocation: str) -> None:
        telemetry = RecordingTelemetry()
        telemetry.warnings = world.warnings
        super().__init__(
            source=FixedSource(json.dumps({"instances": ["a"]}).encode()),
            api=ScriptedApi({"a": a_list(3)}),
            store=world.store,
            notifier=RecordingNotifier(),
            heartbeat=CountingHeartbeat(),
            telemetry=telemetry,
            at=at,
        )
        self._world = world
        self._invocation = invocation

    @contextmanager
    def engine(self, ceilings: Ceilings) -> Iterator[Engine]:
        self._world.happens(self._invocation)
        with super().engine(ceilings) as engine:
            yield engine


def claim_of(store: InMemoryStore) -> Claim:
    return msgspec.json.decode(store.objects[KEY], type=Claim)


Deliver = Callable[[World, datetime], "Answer | PlanAnswer"]


def by_hand(world: World, at: datetime = NOW, name: str = "by-hand") -> Answer:
    return world.audit(at, name).run(AuditRequest(), plan_run(AuditRequest(), at, name))


def scheduled(world: World, at: datetime = NOW, name: str = "scheduled") -> Answer:
    request = AuditRequest(scheduled_time=NOW)
    return world.audit(at, name).run(request, plan_run(request, at, name))


def scheduled_again(world: World, at: datetime = NOW) -> Answer:
    return scheduled(world, at, "retry")


def in_mode_map(world: World, at: datetime = NOW, name: str = "execution") -> Answer | PlanAnswer:
    """An execution by hand: all steps, or what the first answers."""
    run = plan_run(AuditRequest(), at, name)
    planned = world.audit(at, "plan").plan(AuditRequest(), run)
    if isinstance(planned, Answer):
        return planned
    stored = read_plan(world.store, planned.plan_key)
    world.audit(at, "batch").audit_batch(stored, 0)
    return world.audit(at, "conclude").conclude(stored)


FIRST: dict[str, Deliver] = {"by hand": by_hand, "scheduled": scheduled, "map": in_mode_map}
SECOND_RUN: dict[str, Deliver] = {
    "by hand": lambda world, at: by_hand(world, at, "another by hand"),
    "scheduled": scheduled,
    "map": lambda world, at: in_mode_map(world, at, "another execution"),
}
SAME = {("scheduled", "scheduled")}
LONGEST = {"by hand": LAMBDA, "scheduled": LAMBDA, "map": EXECUTION_LONGEST}
every_pair = pytest.mark.parametrize(
    ("first", "second"), [(first, second) for first in FIRST for second in SECOND_RUN]
)


def dies() -> None:
    raise Died


@every_pair
def test_a_run_that_begins_while_another_is_at_work_names_it_and_asks_nothing(
    first: str, second: str
) -> None:
    world, answers = World(), []
    world.during = lambda: answers.append(SECOND_RUN[second](world, NOW + MINUTE))

    FIRST[first](world, NOW)

    [answer] = answers
    if (first, second) in SAME:
        assert world.asked == ["scheduled", "scheduled"], "a retry of the same run goes on"
        assert not answer.already_running
    else:
        assert answer.already_running
        assert answer.run_id == world.claim.run_id
        assert len(world.asked) == 1
        assert any(f"run {answer.run_id} is at work, until" in line for line in world.warnings)


@every_pair
def test_a_run_that_begins_after_another_has_finished_is_a_run_of_its_own(
    first: str, second: str
) -> None:
    world = World()
    FIRST[first](world, NOW)

    answer = SECOND_RUN[second](world, NOW + MINUTE)

    assert not answer.already_running
    assert len(world.asked) == (1 if (first, second) in SAME else 2)


@every_pair
@pytest.mark.parametrize("error", [RuntimeError, ReportStoreFailed, KeyboardInterrupt])
def test_a_run_that_begins_after_another_has_failed_is_a_run_of_its_own(
    first: str, second: str, error: type[BaseException]
) -> None:
    world = World()
    fails_with(world, first, error)

    answer = SECOND_RUN[second](world, NOW + MINUTE)

    assert not answer.already_running
    assert len(world.asked) == 2


def fails_with(world: World, mode: str, error: type[BaseException]) -> None:
    """Let a run fail; in mode map its batch, and then the last step for want of any batch."""

    def fails() -> None:
        raise error

    world.during = fails
    with pytest.raises(error):
        FIRST[mode](world, NOW)
    if mode == "map":
        [plan_key] = [key for key in world.store.objects if key.endswith("/plan.json")]
        with pytest.raises(BatchesFailed, match=r"\(instances: 1, batches: 1\)"):
            world.audit(NOW, "conclude").conclude(read_plan(world.store, plan_key))


@every_pair
@pytest.mark.parametrize("late", [-SECOND, SECOND, 2 * SECOND])
def test_a_run_that_was_killed_holds_others_up_to_its_end_and_no_longer(
    first: str, second: str, late: timedelta
) -> None:
    world = World()
    world.during = dies
    with pytest.raises(Died):
        FIRST[first](world, NOW)

    answer = SECOND_RUN[second](world, NOW + LONGEST[first] + late)

    assert answer.already_running is (late < SECOND and (first, second) not in SAME)
    assert len(world.asked) == 1 + (not answer.already_running)


def test_a_retry_of_a_run_that_was_killed_goes_on_at_once() -> None:
    world = World()
    world.during = dies
    with pytest.raises(Died):
        scheduled(world)

    answer = scheduled_again(world, NOW + MINUTE)

    assert not answer.already_running
    assert answer.complete


def test_a_delivery_that_ends_leaves_the_claim_to_the_delivery_still_at_work() -> None:
    world, answers = World(), []

    def ends_first() -> None:
        world.during = lambda: answers.append(by_hand(world, NOW + MINUTE))
        scheduled_again(world, NOW)

    world.during = ends_first
    scheduled(world)

    [answer] = answers
    assert answer.already_running
    assert world.claim.held_by == "retry"


@pytest.mark.parametrize(
    "request_",
    [
        AuditRequest(instance_guids=["a"]),
        AuditRequest(max_age="1h"),
        AuditRequest(as_of=NOW),
        AuditRequest(dry_run=True),
    ],
    ids=["partial", "what-if", "as-of", "dry"],
)
def test_no_other_run_claims_or_waits(request_: AuditRequest) -> None:
    world, answers = World(), []
    run = plan_run(request_, NOW, "i")
    world.audit(NOW, "i").run(request_, run)
    assert KEY not in world.store.objects

    world.during = lambda: answers.append(
        world.audit(NOW, "j").run(request_, plan_run(request_, NOW, "j"))
    )
    by_hand(world)

    assert [answer.already_running for answer in answers] == [False]


def test_a_repeated_delivery_answers_while_another_run_is_at_work() -> None:
    world, answers = World(), []
    scheduled(world)
    world.during = lambda: answers.append(scheduled_again(world))

    by_hand(world)

    assert [answer.repeated for answer in answers] == [True]


def test_the_claim_is_rewritten_with_its_end_and_never_deleted() -> None:
    world = World()
    claims: list[Claim] = []
    world.during = lambda: claims.append(world.claim)

    answer = scheduled(world)

    [during] = claims
    assert (during.run_id, during.ends_at) == (answer.run_id, NOW + LAMBDA + SECOND)
    assert world.claim == Claim(
        foundation="test", run_id=answer.run_id, held_by="scheduled", ends_at=NOW
    )


def test_in_mode_map_the_claim_lasts_from_the_plan_to_the_conclusion() -> None:
    world = World()
    run = plan_run(AuditRequest(), NOW, "execution")

    planned = world.audit(NOW, "plan").plan(AuditRequest(), run)

    assert isinstance(planned, PlanAnswer)
    assert world.claim.ends_at == NOW + EXECUTION_LONGEST + SECOND
    stored = read_plan(world.store, planned.plan_key)
    world.audit(NOW, "batch").audit_batch(stored, 0)
    assert world.claim.ends_at > NOW + LAMBDA
    world.audit(NOW, "conclude").conclude(stored)
    assert world.claim.ends_at == NOW


@pytest.mark.parametrize("step", ["plan", "conclude"])
@pytest.mark.parametrize(("late", "waits"), [(-SECOND, True), (SECOND, False)])
def test_a_first_or_last_step_that_was_killed_holds_others_for_lambdas_time_only(
    step: str, late: timedelta, *, waits: bool
) -> None:
    class Dying(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            if key.endswith(dies_at):
                raise Died
            return super().put_new(key, body)

    dies_at = {"plan": "plan.json", "conclude": "report.json"}[step]
    world = World()
    world.store = Dying()
    with pytest.raises(Died):
        in_mode_map(world)

    dies_at = "nowhere"
    answer = by_hand(world, NOW + LAMBDA + late)

    assert answer.already_running is waits


def test_a_plan_that_fails_frees_its_claim() -> None:
    world = World()
    edges = _Edges(world, NOW, "plan")
    edges.source = FixedSource(b"[]")

    with pytest.raises(InvalidConfiguration):
        Audit(SETTINGS, edges, "plan", NOW + LAMBDA).plan(
            AuditRequest(), plan_run(AuditRequest(), NOW, "execution")
        )

    assert world.claim.ends_at == NOW


def test_a_claim_that_cannot_be_freed_is_a_warning_and_hides_no_error() -> None:
    class Refusing(InMemoryStore):
        def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
            raise ReportStoreFailed("no")

    world = World()
    world.store = Refusing()

    def breaks() -> None:
        raise RuntimeError

    world.during = breaks
    with pytest.raises(RuntimeError):
        scheduled(world)
    assert ["ReportStoreFailed" in line for line in world.warnings] == [True]

    world.store = Refusing()
    assert scheduled(world).complete
    assert "the claim of run 20260131T050000Z could not be freed (ReportStoreFailed)" in "".join(
        world.warnings
    )


# ── The object itself ─────────────────────────────────────────────────────────────────────────────


def a_claim(name: str, ends_at: datetime = NOW + LAMBDA) -> Claim:
    return Claim(foundation="test", run_id=f"run-{name}", held_by=name, ends_at=ends_at + SECOND)


def a_turn(store: InMemoryStore, name: str, held_by: str | None = None) -> Turn:
    """The turn of a full run, now."""
    of = msgspec.structs.replace(run(), run_id=f"run-{name}")
    return Turn(store, KEY, "test", of, held_by or name, lambda: NOW, lambda _: None)


def take(store: InMemoryStore, name: str) -> str | None:
    return a_turn(store, name).claim(NOW + LAMBDA)


@pytest.mark.parametrize("before", [None, a_claim("before", NOW - LAMBDA)])
def test_of_two_that_begin_at_the_same_moment_one_is_at_work(before: Claim | None) -> None:
    together = threading.Barrier(2, timeout=10)
    looked = threading.local()

    class Racing(InMemoryStore):
        def get(self, key: str) -> StoredObject | None:
            found = super().get(key)
            if not getattr(looked, "already", False):
                looked.already = True
                together.wait()  # both have looked before either writes
            return found

    store = Racing()
    if before:
        store.objects[KEY] = msgspec.json.encode(before)
    others: dict[str, str | None] = {}

    def begin(name: str) -> None:
        others[name] = take(store, name)

    threads = [threading.Thread(target=begin, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [winner] = [name for name, other in others.items() if other is None]
    [other] = [other for other in others.values() if other is not None]
    assert other == f"run-{winner}"
    assert claim_of(store) == a_claim(winner)


def test_a_claim_whose_answer_was_lost_is_still_ours() -> None:
    class Forgetful(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            return super().put_new(key, body) and False

    assert take(Forgetful(), "a") is None


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"schema_version": 2}', b'{"run_id": "\xff"}'])
def test_a_claim_that_nobody_can_read_holds_nobody(damage: bytes) -> None:
    store = InMemoryStore()
    store.objects[KEY] = damage

    assert take(store, "a") is None
    assert claim_of(store) == a_claim("a")


def test_a_claim_that_others_keep_changing_is_a_failure() -> None:
    class Contended(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            return False

    with pytest.raises(ReportStoreFailed, match="look for another writer"):
        take(Contended(), "a")


@pytest.mark.parametrize("holder", [("b", "b"), ("a", "another")])
def test_only_the_holder_frees(holder: tuple[str, str]) -> None:
    store = InMemoryStore()
    a_turn(store, *holder).claim(NOW + LAMBDA)

    with a_turn(store, "a").freed():
        pass

    assert claim_of(store).ends_at == NOW + LAMBDA + SECOND


def test_where_nothing_is_claimed_nothing_is_freed() -> None:
    store = InMemoryStore()

    with a_turn(store, "a").freed():
        pass

    assert store.objects == {}


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_a_claim_ends_with_a_second_that_is_not_before_the_end(microsecond: int) -> None:
    store = InMemoryStore()
    ends_at = (NOW + LAMBDA).replace(microsecond=microsecond)

    a_turn(store, "a").claim(ends_at)

    claimed = claim_of(store).ends_at
    assert claimed.microsecond == 0
    assert ends_at <= claimed <= ends_at + SECOND
