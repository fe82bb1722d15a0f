"""AWS on this machine: ministack in a process of its own, with TLS and IAM enforced."""

import os
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import trustme

from tests.e2e.polling import eventually

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-e2e/bin/python"
REGION = "us-east-1"

_START = 120.0  # seconds; it takes one on an idle machine
_STOP = 10.0  # seconds
_LAST_LINES = 30


class Emulator:
    """A running ministack."""

    def __init__(self, port: int, ca: Path, log: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.log = log
        self._ca = ca

    @property
    def variables(self) -> dict[str, str]:
        """What an AWS client of another process needs in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": "test",  # ministack's root user
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self._ca),
            # No profile and no end point of this machine's user.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, key_id: str = "test", secret: str = "test") -> Any:  # noqa: ANN401
        """A client of the account's owner, or of whose key it is."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=self.url,
            verify=str(self._ca),
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
        )

    @property
    def last_words(self) -> str:
        """The end of its log, where its own errors are."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:])

    def answers(self) -> bool:
        """Whether it serves by now."""
        trusting = ssl.create_default_context(cafile=str(self._ca))
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", context=trusting):
                return True
        except OSError:
            return False


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    """Serve on a free port of the loopback interface; keep files in a new folder."""
    folder.mkdir()
    port = _free_port()
    running = Emulator(port, folder / "ca.pem", folder / "ministack.log")
    _issue_certificate(folder)
    command = [PYTHON, Path(__file__).with_name("start_ministack.py")]
    with running.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=running.variables | _settings(folder, port),
            cwd=folder,
        )
    try:
        eventually(
            lambda: process.poll() is not None or running.answers(),
            within=_START,
            what="ministack serves",
        )
        assert process.poll() is None, running.last_words
        yield running
    finally:
        _stop(process)


def _settings(folder: Path, port: int) -> dict[str, str]:
    """ministack's environment, which is the function's too: nothing of this machine's but these."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(folder / "certificate.pem"),
        "MINISTACK_SSL_KEY": str(folder / "key.pem"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _issue_certificate(folder: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
