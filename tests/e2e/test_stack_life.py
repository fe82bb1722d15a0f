"""A stack's life from its first scheduled run to its end."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.e2e.polling import eventually
from tests.e2e.stack import LATEST, RUNNING, Stack

_FIRING = 100.0  # seconds: a minute, and ministack looks every ten seconds


@pytest.fixture(scope="module")
def scheduled(new_stack: Callable[..., Stack]) -> Stack:
    """A stack of its own beside the suite's; its schedule has fired."""
    stack = new_stack(
        "backup-audit-life",
        ScheduleState="ENABLED",
        ScheduleExpression="rate(1 minute)",
    )
    stack.deploy()
    eventually(lambda: LATEST in stack.objects(), within=_FIRING, what="the schedule fires")
    return stack


def test_the_schedule_starts_a_full_run_that_bears_its_scheduled_time(scheduled: Stack) -> None:
    latest = json.loads(scheduled.read(LATEST))

    assert re.fullmatch(r"\d{8}T\d{6}Z", latest["run"]["run_id"])
    assert latest["coverage"]["audited"] == 8


def test_what_lies_in_the_bucket_is_what_was_written(scheduled: Stack) -> None:
    verified = subprocess.run(
        [sys.executable, "-m", "backup_audit_cli", "verify", f"s3://{scheduled.bucket}"],
        env=os.environ | scheduled.aws.variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert verified.returncode == 0, verified.stderr
    assert "all is as it was written" in verified.stdout


def test_an_update_keeps_the_bucket_with_its_reports_and_the_schedule_goes_on(
    scheduled: Stack,
) -> None:
    bucket, before = scheduled.bucket, scheduled.objects()
    first = json.loads(scheduled.read(LATEST))["run"]["run_id"]

    scheduled.deploy(ReportExpirationDays="30", Workers="16")

    assert scheduled.bucket == bucket
    kept = {key: tag for key, tag in before.items() if key not in (LATEST, RUNNING)}
    assert kept
    assert kept.items() <= scheduled.objects().items()
    eventually(
        lambda: json.loads(scheduled.read(LATEST))["run"]["run_id"] > first,
        within=_FIRING,
        what="the schedule fires again",
    )


def test_delete_takes_the_stack_away_and_keeps_the_bucket_with_the_reports(
    scheduled: Stack,
) -> None:
    scheduled.deploy(ScheduleState="DISABLED")
    before = scheduled.objects()
    function = scheduled.output("FunctionName")

    scheduled.delete()

    assert before
    assert scheduled.objects() == before
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scheduled.aws.client("lambda").get_function(FunctionName=function)
