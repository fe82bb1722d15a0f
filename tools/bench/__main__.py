"""Measures the product and its peers on this machine: `make bench`.

Everything is on loopback, over HTTPS, against nginx; nothing is sent anywhere. It takes about 25
minutes; the figures mean most on a machine that does nothing else meanwhile.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from tools.bench import aws, nginx
from tools.bench.aimd import aimd
from tools.bench.cases import ALL_CASES, QUICK_CASES, Case
from tools.bench.clients import OURS
from tools.bench.cold_job import cold_jobs
from tools.bench.cold_start import cold_start
from tools.bench.fan_out import fan_out
from tools.bench.figures import Figure
from tools.bench.invoke import package
from tools.bench.results import Client, Machine, Results
from tools.bench.tables import tables
from tools.bench.whole_job import ALL_SIZES, QUICK_SIZES, whole_jobs
from tools.bench.whole_job import CASE as WHOLE_JOB

_NEWEST_BACKUP = timedelta(hours=1)  # old: healthy for as long as the benchmark takes


def main(arguments: list[str] | None = None) -> int:
    """Measure, keep, print; return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or nginx would live on
    try:
        nginx.program("curl")
        results = _measure(options.repeats, quick=options.quick)
    except nginx.ProgramMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    goals, *figures = tables(results)
    for table in (*figures, goals):
        print(f"\n{table.title}: {table.note}\n\n{table.markdown()}")
    print(f"\nKept in {options.out}; `make bench-docs` draws it.")
    return 0


def _measure(repeats: int, *, quick: bool) -> Results:
    cases = QUICK_CASES if quick else ALL_CASES
    sizes = QUICK_SIZES if quick else ALL_SIZES
    now = datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory(prefix="backup-audit-bench-") as folder,
        nginx.running(
            _below(folder, "nginx"),
            latencies_ms=sorted({case.latency_ms for case in cases}),
            backups=sorted({case.backups for case in cases}),
            newest=int((now - _NEWEST_BACKUP).timestamp()),
        ) as server,
        aws.running(_wanted(server, sizes)) as deployed,
    ):
        settings = {**deployed, "CA_BUNDLE": f"file:{server.ca_file}"}
        compiled = package(_below(folder, "compiled"), compiled=True)
        plain = package(_below(folder, "plain"), compiled=False)
        _tell("cold start")
        start = cold_start(compiled, plain, settings, repeats)
        whole = whole_jobs(compiled, settings, sizes, repeats, _tell)
        _tell("AIMD")
        adaptive = aimd(server, repeats)
        _tell("cold job")
        cold = cold_jobs(server, repeats)
        figures = fan_out(server, cases, repeats, _tell)
        clients = {name: _client(of_client) for name, of_client in figures.items()}
        return Results(
            **msgspec.structs.asdict(clients.pop(OURS)),
            peers=clients,
            cold_job=cold,
            whole_job=whole,
            cold_start_cpu_ms=start,
            aimd=adaptive,
            machine=Machine(
                cores=os.cpu_count() or 0,
                python=platform.python_version(),
                system=platform.system(),
                nginx=server.version,
            ),
            repeats=repeats,
            measured_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            quick=quick,
        )


def _wanted(server: nginx.Server, sizes: Sequence[int]) -> aws.Wanted:
    api_url = server.api_url(WHOLE_JOB.latency_ms, WHOLE_JOB.backups)
    return aws.Wanted(api_url=api_url, sizes=list(sizes))


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
        "--out",
        type=Path,
        default=Path(".local/bench.json"),
        help="file for the figures (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
