"""The API: nginx, which waits without work and so is never the bottleneck."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import certifi
import msgspec
import trustme

from tools.bench.discovered import InstanceList
from tools.bench.nginx_conf import (
    HANGING,
    HOST,
    LIMITED,
    PAGE_SIZE,
    PAGES,
    api_path,
    configuration,
    page_file,
)

_MODULE = "ngx_http_echo_module.so"
_MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
_ALL_CAS = "all-cas.pem"
_ONE_CA = "one-ca.pem"
_LOG = "limited.log"
_STARTS_WITHIN = 10.0  # seconds


class ProgramMissing(Exception):
    """nginx, its module, curl or Chromium is not on this machine; the text says how to get it."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running nginx, its files in a folder.

    Every answer's newest backup is from `newest` (seconds since 1970).
    """

    url: str
    folder: Path
    newest: int
    version: str

    @property
    def ca_file(self) -> str:
        """The public CAs and the server's own: what a client reads that trusts the public CAs."""
        return str(self.folder / _ALL_CAS)

    @property
    def one_ca_file(self) -> str:
        """The server's CA alone."""
        return str(self.folder / _ONE_CA)

    def api_url(self, latency_ms: int, backups: int, instances: int | None = None) -> str:
        """The API that takes so long, with so many backups in each answer, and as many instances.

        Without their number it lists none.
        """
        return self.url + api_path(latency_ms, backups, instances)

    @property
    def limited_api_url(self) -> str:
        """The API that refuses more than so many requests at once."""
        return self.url + LIMITED

    @property
    def hanging_api_url(self) -> str:
        """The API that answers for one instance never."""
        return self.url + HANGING

    def rejections(self) -> int:
        """How many requests that API has refused so far."""
        return (self.folder / _LOG).read_bytes().count(b"\n")


def program(name: str) -> str:
    """Where a program lies; raise ProgramMissing."""
    # /usr/sbin is not on the PATH of everyone who may run what lies there.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise ProgramMissing(_how_to_get(name))
    return found


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    latencies_ms: Sequence[int],
    backups: Sequence[int],
    newest: int,
    fleets: Sequence[int] = (),
) -> Iterator[Server]:
    """Run nginx, its files in the folder; raise ProgramMissing.

    It lists the instances of each of these fleets; the API that hangs lists the last.
    """
    nginx, port = program("nginx"), _free_port()
    _write_certificates(folder)
    for instances in fleets:
        _write_pages(folder / PAGES / str(instances), instances)
    (folder / "nginx.conf").write_text(
        configuration(_module(), port, latencies_ms, backups, newest, fleets=fleets), "ascii"
    )
    # Started by root, its workers would be somebody who may not read our files.
    as_root = ["-g", "user root;"] if os.geteuid() == 0 else []
    process = subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf", "-e", "stderr", *as_root])
    try:
        _wait_for(port, process)
        yield Server(
            url=f"https://{HOST}:{port}", folder=folder, newest=newest, version=_version(nginx)
        )
    finally:
        process.terminate()
        process.wait()


def _module() -> str:
    for folder in map(Path, _MODULE_FOLDERS):
        if (folder / _MODULE).is_file():
            return str(folder / _MODULE)
    raise ProgramMissing(_how_to_get(f"nginx's {_MODULE}"))


def _how_to_get(what: str) -> str:
    return (
        f"{what} is not on this machine. The benchmark needs nginx with a module to wait without "
        "work, curl and Chromium: apt-get install nginx-light libnginx-mod-http-echo curl chromium"
    )


def _version(nginx: str) -> str:
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
    return said.stderr.strip().rpartition("/")[2]


def _write_certificates(folder: Path) -> None:
    ca = trustme.CA()
    ca.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    ca.cert_pem.write_to_path(folder / _ONE_CA)
    (folder / _ALL_CAS).write_bytes(Path(certifi.where()).read_bytes() + ca.cert_pem.bytes())


def _write_pages(folder: Path, instances: int) -> None:
    """The inventory of so many instances, a file a page, and an empty one."""
    folder.mkdir(parents=True)
    (folder / "none.json").write_bytes(InstanceList(0).answer(""))
    for since, body in InstanceList(instances).pages(PAGE_SIZE):
        (folder / page_file(since)).write_bytes(body)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not start; what it says stands above")
