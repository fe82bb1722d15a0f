"""What a client of the foundation may see."""

import msgspec

from tools.local_cloud.behaviours import SimulatedInstance
from tools.local_cloud.foundation import Org, Space

_SEE_ALL = {
    "cloud_controller.admin",
    "cloud_controller.admin_read_only",
    "cloud_controller.global_auditor",
}
_READ = "cloud_controller.read"


class Role(msgspec.Struct, frozen=True):
    """The scope of a client's tokens, and the spaces in which it has a role."""

    scope: str
    spaces: tuple[Space, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a token names the Cloud Controller at all; or it is taken for a foreign one."""
        return any(scope.startswith("cloud_controller.") for scope in self.scope.split())

    @property
    def may_read(self) -> bool:
        return self.sees_all or _READ in self.scope.split()

    @property
    def sees_all(self) -> bool:
        return not _SEE_ALL.isdisjoint(self.scope.split())

    def reads_space(self, space: Space) -> bool:
        return self.sees_all or space in self.spaces

    def reads_org(self, org: Org) -> bool:
        return self.sees_all or any(org == space.org for space in self.spaces)

    def sees(self, instance: SimulatedInstance) -> bool:
        """Whether an instance is in a space of ours, or is shared into one."""
        return self.sees_all or any(map(self.reads_space, instance.spaces))


GLOBAL_AUDITOR = Role("cloud_controller.global_auditor")
ADMIN_READ_ONLY = Role("cloud_controller.admin_read_only")


def reader_of(*spaces: Space) -> Role:
    """A client with a role in these spaces, and nothing more."""
    return Role(_READ, spaces)
