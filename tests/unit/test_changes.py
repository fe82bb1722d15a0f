"""The life of a problem: what a finding is against the last full report."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.finding import Alert, Change, Finding, Problem, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import (
    NOTHING_YET,
    SHARED_OF_PROBLEMS,
    Ended,
    OpenProblem,
    Resolved,
    State,
    compared,
    left_by,
    memory_of,
    open_problems,
    problem_id,
    resolved_by,
)
from backup_audit.report.latest import advance_latest
from backup_audit.report.previous import previous_of
from backup_audit.report.store import RunKeys
from tests.doubles.builders import (
    HOUR,
    MUTE,
    NOW,
    PLACE,
    ended_problem,
    evidence,
    finding,
    instance,
    open_problem,
    run,
)
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import stored

DAY = timedelta(days=1)
S, H, U = Verdict.STALE, Verdict.HEALTHY, Verdict.UNKNOWN
N, F, G = Verdict.NEVER_BACKED_UP, Verdict.NOT_FOUND, Verdict.IN_GRACE
PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]
NOT_REACHED = "not reached"  # a day on which the run did not get to the instance

Day = Verdict | str


class Life:
    """One instance from run to run, a day after the other, the first now."""

    def __init__(self) -> None:
        self.state: State = NOTHING_YET
        self.resolved: list[Resolved] = []
        self.days = 0

    def next(self, day: Day, *, muted: bool = False, notifies: bool = True) -> Finding:
        """The finding of the next run."""
        due_at = NOW + self.days * DAY
        self.days += 1
        the_run = run(due_at=due_at)
        mute = msgspec.structs.replace(MUTE, until=due_at.date()) if muted else None
        plain = msgspec.structs.replace(_plain(day), due_at=due_at, mute=mute)
        guid = plain.guid
        before, ended = self.state.open.get(guid), self.state.resolved.get(guid)
        found = compared(plain, before, ended, notifies=notifies)
        store, keys = InMemoryStore(), RunKeys.of("backup-audit", the_run)
        report = stored(
            [found], remembered=self.resolved, of=the_run, store=store, notifies=notifies
        )
        advance_latest(report)
        self.state = previous_of(store, keys, due_at).state
        self.resolved = [one for one in report.entries() if isinstance(one, Resolved)]
        return found


def _plain(day: Day) -> Finding:
    if day == NOT_REACHED:
        silence = Silence(Cause.NOT_REACHED, "the time was over")
        return finding_of(instance(), evidence(silence, None), run(), None)
    return young() if day is Verdict.IN_GRACE else finding(Verdict(day))


def young() -> Finding:
    policy = msgspec.structs.replace(BUILT_IN, grace_seconds=24 * 3600)
    listed = evidence(BackupList((), instance_created_at=NOW))
    found = finding_of(Instance("guid-1", policy), listed, run(), None)
    assert found.verdict is Verdict.IN_GRACE
    return found


def lived(*days: Day) -> list[Finding]:
    """Findings of one instance of which somebody is notified each day."""
    life = Life()
    return [life.next(day) for day in days]


def changes(*days: Day) -> list[Change | None]:
    return [found.change for found in lived(*days)]


NEW, ONGOING, RESOLVED, REOPENED = Change


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_a_problem_is_new_then_ongoing_then_resolved(verdict: Verdict) -> None:
    assert changes(H, verdict, verdict, H, H) == [None, NEW, ONGOING, RESOLVED, None]


@pytest.mark.parametrize(
    ("second", "rest"), [(0, "20260131T0500Z"), (1, "20260131T050001Z"), (59, "20260131T050059Z")]
)
def test_the_id_of_a_problem_is_its_instance_and_when_it_opened(second: int, rest: str) -> None:
    assert problem_id("guid-1", NOW.replace(second=second)) == f"guid-1@{rest}"


@pytest.mark.parametrize("verdict", PROBLEMS)
@pytest.mark.parametrize("other", PROBLEMS)
def test_a_problem_keeps_its_id_whatever_it_becomes(verdict: Verdict, other: Verdict) -> None:
    opened, *later = lived(verdict, other, verdict, other)

    assert {one.problem_id for one in later} == {opened.problem_id}
    assert {one.opened_at for one in later} == {NOW}
    assert {one.notified_at for one in later} == {NOW}
    assert {one.change for one in later} == {ONGOING}


def test_since_is_the_first_run_with_this_verdict() -> None:
    assert [one.since for one in lived(S, S, N, N, H)] == [
        NOW,
        NOW,
        NOW + 2 * DAY,
        NOW + 2 * DAY,
        NOW + 2 * DAY,
    ]


@pytest.mark.parametrize(
    ("days", "worsened"),
    [
        ((S, N), 1),
        ((S, S, N), 2),
        ((S, N, N), 1),
        ((U, S), 1),
        ((S, F), None),
        ((S, F, S), 2),
        ((N, S), None),
        ((S, U), None),
        ((S, U, S), None),
        ((S, U, N), 2),
        ((N, U, S), None),
        ((U, F, U, F), 1),
    ],
)
def test_a_verdict_is_worse_than_the_last_that_readers_heard_of(
    days: Sequence[Day], worsened: int | None
) -> None:
    alert = lived(*days)[-1].alert

    assert alert
    assert alert.worsened_at == (None if worsened is None else NOW + worsened * DAY)


def test_a_verdict_that_got_worse_while_nobody_was_notified_is_news_later() -> None:
    life = Life()
    life.next(S)

    muted = life.next(N, muted=True)
    silent = life.next(N, notifies=False)
    heard = life.next(N)
    again = life.next(N)

    assert muted.alert == silent.alert == Alert(verdict=S)
    assert heard.alert == again.alert == Alert(verdict=N, worsened_at=NOW + 3 * DAY)


@pytest.mark.parametrize(
    ("days", "before"),
    [
        ((S,), None),
        ((S, S), None),
        ((S, N), Problem(S, NOW)),
        ((S, N, N), Problem(S, NOW)),
        ((S, U), Problem(S, NOW)),
        ((S, U, U), Problem(S, NOW)),
        ((S, N, U), Problem(N, NOW + DAY)),
        ((S, U, S), None),
        ((S, U, N), Problem(S, NOW)),
        ((U, S), Problem(U, NOW)),
        ((S, U, H), Problem(S, NOW)),
        ((U, H), Problem(U, NOW)),
        ((S, U, G), Problem(S, NOW)),
    ],
)
def test_before_is_what_the_problem_was(days: Sequence[Day], before: Problem | None) -> None:
    assert lived(*days)[-1].before == before


def test_not_knowing_is_no_news_of_a_problem_that_was_known() -> None:
    stale, unknown, again = lived(S, U, S)

    assert unknown.change is again.change is ONGOING
    assert unknown.alert == again.alert == stale.alert
    assert again.since == stale.since


def test_who_was_not_reached_has_no_problem_and_waits_since_the_first_time() -> None:
    first, second, asked = lived(NOT_REACHED, NOT_REACHED, U)

    assert first.problem_id is second.problem_id is first.change is None
    assert not first.is_problem
    assert first.since == second.since == NOW
    assert asked.opened_at == NOW + 2 * DAY
    assert asked.change is NEW


def test_an_instance_that_is_healthy_once_it_is_reached_had_no_problem() -> None:
    _, reached = lived(NOT_REACHED, H)

    assert (reached.change, reached.problem_id, reached.before) == (None, None, None)


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_not_reaching_an_instance_ends_no_problem(verdict: Verdict) -> None:
    opened, missed, again = lived(verdict, NOT_REACHED, verdict)

    assert missed.problem_id == again.problem_id == opened.problem_id
    assert missed.is_problem
    assert again.change is ONGOING
    assert again.alert == opened.alert


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_a_problem_of_which_nobody_was_notified_is_new_when_somebody_is(verdict: Verdict) -> None:
    life = Life()

    muted = life.next(verdict, muted=True)
    silent = life.next(verdict, notifies=False)
    named = life.next(verdict)
    again = life.next(verdict)

    assert (muted.change, silent.change) == (NEW, ONGOING)
    assert (muted.notified_at, silent.notified_at) == (None, None)
    assert (muted.alert, silent.alert) == (None, None)
    assert (named.change, again.change) == (NEW, ONGOING)
    assert named.notified_at == again.notified_at == NOW + 2 * DAY
    assert named.problem_id == muted.problem_id


def test_a_problem_that_came_back_under_a_mute_is_reopened_when_it_is_named() -> None:
    life = Life()
    life.next(S)
    life.next(H)

    assert life.next(S, muted=True).change is REOPENED
    assert life.next(S).change is REOPENED
    assert life.next(S).change is ONGOING


@pytest.mark.parametrize(("days", "change"), [(29, REOPENED), (30, REOPENED), (31, NEW)])
def test_a_problem_that_returns_within_thirty_days_is_reopened(days: int, change: Change) -> None:
    life = Life()
    life.next(S)
    life.next(H)
    life.days = 1 + days

    again = life.next(S)

    assert again.change is change
    assert again.opened_at == NOW + (1 + days) * DAY


@pytest.mark.parametrize(("days", "kept"), [(29, 1), (30, 1), (31, 0)])
def test_an_end_is_remembered_for_thirty_days(days: int, kept: int) -> None:
    life = Life()
    life.next(S)
    life.next(H)
    life.days = 1 + days

    life.next(H)

    assert len(life.resolved) == kept


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((U, H, U), [NEW, RESOLVED, NEW]),
        ((U, H, S), [NEW, RESOLVED, NEW]),
        ((S, H, U), [NEW, RESOLVED, NEW]),
        # What was unknown is known now, and is the same problem.
        ((S, H, U, S), [NEW, RESOLVED, NEW, ONGOING]),
        ((S, H, U, H, S), [NEW, RESOLVED, NEW, RESOLVED, REOPENED]),
        ((S, G, S), [NEW, None, REOPENED]),
    ],
)
def test_an_unknown_neither_uses_up_nor_makes_the_memory_of_ended_problems(
    days: Sequence[Day], said: list[Change | None]
) -> None:
    assert changes(*days) == said


@pytest.mark.parametrize("order", [1, -1], ids=["early first", "late first"])
def test_the_end_of_the_problem_that_opened_last_is_remembered(order: int) -> None:
    early, late = ended_problem(opened_at=NOW - 3 * DAY), ended_problem(opened_at=NOW - 2 * DAY)

    assert memory_of([early, late][::order], NOW) == {"guid-1": late}


def test_of_several_ends_of_an_instance_the_last_is_remembered() -> None:
    life = Life()
    for day in (S, H, N, H, H):
        life.next(day)

    assert [(one.verdict, one.resolved_at) for one in life.resolved] == [(N, NOW + 3 * DAY)]
    assert memory_of(life.resolved, NOW + 5 * DAY) == {"guid-1": life.resolved[0]}


@pytest.mark.parametrize(("day", "ended"), [(H, Ended.HEALTHY), (G, Ended.IN_GRACE)])
def test_a_problem_ends_on_proof_of_health_or_by_a_policy(day: Day, ended: Ended) -> None:
    life = Life()
    opened = life.next(S)

    over = life.next(day)

    [end] = life.resolved
    assert over.problem_id == end.problem_id == opened.problem_id
    assert (end.ended, end.resolved_at, end.end_notified_at) == (ended, NOW + DAY, NOW + DAY)
    assert over.change is (RESOLVED if day is H else None)
    assert over.alert == end.alert == opened.alert == Alert(verdict=S)
    assert life.state.open == {}


def test_an_end_is_said_though_the_instance_is_muted() -> None:
    life = Life()
    life.next(S)

    life.next(H, muted=True)

    [end] = life.resolved
    assert end.muted
    assert end.end_notified_at == NOW + DAY


def test_the_end_of_what_nobody_heard_of_is_owed_to_nobody() -> None:
    life = Life()
    life.next(S, muted=True)

    life.next(H, muted=True)

    [end] = life.resolved
    assert not end.is_owed
    assert not end.is_unsaid
    assert end.end_notified_at is None


def test_an_end_that_nobody_was_notified_of_is_said_by_the_next_run_that_notifies() -> None:
    life = Life()
    life.next(S)
    life.next(H, notifies=False)
    [owed] = life.resolved

    life.next(H)

    [said] = life.resolved
    assert owed.is_owed
    assert said.end_notified_at == NOW + 2 * DAY


def test_an_end_that_is_owed_outlives_the_next_problem_of_its_instance() -> None:
    life = Life()
    opened = life.next(S)
    life.next(H, notifies=False)

    again = life.next(S)

    [said] = life.resolved
    assert again.change is REOPENED
    assert again.problem_id != opened.problem_id == said.problem_id
    assert said.end_notified_at == NOW + 2 * DAY


def test_an_unknown_finding_ends_no_problem_though_it_carries_one() -> None:
    *_, unknown = lived(S, U)

    assert unknown.before
    assert resolved_by(unknown, notifies=True) is None


@pytest.mark.parametrize(
    ("verdict", "silence", "status", "not_reached"),
    [
        (U, Silence(Cause.NOT_REACHED, "late"), None, True),
        (U, Refusal(), 428, False),
        (U, Refusal(), 429, True),
        (U, Refusal(), 430, False),
        (U, Silence(Cause.TIMEOUT, "late"), None, False),
        (U, Refusal(), 503, False),
    ],
)
def test_what_was_not_asked_or_refused_for_the_rate_limit_was_not_reached(
    verdict: Verdict, silence: Answer, status: int | None, *, not_reached: bool
) -> None:
    found = finding_of(instance(), evidence(silence, status), run(), None)
    assert found.verdict is verdict

    [opened] = open_problems([compared(found, None)]).values()

    assert opened.not_reached is not_reached


def test_the_problems_of_unhealthy_instances_are_open() -> None:
    stale = compared(finding(S, "guid-2"), None)

    assert list(open_problems([finding(H), young(), stale])) == ["guid-2"]


def test_problems_that_opened_together_share_their_times_and_alerts() -> None:
    """A decoder makes new values for each; a fleet's problems would take twice the memory."""
    found = [compared(finding(S, f"guid-{number}"), open_problem(N)) for number in (1, 2)]
    decoded = msgspec.json.decode(msgspec.json.encode(found), type=list[Finding])

    one, other = open_problems(decoded).values()

    for field in ("since", *SHARED_OF_PROBLEMS):
        assert getattr(one, field) is getattr(other, field) is not None


# ── What readers have heard ───────────────────────────────────────────────────────────────────────


def in_a_group(verdict: Verdict) -> OpenProblem:
    """A problem that opened yesterday, of which programs were notified by an event of its group."""
    problem = open_problem(verdict, NOW - DAY)
    return msgspec.structs.replace(problem, alert=Alert(verdict=verdict, group_id="eu/unknown"))


def test_who_leaves_a_group_for_another_verdict_has_left_it_once() -> None:
    left = compared(finding(S), in_a_group(U))
    [stale] = open_problems([left]).values()
    tomorrow = msgspec.structs.replace(finding(N), due_at=NOW + DAY)

    worse = compared(tomorrow, stale)

    assert left.alert == Alert(verdict=S, worsened_at=NOW, left_group_at=NOW)
    assert worse.alert == Alert(verdict=N, worsened_at=NOW + DAY, left_group_at=NOW)


def test_who_was_in_no_group_leaves_none() -> None:
    worse = compared(finding(N), open_problem(S, NOW - DAY))

    assert worse.alert == Alert(verdict=N, worsened_at=NOW)


# ── What some audience has not heard of a problem that messages leave out now ─────────────────────


def left_out(owed_from: datetime | None, *, notifies: bool = True, **alert: object) -> Alert | None:
    """What readers have heard of a stale problem that is muted now; it opened yesterday."""
    heard = msgspec.structs.replace(Alert(verdict=S), **alert)
    before = msgspec.structs.replace(open_problem(S, NOW - DAY), alert=heard)
    muted = finding(S, mute=MUTE)
    return compared(muted, before, notifies=notifies, owed_from=owed_from).alert


@pytest.mark.parametrize(("days", "owed"), [(-1, False), (0, True), (1, True)])
def test_that_a_muted_problem_opened_is_owed_if_some_audience_missed_it(
    days: int, *, owed: bool
) -> None:
    assert left_out(NOW - DAY - days * DAY) == Alert(verdict=S, is_owed=owed, left_out=True)


@pytest.mark.parametrize(("hours", "owed"), [(-1, False), (0, True), (1, True)])
def test_that_a_muted_problem_left_its_group_is_owed_too(hours: int, *, owed: bool) -> None:
    left_at = NOW - 12 * HOUR

    alert = left_out(left_at - hours * HOUR, left_group_at=left_at)

    assert alert == Alert(verdict=S, left_group_at=left_at, is_owed=owed, left_out=True)


@pytest.mark.parametrize(("hours", "owed"), [(-1, False), (0, True), (1, True)])
def test_that_a_muted_problem_got_worse_is_as_if_nobody_had_heard_its_verdict(
    hours: int, *, owed: bool
) -> None:
    worse_at = NOW - 12 * HOUR

    alert = left_out(worse_at - hours * HOUR, worsened_at=worse_at)

    assert alert == (
        Alert(verdict=U, left_out=True)
        if owed
        else Alert(verdict=S, worsened_at=worse_at, left_out=True)
    )


def test_nothing_is_owed_where_every_audience_has_heard_or_the_run_notifies_nobody() -> None:
    assert left_out(None) == left_out(NOW - 2 * DAY, notifies=False) == Alert(verdict=S)


def test_of_a_problem_that_was_never_named_nothing_is_owed() -> None:
    before = msgspec.structs.replace(open_problem(S, NOW - DAY), notified_at=None, alert=None)

    assert compared(finding(S, mute=MUTE), before, owed_from=NOW - 2 * DAY).alert is None


def test_what_messages_name_is_owed_to_nobody() -> None:
    named = compared(finding(S), open_problem(S, NOW - DAY), owed_from=NOW - 2 * DAY)

    assert named.alert == Alert(verdict=S)


def test_what_is_owed_is_news_to_all_when_the_problem_is_named_again() -> None:
    before = msgspec.structs.replace(
        open_problem(S, NOW - DAY), alert=Alert(verdict=U, worsened_at=NOW - DAY, is_owed=True)
    )

    named = compared(finding(S), before)

    assert (named.change, named.opened_at, named.notified_at) == (ONGOING, NOW - DAY, NOW)
    assert named.alert == Alert(verdict=S, left_group_at=NOW)


def test_what_got_worse_unheard_is_worse_when_the_problem_is_named_again() -> None:
    before = msgspec.structs.replace(open_problem(S, NOW - DAY), alert=Alert(verdict=U))

    assert compared(finding(S), before).alert == Alert(verdict=S, worsened_at=NOW)


def test_when_a_problem_was_named_again_is_known_and_outlives_a_change_of_its_verdict() -> None:
    left_out = msgspec.structs.replace(
        open_problem(S, NOW - DAY), alert=Alert(verdict=S, left_out=True)
    )
    named_before = msgspec.structs.replace(
        open_problem(S, NOW - DAY), alert=Alert(verdict=S, named_again_at=NOW - HOUR)
    )

    assert compared(finding(S), left_out).alert == Alert(verdict=S, named_again_at=NOW)
    changed = compared(finding(N), named_before).alert
    assert changed is not None
    assert (changed.verdict, changed.named_again_at) == (N, NOW - HOUR)


# ── Those who left ────────────────────────────────────────────────────────────────────────────────


def left_as(ended: Ended, *findings: Finding, notifies: bool = True) -> list[Resolved]:
    """The ends in tomorrow's run, which misses the instances "guid-1"."""
    return list(left_by(findings, {"guid-1": ended}, NOW + DAY, notifies=notifies))


@pytest.mark.parametrize("ended", [Ended.DROPPED, Ended.GONE, Ended.LEFT_SELECTION])
def test_who_leaves_the_fleet_takes_its_problem_along(ended: Ended) -> None:
    staying, leaving = (compared(finding(S, f"guid-{number}"), None) for number in (2, 1))

    [end] = left_as(ended, staying, leaving)

    assert (end.guid, end.problem_id, end.ended) == ("guid-1", leaving.problem_id, ended)
    assert (end.verdict, end.since, end.opened_at) == (S, NOW, NOW)
    assert (end.resolved_at, end.end_notified_at) == (NOW + DAY, NOW + DAY)


def test_an_end_is_said_by_a_run_that_notifies_of_what_readers_had_heard() -> None:
    heard = compared(finding(S), None)
    unheard = compared(finding(S), None, notifies=False)

    assert left_as(Ended.GONE, heard)[0].end_notified_at == NOW + DAY
    assert left_as(Ended.GONE, heard, notifies=False)[0].end_notified_at is None
    assert left_as(Ended.GONE, unheard)[0].end_notified_at is None


def test_an_unknown_one_that_leaves_had_the_problem_that_nobody_could_see() -> None:
    *_, hidden = lived(S, U)
    only_unknown = compared(finding(U), None)
    worse = compared(finding(N), open_problem(S, NOW - DAY))

    ends = [left_as(Ended.GONE, one)[0] for one in (hidden, only_unknown, worse)]

    assert [(end.verdict, end.since) for end in ends] == [(S, NOW), (U, NOW), (N, NOW)]


def test_who_leaves_without_a_problem_leaves_no_end() -> None:
    [not_reached] = lived(NOT_REACHED)

    assert left_as(Ended.GONE, not_reached, finding(H)) == []


def test_an_end_names_its_instance_and_place_as_its_last_finding_did() -> None:
    named = msgspec.structs.replace(finding(S, name="orders", owner="team-a"), **PLACE)

    [end] = left_as(Ended.GONE, compared(named, in_a_group(S)))

    assert (end.name, end.owner) == ("orders", "team-a")
    assert (end.org, end.space, end.offering, end.plan) == tuple(PLACE.values())
    assert end.alert == Alert(verdict=S, group_id="eu/unknown")


# ── How long an end is kept ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("days", "due"), [(-1, False), (0, True), (1, True)])
def test_an_end_is_due_if_it_was_said_since_some_audience_missed_messages(
    days: int, *, due: bool
) -> None:
    end = ended_problem(end_notified_at=NOW + days * DAY)

    assert end.is_due(NOW, NOW + 99 * DAY) is due


@pytest.mark.parametrize("days", [29, 30, 31])
def test_an_end_that_is_owed_is_due_until_it_is_said(days: int) -> None:
    assert ended_problem(end_notified_at=None).is_due(NOW, NOW + days * DAY)


@pytest.mark.parametrize(("days", "due"), [(29, True), (30, True), (31, False)])
def test_that_a_problem_came_and_went_unsaid_is_due_for_thirty_days(
    days: int, *, due: bool
) -> None:
    end = ended_problem(notified_at=None, end_notified_at=None)

    assert end.is_due(NOW, NOW + days * DAY) is due
    assert not msgspec.structs.replace(end, muted=True).is_due(NOW, NOW + days * DAY)
