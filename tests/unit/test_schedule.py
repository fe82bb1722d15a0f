"""What is asked when, what is asked again, and what is known at the end: in simulated time.

4,000 instances are answered in 20 ms, Lambda has 870 s for asking, as a real run has.
"""

from collections import Counter
from collections.abc import Collection

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.errors import ApiUnreachable
from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import BackupList, Cause, Evidence, Refusal, Silence, with_age
from backup_audit.probe.attempt import Again, Attempt
from backup_audit.probe.giving_up import (
    ATTEMPTS_MAX,
    FRUITLESS_REPEATS,
    PATIENCE,
    SILENT_MAX,
    THROTTLED_MAX,
)
from backup_audit.probe.pacing import Outcome
from backup_audit.probe.schedule import ASIDE_AFTER
from tests.doubles.builders import NOW, a_list, instance
from tests.doubles.fakes import NOT_FOUND, attempt
from tests.doubles.simulation import HEALTHY, LAMBDA, SILENCE, Server, Simulation, judged
from tests.doubles.some import rest

FAST = 0.02  # seconds
WORKERS = 32
LIMIT = 70.0  # seconds: what an instance that hangs may take

DOWN = attempt(Silence(Cause.CONNECTION, "refused"), None, again=Again.SOON)
BROKER = attempt(Refusal(10001, "CF-HttpClientTimeout"), 504, again=Again.LATE)
GATEWAY = attempt(Refusal(), 503, again=Again.SOON)


def limited(seconds: float | None = 60.0) -> Attempt:
    refusal = Refusal(10013, "CF-RateLimitExceeded")
    return attempt(refusal, 429, again=Again.OFTEN, hold=seconds)


def fleet(count: int) -> list[Instance]:
    return [instance(f"guid-{number:05d}") for number in range(count)]


def but(guids: Collection[str], came: Attempt, took: float = FAST) -> Server:
    """All are healthy but those."""
    return lambda guid, _: (took, came) if guid in guids else (FAST, HEALTHY)


def chosen(instances: list[Instance], count: int, where: str) -> set[str]:
    places = {
        "spread": [number * len(instances) // count for number in range(count)],
        "first": range(count),
        "last": range(len(instances) - count, len(instances)),
    }[where]
    return {instances[place].guid for place in places}


@pytest.mark.parametrize("where", ["spread", "first", "last"])
@pytest.mark.parametrize("count", [53, rest(200), 400])
@pytest.mark.parametrize(("came", "took"), [(SILENCE, LIMIT), (BROKER, 60.0)])
def test_instances_that_hang_cost_no_other_its_verdict(
    where: str, count: int, came: Attempt, took: float
) -> None:
    instances = fleet(4000)
    hung = chosen(instances, count, where)
    simulation = Simulation(instances, but(hung, came, took))

    found = simulation.run()

    answered = {guid for guid in found if isinstance(found[guid].answer, BackupList)}
    assert answered == set(found) - hung
    assert all(found[guid].attempts <= SILENT_MAX for guid in hung)
    assert simulation.schedule.why_stopped is None
    assert simulation.now < LAMBDA
    assert simulation.most_in_flight <= 2 * WORKERS


def test_what_is_silent_moves_aside_and_gives_its_place_on() -> None:
    instances = fleet(10)
    simulation = Simulation(instances, but({"guid-00000"}, SILENCE, LIMIT), workers=1)

    simulation.run()

    assert simulation.asked == [one.guid for one in instances] + ["guid-00000"]
    assert simulation.now == pytest.approx(2 * LIMIT)
    assert simulation.most_in_flight == 2


@pytest.mark.parametrize(
    ("took", "in_flight"), [(ASIDE_AFTER - 0.1, 1), (ASIDE_AFTER, 1), (ASIDE_AFTER + 0.1, 2)]
)
def test_what_answers_within_ten_seconds_keeps_its_place(took: float, in_flight: int) -> None:
    simulation = Simulation(fleet(10), but({"guid-00000"}, HEALTHY, took), workers=1)

    simulation.run()

    assert simulation.most_in_flight == in_flight


def test_an_api_that_is_slow_for_all_is_no_outage() -> None:
    simulation = Simulation(fleet(1000), lambda *_: (15.0, HEALTHY))

    found = simulation.run()

    assert len(judged(found)) == 1000
    assert simulation.most_in_flight <= 2 * WORKERS


def test_silence_is_repeated_when_all_others_have_been_asked() -> None:
    said: Counter[str] = Counter()

    def server(guid: str, _: float) -> tuple[float, Attempt]:
        said[guid] += 1
        silent = guid == "guid-00000" and said[guid] == 1
        return (LIMIT, SILENCE) if silent else (FAST, HEALTHY)

    simulation = Simulation(fleet(100), server)
    found = simulation.run()

    assert simulation.asked[-1] == "guid-00000"
    assert found["guid-00000"].answer == a_list(3)
    assert found["guid-00000"].attempts == 2
    assert simulation.schedule.retries == 1


def test_repeats_that_come_to_nothing_are_bounded_for_the_run() -> None:
    hung = {one.guid for one in fleet(400)}
    simulation = Simulation(fleet(4000), but(hung, SILENCE, LIMIT), ends_at=10_000)

    simulation.run()

    repeats = sum(guid in hung for guid in simulation.asked) - len(hung)
    assert FRUITLESS_REPEATS * WORKERS <= repeats < FRUITLESS_REPEATS * WORKERS + 2 * WORKERS


@pytest.mark.parametrize("refused", [1, 2, 10, 40])
def test_whoever_is_refused_again_and_again_waits_alone(refused: int) -> None:
    instances = fleet(4000)
    bad = chosen(instances, refused, "spread")
    simulation = Simulation(instances, but(bad, limited()))

    found = simulation.run()

    assert {guid for guid in found if found[guid].status == 200} == set(found) - bad
    assert all(found[guid].status == 429 for guid in bad)


@pytest.mark.parametrize("at_a_time", [16, 8])
def test_an_api_that_lets_few_in_at_a_time_is_asked_for_all_in_minutes(at_a_time: int) -> None:
    until: list[float] = []

    def server(_: str, now: float) -> tuple[float, Attempt]:
        until[:] = [one for one in until if one > now]
        if len(until) >= at_a_time:
            return 0.005, limited()
        until.append(now + FAST)
        return FAST, HEALTHY

    simulation = Simulation(fleet(4000), server)
    found = simulation.run()

    assert len(judged(found)) == 4000
    assert all(one.status == 200 for one in found.values())
    assert simulation.now < 300


def test_a_quota_that_is_used_up_ends_the_asking_at_once() -> None:
    left = [100]

    def server(*_: object) -> tuple[float, Attempt]:
        left[0] -= 1
        return FAST, HEALTHY if left[0] >= 0 else limited(3000.0)

    simulation = Simulation(fleet(500), server)
    found = simulation.run()

    assert sum(one.status == 200 for one in found.values()) == 100
    assert simulation.now < 1
    assert simulation.schedule.why_stopped == (
        "the API asks to wait 3000 s, the run has 870 s left"
    )
    assert simulation.schedule.failure is None


def test_a_quota_that_is_used_up_again_and_again_costs_few_requests_in_vain() -> None:
    """At most those that were under way, each time: 2,000 answers a minute, then 429."""
    answered: Counter[int] = Counter()
    in_vain = 0

    def server(_: str, now: float) -> tuple[float, Attempt]:
        nonlocal in_vain
        minute = int(now // 60)
        if answered[minute] == 2000:
            in_vain += 1
            return FAST, limited(60 * (minute + 1) - now)
        answered[minute] += 1
        return FAST, HEALTHY

    simulation = Simulation(fleet(6000), server)
    found = simulation.run()

    assert all(one.status == 200 for one in found.values())
    assert in_vain <= 2 * WORKERS
    assert simulation.now < 130


@pytest.mark.parametrize(("left", "attempts"), [(59.9, 1), (60.0, 1), (60.1, 2)])
def test_nothing_is_waited_for_past_the_end_of_the_run(left: float, attempts: int) -> None:
    found = Simulation(fleet(1), lambda *_: (0.0, limited()), ends_at=left).run()

    assert found["guid-00000"].status == 429
    assert found["guid-00000"].attempts == attempts


@pytest.mark.parametrize(
    ("came", "attempts"), [(GATEWAY, ATTEMPTS_MAX), (limited(None), THROTTLED_MAX), (HEALTHY, 1)]
)
def test_attempts_are_bounded(came: Attempt, attempts: int) -> None:
    server = but({"guid-00000"}, came)
    simulation = Simulation(fleet(20), server)

    found = simulation.run()

    assert found["guid-00000"].attempts == attempts
    assert simulation.schedule.retries == attempts - 1


def test_an_api_that_is_down_from_the_start_is_given_up_in_seconds() -> None:
    simulation = Simulation(fleet(4000), lambda *_: (0.001, DOWN))

    found = simulation.run()

    assert len(found) == 4000
    assert simulation.now == pytest.approx(3, abs=1)
    assert len(simulation.asked) < 200
    assert isinstance(simulation.schedule.failure, ApiUnreachable)


def test_an_api_that_is_silent_from_the_start_is_given_up() -> None:
    simulation = Simulation(fleet(4000), lambda *_: (LIMIT, SILENCE))

    simulation.run()

    assert simulation.now < LAMBDA / 2
    assert isinstance(simulation.schedule.failure, ApiUnreachable)


@pytest.mark.parametrize("began", [0.5, 1.5, 2.3])
def test_an_api_that_comes_back_in_time_is_asked_for_all(began: float) -> None:
    back = began + PATIENCE - 10
    simulation = Simulation(
        fleet(4000), lambda _, now: (0.001, DOWN) if began < now < back else (FAST, HEALTHY)
    )

    found = simulation.run()

    assert len(judged(found)) == 4000
    assert back < simulation.now < back + 30


@pytest.mark.parametrize("came", [DOWN, GATEWAY])
def test_an_api_that_dies_is_given_up_and_what_is_known_is_kept(came: Attempt) -> None:
    simulation = Simulation(
        fleet(4000), lambda _, now: (0.001, came) if now > 1 else (FAST, HEALTHY)
    )

    found = simulation.run()

    known = [guid for guid in found if found[guid].status == 200]
    assert 1500 < len(known) < 1700
    assert simulation.now == pytest.approx(1 + PATIENCE, abs=6)
    assert "the API had answered nothing for 9" in str(simulation.schedule.why_stopped)
    assert simulation.schedule.failure is None


@pytest.mark.parametrize("came", [DOWN, GATEWAY, SILENCE])
def test_who_was_asked_for_in_an_outage_to_the_end_was_not_reached(came: Attempt) -> None:
    """So the next run asks for it first, as for all others that the outage cost their turn."""
    simulation = Simulation(fleet(1000), lambda _, now: (FAST, HEALTHY if now < 0.2 else came))

    found = simulation.run()

    again = {guid for guid, count in Counter(simulation.asked).items() if count > 1}
    reached = {guid for guid, one in found.items() if one.status == 200}
    answers = [found[guid].answer for guid in set(simulation.asked) - reached]
    assert again
    assert {answer.cause for answer in answers if isinstance(answer, Silence)} == {
        Cause.NOT_REACHED
    }
    assert all(isinstance(answer, Silence) for answer in answers)


def test_an_outage_is_held_against_no_instance() -> None:
    simulation = Simulation(
        fleet(16),
        lambda _, now: (0.001, DOWN) if now < 0.5 or 1 < now < 80 else (FAST, HEALTHY),
        workers=1,
        per_second=2,
    )

    found = simulation.run()

    assert len(judged(found)) == 16
    assert max(one.attempts for one in found.values()) > 1


def test_in_the_tail_somebody_who_was_answered_is_asked_again_to_see_whether_the_api_answers() -> (
    None
):
    instances = fleet(400)
    broken = chosen(instances, 80, "last")
    simulation = Simulation(instances, but(broken, DOWN))

    found = simulation.run()

    assert simulation.schedule.why_stopped is None
    assert len(judged(found)) == 320
    again = Counter(simulation.asked)
    assert any(again[guid] > 1 for guid in found if guid not in broken)
    assert all(found[guid].attempts == ATTEMPTS_MAX for guid in broken)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_list_too_short_for_an_outage_is_asked_to_its_end(size: int) -> None:
    simulation = Simulation(fleet(size), lambda *_: (0.001, DOWN))

    found = simulation.run()

    assert {one.attempts for one in found.values()} == {ATTEMPTS_MAX}
    asked = "the instance asked" if size == 1 else f"none of the {size} instances asked"
    assert str(simulation.schedule.failure).startswith(asked)


def test_at_the_end_whatever_is_out_was_not_reached() -> None:
    hung = {"guid-00007", "guid-00400"}
    simulation = Simulation(fleet(1000), but(hung, SILENCE, LIMIT), ends_at=20.0)

    found = simulation.run()

    assert simulation.now == 20.0
    assert set(found) - judged(found) == hung
    for guid in hung:
        assert found[guid].answer == Silence(Cause.NOT_REACHED, "the run's time was over")


def test_an_api_that_is_down_when_the_time_is_over_is_the_reason() -> None:
    """Whoever reads "the time was over" asks for more workers, which mend nothing here."""
    dies_at, ends_at = 1.0, 61.0

    simulation = Simulation(
        fleet(10_000), lambda _, now: (0.1, DOWN if now > dies_at else HEALTHY), ends_at=ends_at
    )
    found = simulation.run()

    reasons = {
        evidence.answer.detail
        for evidence in found.values()
        if isinstance(evidence.answer, Silence) and evidence.answer.cause is Cause.NOT_REACHED
    }
    assert reasons == {"the API had answered nothing for 60 s"}
    assert ends_at - dies_at < PATIENCE


def test_what_was_not_asked_was_not_reached_without_a_request() -> None:
    found = Simulation(fleet(3), lambda *_: (FAST, HEALTHY), ends_at=0.0).run()

    assert [one.attempts for one in found.values()] == [0, 0, 0]
    assert not judged(found)


def test_what_was_silent_once_and_not_repeated_in_time_stays_silent() -> None:
    found = Simulation(fleet(1), lambda *_: (LIMIT, SILENCE), ends_at=LIMIT + 1).run()

    assert found["guid-00000"].answer == Silence(Cause.NOT_REACHED, "the run's time was over")


def test_what_comes_after_it_was_given_up_is_thrown_away() -> None:
    simulation = Simulation(fleet(2), lambda *_: (FAST, HEALTHY))
    schedule = simulation.schedule
    flight = schedule.next(0.0)
    assert flight

    schedule.give_up(flight, Silence(Cause.TIMEOUT, "no whole answer in time"), NOW, 70.0)
    schedule.end(flight, HEALTHY, 71.0)

    assert schedule.known == []
    assert simulation.pace.in_flight == 0


def test_our_token_refused_in_the_middle_ends_the_asking() -> None:
    refused = attempt(Refusal(1000, "CF-InvalidAuthToken"), 401)
    simulation = Simulation(fleet(1000), lambda _, now: (FAST, refused if now > 0.1 else HEALTHY))

    found = simulation.run()

    assert simulation.schedule.why_stopped == "the Cloud Controller refuses our token"
    assert simulation.schedule.failure is None
    assert 0 < len([one for one in found.values() if one.status == 200]) < 1000


EMPTY = attempt(BackupList(()))
LISTING = Evidence(answer=BackupList(()), observed_at=NOW, status=200)


def young(guid: str) -> Instance:
    policy = msgspec.structs.replace(instance().policy, grace_seconds=24 * 3600)
    return Instance(guid, policy)


def test_the_age_is_asked_for_after_an_empty_list_where_a_grace_may_excuse_it() -> None:
    aged = Attempt(evidence=with_age(LISTING, NOW), outcome=Outcome.ANSWERED)
    answers = iter([EMPTY, aged])
    simulation = Simulation([young("a")], lambda *_: (FAST, next(answers)))

    found = simulation.run()

    assert found["a"].answer == BackupList((), instance_created_at=NOW)
    assert (found["a"].attempts, simulation.schedule.retries) == (1, 0)


@pytest.mark.parametrize("came", [EMPTY, HEALTHY, attempt(NOT_FOUND, 404)])
def test_no_age_is_asked_for_without_a_grace_or_with_backups(came: Attempt) -> None:
    without, healthy = instance("a"), young("a")
    only = without if came is EMPTY else healthy
    simulation = Simulation([only], lambda *_: (FAST, came))

    simulation.run()

    assert simulation.asked == ["a"]


def test_no_age_is_asked_for_that_the_inventory_has_told() -> None:
    told = msgspec.structs.replace(young("a"), created_at=NOW)
    simulation = Simulation([told], lambda *_: (FAST, EMPTY))

    found = simulation.run()

    assert simulation.asked == ["a"]
    assert found["a"].answer == BackupList((), instance_created_at=NOW)


@pytest.mark.parametrize("came", [HEALTHY, attempt(NOT_FOUND, 404)])
def test_an_age_that_the_inventory_has_told_softens_nothing_but_an_empty_list(
    came: Attempt,
) -> None:
    told = msgspec.structs.replace(young("a"), created_at=NOW)

    found = Simulation([told], lambda *_: (FAST, came)).run()

    assert found["a"].answer == came.evidence.answer


def test_without_a_grace_the_told_age_is_no_part_of_the_evidence() -> None:
    told = msgspec.structs.replace(instance("a"), created_at=NOW)

    found = Simulation([told], lambda *_: (FAST, EMPTY)).run()

    assert found["a"].answer == BackupList(())


def test_an_age_that_time_did_not_suffice_for_is_missing_and_no_proof() -> None:
    late = Attempt(evidence=with_age(LISTING, NOW), outcome=Outcome.ANSWERED)
    answers = iter([(FAST, EMPTY), (LIMIT, late)])
    simulation = Simulation([young("a")], lambda *_: next(answers), ends_at=20.0)

    found = simulation.run()

    assert found["a"].answer == BackupList((), age_missing="the run's time was over")


def test_an_age_that_was_not_even_asked_for_in_time_is_missing_and_no_proof() -> None:
    others = but({"a"}, EMPTY)
    slow = Simulation([young("a"), *fleet(3)], others, workers=1, per_second=0.1, ends_at=FAST + 5)

    found = slow.run()

    assert slow.asked == ["a"]
    assert found["a"].answer == BackupList((), age_missing="the run's time was over")
    assert found["a"].attempts == 1


@given(
    st.lists(st.sampled_from([HEALTHY, DOWN, GATEWAY, SILENCE, BROKER, limited(5.0)]), max_size=60),
    st.integers(1, 8),
    st.sampled_from([0.0, 3.0, 100.0, LAMBDA]),
)
def test_whatever_comes_every_instance_is_known_once_and_in_time(
    comes: list[Attempt], workers: int, ends_at: float
) -> None:
    instances = fleet(len(comes))
    by_guid = dict(zip((one.guid for one in instances), comes, strict=True))
    slow = {id(SILENCE): LIMIT, id(BROKER): 60.0}
    simulation = Simulation(
        instances,
        lambda guid, _: (slow.get(id(by_guid[guid]), FAST), by_guid[guid]),
        workers=workers,
        ends_at=ends_at,
    )

    found = simulation.run()

    assert set(found) == set(by_guid)
    assert simulation.now <= ends_at
    assert simulation.most_in_flight <= 2 * workers


def test_the_first_reason_to_stop_stays() -> None:
    simulation = Simulation(fleet(3), lambda *_: (FAST, HEALTHY))

    simulation.schedule.stop("the API asks to wait")
    simulation.schedule.stop("the run's time was over")
    found = simulation.run()

    assert simulation.asked == []
    assert {one.answer for one in found.values()} == {
        Silence(Cause.NOT_REACHED, "the API asks to wait")
    }
