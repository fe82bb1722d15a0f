"""The digest: one message for people, whatever the size of the day."""

from collections.abc import Iterator

from backup_audit.notify.message import Message, text_message
from backup_audit.report.alerts import PLATFORM, Audience
from backup_audit.report.commit import StoredReport


def digests(
    stored: StoredReport,
    audience: Audience,
    runbook_url: str | None,
    recovered: str | None = None,
) -> Iterator[Message]:
    """The digests that are due for people or chat: the platform's, then each owner's.

    `recovered` says in a sentence that full runs succeed again: then the platform's is due.
    """
    report = stored.head
    for reader in report.alerts.readers:
        is_due = reader == PLATFORM and recovered is not None
        if is_due or report.alerts.gets_digest(audience, reader):
            tail = f"/{reader}" if reader != PLATFORM else ""
            yield text_message(
                f"{report.foundation}/{report.run.run_id}/digest{tail}",
                f"[backup-audit] {report.foundation}: {report.news.problems} problems",
                [recovered or "", f"{report.news.problems} problems", runbook_url or ""],
                event="digest",
                foundation=report.foundation,
                owner=reader,
                reason=tuple(report.alerts.readers[reader].why),
            )
