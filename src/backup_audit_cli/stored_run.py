"""A committed run as it is stored: the head of its report, and the checksums of what was read."""

import hashlib

import msgspec

from backup_audit.report.report import KeptObject, Manifest, Report
from backup_audit.strict import UNDECODABLE
from backup_audit_cli.chain import Link
from backup_audit_cli.period import Checked, RunRef
from backup_audit_cli.runs import Place, Root, opened
from backup_audit_cli.tally import Facts, ref_of


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A committed run as it is stored; `described` is what its manifest says of its report."""

    place: Place
    head: Report
    report: Checked
    manifest: Checked
    described: KeptObject | None

    @property
    def ref(self) -> RunRef:
        return ref_of(self.head)

    @property
    def link(self) -> Link:
        """The run as the chain sees it."""
        return Link(
            run_id=self.head.run.run_id,
            scope=self.head.run.scope,
            due_at=self.head.run.due_at,
            report_sha256=self.report.sha256,
            manifest_sha256=self.manifest.sha256,
            previous=self.head.plan.previous,
        )

    @property
    def fault(self) -> str | None:
        """Why the report proves nothing; None if it is where it belongs, and as described."""
        run = self.head.run
        if (run.run_id, f"{run.due_at:%Y-%m-%d}") != (self.place.run, self.place.day):
            return f"{self.report.key} is that of another run, {run.run_id}"
        if self.described is None:
            return f"{self.manifest.key} does not describe the report beside it"
        if (self.described.bytes, self.described.sha256) != (
            self.report.bytes,
            self.report.sha256,
        ):
            return f"{self.report.key} is not what run {run.run_id} wrote"
        return None


def stored_run(root: Root, place: Place, facts: Facts | None = None) -> StoredRun:
    """Read a committed run; what `facts` take in is read while the report passes.

    Raise MsgspecError or UnicodeDecodeError if the report is damaged, ReportStoreFailed if it
    cannot be read, or is of a newer version.
    """
    reader, body = opened(root, place)
    if facts is not None:
        facts.read(reader)
    body.pass_on()
    kept = body.described(rows=0)
    key = place.key("manifest.json")
    manifest = root.body(key)
    return StoredRun(
        place=place,
        head=reader.head,
        report=Checked(key=kept.key, bytes=kept.bytes, sha256=kept.sha256),
        manifest=Checked(key=key, bytes=len(manifest), sha256=hashlib.sha256(manifest).hexdigest()),
        described=_described(manifest),
    )


def _described(manifest: bytes) -> KeptObject | None:
    """What a manifest says of the report; None if it says nothing, or cannot be read."""
    try:
        objects = msgspec.json.decode(manifest, type=Manifest).objects
    except UNDECODABLE:
        return None
    return next((one for one in objects if one.key.endswith("/report.json")), None)
