"""The page for people: report.html, streamed from the stored report."""

from collections.abc import Iterator, Sequence

from backup_audit.report.commit import StoredReport
from backup_audit.report.report import KeptObject


def page_pieces(stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
    """report.html in pieces, from the stored report.json and the hashes of the other objects."""
    yield f"<!doctype html><title>{stored.head.run.run_id}</title>{len(objects)}\n".encode()
