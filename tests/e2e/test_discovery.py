"""A fleet that is discovered: its list is read over HTTPS, as far as the client's role goes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.emulator import Emulator
from tests.e2e.foundation import Foundation, discovered_foundation
from tests.e2e.inputs import Inputs, keep_in_s3
from tests.e2e.polling import eventually
from tests.e2e.stack import Stack
from tools.local_cloud.discovered import BEING_CREATED, GONE, HOSTILE, STALE, USER_PROVIDED
from tools.local_cloud.names import guid_of
from tools.local_cloud.places import space
from tools.local_cloud.roles import GLOBAL_AUDITOR, reader_of

_EXECUTION = 240.0  # seconds, some 30 batches on a busy machine
_UNAUDITED = 35
_SHOP = space("prod-eu", "shop")


@pytest.fixture(scope="module")
def teams() -> Iterator[Foundation]:
    """A foundation of which nobody keeps a list."""
    with discovered_foundation() as serving:
        yield serving


@pytest.fixture(scope="module")
def addresses(aws: Emulator, inputs: Inputs, teams: Foundation) -> dict[str, str]:
    """The parameters that lead to it; the inputs' bucket is there already."""
    configuration = json.dumps(teams.fleet.configuration)
    return {
        "CfApiUrl": teams.api.url,
        "CaBundleUri": keep_in_s3(aws, "teams-ca.pem", teams.ca_pem),
        "ConfigUri": keep_in_s3(aws, "teams.json", configuration),
        "CfCredentialsSecretArn": inputs.secret_arn,
    }


@pytest.fixture(scope="module")
def discovering(new_stack: Callable[..., Stack], addresses: dict[str, str]) -> Iterator[Stack]:
    """A stack that audits it in one invocation."""
    stack = new_stack("backup-audit-discovering", **addresses)
    stack.deploy()
    yield stack
    stack.delete()


@pytest.fixture(autouse=True)
def _whole_role(teams: Foundation) -> Iterator[None]:
    yield
    teams.api.role = GLOBAL_AUDITOR


def report_of(stack: Stack, answer: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(stack.read(answer["report"]["key"]))
    return report


def kept_fleet(stack: Stack, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of fleet.jsonl, which the manifest must name."""
    key = answer["report"]["key"].replace("report.json", "fleet.jsonl")
    manifest = json.loads(stack.read(key.replace("fleet.jsonl", "manifest.json")))
    assert key in {kept["key"] for kept in manifest["objects"]}
    return [json.loads(line) for line in stack.read(key).splitlines()]


def hold_the_first_report(stack: Stack, answer: dict[str, Any]) -> None:
    report = report_of(stack, answer)
    inventory = report["inventory"]
    findings = {finding["guid"]: finding for finding in report["findings"]}

    assert answer["complete"]
    assert (inventory["read"], inventory["sees"]) == ("complete", "all")
    assert inventory["user_provided"] == 1
    assert (inventory["unaudited"]["count"], inventory["unaudited"]["new"]) == (_UNAUDITED, 0)
    assert [one["instances"] for one in inventory["excluded"]] == [4, 16, 1]
    stale = findings[guid_of(STALE)]
    assert (stale["name"], stale["org"], stale["space"]) == ("orders-db", "prod-eu", "shop")
    assert (stale["offering"], stale["plan"]) == ("p.mysql", "db-gold-medium")
    assert findings[guid_of(USER_PROVIDED)]["verdict"] == "unsupported"
    assert findings[guid_of(GONE)]["verdict"] == "not_found"
    assert findings[guid_of(BEING_CREATED)]["verdict"] == "in_grace"
    assert findings[guid_of(HOSTILE)]["name"].startswith("=HYPERLINK")
    rows = kept_fleet(stack, answer)
    assert {row["guid"] for row in rows} >= findings.keys() - {guid_of(GONE)}


def test_a_fleet_is_discovered_and_audited_under_its_names(discovering: Stack) -> None:
    hold_the_first_report(discovering, discovering.invoke({"notify": False}))


def test_the_steps_of_the_state_machine_find_the_same(
    new_stack: Callable[..., Stack], addresses: dict[str, str]
) -> None:
    stack = new_stack("backup-audit-discovering-map", Mode="map", Workers="64", **addresses)
    stack.deploy()
    stack.set_variable("BATCH_SIZE", "50")
    client = stack.aws.client("stepfunctions")
    execution = client.start_execution(
        stateMachineArn=stack.output("StateMachineArn"), input=json.dumps({"notify": False})
    )["executionArn"]

    def described() -> dict[str, Any]:
        found: dict[str, Any] = client.describe_execution(executionArn=execution)
        return found

    eventually(
        lambda: described()["status"] != "RUNNING", within=_EXECUTION, what="the execution's end"
    )
    assert described()["status"] == "SUCCEEDED", described()
    hold_the_first_report(stack, json.loads(described()["output"]))
    stack.delete()


def test_a_client_that_lost_its_role_drops_nothing_from_the_fleet(
    discovering: Stack, teams: Foundation
) -> None:
    before = discovering.invoke({"notify": False})
    teams.api.role = reader_of(_SHOP)

    after = discovering.invoke({"notify": False})

    inventory = report_of(discovering, after)["inventory"]
    assert not after["complete"]
    assert inventory["sees"] == "its roles"
    assert inventory["lost"] > 100
    assert after["coverage"]["configured"] == before["coverage"]["configured"]


def test_a_client_with_a_role_in_one_space_audits_what_it_sees(
    new_stack: Callable[..., Stack], addresses: dict[str, str], teams: Foundation
) -> None:
    teams.api.role = reader_of(_SHOP)
    stack = new_stack("backup-audit-one-space", **addresses)
    stack.deploy()

    answer = stack.invoke({"notify": False})

    inventory = report_of(stack, answer)["inventory"]
    there = [one for one in teams.fleet.instances if one.is_there and one.space == _SHOP]
    assert inventory["sees"] == "its roles"
    assert inventory["managed"] == len([one for one in there if one.is_managed])
    assert {row["space"] for row in kept_fleet(stack, answer) if row.get("org")} == {"shop"}
    stack.delete()
