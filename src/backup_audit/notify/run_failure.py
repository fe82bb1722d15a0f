"""A run that failed, for its readers: what is known of it, and its text for people."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.verdict import Severity
from backup_audit.notify.message import SUBJECT_MAX, Message, text_message
from backup_audit.report.failing import Failing
from backup_audit.text import at, format_duration, one_line, printable, wrapped

# Characters: a configuration can have thousands of faults, and a message must fit.
_REASON_MAX = 20_000
_CAUSE_MAX = 300  # characters that failing.json and one line of a digest have of it

# That one of these failed says nothing of the audit: somebody asked a question by hand.
_QUESTIONS = {Scope.PARTIAL: "partial run", Scope.WHAT_IF: "what-if"}

_FOREIGN = "an error that the audit does not know"


class RunFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed run. Times are UTC.

    `run` and `foundation` are None if they are not known. `error` is the error's type, `reason`
    what it says if it is ours: others may quote anything. `failing` is what failing.json has of a
    full run, this one included; None for others, and if it could not be asked.
    """

    run: Run | None
    foundation: str | None
    invocation_id: str
    failed_at: datetime
    error: str
    reason: str
    remind_every: timedelta
    runbook_url: str | None
    failing: Failing | None = None

    @property
    def is_full(self) -> bool:
        return self.run is not None and self.run.scope is Scope.FULL

    @property
    def id(self) -> str:
        """What its message ids begin with: the same for all attempts of a run."""
        which = self.run.run_id if self.run else self.invocation_id
        return f"{self.foundation}/{which}" if self.foundation else which

    @property
    def subject(self) -> str:
        """What a sentence says that it failed: "The backup audit of prod-eu", or a part of it."""
        audit = f"backup audit of {self.foundation or 'an unknown foundation'}"
        return f"A {self.question} of the {audit}" if self.question else f"The {audit}"

    @property
    def question(self) -> str | None:
        """What a run is called that is not full; None of a full one, or of one that is unknown."""
        return _QUESTIONS.get(self.run.scope) if self.run else None

    @property
    def cause(self) -> str:
        """Why it failed, in one line of 300 characters at the most."""
        return one_line(f"{self.error}: {self.reason}", _CAUSE_MAX)

    @property
    def runbook(self) -> str:
        """Where it stands what to do."""
        return f"{self.runbook_url or 'docs'}/runbook.md#failedrun"


def failure_of(
    error: Exception,
    *,
    run: Run | None,
    foundation: str | None,
    invocation_id: str,
    failed_at: datetime,
    remind_every: timedelta,
    runbook_url: str | None,
) -> RunFailure:
    """What is known of a failed run."""
    reason = printable(str(error)) if isinstance(error, AuditError) else _FOREIGN
    if len(reason) > _REASON_MAX:
        reason = reason[:_REASON_MAX] + "… (the log has the rest)"
    return RunFailure(
        run=run,
        foundation=foundation,
        invocation_id=invocation_id,
        failed_at=failed_at,
        error=type(error).__name__,
        reason=reason,
        remind_every=remind_every,
        runbook_url=runbook_url,
    )


def run_failed(failure: RunFailure) -> Message:
    """The message for people: why and what that means, since when, what to do."""
    return text_message(
        f"{failure.id}/run_failed",
        _subject(failure),
        [
            *(line for said in _happened(failure) for line in wrapped(said)),
            *_whole_reason(failure),
            "",
            f"What to do: {failure.runbook}",
            "The function's log has the rest.",
            *_what_comes(failure),
        ],
        event="run_failed",
        foundation=failure.foundation,
        severity=Severity.CRITICAL,
    )


def recovery_line(failing: Failing) -> str:
    """What the platform's digest says when full runs succeed again."""
    return f"{recovery(failing)} {_sentence(one_line(failing.cause, _CAUSE_MAX))}"


def recovery(failing: Failing) -> str:
    """The words of it that are ours: the cause follows, which may quote others."""
    if failing.runs == 1:
        return f"The audit works again: it failed once, at {at(failing.since)}, because"
    return (
        f"The audit works again: it failed {failing.runs:,} times since {at(failing.since)}, the "
        "last time because"
    )


def _subject(failure: RunFailure) -> str:
    """With the error's type, if there is room for all of it."""
    where = failure.foundation or "unknown foundation"
    said = f"[backup-audit] {where}: {_in_short(failure)}"
    with_error = f"{said} ({failure.error})"
    return with_error if len(with_error) <= SUBJECT_MAX else said


def _in_short(failure: RunFailure) -> str:
    failing = failure.failing
    if failure.question:
        return f"a {failure.question} failed"
    if failing is None or failing.runs == 1:
        return "the audit failed"
    return f"audit failing since {failing.since:%Y-%m-%d}, {failing.runs:,} runs"


def _happened(failure: RunFailure) -> Iterator[str]:
    why = _sentence(f"{failure.error}: {one_line(failure.reason, _CAUSE_MAX)}")
    yield f"{failure.subject} failed: {why}"
    if failure.is_full:
        yield "Nobody is notified of any backup until it works: silence is no good news."
    which = failure.run.run_id if failure.run else "without an id"
    yield f"It failed at {at(failure.failed_at)} (run {which})."
    if failure.failing is not None and failure.failing.runs > 1:
        failing = failure.failing
        yield f"Since {at(failing.since)} every full run has failed: {failing.runs:,} of them."


def _whole_reason(failure: RunFailure) -> Iterator[str]:
    """All that the error says, if the first sentence has a part of it alone."""
    if len(" ".join(failure.reason.split())) > _CAUSE_MAX:
        yield from ("", "All that it says:")
        yield from wrapped(failure.reason, "  ")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def _what_comes(failure: RunFailure) -> Iterator[str]:
    if failure.failing is not None:
        every = format_duration(failure.remind_every)
        yield (
            f"If it goes on, you are reminded after {every}. When it works again, you are notified."
        )
