"""Alarms, dashboard and saved queries: that they watch what there is, and ring when they should."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable
from backup_audit.judge.verdict import Verdict
from backup_audit.plan import BATCH_LONGEST
from backup_audit.report.drift import InventoryRecord, Unaudited
from backup_audit.telemetry import METRICS, NAMESPACE, PowertoolsTelemetry
from tests.doubles.builders import NOW, finding, inventory
from tests.doubles.cloudwatch import Alarm, Datapoint, Metric, State, emitted
from tests.doubles.reports import stored
from tools.template import Template

TEMPLATE = Template.read()
FUNCTION = "<AuditFunction>"  # what its name resolves to in the template

ALARMS = [
    name
    for name, resource in TEMPLATE.resources.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
]
QUERIES = [
    name
    for name, resource in TEMPLATE.resources.items()
    if resource["Type"] == "AWS::Logs::QueryDefinition"
]
OF_AWS = {
    ("AWS/Lambda", "Duration", "FunctionName"),
    ("AWS/Lambda", "Throttles", "FunctionName"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/States", "ExecutionsFailed", "StateMachineArn"),
}
INVENTORY = inventory(unaudited=Unaudited(count=1, new=0, by_offering={}, instances=[]))
T = datetime(2026, 1, 31, 5, 4, 37, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OK, RINGS = State.OK, State.ALARM


def properties(resource: str, **given: str) -> Any:  # noqa: ANN401
    return TEMPLATE.resolved(TEMPLATE.properties(resource), **given)


def alarm(name: str, *, extra: int = 2, **given: str) -> Alarm:
    return Alarm(properties(name, **given), extra=extra)


def exists(resource: str, **given: str) -> bool:
    condition = TEMPLATE.resources[resource].get("Condition")
    return condition is None or TEMPLATE.resolved({"Condition": condition}, **given)


def metrics_of_the_dashboard() -> Iterator[tuple[Metric, str]]:
    """Its metrics, each with its statistic."""
    for widget in dashboard()["widgets"]:
        before: list[str] = []
        for row in widget["properties"].get("metrics", []):
            texts = [part for part in row if isinstance(part, str)]
            if texts:
                before = (
                    [old if new == "." else new for new, old in zip(texts, before, strict=True)]
                    if before
                    else texts
                )
                namespace, name, *pairs = before
                dimensions = frozenset(zip(pairs[::2], pairs[1::2], strict=True))
                [own] = [part for part in row if isinstance(part, dict)]
                stat = own.get("stat", widget["properties"]["stat"])
                yield Metric(namespace, name, dimensions), stat


def dashboard(**given: str) -> Any:  # noqa: ANN401
    return json.loads(properties("Dashboard", **given)["DashboardBody"])


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every kind of line that the function prints."""
    clock = iter([0.0, 9.0, 9.0])
    telemetry = PowertoolsTelemetry("invocation-1", FUNCTION, lambda: next(clock))
    telemetry.identified("20260131T050000Z")
    telemetry.surveyed(INVENTORY)
    telemetry.started(2)
    telemetry.progressed(1, 2)
    telemetry.warned("something")
    telemetry.reported(stored([finding()], inventory=INVENTORY).head, messages_sent=1)
    telemetry.failed(ApiUnreachable("down"), "test")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# ── What is watched ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def emitted_metrics(logged: list[dict[str, Any]]) -> set[Metric]:
    lines = "\n".join(json.dumps(line) for line in logged)
    return {point.metric for point in emitted(lines)}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_a_metric_that_there_is(name: str, emitted_metrics: set[Metric]) -> None:
    for watched in alarm(name).metrics:
        [*names] = [key for key, _ in watched.dimensions]
        assert watched in emitted_metrics or (watched.namespace, watched.name, *names) in OF_AWS


def test_the_dashboard_shows_metrics_that_there_are(emitted_metrics: set[Metric]) -> None:
    shown = {metric for metric, _ in metrics_of_the_dashboard()}

    assert shown <= emitted_metrics
    assert {metric.name for metric in shown} == {metric.name for metric in METRICS}


def test_every_metric_is_emitted_once_by_function(emitted_metrics: set[Metric]) -> None:
    dimensions = frozenset({("service", "backup-audit"), ("function_name", FUNCTION)})

    assert emitted_metrics == {Metric(NAMESPACE, one.name, dimensions) for one in METRICS}


@pytest.mark.parametrize(
    ("inventory", "unaudited", "age"),
    [
        (None, None, None),
        (INVENTORY, 1, 0.0),
        (msgspec.structs.replace(INVENTORY, read_at=NOW - 49.5 * HOUR), 1, 49.5),
        (msgspec.structs.replace(INVENTORY, read_at=None, unaudited=None), None, None),
    ],
)
def test_of_an_inventory_that_is_not_known_nothing_is_measured(
    inventory: InventoryRecord | None, unaudited: int | None, age: float | None
) -> None:
    report = stored([finding()], inventory=inventory).head

    measured = {metric.name: metric.value(report) for metric in METRICS}

    assert measured["InstancesUnaudited"] == unaudited
    assert measured["InventoryAgeHours"] == age


def test_a_failure_is_counted_for_the_alarm_where_no_foundation_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    PowertoolsTelemetry("invocation-1", FUNCTION).failed(ApiUnreachable("down"), None)

    counted = {point.metric for point in emitted(capsys.readouterr().out)}
    assert alarm("FailedRun").metric in counted


def test_a_page_that_failed_rings_although_the_run_is_reported_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = PowertoolsTelemetry("invocation-1", FUNCTION)
    telemetry.page_failed(ValueError("no words"))
    telemetry.reported(stored([finding()]).head, messages_sent=1)

    watched = alarm("PageFailed").metric
    points = [one for one in emitted(capsys.readouterr().out) if one.metric == watched]
    assert [one.value for one in points] == [1]


def test_verdicts_are_stacked_worst_first_and_add_up() -> None:
    [stacked] = [w["properties"] for w in dashboard()["widgets"] if w["properties"].get("stacked")]
    names = [m.name for m, stat in metrics_of_the_dashboard() if stat == "Average"]

    assert stacked["stat"] == "Average"
    assert names == ["Instances" + v.title().replace("_", "") for v in Verdict]


def test_an_age_is_shown_in_hours() -> None:
    [widget] = [w for w in dashboard()["widgets"] if "Age" in w["properties"]["title"]]
    expression, age = widget["properties"]["metrics"]

    assert expression == [{"id": "hours", "expression": "seconds / 3600", "label": "hours"}]
    assert age[-1] == {"id": "seconds", "visible": False}


@pytest.mark.parametrize("expression", ["rate(1 day)", "none"])
@pytest.mark.parametrize("mode", ["function", "map"])
def test_the_dashboard_shows_the_state_of_every_alarm_there_is(expression: str, mode: str) -> None:
    given = {"ScheduleExpression": expression, "Mode": mode}

    shown = dashboard(**given)["widgets"][0]["properties"]["alarms"]

    assert sorted(shown) == sorted(f"<{name}.Arn>" for name in ALARMS if exists(name, **given))


def test_the_widgets_of_the_dashboard_do_not_overlap() -> None:
    fields = [
        (x, y)
        for widget in dashboard()["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(fields) == len(set(fields))
    assert max(x for x, _ in fields) == 23


# ── Who hears of it ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_called_by_its_name_and_says_where_to_read_on(name: str) -> None:
    described = properties(name)

    assert described["AlarmName"] == f"backup-audit-{name}"
    assert described["AlarmDescription"].endswith(f". docs/runbook.md#{name.lower()}")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_leads_to_the_address_of_the_pages_if_there_is_one(name: str) -> None:
    address = "https://git.example.com/backup-audit/docs"
    plain = properties(name)["AlarmDescription"]

    described = properties(name, RunbookUrl=address)["AlarmDescription"]

    assert described == plain.replace(" docs/", f" {address}/")
    assert len(described) <= 1024


OTHER_TOPIC = "arn:aws:sns:us-east-1:111122223333:on-call"


@pytest.mark.parametrize("name", ALARMS)
@pytest.mark.parametrize(("topic", "rings"), [("", "<AlarmTopic>"), (OTHER_TOPIC, OTHER_TOPIC)])
def test_an_alarm_and_its_end_are_heard_whether_or_not_a_topic_is_given(
    name: str, topic: str, rings: str
) -> None:
    described = properties(name, AlarmTopicArn=topic)

    assert described["AlarmActions"] == described["OKActions"] == [rings]
    assert exists("AlarmTopic", AlarmTopicArn=topic) is (topic == "")


@pytest.mark.parametrize(
    ("email", "topic", "subscribed"),
    [
        ("ops@example.com", "", True),
        ("ops@example.com", OTHER_TOPIC, False),
        ("", "", False),
    ],
)
def test_whoever_gets_the_digests_by_email_gets_the_alarms_too(
    email: str, topic: str, *, subscribed: bool
) -> None:
    given = {"NotificationEmail": email, "AlarmTopicArn": topic}

    assert exists("AlarmEmailSubscription", **given) is subscribed


@pytest.mark.parametrize("key", ["", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"])
def test_cloudwatch_may_publish_to_the_stacks_topic(key: str) -> None:
    ring, _ = properties("AlarmTopicPolicy")["PolicyDocument"]["Statement"]

    assert "KmsMasterKeyId" not in properties("AlarmTopic", KmsKeyArn=key)
    assert ring["Effect"] == "Allow"
    assert ring["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (ring["Action"], ring["Resource"]) == ("sns:Publish", "<AlarmTopic>")
    assert ring["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("", True),
        (OTHER_TOPIC, True),
        (OTHER_TOPIC + ".fifo", False),  # alarms cannot publish there
        ("on-call", False),
    ],
)
def test_the_topic_for_alarms_is_named_by_its_arn(arn: str, *, allowed: bool) -> None:
    pattern = TEMPLATE.parameters["AlarmTopicArn"]["AllowedPattern"]

    assert (re.fullmatch(pattern, arn) is not None) is allowed


def test_a_stack_without_a_schedule_misses_no_run() -> None:
    assert exists("MissedRun", ScheduleExpression="rate(1 day)")
    assert not exists("MissedRun", ScheduleExpression="none")


# ── When it rings ─────────────────────────────────────────────────────────────────────────────────


def state(
    name: str, values: dict[datetime, float], until: datetime, *, extra: int = 2, **given: str
) -> State:
    """The state of an alarm, watched for an hour before the first of these values."""
    watching = alarm(name, extra=extra, **given)
    points = [Datapoint(watching.metric, at, value) for at, value in values.items()]
    return watching.watched(points, min(values, default=until) - HOUR, until)


THRESHOLDS = [
    ("FailedRun", 0, OK),
    ("FailedRun", 1, RINGS),
    ("FailedRun", 2, RINGS),
    ("PageFailed", 0, OK),
    ("PageFailed", 1, RINGS),
    ("PageFailed", 2, RINGS),
    ("IncompleteRun", 0, OK),
    ("IncompleteRun", 1, RINGS),
    ("NobodySubscribed", 0, OK),
    ("NobodySubscribed", 1, RINGS),
    ("NobodySubscribed", 3, RINGS),
    ("InventoryOld", 0, OK),
    ("InventoryOld", 48, OK),
    ("InventoryOld", 48.01, RINGS),
    ("FailedRunsQueueNotEmpty", 0, OK),
    ("FailedRunsQueueNotEmpty", 1, RINGS),
    ("FailedRunsQueueNotEmpty", 2, RINGS),
    ("Throttled", 0, OK),
    ("Throttled", 1, RINGS),
    ("Throttled", 2, RINGS),
    ("NearTimeout", 779_999, OK),
    ("NearTimeout", 780_000, OK),
    ("NearTimeout", 780_001, RINGS),
    ("FailedExecution", 0, OK),
    ("FailedExecution", 1, RINGS),
    ("FailedExecution", 2, RINGS),
]


@pytest.mark.parametrize("extra", [0, 1, 5])
@pytest.mark.parametrize(("name", "value", "expected"), THRESHOLDS)
def test_an_alarm_rings_at_its_threshold(
    name: str, value: float, expected: State, extra: int
) -> None:
    assert state(name, {T: value}, T + 2 * MINUTE, extra=extra) is expected


def test_each_alarm_has_its_threshold_tested() -> None:
    assert {name for name, *_ in THRESHOLDS} == set(ALARMS) - {"MissedRun", "CoverageLow"}


@pytest.mark.parametrize("extra", [0, 1, 5])
@pytest.mark.parametrize(
    ("coverage", "still_unknown", "expected"),
    [
        (100, 0, OK),
        (90, 0, OK),
        (89.99, 0, RINGS),
        (0, 0, RINGS),
        (99.99, 1, RINGS),
        (99.99, 2, RINGS),
        (50, 50, RINGS),
    ],
)
def test_coverage_is_low_below_nine_tenths_or_where_an_instance_is_unknown_twice(
    coverage: float, still_unknown: float, expected: State, extra: int
) -> None:
    watching = alarm("CoverageLow", extra=extra)
    values = {"Coverage": coverage, "InstancesStillUnknown": still_unknown}
    points = [Datapoint(metric, T, values[metric.name]) for metric in watching.metrics]

    assert watching.watched(points, T - HOUR, T + 2 * MINUTE) is expected
    assert watching.watched(points, T - HOUR, T + timedelta(days=1)) is expected


@pytest.mark.parametrize(
    "name", ["FailedRun", "IncompleteRun", "PageFailed", "InventoryOld", "NearTimeout"]
)
def test_what_the_last_run_said_holds_until_the_next_says_otherwise(name: str) -> None:
    bad = {"NearTimeout": 900_000, "InventoryOld": 49}.get(name, 1)
    next_day = T + timedelta(days=1)

    assert state(name, {T: bad}, next_day) is RINGS
    assert state(name, {T: bad, next_day: 0}, next_day + 2 * HOUR) is OK
    assert state(name, {T: 0, next_day: bad}, next_day + 2 * MINUTE) is RINGS


@pytest.mark.parametrize("name", ["FailedRunsQueueNotEmpty", "Throttled", "FailedExecution"])
def test_what_is_over_is_over(name: str) -> None:
    assert state(name, {T: 1}, T + HOUR) is OK


def test_before_the_first_run_nothing_is_said_but_that_none_came() -> None:
    first = {name: state(name, {}, T) for name in ALARMS}

    assert {name for name, at_first in first.items() if at_first is RINGS} == {"MissedRun"}
    assert first["FailedRun"] is State.INSUFFICIENT_DATA


def test_each_alarm_announces_itself_once_after_the_first_deployment() -> None:
    """As docs/operate.md says: a change to OK is said, and each begins without data."""
    by_itself = {name for name in ALARMS if state(name, {}, T) is OK}

    assert by_itself == {"FailedRunsQueueNotEmpty", "Throttled", "FailedExecution"}
    for name in ALARMS:
        good = 1.0 if name == "MissedRun" else 100.0 if name == "CoverageLow" else 0.0
        points = [Datapoint(metric, T, good) for metric in alarm(name).metrics[:1]]
        points += [Datapoint(metric, T, 0.0) for metric in alarm(name).metrics[1:]]
        assert alarm(name).watched(points, T - HOUR, T + HOUR) is OK


def test_a_duration_counts_although_it_bears_the_time_of_the_start() -> None:
    timeout = timedelta(seconds=properties("AuditFunction")["Timeout"])
    watching = alarm("NearTimeout", extra=0)
    point = Datapoint(watching.metric, T, timeout / timedelta(milliseconds=1))

    assert (
        watching.watched([point], since=T + timeout + MINUTE, until=T + timeout + MINUTE) is RINGS
    )


def test_near_the_timeout_is_nearer_than_a_batch_may_come() -> None:
    limit = properties("NearTimeout")["Threshold"] / 1000

    assert limit == BATCH_LONGEST.total_seconds()
    assert limit < properties("AuditFunction")["Timeout"]


# ── A missed run ──────────────────────────────────────────────────────────────────────────────────

# 26 hours are more than a day, and so the alarm looks at whole hours only: at 05:00 to 06:00 as
# long as its window begins at 05:00, which ends at 07:59 of the next day.
END = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("extra", [0, 2, 10])
@pytest.mark.parametrize(
    ("until", "expected"), [(END - MINUTE, OK), (END, RINGS), (END + MINUTE, RINGS)]
)
def test_a_day_without_a_run_rings_at_the_hour(
    until: datetime, expected: State, extra: int
) -> None:
    assert state("MissedRun", {T: 1}, until, extra=extra) is expected


@pytest.mark.parametrize("extra", [0, 2, 10])
@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(minutes=119), OK),
        (timedelta(minutes=120), OK),
        (timedelta(minutes=121), RINGS),
    ],
)
def test_two_hours_without_a_run_ring_at_the_minute(
    after: timedelta, expected: State, extra: int
) -> None:
    given = {"MissedRunHours": "2"}

    assert state("MissedRun", {T: 1}, T + after, extra=extra, **given) is expected


def test_a_run_a_day_never_rings_even_if_it_is_late_sometimes() -> None:
    days = {T + timedelta(days=day, minutes=55 * (day % 2)): 1.0 for day in range(8)}

    for day in range(1, 8):
        assert state("MissedRun", days, T + timedelta(days=day, hours=1)) is OK


def test_the_next_run_ends_the_alarm() -> None:
    late = T + 30 * HOUR

    assert state("MissedRun", {T: 1, late: 1}, late) is RINGS
    assert state("MissedRun", {T: 1, late: 1}, late + HOUR) is OK


@pytest.mark.parametrize("hours", ["1", "24", "25", "168"])
def test_every_window_that_is_allowed_is_as_long_as_it_says(hours: str) -> None:
    window = int(hours) * HOUR

    assert state("MissedRun", {T: 1}, T + window - MINUTE, MissedRunHours=hours) is OK
    assert state("MissedRun", {T: 1}, T + window + HOUR, MissedRunHours=hours) is RINGS


def test_the_longest_window_is_the_longest_that_cloudwatch_takes() -> None:
    limits = TEMPLATE.parameters["MissedRunHours"]

    longest = alarm("MissedRun", MissedRunHours=str(limits["MaxValue"]))
    assert longest.period * longest.evaluated == timedelta(days=7)
    assert limits["MinValue"] == 1


def test_the_default_window_has_slack_for_a_daily_schedule() -> None:
    day = timedelta(days=1)
    timeout = timedelta(seconds=properties("AuditFunction")["Timeout"])

    assert TEMPLATE.parameters["ScheduleExpression"]["Default"].startswith("cron(7 5 * * ? *)")
    window = timedelta(hours=TEMPLATE.parameters["MissedRunHours"]["Default"])
    assert window > day + timeout


# ── Saved queries ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_the_functions_log_for_what_it_logs(
    name: str, logged: list[dict[str, Any]]
) -> None:
    query = properties(name)
    shown, *commands = query["QueryString"].strip().split("\n| ")
    fields = set(shown.removeprefix("fields ").split(", "))
    known = {field for line in logged for field in line}

    assert query["LogGroupNames"] == ["<LogGroup>"]
    assert query["Name"].startswith("backup-audit/")
    assert {field for field in fields if field[0] != "@"} <= known | _OF_LAMBDA
    assert [command.split()[0] for command in commands] == ["filter", "sort", "limit"]


# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
_OF_LAMBDA = {
    "type",
    "record.requestId",
    "record.status",
    "record.errorType",
    "record.metrics.durationMs",
    "record.metrics.maxMemoryUsedMB",
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("FailedRunsQuery", {"audit failed"}),
        ("SlowestRunsQuery", {"audit finished"}),
        ("WarningsQuery", {"something"}),
        (
            "RunProgressQuery",
            {
                "inventory read",
                "audit started",
                "audit in progress",
                "something",
                "audit finished",
                "audit failed",
            },
        ),
        ("FailedInvocationsQuery", set()),
    ],
)
def test_a_query_finds_its_lines(name: str, found: set[str], logged: list[dict[str, Any]]) -> None:
    conditions = re.findall(r'([\w.]+) = "([^"]+)"', properties(name)["QueryString"])

    matching = [line for line in logged if all(line.get(key) == text for key, text in conditions)]

    assert conditions
    assert {line["message"] for line in matching} == found


# ── The evaluation itself ─────────────────────────────────────────────────────────────────────────

# The tables in CloudWatch's documentation: of five periods 0 does not breach, X does, - is missing.
# Then the state if missing data breach, and if they do not.
DOCUMENTED = [
    (3, "0-X-X", OK, OK),
    (3, "0----", OK, OK),
    (3, "-----", RINGS, OK),
    (3, "0XX-X", RINGS, RINGS),
    (3, "--X--", RINGS, OK),
    (2, "0-X-X", RINGS, RINGS),
    (2, "00X0X", RINGS, RINGS),
    (2, "0-X--", RINGS, OK),
    (2, "----0", RINGS, OK),
]


@pytest.mark.parametrize(("needed", "data", "breaching", "not_breaching"), DOCUMENTED)
def test_the_evaluation_is_the_documented_one(
    needed: int, data: str, breaching: State, not_breaching: State
) -> None:
    end = datetime(2026, 1, 31, 5, 25, tzinfo=UTC)
    shape = {
        "Namespace": "N",
        "MetricName": "M",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": needed,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
    }

    def judged(missing: str) -> State:
        watching = Alarm(shape | {"TreatMissingData": missing}, extra=2)
        points = [
            Datapoint(watching.metric, end - (5 - index) * 5 * MINUTE, float(text == "X"))
            for index, text in enumerate(data)
            if text != "-"
        ]
        return watching.watched(points, end, end)

    assert (judged("breaching"), judged("notBreaching")) == (breaching, not_breaching)
