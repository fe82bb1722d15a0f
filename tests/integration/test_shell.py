"""`backup-audit run`: the function for a person at a shell."""

import io
import json
from pathlib import Path

import pytest

from backup_audit.errors import ReportStoreFailed
from backup_audit_cli.__main__ import main
from tests.integration.deployment import deployed

pytestmark = pytest.mark.loopback


def test_the_answer_goes_to_stdout_and_the_log_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed():
        status = main(["run", "events/manual-full.json"])

    printed = capsys.readouterr()
    assert status == 0
    assert json.loads(printed.out)["counts"]["stale"] == 1
    assert '"audit finished"' in printed.err


def test_an_event_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"dry_run": true}'))

    with deployed():
        status = main(["run", "-"])

    assert status == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True


def test_a_failed_run_says_why_and_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with deployed(CONFIG_URI="ssm:/not/there"):
        status = main(["run", "events/dry-run.json"])

    printed = capsys.readouterr()
    assert status == 1
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("ConfigurationUnavailable: CONFIG_URI")


@pytest.mark.parametrize("content", [None, "{", "\ufeffno json"])
def test_an_event_file_that_cannot_be_read_exits_with_2(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_text(content, "utf-8")

    status = main(["run", str(path)])

    assert status == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        ([], "usage: backup-audit [-h] COMMAND"),
        (["run"], "usage: backup-audit run [-h] EVENT"),
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

    monkeypatch.setattr("backup_audit_cli.run.handler", fails)
    event = tmp_path / "event.json"
    event.write_text("{}")

    assert main(["run", str(event)]) == 1
    assert capsys.readouterr().err == "ReportStoreFailed:  [2J 2J \n"
