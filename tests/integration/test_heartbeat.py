"""The heartbeat of the function as it is deployed: who hears it, and what nobody may see."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import ConfigurationUnavailable, CredentialsUnavailable
from tests.doubles.scripted_server import Answer, ScriptedServer, scripted_server
from tests.doubles.some import rest
from tests.integration.deployment import HEALTHY, SCHEDULED, Deployment, deployed
from tools.local_cloud.simulated_cloud_controller import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.loopback

KEY = "canary-key"


@contextmanager
def beating(
    status: int = 200,
    **environment: Any,  # noqa: ANN401  # the settings, and the configuration
) -> Iterator[tuple[Deployment, ScriptedServer]]:
    """A deployment whose secret has the address of a switch that answers with this status."""
    with (
        scripted_server([Answer(status)]) as switch,
        deployed(**environment) as function,
    ):
        keep_in_the_secret(f"{switch.url}/{KEY}")
        yield function, switch


def keep_in_the_secret(heartbeat_url: str) -> None:
    document = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "heartbeat_url": heartbeat_url,
    }
    CLIENTS.secretsmanager.put_secret_value(
        SecretId=os.environ["CF_CREDENTIALS_SECRET"], SecretString=json.dumps(document)
    )


def test_a_full_run_is_heard_once_and_without_the_token() -> None:
    with beating() as (function, switch):
        assert function.invoke(SCHEDULED)["complete"]

        [heard] = switch.seen
        assert heard.line == f"GET /{KEY} HTTP/1.1"
        assert "authorization" not in heard.headers
        assert not [token for token in function.foundation.tokens if token in str(heard)]


def test_a_run_of_some_instances_is_not_heard() -> None:
    with beating() as (function, switch):
        function.invoke({"instance_guids": [HEALTHY.guid]})

        assert switch.seen == []


def test_a_run_that_fails_is_not_heard() -> None:
    with beating(CONFIG_URI="ssm:/not/there") as (function, switch):
        with pytest.raises(ConfigurationUnavailable):
            function.invoke(SCHEDULED)

        assert switch.seen == []


@pytest.mark.parametrize("status", [200, 302, 404, rest(500)])
def test_the_address_is_in_nothing_that_a_run_leaves(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with beating(status) as (function, _):
        answer = function.invoke(SCHEDULED)

        left = b"".join(function.read(key) for key in function.keys).decode()
        left += str(capsys.readouterr()) + json.dumps(answer) + str(function.messages)
        assert KEY not in left


def test_a_heartbeat_that_nobody_takes_is_a_warning_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with beating(404) as (function, _):
        assert function.invoke(SCHEDULED)["complete"]

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    warnings = [line["message"] for line in lines if line.get("level") == "WARNING"]
    assert warnings[-1] == "the heartbeat was not taken: the answer was HTTP 404"


def test_an_address_that_is_none_ends_the_run_without_a_word_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed() as function:
        keep_in_the_secret(f"http://switch.example.com/{KEY}")

        with pytest.raises(CredentialsUnavailable, match="heartbeat_url is not an address"):
            function.invoke(SCHEDULED)

        assert KEY not in str(capsys.readouterr()) + str(function.messages)
