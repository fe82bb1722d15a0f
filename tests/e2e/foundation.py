"""The foundation that is audited: over HTTPS, with a certificate of a private CA."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import trustme

from tools.local_cloud.behaviours import Closes, SimulatedInstance
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
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    now = datetime.now(UTC)
    fleet = sample(now)
    dead = [
        SimulatedInstance(guid=guid, name=guid, created_at=now, behaviour=Closes()) for guid in DEAD
    ]
    with SimulatedCloudController([*fleet.instances, *dead], tls=tls) as api:
        yield Foundation(fleet, api, ca.cert_pem.bytes().decode())
