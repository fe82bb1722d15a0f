"""Joins the edges and the use case. Nothing is read or connected to before a step needs it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from backup_audit.aws import CLIENTS
from backup_audit.edges import Telemetry
from backup_audit.errors import AuditError
from backup_audit.fleet.inventory import InventoryReader, Unreadable
from backup_audit.fleet.sources import source_of
from backup_audit.notify.send import Heartbeat, HttpHeartbeat, Notifier
from backup_audit.notify.sns import SnsNotifier, confirmed_subscriptions
from backup_audit.probe.authorization import (
    ClientCredentials,
    ClientCredentialsGrant,
    Credentials,
    ReadyHeader,
    read_credentials,
)
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.paging import PagedInventory
from backup_audit.probe.session import new_session
from backup_audit.report.alerts import Audience
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import Ceilings, KeptObject
from backup_audit.report.s3 import S3Store
from backup_audit.report.store import ObjectStore
from backup_audit.settings import READ_TIMEOUT, Settings

# Seconds. An API that has not taken a connection by then is down, or behind a firewall that drops.
_CONNECT_TIMEOUT = 5.0


def now() -> datetime:
    """The present, in UTC, in whole seconds as all documents have it."""
    return datetime.now(UTC).replace(microsecond=0)


def store_of(bucket: str) -> ObjectStore:
    """The report bucket."""
    return S3Store(bucket, lambda: CLIENTS.s3)


def drawn(stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
    """The page for people; Jinja2 costs a cold start some 40 ms, so it is imported for a page."""
    from backup_audit.page.page import page_pieces

    yield from page_pieces(stored, objects)


def notifier_of(topic_arn: str) -> Notifier:
    """A topic."""
    return SnsNotifier(topic_arn, lambda: CLIENTS.sns)


def topics_of(settings: Settings) -> dict[Audience, str]:
    """The ARN of each audience's topic, of those that have one."""
    arns = {
        Audience.PEOPLE: settings.topic_arn,
        Audience.EVENTS: settings.events_topic_arn,
        Audience.CHAT: settings.chat_topic_arn,
    }
    return {audience: arn for audience, arn in arns.items() if arn is not None}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How an API is reached: its address, our credentials, CAs, proxy and time-out.

    `ca` is a file with certificates that replace the public CAs. `read_timeout` is seconds.
    """

    api_url: str
    credentials: ReadyHeader | ClientCredentials
    ca: bytes | None = None
    proxy_url: str | None = None
    read_timeout: float = READ_TIMEOUT


@contextmanager
def connected(access: Access, ceilings: Ceilings, deadline: Deadline) -> Iterator[Engine]:
    """An engine. Its connections are closed afterwards: a warm Lambda would keep them.

    Twice as many requests may be in flight as there are workers: some move aside. Raises
    InvalidSettings, which calls `ca` CA_BUNDLE, if one of its certificates is bad.
    """
    with new_session(access.ca, size=2 * ceilings.workers) as session:
        http = HttpClient(
            session,
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=access.read_timeout,
            proxy=access.proxy_url,
        )
        credentials = access.credentials
        authorization = (
            credentials
            if isinstance(credentials, ReadyHeader)
            else ClientCredentialsGrant(access.api_url, http, credentials)
        )
        api = CloudController(access.api_url, http, authorization, clock=now)
        workers, per_second = ceilings.workers, ceilings.requests_per_second
        engine = Engine(api, deadline, workers=workers, per_second=per_second, clock=now)
        with closing(engine):
            yield engine


class AwsEdges:
    """The Edges of one invocation."""

    def __init__(self, settings: Settings, telemetry: Telemetry, deadline: Deadline) -> None:
        self._settings = settings
        self.source = source_of(settings.config_uri, CLIENTS, settings.instance_guids)
        self.store = store_of(settings.report_bucket)
        self._topics = topics_of(settings)
        self.notifiers: Mapping[Audience, Notifier] = {
            audience: notifier_of(arn) for audience, arn in self._topics.items()
        }
        self.telemetry = telemetry
        self.deadline = deadline

    def now(self) -> datetime:
        return now()

    def engine(self, ceilings: Ceilings) -> AbstractContextManager[Engine]:
        settings = self._settings
        access = Access(
            api_url=settings.api_url,
            credentials=self._credentials.api,
            ca=self._ca(),
            proxy_url=settings.proxy_url,
            read_timeout=settings.read_timeout,
        )
        return connected(access, ceilings, self.deadline)

    @contextmanager
    def inventory(self, ceilings: Ceilings) -> Iterator[InventoryReader]:
        with ExitStack() as stack:
            try:
                engine = stack.enter_context(self.engine(ceilings))
            except AuditError as error:
                yield Unreadable(str(error), now())
                return
            yield PagedInventory(engine)

    def confirmed(self, audience: Audience) -> int:
        return confirmed_subscriptions(self._topics[audience], CLIENTS.sns)

    def page(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        return drawn(stored, objects)

    def heartbeat(self) -> Heartbeat | None:
        url = self._credentials.heartbeat_url
        return HttpHeartbeat(url, self._settings.proxy_url) if url else None

    @cached_property
    def _credentials(self) -> Credentials:
        return read_credentials(self._settings.credentials_secret, lambda: CLIENTS.secretsmanager)

    def _ca(self) -> bytes | None:
        if self._settings.ca_bundle is None:
            return None
        return source_of(self._settings.ca_bundle, CLIENTS, variable="CA_BUNDLE").read()
