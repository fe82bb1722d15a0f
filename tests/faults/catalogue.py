"""All faults that are tried, in the order of docs/faults.md."""

from tests.faults.ages import AGES
from tests.faults.bodies import BODIES
from tests.faults.certificates import CERTIFICATES
from tests.faults.cloud_foundry import CLOUD_FOUNDRY
from tests.faults.connections import CONNECTIONS, SLOWNESS
from tests.faults.fault import Fault, Group
from tests.faults.framing import FRAMING
from tests.faults.headers import COOKIES, LEAKS, REDIRECTS, RETRY_AFTER
from tests.faults.packing import PACKING
from tests.faults.proxies import PROXIES
from tests.faults.statuses import STATUSES

CATALOGUE: tuple[Group, ...] = (
    STATUSES,
    CLOUD_FOUNDRY,
    *BODIES,
    PACKING,
    *FRAMING,
    CONNECTIONS,
    SLOWNESS,
    REDIRECTS,
    RETRY_AFTER,
    COOKIES,
    LEAKS,
    CERTIFICATES,
    PROXIES,
    AGES,
)


def name_of(group: Group, fault: Fault) -> str:
    """A fault's name, which no other has."""
    return f"{group.title}: {fault.name}"


FAULTS: dict[str, Fault] = {
    name_of(group, fault): fault for group in CATALOGUE for fault in group.faults
}
