"""Every status, each with a young list, an empty one and the error of an unknown instance."""

from collections.abc import Iterable

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import ATTEMPTS_MAX, SILENT_MAX, THROTTLED_MAX
from tests.faults.fault import EMPTY, YOUNG, Does, Fault, Group, error, http

_NOT_FOUND = error(10010, "CF-ResourceNotFound", "Service instance not found")


def _with(body: bytes, statuses: Iterable[int]) -> tuple[Does, ...]:
    return tuple(http(body, status) for status in statuses)


def _status(
    name: str,
    statuses: Iterable[int],
    *,
    verdict: Verdict = Verdict.UNKNOWN,
    says: str = "",
    attempts: int = 1,
) -> Fault:
    every = tuple(statuses)
    does = _with(YOUNG, every) + _with(EMPTY, every) + _with(_NOT_FOUND, every)
    return Fault(name=name, does=does, verdict=verdict, says=says, attempts=attempts, keeps=True)


def _lone(status: int, **more: object) -> Fault:
    return _status(str(status), [status], **more)  # type: ignore[arg-type]


_NAMED = (400, 401, 403, 404, 409, 422, 429)

_FAULTS = (
    Fault(
        name="100, and then nothing",
        does=(http(b"", 100, length=None),),
        says="closed without an answer",
        attempts=ATTEMPTS_MAX,
    ),
    Fault(
        name="100, and then the list",
        does=(http(b"", 100, length=None) + http(YOUNG),),
        verdict=Verdict.HEALTHY,
    ),
    _status("101 to 199", range(101, 200)),
    Fault(name="200 with a young list", does=(http(YOUNG),), verdict=Verdict.HEALTHY, keeps=True),
    Fault(
        name="200 with an empty list",
        does=(http(EMPTY),),
        verdict=Verdict.NEVER_BACKED_UP,
        keeps=True,
    ),
    Fault(
        name="200 with an error",
        does=(http(_NOT_FOUND),),
        says="HTTP 200 without a list of backups",
        keeps=True,
    ),
    _status("201 to 299", range(201, 300)),
    _status("300 to 399", range(300, 400), says="which is not followed"),
    _lone(401, says="does not accept our token"),
    _lone(403, says="lacks the permission"),
    Fault(
        name="404 with a list",
        does=_with(YOUNG, [404]) + _with(EMPTY, [404]),
        says="no route to the API, or a wrong address",
        keeps=True,
    ),
    Fault(
        name="404 with the error of an unknown instance",
        does=(http(_NOT_FOUND, 404),),
        verdict=Verdict.NOT_FOUND,
        keeps=True,
    ),
    _lone(409, says="the instance is being changed"),
    Fault(
        name="422 with a list",
        does=_with(YOUNG, [422]) + _with(EMPTY, [422]),
        says="HTTP 422 without a Cloud Foundry error",
        keeps=True,
    ),
    Fault(
        name="422 with an error",
        does=(http(_NOT_FOUND, 422),),
        verdict=Verdict.UNSUPPORTED,
        keeps=True,
    ),
    _lone(429, says="the API's rate limit is used up", attempts=THROTTLED_MAX),
    _status(
        "400, and 402 to 499 but for those above",
        (status for status in range(400, 500) if status == 400 or status not in _NAMED),
    ),
    _lone(502, attempts=ATTEMPTS_MAX),
    _lone(503, attempts=ATTEMPTS_MAX),
    Fault(
        name="504",
        does=_with(YOUNG, [504]) + _with(EMPTY, [504]),
        attempts=ATTEMPTS_MAX,
        keeps=True,
    ),
    Fault(
        name="504 with a Cloud Foundry error: a broker is silent",
        does=_with(_NOT_FOUND, [504]),
        attempts=SILENT_MAX,
        keeps=True,
    ),
    _status(
        "500 to 599 but for those above",
        (status for status in range(500, 600) if status not in (502, 503, 504)),
    ),
    _status("600 to 999", (600, 700, 800, 900, 999)),
    Fault(
        name="099 and 1000, which are none",
        does=(http(YOUNG, "099"), http(EMPTY, "1000")),
        says="the answer is not HTTP",
        attempts=ATTEMPTS_MAX,
    ),
    Fault(
        name="a status that is no number, and none at all",
        does=(http(YOUNG, "OK"), http(EMPTY, "")),
        says="the answer is not HTTP",
        attempts=ATTEMPTS_MAX,
    ),
)

STATUSES = Group(
    "Statuses",
    "Each status comes with a young list, with an empty one, and with the error of an unknown "
    "instance.",
    _FAULTS,
)
