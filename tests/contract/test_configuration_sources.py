"""Each place where a configuration can lie gives the same document, or says why not."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from backup_audit.aws import CLIENTS, AwsClients
from backup_audit.errors import ConfigurationUnavailable
from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.sources import source_of

DOCUMENT = json.dumps({"schema_version": 1, "instances": ["a", "b"]}).encode()


def in_ssm(_: Path) -> tuple[str, AwsClients]:
    CLIENTS.ssm.put_parameter(Name="/x", Value=DOCUMENT.decode(), Type="SecureString")
    return "ssm:/x", AwsClients()


def in_s3(_: Path) -> tuple[str, AwsClients]:
    CLIENTS.s3.create_bucket(Bucket="configuration")
    CLIENTS.s3.put_object(Bucket="configuration", Key="a/b.json", Body=DOCUMENT)
    return "s3://configuration/a/b.json", AwsClients()


def in_appconfig(_: Path) -> tuple[str, AwsClients]:
    clients = AwsClients()
    stub = Stubber(clients.appconfigdata)
    stub.add_response(
        "start_configuration_session",
        {"InitialConfigurationToken": "token-1"},
        {
            "ApplicationIdentifier": "app",
            "EnvironmentIdentifier": "env",
            "ConfigurationProfileIdentifier": "profile",
        },
    )
    stub.add_response(
        "get_latest_configuration",
        {"Configuration": StreamingBody(io.BytesIO(DOCUMENT), len(DOCUMENT))},
        {"ConfigurationToken": "token-1"},
    )
    stub.activate()
    return "appconfig:app/env/profile", clients


def in_a_file(folder: Path) -> tuple[str, AwsClients]:
    (folder / "configuration.json").write_bytes(DOCUMENT)
    return f"file:{folder / 'configuration.json'}", AwsClients()


def in_the_environment(_: Path) -> tuple[str, AwsClients]:
    return "env:", AwsClients()


PLACES = [in_ssm, in_s3, in_appconfig, in_a_file, in_the_environment]


@pytest.mark.parametrize("place", PLACES)
def test_every_place_gives_the_document(
    place: Callable[[Path], tuple[str, AwsClients]], tmp_path: Path
) -> None:
    with mock_aws():
        uri, clients = place(tmp_path)
        source = source_of(uri, clients, ["a", "b"])

        assert json.loads(source.read()) == json.loads(DOCUMENT)
        assert source.uri == uri


def test_guids_of_the_environment_are_read_in_lower_case_too() -> None:
    guid = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"
    source = source_of("env:", AwsClients(), [guid.upper(), "Orders-DB"])

    read = parse_configuration(source.read(), source.uri)

    assert [one.guid for one in read.instances] == [guid, "Orders-DB"]


def test_twenty_thousand_instances_come_out_of_s3() -> None:
    guids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20_000)]
    with mock_aws():
        CLIENTS.s3.create_bucket(Bucket="configuration")
        CLIENTS.s3.put_object(
            Bucket="configuration", Key="x", Body=json.dumps({"instances": guids}).encode()
        )

        body = source_of("s3://configuration/x", AwsClients()).read()

    assert [one.guid for one in parse_configuration(body, "x").instances] == guids


@pytest.mark.parametrize(
    "uri", ["ssm:/not/there", "s3://not-there/x", "appconfig:a/b/c", "file:/not/there.json"]
)
def test_what_cannot_be_read_is_named(uri: str) -> None:
    with mock_aws():
        clients = AwsClients()
        stub = Stubber(clients.appconfigdata)
        stub.add_client_error("start_configuration_session", "ResourceNotFoundException", "no", 404)

        with stub, pytest.raises(ConfigurationUnavailable, match=uri):
            source_of(uri, clients).read()


def test_an_unknown_kind_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no known kind"):
        source_of("ftp://x", AwsClients())


def test_a_client_is_made_once() -> None:
    clients = AwsClients()

    assert clients.s3 is clients.s3


def test_whoever_reads_of_a_ca_that_is_missing_is_sent_to_its_variable(tmp_path: Path) -> None:
    there_is_none = source_of(f"file:{tmp_path}/ca.pem", CLIENTS, variable="CA_BUNDLE")

    with pytest.raises(ConfigurationUnavailable) as raised:
        there_is_none.read()

    assert str(raised.value) == (
        f"CA_BUNDLE file:{tmp_path}/ca.pem could not be read: No such file or directory; "
        "check the address, and that we may read it"
    )


def denied(uri: str) -> str:
    """The error where AWS refuses to decrypt what an address names."""
    clients = AwsClients()
    words = "User: x is not authorized to perform: kms:Decrypt on resource: y"
    with contextlib.ExitStack() as stack:
        for client, operation in (
            (clients.ssm, "get_parameter"),
            (clients.s3, "get_object"),
            (clients.appconfigdata, "start_configuration_session"),
        ):
            stub = stack.enter_context(Stubber(client))
            stub.add_client_error(operation, "AccessDeniedException", words)
        with pytest.raises(ConfigurationUnavailable) as raised:
            source_of(uri, clients).read()
    return str(raised.value)


@pytest.mark.parametrize("uri", ["ssm:/x", "s3://configuration/x", "appconfig:a/b/c"])
def test_a_key_of_another_team_is_named_as_such(uri: str) -> None:
    assert denied(uri).endswith(
        "; check the address, and that we may read it, or its key: that takes kms:Decrypt, which "
        "the key's policy must allow too"
    )
