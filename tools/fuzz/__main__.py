"""Fuzzes each target for some seconds, guided by coverage: `make fuzz`.

An input that breaks a rule is kept in tools/fuzz/regressions, where the unit tests run it from
then on.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

_HERE = Path(__file__).parent
_INPUT_MAX = 4096  # bytes; longer ones find nothing new, and slowly
_MEMORY_MAX = 2048  # MiB
_SLOWEST = 10  # seconds for one input: what takes longer is a finding


def main() -> int:
    """Fuzz all targets, or be the process that fuzzes one."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", help="only this one, in this process")
    arguments = parser.parse_args()
    if arguments.target:
        return _fuzz(arguments.target, arguments.seconds)
    found = [name for name in _targets() if _in_a_process(name, arguments.seconds)]
    print(f"findings: {', '.join(found) or 'none'}")
    return 1 if found else 0


def _targets() -> list[str]:
    return sorted(path.name for path in (_HERE / "seeds").iterdir())


def _in_a_process(name: str, seconds: int) -> int:
    """libFuzzer ends the process that it runs in."""
    print(f"── {name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", "tools.fuzz", "--target", name, "--seconds", str(seconds)]
    return subprocess.run(command, check=False).returncode


def _fuzz(name: str, seconds: int) -> int:
    with atheris.instrument_imports(include=["backup_audit", "tools.fuzz.targets"]):
        from tools.fuzz.targets import TARGETS
    found = _HERE / "regressions" / name
    corpus = Path(".local/fuzz") / name
    for folder in (found, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_INPUT_MAX}",
        f"-rss_limit_mb={_MEMORY_MAX}",
        f"-timeout={_SLOWEST}",
        f"-dict={_HERE / 'words.dict'}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(corpus), str(_HERE / "seeds" / name), str(found)], TARGETS[name]
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
