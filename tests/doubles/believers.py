"""What whoever reads the topics believes, and the books on what was wrong with it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from backup_audit.judge.finding import Finding
from backup_audit.notify.message import Message
from backup_audit.report.alerts import Alerts, Audience
from backup_audit.report.groups import Group
from backup_audit.report.report import WholeReport


class Tally(msgspec.Struct):
    """What the histories held, and what was wrong with them: `lost` to `wrong` name the cases."""

    histories: int = 0
    runs: int = 0
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    opened: int = 0
    ended: int = 0
    messages: int = 0
    doubled_in_windows: int = 0
    lost: list[str] = []
    doubled: list[str] = []
    false_all_clears: list[str] = []
    wrong: list[str] = []

    @property
    def faults(self) -> list[str]:
        """All that is wrong."""
        return [*self.lost, *self.doubled, *self.false_all_clears, *self.wrong]

    def add(self, other: "Tally") -> None:
        """Take in another's."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Reader(msgspec.Struct):
    """What a reader of digests believes: `named` is the verdict last heard of each problem.

    `ended` has for each problem the runs that said so.
    """

    named: dict[str, str] = {}
    ended: dict[str, list[str]] = {}


class Books(Protocol):
    """Who writes down what is wrong."""

    tally: Tally

    def case(self, what: str) -> str:
        """Where it happened, and what."""

    def expect(self, is_right: object, what: str) -> None:
        """Write down what is not right."""

    def is_window(self, action: str, run_id: str) -> bool:
        """Whether what programs heard in a run may come again."""


class Programs:
    """An incident system: what it has open, by the id of a problem or of a group.

    `runs` has for each action on an id the runs that said so.
    """

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.runs: dict[tuple[str, str], list[str]] = defaultdict(list)

    def read(
        self,
        messages: Iterable[Message],
        report: WholeReport,
        history: Books,
        *,
        is_all: bool,
    ) -> None:
        """Take in the events of a run, each once, whatever the order in which they came.

        `is_all`: a mark says that all are out.
        """
        run_id = report.run.run_id
        expected = set(events_of(report))
        documents = [json.loads(message.body) for message in messages]
        events = {
            (str(one["action"]), str(one.get("problem_id") or one["group_id"]))
            for one in documents
            if one["event"] != "run"
        }
        history.expect(events <= expected, f"programs: not decided: {events - expected}")
        if is_all:
            history.expect(events == expected, f"programs: not sent: {expected - events}")
        for action, name in sorted(events, key=lambda one: _ORDER.index(one[0])):
            self._take_in(action, name, run_id, history)

    def _take_in(self, action: str, name: str, run_id: str, history: Books) -> None:
        match action:
            case "opened":
                self.open.add(name)
                self._once(action, name, run_id, history)
            case "ended":
                self.open.discard(name)
                self._once(action, name, run_id, history)
            case _:
                history.expect(name in self.open, f"programs: {name} is {action}, and not open")
        if run_id not in self.runs[action, name]:
            self.runs[action, name].append(run_id)

    def check(self, named: set[str], groups: Mapping[str, str], history: Books) -> None:
        """Whether all that is named is open, by itself or with its group."""
        for name in named:
            if name not in self.open and groups.get(name) not in self.open:
                history.tally.lost.append(history.case(f"programs: {name} is not open"))

    def check_the_end(self, opened: set[str], history: Books) -> None:
        """Whether nothing else is open."""
        for name in self.open - opened:
            history.tally.lost.append(history.case(f"programs: {name} is open for ever"))

    def _once(self, action: str, name: str, run_id: str, history: Books) -> None:
        runs = self.runs[action, name]
        if not runs or run_id in runs:  # again under the same id
            return
        if all(history.is_window(action, one) for one in runs):
            history.tally.doubled_in_windows += 1
        else:
            history.tally.doubled.append(history.case(f"programs: {name} {action} again: {runs}"))


_ORDER = ("opened", "worsened", "reminded", "ended")


def events_of(report: WholeReport) -> Iterator[tuple[str, str]]:
    """The events that a report decides on: action, and the id of a problem or of a group."""
    alerts = report.alerts
    news_from = alerts.news_from[Audience.EVENTS]
    for group in alerts.groups:
        if action := _of_group(group, alerts, news_from):
            yield action, group.group_id
    for one in report.findings:
        if one.problem_id and one.is_notified and (action := _of_problem(one, alerts, news_from)):
            yield action, one.problem_id
    for end in report.resolved:
        in_group = end.alert is not None and end.alert.group_id is not None
        is_of_one = end.notified_at is not None and not in_group
        if is_of_one and _is_news(end.end_notified_at, news_from):
            yield "ended", end.problem_id


def _of_group(group: Group, alerts: Alerts, news_from: datetime) -> str | None:
    if group.end_notified_at is not None:
        return "ended" if _is_news(group.end_notified_at, news_from) else None
    if group.named and _is_news(group.opened_at, news_from):
        return "opened"
    return "reminded" if group.named and _is_news(alerts.reminded_at, news_from) else None


def _of_problem(one: Finding, alerts: Alerts, news_from: datetime) -> str | None:
    alert = one.alert
    if alert is None or alert.group_id:
        return None
    if _is_news(alert.left_group_at or one.notified_at, news_from):
        return "opened"
    if _is_news(alert.worsened_at, news_from):
        return "worsened"
    reminds = alerts.reminds_of_each and _is_news(alerts.reminded_at, news_from)
    return "reminded" if reminds else None


def _is_news(at: datetime | None, news_from: datetime) -> bool:
    return at is not None and at >= news_from
