"""Reads a document from SSM, S3, AppConfig, a file or the environment."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from backup_audit.aws import AwsClients, Body, aws_errors, or_its_key, pieces_of, said
from backup_audit.errors import ConfigurationUnavailable

if TYPE_CHECKING:
    from types_boto3_appconfigdata import AppConfigDataClient


class DocumentSource(Protocol):
    """Where a document is stored: the configuration, or the CA."""

    @property
    def uri(self) -> str:
        """The address, as its setting has it."""

    def read(self) -> bytes:
        """Read the document; raise ConfigurationUnavailable."""


class _Source(msgspec.Struct, frozen=True):
    uri: str
    variable: str
    fetch: Callable[[], bytes]

    def read(self) -> bytes:
        try:
            return self.fetch()
        except aws_errors() as error:  # a file's OSError is among them
            why = isinstance(error, OSError) and error.strerror
            raise ConfigurationUnavailable(
                f"{self.variable} {self.uri} could not be read: {why or said(error)}; "
                f"check the address, and that we may read it{or_its_key(error)}"
            ) from error


def source_of(
    uri: str,
    clients: AwsClients,
    instance_guids: Sequence[str] = (),
    *,
    variable: str = "CONFIG_URI",
) -> DocumentSource:
    """The source that a checked address names; `instance_guids` are for "env:".

    `variable` is the setting that has the address: its errors say which to check.
    """
    return _Source(uri, variable, _fetcher(uri, clients, instance_guids))


def _fetcher(uri: str, clients: AwsClients, instance_guids: Sequence[str]) -> Callable[[], bytes]:
    kind, _, rest = uri.partition(":")
    match kind:
        case "ssm":
            return lambda: _parameter(clients, rest)
        case "s3":
            bucket, _, key = rest.removeprefix("//").partition("/")
            return lambda: b"".join(
                pieces_of(lambda _: clients.s3.get_object(Bucket=bucket, Key=key)["Body"])
            )
        case "appconfig":
            return lambda: b"".join(pieces_of(lambda _: _deployed(clients.appconfigdata, rest)))
        case "file":
            return Path(rest).read_bytes
        case "env":  # bare GUIDs, under the built-in policy
            return lambda: msgspec.json.encode({"schema_version": 1, "instances": instance_guids})
        case _:
            raise ValueError(f"{uri!r} names no known kind of source")


def _parameter(clients: AwsClients, name: str) -> bytes:
    """A parameter, String or SecureString, of up to 4 KB (8 KB in the advanced tier)."""
    answer = clients.ssm.get_parameter(Name=name, WithDecryption=True)
    return answer["Parameter"]["Value"].encode()


def _deployed(client: "AppConfigDataClient", profile: str) -> Body:
    """The deployed version, in a session of its own: its first token is good for one answer."""
    application, environment, profile = profile.split("/")
    session = client.start_configuration_session(
        ApplicationIdentifier=application,
        EnvironmentIdentifier=environment,
        ConfigurationProfileIdentifier=profile,
    )
    token = session["InitialConfigurationToken"]
    return client.get_latest_configuration(ConfigurationToken=token)["Configuration"]
