"""Every error that the Cloud Controller, and what stands before it, is known to answer with."""

import msgspec

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX, THROTTLED_MAX
from tests.faults.fault import EMPTY, YOUNG, Fault, Group, error, http

_BROKER = "Service broker error"

_CODES = (
    (400, 10005, "CF-BadQueryParameter", "The query parameter is invalid"),
    (400, 120004, "CF-ServiceFetchInstanceParametersNotSupported", "Not supported"),
    (401, 10002, "CF-NotAuthenticated", "Authentication error"),
    (401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token"),
    (403, 10003, "CF-NotAuthorized", "You are not authorized to perform the requested action"),
    (403, 10017, "CF-OrgSuspended", "The organization is suspended"),
    (404, 10000, "CF-NotFound", "Unknown request"),
    (409, 60016, "CF-AsyncServiceInstanceOperationInProgress", "An operation is in progress."),
    (422, 10001, "CF-ConcurrencyError", "The service broker could not do this in parallel"),
    (429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded"),
    (429, 10014, "CF-IPBasedRateLimitExceeded", "Rate Limit Exceeded: Please log in."),
    (429, 10016, "CF-ServiceBrokerRateLimitExceeded", "Concurrent request limit exceeded"),
    (429, 20008, "CF-UaaRateLimited", "The UAA is currently rate limited."),
    (500, 10001, "UnknownError", "An unknown error occurred."),
    (502, 20004, "CF-UaaUnavailable", "The UAA service is currently unavailable"),
    (502, 10001, "CF-ServiceBrokerRequestRejected", _BROKER),
    (502, 10001, "CF-ServiceBrokerBadResponse", _BROKER),
    (502, 10001, "CF-ServiceBrokerResponseMalformed", _BROKER),
    (502, 10001, "CF-ServiceBrokerApiUnreachable", _BROKER),
    (502, 10001, "CF-ServiceBrokerApiAuthenticationFailed", _BROKER),
    (503, 10015, "CF-ServiceUnavailable", "Database connection failure"),
    (504, 10001, "CF-HttpClientTimeout", "The request to the service broker timed out"),
    (504, 10001, "CF-ServiceBrokerApiTimeout", "The request to the service broker timed out"),
)


def _attempts(status: int) -> int:
    if status not in (429, 502, 503, 504):
        return 1
    if status == 504:
        return SILENT_MAX
    return THROTTLED_MAX if status == 429 else ATTEMPTS_MAX


def _code(status: int, code: int, title: str, detail: str) -> Fault:
    return Fault(
        name=f"{status} {title} ({code})",
        does=(http(error(code, title, detail), status, "Content-Type: text/plain"),),
        says=f'HTTP {status} {title} ({code}), "{detail}"',
        attempts=_attempts(status),
        keeps=True,
    )


def _proof(status: int, code: int, title: str, verdict: Verdict) -> Fault:
    return Fault(
        name=f"{status} {title} ({code})",
        does=(http(error(code, title), status, "Content-Type: application/json"),),
        verdict=verdict,
        keeps=True,
    )


def _router(status: int, what: str) -> Fault:
    says = f"the router says {what}"
    bodies = (b"404 Not Found: Requested route ('api.x') does not exist.", error(10010, "x"))
    return Fault(
        name=f"{status} of the router: {what}",
        does=tuple(http(body, status, f"X-Cf-RouterError: {what}") for body in bodies),
        says=says,
        attempts=ATTEMPTS_MAX,
        keeps=True,
    )


_TWO = msgspec.json.encode(
    {
        "errors": [
            {"code": 10000, "title": "CF-NotFound", "detail": "first"},
            {"code": 10010, "title": "CF-ResourceNotFound", "detail": "second"},
        ]
    }
)

_NO_ERRORS = (
    b"",
    b"404 page not found",
    b"<html><title>404</title></html>",
    b'{"errors": [{"code": 10010, "title": "CF-Resour',
    b"null",
    b"[]",
    b'"10010"',
    b"{}",
    b'{"errors": null}',
    b'{"errors": []}',
    b'{"errors": [null]}',
    b'{"errors": {"code": 10010}}',
    b'{"errors": [[10010]]}',
    b'{"code": 10010, "title": "CF-ResourceNotFound"}',
    b'{"errors": [{"code": NaN}]}',
    b'{"errors": [{"code": "10010"}]}',
    b'{"errors": [{"code": 10010.0}]}',
    b'{"errors": [{"code": true}]}',
    b'{"errors": [{"code": null}]}',
    b'{"errors": [{"code": ' + b"9" * 5000 + b"}]}",
    b'\xef\xbb\xbf{"errors": [{"code": 10010}]}',
    b'{"errors": [{"code": 10010}]} and more',
    b'{"errors": ' + b"[" * 100_000,
    b"\xff\xfe\x00",
)

_NO_TITLES = (
    b'{"errors": [{"code": 10008}]}',
    b'{"errors": [{"code": 10008, "detail": "blocked"}]}',
    b'{"errors": [{"code": 10008, "title": null}]}',
    b'{"errors": [{"code": 10008, "title": ""}]}',
    b'{"errors": [{"title": "CF-UnprocessableEntity"}]}',
)

CLOUD_FOUNDRY = Group(
    "Cloud Foundry's errors",
    "JSON sent as text/plain, as the Cloud Controller's rate limiter does it.",
    (
        *(_code(*facts) for facts in _CODES),
        _proof(404, 10010, "CF-ResourceNotFound", Verdict.NOT_FOUND),
        _proof(422, 10008, "CF-UnprocessableEntity", Verdict.UNSUPPORTED),
        _router(404, "unknown_route"),
        _router(502, "endpoint_failure"),
        _router(503, "no_endpoints"),
        _router(525, "tls_handshake"),
        Fault(
            name="200 of the router",
            does=tuple(http(body, 200, "X-Cf-RouterError: odd") for body in (YOUNG, EMPTY)),
            says="the router says odd",
            attempts=ATTEMPTS_MAX,
            keeps=True,
        ),
        Fault(
            name="503 `API down for maintenance`",
            does=(http(b"API down for maintenance", 503, "Content-Type: text/plain"),),
            says="HTTP 503 without a Cloud Foundry error",
            attempts=ATTEMPTS_MAX,
            keeps=True,
        ),
        Fault(
            name="404 with two errors, of which the first counts",
            does=(http(_TWO, 404),),
            says="this Cloud Controller has no backups endpoint",
            keeps=True,
        ),
        Fault(
            name="404 without a readable error: empty, text, HTML, cut, other types, null, NaN, "
            "BOM, trailing garbage, deep nesting, not UTF-8",
            does=tuple(http(body, 404) for body in _NO_ERRORS),
            says="no route to the API, or a wrong address: HTTP 404",
            keeps=True,
        ),
        Fault(
            name="422 without a readable error, or with one that has no title: a proxy's page, say",
            does=tuple(http(body, 422) for body in (*_NO_ERRORS, *_NO_TITLES)),
            says="the API gives no list of backups: HTTP 422",
            keeps=True,
        ),
        Fault(
            name="404 whose error has two codes",
            does=(http(b'{"errors": [{"code": 10000, "code": 10010}]}', 404),),
            says="HTTP 404 without a Cloud Foundry error",
            keeps=True,
        ),
        Fault(
            name="an error with line ends, control and right-to-left characters",
            does=(http(error(1, "a\r\nSet-Cookie: b", "c\x00\x1b[2J\u202e"), 400),),
            says='HTTP 400 a Set-Cookie: b (1), "c [2J"',
            keeps=True,
        ),
    ),
)
