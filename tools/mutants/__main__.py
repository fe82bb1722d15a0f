"""Changes the rules one by one, and sees whether the unit tests notice: `make mutants`.

mutmut makes the mutants and runs the tests. A mutant that survives changes nothing that matters:
then explained.toml says why. One that is not explained is a test that is missing.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from mutmut.mutation.diff_apply import get_diff_for_mutant

from tools.mutants import FLOOR

_EXPLAINED = Path(__file__).with_name("explained.toml")
_WORK = Path("mutants")  # mutmut's
_MADE = _WORK / "src"
_KILLED = (1, 3)  # exit statuses of pytest: a test failed, or could not run at all


class Mutant(msgspec.Struct, frozen=True, order=True):
    """A change: the function, what stood there, and what stood there instead."""

    function: str
    was: str
    now: str


def main() -> int:
    """Run mutmut; say which survivors nobody explained, and which explanations are out of date."""
    # mutmut lets a result stand until the function changes, though the test that gave it be gone.
    shutil.rmtree(_WORK, ignore_errors=True)
    subprocess.run(["mutmut", "run", "--max-children", "2"], check=True)
    tried, survivors = _results()
    explained = _explained()
    unexplained = sorted(survivors - explained)
    outdated = sorted(explained - survivors)
    for title, mutants in (("survived", unexplained), ("explained, but is gone", outdated)):
        for mutant in mutants:
            print(f"{title}: {mutant.function}\n    - {mutant.was}\n    + {mutant.now}")
    print(f"{tried} mutants, {len(survivors)} survived, {len(unexplained)} without an explanation")
    if tried < FLOOR:
        print(f"fewer than {FLOOR} mutants: are the paths in only_mutate right?")
    return 1 if unexplained or outdated or tried < FLOOR else 0


def _results() -> tuple[int, set[Mutant]]:
    """How many were tried, and who survived; one that no test reached has survived too."""
    tried = 0
    survivors = set()
    for path in sorted(_MADE.rglob("*.meta")):
        statuses: dict[str, int | None] = msgspec.json.decode(path.read_bytes())["exit_code_by_key"]
        tried += len(statuses)
        source = Path("src") / path.relative_to(_WORK / "src").with_suffix("")
        survivors |= {
            _mutant(name, source) for name, status in statuses.items() if _survived(status)
        }
    return tried, survivors


def _survived(status: int | None) -> bool:
    timed_out = status in (24, 36, -24, 152, 255)
    return status not in _KILLED and not timed_out


def _mutant(name: str, source: Path) -> Mutant:
    changed = [
        line for line in get_diff_for_mutant(name, path=source).splitlines() if line[:1] in "+-"
    ]
    module_and_function = name.rpartition("__mutmut_")[0]
    return Mutant(
        ".".join(module_and_function.replace(".x_", ".").split(".")[-2:]),
        " ".join(_stripped(changed, "-")),
        " ".join(_stripped(changed, "+")),
    )


def _stripped(lines: list[str], sign: str) -> Iterator[str]:
    body = [line for line in lines if line.startswith(sign) and not line.startswith(sign * 3)]
    return (line[1:].strip() for line in body)


def _explained() -> set[Mutant]:
    entries = tomllib.loads(_EXPLAINED.read_text("utf-8"))["mutant"]
    assert all(entry["because"] for entry in entries)
    return {Mutant(entry["function"], entry["was"], entry["now"]) for entry in entries}


if __name__ == "__main__":
    sys.exit(main())
