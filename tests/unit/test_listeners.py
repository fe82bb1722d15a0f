"""That nobody listens to a topic is noticed, and nothing of it ends a run."""

from collections.abc import Mapping

import pytest

from backup_audit.errors import SubscriptionsUnknown
from backup_audit.fleet.run import AuditRequest
from backup_audit.report.alerts import Audience
from backup_audit.report.listeners import (
    Listeners,
    Listening,
    heard,
    topics_without_subscribers,
    without_subscribers,
)
from backup_audit.telemetry import METRICS
from tests.doubles.days import Days, row

PEOPLE, EVENTS, CHAT = Audience
REFUSED = SubscriptionsUnknown("AuthorizationError: not allowed", answered=True)
SILENT = SubscriptionsUnknown("Could not connect to the endpoint", answered=False)

Numbers = Mapping[Audience, int | SubscriptionsUnknown]


def listened(numbers: Numbers, before: Listeners | None = None) -> tuple[Listeners, list[str]]:
    """What is heard where so many subscribe, and the warnings of it."""

    def confirmed(audience: Audience) -> int:
        number = numbers[audience]
        if isinstance(number, SubscriptionsUnknown):
            raise number
        return number

    listeners, warnings = heard(numbers, confirmed, before or {})
    return listeners, list(warnings)


def days(*numbers: Numbers) -> tuple[Listeners, list[str]]:
    """The same after full runs, one after the other."""
    listeners: Listeners = {}
    warnings: list[str] = []
    for each in numbers:
        listeners, warnings = listened(each, listeners)
    return listeners, warnings


@pytest.mark.parametrize(
    ("numbers", "silent"),
    [
        ({PEOPLE: 0}, True),
        ({PEOPLE: 1}, False),
        ({PEOPLE: 0, EVENTS: 0}, True),
        ({PEOPLE: 0, EVENTS: 1}, False),
        ({PEOPLE: 1, EVENTS: 0}, False),
        ({PEOPLE: 0, EVENTS: 0, CHAT: 0}, True),
        ({PEOPLE: 0, EVENTS: 0, CHAT: 1}, False),
    ],
)
def test_if_no_topic_has_a_subscription_every_run_says_so(
    numbers: Numbers, *, silent: bool
) -> None:
    first, second = days(numbers), days(numbers, numbers)

    for listeners, warnings in (first, second):
        assert [one.partition(":")[0] for one in warnings] == (
            ["no topic has a confirmed subscription"] if silent else []
        )
        assert without_subscribers(listeners) == (tuple(numbers) if silent else ())


@pytest.mark.parametrize("lost", [PEOPLE, EVENTS, CHAT])
def test_a_topic_that_lost_its_last_subscription_is_named_once(lost: Audience) -> None:
    all_there = dict.fromkeys(Audience, 1)
    without = {**all_there, lost: 0}

    listeners, [warning] = days(all_there, without)

    assert without_subscribers(listeners) == (lost,)
    output = {PEOPLE: "TopicArn", EVENTS: "EventsTopicArn", CHAT: "ChatTopicArn"}[lost]
    assert warning.endswith(
        f"(output {output}) had a confirmed subscription at the last full run and has none now: "
        "nobody gets what is published there"
    )
    assert days(all_there, without, without)[1] == []
    assert days(all_there, without, all_there, without)[1] == [warning]


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (0, 1), (0, 0)])
def test_of_a_topic_with_a_subscription_or_that_never_had_one_nothing_is_said(
    numbers: tuple[int, int],
) -> None:
    first, second = ({PEOPLE: 1, EVENTS: number} for number in numbers)

    assert days(first, second)[1] == []


def test_a_topic_that_is_new_has_lost_nothing() -> None:
    assert days({PEOPLE: 1}, {PEOPLE: 1, CHAT: 0})[1] == []


def test_a_refusal_is_a_warning_and_the_other_topics_are_asked() -> None:
    listeners, warnings = days({PEOPLE: REFUSED, EVENTS: 3, CHAT: 0})

    assert warnings == [str(REFUSED)]
    assert [one.confirmed for one in listeners.values()] == [None, 3, 0]


def test_an_sns_that_does_not_answer_is_asked_once() -> None:
    asked = []

    def confirmed(audience: Audience) -> int:
        asked.append(audience)
        raise SILENT

    listeners, warnings = heard(Audience, confirmed, {})

    assert asked == [PEOPLE]
    assert warnings == (str(SILENT),)
    assert [one.confirmed for one in listeners.values()] == [None, None, None]


def test_what_is_not_known_is_no_silence() -> None:
    _, warnings = days({PEOPLE: 0, EVENTS: REFUSED})

    assert warnings == [str(REFUSED)]


@pytest.mark.parametrize("refusals", [1, 2, 5])
def test_that_a_topic_had_a_subscription_is_remembered_over_refusals(refusals: int) -> None:
    both: Numbers = {PEOPLE: 1, EVENTS: 1}
    refused: Numbers = {PEOPLE: 1, EVENTS: REFUSED}

    listeners, [warning] = days(both, *[refused] * refusals, {PEOPLE: 1, EVENTS: 0})

    assert listeners[EVENTS] == Listening(confirmed=0, had_one=True)
    assert "EventsTopicArn" in warning


@pytest.mark.parametrize(
    ("numbers", "count"),
    [
        ([{PEOPLE: 1, EVENTS: 0}], 0),
        ([{PEOPLE: 0, EVENTS: 0}], 2),
        ([{PEOPLE: 1, EVENTS: 1}, {PEOPLE: 1, EVENTS: 0}], 1),
        ([{PEOPLE: 1, EVENTS: 1}, {PEOPLE: REFUSED, EVENTS: 0}], 1),
        ([{PEOPLE: 1, EVENTS: REFUSED}], None),
        ([{PEOPLE: 0, EVENTS: REFUSED}], None),
        ([], None),
    ],
)
def test_topics_without_subscribers_are_counted_unless_they_are_not_known(
    numbers: list[Numbers], count: int | None
) -> None:
    assert topics_without_subscribers(days(*numbers)[0]) == count


# ── In a run ──────────────────────────────────────────────────────────────────────────────────────

SILENCE = "no topic has a confirmed subscription"


@pytest.fixture(params=[False, True], ids=["function", "map"])
def world(request: pytest.FixtureRequest) -> Days:
    return Days([row("a")], mapped=request.param)


def test_a_full_run_warns_in_its_report_and_in_its_log(world: Days) -> None:
    world.subscribers = dict.fromkeys(Audience, 0)

    world.run()

    [said] = [one for one in world.report.plan.warnings if one.startswith(SILENCE)]
    assert said in world.telemetry.warnings
    [metric] = [one for one in METRICS if one.name == "TopicsWithoutSubscribers"]
    assert metric.value(world.report) == 3


def test_the_next_full_run_knows_who_listened(world: Days) -> None:
    world.run()
    world.subscribers = {**world.subscribers, CHAT: REFUSED}
    world.run()
    world.subscribers = {**world.subscribers, CHAT: 0}
    world.run()

    assert world.report.plan.listeners[CHAT] == Listening(confirmed=0, had_one=True)
    assert any("ChatTopicArn" in one for one in world.report.plan.warnings)


@pytest.mark.parametrize("failure", [REFUSED, SILENT])
def test_a_run_that_may_not_ask_warns_and_goes_on(
    world: Days, failure: SubscriptionsUnknown
) -> None:
    world.subscribers = dict.fromkeys(Audience, failure)

    answer = world.run()

    assert answer.complete
    assert str(failure) in world.report.plan.warnings


def test_a_run_that_is_not_full_asks_for_nothing(world: Days) -> None:
    world.run()
    world.subscribers = {}

    world.run(AuditRequest(instance_guids=["a"]))
