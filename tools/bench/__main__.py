"""Measures the product and its peers on this machine: `make bench`.

Everything is on loopback, over HTTPS, against nginx; nothing is sent anywhere. The figures mean
most on a machine that does nothing else meanwhile. Sections can be measured one by one: what the
file has of the others stays.
"""

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from tools.bench import aws, nginx
from tools.bench.aimd import aimd
from tools.bench.alerts import alerts
from tools.bench.bad_days import HANGING_FLEET, bad_days
from tools.bench.cases import ALL_CASES, QUICK_CASES, Case
from tools.bench.clients import OURS
from tools.bench.cold_job import cold_jobs
from tools.bench.cold_start import cold_start
from tools.bench.fan_out import fan_out
from tools.bench.figures import Figure
from tools.bench.inventory import inventory
from tools.bench.invoke import package
from tools.bench.memory import large_bad_days
from tools.bench.report_page import report_page
from tools.bench.results import THROTTLED_SIZES, Client, Machine, Results, When
from tools.bench.tables import tables
from tools.bench.throttled import CASE as THROTTLED
from tools.bench.throttled import throttled
from tools.bench.whole_job import ALL_SIZES, QUICK_SIZES, whole_jobs
from tools.bench.whole_job import CASE as WHOLE_JOB

_NEWEST_BACKUP = timedelta(hours=1)  # old: healthy for as long as the benchmark takes


SECTIONS = (
    "cold-start",
    "whole-job",
    "aimd",
    "cold-job",
    "fan-out",
    "lambda-cpu",
    "bad-days",
    "memory",
    "inventory",
    "alerts",
    "report-page",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure, keep, print; return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or nginx would live on
    try:
        nginx.program("curl")
        results = _kept(options.out)
        for section, measured in _measure(options.only, options.repeats, quick=options.quick):
            when = When(
                at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                repeats=options.repeats,
                quick=options.quick,
            )
            results = msgspec.structs.replace(
                results, **measured, measured={**results.measured, section: when}
            )
            _keep(options.out, results)
    except nginx.ProgramMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    goals, *figures = tables(results)
    for table in (*figures, goals):
        print(f"\n{table.title}: {table.note}\n\n{table.markdown()}")
    print(f"\nKept in {options.out}; `make bench-docs` draws it.")
    return 0


def _kept(path: Path) -> Results:
    """What was measured before, by this version of the benchmark."""
    with contextlib.suppress(FileNotFoundError, msgspec.ValidationError):
        return msgspec.json.decode(path.read_bytes(), type=Results)
    return Results()


def _keep(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def _measure(
    sections: Collection[str], repeats: int, *, quick: bool
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each section with its part of the results."""
    cases = QUICK_CASES if quick else ALL_CASES
    sizes = QUICK_SIZES if quick else ALL_SIZES
    newest = datetime.now(UTC) - _NEWEST_BACKUP
    with (
        tempfile.TemporaryDirectory(prefix="backup-audit-bench-") as folder,
        nginx.running(
            _below(folder, "nginx"),
            latencies_ms=sorted({case.latency_ms for case in [*cases, WHOLE_JOB, THROTTLED]}),
            backups=sorted({case.backups for case in cases}),
            newest=int(newest.timestamp()),
            fleets=[1, *_fleets(sizes), HANGING_FLEET],
        ) as server,
        aws.running(_wanted(server, sizes)) as deployed,
    ):
        settings = {**deployed, "CA_BUNDLE": f"file:{server.ca_file}"}
        compiled = package(_below(folder, "compiled"), compiled=True)

        def cold_starts() -> dict[str, object]:
            plain = package(_below(folder, "plain"), compiled=False)
            return {"cold_start_cpu_ms": cold_start(compiled, plain, settings, repeats)}

        def at_lambdas_share() -> dict[str, object]:
            before = _below(folder, "before")
            return {
                "throttled": throttled(
                    compiled, before, server, settings, repeats=repeats, tell=_tell
                )
            }

        measures: dict[str, Callable[[], dict[str, object]]] = {
            "cold-start": cold_starts,
            "whole-job": lambda: {
                "whole_job": whole_jobs(
                    compiled, server, settings, sizes, repeats=repeats, tell=_tell
                )
            },
            "aimd": lambda: {"aimd": aimd(server, repeats)},
            "cold-job": lambda: {"cold_job": cold_jobs(server, repeats)},
            "fan-out": lambda: _of_clients(fan_out(server, cases, repeats, _tell)),
            "lambda-cpu": at_lambdas_share,
            "bad-days": lambda: {"bad_days": bad_days(compiled, server, settings)},
            "memory": lambda: {"memory": large_bad_days(quick=quick, tell=_tell)},
            "inventory": lambda: {"inventory": inventory(quick=quick, tell=_tell)},
            "alerts": lambda: {"alerts": alerts(repeats=repeats, quick=quick, tell=_tell)},
            "report-page": lambda: {
                "report_page": report_page(repeats=repeats, quick=quick, tell=_tell)
            },
        }
        for section in SECTIONS:
            if section in sections:
                _tell(section)
                yield section, {"machine": _machine(server), **measures[section]()}


def _machine(server: nginx.Server) -> Machine:
    return Machine(
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        system=platform.system(),
        nginx=server.version,
    )


def _of_clients(figures: Mapping[str, Mapping[Case, Figure]]) -> dict[str, object]:
    clients = {name: _client(of_client) for name, of_client in figures.items()}
    return {**msgspec.structs.asdict(clients.pop(OURS)), "peers": clients}


def _wanted(server: nginx.Server, sizes: Sequence[int]) -> aws.Wanted:
    api_url = server.api_url(WHOLE_JOB.latency_ms, WHOLE_JOB.backups, 1)
    return aws.Wanted(api_url=api_url, sizes=[*_fleets(sizes), HANGING_FLEET])


def _fleets(sizes: Sequence[int]) -> list[int]:
    return sorted({*sizes, *THROTTLED_SIZES})


def _client(figures: Mapping[Case, Figure]) -> Client:
    return Client(
        limit_share={case.key: it.limit_share for case, it in figures.items()},
        cpu_us_per_instance={case.key: it.cpu_us_per_instance for case, it in figures.items()},
        requests_per_second={case.key: it.requests_per_second for case, it in figures.items()},
    )


def _below(folder: str, name: str) -> Path:
    path = Path(folder, name)
    path.mkdir()
    return path


def _tell(progress: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {progress}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds to take medians of (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few cases and small fleets: to see that it works"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=SECTIONS,
        metavar="SECTION",
        help=f"sections to measure: {', '.join(SECTIONS)} (default: all)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(".local/bench.json"),
        help="file for the figures (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
