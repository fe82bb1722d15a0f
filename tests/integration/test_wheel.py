"""The wheel: both packages and nothing else, and a command that works where it is installed.

`make wheel` installs it with its dependencies in an empty environment; here they are borrowed from
this one, for there is no network.
"""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from backup_audit import __version__
from tests.doubles.some import rest

PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
INFO = f"backup_audit-{__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*command, folder], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and this one's packages but not its backup_audit."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-cache", "--no-deps"]
    subprocess.run([*uv, "--python", folder, wheel], check=True, capture_output=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def test_it_holds_both_packages_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.startswith(INFO)}

    kinds = (".py", ".html", ".css", ".js")
    ours = (path for path in Path("src").rglob("*.*") if path.suffix in kinds)
    assert packed == {path.relative_to("src").as_posix() for path in ours}


def test_it_needs_what_ships_to_lambda_and_for_a_terminal_an_extra(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read(f"{INFO}/METADATA"))

    needed = {Requirement(text) for text in metadata.get_all("Requires-Dist", [])}
    extra = {Requirement(f"{one}; extra == 'cli'") for one in EXTRAS["cli"]}
    assert needed == {Requirement(text) for text in PROJECT["dependencies"]} | extra
    assert set(EXTRAS) == {"cli"}


def test_nothing_of_the_extra_ships_to_lambda() -> None:
    ships = Path("src/requirements.txt").read_text("utf-8")

    assert [one for one in EXTRAS["cli"] if re.search(rf"^{Requirement(one).name}==", ships)] == []


def test_its_command_runs_outside_the_source_tree(environment: Path, tmp_path: Path) -> None:
    bucket = Path("tests/golden/today/bucket").absolute()

    said = subprocess.run(
        [environment / "bin" / "backup-audit", "verify", bucket],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert "all is as it was written" in said.stdout


def test_the_page_of_the_evidence_is_in_the_wheel(environment: Path, tmp_path: Path) -> None:
    bucket = Path("tests/golden/today/bucket").absolute()

    command = ["evidence", "2026-01-28", "2026-01-29", str(bucket), "--html", "evidence.html"]
    subprocess.run(
        [environment / "bin" / "backup-audit", *command],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    assert "<h1>Each of 2 days" in (tmp_path / "evidence.html").read_text("utf-8")


@pytest.mark.parametrize(
    "command", ["check", *map(rest, ["evidence", "explain", "run", "show", "try", "verify"])]
)
def test_every_command_says_how_it_is_used(command: str, environment: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [environment / "bin" / "backup-audit", command, "--help"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout.startswith(f"usage: backup-audit {command} ")
    assert said.stderr == ""


def test_the_module_is_the_same_command(environment: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [environment / "bin" / "python", "-m", "backup_audit_cli", "run", "no-such-file"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "error: EVENT no-such-file: No such file or directory\n"
