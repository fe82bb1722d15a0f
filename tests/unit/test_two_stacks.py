"""Two foundations are two stacks, in one account and with one bucket, and collide in nothing."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.errors import InvalidSettings, ReportStoreFailed
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.notify.run_failure import failure_of, run_failed
from backup_audit.report.alerts import Audience
from backup_audit.report.rendering import as_json
from backup_audit.report.report import Answer, Latest, WholeReport
from backup_audit.report.store import Claim
from backup_audit.telemetry import NAMESPACE, PowertoolsTelemetry
from tests.doubles.builders import NOW, SETTINGS, a_list, run
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)
from tools.template import PSEUDO_PARAMETERS, REQUIRED, SECRET, Template, walk

TEMPLATE = Template.read()
EVERYTHING = {
    "Mode": "map",
    "NotificationEmail": "ops@example.com",
    "ChatTopic": "on",
    "QueryTables": "on",
}
# The property with the name of each kind of resource; None if it has none.
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Glue::Database": "DatabaseInput",
    "AWS::Glue::Table": None,  # it is in the stack's database
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::QueryDefinition": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": None,
    "AWS::SNS::Subscription": None,
    "AWS::SNS::Topic": "TopicName",
    "AWS::SNS::TopicPolicy": None,
    "AWS::SQS::Queue": "QueueName",
    "AWS::SQS::QueuePolicy": None,
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::StateMachine": "Name",
}
ROLES = ("AuditFunctionRole", "AuditStateMachineRole", "ScheduleRole")
STACKS = ("backup-audit", "backup-audit-eu")  # one name is the beginning of the other
SCHEDULED = AuditRequest(scheduled_time=NOW)
DAY = timedelta(days=1)


# ── What a stack makes ────────────────────────────────────────────────────────────────────────────


def deployed(stack: str, monkeypatch: pytest.MonkeyPatch, **given: str) -> dict[str, Any]:
    """The resources and outputs of a stack of this name; what CloudFormation names is in <>."""
    monkeypatch.setitem(PSEUDO_PARAMETERS, "AWS::StackName", stack)
    return TEMPLATE.deployed(**REQUIRED | EVERYTHING | given)


def names(resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names that the template gives; what has none gets one from the stack's name."""
    made = [(one["Type"], one["Properties"]) for one in resources.values() if "Type" in one]
    given = [
        (kind, properties[name])
        for kind, properties in made
        if (name := NAMES[kind]) is not None and name in properties
    ]
    return [(kind, one["Name"] if isinstance(one, dict) else one) for kind, one in given]


def test_no_resource_of_a_stack_has_the_name_of_another_stacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = (names(deployed(stack, monkeypatch)) for stack in STACKS)

    assert len(one) == len(other) >= 10
    assert len(set(one)) == len(one)
    assert not set(one) & set(other)


def test_a_name_that_is_given_begins_with_the_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    given = names(deployed("backup-audit-eu", monkeypatch))

    # SQL takes no name with -.
    spelled = [name.replace("_", "-") for _, name in given]
    assert [name for name in spelled if not re.match(r"backup-audit-eu([-/]|$)", name)] == []


def test_no_role_of_a_stack_names_what_is_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (
        deployed(
            f"backup-audit-{name}",
            monkeypatch,
            CfCredentialsSecretArn=SECRET.replace("api-", f"{name}-"),
            ConfigUri=f"ssm:/backup-audit/{name}/configuration",
            ExistingBucketName="reports",
            ReportPrefix=name,
        )
        for name in ("eu", "us")
    )

    for role in ROLES:
        assert _fixed_resources_of(one[role]) & _fixed_resources_of(other[role]) <= {
            "arn:aws:s3:::reports"  # whose list tells what is missing from what is forbidden
        }


def _fixed_resources_of(role: Mapping[str, Any]) -> set[str]:
    """The resources that a role's policies name, but those of the stack itself."""
    return {
        resource
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in walk(statement["Resource"])
        if isinstance(resource, str) and not resource.startswith("<")
    }


def test_an_alarm_and_the_dashboard_watch_the_metrics_of_their_own_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resources = deployed("backup-audit-eu", monkeypatch)
    alarms = [one for one in resources.values() if one.get("Type") == "AWS::CloudWatch::Alarm"]

    metrics = [
        part
        for alarm in alarms
        for part in [alarm["Properties"], *_metrics(alarm["Properties"])]
        if part.get("Namespace") == NAMESPACE
    ]
    dashboard = json.loads(resources["Dashboard"]["Properties"]["DashboardBody"])

    assert len(metrics) >= 4
    for metric in metrics:
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        assert dimensions["function_name"] == "<AuditFunction>"
    widgets = [widget["properties"].get("metrics", []) for widget in dashboard["widgets"]]
    by_function = [line for widget in widgets for line in widget if NAMESPACE in line]
    assert by_function
    assert all(line[2:4] == ["function_name", "<AuditFunction>"] for line in by_function)


def _metrics(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    stats = [part.get("MetricStat") for part in alarm.get("Metrics", [])]
    return [stat["Metric"] for stat in stats if stat]


def test_what_a_function_counts_bears_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    functions = ("backup-audit-AuditFunction-1", "backup-audit-eu-AuditFunction-2")

    for function, foundation in zip(functions, ("us", "eu"), strict=True):
        PowertoolsTelemetry("i", function).failed(ReportStoreFailed("S3"), foundation)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [line for line in lines if "_aws" in line]
    assert [(line["function_name"], line["foundation"]) for line in counted] == [
        (functions[0], "us"),
        (functions[1], "eu"),
    ]
    for line in counted:
        [described] = line["_aws"]["CloudWatchMetrics"]
        assert "function_name" in described["Dimensions"][0]


# ── What its runs leave and say ───────────────────────────────────────────────────────────────────


class Stack:
    """A deployed function, with instances of its own, and a bucket that may be another's too."""

    def __init__(self, foundation: str, store: InMemoryStore, prefix: str | None = None) -> None:
        self.foundation = foundation
        self.guid = f"stale-in-{foundation}"
        self.notifiers = {audience: RecordingNotifier() for audience in Audience}
        self.heartbeat = CountingHeartbeat()
        self._store = store
        self.prefix = prefix or foundation

    def run(self, day: int = 0) -> Answer:
        settings = msgspec.structs.replace(
            SETTINGS, foundation=self.foundation, report_prefix=self.prefix
        )
        due = NOW + day * DAY
        edges = FakeEdges(
            source=FixedSource(json.dumps({"instances": [self.guid]}).encode()),
            api=ScriptedApi({self.guid: a_list(50)}),
            store=self._store,
            notifier=self.notifiers[Audience.PEOPLE],
            events=self.notifiers[Audience.EVENTS],
            chat=self.notifiers[Audience.CHAT],
            heartbeat=self.heartbeat,
            telemetry=RecordingTelemetry(),
            at=due,
        )
        invocation = f"{self.foundation}-{day}"
        audit = Audit(settings, edges, invocation, due + timedelta(minutes=15))
        request = msgspec.structs.replace(SCHEDULED, scheduled_time=due)
        return audit.run(request, plan_run(request, due, invocation))

    def latest(self) -> Latest:
        body = self._store.objects[f"{self.prefix}/latest.json"]
        return msgspec.json.decode(body, type=Latest)

    def report(self) -> WholeReport:
        body = self._store.objects[self.latest().report_key]
        return msgspec.json.decode(body, type=WholeReport)


def test_runs_due_at_the_same_time_share_an_id_and_no_object() -> None:
    store = InMemoryStore()
    eu, us = Stack("eu", store), Stack("us", store)

    answers = [stack.run() for stack in (eu, us)]

    assert len({answer.run_id for answer in answers}) == 1
    assert not any(answer.repeated or answer.already_running for answer in answers)
    assert {key.partition("/")[0] for key in store.writes} == {"eu", "us"}
    assert eu.report().findings[0].guid == eu.guid
    assert us.report().findings[0].guid == us.guid


def test_each_is_compared_with_its_own_last_report() -> None:
    store = InMemoryStore()
    eu, us = Stack("eu", store), Stack("us", store)
    for stack in (eu, us):
        stack.run()

    for stack in (eu, us):
        stack.run(day=1)

    for stack in (eu, us):
        report = stack.report()
        assert report.foundation == stack.foundation
        assert [(one.guid, one.change) for one in report.findings] == [(stack.guid, "ongoing")]
        assert report.plan.previous
        assert report.plan.previous.report_key.startswith(f"{stack.prefix}/")


def test_no_message_of_one_is_taken_for_a_double_of_the_others() -> None:
    store = InMemoryStore()
    eu, us = Stack("eu", store), Stack("us", store)
    us.guid = eu.guid  # of a configuration that was copied

    for stack in (eu, us):
        stack.run()

    for audience in (Audience.PEOPLE, Audience.EVENTS):
        sent = {stack.foundation: stack.notifiers[audience].messages for stack in (eu, us)}
        ids = [message.message_id for messages in sent.values() for message in messages]
        assert len(ids) == len(set(ids)) >= 2
        for foundation, messages in sent.items():
            for message in messages:
                assert message.attributes["foundation"] == foundation
                assert message.message_id.startswith(f"{foundation}/")
    for stack in (eu, us):
        [digest] = stack.notifiers[Audience.PEOPLE].messages
        assert f" {stack.foundation}: " in (digest.subject or "")


def test_two_runs_that_fail_at_the_same_time_are_two_messages() -> None:
    failures = [
        failure_of(
            ReportStoreFailed("S3"),
            run=run(),
            foundation=foundation,
            invocation_id="i",
            failed_at=NOW,
            remind_every=timedelta(days=1),
            runbook_url=None,
        )
        for foundation in ("eu", "us")
    ]
    failed = [run_failed(failure) for failure in failures]

    assert len({message.message_id for message in failed}) == 2
    assert [message.attributes["foundation"] for message in failed] == ["eu", "us"]


# ── One prefix for two, by mistake ────────────────────────────────────────────────────────────────


def test_a_prefix_with_the_reports_of_another_foundation_fails_the_run_and_is_left_alone() -> None:
    store = InMemoryStore()
    Stack("eu", store).run()
    before = dict(store.objects)
    us = Stack("us", store, prefix="eu")

    for day in (0, 1):
        with pytest.raises(InvalidSettings, match="is of the foundation 'eu', and this is 'us'"):
            us.run(day=day)

    assert store.objects == before
    assert [each.messages for each in us.notifiers.values()] == [[], [], []]
    assert us.heartbeat.beats == 0


@pytest.mark.parametrize("ends_in", [timedelta(seconds=-1), timedelta(minutes=10)])
def test_the_claim_of_another_foundations_first_run_is_respected_be_it_over_or_not(
    ends_in: timedelta,
) -> None:
    store = InMemoryStore()
    claim = Claim(foundation="eu", run_id="20260131T050000Z", held_by="us-0", ends_at=NOW + ends_in)
    store.objects["eu/running.json"] = as_json(claim)

    with pytest.raises(InvalidSettings, match=r"running\.json is of the foundation 'eu'"):
        Stack("us", store, prefix="eu").run()

    assert store.objects == {"eu/running.json": as_json(claim)}
