"""The alarms, judged by the metrics that the function really emits."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import AuditError
from backup_audit.handler import handler
from tests.doubles.cloudwatch import HOUR, MINUTE, Alarm, Datapoint, State, emitted
from tests.integration.deployment import (
    EXECUTION,
    HEALTHY,
    SCHEDULED,
    STALE,
    THE_NEXT_DAY,
    Context,
    deployed,
    hours_ago,
    instance,
)
from tools.local_cloud.behaviours import Garbled, SimulatedInstance
from tools.template import Template

pytestmark = pytest.mark.loopback

TEMPLATE = Template.read()
OURS = (
    "FailedRun",
    "MissedRun",
    "IncompleteRun",
    "CoverageLow",
)  # on metrics of the function's own
ALL_OK = dict.fromkeys(OURS, State.OK)
UNFINISHED = dict.fromkeys(("IncompleteRun", "CoverageLow"), State.ALARM)
BROKEN = {"CONFIG_URI": "ssm:/not/there"}
DAY = timedelta(days=1)


class NoTime(Context):
    """The context of an invocation whose time is over."""

    def get_remaining_time_in_millis(self) -> int:
        return 0


class Function:
    """A deployed function and the datapoints that CloudWatch makes of its output."""

    def __init__(self, printed: Callable[[], str]) -> None:
        self._printed = printed
        self._later = timedelta(0)
        self.datapoints: list[Datapoint] = []

    def invoke(self, event: Mapping[str, Any], context: Context | None = None) -> Any:  # noqa: ANN401
        """Its answer; None if it failed."""
        try:
            return handler(event, context or Context())
        except AuditError:
            return None
        finally:
            self.datapoints += [
                Datapoint(point.metric, point.at + self._later, point.value)
                for point in emitted(self._printed())
            ]

    def wait(self, time: timedelta) -> None:
        """What it emits from now on bears a time so much later."""
        self._later += time

    def alarms(self, after: timedelta = HOUR) -> dict[str, State]:
        """The states of the alarms, so long after the last datapoint; MissedRun takes an hour."""
        times = [point.at for point in self.datapoints]
        since, until = min(times) - HOUR, max(times) + after
        return {name: alarm(name).watched(self.datapoints, since, until) for name in OURS}


def alarm(name: str) -> Alarm:
    return Alarm(TEMPLATE.resolved(TEMPLATE.properties(name)))


Deploy = Callable[..., Function]


@pytest.fixture
def deploy(capsys: pytest.CaptureFixture[str]) -> Iterator[Deploy]:
    """Deploys a function under the name that the template's alarms know it by."""
    with ExitStack() as deployments:

        def deploy(*fleet: SimulatedInstance, **environment: str) -> Function:
            more: dict[str, Any] = {
                "AWS_LAMBDA_FUNCTION_NAME": TEMPLATE.resolved({"Ref": "AuditFunction"}),
            }
            deployments.enter_context(deployed(fleet or (HEALTHY, STALE), **environment | more))
            return Function(lambda: capsys.readouterr().out)

        yield deploy


def test_a_run_that_is_completed_rings_nowhere(deploy: Deploy) -> None:
    function = deploy()

    assert function.invoke(SCHEDULED)

    assert function.alarms() == ALL_OK


def test_every_alarm_hears_what_the_function_emits(deploy: Deploy) -> None:
    function = deploy()

    function.invoke(SCHEDULED)

    assert {alarm(name).metric for name in OURS} <= {point.metric for point in function.datapoints}


def test_a_stale_instance_is_no_fault_of_the_audit(deploy: Deploy) -> None:
    function = deploy(STALE)

    assert function.invoke(SCHEDULED)["counts"]["stale"] == 1

    assert function.alarms() == ALL_OK


def test_a_run_that_fails_rings_and_rings_on(deploy: Deploy) -> None:
    function = deploy(**BROKEN)

    assert function.invoke(SCHEDULED) is None

    assert function.alarms()["FailedRun"] is State.ALARM
    assert function.alarms(after=DAY)["FailedRun"] is State.ALARM


def test_a_run_fails_also_where_hardly_a_setting_can_be_read(deploy: Deploy) -> None:
    function = deploy(CF_API_URL="", FOUNDATION="", WORKERS="many")

    assert function.invoke(SCHEDULED) is None

    assert function.alarms()["FailedRun"] is State.ALARM


def test_a_run_of_some_instances_that_fails_rings_too(deploy: Deploy) -> None:
    function = deploy(**BROKEN)

    assert function.invoke({"instance_guids": [HEALTHY.guid]}) is None

    assert function.alarms()["FailedRun"] is State.ALARM


def test_a_retry_that_succeeds_ends_the_alarm(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = deploy()
    working = os.environ["CONFIG_URI"]
    monkeypatch.setenv("CONFIG_URI", BROKEN["CONFIG_URI"])
    assert function.invoke(SCHEDULED) is None
    monkeypatch.setenv("CONFIG_URI", working)
    function.wait(MINUTE)

    assert function.invoke(SCHEDULED)

    assert function.alarms() == ALL_OK


def test_an_instance_that_cannot_be_judged_lowers_the_coverage(deploy: Deploy) -> None:
    function = deploy(HEALTHY, instance("garbled-db", Garbled()))

    assert function.invoke(SCHEDULED)["coverage"]["percent"] == 50.0

    assert function.alarms() == ALL_OK | {"CoverageLow": State.ALARM}


def test_an_instance_that_cannot_be_judged_once_rings_nowhere_and_in_the_next_run_does(
    deploy: Deploy,
) -> None:
    others = [instance(f"healthy-{number}", hours_ago(3, 27)) for number in range(9)]
    function = deploy(instance("garbled-db", Garbled()), *others)

    assert function.invoke(SCHEDULED)["coverage"]["percent"] == 90.0
    assert function.alarms() == ALL_OK
    function.wait(DAY)
    assert function.invoke(THE_NEXT_DAY)

    assert function.alarms() == ALL_OK | {"CoverageLow": State.ALARM}


def test_a_run_whose_time_is_over_is_incomplete(deploy: Deploy) -> None:
    function = deploy()
    CLIENTS.secretsmanager.put_secret_value(  # a token would have to be fetched in time
        SecretId=os.environ["CF_CREDENTIALS_SECRET"],
        SecretString='{"authorization": "bearer any"}',
    )

    assert not function.invoke(SCHEDULED, NoTime())["complete"]

    assert function.alarms() == ALL_OK | UNFINISHED


def test_a_batch_that_failed_for_good_makes_the_run_incomplete(deploy: Deploy) -> None:
    function = deploy(BATCH_SIZE="1")

    assert mapped_run(function, batches=1)["coverage"]["percent"] == 50.0

    assert function.alarms() == ALL_OK | UNFINISHED


def test_a_mapped_run_without_a_fault_rings_nowhere(deploy: Deploy) -> None:
    function = deploy(BATCH_SIZE="1")

    assert mapped_run(function, batches=2)["complete"]

    assert function.alarms() == ALL_OK


def test_the_next_run_says_that_all_is_well_again(deploy: Deploy) -> None:
    function = deploy(BATCH_SIZE="1")
    mapped_run(function, batches=1)
    function.wait(DAY)

    assert function.invoke(THE_NEXT_DAY)["complete"]

    assert function.alarms() == ALL_OK


@pytest.mark.parametrize(
    ("hours", "expected"), [(25, State.OK), (26, State.OK), (27, State.ALARM), (48, State.ALARM)]
)
def test_a_run_is_missed_when_none_came_for_26_hours(
    deploy: Deploy, hours: int, expected: State
) -> None:
    function = deploy()

    function.invoke(SCHEDULED)

    assert function.alarms(after=hours * HOUR)["MissedRun"] is expected


@pytest.mark.parametrize(
    "event", [{"instance_guids": [HEALTHY.guid]}, {"max_age": "2h"}, {"dry_run": True}]
)
def test_only_a_full_run_counts_against_a_missed_one(
    deploy: Deploy, event: dict[str, object]
) -> None:
    function = deploy()
    function.invoke(SCHEDULED)
    function.wait(27 * HOUR)

    assert function.invoke(event)

    assert function.alarms(after=28 * HOUR)["MissedRun"] is State.ALARM


def test_runs_that_fail_are_missed_runs_too(deploy: Deploy) -> None:
    function = deploy(**BROKEN)

    function.invoke(SCHEDULED)

    assert function.alarms()["MissedRun"] is State.ALARM


def mapped_run(function: Function, batches: int) -> Any:  # noqa: ANN401
    """The answer of a run in steps, of which so many batches were audited."""
    planned = function.invoke({"step": "plan", "event": SCHEDULED, "execution": EXECUTION})
    plan_key = planned["plan_key"]
    for batch in range(batches):
        function.invoke({"step": "audit_batch", "plan_key": plan_key, "batch": batch})
    return function.invoke({"step": "conclude", "plan_key": plan_key, "execution": EXECUTION})
