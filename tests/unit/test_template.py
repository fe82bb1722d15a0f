import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from backup_audit.errors import InvalidSettings
from backup_audit.fleet.run import LATE_MAX, parse_event
from backup_audit.plan import EXECUTION_LONGEST
from backup_audit.settings import read_settings
from tools.template import ACCOUNT, KEY, REQUIRED, SECRET, Template, walk

TEMPLATE = Template.read()

TOPIC = "arn:aws:sns:us-east-1:111122223333:backup-audit"
TOPICS = {
    "TOPIC_ARN": "Topic",
    "EVENTS_TOPIC_ARN": "EventsTopic",
    "CHAT_TOPIC_ARN": "TopicForChat",
}

CONFIGURATION_PERMISSIONS = [
    (
        "ssm:/backup-audit/configuration",
        "ssm:GetParameter",
        f"arn:aws:ssm:{ACCOUNT}:parameter/backup-audit/configuration",
    ),
    (
        "s3://configurations/audits/fleet.json",
        "s3:GetObject",
        "arn:aws:s3:::configurations/audits/fleet.json",
    ),
    (
        "appconfig:abc1234/def5678/ghi9012",
        ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"],
        f"arn:aws:appconfig:{ACCOUNT}:application/abc1234/environment/def5678/configuration/ghi9012",
    ),
]


class Recorder(dict[str, str]):
    """An environment that notes which variables are asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)


def environment(**given: str) -> dict[str, str]:
    """The function's environment as Lambda would have it."""
    variables = TEMPLATE.resolved(TEMPLATE.variables, **REQUIRED | given)
    arns = {f"<{name}>": f"{TOPIC}-{name}" for name in TOPICS.values()}
    return {name: arns.get(value, str(value)) for name, value in variables.items()}


def properties(resource: str, **given: str) -> Any:  # noqa: ANN401
    return TEMPLATE.resolved(TEMPLATE.properties(resource), **REQUIRED | given)


def allows(parameter: str, text: str) -> bool:
    return re.fullmatch(TEMPLATE.parameters[parameter]["AllowedPattern"], text) is not None


def statements(resource: str, **given: str) -> list[dict[str, Any]]:
    """The statements of a role's own policies, or of a resource's policy."""
    resolved = properties(resource, **given)
    policies = [part["PolicyDocument"] for part in resolved.get("Policies", [resolved])]
    return [statement for policy in policies for statement in policy["Statement"]]


def statement(resource: str, sid: str, **given: str) -> dict[str, Any]:
    [found] = [part for part in statements(resource, **given) if part.get("Sid") == sid]
    return found


def sids(resource: str, **given: str) -> set[str]:
    return {part["Sid"] for part in statements(resource, **given)}


def as_list(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else [value]


# ── Settings ──────────────────────────────────────────────────────────────────────────────────────


def test_the_function_gets_exactly_the_variables_that_the_settings_read() -> None:
    recorder = Recorder(environment())

    read_settings(recorder)

    assert set(TEMPLATE.variables) == recorder.asked | {"POWERTOOLS_LOG_LEVEL"}


def test_the_defaults_of_the_parameters_are_the_defaults_of_the_settings() -> None:
    deployed = environment()
    needed = {"CF_API_URL", "CF_CREDENTIALS_SECRET", "CONFIG_URI", "REPORT_BUCKET"}
    made = {"TOPIC_ARN", "EVENTS_TOPIC_ARN"}

    settings = read_settings(deployed)

    assert settings == read_settings({name: deployed[name] for name in needed | made})


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [
        ("Workers", "WORKERS"),
        ("ReadTimeoutSeconds", "READ_TIMEOUT_SECONDS"),
    ],
)
def test_what_a_number_parameter_allows_the_settings_accept(parameter: str, variable: str) -> None:
    limits = TEMPLATE.parameters[parameter]
    least, most = str(limits["MinValue"]), str(limits["MaxValue"])

    accepted = [read_settings(environment(**{parameter: text})) for text in (least, most)]

    assert len(accepted) == 2
    assert TEMPLATE.variables[variable] == {"Ref": parameter}


@pytest.mark.parametrize(
    ("duration", "allowed"),
    [
        ("24h", True),
        ("7d", True),
        ("1d12h", True),
        ("90m", True),
        ("0h", False),
        ("0d0h0m", False),
        ("0d0h1m", True),
        ("24", False),
        ("1h1d", False),
        ("", False),
        ("daily", False),
    ],
)
def test_reminders_come_after_a_duration_that_the_settings_accept(
    duration: str, *, allowed: bool
) -> None:
    assert allows("RemindEvery", duration) is allowed
    if allowed:
        assert read_settings(environment(RemindEvery=duration)).remind_every == duration
    elif duration:
        with pytest.raises(InvalidSettings, match="REMIND_EVERY"):
            read_settings(environment(RemindEvery=duration))


@pytest.mark.parametrize(("given", "expected"), [("true", True), ("false", False)])
def test_owners_get_digests_as_the_settings_understand_it(given: str, *, expected: bool) -> None:
    assert given in TEMPLATE.parameters["DigestPerOwner"]["AllowedValues"]
    assert read_settings(environment(DigestPerOwner=given)).digest_per_owner is expected


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("", True),
        ("https://git.example.com/backup-audit/blob/main/docs", True),
        ("https://git.example.com:8443/docs", True),
        ("https://docs.example.com", True),
        ("https://git.example.com/docs/", False),
        ("https://git.example.com/docs#runbook", False),
        ("https://user@git.example.com/docs", False),
        ("http://git.example.com/docs", False),
        ("docs", False),
    ],
)
def test_the_pages_are_at_an_address_to_which_a_name_can_be_added(
    url: str, *, allowed: bool
) -> None:
    assert allows("RunbookUrl", url) is allowed
    if allowed:
        assert read_settings(environment(RunbookUrl=url)).runbook_url == (url or None)


def test_all_that_is_usually_long_fits_into_the_4_kb_of_lambda() -> None:
    long = environment(
        **GIVEN
        | {
            "ConfigUri": "env:",
            "InstanceGuids": "g" * TEMPLATE.parameters["InstanceGuids"]["MaxLength"],
            "RunbookUrl": "https://git.example.com/platform/backup-audit/blob/main/docs",
            "ChatTopic": "on",
        }
    )
    names = {name: f"{TOPIC}-backup-audit-{made}-1A2B3C4D5E6F" for name, made in TOPICS.items()}

    variables = long | names | {"REPORT_BUCKET": "backup-audit-reportbucket-1a2b3c4d5e6f"}

    assert sum(len(name) + len(value) for name, value in variables.items()) <= 4096


# ── Parameters ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TEMPLATE.parameters)
def test_a_parameter_is_described_and_constrained(name: str) -> None:
    parameter = TEMPLATE.parameters[name]

    bounded = {"MinValue", "MaxValue"} <= set(parameter)

    assert parameter["Description"].endswith(".")
    assert bounded or "AllowedPattern" in parameter or "AllowedValues" in parameter


@pytest.mark.parametrize(
    "name", [name for name, part in TEMPLATE.parameters.items() if "AllowedPattern" in part]
)
def test_a_pattern_is_anchored_says_what_it_wants_and_lets_its_default_pass(name: str) -> None:
    parameter = TEMPLATE.parameters[name]

    assert re.fullmatch(r"\^.*\$", parameter["AllowedPattern"])
    assert parameter["ConstraintDescription"].startswith("must be ")
    assert "Default" not in parameter or allows(name, parameter["Default"])


@pytest.mark.parametrize("name", TEMPLATE.parameters)
def test_a_parameter_is_used(name: str) -> None:
    used_in = [TEMPLATE.conditions, TEMPLATE.resources, TEMPLATE.document["Outputs"]]
    parts = list(walk(used_in))

    referred = {"Ref": name} in parts
    substituted = any(isinstance(part, str) and f"${{{name}}}" in part for part in parts)

    assert referred or substituted


def test_every_parameter_stands_in_one_group_in_the_order_of_the_template() -> None:
    grouped = [name for group in TEMPLATE.groups for name in group["Parameters"]]

    assert grouped == list(TEMPLATE.parameters)


def test_only_the_api_and_its_credentials_have_no_default() -> None:
    needed = {name for name, part in TEMPLATE.parameters.items() if "Default" not in part}

    assert needed == set(REQUIRED)


@pytest.mark.parametrize(
    "uri",
    [
        "ssm:/backup-audit/configuration",
        "ssm:/configuration",
        "s3://configurations/fleet.json",
        "s3://configurations/audits/prod/fleet.json",
        "appconfig:abc1234/def5678/ghi9012",
        "env:",
    ],
)
def test_an_address_of_a_configuration_that_lambda_can_read_is_allowed(uri: str) -> None:
    settings = read_settings(environment(ConfigUri=uri, InstanceGuids="a-guid"))

    assert allows("ConfigUri", uri)
    assert settings.config_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file:/etc/fleet.json",  # no file ships with the function
        "ssm:configuration",
        "ssm:/",
        "ssm:/*",
        "ssm:/a//b",
        "s3://configurations",
        "s3://configurations/",
        "s3://configurations/*",
        "s3://configurations/fleet?.json",
        "s3://configurations/${aws:username}",
        "appconfig:abc1234/def5678",
        "appconfig:backup-audit/prod/fleet",  # names, where IAM knows ids
        "appconfig:*/def5678/ghi9012",
        "env:GUIDS",
        "https://example.com/fleet.json",
    ],
)
def test_any_other_address_of_a_configuration_is_refused(uri: str) -> None:
    assert not allows("ConfigUri", uri)


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("", True),
        ("ssm:/backup-audit/ca", True),
        ("s3://certificates/ca.pem", True),
        ("file:/etc/ca.pem", False),
        ("s3://certificates/*", False),
        ("env:", False),
        ("-----BEGIN CERTIFICATE-----", False),
    ],
)
def test_a_ca_lies_in_ssm_or_s3_or_is_public(uri: str, *, allowed: bool) -> None:
    assert allows("CaBundleUri", uri) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.sys.example.com", True),
        ("https://api.sys.example.com:8443/cf/", True),
        ("https://api.sys.example.com/v3", False),
        ("https://api.sys.example.com/v3/", False),
        ("https://api.sys.example.com/v3/cf", True),
        ("http://api.sys.example.com", False),
        ("https://user@api.sys.example.com", False),
        ("https://api.sys.example.com?x=1", False),
        ("https://", False),
    ],
)
def test_the_api_is_asked_over_https_only(url: str, *, allowed: bool) -> None:
    assert allows("CfApiUrl", url) is allowed


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        (SECRET, True),
        (SECRET.replace(":aws:", ":aws-us-gov:"), True),
        (SECRET.removesuffix("-AbCdEf"), False),
        ("backup-audit/api", False),
        (SECRET + "*", False),
    ],
)
def test_the_credentials_are_named_by_a_full_arn(arn: str, *, allowed: bool) -> None:
    assert allows("CfCredentialsSecretArn", arn) is allowed


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, []),
        ({"ConfigUri": "env:", "InstanceGuids": "a-guid"}, []),
        ({"ConfigUri": "env:"}, ["InstanceGuids"]),
        ({"InstanceGuids": "a-guid"}, ["InstanceGuids"]),
        ({"ExistingBucketName": "reports"}, []),
        ({"ExistingBucketName": "reports", "ReportExpirationDays": "30"}, ["ReportExpirationDays"]),
        ({"ExistingBucketName": "reports", "ReportLock": "GOVERNANCE:1"}, ["ReportLock"]),
        ({"ReportExpirationDays": "30", "ReportLock": "GOVERNANCE:1"}, []),
        ({"ScheduleExpression": "none"}, []),
        (
            {"ScheduleExpression": "none", "ScheduleExpressionTimezone": "Europe/Vienna"},
            ["ScheduleExpressionTimezone"],
        ),
        ({"ScheduleExpression": "none", "MissedRunHours": "27"}, ["MissedRunHours"]),
        ({"ScheduleExpressionTimezone": "Europe/Vienna", "MissedRunHours": "27"}, []),
    ],
    ids=str,
)
def test_a_combination_of_which_a_part_has_no_effect_is_refused(
    given: dict[str, str], refused: list[str]
) -> None:
    assert [said.split()[0] for said in TEMPLATE.refusals(**REQUIRED | given)] == refused


# Each parameter with a value of its own.
GIVEN = REQUIRED | {
    "CaBundleUri": "ssm:/ca",
    "ConfigUri": "s3://configurations/fleet.json",
    "InstanceGuids": "a-guid",
    "ScheduleExpression": "none",
    "ScheduleExpressionTimezone": "Europe/Vienna",
    "Mode": "map",
    "NotificationEmail": "ops@example.com",
    "RemindEvery": "7d",
    "DigestPerOwner": "true",
    "ChatTopic": "on",
    "RunbookUrl": "https://git.example.com/docs",
    "Foundation": "prod",
    "MissedRunHours": "27",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:111122223333:on-call",
    "ExistingBucketName": "reports",
    "ReportPrefix": "audits",
    "ReportExpirationDays": "30",
    "ReportLock": "COMPLIANCE:365",
    "LogRetentionDays": "365",
    "QueryTables": "on",
    "KmsKeyArn": KEY,
    "ReadKeyArns": f"{KEY},{KEY}2",
    "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/boundary",
    "Workers": "16",
    "RequestsPerSecond": "5",
    "ReadTimeoutSeconds": "10",
    "ProxyUrl": "http://proxy.example.com:3128",
    "VpcSubnetIds": "subnet-0a1b2c3d",
    "VpcSecurityGroupIds": "sg-0a1b2c3d",
}


@cache
def deployed_with(given: frozenset[str]) -> dict[str, Any]:
    """What there is if these are given, beside what is required; of two, in whatever order."""
    return TEMPLATE.deployed(**REQUIRED | {name: GIVEN[name] for name in given})


@pytest.mark.parametrize("other", GIVEN)
def test_whatever_else_is_given_a_parameter_has_an_effect_or_is_refused(other: str) -> None:
    beside = REQUIRED | {other: GIVEN[other]}
    without = deployed_with(frozenset({other}))

    idle = [
        name
        for name in GIVEN.keys() - beside.keys()
        if deployed_with(frozenset({other, name})) == without
    ]

    for name in idle:
        assert name in " ".join(TEMPLATE.refusals(**beside | {name: GIVEN[name]}))


def test_each_parameter_is_among_those() -> None:
    assert GIVEN.keys() == TEMPLATE.parameters.keys()
    assert len(GIVEN) <= 31  # what somebody would set in the first year


# ── Function and schedule ─────────────────────────────────────────────────────────────────────────


def test_the_handler_is_there() -> None:
    module, _, name = properties("AuditFunction")["Handler"].rpartition(".")

    assert callable(getattr(import_module(module), name))


def test_the_function_has_all_the_time_that_lambda_gives() -> None:
    assert properties("AuditFunction")["Timeout"] == 900


@pytest.mark.parametrize(
    ("mode", "target", "machine"),
    [("function", "<AuditFunction.Arn>", False), ("map", "<AuditStateMachine>", True)],
)
def test_the_one_schedule_starts_the_function_or_the_state_machine(
    mode: str, target: str, *, machine: bool
) -> None:
    there = TEMPLATE.deployed(**REQUIRED, Mode=mode)

    assert there["Schedule"]["Properties"]["Target"]["Arn"] == target
    assert ("AuditStateMachine" in there) is machine
    assert "Events" not in properties("AuditFunction") | properties("AuditStateMachine")
    assert [kind for one in TEMPLATE.resources.values() if "Schedule" in (kind := one["Type"])] == [
        "AWS::Scheduler::Schedule"
    ]


@pytest.mark.parametrize(
    ("expression", "allowed", "there"),
    [
        ("cron(7 5 * * ? *)", True, True),
        ("rate(1 hour)", True, True),
        ("none", True, False),
        ("", False, True),
        ("never", False, True),
    ],
)
def test_a_schedule_is_an_expression_or_none(
    expression: str, *, allowed: bool, there: bool
) -> None:
    assert allows("ScheduleExpression", expression) is allowed
    deployed = TEMPLATE.deployed(**REQUIRED, ScheduleExpression=expression)
    assert ({"Schedule", "ScheduleRole"} <= deployed.keys()) is there


def test_an_execution_ends_when_its_claim_does() -> None:
    text = Path(TEMPLATE.properties("AuditStateMachine")["DefinitionUri"]).read_text("utf-8")

    assert json.loads(text)["TimeoutSeconds"] == EXECUTION_LONGEST.total_seconds()


def test_the_steps_that_may_notify_get_the_executions_id_from_its_context() -> None:
    text = Path(TEMPLATE.properties("AuditStateMachine")["DefinitionUri"]).read_text("utf-8")
    states = json.loads(text)["States"]

    payloads = [states[name]["Parameters"]["Payload"] for name in ("Plan", "Conclude")]

    assert [payload["execution.$"] for payload in payloads] == ["$$.Execution.Id"] * 2


def test_the_state_machine_invokes_the_function_and_nothing_else() -> None:
    definition = TEMPLATE.properties("AuditStateMachine")
    text = Path(definition["DefinitionUri"]).read_text("utf-8")

    assert definition["DefinitionSubstitutions"] == {
        "FunctionArn": {"Fn::GetAtt": "AuditFunction.Arn"}
    }
    names = re.findall(r'"FunctionName": "([^"]+)"', text)
    assert names == ["${FunctionArn}"] * 3
    assert set(re.findall(r'"Resource": "([^"]+)"', text)) == {
        "arn:aws:states:::lambda:invoke",
        "arn:aws:states:::s3:getObject",
    }


def test_the_state_machine_may_read_plans_and_start_its_own_batches_only() -> None:
    own = f"arn:aws:states:{ACCOUNT}"
    allowed = {
        one["Sid"]: one["Resource"]
        for policy in properties("AuditStateMachineRole", ReportPrefix="audits")["Policies"]
        for one in policy["PolicyDocument"]["Statement"]
    }

    assert allowed == {
        "DoSteps": "<AuditFunction.Arn>",
        "ReadBatches": "arn:aws:s3:::<ReportBucket>/audits/plans/*",
        "StartBatches": f"{own}:stateMachine:backup-audit-audit",
        "FollowBatches": f"{own}:execution:backup-audit-audit/*",
    }
    assert properties("AuditStateMachine")["Name"] == "backup-audit-audit"


@pytest.mark.parametrize(
    ("mode", "started"),
    [
        ("function", ("lambda:InvokeFunction", "<AuditFunction.Arn>")),
        ("map", ("states:StartExecution", "<AuditStateMachine>")),
    ],
)
def test_the_schedule_may_start_what_it_starts_and_nothing_else(
    mode: str, started: tuple[str, str]
) -> None:
    [policy] = properties("ScheduleRole", Mode=mode)["Policies"]
    allowed = [(one["Action"], one["Resource"]) for one in policy["PolicyDocument"]["Statement"]]

    assert allowed == [started, ("sqs:SendMessage", "<FailedRunsQueue.Arn>")]
    assert properties("Schedule", Mode=mode)["Target"]["Arn"] == started[1]


def test_plans_are_forgotten_after_a_month() -> None:
    rules = properties("ReportBucket")["LifecycleConfiguration"]["Rules"]

    assert [rule["ExpirationInDays"] for rule in rules if "Prefix" in rule] == [30]
    assert [rule["Prefix"] for rule in rules if "Prefix" in rule] == ["backup-audit/plans/"]


def test_the_schedule_sends_an_event_that_the_function_understands() -> None:
    placeholder = "<aws.scheduler.scheduled-time>"
    sent = properties("Schedule")["Target"]["Input"]

    event = json.loads(sent.replace(placeholder, "2026-01-31T05:00:00Z"))
    request = parse_event(event, now=datetime(2026, 1, 31, 5, 0, 1, tzinfo=UTC))

    assert json.loads(sent) == {"scheduled_time": placeholder}
    assert request.scheduled_time == datetime(2026, 1, 31, 5, tzinfo=UTC)


def test_an_event_that_the_queue_gives_back_is_not_too_old_to_be_taken() -> None:
    kept = timedelta(seconds=properties("FailedRunsQueue")["MessageRetentionPeriod"])
    delivering = properties("Schedule")["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]
    retrying = properties("AuditFunction")["EventInvokeConfig"]["MaximumEventAgeInSeconds"]

    left = LATE_MAX - kept - timedelta(seconds=delivering + retrying)

    assert left >= timedelta(hours=12), "for a person to send it again"


def test_the_schedule_starts_on_the_dot_and_not_at_the_full_hour() -> None:
    minute = TEMPLATE.parameters["ScheduleExpression"]["Default"].removeprefix("cron(").split()[0]

    assert properties("Schedule")["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert 0 < int(minute) < 60


def test_a_run_that_fails_and_a_delivery_that_fails_end_in_the_queue() -> None:
    function = properties("AuditFunction")
    on_failure = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    dead_letters = properties("Schedule")["Target"]["DeadLetterConfig"]["Arn"]

    assert on_failure == {"Type": "SQS", "Destination": dead_letters}
    assert dead_letters == "<FailedRunsQueue.Arn>"
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 2


def test_neither_metrics_nor_the_secret_can_be_at_the_mercy_of_a_log_level() -> None:
    function = properties("AuditFunction")
    level = function["LoggingConfig"]["ApplicationLogLevel"]

    assert level == function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "INFO"


def test_without_subnets_the_function_is_in_no_network_of_ours() -> None:
    assert "VpcConfig" not in properties("AuditFunction")
    assert "ManagedPolicyArns" not in properties("AuditFunctionRole")


def test_with_subnets_the_function_is_in_them_and_may_be() -> None:
    network = {
        "VpcSubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
        "VpcSecurityGroupIds": "sg-0a1b2c3d",
    }

    function = properties("AuditFunction", **network)
    role = properties("AuditFunctionRole", **network)

    assert function["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    assert len(role["ManagedPolicyArns"]) == 1


# ── Permissions ───────────────────────────────────────────────────────────────────────────────────


def every_allowing_statement() -> Iterator[dict[str, Any]]:
    for part in walk(TEMPLATE.resources):
        if isinstance(part, dict) and part.get("Effect") == "Allow":
            yield part


def test_no_permission_is_for_every_resource_or_every_action() -> None:
    allowing = list(every_allowing_statement())

    actions = [action for part in allowing for action in as_list(part["Action"])]
    resources = [part["Resource"] for part in allowing if "Principal" not in part]

    assert len(resources) >= 10
    assert not [action for action in actions if "*" in action]
    assert "*" not in walk(resources)


def test_reports_are_read_and_written_below_the_prefix_only() -> None:
    kept = statement("AuditFunctionRole", "KeepReports", ReportPrefix="audits/prod")

    assert kept["Action"] == ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    assert kept["Resource"] == "arn:aws:s3:::<ReportBucket>/audits/prod/*"


def test_a_missing_report_can_be_told_from_a_forbidden_one() -> None:
    listing = statement("AuditFunctionRole", "TellMissingFromForbidden")

    assert listing["Action"] == "s3:ListBucket"
    assert listing["Resource"] == "arn:aws:s3:::<ReportBucket>"
    assert "Condition" not in listing  # on s3:prefix it would not hold for a GetObject


def test_the_bucket_may_be_asked_whether_it_keeps_versions() -> None:
    seeing = statement("AuditFunctionRole", "SeeVersioning", ExistingBucketName="reports")

    assert (seeing["Action"], seeing["Resource"]) == (
        "s3:GetBucketVersioning",
        "arn:aws:s3:::reports",
    )


def test_only_the_one_secret_can_be_read() -> None:
    assert statement("AuditFunctionRole", "ReadCredentials")["Resource"] == SECRET


@pytest.mark.parametrize(("uri", "action", "resource"), CONFIGURATION_PERMISSIONS)
def test_only_the_configuration_that_the_address_names_can_be_read(
    uri: str, action: str | list[str], resource: str
) -> None:
    reading = [
        part
        for part in statements("AuditFunctionRole", ConfigUri=uri)
        if part["Sid"].startswith("ReadConfiguration")
    ]

    assert [part["Action"] for part in reading] == [action]
    assert [part["Resource"] for part in reading] == [resource]


def test_guids_in_the_environment_need_no_permission() -> None:
    granted = sids("AuditFunctionRole", ConfigUri="env:")

    assert not [sid for sid in granted if sid.startswith("ReadConfiguration")]


@pytest.mark.parametrize(
    ("uri", "permissions"),
    [
        ("", []),
        ("ssm:/ca", [("ssm:GetParameter", f"arn:aws:ssm:{ACCOUNT}:parameter/ca")]),
        ("s3://certificates/ca.pem", [("s3:GetObject", "arn:aws:s3:::certificates/ca.pem")]),
    ],
)
def test_only_the_ca_that_the_address_names_can_be_read(
    uri: str, permissions: list[tuple[str, str]]
) -> None:
    granted = statements("AuditFunctionRole", CaBundleUri=uri)

    reading = [part for part in granted if part["Sid"].startswith("ReadCa")]

    assert [(part["Action"], part["Resource"]) for part in reading] == permissions


@pytest.mark.parametrize("role", ["AuditFunctionRole", "ScheduleRole", "AuditStateMachineRole"])
def test_a_role_may_use_the_key_only_if_there_is_one(role: str) -> None:
    assert "UseKey" not in sids(role)
    assert statement(role, "UseKey", KmsKeyArn=KEY)["Resource"] == KEY


OTHERS_KEY = KEY.replace("111122223333", "444455556666")


def test_the_keys_of_what_is_read_may_be_read_with_by_the_function_and_nothing_else() -> None:
    given = {"ReadKeyArns": f"{KEY},{OTHERS_KEY}"}

    reading = statement("AuditFunctionRole", "UseReadKeys", **given)

    assert (reading["Action"], reading["Resource"]) == ("kms:Decrypt", [KEY, OTHERS_KEY])
    assert "UseReadKeys" not in sids("AuditFunctionRole")
    changed = {
        name
        for name, resource in TEMPLATE.deployed(**REQUIRED, Mode="map", **given).items()
        if resource != TEMPLATE.deployed(**REQUIRED, Mode="map")[name]
    }
    assert changed == {"AuditFunctionRole"}


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [("", True), (KEY, True), (KEY.replace("key/", "alias/"), False), ("*", False)],
)
@pytest.mark.parametrize("parameter", ["KmsKeyArn", "ReadKeyArns"])
def test_a_key_is_named_by_its_arn(parameter: str, arn: str, *, allowed: bool) -> None:
    assert allows(parameter, arn) is allowed


BOUNDARY = "arn:aws:iam::111122223333:policy/teams/boundary"


def test_every_role_is_bounded_if_there_is_a_boundary() -> None:
    kinds = {name: one["Type"] for name, one in TEMPLATE.resources.items()}
    roles = [name for name, kind in kinds.items() if kind == "AWS::IAM::Role"]

    bounded = {name: properties(name, PermissionsBoundaryArn=BOUNDARY) for name in roles}

    assert len(roles) == 3
    assert {role["PermissionsBoundary"] for role in bounded.values()} == {BOUNDARY}
    assert not [name for name in roles if "PermissionsBoundary" in properties(name)]
    # SAM makes a role for each of these that has none of ours.
    assert all(
        "Role" in properties(name) for name, kind in kinds.items() if "::Serverless::" in kind
    )


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("", True),
        (BOUNDARY, True),
        ("arn:aws:iam::aws:policy/PowerUserAccess", True),
        ("arn:aws-us-gov:iam::111122223333:policy/boundary", True),
        ("boundary", False),
        ("arn:aws:iam::111122223333:role/boundary", False),
    ],
)
def test_a_boundary_is_named_by_the_arn_of_a_policy(arn: str, *, allowed: bool) -> None:
    assert allows("PermissionsBoundaryArn", arn) is allowed


# ── What a run leaves behind ──────────────────────────────────────────────────────────────────────


def test_the_bucket_is_versioned_and_private() -> None:
    bucket = properties("ReportBucket")

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


KEPT = [
    *("ReportBucket", "ReportBucketPolicy", "LogGroup"),
    *("Topic", "EventsTopic", "TopicForChat", "AlarmTopic"),
]


@pytest.mark.parametrize("resource", KEPT)
def test_what_lasts_outlives_the_stack_but_not_a_first_deployment_that_fails(resource: str) -> None:
    assert TEMPLATE.resources[resource]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert TEMPLATE.resources[resource]["UpdateReplacePolicy"] == "Retain"


def test_nothing_else_outlives_the_stack() -> None:
    kept = [name for name, one in TEMPLATE.resources.items() if "DeletionPolicy" in one]

    assert sorted(kept) == sorted(KEPT)


@pytest.mark.parametrize("resource", KEPT)
def test_what_outlives_the_stack_has_no_name_at_which_the_next_one_would_stop(
    resource: str,
) -> None:
    assert not {"BucketName", "LogGroupName", "TopicName"} & properties(resource).keys()


def test_a_bucket_that_is_given_is_not_the_stacks_but_used_as_its_own_would_be() -> None:
    own = TEMPLATE.deployed(**REQUIRED, Mode="map")

    given = TEMPLATE.deployed(**REQUIRED, Mode="map", ExistingBucketName="reports-of-before")

    assert own.keys() - given.keys() == {"ReportBucket", "ReportBucketPolicy"}
    assert "<ReportBucket" not in json.dumps(given)
    for name, part in given.items():
        assert json.dumps(part) == json.dumps(own[name]).replace(
            "<ReportBucket>", "reports-of-before"
        )


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("", True),
        ("abc", True),
        ("ab", False),
        ("a" * 63, True),
        ("a" * 64, False),
        ("reports.example.com", True),
        ("Reports", False),
        ("s3://reports", False),
        ("reports/*", False),
    ],
)
def test_a_bucket_is_named_by_its_name(name: str, *, allowed: bool) -> None:
    assert allows("ExistingBucketName", name) is allowed


@pytest.mark.parametrize(
    ("key", "encryption"),
    [
        ("", {"SSEAlgorithm": "AES256"}),
        (KEY, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}),
    ],
)
def test_the_bucket_is_encrypted(key: str, encryption: dict[str, str]) -> None:
    bucket = properties("ReportBucket", KmsKeyArn=key)

    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"] == encryption


@pytest.mark.parametrize(("days", "expiring"), [("0", []), ("1", ["1"]), ("400", ["400"])])
def test_reports_expire_after_their_days_and_never_at_zero(days: str, expiring: list[str]) -> None:
    rules = properties("ReportBucket", ReportExpirationDays=days)["LifecycleConfiguration"]["Rules"]

    everything = [rule for rule in rules if "Prefix" not in rule]
    assert [
        rule["ExpirationInDays"] for rule in everything if "ExpirationInDays" in rule
    ] == expiring
    assert [rule for rule in rules if "NoncurrentVersionExpiration" in rule]
    assert [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
@pytest.mark.parametrize("days", ["1", "400"])
def test_reports_are_locked_for_their_days(days: str, mode: str) -> None:
    bucket = properties("ReportBucket", ReportLock=f"{mode}:{days}")

    retention = {"Mode": mode, "Days": days}
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"] == {"DefaultRetention": retention}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_reports_are_not_locked_unless_asked_for() -> None:
    bucket = properties("ReportBucket")

    assert not {"ObjectLockEnabled", "ObjectLockConfiguration"} & set(bucket)


@pytest.mark.parametrize(
    ("lock", "allowed"),
    [
        ("none", True),
        ("GOVERNANCE:90", True),
        ("COMPLIANCE:365", True),
        ("GOVERNANCE:0", False),
        ("GOVERNANCE:1", True),
        ("GOVERNANCE:9999", True),
        ("GOVERNANCE:10000", True),
        ("GOVERNANCE:36500", True),
        ("GOVERNANCE:36501", False),
        ("GOVERNANCE:37000", False),
        ("GOVERNANCE", False),
        ("COMPLIANCE:", False),
        ("governance:90", False),
        ("90", False),
        ("", False),
    ],
)
def test_a_lock_is_a_mode_with_its_days_or_none(lock: str, *, allowed: bool) -> None:
    assert allows("ReportLock", lock) is allowed


@pytest.mark.parametrize(
    ("policy", "action", "resources"),
    [
        ("ReportBucketPolicy", "s3:*", ["<ReportBucket.Arn>", "<ReportBucket.Arn>/*"]),
        ("TopicPolicy", "sns:Publish", ["<Topic>"]),
        ("EventsTopicPolicy", "sns:Publish", ["<EventsTopic>"]),
        ("ChatTopicPolicy", "sns:Publish", ["<TopicForChat>"]),
        ("AlarmTopicPolicy", "sns:Publish", ["<AlarmTopic>"]),
        ("FailedRunsQueuePolicy", "sqs:*", ["<FailedRunsQueue.Arn>"]),
    ],
)
def test_nothing_is_reachable_without_tls(policy: str, action: str, resources: list[str]) -> None:
    refusal = statement(policy, "TlsOnly")

    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", action)
    assert as_list(refusal["Resource"]) == resources
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("topic", TOPICS.values())
@pytest.mark.parametrize(("key", "used"), [("", "alias/aws/sns"), (KEY, KEY)])
def test_a_topic_is_encrypted(topic: str, key: str, used: str) -> None:
    assert properties(topic, KmsKeyArn=key)["KmsMasterKeyId"] == used


OF_CHAT = {"TopicForChat", "ChatTopicPolicy", "ChatTopicArn"}


def test_a_topic_for_chat_is_there_if_it_is_asked_for() -> None:
    without, with_it = (TEMPLATE.deployed(**REQUIRED, ChatTopic=given) for given in ("off", "on"))

    assert with_it.keys() - without.keys() == OF_CHAT
    assert "<TopicForChat>" not in json.dumps(without)
    assert environment()["CHAT_TOPIC_ARN"] == ""


@pytest.mark.parametrize(
    ("chat", "topics"),
    [
        ("off", ["<Topic>", "<EventsTopic>"]),
        ("on", ["<Topic>", "<EventsTopic>", "<TopicForChat>"]),
    ],
)
def test_the_function_may_publish_to_its_topics_and_count_their_subscribers_and_nothing_else(
    chat: str, topics: list[str]
) -> None:
    granted = statements("AuditFunctionRole", ChatTopic=chat)

    [of_sns] = [one for one in granted if "sns:" in json.dumps(one["Action"])]

    assert of_sns["Action"] == ["sns:Publish", "sns:GetTopicAttributes"]
    assert of_sns["Resource"] == topics


@pytest.mark.parametrize("chat", ["off", "on"])
def test_each_topic_is_an_output_and_a_variable(chat: str) -> None:
    there = TEMPLATE.deployed(**REQUIRED, ChatTopic=chat)
    variables = TEMPLATE.resolved(TEMPLATE.variables, **REQUIRED, ChatTopic=chat)

    outputs = {name: part["Value"] for name, part in there.items() if name.endswith("TopicArn")}
    del outputs["AlarmTopicArn"]
    set_ones = {variables[name] for name in TOPICS if variables[name]}
    assert (
        set_ones
        == set(outputs.values())
        == {f"<{name}>" for name in TOPICS.values() if name in there}
    )


def test_the_queue_and_the_log_are_encrypted_with_our_key_if_there_is_one() -> None:
    assert properties("FailedRunsQueue")["SqsManagedSseEnabled"] is True
    assert properties("FailedRunsQueue", KmsKeyArn=KEY)["KmsMasterKeyId"] == KEY
    assert "SqsManagedSseEnabled" not in properties("FailedRunsQueue", KmsKeyArn=KEY)
    assert properties("LogGroup", KmsKeyArn=KEY)["KmsKeyId"] == KEY


def test_an_address_is_subscribed_only_if_there_is_one() -> None:
    condition = {"Condition": TEMPLATE.resources["EmailSubscription"]["Condition"]}

    assert TEMPLATE.resolved(condition, NotificationEmail="") is False
    assert TEMPLATE.resolved(condition, NotificationEmail="ops@example.com") is True
