"""Answers whose end is not where they say: lengths, chunks, more answers than requests."""

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX
from tests.faults.connections import in_turn
from tests.faults.fault import (
    EMPTY,
    TEMPTING,
    YOUNG,
    Does,
    Fault,
    Group,
    chunked,
    http,
)

_BROKE = "the connection broke within the answer"
_NOT_JSON = "HTTP 200 with a body that is not JSON"
_NOT_HTTP = "the answer is not HTTP"
_CHUNKED = "Transfer-Encoding: chunked"


def _broken(name: str, *does: Does, says: str = _BROKE) -> Fault:
    return Fault(name=name, does=does, says=says, attempts=ATTEMPTS_MAX)


def _read(
    name: str, *does: Does, says: str = "", verdict: Verdict = Verdict.UNKNOWN, keeps: bool = False
) -> Fault:
    return Fault(name=name, does=does, says=says, verdict=verdict, keeps=keeps)


def _lengths(*values: object) -> tuple[bytes, ...]:
    return tuple(http(body, length=value) for body in TEMPTING for value in values)


_LENGTHS = Group(
    "Content-Length",
    "If the length of an answer does not show where it ends, a list counts if it is whole: "
    "nothing that would still be JSON can follow the brace that ends it.",
    (
        _broken("too long, by a byte", *(http(body, length=len(body) + 1) for body in TEMPTING)),
        _broken("too long, by a lot", *_lengths(10**6, 10**18, 10**40)),
        _read(
            "too short, by a byte",
            *(http(body, length=len(body) - 1) for body in TEMPTING),
            says=_NOT_JSON,
            keeps=True,
        ),
        _read("0, and a list", *_lengths(0), says=_NOT_JSON, keeps=True),
        _read(
            "right for the list, and an empty list after it",
            http(YOUNG + EMPTY, length=len(YOUNG)),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        _broken(
            "two that differ",
            *(
                http(body, 200, f"Content-Length: {other}")
                for body in TEMPTING
                for other in (0, 5, 10**6)
            ),
        ),
        _broken("two that differ, in one line", *_lengths("15, 51", "55,15", "0,99")),
        _read(
            "no number: the list ends with the connection",
            *(http(YOUNG, length=value) for value in ("x", "", "-1", "1.5", "0x37", "9" * 5000)),
            verdict=Verdict.HEALTHY,
        ),
        _read(
            "none: the list ends with the connection",
            http(YOUNG, length=None),
            http(YOUNG, length=None, version="HTTP/1.0"),
            verdict=Verdict.HEALTHY,
        ),
        _read(
            "none, and the connection ends within the list",
            *(http(body[:end], length=None) for body in TEMPTING for end in range(1, len(body), 4)),
            says=_NOT_JSON,
        ),
        _broken(
            "none, and no body",
            *(http(b"", status, length=None) for status in (200, 404, 422)),
        ),
    ),
)

_CHUNKS = Group(
    "Chunks",
    "",
    (
        _read("whole", chunked(YOUNG[:7], YOUNG[7:]), verdict=Verdict.HEALTHY, keeps=True),
        _read("a byte each", chunked(*(bytes([b]) for b in YOUNG)), verdict=Verdict.HEALTHY),
        _read(
            "with an extension and a trailer",
            chunked(YOUNG, end=b"0;a=b\r\nX-Trailer: c\r\n\r\n").replace(b"\r\n{", b";d=e\r\n{"),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        _broken("the last one is missing", *(chunked(body, end=b"") for body in TEMPTING)),
        _broken(
            "cut within a chunk",
            *(chunked(body, end=b"")[:-5] for body in TEMPTING),
        ),
        _broken("cut before the first", http(b"", 200, _CHUNKED, length=None)),
        _broken(
            "a size that is no number",
            *(
                http(size + b"\r\n" + body + b"\r\n0\r\n\r\n", 200, _CHUNKED, length=None)
                for body in TEMPTING
                for size in (b"zz", b"", b"{", b"-", b"0x", b"\xff")
            ),
        ),
        _broken(
            "a negative size",
            *(
                http(size + b"\r\n" + body + b"\r\n0\r\n\r\n", 200, _CHUNKED, length=None)
                for body in TEMPTING
                for size in (b"-1", b"-5", b"-ffffffffffffffffffff")
            ),
        ),
        _broken(
            "a size that is too large",
            *(
                http(size + b"\r\n" + body + b"\r\n0\r\n\r\n", 200, _CHUNKED, length=None)
                for body in TEMPTING
                for size in (b"ff", b"f" * 16, b"f" * 60)
            ),
        ),
        _broken(
            "a size that is a byte too small",
            *(
                http(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 1, body), 200, _CHUNKED, length=None)
                for body in TEMPTING
            ),
        ),
        _read(
            "the last one first, then a list",
            *(chunked(end=b"0\r\n\r\n" + body) for body in TEMPTING),
            says=_NOT_JSON,
            keeps=True,
        ),
        _read(
            "beside a Content-Length, which they overrule",
            *(
                chunked(YOUNG).replace(b"\r\n", b"\r\nContent-Length: %d\r\n" % n, 1)
                for n in (3, 999)
            ),
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        _read(
            "`Transfer-Encoding: identity`, and none",
            http(YOUNG, 200, "Transfer-Encoding: identity"),
            verdict=Verdict.HEALTHY,
        ),
        _read(
            "in a transfer encoding that we did not ask for",
            *(
                chunked(body).replace(b"chunked", coding)
                for body in TEMPTING
                for coding in (b"gzip, chunked", b"chunked, chunked", b"xchunked")
            ),
        ),
    ),
)


_MORE = Group(
    "More answers than requests",
    "Behind each of these comes an answer that would be taken for that of the next instance. "
    "The tests hold that it never is.",
    (
        _read(
            "101, 102, 103 and 199, and the list after them",
            *(http(b"", status, length=None) + http(YOUNG) for status in (101, 102, 103, 199)),
            keeps=True,
        ),
        _read(
            "101, 102, 103 and 199, and the list when the next request is there",
            *(
                in_turn(http(b"", status, length=None), http(YOUNG))
                for status in (101, 102, 103, 199)
            ),
        ),
        _read(
            "204 and 304 with a body that is another answer",
            *(http(http(body), status) for status in (204, 304) for body in TEMPTING),
            keeps=True,
        ),
        _read(
            "two answers at once",
            http(YOUNG) + http(EMPTY),
            http(YOUNG) * 500,
            verdict=Verdict.HEALTHY,
            keeps=True,
        ),
        _read(
            "a second answer behind one whose Content-Length is too short",
            *(
                http(b" " * size + http(body) * 200, length=10)
                for body in TEMPTING
                for size in (0, 8000, 8150, 8182, 16000)
            ),
            says=_NOT_JSON,
            keeps=True,
        ),
    ),
)

_HEADS = Group(
    "Status lines and headers",
    "",
    (
        _broken(
            "HTTP/0.9: the list and nothing else",
            *TEMPTING,
            says=_NOT_HTTP,
        ),
        _broken(
            "another protocol: FTP, SSH, ICY, HTTP/2",
            b"220 Service ready for new user.\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            http(YOUNG).replace(b"HTTP/1.1", b"ICY"),
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\r\n",
            says=_NOT_HTTP,
        ),
        _broken(
            "a version of HTTP that we do not speak",
            *(http(YOUNG, version=version) for version in ("HTTP/2", "HTTP/3.0", "HTTP/x")),
        ),
        _broken("a status line without end", b"HTTP/1.1 200 " + b"O" * 200_000, says=_NOT_HTTP),
        _broken("a header without end", http(YOUNG, 200, "X-A: " + "a" * 200_000), says=_NOT_HTTP),
        _broken(
            "a header that Python cannot read",
            http(YOUNG, 200, "Content-Type: multipart/mixed; boundary*=a\x00b'en'c"),
            http(YOUNG, 200, "Content-Type: multipart/mixed; boundary*0*=us-ascii'en'a; boundary*"),
        ),
        _broken("1,000 headers", http(YOUNG, 200, *("X-A: b" for _ in range(1000)))),
        _broken(
            "cut anywhere within the status line or the headers",
            *(
                head[:end]
                for head in (http(YOUNG, 422)[: -len(YOUNG)], http(b"", 404, "X: y", length=None))
                for end in range(1, len(head) - 2, 3)
            ),
            says="",
        ),
        _read(
            "headers that are none, before the list",
            http(YOUNG, 200, "no header at all"),
            http(YOUNG, 200, ": no name"),
            http(YOUNG, 200, "X A: b", "\tfolded"),
            http(YOUNG, 200, "X-\xff: \xff\x00\x7f"),
            http(YOUNG, 200, "Content-Type: multipart/mixed; boundary=x"),
            http(YOUNG, 200, "Content-Type: message/rfc822"),
            http(YOUNG, 200, "Content-Type: ;;;=;", "Date: never", "Age: -1"),
            http(YOUNG).replace(b"\r\n", b"\n"),
            verdict=Verdict.HEALTHY,
        ),
    ),
)

FRAMING = (_LENGTHS, _CHUNKS, _MORE, _HEADS)
