"""The fuzzer's targets over what it starts from, and over everything that it ever found."""

from pathlib import Path

import pytest

from tools.fuzz.targets import TARGETS

FOLDER = Path(__file__).parents[2] / "tools" / "fuzz"
INPUTS = sorted(path for path in FOLDER.glob("*/*/*") if path.parent.name in TARGETS)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_the_fuzzer_starts_from_or_found_breaks_no_rule(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_something_to_start_from(target: str) -> None:
    assert [path for path in INPUTS if path.parts[-3:-1] == ("seeds", target)]
