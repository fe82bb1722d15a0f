"""The runs below a place: which there are, and the report of each, read as a stream."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Scope
from backup_audit.report.commit import Measured
from backup_audit.report.failing import Failing
from backup_audit.report.rendering import ReportReader, newer_version
from backup_audit.report.report import Latest, Manifest
from backup_audit.strict import UNDECODABLE
from backup_audit_cli.archives import Archive

_OURS = ("findings/", "plans/", "reports/", "runs/")  # beside latest.json
_DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/")
_OF_A_RUN = re.compile(
    r"(?:.*/)?reports/dt=(?P<day>\d{4}-\d{2}-\d{2})/run=(?P<run>[\w.-]+)/(?P<name>[^/]+)"
)
_LINE = re.compile(r"runs/dt=(?P<day>\d{4}-\d{2}-\d{2})/run=(?P<run>[\w.-]+)\.json")
_VERSION_WITHIN = 2  # lines: it is the first member


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a run is stored: the day (UTC) on which it was due, and its id."""

    day: str
    run: str

    def key(self, name: str) -> str:
        """The key of an object of the run, below its root."""
        return f"reports/dt={self.day}/run={self.run}/{name}"


class Root(msgspec.Struct, frozen=True):
    """A place with reports/ right below it: what one foundation has written.

    `path` is relative to the archive, and empty or with a slash at its end.
    """

    archive: Archive
    path: str

    @property
    def where(self) -> str:
        """The place, as people write it."""
        return f"{self.archive.where}/{self.path}".rstrip("/")

    def shown(self, key: str) -> str:
        """An object's address, as people write it."""
        return f"{self.where}/{key}"

    def days(self) -> list[str]:
        """The days (UTC) with a run, committed or not, oldest first."""
        return self._days("reports/")

    def days_of_lines(self) -> list[str]:
        """The days (UTC) with a line in runs/, oldest first."""
        return self._days("runs/")

    def _days(self, under: str) -> list[str]:
        folders = self.archive.folders(self.path + under)
        found = (_DAY.fullmatch(folder.removeprefix(self.path + under)) for folder in folders)
        return sorted(day[1] for day in found if day)

    def runs_on(self, day: str) -> dict[Place, set[str]]:
        """The runs due on a day (UTC), by place, each with the names of its objects."""
        runs: dict[Place, set[str]] = {}
        for key in self.archive.keys(f"{self.path}reports/dt={day}/"):
            if found := _OF_A_RUN.fullmatch(key):
                place = Place(found["day"], found["run"])
                runs.setdefault(place, set()).add(found["name"])
        return dict(sorted(runs.items()))

    def lines_on(self, day: str) -> dict[Place, str]:
        """The keys of the lines in runs/ of a day (UTC), by the place of the run."""
        found: dict[Place, str] = {}
        for whole in self.archive.keys(f"{self.path}runs/dt={day}/"):
            key = whole.removeprefix(self.path)
            if line := _LINE.fullmatch(key):
                found[Place(line["day"], line["run"])] = key
        return dict(sorted(found.items()))

    def body(self, key: str) -> bytes:
        """A small object; raise ReportStoreFailed if it is of a newer version."""
        body = self.unread(key)
        self._refuse_newer(body, key)
        return body

    def unread(self, key: str) -> bytes:
        """A small object of any version."""
        return b"".join(self.archive.pieces(self.path + key))

    def lines(self, key: str) -> Iterator[bytes]:
        """A large object, line by line with the line ends, as `body` reads a small one."""
        first: list[bytes] = []
        for line in _lines(self.archive.pieces(self.path + key)):
            if len(first) < _VERSION_WITHIN:
                first.append(line)
                self._refuse_newer(b"".join(first), key)
            yield line

    def _refuse_newer(self, body: bytes, key: str) -> None:
        if (version := newer_version(body)) is not None:
            raise ReportStoreFailed(
                f"{self.shown(key)} is of schema_version {version}, and this version of "
                "backup-audit reads 1: install the newer one that wrote it"
            )


def place_of(key: str) -> Place | None:
    """The place of the run that an object belongs to, whatever its root; None if it is of none."""
    found = _OF_A_RUN.fullmatch(key)
    return Place(found["day"], found["run"]) if found else None


def is_committed(names: Iterable[str]) -> bool:
    """Whether the objects of a run include those of a committed one."""
    return {"manifest.json", "report.json"} <= set(names)


def roots(archive: Archive) -> Iterator[Root]:
    """The roots at and below a place, however deep; raise ReportStoreFailed."""
    yield from _roots(archive, "")


def opened(root: Root, place: Place) -> tuple[ReportReader, Measured]:
    """A report.json, being read, and what measures it meanwhile.

    Raise MsgspecError or UnicodeDecodeError if it is damaged, ReportStoreFailed if it is newer or
    cannot be read.
    """
    key = place.key("report.json")
    body = Measured(key, root.lines(key))
    return ReportReader(body, root.shown(key)), body


def newest_full(root: Root) -> tuple[Place | None, str | None]:
    """The newest committed full run, and what is wrong with the pointer that should lead to it.

    It is the one that latest.json names, else the last that was due. None: there is none.
    """
    place, wrong = _pointed_at(root)
    if place is None:
        place = next(_full_runs(root), None)
    return place, wrong if place else None


def failing_runs(root: Root) -> tuple[Failing | None, str | None]:
    """What failing.json says while full runs fail, and what is wrong with it; None: nothing.

    It is beside the reports, which can be shown without it.
    """
    if not root.archive.has(f"{root.path}failing.json"):
        return None, None
    not_known = "whether full runs fail is not known"
    body = root.unread("failing.json")
    if (version := newer_version(body)) is not None:
        newer = f"failing.json is of schema_version {version}, and this version of backup-audit"
        return None, f"{newer} reads 1: {not_known}"
    try:
        failing = msgspec.json.decode(body, type=Failing)
    except UNDECODABLE as error:
        return None, f"failing.json is damaged ({error}): {not_known}"
    return (failing if failing.ended_at is None else None), None


def run_named(root: Root, run_id: str) -> Place | None:
    """A committed run of any scope by its id; None if there is none."""
    found = re.match(r"(\d{4})(\d{2})(\d{2})T", run_id)
    if not found:
        return None
    place = Place("-".join(found.groups()), run_id)
    return place if is_committed(root.runs_on(place.day).get(place, ())) else None


def _roots(archive: Archive, path: str) -> Iterator[Root]:
    folders = sorted(archive.folders(path))
    root = Root(archive, path)
    is_root = f"{path}reports/" in folders and bool(root.days())
    if is_root:
        yield root
    for folder in folders:
        name = folder.removeprefix(path)
        if not (is_root and name in _OURS) and not _DAY.fullmatch(name):
            yield from _roots(archive, folder)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).splitlines(keepends=True)
        yield from lines
    if rest:
        yield rest


def _pointed_at(root: Root) -> tuple[Place | None, str | None]:
    if not root.archive.has(f"{root.path}latest.json"):
        return None, "latest.json is gone: this is the newest run that is there"
    try:
        latest = msgspec.json.decode(root.body("latest.json"), type=Latest)
    except UNDECODABLE as error:
        return None, f"latest.json is damaged ({error}): this is the newest run that is there"
    place = place_of(latest.report_key)
    if place is None or not is_committed(root.runs_on(place.day).get(place, ())):
        gone = f"run {latest.run.run_id}, which latest.json names, is gone"
        return None, f"{gone}: this is the newest run that is there"
    return place, None


def _full_runs(root: Root) -> Iterator[Place]:
    """The committed full runs, the last that was due first; a manifest that is damaged is none."""
    for day in reversed(root.days()):
        full: list[tuple[str, Place]] = []
        for place, names in root.runs_on(day).items():
            manifest = _manifest(root, place) if is_committed(names) else None
            if manifest is not None and manifest.run.scope is Scope.FULL:
                full.append((f"{manifest.run.due_at:%Y%m%dT%H%M%S}", place))
        yield from (place for _, place in sorted(full, reverse=True))


def _manifest(root: Root, place: Place) -> Manifest | None:
    try:
        return msgspec.json.decode(root.body(place.key("manifest.json")), type=Manifest)
    except UNDECODABLE:
        return None
