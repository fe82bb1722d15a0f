"""Checks a configuration: what a run would refuse, what it would only wonder about, how large."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import Configuration, loaded, parse_configuration
from backup_audit.fleet.doubts import (
    doubt_about_guid,
    doubts_about,
    doubts_beside_faults,
    misses_instances,
)
from backup_audit.wiring import now
from backup_audit_cli.documents import read_document
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.output import say

# Bytes of a parameter of SSM; what is larger is kept in S3 or AppConfig.
_STANDARD = 4 * 1024
_ADVANCED = 8 * 1024


def check(where: str) -> ExitStatus:
    """Print what is found; raise WrongUsage or ConfigurationUnavailable if it cannot be read."""
    body = read_document(where, "FILE")
    name = "standard input" if where == "-" else where
    try:
        configuration = parse_configuration(body, name)
    except InvalidConfiguration as error:
        say("\n".join(_refused(name, error, body)))
        return ExitStatus.WRONG
    say("\n".join(_lines(name, configuration, len(body))))
    return ExitStatus.WRONG if misses_instances(configuration) else ExitStatus.FINE


def _refused(name: str, error: InvalidConfiguration, body: bytes) -> Iterator[str]:
    yield f"{name}: a run would refuse it"
    yield from (f"  FAULT: {fault}" for fault in error.faults)
    with suppress(ValueError):  # no JSON: that is the fault
        yield from _warnings(doubts_beside_faults(loaded(body), now().date()))


def _lines(name: str, configuration: Configuration, size: int) -> Iterator[str]:
    yield f"{name}: {', '.join(_counts(configuration))}; {size:,} bytes, {_room(size)}"
    doubts = doubts_about(configuration, now().date())
    yield from _warnings(doubts)
    if configuration.exclude and configuration.is_scanned and not configuration.discover:
        what = "it silences news of instances that nobody audits"
        yield f"  note: without discover, exclude takes nothing out of the audit; {what}"
    yield f"  a run would take it{_what_then(configuration, warns=bool(doubts))}"


def _what_then(configuration: Configuration, *, warns: bool) -> str:
    if any(doubt_about_guid(instance.guid) for instance in configuration.instances):
        return ", warn, and find no instance by what is not a GUID"
    if misses_instances(configuration):
        return ", warn, and hardly fit an instance by what is no glob"
    return ", and warn" if warns else ""


def _counts(configuration: Configuration) -> Iterator[str]:
    """How many entries each key has; a key that nobody needs is left out if it has none."""
    if configuration.instances:
        yield _of(configuration.instances, "instance")
    if configuration.discover:
        yield f"{_of(configuration.discover, 'selector')} to discover"
    if configuration.exclude:
        yield _of(configuration.exclude, "exclude")
    if configuration.rules:
        yield _of(configuration.rules, "rule")
    yield _of(configuration.mutes, "mute")


def _warnings(doubts: Sequence[str]) -> Iterator[str]:
    return (f"  warning: {doubt}" for doubt in doubts)


def _of(found: tuple[object, ...], kind: str) -> str:
    return f"1 {kind}" if len(found) == 1 else f"{len(found):,} {kind}s"


def _room(size: int) -> str:
    if size <= _STANDARD:
        return f"fits a parameter of SSM ({_STANDARD:,})"
    most = f"({_ADVANCED:,} at the most)"
    if size <= _ADVANCED:
        return f"needs an advanced parameter of SSM {most}, S3 or AppConfig"
    return f"too large for SSM {most}: keep it in S3 or AppConfig"
