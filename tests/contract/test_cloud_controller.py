"""What a run over one instance makes of answers, over real sockets."""

import contextlib
import gzip
import json
import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import msgspec
import pytest
import trustme

from backup_audit.errors import AuditError
from backup_audit.fleet.configuration import Instance
from backup_audit.fleet.policy import BUILT_IN, Policy
from backup_audit.judge.evidence import (
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
    UnreadableBackup,
)
from backup_audit.probe.attempt import Attempt
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX, THROTTLED_MAX
from backup_audit.probe.http import BODY_MAX, HttpClient
from backup_audit.probe.pacing import RETRY_AFTER_MAX, Deadline
from backup_audit.probe.schedule import Probed
from backup_audit.probe.session import USER_AGENT, new_session
from tests.doubles.builders import NOW
from tests.doubles.builders import evidence as taken_now
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import FixedToken
from tests.doubles.scripted_server import Answer, Raw, Seen, scripted_server
from tests.doubles.stubborn_server import listening

pytestmark = pytest.mark.loopback

FORTY_SECONDS = (("Retry-After", "40"),)
WITH_GRACE = msgspec.structs.replace(BUILT_IN, grace_seconds=24 * 3600)


class Client:
    """A CloudController, and an engine whose waits are recorded instead of waited."""

    def __init__(
        self,
        url: str,
        *,
        seconds_left: float = math.inf,
        ca: bytes | None = None,
        tokens: Sequence[str] = ("bearer one",),
        read_timeout: float = 20.0,
    ) -> None:
        self._time = FakeTime()
        self._session = new_session(ca)
        http = HttpClient(self._session, connect_timeout=20.0, read_timeout=read_timeout)
        self.api = CloudController(
            url, http, FixedToken(*tokens), clock=lambda: NOW, now=NOW.timestamp
        )
        self.engine = Engine(
            self._time.watched(self.api),
            Deadline.after(seconds_left, self._time.monotonic),
            workers=1,
            clock=lambda: NOW,
            monotonic=self._time.monotonic,
            wait=self._time.wait,
            jitter=lambda: 1.0,
        )

    @property
    def waits(self) -> list[float]:
        """Seconds that were waited."""
        return self._time.waits

    def evidence_of(self, guid: str = "a", policy: Policy = BUILT_IN) -> Evidence:
        """What a run over one instance knows of it in the end."""
        probed: list[Probed] = []
        with contextlib.suppress(AuditError):  # of a run in which nothing was answered
            probed.extend(self.engine.probe([Instance(guid, policy)]))
        [(_, evidence)] = probed
        return evidence

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(url: str, **more: object) -> Client:
        clients.append(Client(url, **more))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for made in clients:
        made.close()


Make = Callable[..., Client]


def evidence_of(make: Make, *answers: Answer | Raw) -> Evidence:
    with scripted_server(answers) as server:
        return make(server.url).evidence_of()


def error(code: object, title: object, detail: object = "words") -> bytes:
    return json.dumps({"errors": [{"code": code, "title": title, "detail": detail}]}).encode()


def test_a_list_is_read_with_how_it_was_got(client: Make) -> None:
    body = b'{"backups": [{"id": "x", "created_at": 1769835600}, {"id": "y"}, null]}'

    evidence = evidence_of(client, Answer(200, body, (("X-VCAP-Request-ID", "r-1"),)))

    assert evidence.answer == BackupList(
        (
            Backup(datetime(2026, 1, 31, 5, 0, tzinfo=UTC)),
            UnreadableBackup("created_at is missing"),
            UnreadableBackup("the entry is null, not an object"),
        )
    )
    assert (evidence.status, evidence.request_id, evidence.attempts) == (200, "r-1", 1)
    assert evidence.observed_at == NOW
    assert evidence.milliseconds >= 0


def test_the_request_is_what_the_api_expects(client: Make) -> None:
    with scripted_server([Answer()]) as server:
        client(server.url).evidence_of("..a~b-C_1")

    [seen] = server.seen
    assert seen.line == "GET /v3/service_instances/..a~b-C_1/backups HTTP/1.1"
    assert seen.headers["authorization"] == "bearer one"
    assert seen.headers["user-agent"] == USER_AGENT
    assert seen.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("min_backups", "query", "limit"),
    [
        (1, "", None),
        (2, "?limit=1000", 1000),
        (1000, "?limit=1000", 1000),
        (1001, "?limit=1001", 1001),
    ],
)
def test_a_limit_is_sent_where_the_apis_default_may_be_too_few(
    client: Make, min_backups: int, query: str, limit: int | None
) -> None:
    policy = msgspec.structs.replace(BUILT_IN, min_backups=min_backups)

    with scripted_server([Answer()]) as server:
        evidence = client(server.url).evidence_of("a", policy)

    assert server.seen[0].path == f"/v3/service_instances/a/backups{query}"
    assert evidence.answer == BackupList((), limit=limit)


@pytest.mark.parametrize(
    ("beside", "more"),
    [
        ('"pagination": {"total_results": 12, "next": {"href": "/x?page=2"}}', "a next page"),
        ('"pagination": {"next": {"href": "/x?page=2"}}', "there is a next page"),
        ('"pagination": {"next": "/x?page=2"}', "there is a next page"),
        ('"pagination": {"total_results": 3}', "total_results is 3, and 2 are listed"),
        ('"pagination": {"total_pages": 2}', "total_pages is 2"),
        ('"total_results": 3', "total_results is 3, and 2 are listed"),
        ('"total_results": 3.5', "total_results is 3.5, and 2 are listed"),
        ('"total_results": "12"', 'total_results is "12", and 2 are listed'),
        ('"next": "/x"', "there is a next page"),
        ('"next_url": "/v2/x?page=2"', "there is a next page"),
        ('"pagination": ["page 2"]', "its pagination cannot be read"),
        ('"pagination": "\u202e%s"' % ("x" * 500), "its pagination cannot be read"),
        ('"pagination": null', None),
        ('"pagination": {}', None),
        ('"pagination": {"total_results": 2, "total_pages": 1, "next": null}', None),
        ('"pagination": {"total_results": 1, "next": {"href": null}}', None),
        ('"total_results": null, "next": null, "next_url": ""', None),
        ('"links": {"next": 1}, "page": 1', None),
    ],
)
def test_an_answer_that_says_that_there_is_more_is_kept_as_such(
    client: Make, beside: str, more: str | None
) -> None:
    entries = '"backups": [{"created_at": 1769749200}, {"created_at": 1769749201}]'

    evidence = evidence_of(client, Answer(200, f"{{{beside}, {entries}}}".encode()))

    assert isinstance(evidence.answer, BackupList)
    assert len(evidence.answer.backups) == 2
    assert evidence.answer.more == more or (more and more in (evidence.answer.more or ""))


def test_an_empty_list_that_goes_on_needs_no_age(client: Make) -> None:
    body = b'{"pagination": {"total_results": 12}, "backups": []}'

    with scripted_server([Answer(200, body)]) as server:
        evidence = client(server.url).evidence_of("a", WITH_GRACE)

    assert len(server.seen) == 1
    assert evidence.answer == BackupList((), more="total_results is 12, and 0 are listed")


REFUSALS = [
    Answer(401, error(10002, "CF-NotAuthenticated")),
    Answer(403, error(10003, "CF-NotAuthorized")),
    Answer(404, error(10010, "CF-ResourceNotFound")),
    Answer(404, error(10000, "CF-NotFound")),
    Answer(409, error(60016, "CF-AsyncServiceInstanceOperationInProgress")),
    Answer(422, error(10008, "CF-UnprocessableEntity")),
    Answer(429, error(10013, "CF-RateLimitExceeded"), (("Content-Type", "text/plain"),)),
    Answer(500, error(10001, "UnknownError")),
    Answer(502, error(10001, "CF-ServiceBrokerBadResponse")),
    Answer(503, error(10015, "CF-ServiceUnavailable")),
    Answer(504, error(10001, "CF-HttpClientTimeout")),
]


@pytest.mark.parametrize("answer", REFUSALS, ids=lambda answer: str(answer.status))
def test_a_cloud_foundry_error_is_read_whatever_its_content_type(
    client: Make, answer: Answer
) -> None:
    evidence = evidence_of(client, answer)

    assert evidence.status == answer.status
    assert isinstance(evidence.answer, Refusal)
    assert evidence.answer.code is not None
    assert evidence.answer.detail == "words"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"API down for maintenance",
        b"<html>502</html>",
        b"[]",
        b"{}",
        b'{"errors": null}',
        b'{"errors": []}',
        b'{"errors": ["x"]}',
        b'{"errors": {"code": 10010}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_body_without_a_cloud_foundry_error_is_none(client: Make, body: bytes) -> None:
    evidence = evidence_of(client, Answer(404, body))

    assert evidence.answer == Refusal()
    assert evidence.status == 404


@pytest.mark.parametrize("code", [2**63 - 1, 1 - 2**63, 0])
def test_a_code_is_one_that_a_column_of_a_table_can_hold(client: Make, code: int) -> None:
    evidence = evidence_of(client, Answer(404, error(code, "CF-Other")))

    assert isinstance(evidence.answer, Refusal)
    assert evidence.answer.code == code


@pytest.mark.parametrize("code", ["10010", 10010.0, True, None, [10010], 2**63, -(2**63)])
def test_a_code_of_another_type_is_no_code(client: Make, code: object) -> None:
    evidence = evidence_of(client, Answer(404, error(code, 7, 7)))

    assert evidence.answer == Refusal()


def test_an_answer_of_the_router_is_not_one_of_the_cloud_controller(client: Make) -> None:
    evidence = evidence_of(
        client, Answer(404, error(10010, "x"), (("X-Cf-RouterError", "unknown_route"),))
    )

    assert evidence.answer == Refusal(detail="the router says unknown_route")


def test_texts_of_the_server_are_cut_and_kept_on_one_line(client: Make) -> None:
    evidence = evidence_of(client, Answer(422, error(10008, "a\r\n   b\u202e", "x" * 5000)))

    assert isinstance(evidence.answer, Refusal)
    assert evidence.answer.title == "a b"
    assert evidence.answer.detail
    assert len(evidence.answer.detail) == 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"backups": null}',
        b'{"backups": {}}',
        b'{"backups": "none"}',
        b'{"backups": [{"created_at": 17',
        b'{"backups": []} x',
        b'{"backups": [NaN]}',
        b"\xef\xbb\xbf\xff",
        b"<html>",
        b'{"backups": ' + b"[" * 100_000,
        b'{"errors": [{"code": 10010}]}',
    ],
)
def test_a_200_without_a_list_proves_nothing(client: Make, body: bytes) -> None:
    evidence = evidence_of(client, Answer(200, body))

    assert isinstance(evidence.answer, Silence)
    assert evidence.answer.cause is Cause.UNREADABLE
    assert evidence.status == 200


@pytest.mark.parametrize(("extra", "cause"), [(-1, Cause.UNREADABLE), (1, Cause.TOO_LARGE)])
def test_an_answer_is_read_up_to_its_cap(client: Make, extra: int, cause: Cause) -> None:
    evidence = evidence_of(client, Answer(200, b" " * (BODY_MAX + extra)))

    assert isinstance(evidence.answer, Silence)
    assert evidence.answer.cause is cause
    assert evidence.attempts == 1


def test_a_packed_answer_is_unpacked(client: Make) -> None:
    packed = Answer(200, gzip.compress(b'{"backups": []}'), (("Content-Encoding", "gzip"),))

    assert evidence_of(client, packed).answer == BackupList(())


def test_a_packed_answer_is_capped_by_what_it_unpacks_to(client: Make) -> None:
    bomb = Answer(200, gzip.compress(b" " * 50_000_000), (("Content-Encoding", "gzip"),))

    evidence = evidence_of(client, bomb)

    assert isinstance(evidence.answer, Silence)
    assert evidence.answer.cause is Cause.TOO_LARGE


def test_an_answer_that_cannot_be_unpacked_is_unreadable(client: Make) -> None:
    evidence = evidence_of(client, Answer(200, b"not gzip", (("Content-Encoding", "gzip"),)))

    assert evidence.answer == Silence(Cause.UNREADABLE, "the answer could not be unpacked")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (Raw(b""), "the connection was closed without an answer"),
        (Raw(b"", reset=True), "the connection was closed without an answer"),
        (Raw(b"nonsense\r\n\r\n"), "the answer is not HTTP"),
        (
            Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
            "the connection broke within the answer",
        ),
        (
            Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "the connection broke within the answer",
        ),
    ],
)
def test_a_broken_connection_is_tried_again_and_then_evidence(
    client: Make, raw: Raw, detail: str
) -> None:
    evidence = evidence_of(client, raw)

    assert evidence.answer == Silence(Cause.CONNECTION, detail)
    assert evidence.attempts == ATTEMPTS_MAX
    assert evidence.status is None


def test_nobody_listening_is_evidence(client: Make) -> None:
    with scripted_server([Answer()]) as server:
        url = server.url

    evidence = client(url).evidence_of()

    assert evidence.answer == Silence(Cause.CONNECTION, "no connection: refused or unreachable")


def test_a_silent_server_is_waited_for_as_long_as_the_read_time_out(client: Make) -> None:
    over = threading.Event()

    def stalls(_: object) -> Answer:
        over.wait(timeout=10)
        return Answer()

    with scripted_server(stalls) as server:
        evidence = client(server.url, read_timeout=0.01).evidence_of()
        over.set()

    assert evidence.answer == Silence(Cause.TIMEOUT, "no whole answer in time")
    assert evidence.attempts == SILENT_MAX


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(client: Make, status: int) -> None:
    evidence = evidence_of(client, Answer(status), Raw(b""), Answer(200))

    assert evidence.answer == BackupList(())
    assert evidence.attempts == 3


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422, 500, 501, 599, 999])
def test_what_does_not_pass_is_asked_once(client: Make, status: int) -> None:
    evidence = evidence_of(client, Answer(status))

    assert (evidence.status, evidence.attempts) == (status, 1)


@pytest.mark.parametrize(
    ("status", "most", "waits"),
    [
        (502, ATTEMPTS_MAX, [0.25, 0.5, 1.0, 2.0]),
        (503, ATTEMPTS_MAX, [0.25, 0.5, 1.0, 2.0]),
        (429, THROTTLED_MAX, [0.25, 0.5, 1.0, 2.0, 4.0, *[8.0] * 6]),
    ],
)
def test_attempts_are_bounded_and_counted_for_the_run(
    client: Make, status: int, most: int, waits: list[float]
) -> None:
    with scripted_server([Answer(status)]) as server:
        made = client(server.url)
        evidence = made.evidence_of()

    assert evidence.status == status
    assert evidence.attempts == len(server.seen) == most
    assert (made.engine.calls, made.engine.retries) == (most, most - 1)
    assert made.waits == pytest.approx(waits, abs=0.2)


def test_a_gateway_whose_broker_was_silent_is_asked_again_once_and_at_the_end(client: Make) -> None:
    with scripted_server([Answer(504, error(10001, "CF-HttpClientTimeout"))]) as server:
        made = client(server.url)
        evidence = made.evidence_of()

    assert (evidence.status, evidence.attempts, made.waits) == (504, SILENT_MAX, [])


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        ("7", 7.0),
        (str(int(NOW.timestamp()) + 9), 9.0),
        ("Sat, 31 Jan 2026 05:00:11 GMT", 11.0),
        ("3600", RETRY_AFTER_MAX),
        ("3601", 0.25),
        ("-5", 0.25),
        ("soon", 0.25),
        ("", 0.25),
    ],
)
def test_retry_after_is_honoured_in_all_its_forms_and_bounded(
    client: Make, retry_after: str, wait: float
) -> None:
    with scripted_server([Answer(429, b"", (("Retry-After", retry_after),)), Answer()]) as server:
        made = client(server.url)
        made.evidence_of()

    assert made.waits == pytest.approx([wait], abs=1)


@pytest.mark.parametrize(("seconds_left", "attempts"), [(20.0, 1), (40.0, 1), (60.0, 2)])
def test_nothing_is_waited_for_past_the_deadline(
    client: Make, seconds_left: float, attempts: int
) -> None:
    with scripted_server([Answer(429, b"", FORTY_SECONDS)]) as server:
        made = client(server.url, seconds_left=seconds_left)
        evidence = made.evidence_of()

    assert (evidence.status, evidence.attempts) == (429, attempts)
    assert made.waits == pytest.approx([40.0] * (attempts - 1), abs=1)


def test_nothing_is_asked_after_the_deadline(client: Make) -> None:
    with scripted_server([Answer()]) as server:
        evidence = client(server.url, seconds_left=0.0).evidence_of()

    assert evidence.answer == Silence(Cause.NOT_REACHED, "the run's time was over")
    assert evidence.attempts == 0
    assert server.seen == []


def _escaped(text: str) -> str:
    """JSON's other ways to write slashes and whatever else, at every second place."""
    return "".join(
        f"\\u{ord(char):04X}" if index % 2 else char.replace("/", "\\/")
        for index, char in enumerate(text)
    )


@pytest.mark.parametrize("encode", [str, _escaped, quote, quote_plus])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, '{"errors": [{"title": "TOKEN", "detail": "\\\\ \\n TOKEN"}]}'),
        (200, '{"backups": [{"created_at": "TOKEN"}]}'),
        (200, '{"backups": ["TOKEN"]}'),
    ],
)
@pytest.mark.parametrize("repeated", [0, 1])
def test_an_answer_that_repeats_our_token_is_not_read_however_it_is_written(
    client: Make, status: int, body: str, encode: Callable[[str], str], repeated: int
) -> None:
    tokens = ["Basic canary+one/012345==", "bearer canary+two/012345=="]
    secret = encode(tokens[repeated].split()[1])
    refused, repeats = Answer(401), Answer(status, body.replace("TOKEN", secret).encode())

    with scripted_server([refused, repeats]) as server:
        evidence = client(server.url, tokens=tokens).evidence_of()

    assert evidence.answer == Silence(Cause.UNREADABLE, "the answer repeats our token")
    assert evidence.attempts == 2
    assert "canary" not in str(msgspec.to_builtins(evidence))


def test_a_401_that_repeats_our_token_is_a_refusal_like_any_other(client: Make) -> None:
    secret = "canary+one/012345=="
    with scripted_server([Answer(401, secret.encode()), Answer()]) as server:
        renewed = client(server.url, tokens=[f"bearer {secret}", "bearer two"]).evidence_of()
    with scripted_server([Answer(401, secret.encode())]) as server:
        refused = client(server.url, tokens=[f"bearer {secret}"]).evidence_of()

    assert (renewed.answer, renewed.attempts) == (BackupList(()), 2)
    assert (refused.status, refused.attempts) == (401, 1)


@pytest.mark.parametrize(
    ("status", "attempts"), [(429, THROTTLED_MAX), (503, ATTEMPTS_MAX), (500, 1)]
)
def test_what_may_pass_is_tried_again_though_it_repeats_our_token(
    client: Make, status: int, attempts: int
) -> None:
    secret = "canary+one/012345=="
    with scripted_server([Answer(status, secret.encode())]) as server:
        evidence = client(server.url, tokens=[f"bearer {secret}"]).evidence_of()

    assert (evidence.status, evidence.attempts) == (status, attempts)
    assert evidence.answer == Silence(Cause.UNREADABLE, "the answer repeats our token")


@pytest.mark.parametrize("header", ["X-VCAP-Request-ID", "X-Cf-RouterError"])
@pytest.mark.parametrize("encode", [str, quote, quote_plus])
def test_an_answer_whose_headers_repeat_our_token_is_not_read(
    client: Make, header: str, encode: Callable[[str], str]
) -> None:
    headers = ((header, encode("canary+one/012345==")),)

    with scripted_server([Answer(200, b'{"backups": []}', headers)]) as server:
        evidence = client(server.url, tokens=["bearer canary+one/012345=="]).evidence_of()

    assert evidence.answer == Silence(Cause.UNREADABLE, "the answer repeats our token")
    assert evidence.request_id is None


def test_a_redirect_is_not_followed(client: Make) -> None:
    with scripted_server([Answer()]) as elsewhere:
        evidence = evidence_of(client, Answer(302, b"", (("Location", elsewhere.url),)))

    assert evidence.status == 302
    assert elsewhere.seen == []


def test_a_refused_token_is_renewed_once(client: Make) -> None:
    answers = [Answer(401, error(1000, "CF-InvalidAuthToken")), Answer()]

    with scripted_server(answers) as server:
        evidence = client(server.url, tokens=["bearer one", "bearer two"]).evidence_of()

    assert evidence.answer == BackupList(())
    assert evidence.attempts == 2
    assert [seen.headers["authorization"] for seen in server.seen] == ["bearer one", "bearer two"]


def test_a_second_refusal_is_final(client: Make) -> None:
    with scripted_server([Answer(401)]) as server:
        evidence = client(server.url, tokens=["a", "b", "c"]).evidence_of()

    assert evidence.status == 401
    assert len(server.seen) == 2


def test_silence_after_a_renewal_counts_all_attempts(client: Make) -> None:
    with scripted_server([Answer(401), Raw(b"")]) as server:
        evidence = client(server.url, tokens=["a", "b"]).evidence_of()

    assert isinstance(evidence.answer, Silence)
    assert evidence.attempts == 1 + ATTEMPTS_MAX == len(server.seen)


def test_what_the_machine_has_set_for_other_programs_is_not_used(
    client: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    with scripted_server([Answer()]) as server:
        evidence = client(server.url).evidence_of()

    assert evidence.answer == BackupList(())
    assert server.seen[0].headers["authorization"] == "bearer one"


EMPTY = taken_now(BackupList(()))


def age_of(make: Make, *answers: Answer | Raw) -> Attempt:
    with scripted_server(answers) as server:
        return make(server.url).api.add_age("a", EMPTY)


def test_the_age_of_an_instance_is_read(client: Make) -> None:
    body = b'{"guid": "a", "created_at": "2026-01-30T05:00:00Z"}'

    with scripted_server([Answer(200, body)]) as server:
        attempt = client(server.url).api.add_age("a", EMPTY)

    assert attempt.evidence.answer == BackupList((), NOW - timedelta(days=1))
    assert server.seen[0].path == "/v3/service_instances/a"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"{}"),
        Answer(200, b"nonsense"),
        Answer(200, b'{"created_at": "2026-01-30T05:00:00"}'),
        Answer(200, b'{"created_at": 1769749200}'),
        Answer(404, error(10010, "CF-ResourceNotFound")),
    ],
)
def test_an_age_that_cannot_be_read_is_none(client: Make, answer: Answer) -> None:
    assert age_of(client, answer).evidence.answer == BackupList(())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(429), "HTTP 429"),
        (Answer(500), "HTTP 500"),
        (Raw(b""), "the connection was closed without an answer"),
    ],
)
def test_an_age_that_may_be_known_later_is_said_to_be_missing(
    client: Make, answer: Answer | Raw, why: str
) -> None:
    assert age_of(client, answer).evidence.answer == BackupList((), age_missing=why)


@pytest.mark.parametrize(
    ("policy", "body", "paths"),
    [
        (WITH_GRACE, b'{"backups": []}', ["/backups", ""]),
        (WITH_GRACE, b'{"backups": [null]}', ["/backups"]),
        (BUILT_IN, b'{"backups": []}', ["/backups"]),
    ],
)
def test_the_age_is_asked_for_only_if_it_may_excuse_an_empty_list(
    client: Make, policy: Policy, body: bytes, paths: list[str]
) -> None:
    age = Answer(200, b'{"created_at": "2026-01-30T05:00:00Z"}')

    with scripted_server([Answer(200, body), age]) as server:
        evidence = client(server.url).evidence_of("a", policy)

    assert [seen.path for seen in server.seen] == [f"/v3/service_instances/a{end}" for end in paths]
    assert isinstance(evidence.answer, BackupList)
    assert (evidence.answer.instance_created_at is not None) is (len(paths) == 2)
    assert evidence.attempts == 1


def test_an_age_that_may_be_known_later_is_asked_for_again(client: Make) -> None:
    def busy_at_first(seen: Seen) -> Answer:
        if seen.path.endswith("/backups"):
            return Answer()
        young = Answer(200, b'{"created_at": "2026-01-30T05:00:00Z"}')
        return Answer(503) if len(server.seen) < 4 else young

    with scripted_server(busy_at_first) as server:
        evidence = client(server.url).evidence_of("a", WITH_GRACE)

    assert evidence.answer == BackupList((), NOW - timedelta(days=1))
    assert [seen.path.count("/backups") for seen in server.seen] == [1, 0, 0, 0]


AUTHORITY = trustme.CA()


def tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def over_tls(make: Make, certificate: trustme.LeafCert, trusted: trustme.CA) -> Evidence:
    with scripted_server([Answer()], tls(certificate)) as server:
        return make(server.url, ca=trusted.cert_pem.bytes()).evidence_of()


def test_a_private_ca_is_trusted_if_it_is_set(client: Make) -> None:
    evidence = over_tls(client, AUTHORITY.issue_cert("127.0.0.1"), AUTHORITY)

    assert evidence.answer == BackupList(())


@pytest.mark.parametrize(
    ("certificate", "trusted", "reason"),
    [
        (AUTHORITY.issue_cert("127.0.0.1"), trustme.CA(), "certificate"),
        (AUTHORITY.issue_cert("other.example.com"), AUTHORITY, "IP address mismatch"),
        (
            AUTHORITY.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
            AUTHORITY,
            "certificate has expired",
        ),
    ],
    ids=["another CA", "another name", "expired"],
)
def test_a_certificate_that_proves_nothing_is_refused_and_not_asked_again(
    client: Make, certificate: trustme.LeafCert, trusted: trustme.CA, reason: str
) -> None:
    evidence = over_tls(client, certificate, trusted)

    assert isinstance(evidence.answer, Silence)
    assert reason in evidence.answer.detail
    assert evidence.attempts == 1


def test_the_public_cas_do_not_vouch_for_a_private_one(client: Make) -> None:
    with scripted_server([Answer()], tls(AUTHORITY.issue_cert("127.0.0.1"))) as server:
        evidence = client(server.url).evidence_of()

    assert isinstance(evidence.answer, Silence)
    assert "TLS failed" in evidence.answer.detail


def test_a_server_that_closes_in_the_handshake_is_asked_again(client: Make) -> None:
    def closes(connection: socket.socket) -> None:
        connection.recv(65536)

    with listening(closes) as server:
        evidence = client(f"https://127.0.0.1:{server.port}").evidence_of()

    closed = "the connection was closed in the handshake"
    assert evidence.answer == Silence(Cause.CONNECTION, closed)
    assert evidence.attempts == ATTEMPTS_MAX
