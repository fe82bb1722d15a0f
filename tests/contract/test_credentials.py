"""The secret: both shapes, and never a word of it anywhere."""

import json
import traceback

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS, AwsClients
from backup_audit.errors import CredentialsUnavailable
from backup_audit.probe.authorization import (
    ClientCredentials,
    Credentials,
    ReadyHeader,
    Secret,
    read_credentials,
)


def read(secret: str | bytes) -> Credentials:
    with mock_aws():
        client = CLIENTS.secretsmanager
        if isinstance(secret, bytes):
            client.create_secret(Name="api", SecretBinary=secret)
        else:
            client.create_secret(Name="api", SecretString=secret)
        return read_credentials("api", lambda: client)


def test_a_ready_header_is_taken_as_it_is() -> None:
    credentials = read('{"authorization": "bearer abc.def"}').api

    assert isinstance(credentials, ReadyHeader)
    assert credentials.header() == "bearer abc.def"


@pytest.mark.parametrize("before", ["\ufeff", "\n  ", "\ufeff\r\n"])
def test_a_byte_order_mark_and_white_space_around_the_object_do_not_matter(before: str) -> None:
    assert read(f'{before}{{"authorization": "bearer abc.def"}}\n').heartbeat_url is None


def test_null_is_as_if_a_key_were_not_given() -> None:
    text = '{"authorization": null, "client_id": "audit", "client_secret": "a", "x": null}'

    assert isinstance(read(text).api, ClientCredentials)


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


OR_THE_OTHER = "leave out the one or the other"
NO_TEXT = "not a text in quotation marks"
KEYS = "authorization, client_id, client_secret, heartbeat_url"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" \n", ["it is empty: it must hold a JSON object with either"]),
        ("canary-secret", ["it is not JSON (line 1, column 1): it must hold a JSON object"]),
        ('{"authorization": "canary-secret",\n}', ["it is not JSON (line "]),
        ("{'client_id': 'canary-secret'}", ["it is not JSON (line 1, column 2): "]),
        ('{"client_id": "\\q", "client_secret": "canary-secret"}', ["it is not JSON (line 1, "]),
        ("[" * 100_000, ["it is nested too deeply: "]),
        ('"canary-secret"', ["it is JSON, but a text and not an object: it must hold"]),
        ('["canary-secret"]', ["it is JSON, but a list and not an object: "]),
        ("7", ["it is JSON, but a number and not an object: "]),
        ("null", ["it is JSON, but null and not an object: "]),
        ("{}", ["it has no credentials: it must hold a JSON object with either"]),
        ('{"client_secret": "canary-secret", "client_secret": "b"}', ["a key stands twice in it"]),
        (
            '{"authorization": "bearer x", "canary-secret": 1}',
            [f"it has 1 key besides those that it may have: {KEYS}"],
        ),
        ('{"authorization": "bearer x", "canary-secret": 1, "b": {}}', ["it has 2 keys besides"]),
        ('{"authorization": 7}', [f"authorization is a number, {NO_TEXT}"]),
        (
            '{"client_id": true, "client_secret": 70071073105310}',
            [f"client_id is true or false, {NO_TEXT}", f"client_secret is a number, {NO_TEXT}"],
        ),
        ('{"client_id": "a", "client_secret": %s}' % ("7" * 5000), ["client_secret is a number"]),
        (
            '{"client_id": ["a"], "client_secret": {"canary-secret": 1}}',
            [f"client_id is a list, {NO_TEXT}", f"client_secret is an object, {NO_TEXT}"],
        ),
        ('{"authorization": ""}', ["authorization is empty"]),
        ('{"authorization": " \\n"}', ["authorization is empty"]),
        (
            '{"authorization": "canary-secret\\n"}',
            ["authorization ends in a line feed: leave that"],
        ),
        ('{"authorization": "canary-secret\\r\\n"}', ["authorization ends in a line feed: leave"]),
        ('{"authorization": "canary-secret "}', ["authorization ends in white space: leave that"]),
        ('{"authorization": " canary-secret"}', ["authorization begins with white space: leave"]),
        (
            '{"authorization": "canary\\nsecret"}',
            ["authorization has characters that cannot stand in a header"],
        ),
        ('{"client_id": "", "client_secret": "canary-secret"}', ["client_id is empty"]),
        ('{"client_id": "canary-secret"}', ["client_secret is missing beside client_id"]),
        ('{"client_secret": "canary-secret"}', ["client_id is missing beside client_secret"]),
        (
            '{"client_id": "a", "client_secret": "canary\\ud800"}',
            ["client_secret has half a surrogate pair, such as \\ud800, which is no character"],
        ),
        (
            '{"authorization": "canary-secret", "client_id": "a", "client_secret": "b"}',
            [f"it has authorization and client_id and client_secret: {OR_THE_OTHER}"],
        ),
        (
            '{"authorization": "canary-secret", "client_secret": "b"}',
            [f"it has authorization and client_secret: {OR_THE_OTHER}"],
        ),
        (
            '{"authorization": "bearer x", "heartbeat_url": "https://a.example.com/canary\\n"}',
            ["heartbeat_url ends in a line feed: leave that out"],
        ),
        (
            '{"canary-secret": 1, "client_id": "", "client_secret": 7, "heartbeat_url": "x"}',
            [
                "it has 1 key besides",
                "client_id is empty",
                "client_secret is a n",
                "heartbeat_url is",
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_by_its_form(text: str, said: list[str]) -> None:
    with pytest.raises(CredentialsUnavailable) as raised:
        read(text)

    faults = str(raised.value).removeprefix("the secret api is unusable: ").split("; ")
    assert len(faults) == len(said)
    for fault, begins in zip(faults, said, strict=True):
        assert fault.startswith(begins)
    assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_a_binary_secret_is_said_to_be_binary() -> None:
    with pytest.raises(CredentialsUnavailable) as raised:
        read(b'{"authorization": "canary-secret"}')

    assert str(raised.value) == (
        "the secret api is unusable: it is binary (SecretBinary): store its JSON as text "
        "(SecretString)"
    )


@pytest.mark.parametrize("secret", ["hunter2\n", " hunter2 ", ""])
def test_the_secret_of_a_client_is_taken_as_it_is(secret: str) -> None:
    credentials = read(json.dumps({"client_id": "audit", "client_secret": secret})).api

    assert isinstance(credentials, ClientCredentials)
    assert credentials.client_secret.reveal() == secret


def refused(code: str, message: str) -> str:
    """The error after an answer of AWS that refuses the secret."""
    client = AwsClients().secretsmanager
    stub = Stubber(client)
    stub.add_client_error("get_secret_value", code, message)
    stub.activate()
    with pytest.raises(CredentialsUnavailable) as raised:
        read_credentials("api", lambda: client)
    return str(raised.value)


KMS = [
    ("AccessDeniedException", "Access to KMS is not allowed"),
    ("AccessDeniedException", "User: x is not authorized to perform: kms:Decrypt on resource: y"),
    ("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist"),
    ("KMS.DisabledException", "The key is disabled"),
    ("InvalidKeyId", ""),
]


@pytest.mark.parametrize(("code", "message"), KMS)
def test_a_key_that_may_not_be_used_is_named_as_such(code: str, message: str) -> None:
    assert refused(code, message).endswith(
        "; check its name, and that we may read it, or its key: that takes kms:Decrypt, which the "
        "key's policy must allow too"
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "User: x is not authorized to perform: secretsmanager:GetSecret"),
        ("ResourceNotFoundException", "Secrets Manager can't find the specified secret"),
    ],
)
def test_no_key_is_named_where_aws_names_none(code: str, message: str) -> None:
    assert refused(code, message).endswith("; check its name, and that we may read it")


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
