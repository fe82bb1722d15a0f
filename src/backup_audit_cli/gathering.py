"""Gathers what the reports of a period prove, run by run, each report read once as a stream."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime

import msgspec

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Scope
from backup_audit.strict import UNDECODABLE
from backup_audit_cli.bounded import Bounded, Longest
from backup_audit_cli.chain import Link, Remark, chain_of, check_chain, fault, newest_full, note
from backup_audit_cli.period import (
    Chain,
    Period,
    PeriodEvidence,
    PeriodProblem,
    Position,
    Problems,
    Proof,
    RestsOn,
    RunRef,
    Runs,
    answer_of,
    days_of,
)
from backup_audit_cli.runs import Place, Root, is_committed, opened, place_of
from backup_audit_cli.stored_run import StoredRun, stored_run
from backup_audit_cli.tally import Facts, Tally, of_open


class _FullRun(msgspec.Struct, frozen=True):
    """A full run of the period that is what its manifest describes.

    `knows`: an instance could be audited, or there was none to audit.
    """

    place: Place
    ref: RunRef
    complete: bool
    knows: bool
    sha256: str


class Gathering:
    """The evidence of one root, being gathered.

    Runs come in the order of their due times: first those of the period, then those after it.
    """

    def __init__(self, root: Root, period: Period) -> None:
        self._root = root
        self._period = period
        self._tally = Tally(period)
        self._links: list[Link] = []
        self._older: list[Link] = []
        self._full: list[_FullRun] = []
        self._rests_on: list[RestsOn] = []
        self._faults: Bounded[str] = Bounded()
        self._notes: Bounded[str] = Bounded()
        self._counts = dict.fromkeys(Scope, 0)
        self._uncommitted = self._unreadable = self._later = 0
        self._committed: set[Place] = set()
        self._gone: set[Place] = set()

    def of(self, made_at: datetime) -> PeriodEvidence:
        """Read the runs from the period's first day on; raise ReportStoreFailed."""
        days = self._root.days()
        for day in days:
            position = self._period.position(day)
            if position is not Position.BEFORE:
                for place, names in self._root.runs_on(day).items():
                    self._add(place, names, position)
        self._add_runs_before(days)
        self._miss_runs()
        return self._concluded(made_at)

    def _add(self, place: Place, names: AbstractSet[str], position: Position) -> None:
        """Read a run of the period, or after it, and take in what it says."""
        is_within = position is Position.WITHIN
        if not is_committed(names):
            if is_within:
                self._uncommitted += 1
                missing = "report.json" if "manifest.json" in names else "manifest.json"
                self._say(note(f"{place.key('')} has no {missing}: it is not committed"))
            return
        self._later += not is_within
        if is_within:
            self._committed.add(place)
        facts = Facts(self._period, self._tally.known_to) if is_within else None
        stored = self._stored(place, facts)
        if stored is None:
            self._unreadable += is_within
            return
        self._links.append(stored.link)
        self._rest_on(stored, position)
        if facts is not None:
            self._count(stored, facts)

    def _count(self, stored: StoredRun, facts: Facts) -> None:
        """Take in a run of the period, unless it proves nothing."""
        if stored.fault is not None:
            self._unreadable += 1
            self._say(fault(stored.fault))
            return
        head = stored.head
        self._counts[head.run.scope] += 1
        if head.run.scope is not Scope.FULL:
            return
        if self._tally.foundation not in (None, head.foundation):
            self._say(note(f"run {stored.ref.run_id} is of the foundation {head.foundation}"))
        coverage, sha256 = head.coverage, stored.report.sha256
        knows = coverage.audited > 0 or coverage.configured == 0
        self._full.append(_FullRun(stored.place, stored.ref, head.complete, knows, sha256))
        self._tally.add(head, facts)

    def _stored(self, place: Place, facts: Facts | None = None) -> StoredRun | None:
        """Read a committed run; None, and a fault, if it is damaged."""
        try:
            return stored_run(self._root, place, facts)
        except UNDECODABLE as error:
            self._say(fault(f"{place.key('report.json')} cannot be read: {error}"))
            return None

    def _add_runs_before(self, days: Sequence[str]) -> None:
        """Read the runs before the period that runs of the period follow.

        If one is gone, the newest that is there tells expiry from deletion.
        """
        known = {link.run_id for link in self._links}
        followed = [link.previous for link in self._links if link.previous]
        wanted = {one.run_id: one.report_key for one in followed if one.run_id not in known}
        places = {place for key in wanted.values() if (place := place_of(key))}
        for place in sorted(places):
            if self._period.position(place.day) is Position.BEFORE:
                self._add_before(place, self._root.runs_on(place.day).get(place, set()))
        if len(self._older) < len(wanted):
            self._add_newest_before(days, places)

    def _add_newest_before(self, days: Sequence[str], read: AbstractSet[Place]) -> None:
        before = [day for day in days if self._period.position(day) is Position.BEFORE]
        for day in reversed(before):
            for place, names in reversed(self._root.runs_on(day).items()):
                if place not in read and self._add_before(place, names):
                    return

    def _add_before(self, place: Place, names: AbstractSet[str]) -> bool:
        """Read a run before the period; whether it is there."""
        stored = self._stored(place) if is_committed(names) else None
        if stored is None:
            return False
        self._older.append(stored.link)
        self._rest_on(stored, Position.BEFORE)
        return True

    def _miss_runs(self) -> None:
        """Note which runs of the period are gone: others follow them, or they have a line."""
        followed = (link.previous for link in self._links if link.previous)
        for place in filter(None, (place_of(one.report_key) for one in followed)):
            self._miss(place)
        for day in self._root.days_of_lines():
            if self._period.position(day) is not Position.WITHIN:
                continue
            for place, key in self._root.lines_on(day).items():
                if self._miss(place):
                    self._say(note(f"{key} is there, and its run is not committed: it is gone"))

    def _miss(self, place: Place) -> bool:
        """Whether a run that was committed is of the period, and not there."""
        is_within = self._period.position(place.day) is Position.WITHIN
        if not is_within or place in self._committed:
            return False
        self._gone.add(place)
        return True

    def _rest_on(self, stored: StoredRun, position: Position) -> None:
        self._rests_on.append(
            RestsOn(
                run=stored.ref,
                scope=stored.head.run.scope,
                complete=stored.head.complete,
                position=position,
                report=stored.report,
                manifest=stored.manifest,
            )
        )

    def _say(self, remark: Remark) -> None:
        (self._faults if remark.is_fault else self._notes).add(remark.text)

    def _concluded(self, made_at: datetime) -> PeriodEvidence:
        problems = self._problems()
        vouched = self._vouched()
        chain = self._chain(vouched)
        days = days_of(self._period, self._proofs(vouched), made_at.date())
        runs, tally = self._runs(), self._tally
        left_out = {
            **tally.left_out,
            "faults": self._faults.left_out,
            "notes": self._notes.left_out,
        }
        return PeriodEvidence(
            made_at=made_at,
            where=self._root.where,
            foundation=tally.foundation,
            first_day=self._period.first,
            last_day=self._period.last,
            is_proved=bool(chain.holds) and days.proved == days.count and not runs.gone,
            answer=answer_of(self._period, days, runs, tally.lowest, chain),
            days=days,
            runs=runs,
            lowest_coverage=tally.lowest,
            longest_gap=tally.gap,
            incomplete=tuple(tally.incomplete.named),
            late=tuple(tally.late.named),
            chain=chain,
            problems=problems,
            mutes=tally.mutes,
            excludes=tally.excludes,
            versions=tally.versions,
            configurations=tally.configurations,
            policies=tally.policies,
            left_out={name: count for name, count in left_out.items() if count},
            rests_on=tuple(sorted(self._rests_on, key=lambda one: one.report.key)),
        )

    def _runs(self) -> Runs:
        complete = sum(one.complete for one in self._full)
        return Runs(
            complete=complete,
            incomplete=len(self._full) - complete,
            partial=self._counts[Scope.PARTIAL],
            what_if=self._counts[Scope.WHAT_IF],
            uncommitted=self._uncommitted,
            unreadable=self._unreadable,
            gone=len(self._gone),
        )

    def _vouched(self) -> list[Link]:
        """The runs that the newest full one vouches for: itself first. Says what breaks that."""
        for remark in check_chain(self._links, self._older):
            self._say(remark)
        newest = newest_full(self._links)
        return chain_of([*self._links, *self._older], newest) if newest else []

    def _chain(self, vouched: Sequence[Link]) -> Chain:
        newest = vouched[0] if vouched else None
        is_within = any(
            newest is not None and one.ref.run_id == newest.run_id for one in self._full
        )
        ids = {link.run_id for link in vouched}
        others: Bounded[RunRef] = Bounded()
        for one in self._full:
            if one.ref.run_id not in ids:
                others.add(one.ref)
        return Chain(
            holds=None if newest is None and not self._faults.count else not self._faults.count,
            newest=RunRef(newest.run_id, newest.due_at) if newest else None,
            is_newest_within=is_within,
            vouched=len(self._full) - others.count - is_within,
            not_vouched=tuple(others.named),
            not_vouched_count=others.count,
            later=self._later,
            faults=tuple(self._faults.named),
            notes=tuple(self._notes.named),
        )

    def _proofs(self, vouched: Sequence[Link]) -> Mapping[date, Proof]:
        """The best proof of each day that has a full run."""
        ids, ranks = {link.run_id for link in vouched}, list(Proof)
        proofs: dict[date, Proof] = {}
        for one in self._full:
            proof = _proof_of(one, is_vouched=one.ref.run_id in ids)
            day = one.ref.due_at.date()
            proofs[day] = min(proof, proofs.get(day, proof), key=ranks.index)
        return proofs

    def _problems(self) -> Problems:
        """The problems of the period; the last full run is read once more for what it left open."""
        ends, still = self._tally.ends, Longest(self._period.start)
        last = self._full[-1] if self._full else None
        for problem in self._left_open(last) if last else ():
            still.add(problem)
        return Problems(
            as_of=last.ref if last else None,
            opened=ends.opened + still.opened,
            ended_count=ends.count,
            ended=ends.named,
            open_count=still.count,
            open=still.named,
        )

    def _left_open(self, last: _FullRun) -> Iterator[PeriodProblem]:
        key = last.place.key("report.json")
        try:
            reader, body = opened(self._root, last.place)
            for finding in reader.findings():
                if finding.opened_at is not None and finding.is_problem:
                    yield of_open(finding, finding.opened_at)
            body.pass_on()
        except UNDECODABLE as error:
            self._say(fault(f"{key} cannot be read: {error}"))
            return
        if body.sha256 != last.sha256:
            raise ReportStoreFailed(f"{self._root.shown(key)} changed while it was read: try again")


def _proof_of(one: _FullRun, *, is_vouched: bool) -> Proof:
    """What a run proves of its day."""
    if not one.complete:
        return Proof.INCOMPLETE
    if not one.knows:
        return Proof.NOTHING_KNOWN
    return Proof.PROVED if is_vouched else Proof.UNVOUCHED
