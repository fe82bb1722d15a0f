"""Joins the edges and the use case. Nothing is read or connected to before a step needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

from backup_audit.audit import Telemetry
from backup_audit.aws import CLIENTS
from backup_audit.fleet.sources import source_of
from backup_audit.notify.heartbeat import HttpHeartbeat
from backup_audit.notify.send import Heartbeat, Notifier
from backup_audit.notify.sns import SnsNotifier
from backup_audit.plan import Ceilings
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.credentials import Credentials, ReadyHeader, read_credentials
from backup_audit.probe.engine import Engine
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.session import new_session
from backup_audit.probe.uaa import ClientCredentialsGrant
from backup_audit.report.s3 import S3Store
from backup_audit.report.store import ObjectStore
from backup_audit.settings import Settings

# Seconds. An API that has not taken a connection by then is down, or behind a firewall that drops.
_CONNECT_TIMEOUT = 5.0


def now() -> datetime:
    """The present, in UTC, in whole seconds as all documents have it."""
    return datetime.now(UTC).replace(microsecond=0)


def store_of(bucket: str) -> ObjectStore:
    """The report bucket."""
    return S3Store(bucket, lambda: CLIENTS.s3)


def notifier_of(topic_arn: str) -> Notifier:
    """The topic."""
    return SnsNotifier(topic_arn, lambda: CLIENTS.sns)


class AwsEdges:
    """The Edges of one invocation."""

    def __init__(self, settings: Settings, telemetry: Telemetry, deadline: Deadline) -> None:
        self._settings = settings
        self.source = source_of(settings.config_uri, CLIENTS, settings.instance_guids)
        self.store = store_of(settings.report_bucket)
        self.notifier = notifier_of(settings.topic_arn)
        self.telemetry = telemetry
        self.deadline = deadline

    def now(self) -> datetime:
        return now()

    @contextmanager
    def engine(self, ceilings: Ceilings) -> Iterator[Engine]:
        """The engine. Its connections are closed afterwards: a warm Lambda would keep them.

        Twice as many requests may be in flight as there are workers: some move aside.
        """
        settings = self._settings
        credentials = self._credentials.api
        with new_session(self._ca_pem(), size=2 * ceilings.workers) as session:
            http = HttpClient(
                session,
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=settings.read_timeout,
                proxy=settings.proxy_url,
            )
            authorization = (
                credentials
                if isinstance(credentials, ReadyHeader)
                else ClientCredentialsGrant(settings.api_url, http, credentials)
            )
            limit = settings.backups_limit
            api = CloudController(settings.api_url, http, authorization, clock=now, limit=limit)
            workers, per_second = ceilings.workers, ceilings.requests_per_second
            yield Engine(api, self.deadline, workers=workers, per_second=per_second, clock=now)

    def heartbeat(self) -> Heartbeat | None:
        url = self._credentials.heartbeat_url
        return HttpHeartbeat(url, self._settings.proxy_url) if url else None

    @cached_property
    def _credentials(self) -> Credentials:
        return read_credentials(self._settings.credentials_secret, lambda: CLIENTS.secretsmanager)

    def _ca_pem(self) -> str | None:
        if self._settings.ca_bundle is None:
            return None
        bundle = source_of(self._settings.ca_bundle, CLIENTS, variable="CA_BUNDLE")
        return bundle.read().decode("ascii", "replace")
