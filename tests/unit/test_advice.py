"""What to do about each verdict, and where to read on."""

import re
import shlex
from datetime import timedelta
from urllib.parse import quote

import pytest

from backup_audit.fleet.fields import GUID_PATTERN
from backup_audit.judge.advice import (
    MEANINGS,
    Runbook,
    Section,
    check_command,
    next_step,
    next_step_of,
    page_of,
    runbook_page,
)
from backup_audit.judge.evidence import Backup, BackupList, Cause, Refusal
from backup_audit.judge.finding import finding_of
from backup_audit.judge.verdict import UNBELIEVABLE, Verdict
from tests.doubles.builders import NOW, evidence, instance, run

UNKNOWN = Verdict.UNKNOWN
PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]
STATUSES = (None, 200, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 600)
TITLES = (
    None,
    *Cause,
    "CF-NotFound",
    "CF-OrgSuspended",
    "CF-ConcurrencyError",
    "CF-HttpClientTimeout",
    "CF-ServiceBrokerBadResponse",
    "CF-ServiceBrokerRateLimitExceeded",
    "x" * 999,
    "",
)
BROKER = "Those who run the service's broker"
PLATFORM = "Those who run the platform"
AUDIT = "Those who run the audit"
ADDRESS = "https://git.example.com/backup-audit/blob/main/docs"
UNRESERVED = "ABCXYZabcxyz0189-._~"


def test_every_problem_has_its_meaning_worst_first() -> None:
    assert list(MEANINGS) == PROBLEMS


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_every_problem_has_a_next_step_of_a_line_or_two(verdict: Verdict) -> None:
    for status in STATUSES:
        for title in TITLES:
            lines = next_step(verdict, status, title)
            assert 1 <= len(lines) <= 2
            assert all(0 < len(line) <= 100 and line.endswith((".", "?")) for line in lines)


@pytest.mark.parametrize("verdict", [Verdict.HEALTHY, Verdict.IN_GRACE])
def test_what_is_no_problem_has_no_next_step(verdict: Verdict) -> None:
    assert next_step(verdict) == ()


@pytest.mark.parametrize(
    ("status", "cause", "begins"),
    [
        (401, "CF-InvalidAuthToken", AUDIT),
        (403, "CF-NotAuthorized", AUDIT),
        (403, "CF-OrgSuspended", PLATFORM),
        (404, None, AUDIT),
        (404, "CF-NotFound", PLATFORM),
        (409, "CF-AsyncServiceInstanceOperationInProgress", "The instance is being changed"),
        (422, "CF-ConcurrencyError", "The instance is being changed"),
        (422, None, PLATFORM),
        (429, "CF-RateLimitExceeded", "Those who run the audit set RequestsPerSecond"),
        (429, "CF-ServiceBrokerRateLimitExceeded", "Those who run the audit lower Workers"),
        (500, "UnknownError", PLATFORM),
        (502, None, PLATFORM),
        (502, "CF-UaaUnavailable", PLATFORM),
        (502, "CF-ServiceBrokerBadResponse", BROKER),
        (502, "CF-ServiceBrokerApiUnreachable", BROKER),
        (504, "CF-HttpClientTimeout", BROKER),
        (504, "CF-ServiceBrokerApiTimeout", BROKER),
        (504, None, PLATFORM),
        (299, None, PLATFORM),
        (300, None, AUDIT),
        (399, None, AUDIT),
        (400, None, PLATFORM),
        (None, Cause.TIMEOUT, BROKER),
        (None, Cause.CONNECTION, AUDIT),
        (200, Cause.UNREADABLE, "Something else than the API answers"),
        (200, Cause.TOO_LARGE, PLATFORM),
        (None, Cause.NOT_REACHED, "The next run asks for it first"),
        (200, None, "The reason says"),
        (None, None, "The reason says"),
    ],
)
def test_who_acts_on_an_unknown_follows_from_its_cause(
    status: int | None, cause: str | None, begins: str
) -> None:
    assert next_step(Verdict.UNKNOWN, status, cause)[0].startswith(begins)


def test_a_time_that_nobody_can_believe_is_for_those_who_run_the_platform() -> None:
    ahead = BackupList((Backup(NOW + timedelta(days=1)),))
    found = finding_of(instance(), evidence(ahead, 200), run(), None)

    assert found.verdict is Verdict.UNKNOWN
    [step] = next_step_of(found)
    assert step.startswith(f"{PLATFORM} mend the time")


@pytest.mark.parametrize(
    ("status", "refusal", "begins"),
    [
        (404, Refusal(10000), AUDIT),
        (502, Refusal(10001, "CF-ServiceBrokerBadResponse", "1 backup"), BROKER),
        (502, Refusal(10001, "CF-ServiceBrokerBadResponse", UNBELIEVABLE), BROKER),
    ],
)
def test_who_acts_on_a_refusal_follows_from_it_whatever_it_says(
    status: int, refusal: Refusal, begins: str
) -> None:
    found = finding_of(instance(), evidence(refusal, status), run(), None)

    assert found.verdict is Verdict.UNKNOWN
    assert next_step_of(found)[0].startswith(begins)


def test_every_advice_to_somebody_says_what_they_do() -> None:
    """Not "Those who run the platform, with …"."""
    said = {
        line
        for status in STATUSES
        for title in TITLES
        for line in next_step(UNKNOWN, status, title)
    }

    without = [line for line in said if re.search(r"(platform|broker|audit)[:,](?! those)", line)]
    assert without == []


@pytest.mark.parametrize("guid", ["9b02c1de-6f0e-4a2c-8a55-2c1d0e6b7a11", UNRESERVED, "g" * 200])
def test_the_command_to_check_by_hand_can_be_pasted_as_it_stands(guid: str) -> None:
    assert re.search(GUID_PATTERN, guid)

    command = check_command(guid)

    assert command == f'cf curl "/v3/service_instances/{guid}/backups"'
    assert shlex.split(command) == ["cf", "curl", f"/v3/service_instances/{guid}/backups"]


def test_a_guid_has_no_character_that_means_anything_in_quotes_or_in_an_address() -> None:
    allowed = [char for char in map(chr, range(256)) if re.search(GUID_PATTERN, f"a{char}")]

    assert {"-", ".", "_", "~"} == {char for char in allowed if not char.isalnum()}
    assert all(quote(char, safe="") == char for char in allowed)


@pytest.mark.parametrize(("url", "begins"), [(ADDRESS, ADDRESS), (None, "docs")])
def test_a_page_is_named_by_its_address_or_else_by_its_path(url: str | None, begins: str) -> None:
    assert page_of(Verdict.STALE, url) == f"{begins}/verdicts.md#stale"
    assert page_of(Section.GROUP, url) == f"{begins}/verdicts.md#a-group-of-unknowns"
    assert runbook_page(Runbook.FAILED_RUN, url) == f"{begins}/runbook.md#failedrun"
