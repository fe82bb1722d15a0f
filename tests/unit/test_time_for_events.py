"""A run in one invocation keeps time for the events that it may have to send."""

import json
from datetime import timedelta

import pytest

from backup_audit import audit as use_case
from backup_audit.audit import Audit
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.probe.pacing import Deadline
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)

FULL = AuditRequest(scheduled_time=NOW)
FINDING, EVENT = 0.0003, 0.0015  # seconds


def kept(request: AuditRequest = FULL, *, instances: int = 4, has_topic: bool = True) -> float:
    """The seconds by which a run's time for asking ends earlier."""
    guids = [f"guid-{number}" for number in range(instances)]
    edges = FakeEdges(
        source=FixedSource(json.dumps({"instances": guids}).encode()),
        api=ScriptedApi(dict.fromkeys(guids, a_list(3))),
        store=InMemoryStore(),
        notifier=RecordingNotifier(),
        events=RecordingNotifier() if has_topic else None,
        heartbeat=None,
        telemetry=RecordingTelemetry(),
        at=NOW,
    )
    edges.deadline = Deadline(1000.0)
    Audit(SETTINGS, edges, "i", NOW + timedelta(minutes=15)).run(
        request, plan_run(request, NOW, "i")
    )
    return round(1000.0 - edges.deadline.at, 6)


@pytest.mark.parametrize(
    ("instances", "seconds"),
    [
        (4, 4 * (FINDING + EVENT)),
        (5, 5 * (FINDING + EVENT)),
        (6, 6 * FINDING + 5 * EVENT),
    ],
)
def test_each_instance_may_have_an_event_up_to_the_most_of_a_run(
    monkeypatch: pytest.MonkeyPatch, instances: int, seconds: float
) -> None:
    monkeypatch.setattr(use_case, "EVENTS_MAX", 5)

    assert kept(instances=instances) == round(seconds, 6)


def test_without_a_topic_for_programs_nothing_is_kept_for_events() -> None:
    assert kept(has_topic=False) == round(4 * FINDING, 6)


@pytest.mark.parametrize(
    ("request_", "instances"),
    [
        (AuditRequest(scheduled_time=NOW, notify=False), 4),
        (AuditRequest(instance_guids=["guid-1"]), 1),
        (AuditRequest(max_age="1h"), 4),
    ],
    ids=["nobody is notified", "a partial run", "a what-if"],
)
def test_a_run_that_opens_no_problems_for_programs_keeps_nothing(
    request_: AuditRequest, instances: int
) -> None:
    assert kept(request_) == round(instances * FINDING, 6)
