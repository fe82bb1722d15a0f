"""Least privilege, by trying. That the function can do all it needs, all the other tests show.

Not tried, because ministack does not enforce it, but asked of its simulator of IAM: the role of the
schedule, writing the log, reading from AppConfig. Neither tried nor asked: the policies that refuse
HTTP without TLS, for it serves one or the other.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.inputs import BUCKET, Inputs
from tests.e2e.queues import arn_of
from tests.e2e.roles import Attempt, acting_as, administrator, arn_of_role, decision
from tests.e2e.stack import LATEST, RUNNING, Stack

_REFUSALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@pytest.fixture(scope="module")
def deployed(suite_stack: Stack) -> Stack:
    """The stack, with a schedule that never fires, every topic, and a report in its bucket."""
    suite_stack.deploy(ScheduleExpression="cron(0 5 1 1 ? 2099)", ChatTopic="on")
    suite_stack.invoke({"notify": False})
    return suite_stack


@pytest.fixture(scope="module")
def attempt(deployed: Stack) -> Iterator[Attempt]:
    """Tries a call under the function's role."""
    with acting_as(deployed, "AuditFunctionRole") as trying:
        yield trying


def test_the_function_may_read_and_write_objects_below_its_prefix(
    deployed: Stack, attempt: Attempt
) -> None:
    bucket = deployed.bucket

    assert attempt("s3", "get_object", Bucket=bucket, Key=LATEST) == "allowed"
    assert attempt("s3", "put_object", Bucket=bucket, Key="backup-audit/probe") == "allowed"
    assert attempt("s3", "get_bucket_versioning", Bucket=bucket) == "allowed"
    # With ListBucket, S3 says that an object is not there; without, it would refuse.
    assert attempt("s3", "get_object", Bucket=bucket, Key="backup-audit/none") == "NoSuchKey"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_object", {"Key": "elsewhere/secret.json"}),
        ("put_object", {"Key": "elsewhere/new.json"}),
        ("put_object", {"Key": "backup-audit-elsewhere/new.json"}),
        ("delete_object", {"Key": LATEST}),
        ("delete_object", {"Key": RUNNING}),
        ("delete_object", {"Key": LATEST, "VersionId": "null"}),
        ("get_bucket_policy", {}),
        ("delete_bucket_policy", {}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
        ("delete_bucket", {}),
    ],
)
def test_the_function_may_do_nothing_else_in_its_bucket(
    deployed: Stack, attempt: Attempt, operation: str, parameters: dict[str, Any]
) -> None:
    bucket = deployed.bucket
    deployed.aws.client("s3").put_object(Bucket=bucket, Key="elsewhere/secret.json", Body=b"{}")

    assert attempt("s3", operation, Bucket=bucket, **parameters) in _REFUSALS


def test_the_function_may_not_read_where_its_configuration_does_not_lie(
    attempt: Attempt,
) -> None:
    assert attempt("s3", "get_object", Bucket=BUCKET, Key="configuration.json") in _REFUSALS
    assert attempt("s3", "list_objects_v2", Bucket=BUCKET) in _REFUSALS


def test_the_function_may_read_its_configuration_and_ca_and_no_other_parameter(
    deployed: Stack, attempt: Attempt
) -> None:
    other = "/backup-audit/configuration/of-others"
    deployed.aws.client("ssm").put_parameter(Name=other, Value="{}", Type="String")

    for own in ("/backup-audit/configuration", "/backup-audit/ca"):
        assert attempt("ssm", "get_parameter", Name=own, WithDecryption=True) == "allowed"
        assert attempt("ssm", "put_parameter", Name=own, Value="", Overwrite=True) in _REFUSALS
    assert attempt("ssm", "get_parameter", Name=other) in _REFUSALS
    assert attempt("ssm", "get_parameters_by_path", Path="/backup-audit") in _REFUSALS


def test_the_function_may_read_its_secret_and_no_other(
    deployed: Stack, attempt: Attempt, inputs: Inputs
) -> None:
    own = inputs.secret_arn
    secrets = deployed.aws.client("secretsmanager")
    other = secrets.create_secret(Name="backup-audit/api-2", SecretString="{}")["ARN"]

    assert attempt("secretsmanager", "get_secret_value", SecretId=own) == "allowed"
    assert attempt("secretsmanager", "get_secret_value", SecretId=other) in _REFUSALS
    put = attempt("secretsmanager", "put_secret_value", SecretId=own, SecretString="{}")
    assert put in _REFUSALS


@pytest.mark.parametrize("output", ["TopicArn", "EventsTopicArn", "ChatTopicArn"])
def test_the_function_may_publish_to_its_topics_and_count_their_subscribers(
    deployed: Stack, attempt: Attempt, output: str
) -> None:
    own = deployed.output(output)

    assert attempt("sns", "publish", TopicArn=own, Message="probe") == "allowed"
    assert attempt("sns", "get_topic_attributes", TopicArn=own) == "allowed"
    assert attempt("sns", "list_subscriptions_by_topic", TopicArn=own) in _REFUSALS
    assert attempt("sns", "subscribe", TopicArn=own, Protocol="sqs", Endpoint="x") in _REFUSALS
    assert attempt("sns", "delete_topic", TopicArn=own) in _REFUSALS


def test_the_function_may_do_nothing_with_any_other_topic(
    deployed: Stack, attempt: Attempt
) -> None:
    other = deployed.aws.client("sns").create_topic(Name="other")["TopicArn"]

    for topic in (other, deployed.output("AlarmTopicArn")):
        assert attempt("sns", "publish", TopicArn=topic, Message="probe") in _REFUSALS
        assert attempt("sns", "get_topic_attributes", TopicArn=topic) in _REFUSALS


def test_the_function_may_send_to_the_queue_for_failed_runs_and_not_take_from_it(
    deployed: Stack, attempt: Attempt
) -> None:
    own = deployed.output("FailedRunsQueueUrl")
    sqs = deployed.aws.client("sqs")
    other = sqs.create_queue(QueueName="other")["QueueUrl"]

    assert attempt("sqs", "send_message", QueueUrl=own, MessageBody="probe") == "allowed"
    assert attempt("sqs", "receive_message", QueueUrl=own) in _REFUSALS
    assert attempt("sqs", "purge_queue", QueueUrl=own) in _REFUSALS
    assert attempt("sqs", "send_message", QueueUrl=other, MessageBody="probe") in _REFUSALS
    sqs.purge_queue(QueueUrl=own)


def test_the_function_may_write_its_log_and_not_read_it(deployed: Stack, attempt: Attempt) -> None:
    own = deployed.output("LogGroupName")
    account = deployed.output("FunctionArn").split(":")[4]
    group = f"arn:aws:logs:us-east-1:{account}:log-group:"

    def may(action: str, name: str) -> str:
        # By the simulator: ministack takes the group's ARN without the ":*" that AWS appends.
        stream = f"{group}{name}:log-stream:today"
        return decision(deployed, "AuditFunctionRole", action, stream)

    assert may("logs:CreateLogStream", own) == "allowed"
    assert may("logs:PutLogEvents", own) == "allowed"
    assert may("logs:PutLogEvents", f"{own}-other") == "implicitDeny"
    assert attempt("logs", "filter_log_events", logGroupName=own) in _REFUSALS
    assert attempt("logs", "create_log_group", logGroupName="new") in _REFUSALS


def test_the_function_may_start_no_function_and_take_no_role(
    deployed: Stack, attempt: Attempt
) -> None:
    role = arn_of_role(deployed, "ScheduleRole")

    assert attempt("lambda", "invoke", FunctionName=deployed.output("FunctionName")) in _REFUSALS
    assert attempt("sts", "assume_role", RoleArn=role, RoleSessionName="me") in _REFUSALS
    assert attempt("iam", "list_roles") in _REFUSALS


def test_not_even_an_administrator_may_take_a_role_of_the_stack(deployed: Stack) -> None:
    sts = deployed.aws.client("sts", **administrator(deployed.aws))

    for role in ("AuditFunctionRole", "ScheduleRole"):
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=arn_of_role(deployed, role), RoleSessionName="me")


def test_the_schedule_may_start_this_function_and_report_to_its_queue_alone(
    deployed: Stack,
) -> None:
    function = deployed.output("FunctionArn")
    queue = arn_of(deployed.aws, deployed.output("FailedRunsQueueUrl"))

    def may(action: str, resource: str) -> str:
        return decision(deployed, "ScheduleRole", action, resource)

    assert may("lambda:InvokeFunction", function) == "allowed"
    assert may("sqs:SendMessage", queue) == "allowed"
    assert may("lambda:InvokeFunction", f"{function}-other") == "implicitDeny"
    assert may("lambda:DeleteFunction", function) == "implicitDeny"
    assert may("sqs:ReceiveMessage", queue) == "implicitDeny"
