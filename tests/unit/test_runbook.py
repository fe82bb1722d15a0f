"""The runbook knows every alarm, and its commands are real ones."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import jq
import pytest

from backup_audit import errors
from backup_audit.fleet.run import parse_event
from backup_audit.judge.advice import Runbook
from backup_audit.telemetry import METRICS
from tools.commands import aws_commands, shell_lines, unknown_words
from tools.template import Template

TEXT = Path("docs/runbook.md").read_text("utf-8")
TEMPLATE = Template.read()
RESOURCES = TEMPLATE.resources.items()
ALARMS = [name for name, part in RESOURCES if part["Type"] == "AWS::CloudWatch::Alarm"]
QUERIES = [name for name, part in RESOURCES if part["Type"] == "AWS::Logs::QueryDefinition"]
# SAM calls a schedule by what it starts and by its name there.
SCHEDULES = {
    f"{name}{event}" for name, part in RESOURCES for event in part["Properties"].get("Events", {})
}
HEADINGS = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)

EVENT = {"scheduled_time": "2026-01-31T05:00:00Z"}


def section(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def sample(name: str) -> str:
    """A JSON sample, by its mark."""
    found = re.search(rf"<!-- sample: {name} -->\n *```json\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


def jq_programs(heading: str) -> list[str]:
    return re.findall(r"jq (?:-r )?'([^']+)'", "\n".join(shell_lines(section(heading))))


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_has_its_section_and_its_row(name: str) -> None:
    assert name in HEADINGS
    assert f"| [{name}](#{name.lower()}) |" in TEXT


def test_the_alarms_that_ring_are_asked_for_by_all_their_names() -> None:
    [names] = re.findall(r'--alarm-names "\$STACK"-\{([\w,]+)\}', TEXT)

    assert sorted(names.split(",")) == sorted(ALARMS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_where_commands_need_the_names_they_are_said_to_come_first(heading: str) -> None:
    needs_names = re.search(r"\$([A-Z]+|\(output)\b", "\n".join(shell_lines(section(heading))))

    assert ("[the block above](#runbook)" in section(heading)) >= bool(needs_names)


def test_no_alarm_is_explained_that_is_not_there() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(#\w+\) \|", TEXT, re.MULTILINE)

    assert sorted(rows) == sorted(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_the_description_of_an_alarm_leads_to_its_section(name: str) -> None:
    described = TEMPLATE.resolved(TEMPLATE.properties(name)["AlarmDescription"])
    path, _, anchor = described.rpartition(" ")[2].partition("#")

    assert path == "docs/runbook.md"
    assert anchor in {heading.lower().replace(" ", "-") for heading in HEADINGS}


@pytest.mark.parametrize("place", Runbook)
def test_a_message_leads_to_a_section(place: Runbook) -> None:
    headings = re.findall(r"^##+ (.*)$", TEXT, re.MULTILINE)

    assert place in {heading.lower().replace(" ", "-") for heading in headings}


def test_a_section_that_code_or_template_names_by_itself_is_there() -> None:
    sources = [Path("template.yaml"), *Path("src").rglob("*.py")]
    named = {
        (page, anchor)
        for path in sources
        for page, anchor in re.findall(r"(\w+\.md)#([\w-]+)", path.read_text("utf-8"))
    }
    headings = {
        page: re.findall(r"^##+ (.*)$", Path("docs", page).read_text("utf-8"), re.MULTILINE)
        for page, _ in named
    }

    assert named
    for page, anchor in named:
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings[page]}


def test_what_to_do_is_said_for_every_error_that_ends_a_run() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section("FailedRun"), re.MULTILINE)
    leaves = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type)
        and issubclass(kind, errors.AuditError)
        and not kind.__subclasses__()
    }

    assert sorted(rows) == sorted(leaves)


def test_the_outputs_that_commands_ask_for_are_the_templates() -> None:
    asked = set(re.findall(r"\$\(output (\w+)\)", TEXT)) | {"DashboardName"}

    assert asked <= TEMPLATE.document["Outputs"].keys()


def test_the_resources_that_commands_ask_for_are_the_templates() -> None:
    asked = set(re.findall(r"--logical-resource-id (\w+)", TEXT))

    assert asked
    assert asked <= TEMPLATE.resources.keys() | SCHEDULES


def test_the_variables_of_commands_are_set_at_the_beginning() -> None:
    lines = "\n".join(shell_lines(TEXT))

    used = set(re.findall(r"\$([A-Z]+)", lines))
    assert used <= set(re.findall(r"^([A-Z]+)=", lines, re.MULTILINE))


def test_the_alarms_in_commands_are_the_templates() -> None:
    named = set(re.findall(r'"\$STACK-(\w+)"', TEXT))

    assert named
    assert named <= set(ALARMS)


@pytest.mark.parametrize("command", aws_commands(TEXT), ids=lambda command: " ".join(command[1:3]))
def test_an_aws_command_is_one_that_the_cli_knows(command: list[str]) -> None:
    assert unknown_words(command) == set()


def test_no_aws_command_is_overlooked() -> None:
    lines = "\n".join(shell_lines(TEXT))

    assert len(aws_commands(TEXT)) == len(re.findall(r"\baws [a-z]", lines))


def test_a_command_that_the_cli_does_not_know_is_found_out() -> None:
    assert unknown_words(["aws", "sqs", "recieve-message"]) == {"recieve-message"}
    assert unknown_words(["aws", "sqs", "receive-message", "--queue", "q"]) == {"queue"}


def test_the_files_that_commands_read_are_there_or_made_before() -> None:
    made = set(re.findall(r"> (\w+\.json)", TEXT))

    for path in re.findall(r"fileb?://(\S+)", TEXT):
        assert path in made or Path(path).exists()


def test_every_saved_query_is_mentioned_and_no_other() -> None:
    names = {TEMPLATE.properties(name)["Name"]["Fn::Sub"].partition("/")[2] for name in QUERIES}

    mentioned = set(re.findall(r"\*([a-z ]+)\*", TEXT))

    assert mentioned == names


def test_the_parameters_named_are_the_templates() -> None:
    named = set(re.findall(r"`([A-Z][a-zA-Z]+)`", TEXT))
    others = {
        *ALARMS,
        *(metric.name for metric in METRICS),
        *vars(errors),
        *TEMPLATE.document["Outputs"],
        *SCHEDULES,
        "Plan",
        "Conclude",
    }

    assert named - others <= TEMPLATE.parameters.keys()


# ── Redrive ───────────────────────────────────────────────────────────────────────────────────────

FROM_LAMBDA = json.dumps({"Messages": [{"ReceiptHandle": "h", "Body": sample("lambda")}]})
FROM_THE_SCHEDULER = [
    json.dumps(
        {
            "Messages": [
                {
                    "ReceiptHandle": "h",
                    "Body": body,
                    "MessageAttributes": {
                        "ERROR_CODE": {"StringValue": "AccessDeniedException"},
                        "SCHEDULED_TIME": {"StringValue": "2026-01-31T05:00:00Z"},
                    },
                }
            ]
        }
    )
    for body in (
        json.dumps(EVENT),
        json.dumps({"FunctionName": "audit", "Payload": json.dumps(EVENT)}),
        "cut off",
    )
]


@pytest.mark.parametrize("message", [FROM_LAMBDA, *FROM_THE_SCHEDULER])
def test_the_event_is_found_in_either_kind_of_message(message: str) -> None:
    [make_event] = [program for program in jq_programs("Redrive") if "scheduled_time" in program]

    event = jq.compile(make_event).input_text(message).first()

    assert event == EVENT
    assert parse_event(event, now=datetime(2026, 2, 1, tzinfo=UTC)).scheduled_time


@pytest.mark.parametrize(
    ("message", "why"),
    [(FROM_LAMBDA, "ApiUnreachable"), (FROM_THE_SCHEDULER[0], "AccessDeniedException")],
)
def test_the_reason_is_found_in_either_kind_of_message(message: str, why: str) -> None:
    reason = jq_programs("Redrive")[0]

    assert why in json.dumps(jq.compile(reason).input_text(message).first())


def test_the_error_in_the_sample_is_one_of_ours() -> None:
    error = json.loads(sample("lambda"))["responsePayload"]["errorType"]

    assert issubclass(getattr(errors, error), errors.AuditError)


def test_the_sample_of_the_secret_has_the_heartbeat() -> None:
    assert json.loads(sample("secret"))["heartbeat_url"].startswith("https://")
