"""The console's address of a report, in each partition."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from backup_audit.notify.links import console_address

KEY = "backup-audit/reports/dt=2026-01-31/run=20260131T050000Z/report.json"


def topic(partition: str, region: str) -> str:
    return f"arn:{partition}:sns:{region}:111122223333:backup-audit-Topic-1"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("aws", "us-east-1", "us-east-1.console.aws.amazon.com"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
    ],
)
def test_the_host_is_that_of_the_partition(partition: str, region: str, host: str) -> None:
    assert console_address("reports", KEY, topic(partition, region)) == (
        f"https://{host}/s3/object/reports?region={region}&prefix="
        "backup-audit/reports/dt%3D2026-01-31/run%3D20260131T050000Z/report.json"
    )


@pytest.mark.parametrize("partition", ["aws-iso", "aws-iso-b", "aws-eusc", ""])
def test_a_partition_whose_console_is_not_known_has_no_address(partition: str) -> None:
    assert console_address("reports", KEY, topic(partition, "us-iso-east-1")) is None


@pytest.mark.parametrize(
    "key", [KEY, "a b", "a+b", "a&region=x&prefix=y", "a#b?c=d", "zürich/早い", "100%25", "a/../b"]
)
def test_whatever_the_key_each_parameter_stands_once_and_says_what_it_is(key: str) -> None:
    address = console_address("my.bucket-1", key, topic("aws", "eu-west-1"))

    assert address
    assert address.isascii()
    assert " " not in address
    parts = urlsplit(address)
    assert unquote(parts.path) == "/s3/object/my.bucket-1"
    assert parse_qsl(parts.query) == [("region", "eu-west-1"), ("prefix", key)]
    assert not parts.fragment
