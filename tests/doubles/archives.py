"""An archive in memory."""

from collections.abc import Iterator, Mapping

from backup_audit.errors import ReportStoreFailed


class InMemoryArchive:
    """The objects of a bucket by their keys, as the command line reads one."""

    def __init__(self, objects: Mapping[str, bytes], where: str = "bucket") -> None:
        self._objects = objects
        self.where = where

    def keys(self, under: str = "") -> Iterator[str]:
        return (key for key in self._objects if key.startswith(under))

    def folders(self, under: str = "") -> Iterator[str]:
        below = (key.removeprefix(under) for key in self.keys(under))
        names = {name.partition("/")[0] for name in below if "/" in name}
        return (f"{under}{name}/" for name in names)

    def has(self, key: str) -> bool:
        return key in self._objects

    def pieces(self, key: str) -> Iterator[bytes]:
        if key not in self._objects:
            raise ReportStoreFailed(f"there is no {key}")
        yield self._objects[key]
