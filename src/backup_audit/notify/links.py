"""Addresses in the AWS console that a person who is signed in can open."""

import shlex
from urllib.parse import quote, urlencode

import msgspec

from backup_audit.report.report import ReportAddress

# By partition. docs.aws.amazon.com/general/latest/gr/mgmt-console.html has the hosts by region; the
# other two partitions have a console of their own. Isolated partitions have hosts that are not
# published.
_HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}


def console_address(bucket: str, key: str, topic_arn: str) -> str | None:
    """Where the console shows an object of S3; None in a partition whose console is not known.

    Region and partition are those of the topic's ARN: the stack has bucket and topic in one region.
    AWS documents no such addresses. This is what the console itself shows for an object, without
    its parameter `bucketType`, which it does not need.
    """
    _, partition, _, region, _ = topic_arn.split(":", 4)
    host = _HOSTS.get(partition)
    if host is None:
        return None
    parameters = urlencode({"region": region, "prefix": key}, quote_via=quote, safe="/")
    return f"https://{host.format(region=region)}/s3/object/{quote(bucket)}?{parameters}"


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where readers of messages can read on.

    `runbook_url` is the address of the folder docs, null: it is named by its path. Region and
    partition of the console are those of `topic_arn`.
    """

    runbook_url: str | None
    topic_arn: str

    def command(self, address: ReportAddress) -> str:
        """What makes an address of a report that opens in any browser, for an hour."""
        region = self.topic_arn.split(":")[3]
        return f"aws s3 presign {shlex.quote(address.uri)} --region {region}"

    def report(self, address: ReportAddress) -> str | None:
        """Where the console shows a report, None if it is not known."""
        return console_address(address.bucket, address.key, self.topic_arn)
