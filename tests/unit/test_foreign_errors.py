"""An error that is none of ours, wherever it arises: logged, counted, notified, raised again."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from backup_audit import handler as entry
from backup_audit.errors import (
    AuditError,
    ConfigurationUnavailable,
    InvalidEvent,
    InvalidSettings,
    NotificationFailed,
    ReportStoreFailed,
)
from backup_audit.notify.message import Message
from backup_audit.notify.progress import BatchResult
from backup_audit.report.store import StoredObject
from backup_audit.telemetry import PowertoolsTelemetry
from tests.doubles.builders import NOW, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    ScriptedApi,
)
from tests.doubles.some import rest

CANARY = "canary-secret"
DUE = datetime.now(UTC)
RUN_ID = f"{DUE:%Y%m%dT%H%M%SZ}"
URL = f"https://aws.example.com/{CANARY}"
FOREIGN: list[Exception] = [
    AttributeError(CANARY),
    KeyError(CANARY),
    MemoryError(CANARY),
    OSError(CANARY),
    RuntimeError(CANARY),
    UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
    ReadTimeoutError(endpoint_url=URL),
    ConnectionClosedError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    ResponseStreamingError(error=CANARY),
    ClientError({"Error": {"Code": "Boom", "Message": CANARY}}, "GetObject"),
]
ENVIRONMENT = {
    "CF_API_URL": "https://api.example.com",
    "CF_CREDENTIALS_SECRET": "api",
    "CONFIG_URI": "ssm:/test",
    "REPORT_BUCKET": "reports",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:backup-audit",
    "FOUNDATION": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "audit",
}
SCHEDULED = {"scheduled_time": f"{DUE:%Y-%m-%dT%H:%M:%SZ}"}
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:audit:day-1"
PLAN = {"step": "plan", "event": SCHEDULED, "execution": EXECUTION}
PLAN_KEY = f"backup-audit/plans/dt={DUE:%Y-%m-%d}/run={RUN_ID}/plan.json"
BATCH = {"step": "audit_batch", "plan_key": PLAN_KEY, "batch": 0}
CONCLUDE = {"step": "conclude", "plan_key": PLAN_KEY, "execution": EXECUTION}


class Context:
    aws_request_id = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class World:
    """The function over fakes; `errors` says what raises what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: dict[str, Exception] = {}
        self.store = _Store(self)
        self.notifier = _Notifier(self)
        self.published = self.notifier.messages
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(entry, "store_of", lambda _: self.store)
        monkeypatch.setattr(entry, "notifier_of", lambda _: self.notifier)
        monkeypatch.setattr(entry, "AwsEdges", self._edges)
        for name in ("parse_event", "plan_run", "read_settings"):
            monkeypatch.setattr(entry, name, self._around(name, getattr(entry, name)))

    def point(self, name: str) -> None:
        """Raise here if so wished."""
        if name in self.errors:
            raise self.errors[name]

    def _around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: object) -> object:
            self.point(name)
            return function(*arguments)

        return called

    def _edges(self, _settings: object, telemetry: Any, _deadline: object) -> FakeEdges:  # noqa: ANN401
        return _Edges(
            world=self,
            source=_Source(self),
            api=ScriptedApi({"a": a_list(3), "b": a_list(50)}, before_each=self._asked),
            store=self.store,
            notifier=self.notifier,
            heartbeat=_Heartbeat(self),
            telemetry=telemetry,
            at=NOW,
        )

    def _asked(self, _guid: str) -> None:
        self.point("ask")


class _Edges(FakeEdges):
    def __init__(self, *, world: World, **ports: Any) -> None:  # noqa: ANN401
        super().__init__(**ports)
        self._world = world

    def now(self) -> datetime:
        self._world.point("now")
        return super().now()

    def _read_secret(self) -> None:
        self._world.point("secret")


class _Source(FixedSource):
    def __init__(self, world: World) -> None:
        super().__init__(json.dumps({"instances": ["a", "b"]}).encode())
        self._world = world

    def read(self) -> bytes:
        self._world.point("source")
        return super().read()


class _Store(InMemoryStore):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def get(self, key: str) -> StoredObject | None:
        self._world.point(f"get {key.rsplit('/', 1)[1]}")
        return super().get(key)

    def put_new(self, key: str, body: bytes) -> bool:
        self._world.point(f"put {key.rsplit('/', 1)[1]}")
        return super().put_new(key, body)


class _Notifier(RecordingNotifier):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        self._world.point("publish")
        return super().publish(messages, took)


class _Heartbeat(CountingHeartbeat):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def beat(self) -> None:
        self._world.point("beat")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


# What each step does, one point of each kind: before the settings are read, and after.
_COMMITS = (
    "put findings.csv, put report.json, put manifest.json, put latest.json, "
    "put notified-people.json"
)
_CLAIMS = "parse_event, plan_run, read_settings, now, get running.json, put running.json"
_PLANS = "get plan.json, get latest.json, source, put batch-00000.jsonl, put plan.json"
POINTS = {
    "run": f"{_CLAIMS}, get manifest.json, {_PLANS}, secret, ask, put part-00000.jsonl, {_COMMITS}",
    "plan": f"{_CLAIMS}, {_PLANS}, put items.json",
    "conclude": f"read_settings, get plan.json, get manifest.json, {_COMMITS}",
}
BATCH_POINTS = (
    "read_settings, get plan.json, get batch-00000.jsonl, secret, ask, put part-00000.jsonl, "
    "put effort-00000.json"
)
STEPS: dict[str, dict[str, Any]] = {
    "run": SCHEDULED,
    "plan": PLAN,
    "conclude": CONCLUDE,
    "audit_batch": BATCH,
}
BEFORE: dict[str, list[dict[str, Any]]] = {
    "run": [],
    "plan": [],
    "audit_batch": [PLAN],
    "conclude": [PLAN, BATCH],
}
AT_POINTS = [(step, point) for step, points in POINTS.items() for point in points.split(", ")]
# Each error early and late in each step, and one of them at every point.
CASES = [
    (step, point, error) if number == at % len(FOREIGN) else rest(step, point, error)
    for at, (step, point) in enumerate(AT_POINTS)
    for number, error in enumerate(FOREIGN)
    if point in ("read_settings", "put manifest.json", "put items.json")
    or number == at % len(FOREIGN)
]


def named(value: object) -> str:
    """For the names of tests."""
    return value if isinstance(value, str) else type(value).__name__


def fails(world: World, step: str, **errors: Exception) -> Exception:
    """Do the steps before, then this one with these errors; return what is raised."""
    for task in BEFORE[step]:
        entry.handler(task, Context())
    world.errors |= errors
    with pytest.raises(Exception) as raised:  # noqa: PT011  # which one is the question
        entry.handler(STEPS[step], Context())
    return raised.value


def is_warning(line: dict[str, Any]) -> bool:
    """Whether it warns of what happened: these GUIDs are doubted, always."""
    return line.get("level") == "WARNING" and "hardly means" not in line["message"]


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counted(lines: list[dict[str, Any]]) -> int:
    return sum(line.get("RunsFailed") == [1.0] for line in lines)


@pytest.mark.parametrize(("step", "point", "error"), CASES, ids=named)
def test_it_is_logged_counted_notified_and_raised_again(
    world: World, capsys: pytest.CaptureFixture[str], step: str, point: str, error: Exception
) -> None:
    raised = fails(world, step, **{point: error})

    assert raised is error
    lines = logged(capsys)
    [line] = [line for line in lines if line.get("message") == "audit failed"]
    assert type(error).__name__ in line["exception"]
    is_early = point in ("parse_event", "plan_run") or (step, point) in (
        ("conclude", "read_settings"),
        ("conclude", "get plan.json"),
    )
    assert line.get("run_id") == (None if is_early else RUN_ID)
    assert counted(lines) == 1
    [failure] = [m for m in world.published if m.attributes["event"] == "run_failed"]
    said = f" failed: {type(error).__name__}: an error that the audit does not know."
    assert said in " ".join(failure.body.split())
    assert f"(run {line.get('run_id') or 'without an id'})" in failure.body
    assert CANARY not in f"{failure.subject}{failure.body}"
    assert "The function's log has the rest." in failure.body


@pytest.mark.parametrize(
    ("point", "error"),
    [(point, FOREIGN[0]) for point in BATCH_POINTS.split(", ")]
    + [("ask", error) for error in FOREIGN[1:]],
    ids=named,
)
def test_a_batch_only_logs_it_since_it_is_tried_again_and_the_last_step_reports_it(
    world: World, capsys: pytest.CaptureFixture[str], point: str, error: Exception
) -> None:
    raised = fails(world, "audit_batch", **{point: error})

    assert raised is error
    lines = logged(capsys)
    [warning] = [line for line in lines if is_warning(line)]
    assert warning["message"] == f"batch 0 failed: {type(error).__name__}: {error}"
    is_early = point in ("read_settings", "get plan.json")
    assert warning.get("run_id") == (None if is_early else RUN_ID)
    assert counted(lines) == 0
    assert world.published == []


def test_batches_that_fail_are_a_failed_run_at_the_last_step(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(world, "audit_batch", ask=AttributeError())

    with pytest.raises(
        Exception, match=f"nothing of run {RUN_ID} could be audited .*: AttributeError$"
    ):
        entry.handler(CONCLUDE, Context())

    assert counted(logged(capsys)) == 1
    assert world.notifier.events == ["run_failed"]


@pytest.mark.parametrize("error", [FOREIGN[0], FOREIGN[-1], ReportStoreFailed("no")], ids=named)
@pytest.mark.parametrize("second", ["publish", "get notified-run_failed-people.json",
                                    "get failing.json", "put failing.json",
                                    "put notified-run_failed-people.json"])  # fmt: skip
def test_an_error_of_the_notifying_does_not_hide_the_first(
    world: World, capsys: pytest.CaptureFixture[str], error: Exception, second: str
) -> None:
    first = KeyError("the first")

    raised = fails(world, "run", **{"source": first, second: error})

    assert raised is first
    lines = logged(capsys)
    assert counted(lines) == 1
    warnings = [line["message"] for line in lines if line.get("level") == "WARNING"]
    assert CANARY not in str(warnings)
    if second == "publish":
        assert warnings[-1].startswith("people: not notified of the failed run: ")
    else:
        assert world.notifier.events == ["run_failed"], "rather twice than not at all"
        assert any("the failed run" in warning for warning in warnings)


KEY = "backup-audit/failing.json"


@pytest.mark.parametrize("step", ["run", "conclude"])
def test_messages_that_are_not_taken_are_no_failed_run(world: World, step: str) -> None:
    error = NotificationFailed("the topic did not take 1 of 1 messages")

    assert type(fails(world, step, publish=error)) is NotificationFailed

    assert world.published == []
    assert KEY not in world.store.objects


def test_attempts_are_one_failed_run_and_the_next_run_says_that_it_works_again(
    world: World,
) -> None:
    for _ in range(3):
        fails(world, "run", source=ConfigurationUnavailable("SSM: AccessDenied"))
    world.errors.clear()
    assert json.loads(world.store.objects[KEY])["runs"] == 1
    assert world.notifier.events == ["run_failed"]

    entry.handler(SCHEDULED, Context())

    assert json.loads(world.store.objects[KEY])["ended_at"]
    assert world.notifier.events == ["run_failed", "digest"]
    said = " ".join(world.published[-1].body.split())
    assert "ConfigurationUnavailable: SSM: AccessDenied" in said


def test_a_late_run_that_fails_is_logged_and_counted_as_a_metric_and_notifies_nobody(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    entry.handler(SCHEDULED, Context())
    world.published.clear()
    capsys.readouterr()
    world.errors["source"] = ConfigurationUnavailable("SSM: AccessDenied")

    with pytest.raises(ConfigurationUnavailable):
        entry.handler(
            {"scheduled_time": f"{DUE - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"}, Context()
        )

    assert counted(logged(capsys)) == 1, "the alarm FailedRun rings"
    assert world.published == []
    assert KEY not in world.store.objects


@pytest.mark.parametrize("more", [{"notify": False}, {"dry_run": True}, {"explain": "a"}])
def test_a_run_that_notifies_nobody_is_no_failed_run(world: World, more: dict[str, Any]) -> None:
    world.errors["source"] = ConfigurationUnavailable("SSM: AccessDenied")

    with pytest.raises(ConfigurationUnavailable):
        entry.handler(more, Context())

    assert world.published == []
    assert KEY not in world.store.objects


@pytest.mark.parametrize("variable", ["REPORT_BUCKET", "CF_API_URL", "REMIND_EVERY", "RUNBOOK_URL"])
@pytest.mark.parametrize("value", ["", "\n", "http://[", "0"])
def test_settings_that_are_broken_are_notified_of(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("CONFIG_URI", "nowhere")
    monkeypatch.setenv(variable, value)

    with pytest.raises(InvalidSettings):
        entry.handler(SCHEDULED, Context())

    assert world.notifier.events == ["run_failed"]
    assert "What to do: docs/runbook.md#failedrun\n" in world.published[0].body


def test_without_a_topic_for_people_a_warning_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOPIC_ARN", "")

    with pytest.raises(InvalidSettings):
        entry.handler(SCHEDULED, Context())

    assert world.published == []
    assert "people cannot be notified: TOPIC_ARN is not set" in capsys.readouterr().out


def test_an_error_of_the_logging_does_not_hide_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise OSError("no more room")

    monkeypatch.setattr(PowertoolsTelemetry, "failed", breaks)
    monkeypatch.setattr(PowertoolsTelemetry, "warned", breaks)
    first = KeyError("the first")

    raised = fails(world, "run", source=first, publish=OSError())

    assert raised is first


@pytest.mark.parametrize("event", [{"dry_run": True}, {"notify": False}])
@pytest.mark.parametrize("point", ["parse_event", "read_settings", "source", "ask"])
def test_where_nobody_is_to_be_notified_it_is_only_logged_and_counted(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    point: str,
) -> None:
    monkeypatch.setitem(STEPS, "run", event)

    fails(world, "run", **{point: AttributeError()})

    assert counted(logged(capsys)) == 1
    assert world.published == []


@pytest.mark.parametrize("task", [{"step": "rest"}, {"step": "plan"}, {"step": None}])
def test_a_task_that_breaks_its_contract_is_counted_and_told_to_its_caller_alone(
    world: World, capsys: pytest.CaptureFixture[str], task: dict[str, Any]
) -> None:
    with pytest.raises(InvalidEvent):
        entry.handler(task | {"execution": EXECUTION}, Context())

    assert counted(logged(capsys)) == 1
    assert world.notifier.events == []


@pytest.mark.parametrize(
    "event", [[], {"max_agee": "1h"}, SCHEDULED | {"x": 1}, {"scheduled_time": "noon"}]
)
@pytest.mark.parametrize("by", ["person or schedule", "state machine"])
def test_a_broken_event_rings_the_alarm_and_is_told_to_its_caller_alone(
    world: World, capsys: pytest.CaptureFixture[str], event: object, by: str
) -> None:
    planned = {"step": "plan", "event": event, "execution": "arn"}

    with pytest.raises(InvalidEvent) as raised:
        entry.handler(planned if by == "state machine" else event, Context())

    lines = logged(capsys)
    assert counted(lines) == 1
    assert [line["reason"] for line in lines if "reason" in line] == [str(raised.value)]
    assert world.notifier.events == []


BY_HAND: list[dict[str, Any]] = [
    {"step": "rest"},
    {"step": "plan", "event": {"max_agee": "1h"}},
    {"step": "conclude", "plan_key": PLAN_KEY},
    {"step": "conclude", "plan_key": PLAN_KEY, "execution": "by-hand"},
    {"step": "plan", "event": {}, "execution": 7},
]


@pytest.mark.parametrize("task", BY_HAND, ids=",".join)  # no time in a name
def test_a_step_by_hand_that_fails_is_logged_and_counted_and_nobody_is_notified(
    world: World, capsys: pytest.CaptureFixture[str], task: dict[str, Any]
) -> None:
    with pytest.raises(AuditError):
        entry.handler(task, Context())

    assert counted(logged(capsys)) == 1
    assert world.published == []


@pytest.mark.parametrize("point", ["beat", "secret"])
@pytest.mark.parametrize("error", FOREIGN[:8], ids=named)
def test_a_heartbeat_ends_no_run_and_shows_nothing_of_its_address(
    world: World, capsys: pytest.CaptureFixture[str], point: str, error: Exception
) -> None:
    for task in BEFORE["conclude"]:
        entry.handler(task, Context())
    world.errors[point] = error

    assert entry.handler(CONCLUDE, Context())["complete"]

    lines = logged(capsys)
    [warning] = [line["message"] for line in lines if is_warning(line)]
    assert warning == f"the heartbeat was not taken: {type(error).__name__}"
    assert CANARY not in str(lines)
