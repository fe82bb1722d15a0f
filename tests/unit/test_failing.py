"""Full runs that fail: counted, notified of and reminded of, and the end of it."""

import json
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from backup_audit.errors import (
    CredentialsRefused,
    InvalidSettings,
    NotificationFailed,
    ReportStoreFailed,
)
from backup_audit.fleet.run import AuditRequest, Run, Scope, plan_run
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message, json_message
from backup_audit.notify.run_failure import (
    RunFailure,
    failure_of,
    recovery,
    recovery_line,
    run_failed,
)
from backup_audit.notify.send_failure import notify_of_failure, records_of
from backup_audit.publish import publish
from backup_audit.report.alerts import Audience, is_reminder_due
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing, FailingRuns
from backup_audit.report.latest import advance_latest
from backup_audit.report.store import ObjectStore, StoredObject
from backup_audit.settings import remind_every_of, runbook_of
from tests.doubles.builders import HOUR, NOW, finding
from tests.doubles.crashing import Died, Effects, dies
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)
from tests.doubles.reports import stored

KEY = "backup-audit/failing.json"
LINKS = Links(runbook_url=None, topic_arn="arn:aws:sns:us-east-1:123456789012:backup-audit")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PEOPLE, EVENTS, CHAT = Audience.PEOPLE, Audience.EVENTS, Audience.CHAT


def due(after: timedelta = timedelta(0), scope: Scope = Scope.FULL) -> Run:
    """A scheduled run."""
    request = AuditRequest(
        scheduled_time=NOW + after,
        instance_guids=["guid-1"] if scope is Scope.PARTIAL else None,
        max_age="26h" if scope is Scope.WHAT_IF else None,
        notify=True,
    )
    return plan_run(request, NOW + after, "i")


class World:
    """What outlives an invocation: the bucket and the topics."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.notifiers = {audience: RecordingNotifier() for audience in Audience}
        self.warnings: list[str] = []
        self.remind_every = DAY

    @property
    def runs(self) -> FailingRuns:
        return FailingRuns(self.store, KEY, "test", self.warnings.append)

    @property
    def failing(self) -> Failing:
        return msgspec.json.decode(self.store.objects[KEY], type=Failing)

    def heard(self, audience: Audience = PEOPLE) -> list[str]:
        return [message.message_id for message in self.notifiers[audience].messages]

    def fails(
        self,
        after: timedelta = timedelta(0),
        *,
        at: timedelta | None = None,
        scope: Scope = Scope.FULL,
        effects: Effects | None = None,
        store: ObjectStore | None = None,
    ) -> None:
        """An attempt of the run that is due `after` the first, at its due time or `at` another."""
        failure = a_failure(after, at=at, scope=scope, remind_every=self.remind_every)
        store = store or (effects.around(self.store) if effects else self.store)
        wrapped = effects.around if effects else lambda port: port
        notify_of_failure(
            failure,
            {audience: wrapped(port) for audience, port in self.notifiers.items()},
            MESSAGES,
            records_of(failure, store, "backup-audit", self.warnings.append),
            self.warnings.append,
        )

    def recovers(self, after: timedelta) -> Failing | None:
        """A committed full run."""
        run_id = due(after).run_id
        failing = self.runs.still_failing(run_id, NOW + after)
        if failing is not None:
            self.runs.recovered(failing, NOW + after)
        return failing


def an_event(failure: RunFailure) -> Message:
    return json_message(f"{failure.id}/run/failed", failure, event="run")


MESSAGES: dict[Audience, Callable[[RunFailure], Message]] = {
    PEOPLE: run_failed,
    EVENTS: an_event,
    CHAT: run_failed,
}


def a_failure(
    after: timedelta = timedelta(0),
    *,
    at: timedelta | None = None,
    scope: Scope = Scope.FULL,
    remind_every: timedelta = DAY,
    error: Exception | None = None,
    runbook_url: str | None = None,
) -> RunFailure:
    return failure_of(
        error or CredentialsRefused("UAA refuses the client"),
        run=due(after, scope),
        foundation="test",
        invocation_id="i",
        failed_at=NOW + (after if at is None else at),
        remind_every=remind_every,
        runbook_url=runbook_url,
    )


# ── When ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("remind_every", "slack"),
    [(DAY, HOUR), (7 * DAY, HOUR), (10 * HOUR, HOUR), (5 * HOUR, 30 * MINUTE), (HOUR, 6 * MINUTE)],
)
def test_a_reminder_is_due_a_tenth_early_and_an_hour_at_the_most(
    remind_every: timedelta, slack: timedelta
) -> None:
    edge = NOW + remind_every - slack

    is_due = [is_reminder_due(NOW, edge + by, remind_every) for by in (-SECOND, 0 * SECOND, SECOND)]

    assert is_due == [False, True, True]


@pytest.mark.parametrize(("by", "times"), [(-SECOND, 1), (timedelta(0), 2), (SECOND, 2)], ids=str)
@pytest.mark.parametrize("audience", [PEOPLE, CHAT])
def test_the_first_failure_is_notified_of_and_then_once_the_interval_has_passed(
    audience: Audience, by: timedelta, times: int
) -> None:
    world = World()

    world.fails()
    world.fails(DAY - HOUR + by)

    assert len(world.heard(audience)) == times


@pytest.mark.parametrize(
    ("remind_every", "hours"),
    [
        (DAY, [0]),
        (6 * HOUR, [0, 6, 12, 18]),
        (2 * HOUR, list(range(0, 20, 2))),
        (HOUR, list(range(20))),
    ],
    ids=str,
)
def test_twenty_failures_of_an_hourly_schedule_are_as_many_reminders_as_there_are_intervals(
    remind_every: timedelta, hours: list[int]
) -> None:
    world = World()
    world.remind_every = remind_every

    for hour in range(20):
        world.fails(hour * HOUR)

    expected = [f"test/{due(hour * HOUR).run_id}/run_failed" for hour in hours]
    assert world.heard() == world.heard(CHAT) == expected
    assert len(world.heard(EVENTS)) == 20, "programs hear of each run"
    assert world.failing.runs == 20


def test_a_daily_run_in_local_time_is_reminded_of_on_the_day_of_23_hours_too() -> None:
    world = World()

    for hours in (0, 24, 47, 71):
        world.fails(hours * HOUR)

    assert len(world.heard()) == 4


def test_a_run_that_takes_longer_to_fail_puts_off_no_reminder() -> None:
    world = World()
    world.remind_every = HOUR

    world.fails(at=14 * MINUTE)
    world.fails(HOUR)
    world.fails(2 * HOUR, at=2 * HOUR + 14 * MINUTE)

    assert len(world.heard()) == 3


def test_a_run_that_is_made_late_turns_no_reminder_back() -> None:
    world = World()
    world.fails()

    world.fails(-9 * DAY, at=HOUR)
    world.fails(2 * HOUR)

    assert world.failing.runs == 3
    assert len(world.heard()) == 1
    world.fails(DAY)
    world.runs.notified([PEOPLE], NOW)
    assert world.failing.notified_at[PEOPLE] == NOW + DAY


# ── Counting ──────────────────────────────────────────────────────────────────────────────────────


def test_the_attempts_of_a_run_are_one_run_and_one_message_for_each_audience() -> None:
    world = World()

    for minute in (0, 1, 3):
        world.fails(at=minute * MINUTE)

    assert world.failing.runs == 1
    assert world.failing.since == NOW
    assert world.failing.last_failed_at == NOW + 3 * MINUTE
    for audience in Audience:
        assert len(world.heard(audience)) == 1


def test_attempts_are_one_message_however_short_the_interval() -> None:
    world = World()
    world.remind_every = MINUTE

    for minute in (0, 1, 3):
        world.fails(at=minute * MINUTE)

    assert len(world.heard()) == 1


def test_attempts_that_come_in_between_those_of_a_later_run_count_once() -> None:
    world = World()

    world.fails()
    world.fails(HOUR)
    world.fails(at=HOUR + MINUTE)
    world.fails(HOUR, at=HOUR + 2 * MINUTE)

    assert world.failing.runs == 2
    assert world.failing.last_run_id == due(HOUR).run_id


def test_the_oldest_ids_are_forgotten_and_the_number_is_not() -> None:
    world = World()

    for number in range(402):
        world.runs.failed_again(f"r{number}", NOW, "why")

    assert world.failing.runs == 402
    assert world.failing.counted == tuple(f"r{number}" for number in range(2, 402))


def test_the_cause_is_the_last_and_each_run_is_counted_by_its_id_once() -> None:
    runs = World().runs
    runs.failed_again("r1", NOW, "one")
    runs.failed_again("r2", NOW + HOUR, "two")

    failing = runs.failed_again("r2", NOW + HOUR + MINUTE, "three")

    assert (failing.cause, failing.last_run_id) == ("three", "r2")
    assert failing.counted == ("r1", "r2")


def test_the_runs_of_the_time_before_are_remembered() -> None:
    """So that a late attempt of one of them, which people know of, begins nothing."""
    runs = World().runs
    runs.recovered(runs.failed_again("r1", NOW, "one"), NOW + HOUR)
    runs.recovered(runs.failed_again("r2", NOW + 2 * HOUR, "two"), NOW + 3 * HOUR)

    late = runs.failed_again("r1", NOW + 4 * HOUR, "one")

    assert late.counted == ("r1", "r2")
    assert late.ended_at == NOW + 3 * HOUR


def test_a_run_that_overtakes_is_counted_too() -> None:
    world = World()

    class Overtaken(InMemoryStore):
        is_overtaken = False

        def put_new(self, key: str, body: bytes) -> bool:
            if key == KEY and not self.is_overtaken:
                self.is_overtaken = True
                world.fails(HOUR)
            return super().put_new(key, body)

    world.store = Overtaken()

    world.fails()

    assert world.failing.runs == 2
    assert len(world.heard()) == 1


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_runs_of_another_scope_count_nowhere_and_each_notifies_once(scope: Scope) -> None:
    world = World()

    for hour in (0, 0, 1):
        world.fails(hour * HOUR, scope=scope)

    assert KEY not in world.store.objects
    assert len(world.heard()) == len(world.heard(EVENTS)) == 2


def test_a_run_that_is_not_known_yet_is_notified_of_each_time_and_noted_nowhere() -> None:
    world = World()
    failure = msgspec.structs.replace(a_failure(), run=None)
    warn = world.warnings.append

    for _ in range(2):
        records = records_of(failure, world.store, "backup-audit", warn)
        notify_of_failure(failure, world.notifiers, MESSAGES, records, warn)

    assert world.heard() == ["test/i/run_failed"] * 2
    assert world.store.objects == {}


# ── A late run ────────────────────────────────────────────────────────────────────────────────────

LATEST = "backup-audit/latest.json"


def committed(world: World, *, foundation: str = "test") -> None:
    """latest.json names the full run that was due at NOW."""
    report = stored([finding(Verdict.HEALTHY)], of=due(), store=world.store)
    advance_latest(report)
    if foundation != "test":
        pointer = json.loads(world.store.objects[LATEST]) | {"foundation": foundation}
        world.store.objects[LATEST] = json.dumps(pointer).encode()


@pytest.mark.parametrize(
    ("by", "is_late"), [(-SECOND, True), (0 * SECOND, False), (SECOND, False)], ids=str
)
def test_a_run_that_was_due_before_the_newest_one_fails_without_counting_or_notifying(
    by: timedelta,
    is_late: bool,  # noqa: FBT001
) -> None:
    world = World()
    committed(world)
    objects = dict(world.store.objects)

    world.fails(by, at=HOUR)

    assert [len(world.heard(one)) for one in Audience] == [0 if is_late else 1] * 3
    assert (KEY in world.store.objects) is not is_late
    if is_late:
        assert world.store.objects == objects, "nothing is noted"
        [warning] = world.warnings
        assert warning == (
            f"run {due(by).run_id} is older than the one that {LATEST} names: that it failed is "
            "not counted, and nobody is notified"
        )


def test_a_late_run_that_fails_leaves_what_is_counted_as_it_is() -> None:
    world = World()
    committed(world)
    world.fails(HOUR)
    before = world.failing

    world.fails(-HOUR, at=2 * HOUR)

    assert world.failing == before
    assert len(world.heard()) == 1


def test_a_late_run_that_fails_has_no_end_that_the_next_run_would_say() -> None:
    world = World()
    committed(world)

    world.fails(-HOUR, at=HOUR)

    assert world.recovers(DAY) is None


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_a_run_of_another_scope_is_never_late(scope: Scope) -> None:
    world = World()
    committed(world)

    world.fails(-HOUR, scope=scope)

    assert len(world.heard()) == 1


def test_where_the_newest_run_cannot_be_read_rather_twice_than_not_at_all() -> None:
    class Throttled(InMemoryStore):
        def get(self, key: str) -> StoredObject | None:
            if key == LATEST:
                raise ReportStoreFailed("throttled")
            return super().get(key)

    world = World()
    committed(world)
    store = Throttled()
    store.objects = world.store.objects

    world.fails(-HOUR, store=store)

    assert [len(world.heard(one)) for one in Audience] == [1, 1, 1]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"schema_version": 2}'])
def test_where_the_newest_run_cannot_be_made_out_the_run_counts(body: bytes) -> None:
    world = World()
    world.store.objects[LATEST] = body

    for hour in range(2):
        world.fails((hour - 2) * HOUR)

    assert world.failing.runs == 2
    assert len(world.heard()) == 1, "once, as ever"


def test_another_foundations_run_makes_none_late() -> None:
    world = World()
    committed(world, foundation="eu")

    world.fails(-HOUR)

    assert len(world.heard()) == 1


# ── The bucket ────────────────────────────────────────────────────────────────────────────────────


def test_what_is_stored_says_it_all() -> None:
    world = World()

    world.fails()

    assert json.loads(world.store.objects[KEY]) == {
        "schema_version": 1,
        "foundation": "test",
        "since": "2026-01-31T05:00:00Z",
        "runs": 1,
        "cause": "CredentialsRefused: UAA refuses the client",
        "last_run_id": due().run_id,
        "last_failed_at": "2026-01-31T05:00:00Z",
        "counted": [due().run_id],
        "notified_at": dict.fromkeys(("people", "events", "chat"), "2026-01-31T05:00:00Z"),
        "ended_at": None,
    }
    place = f"backup-audit/reports/dt=2026-01-31/run={due().run_id}"
    assert set(world.store.objects) == {
        KEY, *(f"{place}/notified-run_failed-{one}.json" for one in Audience)
    }  # fmt: skip


def test_a_bucket_that_cannot_be_asked_notifies_rather_twice_than_not_at_all() -> None:
    class Unreachable(InMemoryStore):
        asked = 0

        def get(self, key: str) -> StoredObject | None:
            Unreachable.asked += 1
            assert Unreachable.asked <= 1 or world.heard(CHAT), "asked in vain before the messages"
            raise ReportStoreFailed("no bucket")

    world = World()

    for hour in (0, 1):
        Unreachable.asked = 0
        world.fails(hour * HOUR, store=Unreachable())

    for audience in Audience:
        assert len(world.heard(audience)) == 2
    assert world.warnings[0] == (
        "whether the failed run is known already could not be read: ReportStoreFailed: no bucket"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"schema_version": 1}'])
def test_a_damaged_object_is_begun_anew_with_a_warning(body: bytes) -> None:
    world = World()
    world.store.objects[KEY] = body

    assert world.runs.still_failing("r", NOW) is None
    world.fails()

    assert world.failing.runs == 1
    assert len(world.heard()) == 1
    assert set(world.warnings) == {
        f"s3://reports/{KEY} is damaged: since when runs fail is not known"
    }


def test_a_newer_object_is_left_alone_and_each_run_notified_of_once() -> None:
    world = World()
    world.store.objects[KEY] = newer = b'{\n  "schema_version": 2,\n  "foundation": "test"\n}\n'

    world.fails()
    world.fails(at=MINUTE)

    assert len(world.heard()) == 1
    assert world.store.objects[KEY] == newer
    assert "deploy the newer version again; to go back for good, remove it" in world.warnings[0]
    with pytest.raises(ReportStoreFailed, match=f"^s3://reports/{KEY} is of schema_version 2"):
        world.runs.still_failing("r", NOW)


def test_that_of_another_foundation_is_left_alone_and_refused() -> None:
    world = World()
    theirs = FailingRuns(world.store, KEY, "eu", world.warnings.append)
    failing = theirs.failed_again("r", NOW, "why")
    before = world.store.objects[KEY]

    ours, said = world.runs, f"s3://reports/{KEY} is of the foundation 'eu', and this is 'test'"
    with pytest.raises(InvalidSettings, match=said):
        ours.failed_again("r", NOW, "why")
    with pytest.raises(InvalidSettings, match=said):
        ours.notified([PEOPLE], NOW)
    with pytest.raises(InvalidSettings, match=said):
        ours.still_failing("r", NOW)
    with pytest.raises(InvalidSettings, match=said):
        ours.recovered(failing, NOW)
    world.fails()

    assert world.store.objects[KEY] == before
    assert len(world.heard()) == 1


# ── The topics ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("broken", Audience)
def test_one_topic_that_is_down_keeps_no_other_audience_from_hearing(broken: Audience) -> None:
    world = World()
    world.notifiers[broken].broken = True

    world.fails()

    for audience in Audience:
        assert len(world.heard(audience)) == (audience is not broken)
    [warning] = world.warnings
    assert warning.startswith(f"{broken}: not notified of the failed run: NotificationFailed: ")


@pytest.mark.parametrize("again", [timedelta(0), HOUR], ids=["the same run", "the next run"])
def test_a_topic_that_was_down_at_the_first_failure_hears_of_the_next_attempt_or_run(
    again: timedelta,
) -> None:
    world = World()
    world.notifiers[PEOPLE].broken = True
    world.fails()
    world.notifiers[PEOPLE].broken = False

    world.fails(again, at=again + MINUTE)

    assert len(world.heard()) == 1
    assert len(world.heard(CHAT)) == 1, "it has heard"


def test_an_audience_that_is_new_hears_at_the_next_failure() -> None:
    world = World()
    chat = world.notifiers.pop(CHAT)
    world.fails()
    world.notifiers[CHAT] = chat

    world.fails(HOUR)

    assert len(world.heard()) == len(world.heard(CHAT)) == 1


# ── The end ───────────────────────────────────────────────────────────────────────────────────────


def test_a_committed_run_ends_it_once_and_the_next_failure_is_the_first_again() -> None:
    world = World()
    for hour in range(5):
        world.fails(hour * HOUR)

    ended = world.recovers(5 * HOUR)
    again = world.recovers(6 * HOUR)
    world.fails(7 * HOUR)

    assert ended is not None
    assert (ended.runs, ended.since) == (5, NOW)
    assert again is None
    assert (world.failing.runs, world.failing.since) == (1, NOW + 7 * HOUR)
    assert len(world.heard()) == 2


def test_what_is_over_is_kept_with_its_end() -> None:
    world = World()
    world.fails()

    world.recovers(HOUR)

    assert world.failing.ended_at == NOW + HOUR
    assert world.failing.runs == 1


def test_without_a_failure_there_is_nothing_to_end_and_nothing_is_written() -> None:
    world = World()

    assert world.recovers(HOUR) is None

    assert world.store.objects == {}


@pytest.mark.parametrize(("by", "ends"), [(-SECOND, False), (timedelta(0), True), (SECOND, True)])
def test_a_report_that_had_finished_before_the_last_failure_ends_nothing(
    by: timedelta,
    ends: bool,  # noqa: FBT001
) -> None:
    world = World()
    world.fails(HOUR)

    failing = world.runs.still_failing("an earlier run", NOW + HOUR + by)

    assert (failing is not None) is ends


def test_a_run_ends_the_failure_of_its_own_attempt_after_the_commit() -> None:
    world = World()
    world.fails(at=MINUTE)

    assert world.runs.still_failing(due().run_id, NOW) is not None


def test_a_late_attempt_of_a_run_before_the_end_begins_nothing() -> None:
    world = World()
    world.fails()
    world.fails(HOUR)
    world.recovers(2 * HOUR)

    world.fails(at=3 * HOUR)

    assert world.failing.ended_at == NOW + 2 * HOUR
    assert len(world.heard()) == 1
    assert len(world.heard(EVENTS)) == 2


def test_a_late_attempt_after_the_end_notifies_nobody_even_of_what_nobody_heard() -> None:
    world = World()
    for notifier in world.notifiers.values():
        notifier.broken = True
    world.fails()
    world.recovers(HOUR)
    for notifier in world.notifiers.values():
        notifier.broken = False

    world.fails(at=2 * HOUR)

    assert [world.heard(audience) for audience in Audience] == [[], [], []]
    assert world.failing.ended_at == NOW + HOUR


def test_a_run_that_fails_while_the_end_is_notified_of_keeps_it_open() -> None:
    world = World()
    world.fails()
    failing = world.runs.still_failing("r", NOW + HOUR)
    assert failing is not None
    world.fails(2 * HOUR)

    world.runs.recovered(failing, NOW + HOUR)

    assert world.failing.ended_at is None
    assert world.failing.runs == 2


def test_an_end_that_was_closed_already_stays_as_it_is() -> None:
    world = World()
    world.fails()
    failing = world.recovers(HOUR)
    assert failing is not None

    world.runs.recovered(failing, NOW + 2 * HOUR)
    world.runs.notified([PEOPLE], NOW + 2 * HOUR)

    assert world.failing.ended_at == NOW + HOUR
    assert world.failing.notified_at[PEOPLE] == NOW


# ── Killed at any point ───────────────────────────────────────────────────────────────────────────


def _points() -> list[str]:
    effects = Effects()
    World().fails(effects=effects)
    return effects.names


POINTS = _points()


@pytest.mark.parametrize("after", [timedelta(0), DAY], ids=["the next attempt", "the next run"])
@pytest.mark.parametrize("at", range(len(POINTS)), ids=lambda at: POINTS[at].replace("/", "."))
def test_killed_at_any_point_everybody_hears_of_it_from_the_next_attempt_or_run(
    at: int, after: timedelta
) -> None:
    world = World()
    with pytest.raises(Died):
        world.fails(effects=Effects(at, dies))

    world.fails(after, at=after + MINUTE)

    assert world.failing.runs == (1 if not after or before_counting(at) else 2)
    for audience in Audience:
        heard = world.heard(audience)
        assert 1 <= len(heard) <= 2
        if not after:
            assert len(set(heard)) == 1, "the same message id, if twice"


def before_counting(at: int) -> bool:
    return at <= POINTS.index(f"before put_new {KEY}")


def test_the_points_are_found() -> None:
    kinds = {point.split()[1] for point in POINTS}

    assert kinds == {"exists", "get", "put_new", "put_if_unchanged", "publish"}
    assert sum("publish" in point for point in POINTS) == 2 * len(Audience)


# ── A committed run ───────────────────────────────────────────────────────────────────────────────


class AfterFailures:
    """A bucket with runs that failed, and one that is committed then."""

    def __init__(self, scope: Scope = Scope.FULL, *, fails: int = 2) -> None:
        self.world = World()
        for hours in range(fails, 0, -1):
            self.world.fails(-hours * HOUR)
        for notifier in self.world.notifiers.values():
            notifier.messages.clear()
        healthy = [finding(Verdict.HEALTHY)]
        self.keys = stored(healthy, of=due(scope=scope), store=self.world.store).keys

    def publish(
        self,
        effects: Effects | None = None,
        *,
        notifies: bool = True,
        store: InMemoryStore | None = None,
    ) -> list[str]:
        """A delivery; return its warnings."""
        effects, telemetry = effects or Effects(), RecordingTelemetry()
        store = effects.around(store or self.world.store)
        edges = FakeEdges(
            source=FixedSource(b"{}"),
            api=ScriptedApi({}),
            store=store,
            notifier=effects.around(self.world.notifiers[PEOPLE]),
            chat=effects.around(self.world.notifiers[CHAT]),
            heartbeat=None,
            telemetry=telemetry,
            at=NOW + MINUTE,
        )
        publish(StoredReport(store, self.keys), edges, LINKS, notifies=notifies, repeated=False)
        return telemetry.warnings

    def said(self, audience: Audience = PEOPLE) -> list[str]:
        """Its messages, each on one line, that say of an end."""
        bodies = (" ".join(one.body.split()) for one in self.world.notifiers[audience].messages)
        return [body for body in bodies if "The audit works again" in body]


def test_the_first_committed_run_says_that_it_works_again_and_the_next_does_not() -> None:
    after = AfterFailures()

    after.publish()

    [text], [chat] = after.said(), after.said(CHAT)
    assert recovery_line(after.world.failing) in " ".join(text.split())
    assert recovery(after.world.failing) in chat
    assert after.world.failing.ended_at == NOW + MINUTE
    after.keys = stored([finding(Verdict.HEALTHY)], of=due(DAY), store=after.world.store).keys
    after.publish()
    assert len(after.said()) == 1


def test_without_failures_nothing_is_said_and_nothing_written() -> None:
    after = AfterFailures(fails=0)

    after.publish()

    assert after.said() == []
    assert KEY not in after.world.store.objects


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_a_run_of_another_scope_ends_nothing(scope: Scope) -> None:
    after = AfterFailures(scope)

    after.publish()

    assert after.said() == []
    assert after.world.failing.ended_at is None


def test_a_run_that_notifies_nobody_leaves_the_end_to_the_next() -> None:
    after = AfterFailures()

    after.publish(notifies=False)

    assert after.world.failing.ended_at is None


def test_a_run_that_is_late_ends_nothing() -> None:
    after = AfterFailures()
    newer = stored([finding(Verdict.HEALTHY)], of=due(DAY), store=after.world.store)
    advance_latest(newer)

    after.publish()

    assert after.said() == []
    assert after.world.failing.ended_at is None


@pytest.mark.parametrize("broken", [PEOPLE, CHAT])
def test_a_topic_that_does_not_take_the_end_keeps_it_open_for_the_retry(broken: Audience) -> None:
    after = AfterFailures()
    after.world.notifiers[broken].broken = True
    with pytest.raises(NotificationFailed):
        after.publish()
    assert after.world.failing.ended_at is None
    after.world.notifiers[broken].broken = False

    after.publish()

    assert len(after.said(PEOPLE)) == len(after.said(CHAT)) == 1
    assert after.world.failing.ended_at == NOW + MINUTE


def test_an_end_that_cannot_be_noted_fails_no_run_whose_messages_are_out() -> None:
    class Full(InMemoryStore):
        def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
            raise ReportStoreFailed("S3 is full")

    after = AfterFailures()
    store = Full()
    store.objects = after.world.store.objects

    warnings = after.publish(store=store)

    assert warnings == ["that full runs succeed again could not be noted: S3 is full"]
    assert len(after.said()) == 1
    assert after.world.failing.ended_at is None


def _points_of_publishing() -> list[str]:
    effects = Effects()
    AfterFailures().publish(effects)
    return effects.names


PUBLISHING = _points_of_publishing()


@pytest.mark.parametrize(
    "at", range(len(PUBLISHING)), ids=lambda at: PUBLISHING[at].replace("/", ".")
)
def test_killed_at_any_point_of_publishing_everybody_hears_that_it_works_again(at: int) -> None:
    after = AfterFailures()
    with pytest.raises(Died):
        after.publish(Effects(at, dies))

    after.publish()
    after.keys = stored([finding(Verdict.HEALTHY)], of=due(DAY), store=after.world.store).keys
    after.publish()

    for audience in (PEOPLE, CHAT):
        assert 1 <= len(after.said(audience)) <= 2
    assert after.world.failing.ended_at == NOW + MINUTE


# ── The text ──────────────────────────────────────────────────────────────────────────────────────


def test_the_first_message_says_why_and_what_to_do() -> None:
    world = World()

    world.fails()

    [message] = world.notifiers[PEOPLE].messages
    assert message.subject == "[backup-audit] test: the audit failed (CredentialsRefused)"
    assert message.body.splitlines() == [
        "The backup audit of test failed: CredentialsRefused: UAA refuses the client.",
        "Nobody is notified of any backup until it works: silence is no good news.",
        f"It failed at 2026-01-31 05:00 UTC (run {due().run_id}).",
        "",
        "What to do: docs/runbook.md#failedrun",
        "The function's log has the rest.",
        "If it goes on, you are reminded after 24 h. When it works again, you are notified.",
    ]
    assert message.attributes == {
        "event": "run_failed",
        "foundation": "test",
        "severity": "critical",
        "schema_version": "1",
    }


def test_a_reminder_says_since_when_and_how_often() -> None:
    world = World()
    for day in range(5):
        world.fails(day * DAY)

    message = world.notifiers[PEOPLE].messages[-1]
    assert message.subject == (
        "[backup-audit] test: audit failing since 2026-01-31, 5 runs (CredentialsRefused)"
    )
    assert message.body.splitlines()[3] == (
        "Since 2026-01-31 05:00 UTC every full run has failed: 5 of them."
    )


@pytest.mark.parametrize(
    ("scope", "what"), [(Scope.PARTIAL, "a partial run"), (Scope.WHAT_IF, "a what-if")]
)
def test_a_failure_of_another_scope_says_at_once_what_it_is(scope: Scope, what: str) -> None:
    message = run_failed(a_failure(scope=scope))

    assert message.subject == f"[backup-audit] test: {what} failed (CredentialsRefused)"
    first = message.body.splitlines()[0]
    assert first.startswith(f"{what.capitalize()} of the backup audit of test failed")


def test_a_failure_of_which_the_run_is_not_known_is_of_the_audit() -> None:
    message = run_failed(msgspec.structs.replace(a_failure(), run=None))

    assert message.subject == "[backup-audit] test: the audit failed (CredentialsRefused)"
    assert message.body.startswith("The backup audit of test failed")


def test_a_failure_of_another_scope_promises_nothing() -> None:
    text = run_failed(a_failure(scope=Scope.PARTIAL)).body

    assert "until it works" not in text
    assert "reminded" not in text


def test_the_runbook_is_where_the_operator_keeps_it() -> None:
    text = run_failed(a_failure(runbook_url="https://git.example.com/docs")).body

    assert "What to do: https://git.example.com/docs/runbook.md#failedrun\n" in text


def test_the_recovery_says_how_often_since_when_and_why() -> None:
    world = World()
    for hour in range(5):
        world.fails(hour * HOUR)

    ended = world.recovers(5 * HOUR)

    assert ended is not None
    assert recovery_line(ended) == (
        "The audit works again: it failed 5 times since 2026-01-31 05:00 UTC, the last time "
        "because CredentialsRefused: UAA refuses the client."
    )


def test_the_recovery_from_one_failure_says_when() -> None:
    world = World()
    world.fails()

    ended = world.recovers(HOUR)

    assert ended is not None
    assert recovery_line(ended) == (
        "The audit works again: it failed once, at 2026-01-31 05:00 UTC, because "
        "CredentialsRefused: UAA refuses the client."
    )


def test_a_cause_is_one_line_of_300_characters_and_a_foreign_one_its_type_alone() -> None:
    long = a_failure(error=CredentialsRefused("a\nb" + "c" * 1000)).cause
    foreign = a_failure(error=KeyError("secret")).cause

    assert len(long) == 300
    assert long.startswith("CredentialsRefused: a b")
    assert foreign == "KeyError: an error that the audit does not know"


@pytest.mark.parametrize(
    ("length", "ending"), [(19_999, "x"), (20_000, "x"), (20_001, "x… (the log has the rest)")]
)
def test_a_reason_is_cut_where_no_message_would_fit(length: int, ending: str) -> None:
    failure = a_failure(error=CredentialsRefused("x" * length))

    assert failure.reason == "x" * (min(length, 20_000) - 1) + ending
    assert failure.reason in " ".join(run_failed(failure).body.split())


def test_a_long_reason_begins_in_the_first_sentence_and_stands_whole_below_in_short_lines() -> None:
    reason = "; ".join(f"instances[{number}].guid: not a GUID" for number in range(100))
    fits = "x " * 139

    lines = run_failed(a_failure(error=CredentialsRefused(reason))).body.splitlines()
    short = run_failed(a_failure(error=CredentialsRefused(fits))).body

    assert lines[0].startswith("The backup audit of test failed: CredentialsRefused: instances[0]")
    assert "Nobody is notified of any backup until it works: silence is no good news." in lines[:6]
    assert max(map(len, lines)) <= 100
    whole = " ".join(" ".join(lines[lines.index("All that it says:") + 1 :]).split())
    assert whole.startswith(reason)
    assert "All that it says:" not in short


def test_a_subject_without_room_for_the_error_has_the_rest() -> None:
    failing = World()
    failing.fails()
    many = msgspec.structs.replace(failing.failing, runs=12_345)
    failure = msgspec.structs.replace(a_failure(), foundation="f" * 32, failing=many)

    assert run_failed(failure).subject == (
        f"[backup-audit] {'f' * 32}: audit failing since 2026-01-31, 12,345 runs"
    )


# ── The settings that a failure reads, which may be what is broken ────────────────────────────────


@pytest.mark.parametrize(
    ("environ", "remind_every"),
    [
        ({}, DAY),
        ({"REMIND_EVERY": ""}, DAY),
        ({"REMIND_EVERY": "90m"}, 90 * MINUTE),
        ({"REMIND_EVERY": "7d"}, 7 * DAY),
        ({"REMIND_EVERY": "0h"}, DAY),
        ({"REMIND_EVERY": "soon"}, DAY),
        ({"REMIND_EVERY": "24h\n"}, DAY),
    ],
)
def test_an_interval_that_is_bad_is_the_default(
    environ: dict[str, str], remind_every: timedelta
) -> None:
    assert remind_every_of(environ) == remind_every


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, None),
        ({"RUNBOOK_URL": "https://git.example.com/docs/"}, "https://git.example.com/docs"),
        ({"RUNBOOK_URL": "git.example.com"}, None),
    ],
)
def test_an_address_of_the_docs_that_is_bad_is_none(
    environ: dict[str, str], address: str | None
) -> None:
    assert runbook_of(environ) == address
