"""What a deployment reads and does not own: the secret, the configuration, the CA."""

import json
from typing import Any

import msgspec

from tests.e2e.emulator import REGION, Emulator
from tests.e2e.foundation import DEAD, Foundation
from tools.local_cloud.simulated_cloud_controller import CLIENT_ID, CLIENT_SECRET

BUCKET = "backup-audit-inputs"

CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Inputs(msgspec.Struct, frozen=True):
    """Where they lie; the addresses by kind."""

    secret_arn: str
    configurations: dict[str, str]
    cas: dict[str, str]


def keep_inputs(aws: Emulator, foundation: Foundation) -> Inputs:
    """Put the secret into Secrets Manager, and the others everywhere they may lie."""
    configuration = json.dumps(foundation.fleet.configuration)
    secret = aws.client("secretsmanager").create_secret(
        Name="backup-audit/api", SecretString=json.dumps(CREDENTIALS)
    )
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return Inputs(
        secret_arn=secret["ARN"],
        configurations={
            "ssm": _in_ssm(aws, "/backup-audit/configuration", configuration),
            "s3": keep_in_s3(aws, "configuration.json", configuration),
            "appconfig": _in_appconfig(aws, configuration),
            "env": "env:",
            "with a dead batch": keep_in_s3(aws, "dead-batch.json", _with_a_dead_batch(foundation)),
        },
        cas={
            "ssm": _in_ssm(aws, "/backup-audit/ca", foundation.ca_pem),
            "s3": keep_in_s3(aws, "ca.pem", foundation.ca_pem),
        },
    )


def _with_a_dead_batch(foundation: Foundation) -> str:
    """Nine instances; in batches of three, nothing in the second gets an answer."""
    alive = [instance.guid for instance in foundation.fleet.instances[:6]]
    return json.dumps({"instances": [*alive[:3], *DEAD, *alive[3:]]})


def _in_ssm(aws: Emulator, name: str, text: str) -> str:
    aws.client("ssm").put_parameter(Name=name, Value=text, Type="SecureString")
    return f"ssm:{name}"


def keep_in_s3(aws: Emulator, key: str, text: str) -> str:
    """Put a document into the bucket of inputs; return its address."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    return f"s3://{BUCKET}/{key}"


def _in_appconfig(aws: Emulator, text: str) -> str:
    client: Any = aws.client("appconfig")
    application = client.create_application(Name="backup-audit")["Id"]
    environment = client.create_environment(ApplicationId=application, Name=REGION)["Id"]
    profile = client.create_configuration_profile(
        ApplicationId=application, Name="configuration", LocationUri="hosted"
    )["Id"]
    version = client.create_hosted_configuration_version(
        ApplicationId=application,
        ConfigurationProfileId=profile,
        Content=text.encode(),
        ContentType="application/json",
    )["VersionNumber"]
    client.start_deployment(
        ApplicationId=application,
        EnvironmentId=environment,
        ConfigurationProfileId=profile,
        ConfigurationVersion=str(version),
        DeploymentStrategyId="AppConfig.AllAtOnce",
    )
    return f"appconfig:{application}/{environment}/{profile}"
