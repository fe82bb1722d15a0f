"""Who gets a digest, and why: the timers, the marks, the all-clear."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.inventory import Read
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import (
    OWNERS_MAX,
    PLATFORM,
    Alerts,
    Audience,
    Audited,
    Found,
    ReaderState,
    Reason,
    decided,
    fleet_reasons,
    is_reminder_due,
    planned,
    reminds_programs,
)
from backup_audit.report.drift import Unaudited
from backup_audit.report.groups import Cause, Group
from tests.doubles.builders import NOW, departed, departures, inventory
from tests.doubles.reports import alerts_from

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
SECOND = timedelta(seconds=1)
EVERYBODY = tuple(Audience)
CLEAR = Found()
ONE_OPEN = Found(open=1, named=1)
ONE_NEW = Found(open=1, named=1, opened=1)


def a_run(due_at: datetime = NOW, **parts: Any) -> Audited:  # noqa: ANN401
    whole = Audited(
        due_at=due_at, is_full=True, notifies=True, complete=True, is_certain=True, fleet=()
    )
    return msgspec.structs.replace(whole, **parts)


INCOMPLETE: Mapping[str, Any] = {"complete": False, "is_certain": False}


def after(
    before: Alerts,
    found: Found | Mapping[str, Found],
    due_at: datetime,
    **parts: Any,  # noqa: ANN401
) -> Alerts:
    """What a run decides that goes on from the one before, whose messages are all out."""
    goes_on = planned(
        due_at,
        EVERYBODY,
        before.remind_every_seconds,
        per_owner=before.per_owner,
        before=before,
        marked=frozenset(EVERYBODY),
    )
    by_reader = {PLATFORM: found} if isinstance(found, Found) else found
    return decided(goes_on, by_reader, a_run(due_at, **parts), groups=[], reminds_of_each=True)


FIRST = alerts_from(NOW - DAY)


def why(alerts: Alerts, reader: str = PLATFORM) -> tuple[Reason, ...] | None:
    """Why a run decided on a digest for a reader; None if it did not."""
    state = alerts.readers[reader]
    goes_out = alerts.gets_digest(Audience.PEOPLE, reader)
    assert goes_out is (state.digest_at == alerts.news_from[Audience.PEOPLE])
    return state.why if goes_out else None


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (CLEAR, None),
        (ONE_NEW, (Reason.OPENED,)),
        # Open, and this reader was never notified of it: it is new, or it was given the instance.
        (ONE_OPEN, (Reason.OPENED,)),
        (Found(open=1, named=1, worsened=1), (Reason.OPENED, Reason.WORSENED)),
        (Found(open=1, named=1, ended=1), (Reason.OPENED, Reason.ENDED)),
        (
            Found(open=3, named=3, opened=1, worsened=1, ended=1),
            (Reason.OPENED, Reason.WORSENED, Reason.ENDED),
        ),
        # Being deleted.
        (Found(open=1), None),
    ],
)
def test_news_make_a_digest(found: Found, reasons: tuple[Reason, ...] | None) -> None:
    assert why(after(FIRST, found, NOW)) == reasons


@pytest.mark.parametrize(
    ("remind_every", "waited", "due"),
    [
        (DAY, 23 * HOUR - SECOND, False),
        (DAY, 23 * HOUR, True),
        (DAY, 23 * HOUR + SECOND, True),
        (HOUR, 54 * timedelta(minutes=1) - SECOND, False),
        (HOUR, 54 * timedelta(minutes=1), True),
        (10 * HOUR, 9 * HOUR - SECOND, False),
        (10 * HOUR, 9 * HOUR, True),
        (7 * DAY, 7 * DAY - HOUR - SECOND, False),
        (7 * DAY, 7 * DAY - HOUR, True),
    ],
)
def test_a_reminder_is_due_a_tenth_or_an_hour_before_its_time(
    remind_every: timedelta, waited: timedelta, *, due: bool
) -> None:
    assert is_reminder_due(NOW, NOW + waited, remind_every) is due


@pytest.mark.parametrize(
    ("waited", "reasons"),
    [(23 * HOUR - SECOND, None), (23 * HOUR, (Reason.REMINDER,)), (DAY, (Reason.REMINDER,))],
)
def test_what_stays_open_is_named_again(
    waited: timedelta, reasons: tuple[Reason, ...] | None
) -> None:
    opened = after(FIRST, ONE_NEW, NOW)

    assert why(after(opened, ONE_OPEN, NOW + waited)) == reasons


def test_every_digest_starts_the_timer_again() -> None:
    opened = after(FIRST, ONE_NEW, NOW)
    ended = after(opened, Found(open=1, named=1, ended=1), NOW + 20 * HOUR)

    assert why(after(ended, ONE_OPEN, NOW + 30 * HOUR)) is None
    assert why(after(ended, ONE_OPEN, NOW + 43 * HOUR)) == (Reason.REMINDER,)


def test_programs_are_reminded_by_a_timer_of_their_own() -> None:
    opened = after(FIRST, ONE_NEW, NOW)
    another = after(opened, ONE_NEW, NOW + 20 * HOUR)
    later = after(another, ONE_OPEN, NOW + DAY)

    assert opened.reminded_at == another.reminded_at == NOW
    assert later.reminded_at == NOW + DAY
    assert after(later, CLEAR, NOW + 2 * DAY).reminded_at is None


@pytest.mark.parametrize(
    ("found", "run", "clear"),
    [
        (CLEAR, {}, True),
        (Found(open=1), {}, False),
        (ONE_OPEN, {}, False),
        (CLEAR, {"is_certain": False}, False),
        (CLEAR, INCOMPLETE, False),
    ],
)
def test_all_is_clear_only_where_nothing_is_open_and_all_is_known(
    found: Found, run: Mapping[str, Any], *, clear: bool
) -> None:
    opened = after(FIRST, ONE_NEW, NOW)

    state = after(opened, found, NOW + HOUR, **run).readers[PLATFORM]

    assert state.cleared is clear
    assert (Reason.ALL_CLEAR in state.why) is clear
    assert state.episode == NOW


def test_an_all_clear_that_had_to_wait_is_said_later_and_once() -> None:
    opened = after(FIRST, ONE_NEW, NOW)
    ended = after(opened, Found(ended=1), NOW + HOUR, is_certain=False)
    known = after(ended, CLEAR, NOW + 2 * HOUR)
    again = after(known, CLEAR, NOW + 3 * HOUR)

    assert why(ended) == (Reason.ENDED,)
    assert why(known) == (Reason.ALL_CLEAR,)
    assert why(again) is None
    assert again.readers[PLATFORM].cleared


def after_an_all_clear(
    found: Found, why: tuple[Reason, ...], owed_from: datetime, **run: object
) -> ReaderState:
    """The platform's state in the run after the one that said so, which was due now."""
    said = ReaderState(digest_at=NOW, why=why, episode=NOW - DAY, cleared=True)
    before = alerts_from(owed_from, readers={PLATFORM: said})
    audited = a_run(NOW + HOUR, **run)
    now = decided(before, {PLATFORM: found}, audited, groups=[], reminds_of_each=True)
    return now.readers[PLATFORM]


ENDED_AND_CLEAR = (Reason.ENDED, Reason.ALL_CLEAR)


@pytest.mark.parametrize(("seconds", "owed"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize(
    ("found", "run"), [(Found(open=1), {}), (CLEAR, {"is_certain": False})], ids=["open", "unknown"]
)
def test_an_all_clear_that_is_true_no_longer_is_taken_back_if_some_audience_has_not_got_it(
    found: Found, run: Mapping[str, Any], seconds: int, *, owed: bool
) -> None:
    state = after_an_all_clear(found, ENDED_AND_CLEAR, NOW + seconds * SECOND, **run)

    assert state == ReaderState(
        digest_at=NOW,
        why=(Reason.ENDED,) if owed else ENDED_AND_CLEAR,
        episode=NOW - DAY,
        cleared=not owed,
    )


def test_where_the_all_clear_that_is_taken_back_was_all_there_is_no_digest() -> None:
    state = after_an_all_clear(Found(open=1), (Reason.ALL_CLEAR,), NOW)

    assert state == ReaderState(digest_at=None, why=(), episode=NOW - DAY, cleared=False)


def test_what_else_an_audience_has_not_got_is_not_taken_back() -> None:
    said = ReaderState(digest_at=NOW, why=(Reason.OPENED,), episode=NOW, cleared=False)
    before = alerts_from(NOW, readers={PLATFORM: said})

    now = decided(before, {PLATFORM: ONE_OPEN}, a_run(NOW + HOUR), groups=[], reminds_of_each=True)

    assert now.readers[PLATFORM] == said


def test_an_all_clear_that_is_still_true_goes_out_to_those_who_have_not_got_it() -> None:
    state = after_an_all_clear(CLEAR, ENDED_AND_CLEAR, NOW)

    assert (state.digest_at, state.why, state.cleared) == (NOW, ENDED_AND_CLEAR, True)


def test_nobody_gets_an_all_clear_who_was_notified_of_nothing() -> None:
    assert why(after(after(FIRST, CLEAR, NOW), CLEAR, NOW + DAY)) is None


MUTED = CLEAR


@pytest.mark.parametrize("remind_every", [DAY, 7 * DAY])
def test_what_is_named_again_after_an_all_clear_is_news(remind_every: timedelta) -> None:
    first = msgspec.structs.replace(FIRST, remind_every_seconds=int(remind_every.total_seconds()))
    opened = after(first, ONE_NEW, NOW)
    muted = after(opened, MUTED, NOW + HOUR)
    named = after(muted, ONE_OPEN, NOW + 2 * HOUR)
    still = after(named, ONE_OPEN, NOW + 3 * HOUR)

    assert [why(one) for one in (muted, named, still)] == [
        (Reason.ALL_CLEAR,),
        (Reason.OPENED,),
        None,
    ]
    assert named.readers[PLATFORM].episode == NOW + 2 * HOUR
    assert named.readers[PLATFORM].all_clear_at == NOW + HOUR


@pytest.mark.parametrize(
    ("all_clear_at", "notified_at", "was_clear"),
    [
        (NOW - timedelta(seconds=1), NOW, False),
        (NOW, NOW, True),
        (NOW + timedelta(seconds=1), NOW, True),
        (None, NOW, False),
        (NOW, None, False),
    ],
)
def test_all_was_clear_since_a_problem_was_named_if_that_was_said_then_or_later(
    all_clear_at: datetime | None, notified_at: datetime | None, *, was_clear: bool
) -> None:
    state = ReaderState(
        digest_at=None, why=(), episode=None, cleared=False, all_clear_at=all_clear_at
    )

    assert state.was_clear_since(notified_at) is was_clear


def test_what_is_named_again_is_no_news_if_nobody_heard_that_all_is_clear() -> None:
    opened = after(FIRST, Found(open=2, named=2, opened=2), NOW)
    one_muted = after(opened, ONE_OPEN, NOW + HOUR)

    assert why(after(one_muted, Found(open=2, named=2), NOW + 2 * HOUR)) is None


def test_an_all_clear_that_some_audience_missed_makes_news_of_what_is_named_again() -> None:
    opened = after(FIRST, ONE_NEW, NOW)
    muted = after(opened, MUTED, NOW + HOUR)
    state = muted
    for found, hours, is_certain in ((MUTED, 2, False), (ONE_OPEN, 3, True)):
        due_at = NOW + hours * HOUR
        heard = frozenset({Audience.PEOPLE, Audience.EVENTS})
        goes_on = planned(due_at, EVERYBODY, 86_400, per_owner=False, before=state, marked=heard)
        audited = a_run(due_at, is_certain=is_certain)
        state = decided(goes_on, {PLATFORM: found}, audited, groups=[], reminds_of_each=True)

    assert why(state) == (Reason.OPENED,)


def test_an_audience_is_new_until_it_has_got_what_there_was() -> None:
    alone = msgspec.structs.replace(FIRST, news_from={Audience.PEOPLE: NOW - DAY}, added_at={})
    marks: list[set[Audience]] = [{Audience.PEOPLE}, {Audience.PEOPLE}, set(EVERYBODY)]
    state, new = alone, []
    for day, marked in enumerate(marks):
        due_at = NOW + day * DAY
        state = planned(
            due_at, EVERYBODY, 86_400, per_owner=False, before=state, marked=frozenset(marked)
        )
        new.append(state.is_new(Audience.CHAT))

    assert new == [True, True, False]


def test_an_episode_lasts_from_the_first_problem_to_the_all_clear() -> None:
    opened = after(FIRST, ONE_NEW, NOW)
    more = after(opened, ONE_NEW, NOW + HOUR)
    cleared = after(more, Found(ended=2), NOW + 2 * HOUR)
    anew = after(cleared, ONE_NEW, NOW + 3 * HOUR)

    episodes = [one.readers[PLATFORM].episode for one in (opened, more, cleared, anew)]
    assert episodes == [NOW, NOW, NOW, NOW + 3 * HOUR]


def test_an_outage_is_said_when_it_begins_reminded_of_and_said_when_it_ends() -> None:
    reasons, state = [], FIRST
    for hour in range(26):
        state = after(state, CLEAR, NOW + hour * HOUR, **INCOMPLETE)
        reasons.append(why(state))
    over = after(state, CLEAR, NOW + 26 * HOUR)

    assert reasons == [(Reason.INCOMPLETE,), *[None] * 22, (Reason.REMINDER,), None, None]
    assert why(over) == (Reason.COMPLETE,)
    assert why(after(over, CLEAR, NOW + 27 * HOUR)) is None


def test_a_lost_role_is_said_once_though_each_run_finds_it() -> None:
    lost = {**INCOMPLETE, "fleet": (Reason.LOST_ROLE,)}
    first = after(FIRST, CLEAR, NOW, **lost)
    second = after(first, CLEAR, NOW + HOUR, **lost)

    assert why(first) == (Reason.INCOMPLETE, Reason.LOST_ROLE)
    assert why(second) is None


def test_a_role_that_is_lost_while_runs_are_incomplete_is_news() -> None:
    outage = after(FIRST, CLEAR, NOW, **INCOMPLETE)

    lost = after(outage, CLEAR, NOW + HOUR, **INCOMPLETE, fleet=(Reason.LOST_ROLE,))

    assert why(lost) == (Reason.LOST_ROLE,)


def test_a_run_that_notifies_nobody_decides_nothing() -> None:
    opened = after(FIRST, ONE_NEW, NOW)

    silent = after(opened, Found(ended=1), NOW + DAY, notifies=False)

    assert silent.readers == opened.readers
    assert silent.reminded_at == opened.reminded_at


@pytest.mark.parametrize("silent", [set(), {Audience.CHAT}, {Audience.PEOPLE, Audience.EVENTS}])
def test_without_a_mark_what_was_decided_is_due_again_for_those_readers(
    silent: set[Audience],
) -> None:
    opened = after(FIRST, ONE_NEW, NOW)

    later = planned(
        NOW + DAY,
        EVERYBODY,
        86_400,
        per_owner=False,
        before=opened,
        marked=frozenset(EVERYBODY) - silent,
    )

    assert later.news_from == {one: NOW if one in silent else NOW + DAY for one in EVERYBODY}
    assert later.owed_from == (NOW if silent else NOW + DAY)
    assert {one for one in EVERYBODY if later.gets_digest(one, PLATFORM)} == silent


def test_what_is_owed_is_owed_from_the_first_run_that_did_not_get_out() -> None:
    state = after(FIRST, ONE_NEW, NOW)
    for day in (1, 2, 3):
        due_at, nobody = NOW + day * DAY, frozenset[Audience]()
        goes_on = planned(due_at, EVERYBODY, 86_400, per_owner=False, before=state, marked=nobody)
        state = decided(
            goes_on, {PLATFORM: ONE_OPEN}, a_run(due_at), groups=[], reminds_of_each=True
        )

    assert state.owed_from == NOW


def test_an_audience_that_is_new_is_owed_nothing() -> None:
    before = msgspec.structs.replace(FIRST, news_from={Audience.PEOPLE: NOW - DAY})

    later = planned(NOW, EVERYBODY, 86_400, per_owner=False, before=before, marked=frozenset())

    assert later.news_from == {
        Audience.PEOPLE: NOW - DAY,
        Audience.EVENTS: NOW,
        Audience.CHAT: NOW,
    }


@pytest.mark.parametrize("per_owner", [False, True])
def test_the_first_run_owes_nobody_anything(*, per_owner: bool) -> None:
    first = planned(
        NOW, (Audience.PEOPLE,), 3_600, per_owner=per_owner, before=None, marked=frozenset()
    )

    assert first == Alerts(
        news_from={Audience.PEOPLE: NOW},
        added_at={Audience.PEOPLE: NOW},
        remind_every_seconds=3_600,
        per_owner=per_owner,
    )


def test_a_run_takes_the_settings_of_its_own_time() -> None:
    later = planned(NOW, EVERYBODY, 3_600, per_owner=True, before=FIRST, marked=frozenset(Audience))

    assert (later.remind_every_seconds, later.per_owner) == (3_600, True)


# ── Groups, and what programs are reminded of ─────────────────────────────────────────────────────

OPEN_GROUP = Group(
    group_id="eu/unknown/1a2b3c4d@20260130T050000Z",
    cause=Cause(verdict=Verdict.UNKNOWN, offering=None),
    opened_at=NOW - DAY,
    members=10,
    named=10,
)


def ended_group(at: datetime) -> Group:
    return msgspec.structs.replace(OPEN_GROUP, end_notified_at=at, members=0, named=0)


@pytest.mark.parametrize("marked", [frozenset[Audience](), frozenset(EVERYBODY)], ids=len)
def test_an_open_group_goes_on(marked: frozenset[Audience]) -> None:
    before = msgspec.structs.replace(FIRST, groups=[OPEN_GROUP])

    later = planned(NOW, EVERYBODY, 86_400, per_owner=False, before=before, marked=marked)

    assert later.groups == [OPEN_GROUP]


@pytest.mark.parametrize(
    ("hours", "marked", "kept"),
    [
        (-1, set(), False),
        (0, set(), True),
        (1, set(), True),
        (0, {Audience.EVENTS}, False),
        (0, {Audience.PEOPLE, Audience.CHAT}, True),
    ],
)
def test_a_group_that_ended_is_kept_until_programs_have_heard_of_it(
    hours: int, marked: set[Audience], *, kept: bool
) -> None:
    group = ended_group(NOW - DAY + hours * HOUR)
    before = msgspec.structs.replace(FIRST, groups=[group])

    later = planned(
        NOW, EVERYBODY, 86_400, per_owner=False, before=before, marked=frozenset(marked)
    )

    assert later.groups == ([group] if kept else [])


def test_a_run_hands_on_its_groups_and_whether_it_reminds_of_single_problems() -> None:
    few, many = (
        decided(FIRST, {}, a_run(), groups=[OPEN_GROUP], reminds_of_each=reminds_of_each)
        for reminds_of_each in (True, False)
    )

    assert few.groups == many.groups == [OPEN_GROUP]
    assert few.reminds_of_each is True
    assert many.reminds_of_each is False


@pytest.mark.parametrize(("hours", "reminds"), [(-1, False), (0, True), (1, True)])
def test_programs_that_have_not_got_the_last_reminder_get_it_in_the_next_run(
    hours: int, *, reminds: bool
) -> None:
    reminded_at = NOW - 2 * HOUR
    before = alerts_from(reminded_at - hours * HOUR, reminded_at=reminded_at)

    assert reminds_programs(before, NOW) is reminds


def test_where_programs_are_no_audience_their_timer_runs_all_the_same() -> None:
    before = Alerts(
        news_from={Audience.PEOPLE: NOW - HOUR},
        remind_every_seconds=86_400,
        per_owner=False,
        reminded_at=NOW - HOUR,
    )

    assert not reminds_programs(before, NOW)
    assert reminds_programs(before, NOW + 22 * HOUR)


OWNERS = msgspec.structs.replace(FIRST, per_owner=True)


def test_each_owner_has_a_digest_and_a_timer_of_its_own() -> None:
    first = after(OWNERS, {PLATFORM: ONE_NEW, "a": ONE_NEW}, NOW)
    second = after(first, {PLATFORM: ONE_NEW, "a": ONE_OPEN, "b": ONE_NEW}, NOW + HOUR)
    third = after(second, {PLATFORM: ONE_OPEN, "a": ONE_OPEN, "b": ONE_OPEN}, NOW + 23 * HOUR)

    assert [why(first, one) for one in first.readers] == [(Reason.OPENED,), (Reason.OPENED,)]
    assert [why(second, one) for one in second.readers] == [
        (Reason.OPENED,),
        None,
        (Reason.OPENED,),
    ]
    assert [why(third, one) for one in third.readers] == [None, (Reason.REMINDER,), None]


def test_an_owner_whose_problems_are_over_gets_an_all_clear_and_is_forgotten() -> None:
    first = after(OWNERS, {PLATFORM: ONE_NEW, "a": ONE_NEW}, NOW)
    over = after(first, {PLATFORM: Found(ended=1), "a": Found(ended=1)}, NOW + HOUR)
    later = after(over, {}, NOW + 2 * HOUR)

    assert why(over, "a") == (Reason.ENDED, Reason.ALL_CLEAR)
    assert list(later.readers) == [PLATFORM]


@pytest.mark.parametrize("found", [Found(open=1), CLEAR], ids=["being deleted", "nothing"])
def test_an_owner_who_was_notified_of_nothing_is_no_reader(found: Found) -> None:
    assert list(after(OWNERS, {PLATFORM: found, "a": found}, NOW).readers) == [PLATFORM]


def test_an_owner_who_heard_of_an_end_alone_is_forgotten() -> None:
    ended = after(OWNERS, {PLATFORM: Found(ended=1), "a": Found(ended=1)}, NOW)
    later = after(ended, {}, NOW + HOUR)

    assert why(ended, "a") == (Reason.ENDED,)
    assert list(later.readers) == [PLATFORM]


def test_an_owner_whose_all_clear_has_to_wait_is_not_forgotten() -> None:
    first = after(OWNERS, {PLATFORM: ONE_NEW, "a": ONE_NEW}, NOW)
    uncertain = after(first, {PLATFORM: ONE_OPEN}, NOW + HOUR, is_certain=False)
    known = after(uncertain, {PLATFORM: ONE_OPEN}, NOW + 2 * HOUR)

    assert why(uncertain, "a") is None
    assert why(known, "a") == (Reason.ALL_CLEAR,)


@pytest.mark.parametrize(("hours", "kept"), [(-1, False), (0, True), (1, True)])
def test_an_owner_is_forgotten_once_every_audience_has_the_all_clear(
    hours: int,
    *,
    kept: bool,
) -> None:
    at = NOW + hours * HOUR
    said = ReaderState(digest_at=at, why=(Reason.ALL_CLEAR,), episode=NOW - DAY, cleared=True)
    before = alerts_from(NOW, per_owner=True, readers={"a": said})

    now = decided(before, {}, a_run(NOW + 2 * HOUR), groups=[], reminds_of_each=True)

    assert ("a" in now.readers) is kept


def test_without_digests_of_their_own_owners_are_no_readers() -> None:
    with_owners = after(OWNERS, {PLATFORM: ONE_NEW, "a": ONE_NEW}, NOW)
    before = msgspec.structs.replace(with_owners, per_owner=False)

    assert list(after(before, {PLATFORM: ONE_OPEN}, NOW + HOUR).readers) == [PLATFORM]


def test_owners_hear_nothing_of_the_audit_itself() -> None:
    opened = after(OWNERS, {PLATFORM: ONE_NEW, "a": ONE_NEW}, NOW)
    outage = after(opened, {}, NOW + HOUR, **INCOMPLETE, fleet=(Reason.LOST_ROLE,))
    reminded = after(outage, {}, NOW + DAY + HOUR, **INCOMPLETE, fleet=(Reason.LOST_ROLE,))

    assert why(outage, "a") is why(reminded, "a") is None
    assert why(reminded) == (Reason.REMINDER,)


@pytest.mark.parametrize("count", [OWNERS_MAX - 1, OWNERS_MAX, OWNERS_MAX + 1])
def test_a_thousand_owners_get_digests(count: int) -> None:
    found = {PLATFORM: ONE_NEW, **{f"team-{n:05}": ONE_NEW for n in range(count)}}

    readers = after(OWNERS, found, NOW).readers

    assert len(readers) - 1 == min(count, OWNERS_MAX)
    assert readers.keys() <= found.keys()


@pytest.mark.parametrize(
    ("found", "run", "goes_out"),
    [
        (ONE_OPEN, {}, True),
        (CLEAR, {}, False),
        (Found(open=1), {}, False),
        (CLEAR, INCOMPLETE, True),
    ],
)
def test_a_run_that_is_compared_with_nothing_says_what_it_found(
    found: Found, run: Mapping[str, Any], *, goes_out: bool
) -> None:
    alerts = after(FIRST, found, NOW, is_full=False, **run)

    digest_at = NOW if goes_out else None
    assert alerts.readers == {
        PLATFORM: ReaderState(digest_at=digest_at, why=(), episode=None, cleared=False)
    }


def nobody_audits(count: int, new: int = 0) -> Unaudited:
    return Unaudited(count=count, new=new, by_offering={}, instances=[])


FIRST_SEEN: Mapping[str, Any] = {"appeared": None}


@pytest.mark.parametrize(
    ("parts", "reasons"),
    [
        ({}, ()),
        ({"lost": 0}, ()),
        ({"lost": 1}, (Reason.LOST_ROLE,)),
        ({"lost": 2}, (Reason.LOST_ROLE,)),
        (departures(departed(verdict=None)), (Reason.LEFT_FLEET,)),
        (departures(departed()), (Reason.LEFT_FLEET,)),
        ({"unaudited": nobody_audits(5, new=0)}, ()),
        ({"unaudited": nobody_audits(5, new=1)}, (Reason.NEW_UNAUDITED,)),
        ({"unaudited": nobody_audits(5, new=2)}, (Reason.NEW_UNAUDITED,)),
        ({**FIRST_SEEN, "unaudited": None}, ()),
        ({**FIRST_SEEN, "unaudited": nobody_audits(0)}, ()),
        ({**FIRST_SEEN, "unaudited": nobody_audits(1)}, (Reason.FIRST_UNAUDITED,)),
        ({**FIRST_SEEN, "unaudited": nobody_audits(2)}, (Reason.FIRST_UNAUDITED,)),
        # The reading was not complete: who is missing may only not have been seen.
        ({**FIRST_SEEN, "unaudited": nobody_audits(1), "read": Read.PARTIAL}, ()),
    ],
)
def test_the_inventory_has_news_of_its_own(
    parts: Mapping[str, Any], reasons: tuple[Reason, ...]
) -> None:
    assert fleet_reasons(inventory(**parts)) == reasons
    assert fleet_reasons(None) == ()


def test_a_state_of_an_unknown_reader_is_that_nobody_was_notified() -> None:
    assert after(FIRST, CLEAR, NOW).readers == {
        PLATFORM: ReaderState(digest_at=None, why=(), episode=None, cleared=False)
    }
