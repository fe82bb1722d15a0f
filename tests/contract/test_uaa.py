"""Tokens for client credentials, over real sockets."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
import trustme

from backup_audit.errors import ApiUnreachable, CredentialsRefused
from backup_audit.fleet.inventory import Sees
from backup_audit.probe.authorization import (
    ClientCredentials,
    ClientCredentialsGrant,
    ReadyHeader,
    Secret,
)
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_TOKENS_MAX
from backup_audit.probe.http import HttpClient
from tests.doubles.fake_time import FakeTime
from tests.doubles.http_client import at, client
from tests.doubles.scripted_server import Answer, Raw, ScriptedServer, Seen, scripted_server
from tests.doubles.stubborn_server import keeps_alive, listening, refuses_to_proxy

pytestmark = pytest.mark.loopback

CREDENTIALS = ClientCredentials("audit", Secret("canary secret&=ä"))


def root(url: str, *links: str) -> Answer:
    return Answer(200, json.dumps({"links": {link: {"href": url} for link in links}}).encode())


def token(value: str, **more: object) -> Answer:
    document = {"access_token": value, "token_type": "bearer", "expires_in": 1200} | more
    return Answer(200, json.dumps(document).encode())


class Foundation:
    """A server whose root links to itself, and whose tokens are numbered unless told otherwise."""

    def __init__(self) -> None:
        self.links: tuple[str, ...] = ("uaa", "login")
        self.grant: Callable[[int], Answer | Raw] = lambda number: token(f"t{number}")
        self.server: ScriptedServer
        self.uaa_url: str | None = None
        self.instead: dict[str, Answer] = {}
        self.clock = 0.0
        self.waits: list[float] = []  # seconds, before UAA was asked again

    def __call__(self, seen: Seen) -> Answer | Raw:
        if seen.path in self.instead:
            return self.instead[seen.path]
        if seen.path == "/":
            return root(self.uaa_url or self.server.url, *self.links)
        return self.grant(len(self.grants))

    @property
    def grants(self) -> list[Seen]:
        """The requests for a token."""
        return [seen for seen in self.server.seen if seen.path == "/oauth/token"]


@pytest.fixture
def foundation() -> Iterator[Foundation]:
    made = Foundation()
    with scripted_server(made) as server:
        made.server = server
        yield made


@pytest.fixture
def grant(foundation: Foundation) -> Iterator[ClientCredentialsGrant]:
    with client() as http:
        yield ClientCredentialsGrant(
            foundation.server.url,
            http,
            CREDENTIALS,
            monotonic=lambda: foundation.clock,
            sleep=foundation.waits.append,
        )


def header_from(url: str, http: HttpClient) -> str:
    """A token from an address, whatever is there."""
    return ClientCredentialsGrant(url, http, CREDENTIALS, sleep=FakeTime().sleep).header()


def test_a_token_is_asked_for_with_the_credentials_in_the_form(
    foundation: Foundation, grant: ClientCredentialsGrant
) -> None:
    assert grant.header() == "bearer t1"

    [asked] = foundation.grants
    assert asked.line.startswith("POST ")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["audit"],
        "client_secret": ["canary secret&=ä"],
    }
    assert "authorization" not in foundation.server.seen[0].headers


@pytest.mark.parametrize("links", [("uaa",), ("login",), ("login", "uaa")])
def test_uaa_is_found_through_the_root(
    foundation: Foundation, grant: ClientCredentialsGrant, links: tuple[str, ...]
) -> None:
    foundation.links = links

    assert grant.header() == "bearer t1"


@pytest.mark.parametrize(
    "url",
    [
        "http://uaa.example.com/canary",
        "ftp://127.0.0.1/canary",
        "canary",
        "https://canary@uaa.example.com",
        "https://uaa.example.com:canary",
        "https://uaa.example.com:65536",
        "https://*/canary",
        "https://uaa.example.com\r\nHost: canary",
        "https://uaa.example.com/\u202ecanary",
    ],
)
def test_the_secret_is_sent_to_no_link_that_is_not_safe(
    foundation: Foundation, grant: ClientCredentialsGrant, url: str
) -> None:
    foundation.uaa_url = url

    with pytest.raises(ApiUnreachable, match="the API's link to UAA") as raised:
        grant.header()

    assert foundation.grants == []
    assert "canary" not in str(raised.value), "an API that knows our token could say it there"


@pytest.mark.parametrize("path", ["/", "/oauth/token"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_carries_the_secret_elsewhere(
    foundation: Foundation, grant: ClientCredentialsGrant, path: str, status: int
) -> None:
    with scripted_server([token("t1")]) as elsewhere:
        redirect = Answer(status, b"", (("Location", f"{elsewhere.url}/oauth/token"),))
        foundation.instead = {path: redirect}

        with pytest.raises(ApiUnreachable, match=f"answered HTTP {status}"):
            grant.header()

    assert elsewhere.seen == []


def test_a_root_without_uaa_is_said(foundation: Foundation, grant: ClientCredentialsGrant) -> None:
    foundation.links = ("self",)

    with pytest.raises(ApiUnreachable, match="links neither uaa nor login"):
        grant.header()


@pytest.mark.parametrize(
    "answer", [Answer(404), Answer(200, b"<html>"), Answer(200, b'{"links": []}'), Raw(b"")]
)
def test_something_that_is_not_the_api_is_said(answer: Answer | Raw) -> None:
    with scripted_server([answer]) as server, client() as http, pytest.raises(ApiUnreachable):
        header_from(server.url, http)


def test_a_proxy_that_refuses_is_said() -> None:
    with (
        listening(refuses_to_proxy) as proxy,
        client(proxy=proxy.port) as http,
        pytest.raises(
            ApiUnreachable,
            match=r"GET https://api\.invalid/ gave no answer: the proxy refuses: HTTP 407",
        ),
    ):
        header_from("https://api.invalid", http)


@pytest.mark.parametrize("ca", [None, trustme.CA().cert_pem.bytes()], ids=["public", "another"])
def test_a_certificate_that_is_not_trusted_leads_to_the_setting(ca: bytes | None) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)

    with (
        listening(keeps_alive, tls) as server,
        client(ca=ca) as http,
        pytest.raises(ApiUnreachable) as raised,
    ):
        header_from(at(server.port, "https").rstrip("/"), http)

    assert str(raised.value).endswith(
        "; CA_BUNDLE (parameter CaBundleUri) names the certificates of a private CA"
    )


def test_a_certificate_for_another_host_is_no_question_of_its_ca() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example.com").configure_cert(tls)

    with (
        listening(keeps_alive, tls) as server,
        client(ca=authority.cert_pem.bytes()) as http,
        pytest.raises(ApiUnreachable, match="certificate verify failed") as raised,
    ):
        header_from(at(server.port, "https").rstrip("/"), http)

    assert "CA_BUNDLE" not in str(raised.value)


@pytest.mark.parametrize(("seconds", "tokens"), [(1139, 1), (1140, 2), (1141, 2)])
def test_a_token_is_renewed_a_minute_before_its_end(
    foundation: Foundation, grant: ClientCredentialsGrant, seconds: int, tokens: int
) -> None:
    grant.header()
    foundation.clock = seconds

    assert grant.header() == f"bearer t{tokens}"
    assert len(foundation.grants) == tokens


@pytest.mark.parametrize(
    ("expires_in", "seconds", "tokens"), [(60, 29, 1), (60, 30, 2), (0, 539, 1), (0, 540, 2)]
)
def test_a_short_token_is_used_for_half_its_life_and_an_unknown_one_for_nine_minutes(
    foundation: Foundation,
    grant: ClientCredentialsGrant,
    expires_in: int,
    seconds: int,
    tokens: int,
) -> None:
    foundation.grant = lambda number: token(f"t{number}", expires_in=expires_in)
    grant.header()
    foundation.clock = seconds

    assert grant.header() == f"bearer t{tokens}"


def test_workers_that_see_one_refusal_fetch_one_token(
    foundation: Foundation, grant: ClientCredentialsGrant
) -> None:
    refused = grant.header()
    together = threading.Barrier(8)

    def renewed(_: int) -> str | None:
        together.wait()
        return grant.renewed(refused)

    with ThreadPoolExecutor(8) as pool:
        others = list(pool.map(renewed, range(8)))

    assert others == ["bearer t2"] * 8
    assert len(foundation.grants) == 2


def test_refusals_are_answered_with_three_new_tokens_and_no_more(
    foundation: Foundation, grant: ClientCredentialsGrant
) -> None:
    refused: str | None = grant.header()
    fetched: list[str | None] = []
    while refused and len(fetched) < 10:
        refused = grant.renewed(refused)
        fetched.append(refused)

    assert fetched == ["bearer t2", "bearer t3", "bearer t4", None]
    assert len(foundation.grants) == 4


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_by_uaa_is_final_and_says_nothing_secret(
    foundation: Foundation, grant: ClientCredentialsGrant, status: int
) -> None:
    foundation.grant = lambda _: Answer(status, b'{"error_description": "Bad credentials"}')

    with pytest.raises(CredentialsRefused, match=f"client 'audit' .HTTP {status}.") as raised:
        grant.header()

    assert "canary" not in str(raised.value)
    assert len(foundation.grants) == 1


@pytest.mark.parametrize(
    ("client_id", "secret", "hint"),
    [
        ("audit", "canary", ""),
        ("audit", "can ary", ""),
        ("audit", "canary\n", "; client_secret ends in a line feed: is that meant?"),
        ("audit", "canary\r\n", "; client_secret ends in a line feed: is that meant?"),
        ("audit", "canary\t", "; client_secret ends in white space: is that meant?"),
        ("audit", " canary", "; client_secret begins with white space: is that meant?"),
        ("audit", "", "; client_secret is empty: is that meant?"),
        (
            "audit ",
            "canary ",
            "; client_id ends in white space and client_secret ends in white space: is that meant?",
        ),
    ],
)
def test_a_refusal_hints_at_white_space_which_was_sent_as_it_is(
    foundation: Foundation, client_id: str, secret: str, hint: str
) -> None:
    foundation.grant = lambda _: Answer(401)
    credentials = ClientCredentials(client_id, Secret(secret))

    with client() as http, pytest.raises(CredentialsRefused) as raised:
        ClientCredentialsGrant(foundation.server.url, http, credentials).header()

    assert str(raised.value).endswith(f"and the client's grant type{hint}")
    assert "can" not in str(raised.value)
    sent = parse_qs(foundation.grants[0].body.decode(), keep_blank_values=True)
    assert (sent["client_id"], sent["client_secret"]) == ([client_id], [secret])


@pytest.mark.parametrize("answer", [Answer(503), Raw(b"")])
def test_a_uaa_that_is_down_is_tried_again_once_for_all_workers(
    foundation: Foundation, grant: ClientCredentialsGrant, answer: Answer | Raw
) -> None:
    foundation.grant = lambda _: answer

    for _ in range(3):
        with pytest.raises(ApiUnreachable, match="UAA"):
            grant.header()

    assert len(foundation.grants) == ATTEMPTS_MAX
    assert foundation.waits == [0.25, 0.5, 1.0, 2.0]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [("7", 7.0), ("29", 29.0), ("30", 30.0), ("31", 0.25), ("soon", 0.25)],
)
def test_a_uaa_that_asks_for_a_short_wait_gets_it(
    foundation: Foundation,
    grant: ClientCredentialsGrant,
    status: int,
    retry_after: str,
    wait: float,
) -> None:
    busy = Answer(status, b"", (("Retry-After", retry_after),))
    foundation.grant = lambda number: token("t1") if number > 1 else busy

    assert grant.header() == "bearer t1"
    assert foundation.waits == [wait]


def test_a_uaa_that_is_silent_is_asked_twice(foundation: Foundation) -> None:
    over = threading.Event()

    def stalls(_: int) -> Answer:
        over.wait(timeout=30)
        return Answer()

    foundation.grant = stalls
    with client(read_timeout=0.1) as http:
        with pytest.raises(ApiUnreachable) as raised:
            header_from(foundation.server.url, http)
        over.set()
    foundation.server.wait_for(1 + SILENT_TOKENS_MAX)

    assert str(raised.value) == (
        f"UAA, to which GET {foundation.server.url}/ links, gave no answer: no whole answer in time"
    )
    assert len(foundation.grants) == SILENT_TOKENS_MAX


def test_while_one_worker_renews_a_token_ahead_of_its_end_the_others_go_on_with_it(
    foundation: Foundation, grant: ClientCredentialsGrant
) -> None:
    asked, over = threading.Event(), threading.Event()

    def slow_from_the_second(number: int) -> Answer:
        if number > 1:
            asked.set()
            over.wait(timeout=30)
        return token(f"t{number}")

    foundation.grant = slow_from_the_second
    grant.header()
    foundation.clock = 1150

    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(grant.header)
        asked.wait(timeout=30)
        assert [grant.header() for _ in range(3)] == ["bearer t1"] * 3
        over.set()
        assert renewing.result() == "bearer t2"
    assert grant.header() == "bearer t2"


@pytest.mark.parametrize(
    ("seconds", "grants"), [(1149, 1 + ATTEMPTS_MAX), (1150, 1 + 2 * ATTEMPTS_MAX)]
)
def test_a_renewal_ahead_of_the_end_that_fails_is_tried_again_later(
    foundation: Foundation, grant: ClientCredentialsGrant, seconds: int, grants: int
) -> None:
    grant.header()
    foundation.grant = lambda _: Answer(503)
    for foundation.clock in (1140, seconds):
        assert grant.header() == "bearer t1"

    assert len(foundation.grants) == grants


@pytest.mark.parametrize("seconds", [1199, 1200, 1201])
def test_a_token_that_has_ended_is_not_used(
    foundation: Foundation, grant: ClientCredentialsGrant, seconds: int
) -> None:
    grant.header()
    foundation.grant = lambda _: Answer(503)
    foundation.clock = seconds

    if seconds < 1200:
        assert grant.header() == "bearer t1"
    else:
        with pytest.raises(ApiUnreachable, match="UAA answered HTTP 503"):
            grant.header()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b""),
        Answer(200, b"{}"),
        Answer(200, b'{"access_token": null}'),
        Answer(200, b'{"access_token": "a\\r\\nHost: x"}'),
        Answer(200, '{"access_token": "tökén"}'.encode()),
        Answer(302),
    ],
)
def test_an_answer_without_a_usable_token_is_said(
    foundation: Foundation, grant: ClientCredentialsGrant, answer: Answer
) -> None:
    foundation.grant = lambda _: answer

    with pytest.raises(ApiUnreachable):
        grant.header()


@pytest.mark.parametrize(
    ("scope", "sees"),
    [
        ("cloud_controller.global_auditor", Sees.ALL),
        ("openid cloud_controller.admin_read_only", Sees.ALL),
        ("cloud_controller.admin cloud_controller.read", Sees.ALL),
        ("cloud_controller.read", Sees.ROLES),
        ("cloud_controller.admin_read_only_too", Sees.ROLES),
        ("uaa.none", Sees.ROLES),
        ("", Sees.UNKNOWN),
        (None, Sees.UNKNOWN),
        (["cloud_controller.admin"], Sees.UNKNOWN),
    ],
)
def test_the_scope_of_the_token_tells_what_our_client_sees(
    foundation: Foundation, grant: ClientCredentialsGrant, scope: object, sees: Sees
) -> None:
    foundation.grant = lambda _: token("t", scope=scope)
    before = grant.sees

    grant.header()

    assert (before, grant.sees) == (Sees.UNKNOWN, sees)


def test_without_a_scope_nobody_knows_what_our_client_sees(grant: ClientCredentialsGrant) -> None:
    grant.header()

    assert grant.sees is Sees.UNKNOWN


def test_a_ready_header_has_no_other() -> None:
    header = ReadyHeader(Secret("bearer abc"))

    assert header.sees is Sees.UNKNOWN

    assert header.header() == "bearer abc"
    assert header.renewed("bearer abc") is None
