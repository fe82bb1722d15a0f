"""Where the configuration, the CA and the credentials can lie: each by an update of the stack."""

import json

import pytest

from tests.e2e.emulator import REGION
from tests.e2e.foundation import COUNTS, Foundation
from tests.e2e.inputs import Inputs
from tests.e2e.roles import decision
from tests.e2e.stack import Stack
from tools.local_cloud.names import FIRST_GUID


@pytest.mark.parametrize(
    ("configuration", "ca"), [("ssm", "ssm"), ("s3", "s3"), ("appconfig", "s3")]
)
def test_configuration_and_ca_are_read_from_where_the_addresses_say(
    suite_stack: Stack, inputs: Inputs, configuration: str, ca: str
) -> None:
    address = inputs.configurations[configuration]
    suite_stack.deploy(ConfigUri=address, CaBundleUri=inputs.cas[ca])

    answer = suite_stack.invoke({"notify": False})

    report = json.loads(suite_stack.read(answer["report"]["key"]))
    assert answer["counts"] == COUNTS
    assert report["plan"]["configuration_uri"] == address


def test_the_function_may_read_its_profile_in_appconfig_and_no_other(
    suite_stack: Stack, inputs: Inputs
) -> None:
    address = inputs.configurations["appconfig"]
    suite_stack.deploy(ConfigUri=address, CaBundleUri=inputs.cas["s3"])
    application, environment, profile = address.removeprefix("appconfig:").split("/")
    account = suite_stack.output("FunctionArn").split(":")[4]
    of_environment = (
        f"arn:aws:appconfig:{REGION}:{account}:application/{application}/environment/{environment}"
    )

    def may_read(name: str) -> set[str]:
        # By the simulator: ministack lets everybody read from AppConfig.
        return {
            decision(
                suite_stack,
                "AuditFunctionRole",
                f"appconfig:{action}",
                f"{of_environment}/configuration/{name}",
            )
            for action in ("StartConfigurationSession", "GetLatestConfiguration")
        }

    assert may_read(profile) == {"allowed"}
    assert may_read("other") == {"implicitDeny"}


def test_the_guids_of_a_parameter_are_a_configuration_too(suite_stack: Stack) -> None:
    suite_stack.deploy(ConfigUri="env:", InstanceGuids=f"{FIRST_GUID},not-there")

    answer = suite_stack.invoke({"dry_run": True})

    assert (answer["counts"]["stale"], answer["counts"]["not_found"]) == (1, 1)


def test_an_update_of_the_stack_keeps_the_bucket_and_its_objects(
    suite_stack: Stack, inputs: Inputs
) -> None:
    suite_stack.deploy()
    suite_stack.invoke({"notify": False})
    bucket, objects = suite_stack.bucket, suite_stack.objects()

    suite_stack.deploy(ConfigUri=inputs.configurations["s3"], ReportExpirationDays="0")

    assert (suite_stack.bucket, suite_stack.objects()) == (bucket, objects)


def test_the_credentials_of_the_secret_are_traded_for_a_token_at_uaa(
    stack: Stack, foundation: Foundation
) -> None:
    before = foundation.api.requests["/oauth/token"]
    anonymous = len(foundation.api.without_authorization)

    stack.invoke({"dry_run": True})

    assert foundation.api.requests["/oauth/token"] == before + 2  # for the inventory, and to audit
    assert all(
        not path.startswith("/v3/") for path in foundation.api.without_authorization[anonymous:]
    )
