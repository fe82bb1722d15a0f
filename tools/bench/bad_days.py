"""Bad days: brokers that hang, an API that refuses, a run whose time is over."""

import json
from collections.abc import Mapping
from pathlib import Path

import boto3

from tools.bench import simulated
from tools.bench.aws import configuration_uri
from tools.bench.invoke import invoke
from tools.bench.nginx import Server
from tools.bench.results import BadDays, Hanging

HANGING_FLEET = 1_001  # instances, one of which hangs
LAMBDA_SECONDS = 20


def bad_days(compiled: Path, server: Server, settings: Mapping[str, str]) -> BadDays:
    """Live through each."""
    return BadDays(
        silent=simulated.silent_instances(),
        refused_judged=simulated.refused_for_ever(),
        starved_runs=simulated.runs_until_all_are_judged(),
        hanging=_hanging(compiled, server, settings),
    )


def _hanging(compiled: Path, server: Server, settings: Mapping[str, str]) -> Hanging:
    """The packaged function over loopback, in real time."""
    of_run = {
        "CF_API_URL": server.hanging_api_url,
        "CONFIG_URI": configuration_uri(HANGING_FLEET),
        "REPORT_PREFIX": "hanging",
    }
    result = invoke(
        compiled, {**settings, **of_run}, HANGING_FLEET, hung=1, lambda_seconds=LAMBDA_SECONDS
    )
    return Hanging(
        known=result.healthy,
        not_reached=_not_reached(settings, result.report),
        seconds=round(result.seconds, 1),
    )


def _not_reached(settings: Mapping[str, str], address: Mapping[str, str]) -> int:
    """Of how many instances the report says that they were not reached."""
    s3 = boto3.client(
        "s3",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )
    report = json.loads(s3.get_object(Bucket=address["bucket"], Key=address["key"])["Body"].read())
    return sum("not reached" in finding["reason"] for finding in report["findings"])
