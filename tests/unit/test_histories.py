"""The life of an alert in random histories, held against a model; and what time alone decides.

`make histories` runs ten thousand of them.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
import pytest

from backup_audit import audit
from backup_audit.report import changes
from backup_audit.report.alerts import Alerts, Audience, planned
from tests.doubles.histories import History, histories
from tests.doubles.some import rest
from tests.doubles.troubles import DAY, HOUR

PEOPLE, EVENTS, CHAT = Audience
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("large", "instances", "small", "windows"),
    [
        ([1], 8, range(3, 6), 1),
        rest([1], 60, range(8, 13), 0),
        rest([2], 60, range(13, 18), 1),
    ],
    ids=["some", "larger", "others"],
)
def test_in_random_histories_nothing_is_lost_doubled_or_cleared_that_is_not(
    large: list[int], instances: int, small: range, windows: int
) -> None:
    """In few of them a run dies in one of the documented windows, where a message comes twice."""
    tally = histories(large, instances, 30)
    tally.add(histories(small, 4, 30))

    assert tally.faults == []
    assert tally.histories == 2 * (instances + 4 * len(small))
    assert min(tally.opened, tally.ended, tally.messages) > 0
    assert tally.doubled_in_windows >= windows


def test_an_end_that_nobody_says_is_noticed() -> None:
    def unsaid(*parts: object, **more: object) -> changes.Resolved:
        ended = end_of(*parts, **more)  # type: ignore[arg-type]
        return msgspec.structs.replace(ended, end_notified_at=None)

    end_of = changes.end_of
    with mock.patch.object(changes, "end_of", unsaid):
        tally = histories([1], 30, 12)
    assert tally.wrong


def test_an_end_that_is_said_again_is_noticed() -> None:
    world = a_calm_world(3)
    world.services["g0"].verdict = "stale"
    world.full()
    world.services["g0"].verdict = "healthy"
    with mock.patch.object(audit, "alerts_planned", _as_if_nothing_were_out):
        later(world, HOUR)
        later(world, HOUR)
    assert world.tally.doubled


def _as_if_nothing_were_out(*parts: object, **more: object) -> Alerts:
    return planned(*parts, **{**more, "marked": frozenset()})  # type: ignore[arg-type]


def a_calm_world(instances: int, *, remind_every: str = "24h", mapped: bool = False) -> History:
    """A world in which nothing happens by itself: all is healthy, owners have no digests."""
    world = History(0, instances, mapped=mapped)
    world.there.listing, world.there.is_scanned, world.per_owner = False, True, False
    world.remind_every, world.refusals, world.twins = remind_every, (1.0, 1.0), 0.0
    return world


def later(world: History, after: timedelta, **more: object) -> None:
    """The next run, so long after the last."""
    run_at(world, world.due + after, **more)


def run_at(world: History, due: datetime, **more: object) -> None:
    """A run due then."""
    world.due = world.now = due
    world.full(**more)  # type: ignore[arg-type]


def digests(world: History) -> list[datetime]:
    """When the platform's digests were due that people got, each with what it says of why."""
    runs = [message.message_id.split("/")[1] for message in world.topics[PEOPLE].messages]
    return [datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for run in runs]


@pytest.mark.parametrize("problems", [5, rest(50)])
def test_fifty_open_problems_make_eight_digests_in_a_week_of_hourly_runs(problems: int) -> None:
    world = a_calm_world(problems + 1)
    for number in range(problems):
        world.services[f"g{number}"].verdict = "stale"

    for _ in range(7 * 24):
        later(world, HOUR)

    assert len(digests(world)) == 8  # one at once, then every 23 hours: an hour is the slack
    assert world.tally.faults == []


@pytest.mark.parametrize("zone", ["Europe/Vienna", rest("America/New_York")])
@pytest.mark.parametrize(
    "begins", [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)]
)
def test_a_daily_schedule_in_local_time_makes_a_digest_a_day_however_long_the_day_is(
    zone: str, begins: datetime
) -> None:
    world = a_calm_world(3)
    world.services["g0"].verdict = "stale"
    days = list(at_five(zone, begins, 35))
    lengths = {after - before for before, after in itertools.pairwise(days)}
    assert len(lengths) == 2, "a day of another length is among them"

    for due in days:
        run_at(world, due)

    assert digests(world) == days
    assert world.tally.faults == []


def at_five(zone: str, begins: datetime, days: int) -> Iterator[datetime]:
    """Five in the morning of so many days there, in UTC."""
    for day in range(days):
        local = (begins + day * DAY).replace(hour=5, tzinfo=ZoneInfo(zone))
        yield local.astimezone(UTC)


@pytest.mark.parametrize(
    ("remind_every", "slack"),
    [("24h", HOUR), ("10h", HOUR), ("9h", 54 * MINUTE), ("7d", HOUR)],
)
@pytest.mark.parametrize("off", [-SECOND, timedelta(0), SECOND])
def test_a_reminder_is_due_a_tenth_and_at_most_an_hour_before_its_time(
    remind_every: str, slack: timedelta, off: timedelta
) -> None:
    number, unit = int(remind_every[:-1]), remind_every[-1]
    every = number * (HOUR if unit == "h" else DAY)
    world = a_calm_world(3, remind_every=remind_every)
    world.services["g0"].verdict = "stale"
    world.full()

    later(world, every - slack + off)

    assert len(digests(world)) == (1 if off < timedelta(0) else 2)
    assert world.tally.faults == []


@pytest.mark.parametrize(
    ("off", "change"), [(-SECOND, "reopened"), (timedelta(0), "reopened"), (SECOND, "new")]
)
def test_a_problem_that_comes_back_is_the_same_for_thirty_days(off: timedelta, change: str) -> None:
    world = a_calm_world(3)
    for verdict in ("stale", "healthy"):
        world.services["g0"].verdict = verdict
        later(world, HOUR)
    world.services["g0"].verdict = "stale"

    later(world, 30 * DAY + off)

    problem = world.lives["g0"].open
    assert problem
    assert problem.change == change
    assert world.tally.faults == []  # and the report says so too


def test_not_knowing_is_no_memory_of_a_problem_and_takes_none() -> None:
    world = a_calm_world(3)
    for verdict in ("stale", "healthy", "unknown", "healthy", "stale"):
        world.services["g0"].verdict = verdict
        later(world, DAY)
    assert world.lives["g0"].open
    assert world.lives["g0"].open.change == "reopened"
    assert world.tally.faults == []


@pytest.mark.parametrize("audience", [PEOPLE, CHAT, EVENTS])
@pytest.mark.parametrize("silence", ["mute", "deletion"])
def test_an_opening_that_a_topic_refused_is_news_once_a_mute_ends(
    audience: Audience, silence: str
) -> None:
    world = a_calm_world(3)
    one = world.services["g0"]
    one.verdict = "stale"
    world.full(refused=[audience])
    one.muted_until = world.now.date() if silence == "mute" else None
    one.deleted_since = world.now if silence == "deletion" else None
    later(world, HOUR)
    one.muted_until = one.deleted_since = None

    later(world, HOUR)

    assert world.tally.faults == []


@pytest.mark.parametrize("remind_every", ["24h", "7d"])
def test_what_is_named_again_after_an_all_clear_is_news(remind_every: str) -> None:
    world = a_calm_world(3, remind_every=remind_every)
    one = world.services["g0"]
    one.verdict = "stale"
    world.full()
    one.muted_until = (world.now + DAY).date()
    later(world, DAY)
    later(world, DAY - HOUR)

    one.muted_until = None
    later(world, HOUR)

    reasons = [message.attributes["reason"] for message in world.topics[PEOPLE].messages]
    assert reasons == [("opened",), ("all_clear",), ("opened",)]
    assert world.tally.faults == []


@pytest.mark.parametrize("refused", [[PEOPLE], [CHAT], [PEOPLE, CHAT]])
def test_an_all_clear_that_only_some_heard_makes_news_of_what_is_named_again(
    refused: list[Audience],
) -> None:
    world = a_calm_world(3, remind_every="7d")
    one = world.services["g0"]
    one.verdict = "stale"
    world.full()
    one.muted_until = world.now.date()
    later(world, HOUR, refused=refused)
    one.muted_until = None

    later(world, HOUR)

    assert all("opened" in world.topics[who].messages[-1].attributes["reason"] for who in refused)
    assert world.tally.faults == []


def test_a_run_that_comes_back_while_the_next_is_at_work_opens_nothing() -> None:
    world = a_calm_world(3)
    world.full()
    world.services["g0"].verdict = "stale"
    later(world, DAY, dies_at=0)  # between the manifest and latest.json
    assert world.dead

    world.come_back_after = "after put_new backup-audit/plans/"
    later(world, HOUR)
    world.services["g0"].verdict = "healthy"
    later(world, DAY)

    assert world.programs.open == set()
    assert events(world).count("problem") == 2
    assert world.tally.faults == []


def test_an_all_clear_that_a_topic_refused_is_not_said_of_a_run_that_is_not() -> None:
    world = a_calm_world(3)
    for one, owner in zip(world.services.values(), ("team-a", "team-b", "team-b"), strict=True):
        one.owner = owner
    world.per_owner = True
    first, *_, last = world.services.values()
    first.verdict = "stale"
    world.full()
    first.verdict = "healthy"
    later(world, DAY, refused=[PEOPLE])
    last.verdict = "unknown"

    later(world, DAY)

    assert world.tally.faults == []
    last.verdict = "healthy"
    later(world, DAY)
    clear = [
        message.attributes.get("owner")
        for message in world.topics[PEOPLE].messages
        if "all_clear" in message.attributes["reason"]
    ]
    assert clear == [None, "team-a", "team-b"]


def test_who_leaves_an_outage_for_another_problem_has_an_incident_of_its_own() -> None:
    world = a_calm_world(12)
    an_outage(world, DAY)
    assert [event for event in events(world) if event != "run"] == ["group"]

    world.there.outage = None
    world.services["g0"].verdict = "stale"
    later(world, DAY)
    world.services["g0"].verdict = "healthy"
    later(world, DAY)

    others = [event for event in events(world) if event != "run"]
    assert others == ["group", "group", "problem", "problem"]
    assert world.programs.open == set()
    assert world.tally.faults == []


@pytest.mark.parametrize(("others", "groups"), [(9, 0), (10, 1), (11, 1)])
def test_a_problem_that_is_named_again_joins_no_outage(others: int, groups: int) -> None:
    world = a_calm_world(1 + others)
    one = world.services["g0"]
    one.verdict = "stale"
    world.full(refused=[CHAT])
    one.muted_until = world.now.date()
    later(world, HOUR)
    one.muted_until = None
    an_outage(world, HOUR)
    assert events(world).count("group") == groups

    world.there.outage = None
    one.verdict = "healthy"
    later(world, HOUR)

    assert world.programs.open == set()
    assert world.tally.faults == []


def an_outage(world: History, after: timedelta) -> None:
    """A run in which no broker answers."""
    for one in world.services.values():
        one.offering = world.there.outage = "redis"
    later(world, after)


def events(world: History) -> list[object]:
    """The kinds of events that programs got."""
    return [message.attributes["event"] for message in world.topics[EVENTS].messages]


def test_a_flood_of_problems_is_news_by_verdict_and_offering() -> None:
    with mock.patch("backup_audit.report.groups.EVENTS_MAX", 5):
        world = a_calm_world(12)
        for one in world.services.values():
            one.verdict = "stale"
        world.full()
        for one in world.services.values():
            one.verdict = "healthy"
        later(world, DAY)
    assert "problem" not in events(world)
    assert world.programs.open == set()
    assert world.tally.faults == []
