"""The foundations that are audited: over HTTPS, each with a certificate of a private CA."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import trustme

from tools.local_cloud.behaviours import Closes, SimulatedInstance
from tools.local_cloud.discovered import discovered
from tools.local_cloud.fleet import Fleet
from tools.local_cloud.fleets import sample
from tools.local_cloud.simulated_cloud_controller import SimulatedCloudController

DEAD = ("dead-1", "dead-2", "dead-3")  # asked for these, the API closes the connection
# What an audit of the sample fleet finds.
COUNTS = {
    "never_backed_up": 1,
    "stale": 2,
    "unsupported": 1,
    "not_found": 1,
    "unknown": 0,
    "in_grace": 1,
    "healthy": 2,
}


class Foundation(msgspec.Struct, frozen=True):
    """A fleet, the API that serves it, and the CA to trust."""

    fleet: Fleet
    api: SimulatedCloudController
    ca_pem: str


@contextmanager
def sample_foundation() -> Iterator[Foundation]:
    """Serve the sample fleet, 8 instances, five of them with a problem; and DEAD beside it."""
    now = datetime.now(UTC)
    dead = [
        SimulatedInstance(guid=guid, name=guid, created_at=now, behaviour=Closes()) for guid in DEAD
    ]
    with _serving(sample(now), *dead) as foundation:
        yield foundation


@contextmanager
def discovered_foundation() -> Iterator[Foundation]:
    """Serve the discovered fleet, of which a few instances are listed by hand."""
    with _serving(discovered(datetime.now(UTC))) as foundation:
        yield foundation


@contextmanager
def _serving(fleet: Fleet, *others: SimulatedInstance) -> Iterator[Foundation]:
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    with SimulatedCloudController([*fleet.instances, *others], tls=tls) as api:
        yield Foundation(fleet, api, ca.cert_pem.bytes().decode())
