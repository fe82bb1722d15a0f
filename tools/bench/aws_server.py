"""The process that aws.py starts: moto as a server, with what a deployed function needs.

It prints the function's environment, and runs until its standard input ends.
"""

import json
import logging
import os
import sys

import boto3
import msgspec
from moto.server import ThreadedMotoServer

from tools.bench.aws import Wanted, configuration_uri
from tools.bench.discovered import row
from tools.bench.target import AUTHORIZATION
from tools.local_cloud.aws import LocalAws
from tools.local_cloud.environment import without_aws_account


def _serve(wanted: Wanted) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it prints every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with without_aws_account():
        os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
        aws = LocalAws(json.dumps(_configuration(1)).encode(), {"authorization": AUTHORIZATION})
        _keep_configurations(wanted.sizes)
        of_aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        print(json.dumps(of_aws | aws.settings(wanted.api_url)), flush=True)
        sys.stdin.read()


def _keep_configurations(sizes: list[int]) -> None:
    s3 = boto3.client("s3")
    for size in sizes:
        bucket, _, key = configuration_uri(size).removeprefix("s3://").partition("/")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(_configuration(size)).encode())


def _configuration(instances: int) -> dict[str, list[str]]:
    return {"instances": [row(number).guid for number in range(instances)]}


if __name__ == "__main__":
    _serve(msgspec.json.decode(sys.stdin.buffer.readline(), type=Wanted))
