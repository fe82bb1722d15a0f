"""What an operation under way excuses, every boundary in threes: for a day, and never healthy."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.inventory import Operation
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Refusal,
    Silence,
    UnreadableBackup,
    UserProvided,
)
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Judgement, Verdict, judge
from tests.doubles.builders import ANSWERS, MUTE, NOW, a_list, evidence, instance, run

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CREATING = Operation("create", "in progress", NOW - HOUR)
DELETING = Operation("delete", "in progress", NOW - HOUR)
EMPTY = BackupList(())
POLICY = instance().policy


def found(
    answer: Answer = EMPTY,
    status: int | None = 200,
    *,
    operation: Operation | None = CREATING,
    created_at: datetime | None = NOW - HOUR,
    as_of: datetime | None = None,
) -> Finding:
    """The finding about an instance of which the inventory says this."""
    instance = Instance("guid-1", POLICY, created_at=created_at, operation=operation)
    of = msgspec.structs.replace(run(), as_of=as_of)
    return finding_of(instance, evidence(answer, status), of, None)


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (-5 * MINUTE - SECOND, Verdict.NEVER_BACKED_UP),
        (-5 * MINUTE, Verdict.IN_GRACE),
        (-5 * MINUTE + SECOND, Verdict.IN_GRACE),
        (DAY - SECOND, Verdict.IN_GRACE),
        (DAY, Verdict.IN_GRACE),
        (DAY + SECOND, Verdict.NEVER_BACKED_UP),
    ],
)
def test_an_instance_that_is_being_created_is_in_grace_for_a_day(
    age: timedelta, verdict: Verdict
) -> None:
    assert found(created_at=NOW - age).verdict is verdict


CF = ("CF-AsyncServiceInstanceOperationInProgress", "in progress")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (EMPTY, 200),
        (BackupList((), age_missing="HTTP 429"), 200),
        (BackupList((), limit=1000), 200),
        (Refusal(10010, "CF-ResourceNotFound", "not found"), 404),
        (Refusal(10010), 404),
        (Refusal(60016, *CF), 409),
        (Refusal(10008, "CF-UnprocessableEntity", "no backups"), 422),
        (Refusal(10001, "CF-ConcurrencyError", "busy"), 422),
    ],
)
def test_what_such_an_instance_answers_is_excused(answer: Answer, status: int) -> None:
    without = found(answer, status, operation=None)

    excused = found(answer, status)

    assert without.verdict.is_problem
    assert excused.verdict is Verdict.IN_GRACE
    assert excused.reason == f"being created for 1 h, which may take 24 h: {without.reason}"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (a_list(50), 200),
        (a_list(3), 200),
        (BackupList((UnreadableBackup("created_at is 0"),)), 200),
        (BackupList((), more="pagination.next"), 200),
        (Refusal(10000, "CF-NotFound", "no route"), 404),
        (Refusal(), 404),
        (Refusal(), 409),
        (Refusal(60016), 409),
        (Refusal(title=CF[0]), 409),
        (Refusal(), 422),
        (Refusal(10008), 422),
        (Refusal(1000, "CF-InvalidAuthToken"), 401),
        (Refusal(10003, "CF-NotAuthorized"), 403),
        (Refusal(10010, "CF-ResourceNotFound"), 410),
        (Refusal(10013, "CF-RateLimitExceeded"), 429),
        (Refusal(10001, "CF-ServiceBrokerBadResponse"), 502),
        (Silence(Cause.TIMEOUT, "no answer"), None),
        (Silence(Cause.NOT_REACHED, "the run's time was over"), None),
        (UserProvided(), None),
    ],
)
def test_whatever_else_it_answers_is_judged_as_ever(answer: Answer, status: int | None) -> None:
    without = found(answer, status, operation=None)

    judged = found(answer, status)

    assert (judged.verdict, judged.reason) == (without.verdict, without.reason)


@pytest.mark.parametrize(
    ("operation", "verdict"),
    [
        (None, Verdict.NEVER_BACKED_UP),
        (Operation("create", "initial"), Verdict.IN_GRACE),
        (Operation("create", "in progress"), Verdict.IN_GRACE),
        (Operation("create", "succeeded"), Verdict.NEVER_BACKED_UP),
        (Operation("create", "failed"), Verdict.NEVER_BACKED_UP),
        (Operation("update", "in progress"), Verdict.NEVER_BACKED_UP),
        (Operation("delete", "in progress"), Verdict.NEVER_BACKED_UP),
    ],
)
def test_only_an_instance_whose_creation_is_under_way_is_excused(
    operation: Operation | None, verdict: Verdict
) -> None:
    assert found(operation=operation).verdict is verdict


def test_without_its_age_an_instance_is_not_excused() -> None:
    assert found(created_at=None).verdict is Verdict.NEVER_BACKED_UP


@pytest.mark.parametrize(
    ("as_of", "verdict"),
    [(NOW - SECOND, Verdict.UNKNOWN), (NOW, Verdict.IN_GRACE), (NOW + SECOND, Verdict.IN_GRACE)],
)
def test_what_is_under_way_now_says_nothing_of_an_earlier_time(
    as_of: datetime, verdict: Verdict
) -> None:
    assert found(as_of=as_of).verdict is verdict


@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        (23 * HOUR - SECOND, Verdict.IN_GRACE),
        (23 * HOUR, Verdict.IN_GRACE),
        (23 * HOUR + SECOND, Verdict.NEVER_BACKED_UP),
    ],
)
def test_at_a_later_time_the_instance_is_older(later: timedelta, verdict: Verdict) -> None:
    assert found(as_of=NOW + later).verdict is verdict


@pytest.mark.parametrize(
    ("age", "said"),
    [(-SECOND, "0 s"), (3 * HOUR + SECOND, "3 h"), (DAY - SECOND, "23 h 59 min"), (DAY, "24 h")],
)
def test_the_reason_says_for_how_long_it_is_being_created(age: timedelta, said: str) -> None:
    assert found(created_at=NOW - age).reason == (
        f"being created for {said}, which may take 24 h: the list of backups is empty"
    )


def test_an_instance_in_its_own_grace_keeps_that_reason() -> None:
    policy = msgspec.structs.replace(POLICY, grace_seconds=48 * 3600)
    instance = Instance("a", policy, created_at=NOW - HOUR, operation=CREATING)
    listing = evidence(BackupList((), instance_created_at=NOW - HOUR))

    judged = finding_of(instance, listing, run(), None)

    assert judged.reason == "the list of backups is empty, the instance is 1 h old, grace is 2 d"


types = st.sampled_from(["create", "update", "delete", "", "CREATE"])
states = st.sampled_from(["initial", "in progress", "succeeded", "failed", ""])
times = st.none() | st.integers(-3 * 86_400, 3 * 86_400).map(
    lambda seconds: NOW - timedelta(seconds=seconds)
)
operations = st.none() | st.builds(Operation, types, states, times)
answers = st.sampled_from(
    [
        *ANSWERS.values(),
        (EMPTY, 200),
        (BackupList((), more="pagination.next"), 200),
        (BackupList((Backup(NOW + DAY),)), 200),
        (Refusal(60016, *CF), 409),
        (Refusal(), 409),
        (Refusal(10001, "CF-ConcurrencyError"), 422),
        (Refusal(), 422),
        (UserProvided(), None),
    ]
)


@given(answers, operations, times, times)
def test_whatever_the_inventory_says_the_verdict_is_the_same_or_softer(
    answered: tuple[Answer, int | None],
    operation: Operation | None,
    created_at: datetime | None,
    as_of: datetime | None,
) -> None:
    answer, status = answered
    proved = judge(evidence(answer, status), POLICY, as_of)

    judged = found(answer, status, operation=operation, created_at=created_at, as_of=as_of)

    if judged.verdict is not proved.verdict:
        assert judged.verdict is Verdict.IN_GRACE
        assert proved.verdict.is_problem
        assert proved.verdict is not Verdict.STALE
        assert isinstance(answer, BackupList | Refusal)
    assert proved.reason in judged.reason
    assert judged.newest_backup_at == proved.newest


@pytest.mark.parametrize("verdict", [verdict for verdict in ANSWERS if verdict.is_problem])
@pytest.mark.parametrize("state", ["initial", "in progress"])
def test_an_instance_that_is_being_deleted_is_judged_as_ever_and_the_reason_says_so(
    verdict: Verdict, state: str
) -> None:
    answer, status = ANSWERS[verdict]
    without = found(answer, status, operation=None)

    judged = found(answer, status, operation=msgspec.structs.replace(DELETING, state=state))

    assert judged.verdict is verdict
    assert judged.reason == (
        f"{without.reason}; the instance is being deleted since 2026-01-31 04:00 UTC"
    )
    assert judged.newest_backup_at == without.newest_backup_at
    assert judged.operation == Operation("delete", state, NOW - HOUR)


def test_a_deletion_of_which_nobody_knows_since_when_is_said_without() -> None:
    judged = found(operation=Operation("delete", "in progress"))

    assert judged.reason == "the list of backups is empty; the instance is being deleted"


def test_what_is_healthy_stays_so_and_nothing_is_said_of_its_deletion() -> None:
    judged = found(a_list(3), operation=DELETING)

    assert judged.verdict is Verdict.HEALTHY
    assert "deleted" not in judged.reason


@pytest.mark.parametrize(
    ("ago", "is_notified"),
    [
        (-5 * MINUTE - SECOND, True),
        (-5 * MINUTE, False),
        (-5 * MINUTE + SECOND, False),
        (DAY - SECOND, False),
        (DAY, False),
        (DAY + SECOND, True),
        (None, True),
    ],
)
def test_of_an_instance_that_is_being_deleted_nobody_is_notified_for_a_day(
    ago: timedelta | None, *, is_notified: bool
) -> None:
    since = None if ago is None else NOW - ago

    judged = found(operation=Operation("delete", "in progress", since))

    assert judged.is_notified is is_notified
    assert judged.is_being_deleted is not is_notified


@pytest.mark.parametrize(
    "operation",
    [
        None,
        Operation("delete", "failed", NOW),
        Operation("delete", "succeeded", NOW),
        Operation("update", "in progress", NOW),
        Operation("create", "in progress", NOW),
    ],
)
def test_of_any_other_instance_people_are_notified(operation: Operation | None) -> None:
    judged = found(operation=operation, created_at=None)

    assert judged.is_notified
    assert not judged.is_being_deleted


def test_of_a_muted_instance_nobody_is_notified_whatever_is_under_way() -> None:
    assert not msgspec.structs.replace(found(operation=None), mute=MUTE).is_notified


def test_a_user_provided_instance_is_not_asked_and_has_no_broker_that_backs_it_up() -> None:
    judged = finding_of(
        Instance("a", POLICY, type="user-provided"), evidence(UserProvided(), None), run(), None
    )

    assert (judged.verdict, judged.reason) == (
        Verdict.UNSUPPORTED,
        "a user-provided instance: no broker backs it up",
    )
    summary = judged.evidence
    assert (summary.http_status, summary.silence, summary.detail) == (None, None, None)
    assert (summary.backup_count, summary.newest_backup_at) == (None, None)


@pytest.mark.parametrize("as_of", [NOW - DAY, NOW, NOW + DAY])
def test_a_user_provided_instance_is_one_at_any_time(as_of: datetime) -> None:
    assert judge(evidence(UserProvided(), None), POLICY, as_of) == Judgement(
        Verdict.UNSUPPORTED, "a user-provided instance: no broker backs it up"
    )


def test_a_finding_carries_what_is_known_of_its_instance() -> None:
    instance = Instance(
        "guid-1",
        POLICY,
        name="orders-db",
        owner="team-orders",
        type="managed",
        org="prod-eu",
        space="payments",
        offering="p.mysql",
        plan="db-gold-small",
        created_at=NOW - DAY,
        operation=DELETING,
        policy_notes=("label backup-audit.max-age: 90d is longer than 7d",),
    )

    judged = finding_of(instance, evidence(a_list(50)), run(), None)

    assert (judged.name, judged.owner, judged.type) == ("orders-db", "team-orders", "managed")
    assert (judged.org, judged.space) == ("prod-eu", "payments")
    assert (judged.offering, judged.plan) == ("p.mysql", "db-gold-small")
    assert judged.operation == DELETING
    assert judged.policy_notes == ("label backup-audit.max-age: 90d is longer than 7d",)
    assert judged.evidence.instance_created_at == NOW - DAY


def test_the_age_that_the_instance_itself_said_is_kept_before_the_inventorys() -> None:
    instance = Instance("a", POLICY, created_at=NOW - DAY)
    listing = evidence(BackupList((), instance_created_at=NOW - HOUR))

    judged = finding_of(instance, listing, run(), None)

    assert judged.evidence.instance_created_at == NOW - HOUR
