"""Runs the function against a cloud on this machine: `make run`.

The real handler audits a simulated foundation; S3, SNS, SSM and Secrets Manager are moto's, in
this process. No account, no network. The report bucket is kept in the folder given by --out and
read again by the next run there, so problems go on, end and come back as they would in AWS.
"""

import argparse
import json
import sys
from pathlib import Path

from tools.local_cloud.environment import LEFT_TO_THE_USER
from tools.local_cloud.fleets import FLEETS
from tools.local_cloud.local_run import run_locally
from tools.local_cloud.progress import progress_bar
from tools.local_cloud.show import show

_STATUS = """\
exit status: 0 the run has its report, 1 it failed, 2 wrong usage, 130 interrupted
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one audit and show it; return the exit status."""
    options = _parser().parse_args(arguments)
    if options.fleet not in FLEETS:
        print(f"FLEET {options.fleet} is none of {', '.join(FLEETS)}", file=sys.stderr)
        return 2
    try:
        event = json.loads(_read(options.event))
    except (OSError, ValueError) as error:
        print(f"{options.event}: {error}", file=sys.stderr)
        return 2
    try:
        configuration = _read(options.config) if options.config else None
    except OSError as error:
        print(f"{options.config}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"{options.out}: {error}", file=sys.stderr)
        return 2
    try:
        outcome = run_locally(
            event, options.fleet, options.out, progress_bar, configuration, days=options.days
        )
    except KeyboardInterrupt:
        print(f"interrupted; what the run had written is in {options.out}", file=sys.stderr)
        return 130
    show(outcome, options.out)
    return 1 if outcome.error else 0


def _read(path: Path) -> bytes:
    """A file, or standard input (-); no address: those in AWS would be asked for in earnest."""
    return sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.local_cloud",
        description=__doc__,
        epilog=f"{_STATUS}settings taken from your environment: {', '.join(LEFT_TO_THE_USER)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--event",
        type=Path,
        default=Path("events/manual-full.json"),
        help="file with the event that the function gets, - for stdin (default: %(default)s)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="a configuration of your own: the foundation has the instances that it lists; they "
        "behave as those of the fleet, in turn",
    )
    parser.add_argument(
        "--fleet",
        default="sample",
        help="the foundation to audit: " + "; ".join(map(_described, FLEETS)),
    )
    parser.add_argument(
        "--days",
        type=_days,
        default=1,
        help="how many days are audited, today last: on those before, the schedule asks for a full "
        "run at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(".local"),
        help="folder for bucket, messages and log; it is added to (default: %(default)s)",
    )
    return parser


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _described(fleet: str) -> str:
    return f"{fleet}: {FLEETS[fleet].__doc__}".rstrip(".").replace("%", "%%")


if __name__ == "__main__":
    sys.exit(main())
