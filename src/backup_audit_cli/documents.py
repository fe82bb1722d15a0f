"""Documents that a person names: one meaning of names and addresses in all commands."""

import re
import sys
from pathlib import Path

from backup_audit.aws import CLIENTS
from backup_audit.fleet.sources import source_of
from backup_audit_cli.exit_status import WrongUsage

_ADDRESS = re.compile(r"ssm:.+|s3://[^/]+/.+|appconfig:[^/]+/[^/]+/[^/]+|file:.+")

MEANING = (
    "a file, - for standard input, or an address as CONFIG_URI has it: ssm:/name, "
    "s3://bucket/key, appconfig:application/environment/profile, file:path"
)


def read_document(where: str, named: str) -> bytes:
    """Read a file, standard input (-), or what is stored at an address; `named` is its argument.

    Raise WrongUsage for a file that cannot be read, ConfigurationUnavailable for an address.
    """
    if where == "-":
        return sys.stdin.buffer.read()
    if _ADDRESS.fullmatch(where) and not where.startswith("file:"):
        return source_of(where, CLIENTS, variable=named).read()
    try:
        return Path(where.removeprefix("file:")).read_bytes()
    except OSError as error:
        raise WrongUsage(f"{named} {where}: {error.strerror}") from None
