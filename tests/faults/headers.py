"""Headers and texts that would lead the client elsewhere, or make it remember, wait or tell."""

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX, THROTTLED_MAX
from backup_audit.probe.pacing import RETRY_AFTER_MAX, backoff
from tests.doubles.builders import NOW
from tests.faults.connections import at_first
from tests.faults.fault import (
    FOREIGN_HOST,
    OUR_TOKEN,
    SAME_HOST,
    TEMPTING,
    YOUNG,
    Fault,
    Group,
    backup,
    error,
    http,
    listing,
)

_NOW = int(NOW.timestamp())
_OURS = backoff(THROTTLED_MAX - 1, 1.0)


def _redirects(name: str, *locations: bytes) -> Fault:
    return Fault(
        name=name,
        does=tuple(
            http(body, status, "Location: {there}").replace(b"{there}", location)
            for status in (300, 301, 302, 303, 305, 307, 308)
            for location in locations
            for body in (b"", *TEMPTING)
        ),
        says="the API redirects, which is not followed",
        keeps=True,
    )


REDIRECTS = Group(
    "Redirects",
    "300, 301, 302, 303, 305, 307 and 308; the tests hold that nothing is asked but what we meant "
    "to ask, and that the foreign host gets no connection.",
    (
        _redirects("to the same host", SAME_HOST + b"/elsewhere", b"/elsewhere", b"elsewhere"),
        _redirects("to the same address, again and again", b""),
        _redirects("to a foreign host", FOREIGN_HOST + b"/", b"//127.0.0.1:9/"),
        _redirects(
            "to what is no address", b"http://", b"file:///etc/passwd", b"\xff\xfe", b"http://[::1"
        ),
        Fault(
            name="200 with a `Location`, a `Refresh` and a `Link` to a foreign host",
            does=tuple(
                http(YOUNG, 200, f"{header}: there").replace(b"there", FOREIGN_HOST)
                for header in ("Location", "Refresh: 0;url", "Link: rel=next;", "Content-Location")
            ),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        Fault(
            name="401 with a challenge to log in elsewhere",
            does=tuple(
                http(b"", 401, f"WWW-Authenticate: {scheme} realm=there").replace(
                    b"there", FOREIGN_HOST
                )
                for scheme in ("Basic", "Bearer", "Negotiate", "Digest")
            ),
            says="the API does not accept our token",
            keeps=True,
        ),
    ),
)

COOKIES = Group(
    "Cookies",
    "The tests hold that no request brings one back.",
    (
        Fault(
            name="`Set-Cookie`, with a list",
            does=(
                http(YOUNG, 200, "Set-Cookie: session=canary; Path=/"),
                http(YOUNG, 200, "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=127.0.0.1"),
                http(YOUNG, 200, "Set-Cookie: ;;=\xff", "Set-Cookie2: x=y"),
            ),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        Fault(
            name="`Set-Cookie`, with 503: no retry brings it back",
            does=(http(b"", 503, "Set-Cookie: session=canary"),),
            says="HTTP 503",
            attempts=ATTEMPTS_MAX,
            keeps=True,
        ),
    ),
)


def _asks(name: str, value: str | None, waits: float, *, status: int = 429) -> Fault:
    headers = () if value is None else (f"Retry-After: {value}",)
    return Fault(
        name=f"{status}, {name}: {waits:g} s at most",
        does=(http(b"", status, *headers),),
        says=f"HTTP {status}",
        attempts=THROTTLED_MAX if status == 429 else ATTEMPTS_MAX,
        keeps=True,
        waits=waits,
    )


_NONSENSE = (
    ("negative", "-5"),
    ("a date beyond all calendars", "Sat, 31 Jan 99999999999 05:00:11 GMT"),
    ("a time zone beyond all maps", f"Sat, 31 Jan 2026 05:00:11 +{'9' * 20}"),
    ("a date that is none", "Sat, 99 Foo 2026 25:61:61 GMT"),
    ("words", "soon"),
    ("empty", ""),
    ("a fraction", "1.5"),
    ("exponent", "1e3"),
    ("two in one line", "5, 7"),
    ("5,000 digits", "9" * 5000),
    ("an hour and a second", "3601"),
    ("a year", "31536000"),
    ("the year 2100 in epoch seconds", "4102444800"),
    ("the year 2100 as a date", "Fri, 01 Jan 2100 00:00:00 GMT"),
    ("digits beyond ASCII", "\xb2\xb3"),
)

RETRY_AFTER = Group(
    "Retry-After",
    "Waits pass at once in the tests and are counted: what is sane is honoured, the rest is left "
    "to our own back-off.",
    (
        _asks("none", None, _OURS),
        _asks("seconds", "7", 7),
        _asks("seconds between blanks", " 7 ", 7),
        _asks("an hour, the most that is honoured", "3600", RETRY_AFTER_MAX),
        _asks("epoch seconds", str(_NOW + 9), 9),
        _asks("a date", "Sat, 31 Jan 2026 05:00:11 GMT", 11),
        _asks("a date without a zone", "Sat, 31 Jan 2026 05:00:11", 11),
        _asks("a date as RFC 850 has it", "Saturday, 31-Jan-26 05:00:11 GMT", 11),
        *(_asks(name, value, _OURS) for name, value in _NONSENSE),
        _asks("seconds", "7", 7, status=503),
        _asks("a year", "31536000", backoff(ATTEMPTS_MAX - 1, 1.0), status=503),
        Fault(
            name="429 with `Retry-After: 0`, or a date in the past",
            does=(
                http(b"", 429, "Retry-After: 0"),
                http(b"", 429, "Retry-After: Sat, 31 Jan 2015 05:00:11 GMT"),
                http(b"", 429, "Retry-After: 1000000000"),
            ),
            says="HTTP 429",
            attempts=THROTTLED_MAX,
            keeps=True,
        ),
        Fault(
            name="429 with `Retry-After: 7`, and then the list",
            does=(at_first(http(b"", 429, "Retry-After: 7", "Connection: close"), http(YOUNG)),),
            verdict=Verdict.HEALTHY,
            attempts=2,
            waits=7,
        ),
        Fault(
            name="a quota that is none",
            does=tuple(
                http(YOUNG, 200, f"X-RateLimit-Remaining: {left}", f"X-RateLimit-Reset: {reset}")
                for left in ("-1", "x", "9" * 5000, "0")
                for reset in ("x", "-1", "9" * 5000, "0", "\xb2", "NaN")
            ),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
    ),
)

_ECHO = OUR_TOKEN.decode()

LEAKS = Group(
    "Answers that repeat our token",
    "As a page for debugging would. The tests hold that the token stands neither in the finding "
    "nor in the log, for these and for all other faults.",
    (
        Fault(
            name="in the error's detail",
            does=(http(error(7, "CF-Odd", f"Authorization: {_ECHO}"), 400, length=None),),
            says="the answer repeats our token",
        ),
        Fault(
            name="in the error's title",
            does=(http(error(7, f"Authorization: {_ECHO}"), 500, length=None),),
            says="the answer repeats our token",
        ),
        Fault(
            name="in what the router says",
            does=(http(b"", 404, f"X-Cf-RouterError: {_ECHO}"),),
            says="the answer repeats our token",
            keeps=True,
        ),
        Fault(
            name="in the request's id",
            does=(http(YOUNG, 200, f"X-VCAP-Request-ID: {_ECHO}"),),
            says="the answer repeats our token",
            keeps=True,
        ),
        Fault(
            name="as an entry of the list, as its time",
            does=(
                http(listing(b'"' + OUR_TOKEN + b'"'), length=None),
                http(listing(backup(b'"' + OUR_TOKEN + b'"')), length=None),
                http(listing(b'["x", "' + OUR_TOKEN + b'"]'), length=None),
            ),
            says="the answer repeats our token",
        ),
        Fault(
            name="in the reason phrase and in headers, well-formed or not",
            does=(
                http(YOUNG, f"200 {_ECHO}"),
                http(YOUNG, 200, f"X-Seen: {_ECHO}", f"Set-Cookie: a={_ECHO}"),
                http(YOUNG, 200, f"Authorization {_ECHO}"),
                http(
                    YOUNG, 200, f" Authorization: {_ECHO}", "no header", f"Authorization: {_ECHO}"
                ),
                http(YOUNG, length=f"{_ECHO},5"),
                http(YOUNG, 200, f"Transfer-Encoding: {_ECHO}", f"Content-Encoding: {_ECHO}"),
            ),
            verdict=Verdict.HEALTHY,
        ),
        Fault(
            name="instead of an answer",
            does=tuple(
                f"{start}{_ECHO}\r\n\r\n".encode()
                for start in ("", "Authorization: ", "HTTP/1.1 ", "HTTP/")
            ),
            says="the answer is not HTTP",
            attempts=ATTEMPTS_MAX,
        ),
        Fault(
            name="as a chunk's size",
            does=(http(_ECHO.encode(), 200, "Transfer-Encoding: chunked", length=None),),
            says="the connection broke within the answer",
            attempts=ATTEMPTS_MAX,
        ),
    ),
)
