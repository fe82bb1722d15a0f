"""The cloudfoundry-client package, its client shared by threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cloudfoundry_client.client import CloudFoundryClient
from requests.adapters import HTTPAdapter

from tools.bench.target import TIMEOUT, Answered, Target, newest


def run(target: Target, guids: Sequence[str], answered: Answered) -> None:
    """Log in, then GET: the package has no method for backups."""
    client = CloudFoundryClient(target.api_url, verify=target.ca_file)
    client.init_with_client_credentials()
    # Its pool holds 10 connections; above 10 threads it would measure handshakes, not the package.
    client._get_session().mount("https://", HTTPAdapter(pool_maxsize=target.in_flight))  # noqa: SLF001

    def ask(guid: str) -> None:
        answered(newest(client.get(target.url(guid), timeout=TIMEOUT).json()))

    with ThreadPoolExecutor(target.in_flight) as pool:
        for _ in pool.map(ask, guids):
            pass  # an exception of a worker comes up here
