"""The evidence of a period in lines of text, each safe for a terminal; and its words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from backup_audit.text import at, brief_duration, instances, named, one_line, placed
from backup_audit_cli.period import (
    Chain,
    ConfigurationUsed,
    DayRange,
    Days,
    ExcludeSpan,
    MuteSpan,
    PeriodEvidence,
    PeriodProblem,
    Proof,
    RunRef,
    Used,
)

T = TypeVar("T")

_SHOWN_MAX = 20  # entries of a list; the JSON document has 5,000
_LONGEST = 300  # characters of a text of others

PROOFS: Mapping[Proof, str] = {
    Proof.PROVED: "proved",
    Proof.UNVOUCHED: "complete full runs that no later run vouches for",
    Proof.NOTHING_KNOWN: "complete full runs, in which no instance could be audited",
    Proof.INCOMPLETE: "full runs, and none of them complete",
    Proof.NO_RUN: "no full run",
    Proof.TO_COME: "not over yet, and no complete full run",
}
NOT_PROVED = (
    "That a backup is whole, or can be restored: nothing was restored.",
    "Anything about instances that the runs did not audit.",
    "That findings and tables are as they were written: backup-audit verify compares those.",
)
"""What no report of ours proves, in sentences."""


def text_of(evidence: PeriodEvidence) -> Iterator[str]:
    """The whole evidence; the sha256 of all that it rests on in the form of sha256sum."""
    yield evidence.answer
    yield title_of(evidence)
    yield f"Read from {_line(evidence.where)} at {at(evidence.made_at)} by {evidence.tool}"
    sections = {
        "Days": _days(evidence),
        "Runs": _runs(evidence),
        "Chain of reports": _chain(evidence.chain),
        "Problems": _problems(evidence),
        "Mutes in force": _some(map(_mute, evidence.mutes), len(evidence.mutes)),
        "Excludes in force": _some(map(_exclude, evidence.excludes), len(evidence.excludes)),
        "Versions, configurations, policy digests": _used(evidence),
        "Not proved by this": NOT_PROVED,
    }
    for title, lines in sections.items():
        found = list(lines) or ["none"]
        yield from ("", title, *(f"  {line}" for line in found))
    yield from ("", f"sha256 of what this rests on, below {_line(evidence.where)}")
    for one in evidence.rests_on:
        yield from (f"{kept.sha256}  {kept.key}" for kept in (one.report, one.manifest))


def title_of(evidence: PeriodEvidence) -> str:
    """What the document is, of which foundation and which days."""
    whose = f" of {_line(evidence.foundation)}" if evidence.foundation else ""
    return f"Evidence of the backup audit{whose}, {evidence.first_day} to {evidence.last_day} (UTC)"


def days_text(one: DayRange) -> str:
    """Days in a row that are not proved, and why."""
    if one.days == 1:
        return f"{one.first}: {PROOFS[one.proof]}"
    return f"{one.first} to {one.last} ({one.days:,} days): {PROOFS[one.proof]}"


def duration(seconds: int) -> str:
    """Seconds, as people say them."""
    return brief_duration(timedelta(seconds=seconds))


def selected(guid: str | None, match: object) -> str:
    """What a mute or an exclude is for: a GUID, or a selector as configured."""
    if guid is not None:
        return _line(guid)
    return _line(msgspec.json.encode(match).decode()) if match else "labels of instances"


def chain_text(chain: Chain) -> str:
    """Whether the chain holds, and how far it reaches."""
    if chain.newest is None:
        if chain.holds is None:
            return "There is no chain: no full run, in the period or after it"
        return "The chain is broken: no full run can be read, in the period or after it"
    state = "The chain holds" if chain.holds else "The chain is broken"
    other = " other" if chain.is_newest_within else ""
    runs = f"full run{'' if chain.vouched in (0, 1) else 's'}"
    count = f"{chain.vouched:,}" if chain.vouched else "no"
    whom = f"{count}{other} {runs} of the period"
    said = f"{state}: the newest full run, {chain.newest.run_id}, vouches for {whom}"
    if chain.is_newest_within:
        return f"{said}; for itself only a run to come will"
    return f"{said}, through each run between" if chain.vouched else said


def days_said(days: Days) -> str:
    """How many days the period has, and how many of them are proved."""
    whole = "complete full run that is the newest, or is vouched for"
    if days.count == 1:
        return f"1 day, which has {'a' if days.proved else 'no'} {whole}"
    has = "has" if days.proved == 1 else "have"
    return f"{days.count:,} days, of which {days.proved:,} {has} a {whole}"


def _days(evidence: PeriodEvidence) -> Iterator[str]:
    days = evidence.days
    yield days_said(days)
    yield from _some(map(days_text, days.not_proved), len(days.not_proved))


def _runs(evidence: PeriodEvidence) -> Iterator[str]:
    runs, lowest, gap = evidence.runs, evidence.lowest_coverage, evidence.longest_gap
    yield f"full: {runs.complete:,} complete, {runs.incomplete:,} incomplete"
    if runs.partial or runs.what_if:
        others = f"{runs.partial:,} partial, {runs.what_if:,} what-if"
        yield f"no evidence, and counted nowhere else: {others}"
    if runs.uncommitted or runs.unreadable:
        yield f"not committed: {runs.uncommitted:,}; damaged: {runs.unreadable:,}"
    if runs.gone:
        yield f"gone, though named by what is there: {runs.gone:,}"
    if lowest:
        audited = f"{lowest.audited:,} of {lowest.configured:,}"
        yield f"lowest coverage: {lowest.percent:g} % ({audited}), {_run(lowest.run)}"
    if gap:
        yield (
            f"longest time between two complete ones: {duration(gap.seconds)}, after "
            f"{_run(gap.after)}"
        )
    incomplete = (
        f"incomplete: {_run(one.run)}, {one.percent:g} %: {_line(one.why)}"
        for one in evidence.incomplete
    )
    yield from _some(incomplete, evidence.runs.incomplete)
    late = (
        f"made late: {_run(one.run)}, made {at(one.started_at)}, {duration(one.seconds)} later"
        for one in evidence.late
    )
    yield from _some(late, len(evidence.late) + evidence.left_out.get("late", 0))


def _chain(chain: Chain) -> Iterator[str]:
    yield chain_text(chain)
    faults = (f"FAULT: {_line(text)}" for text in chain.faults)
    yield from _some(faults, len(chain.faults))
    yield from _some((f"note: {_line(text)}" for text in chain.notes), len(chain.notes))
    others = (f"not vouched for: {_run(one)}" for one in chain.not_vouched)
    yield from _some(others, chain.not_vouched_count)


def _problems(evidence: PeriodEvidence) -> Iterator[str]:
    found = evidence.problems
    counts = f"{found.opened:,} opened, {found.ended_count:,} ended"
    if found.as_of is None:
        yield counts
        return
    yield f"{counts}, {found.open_count:,} open as of {_run(found.as_of)}; muted ones included"
    yield from _some(map(_open, found.open), found.open_count)
    yield from _some(map(_ended, found.ended), found.ended_count)


def _open(one: PeriodProblem) -> str:
    return f"open: {_problem(one)}, for {duration(one.seconds)}"


def _ended(one: PeriodProblem) -> str:
    ended = f"{one.ended}".replace("_", " ")
    return f"ended: {_problem(one)}, after {duration(one.seconds)}: {ended}"


def _problem(one: PeriodProblem) -> str:
    owner = f"owner {_line(one.owner)}" if one.owner else "no owner"
    muted = ", muted" if one.muted else ""
    where = placed(one.org, one.space)
    place = f" in {where}" if where else ""
    who = f"{named(one.guid, one.name)}{place}, {owner}{muted}"
    return f"{who}: {one.verdict} since {at(one.opened_at)}"


def _mute(one: MuteSpan) -> str:
    who = f"{selected(one.guid, one.match)}: {_line(one.reason)!r}, {_line(one.owner)}"
    return f"{who}, until {one.until}; {instances(one.instances)} at most; {_between(one)}"


def _exclude(one: ExcludeSpan) -> str:
    what = selected(None, one.match)
    why = f": {_line(one.reason)!r}, {_line(one.owner or '')}" if one.reason else ""
    until = f", until {_line(one.until)}" if one.until else ""
    return f"{what}{why}{until}; {instances(one.instances)} at most; {_between(one)}"


def _used(evidence: PeriodEvidence) -> Iterator[str]:
    yield from _some(f"{_line(one.value)}; {_between(one)}" for one in evidence.versions)
    configurations = (
        f"configuration {_line(one.uri)}, sha256 {_line(one.sha256)}; {_between(one)}"
        for one in evidence.configurations
    )
    yield from _some(configurations)
    policies = (f"policies {_line(one.value)}; {_between(one)}" for one in evidence.policies)
    yield from _some(policies)


def _between(one: MuteSpan | ExcludeSpan | Used | ConfigurationUsed) -> str:
    if one.runs == 1:
        return f"run {one.first.run_id}"
    return f"{one.runs:,} runs, {one.first.run_id} to {one.last.run_id}"


def _run(one: RunRef) -> str:
    return f"run {one.run_id} due {at(one.due_at)}"


def _some(lines: Iterable[str], count: int | None = None) -> Iterator[str]:
    """The first of some lines, and how many there are besides; `count` is of all."""
    found: Sequence[str] = list(lines)
    yield from found[:_SHOWN_MAX]
    more = (len(found) if count is None else count) - len(found[:_SHOWN_MAX])
    if more > 0:
        yield f"… and {more:,} more: --json and --html name them"


def _line(text: str) -> str:
    return one_line(text, _LONGEST)
