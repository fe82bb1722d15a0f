"""What leaves at a run's end: its messages, once, and the ping of an external dead man's switch.

A mark beside the report says that the messages were sent. It is written after them: a crash
between the two sends them again, and twice is better than not at all.
docs/decisions/0002-commit-protocol.md has every case.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from backup_audit.errors import HeartbeatFailed, NotificationFailed
from backup_audit.judge.evidence import TOO_SLOW
from backup_audit.notify.digest import digests
from backup_audit.notify.events import events
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message
from backup_audit.notify.progress import BatchResult, Progress
from backup_audit.probe.authorization import Secret
from backup_audit.probe.http import HttpClient, NoReply
from backup_audit.probe.session import new_session
from backup_audit.report.alerts import Audience
from backup_audit.report.commit import StoredReport
from backup_audit.report.failing import Failing
from backup_audit.report.marks import mark_of, write_mark

# Seconds. The report is committed and sent by now, and Lambda's time may be nearly over.
_CONNECT_TIMEOUT = 3.0
_ANSWER_TIMEOUT = 5.0
_WITHIN = _CONNECT_TIMEOUT + _ANSWER_TIMEOUT  # for all attempts together
_PAUSES = (0.5, 1.5)  # between them


class Notifier(Protocol):
    """The topic."""

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        """Publish all, at least once each and in any order; return how many there were.

        Messages are taken one by one, and not kept. `took` hears what came of each batch. A message
        that SNS refuses stops none of the others; at the end, NotificationFailed says how many of
        how many failed.
        """


class Heartbeat(Protocol):
    """An external dead man's switch: it calls people when it hears nothing for too long."""

    def beat(self) -> None:
        """Ping it after each full run that reached every instance; raise HeartbeatFailed."""


# People first: they must not wait for thousands of events, and whoever is killed meanwhile has
# notified them.
_ORDER = (Audience.PEOPLE, Audience.CHAT, Audience.EVENTS)

_MARK_EVERY = 50  # batches of events, some 500 messages


def notify(
    stored: StoredReport,
    notifiers: Mapping[Audience, Notifier],
    links: Links,
    failing: Failing | None = None,
) -> int:
    """Publish the messages of a report to each audience that has not got them; return how many.

    `failing` are the failed full runs that this one ends; None if there are none. One audience that
    fails keeps none of the others from hearing. Raise NotificationFailed at the end.
    """
    count, failures = 0, list[NotificationFailed]()
    for audience in _ORDER:
        if (notifier := notifiers.get(audience)) is None:
            continue
        try:
            messages = _messages(stored, audience, links, failing)
            count += _notify(stored, audience, notifier, messages)
        except NotificationFailed as failure:
            failures.append(failure)
    if failures:
        raise NotificationFailed("; ".join(map(str, failures)))
    return count


def _notify(
    stored: StoredReport, audience: Audience, notifier: Notifier, messages: Iterable[Message]
) -> int:
    """Publish what an audience has not got yet; mark what is out."""
    store, key = stored.store, stored.keys.report(audience.mark)
    before = mark_of(store, key)
    if before.done:
        return 0
    progress, batches = Progress(before), itertools.count(1)
    goes_on = audience is Audience.EVENTS  # where the last delivery stopped

    def took(result: BatchResult) -> None:
        progress.took(result)
        if goes_on and next(batches) % _MARK_EVERY == 0:
            write_mark(store, key, progress.mark)

    try:
        count = notifier.publish(progress.left(messages), took)
    except NotificationFailed:
        if goes_on:
            write_mark(store, key, progress.mark)
        raise
    write_mark(store, key, progress.mark)
    return count


def _messages(
    stored: StoredReport, audience: Audience, links: Links, failing: Failing | None
) -> Iterator[Message]:
    if audience is Audience.EVENTS:
        return events(stored, failing)
    return digests(stored, audience, links, failing)


class HttpHeartbeat(msgspec.Struct, frozen=True):
    """A GET, over a session of its own: without our token, and without the API's private CA.

    What may pass is tried again after each of the pauses. The address holds a key, so no error
    quotes it. `proxy` is an http:// address. `within` is the seconds for all attempts, however
    slowly an answer drips.
    """

    url: Secret
    proxy: str | None = None
    within: float = _WITHIN
    pauses: tuple[float, ...] = _PAUSES

    def beat(self) -> None:
        with new_session(None) as session:
            http = HttpClient(
                session,
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_ANSWER_TIMEOUT,
                proxy=self.proxy,
            )
            failures: list[str | None] = []
            over = threading.Event()
            asking = threading.Thread(target=self._ask, args=(http, failures, over), daemon=True)
            asking.start()
            asking.join(self.within)
            over.set()
            http.cut_all()
        failure = failures[-1] if failures else TOO_SLOW.detail
        if failure:
            raise HeartbeatFailed(failure)

    def _ask(self, http: HttpClient, failures: list[str | None], over: threading.Event) -> None:
        """Ask until it is taken; add for each attempt why it was not, or None."""
        for pause in (0.0, *self.pauses):
            if over.wait(pause):
                return
            try:
                with http.get(self.url.reveal()) as reply:
                    taken = 200 <= reply.status < 300
                failures.append(None if taken else f"the answer was HTTP {reply.status}")
                may_pass = reply.status == 429 or reply.status >= 500
            except NoReply as none:
                failures.append(none.silence.detail)
                may_pass = none.may_pass
            if not may_pass:
                return
