"""AWS's clients, all from one boto3 Session; what they raise; and bodies that break off."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from backup_audit.text import one_line

if TYPE_CHECKING:
    from types_boto3_appconfigdata import AppConfigDataClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient


# Below INFO it logs the answers of AWS, and Secrets Manager's are the secret.
logging.getLogger("botocore").setLevel(logging.INFO)

BODY_ATTEMPTS = 4  # times that a body is read; botocore repeats requests, but no bodies
_OF_A_KEY = r"\bkms\b|ciphertext|customer master key|InvalidKeyId"  # in AWS's words
_SAID_MAX = 400  # characters; a proxy's page can stand where AWS's message should


class AwsClients:
    """One client for each service.

    boto3 is imported with the first client: that, and making it, costs about 180 ms of CPU.
    Threads may share clients, but a Session makes only one at a time.
    """

    s3: "S3Client"
    sns: "SNSClient"
    ssm: "SSMClient"
    secretsmanager: "SecretsManagerClient"
    appconfigdata: "AppConfigDataClient"

    def __init__(self) -> None:
        self._making = threading.Lock()

    def __getattr__(self, service: str) -> Any:  # noqa: ANN401  # asked once: it stays from then on
        if service not in AwsClients.__annotations__:
            raise AttributeError(service)
        with self._making:
            if service not in vars(self):
                setattr(self, service, self._made(service))
            return vars(self)[service]

    def _made(self, service: str) -> object:
        from botocore.config import Config

        config = Config(
            connect_timeout=5,  # seconds
            read_timeout=30,  # seconds; a large object takes a few
            retries={"mode": "standard", "max_attempts": 5},
        )
        return self._session.client(service, config=config)

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401  # boto3 is not imported yet
        import boto3

        return boto3.Session()


# Those of this process: a warm function has them from its last invocation.
CLIENTS = AwsClients()


def aws_errors() -> tuple[type[Exception], ...]:
    """Exceptions that AWS clients raise. A function, so that botocore is imported late.

    Besides botocore's own: urllib3's and the socket's, if a body breaks off; and those of
    botocore's parsers, for an answer that is not AWS's, such as a proxy's page.
    """
    from botocore.exceptions import BotoCoreError, ClientError, UndefinedModelAttributeError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    not_awss = (ResponseParserError, UnicodeDecodeError, KeyError)
    return ClientError, BotoCoreError, UndefinedModelAttributeError, HTTPError, OSError, *not_awss


def code_of(error: Exception) -> str:
    """AWS's code of an error, empty if AWS was not even reached."""
    return str(_details(error).get("Code", ""))


def said(error: Exception) -> str:
    """What went wrong, on one short line: AWS's words, or those of its client."""
    from botocore.exceptions import BotoCoreError, HTTPClientError

    details = _details(error)
    if details:
        words = f"{details.get('Code', 'Unknown')}: {details.get('Message', '')}".rstrip(": ")
    elif isinstance(error, BotoCoreError) and type(error) is not HTTPClientError:
        words = str(error)
    else:  # foreign words may quote an answer, or a header with its token
        kinds = [type(one).__name__ for one in (error, error.__context__) if one]
        words = f"no usable answer ({' after '.join(kinds)})"
    return one_line(words, _SAID_MAX)


def or_its_key(error: Exception) -> str:
    """What to check besides, if an error names KMS; empty if not.

    What is read may be under a key of another team, which the role may not use.
    """
    if re.search(_OF_A_KEY, f"{code_of(error)} {said(error)}", re.IGNORECASE) is None:
        return ""
    return ", or its key: that takes kms:Decrypt, which the key's policy must allow too"


def _details(error: Exception) -> dict[str, str]:
    response = getattr(error, "response", None)  # some of botocore's have None there
    return (response.get("Error") or {}) if isinstance(response, dict) else {}


class Body(Protocol):
    """The body of an answer, which is read as a stream."""

    def read(self, amt: int | None = None) -> bytes:
        """So many of the bytes that are left, or all; none at the end."""

    def close(self) -> None:
        """Let go of the connection."""


def pieces_of(ask: Callable[[int], Body], size: int | None = None) -> Iterator[bytes]:
    """Read a body in pieces of so many bytes, or whole.

    If it breaks off, `ask` gives the rest, from a byte on; raises one of `aws_errors` after
    BODY_ATTEMPTS failures.
    """
    offset, attempt = 0, 1
    while True:
        body = ask(offset)
        try:
            with closing(body):
                while piece := body.read(size):
                    yield piece
                    offset += len(piece)
        except aws_errors():
            if attempt == BODY_ATTEMPTS:
                raise
            attempt += 1
        else:
            return
