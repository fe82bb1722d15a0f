"""The one place that joins adapters and use case."""

from contextlib import ExitStack
from datetime import UTC, datetime

from backup_audit.audit import Audit, Heartbeat
from backup_audit.aws import CLIENTS
from backup_audit.fleet.sources import source_of
from backup_audit.notify.heartbeat import HttpHeartbeat
from backup_audit.notify.send import Notifier
from backup_audit.notify.sns import SnsNotifier
from backup_audit.probe.cloud_controller import Authorization, CloudController
from backup_audit.probe.credentials import (
    ClientCredentials,
    Credentials,
    ReadyAuthorization,
    Secret,
    read_credentials,
)
from backup_audit.probe.engine import Telemetry
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline, Pace, Pacer
from backup_audit.probe.session import new_session
from backup_audit.probe.uaa import ClientCredentialsGrant, ReadyHeader
from backup_audit.report.commit import ObjectStore
from backup_audit.report.s3 import S3Store
from backup_audit.settings import Settings


def clock() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class Adapters(ExitStack):
    """The adapters of one invocation; each does its work when it is first asked.

    Used as a context, since connections to the API are closed at the end: a warm Lambda would
    keep them, and the thread that watches them, for the next invocation.
    """

    @staticmethod
    def store(bucket: str) -> ObjectStore:
        """The report bucket."""
        return S3Store(bucket, lambda: CLIENTS.s3)

    @staticmethod
    def notifier(topic_arn: str) -> Notifier:
        """The topic."""
        return SnsNotifier(topic_arn, lambda: CLIENTS.sns)

    def audit(self, settings: Settings, deadline: Deadline, telemetry: Telemetry) -> Audit:
        """The use case; raises AuditError if the CA or the credentials cannot be read."""
        session = self.enter_context(
            new_session(
                _ca_pem(settings),
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
                proxy=settings.proxy_url,
            )
        )
        pace = Pace(settings.workers, settings.requests_per_second)
        http = HttpClient(session, Pacer(pace, deadline))
        credentials = _credentials(settings)
        api = CloudController(
            settings.api_url,
            http,
            _authorization(settings, http, credentials),
            clock=clock,
            limit=settings.backups_limit,
        )
        return Audit(
            settings,
            source=source_of(settings.config_uri, CLIENTS, settings.instance_guids),
            api=api,
            store=self.store(settings.report_bucket),
            notifier=self.notifier(settings.topic_arn),
            heartbeat=_heartbeat(credentials.heartbeat_url, settings.proxy_url),
            telemetry=telemetry,
            deadline=deadline,
            clock=clock,
        )


def _credentials(settings: Settings) -> Credentials:
    return read_credentials(settings.credentials_secret, lambda: CLIENTS.secretsmanager)


def _ca_pem(settings: Settings) -> str | None:
    if settings.ca_bundle is None:
        return None
    return source_of(settings.ca_bundle, CLIENTS).read().decode("ascii", "replace")


def _authorization(settings: Settings, http: HttpClient, credentials: Credentials) -> Authorization:
    match credentials.api:
        case ReadyAuthorization(authorization=secret):
            return ReadyHeader(secret)
        case ClientCredentials() as client:
            return ClientCredentialsGrant(settings.api_url, http, client)


def _heartbeat(url: Secret | None, proxy: str | None) -> Heartbeat | None:
    return None if url is None else HttpHeartbeat(url, proxy)
