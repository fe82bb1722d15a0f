"""HTTP 200 with a body that is not what the API promises, or only just is."""

from datetime import timedelta

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.http import BODY_MAX
from tests.faults.fault import (
    EMPTY,
    OLD,
    OLD_TIME,
    TEMPTING,
    YOUNG,
    YOUNG_TIME,
    Fault,
    Group,
    at,
    backup,
    http,
    listing,
)

_NOT_JSON = "HTTP 200 with a body that is not JSON"
_NO_LIST = "HTTP 200 without a list of backups"
_NO_TIME = "no backup with a believable time"


def _body(
    name: str,
    *bodies: bytes,
    verdict: Verdict = Verdict.UNKNOWN,
    says: str = "",
    header: str = "Content-Type: application/json",
) -> Fault:
    does = tuple(http(body, 200, header) for body in bodies)
    return Fault(name=name, does=does, verdict=verdict, says=says, keeps=True)


def _time(name: str, *times: bytes, says: str = _NO_TIME) -> Fault:
    return _body(name, *(listing(backup(time)) for time in times), says=says)


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


_PROOF = (
    _body(
        "a young list as text/plain",
        YOUNG,
        verdict=Verdict.HEALTHY,
        header="Content-Type: text/plain",
    ),
    _body("a young list as HTML", YOUNG, verdict=Verdict.HEALTHY, header="Content-Type: text/html"),
    _body("a young list without a Content-Type", YOUNG, verdict=Verdict.HEALTHY, header="X-A: b"),
    _body(
        "a young list with keys that nobody promised",
        b'{"pagination": {"next": null}, ' + YOUNG[1:-1] + b', "state": {"created_at": 7}}',
        listing(b'{"id": {"a": [1.5, null]}, "created_at": ' + YOUNG_TIME + b"}"),
        verdict=Verdict.HEALTHY,
    ),
    _body(
        "a young list with escapes and letters beyond ASCII",
        b'{"back\\u0075ps": [{"id": "\\ud83d\\ude00", "created\\u005fat": ' + YOUNG_TIME + b"}]}",
        listing('{"id": "日本", "created_at": '.encode() + YOUNG_TIME + b"}"),
        verdict=Verdict.HEALTHY,
    ),
    _body(
        "a young list between blanks and line ends",
        b"\r\n\t " + YOUNG + b" \n" * 1000,
        verdict=Verdict.HEALTHY,
    ),
    _body("an old list", OLD, verdict=Verdict.STALE),
    _body(
        "a young backup beside entries that are none: one proof is enough",
        listing(
            b"null", backup(b'"soon"'), backup(YOUNG_TIME), b"[]", backup(b"1e400")[:-6] + b"1e9}"
        ),
        verdict=Verdict.HEALTHY,
        says="with an unbelievable time",
    ),
    _body(
        "a backup exactly `max_age` old",
        listing(backup(at(timedelta(hours=26)))),
        verdict=Verdict.HEALTHY,
    ),
    _body(
        "a backup a second older than `max_age`",
        listing(backup(at(timedelta(hours=26, seconds=1)))),
        verdict=Verdict.STALE,
    ),
    _body(
        "40,000 backups, of which the last is young",
        listing(*[backup(OLD_TIME)] * 40_000, backup(YOUNG_TIME)),
        verdict=Verdict.HEALTHY,
        says="40001 backups listed",
    ),
)

_GOES_ON = (
    b'"pagination": {"total_results": 12, "next": {"href": "https://api.example.com/x?page=2"}}',
    b'"pagination": {"next": {"href": "/v3/x?page=2"}}',
    b'"pagination": {"total_results": 2, "next": null}',
    b'"pagination": {"total_pages": 2}',
    b'"pagination": {"total_results": "many"}',
    b'"pagination": [2]',
    b'"total_results": 12, "total_pages": 3, "next_url": "/v2/x?page=2"',
    b'"next": "/v3/x?page=2"',
)

_PARTS = (
    _body(
        "an answer that says itself that there is more, with an empty or an old list",
        *(b"{" + more + b", " + body[1:] for more in _GOES_ON for body in (EMPTY, OLD)),
        says="; the list goes on: ",
    ),
    _body(
        "an answer that says itself that there is more, with a young list: one proof is enough",
        *(b"{" + more + b", " + YOUNG[1:] for more in _GOES_ON),
        verdict=Verdict.HEALTHY,
    ),
    _body(
        "an answer that says twice how it goes on",
        *(
            b'{"pagination": {"next": "/x"}, "pagination": {"next": null}, ' + body[1:]
            for body in TEMPTING
        ),
        says="an object has `pagination` twice",
    ),
)

_NO_JSON = (
    _body("empty", b"", says=_NOT_JSON),
    _body(
        "HTML",
        b"<html><body>It works!</body></html>",
        says=_NOT_JSON,
        header="Content-Type: text/html",
    ),
    _body(
        "a young list, cut after each of its bytes",
        *(YOUNG[:end] for end in range(len(YOUNG))),
        says=_NOT_JSON,
    ),
    _body(
        "an empty list, cut after each of its bytes",
        *(EMPTY[:end] for end in range(len(EMPTY))),
        says=_NOT_JSON,
    ),
    _body(
        "something after the list",
        *(
            body + rest
            for body in TEMPTING
            for rest in (b"x", b"\x00", b",", b"}", b"]", OLD, EMPTY)
        ),
        says=_NOT_JSON,
    ),
    _body(
        "something before the list",
        *(
            start + body
            for body in TEMPTING
            for start in (b"x", b"\x00", b")]}',\n", b"\x0b", b"while(1);")
        ),
        says=_NOT_JSON,
    ),
    _body("a BOM before the list", *(b"\xef\xbb\xbf" + body for body in TEMPTING), says=_NOT_JSON),
    _body(
        "the list in UTF-16 or UTF-32",
        *(
            body.decode().encode(form)
            for body in TEMPTING
            for form in ("utf-16", "utf-16-le", "utf-32")
        ),
        says=_NOT_JSON,
    ),
    _body(
        "a list that is not UTF-8",
        listing(b'{"id": "\xff", "created_at": ' + YOUNG_TIME + b"}"),
        b'{"\xc3(": 1, "backups": []}',
        b'{"id": "\xed\xa0\x80", "backups": []}',
        b'{"id": "\xc0\xaf", "backups": []}',
        says=_NOT_JSON,
    ),
    _body(
        "half of a surrogate pair",
        listing(b'{"id": "\\ud800", "created_at": ' + YOUNG_TIME + b"}"),
        says=_NOT_JSON,
    ),
    _body(
        "almost JSON: single quotes, a comma too many, a comment, a bare key, a control character",
        YOUNG.replace(b'"', b"'"),
        YOUNG[:-2] + b",]}",
        EMPTY[:-1] + b",}",
        EMPTY + b"// none",
        b"{backups: []}",
        listing(b'{"id": "a\nb", "created_at": ' + YOUNG_TIME + b"}"),
        listing(b'{"id": "\\x41", "created_at": ' + YOUNG_TIME + b"}"),
        listing(backup(b"+" + YOUNG_TIME)),
        listing(backup(b"0" + YOUNG_TIME)),
        listing(backup(b"0x7")),
        says=_NOT_JSON,
    ),
    _time("`created_at`: NaN, Infinity", b"NaN", b"Infinity", b"-Infinity", says=_NOT_JSON),
    _body(
        "NaN beside a young time",
        listing(b'{"id": NaN, "created_at": ' + YOUNG_TIME + b"}"),
        b'{"backups": [], "next": NaN}',
        says=_NOT_JSON,
    ),
    _body("nested 100,000 deep, never closed", b'{"backups": ' + b"[" * 100_000, says=_NOT_JSON),
    _body(
        "nested 100,000 deep",
        listing(_nested(100_000)),
        listing(backup(_nested(100_000))),
        b'{"id": ' + _nested(100_000) + b", " + YOUNG[1:],
        b'{"id": ' + _nested(100_000) + b", " + EMPTY[1:],
        b'{"a":' * 100_000 + EMPTY + b"}" * 100_000,
        says=_NOT_JSON,
    ),
    _body(
        "nested as deep as can just be read, or just no more",
        *(
            body
            for depth in range(900, 1010)
            for body in (listing(_nested(depth)), listing(backup(_nested(depth))))
        ),
    ),
)

_OTHER_TYPES = (
    _body(
        "another type than an object",
        b"null",
        b"true",
        b"0",
        b'"backups"',
        b"[]",
        YOUNG[len(b'{"backups": ') : -1],
        says=_NO_LIST,
    ),
    _body(
        "no `backups`",
        b"{}",
        b'{"Backups": []}',
        b'{"resources": []}',
        b'{"data": ' + YOUNG + b"}",
        says=_NO_LIST,
    ),
    _body("`backups`: null", b'{"backups": null}', says=_NO_LIST),
    _body(
        "`backups` of another type",
        *(
            b'{"backups": ' + value + b"}"
            for value in (b"0", b"false", b'""', b'"[]"', b"{}", b'{"0": {}}', b"1e9")
        ),
        says=_NO_LIST,
    ),
    _body(
        "entries that are no objects",
        *(
            listing(entry)
            for entry in (
                b"null",
                b"0",
                YOUNG_TIME,
                b'"' + YOUNG_TIME + b'"',
                b"[]",
                b"[" + YOUNG_TIME + b"]",
            )
        ),
        says="not an object",
    ),
    _body(
        "an entry without `created_at`",
        listing(b"{}"),
        listing(b'{"id": "b-1"}'),
        listing(b'{"createdAt": 1}'),
        says="created_at is missing",
    ),
    _time("`created_at`: null", b"null", says="created_at is missing"),
    _time(
        "`created_at` of another type",
        b"true",
        b"[]",
        b"{}",
        b"[" + YOUNG_TIME + b"]",
        b'"' + YOUNG_TIME + b'"',
        b'"2026-01-31T02:00:00Z"',
        says="not an integer",
    ),
    _time(
        "`created_at`: a float",
        YOUNG_TIME + b".0",
        b"1e9",
        b"1.7698248E9",
        b"-0.0",
        b"1e-400",
        says="not an integer",
    ),
    _time(
        "`created_at`: zero, less, negative zero",
        b"0",
        b"-0",
        b"-1",
        b"-" + YOUNG_TIME,
        says="created_at is",
    ),
    _time(
        "`created_at` in milliseconds or nanoseconds",
        YOUNG_TIME + b"000",
        YOUNG_TIME + b"0" * 9,
        says="too large to be seconds",
    ),
    _time(
        "`created_at`: an integer beyond 64 bits",
        b"1" + b"0" * 20,
        b"9" * 300,
        says="too large to be seconds",
    ),
    _time("`created_at`: 5,000 digits, 1e400", b"9" * 5000, b"1e400", says=_NO_LIST),
    _time(
        "`created_at` in the future",
        at(timedelta(minutes=-6)),
        at(timedelta(days=-365)),
        says="in the future",
    ),
    _body(
        "an old backup beside one whose time cannot be read",
        *(
            listing(backup(OLD_TIME), other)
            for other in (b"null", b"{}", backup(b"null"), backup(YOUNG_TIME + b"000"))
        ),
        says="with an unbelievable time",
    ),
)

_CONTRADICTIONS = (
    _body(
        "`backups` twice",
        *(
            first[:-1] + b", " + second[1:]
            for first, second in (
                (OLD, YOUNG),
                (YOUNG, OLD),
                (YOUNG, EMPTY),
                (EMPTY, YOUNG),
            )
        ),
        says="twice",
    ),
    _body(
        "`backups` twice, once null",
        YOUNG[:-1] + b', "backups": null}',
        b'{"backups": null, ' + EMPTY[1:],
        says=_NO_LIST,
    ),
    _body(
        "`backups` twice, once with an escape",
        OLD[:-1] + b', "back\\u0075ps' + YOUNG[9:],
        says="twice",
    ),
    _body(
        "`created_at` twice",
        *(
            listing(b'{"created_at": ' + first + b', "created_at": ' + second + b"}")
            for first, second in (
                (OLD_TIME, YOUNG_TIME),
                (YOUNG_TIME, OLD_TIME),
                (b"null", YOUNG_TIME),
            )
        ),
        listing(b'{"created_at": ' + OLD_TIME + b', "created\\u005fat": ' + YOUNG_TIME + b"}"),
        says="twice",
    ),
    _body(
        "errors beside the list",
        *(
            body[:-1] + b', "errors": [{"code": 10001, "title": "CF-ServiceBrokerBadResponse"}]}'
            for body in TEMPTING
        ),
        says="errors beside the list",
    ),
)

_SIZES = (
    _body(
        "a list of 10 MB",
        listing(*[backup(YOUNG_TIME)] * 250_000),
        EMPTY + b" " * 10_000_000,
        says=f"the answer is larger than {BODY_MAX} bytes",
    ),
    _body(
        "a list just over the cap",
        *(body + b" " * (BODY_MAX + 1 - len(body)) for body in TEMPTING),
        says="larger than",
    ),
    _body("a list that just fits", YOUNG + b" " * (BODY_MAX - len(YOUNG)), verdict=Verdict.HEALTHY),
    _body("two million zeros for backups", listing(*[b"0"] * 1)[:-2] + b",0" * 2_000_000 + b"]}"),
)

BODIES = (
    Group(
        "Lists that are proof",
        "All that is read of the answer is there, once, and as promised.",
        _PROOF,
    ),
    Group(
        "Bodies that are not JSON",
        "With HTTP 200, the right length and `application/json`, unless it says otherwise.",
        _NO_JSON,
    ),
    Group(
        "Lists that go on",
        "The API documents no pages; Cloud Foundry's other lists have them.",
        _PARTS,
    ),
    Group("Bodies of another shape", "JSON, but not what the API promises.", _OTHER_TYPES),
    Group(
        "Answers that contradict themselves",
        "JSON leaves open which of two equal keys counts. So do we.",
        _CONTRADICTIONS,
    ),
    Group("Sizes", "An answer is read up to 4 MiB.", _SIZES),
)
