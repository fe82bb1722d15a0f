"""The secret: both shapes, and never a word of it anywhere."""

import traceback

import boto3
import pytest
from moto import mock_aws

from backup_audit.adapters.credentials import (
    ClientCredentials,
    ReadyAuthorization,
    Secret,
    read_credentials,
)
from backup_audit.errors import CredentialsUnavailable


def read(text: str) -> ReadyAuthorization | ClientCredentials:
    with mock_aws():
        client = boto3.client("secretsmanager")
        client.create_secret(Name="api", SecretString=text)
        return read_credentials("api", lambda: client)


def test_a_ready_header_is_taken_as_it_is() -> None:
    credentials = read('{"authorization": " bearer abc.def "}')

    assert isinstance(credentials, ReadyAuthorization)
    assert credentials.authorization.reveal() == "bearer abc.def"


def test_client_credentials_are_taken() -> None:
    credentials = read('{"client_id": "audit", "client_secret": "hunter2"}')

    assert isinstance(credentials, ClientCredentials)
    assert (credentials.client_id, credentials.client_secret.reveal()) == ("audit", "hunter2")


@pytest.mark.parametrize(
    "text",
    [
        "canary-secret",
        "{}",
        '{"authorization": ""}',
        '{"authorization": "canary-secret\\n"}',
        '{"authorization": "canary-secret\\u00e4"}',
        '{"authorization": 7}',
        '{"client_id": "canary-secret"}',
        '{"client_id": "", "client_secret": "canary-secret"}',
        '{"client_id": "a", "client_secret": null}',
        '{"authorization": "canary-secret", "client_id": "a", "client_secret": "b"}',
        '{"client_secret": "canary-secret", "client_id": "a", "password": "canary-secret"}',
        '["canary-secret"]',
    ],
)
def test_any_other_shape_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(CredentialsUnavailable, match="the secret api is unusable") as raised:
        read(text)

    assert "canary-secret" not in "".join(traceback.format_exception(raised.value))


def test_a_secret_that_is_not_there_is_named() -> None:
    with mock_aws(), pytest.raises(CredentialsUnavailable, match=r"secret api .*ResourceNotFound"):
        read_credentials("api", lambda: boto3.client("secretsmanager"))


def test_a_secret_does_not_show() -> None:
    credentials = ClientCredentials("audit", Secret("hunter2"))

    assert "hunter2" not in f"{credentials} {credentials!r} {credentials.client_secret}"
