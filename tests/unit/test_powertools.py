"""Log lines and metrics as they leave the process."""

import json
import logging
from typing import Any

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable
from backup_audit.fleet.run import Scope
from backup_audit.judge.verdict import Verdict
from backup_audit.report.drift import Unaudited
from backup_audit.telemetry import METRICS, NAMESPACE, SERVICE, PowertoolsTelemetry
from tests.doubles.builders import finding, inventory, run
from tests.doubles.reports import stored

NOBODYS = Unaudited(count=7, new=0, by_offering={"p.mysql": 7}, instances=[])


class Output:
    """What was printed, line by line."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    return Output(capsys)


def telemetry(clock: list[float] | None = None) -> PowertoolsTelemetry:
    now = clock if clock is not None else [0.0]
    made = PowertoolsTelemetry("invocation-1", monotonic=lambda: now[0])
    made.identified("run-1")
    return made


def test_every_line_bears_the_run_and_the_invocation(output: Output) -> None:
    told = telemetry()
    told.started(3)
    told.warned("something")
    told.failed(ApiUnreachable("down"), "test")

    logged = [line for line in output.lines() if "_aws" not in line]
    assert [line["level"] for line in logged] == ["INFO", "WARNING", "ERROR"]
    assert {line["run_id"] for line in logged} == {"run-1"}
    assert {line["invocation_id"] for line in logged} == {"invocation-1"}


def test_the_next_invocation_does_not_bear_the_id_of_the_last(output: Output) -> None:
    telemetry()
    PowertoolsTelemetry("invocation-2").warned("before its event was read")

    [line] = output.lines()
    assert line["invocation_id"] == "invocation-2"
    assert "run_id" not in line


def test_a_line_spends_no_blanks_on_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry().warned("in words")

    line = capsys.readouterr().out
    assert '"message":"in words"' in line
    assert '": ' not in line
    assert '", ' not in line


def test_progress_is_a_line_every_five_seconds(output: Output) -> None:
    clock = [0.0]
    told = telemetry(clock)

    for done, seconds in enumerate([1.0, 4.9, 5.0, 5.1, 9.9, 10.0, 30.0]):
        clock[0] = seconds
        told.progressed(done, 100)

    assert [(line["done"], line["total"]) for line in output.lines()] == [
        (2, 100),
        (5, 100),
        (6, 100),
    ]


def test_a_full_run_emits_every_metric_with_zeros_and_its_unit(output: Output) -> None:
    found = [finding(Verdict.STALE), finding(Verdict.HEALTHY)]

    telemetry().reported(
        stored(found, inventory=inventory(unaudited=NOBODYS)).head, messages_sent=1
    )

    [_, emitted] = output.lines()
    declared = emitted["_aws"]["CloudWatchMetrics"][0]
    assert declared["Namespace"] == NAMESPACE
    assert declared["Metrics"] == [{"Name": m.name, "Unit": m.unit.value} for m in METRICS]
    assert declared["Dimensions"] == [["service"]]
    assert emitted["foundation"] == "test"
    assert emitted["InstancesStale"] == [1]
    assert emitted["InstancesNeverBackedUp"] == [0]
    assert emitted["OldestNewestBackupAge"] == [50 * 3600]
    assert emitted["InstancesUnaudited"] == [7]
    assert emitted["InventoryAgeHours"] == [0]
    assert emitted["RunsFailed"] == [0]
    assert emitted["Duration"] == [1.5]


def test_in_lambda_every_metric_is_there_by_function_and_not_twice(output: Output) -> None:
    PowertoolsTelemetry("invocation-1", "audit-AuditFunction-1").reported(
        stored([finding()]).head, messages_sent=1
    )

    [_, emitted] = output.lines()
    [declared] = emitted["_aws"]["CloudWatchMetrics"]
    assert declared["Dimensions"] == [["function_name", "service"]]
    assert emitted["foundation"] == "test"
    assert emitted["function_name"] == "audit-AuditFunction-1"
    assert emitted["service"] == "backup-audit"


def test_without_an_inventory_nothing_is_emitted_of_it(output: Output) -> None:
    telemetry().reported(stored([finding()]).head, messages_sent=1)

    emitted = output.lines()[1]
    assert "InstancesUnaudited" not in emitted
    assert "InventoryAgeHours" not in emitted


def test_an_age_that_is_not_there_is_not_emitted(output: Output) -> None:
    telemetry().reported(stored([finding(Verdict.UNKNOWN)]).head, messages_sent=1)

    assert "OldestNewestBackupAge" not in output.lines()[1]


def test_an_incomplete_run_is_counted(output: Output) -> None:
    incomplete = msgspec.structs.replace(stored([finding()]).head, complete=False)

    telemetry().reported(incomplete, messages_sent=0)

    assert output.lines()[1]["RunsIncomplete"] == [1]


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_no_other_run_moves_the_metrics(scope: Scope, output: Output) -> None:
    telemetry().reported(stored([finding()], of=run(scope)).head, messages_sent=1)

    [line] = output.lines()
    assert line["scope"] == scope


def test_a_page_that_could_not_be_drawn_is_an_error_with_its_traceback_and_counted(
    output: Output,
) -> None:
    telemetry().page_failed(ValueError("no words for it"))

    logged, emitted = output.lines()
    assert (logged["level"], logged["message"]) == ("ERROR", "the page could not be drawn")
    assert "no words for it" in logged["exception"]
    assert emitted["PagesFailed"] == [1]


def test_a_run_with_its_page_says_so_in_zeros(output: Output) -> None:
    telemetry().reported(stored([finding()]).head, messages_sent=1)

    assert output.lines()[1]["PagesFailed"] == [0]


@pytest.mark.parametrize("foundation", ["test", None])
def test_a_failed_run_is_logged_with_its_reason_and_counted(
    foundation: str | None, output: Output
) -> None:
    telemetry().failed(ApiUnreachable("the API is down"), foundation)

    logged, emitted = output.lines()
    assert logged["reason"] == "the API is down"
    assert logged["exception_name"] == "ApiUnreachable"
    assert "exception" not in logged, "a traceback says nothing that the reason does not"
    assert emitted["RunsFailed"] == [1]
    assert emitted.get("foundation") == foundation


@pytest.mark.parametrize("said", ["a\u2028b", "a\x85b", "a\r\nb", "\x1b[2J", "\u202e", "\ud800"])
def test_whatever_is_logged_is_one_line_of_ascii(
    said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest keeps what loggers pass on, and cannot hand half a surrogate pair to another process.
    monkeypatch.setattr(logging.getLogger(SERVICE), "propagate", False)

    telemetry().warned(said)
    telemetry().failed(ApiUnreachable(said), "test")

    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isascii()
    assert printed.replace("\n", "").isprintable()
    warned, failed, _ = (json.loads(line) for line in printed.split("\n")[:-1])
    assert warned["message"] == said
    assert failed["reason"] == said
