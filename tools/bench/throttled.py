"""The whole process at Lambda's share of a CPU, beside what it was before it was rebuilt."""

import io
import subprocess
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from tools.bench import lambda_cpu
from tools.bench.aws import configuration_uri
from tools.bench.cases import Case
from tools.bench.invoke import invoke, package
from tools.bench.nginx import Server
from tools.bench.results import BEFORE, Throttled
from tools.bench.results import THROTTLED_SIZES as SIZES

CASE = Case(latency_ms=200, in_flight=32)


def throttled(
    compiled: Path,
    folder: Path,
    server: Server,
    settings: Mapping[str, str],
    *,
    repeats: int,
    tell: Callable[[str], None],
) -> Throttled:
    """Measure both in turn: seconds from the start of Python to its end."""
    packages = {"now": (compiled, "backup_audit.handler")}
    before = _before(folder)
    if before is not None:
        packages["before"] = (before, "backup_audit.handlers.function")
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    with lambda_cpu.limited() as run:
        tell(f"Lambda's share of a CPU: {lambda_cpu.SHARE:.2f}, by {run.how}")
        for repeat in range(repeats):
            for size in SIZES:
                for name, (of_name, module) in packages.items():
                    of_run = {
                        "CF_API_URL": server.api_url(CASE.latency_ms, CASE.backups, size),
                        "CONFIG_URI": configuration_uri(size),
                        "WORKERS": str(CASE.in_flight),
                        "REPORT_PREFIX": f"{name}-{size}-{repeat}",
                    }
                    began = time.perf_counter()
                    invoke(of_name, {**settings, **of_run}, size, run=run, module=module)
                    seconds[name, size].append(time.perf_counter() - began)
        return Throttled(
            how=run.how,
            **{
                name: {str(size): round(median(seconds[name, size]), 2) for size in SIZES}
                for name in packages
            },
        )


def _before(folder: Path) -> Path | None:
    """The package of that commit; None where the history does not reach so far."""
    archive = subprocess.run(
        ["git", "archive", BEFORE, "src/backup_audit"], capture_output=True, check=False
    )
    if archive.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    target = folder / "package"
    target.mkdir()
    return package(target, compiled=True, source=folder / "src/backup_audit")
