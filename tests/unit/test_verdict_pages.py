"""The page of each verdict says what messages say, and its commands are real ones."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import jq
import msgspec
import pytest

from backup_audit.judge.advice import MEANINGS, Section, check_command, next_step, page_of
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Finding
from backup_audit.judge.under_way import EXCUSED_FOR
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.report.changes import Ended
from backup_audit.report.groups import GROUP_FROM
from backup_audit.report.rendering import json_line
from backup_audit_cli.__main__ import new_parser
from tests.doubles.builders import finding
from tools.commands import shell_lines
from tools.template import Template

TEXT = Path("docs/verdicts.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
LINES = shell_lines(TEXT)
PROBLEMS = [verdict for verdict in Verdict if verdict.is_problem]


def section(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def reasons() -> list[list[str]]:
    """The rows on unknown instances: what the reason says, who acts, what they do."""
    rows = re.findall(r"^\| (`.*) \|$", section("unknown"), re.MULTILINE)
    return [row.split(" | ") for row in rows]


def test_each_problem_has_its_section_worst_first() -> None:
    assert [heading for heading in HEADINGS if heading in PROBLEMS] == PROBLEMS


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_is_explained_under_a_heading_and_in_the_first_table(verdict: Verdict) -> None:
    linked = re.findall(r"^\| \[(.*)\]\(#([\w-]+)\)", TEXT, re.MULTILINE)

    assert any(verdict in heading.lower() for heading in HEADINGS)
    assert any(verdict in words for words, _ in linked)
    assert {place for _, place in linked} <= set(map(anchor, HEADINGS))


@pytest.mark.parametrize("place", [*PROBLEMS, *Section])
def test_a_page_that_messages_name_is_there(place: Verdict | Section) -> None:
    path, _, fragment = page_of(place, None).partition("#")

    assert path == "docs/verdicts.md"
    assert fragment in map(anchor, HEADINGS)


@pytest.mark.parametrize("verdict", PROBLEMS)
def test_a_section_begins_with_what_messages_say_and_says_how_the_problem_ends(
    verdict: Verdict,
) -> None:
    said, text = MEANINGS[verdict].partition(":")[0], section(verdict)

    assert text.split("**")[1].lower().removeprefix("it ").rstrip(".") == said
    assert "It **ends**" in " ".join(text.split())
    assert re.search(r"\b[Mm]ute it\b", text)


def test_the_critical_ones_are_said_to_be_the_first_two() -> None:
    critical = [verdict for verdict in PROBLEMS if verdict.severity is Severity.CRITICAL]

    assert "Only\nthe first two are about data" in TEXT
    assert critical == PROBLEMS[:2]


def test_every_end_without_a_backup_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("No longer audited"), re.MULTILINE)

    assert set(rows) == set(Ended) - {Ended.HEALTHY}
    assert len(rows) == len(set(rows))


def test_a_group_begins_with_as_many_as_the_page_says() -> None:
    assert GROUP_FROM == 10
    assert section("A group of unknowns").strip().startswith("Ten or more")


def test_who_is_being_deleted_is_excused_for_as_long_as_the_page_says() -> None:
    said = f"for {EXCUSED_FOR // timedelta(hours=1)} hours"

    assert f"{said} after the deletion began" in section("An instance that is being deleted")


# ── Unknown ───────────────────────────────────────────────────────────────────────────────────────


def test_what_to_do_about_an_unknown_is_said_by_reasons_that_there_are() -> None:
    cells = [row[0] for row in reasons()]
    quoted = [reason for cell in cells for reason in re.findall(r"`([^`]+)`", cell)]
    given = "".join(
        Path(path).read_text("utf-8")
        for path in (
            "docs/faults.md",
            "src/backup_audit/judge/verdict.py",
            "tests/unit/test_advice.py",
        )
    )

    assert len(quoted) > len(cells) > 10
    assert [reason for reason in quoted if reason not in given] == []


def test_every_status_that_advice_knows_has_its_row() -> None:
    statuses = {int(one) for row in reasons() for one in re.findall(r"\((\d{3})\)", row[0])}

    assert {401, 403, 404, 409, 429} <= statuses


@pytest.mark.parametrize("row", reasons(), ids=lambda row: row[0][:60])
def test_who_acts_on_an_unknown_is_the_same_in_messages(row: list[str]) -> None:
    said, who, _ = row
    actors = re.findall(r"audit|broker|platform", who)
    titles = re.findall(r"`(CF-\w+)`", said) or [None]

    assert actors
    for status in map(int, re.findall(r"\((\d{3})\)", said)):
        for title in titles:
            step = " ".join(next_step(Verdict.UNKNOWN, status, title))
            assert [actor for actor in actors if actor not in step] == []


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.TIMEOUT, "no whole answer in time"),
        (Cause.CONNECTION, "the connection was closed without an answer"),
        (Cause.UNREADABLE, "a body that is not JSON"),
        (Cause.NOT_REACHED, "not reached"),
    ],
)
def test_who_acts_on_silence_is_the_same_in_messages(cause: Cause, reason: str) -> None:
    [row] = [row for row in reasons() if f"`{reason}`" in row[0]]

    step = " ".join(next_step(Verdict.UNKNOWN, None, cause))

    assert row[1] in step or cause is Cause.NOT_REACHED


# ── Commands ──────────────────────────────────────────────────────────────────────────────────────


def test_the_command_to_check_by_hand_is_the_one_in_messages() -> None:
    assert check_command("GUID") in LINES


def test_whatever_is_asked_of_the_platform_is_about_the_instance_in_the_message() -> None:
    asked = [shlex.split(line) for line in LINES if line.startswith("cf curl ")]

    assert len(asked) == 5
    for words in asked:
        assert words[-1].startswith("/v3/service_instances/GUID")
    writing = [words[2:-1] for words in asked if len(words) > 3]
    assert writing == [["-i", "-X", "POST"]]


def test_the_verdict_by_hand_is_asked_for_as_the_command_line_understands_it() -> None:
    [typed] = re.findall(r"backup-audit (try .*)$", "\n".join(LINES), re.MULTILINE)

    new_parser().parse_args(shlex.split(typed))


def test_the_outputs_that_commands_ask_for_are_the_templates_and_come_from_the_runbook() -> None:
    asked = set(re.findall(r"\$\(output (\w+)\)", TEXT))

    assert asked
    assert asked <= Template.read().document["Outputs"].keys()
    assert "[the block of the runbook](runbook.md#runbook)" in section("Check by hand")


def jq_program(containing: str) -> str:
    programs = re.findall(r"jq (?:-r )?'([^']+)'", "\n".join([*LINES, TEXT]))
    [program] = {str(program) for program in programs if containing in program}
    return program


def report(*findings: Finding) -> dict[str, Any]:
    return {"findings": [json.loads(json_line(one)) for one in findings]}


def test_the_moments_in_a_list_of_backups_can_be_read() -> None:
    [moment] = jq.compile(jq_program("todate")).input_value({"backups": [{"created_at": 9}]}).all()

    assert moment == "1970-01-01T00:00:09Z"


def test_the_evidence_is_found_by_the_guid_in_the_message() -> None:
    both = report(finding(guid="GUID"), finding(guid="other"))

    [shown] = jq.compile(jq_program('"GUID"')).input_value(both).all()

    assert list(shown) == ["verdict", "since", "reason", "policy", "evidence"]
    assert "request_id" in shown["evidence"]
    assert shown == {key: both["findings"][0][key] for key in shown}


def test_unknowns_are_listed_by_what_groups_them() -> None:
    refused, other = finding(Verdict.UNKNOWN), finding(Verdict.STALE)
    evidence = msgspec.structs.replace(refused.evidence, http_status=502, title="CF-X")
    silent = msgspec.structs.replace(evidence, http_status=None, title=None, silence=Cause.TIMEOUT)
    found = [
        msgspec.structs.replace(refused, offering="p.mysql", evidence=one)
        for one in (evidence, silent)
    ]

    lines = jq.compile(jq_program(".offering")).input_value(report(*found, other)).all()

    assert lines == ["p.mysql\t502\tCF-X", "p.mysql\t\ttimeout"]
