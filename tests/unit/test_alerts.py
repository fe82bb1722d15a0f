"""Who gets a digest, and why: the timers, the marks, the all-clear."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

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
)
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
        (Found(open=1, named=1, worsened=1), (Reason.WORSENED,)),
        (Found(open=1, named=1, ended=1), (Reason.ENDED,)),
        (
            Found(open=3, named=3, opened=1, worsened=1, ended=1),
            (Reason.OPENED, Reason.WORSENED, Reason.ENDED),
        ),
        # Open, and nobody was ever notified: the reader is new.
        (ONE_OPEN, (Reason.REMINDER,)),
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


def test_nobody_gets_an_all_clear_who_was_notified_of_nothing() -> None:
    assert why(after(after(FIRST, CLEAR, NOW), CLEAR, NOW + DAY)) is None


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

    assert why(alerts) == (() if goes_out else None)
    assert alerts.readers[PLATFORM].episode is None


@pytest.mark.parametrize(
    ("parts", "reasons"),
    [
        ({}, ()),
        ({"lost": 11}, (Reason.LOST_ROLE,)),
        (departures(departed(verdict=None)), (Reason.LEFT_FLEET,)),
        (departures(departed()), (Reason.LEFT_FLEET,)),
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
