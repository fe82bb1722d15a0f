"""A run of the use case whose inventory comes, over sockets, from a server with a fault."""

import functools
import itertools
import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from backup_audit.audit import Audit
from backup_audit.fleet.inventory import USER_PROVIDED, InventoryReader, Unreadable
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer
from backup_audit.judge.finding import Finding
from backup_audit.notify.message import Message
from backup_audit.probe.paging import PagedInventory
from backup_audit.report.drift import FleetRow, InventoryRecord
from backup_audit.report.report import Latest, WholeReport
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import (
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
    engine,
)
from tests.doubles.foundation import Foundation, resource
from tests.faults.fault import Does, Fault, http
from tests.faults.listed import (
    ANSWERS,
    CREATED,
    GONE,
    HEALTHY,
    MANAGED,
    NEW,
    OLD,
    PROVIDED,
    SLOW,
    THERE,
    YOUNG,
)
from tests.faults.server import site, target
from tests.faults.trial import engine_at, logged

PER_PAGE = 3  # rows; the list has three pages then
_DAY = timedelta(days=1)


class Fleet(StrEnum):
    """How the configuration says what is audited."""

    LISTED = auto()  # by hand, and no run was before
    DISCOVERED = auto()  # on its second day


class Place(StrEnum):
    """Which answers are faulty.

    All from this page of the list on; those with its newest instance; those about GUIDs; all.
    """

    FIRST_PAGE = auto()
    SECOND_PAGE = auto()
    LAST_PAGE = auto()
    THE_NEWEST = auto()
    LOOK_UP = auto()
    EVERYWHERE = auto()
    NOWHERE = auto()


_BEGINS_AT: dict[Place, str] = {
    Place.FIRST_PAGE: "",
    Place.SECOND_PAGE: MANAGED[2]["created_at"],
    Place.LAST_PAGE: MANAGED[4]["created_at"],
}
_CONFIGURATIONS: dict[Fleet, Mapping[str, Any]] = {
    Fleet.LISTED: {
        "defaults": {"grace": "24h"},
        "instances": [SLOW, OLD, YOUNG, CREATED, HEALTHY, PROVIDED, GONE],
    },
    Fleet.DISCOVERED: {
        "defaults": {"grace": "24h"},
        "discover": [{"org": "*"}],
        "exclude": [
            {"match": {"name": "scratch-*"}, "owner": "sre", "reason": "none", "until": "never"}
        ],
        "rules": [{"match": {"name": "archive-*"}, "max_age": "8d"}],
        "instances": [PROVIDED],
    },
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run left, and what the server saw.

    `fleet` are the lines of fleet.jsonl, `stored` is all that was written. `log` has what anybody
    logged. `given` are the GUIDs listed in answers without a fault, `requests` the heads of all
    that came.
    """

    findings: list[Finding]
    inventory: InventoryRecord
    fleet: list[FleetRow]
    warnings: list[str]
    messages: list[Message]
    stored: list[bytes]
    log: list[str] = []
    given: frozenset[str] = frozenset()
    requests: list[bytes] = []
    foreign_connections: int = 0


class _List:
    """The script by which a fault is in the list of instances; each time another variation."""

    def __init__(self, fault: Fault, place: Place) -> None:
        self.given: set[str] = set()
        self._foundation = Foundation(THERE)
        self._place = place
        self._variations = itertools.cycle(_some(fault.does))

    def proper(self, head: bytes) -> bytes | None:
        query = urlsplit(target(head)).query
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        page = self._foundation.list_page(query, _as_it_is).evidence.answer
        assert isinstance(page, bytes)
        guids = self._foundation.given[-1]
        if self._is_faulty(asked, guids):
            return None
        if asked.get("type") != USER_PROVIDED:  # those are only counted
            self.given.update(guids)
        return http(page)

    def faulty(self, head: bytes) -> Does:
        return next(self._variations)

    def _is_faulty(self, asked: Mapping[str, str], guids: Collection[str]) -> bool:
        if self._place is Place.EVERYWHERE:
            return True
        if "guids" in asked:
            return self._place is Place.LOOK_UP
        if asked["type"] == USER_PROVIDED:
            return False
        if self._place is Place.THE_NEWEST:
            return NEW in guids
        begins_at = _BEGINS_AT.get(self._place)
        return begins_at is not None and asked.get("created_ats[gte]", "") >= begins_at


def _as_it_is(body: bytes) -> bytes:
    return body


def _some(does: tuple[Does, ...]) -> list[Does]:
    """The first, the last, and one between."""
    return [does[place] for place in sorted({0, len(does) // 2, len(does) - 1}, reverse=True)]


def try_out(fault: Fault, place: Place, fleet: Fleet) -> Outcome:
    """Run the use case where a part of the list is faulty."""
    script = _List(fault, place)
    with (
        logged() as log,
        site(fault, fault.channels[0], script) as there,
        engine_at(there, fault, FakeTime()) as asks,
    ):
        outcome = _outcome(fleet, PagedInventory(asks))
    return msgspec.structs.replace(
        outcome,
        given=frozenset(script.given),
        requests=there.heads,
        foreign_connections=there.foreign_connections,
        log=log,
    )


@functools.cache
def without(fleet: Fleet) -> Outcome:
    """A run that gets nothing of the inventory."""
    return _outcome(fleet, Unreadable("there is none", NOW))


@functools.cache
def _before(fleet: Fleet) -> Mapping[str, bytes]:
    """The bucket after the day before: one has come since then, and one has gone."""
    store = InMemoryStore()
    if fleet is Fleet.DISCOVERED:
        yesterdays = [row for row in THERE if row["guid"] != NEW] + [resource(GONE, 5)]
        reader = PagedInventory(engine(Foundation(yesterdays)))
        there_are_all = ANSWERS | {GONE: a_list(3)}
        _run(fleet, reader, store, RecordingNotifier(), NOW - _DAY, answers=there_are_all)
    return store.objects


def _outcome(fleet: Fleet, reader: InventoryReader) -> Outcome:
    store, notifier = InMemoryStore(), RecordingNotifier()
    store.objects.update(_before(fleet))
    warnings = _run(fleet, reader, store, notifier, NOW)
    latest = msgspec.json.decode(store.objects["backup-audit/latest.json"], type=Latest)
    assert latest.run.due_at == NOW
    report = msgspec.json.decode(store.objects[latest.report_key], type=WholeReport)
    assert report.inventory
    place = latest.report_key.removesuffix("report.json")
    parts = [
        body for key, body in store.objects.items() if f"/run={latest.run.run_id}/part-" in key
    ]
    return Outcome(
        findings=[
            msgspec.json.decode(line, type=Finding) for part in parts for line in part.splitlines()
        ],
        inventory=report.inventory,
        fleet=[
            msgspec.json.decode(line, type=FleetRow)
            for line in store.objects[f"{place}fleet.jsonl"].splitlines()
        ],
        warnings=warnings,
        messages=notifier.messages,
        stored=[store.objects[key] for key in store.writes],
    )


def _run(
    fleet: Fleet,
    reader: InventoryReader,
    store: InMemoryStore,
    notifier: RecordingNotifier,
    at: datetime,
    *,
    answers: Mapping[str, Answer | tuple[Answer, int | None]] = ANSWERS,
) -> list[str]:
    """Run the use case; return what it warned of."""
    telemetry = RecordingTelemetry()
    edges = FakeEdges(
        source=FixedSource(json.dumps(_CONFIGURATIONS[fleet]).encode()),
        api=ScriptedApi(answers),
        store=store,
        notifier=notifier,
        heartbeat=None,
        telemetry=telemetry,
        at=at,
        foundation=reader,
    )
    request = AuditRequest(scheduled_time=at)
    run = plan_run(request, at, "invocation")
    Audit(SETTINGS, edges, "invocation", at + timedelta(minutes=15)).run(request, run)
    return telemetry.warnings
