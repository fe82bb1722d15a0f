"""The secret: both shapes, and never a word of it anywhere."""

import json
import traceback

import pytest
from moto import mock_aws

from backup_audit.aws import CLIENTS
from backup_audit.errors import CredentialsUnavailable
from backup_audit.probe.authorization import (
    ClientCredentials,
    Credentials,
    ReadyHeader,
    Secret,
    read_credentials,
)


def read(text: str) -> Credentials:
    with mock_aws():
        client = CLIENTS.secretsmanager
        client.create_secret(Name="api", SecretString=text)
        return read_credentials("api", lambda: client)


def test_a_ready_header_is_taken_as_it_is() -> None:
    credentials = read('{"authorization": " bearer abc.def "}').api

    assert isinstance(credentials, ReadyHeader)
    assert credentials.header() == "bearer abc.def"


def test_client_credentials_are_taken() -> None:
    credentials = read('{"client_id": "audit", "client_secret": "hunter2"}').api

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
        '{"heartbeat_url": "https://switch.example.com/canary-secret"}',
        '{"authorization": "bearer x", "heartbeat_url": 7, "canary-secret": 7}',
    ],
)
def test_any_other_shape_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(CredentialsUnavailable, match="the secret api is unusable") as raised:
        read(text)

    assert "canary-secret" not in "".join(traceback.format_exception(raised.value))


def beside(heartbeat_url: str) -> str:
    """A usable secret with this address in it."""
    return json.dumps({"authorization": "bearer abc.def", "heartbeat_url": heartbeat_url})


def test_there_need_be_no_heartbeat() -> None:
    assert read('{"authorization": "bearer abc.def"}').heartbeat_url is None


@pytest.mark.parametrize(
    "url",
    [
        "https://switch.example.com/canary-secret",
        "https://switch.example.com:8443/canary-secret/",
        "https://switch.example.com/push?key=canary-secret&status=up",
        "http://127.0.0.1:8080/canary-secret",
    ],
)
def test_the_address_of_a_heartbeat_is_taken_as_it_is(url: str) -> None:
    credentials = read(beside(url))

    assert credentials.heartbeat_url
    assert credentials.heartbeat_url.reveal() == url
    assert "canary-secret" not in f"{credentials} {credentials!r}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "canary-secret",
        "http://switch.example.com/canary-secret",
        "ftp://switch.example.com/canary-secret",
        "https:///canary-secret",
        "https://canary-secret@switch.example.com/",
        "https://switch.example.com/#canary-secret",
        "https://switch.example.com/?q#canary-secret",
        "https://switch.example.com:99999/canary-secret",
        "https://switch.example.com/canary-secret\n",
        "https://switch.example.com/canary secret",
        "https://switch.example.com/canary-secret\u00e4",
        "https://[::1/canary-secret",
    ],
)
def test_any_other_address_of_a_heartbeat_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(CredentialsUnavailable, match="unusable: heartbeat_url") as raised:
        read(beside(url))

    assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_a_secret_that_is_not_there_is_named() -> None:
    with mock_aws(), pytest.raises(CredentialsUnavailable, match=r"secret api .*ResourceNotFound"):
        read_credentials("api", lambda: CLIENTS.secretsmanager)


def test_a_secret_does_not_show() -> None:
    credentials = ClientCredentials("audit", Secret("hunter2"))

    assert "hunter2" not in f"{credentials} {credentials!r} {credentials.client_secret}"
