"""The usual interval between backups, and who is late: nothing is judged by either."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.policy import BUILT_IN, Policy
from backup_audit.judge import verdict
from backup_audit.judge.evidence import Backup, BackupList, Refusal, UnreadableBackup
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.interval import is_late, usual_interval
from backup_audit.judge.verdict import Judgement, Verdict, judge
from tests.doubles.builders import NOW, a_list, evidence, instance, run

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
BAD = UnreadableBackup("created_at is 0")
LENIENT = Policy(max_age_seconds=30 * 86_400, min_backups=1, grace_seconds=0)


def after_gaps(*gaps: timedelta, newest: datetime = NOW) -> list[datetime]:
    """Times with these gaps between them, the newest first."""
    times = [newest]
    for gap in gaps:
        times.append(times[-1] - gap)
    return times


def backups(times: Iterable[datetime]) -> tuple[Backup, ...]:
    return tuple(Backup(when) for when in times)


def judged(
    listing: BackupList, policy: Policy = LENIENT, as_of: datetime | None = None
) -> Judgement:
    return judge(evidence(listing), policy, as_of)


def found(listing: BackupList, policy: Policy = LENIENT) -> Finding:
    audited = msgspec.structs.replace(instance(), policy=policy)
    return finding_of(audited, evidence(listing), run(), None)


@pytest.mark.parametrize(("gaps", "usual"), [(0, None), (1, None), (2, None), (3, DAY), (4, DAY)])
def test_less_than_three_gaps_show_no_habit(gaps: int, usual: timedelta | None) -> None:
    assert usual_interval(after_gaps(*[DAY] * gaps)) == usual


def test_without_a_backup_there_is_no_interval() -> None:
    assert usual_interval([]) is None


@pytest.mark.parametrize(
    ("of_an_hour", "before_of_a_day", "usual"),
    [
        (7, 7, (HOUR + DAY) / 2),  # 14 gaps: half and half
        (7, 8, DAY),  # 15 gaps
        (7, 9, DAY),  # 16 gaps, of which the oldest is not looked at
        (8, 7, HOUR),
        (8, 8, HOUR),  # the day that would make it half and half is the 16th gap
        (8, 9, HOUR),
    ],
)
def test_the_last_fifteen_gaps_count_and_no_older_one(
    of_an_hour: int, before_of_a_day: int, usual: timedelta
) -> None:
    times = after_gaps(*[HOUR] * of_an_hour, *[DAY] * before_of_a_day)

    assert usual_interval(times) == usual


@pytest.mark.parametrize(
    ("gaps", "usual"),
    [
        ((1, 2, 30), 2),
        ((30, 1, 2), 2),
        ((1, 2, 4, 30), 3),
        ((1, 2, 3, 30), 2),  # two and a half: whole seconds, rounded down
        ((1, 2, 3, 30, 40), 3),
    ],
)
def test_it_is_the_middle_gap_or_the_mean_of_the_two_in_the_middle(
    gaps: Sequence[int], usual: int
) -> None:
    times = after_gaps(*(gap * SECOND for gap in gaps))

    assert usual_interval(times) == usual * SECOND


def test_one_missed_night_changes_nothing() -> None:
    assert usual_interval(after_gaps(DAY, DAY, 2 * DAY, DAY)) == DAY


def test_backups_of_the_same_second_are_one() -> None:
    three_times = after_gaps(DAY, DAY) * 20
    elsewhere = [when.astimezone(timezone(2 * HOUR)) for when in three_times]

    assert usual_interval(three_times) is None
    assert usual_interval([*three_times, *elsewhere]) is None
    assert usual_interval([*three_times, NOW - 3 * DAY]) == DAY


def test_the_order_of_the_list_means_nothing() -> None:
    times = after_gaps(HOUR, DAY, 2 * HOUR, DAY, HOUR, 5 * HOUR)
    usual = usual_interval(times)
    random.Random(7).shuffle(times)

    assert usual_interval(times) == usual == timedelta(hours=3, minutes=30)
    assert usual_interval(iter(times)) == usual


@pytest.mark.parametrize("count", [4, 1_000, 40_000])
def test_a_long_list_has_the_interval_of_its_newest(count: int) -> None:
    assert usual_interval(after_gaps(*[HOUR] * (count - 1))) == HOUR


@pytest.mark.parametrize(
    ("age", "usual", "late"),
    [
        (36 * 3600 - 1, 24 * 3600, False),
        (36 * 3600, 24 * 3600, False),
        (36 * 3600 + 1, 24 * 3600, True),
        (4, 3, False),  # one and a half times is four and a half
        (5, 3, True),
        (-60, 1, False),  # a clock that is ahead
        (10**9, None, False),
        (None, 24 * 3600, False),
        (None, None, False),
    ],
)
def test_late_is_more_than_one_and_a_half_times_the_usual_interval(
    age: int | None, usual: int | None, *, late: bool
) -> None:
    assert is_late(age, usual) is late


def test_a_judgement_has_the_interval_and_its_reason_says_it() -> None:
    listing = BackupList(backups(after_gaps(*[DAY] * 11, newest=NOW - 75 * HOUR)))

    judgement = judged(listing, BUILT_IN)

    assert judgement.usual_interval == DAY
    assert judgement.verdict is Verdict.STALE
    assert judgement.reason == (
        "newest backup is 3 d 3 h old, max_age is 26 h, usually every 24 h; 12 backups listed"
    )


def test_the_reason_of_too_few_backups_says_it_too() -> None:
    demanded = Policy(max_age_seconds=26 * 3600, min_backups=5, grace_seconds=0)

    assert judged(a_list(3, 27, 51, 75), demanded).reason == (
        "only 4 backups, min_backups is 5; "
        "newest backup is 3 h old, max_age is 26 h, usually every 24 h"
    )


def test_without_an_interval_the_reason_is_silent_about_it() -> None:
    judgement = judged(a_list(3, 27, 51), BUILT_IN)

    assert judgement.usual_interval is None
    assert judgement.reason == "newest backup is 3 h old, max_age is 26 h; 3 backups listed"


@pytest.mark.parametrize(("limit", "usual"), [(3, None), (4, None), (5, DAY), (None, DAY)])
def test_a_list_that_may_have_been_cut_shows_no_interval(
    limit: int | None, usual: timedelta | None
) -> None:
    listing = BackupList(backups(after_gaps(DAY, DAY, DAY)), limit=limit)

    assert judged(listing).usual_interval == usual


def test_an_entry_that_cannot_be_read_fills_a_list_too() -> None:
    listing = BackupList((*backups(after_gaps(DAY, DAY, DAY)), BAD), limit=6)
    full = msgspec.structs.replace(listing, backups=(*listing.backups, BAD))

    assert judged(listing).usual_interval == DAY
    assert judged(full).usual_interval is None


def test_a_list_that_goes_on_shows_no_interval() -> None:
    listing = BackupList(backups(after_gaps(DAY, DAY, DAY)), more="there is a next page")

    judgement = judged(listing)

    assert judgement.usual_interval is None
    assert "usually" not in judgement.reason


def test_times_that_cannot_be_believed_are_no_backups() -> None:
    ahead = Backup(NOW + 5 * MINUTE + SECOND)
    three_gaps = backups(after_gaps(DAY, DAY, DAY))

    assert judged(BackupList((*three_gaps[:3], ahead, BAD))).usual_interval is None
    assert judged(BackupList((*three_gaps, ahead, BAD))).usual_interval == DAY


@pytest.mark.parametrize(
    ("as_of", "usual"),
    [
        (NOW - HOUR - SECOND, None),  # two gaps existed then
        (NOW - HOUR, DAY),
        (NOW - HOUR + SECOND, DAY),
        (NOW - SECOND, DAY),
        (NOW, (DAY + 3 * HOUR) / 2),
    ],
)
def test_at_an_earlier_time_only_what_existed_then_counts(
    as_of: datetime, usual: timedelta | None
) -> None:
    listing = BackupList(backups(after_gaps(HOUR, 3 * HOUR, DAY, DAY)))

    assert judged(listing, as_of=as_of).usual_interval == usual


def test_a_list_that_proves_no_verdict_shows_an_interval_too() -> None:
    demanded = Policy(max_age_seconds=26 * 3600, min_backups=5, grace_seconds=0)
    doubted = judged(BackupList((*a_list(50, 74, 98, 122).backups, BAD)), BUILT_IN)
    expired = judged(a_list(3, 27, 51, 75), demanded, NOW - HOUR)

    for judgement in (doubted, expired):
        assert judgement.verdict is Verdict.UNKNOWN
        assert judgement.usual_interval == DAY


@pytest.mark.parametrize("policy", [LENIENT, BUILT_IN])
def test_a_finding_has_it_in_its_evidence(policy: Policy) -> None:
    assert found(a_list(30, 54, 78, 102), policy).evidence.usual_interval_seconds == 86_400
    assert found(a_list(30, 54, 78), policy).evidence.usual_interval_seconds is None


def test_a_refusal_has_no_interval() -> None:
    refused = finding_of(instance(), evidence(Refusal(10008, "CF-X", "no"), 422), run(), None)

    assert (refused.evidence.usual_interval_seconds, refused.late) == (None, False)


@pytest.mark.parametrize(
    ("age", "late"), [(36 * HOUR - SECOND, False), (36 * HOUR, False), (36 * HOUR + SECOND, True)]
)
def test_a_healthy_instance_is_late_beyond_one_and_a_half_intervals(
    age: timedelta, *, late: bool
) -> None:
    listing = BackupList(backups(after_gaps(DAY, DAY, DAY, newest=NOW - age)))

    one = found(listing)

    assert (one.verdict, one.late) == (Verdict.HEALTHY, late)


def test_a_stale_instance_has_a_verdict_and_is_not_called_late() -> None:
    one = found(a_list(40, 64, 88, 112), BUILT_IN)

    assert (one.verdict, one.late) == (Verdict.STALE, False)


times = st.lists(
    st.one_of(
        st.integers(-600, 10**6).map(lambda age: Backup(NOW - timedelta(seconds=age))),
        st.just(BAD),
    ),
    max_size=30,
)
policies = st.builds(
    Policy,
    max_age_seconds=st.integers(1, 10**6),
    min_backups=st.integers(1, 20),
    grace_seconds=st.just(0),
)


@given(
    times,
    policies,
    st.none() | st.integers(1, 30),
    st.none() | st.just("there is a next page"),
    st.none() | st.integers(-100, 10**6),
)
def test_no_verdict_depends_on_it(
    listed: list[Backup | UnreadableBackup],
    policy: Policy,
    limit: int | None,
    more: str | None,
    ago: int | None,
) -> None:
    listing = BackupList(tuple(listed), limit=limit, more=more)
    as_of = None if ago is None else NOW - timedelta(seconds=ago)

    with_it = judged(listing, policy, as_of)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(verdict, "usual_interval", lambda _: None)
        without = judged(listing, policy, as_of)

    assert (with_it.verdict, with_it.newest) == (without.verdict, without.newest)
    said = with_it.reason.replace(", usually every ", "\n").split("; ")
    assert "; ".join(one.split("\n")[0] for one in said) == without.reason


@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_it_lies_between_the_smallest_and_the_largest_gap(seconds: list[int]) -> None:
    made = [datetime.fromtimestamp(10**9 + one, UTC) for one in seconds]
    distinct = sorted(set(seconds))
    gaps = [after - before for before, after in pairwise(distinct)][-15:]

    usual = usual_interval(made)

    assert (usual is None) == (len(gaps) < 3)
    if usual is not None:
        assert min(gaps) * SECOND <= usual <= max(gaps) * SECOND
        assert usual == int(usual.total_seconds()) * SECOND
