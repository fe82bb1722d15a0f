"""A stack's life from its first scheduled run to its end."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.e2e.emulator import Emulator
from tests.e2e.polling import eventually
from tests.e2e.queues import listening
from tests.e2e.shell import Shell, filled_in, shown
from tests.e2e.stack import LATEST, RUNNING, Stack

# The topics that others subscribe to, and an event of each.
EVENTS_OF_TOPICS = {"TopicArn": "digest", "EventsTopicArn": "problem"}
_FIRING = 100.0  # seconds: a minute, and ministack looks every ten seconds


@pytest.fixture(scope="module")
def scheduled(new_stack: Callable[..., Stack]) -> Stack:
    """A stack of its own beside the suite's; its schedule has fired."""
    stack = new_stack(
        "backup-audit-life",
        ScheduleExpression="rate(1 minute)",
        ChatTopic="on",
    )
    stack.deploy()
    eventually(lambda: LATEST in stack.objects(), within=_FIRING, what="the schedule fires")
    return stack


def test_the_schedule_starts_a_full_run_that_bears_its_scheduled_time(scheduled: Stack) -> None:
    latest = json.loads(scheduled.read(LATEST))

    assert re.fullmatch(r"\d{8}T\d{6}Z", latest["run"]["run_id"])
    assert latest["coverage"]["audited"] == 8


def verified(stack: Stack) -> str:
    """What `backup-audit verify` says of the stack's bucket."""
    done = subprocess.run(
        [sys.executable, "-m", "backup_audit_cli", "verify", f"s3://{stack.bucket}"],
        env=os.environ | stack.aws.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_lies_in_the_bucket_is_what_was_written(scheduled: Stack) -> None:
    assert "all is as it was written" in verified(scheduled)


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


def test_delete_takes_the_stack_away_and_keeps_what_lasts(scheduled: Stack) -> None:
    scheduled.deploy(ScheduleExpression="none")
    before = scheduled.objects()
    function, log = scheduled.output("FunctionName"), scheduled.output("LogGroupName")
    for name, event in EVENTS_OF_TOPICS.items():
        listening(scheduled.aws, f"life-{event}", scheduled.output(name), {"event": [event]})

    scheduled.delete()

    assert before
    assert scheduled.objects() == before
    policy = scheduled.aws.client("s3").get_bucket_policy(Bucket=scheduled.bucket)["Policy"]
    assert "aws:SecureTransport" in policy
    kept = scheduled.aws.client("logs").describe_log_groups(logGroupNamePrefix=log)["logGroups"]
    assert [group["logGroupName"] for group in kept] == [log]
    for name in EVENTS_OF_TOPICS:
        assert len(subscriptions(scheduled.aws, scheduled.output(name))) == 1
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scheduled.aws.client("lambda").get_function(FunctionName=function)


def test_what_is_left_is_found_as_the_docs_say(scheduled: Stack, tmp_path: Path) -> None:
    script = shown("docs/operate.md", beginning="aws s3api list-buckets")

    found = Shell(scheduled.aws, tmp_path).run(
        script.replace("backup-audit-", "backup-audit-life-")
    )

    left = ("ReportBucketName", *EVENTS_OF_TOPICS, "ChatTopicArn", "LogGroupName")
    assert {scheduled.output(name) for name in left} <= set(found.split())


def test_a_stack_of_the_same_name_goes_on_with_the_bucket_that_was_left(
    scheduled: Stack, tmp_path: Path
) -> None:
    bucket = scheduled.bucket
    old_topics = {name: scheduled.output(name) for name in EVENTS_OF_TOPICS}
    last = json.loads(scheduled.read(LATEST))["run"]["run_id"]

    scheduled.deploy(ScheduleExpression="none", ExistingBucketName=bucket)
    answer = scheduled.invoke({})

    report = json.loads(scheduled.read(answer["report"]["key"]))
    assert scheduled.bucket == bucket
    assert report["plan"]["previous"]["run_id"] == last
    assert {one["change"] for one in report["findings"] if one["change"]} == {"ongoing"}
    assert json.loads(scheduled.read(LATEST))["run"]["run_id"] == answer["run_id"]
    assert "all is as it was written" in verified(scheduled)
    with pytest.raises(ClientError):
        scheduled.physical_id("ReportBucket")
    shell = Shell(scheduled.aws, tmp_path)
    for name, old_topic in old_topics.items():
        goes_on_with_its_subscriptions(scheduled, name, old_topic, shell)


def goes_on_with_its_subscriptions(stack: Stack, name: str, old_topic: str, shell: Shell) -> None:
    """By the documented command, filter policies and all."""
    names = shown("docs/operate.md", beginning="output()")
    copy = shown("docs/operate.md", beginning="OLD_TOPIC=")

    shell.run(
        filled_in(names, {"--stack-name backup-audit": f"--stack-name {stack.name}"}),
        filled_in(
            copy, {"OUTPUT=TopicArn": f"OUTPUT={name}", "OLD_TOPIC=ARN": f"OLD_TOPIC={old_topic}"}
        ),
    )

    before, after = (subscriptions(stack.aws, topic) for topic in (old_topic, stack.output(name)))
    assert after == before != []


def subscriptions(aws: Emulator, topic_arn: str) -> list[tuple[str, str]]:
    """The end points that listen to a topic, each with its filter policy."""
    sns = aws.client("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]
    return [
        (
            one["Endpoint"],
            sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"][
                "FilterPolicy"
            ],
        )
        for one in listed
    ]


def test_a_bucket_that_was_given_is_left_alone_when_the_stack_goes(scheduled: Stack) -> None:
    before = scheduled.objects()

    scheduled.delete()

    assert scheduled.objects() == before
    assert scheduled.aws.client("s3").get_bucket_policy(Bucket=scheduled.bucket)["Policy"]


def test_a_first_deployment_that_fails_leaves_nothing(
    new_stack: Callable[..., Stack], aws: Emulator
) -> None:
    stack = new_stack("backup-audit-failing", Mode="map")
    role = aws.client("iam").create_role(RoleName="of-another", AssumeRolePolicyDocument="{}")
    aws.client("stepfunctions").create_state_machine(  # so that the stack's cannot be made
        name="backup-audit-failing-audit",
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn=role["Role"]["Arn"],
    )

    with pytest.raises(AssertionError, match="sam deploy"):
        stack.deploy()

    buckets = aws.client("s3").list_buckets()["Buckets"]
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    topics = aws.client("sns").list_topics()["Topics"]
    assert "backup-audit-failing" not in json.dumps([buckets, groups, topics], default=str)
