"""What is known of batches that have no findings, and how it is said."""

import json
from datetime import timedelta

import pytest

from backup_audit.batches import (
    all_failed,
    not_by_hand,
    store_failure,
    unfinished,
    why_failed,
)
from backup_audit.errors import ApiUnreachable, CredentialsRefused
from backup_audit.report.report import Ceilings, Plan, StoredPlan
from backup_audit.report.store import RunKeys
from tests.doubles.builders import NOW, run
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import alerts_from

KEYS = RunKeys.of("backup-audit", run())
KILLED = "it was killed, or never began: the log of its invocations has the rest"


def planned(batches: int) -> StoredPlan:
    plan = Plan(
        notifies=True,
        instances=5 * batches,
        configuration_uri="ssm:/test",
        configuration_sha256="0" * 64,
        policy_digest="0" * 64,
    )
    ceilings = Ceilings(concurrency=1, workers=4, requests_per_second=None)
    return StoredPlan(
        run=run(),
        plan=plan,
        alerts=alerts_from(NOW),
        mutes=(),
        place="plans",
        batches=batches,
        ceilings=ceilings,
    )


def failed(store: InMemoryStore, number: int, error: Exception) -> None:
    key = planned(5).failure_key(number)
    store_failure(store, key, error, failed_at=NOW + timedelta(seconds=0.5), invocation_id="i")


def test_a_batch_without_findings_is_unfinished_and_the_last_failure_says_why() -> None:
    store = InMemoryStore()
    store.put_new(KEYS.findings(0), b"{}\n")
    store.put_new(KEYS.findings(3), b"{}\n")
    failed(store, 1, ApiUnreachable("it is down"))
    failed(store, 1, CredentialsRefused("it refuses"))
    failed(store, 3, ApiUnreachable("it was down, and came back"))

    left = unfinished(store, KEYS, planned(5))

    assert left == {1: "CredentialsRefused: it refuses", 2: None, 4: None}
    assert json.loads(store.objects["plans/failure-00001.json"]) == {
        "failed_at": "2026-01-31T05:00:00Z",
        "invocation_id": "i",
        "reason": "CredentialsRefused: it refuses",
    }


def test_of_an_error_that_is_not_ours_only_the_kind_is_kept() -> None:
    store = InMemoryStore()
    failed(store, 0, KeyError("canary-secret"))

    assert unfinished(store, KEYS, planned(1)) == {0: "KeyError"}
    assert "canary-secret" not in str(store.objects)


def test_a_long_reason_is_cut_since_each_finding_quotes_it() -> None:
    store = InMemoryStore()
    failed(store, 0, ApiUnreachable("x\n" * 1_000))

    [reason] = unfinished(store, KEYS, planned(1)).values()
    assert reason
    assert (len(reason), reason.isprintable()) == (300, True)


def test_a_batch_that_left_no_word_was_killed_or_never_began() -> None:
    assert why_failed(None) == f"its batch failed for good: {KILLED}"
    assert why_failed("KeyError") == "its batch failed for good: KeyError"


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "0"),
        (9, "0, 1, 2, 3, 4, 5, 6, 7, 8"),
        (10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (11, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more"),
    ],
)
def test_ten_unfinished_batches_are_named(count: int, named: str) -> None:
    error = not_by_hand(planned(count), dict.fromkeys(range(count)))

    [fault] = error.faults
    assert fault == (
        f"plan_key: batches without findings, of {count} in all: {named}; by hand nothing "
        "incomplete is concluded: invoke audit_batch for each of them first"
    )


def test_a_batch_that_failed_is_named_with_its_reason() -> None:
    assert "in all: 1, 2 (KeyError); by hand" in str(
        not_by_hand(planned(3), {1: None, 2: "KeyError"})
    )


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ([None, None], KILLED),
        (["b", "a", "b"], "a; b"),
        (["d", "c", "b", "a"], "a; b; c"),
    ],
)
def test_three_reasons_of_a_run_that_found_nothing_out_are_named_once(
    reasons: list[str | None], said: str
) -> None:
    stored = planned(len(reasons))

    assert str(all_failed(stored, dict(enumerate(reasons)))) == (
        f"nothing of run 20260131T050000Z could be audited (instances: {stored.plan.instances}, "
        f"batches: {len(reasons)}): {said}"
    )
