"""`backup-audit try`: a foundation is asked from a laptop, with what `cf oauth-token` prints."""

import base64
import codecs
import io
import json
import os
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import trustme

from backup_audit_cli.__main__ import main
from backup_audit_cli.exit_status import ExitStatus
from tests.doubles.scripted_server import Answer, scripted_server
from tests.integration.deployment import HEALTHY, STALE, hours_ago, instance
from tools.local_cloud.behaviours import NOT_FOUND, Backups, Refuses
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)

pytestmark = pytest.mark.loopback

GUID = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"
OTHER = "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55"
NO_ROUTE = Refuses(404, 10000, "CF-NotFound", "Unknown request")
EMPTY = instance("empty-db", Backups(()))
GONE = instance("gone-db", NOT_FOUND)
FLEET = (HEALTHY, STALE, EMPTY, GONE, instance(GUID, hours_ago(5)))


class Said(msgspec.Struct):
    """What a command left at a shell."""

    status: int
    out: str
    err: str


class Shell:
    """Types commands, with something piped in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def types(self, *arguments: str, piped: str = "") -> Said:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(piped))
        status = main(list(arguments))
        printed = self._capsys.readouterr()
        return Said(status, printed.out, printed.err)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the proxy of whoever runs it."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.fixture
def foundation() -> Iterator[SimulatedCloudController]:
    with SimulatedCloudController(FLEET) as running:
        yield running


def token_of(foundation: SimulatedCloudController, tls: ssl.SSLContext | None = None) -> str:
    """A token, as UAA gives it."""
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{foundation.url}/oauth/token", body, context=tls) as reply:
        token: str = json.load(reply)["access_token"]
    return token


def tried(shell: Shell, foundation: SimulatedCloudController, *guids: str) -> Said:
    piped = f"bearer {token_of(foundation)}\n"
    return shell.types("try", "--api", foundation.url, *guids, piped=piped)


# ── What is asked and said ────────────────────────────────────────────────────────────────────────


def test_every_instance_is_said_with_its_verdict_and_reason_the_worst_first(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    said = tried(shell, foundation, "healthy-db", "stale-db", "empty-db", "gone-db")

    lines = said.out.splitlines()
    named = [line.split()[:2] for line in lines if "-db " in line]
    assert named == [
        ["never_backed_up", "empty-db"],
        ["stale", "stale-db"],
        ["not_found", "gone-db"],
        ["healthy", "healthy-db"],
    ]
    assert "4 instances asked in" in lines[0]
    assert "1 never_backed_up, 1 stale, 1 not_found, 1 healthy" in lines[0]
    assert "newest backup is 40 h" in said.out
    assert said.err == ""
    assert said.status == ExitStatus.WRONG


@pytest.mark.parametrize(
    ("guid", "doubt"),
    [
        ("orders-db", '"orders-db" is not a GUID; if it is a name: cf service NAME --guid'),
        (GUID[:-1], f'"{GUID[:-1]}" is not a whole GUID: it has 35 characters, not 36'),
        (OTHER, None),
    ],
)
def test_what_is_not_found_and_hardly_a_guid_is_said_so(
    shell: Shell, foundation: SimulatedCloudController, guid: str, doubt: str | None
) -> None:
    said = tried(shell, foundation, guid)

    assert said.status == ExitStatus.WRONG
    assert said.out.splitlines()[-1].strip() == (doubt or "")


def test_a_healthy_instance_is_in_order(shell: Shell, foundation: SimulatedCloudController) -> None:
    said = tried(shell, foundation, "healthy-db")

    assert said.out.startswith("1 instance asked in ")
    assert said.status == ExitStatus.FINE


@pytest.mark.parametrize(
    ("max_age", "status"),
    [("39h", ExitStatus.WRONG), ("2d", ExitStatus.FINE)],
)
def test_the_age_allowed_can_be_chosen(
    shell: Shell, foundation: SimulatedCloudController, max_age: str, status: ExitStatus
) -> None:
    assert tried(shell, foundation, "stale-db", "--max-age", max_age).status == status


def test_a_guid_in_capitals_is_the_one_in_small_letters(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    said = tried(shell, foundation, GUID.upper())

    assert said.status == ExitStatus.FINE
    assert GUID in said.out


def test_an_address_may_end_with_a_slash(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    token = token_of(foundation)

    said = shell.types("try", "--api", f"{foundation.url}/", GUID, piped=token)

    assert said.status == ExitStatus.FINE
    assert foundation.requests[f"/v3/service_instances/{GUID}/backups"] == 1


def test_a_client_gets_its_token_by_the_secret_piped_in(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    arguments = ["try", "--api", foundation.url, "--client-id", CLIENT_ID, "healthy-db"]

    right = shell.types(*arguments, piped=f"{CLIENT_SECRET}\n")
    wrong = shell.types(*arguments, piped="Wr0ng-s3cret\n")

    assert right.status == ExitStatus.FINE
    assert wrong.status == ExitStatus.CREDENTIALS
    assert wrong.err.startswith(
        f"error: CredentialsRefused: UAA refused client '{CLIENT_ID}' (HTTP 401)"
    )
    assert "Wr0ng-s3cret" not in wrong.out + wrong.err


class Terminal(io.StringIO):
    """Standard input of a terminal: whoever reads from it would wait."""

    def isatty(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> str:
        raise AssertionError("waits for what is typed, and shows it")


def test_at_a_terminal_a_prompt_asks_for_the_secret(
    foundation: SimulatedCloudController,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []

    def types(prompt: str) -> str:
        asked.append(prompt)
        return CLIENT_SECRET

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", types)

    status = main(["try", "--api", foundation.url, "--client-id", CLIENT_ID, "healthy-db"])

    assert status == ExitStatus.FINE, capsys.readouterr().err
    assert asked == [f"Secret of the client {CLIENT_ID}: "]


@pytest.mark.parametrize("piped", ["", "\n"])
def test_an_empty_secret_is_wrong_usage(shell: Shell, piped: str) -> None:
    said = shell.types(
        *("try", "--api", "https://a.example.com", "--client-id", "mine", GUID), piped=piped
    )

    assert said == Said(
        ExitStatus.USAGE, "", "error: there is no secret of the client mine on standard input\n"
    )


def test_a_prompt_that_gets_nothing_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", ends)

    status = main(["try", "--api", "https://a.example.com", "--client-id", "mine", GUID])

    assert status == ExitStatus.USAGE
    assert "no secret of the client mine" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--client-id", "mine"]])
def test_bytes_that_are_no_text_are_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00b"), "utf-8"))

    status = main(["try", "--api", "https://a.example.com", *options, GUID])

    assert status == ExitStatus.USAGE
    assert capsys.readouterr().err == "error: standard input is no text\n"


def test_at_a_terminal_without_a_pipe_it_says_how_to_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())

    assert main(["try", "--api", "https://api.sys.example.com", GUID]) == ExitStatus.USAGE
    assert "cf oauth-token | backup-audit try" in capsys.readouterr().err


# ── Tokens as they are piped in ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "piped",
    [
        "bearer {}",
        "bearer {}\n",
        "Bearer {}\r\n",
        "{}\n",
        "  {}  ",
        "Getting OAuth token...\nOK\n\nbearer {}\n\n",
        "Cf CLI version 8.9 is out: see https://github.com/cloudfoundry/cli\nbearer {}\n",
        "authorization: BEARER   {}",
    ],
)
def test_a_token_is_found_among_what_cf_prints(
    shell: Shell, foundation: SimulatedCloudController, piped: str
) -> None:
    token = token_of(foundation)

    said = shell.types("try", "--api", foundation.url, GUID, piped=piped.format(token))

    assert said.status == ExitStatus.FINE, said.err


@pytest.mark.parametrize("piped", ["", "\n", "FAILED\n", "Not logged in. Use 'cf login'.\nFAILED"])
def test_what_holds_no_token_is_wrong_usage_that_says_what_to_do(shell: Shell, piped: str) -> None:
    said = shell.types("try", "--api", "https://api.sys.example.com", GUID, piped=piped)

    assert said.status == ExitStatus.USAGE
    assert said.err == (
        "error: no token is on standard input: log in (cf login), then "
        "cf oauth-token | backup-audit try ...; or name a client with --client-id\n"
    )


def test_closed_standard_input_holds_no_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)

    assert main(["try", "--api", "https://api.sys.example.com", GUID]) == ExitStatus.USAGE
    assert "no token is on standard input" in capsys.readouterr().err


def jwt(**claims: object) -> str:
    """A token that says of itself when it ends."""
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts), "c2ln"])


def test_a_token_that_has_ended_is_said_so_before_anything_is_asked(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    ended = jwt(exp=int((datetime.now(UTC) - timedelta(hours=3)).timestamp()))

    said = shell.types("try", "--api", foundation.url, GUID, piped=f"bearer {ended}")

    assert said.status == ExitStatus.CREDENTIALS
    assert said.err == (
        "error: CredentialsRefused: the token ended 3 h ago: cf oauth-token gives another\n"
    )
    assert not foundation.requests


@pytest.mark.parametrize("exp", [4102444800, None, "soon", -1e300, 1e300])
def test_a_token_whose_end_is_far_or_strange_is_for_the_foundation_to_refuse(
    shell: Shell, foundation: SimulatedCloudController, exp: object
) -> None:
    said = shell.types("try", "--api", foundation.url, GUID, piped=f"bearer {jwt(exp=exp)}")

    assert said.status == ExitStatus.CREDENTIALS
    assert (
        "refuses our token for the instance asked (HTTP 401 CF-InvalidAuthToken 1000)" in said.err
    )
    assert f"cf login -a {foundation.url}, then cf oauth-token, gives another token" in said.err
    assert len(said.err.splitlines()) == 1


# ── A foundation that cannot be asked ─────────────────────────────────────────────────────────────


def test_a_foundation_without_the_endpoint_is_said_so_in_one_sentence(shell: Shell) -> None:
    without = [instance("one-db", NO_ROUTE), instance("two-db", NO_ROUTE)]
    with SimulatedCloudController(without) as foundation:
        said = tried(shell, foundation, "one-db", "two-db")

    assert said.status == ExitStatus.NO_ENDPOINT
    assert said.out == ""
    assert said.err == (
        f"error: NoEndpoint: {foundation.url} has no endpoint for backups (CF-NotFound 10000): "
        "it is Tanzu's, and nothing can be audited without it\n"
    )


@pytest.mark.parametrize("path", ["/v3", "/v3/"])
def test_an_address_with_the_version_of_the_api_is_named_before_anything_is_asked(
    shell: Shell, foundation: SimulatedCloudController, path: str
) -> None:
    said = shell.types("try", "--api", f"{foundation.url}{path}", GUID, piped="bearer " + "a" * 32)

    assert said.status == ExitStatus.USAGE
    assert said.err.endswith(", without /v3\n")
    assert not foundation.requests


def test_an_address_with_a_path_is_not_said_to_have_no_endpoint(
    shell: Shell, foundation: SimulatedCloudController
) -> None:
    token = token_of(foundation)

    said = shell.types("try", "--api", f"{foundation.url}/cf/", GUID, piped=token)

    assert said.status == ExitStatus.USAGE
    assert said.err == (
        f"error: {foundation.url}/cf has no endpoint for backups (CF-NotFound 10000): "
        "try --api without /cf\n"
    )


def test_a_single_answer_of_that_kind_is_a_finding_like_others(shell: Shell) -> None:
    with SimulatedCloudController([instance("one-db", NO_ROUTE), HEALTHY]) as foundation:
        said = tried(shell, foundation, "one-db", "healthy-db")

    assert said.status == ExitStatus.WRONG
    assert "this Cloud Controller has no backups endpoint" in said.out


def test_an_address_that_is_no_api_is_not_reached(shell: Shell) -> None:
    with scripted_server([Answer(body=b"<html>Log in</html>")]) as page:
        said = shell.types("try", "--api", page.url, GUID, piped="bearer " + "a" * 32)

    assert said.status == ExitStatus.UNREACHABLE
    assert said.err.startswith(
        "error: ApiUnreachable: the instance asked got no answer from the Cloud C"
    )
    assert "check --api" in said.err


def test_an_unknown_host_is_not_reached(shell: Shell) -> None:
    said = shell.types(
        *("try", "--api", "https://api.sys.invalid", "--client-id", "c", GUID), piped="secret"
    )

    assert said.status == ExitStatus.UNREACHABLE
    assert said.err.startswith(
        "error: ApiUnreachable: GET https://api.sys.invalid/ gave no answer: "
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_of_the_environment_is_not_used_and_this_is_said(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://me:Pr0xy-passw0rd@proxy.example.com:3128")

    said = shell.types(
        "try", "--api", f"http://127.0.0.1:{free_port()}", GUID, piped="bearer " + "a" * 32
    )

    assert said.status == ExitStatus.UNREACHABLE
    assert said.err.endswith(
        "HTTPS_PROXY of the environment is not used: a proxy is given by --proxy\n"
    )
    assert "passw0rd" not in said.err


def test_a_proxy_that_is_not_there_is_named(shell: Shell) -> None:
    said = shell.types(
        *("try", "--api", "https://api.sys.example.com", GUID),
        *("--proxy", f"http://127.0.0.1:{free_port()}"),
        piped="bearer " + "a" * 32,
    )

    assert said.status == ExitStatus.UNREACHABLE
    assert "check --proxy" in said.err


def free_port() -> int:
    """A port that nobody listens on."""
    with scripted_server([Answer()]) as closed:
        return int(closed.url.rpartition(":")[2])


# ── Wrong usage ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--api", "http://api.sys.example.com", GUID], '--api: "http://api.sys.example.com" is'),
        (["--api", "api.sys.example.com", GUID], "is not an https:// address such as https://api"),
        (["--api", "https://a.example.com", "a/b"], 'GUID[0]: "a/b" is not a GUID'),
        (
            ["--api", "https://a.example.com", GUID, GUID],
            f"GUID[1]: '{GUID}' is listed already at GUID[0]",
        ),
        (["--api", "https://a.example.com", GUID, "--max-age", "26"], '--max-age: "26" is not a'),
        (["--api", "https://a.example.com", GUID, "--max-age", "0h"], '--max-age: "0h" is not a'),
        (["--api", "https://a.example.com", GUID, "--proxy", "p:3128"], '--proxy: "p:3128" is not'),
        (
            ["--api", "https://a.example.com", GUID, "--ca", "/no/ca.pem"],
            "--ca /no/ca.pem: No such",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_option(
    shell: Shell, arguments: list[str], says: str
) -> None:
    said = shell.types("try", *arguments, piped="bearer " + "a" * 32)

    assert said.status == ExitStatus.USAGE
    assert says in said.err
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) == 1


def test_all_that_cannot_be_used_is_named_at_once(shell: Shell) -> None:
    arguments = ("--api", "api.sys.example.com", "a/b", "--max-age", "26", "--proxy", "p")

    said = shell.types("try", *arguments)

    named = [fault.split()[0] for fault in said.err.removeprefix("error: ").split("; ")]
    assert named == ["--api:", "--proxy:", "GUID[0]:", "--max-age:"]


def test_a_prompt_comes_after_all_else_was_found_to_be_usable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: pytest.fail("asks too early"))

    status = main(
        ["try", "--api", "https://a.example.com", "--client-id", "c", "--ca", "/no", GUID]
    )

    assert status == ExitStatus.USAGE
    assert "--ca /no" in capsys.readouterr().err


def test_a_ca_file_without_a_certificate_is_wrong_usage(shell: Shell, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")

    said = shell.types(
        *("try", "--api", "https://a.example.com", GUID, "--ca", str(ca)),
        piped="bearer " + "a" * 32,
    )

    assert said.status == ExitStatus.USAGE
    assert said.err.startswith("error: --ca holds no certificate, neither PEM")


@pytest.mark.parametrize("arguments", [["try"], ["try", GUID], ["try", "--api", "https://a.b"]])
def test_what_is_left_out_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == ExitStatus.USAGE
    assert "required: " in capsys.readouterr().err


def test_ctrl_c_ends_it_with_a_word(
    shell: Shell, foundation: SimulatedCloudController, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    token = token_of(foundation)
    monkeypatch.setattr("backup_audit_cli.try_out.finding_of", interrupted)

    said = shell.types("try", "--api", foundation.url, GUID, piped=token)

    assert said == Said(ExitStatus.INTERRUPTED, "", "interrupted\n")


def test_a_bug_is_no_verdict(
    shell: Shell, foundation: SimulatedCloudController, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: object) -> None:
        raise RuntimeError("a bug")

    token = token_of(foundation)
    monkeypatch.setattr("backup_audit_cli.try_out.finding_of", crashes)

    said = shell.types("try", "--api", foundation.url, GUID, piped=token)

    assert said.status == ExitStatus.BUG
    assert said.err.endswith("RuntimeError: a bug\n")


# ── As a program of its own ───────────────────────────────────────────────────────────────────────


class Secured(msgspec.Struct):
    """A foundation over TLS, under a private CA."""

    url: str
    token: str
    ca: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    authority = trustme.CA()
    ca = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with SimulatedCloudController(FLEET, tls=context) as foundation:
        token = token_of(foundation, ssl.create_default_context(cafile=ca))
        yield Secured(foundation.url, token, ca)


def program(
    *arguments: str | Path, home: Path, piped: str, code: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it in an environment without any setting, in an empty folder."""
    start = ["-c", code] if code else ["-m", "backup_audit_cli"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        env={"HOME": str(home), "PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=home,
        input=piped,
        capture_output=True,
        text=True,
        check=False,
    )


_AND_WHAT_WAS_IMPORTED = """
import sys
from backup_audit_cli.__main__ import main
status = main(sys.argv[1:])
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""


def test_over_tls_with_a_private_ca_it_needs_no_aws_and_writes_nothing(
    secured: Secured, tmp_path: Path
) -> None:
    said = program(
        *("try", "--api", secured.url, "--ca", secured.ca, "healthy-db", "stale-db"),
        home=tmp_path,
        piped=f"bearer {secured.token}\n",
        code=_AND_WHAT_WAS_IMPORTED,
    )

    assert said.returncode == ExitStatus.WRONG, said.stderr
    assert "1 stale, 1 healthy" in said.stdout
    imported = set(said.stderr.split())
    assert "backup_audit_cli" in imported
    assert not imported & {"boto3", "botocore", "aws_lambda_powertools"}
    assert list(tmp_path.iterdir()) == []


def test_a_guid_in_capitals_is_that_of_the_instance(shell: Shell, secured: Secured) -> None:
    said = shell.types(
        *("try", "--api", secured.url, "--ca", str(secured.ca), GUID.upper()),
        piped=f"bearer {secured.token}\n",
    )

    assert said.status == ExitStatus.FINE, said.err
    assert GUID in said.out


@pytest.mark.parametrize(
    "written",
    [
        lambda pem: "# CA für Büro\n".encode() + pem,
        lambda pem: "# CA für Büro\n".encode("latin-1") + pem,
        lambda pem: codecs.BOM_UTF8 + pem,
        lambda pem: pem.decode().encode("utf-16"),
        lambda pem: ssl.PEM_cert_to_DER_cert(pem.decode()),
    ],
    ids=["UTF-8", "Latin-1", "BOM", "UTF-16", "DER"],
)
def test_the_ca_may_be_in_any_file_that_people_have(
    shell: Shell, secured: Secured, tmp_path: Path, written: Callable[[bytes], bytes]
) -> None:
    ca = tmp_path / "ca"
    ca.write_bytes(written(secured.ca.read_bytes()))

    said = shell.types(
        *("try", "--api", secured.url, "--ca", str(ca), "healthy-db"),
        piped=f"bearer {secured.token}\n",
    )

    assert said.status == ExitStatus.FINE, said.err


def test_a_bad_certificate_among_good_ones_is_named_with_the_option(
    shell: Shell, secured: Secured, tmp_path: Path
) -> None:
    good = secured.ca.read_bytes()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(good + good[:300] + good)

    said = shell.types(
        *("try", "--api", secured.url, "--ca", str(ca), "healthy-db"), piped="bearer " + "a" * 32
    )

    assert said.status == ExitStatus.USAGE
    assert said.err == "error: --ca: certificate 2 of 3 is cut off: its END line is missing\n"


def test_a_ca_file_is_read_as_the_function_reads_its_bundle(
    secured: Secured, shell: Shell, tmp_path: Path
) -> None:
    commented = tmp_path / "ca.pem"
    commented.write_bytes("# CA für Büro\n".encode() + secured.ca.read_bytes())

    said = shell.types(
        *("try", "--api", secured.url, "--ca", str(commented), GUID), piped=secured.token
    )

    assert said.status == ExitStatus.FINE, said.err


def test_without_its_extra_it_says_how_to_install_it(tmp_path: Path) -> None:
    without = "import sys; sys.modules['rich'] = None\n" + _AND_WHAT_WAS_IMPORTED

    said = program(
        "try", "--api", "https://a.example.com", GUID, home=tmp_path, piped="", code=without
    )

    assert said.returncode == ExitStatus.USAGE
    assert said.stderr.startswith("error: rich is not installed: pip install 'backup-audit[cli]'\n")


def test_a_private_ca_that_is_not_given_is_what_the_error_asks_for(
    secured: Secured, shell: Shell
) -> None:
    said = shell.types("try", "--api", secured.url, GUID, piped=secured.token)

    assert said.status == ExitStatus.UNREACHABLE
    assert said.err.endswith("a CA that is not known here: it is given by --ca FILE\n")
    assert len(said.err.splitlines()) == 1


def test_a_file_with_another_ca_is_named(secured: Secured, shell: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))

    said = shell.types("try", "--api", secured.url, "--ca", str(other), GUID, piped=secured.token)

    assert said.status == ExitStatus.UNREACHABLE
    assert said.err.endswith(f"a CA that is not known here: {other} does not have it\n")


def test_a_certificate_for_another_host_is_no_question_of_its_ca(
    shell: Shell, tmp_path: Path
) -> None:
    authority, ca = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.sys.example.com").configure_cert(context)
    with SimulatedCloudController(FLEET, tls=context) as foundation:
        arguments = ("try", "--api", foundation.url, "--ca", str(ca), GUID)
        said = shell.types(*arguments, piped="a" * 32)

    assert said.status == ExitStatus.UNREACHABLE
    assert "certificate verify failed" in said.err
    assert "--ca" not in said.err


def test_a_pipe_that_closes_is_no_error(secured: Secured, tmp_path: Path) -> None:
    guids = " ".join(f"db-{number}" for number in range(100))
    command = (
        f"echo bearer {secured.token} | {sys.executable} -m backup_audit_cli try "
        f"--api {secured.url} --ca {secured.ca} {guids} | head -n 1"
    )

    said = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stdout.startswith("100 instances asked in ")
    assert said.stderr == ""
