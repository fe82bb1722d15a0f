"""Whatever AWS's clients raise, in a request or in a body, becomes the right error of ours."""

import inspect
import io
import socket
import ssl
from collections.abc import Callable
from string import Formatter
from typing import Any

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ClientError, HTTPClientError
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody

from backup_audit.aws import BODY_ATTEMPTS, CLIENTS, AwsClients
from backup_audit.errors import (
    AuditError,
    ConfigurationUnavailable,
    CredentialsUnavailable,
    NotificationFailed,
    ReportStoreFailed,
)
from backup_audit.fleet.sources import source_of
from backup_audit.notify.sns import SnsNotifier
from backup_audit.probe.authorization import read_credentials
from backup_audit.report.s3 import PART_SIZE, S3Store
from tests.doubles.builders import a_message
from tests.doubles.scripted_server import Answer, scripted_server
from tests.doubles.some import rest

SECRET = "canary-secret"
TOPIC = "arn:aws:sns:us-east-1:123456789012:backup-audit"


def classes_of(module: object) -> list[type[Exception]]:
    """The classes of errors that a module defines, without its warnings."""
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


def an_error(kind: type[Exception]) -> Exception:
    """An error of a class of botocore's, with all that its message needs."""
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "Odd", "Message": "words"}}, "Operation")
    template = getattr(kind, "fmt", "")
    needed: dict[str, Any] = {
        name: "words" for _, name, _, _ in Formatter().parse(template) if name
    }
    if issubclass(kind, botocore.exceptions.WaiterError):
        needed["last_response"] = {"Error": {"Code": "Odd"}}
    return kind(**needed)


OF_REQUESTS = [
    *map(an_error, classes_of(botocore.exceptions)),
    # What an answer that is not AWS's makes of botocore, a proxy's page for example.
    ResponseParserError("invalid XML received:\n<html>"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    KeyError("PublishBatchResult"),
    # What breaks off while botocore reads the body of a refusal.
    urllib3.exceptions.ProtocolError("Connection broken"),
]

# urllib3's errors are built in a dozen ways; StreamingBody translates two families of them.
OF_BODIES = [
    urllib3.exceptions.ProtocolError("Connection broken"),
    urllib3.exceptions.IncompleteRead(1, 2),
    urllib3.exceptions.ReadTimeoutError(None, "/", "Read timed out."),  # type: ignore[arg-type]
    urllib3.exceptions.SSLError("decryption failed or bad record mac"),
    urllib3.exceptions.DecodeError("not gzip"),
    urllib3.exceptions.HTTPError("odd"),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
    TimeoutError("timed out"),
    socket.gaierror(-2, "Name or service not known"),
    ssl.SSLError(1, "bad record mac"),
    OSError("odd"),
]

Step = Callable[[], object]


def store() -> S3Store:
    return S3Store("reports", lambda: CLIENTS.s3)


def multipart() -> object:
    with store().new_object("large.json") as large:
        large.write(b"x" * PART_SIZE)
        large.write(b"y")
    return large.is_new


def notified() -> None:
    SnsNotifier(TOPIC, lambda: CLIENTS.sns, sleep=lambda _: None).publish([a_message()])


STEPS: dict[str, tuple[str, Step, type[AuditError]]] = {
    "ssm": (
        "ssm.GetParameter",
        lambda: source_of("ssm:/x", CLIENTS).read(),
        ConfigurationUnavailable,
    ),
    "configuration in S3": (
        "s3.GetObject",
        lambda: source_of("s3://reports/x", CLIENTS).read(),
        ConfigurationUnavailable,
    ),
    "appconfig's session": (
        "appconfigdata.StartConfigurationSession",
        lambda: source_of("appconfig:a/e/p", CLIENTS).read(),
        ConfigurationUnavailable,
    ),
    "secret": (
        "secrets-manager.GetSecretValue",
        lambda: read_credentials("api", lambda: CLIENTS.secretsmanager),
        CredentialsUnavailable,
    ),
    "get": ("s3.GetObject", lambda: store().get("x"), ReportStoreFailed),
    "lines": ("s3.GetObject", lambda: list(store().lines("x")), ReportStoreFailed),
    "head": ("s3.HeadObject", lambda: store().exists("x"), ReportStoreFailed),
    "put": ("s3.PutObject", lambda: store().put_new("y.json", b""), ReportStoreFailed),
    "put if unchanged": (
        "s3.PutObject",
        lambda: store().put_if_unchanged("x.json", b"", '"tag"'),
        ReportStoreFailed,
    ),
    "create": ("s3.CreateMultipartUpload", multipart, ReportStoreFailed),
    "part": ("s3.UploadPart", multipart, ReportStoreFailed),
    "complete": ("s3.CompleteMultipartUpload", multipart, ReportStoreFailed),
    "publish": ("sns.PublishBatch", notified, NotificationFailed),
}


def clients_of(client: Any) -> AwsClients:  # noqa: ANN401
    """AWS's clients, of which this one stands for two."""
    clients = AwsClients()
    clients.s3 = clients.appconfigdata = client
    return clients


# What an upload needs of an operation that succeeds.
SUCCESS = {"UploadId": "upload", "ETag": '"tag"'}
NOT_THERE = ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")


class Failing:
    """Clients whose operations raise before anything is sent; others succeed; nothing is there."""

    def __init__(self, errors: dict[str, Exception]) -> None:
        self._errors = {"s3.HeadObject": NOT_THERE} | errors
        self._clients: tuple[Any, ...] = (
            CLIENTS.s3,
            CLIENTS.sns,
            CLIENTS.ssm,
            CLIENTS.secretsmanager,
            CLIENTS.appconfigdata,
        )

    def _answer(self, event_name: str, **_: object) -> tuple[AWSResponse, dict[str, str]]:
        error = self._errors.get(event_name.removeprefix("before-call."))
        if error is not None:
            raise error
        return AWSResponse("", 200, HTTPHeaders(), None), SUCCESS

    def __enter__(self) -> None:
        for client in self._clients:
            client.meta.events.register("before-call", self._answer)

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.meta.events.unregister("before-call", self._answer)
        for error in self._errors.values():  # whose traceback holds megabytes of parts
            error.__traceback__ = error.__context__ = None


def outcome(step: Step) -> Exception | None:
    try:
        step()
    except Exception as error:  # noqa: BLE001  # the test says which it must be
        return error
    return None


def test_botocore_has_about_a_hundred_classes_of_errors() -> None:
    assert len(classes_of(botocore.exceptions)) > 90
    assert {HTTPClientError, ClientError} <= set(classes_of(botocore.exceptions))


@pytest.mark.parametrize(
    "step", [step if step in ("secret", "get", "part", "publish") else rest(step) for step in STEPS]
)
def test_every_error_of_a_request_becomes_the_right_one_of_ours(step: str) -> None:
    operation, do, expected = STEPS[step]
    wrong = {}

    for error in OF_REQUESTS:
        with Failing({operation: error}):
            raised = outcome(do)
        if type(raised) is not expected:
            wrong[type(error).__name__] = raised

    assert wrong == {}


def test_an_upload_that_cannot_be_aborted_either_says_what_failed_first() -> None:
    refused = ClientError({"Error": {"Code": "Refused", "Message": "words"}}, "UploadPart")
    wrong = {}

    for error in OF_REQUESTS:
        with Failing({"s3.UploadPart": refused, "s3.AbortMultipartUpload": error}):
            raised = outcome(multipart)
        if type(raised) is not ReportStoreFailed or "Refused: words" not in str(raised):
            wrong[type(error).__name__] = raised

    assert wrong == {}


# ── Bodies ────────────────────────────────────────────────────────────────────────────────────────


class Breaking(io.BytesIO):
    """A connection that gives some bytes, and then breaks."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self._error = error

    def read(self, amt: int | None = None, /) -> bytes:
        data = super().read(amt)
        if data and amt is not None:
            return data
        raise self._error


WHOLE = b"".join(b"line %d\n" % number for number in range(100_000))


class BreakingClient:
    """S3 or AppConfig, whose answers break off as often as told; it knows ranges."""

    def __init__(self, error: Exception, times: int) -> None:
        self._error = error
        self._left = times
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self.asked.append(request)
        first = int(request.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        return {"Body": self._body(WHOLE[first:]), "ETag": '"tag"'}

    def start_configuration_session(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        self.asked.append(request)
        return {"InitialConfigurationToken": f"token {len(self.asked)}"}

    def get_latest_configuration(self, ConfigurationToken: str) -> dict[str, Any]:  # noqa: N803
        assert ConfigurationToken == f"token {len(self.asked)}", "a token is good for once"
        return {"Configuration": self._body(WHOLE)}

    def _body(self, rest: bytes) -> StreamingBody:
        self._left -= 1
        if self._left < 0:
            return StreamingBody(io.BytesIO(rest), len(rest))
        return StreamingBody(Breaking(rest[:300_000], self._error), len(rest))


READERS: dict[str, tuple[Callable[[Any], bytes], type[AuditError]]] = {
    "configuration in S3": (
        lambda client: source_of("s3://b/k", clients_of(client)).read(),
        ConfigurationUnavailable,
    ),
    "configuration in AppConfig": (
        lambda client: source_of("appconfig:a/e/p", clients_of(client)).read(),
        ConfigurationUnavailable,
    ),
    "a report": (
        lambda client: S3Store("b", lambda: client).get("k").body,  # type: ignore[union-attr]
        ReportStoreFailed,
    ),
    "lines": (
        lambda client: b"".join(S3Store("b", lambda: client).lines("k")),
        ReportStoreFailed,
    ),
}


def name_of(error: object) -> str:
    return type(error).__name__


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("error", OF_BODIES, ids=name_of)
def test_a_body_that_breaks_off_is_read_again(reader: str, error: Exception) -> None:
    read, _ = READERS[reader]
    client = BreakingClient(error, times=BODY_ATTEMPTS - 1)

    assert read(client) == WHOLE
    assert len(client.asked) == BODY_ATTEMPTS


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("error", OF_BODIES, ids=name_of)
def test_a_body_that_always_breaks_off_is_the_right_error(reader: str, error: Exception) -> None:
    read, expected = READERS[reader]
    client = BreakingClient(error, times=BODY_ATTEMPTS)

    raised = outcome(lambda: read(client))

    assert type(raised) is expected
    assert len(client.asked) == BODY_ATTEMPTS


def test_lines_go_on_where_they_broke_off_in_the_same_version_of_the_object() -> None:
    client = BreakingClient(ConnectionResetError(), times=1)

    assert list(S3Store("b", lambda: client).lines("k")) == WHOLE.splitlines(keepends=True)  # type: ignore[arg-type,return-value]

    first, second = client.asked
    assert "Range" not in first
    assert (second["Range"].startswith("bytes="), second["IfMatch"]) == (True, '"tag"')
    assert second["Range"] != "bytes=0-"


# ── Messages ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.loopback
def test_a_session_token_that_no_header_can_hold_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As copied at a shell, with a line feed: http.client's own error quotes it."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}\nmore")
    clients = AwsClients()

    with scripted_server([Answer()]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        raised = outcome(lambda: source_of("ssm:/x", clients).read())

    assert type(raised) is ConfigurationUnavailable
    assert SECRET in repr(raised.__cause__), "the test needs an error that quotes it"
    assert SECRET not in str(raised)
    assert "ValueError" in str(raised)


@pytest.mark.parametrize(
    "error",
    [
        ResponseParserError(f"invalid XML received. Further retries may succeed:\n{SECRET}"),
        KeyError(SECRET),
        HTTPClientError(error=SECRET),
    ],
)
def test_an_answer_that_is_not_awss_is_not_quoted(error: Exception) -> None:
    with Failing({"secrets-manager.GetSecretValue": error}):
        raised = outcome(lambda: read_credentials("api", lambda: CLIENTS.secretsmanager))

    assert type(raised) is CredentialsUnavailable
    assert SECRET not in str(raised)
    assert type(error).__name__ in str(raised)


def test_what_aws_says_is_said_on_one_short_line() -> None:
    page = "<html>\n" + "blocked " * 1000
    refusal = ClientError({"Error": {"Code": "403", "Message": page}}, "GetParameter")

    with Failing({"ssm.GetParameter": refusal}):
        raised = outcome(lambda: source_of("ssm:/x", CLIENTS).read())

    assert "403: <html> blocked" in str(raised)
    assert "\n" not in str(raised)
    assert len(str(raised)) < 600
