"""The process's environment as Lambda would set it, for a while."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

REGION = "us-east-1"

# A person may set these for a local run; all others of settings.py belong to the local cloud.
LEFT_TO_THE_USER = ("DIGEST_PER_OWNER", "REMIND_EVERY", "RUNBOOK_URL", "WORKERS")

_DUMMY_AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    # No profile, end point or CA of this machine's user.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

_SETTINGS = (
    "CA_BUNDLE",
    "CF_API_URL",
    "CHAT_TOPIC_ARN",
    "CF_CREDENTIALS_SECRET",
    "CONFIG_URI",
    "EVENTS_TOPIC_ARN",
    "FOUNDATION",
    "INSTANCE_GUIDS",
    "READ_TIMEOUT_SECONDS",
    "REPORT_BUCKET",
    "REPORT_PREFIX",
    "TOPIC_ARN",
)


@contextmanager
def without_aws_account() -> Iterator[None]:
    """Dummy credentials and none of the machine's AWS or audit settings; all restored after."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name in _SETTINGS:
            del os.environ[name]
    os.environ.update(_DUMMY_AWS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def settings(values: Mapping[str, str]) -> Iterator[None]:
    """The function's settings; taken away after."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
