"""An empty list is excused by the instance's age; faults in the answer that tells it."""

from datetime import timedelta

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX
from backup_audit.probe.http import BODY_MAX
from tests.doubles.builders import NOW
from tests.faults.fault import Does, Fault, Group, chunked, error, http

_CREATED_AT = f"{NOW - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}".encode()
_INSTANCE = b'{"guid": "a", "created_at": "' + _CREATED_AT + b'"}'
_NOT_FOUND_OUT = "the instance's age could not be found out: "
_UNREAD = "no grace is given because the instance's age could not be read"


def _age(
    name: str,
    *does: Does,
    verdict: Verdict = Verdict.NEVER_BACKED_UP,
    says: str | None = None,
    attempts: int = 1,
    keeps: bool = True,
) -> Fault:
    if says is None:
        says = _NOT_FOUND_OUT if verdict is Verdict.UNKNOWN else _UNREAD
    return Fault(
        name=name,
        does=does,
        verdict=verdict,
        says=says,
        attempts=attempts,
        keeps=keeps,
        of_age=True,
    )


def _created(value: bytes) -> bytes:
    return http(b'{"guid": "a", "created_at": ' + value + b"}")


AGES = Group(
    "The instance's age",
    "Asked for when the list is empty and the policy has a grace, here of 24 hours. The empty list "
    "is proof; without proof of youth there is no `in_grace`.",
    (
        _age("three hours", http(_INSTANCE), verdict=Verdict.IN_GRACE, says="3 h old"),
        _age(
            "three hours, and fields that nobody reads",
            http(_INSTANCE[:-1] + b', "last_operation": {"created_at": null}}'),
            verdict=Verdict.IN_GRACE,
            says="3 h old",
        ),
        _age(
            "two days",
            _created(b'"2026-01-29T05:00:00Z"'),
            verdict=Verdict.NEVER_BACKED_UP,
            says="2 d old",
        ),
        _age(
            "a status other than 200, with the age: not of the Cloud Controller",
            *(http(_INSTANCE, status) for status in (202, 203, 204, 206, 301, 404, 500)),
            verdict=Verdict.UNKNOWN,
        ),
        _age("404 of the Cloud Controller", http(error(10010, "CF-ResourceNotFound"), 404)),
        _age(
            "what may pass: a fault of the Cloud Controller, an instance that is being changed",
            http(error(10001, "UnknownError"), 500),
            http(error(10001, "CF-AsyncServiceInstanceOperationInProgress"), 409),
            verdict=Verdict.UNKNOWN,
        ),
        _age(
            "no time, or none that can be read",
            http(b"{}"),
            *map(_created, (b"null", b"0", b"1769828400", b'""', b'"2026-01-31"')),
            *map(
                _created, (b'"2026-01-31T02:00:00"', b'"99999-01-31T02:00:00Z"', b'"now"', b"NaN")
            ),
        ),
        _age(
            "no JSON: empty, HTML, cut, BOM, not UTF-8, trailing garbage, deep nesting",
            http(b""),
            http(b"<html>"),
            http(_INSTANCE[:-1]),
            http(b"\xef\xbb\xbf" + _INSTANCE),
            http(b"\xff" + _INSTANCE),
            http(_INSTANCE.replace(b'"a"', b'"\xff"')),
            http(_INSTANCE + b"x"),
            http(b"[" * 100_000),
        ),
        _age(
            "two ages, of which one is young",
            http(b'{"created_at": "2026-01-01T00:00:00Z", ' + _INSTANCE[1:]),
            http(_INSTANCE[:-1] + b', "created_at": "2026-01-01T00:00:00Z"}'),
        ),
        _age(
            "in the future",
            _created(b'"2026-02-28T05:00:00Z"'),
        ),
        _age(
            "larger than the cap",
            http(_INSTANCE + b" " * BODY_MAX),
            verdict=Verdict.UNKNOWN,
            keeps=False,
        ),
        _age(
            "cut by the end of the connection",
            http(_INSTANCE, length=999),
            verdict=Verdict.UNKNOWN,
            attempts=ATTEMPTS_MAX,
            keeps=False,
        ),
        _age(
            "chunks without the last",
            chunked(_INSTANCE, end=b""),
            verdict=Verdict.UNKNOWN,
            attempts=ATTEMPTS_MAX,
            keeps=False,
        ),
    ),
)
