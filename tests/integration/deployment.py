"""The function as it is deployed: the real handler, moto, a simulated foundation."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from unittest.mock import patch

from backup_audit import handler as entry
from backup_audit import wiring
from backup_audit.aws import CLIENTS
from backup_audit.handler import handler
from backup_audit.report.alerts import Audience
from tests.doubles.fakes import InMemoryStore
from tools.local_cloud.aws import BUCKET, LocalAws, local_aws
from tools.local_cloud.behaviours import Backups, Behaviour, SimulatedInstance
from tools.local_cloud.environment import settings
from tools.local_cloud.messages import SentMessage
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)

NOW = datetime.now(UTC)

# A run that was due the day before yesterday, as the schedule asks for it.
DUE = (NOW - timedelta(days=2)).replace(hour=5, minute=0, second=0, microsecond=0)


def scheduled(due: datetime) -> dict[str, str]:
    """The event of the schedule for that time."""
    return {"scheduled_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"}


def place_of(due: datetime) -> str:
    """Where in the bucket the full run of that time is stored."""
    return f"dt={due:%Y-%m-%d}/run={due:%Y%m%dT%H%M%SZ}"


RUN_ID = f"{DUE:%Y%m%dT%H%M%SZ}"
SCHEDULED = scheduled(DUE)
THE_NEXT_DAY = scheduled(DUE + timedelta(days=1))
PLACE = place_of(DUE)
PLACE_OF_THE_NEXT_DAY = place_of(DUE + timedelta(days=1))

# Ids of executions are those of the state machine's context; a step without one is by hand.
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:backup-audit-audit:day-1"
PLAN_KEY = f"backup-audit/plans/{PLACE}/plan.json"
ONE_INSTANCE = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"  # the GUID in events/one-instance.json


def hours_ago(*hours: float) -> Backups:
    """A list of backups so many hours old."""
    return Backups(tuple(int((NOW - timedelta(hours=age)).timestamp()) for age in hours))


def instance(guid: str, behaviour: Behaviour) -> SimulatedInstance:
    """A service instance of 30 days."""
    return SimulatedInstance(
        guid=guid, name=guid, created_at=NOW - timedelta(days=30), behaviour=behaviour
    )


HEALTHY = instance("healthy-db", hours_ago(3, 27))
STALE = instance("stale-db", hours_ago(40, 64))
FLEET = (instance(ONE_INSTANCE, hours_ago(5)), HEALTHY, STALE)


class Context:
    """Lambda's context."""

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Lambda's longest time-out."""
        return 900_000


class Bucket(Protocol):
    """The bucket of the reports."""

    def keys(self) -> list[str]:
        """All of them."""

    def read(self, key: str) -> bytes:
        """An object."""

    def write(self, key: str, body: bytes) -> None:
        """Put an object, in the place of the one that is there."""


class _InS3:
    def keys(self) -> list[str]:
        listed = CLIENTS.s3.list_objects_v2(Bucket=BUCKET)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return CLIENTS.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def write(self, key: str, body: bytes) -> None:
        CLIENTS.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


class _InMemory:
    def __init__(self, store: InMemoryStore) -> None:
        self._objects = store.objects

    def keys(self) -> list[str]:
        return sorted(self._objects)

    def read(self, key: str) -> bytes:
        return self._objects[key]

    def write(self, key: str, body: bytes) -> None:
        self._objects[key] = body


class _Store(InMemoryStore):
    """Has the items of the map in S3 as well: the state machine reads them by itself."""

    bucket = BUCKET

    def _write(self, key: str, body: bytes) -> None:
        super()._write(key, body)
        if key.endswith("/items.json"):
            CLIENTS.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


class Deployment:
    """A deployed function and what it leaves behind."""

    def __init__(self, aws: LocalAws, foundation: SimulatedCloudController, bucket: Bucket) -> None:
        self._aws = aws
        self.foundation = foundation
        self._bucket = bucket

    def invoke(self, event: object = None) -> dict[str, Any]:
        """Invoke the function; an empty event unless told otherwise."""
        return handler({} if event is None else event, Context())

    @property
    def keys(self) -> list[str]:
        """The keys in the bucket."""
        return self._bucket.keys()

    def read(self, key: str) -> bytes:
        """An object of the bucket."""
        return self._bucket.read(key)

    def write(self, key: str, body: bytes) -> None:
        """Put an object into the bucket."""
        self._bucket.write(key, body)

    def report(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The report that an answer points at."""
        report: dict[str, Any] = json.loads(self.read(answer["report"]["key"]))
        return report

    def findings(self) -> dict[str, dict[str, Any]]:
        """Every finding in the bucket, by GUID."""
        lines = [
            json.loads(line)
            for key in self.keys
            if "/findings/" in key
            for line in self.read(key).splitlines()
        ]
        assert len({line["guid"] for line in lines}) == len(lines), "a GUID is there twice"
        return {line["guid"]: line for line in lines}

    @property
    def messages(self) -> list[SentMessage]:
        """What was published to people."""
        return self.published[Audience.PEOPLE]

    @property
    def published(self) -> dict[Audience, list[SentMessage]]:
        """What was published to each topic."""
        return self._aws.messages

    @property
    def events(self) -> list[dict[str, Any]]:
        """The documents that programs got."""
        return [sent.document for sent in self.published[Audience.EVENTS]]

    @property
    def messages_sent(self) -> int:
        """How many messages everybody got together."""
        return sum(map(len, self.published.values()))


@contextmanager
def deployed(
    fleet: Sequence[SimulatedInstance] = FLEET,
    *,
    configuration: Mapping[str, Any] | None = None,
    secret: str = CLIENT_SECRET,
    in_s3: bool = False,
    **environment: str,
) -> Iterator[Deployment]:
    """Deploy the function for a fleet; `environment` replaces settings.

    `in_s3`: the bucket is moto's, for those who look at S3; else the fake that keeps its contract.
    """
    document = configuration or {"instances": [member.guid for member in fleet]}
    with (
        SimulatedCloudController(fleet) as foundation,
        local_aws(
            json.dumps(document, ensure_ascii=False).encode(),
            client_id=CLIENT_ID,
            client_secret=secret,
        ) as aws,
        settings(aws.settings(foundation.url) | environment),
        _bucket(in_s3=in_s3) as bucket,
    ):
        yield Deployment(aws, foundation, bucket)


@contextmanager
def _bucket(*, in_s3: bool) -> Iterator[Bucket]:
    if in_s3:
        yield _InS3()
        return
    store = _Store()
    with (
        patch.object(entry, "store_of", lambda _: store),
        patch.object(wiring, "store_of", lambda _: store),
    ):
        yield _InMemory(store)
