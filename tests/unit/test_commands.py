"""The commands in the docs are safe to copy: by every AWS CLI, twice, and with a secret."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.commands import code_blocks, shell_lines
from tools.template import Template

TEXTS = [Path("README.md"), *Path("docs").glob("**/*.md"), Path("CONTRIBUTING.md")]
LINES = [line for path in TEXTS for line in shell_lines(path.read_text("utf-8"))]
INVOKING = [line for line in LINES if "aws lambda invoke" in line]
DEPLOYING = [line for line in LINES if line.startswith("sam deploy")]

FUNCTION_LONGEST = Template.read().properties("AuditFunction")["Timeout"]


def option(line: str, name: str) -> str:
    words = shlex.split(line)
    return words[words.index(name) + 1]


def is_full_run(line: str) -> bool:
    """Whether the event is one; an event that a person has made is."""
    path = Path(option(line, "--payload").removeprefix("fileb://"))
    filled_in = re.search(rf"(events/\S+\.json) > {path.name}$", "\n".join(LINES), re.MULTILINE)
    path = Path(filled_in[1]) if filled_in else path
    event = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return not {"dry_run", "instance_guids", "as_of", "max_age", "step"} & event.keys()


def test_a_payload_is_read_as_both_versions_of_the_aws_cli_do() -> None:
    payloads = [option(line, "--payload") for line in LINES if "--payload" in line]

    assert payloads
    assert all(payload.startswith("fileb://") for payload in payloads)


def test_no_command_needs_what_only_one_version_of_the_aws_cli_has() -> None:
    text = "\n".join(LINES)

    assert not re.findall(
        r"--cli-binary-format|--no-cli-pager|aws logs tail|aws configure sso", text
    )
    assert "CLI in version 2" not in "".join(path.read_text("utf-8") for path in TEXTS)


@pytest.mark.parametrize("line", INVOKING)
def test_a_client_neither_gives_up_nor_asks_again_while_a_run_is_at_work(line: str) -> None:
    before = line.partition("aws ")[0]

    if is_full_run(line):
        assert option(line, "--invocation-type") == "Event"
    elif "--invocation-type" not in line:
        assert int(option(line, "--cli-read-timeout")) >= FUNCTION_LONGEST
        assert "AWS_MAX_ATTEMPTS=1" in before.split()


def test_there_are_commands_of_both_kinds() -> None:
    assert {is_full_run(line) for line in INVOKING} == {True, False}


def test_the_sam_cli_which_asks_again_after_a_minute_invokes_no_function() -> None:
    invoked = re.findall(r"sam remote invoke (\w+)", "\n".join(LINES))

    assert set(invoked) == {"AuditStateMachine"}


@pytest.mark.parametrize("line", DEPLOYING)
def test_a_deployment_that_names_an_environment_takes_its_parameters_from_there(line: str) -> None:
    assert not {"--config-env", "--parameter-overrides"} <= set(shlex.split(line))


@pytest.mark.parametrize("line", DEPLOYING)
def test_a_parameter_that_a_deployment_sets_is_one_and_its_value_is_allowed(line: str) -> None:
    words = shlex.split(line)
    given = [word.partition("=") for word in words if re.match(r"[A-Z]\w+=", word)]

    for name, _, value in given:
        pattern = Template.read().parameters[name].get("AllowedPattern", ".*")
        assert value in ("ARN", "ADDRESS", "NAME") or re.fullmatch(pattern, value)


def test_a_deployment_shows_what_will_change_and_asks_unless_it_is_that_of_a_test() -> None:
    samconfig = tomllib.loads(Path("samconfig.toml").read_text("utf-8"))

    asks = {name: one["deploy"]["parameters"]["confirm_changeset"] for name, one in _environments()}

    assert asks == {"default": True, "dev": False, "prod": True, "eu": True, "us": True}
    assert "parameter_overrides" not in samconfig["default"]["deploy"]["parameters"]


def test_an_environment_sets_parameters_that_there_are_to_values_that_are_allowed() -> None:
    parameters = Template.read().parameters

    for _, environment in _environments():
        for given in environment["deploy"]["parameters"].get("parameter_overrides", []):
            name, _, value = given.partition("=")
            assert re.fullmatch(parameters[name].get("AllowedPattern", ".*"), value), given


def _environments() -> Iterator[tuple[str, Any]]:
    samconfig = tomllib.loads(Path("samconfig.toml").read_text("utf-8"))
    return ((name, one) for name, one in samconfig.items() if name != "version")


def test_a_bucket_to_go_on_with_is_asked_for_what_a_bucket_of_the_stack_has() -> None:
    text = Path("docs/operate.md").read_text("utf-8").split("## Remove and go on")[1]
    rows = re.findall(r"^\| (?!---|the bucket has)(.*?) \|", text, re.MULTILINE)
    own = Template.read().resolved(Template.read().properties("ReportBucket"))
    [lifecycle] = [row for row in rows if row.startswith("a lifecycle")]
    rules = {rule["Id"]: rule for rule in own["LifecycleConfiguration"]["Rules"]}

    assert f"`plans/` {rules['ForgetPlans']['ExpirationInDays']} days" in lifecycle
    old = rules["ForgetOldVersions"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    assert f"old versions {old} days" in lifecycle
    unfinished = rules["AbortUploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert f"unfinished uploads {unfinished} days" in lifecycle
    said = {
        "VersioningConfiguration": "versioning",
        "PublicAccessBlockConfiguration": "public access blocked",
        "OwnershipControls": "BucketOwnerEnforced",
        "BucketEncryption": "default encryption",
        "LifecycleConfiguration": "a lifecycle",
    }
    assert own.keys() == said.keys()
    assert all(any(words in row for row in rows) for words in said.values())


def test_no_secret_is_an_argument() -> None:
    text = "\n".join(LINES)

    assert "create-secret" in text
    assert not re.findall(r"--secret\b(?!-)|--secret-string (?!file://)|echo .*secret", text)


def test_what_holds_for_a_secret_ends_with_its_commands() -> None:
    [block] = [
        one
        for path in TEXTS
        for one in code_blocks(path.read_text("utf-8"), "sh")
        if "umask" in one
    ]

    assert block.startswith("(umask 077; read")
    assert block.endswith("rm secret.json)\n")


def test_git_ignores_every_file_that_a_command_writes() -> None:
    ignored = set(Path(".gitignore").read_text("utf-8").splitlines())
    copied = [shlex.split(line) for line in LINES if re.match(r"aws s3 (cp|sync) .*\"?s3://", line)]
    written = {
        *re.findall(r"> ([\w-]+\.json)$", "\n".join(LINES), re.MULTILINE),
        *(line.split()[-1] for line in LINES if "aws lambda invoke" in line),
        *(words[-1].split("/")[0] for words in copied if not words[-1].startswith("s3://")),
    } - {".", "-"}

    assert {"answer.json", "secret.json", "report.json", "copy", "newest"} <= written
    assert {f"/{name}" if "." in name else f"/{name}/" for name in written} <= ignored


def test_an_alarm_or_a_topic_is_listed_by_a_name_that_no_other_stack_has() -> None:
    text = "\n".join(LINES)

    assert "--alarm-name-prefix" not in text
    listed = set(re.findall(r"contains\(TopicArn, ':backup-audit-(\w+)-'\)", text))
    topics = {
        name
        for name, part in Template.read().resources.items()
        if part["Type"] == "AWS::SNS::Topic"
    }
    assert listed == topics


def test_a_deployment_that_goes_on_has_all_that_the_first_one_has() -> None:
    [first] = [line for line in shell_lines(TEXTS[0].read_text("utf-8")) if line in DEPLOYING]
    [again] = [line for line in DEPLOYING if "ExistingBucketName=" in line]

    assert set(shlex.split(again)) - set(shlex.split(first)) == {"ExistingBucketName=NAME"}
    assert set(shlex.split(first)) <= set(shlex.split(again))


def test_a_secret_is_written_for_its_owner_only_and_taken_away() -> None:
    masked, written, removed = (
        next(number for number, line in enumerate(LINES) if text in line)
        for text in ("umask 077", "> secret.json", "rm secret.json")
    )

    assert masked <= written < removed
