"""Verifies whether the reports below a place are those that were written.

The place is a bucket, a prefix, or a folder with a copy of either, however deep. Every object of
every committed run is compared with the run's manifest, its line for queries with its report, and
every run with what the runs after it say of it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Run
from backup_audit.report.report import (
    KeptObject,
    Latest,
    Manifest,
    Report,
    RunLine,
    run_line_of,
)
from backup_audit.strict import UNDECODABLE
from backup_audit.text import brief_duration
from backup_audit_cli.archives import Archive, archive_at
from backup_audit_cli.chain import (
    Link,
    Remark,
    chain_of,
    check_chain,
    fault,
    newest_full,
    note,
)
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.output import say

T = TypeVar("T")

_OF_A_RUN = re.compile(
    r"(?P<root>(.*/)?)((findings|reports)/(?P<place>dt=[^/]+/run=[^/]+)/[^/]+"
    r"|runs/(?P<line>dt=[^/]+/run=[^/]+)\.json)"
)

# What people open, or programs read: where its manifest names none, it is nobody's.
_DESCRIBED = ("findings.csv", "fleet.jsonl", "report.html", "report.json")

Places = Mapping[str, Sequence[str]]  # the keys of each run, by "dt=2026-01-31/run=..."


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found below a root. `chain`: what the newest full run vouches for, itself first.

    `root` is where findings/ and reports/ are: empty, or relative and with a slash at its end.
    `objects` is how many were compared with a manifest.
    """

    root: str
    objects: int
    runs: int
    chain: tuple[Link, ...]
    remarks: tuple[Remark, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all is as it was written."""
        return not any(remark.is_fault for remark in self.remarks)


def verified(archive: Archive) -> list[Verified]:
    """Verify the runs below each root; raise ReportStoreFailed if that cannot be read."""
    roots: dict[str, dict[str, list[str]]] = {}
    for key in sorted(archive.keys()):
        if found := _OF_A_RUN.fullmatch(key):
            places = roots.setdefault(found["root"], {})
            places.setdefault(found["place"] or found["line"], []).append(key)
    return [_Verification(archive, root).of(places) for root, places in roots.items()]


def verify(where: str) -> ExitStatus:
    """Print what was found at s3://bucket, s3://bucket/prefix or in a folder.

    Raise ReportStoreFailed if nothing there can be verified.
    """
    found = verified(archive_at(where))
    if not any(one.runs for one in found):
        raise ReportStoreFailed(
            f"{where} holds no committed run: no reports/dt=.../run=.../manifest.json is below it"
        )
    for one in found:
        say("\n".join(_lines(one, where)))
    return ExitStatus.FINE if all(one.is_whole for one in found) else ExitStatus.WRONG


class _Verification:
    """One root, being verified."""

    def __init__(self, archive: Archive, root: str) -> None:
        self._archive = archive
        self._root = root
        self._objects = 0
        self._remarks: list[Remark] = []

    def of(self, places: Places) -> Verified:
        """Verify the runs at their places."""
        links = [link for place, keys in places.items() if (link := self._link(place, keys))]
        newest = newest_full(links)
        self._remarks += check_chain(links)
        if newest is not None:
            self._check_latest(newest)
        return Verified(
            root=self._root,
            objects=self._objects,
            runs=len(links),
            chain=tuple(chain_of(links, newest)) if newest else (),
            remarks=tuple(self._remarks),
        )

    def _link(self, place: str, keys: Sequence[str]) -> Link | None:
        """The run at a place; None if it is not committed, or cannot be read."""
        manifest_key = f"{self._root}reports/{place}/manifest.json"
        report_key = f"{self._root}reports/{place}/report.json"
        line_key = f"{self._root}runs/{place}.json"
        if manifest_key not in keys:
            counted = f", and queries count it: {line_key} is there" if line_key in keys else ""
            self._remarks.append(note(f"{place} has no manifest: it is not committed{counted}"))
            return None
        manifest_body = self._body(manifest_key)
        manifest = self._read(manifest_key, manifest_body, Manifest)
        if manifest is None:
            return None
        self._remarks += self._check_objects(manifest, place, keys)
        body = self._body(report_key) if report_key in keys else b""
        report = self._read(report_key, body, Report)
        if report is None:
            return None
        self._check_line(line_key, report, place, keys)
        self._remarks += _lateness(report.run)
        return Link(
            run_id=report.run.run_id,
            scope=report.run.scope,
            due_at=report.run.due_at,
            report_sha256=hashlib.sha256(body).hexdigest(),
            manifest_sha256=hashlib.sha256(manifest_body).hexdigest(),
            previous=report.plan.previous,
        )

    def _check_objects(
        self, manifest: Manifest, place: str, keys: Sequence[str]
    ) -> Iterator[Remark]:
        described = {self._key(kept) for kept in manifest.objects}
        for kept in manifest.objects:
            key = self._key(kept)
            self._objects += 1
            if key not in keys:
                yield fault(f"{key} is gone; run {manifest.run.run_id} had {kept.bytes} bytes")
            elif not self._is_as_described(key, kept):
                yield fault(f"{key} is not what run {manifest.run.run_id} wrote")
        for key in keys:
            is_findings = key.startswith(f"{self._root}findings/{place}/")
            is_described = is_findings or key.rpartition("/")[2] in _DESCRIBED
            if is_described and key not in described:
                yield fault(f"{key} is no part of run {manifest.run.run_id}: its manifest has none")

    def _check_line(self, key: str, report: Report, place: str, keys: Sequence[str]) -> None:
        run_id = report.run.run_id
        if key not in keys:
            self._remarks.append(note(f"{key} is missing: queries leave run {run_id} out"))
            return
        line = self._read(key, self._body(key), RunLine)
        if line is None:
            return
        is_beside = line.report_key.endswith(f"reports/{place}/report.json")
        if not is_beside or line != run_line_of(report, line.report_key):
            self._remarks.append(fault(f"{key} is not what the report of run {run_id} says"))

    def _key(self, kept: KeptObject) -> str:
        """The key below our place: the manifest has that of the bucket, with the prefix."""
        found = _OF_A_RUN.fullmatch(kept.key)
        return self._root + kept.key.removeprefix(found["root"]) if found else kept.key

    def _is_as_described(self, key: str, kept: KeptObject) -> bool:
        digest = hashlib.sha256()
        length = 0
        for piece in self._archive.pieces(key):
            digest.update(piece)
            length += len(piece)
        return (length, digest.hexdigest()) == (kept.bytes, kept.sha256)

    def _check_latest(self, newest: Link) -> None:
        key = f"{self._root}latest.json"
        try:
            body = self._body(key)
        except ReportStoreFailed:
            self._remarks.append(fault(f"{key} is gone; run {newest.run_id} is the newest"))
            return
        latest = self._read(key, body, Latest)
        if latest is not None and latest.run.run_id != newest.run_id:
            text = f"{key} points at run {latest.run.run_id}, the newest is {newest.run_id}"
            self._remarks.append(fault(text))

    def _body(self, key: str) -> bytes:
        return b"".join(self._archive.pieces(key))

    def _read(self, key: str, body: bytes, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(body, type=kind)
        except UNDECODABLE as error:
            self._remarks.append(fault(f"{key} cannot be read: {error}"))
            return None


def _lateness(run: Run) -> Iterator[Remark]:
    """Reports can be made for times long past: a reader should know which were."""
    if run.delay is not None:
        yield note(
            f"run {run.run_id} was made {brief_duration(run.delay)} after it was due: "
            f"due {run.due_at:%Y-%m-%d %H:%M}, made {run.started_at:%Y-%m-%d %H:%M} UTC"
        )


def _lines(found: Verified, where: str) -> Iterable[str]:
    place = f"{where.rstrip('/')}/{found.root}".rstrip("/")
    yield f"{place}: committed runs: {found.runs}, objects compared: {found.objects}"
    if found.chain:
        newest, oldest = found.chain[0].run_id, found.chain[-1].run_id
        yield f"  the newest full run, {newest}, vouches for those back to {oldest}"
    yield from (f"  {'FAULT' if one.is_fault else 'note'}: {one.text}" for one in found.remarks)
    not_whole = "something is not as it was written: see FAULT"
    yield f"  {'all is as it was written' if found.is_whole else not_whole}"
