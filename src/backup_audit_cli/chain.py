"""Whether the reports in a bucket are those that were written.

Each names the sha256 of the one before, so a change to a report is seen unless all reports after it
are changed too. Object Lock prevents that (docs/decisions/0007-chain-of-reports.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from backup_audit.fleet.run import Scope
from backup_audit.report.report import PreviousReport


class Remark(msgspec.Struct, frozen=True):
    """A sentence about a bucket: a fault, or something to know."""

    text: str
    is_fault: bool


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A committed run as the chain sees it: its own sha256, and those of the run before."""

    run_id: str
    scope: Scope
    due_at: datetime
    report_sha256: str
    manifest_sha256: str
    previous: PreviousReport | None


def fault(text: str) -> Remark:
    """Say that something is not as it was written."""
    return Remark(text, is_fault=True)


def note(text: str) -> Remark:
    """Say what a reader of the result should know."""
    return Remark(text, is_fault=False)


def check_chain(links: Sequence[Link], older: Sequence[Link] = ()) -> Iterator[Remark]:
    """Compare what each run says of the run before it with that run.

    `older` are compared with as well, and not checked themselves.
    """
    by_run = {link.run_id: link for link in (*older, *links)}
    for link in links:
        yield from _check(link, by_run)


def chain_of(links: Sequence[Link], newest: Link) -> list[Link]:
    """The runs that a run vouches for, each through the one after it: itself first.

    Nothing vouches for a run that was changed, nor for those before it.
    """
    by_run = {link.run_id: link for link in links}
    chain: list[Link] = []
    current: Link | None = newest
    while current is not None:
        chain.append(current)
        del by_run[current.run_id]
        current = _vouched(current.previous, by_run) if current.previous else None
    return chain


def _vouched(said: PreviousReport, by_run: Mapping[str, Link]) -> Link | None:
    before = by_run.get(said.run_id)
    return before if before is not None and not any(_differing(said, before)) else None


def newest_full(links: Sequence[Link]) -> Link | None:
    """The full run that latest.json should point at."""
    full = [link for link in links if link.scope is Scope.FULL]
    return max(full, key=lambda link: (link.due_at, link.run_id), default=None)


def _check(link: Link, by_run: Mapping[str, Link]) -> Iterator[Remark]:
    if link.previous is None:
        return
    before = by_run.get(link.previous.run_id)
    if before is None:
        yield _gone(link, link.previous.run_id, by_run)
        return
    for name in _differing(link.previous, before):
        yield fault(f"{name} of run {before.run_id} is not the one that run {link.run_id} followed")


def _differing(said: PreviousReport, before: Link) -> Iterator[str]:
    """Which objects of a run are not those that the run after it followed."""
    if said.report_sha256 != before.report_sha256:
        yield "report.json"
    if said.manifest_sha256 not in (None, before.manifest_sha256):
        yield "manifest.json"


def _gone(link: Link, run_id: str, by_run: Mapping[str, Link]) -> Remark:
    """Reports expire oldest first: one that is gone while older ones are there was deleted."""
    text = f"run {run_id}, which run {link.run_id} follows, is gone"
    older = [other.run_id for other in by_run.values() if other.due_at < link.due_at]
    if older:
        return fault(f"{text}, though older runs are there ({min(older)})")
    return note(f"{text}: the chain begins after it")
