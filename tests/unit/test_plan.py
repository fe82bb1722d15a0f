"""What is settled before the first request: the order, and the batches."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import msgspec
import pytest

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.mutes import Mute, MuteRecord, MuteState
from backup_audit.fleet.run import Scope
from backup_audit.judge.evidence import Cause, Refusal, Silence
from backup_audit.judge.finding import finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.plan import (
    BatchTask,
    Entry,
    PlanAnswer,
    alone,
    batch_size,
    read_batch,
    read_plan,
    shared_out,
    split,
    store_items,
    store_plan,
)
from backup_audit.report.changes import (
    OpenProblem,
    Resolved,
    State,
    compared,
    open_problems,
)
from backup_audit.report.previous import Previous
from backup_audit.report.report import (
    Ceilings,
    PreviousReport,
    StoredPlan,
)
from backup_audit.report.store import RunKeys, find
from tests.doubles.builders import (
    NOW,
    a_list,
    audited,
    ended_problem,
    evidence,
    instance,
    open_problem,
    run,
)
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import alerts_from, planned

GUIDS = ("a", "b", "c", "d", "e")


def ended(guid: str) -> Resolved:
    return ended_problem(guid)


def problem(days_ago: int = 1, *, not_reached: bool = False) -> OpenProblem:
    return open_problem(Verdict.UNKNOWN, NOW - timedelta(days=days_ago), not_reached=not_reached)


FLEET = audited(*map(instance, GUIDS))


@pytest.mark.parametrize(
    ("size", "cut"),
    [
        (1, [["a"], ["b"], ["c"], ["d"], ["e"]]),
        (2, [["a", "b"], ["c", "d"], ["e"]]),
        (4, [["a", "b", "c", "d"], ["e"]]),
        (5, [list(GUIDS)]),
        (6, [list(GUIDS)]),
    ],
)
def test_a_fleet_is_cut_into_batches_of_so_many(size: int, cut: list[list[str]]) -> None:
    batches = split([Entry(instance(guid)) for guid in GUIDS], size)

    assert [[one.instance.guid for one in batch] for batch in batches] == cut


@pytest.mark.parametrize(
    ("workers", "batches", "each"),
    [(1, 1, 1), (31, 1, 31), (32, 1, 32), (33, 1, 32), (63, 1, 32), (64, 2, 32), (1000, 31, 32)],
)
def test_workers_are_shared_out_and_never_exceeded(workers: int, batches: int, each: int) -> None:
    ceilings = shared_out(workers, None)

    assert (ceilings.concurrency, ceilings.workers) == (batches, each)
    assert ceilings.concurrency * ceilings.workers <= workers


@pytest.mark.parametrize(("workers", "threads"), [(95, 95), (96, 96), (97, 96), (1000, 96)])
def test_one_invocation_has_no_more_threads_than_make_it_faster(workers: int, threads: int) -> None:
    assert (alone(workers, 5.0).workers, alone(workers, 5.0).requests_per_second) == (threads, 5.0)


def test_a_rate_is_shared_out_among_the_batches_at_a_time() -> None:
    assert shared_out(96, 30.0).requests_per_second == 10.0
    assert shared_out(96, None).requests_per_second is None


@pytest.mark.parametrize(
    ("workers", "per_second", "size"),
    [
        (96, None, 5000),  # 32 workers get through 6,240
        (26, None, 5000),
        (25, None, 4875),
        (1, None, 195),
        (96, 30.0, 5000),  # 10 a second get through 7,800
        (96, 18.0, 4680),
        (96, 0.001, 1),
    ],
)
def test_a_batch_is_as_large_as_its_workers_and_rate_get_through(
    workers: int, per_second: float | None, size: int
) -> None:
    assert batch_size(5000, shared_out(workers, per_second)) == size


def test_a_batch_that_is_smaller_than_it_could_be_stays_so() -> None:
    assert batch_size(3, shared_out(1, None)) == 3


def test_an_entry_has_the_mute_and_the_state_of_its_own_instance() -> None:
    mute = Mute("a", "team", "reason", NOW.date())
    state = State({"b": problem()}, {"e": ended("e")})

    fleet = audited(*map(instance, GUIDS), mutes=(mute, Mute("e", "t", "r", NOW.date())))
    _, batch = planned(fleet, previous=Previous(state=state))

    assert [one.instance.guid for one in batch] == list(GUIDS)
    assert [one.instance.guid for one in batch if one.mute] == ["a", "e"]
    assert [one.instance.guid for one in batch if one.open] == ["b"]
    assert [one.instance.guid for one in batch if one.resolved] == ["e"]


def test_what_was_not_reached_comes_first_the_longest_not_reached_first_of_all() -> None:
    not_reached = {guid: problem(days, not_reached=True) for guid, days in [("c", 1), ("e", 2)]}
    state = State({"b": problem(9)} | not_reached, {})

    _, batch = planned(FLEET, previous=Previous(state=state))

    assert [one.instance.guid for one in batch] == ["e", "c", "a", "b", "d"]


@pytest.mark.parametrize("left_out", ["not reached", "429"])
@pytest.mark.parametrize("a_run", [100, 130, 249])
def test_every_instance_has_its_turn_if_each_run_gets_through_a_part(
    left_out: str, a_run: int
) -> None:
    guids = [f"guid-{number:03}" for number in range(500)]
    fleet = audited(*map(instance, guids))
    answer, status = (
        (Refusal(10013, "CF-RateLimitExceeded"), 429)
        if left_out == "429"
        else (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
    )
    previous, judged = Previous(), set[str]()
    for day in range(6):
        of = run(due_at=NOW + timedelta(days=day))
        _, batch = planned(fleet, of, previous)
        findings = [
            compared(
                finding_of(
                    one.instance,
                    evidence(a_list(3)) if at < a_run else evidence(answer, status),
                    of,
                    None,
                ),
                one.open,
            )
            for at, one in enumerate(batch)
        ]
        judged |= {one.guid for one in findings if one.verdict is Verdict.HEALTHY}
        previous = Previous(state=State(open_problems(findings), {}))

    assert judged == set(guids)


class _LookedUp(Mapping[str, OpenProblem]):
    """Problems that may be looked up, each by its GUID, and not be gone through."""

    def __init__(self, problems: dict[str, OpenProblem]) -> None:
        self._problems = problems

    def __getitem__(self, guid: str) -> OpenProblem:
        return self._problems[guid]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all problems are gone through for one instance, or one batch")

    def __len__(self) -> int:
        return len(self._problems)


def test_planning_is_linear_in_the_problems_of_the_last_run() -> None:
    problems = {guid: problem() for guid in GUIDS}

    _, whole = planned(FLEET, previous=Previous(state=State(_LookedUp(problems), {})))

    assert all(entry.open for entry in whole)


def test_of_those_not_reached_for_as_long_the_first_configured_comes_first() -> None:
    state = State({guid: problem(not_reached=True) for guid in ("e", "c", "a")}, {})

    _, batch = planned(FLEET, previous=Previous(state=state))

    assert [one.instance.guid for one in batch] == ["a", "c", "e", "b", "d"]


def test_a_plan_names_the_run_before_it() -> None:
    before = PreviousReport(
        run_id="r", report_key="a/report.json", report_sha256="1" * 64, manifest_sha256="2" * 64
    )

    plan, _ = planned(FLEET, previous=Previous(before))

    assert plan.instances == len(GUIDS)
    assert plan.previous == before


def test_a_first_plan_names_none_and_says_why() -> None:
    plan, batch = planned(FLEET, previous=Previous(warning="all is new"))

    assert plan.warnings[0] == "all is new"
    assert plan.previous is None
    assert not any(entry.open or entry.resolved for entry in batch)


@pytest.mark.parametrize("scope", Scope)
def test_only_a_full_run_is_compared(scope: Scope) -> None:
    previous = Previous(state=State({"a": problem()}, {}))

    _, batch = planned(FLEET, run(scope), previous)

    compared_with = {entry.instance.guid for entry in batch if entry.open}
    assert compared_with == ({"a"} if scope is Scope.FULL else set())


KEYS = RunKeys.of("backup-audit", run())
CEILINGS = Ceilings(concurrency=3, workers=2, requests_per_second=None)
BATCHES = [[Entry(instance("a")), Entry(instance("b"))], [Entry(instance("c"))]]


def stored_by(attempt: str, store: InMemoryStore) -> StoredPlan:
    plan, _ = planned(FLEET, previous=Previous())
    mutes = (MuteRecord("a", "team", "reason", NOW.date(), state=MuteState.ACTIVE, instances=1),)
    ours = StoredPlan(
        run=run(),
        plan=plan,
        alerts=alerts_from(NOW),
        mutes=mutes,
        place=KEYS.batches(attempt),
        batches=len(BATCHES),
        ceilings=CEILINGS,
    )
    return store_plan(store, KEYS, ours, BATCHES)


def test_a_plan_is_read_as_it_was_stored() -> None:
    store = InMemoryStore()
    assert find(store, KEYS.plan, StoredPlan) is None

    plan = stored_by("first", store)

    assert find(store, KEYS.plan, StoredPlan) == read_plan(store, KEYS.plan) == plan
    assert plan.place == KEYS.batches("first")
    assert plan.run == run()
    assert plan.plan == planned(FLEET, previous=Previous())[0]
    assert [mute.guid for mute in plan.mutes] == ["a"]
    assert (plan.batches, plan.ceilings) == (2, CEILINGS)
    assert [read_batch(store, plan, number) for number in range(2)] == BATCHES


def test_a_batch_holds_what_its_instances_have_in_common_once() -> None:
    texts = dict.fromkeys(("owner", "org", "space", "offering", "plan"), "in common")
    batch = [
        Entry(msgspec.structs.replace(instance(guid), **texts), open=problem()) for guid in "ab"
    ]
    store = InMemoryStore()
    stored = msgspec.structs.replace(stored_by("first", store), place="elsewhere")
    store.put_new(stored.batch_key(0), b"\n".join(map(msgspec.json.encode, batch)))

    one, other = read_batch(store, stored, 0)

    assert [one, other] == batch
    for name in ("policy", *texts):
        assert getattr(one.instance, name) is getattr(other.instance, name), name
    assert one.open
    assert other.open
    for name in ("since", "opened_at", "notified_at", "alert"):
        assert getattr(one.open, name) is getattr(other.open, name), name


def test_of_two_attempts_at_a_plan_the_first_counts() -> None:
    store = InMemoryStore()
    first = stored_by("first", store)
    written = dict(store.objects)

    second = stored_by("second", store)
    again = stored_by("first", store)

    assert second == again == first
    assert first.place == KEYS.batches("first") != KEYS.batches("second")
    assert written.items() <= store.objects.items()
    assert len(store.objects) == len(written) + len(BATCHES)


def test_a_plan_that_is_not_there_sends_to_the_step_that_makes_it() -> None:
    with pytest.raises(ReportStoreFailed) as raised:
        read_plan(InMemoryStore(), "a/plan.json")

    assert str(raised.value) == "there is no s3://reports/a/plan.json: run the step plan first"


def test_a_damaged_batch_is_named() -> None:
    store = InMemoryStore()
    plan = stored_by("first", store)
    [key] = [key for key in store.objects if key.endswith("batch-00001.jsonl")]
    store.objects[key] = b"{"

    with pytest.raises(ReportStoreFailed) as raised:
        read_batch(store, plan, 1)

    assert str(raised.value).startswith(f"s3://reports/{key} cannot be read: ")


def test_the_map_has_an_item_for_each_batch_and_is_told_where_and_how_many_at_once() -> None:
    store = InMemoryStore()
    plan = stored_by("first", store)

    answer = store_items(store, KEYS, plan)

    assert answer == PlanAnswer(
        run_id=run().run_id,
        instances=len(GUIDS),
        batches=2,
        bucket="reports",
        items_key=f"{plan.place}/items.json",
        plan_key=KEYS.plan,
        concurrency=3,
    )
    items = msgspec.json.decode(store.objects[answer.items_key], type=list[BatchTask])
    assert items == [BatchTask(answer.plan_key, 0), BatchTask(answer.plan_key, 1)]
