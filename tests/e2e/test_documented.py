"""What the docs tell a person to type, typed."""

import json
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.emulator import ROOT, Emulator
from tests.e2e.foundation import COUNTS, Foundation
from tests.e2e.inputs import Inputs
from tests.e2e.polling import eventually
from tests.e2e.sam import Sam
from tests.e2e.shell import Shell, filled_in, shown
from tests.e2e.stack import DEFAULTS, LATEST, Stack
from tools.commands import shell_lines

_RUN = 180.0  # seconds; it takes two on an idle machine
NEW = "backup-audit-new"
BUCKET_OF_EU = "reports-of-eu"


@pytest.fixture
def shell(aws: Emulator, tmp_path: Path) -> Shell:
    return Shell(aws, tmp_path)


@pytest.fixture
def new_stack_is_forgotten(aws: Emulator) -> Iterator[None]:
    """A change set that is not carried out leaves a stack without resources."""
    yield
    aws.client("cloudformation").delete_stack(StackName=NEW)


def sam_deploy(page: str, containing: str) -> list[str]:
    """The arguments of the one documented deployment that has such a text."""
    lines = shell_lines((ROOT / page).read_text("utf-8"))
    [line] = [line for line in lines if line.startswith("sam deploy") and containing in line]
    return shlex.split(line)[2:]


# ── Deployments ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("new_stack_is_forgotten")
def test_the_deployment_of_the_readme_sets_the_six_and_leaves_the_others_at_their_defaults(
    sam: Sam,
) -> None:
    arguments = sam_deploy("README.md", "CfApiUrl=")
    arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:backup-audit/api-AbCdEf"
    given = {"CfCredentialsSecretArn": arn, "NotificationEmail": "ops@example.com"}
    filled = [_filled_in(word, given) for word in arguments]

    sent = sam.change_set(NEW, *filled)

    assert sent == DEFAULTS | given | {
        "CfApiUrl": "https://api.sys.example.com",
        "ConfigUri": "ssm:/backup-audit/configuration",
        "CaBundleUri": "ssm:/backup-audit/ca",
        "Foundation": "prod-eu",
    }


def _filled_in(word: str, given: dict[str, str]) -> str:
    name, equals, _ = word.partition("=")
    return f"{name}={given[name]}" if equals and name in given else word


@pytest.mark.usefixtures("new_stack_is_forgotten")
@pytest.mark.parametrize(
    ("environment", "own"),
    [
        (
            "dev",
            {
                "ScheduleExpression": "none",
                "Foundation": "dev",
                "Workers": "4",
                "ConfigUri": "ssm:/backup-audit/dev/configuration",
                "ReportExpirationDays": "30",
                "LogRetentionDays": "14",
            },
        ),
        ("prod", {"Foundation": "prod", "ConfigUri": "ssm:/backup-audit/prod/configuration"}),
        (
            "eu",
            {
                "Foundation": "eu",
                "ConfigUri": "ssm:/backup-audit/eu/configuration",
                "ReportPrefix": "eu",
            },
        ),
        (
            "us",
            {
                "ExistingBucketName": BUCKET_OF_EU,
                "Foundation": "us",
                "ConfigUri": "ssm:/backup-audit/us/configuration",
                "ReportPrefix": "us",
            },
        ),
    ],
)
def test_a_first_deployment_of_an_environment_has_its_values_and_those_that_are_filled_in(
    sam: Sam, shell: Shell, inputs: Inputs, environment: str, own: dict[str, str]
) -> None:
    commands = shown("docs/configure.md", beginning="cp samconfig.toml")
    copy, deploy = commands.splitlines()
    (shell.folder / "samconfig.toml").write_text((ROOT / "samconfig.toml").read_text("utf-8"))
    shell.run(copy)
    local = shell.folder / "samconfig.local.toml"
    local.write_text(_with_what_has_no_default(local.read_text("utf-8"), inputs.secret_arn))
    arguments = shlex.split(filled_in(deploy, {"samconfig.local.toml": str(local)}))[2:]
    at = arguments.index("--config-env") + 1
    arguments[at] = environment

    sent = sam.change_set(NEW, *arguments)

    assert sent
    required = {name: sent[name] for name in ("CfApiUrl", "CfCredentialsSecretArn")}
    assert sent == DEFAULTS | required | own
    assert required["CfApiUrl"].startswith("https://api.sys.")
    assert required["CfCredentialsSecretArn"] == inputs.secret_arn


def _with_what_has_no_default(samconfig: str, secret_arn: str) -> str:
    """As docs/configure.md says: without the marks, and with values of one's own."""
    assert samconfig.count('    # "') == 9
    filled = samconfig.replace('    # "', '    "').replace("Arn=ARN", f"Arn={secret_arn}")
    return filled.replace("BucketName=NAME", f"BucketName={BUCKET_OF_EU}")


def test_an_upgrade_keeps_every_parameter(sam: Sam, suite_stack: Stack) -> None:
    suite_stack.deploy(Workers="16", ReportExpirationDays="30")
    *_, last = shown("docs/operate.md", beginning="git pull").splitlines()
    assert last.split()[:2] == ["sam", "deploy"]

    assert sam.change_set(suite_stack.name, *last.split()[2:]) is None


def test_one_parameter_is_changed_and_the_others_stay(sam: Sam, suite_stack: Stack) -> None:
    suite_stack.deploy(ReportExpirationDays="30")

    sent = sam.change_set(suite_stack.name, *sam_deploy("docs/configure.md", "Workers=16"))

    assert sent == suite_stack.parameters | {"Workers": "16"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ExistingBucketName": "reports", "ReportLock": "GOVERNANCE:1"}, "ReportLock must be"),
        (
            {"ExistingBucketName": "reports", "ReportExpirationDays": "30"},
            "ReportExpirationDays must be",
        ),
        ({"InstanceGuids": "a-guid"}, "InstanceGuids are read only"),
        ({"ConfigUri": "env:"}, "InstanceGuids must be given"),
        ({"MissedRunHours": "30"}, "MissedRunHours must be"),
    ],
)
def test_a_parameter_without_effect_is_refused_with_its_reason(
    sam: Sam, suite_stack: Stack, given: dict[str, str], said: str
) -> None:
    suite_stack.deploy()
    overrides = [f"{name}={value}" for name, value in given.items()]

    with pytest.raises(AssertionError, match=said):
        sam.change_set(suite_stack.name, "--parameter-overrides", *overrides)


# ── The first hour ────────────────────────────────────────────────────────────────────────────────


def test_the_secret_is_kept_and_leaves_no_file(shell: Shell, aws: Emulator) -> None:
    script = shown("README.md", beginning="(umask 077")
    own = {"backup-audit/api": "backup-audit/typed", "rm secret.json": "ls -l secret.json"}
    listed = shell.run(filled_in(script, own), "rm secret.json", stdin='one "secret"\\\n')

    kept = aws.client("secretsmanager").get_secret_value(SecretId="backup-audit/typed")
    assert json.loads(kept["SecretString"]) == {
        "client_id": "backup-audit",
        "client_secret": 'one "secret"\\',
    }
    assert stat.filemode(stat.S_IFREG | 0o600) in listed
    assert "rm secret.json" in script
    assert {path.name for path in shell.folder.iterdir()} == {"events"}


def test_the_configuration_is_kept_and_kept_again(shell: Shell, aws: Emulator) -> None:
    own = {"/backup-audit/configuration": "/backup-audit/typed"}
    first, again = (
        filled_in(next(line for line in script.splitlines() if "put-parameter" in line), own)
        for script in (
            shown("README.md", beginning="aws ssm put-parameter"),
            shown(
                "docs/configure.md", beginning="aws ssm put-parameter", naming="configuration.json"
            ),
        )
    )
    document = shell.folder / "configuration.json"

    for number, command in enumerate((first, again)):
        document.write_text(json.dumps({"instances": [f"guid-{number}"]}))
        shell.run(command)

    kept = aws.client("ssm").get_parameter(Name="/backup-audit/typed")["Parameter"]["Value"]
    assert json.loads(kept) == {"instances": ["guid-1"]}


def test_one_sees_that_it_works(shell: Shell, stack: Stack) -> None:
    names = filled_in(
        shown("docs/operate.md", beginning="output()"), {"--stack-name backup-audit": _named(stack)}
    )
    dry = shown("docs/operate.md", beginning="AWS_MAX_ATTEMPTS=1")
    start = shown("docs/operate.md", beginning='aws lambda invoke --function-name "$(output')
    look = shown("docs/operate.md", beginning='aws s3 cp "$(output LatestReportUri)"')
    before = json.loads(stack.read(LATEST))["run"]["run_id"] if LATEST in stack.objects() else ""

    shown_dry = shell.run(names, dry)
    shell.run(names, start)
    eventually(
        lambda: (
            LATEST in stack.objects() and json.loads(stack.read(LATEST))["run"]["run_id"] != before
        ),
        within=_RUN,
        what="the full run ends",
    )
    latest = json.loads(shell.run(names, look))

    assert json.loads(shown_dry[shown_dry.rindex("\n{\n") :])["counts"] == COUNTS
    assert latest["counts"] == COUNTS
    assert latest["run"] > before


def _named(stack: Stack) -> str:
    return f"--stack-name {stack.name}"


def test_the_answer_of_an_event_is_waited_for_once(
    shell: Shell, stack: Stack, foundation: Foundation
) -> None:
    script = shown("docs/invoke.md", beginning="AWS_MAX_ATTEMPTS=1", naming="dry-run.json")
    before = foundation.api.requests["/oauth/token"]

    shell.run(f"FUNCTION={stack.output('FunctionName')}", script)

    answer = json.loads((shell.folder / "answer.json").read_text("utf-8"))
    assert (answer["dry_run"], answer["counts"]) == (True, COUNTS)
    tokens = foundation.api.requests["/oauth/token"] - before
    assert tokens == 2  # of one run: for the inventory, and for the audit


def test_a_full_run_is_started_and_not_waited_for(shell: Shell, stack: Stack) -> None:
    script = shown("docs/invoke.md", beginning="FUNCTION=")
    before = set(stack.objects())

    said = shell.run(filled_in(script, {"--stack-name backup-audit": _named(stack)}))

    assert json.loads(said)["StatusCode"] == 202
    assert (shell.folder / "answer.json").read_bytes() == b""
    eventually(
        lambda: any(key.endswith("manifest.json") for key in stack.objects().keys() - before),
        within=_RUN,
        what="the full run ends",
    )
