"""What the README and its pages show of a run is what a run does."""

from pathlib import Path

import pytest

from tests.doubles.some import rest
from tools.readme import COMMAND_LINE, INVOKE, PARTS, README, generated_parts, masked

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(
    ("page", "name"), [rest(README, "make-run"), (INVOKE, "answer"), (COMMAND_LINE, "try")]
)
def test_a_shown_run_is_a_real_one(page: Path, name: str) -> None:
    shown = generated_parts(page.read_text("utf-8"))[name]

    assert masked(PARTS[name]()) == masked(shown), "run: make readme"
