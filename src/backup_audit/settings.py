"""The settings: environment variables, read once into one frozen value.

template.yaml sets every one of them (a test holds that).
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from backup_audit.errors import InvalidSettings

T = TypeVar("T")

# More threads than this make it slower, not faster, in one Python process.
WORKERS_MAX = 96

DEFAULT_PREFIX = "backup-audit"

_HOST = r"[A-Za-z0-9][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+"  # a name, or an address of IPv4 or IPv6


class NotifyMode(StrEnum):
    """Whether a run sends digests, or a message for each problem instance."""

    DIGEST = "digest"
    FINDING = "finding"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment. Time-outs are seconds; `backups_limit` None sends no limit to the API.

    `requests_per_second` None: as many as `workers` at a time can send. `in_flight_max` and
    `batch_size` (instances) are for runs in many invocations.
    """

    api_url: str
    credentials_secret: str
    ca_bundle: str | None
    proxy_url: str | None
    config_uri: str
    instance_guids: tuple[str, ...]
    report_bucket: str
    report_prefix: str
    topic_arn: str
    notify_mode: NotifyMode
    foundation: str
    workers: int
    requests_per_second: float | None
    in_flight_max: int
    batch_size: int
    connect_timeout: float
    read_timeout: float
    backups_limit: int | None


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment; raise InvalidSettings that lists everything missing or bad."""
    reader = _Reader(environ)
    api_url = reader.required("CF_API_URL", secure_url)
    settings = {
        "api_url": api_url,
        "credentials_secret": reader.required("CF_CREDENTIALS_SECRET", str),
        "ca_bundle": reader.optional("CA_BUNDLE", str, None),
        "proxy_url": reader.optional("PROXY_URL", _proxy, None),
        "config_uri": reader.required("CONFIG_URI", _config_uri),
        "instance_guids": reader.optional("INSTANCE_GUIDS", _guids, None) or (),
        "report_bucket": reader.required("REPORT_BUCKET", str),
        "report_prefix": reader.optional("REPORT_PREFIX", _prefix, DEFAULT_PREFIX),
        "topic_arn": reader.required("TOPIC_ARN", _topic_arn),
        "notify_mode": reader.optional("NOTIFY_MODE", NotifyMode, NotifyMode.DIGEST),
        "foundation": reader.optional("FOUNDATION", _foundation, None),
        "workers": reader.optional("WORKERS", _whole(1, WORKERS_MAX), 32),
        "requests_per_second": reader.optional("REQUESTS_PER_SECOND", _rate, None),
        "in_flight_max": reader.optional("IN_FLIGHT_MAX", _whole(1, 1000), 96),
        "batch_size": reader.optional("BATCH_SIZE", _whole(1, 20_000), 5000),
        "connect_timeout": reader.optional("CONNECT_TIMEOUT_SECONDS", _seconds(60), 5.0),
        # The Cloud Controller waits 60 s for a broker; a little more lets its own error arrive.
        "read_timeout": reader.optional("READ_TIMEOUT_SECONDS", _seconds(300), 65.0),
        "backups_limit": reader.optional("BACKUPS_LIMIT", _whole(1, 10_000), None),
    }
    if settings["config_uri"] == "env:" and not settings["instance_guids"]:
        reader.faults.append("INSTANCE_GUIDS is not set: CONFIG_URI is env:, which reads it")
    if reader.faults:
        raise InvalidSettings(reader.faults)
    settings["foundation"] = foundation_of(environ)
    return msgspec.convert(settings, Settings)


def foundation_of(environ: Mapping[str, str]) -> str | None:
    """The name that messages and metrics give the foundation, even where other settings are bad.

    Without FOUNDATION it is the API's host.
    """
    stated = environ.get("FOUNDATION") or _host(environ.get("CF_API_URL", ""))
    return re.sub(r"[^A-Za-z0-9._-]", "-", stated)[:32] or None


def secure_url(text: str) -> str:
    """An https address without a trailing slash; http only for this machine (loopback)."""
    parts = _address(text)
    if parts is None or parts.query or parts.fragment or parts.username:
        raise ValueError("is not an address such as https://api.sys.example.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("must begin with https://")
    return text.rstrip("/")


class _Reader:
    """Reads variables one by one and collects the faults; an empty value counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def required(self, name: str, parse: Callable[[str], T]) -> T | None:
        if not self._environ.get(name):
            self.faults.append(f"{name} is not set: template.yaml sets it under Environment")
            return None
        return self.optional(name, parse, None)

    def optional(self, name: str, parse: Callable[[str], T], default: T | None) -> T | None:
        text = self._environ.get(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.faults.append(f"{name} {error}: {text[:100]!r}")
            return default


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _address(text: str) -> SplitResult | None:
    """The parts of an address, None if HTTP could not ask for it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    # By itself urlsplit leaves line feeds out, and takes most characters for a host's.
    usable = re.fullmatch(r"[!-~]+", text) and re.fullmatch(_HOST, parts.hostname or "")
    return parts if usable and port != 0 else None


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _config_uri(text: str) -> str:
    kinds = r"ssm:/?[\w./-]+|s3://[^/]+/.+|appconfig:[^/]+/[^/]+/[^/]+|file:.+|env:"
    if not re.fullmatch(kinds, text):
        raise ValueError(
            "is none of ssm:/name, s3://bucket/key, "
            "appconfig:application/environment/profile, file:path, env:"
        )
    return text


def _guids(text: str) -> tuple[str, ...]:
    return tuple(re.split(r"[,\s]+", text.strip(", \t\r\n"))) if text.strip(", \t\r\n") else ()


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", text):
        raise ValueError("is not a key prefix such as backup-audit or audits/prod")
    return text


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    more = parts.path.strip("/") or parts.username
    # `port` raises ValueError itself for what is none.
    if parts.scheme != "http" or not parts.hostname or more or parts.port == 0:
        raise ValueError("is not an address such as http://proxy.example.com:3128")
    return text


def _rate(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) <= 0:
        raise ValueError("is not a number of requests above 0")
    return float(text)


def _topic_arn(text: str) -> str:
    if not re.fullmatch(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+", text):
        raise ValueError("is not the ARN of an SNS topic")
    return text


def _foundation(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text):
        raise ValueError("is not 1 to 32 letters, digits and . _ -")
    return text


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _seconds(most: int) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= most:
            raise ValueError(f"is not a number of seconds above 0, at most {most}")
        return float(text)

    return parse
