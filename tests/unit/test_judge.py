"""The verdict table, every boundary in threes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.policy import BUILT_IN, Policy
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    UnreadableBackup,
    read_backup,
    with_age,
)
from backup_audit.judge.verdict import Judgement, Severity, Verdict, judge, severity_of

NOW = datetime(2026, 1, 31, 5, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
BAD = UnreadableBackup("created_at is 0")


def policy(
    max_age: timedelta = 26 * HOUR, min_backups: int = 1, grace: timedelta = 0 * HOUR
) -> Policy:
    return Policy(
        max_age_seconds=int(max_age.total_seconds()),
        min_backups=min_backups,
        grace_seconds=int(grace.total_seconds()),
    )


def made(*ages: timedelta) -> tuple[Backup, ...]:
    return tuple(Backup(NOW - age) for age in ages)


def verdict_on(
    answer: Answer,
    demanded: Policy = BUILT_IN,
    *,
    status: int | None = 200,
    as_of: datetime | None = None,
) -> Judgement:
    evidence = Evidence(answer=answer, observed_at=NOW, status=status)
    return judge(evidence, demanded, as_of)


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (26 * HOUR - SECOND, Verdict.HEALTHY),
        (26 * HOUR, Verdict.HEALTHY),
        (26 * HOUR + SECOND, Verdict.STALE),
    ],
)
def test_the_newest_backup_may_be_exactly_max_age_old(age: timedelta, verdict: Verdict) -> None:
    assert verdict_on(BackupList(made(age))).verdict is verdict


@pytest.mark.parametrize(
    ("count", "verdict"), [(2, Verdict.STALE), (3, Verdict.HEALTHY), (4, Verdict.HEALTHY)]
)
def test_there_must_be_min_backups(count: int, verdict: Verdict) -> None:
    listing = BackupList(made(*(n * HOUR for n in range(count))))

    assert verdict_on(listing, policy(min_backups=3)).verdict is verdict


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        (timedelta(minutes=5) - SECOND, Verdict.HEALTHY),
        (timedelta(minutes=5), Verdict.HEALTHY),
        (timedelta(minutes=5) + SECOND, Verdict.UNKNOWN),
    ],
)
def test_a_clock_may_run_five_minutes_ahead(ahead: timedelta, verdict: Verdict) -> None:
    assert verdict_on(BackupList(made(-ahead))).verdict is verdict


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (24 * HOUR - SECOND, Verdict.IN_GRACE),
        (24 * HOUR, Verdict.IN_GRACE),
        (24 * HOUR + SECOND, Verdict.NEVER_BACKED_UP),
    ],
)
def test_grace_ends_with_its_last_second(age: timedelta, verdict: Verdict) -> None:
    listing = BackupList((), instance_created_at=NOW - age)

    assert verdict_on(listing, policy(grace=24 * HOUR)).verdict is verdict


@pytest.mark.parametrize(
    ("created_at", "verdict"),
    [
        (-1, Verdict.UNKNOWN),
        (0, Verdict.UNKNOWN),
        (1, Verdict.STALE),
        (10**11 - 1, Verdict.UNKNOWN),  # the year 5138: seconds, and far in the future
        (10**11, Verdict.UNKNOWN),
        (10**11 + 1, Verdict.UNKNOWN),
        (int(NOW.timestamp()), Verdict.HEALTHY),
        (int(NOW.timestamp() * 1000), Verdict.UNKNOWN),
        (int(NOW.timestamp() * 10**6), Verdict.UNKNOWN),
        (10**400, Verdict.UNKNOWN),
        (float(NOW.timestamp()), Verdict.UNKNOWN),
        (str(int(NOW.timestamp())), Verdict.UNKNOWN),
        ("2026-01-31T05:00:00Z", Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
        (True, Verdict.UNKNOWN),
        (False, Verdict.UNKNOWN),
        ([], Verdict.UNKNOWN),
        ({}, Verdict.UNKNOWN),
    ],
)
def test_a_timestamp_that_cannot_be_true_is_no_fresh_backup(
    created_at: object, verdict: Verdict
) -> None:
    listing = BackupList((read_backup({"id": "x", "created_at": created_at}),))

    assert verdict_on(listing).verdict is verdict


@pytest.mark.parametrize("entry", [None, 1, "x", [], {}, {"id": "x"}])
def test_an_entry_without_a_time_is_no_backup(entry: object) -> None:
    assert verdict_on(BackupList((read_backup(entry),))).verdict is Verdict.UNKNOWN


def test_an_empty_list_without_grace_was_never_backed_up() -> None:
    assert verdict_on(BackupList(())).verdict is Verdict.NEVER_BACKED_UP


def test_an_age_that_could_not_be_found_out_proves_nothing() -> None:
    listing = BackupList((), age_missing="HTTP 429")

    judgement = verdict_on(listing, policy(grace=24 * HOUR))

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.reason == (
        "the list of backups is empty, and the instance's age could not be found out: HTTP 429"
    )


def test_an_age_is_added_to_an_empty_list_and_to_nothing_else() -> None:
    listing = Evidence(answer=BackupList((), limit=7), observed_at=NOW, status=200)
    refusal = Evidence(answer=Refusal(10001), observed_at=NOW, status=500)

    assert with_age(listing, NOW).answer == BackupList((), instance_created_at=NOW, limit=7)
    assert with_age(listing, None, "HTTP 503").answer == BackupList(
        (), age_missing="HTTP 503", limit=7
    )
    assert with_age(refusal, NOW) == refusal


def test_no_grace_is_given_to_an_instance_whose_age_is_not_known() -> None:
    judgement = verdict_on(BackupList(()), policy(grace=24 * HOUR))

    assert judgement.verdict is Verdict.NEVER_BACKED_UP
    assert "age could not be read" in judgement.reason


def test_one_believable_young_backup_among_bad_ones_proves_health() -> None:
    judgement = verdict_on(BackupList((BAD, *made(3 * HOUR), BAD)))

    assert judgement.verdict is Verdict.HEALTHY
    assert "2 backups with an unbelievable time: created_at is 0" in judgement.reason


@pytest.mark.parametrize("ages", [(30 * HOUR,), ()])
def test_a_bad_timestamp_may_be_the_young_backup_so_nothing_is_proved(
    ages: tuple[timedelta, ...],
) -> None:
    assert verdict_on(BackupList((*made(*ages), BAD))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("ages", "demanded", "verdict"),
    [
        ((3 * HOUR,), BUILT_IN, Verdict.HEALTHY),
        ((3 * HOUR, 27 * HOUR), policy(min_backups=2), Verdict.HEALTHY),
        ((3 * HOUR, 27 * HOUR), policy(min_backups=3), Verdict.UNKNOWN),
        ((27 * HOUR,), BUILT_IN, Verdict.UNKNOWN),
        ((), BUILT_IN, Verdict.UNKNOWN),
        ((), policy(grace=24 * HOUR), Verdict.UNKNOWN),
    ],
)
def test_what_is_listed_of_a_list_that_goes_on_can_prove_health_alone(
    ages: tuple[timedelta, ...], demanded: Policy, verdict: Verdict
) -> None:
    young = NOW - HOUR
    listing = BackupList(made(*ages), instance_created_at=young, more="there is a next page")

    judgement = verdict_on(listing, demanded)

    assert judgement.verdict is verdict
    goes_on = judgement.reason.endswith("; the list goes on: there is a next page")
    assert goes_on is (verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize("as_of", [NOW - 72 * HOUR, NOW - 25 * HOUR])
def test_a_list_that_goes_on_proves_no_more_of_an_earlier_time(as_of: datetime) -> None:
    listing = BackupList(made(72 * HOUR + SECOND), more="there is a next page")
    old = verdict_on(listing, policy(max_age=HOUR), as_of=as_of)
    empty = verdict_on(BackupList((), more="x", instance_created_at=NOW), as_of=as_of)

    assert old.verdict is (Verdict.HEALTHY if as_of == NOW - 72 * HOUR else Verdict.UNKNOWN)
    assert empty.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("limit", "ages", "demanded", "verdict"),
    [
        (3, (30 * HOUR, 54 * HOUR), BUILT_IN, Verdict.STALE),
        (2, (30 * HOUR, 54 * HOUR), BUILT_IN, Verdict.UNKNOWN),
        (1, (30 * HOUR, 54 * HOUR), BUILT_IN, Verdict.UNKNOWN),
        (3, (3 * HOUR, 27 * HOUR), policy(min_backups=3), Verdict.STALE),
        (2, (3 * HOUR, 27 * HOUR), policy(min_backups=3), Verdict.UNKNOWN),
        (2, (3 * HOUR, 27 * HOUR), policy(min_backups=2), Verdict.HEALTHY),
    ],
)
def test_a_list_as_long_as_the_limit_may_have_been_cut_and_can_prove_health_alone(
    limit: int, ages: tuple[timedelta, ...], demanded: Policy, verdict: Verdict
) -> None:
    judgement = verdict_on(BackupList(made(*ages), limit=limit), demanded)

    assert judgement.verdict is verdict
    cut = judgement.reason.endswith(f"; the list may have been cut at limit {limit}")
    assert cut is (verdict is Verdict.UNKNOWN)


def test_nothing_is_not_urgent() -> None:
    assert severity_of([]) is Severity.INFO
    assert severity_of([Severity.INFO, Severity.WARNING]) is Severity.WARNING


REFUSALS = [
    (400, 10005, "CF-BadQueryParameter", Verdict.UNKNOWN),
    (401, 10002, "CF-NotAuthenticated", Verdict.UNKNOWN),
    (401, 1000, "CF-InvalidAuthToken", Verdict.UNKNOWN),
    (403, 10003, "CF-NotAuthorized", Verdict.UNKNOWN),
    (404, 10010, "CF-ResourceNotFound", Verdict.NOT_FOUND),
    (404, 10000, "CF-NotFound", Verdict.UNKNOWN),
    (404, None, None, Verdict.UNKNOWN),
    (409, 60016, "CF-AsyncServiceInstanceOperationInProgress", Verdict.UNKNOWN),
    (422, 10008, "CF-UnprocessableEntity", Verdict.UNSUPPORTED),
    (422, 10001, "CF-ConcurrencyError", Verdict.UNKNOWN),
    (422, None, None, Verdict.UNKNOWN),
    (422, 10008, None, Verdict.UNKNOWN),
    (422, None, "CF-UnprocessableEntity", Verdict.UNKNOWN),
    (429, 10013, "CF-RateLimitExceeded", Verdict.UNKNOWN),
    (429, 10014, "CF-IPBasedRateLimitExceeded", Verdict.UNKNOWN),
    (429, 10016, "CF-ServiceBrokerRateLimitExceeded", Verdict.UNKNOWN),
    (429, 20008, "CF-UaaRateLimited", Verdict.UNKNOWN),
    (429, None, None, Verdict.UNKNOWN),
    (500, 10001, "UnknownError", Verdict.UNKNOWN),
    (502, 20004, "CF-UaaUnavailable", Verdict.UNKNOWN),
    (502, 10001, "CF-ServiceBrokerRequestRejected", Verdict.UNKNOWN),
    (502, 10001, "CF-ServiceBrokerBadResponse", Verdict.UNKNOWN),
    (502, None, None, Verdict.UNKNOWN),
    (503, 10015, "CF-ServiceUnavailable", Verdict.UNKNOWN),
    (503, None, None, Verdict.UNKNOWN),
    (504, 10001, "CF-HttpClientTimeout", Verdict.UNKNOWN),
    (200, 10010, "CF-ResourceNotFound", Verdict.UNKNOWN),
    (204, None, None, Verdict.UNKNOWN),
    (302, None, None, Verdict.UNKNOWN),
    (410, 10010, "CF-ResourceNotFound", Verdict.UNKNOWN),
    (499, None, None, Verdict.UNKNOWN),
    (526, None, None, Verdict.UNKNOWN),
    (999, None, None, Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("status", "code", "title", "verdict"), REFUSALS)
def test_a_refusal_is_judged_by_status_code_and_title(
    status: int, code: int | None, title: str | None, verdict: Verdict
) -> None:
    judgement = verdict_on(Refusal(code, title, "words of the server"), status=status)

    assert judgement.verdict is verdict
    assert f"HTTP {status}" in judgement.reason
    assert '"words of the server"' in judgement.reason


@pytest.mark.parametrize("cause", Cause)
def test_silence_proves_nothing(cause: Cause) -> None:
    judgement = verdict_on(Silence(cause, "after 65 s"), status=None)

    assert judgement.verdict is Verdict.UNKNOWN
    assert "after 65 s" in judgement.reason


def test_a_reason_has_its_numbers_with_units() -> None:
    judgement = verdict_on(BackupList(made(50 * HOUR, 74 * HOUR)))

    assert judgement.reason == "newest backup is 2 d 2 h old, max_age is 26 h; 2 backups listed"
    assert judgement.newest == NOW - 50 * HOUR


def test_a_reason_is_exact_where_it_would_read_like_the_limit() -> None:
    judgement = verdict_on(BackupList(made(26 * HOUR + SECOND)))

    assert judgement.reason.startswith("newest backup is 26 h 1 s old, max_age is 26 h")


def test_too_few_backups_are_said_first() -> None:
    judgement = verdict_on(BackupList(made(4 * HOUR)), policy(min_backups=2))

    assert judgement.reason.startswith("only 1 backup, min_backups is 2; newest backup is 4 h old")


def test_backups_made_after_as_of_did_not_exist_yet() -> None:
    listing = BackupList(made(1 * HOUR, 40 * HOUR, 64 * HOUR))

    judgement = verdict_on(listing, as_of=NOW - 30 * HOUR)

    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.newest == NOW - 40 * HOUR
    assert "2 backups listed" in judgement.reason


@pytest.mark.parametrize(
    ("as_of", "verdict"),
    [
        (NOW - 10 * HOUR - SECOND, Verdict.UNKNOWN),
        (NOW - 10 * HOUR, Verdict.HEALTHY),
        (NOW - 10 * HOUR + SECOND, Verdict.HEALTHY),
    ],
)
def test_a_backup_exists_from_its_own_second_on(as_of: datetime, verdict: Verdict) -> None:
    assert verdict_on(BackupList(made(10 * HOUR)), as_of=as_of).verdict is verdict


def test_a_list_that_begins_after_as_of_does_not_show_what_existed_then() -> None:
    judgement = verdict_on(BackupList(made(3 * HOUR, 27 * HOUR)), as_of=NOW - 10 * 24 * HOUR)

    assert judgement == Judgement(
        Verdict.UNKNOWN,
        "the list of today no longer shows what existed at 2026-01-21T05:00:00Z: "
        "the oldest of the 2 backups listed was made 8 d 21 h later",
    )


@pytest.mark.parametrize(
    ("as_of", "verdict"),
    [
        (NOW - SECOND, Verdict.UNKNOWN),
        (NOW, Verdict.NEVER_BACKED_UP),
        (NOW + SECOND, Verdict.NEVER_BACKED_UP),
    ],
)
def test_an_empty_list_says_nothing_of_an_earlier_time(as_of: datetime, verdict: Verdict) -> None:
    assert verdict_on(BackupList(()), as_of=as_of).verdict is verdict


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (26 * HOUR - SECOND, Verdict.HEALTHY),
        (26 * HOUR, Verdict.HEALTHY),
        (26 * HOUR + SECOND, Verdict.STALE),
    ],
)
def test_a_list_that_goes_back_beyond_as_of_shows_how_old_the_newest_was(
    age: timedelta, verdict: Verdict
) -> None:
    as_of = NOW - 100 * HOUR
    listing = BackupList((*made(3 * HOUR), Backup(as_of - age), Backup(as_of - age - 24 * HOUR)))

    judgement = verdict_on(listing, as_of=as_of)

    assert judgement.verdict is verdict
    assert judgement.newest == as_of - age


@pytest.mark.parametrize(
    ("count", "verdict"), [(2, Verdict.UNKNOWN), (3, Verdict.HEALTHY), (4, Verdict.HEALTHY)]
)
def test_backups_that_are_missing_at_an_earlier_time_may_have_expired_since(
    count: int, verdict: Verdict
) -> None:
    later, then = made(1 * HOUR, 2 * HOUR), made(*((30 + n) * HOUR for n in range(count)))

    judgement = verdict_on(
        BackupList((*later, *then)), policy(min_backups=3), as_of=NOW - 30 * HOUR
    )

    assert judgement.verdict is verdict
    unsure = "; the list of today does not show how many there were at 2026-01-29T23:00:00Z"
    assert judgement.reason.endswith(unsure) is (verdict is Verdict.UNKNOWN)
    assert judgement.newest == NOW - 30 * HOUR


def test_a_newest_backup_that_was_too_old_is_stale_however_many_have_expired() -> None:
    listing = BackupList(made(80 * HOUR))

    judgement = verdict_on(listing, policy(min_backups=3), as_of=NOW - 30 * HOUR)

    assert judgement.verdict is Verdict.STALE


@pytest.mark.parametrize("later", [(), (3 * HOUR,)])
def test_an_unreadable_entry_may_be_what_existed_at_an_earlier_time(
    later: tuple[timedelta, ...],
) -> None:
    as_of = NOW - 30 * HOUR

    proved = verdict_on(BackupList((BAD, *made(31 * HOUR, *later))), as_of=as_of)
    old = verdict_on(BackupList((BAD, *made(80 * HOUR, *later))), as_of=as_of)
    none = verdict_on(BackupList((BAD, *made(*later))), as_of=as_of)

    assert proved.verdict is Verdict.HEALTHY
    assert old.verdict is Verdict.UNKNOWN
    assert none.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (-1 * HOUR, Verdict.IN_GRACE),  # made after as_of
        (24 * HOUR - SECOND, Verdict.IN_GRACE),
        (24 * HOUR, Verdict.IN_GRACE),
        (24 * HOUR + SECOND, Verdict.UNKNOWN),
    ],
)
def test_an_instance_that_was_in_its_grace_at_an_earlier_time_needed_no_backup(
    age: timedelta, verdict: Verdict
) -> None:
    as_of = NOW - 100 * HOUR
    listing = BackupList((), instance_created_at=as_of - age)

    assert verdict_on(listing, policy(grace=24 * HOUR), as_of=as_of).verdict is verdict


@pytest.mark.parametrize("missing", [None, "HTTP 429"])
def test_an_age_that_is_not_known_excuses_nothing_at_an_earlier_time(missing: str | None) -> None:
    listing = BackupList((), age_missing=missing)

    judgement = verdict_on(listing, policy(grace=24 * HOUR), as_of=NOW - HOUR)

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.reason == (
        "the list of today no longer shows what existed at 2026-01-31T04:00:00Z: it is empty"
    )


@pytest.mark.parametrize(
    ("age", "was"),
    [
        (-7 * HOUR, "made 7 h later"),
        (-SECOND, "made 1 s later"),
        (0 * HOUR, "0 s old"),
        (SECOND, "1 s old"),
        (3 * HOUR, "3 h old"),
    ],
)
def test_the_age_at_an_earlier_time_is_said(age: timedelta, was: str) -> None:
    as_of = NOW - 10 * HOUR
    listing = BackupList((), instance_created_at=as_of - age)

    judgement = verdict_on(listing, policy(grace=24 * HOUR), as_of=as_of)

    assert judgement.reason == f"the instance was {was}, grace is 24 h"


def test_a_future_as_of_lets_backups_grow_old_and_believes_no_more_of_them() -> None:
    in_two_days = NOW + 48 * HOUR

    assert verdict_on(BackupList(made(HOUR)), as_of=in_two_days).verdict is Verdict.STALE
    assert verdict_on(BackupList(made(-HOUR)), as_of=in_two_days).verdict is Verdict.UNKNOWN


ages = st.integers(-3 * 86_400, 30 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
backups = ages.map(lambda age: Backup(NOW - age)) | st.just(BAD)
lists = st.lists(backups, max_size=6)
policies = st.builds(
    policy,
    max_age=st.integers(1, 20 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    min_backups=st.integers(1, 4),
)
# From proved health to proved harm; unknown lies between.
GOODNESS = {Verdict.HEALTHY: 2, Verdict.UNKNOWN: 1, Verdict.STALE: 0, Verdict.NEVER_BACKED_UP: 0}


@given(lists, policies, st.randoms(use_true_random=False))
def test_the_order_of_the_list_means_nothing(
    listed: list[Backup], demanded: Policy, order: object
) -> None:
    shuffled = list(listed)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    before = verdict_on(BackupList(tuple(listed)), demanded)
    after = verdict_on(BackupList(tuple(shuffled)), demanded)

    assert (after.verdict, after.newest) == (before.verdict, before.newest)


@given(st.lists(ages.filter(lambda age: age >= timedelta(0)), min_size=1), ages, policies)
def test_an_older_newest_backup_never_improves_the_verdict(
    listed: list[timedelta], more: timedelta, demanded: Policy
) -> None:
    older = [age + abs(more) for age in listed]

    young = verdict_on(BackupList(made(*listed)), demanded).verdict
    old = verdict_on(BackupList(made(*older)), demanded).verdict

    assert GOODNESS[old] <= GOODNESS[young]


@given(lists, policies)
def test_a_bad_timestamp_never_turns_a_problem_into_health(
    listed: list[Backup], demanded: Policy
) -> None:
    before = verdict_on(BackupList(tuple(listed)), demanded).verdict
    after = verdict_on(BackupList((*listed, BAD)), demanded).verdict

    assert (after is Verdict.HEALTHY) == (before is Verdict.HEALTHY)


@given(lists, policies)
def test_healthy_needs_a_believable_backup_that_is_young_enough(
    listed: list[Backup | UnreadableBackup], demanded: Policy
) -> None:
    judged = verdict_on(BackupList(tuple(listed)), demanded).verdict

    young = [
        backup
        for backup in listed
        if isinstance(backup, Backup)
        and timedelta(minutes=-5) <= NOW - backup.created_at <= demanded.max_age
    ]
    assert judged is not Verdict.HEALTHY or young


@given(lists, policies, ages.filter(lambda age: age > timedelta(0)))
def test_what_expires_turns_no_verdict_on_an_earlier_time_into_harm(
    listed: list[Backup | UnreadableBackup], demanded: Policy, ago: timedelta
) -> None:
    """Retention removes the oldest first: a list of later proves no more, and nothing else."""
    as_of = NOW - ago
    listed.sort(key=lambda one: one.created_at if isinstance(one, Backup) else NOW)

    of_then = verdict_on(BackupList(tuple(listed)), demanded, as_of=as_of).verdict
    of_later = {
        verdict_on(BackupList(tuple(listed[expired:])), demanded, as_of=as_of).verdict
        for expired in range(1, len(listed) + 1)
    }

    assert of_later <= {of_then, Verdict.UNKNOWN}


@given(st.lists(ages, max_size=5), policies, st.integers(-14, 14))
def test_the_time_zone_of_the_values_means_nothing(
    listed: list[timedelta], demanded: Policy, offset: int
) -> None:
    zone = timezone(timedelta(hours=offset))
    elsewhere = tuple(Backup(backup.created_at.astimezone(zone)) for backup in made(*listed))

    assert (
        verdict_on(BackupList(elsewhere), demanded).verdict
        is verdict_on(BackupList(made(*listed)), demanded).verdict
    )
