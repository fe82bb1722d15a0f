"""What the runs of a bucket say of each other."""

from datetime import timedelta

import msgspec
import pytest

from backup_audit.fleet.run import Scope
from backup_audit.report.report import PreviousReport
from backup_audit_cli.chain import Link, chain_of, check_chain, newest_full
from tests.doubles.builders import NOW


def named(before: Link) -> PreviousReport:
    return PreviousReport(
        run_id=before.run_id,
        report_key="report.json",
        report_sha256=before.report_sha256,
        manifest_sha256=before.manifest_sha256,
    )


def link(day: int, previous: Link | None = None, *, scope: Scope = Scope.FULL) -> Link:
    return Link(
        run_id=f"run-{day}",
        scope=scope,
        due_at=NOW + timedelta(days=day),
        report_sha256=f"report-{day}",
        manifest_sha256=f"manifest-{day}",
        previous=named(previous) if previous else None,
    )


FIRST = link(1)
SECOND = link(2, FIRST)
THIRD = link(3, SECOND)


def said(*links: Link) -> list[tuple[bool, str]]:
    return [(remark.is_fault, remark.text) for remark in check_chain(links)]


def test_of_runs_that_name_each_other_nothing_is_to_be_said() -> None:
    assert said(FIRST, SECOND, THIRD) == []
    assert chain_of([FIRST, SECOND, THIRD], THIRD) == [THIRD, SECOND, FIRST]


@pytest.mark.parametrize("name", ["report", "manifest"])
def test_a_run_that_was_changed_is_not_the_one_that_was_followed(name: str) -> None:
    changed = msgspec.structs.replace(SECOND, **{f"{name}_sha256": "another"})

    assert said(FIRST, changed, THIRD) == [
        (True, f"{name}.json of run run-2 is not the one that run run-3 followed")
    ]


@pytest.mark.parametrize("name", ["report", "manifest"])
def test_nothing_vouches_for_a_run_that_was_changed_and_for_those_before_it(name: str) -> None:
    changed = msgspec.structs.replace(SECOND, **{f"{name}_sha256": "another"})

    assert chain_of([FIRST, changed, THIRD], THIRD) == [THIRD]


def test_older_runs_are_compared_with_and_not_checked_themselves() -> None:
    found = check_chain([THIRD], [msgspec.structs.replace(SECOND, manifest_sha256="another")])

    assert [remark.text for remark in found] == [
        "manifest.json of run run-2 is not the one that run run-3 followed"
    ]
    assert list(check_chain([THIRD], [SECOND])) == []


def test_a_run_that_is_gone_while_older_ones_are_there_was_deleted() -> None:
    assert said(FIRST, THIRD) == [
        (True, "run run-2, which run run-3 follows, is gone, though older runs are there (run-1)")
    ]


def test_runs_expire_from_the_oldest_on() -> None:
    assert said(THIRD, link(4, THIRD)) == [
        (False, "run run-2, which run run-3 follows, is gone: the chain begins after it")
    ]
    assert chain_of([THIRD], THIRD) == [THIRD]


def test_a_manifest_that_was_gone_when_it_was_followed_is_not_missed_again() -> None:
    gone = msgspec.structs.replace(named(SECOND), manifest_sha256=None)
    follower = msgspec.structs.replace(THIRD, previous=gone)

    assert said(FIRST, SECOND, follower) == []


def test_two_runs_may_follow_the_same_one() -> None:
    partial = link(4, SECOND, scope=Scope.PARTIAL)

    assert said(FIRST, SECOND, THIRD, partial) == []


def test_runs_that_name_each_other_in_a_circle_end() -> None:
    first = msgspec.structs.replace(FIRST, previous=named(SECOND))

    assert chain_of([first, SECOND], SECOND) == [SECOND, first]


def test_the_newest_full_run_is_the_last_that_was_due() -> None:
    partial = link(4, THIRD, scope=Scope.PARTIAL)

    assert newest_full([THIRD, FIRST, partial, SECOND]) == THIRD
    assert newest_full([partial]) is None
