"""One run of the function against the local cloud, from the event to the files it leaves."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from backup_audit.errors import AuditError
from backup_audit.fleet.explain import Explained
from backup_audit.fleet.run import is_question
from backup_audit.report.alerts import Audience
from backup_audit.report.report import WholeReport
from tools.local_cloud.aws import BUCKET, LocalAws, WrittenFile, local_aws
from tools.local_cloud.environment import settings
from tools.local_cloud.fleet import Fleet, on_the_second_day
from tools.local_cloud.fleets import fleet_on, with_instances_of
from tools.local_cloud.function import ExecutionFailed, execute, invoke
from tools.local_cloud.judged import EverJudged, ever_judged
from tools.local_cloud.messages import SentMessage, append_to
from tools.local_cloud.scaled import scaled
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)
from tools.local_cloud.stopped_clock import stopped_clock

LOG = "function.log"
FIRST_TEXT = "sns/digest.txt"
MESSAGES = {audience: f"sns/{audience}.jsonl" for audience in Audience}

# Shows progress while it is entered: how many of how many instances were asked for; None if nobody
# knows how many it will be.
Display = Callable[[Callable[[], int], int | None], AbstractContextManager[object]]


class DaysBefore(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the scheduled days before a run; those `left_out` came after a later run."""

    first: date
    last: date
    runs: int
    failed: int
    left_out: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an event led to: one of `answer`, `explained` and `error` is there.

    `answer` is a run's, or a step's; `report` is that of a run that wrote one. `faster` is how many
    times shorter its waits were; `ever_judged` is there if it left out some. `happened` is what
    changed on the foundation since the first run. `before` is there if more than a day was asked
    for.
    """

    answer: dict[str, Any] | None = None
    explained: Explained | None = None
    error: AuditError | ExecutionFailed | None = None
    report: WholeReport | None = None
    messages: dict[Audience, list[SentMessage]]
    written: list[WrittenFile]
    seconds: float
    faster: int = 1
    ever_judged: EverJudged | None = None
    happened: tuple[str, ...] = ()
    before: DaysBefore | None = None


def run_locally(
    event: object,
    fleet_name: str,
    out: Path,
    display: Display,
    configuration: bytes | None = None,
    *,
    days: int = 1,
    at: datetime | None = None,
) -> Outcome:
    """Run the real handler; what earlier runs left in `out` is there, and carries on.

    A configuration of one's own lies over the foundation, which then has the instances it lists.
    Of several days the event is the last one's, and so is the outcome: on those before, at the same
    time, the schedule asks for a full run. `at` is the time of the last, in UTC and in whole
    seconds, at which the function's clock stands; None: it is now.
    """
    now = at or datetime.now(UTC).replace(microsecond=0)
    document = configuration
    if document is None:
        own = fleet_on(fleet_name, now).configuration
        document = json.dumps(own, ensure_ascii=False).encode()
    with local_aws(document, client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as aws:
        aws.load(out)
        earlier = [
            _audit(_scheduled_before(now, days_ago, fleet_name), out, aws, display, configuration)
            for days_ago in range(days - 1, 0, -1)
        ]
        last = _Day(event=event, fleet=fleet_on(fleet_name, now), clock=at)
        outcome = _audit(last, out, aws, display, configuration)
    return msgspec.structs.replace(outcome, before=_days_before(now, earlier))


def _days_before(now: datetime, outcomes: Sequence[Outcome]) -> DaysBefore | None:
    if not outcomes:
        return None
    failed = sum(outcome.error is not None for outcome in outcomes)
    runs = sum(outcome.report is not None for outcome in outcomes)
    return DaysBefore(
        first=(now - timedelta(days=len(outcomes))).date(),
        last=(now - timedelta(days=1)).date(),
        runs=runs,
        failed=failed,
        left_out=len(outcomes) - runs - failed,
    )


class _Day(msgspec.Struct, frozen=True, kw_only=True):
    """A run's event, the fleet on its day, and where the function's clock stands; None: it goes."""

    event: object
    fleet: Fleet
    clock: datetime | None


def _scheduled_before(now: datetime, days_ago: int, fleet_name: str) -> _Day:
    then = now - timedelta(days=days_ago)
    event = {"scheduled_time": f"{then:%FT%TZ}"}
    return _Day(event=event, fleet=fleet_on(fleet_name, now, days_ago), clock=then)


def _audit(
    day: _Day, out: Path, aws: LocalAws, display: Display, configuration: bytes | None
) -> Outcome:
    fleet, happened = _that_day(day.fleet, out)
    if configuration is not None:
        fleet = with_instances_of(configuration, fleet)
    with (
        _deployed(fleet, aws, day.clock) as controller,
        display(lambda: controller.guids_asked_for, _asked(day.event, fleet)),
    ):
        outcome = _run(day.event, fleet, out, aws)
    return msgspec.structs.replace(outcome, happened=happened)


@contextmanager
def _deployed(
    fleet: Fleet, aws: LocalAws, clock: datetime | None
) -> Iterator[SimulatedCloudController]:
    """A foundation with the function's settings for it; its clock stands, unless there is none."""
    with (
        _foundation(fleet) as controller,
        settings(aws.settings(controller.url)),
        scaled(fleet.faster),
        stopped_clock(clock),
    ):
        yield controller


def _that_day(fleet: Fleet, out: Path) -> tuple[Fleet, tuple[str, ...]]:
    """The fleet as it is if a full run has left its report already, and what happened to it."""
    if not list((out / "s3" / BUCKET).glob("*/latest.json")):
        return fleet, ()
    return on_the_second_day(fleet), tuple(each.said for each in fleet.later)


def _foundation(fleet: Fleet) -> SimulatedCloudController:
    clients = {CLIENT_ID: CLIENT_SECRET} if fleet.knows_us else {}
    return SimulatedCloudController(
        fleet.instances, latency=fleet.latency, weather=fleet.weather, clients=clients
    )


def _asked(event: object, fleet: Fleet) -> int | None:
    guids = event.get("instance_guids") if isinstance(event, dict) else None
    if isinstance(guids, list):
        return len(guids)
    is_open = is_question(event) or "discover" in fleet.configuration
    return None if is_open else len(fleet.instances)


def _run(event: object, fleet: Fleet, out: Path, aws: LocalAws) -> Outcome:
    asks_why = is_question(event)
    start = execute if fleet.is_mapped and not asks_why else invoke
    began = time.monotonic()
    answer, error = None, None
    try:
        answer = start(event, out / LOG)
    except (AuditError, ExecutionFailed) as raised:
        error = raised
    finally:
        seconds = time.monotonic() - began
        written, messages = aws.dump(out), aws.new_messages()
        for audience, sent in messages.items():
            are_documents = audience is not Audience.PEOPLE
            append_to(out / MESSAGES[audience], sent, are_documents=are_documents)
        for first in messages[Audience.PEOPLE][:1]:
            (out / FIRST_TEXT).write_text(f"{first.subject}\n\n{first.body}", "utf-8")
    return Outcome(
        answer=None if asks_why else answer,
        explained=msgspec.convert(answer, Explained) if asks_why and answer else None,
        error=error,
        report=_report(answer, out),
        messages=messages,
        written=written,
        seconds=seconds,
        faster=fleet.faster,
        ever_judged=_ever_judged(answer, fleet, out),
    )


def _report(answer: dict[str, Any] | None, out: Path) -> WholeReport | None:
    if answer is None or answer.get("report") is None:
        return None
    body = (out / "s3" / BUCKET / answer["report"]["key"]).read_bytes()
    return msgspec.json.decode(body, type=WholeReport)


def _ever_judged(answer: dict[str, Any] | None, fleet: Fleet, out: Path) -> EverJudged | None:
    if answer is None or answer.get("complete", True) or answer["scope"] != "full":
        return None
    return ever_judged(out / "s3" / BUCKET, [instance.guid for instance in fleet.instances])
