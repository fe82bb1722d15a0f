"""The settings: environment variables, read once into one frozen value.

template.yaml sets every one of them (a test checks that).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, field

from backup_audit.errors import InvalidSettings
from backup_audit.strict import NOT_AS_EXPECTED, read_strictly
from backup_audit.text import DURATION_PATTERN, parse_duration

# Requests that a foundation may ever be asked at a time, by all batches together.
_WORKERS_MAX = 1000

# Seconds. The Cloud Controller waits 60 s for a broker; a little more lets its own error arrive.
READ_TIMEOUT = 65.0

DEFAULT_PREFIX = "backup-audit"

# An address holds no user, no query and no fragment, and the characters of RFC 3986 only.
_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_PORT = (
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
_LOOPBACK = r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])"
_SECURE = rf"(https://{_NAME}|http://{_LOOPBACK}){_PORT}(/[!-\"$->@-~]*)?"
_URI = r"ssm:/?[\w./-]+|s3://[^/]+/.+|file:.+"


def _whole(pattern: str, description: str) -> Meta:
    return Meta(pattern=rf"^({pattern})$(?!\n)", description=description)


def _from_to(least: int, most: int) -> Meta:
    return Meta(ge=least, le=most, description=f"a whole number from {least} to {most}")


ApiUrl = Annotated[
    str,
    _whole(
        rf"(?!.*/v[0-9]+/*$){_SECURE}",
        "an https:// address such as https://api.sys.example.com, without /v3",
    ),
]
ProxyUrl = Annotated[
    str, _whole(rf"http://{_NAME}{_PORT}/?", "an address such as http://proxy.example.com:3128")
]


TopicArn = Annotated[
    str, _whole(r"arn:[\w-]+:sns:[\w-]+:[0-9]{12}:[\w-]+", "the ARN of a standard SNS topic")
]


_REMIND_EVERY = "24h"

RemindEvery = Annotated[
    str,
    Meta(
        pattern=r"^(?=.*[1-9])" + DURATION_PATTERN.removeprefix("^"),
        description='a duration longer than zero, such as "24h" or "7d"',
    ),
]


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """One deployment. A field is the variable of its name in capitals, or of `name=`.

    The topics are for people, for programs and for chat. `remind_every`: so long after a digest,
    open problems are named again. `runbook_url`: where the folder docs can be read, without a slash
    at its end. `requests_per_second` None: as many as `workers` at a time can send. `batch_size`
    (instances, at most) is for runs in many invocations.
    """

    api_url: ApiUrl = field(name="CF_API_URL")
    credentials_secret: Annotated[
        str, Meta(description="the ARN or the name of a secret in Secrets Manager")
    ] = field(name="CF_CREDENTIALS_SECRET")
    ca_bundle: (
        Annotated[str, _whole(_URI, "one of ssm:/name, s3://bucket/key, file:path")] | None
    ) = None
    proxy_url: ProxyUrl | None = None
    config_uri: Annotated[
        str,
        _whole(
            _URI + r"|appconfig:[^/]+/[^/]+/[^/]+|env:",
            "one of ssm:/name, s3://bucket/key, appconfig:application/environment/profile, "
            "file:path, env:",
        ),
    ]
    instance_guids: tuple[str, ...] = ()
    report_bucket: Annotated[str, Meta(description="the name of a bucket in S3")]
    report_prefix: Annotated[
        str,
        _whole(
            r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*",
            "a key prefix such as backup-audit or audits/prod",
        ),
    ] = DEFAULT_PREFIX
    topic_arn: TopicArn
    events_topic_arn: TopicArn | None = None
    chat_topic_arn: TopicArn | None = None
    remind_every: RemindEvery = _REMIND_EVERY
    digest_per_owner: Annotated[bool, Meta(description="true or false")] = False
    runbook_url: (
        Annotated[str, _whole(_SECURE, "the https:// address of the folder docs")] | None
    ) = None
    foundation: Annotated[
        str, _whole(r"[A-Za-z0-9._-]{1,32}", "1 to 32 letters, digits and . _ -")
    ] = ""
    workers: Annotated[int, _from_to(1, _WORKERS_MAX)] = 32
    requests_per_second: (
        Annotated[float, Meta(gt=0, le=99_999, description="a number of requests above 0")] | None
    ) = None
    batch_size: Annotated[int, _from_to(1, 20_000)] = 5000
    read_timeout: Annotated[
        float, Meta(gt=0, le=300, description="a number of seconds above 0, at most 300")
    ] = field(name="READ_TIMEOUT_SECONDS", default=READ_TIMEOUT)


_VARIABLES = tuple(one.encode_name for one in msgspec.structs.fields(Settings))


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; raise InvalidSettings that lists everything missing or bad.

    An empty value counts as not set.
    """
    stated: dict[str, object] = {name: environ[name] for name in _VARIABLES if environ.get(name)}
    guids = [guid for guid in re.split(r"[,\s]+", environ.get("INSTANCE_GUIDS", "")) if guid]
    stated |= {"INSTANCE_GUIDS": guids}
    settings, faults = read_strictly(stated, Settings, strict=False)
    if stated.get("CONFIG_URI") == "env:" and not guids:
        faults.append("INSTANCE_GUIDS is not set: CONFIG_URI is env:, which reads it")
    if settings is None or faults:
        raise InvalidSettings(_said(fault) for fault in faults)
    return msgspec.structs.replace(
        settings,
        api_url=settings.api_url.rstrip("/"),
        foundation=foundation_of(environ) or "",
        runbook_url=settings.runbook_url.rstrip("/") if settings.runbook_url else None,
    )


def _said(fault: str) -> str:
    """A fault for people: of a variable that is missing, what it must be."""
    return re.sub(r"^(\w+): missing", r"\1 is not set", fault)


def foundation_of(environ: Mapping[str, str]) -> str | None:
    """The name that messages and metrics give the foundation, even where other settings are bad.

    Without FOUNDATION it is the API's host.
    """
    stated = environ.get("FOUNDATION")
    if not stated:
        try:
            stated = urlsplit(environ.get("CF_API_URL", "")).hostname or ""
        except ValueError:
            return None
    return re.sub(r"[^A-Za-z0-9._-]", "-", stated)[:32] or None


def remind_every_of(environ: Mapping[str, str]) -> timedelta:
    """So long after a notification of what goes on, it is said again; the default if it is bad."""
    stated = environ.get("REMIND_EVERY") or _REMIND_EVERY
    try:
        return timedelta(seconds=parse_duration(msgspec.convert(stated, RemindEvery)))
    except NOT_AS_EXPECTED:
        return timedelta(seconds=parse_duration(_REMIND_EVERY))


def runbook_of(environ: Mapping[str, str]) -> str | None:
    """Where the folder docs can be read, without a slash at its end; None if that is bad."""
    try:
        return secure_url(environ.get("RUNBOOK_URL", ""))
    except ValueError:
        return None


def secure_url(text: str) -> str:
    """An https address without a trailing slash; http only for this machine (loopback)."""
    if not re.fullmatch(_SECURE, text):
        raise ValueError("is not an https:// address")
    return text.rstrip("/")
