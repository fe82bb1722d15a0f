"""The engine: asks the API for many instances at the same time.

Workers take the instances in their order and hand the evidence over as it comes; how many of them
ask at a time, and when, is the pacer's business, behind the API.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from backup_audit.errors import ApiUnreachable, AuditError, token_refused
from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import Answer, BackupList, Cause, Evidence, Refusal, Silence
from backup_audit.report.report import Report


class Telemetry(Protocol):
    """What operators see of a run besides its report: log lines and metrics."""

    def identified(self, run_id: str) -> None:
        """The run has an id, which every line bears from now on."""

    def started(self, instances: int) -> None:
        """So many instances will be asked for."""

    def progressed(self, done: int, total: int) -> None:
        """So many of them have been asked for."""

    def warned(self, warning: str) -> None:
        """Something is wrong that does not end the run."""

    def reported(self, report: Report, *, messages_sent: int) -> None:
        """The run is over and has its report."""

    def failed(self, error: Exception, foundation: str | None) -> None:
        """The run ended in an error; the foundation is None if the settings are unreadable."""


class BackupApi(Protocol):
    """The Cloud Controller, asked by several threads at the same time."""

    def list_backups(self, guid: str) -> Evidence:
        """Ask for an instance's backups.

        Whatever goes wrong with one instance is evidence. Raises CredentialsRefused or
        ApiUnreachable if no token can be had, CredentialsUnavailable if the secret is unusable.
        """

    def instance_created_at(self, guid: str) -> datetime | None:
        """When the instance was created (UTC), or None if that cannot be read."""

    def stop(self, reason: str) -> None:
        """Send no more requests: whoever waits, or asks on, gets silence with this reason."""

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, retries included."""

    @property
    def retries(self) -> int:
        """The retries among them."""


Probed = tuple[Instance, Evidence]

# Instances that may come to nothing before the first that does not; then the address is wrong, or
# the API is down for all, and asking on would only cost the run its time.
GIVE_UP_AFTER = 32

# Handed over together: to wake the reader for each answer would cost as much as to ask.
_TOGETHER = 16
_TOGETHER_WITHIN = timedelta(seconds=0.25)
_BUFFERED_MAX = 64  # hand-overs that may lie before the reader; then the workers wait for it


def probe(
    instances: Sequence[Instance], api: BackupApi, telemetry: Telemetry, *, workers: int
) -> Iterator[Probed]:
    """Yield every instance with its evidence, in the order in which the answers come.

    Raises CredentialsRefused or ApiUnreachable if the API answers for no instance at all, and
    what a worker raises.
    """
    crew = _Crew(instances, api, min(workers, len(instances)))
    try:
        for done, probed in enumerate(crew.results(), 1):
            telemetry.progressed(done, len(instances))
            yield probed
    finally:
        crew.dismiss()
    crew.hope.end()


class _Hope:
    """Whether the API answers at all; told by the workers, the moment that they know.

    An answer that is still to be handed over must count before silence that overtakes it.
    """

    def __init__(self) -> None:
        self._answered = False
        self._fruitless: list[Evidence] = []

    def note(self, evidence: Evidence) -> None:
        """Take note of what came; raise ApiUnreachable or CredentialsRefused if it is in vain."""
        if self._answered:
            return
        if _is_answer(evidence):
            self._answered = True
        elif _was_asked(evidence):
            self._fruitless.append(evidence)
            if len(self._fruitless) >= GIVE_UP_AFTER:
                self.end()
        else:
            self.end()  # nothing more will be asked

    def end(self) -> None:
        """Raise if whatever was asked for came to nothing."""
        if not self._answered and self._fruitless:
            raise _failure(self._fruitless)


class _Crew:
    """The workers of one probe."""

    def __init__(self, instances: Sequence[Instance], api: BackupApi, size: int) -> None:
        self._api = api
        self._size = size
        self._rest = iter(instances)
        self._taking = threading.Lock()
        # What comes: some results, an error of a worker, or None when a worker has gone.
        self._results: queue.Queue[list[Probed] | Exception | None] = queue.Queue(_BUFFERED_MAX)
        self._gone = 0
        self.hope = _Hope()
        for number in range(size):
            threading.Thread(target=self._work, name=f"probe-{number}", daemon=True).start()

    def results(self) -> Iterator[Probed]:
        """Yield what the workers find; raise what the first of them to fail raises."""
        while self._gone < self._size:
            result = self._results.get()
            if result is None:
                self._gone += 1
            elif isinstance(result, Exception):
                raise result
            else:
                yield from result

    def dismiss(self) -> None:
        """Let the workers go: they ask for nothing more, and nobody reads what they still find."""
        if self._gone == self._size:
            return
        with self._taking:
            self._rest = iter(())
        self._api.stop("the run was given up")
        while self._gone < self._size:
            self._gone += self._results.get() is None

    def _work(self) -> None:
        found: list[Probed] = []
        try:
            while (instance := self._next()) is not None:
                evidence = _ask(instance, self._api)
                self.hope.note(evidence)
                found.append((instance, evidence))
                if len(found) >= _TOGETHER or _took(found) >= _TOGETHER_WITHIN:
                    self._results.put(found)
                    found = []
            self._results.put(found)
        except Exception as error:  # noqa: BLE001  # raised again by the reader
            self._results.put(error)
        finally:
            self._results.put(None)

    def _next(self) -> Instance | None:
        with self._taking:
            return next(self._rest, None)


def _took(found: Sequence[Probed]) -> timedelta:
    return found[-1][1].observed_at - found[0][1].observed_at


def _ask(instance: Instance, api: BackupApi) -> Evidence:
    """List the backups; where a grace may excuse that there are none, ask for the age too."""
    evidence = api.list_backups(instance.guid)
    answer = evidence.answer
    if not isinstance(answer, BackupList) or answer.backups or not instance.policy.grace:
        return evidence
    created_at = api.instance_created_at(instance.guid)
    return msgspec.structs.replace(
        evidence, answer=msgspec.structs.replace(answer, instance_created_at=created_at)
    )


def _is_answer(evidence: Evidence) -> bool:
    """Whether the Cloud Controller itself answered, and not only to turn us away."""
    match evidence.answer:
        case BackupList():
            return True
        case Refusal(code=code):
            return code is not None and evidence.status not in (401, 429, 503)
        case _:
            return False


def _was_asked(evidence: Evidence) -> bool:
    answer = evidence.answer
    return not (isinstance(answer, Silence) and answer.cause is Cause.NOT_REACHED)


def _failure(fruitless: Sequence[Evidence]) -> AuditError:
    refused = [evidence for evidence in fruitless if evidence.status == 401]
    if refused:
        return token_refused(_said(refused[0]))
    suspects = "CF_API_URL, the network and the API's health"
    if all(_is_the_proxys(evidence.answer) for evidence in fruitless):
        suspects = "PROXY_URL, and that the proxy lets us through to CF_API_URL"
    return ApiUnreachable(
        f"none of the {len(fruitless)} instances asked got an answer from the Cloud Controller "
        f"(the first: {_said(fruitless[0])}): check {suspects}"
    )


def _is_the_proxys(answer: Answer) -> bool:
    return isinstance(answer, Silence) and answer.by_proxy


def _said(evidence: Evidence) -> str:
    match evidence.answer:
        case Refusal(code=code, title=title):
            named = f" {title} {code}" if code is not None else ""
            return f"HTTP {evidence.status}{named}"
        case Silence(detail=detail):
            return detail
        case BackupList():
            return "a list"
