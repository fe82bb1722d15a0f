"""Invokes the function in a process of its own, from the package that `sam build` would make."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tools.bench import children

_REQUIREMENTS = Path("src/requirements.txt")
_SOURCE = Path("src/backup_audit")
_INVOCATION = Path("tools/bench/invocation.py")


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What invocation.py measures; `first_run_cpu_ms` includes the import."""

    import_cpu_ms: float
    first_run_cpu_ms: float
    seconds: float
    peak_rss_mib: float
    healthy: int
    unknown: int
    report: dict[str, str]


def invoke(
    package: Path,
    settings: Mapping[str, str],
    instances: int,
    *,
    hung: int = 0,
    lambda_seconds: int = 900,
    run: children.Run | None = None,
    module: str = "backup_audit.handler",
) -> Invocation:
    """Invoke once, with so much of Lambda's time.

    Raise ChildFailed unless every instance is found healthy, but for those that hang.
    """
    result = children.ask(
        ["-P", "-B", str(_INVOCATION), module, str(lambda_seconds)],
        Invocation,
        environment={**children.clean_environment(str(package)), **settings},
        run=run,
    )
    if (result.healthy, result.unknown) != (instances - hung, hung):
        raise children.ChildFailed(f"{result.healthy} of {instances} instances are healthy")
    return result


def import_cpu_ms(package: Path, statements: str) -> float:
    """CPU milliseconds that some statements take at the start of a process."""
    program = f"""\
import resource
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (usage.ru_utime + usage.ru_stime)
started = cpu()
{statements}
print(cpu() - started)
"""
    return children.ask(
        ["-P", "-B", "-c", program],
        float,
        environment=children.clean_environment(str(package)),
    )


def package(folder: Path, *, compiled: bool, source: Path = _SOURCE) -> Path:
    """Copy the function and the installed packages that it ships with; with .pyc or without."""
    for name in re.findall(r"^([\w.-]+)==", _REQUIREMENTS.read_text("ascii"), re.MULTILINE):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), folder / file)
    shutil.copytree(source, folder / "backup_audit", ignore=shutil.ignore_patterns("__pycache__"))
    if compiled:
        subprocess.run([sys.executable, "-m", "compileall", "-q", folder], check=True)
    return folder
