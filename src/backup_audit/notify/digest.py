"""The digest: one message for people, whatever the size of the day."""

from collections.abc import Callable, Iterator, Mapping

from backup_audit.notify.headline import attributes_of, headline_of, message_id_of, title_of
from backup_audit.notify.links import Links
from backup_audit.notify.listing import DigestContent, contents
from backup_audit.notify.message import Message, text_message
from backup_audit.report.alerts import Audience
from backup_audit.report.commit import StoredReport


def digests(
    stored: StoredReport, audience: Audience, links: Links, recovered: str | None = None
) -> Iterator[Message]:
    """The digests that are due for people or chat: the platform's, then each owner's.

    `recovered` says in a sentence that the audit works again.
    """
    form = _FORMS[audience]
    for content in contents(stored, audience, recovered):
        yield form(content, links)


def text_digest(content: DigestContent, links: Links) -> Message:
    """A digest for people."""
    return text_message(
        message_id_of(content),
        title_of(content),
        [headline_of(content), links.runbook_url or ""],
        **attributes_of(content),
    )


_FORMS: Mapping[Audience, Callable[[DigestContent, Links], Message]] = {
    Audience.PEOPLE: text_digest,
}
