"""The command `backup-audit`, also `python -m backup_audit_cli`."""

import argparse
import sys

from backup_audit_cli.run import run
from backup_audit_cli.verify import verify

_RUN = """\
Run one audit here, with the settings and the AWS credentials of the environment. The answer goes to
stdout, log lines and metrics to stderr. Exit status: 0 the run has its report, 1 it failed, 2 there
is no event, or wrong usage.
"""
_VERIFY = """\
Compare every object of every committed run with the run's manifest, and every run with what the
runs after it say of it. A folder holds the objects as files under their keys. Exit status: 0 all is
as it was written, 1 something is not, 2 there is nothing that can be verified, or wrong usage.
"""


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="backup-audit", description="Audits the backups of Cloud Foundry service instances."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("run", help="run one audit here", description=_RUN)
    command.add_argument("argument", metavar="EVENT", help="file with the event, - for stdin")
    command.set_defaults(carry_out=run)

    command = commands.add_parser(
        "verify", help="are stored reports what was written?", description=_VERIFY
    )
    command.add_argument("argument", metavar="WHERE", help="s3://bucket[/prefix], or a folder")
    command.set_defaults(carry_out=verify)

    chosen = parser.parse_args(arguments)
    status: int = chosen.carry_out(chosen.argument)
    return status


if __name__ == "__main__":
    sys.exit(main())
