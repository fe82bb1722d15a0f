"""What a new execution environment pays in CPU time before and in its first run."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tools.bench.invoke import Invocation, import_cpu_ms, invoke
from tools.bench.results import ColdStart

# What any such function imports, whatever it does.
_BASE = """\
import requests
from aws_lambda_powertools import Logger, Metrics
Logger(service="base")
Metrics(namespace="base", service="base")
"""


def cold_start(compiled: Path, plain: Path, settings: Mapping[str, str], repeats: int) -> ColdStart:
    """Measure the package with .pyc files and the one without, and the base of both."""
    base: list[float] = []
    with_pyc: list[Invocation] = []
    without: list[Invocation] = []
    for repeat in range(repeats):
        base.append(import_cpu_ms(compiled, _BASE))
        with_pyc.append(invoke(compiled, {**settings, "REPORT_PREFIX": f"compiled-{repeat}"}, 1))
        without.append(invoke(plain, {**settings, "REPORT_PREFIX": f"plain-{repeat}"}, 1))
    return ColdStart(
        import_=round(median(run.import_cpu_ms for run in with_pyc), 1),
        first_run=round(median(run.first_run_cpu_ms for run in with_pyc), 1),
        import_without_pyc=round(median(run.import_cpu_ms for run in without), 1),
        first_run_without_pyc=round(median(run.first_run_cpu_ms for run in without), 1),
        base_import=round(median(base), 1),
    )
