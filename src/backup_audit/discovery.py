"""Finds out which instances a run audits: from the inventory, the configuration, the last fleet.

A verdict never rests on the inventory. What cannot be read of it takes no instance from the fleet:
then those go on that are listed, those of the last fleet, and what was read.
docs/decisions/0012-inventory.md has the reasons.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

import msgspec

from backup_audit.errors import EmptyFleet, InventoryUnavailable
from backup_audit.fleet.configuration import Configuration
from backup_audit.fleet.inventory import (
    InventoryReader,
    Read,
    Reading,
    ServiceInstance,
)
from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import AuditRequest, Run
from backup_audit.fleet.selection import Decision, Selection, Standing
from backup_audit.report.changes import Ended, OpenProblem
from backup_audit.report.drift import (
    NO_FLEET,
    NOT_READ,
    Departure,
    Departures,
    FleetRow,
    InventoryRecord,
    LastFleet,
    appeared,
    departed,
    fleet_row,
    has_left,
    is_lost_role,
    unaudited,
)
from backup_audit.text import instances

Rows = Mapping[str, ServiceInstance]  # by GUID

# Reads the last fleet, given what was read of this one and which of its rows are wanted.
Recall = Callable[[Rows, Callable[[FleetRow], bool]], LastFleet]


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet of a run: the listed instances in their order, then those discovered, by GUID.

    `left` says how instances with an open problem left, by GUID. `rows` gives the lines of
    fleet.jsonl. `warnings` say what of the inventory could not be had, `doubts` what the
    configuration hardly means, now that the inventory is known.
    """

    audited: list[Decision]
    mutes: tuple[MuteRecord, ...]
    inventory: InventoryRecord
    left: Mapping[str, Ended]
    rows: Callable[[], Iterator[FleetRow]]
    warnings: tuple[str, ...]
    doubts: tuple[str, ...]


class _Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, and the last fleet as far as it is needed.

    `reading` is that of the list, or of the look-up where there was no scan. `managed` counts what
    the scan found, None unless `read` is complete; `requests` are those of all readings together.
    """

    read: Read
    why: str | None
    rows: dict[str, ServiceInstance]
    last: LastFleet
    reading: Reading
    requests: int
    managed: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether what it lacks is not there."""
        return self.read in (Read.COMPLETE, Read.LISTED)


def fleet_of(
    request: AuditRequest,
    run: Run,
    configuration: Configuration,
    reader: InventoryReader,
    *,
    recall: Recall,
    problems: Mapping[str, OpenProblem],
    compares: bool,
) -> Fleet:
    """Find out which instances a run audits, and what changed since the last fleet.

    `problems` are those of the last full report, by GUID. `compares`: whether the last fleet counts
    where the inventory is complete; else only what cannot be read is taken from it. Raise
    InventoryUnavailable if nothing is known of what is to be discovered, and EmptyFleet if there is
    nothing to audit.
    """
    today, asked = run.started_at.date(), bool(request.instance_guids)
    selection = Selection(
        configuration,
        today,
        max_age=request.max_age,
        problems=problems.keys() if compares else None,
    )
    configured = [instance.guid for instance in configuration.instances]
    listed = dict.fromkeys(request.instance_guids or configured)
    if asked or not configuration.is_scanned:
        inventory = _looked_up(reader, selection.label_keys, listed, recall)
    else:
        inventory = _scanned(reader, selection.label_keys, listed, recall, compares=compares)
        if configuration.discover:
            _refuse_to_guess(inventory)
    ours = _Selected(selection, inventory, listed, asked=asked)
    ours.decide(problems, run.due_at)
    if not ours.audited:
        raise EmptyFleet(_why_empty(inventory, selection))
    return Fleet(
        audited=ours.audited,
        mutes=selection.mute_records(is_whole=inventory.is_whole and not asked),
        inventory=ours.record(compares=compares),
        left=ours.left,
        rows=ours.rows,
        warnings=tuple(_warnings(inventory)),
        doubts=selection.warnings() if inventory.is_whole and not asked else (),
    )


def _looked_up(
    reader: InventoryReader, labels: Collection[str], guids: Collection[str], recall: Recall
) -> _Inventory:
    """Look these instances up; what cannot be had is taken from the last fleet."""
    reading = reader.look_up(tuple(guids), labels)
    rows, is_whole = dict(reading.rows), reading.read is Read.COMPLETE
    last = NO_FLEET if is_whole else recall(rows, lambda row: row.guid in guids)
    return _Inventory(
        read=Read.LISTED if is_whole else reading.read,
        why=reading.why_in_short,
        rows=rows,
        last=last,
        reading=reading,
        requests=reading.requests,
    )


def _scanned(
    reader: InventoryReader,
    labels: Collection[str],
    listed: Collection[str],
    recall: Recall,
    *,
    compares: bool,
) -> _Inventory:
    """Scan; look up what is missing of the list and of the last fleet."""
    scan = reader.scan(labels)
    rows = dict(scan.rows)
    if scan.read is not Read.COMPLETE:
        return _Inventory(
            read=scan.read,
            why=scan.why_in_short,
            rows=rows,
            last=recall(rows, lambda row: row.guid not in rows or _is_audited(row)),
            reading=scan,
            requests=scan.requests,
        )

    def is_missed(row: FleetRow) -> bool:
        return row.guid not in rows and (_is_audited(row) or row.guid in listed)

    last = recall(rows, is_missed) if compares else NO_FLEET
    missing = dict.fromkeys((*(guid for guid in listed if guid not in rows), *last.rows))
    again = reader.look_up(tuple(missing), labels) if missing else None
    is_whole, why = True, None
    if again is not None:
        rows.update(again.rows)
        is_whole = again.read is Read.COMPLETE
        why = None if is_whole else f"instances that the list lacks: {again.why_in_short}"
    return _Inventory(
        read=Read.COMPLETE if is_whole else Read.PARTIAL,
        why=why,
        rows=rows,
        last=last,
        reading=scan,
        requests=scan.requests + (again.requests if again else 0),
        managed=len(scan.rows) if is_whole else None,
    )


class _Selected:
    """Decides for every instance of an inventory, and keeps what the decisions were."""

    def __init__(
        self,
        selection: Selection,
        inventory: _Inventory,
        listed: Mapping[str, object],
        *,
        asked: bool,
    ) -> None:
        self._selection = selection
        self._inventory = inventory
        self._listed = listed
        self._asked = asked
        self._decisions: dict[str, Decision] = {}
        self._disappeared: frozenset[str] = frozenset()
        self._left = Departures()
        self._lost = 0
        self.audited: list[Decision] = []
        self.left: dict[str, Ended] = {}

    def decide(self, problems: Mapping[str, OpenProblem], due_at: datetime) -> None:
        """Decide for all, once."""
        rows, last = self._inventory.rows, self._inventory.last
        if self._inventory.read is Read.COMPLETE:
            self._disappeared = frozenset(filter(self._has_disappeared, last.rows))
            self._lost = self._count_lost(problems, due_at)
        others = {guid for guid in (*rows, *last.rows) if guid not in self._listed}
        for guid in (*self._listed, *sorted(others)):
            if guid in rows:
                self._decide_present(guid, rows[guid], problems.get(guid))
            elif guid in others and self._inventory.is_whole:
                self._decide_absent(last.rows[guid], problems.get(guid), due_at)
            else:
                self._take(guid, self._decision(guid, last.rows.get(guid), is_fresh=False))

    def record(self, *, compares: bool) -> InventoryRecord:
        """What the report says of it."""
        inventory = self._inventory
        rows, last, reading = inventory.rows, inventory.last, inventory.reading
        is_complete = inventory.read is Read.COMPLETE
        is_compared = is_complete and compares and last.is_known
        read_at = reading.read_at.replace(microsecond=0) if is_complete else last.scanned_at
        return InventoryRecord(
            read=inventory.read,
            why=inventory.why,
            read_at=read_at,
            requests=inventory.requests,
            sees=reading.sees,
            managed=inventory.managed,
            user_provided=reading.user_provided if is_complete else None,
            appeared=appeared(rows, self._standing_of, last) if is_compared else None,
            vanished=self._left.named if is_compared else None,
            vanished_count=self._left.count if is_compared else None,
            left=self._left.left if is_compared else None,
            lost=self._lost,
            unaudited=unaudited(rows, self._standing_of, last) if is_complete else None,
            excluded=[] if self._asked else self._selection.exclude_uses(),
            rules=[] if self._asked else self._selection.rule_uses(),
        )

    def rows(self) -> Iterator[FleetRow]:
        """The lines of fleet.jsonl: the state of the next run.

        Where the inventory is not whole, an instance keeps the standing that it had: what became of
        it is said by the next complete one, and so is what is there and was not before.
        """
        is_whole, last = self._inventory.is_whole, self._inventory.last
        for guid, row in self._inventory.rows.items():
            decision = self._decisions[guid]
            standing: Standing | None = decision.standing
            if not is_whole and standing is not Standing.AUDITED:
                standing = last.standings.get(guid)
            if standing is not None:
                place = decision.place if standing is decision.standing else None
                yield fleet_row(row, standing, place=place)
        for guid, row in last.rows.items():
            if guid in self._inventory.rows:
                continue
            decided = self._decisions.get(guid)
            if decided is not None and decided.standing is Standing.AUDITED:
                absent = is_whole or row.absent
                yield fleet_row(row, Standing.AUDITED, place=decided.place, absent=absent)
            elif not is_whole:
                yield row

    def _has_disappeared(self, guid: str) -> bool:
        """Whether the inventory lacks an instance that was audited and is still selected."""
        row = self._inventory.last.rows[guid]
        if guid in self._inventory.rows or not _is_audited(row):
            return False
        match = self._selection.matching.of(guid, row)
        standing, _ = self._selection.standing_of(match)
        return standing is Standing.AUDITED

    def _count_lost(self, problems: Mapping[str, OpenProblem], due_at: datetime) -> int:
        """How many disappeared at once, if it is so many that our client seems to lack a role.

        One that is listed never leaves, so it counts only as long as another would stay.
        """
        disappeared = sum(
            guid not in self._listed or not has_left(problems.get(guid), due_at, lost=True)
            for guid in self._disappeared
        )
        standings = self._inventory.last.standings.values()
        before = sum(standing is Standing.AUDITED for standing in standings)
        return disappeared if is_lost_role(disappeared, before) else 0

    def _decide_present(self, guid: str, row: ServiceInstance, before: OpenProblem | None) -> None:
        last = self._inventory.last
        decision = self._decision(guid, row, is_fresh=True)
        was_audited = last.standings.get(guid) is Standing.AUDITED
        if was_audited and decision.standing is not Standing.AUDITED:
            if self._inventory.read is Read.COMPLETE:
                self._depart(row, before, decision)
            elif guid in last.rows:
                decision = self._decision(guid, last.rows[guid], is_fresh=False)
        self._take(guid, decision)

    def _decide_absent(self, row: FleetRow, before: OpenProblem | None, due_at: datetime) -> None:
        """Audit what the foundation lists no more until its own answer says so too."""
        is_selected, is_lost = row.guid in self._disappeared, self._lost > 0
        if is_selected and not has_left(before, due_at, lost=is_lost):
            decision = self._decision(row.guid, row, is_fresh=False)
            self._take(row.guid, decision if is_lost else _absent(decision))
        else:
            self._depart(row, before, None)

    def _depart(
        self, row: ServiceInstance, before: OpenProblem | None, decision: Decision | None
    ) -> None:
        """Note that an instance left the fleet; without a decision it is gone."""
        selection, how, until = self._selection, Departure.GONE, None
        if decision is not None and decision.standing is Standing.EXCLUDED:
            how, until = Departure.EXCLUDED, selection.excluded_until(row)
        elif decision is not None:
            how = Departure.DESELECTED
        one = departed(
            row,
            how,
            before,
            owner=selection.owner_of(row),
            place=decision.place if decision else None,
            until=until,
        )
        self._left.add(one)
        if before is not None and before.opened_at is not None:
            self.left[row.guid] = Ended.GONE if how is Departure.GONE else Ended.LEFT_SELECTION

    def _decision(self, guid: str, row: ServiceInstance | None, *, is_fresh: bool) -> Decision:
        return self._selection.decide(guid, row, is_fresh=is_fresh, asked=self._asked)

    def _standing_of(self, guid: str) -> Standing:
        return self._decisions[guid].standing

    def _take(self, guid: str, decision: Decision) -> None:
        self._decisions[guid] = decision
        if decision.standing is Standing.AUDITED:
            self.audited.append(decision)


def _absent(decision: Decision) -> Decision:
    """The decision on an instance that a complete inventory lacks."""
    replace, instance = msgspec.structs.replace, decision.instance
    return replace(decision, instance=replace(instance, is_absent=True)) if instance else decision


def _is_audited(row: FleetRow) -> bool:
    return row.standing is Standing.AUDITED


def _refuse_to_guess(inventory: _Inventory) -> None:
    """Raise InventoryUnavailable if neither this run nor one before knows what there is."""
    if inventory.reading.read is not Read.COMPLETE and inventory.last.scanned_at is None:
        raise InventoryUnavailable(
            f"the inventory was not read ({inventory.read}: {inventory.why}), and no run before "
            "has left a fleet to go on with: mend that, or list the instances, and run again"
        )


def _why_empty(inventory: _Inventory, selection: Selection) -> str:
    seen = f"there is nothing to audit: our client sees {instances(len(inventory.rows))}"
    return f"{seen}; {selection.why_empty()}; mend that, or check the client's roles"


def _warnings(inventory: _Inventory) -> Iterator[str]:
    if inventory.last.warning:
        yield inventory.last.warning
    if not inventory.is_whole:
        what = f"{NOT_READ} ({inventory.read}: {inventory.why})"
        is_known = inventory.last.is_known
        yield f"{what}: {'the last fleet goes on' if is_known else 'no last fleet is known'}"
