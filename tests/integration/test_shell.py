"""`backup-audit run`: the function for a person at a shell."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_audit import __version__
from backup_audit.errors import ReportStoreFailed
from backup_audit_cli.__main__ import main
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.function import TerminalLog
from tests.integration.deployment import HEALTHY, NOW, ONE_INSTANCE, STALE, Deployment, deployed
from tools.local_cloud.aws import BUCKET

pytestmark = pytest.mark.loopback


def test_the_answer_goes_to_stdout_and_the_log_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed(in_s3=True):
        status = main(["run", "events/manual-full.json"])

    printed = capsys.readouterr()
    assert status == ExitStatus.WRONG
    assert json.loads(printed.out)["counts"]["stale"] == 1
    assert '"audit finished"' in printed.err


def test_an_event_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"dry_run": true}')))

    with deployed([HEALTHY]):
        status = main(["run", "-"])

    assert status == ExitStatus.FINE
    assert json.loads(capsys.readouterr().out)["dry_run"] is True


def explaining(**more: object) -> dict[str, Any]:
    """The function's answer to an event that asks for an explanation."""
    instance: dict[str, object] = {
        **dict.fromkeys(("type", "org", "space", "offering", "plan", "created_at", "why")),
        "guid": "guid-1",
        "type": "managed",
        "name": "orders-db",
        "standing": "audited",
        "place": "instances[0]",
        **{key: [] for key in ("excludes", "demands", "mutes", "policy_notes")},
    }
    answer = {"schema_version": 1, "asked": "orders-db", "found": 1, "read": "complete"}
    return answer | {"instances": [instance | more], "why": None, "said": None}


def explained(answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *options: str) -> ExitStatus:
    events: list[object] = []

    def answers(event: object, _: object) -> dict[str, object]:
        events.append(event)
        return answer

    monkeypatch.setattr("backup_audit_cli.function.handler", answers)
    status = main(["explain", "orders-db", *options])
    assert events == [{"explain": "orders-db"}]
    return status


def test_an_explanation_is_asked_of_the_function_and_printed_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(explaining(), monkeypatch) == ExitStatus.FINE

    assert capsys.readouterr().out.splitlines() == [
        "orders-db (guid-1)  ? / ? · managed · in the foundation now",
        "audited      instances[0]; excluded by none",
        "muted        no",
    ]


def test_the_function_explains_an_instance_to_a_person(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed([HEALTHY]):
        status = main(["explain", HEALTHY.guid])
        no_such = main(["explain", "no-such-name"])

    *lines, last = capsys.readouterr().out.splitlines()
    assert (status, no_such) == (ExitStatus.FINE, ExitStatus.WRONG)
    assert HEALTHY.guid in lines[0]
    assert lines[0].endswith("in the foundation now")
    assert lines[1] == "audited      instances[0]; excluded by none"
    assert last.startswith("no-such-name: our client sees no instance of this name")


@pytest.mark.parametrize(
    ("event", "found", "status"),
    [
        (json.loads(Path("events/explain.json").read_bytes()), [ONE_INSTANCE], ExitStatus.FINE),
        ({"explain": HEALTHY.guid}, [HEALTHY.guid], ExitStatus.FINE),
        ({"explain": STALE.guid, "dry_run": None, "notify": None}, [STALE.guid], ExitStatus.FINE),
        ({"explain": "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55"}, None, ExitStatus.WRONG),
        ({"explain": "no-such-name"}, [], ExitStatus.WRONG),
    ],
    ids=["the sample", "a name", "nulls beside it", "an unknown GUID", "an unknown name"],
)
def test_an_event_that_asks_why_is_run_as_any_other(
    event: dict[str, object],
    found: list[str] | None,
    status: ExitStatus,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event), "utf-8")

    with deployed() as function:
        ended = main(["run", str(path)])
        left = function.keys

    answer = json.loads(capsys.readouterr().out)
    guids = [event["explain"]] if found is None else found
    assert [one["guid"] for one in answer["instances"]] == guids
    assert answer["said"] is None or "our client sees no" in answer["said"]
    assert (ended, left) == (status, [])


def claim_of_another_run(function: Deployment) -> None:
    """Leave what a full run leaves while it is at work."""
    claim = {
        "schema_version": 1,
        "foundation": "local",
        "run_id": "20260131T050000Z",
        "held_by": "another",
        "ends_at": f"{NOW + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    function.write("backup-audit/running.json", json.dumps(claim).encode())


def test_a_run_that_finds_another_at_work_has_audited_nothing_and_ends_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed([HEALTHY]) as function:
        claim_of_another_run(function)
        status = main(["run", "events/manual-full.json"])

    printed = capsys.readouterr()
    assert (json.loads(printed.out)["already_running"], status) == (True, ExitStatus.WRONG)
    assert "run 20260131T050000Z is at work: nothing was asked" in printed.err


def test_steps_that_are_run_by_hand_end_well_and_the_last_one_by_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def step(event: dict[str, object]) -> tuple[ExitStatus, dict[str, Any]]:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event), "utf-8")
        status = main(["run", str(path)])
        return status, json.loads(capsys.readouterr().out)

    with deployed() as function:
        planned, plan = step(json.loads(Path("events/steps/plan.json").read_bytes()))
        key = plan["plan_key"]
        batch, _ = step({"step": "audit_batch", "plan_key": key, "batch": 0})
        concluded, answer = step({"step": "conclude", "plan_key": key})
        messages = function.messages

    assert (planned, batch, concluded) == (ExitStatus.FINE, ExitStatus.FINE, ExitStatus.WRONG)
    assert answer["counts"]["stale"] == 1
    assert messages == []


def test_an_explanation_is_printed_as_the_document_that_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(explaining(), monkeypatch, "--json") == ExitStatus.FINE

    assert json.loads(capsys.readouterr().out) == explaining()


@pytest.mark.parametrize(
    ("answer", "status", "last"),
    [
        (explaining(standing="excluded"), ExitStatus.FINE, "excluded"),
        (explaining(standing="unaudited", place=None), ExitStatus.WRONG, "unaudited"),
        (explaining(policy_notes=["label x is ignored: why"]), ExitStatus.WRONG, "note"),
        (
            explaining() | {"instances": [], "said": "there is none"},
            ExitStatus.WRONG,
            "orders-db: there is none",
        ),
        (
            explaining(type=None) | {"said": "our client sees no such instance"},
            ExitStatus.WRONG,
            "orders-db: our client sees",
        ),
        (
            explaining(type=None) | {"read": "failed", "said": "not asked", "why": "HTTP 500"},
            ExitStatus.UNREACHABLE,
            "orders-db: not asked: HTTP 500",
        ),
    ],
    ids=["excluded", "unaudited", "ignored label", "none", "listed, not there", "not asked"],
)
def test_an_explanation_ends_by_what_was_found(
    answer: dict[str, Any],
    status: ExitStatus,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    excluded = {"place": "exclude[0]", "until": "never", "is_over": False}
    nothing = dict.fromkeys(("why", "owner", "reason"))
    for instance in answer["instances"]:
        if instance["standing"] == "excluded":
            instance["excludes"] = [excluded | nothing]

    assert explained(answer, monkeypatch) == status

    assert capsys.readouterr().out.splitlines()[-1].startswith(last)


def test_instances_of_one_name_are_explained_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = explaining()
    answer["instances"] = [*answer["instances"], *explaining(guid="guid-2")["instances"]]

    explained(answer, monkeypatch)

    heads = [line for line in capsys.readouterr().out.splitlines() if "orders-db" in line]
    assert [line[:18] for line in heads] == ["orders-db (guid-1)", "orders-db (guid-2)"]


def test_a_failed_run_says_why_in_its_last_line_and_exits_by_kind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed(CONFIG_URI="ssm:/not/there"):
        status = main(["run", "events/dry-run.json"])

    printed = capsys.readouterr()
    assert status == ExitStatus.UNAVAILABLE
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("error: ConfigurationUnavailable: CONFIG_URI")


class Terminal(io.StringIO):
    """Standard error of a person at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("setting", "event", "status", "says"),
    [
        (
            ("CONFIG_URI", "ssm:/no"),
            "{}",
            ExitStatus.UNAVAILABLE,
            "error: ConfigurationUnavailable: CONF",
        ),
        (
            ("REPORT_BUCKET", ""),
            "{}",
            ExitStatus.USAGE,
            "error: InvalidSettings: the environment has 1",
        ),
        (
            ("FOUNDATION", "f"),
            '{"dry_rn": true}',
            ExitStatus.USAGE,
            "error: InvalidEvent: the event has 1 fault: dry_rn",
        ),
        (
            ("CF_CREDENTIALS_SECRET", "no"),
            "{}",
            ExitStatus.CREDENTIALS,
            "error: CredentialsUnavailable: ",
        ),
        (
            ("CF_API_URL", "https://a.invalid"),
            "{}",
            ExitStatus.UNREACHABLE,
            "error: ApiUnreachable: GET",
        ),
    ],
)
def test_at_a_terminal_an_error_is_said_once(
    *,
    setting: tuple[str, str],
    event: str,
    status: ExitStatus,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "event.json"
    path.write_text(event, "utf-8")
    terminal = Terminal()

    with deployed():
        monkeypatch.setenv(*setting)
        monkeypatch.setattr("sys.stderr", terminal)
        ended = main(["run", str(path)])

    *warnings, line = terminal.getvalue().splitlines()
    assert line.startswith(says)
    of_the_inventory = "warning: the inventory was not read completely"
    beside = ("warning: the configuration hardly", of_the_inventory)
    assert [said for said in warnings if not said.startswith(beside)] == []
    assert ended == status


@pytest.mark.parametrize(
    ("configuration", "setting", "status", "says"),
    [
        (
            {"discover": [{"org": "*"}]},
            ("CF_API_URL", "https://a.invalid"),
            ExitStatus.UNREACHABLE,
            "error: InventoryUnavailable: ",
        ),
        (
            {"discover": [{"org": "no-such-org"}]},
            ("FOUNDATION", "f"),
            ExitStatus.USAGE,
            "error: EmptyFleet: there is nothing to audit",
        ),
    ],
    ids=["the inventory is not read", "nothing is selected"],
)
def test_a_discovery_that_finds_nothing_ends_by_who_has_to_mend_it(
    *,
    configuration: dict[str, object],
    setting: tuple[str, str],
    status: ExitStatus,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed(configuration=configuration):
        monkeypatch.setenv(*setting)
        ended = main(["run", "events/dry-run.json"])

    assert capsys.readouterr().err.splitlines()[-1].startswith(says)
    assert ended == status


def test_at_a_terminal_warnings_and_progress_are_said_without_the_form_of_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("backup_audit.telemetry._PROGRESS_EVERY", 0.0)
    terminal = Terminal()

    with deployed([HEALTHY]) as function:
        function.write("backup-audit/latest.json", b"{}")
        monkeypatch.setattr("sys.stderr", terminal)
        main(["run", "events/manual-full.json"])

    doubted = '"healthy-db" is not a GUID; if it is a name: cf service NAME --guid'
    assert terminal.getvalue().splitlines() == [
        "warning: backup-audit/latest.json points at nothing readable: all is new",
        f"warning: the configuration hardly means all it says: instances[0]: {doubted}",
        "1 of 1 asked",
    ]
    assert json.loads(capsys.readouterr().out)["counts"]["healthy"] == 1


def test_at_a_terminal_a_line_that_is_no_log_line_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = TerminalLog()

    log.write("a library says \x1b[2J")
    log.write("something\n")

    assert capsys.readouterr().err == "a library says  [2Jsomething\n"


def test_an_event_at_an_address_is_read_as_a_configuration_is() -> None:
    with deployed([HEALTHY], in_s3=True) as function:
        function.write("event.json", b'{"dry_run": true}')

        assert main(["run", f"s3://{BUCKET}/event.json"]) == ExitStatus.FINE
        assert main(["run", "file:events/dry-run.json"]) == ExitStatus.FINE
        assert main(["run", f"s3://{BUCKET}/none.json"]) == ExitStatus.UNAVAILABLE


@pytest.mark.parametrize("content", [None, "{", "\ufeffno json"])
def test_an_event_file_that_cannot_be_read_exits_with_2(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_text(content, "utf-8")

    status = main(["run", str(path)])

    assert status == ExitStatus.USAGE
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ([], "usage: backup-audit [-h] [--version] COMMAND"),
        (["run"], "usage: backup-audit run [-h] EVENT"),
        (["try"], "usage: backup-audit try [-h] --api URL"),
        (["explain"], "usage: backup-audit explain [-h] [--json] WHAT"),
        (["verify"], "usage: backup-audit verify [-h] WHERE"),
    ],
)
def test_what_is_used_wrongly_says_how_to_be_called(
    arguments: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == 2
    assert usage in capsys.readouterr().err


def test_an_error_steers_no_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ReportStoreFailed("\x1b[2J\x9b2J\u202e")

    monkeypatch.setattr("backup_audit_cli.function.handler", fails)
    event = tmp_path / "event.json"
    event.write_text("{}")

    assert main(["run", str(event)]) == ExitStatus.UNAVAILABLE
    assert capsys.readouterr().err == "error: ReportStoreFailed:  [2J 2J \n"


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["--version"])

    assert exited.value.code == 0
    assert capsys.readouterr().out == f"backup-audit {__version__}\n"
