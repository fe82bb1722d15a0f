"""One AWS, one foundation and one stack for the suite; a test says what it needs changed."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.emulator import Emulator, emulator
from tests.e2e.foundation import Foundation, sample_foundation
from tests.e2e.inputs import Inputs, keep_inputs
from tests.e2e.sam import Sam
from tests.e2e.stack import Stack

_STACKS = pytest.StashKey[list[Stack]]()


def pytest_configure(config: pytest.Config) -> None:
    """Remember whose log to show."""
    config.stash[_STACKS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here talks to servers on this machine."""
    for item in items:
        item.add_marker(pytest.mark.loopback)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the functions logged during a test that fails."""
    report = yield
    if report.failed:
        since = datetime.fromtimestamp(call.start, UTC)
        for stack in item.config.stash[_STACKS]:
            report.sections.append((f"log of {stack.name}", _log_or_reason(stack, since)))
            report.sections.append(("last words of ministack", stack.aws.last_words))
    return report


def _log_or_reason(stack: Stack, since: datetime) -> str:
    try:
        return stack.log(since)
    except (BotoCoreError, ClientError) as error:
        return f"none: {error}"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """For some 200 MB that no later run needs: packages, unpacked at every cold start."""
    with TemporaryDirectory(prefix="backup-audit-e2e-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def aws(folder: Path) -> Iterator[Emulator]:
    """An AWS account on this machine."""
    with emulator(folder / "aws") as running:
        yield running


@pytest.fixture(scope="session")
def foundation() -> Iterator[Foundation]:
    """The foundation to audit."""
    with sample_foundation() as serving:
        yield serving


@pytest.fixture(scope="session")
def inputs(aws: Emulator, foundation: Foundation) -> Inputs:
    """Secret, configuration and CA."""
    return keep_inputs(aws, foundation)


@pytest.fixture(scope="session")
def sam(aws: Emulator, folder: Path) -> Sam:
    """The SAM CLI, after `sam build`."""
    cli = Sam(aws, folder / "sam")
    cli.build()
    return cli


@pytest.fixture(scope="session")
def new_stack(
    request: pytest.FixtureRequest, aws: Emulator, sam: Sam, inputs: Inputs, foundation: Foundation
) -> Callable[..., Stack]:
    """Makes a stack that audits the foundation; it is not deployed yet."""

    def make(name: str, **changes: str) -> Stack:
        parameters = {
            "CfApiUrl": foundation.api.url,
            "CfCredentialsSecretArn": inputs.secret_arn,
            "CaBundleUri": inputs.cas["ssm"],
            "ConfigUri": inputs.configurations["ssm"],
            "Foundation": "e2e",
            "ScheduleExpression": "none",
        }
        stack = Stack(name, aws, sam, parameters | changes)
        request.config.stash[_STACKS].append(stack)
        return stack

    return make


@pytest.fixture(scope="session")
def suite_stack(new_stack: Callable[..., Stack]) -> Stack:
    """The stack that most tests share, with whatever parameters the last one left."""
    return new_stack("backup-audit")


@pytest.fixture
def stack(suite_stack: Stack) -> Stack:
    """The same, with its usual parameters."""
    suite_stack.deploy()
    return suite_stack
