"""AWS in a process of its own, so that it weighs on nobody's memory or CPU."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from tools.bench.children import ChildFailed, clean_environment

_BUCKET = "backup-audit-configuration"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the deployed function is to find: the API, and a configuration of each size."""

    api_url: str
    sizes: list[int]


@contextlib.contextmanager
def running(wanted: Wanted) -> Iterator[dict[str, str]]:
    """Yield the environment of a function that is deployed there."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.bench.aws_server"],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(msgspec.json.encode(wanted) + b"\n")
        child.stdin.flush()
        said = child.stdout.readline()
        if not said:
            raise ChildFailed("AWS does not start; what it says stands above")
        yield msgspec.json.decode(said, type=dict[str, str])
        # To leave the block closes the child's standard input, and that ends it.


def configuration_uri(instances: int) -> str:
    """Where the configuration of so many bare GUIDs lies."""
    return f"s3://{_BUCKET}/{instances}.json"
