"""The errors that end a run.

A message says what is wrong, where, and what to do, and never holds a secret.
A failure with one instance is a finding and no error. HeartbeatFailed and SubscriptionsUnknown end
no run, so they are no AuditErrors.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator


class AuditError(Exception):
    """A run that cannot be carried out; the message is fit for people."""


class InvalidDocument(AuditError):
    """A document with faults, all of them at once.

    `faults` has each with its position. Many of one kind become one entry, and beyond 50 entries
    there is only the number: a log line and a queue's record must hold the error.
    """

    subject = "the document"

    def __init__(self, faults: Iterable[str], *, source: str | None = None) -> None:
        found = list(faults)
        self.faults = tuple(merged(found))
        named = f"{self.subject} {source}" if source else self.subject
        count = "1 fault" if len(found) == 1 else f"{len(found):,} faults"
        super().__init__(f"{named} has {count}: " + "; ".join(self.faults))


_NAMED_MAX = 50  # faults, or kinds of them
_EACH_MAX = 3  # faults of a kind that are named one by one
_PLACES_MAX = 20  # positions of a kind that are named; beyond, there is the first


_Line = tuple[int, str]  # how many faults came before it, and what is said


class _Kind:
    """The faults that say the same of different positions: their number, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[_Line] = []

    def add(self, at: int, fault: str) -> None:
        self.count += 1
        if self.count <= _PLACES_MAX:
            self._first.append((at, fault))

    def said(self, kind: str) -> Iterator[_Line]:
        if self.count <= _EACH_MAX:
            yield from self._first
            return
        places = [fault.partition(": ")[0] for _, fault in self._first]
        where = f"at {', '.join(places)}" if self.count <= _PLACES_MAX else f"first at {places[0]}"
        yield self._first[0][0], f"{self.count:,} × {kind}, {where}"  # noqa: RUF001


class _AlmostKind:
    """Faults that differ, beside their positions, in what they quote or refer to."""

    def __init__(self) -> None:
        self._all = _Kind()
        self._kinds: dict[str, _Kind] = {}

    def add(self, at: int, kind: str, fault: str) -> None:
        self._all.add(at, fault)
        if len(self._kinds) <= _PLACES_MAX:
            self._kinds.setdefault(kind, _Kind()).add(at, fault)

    def said(self, almost: str) -> Iterator[_Line]:
        if len(self._kinds) > _PLACES_MAX:
            yield from self._all.said(almost)
            return
        for kind, faults in self._kinds.items():
            yield from faults.said(kind)


def merged(faults: Iterable[str]) -> Iterator[str]:
    """Each fault, or a kind of them with its number and positions; 50 at the most.

    Of a kind only the first few are held: a document may have a fault in each of 100,000 lines.
    What a fault refers to, such as the rule that shadows another, is told apart as long as there
    are few of those.
    """
    found: dict[str, _AlmostKind] = {}
    more: Counter[str] = Counter()  # of the kinds after the first 50
    for at, fault in enumerate(faults):
        kind = _kind(fault)
        almost = _without_details(kind)
        if almost in found or len(found) < _NAMED_MAX:
            found.setdefault(almost, _AlmostKind()).add(at, kind, fault)
        else:
            more[almost] += 1
    said = sorted(line for almost, kinds in found.items() for line in kinds.said(almost))
    yield from (line for _, line in said[:_NAMED_MAX])
    left = len(said[_NAMED_MAX:]) + sum(
        count if count <= _EACH_MAX else 1 for count in more.values()
    )
    if left:
        yield f"and {left:,} more"


def _kind(fault: str) -> str:
    """A fault without the index and name of its position, and without the value that it quotes."""
    place, colon, what = fault.partition(": ")
    anywhere = re.sub(r"\[[0-9]+\]( \".*)?", "[]", place)
    what = re.sub(r"^.*(?= is (not|listed already) )", "…", what, count=1)
    return f"{anywhere}{colon}{what}"


def _without_details(kind: str) -> str:
    """A kind without the indexes, texts and days that it refers to."""
    return re.sub(r"\[[0-9]+\]", "[]", re.sub(r'"[^"]*"|[0-9]{4}-[0-9]{2}-[0-9]{2}', "…", kind))


class InvalidEvent(InvalidDocument):
    """The event breaks its contract (docs/schemas/event.schema.json)."""

    subject = "the event"


class InvalidSettings(InvalidDocument):
    """Environment variables are missing or bad; each fault names one."""

    subject = "the environment"


class InvalidConfiguration(InvalidDocument):
    """The configuration breaks its contract (docs/schemas/configuration.schema.json)."""

    subject = "the configuration"


class ConfigurationUnavailable(AuditError):
    """The configuration, or the CA bundle, could not be read."""


class CredentialsUnavailable(AuditError):
    """The secret with the credentials could not be read, or has the wrong shape."""


class CredentialsRefused(AuditError):
    """UAA or the Cloud Controller refuses the credentials."""


class ApiUnreachable(AuditError):
    """The Cloud Controller or its UAA gave no usable answer for anything."""


class InventoryUnavailable(AuditError):
    """Nothing is known of the instances to discover: no reading, and no fleet of an earlier run."""


class EmptyFleet(AuditError):
    """There is no instance to audit."""


class BatchesFailed(AuditError):
    """Every batch of a run failed for good: the message has the reasons that are known."""


class ReportStoreFailed(AuditError):
    """An object could not be read from, or written to, the report bucket."""


class NotificationFailed(AuditError):
    """SNS did not take every message."""


class HeartbeatFailed(Exception):
    """The dead man's switch did not take a heartbeat: a warning, since the run is over by then."""


class SubscriptionsUnknown(Exception):
    """SNS did not say how many subscribe to a topic: a warning.

    `answered`: it refused, and may say more of other topics; else it was not even reached.
    """

    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered


def named(error: Exception) -> str:
    """An error's kind, and what it says if it is one of ours: others may quote anything."""
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, AuditError) else kind


def token_refused(said: str, asked: int) -> CredentialsRefused:
    """The Cloud Controller does not accept the token that UAA, or the secret, gave."""
    instances = "the instance asked" if asked == 1 else f"each of {asked} instances asked"
    return CredentialsRefused(
        f"the Cloud Controller refuses our token for {instances} ({said}): a token ends, and is "
        "for one foundation; a client needs cloud_controller.global_auditor or "
        "cloud_controller.admin_read_only"
    )
