"""AWS clients, each made when it is first needed, all from one boto3 Session."""

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config
    from types_boto3_appconfigdata import AppConfigDataClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient


# Below INFO it logs the answers of AWS, and Secrets Manager's are the secret.
logging.getLogger("botocore").setLevel(logging.INFO)


class AwsClients:
    """One client for each service.

    boto3 is imported with the first client: that, and making it, costs about 180 ms of CPU.
    Threads may share clients, but a Session makes only one at a time.
    """

    def __init__(self) -> None:
        self._making = threading.RLock()

    @cached_property
    def s3(self) -> "S3Client":
        """S3."""
        with self._making:
            return self._session.client("s3", config=self._config)

    @cached_property
    def sns(self) -> "SNSClient":
        """SNS."""
        with self._making:
            return self._session.client("sns", config=self._config)

    @cached_property
    def ssm(self) -> "SSMClient":
        """SSM."""
        with self._making:
            return self._session.client("ssm", config=self._config)

    @cached_property
    def secretsmanager(self) -> "SecretsManagerClient":
        """Secrets Manager."""
        with self._making:
            return self._session.client("secretsmanager", config=self._config)

    @cached_property
    def appconfigdata(self) -> "AppConfigDataClient":
        """AppConfig's data plane."""
        with self._making:
            return self._session.client("appconfigdata", config=self._config)

    @cached_property
    def _session(self) -> "Session":
        import boto3

        return boto3.Session()

    @cached_property
    def _config(self) -> "Config":
        from botocore.config import Config

        return Config(
            connect_timeout=5,  # seconds
            read_timeout=30,  # seconds; a large object takes a few
            retries={"mode": "standard", "max_attempts": 5},
        )


# Those of this process: a warm function has them from its last invocation.
CLIENTS = AwsClients()


def aws_errors() -> tuple[type[Exception], ...]:
    """What the clients raise; asked for in an except clause, it imports botocore only then.

    Besides botocore's two families: an answer that is no XML or JSON, and TLS that breaks off in a
    body, which botocore does not translate.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    return ClientError, BotoCoreError, ResponseParserError, HTTPError


def code_of(error: Exception) -> str:
    """AWS's code of an error, empty if AWS was not even reached."""
    code: str = _details(error).get("Code", "")
    return code


def said(error: Exception) -> str:
    """What AWS says went wrong, on one line."""
    details = _details(error)
    if details:
        return f"{details.get('Code', 'Unknown')}: {details.get('Message', '')}".rstrip(": ")
    return str(error)


def _details(error: Exception) -> dict[str, str]:
    # HTTPClientError and its kin have a response that is None.
    response: dict[str, dict[str, str]] = getattr(error, "response", None) or {}
    return response.get("Error", {})
