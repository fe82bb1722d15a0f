"""curl --parallel, its answers parsed as they come."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.bench.target import AUTHORIZATION, TIMEOUT, Answered, Target, newest

_END = b"]}"  # of a list of backups, and nowhere else in it


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """One curl for all, the answers one after the other on its standard output."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "curl"
        config.write_text(_config(target, guids), "ascii")
        with subprocess.Popen(["curl", "--config", config], stdout=subprocess.PIPE) as curl:
            for document in _documents(curl):
                answered(newest(json.loads(document)))
    if curl.returncode:
        raise RuntimeError(f"curl: exit status {curl.returncode}")


def _documents(curl: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield the answers; curl writes a small one in one piece, so they do not mix."""
    assert curl.stdout
    begun = b""
    while chunk := curl.stdout.read1():  # type: ignore[attr-defined]
        *ended, begun = (begun + chunk).split(_END)
        yield from (document + _END for document in ended)


def _config(target: Target, guids: Sequence[str]) -> str:
    # Its first handshakes read the CAs one after the other, which takes a busy machine over 5 s.
    _, read = TIMEOUT
    options = f"""\
parallel
parallel-immediate
parallel-max = {target.in_flight}
silent
show-error
no-progress-meter
fail
http1.1
cacert = "{target.ca_file}"
header = "Authorization: {AUTHORIZATION}"
connect-timeout = {read}
max-time = {read}
"""
    return options + "".join(f'url = "{target.url(guid)}"\n' for guid in guids)
