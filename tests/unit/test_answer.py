"""The answer of a report in one sentence, which is never better than the truth."""

from collections.abc import Sequence

import msgspec
import pytest

from backup_audit.fleet.run import Scope
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.answer import answer_of
from backup_audit.report.report import Report
from tests.doubles.builders import MUTE, evidence, finding, instance, run
from tests.doubles.reports import stored

HEALTHY = finding(Verdict.HEALTHY, "h")
GRACE = msgspec.structs.replace(finding(Verdict.HEALTHY, "g"), verdict=Verdict.IN_GRACE)
STALE = finding()
MUTED = finding(guid="m", mute=MUTE)
UNKNOWN = finding(Verdict.UNKNOWN, "u")
NOT_REACHED = finding_of(
    instance("n"), evidence(Silence(Cause.NOT_REACHED, "the time was over"), None), run(), None
)


def report(findings: Sequence[Finding]) -> Report:
    return stored(findings).head


@pytest.mark.parametrize(
    ("findings", "answer"),
    [
        ([HEALTHY], "No problem found: 1 instance backed up"),
        ([HEALTHY, HEALTHY], "No problem found: all 2 instances backed up"),
        ([STALE, HEALTHY], "1 of 2 instances has a backup problem"),
        ([STALE, UNKNOWN, HEALTHY], "2 of 3 instances have a backup problem"),
        ([HEALTHY, GRACE], "No problem found: 1 of 2 instances backed up, 1 in grace"),
        (
            [HEALTHY, MUTED],
            "No open problem: 1 of 2 instances backed up, 1 muted with a problem",
        ),
        ([HEALTHY, NOT_REACHED], "No problem found: 1 of 2 instances backed up, 1 not reached"),
        ([UNKNOWN], "Nothing is known: no usable answer for any of 1 instance"),
        (
            [UNKNOWN, NOT_REACHED],
            "Nothing is known: no usable answer for any of 2 instances",
        ),
    ],
)
def test_the_answer_says_how_many_have_a_problem_and_what_else_is_not_healthy(
    findings: list[Finding], answer: str
) -> None:
    assert answer_of(report(findings)) == answer


def test_a_what_if_says_what_would_be() -> None:
    head = report([STALE, HEALTHY])
    what_if = msgspec.structs.replace(head, run=run(Scope.WHAT_IF))

    assert answer_of(what_if) == "1 of 2 instances would have a backup problem"


def test_a_run_that_had_nothing_to_audit_is_no_all_clear() -> None:
    head = report([HEALTHY])
    none = msgspec.structs.replace(head.coverage, configured=0, audited=0)
    nothing = msgspec.structs.replace(head, coverage=none)

    assert answer_of(nothing) == "No instance was audited: there was none to audit"
