"""What the last committed full report left: its state, its marks, its fleet; read as streams."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec

from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.run import Run
from backup_audit.fleet.selection import Standing
from backup_audit.report.alerts import Alerts, Audience
from backup_audit.report.changes import (
    NOTHING_YET,
    Ended,
    Resolved,
    State,
    left_by,
    memory_of,
    open_problems,
)
from backup_audit.report.commit import Measured
from backup_audit.report.drift import NO_FLEET, FleetRow, InventoryRecord, LastFleet
from backup_audit.report.history import HistoryPoint
from backup_audit.report.latest import pointer_of
from backup_audit.report.listeners import Listeners
from backup_audit.report.marks import mark_of
from backup_audit.report.rendering import ReportReader, refuse_newer
from backup_audit.report.report import KeptObject, Manifest, PreviousReport
from backup_audit.report.store import ObjectStore, RunKeys, StoredObject, decoding
from backup_audit.strict import UNDECODABLE


class Previous(msgspec.Struct, frozen=True):
    """The last committed full report, and the state that it left.

    `alerts` is what it decided on notifying, `marked` whose messages are all out. `inventory` is
    what it says of the fleet, `fleet` its fleet.jsonl, if it has one, `listeners` how many
    listened. `history` has the full runs up to it, but for those that were due after the one that
    asks: that one is late. `warning` says what of it cannot be read.
    """

    report: PreviousReport | None = None
    state: State = NOTHING_YET
    warning: str | None = None
    alerts: Alerts | None = None
    marked: frozenset[Audience] = frozenset()
    inventory: InventoryRecord | None = None
    fleet: KeptObject | None = None
    listeners: Listeners = {}
    history: tuple[HistoryPoint, ...] = ()


def previous_of(store: ObjectStore, keys: RunKeys, due_at: datetime) -> Previous:
    """The report that latest.json points at, as a run due then sees it.

    A missing or damaged report is a warning: all is new. Raise ReportStoreFailed if it could not be
    read just now, or is of a newer version: going on would lose the memory for ever.
    """
    stored = store.get(keys.latest)
    if stored is None:
        return Previous()
    latest = pointer_of(store, keys, stored.body)
    if latest is None:
        return Previous(warning=f"{keys.latest} points at nothing readable: all is new")
    key = latest.report_key
    if not store.exists(key):
        return Previous(warning=f"{keys.latest} points at {key}, which is gone: all is new")
    body = Measured(key, store.lines(key))
    try:
        reader = ReportReader(body, key)
        history = tuple(one for one in reader.history() if one.due_at <= due_at)
        opened = open_problems(reader.findings())
        state = State(opened, memory_of(reader.resolved(), due_at))
    except UNDECODABLE as error:
        return Previous(warning=f"{key} is no report ({error}): all is new")
    body.pass_on()
    manifest = store.get(latest.manifest_key)
    fleet, warning = _vouched(store, latest.manifest_key, manifest)
    report = PreviousReport(
        run_id=reader.head.run.run_id,
        report_key=key,
        report_sha256=body.sha256,
        manifest_sha256=hashlib.sha256(manifest.body).hexdigest() if manifest else None,
    )
    alerts = reader.head.alerts
    beside = key.rpartition("/")[0]
    marks = {
        one: mark_of(store, f"{beside}/{one.mark}") for one in Audience if one in alerts.news_from
    }
    marked = frozenset(one for one, mark in marks.items() if mark.done)
    return Previous(
        report,
        state,
        warning,
        alerts,
        marked,
        reader.head.inventory,
        fleet,
        reader.head.plan.listeners,
        history,
    )


def left_problems(
    store: ObjectStore, previous: Previous, how: Mapping[str, Ended], run: Run, *, notifies: bool
) -> Iterator[Resolved]:
    """The open problems of the last report whose instances this run audits no more.

    `how` says of each, by GUID, how it left. Nothing is read if there is none.
    """
    if not how or previous.report is None:
        return
    key = previous.report.report_key
    with decoding(store, key):
        findings = ReportReader(store.lines(key), key).findings()
        yield from left_by(findings, how, run.due_at, notifies=notifies)


def last_fleet(
    store: ObjectStore,
    previous: Previous,
    rows: Mapping[str, ServiceInstance],
    is_wanted: Callable[[FleetRow], bool],
) -> LastFleet:
    """Read the fleet of the last report, as a stream: of most instances only the standing is kept.

    `rows` are those of this run: their GUIDs are not held twice. A fleet that is damaged or gone is
    none, and a warning. Raise ReportStoreFailed if it could not be read just now.
    """
    if previous.fleet is None:
        return NO_FLEET
    key = previous.fleet.key
    if not store.exists(key):
        return LastFleet(warning=f"{key} is gone: {_NOTHING_COMPARED}")
    standings: dict[str, Standing] = {}
    wanted: dict[str, FleetRow] = {}
    body, decode = Measured(key, store.lines(key)), msgspec.json.Decoder(FleetRow).decode
    try:
        for line in body:
            row = decode(line)
            known = rows.get(row.guid, row)
            standings[known.guid] = row.standing
            if is_wanted(row):
                wanted[known.guid] = row
    except UNDECODABLE as error:
        return LastFleet(warning=f"{key} is damaged ({error}): {_NOTHING_COMPARED}")
    if body.sha256 != previous.fleet.sha256:
        return LastFleet(warning=f"{key} is not what its manifest says: {_NOTHING_COMPARED}")
    scanned_at = previous.inventory.read_at if previous.inventory else None
    return LastFleet(is_known=True, scanned_at=scanned_at, standings=standings, rows=wanted)


_NOTHING_COMPARED = "this run's fleet is compared with none"


def _vouched(
    store: ObjectStore, key: str, manifest: StoredObject | None
) -> tuple[KeptObject | None, str | None]:
    """The fleet.jsonl that a manifest names, and what is wrong with the manifest."""
    if manifest is None:
        return None, f"{key} is gone: nothing vouches for its run"
    refuse_newer(manifest.body, f"s3://{store.bucket}/{key}")
    try:
        objects = msgspec.json.decode(manifest.body, type=Manifest).objects
    except UNDECODABLE:
        return None, f"{key} is damaged: nothing vouches for its run"
    return next((one for one in objects if one.key.endswith("/fleet.jsonl")), None), None
