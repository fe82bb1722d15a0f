"""Checks a configuration: what a run would refuse, what it would only wonder about, how large."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from backup_audit.errors import InvalidConfiguration
from backup_audit.fleet.configuration import Configuration, loaded, parse_configuration
from backup_audit.fleet.doubts import (
    doubt_about_guid,
    doubts_about,
    doubts_beside_faults,
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
    misses = any(doubt_about_guid(instance.guid) for instance in configuration.instances)
    say("\n".join(_lines(name, configuration, len(body), misses=misses)))
    return ExitStatus.WRONG if misses else ExitStatus.FINE


def _refused(name: str, error: InvalidConfiguration, body: bytes) -> Iterator[str]:
    yield f"{name}: a run would refuse it"
    yield from (f"  FAULT: {fault}" for fault in error.faults)
    with suppress(ValueError):  # no JSON: that is the fault
        yield from _warnings(doubts_beside_faults(loaded(body), now().date()))


def _lines(name: str, configuration: Configuration, size: int, *, misses: bool) -> Iterator[str]:
    yield f"{name}: {', '.join(_counts(configuration))}; {size:,} bytes, {_room(size)}"
    doubts = doubts_about(configuration, now().date())
    yield from _warnings(doubts)
    warns = ", and warn" if doubts else ""
    found = ", warn, and find no instance by what is not a GUID"
    yield "  a run would take it" + (found if misses else warns)


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
