"""The environment, read once, strictly."""

import json
import re

import pytest

from backup_audit.errors import InvalidSettings
from backup_audit.settings import Settings, foundation_of, read_settings

REQUIRED = {
    "CF_API_URL": "https://api.sys.example.com",
    "CF_CREDENTIALS_SECRET": "backup-audit/api",
    "CONFIG_URI": "ssm:/backup-audit/configuration",
    "REPORT_BUCKET": "reports",
    "TOPIC_ARN": "arn:aws:sns:eu-central-1:111122223333:backup-audit",
}


def read(**more: str) -> Settings:
    return read_settings(REQUIRED | more)


def fault_of(**more: str) -> str:
    with pytest.raises(InvalidSettings) as raised:
        read(**more)
    [fault] = raised.value.faults
    return fault


def test_what_is_not_set_has_its_default() -> None:
    settings = read(WORKERS="", FOUNDATION="")

    assert settings.report_prefix == "backup-audit"
    assert (settings.events_topic_arn, settings.chat_topic_arn) == (None, None)
    assert settings.remind_every == "24h"
    assert settings.digest_per_owner is False
    assert settings.runbook_url is None
    assert settings.foundation == "api.sys.example.com"
    assert settings.workers == 32
    assert settings.read_timeout == 65.0
    assert settings.ca_bundle is None
    assert settings.requests_per_second is None
    assert settings.proxy_url is None


def test_every_variable_is_read() -> None:
    settings = read(
        CA_BUNDLE="ssm:/ca",
        REPORT_PREFIX="audits/prod",
        EVENTS_TOPIC_ARN=f"{REQUIRED['TOPIC_ARN']}-events",
        CHAT_TOPIC_ARN=f"{REQUIRED['TOPIC_ARN']}-chat",
        REMIND_EVERY="1d12h",
        DIGEST_PER_OWNER="true",
        RUNBOOK_URL="https://git.example.com/docs/",
        FOUNDATION="prod",
        WORKERS="96",
        REQUESTS_PER_SECOND="12.5",
        PROXY_URL="http://proxy.example.com:3128",
        READ_TIMEOUT_SECONDS="0.5",
        CONFIG_URI="env:",
        INSTANCE_GUIDS=" a, b\nc ,",
    )

    assert settings.ca_bundle == "ssm:/ca"
    assert settings.instance_guids == ("a", "b", "c")
    assert settings.events_topic_arn == f"{REQUIRED['TOPIC_ARN']}-events"
    assert settings.chat_topic_arn == f"{REQUIRED['TOPIC_ARN']}-chat"
    assert settings.remind_every == "1d12h"
    assert settings.digest_per_owner is True
    assert settings.runbook_url == "https://git.example.com/docs"
    assert settings.workers == 96
    assert settings.read_timeout == 0.5
    assert settings.requests_per_second == 12.5
    assert settings.proxy_url == "http://proxy.example.com:3128"


def test_everything_that_is_missing_is_told_at_once_with_what_it_must_be() -> None:
    with pytest.raises(InvalidSettings) as raised:
        read_settings({})

    assert [fault.split()[0] for fault in raised.value.faults] == list(REQUIRED)
    assert raised.value.faults[1] == (
        "CF_CREDENTIALS_SECRET is not set: the ARN or the name of a secret in Secrets Manager"
    )
    assert all(re.search(r" is not set: \w+ ", fault) for fault in raised.value.faults)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CF_API_URL", "http://api.sys.example.com"),
        ("CF_API_URL", "ftp://127.0.0.1"),
        ("CF_API_URL", "api.sys.example.com"),
        ("CF_API_URL", "https://user@api.example.com"),
        ("CF_API_URL", "https://api.example.com?x"),
        ("CF_API_URL", "https://[bad"),
        ("CF_API_URL", "https://api.example.com:65536"),
        ("CF_API_URL", "https://api.example.com:x"),
        ("CF_API_URL", "https://*"),
        ("CF_API_URL", "https://.example.com"),
        ("CF_API_URL", "https://api.example.com\r\nHost: x"),
        ("CF_API_URL", "https://api.example.com/a b"),
        ("CF_API_URL", "https://api.ex\u00e4mple.com"),
        ("CF_API_URL", "https://api.example.com\\x"),
        ("CF_API_URL", "https://api.example.com/v3"),
        ("CF_API_URL", "https://api.example.com:443/cf/v3/"),
        ("CONFIG_URI", "https://example.com/config"),
        ("CONFIG_URI", "ssm:"),
        ("CONFIG_URI", "s3://bucket"),
        ("CONFIG_URI", "appconfig:a/b"),
        ("REPORT_PREFIX", "/x"),
        ("REPORT_PREFIX", "x/"),
        ("REPORT_PREFIX", "a//b"),
        ("TOPIC_ARN", "backup-audit"),
        ("TOPIC_ARN", REQUIRED["TOPIC_ARN"] + ".fifo"),  # takes no e-mail addresses
        ("CA_BUNDLE", "/etc/ssl/ca.pem"),
        ("READ_TIMEOUT_SECONDS", "5 s"),
        ("BATCH_SIZE", "20001"),
        ("EVENTS_TOPIC_ARN", REQUIRED["TOPIC_ARN"] + ".fifo"),
        ("CHAT_TOPIC_ARN", "chat"),
        ("REMIND_EVERY", "0h"),
        ("REMIND_EVERY", "daily"),
        ("DIGEST_PER_OWNER", "sometimes"),
        ("RUNBOOK_URL", "http://git.example.com/docs"),
        ("RUNBOOK_URL", "docs"),
        ("FOUNDATION", "x" * 33),
        ("FOUNDATION", "a b"),
        ("WORKERS", "0"),
        ("WORKERS", "1001"),
        ("WORKERS", "many"),
        ("WORKERS", "٣"),
        ("READ_TIMEOUT_SECONDS", "0"),
        ("READ_TIMEOUT_SECONDS", "nan"),
        ("READ_TIMEOUT_SECONDS", "301"),
        ("REQUESTS_PER_SECOND", "0"),
        ("REQUESTS_PER_SECOND", "0.000"),
        ("REQUESTS_PER_SECOND", "fast"),
        ("REQUESTS_PER_SECOND", "-1"),
        ("PROXY_URL", "proxy.example.com:3128"),
        ("PROXY_URL", "https://proxy.example.com"),
        ("PROXY_URL", "http://proxy.example.com/path"),
        ("PROXY_URL", "http://somebody@proxy.example.com"),
        ("PROXY_URL", "http://proxy.example.com:0"),
        ("PROXY_URL", "http://proxy.example.com:65536"),
        ("PROXY_URL", "http://proxy.example.com:http"),
    ],
)
def test_a_bad_value_is_named_and_shown(variable: str, value: str) -> None:
    fault = fault_of(**{variable: value})

    shown = json.dumps(value, ensure_ascii=False)[:60]
    assert fault.startswith(f"{variable}: ")
    assert shown in fault or ("@" in value and "what is there" in fault)
    assert " is not " in fault


def test_everything_that_is_bad_is_told_at_once() -> None:
    with pytest.raises(InvalidSettings) as raised:
        read(WORKERS="many", CF_API_URL="", CONFIG_URI="env:", BATCH_SIZE="0")

    assert raised.value.faults == (
        (
            "CF_API_URL is not set: "
            "an https:// address such as https://api.sys.example.com, without /v3"
        ),
        'WORKERS: "many" is not a whole number from 1 to 1000',
        'BATCH_SIZE: "0" is not a whole number from 1 to 20000',
        "INSTANCE_GUIDS is not set: CONFIG_URI is env:, which reads it",
    )


@pytest.mark.parametrize("variable", ["CF_API_URL", "PROXY_URL"])
def test_a_password_in_an_address_is_not_shown(variable: str) -> None:
    fault = fault_of(**{variable: "https://somebody:canary-secret@example.com"})

    assert fault.startswith(f"{variable}: what is there is not ")
    assert "canary" not in fault


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"])
def test_loopback_may_be_asked_without_tls(url: str) -> None:
    assert read(CF_API_URL=url).api_url == url


def test_a_trailing_slash_of_the_address_is_dropped() -> None:
    assert read(CF_API_URL="https://api.example.com/").api_url == "https://api.example.com"


@pytest.mark.parametrize(
    "uri", ["ssm:/name", "s3://bucket/a/key.json", "appconfig:a/b/c", "file:config.json"]
)
def test_all_kinds_of_addresses_are_known(uri: str) -> None:
    assert read(CONFIG_URI=uri).config_uri == uri


def test_guids_in_the_environment_must_be_there() -> None:
    assert fault_of(CONFIG_URI="env:", INSTANCE_GUIDS=" , ").startswith("INSTANCE_GUIDS is not set")


@pytest.mark.parametrize(
    ("environ", "foundation"),
    [
        ({}, None),
        ({"CF_API_URL": "https://api.example.com"}, "api.example.com"),
        ({"CF_API_URL": "https://api.example.com", "FOUNDATION": "prod"}, "prod"),
        ({"FOUNDATION": "a b/c"}, "a-b-c"),
        ({"CF_API_URL": "https://[bad"}, None),
    ],
)
def test_a_failure_knows_the_foundation_as_far_as_it_can(
    environ: dict[str, str], foundation: str | None
) -> None:
    assert foundation_of(environ) == foundation


@pytest.mark.parametrize("path", ["/v3", "/v3/", "/v2", "/cf/v3"])
def test_an_address_with_the_version_of_the_api_is_to_be_written_without(path: str) -> None:
    assert fault_of(CF_API_URL=f"https://api.example.com{path}").endswith(
        "is not an https:// address such as https://api.sys.example.com, without /v3"
    )


@pytest.mark.parametrize("path", ["/cf", "/v3x", "/v3/cf", "/v"])
def test_an_address_may_have_another_path(path: str) -> None:
    assert read(CF_API_URL=f"https://api.example.com{path}").api_url.endswith(path)
