"""The README's commands, tables and samples are the real ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.policy import BUILT_IN
from backup_audit.judge.verdict import Verdict
from tools.commands import code_blocks, shell_lines
from tools.readme import PARTS, README, generated_parts
from tools.template import Template

TEXT = README.read_text("utf-8")
LINES = shell_lines(TEXT)


def table_column(heading: str, column: int = 0) -> list[str]:
    """A column of the first table below a heading."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)[2:]
    return [row.split("|")[column].strip() for row in rows]


@pytest.mark.parametrize("name", ["metrics", "parameters"])
def test_a_generated_table_is_up_to_date(name: str) -> None:
    assert generated_parts(TEXT)[name] == PARTS[name](), "run: make readme"


def test_every_generated_part_stands_in_the_readme() -> None:
    assert generated_parts(TEXT).keys() == PARTS.keys()


def test_the_sample_configuration_is_right() -> None:
    sample = next(block for block in code_blocks(TEXT, "json") if '"instances"' in block)

    configuration = parse_configuration(sample.encode(), "README.md")

    assert len(configuration.instances) == 2
    assert len(configuration.mutes) == 1


def test_the_table_of_verdicts_has_each_once() -> None:
    assert sorted(table_column("Verdicts")) == sorted(f"`{verdict}`" for verdict in Verdict)


def test_what_is_told_is_said_with_its_severity() -> None:
    told = dict(zip(table_column("Verdicts"), table_column("Verdicts", 2), strict=True))

    assert told == {
        f"`{verdict}`": f"yes, {verdict.severity}" if verdict.is_problem else "no"
        for verdict in Verdict
    }


def test_the_built_in_policy_is_the_one_described() -> None:
    assert BUILT_IN.max_age.total_seconds() == 26 * 3600
    assert BUILT_IN.min_backups == 1
    assert not BUILT_IN.grace
    defaults = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", TEXT, re.MULTILINE)
    said = {name: text for name, text in defaults if name in {"max_age", "min_backups", "grace"}}
    assert said["max_age"].startswith("`26h`")
    assert said["min_backups"] == "`1`"
    assert said["grace"] == "none"


def test_every_event_file_is_explained() -> None:
    explained = re.findall(r"\]\((events/[\w/-]+\.json)\)", TEXT)

    assert sorted(explained) == sorted(str(path) for path in Path("events").rglob("*.json"))


def test_every_make_target_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", Path("Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z0-9-]+)\b", TEXT)) - {"run"}

    assert {"test", "check", "help", "build"} <= named | {"run"}
    assert named <= targets


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", TEXT)
    headings = {
        "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }

    for path, anchor in links:
        assert not path or Path(path).exists(), path
        assert not anchor or anchor in headings, anchor


def _aws_commands() -> list[str]:
    return [line for line in LINES if line.startswith("aws ")]


@pytest.mark.parametrize("command", _aws_commands())
def test_an_aws_command_names_an_operation_and_its_parameters(command: str) -> None:
    _, service, operation, *rest = command.split()
    if service == "s3":
        assert operation == "cp"
        return
    model = get_session().get_service_model(service)
    name = "".join(word.title() for word in operation.split("-"))
    shape = model.operation_model(name).input_shape
    parameters = {_dashed(member) for member in shape.members} if shape else set()

    assert {word.removeprefix("--") for word in rest if word.startswith("--")} <= parameters


def _dashed(member: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"-\1", member).lower()


def test_the_sam_commands_name_what_the_template_and_samconfig_have() -> None:
    commands = [line for line in LINES if line.startswith("sam ")]

    invoked = next(line for line in commands if line.startswith("sam remote invoke")).split()
    assert invoked[3] in Template.read().resources
    assert Path(invoked[invoked.index("--event-file") + 1]).exists()
    for environment in re.findall(r"--config-env (\w+)", TEXT):
        assert f"[{environment}." in Path("samconfig.toml").read_text()


def test_the_sample_answer_has_the_shape_of_an_answer() -> None:
    sample: dict[str, Any] = json.loads(
        generated_parts(TEXT)["answer"].removeprefix("```json").removesuffix("```")
    )

    assert sample["scope"] == "full"
    assert sum(sample["counts"].values()) == sample["coverage"]["configured"]


def test_the_attributes_of_messages_are_those_described() -> None:
    section = TEXT.split("\n## Notifications\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)

    named = set(re.findall(r"`(\w+)`", " ".join(cells)))

    assert named == {
        "event",
        "verdict",
        "change",
        "severity",
        "foundation",
        "instance_guid",
        "schema_version",
    }
