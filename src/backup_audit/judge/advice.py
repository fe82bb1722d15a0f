"""What a verdict means, what to do next, and where to read on.

docs/verdicts.md says the same at length.
"""

from collections.abc import Mapping
from enum import StrEnum

from backup_audit.fleet.inventory import USER_PROVIDED
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import UNBELIEVABLE, Verdict

_DOCS = "docs"  # where the pages are without an address: the folder in the repository

MEANINGS: Mapping[Verdict, str] = {
    Verdict.NEVER_BACKED_UP: "no backup exists to restore from",
    Verdict.STALE: "backups exist, and are too old or too few",
    Verdict.UNSUPPORTED: "the offering lacks backup support",
    Verdict.NOT_FOUND: "gone, or not visible to our client: check the configuration and the role",
    Verdict.UNKNOWN: "could not be audited",
}
"""One line for each problem verdict, worst first."""

_NEXT_STEPS: Mapping[Verdict, tuple[str, ...]] = {
    Verdict.NEVER_BACKED_UP: (
        "The owner makes a backup now, and sees that the service's schedule of backups is on.",
    ),
    Verdict.STALE: (
        "The owner asks those who run the service's broker why its schedule stopped.",
        "If backups are meant to be rarer or fewer, mend max_age or min_backups.",
    ),
    Verdict.UNSUPPORTED: (
        "The owner asks those who run the service's broker whether backups can be turned on.",
        "If not: back it up another way, and mute or exclude it.",
    ),
    Verdict.NOT_FOUND: (
        "Do you see it with your own login? Then the audit's client lacks a role.",
        "If not, it was deleted: take it off the list, if it is listed.",
    ),
}

_OF_USER_PROVIDED = (
    "A user-provided instance has no broker that could back it up.",
    "Back it up another way, and mute or exclude it.",
)

_ADDRESS = ("Those who run the audit see if CfApiUrl is the API's own address, and the API up.",)
_PLATFORM = ("Those who run the platform look into it, by the finding's X-VCAP-Request-ID.",)
_BROKER = ("Those who run the service's broker look into it, by the finding's X-VCAP-Request-ID.",)
_WAIT = (
    "The instance is being changed: the next run asks again.",
    "If it stays, cf service NAME shows an operation that does not end: its broker hangs.",
)
_BY_THE_REASON = ("The reason says what is missing, and the page who acts.",)
_MEND_THE_TIME = (
    "Those who run the platform mend the time of the backup, by the finding's X-VCAP-Request-ID.",
)

# Of an answer that proves nothing: by the title of its Cloud Foundry error, or why there is none.
_BY_CAUSE: Mapping[str, tuple[str, ...]] = {
    "CF-ConcurrencyError": _WAIT,
    "CF-HttpClientTimeout": _BROKER,
    "CF-NotFound": (
        "Those who run the platform see to it: this Cloud Controller has no lists of backups.",
    ),
    "CF-OrgSuspended": (
        "Those who run the platform see to it: the org is suspended, and nobody reads in it.",
    ),
    "CF-ServiceBrokerRateLimitExceeded": (
        "Those who run the audit lower Workers: the limit is one of requests at the same time.",
    ),
    Cause.TIMEOUT: (
        "Those who run the service's broker see why it hangs.",
        "If all instances are silent, those who run the audit look at the network.",
    ),
    Cause.CONNECTION: (
        "Those who run the audit see if network, proxy and CA let the function through to the API.",
        "If other instances are answered, it is for those who run the platform.",
    ),
    Cause.UNREADABLE: (
        "Something else than the API answers. Those who run the audit see if CfApiUrl is right.",
        "If other instances are answered, it is for those who run the platform.",
    ),
    Cause.TOO_LARGE: _PLATFORM,
    Cause.NOT_REACHED: ("The next run asks for it first. Why this one stopped is said above.",),
}
_OF_A_BROKER = "CF-ServiceBroker"  # how the titles of a broker's errors begin

_BY_STATUS: Mapping[int, tuple[str, ...]] = {
    200: _BY_THE_REASON,
    401: (
        "Those who run the audit renew the authorization in the secret, if it is a ready one.",
        "With a client, those who run the platform see why the API refuses what UAA has given.",
    ),
    403: (
        "Those who run the audit give its client cloud_controller.global_auditor.",
        "If few instances are refused, the title of the error says why.",
    ),
    404: _ADDRESS,
    409: _WAIT,
    429: ("Those who run the audit set RequestsPerSecond, or lower it; or have the limit raised.",),
}


class Section(StrEnum):
    """A section of docs/verdicts.md that is not about one verdict."""

    GROUP = "a-group-of-unknowns"
    BEING_DELETED = "an-instance-that-is-being-deleted"
    NO_LONGER_AUDITED = "no-longer-audited"


class Runbook(StrEnum):
    """A section of docs/runbook.md that messages name; alarms name theirs in template.yaml."""

    FAILED_RUN = "failedrun"
    INCOMPLETE_RUN = "incompleterun"
    LOST_ROLE = "many-disappeared-at-once"
    NEWS_OF_THE_FLEET = "news-of-the-fleet"


def next_step_of(finding: Finding) -> tuple[str, ...]:
    """Who acts on a finding's problem, and what they do; see `next_step`."""
    if _is_user_provided(finding):
        return _OF_USER_PROVIDED
    is_unbelievable = UNBELIEVABLE in finding.reason and not finding.cause
    if finding.verdict is Verdict.UNKNOWN and is_unbelievable:
        return _MEND_THE_TIME
    return next_step(finding.verdict, finding.http_status, finding.cause)


def next_step(
    verdict: Verdict, http_status: int | None = None, cause: str | None = None
) -> tuple[str, ...]:
    """Who acts on a problem, and what they do: one or two lines of at most 100 characters.

    Of an unknown one by its HTTP status, and by the title of the error or, without an answer, the
    `Cause`. Nothing for a verdict that is no problem.
    """
    if verdict is Verdict.UNKNOWN:
        return _next_step_of_unknown(http_status, cause)
    return _NEXT_STEPS.get(verdict, ())


def _next_step_of_unknown(http_status: int | None, cause: str | None) -> tuple[str, ...]:
    if cause and cause in _BY_CAUSE:
        return _BY_CAUSE[cause]
    if cause and cause.startswith(_OF_A_BROKER):
        return _BROKER
    if http_status is None:
        return _BY_THE_REASON
    if 300 <= http_status < 400:
        return _ADDRESS
    return _BY_STATUS.get(http_status, _PLATFORM)


def meaning_of(finding: Finding) -> str:
    """What a finding's verdict means, in a few words."""
    if _is_user_provided(finding):
        return "a user-provided instance, which no broker backs up"
    return MEANINGS[finding.verdict]


def check_command_of(finding: Finding) -> str | None:
    """The command to check a finding by hand; None where the API has no list of backups."""
    return None if _is_user_provided(finding) else check_command(finding.guid)


def _is_user_provided(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNSUPPORTED and finding.type == USER_PROVIDED


def check_command(guid: str) -> str:
    """The command that shows what the API says of an instance's backups, to whoever logged in.

    A GUID has unreserved characters of RFC 3986 only, none of which means anything in quotes.
    """
    return f'cf curl "/v3/service_instances/{guid}/backups"'


def page_of(section: Verdict | Section, runbook_url: str | None) -> str:
    """Where to read what a problem means; `runbook_url` is the address of the folder docs.

    Without it, the path in the repository.
    """
    return f"{runbook_url or _DOCS}/verdicts.md#{section}"


def runbook_page(section: Runbook, runbook_url: str | None) -> str:
    """Where to read about the audit itself; addresses are made as in `page_of`."""
    return f"{runbook_url or _DOCS}/runbook.md#{section}"
