"""The shell commands in a document, and whether the AWS CLI would understand them."""

import re
import shlex
from collections.abc import Iterator

from botocore import xform_name
from botocore.session import get_session

# Options of the CLI itself, whatever the operation.
_OF_THE_CLI = {"cli-read-timeout", "max-items", "output", "query"}
_OF_THE_CLI |= {"notification-endpoint"}  # what it calls the Endpoint of sns subscribe
_ENDS = {"|", ">", "}"}


def code_blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, without their indentation."""
    fenced = re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{block[1]}", "", block[2], flags=re.MULTILINE) for block in fenced]


def shell_lines(text: str) -> list[str]:
    """Every line of the blocks marked as shell, continued and quoted lines joined."""
    joined = "\n".join(code_blocks(text, "sh")).replace("\\\n", " ")
    lines: list[str] = []
    for line in joined.splitlines():
        if lines and lines[-1].count("'") % 2:
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(line.strip())
    return lines


def aws_commands(text: str) -> list[list[str]]:
    """Each command of the AWS CLI, in words; also those whose output another one uses."""
    return [command for line in shell_lines(text) for command in _in_line(line)]


def unknown_words(command: list[str]) -> set[str]:
    """What the AWS CLI would not know: the operation, or options of it."""
    _, service, name, *rest = command
    if service == "s3" and name in ("cp", "presign", "sync"):
        return set()
    model = get_session().get_service_model("s3" if service == "s3api" else service)
    operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
    if name not in operations:
        return {name}
    shape = model.operation_model(operations[name]).input_shape
    known = {xform_name(member, "-") for member in shape.members} if shape else set()
    return {word[2:] for word in rest if word.startswith("--")} - known - _OF_THE_CLI


def _in_line(line: str) -> Iterator[list[str]]:
    words = shlex.split(line)
    for index, word in enumerate(words):
        if word == "aws" or word.endswith("$(aws"):
            rest = words[index:]
            ends = [place for place, other in enumerate(rest) if other in _ENDS]
            yield rest[: min(ends, default=len(rest))]
