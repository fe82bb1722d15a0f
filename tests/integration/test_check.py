"""`backup-audit check`: what a run would say of a configuration, said before."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_audit.aws import CLIENTS
from backup_audit_cli.__main__ import main
from backup_audit_cli.exit_status import ExitStatus
from tests.integration.deployment import deployed

pytestmark = pytest.mark.loopback

GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"
OTHER = "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55"
RIGHT = {"instances": [GUID, {"guid": OTHER, "name": "orders-db"}]}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the document is stored."""
    return tmp_path / "configuration.json"


def said(where: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    status = main(["check", str(where)])
    printed = capsys.readouterr()
    return status, (printed.out + printed.err).splitlines()


def test_a_right_configuration_is_counted(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept.write_text(json.dumps(RIGHT))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.FINE
    assert lines == [
        f"{kept}: 2 instances, 0 mutes; 126 bytes, fits a parameter of SSM (4,096)",
        "  a run would take it",
    ]


def test_what_is_selected_is_counted(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exclude = {"match": {"org": "lab"}, "owner": "o", "reason": "r", "until": "never"}
    document = {
        "discover": [{"org": "prod-*"}, {"labels": "audit=yes"}],
        "exclude": [exclude],
        "rules": [{"match": {"space": "x"}, "max_age": "4h"}] * 2,
    }
    kept.write_text(json.dumps(document))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.FINE
    assert lines[0].startswith(f"{kept}: 2 selectors to discover, 1 exclude, 2 rules, 0 mutes; ")
    assert lines[1] == "  warning: rules[1]: decides nothing: shadowed by rules[0]"


def test_every_fault_is_said_at_once_with_its_position(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"instances": [GUID, GUID, 7], "defaults": {"max_age": "26"}, "mute": []}
    kept.write_text(json.dumps(document))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.WRONG
    assert lines[0] == f"{kept}: a run would refuse it"
    assert [line.split(":")[:2] for line in lines[1:]] == [
        ["  FAULT", " instances[1]"],
        ["  FAULT", " instances[2]"],
        ["  FAULT", " defaults.max_age"],
        ["  FAULT", " mute"],
    ]


def test_doubts_are_said_beside_faults(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over = {"guid": GUID, "owner": "o", "reason": "r", "until": "2026-01-31"}
    document = {
        "instances": ["orders db", {"guid": "orders-db", "max_age": 26}, 7, {"owner": "o"}, GUID],
        "mutes": [{"guid": GUID}, over],
    }
    kept.write_text(json.dumps(document))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.WRONG
    doubted = '"orders-db" is not a GUID; if it is a name: cf service NAME --guid'
    assert [line for line in lines if "warning" in line] == [
        f"  warning: instances[1]: {doubted}",
        "  warning: mutes[1]: the mute is over since 2026-01-31",
    ]
    assert lines[-1].startswith("  warning: "), "the faults come first"


@pytest.mark.parametrize(
    "document", ["{", "7", "[]", '{"instances": 7, "mutes": 7}', '{"instances": null}', "\ud800"]
)
def test_what_cannot_be_read_so_far_has_faults_alone(
    document: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_bytes(document.encode("utf-8", "surrogatepass"))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.WRONG
    assert {line.split(":")[0] for line in lines[1:]} == {"  FAULT"}


def test_a_mute_that_ends_soon_is_in_order(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(days=7)).date()
    mutes = [{"guid": GUID, "owner": "o", "reason": "r", "until": soon.isoformat()}]
    kept.write_text(json.dumps({"instances": [GUID], "mutes": mutes}))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.FINE
    assert lines[-1] == "  a run would take it, and warn"


def test_doubts_are_warnings_and_no_fault(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(days=7)).date()
    mutes = [{"guid": GUID, "owner": "o", "reason": "r", "until": soon.isoformat()}]
    kept.write_text(json.dumps({"instances": [GUID, "orders-db"], "mutes": mutes}))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.WRONG, "a name can only become not_found"
    doubted = '"orders-db" is not a GUID; if it is a name: cf service NAME --guid'
    assert lines[1:] == [
        f"  warning: instances[1]: {doubted}",
        f"  warning: mutes[0]: the mute ends on {soon}: then notifications begin again",
        "  a run would take it, warn, and find no instance by what is not a GUID",
    ]


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"discover": [{"org": "prod-.*"}]}, ExitStatus.WRONG),
        ({"exclude": [{"match": {"org": "a,b"}}]}, ExitStatus.WRONG),
        ({"mutes": [{"match": {"org": "lab "}}]}, ExitStatus.WRONG),
        ({"rules": [{"match": {"org": "a,b"}, "max_age": "1h"}]}, ExitStatus.FINE),
    ],
    ids=["discover", "exclude", "mutes", "rules"],
)
def test_a_selector_that_hardly_fits_anything_is_not_in_order(
    parts: dict[str, Any],
    status: ExitStatus,
    kept: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = {"owner": "o", "reason": "r", "until": "2999-12-31"}
    for key in ("exclude", "mutes"):
        parts |= {key: [one | why for one in parts.get(key, ())]}
    kept.write_text(json.dumps({"discover": [{"space": "x"}]} | parts))

    found, lines = said(kept, capsys)

    assert found == status
    assert lines[1].startswith("  warning: ")
    assert lines[2:] == [
        "  a run would take it, warn, and hardly fit an instance by what is no glob"
        if status is ExitStatus.WRONG
        else "  a run would take it, and warn"
    ]


def test_an_exclude_beside_a_list_by_hand_is_said_to_take_nothing_out(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    why = {"owner": "o", "reason": "r", "until": "never"}
    kept.write_text(json.dumps(RIGHT | {"exclude": [{"match": {"org": "lab"}} | why]}))

    status, lines = said(kept, capsys)

    assert status == ExitStatus.FINE
    assert lines[1:] == [
        (
            "  note: without discover, exclude takes nothing out of the audit; it silences news of "
            "instances that nobody audits"
        ),
        "  a run would take it",
    ]


def test_a_run_warns_of_the_same_in_report_and_log(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_text(json.dumps({"instances": [GUID, "orders-db"]}))
    _, lines = said(kept, capsys)

    with deployed(CONFIG_URI=f"file:{kept}") as function:
        report = function.report(function.invoke())

    doubts = [line.removeprefix("  warning: ") for line in lines if "warning: " in line]
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert report["plan"]["warnings"] == doubts
    [warning] = [line["message"] for line in logged if line.get("level") == "WARNING"]
    assert warning == f"the configuration hardly means all it says: {'; '.join(doubts)}"


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (4_095, "fits a parameter of SSM (4,096)"),
        (4_096, "fits a parameter of SSM (4,096)"),
        (4_097, "needs an advanced parameter of SSM (8,192 at the most), S3 or AppConfig"),
        (8_192, "needs an advanced parameter of SSM (8,192 at the most), S3 or AppConfig"),
        (8_193, "too large for SSM (8,192 at the most): keep it in S3 or AppConfig"),
    ],
)
def test_the_size_is_compared_with_what_ssm_takes(
    size: int, says: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_text(json.dumps(RIGHT).ljust(size))

    _, lines = said(kept, capsys)

    assert f"; {size:,} bytes, {says}" in lines[0]


def test_an_address_is_read_as_a_run_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    with deployed():
        CLIENTS.ssm.put_parameter(Name="/mine", Value=json.dumps(RIGHT), Type="String")
        right = said("ssm:/mine", capsys)
        none = said("ssm:/none", capsys)

    assert right[0] == ExitStatus.FINE
    assert right[1][0].startswith("ssm:/mine: 2 instances")
    assert none[0] == ExitStatus.UNAVAILABLE
    [line] = none[1]
    assert line.startswith(
        "error: ConfigurationUnavailable: FILE ssm:/none could not be read: Parameter"
    )
    assert line.endswith("; check the address, and that we may read it")


def test_standard_input_is_a_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(json.dumps(RIGHT).encode()))
    monkeypatch.setattr("sys.stdin", piped)

    status, lines = said("-", capsys)

    assert status == ExitStatus.FINE
    assert lines[0].startswith("standard input: 2 instances")


@pytest.mark.parametrize(
    ("name", "why"), [("none.json", "No such file or directory"), ("", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_wrong_usage(
    name: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / name

    assert said(where, capsys) == (ExitStatus.USAGE, [f"error: FILE {where}: {why}"])
