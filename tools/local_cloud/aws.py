"""AWS in this process: bucket, topics, secret and configuration, kept in files between runs."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.report.alerts import Audience
from tools.local_cloud.environment import without_aws_account
from tools.local_cloud.messages import SentMessage, sent_to
from tools.local_cloud.s3_writes import one_write_at_a_time
from tools.local_cloud.state_machine import MOTO_CONFIG
from tools.local_cloud.subscriptions import counted_subscriptions

BUCKET = "backup-audit-reports"
CONFIGURATION_BUCKET = "backup-audit-configuration"
CONFIGURATION = "/backup-audit/configuration"
TOPICS = {
    Audience.PEOPLE: "backup-audit",
    Audience.EVENTS: "backup-audit-events",
    Audience.CHAT: "backup-audit-chat",
}
SECRET = "backup-audit/cloud-controller"

_SSM_MAX = 4 * 1024  # bytes; AWS takes no larger standard parameter, moto does


class WrittenFile(msgspec.Struct, frozen=True):
    """An object that a run left, new or with another content than before."""

    key: str
    bytes: int
    is_new: bool


class LocalAws:
    """The resources of a deployment, in moto; to be made and used within `local_aws`."""

    def __init__(self, configuration: bytes, credentials: dict[str, str]) -> None:
        self._s3 = CLIENTS.s3
        self._s3.create_bucket(Bucket=BUCKET)
        self._s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self._topic_arns = {
            audience: _topic_with_a_reader(name) for audience, name in TOPICS.items()
        }
        self.secret_arn = CLIENTS.secretsmanager.create_secret(
            Name=SECRET, SecretString=json.dumps(credentials)
        )["ARN"]
        self.configuration_uri = self._keep_configuration(configuration)
        self._in_files: dict[str, str] = {}  # ETags by key, as of the last load and dump
        self._told = Counter[Audience]()  # messages that were asked for

    def settings(self, api_url: str) -> dict[str, str]:
        """The environment variables that template.yaml would set."""
        return {
            "CF_API_URL": api_url,
            "CF_CREDENTIALS_SECRET": self.secret_arn,
            "CONFIG_URI": self.configuration_uri,
            "REPORT_BUCKET": BUCKET,
            "TOPIC_ARN": self._topic_arns[Audience.PEOPLE],
            "EVENTS_TOPIC_ARN": self._topic_arns[Audience.EVENTS],
            "CHAT_TOPIC_ARN": self._topic_arns[Audience.CHAT],
            "FOUNDATION": "local",
        }

    @property
    def messages(self) -> dict[Audience, list[SentMessage]]:
        """What was published so far."""
        return {audience: sent_to(arn) for audience, arn in self._topic_arns.items()}

    def new_messages(self) -> dict[Audience, list[SentMessage]]:
        """What was published since this was last asked."""
        new = {audience: sent[self._told[audience] :] for audience, sent in self.messages.items()}
        self._told.update({audience: len(sent) for audience, sent in new.items()})
        return new

    def load(self, out: Path) -> None:
        """Put the files of earlier runs back into the bucket."""
        folder = out / "s3" / BUCKET
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = path.relative_to(folder).as_posix()
            put = self._s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
            self._in_files[key] = put["ETag"]

    def dump(self, out: Path) -> list[WrittenFile]:
        """Write the bucket's objects as files; return those that differ from before."""
        changed = self._etags().items() - self._in_files.items()
        self._in_files.update(changed)
        written = (
            _written(out / "s3" / BUCKET, key, self._read(key)) for key, _ in sorted(changed)
        )
        return [file for file in written if file]

    def _keep_configuration(self, document: bytes) -> str:
        if len(document) <= _SSM_MAX and document.isascii():
            CLIENTS.ssm.put_parameter(
                Name=CONFIGURATION, Value=document.decode("ascii"), Type="String"
            )
            return f"ssm:{CONFIGURATION}"
        key = "configuration.json"
        self._s3.create_bucket(Bucket=CONFIGURATION_BUCKET)
        self._s3.put_object(Bucket=CONFIGURATION_BUCKET, Key=key, Body=document)
        return f"s3://{CONFIGURATION_BUCKET}/{key}"

    def _etags(self) -> dict[str, str]:
        """The ETag of each object, by its key."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", [])}

    def _read(self, key: str) -> bytes:
        return self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@contextmanager
def local_aws(configuration: bytes, *, client_id: str, client_secret: str) -> Iterator[LocalAws]:
    """A deployment without an AWS account."""
    credentials = {"client_id": client_id, "client_secret": client_secret}
    with (
        without_aws_account(),
        mock_aws(config=MOTO_CONFIG),
        one_write_at_a_time(),
        counted_subscriptions(),
    ):
        yield LocalAws(configuration, credentials)


def _topic_with_a_reader(name: str) -> str:
    """The ARN of a new topic with a confirmed subscription, as that of an archive would be.

    moto delivers nothing to a stream; to a queue it would, and slower with each message.
    """
    topic_arn = CLIENTS.sns.create_topic(Name=name)["TopicArn"]
    # Streams are named by region and account, as topics are.
    place = topic_arn.removesuffix(name).replace(":sns:", ":firehose:")
    CLIENTS.sns.subscribe(
        TopicArn=topic_arn, Protocol="firehose", Endpoint=f"{place}deliverystream/{name}"
    )
    return topic_arn


def _written(folder: Path, key: str, body: bytes) -> WrittenFile | None:
    path = folder / key
    is_new = not path.exists()
    if not is_new and path.read_bytes() == body:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return WrittenFile(key, len(body), is_new)
