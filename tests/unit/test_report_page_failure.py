"""A page that cannot be drawn costs neither the report nor a message."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.page import words
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import Answer, KeptObject, Manifest
from backup_audit.report.store import RunKeys
from backup_audit.wiring import drawn
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)


class Telemetry(RecordingTelemetry):
    """A Telemetry that keeps which pages failed."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[Exception] = []

    def page_failed(self, error: Exception) -> None:
        self.pages.append(error)


class World:
    """A run of one stale instance, with the page that it draws."""

    def __init__(self) -> None:
        self.store, self.notifier, self.telemetry = (
            InMemoryStore(),
            RecordingNotifier(),
            Telemetry(),
        )

    def run(self) -> Answer:
        edges = FakeEdges(
            source=FixedSource(b'{"instances": ["stale"]}'),
            api=ScriptedApi({"stale": a_list(50)}),
            store=self.store,
            notifier=self.notifier,
            heartbeat=CountingHeartbeat(),
            telemetry=self.telemetry,
            at=NOW,
            draw=self.draw,
        )
        request = AuditRequest(scheduled_time=NOW)
        audit = Audit(SETTINGS, edges, "i", NOW + timedelta(minutes=15))
        return audit.run(request, plan_run(request, NOW, "i"))

    def draw(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        return drawn(stored, objects)

    def kept(self) -> set[str]:
        """The names of what the manifest vouches for."""
        [key] = [one for one in self.store.objects if one.endswith("manifest.json")]
        objects = msgspec.json.decode(self.store.objects[key], type=Manifest).objects
        return {one.key.rpartition("/")[2] for one in objects}


def test_a_run_keeps_its_page() -> None:
    world = World()

    world.run()

    assert world.telemetry.pages == []
    assert "report.html" in world.kept()


def test_an_error_in_the_template_costs_the_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(words, "VERDICTS", {})
    monkeypatch.setattr("backup_audit.page.rows.VERDICTS", {})

    answer = world.run()

    [error] = world.telemetry.pages
    assert isinstance(error, KeyError)
    assert answer.report is not None
    assert answer.messages_sent == 1
    assert len(world.notifier.messages) == 1
    assert {"report.json", "findings.csv"} <= world.kept()
    assert "report.html" not in world.kept()
    assert not [key for key in world.store.objects if key.endswith("report.html")]


def test_a_store_that_fails_while_the_page_is_drawn_ends_the_run() -> None:
    class Broken(World):
        def draw(self, stored: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
            yield from drawn(stored, objects)
            raise ReportStoreFailed("gone")

    world = Broken()

    with pytest.raises(ReportStoreFailed, match="gone"):
        world.run()
    assert world.telemetry.pages == []
    assert world.notifier.messages == []


def test_a_report_that_is_damaged_is_a_fault_of_the_store_and_not_of_the_page() -> None:
    world = World()
    world.run()
    [key] = [one for one in world.store.objects if one.endswith("report.json")]
    request = AuditRequest(scheduled_time=NOW)
    stored = StoredReport(world.store, RunKeys.of("backup-audit", plan_run(request, NOW, "i")))
    world.store.objects[key] = world.store.objects[key].replace(
        b'"verdict":"stale"', b'"verdict":7'
    )

    with pytest.raises(ReportStoreFailed, match="cannot be read"):
        list(drawn(stored, []))
