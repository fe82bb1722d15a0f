"""Secrets that can be told apart from all else, looked for in everything that a run leaves.

The foundation repeats what it is sent wherever it can, as a page for debugging would. Log lines are
those of the most verbose level, of every library.
"""

import base64
import contextlib
import io
import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator
from urllib.parse import quote

import msgspec
import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import CredentialsRefused
from backup_audit.probe import cloud_controller
from backup_audit_cli.__main__ import main as command_line
from tests.doubles.scripted_server import Answer, Seen, scripted_server
from tests.doubles.some import rest
from tests.integration.deployment import NOW, SCHEDULED, deployed
from tools.local_cloud.__main__ import main as local_cloud
from tools.local_cloud.aws import BUCKET

pytestmark = pytest.mark.loopback

CLIENT_SECRET = "canary-secret/0123+456789=="
TOKEN = "canary-token/0123+456789=="
READY = "canary-ready/0123+456789=="
HEARTBEAT_KEY = "canary-heartbeat-0123456789"
CANARIES = (CLIENT_SECRET, TOKEN, READY, HEARTBEAT_KEY)

QUIET = "quiet"  # all that is read of its answer is in order
GUIDS = ("broken", "strange-time", "strange-entry", "healthy", QUIET)
REPEATS = "the answer repeats our token"


def forms(canary: str) -> set[str]:
    """How a text can be written without being hidden."""
    raw = canary.encode()
    shifted = {base64.b64encode(b"x" * shift + raw).decode()[4:-4] for shift in range(3)}
    return shifted | {
        canary,
        quote(canary),
        quote(canary, safe=""),
        canary.replace("/", "\\/"),
        canary.replace("=", "\\u003d"),
        raw.hex(),
        raw.hex().upper(),
        # What a cut in the middle would leave.
        canary[:13],
    }


class Foundation:
    """Cloud Controller, UAA and dead man's switch in one, all of which repeat what they hear."""

    def __init__(self, *, grants: bool = True, accepts: bool = True) -> None:
        self.grants = grants
        self.accepts = accepts
        self.heard = ""

    def __call__(self, seen: Seen) -> Answer:
        told = " ".join([seen.line, *seen.headers.values(), seen.body.decode()])
        self.heard += told
        names = ("X-VCAP-Request-ID", "X-Cf-Warnings", "Server")
        headers = tuple((name, told) for name in names[QUIET in seen.path :])
        status, document = self._said(seen, told)
        return Answer(status, json.dumps(document).replace("/", "\\/").encode(), headers)

    def _said(self, seen: Seen, told: str) -> tuple[int, dict[str, object]]:
        match seen.path.split("/")[1:]:
            case [""]:
                return 200, {"links": {"uaa": {"href": f"http://{seen.headers['host']}"}}}
            case ["oauth", "token"] if self.grants:
                return 200, {"access_token": TOKEN, "scope": told}
            case ["oauth", "token"]:
                return 401, {"error": told, "error_description": told}
            case ["v3", "service_instances", guid, "backups"] if self.accepts:
                return self._listed(guid, told)
            case _:
                return 401, error(told)

    @staticmethod
    def _listed(guid: str, told: str) -> tuple[int, dict[str, object]]:
        match guid:
            case "strange-time":
                return 200, {"backups": [{"id": told, "created_at": told}]}
            case "strange-entry":
                return 200, {"backups": [told, {told: told}]}
            case "quiet":
                return 200, {"backups": [{"created_at": int(NOW.timestamp()) - 3600}]}
            case "healthy":
                young = int(NOW.timestamp()) - 3600
                return 200, {"backups": [{"id": told, "created_at": young, "by": told}]}
            case _:
                return 500, error(told)


def error(told: str) -> dict[str, object]:
    return {"errors": [{"code": 10008, "title": told, "detail": told}]}


class Left(msgspec.Struct):
    """Everything that is left of a run, as text."""

    everything: str
    raised: Exception | None


def clients_secret(url: str) -> dict[str, str]:
    return {
        "client_id": "backup-audit",
        "client_secret": CLIENT_SECRET,
        "heartbeat_url": f"{url}/{HEARTBEAT_KEY}?key={HEARTBEAT_KEY}",
    }


def ready_header(_: str) -> dict[str, str]:
    return {"authorization": f"bearer {READY}"}


@pytest.fixture
def most_verbose() -> Iterator[io.StringIO]:
    """The lines of every logger at its most verbose."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("backup-audit").setLevel(logging.DEBUG)
    yield lines
    logging.getLogger("backup-audit").setLevel(logging.INFO)
    root.setLevel(before)
    root.removeHandler(handler)


def left_by(
    foundation: Foundation, secret: Callable[[str], dict[str, str]], lines: io.StringIO
) -> Left:
    with (
        contextlib.redirect_stdout(lines),
        contextlib.redirect_stderr(lines),
        scripted_server(foundation) as server,
        deployed(
            (), configuration={"instances": [*GUIDS]}, in_s3=True, CF_API_URL=server.url
        ) as function,
    ):
        CLIENTS.secretsmanager.put_secret_value(
            SecretId=os.environ["CF_CREDENTIALS_SECRET"],
            SecretString=json.dumps(secret(server.url)),
        )
        lines.seek(0)
        lines.truncate()  # what moto's side of it may have said
        raised, answer = None, None
        try:
            answer = function.invoke(SCHEDULED)
        except Exception as error:  # noqa: BLE001  # whatever ends a run is looked at
            raised = error
        left = [
            lines.getvalue(),
            json.dumps(answer),
            *("".join(traceback.format_exception(raised)), repr(raised), str(raised)),
            *(str(msgspec.to_builtins(sent)) for sent in function.messages),
            *all_versions(),
            str(dict(os.environ)),
        ]
        assert all(key in "".join(left) for key in function.keys)
    return Left("\n".join(left), raised)


def all_versions() -> list[str]:
    s3 = CLIENTS.s3
    return [
        entry["Key"]
        + s3.get_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])["Body"]
        .read()
        .decode()
        for entry in s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
    ]


def assert_no_canary(left: Left) -> None:
    assert [form for canary in CANARIES for form in forms(canary) if form in left.everything] == []


def test_a_run_whose_answers_repeat_the_token_leaves_none(most_verbose: io.StringIO) -> None:
    foundation = Foundation()

    left = left_by(foundation, clients_secret, most_verbose)

    assert left.raised is None
    assert left.everything.count(f": {REPEATS}") >= len(GUIDS) - 1
    assert "the heartbeat was not taken: the answer was HTTP 401" in left.everything
    for canary in (quote(CLIENT_SECRET, safe=""), TOKEN, HEARTBEAT_KEY):
        assert canary in foundation.heard
    assert_no_canary(left)


def test_a_run_with_a_ready_header_leaves_none_of_it(most_verbose: io.StringIO) -> None:
    foundation = Foundation()

    left = left_by(foundation, ready_header, most_verbose)

    assert left.raised is None
    assert left.everything.count(f": {REPEATS}") >= len(GUIDS) - 1
    assert READY in foundation.heard
    assert_no_canary(left)


def test_a_uaa_that_refuses_and_repeats_the_request_is_not_quoted(
    most_verbose: io.StringIO,
) -> None:
    foundation = Foundation(grants=False)

    left = left_by(foundation, clients_secret, most_verbose)

    assert isinstance(left.raised, CredentialsRefused)
    assert quote(CLIENT_SECRET, safe="") in foundation.heard
    assert_no_canary(left)


@pytest.mark.parametrize("secret", [clients_secret, rest(ready_header)])
def test_a_token_that_is_refused_for_everything_is_not_told(
    secret: Callable[[str], dict[str, str]], most_verbose: io.StringIO
) -> None:
    left = left_by(Foundation(accepts=False), secret, most_verbose)

    assert isinstance(left.raised, CredentialsRefused)
    assert REPEATS in str(left.raised)
    assert_no_canary(left)


def test_a_crash_shows_code_and_no_values(
    most_verbose: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cloud_controller, "_answer", crashes)

    left = left_by(Foundation(), clients_secret, most_verbose)

    assert isinstance(left.raised, RuntimeError)
    assert "list_backups" in left.everything, "the traceback is there"
    assert_no_canary(left)


@pytest.mark.parametrize(
    ("main", "command", "options"),
    [
        (command_line, [], {"--help", "--version"}),
        (command_line, ["run"], {"--help"}),
        (
            command_line,
            ["try"],
            {"--help", "--api", "--ca", "--client-id", "--max-age", "--proxy"},
        ),
        (command_line, ["verify"], {"--help"}),
        (local_cloud, [], {"--help", "--config", "--days", "--event", "--fleet", "--out"}),
    ],
)
def test_no_argument_takes_a_secret(
    main: Callable[[list[str]], int],
    command: list[str],
    options: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])

    assert set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) == options
