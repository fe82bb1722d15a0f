"""What tools are told to look at is there, and no less of it than there was.

A path in a tool's settings that matches nothing after a move would leave the tool green. The floors
may fall only with a reason in the commit that lowers them.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.faults.catalogue import FAULTS
from tools.fuzz.targets import TARGETS
from tools.local_cloud.fleets import FLEETS
from tools.mutants import FLOOR as LEAST_MUTANTS
from tools.schemas import DOCUMENTS

PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
TOOL: dict[str, Any] = PROJECT["tool"]
LIFTED: dict[str, list[str]] = TOOL["ruff"]["lint"]["per-file-ignores"]
PACKAGES = sorted(path.name for path in Path("src").iterdir() if (path / "__init__.py").exists())
MAKEFILE = Path("Makefile").read_text("utf-8")
DOCS = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").rglob("*.md"))]

PATHS = {
    "mypy": TOOL["mypy"]["files"],
    "mutmut": [
        *TOOL["mutmut"]["source_paths"],
        *TOOL["mutmut"]["only_mutate"],
        *TOOL["mutmut"]["also_copy"],
        *TOOL["mutmut"]["pytest_add_cli_args_test_selection"],
    ],
    "pytest": [*TOOL["pytest"]["ini_options"]["testpaths"], "tests/browser", "tests/e2e"],
    "ruff": [pattern.removesuffix("/**") for pattern in LIFTED],
    "hatch": TOOL["hatch"]["build"]["targets"]["wheel"]["packages"],
    "make": re.findall(r"(?<!\$)\b(?:src|docs|tests|events|requirements)/[\w./-]+\w", MAKEFILE),
}


@pytest.mark.parametrize(
    ("tool", "pattern"), [(tool, pattern) for tool in PATHS for pattern in PATHS[tool]]
)
def test_a_path_that_a_tool_is_given_matches_something(tool: str, pattern: str) -> None:
    assert list(Path().glob(pattern)), f"{tool} looks for {pattern}"


@pytest.mark.parametrize("path", DOCS, ids=str)
def test_a_path_that_a_document_names_is_there(path: Path) -> None:
    named = re.findall(
        r"`((?:src|tests|tools|docs|events|requirements)/[\w./-]*)", path.read_text()
    )

    assert [name for name in named if not Path(name).exists()] == []


def test_programs_that_make_starts_are_there() -> None:
    modules = re.findall(r"python -m (tools[\w.]*)", MAKEFILE)

    assert modules
    for module in modules:
        path = Path(module.replace(".", "/"))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_make_lists_every_fleet_there_is() -> None:
    [listed] = re.findall(r"    FLEET  (.*?)\(\$\(FLEET\)\)", MAKEFILE, re.DOTALL)

    assert set(re.findall(r"[a-z][a-z0-9-]+", listed.replace("@echo", ""))) == FLEETS.keys()


def test_all_that_is_packed_is_covered() -> None:
    assert sorted(TOOL["coverage"]["run"]["source"]) == PACKAGES
    assert sorted(TOOL["importlinter"]["root_packages"]) == PACKAGES


def test_each_environment_that_is_stated_has_its_list_and_no_other() -> None:
    lists = {path.stem for path in Path("requirements").iterdir()}

    extras = PROJECT["project"]["optional-dependencies"]
    assert lists == PROJECT["dependency-groups"].keys() | extras.keys()


def test_the_ban_on_the_world_is_lifted_for_files_that_need_it_and_no_other() -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "src/backup_audit", "--select", "TID251"]
    found = subprocess.run(
        [*ruff, "--config", "lint.per-file-ignores={}", "--output-format", "json"],
        check=False,
        capture_output=True,
    )
    edges = {
        str(Path(each["filename"]).relative_to(Path.cwd())) for each in json.loads(found.stdout)
    }

    assert {
        path for path, rules in LIFTED.items() if "TID251" in rules and "*" not in path
    } == edges


def test_no_test_module_imports_from_another() -> None:
    importing = [
        str(path)
        for path in Path("tests").rglob("*.py")
        if re.search(r"^(from|import) .*\btest_\w+", path.read_text("utf-8"), re.MULTILINE)
    ]

    assert importing == []


def test_no_tool_looks_at_less_than_before() -> None:
    variations = sum(len(fault.does) for fault in FAULTS.values())

    assert len(FAULTS) >= 282
    assert variations >= 2_623
    assert len(DOCUMENTS) >= 8
    assert TARGETS.keys() >= {"answer", "configuration", "event"}
    assert LEAST_MUTANTS >= 10_800


def test_what_takes_long_is_said_to_take_long() -> None:
    [said] = re.findall(r"Setting up \$\(VENV\) .*(?=\")", MAKEFILE)

    assert said.endswith("(once: a minute or two, some 700 MB) ...")
