"""Reads a document from SSM, S3, AppConfig, a file or the environment."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from backup_audit.aws import AwsClients, Body, aws_errors, pieces_of, said
from backup_audit.errors import ConfigurationUnavailable


class ConfigurationSource(Protocol):
    """Where the configuration document is stored."""

    @property
    def uri(self) -> str:
        """The address, as CONFIG_URI has it."""

    def read(self) -> bytes:
        """Read the document; raise ConfigurationUnavailable."""


if TYPE_CHECKING:
    from types_boto3_appconfigdata import AppConfigDataClient
    from types_boto3_s3 import S3Client
    from types_boto3_ssm import SSMClient


def source_of(
    uri: str, clients: AwsClients, instance_guids: Sequence[str] = ()
) -> ConfigurationSource:
    """The source that a checked address names; `instance_guids` are for "env:"."""
    kind, _, rest = uri.partition(":")
    match kind:
        case "ssm":
            return SsmParameter(rest, lambda: clients.ssm)
        case "s3":
            bucket, _, key = rest.removeprefix("//").partition("/")
            return S3Document(bucket, key, lambda: clients.s3)
        case "appconfig":
            application, environment, profile = rest.split("/")
            return AppConfigProfile(
                application, environment, profile, lambda: clients.appconfigdata
            )
        case "file":
            return LocalFile(Path(rest))
        case "env":
            return EnvironmentGuids(instance_guids)
        case _:
            raise ValueError(f"{uri!r} names no known kind of source")


class SsmParameter:
    """A parameter, String or SecureString, of up to 4 KB (8 KB in the advanced tier)."""

    def __init__(self, name: str, client: "Callable[[], SSMClient]") -> None:
        self._name = name
        self._client = client
        self.uri = f"ssm:{name}"

    def read(self) -> bytes:
        """Read the parameter's value."""
        try:
            answer = self._client().get_parameter(Name=self._name, WithDecryption=True)
            return answer["Parameter"]["Value"].encode()
        except aws_errors() as error:
            raise _unavailable(self.uri, error) from error


class S3Document:
    """An object, for configurations of any size."""

    def __init__(self, bucket: str, key: str, client: "Callable[[], S3Client]") -> None:
        self._bucket = bucket
        self._key = key
        self._client = client
        self.uri = f"s3://{bucket}/{key}"

    def read(self) -> bytes:
        """Read the object."""
        try:
            return b"".join(pieces_of(self._ask))
        except aws_errors() as error:
            raise _unavailable(self.uri, error) from error

    def _ask(self, _: int) -> Body:
        return self._client().get_object(Bucket=self._bucket, Key=self._key)["Body"]


class AppConfigProfile:
    """The deployed version of a configuration profile; names and ids both work."""

    def __init__(
        self,
        application: str,
        environment: str,
        profile: str,
        client: "Callable[[], AppConfigDataClient]",
    ) -> None:
        self._application = application
        self._environment = environment
        self._profile = profile
        self._client = client
        self.uri = f"appconfig:{application}/{environment}/{profile}"

    def read(self) -> bytes:
        """Read the deployed version."""
        try:
            return b"".join(pieces_of(self._ask))
        except aws_errors() as error:
            raise _unavailable(self.uri, error) from error

    def _ask(self, _: int) -> Body:
        """Ask in a session of its own, since its first token is good for one answer."""
        session = self._client().start_configuration_session(
            ApplicationIdentifier=self._application,
            EnvironmentIdentifier=self._environment,
            ConfigurationProfileIdentifier=self._profile,
        )
        return self._client().get_latest_configuration(
            ConfigurationToken=session["InitialConfigurationToken"]
        )["Configuration"]


class LocalFile:
    """A file, for a person at a shell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.uri = f"file:{path}"

    def read(self) -> bytes:
        """Read the file."""
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigurationUnavailable(
                f"the configuration {self.uri} could not be read: {error.strerror}"
            ) from error


class EnvironmentGuids:
    """Bare GUIDs out of INSTANCE_GUIDS, under the built-in policy."""

    uri = "env:"

    def __init__(self, guids: Sequence[str]) -> None:
        self._guids = guids

    def read(self) -> bytes:
        """The document that lists them."""
        return msgspec.json.encode({"schema_version": 1, "instances": self._guids})


def _unavailable(uri: str, error: Exception) -> ConfigurationUnavailable:
    return ConfigurationUnavailable(
        f"the configuration {uri} could not be read: {said(error)}; "
        "check CONFIG_URI and the function's role"
    )
