"""Every reason, word for word: it is what people read of a verdict."""

from datetime import timedelta

import msgspec
import pytest

from backup_audit.fleet.policy import BUILT_IN, Policy
from backup_audit.judge.evidence import (
    SECONDS_END,
    Answer,
    Backup,
    BackupList,
    Cause,
    Refusal,
    Silence,
    UnreadableBackup,
    read_backup,
)
from backup_audit.judge.finding import finding_of
from backup_audit.judge.verdict import Judgement, Verdict, judge
from tests.doubles.builders import NOW, evidence, instance, run

HOUR = timedelta(hours=1)
GRACE = Policy(max_age_seconds=26 * 3600, min_backups=1, grace_seconds=48 * 3600)
BAD = UnreadableBackup("created_at is -1")
AHEAD = Backup(NOW + timedelta(minutes=90))


def hours(*ages: float) -> tuple[Backup, ...]:
    return tuple(Backup(NOW - timedelta(hours=age)) for age in ages)


def said(answer: Answer, policy: Policy = BUILT_IN, status: int | None = 200) -> Judgement:
    return judge(evidence(answer, status), policy)


@pytest.mark.parametrize(
    ("backups", "verdict", "reason"),
    [
        (hours(3), Verdict.HEALTHY, "newest backup is 3 h old, max_age is 26 h; 1 backup listed"),
        (
            (BAD, *hours(3), AHEAD),
            Verdict.HEALTHY,
            (
                "newest backup is 3 h old, max_age is 26 h; 1 backup listed; "
                "2 backups with an unbelievable time: created_at is -1"
            ),
        ),
        (
            (AHEAD, *hours(30)),
            Verdict.UNKNOWN,
            (
                "newest backup is 30 h old, max_age is 26 h; 1 backup listed; "
                "1 backup with an unbelievable time: created_at is 1 h 30 min in the future"
            ),
        ),
        (
            (BAD,),
            Verdict.UNKNOWN,
            (
                "no backup with a believable time; "
                "1 backup with an unbelievable time: created_at is -1"
            ),
        ),
        (
            hours(50, 60),
            Verdict.STALE,
            "newest backup is 2 d 2 h old, max_age is 26 h; 2 backups listed",
        ),
    ],
)
def test_of_a_list(
    backups: tuple[Backup | UnreadableBackup, ...], verdict: Verdict, reason: str
) -> None:
    judgement = said(BackupList(backups))

    assert (judgement.verdict, judgement.reason) == (verdict, reason)
    believable = [b.created_at for b in backups if isinstance(b, Backup) and b != AHEAD]
    assert judgement.newest == max(believable, default=None)


@pytest.mark.parametrize(
    ("age", "verdict", "reason"),
    [
        (47.0, Verdict.IN_GRACE, "the instance is 47 h old, grace is 2 d"),
        (48.0, Verdict.IN_GRACE, "the instance is 2 d old, grace is 2 d"),
        (48.001, Verdict.NEVER_BACKED_UP, "the instance is 2 d 3 s old, grace is 2 d"),
        (
            None,
            Verdict.NEVER_BACKED_UP,
            "and no grace is given because the instance's age could not be read",
        ),
    ],
)
def test_of_an_empty_list_under_a_grace(age: float | None, verdict: Verdict, reason: str) -> None:
    created_at = None if age is None else NOW - timedelta(hours=age)

    judgement = said(BackupList((), instance_created_at=created_at), GRACE)

    assert judgement.verdict is verdict
    assert judgement.reason == f"the list of backups is empty, {reason}"


def test_of_an_empty_list() -> None:
    assert said(BackupList(())).reason == "the list of backups is empty"


@pytest.mark.parametrize(
    ("listed", "of_them", "later"),
    [(hours(1), "1 backup", "4 h"), (hours(1, 2), "2 backups", "3 h")],
)
def test_of_backups_that_were_made_after_the_instant(
    listed: tuple[Backup, ...], of_them: str, later: str
) -> None:
    judgement = judge(evidence(BackupList(listed)), BUILT_IN, NOW - 5 * HOUR)

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.reason == (
        "the list of today no longer shows what existed at 2026-01-31T00:00:00Z: "
        f"the oldest of the {of_them} listed was made {later} later"
    )


def test_a_backup_of_a_clock_that_is_ahead_exists_when_the_instant_is_the_present() -> None:
    ahead = BackupList((Backup(NOW + timedelta(minutes=1)),))

    assert judge(evidence(ahead), BUILT_IN, NOW).verdict is Verdict.HEALTHY


@pytest.mark.parametrize(
    ("status", "refusal", "reason"),
    [
        (
            422,
            Refusal(),
            "the API gives no list of backups: HTTP 422 without a Cloud Foundry error",
        ),
        (
            422,
            Refusal(10008, "CF-X", "no"),
            'backups are not supported: HTTP 422 CF-X (10008), "no"',
        ),
        (422, Refusal(10008), "the API gives no list of backups: HTTP 422 (10008)"),
        (422, Refusal(title="CF-X"), "the API gives no list of backups: HTTP 422 CF-X"),
        (404, Refusal(10010, "CF-X"), "gone, or not visible to our client: HTTP 404 CF-X (10010)"),
        (404, Refusal(10000), "this Cloud Controller has no backups endpoint: HTTP 404 (10000)"),
        (403, Refusal(10000), "our client lacks the permission: HTTP 403 (10000)"),
        (
            299,
            Refusal(),
            "the API gives no list of backups: HTTP 299 without a Cloud Foundry error",
        ),
        (
            300,
            Refusal(),
            "the API redirects, which is not followed: HTTP 300 without a Cloud Foundry error",
        ),
        (
            399,
            Refusal(),
            "the API redirects, which is not followed: HTTP 399 without a Cloud Foundry error",
        ),
        (
            400,
            Refusal(),
            "the API gives no list of backups: HTTP 400 without a Cloud Foundry error",
        ),
    ],
)
def test_of_a_refusal(status: int, refusal: Refusal, reason: str) -> None:
    assert said(refusal, status=status).reason == reason


@pytest.mark.parametrize(
    ("status", "refusal", "reason"),
    [
        (
            404,
            Refusal(10010, "CF-X"),
            "gone: the foundation lists it no longer, and answers HTTP 404 CF-X (10010)",
        ),
        (404, Refusal(10000), "this Cloud Controller has no backups endpoint: HTTP 404 (10000)"),
        (403, Refusal(10010), "our client lacks the permission: HTTP 403 (10010)"),
    ],
)
def test_of_an_instance_that_the_foundation_lists_no_longer(
    status: int, refusal: Refusal, reason: str
) -> None:
    asked = evidence(refusal, status)

    assert judge(asked, BUILT_IN, is_absent=True).reason == reason
    assert judge(asked, BUILT_IN, is_absent=True).verdict is judge(asked, BUILT_IN).verdict
    absent = msgspec.structs.replace(instance(), is_absent=True)
    assert finding_of(absent, asked, run(), None).reason == reason


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.NOT_REACHED, "not reached: words"),
        (Cause.TIMEOUT, "no usable answer from the API: words"),
    ],
)
def test_of_silence(cause: Cause, reason: str) -> None:
    assert said(Silence(cause, "words"), status=None).reason == reason


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ([], "the entry is [], not an object"),
        ("x", 'the entry is "x", not an object'),
        ({}, "created_at is missing"),
        ({"created_at": None}, "created_at is missing"),
        ({"created_at": True}, "created_at is true, not an integer"),
        ({"created_at": 1.5}, "created_at is 1.5, not an integer"),
        ({"created_at": -1}, "created_at is -1"),
        ({"created_at": 0}, "created_at is 0"),
        (
            {"created_at": SECONDS_END},
            "created_at is 100000000000, too large to be seconds",
        ),
        ({"created_at": "x" * 39}, f'created_at is "{"x" * 39}", not an integer'),
        ({"created_at": "x" * 40}, f'created_at is "{"x" * 39}…, not an integer'),
        ({"created_at": "a   b"}, 'created_at is "a b", not an integer'),
        ({"created_at": "\x7f\u202e"}, 'created_at is "\\u007f\\u202e", not an integer'),
    ],
)
def test_of_a_strange_entry(entry: object, why: str) -> None:
    assert read_backup(entry) == UnreadableBackup(why)


@pytest.mark.parametrize("seconds", [1, SECONDS_END - 1])
def test_the_first_and_the_last_second_that_are_believed(seconds: int) -> None:
    backup = read_backup({"created_at": seconds})

    assert isinstance(backup, Backup)
    assert backup.created_at.timestamp() == seconds


def test_a_backup_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a backup's created_at needs a time zone$"):
        Backup(NOW.replace(tzinfo=None))
