"""CloudWatch as far as alarms need it: datapoints out of log lines, and how an alarm judges them.

After its documentation, where an alarm's evaluation is described step by step:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
}
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}


class State(StrEnum):
    """An alarm's state."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Metric(msgspec.Struct, frozen=True):
    """A metric is its namespace, its name and all of its dimensions."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, part: Mapping[str, Any]) -> "Metric":
        """The metric that a part of a template names."""
        dimensions = frozenset((one["Name"], one["Value"]) for one in part["Dimensions"])
        return cls(part["Namespace"], part["MetricName"], dimensions)


_Points = Sequence[tuple[datetime, float]]


class Datapoint(msgspec.Struct, frozen=True):
    """A value of a metric at an instant (UTC)."""

    metric: Metric
    at: datetime
    value: float


def emitted(output: str) -> list[Datapoint]:
    """The datapoints that CloudWatch makes of what a function prints, line by line."""
    lines = [json.loads(line) for line in output.splitlines()]
    return [point for line in lines if "_aws" in line for point in _embedded(line)]


def _embedded(line: Mapping[str, Any]) -> Iterator[Datapoint]:
    """A datapoint for each metric in each of its sets of dimensions."""
    at = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, line[name]) for name in names)
            for definition in directive["Metrics"]:
                metric = Metric(directive["Namespace"], definition["Name"], dimensions)
                for value in line[definition["Name"]]:
                    yield Datapoint(metric, at, value)


class Alarm:
    """An alarm by its properties in a template, resolved; `metric` is the first that it watches.

    `extra`: CloudWatch looks at more periods than those to evaluate, and says not how many more.
    """

    def __init__(self, properties: Mapping[str, Any], *, extra: int = 2) -> None:
        self._value: Callable[[Mapping[str, float | None]], float | None] = _only
        parts = {"only": properties}
        if "Metrics" in properties:
            expression, *measured = properties["Metrics"]
            self._value = _understood(expression["Expression"])
            parts = {one["Id"]: one["MetricStat"] for one in measured}
        self._measured = {
            name: (
                Metric.read(part.get("Metric", part)),
                _STATISTICS[part.get("Stat") or part["Statistic"]],
            )
            for name, part in parts.items()
        }
        self.metrics = [metric for metric, _ in self._measured.values()]
        self.metric = self.metrics[0]
        [seconds] = {int(part["Period"]) for part in parts.values()}
        self.period = timedelta(seconds=seconds)
        self.evaluated = int(properties["EvaluationPeriods"])
        self._needed = int(properties.get("DatapointsToAlarm", self.evaluated))
        self._breaches = _BREACHES[properties["ComparisonOperator"]]
        self._threshold = float(properties["Threshold"])
        self._missing: str = properties["TreatMissingData"]
        self._range = self.evaluated + extra
        # Evaluated over more than a day, an alarm sees whole hours only.
        self._step = HOUR if self.period * self.evaluated > _DAY else MINUTE
        assert self._missing != "ignore" or self.evaluated == 1, "more have rules of their own"

    def watched(self, datapoints: Iterable[Datapoint], since: datetime, until: datetime) -> State:
        """The state after an evaluation every minute, from the alarm's creation on.

        Where the alarm sees whole hours only, one an hour comes to the same.
        """
        state, at = State.INSUFFICIENT_DATA, _down_to(since, self._step)
        mine = {
            name: self._mine(datapoints, metric) for name, (metric, _) in self._measured.items()
        }
        while at <= until:
            state, at = self._evaluation(mine, at, state), at + self._step
        return state

    def _mine(self, datapoints: Iterable[Datapoint], metric: Metric) -> _Points:
        """Those of a metric, at the minute in which CloudWatch keeps them."""
        return [
            (_down_to(point.at, MINUTE), point.value)
            for point in datapoints
            if point.metric == metric
        ]

    def _evaluation(self, points: Mapping[str, _Points], at: datetime, before: State) -> State:
        found = list(self._periods(points, at))
        real = [value for value in found if value is not None][: self.evaluated]
        breaching = sum(self._breaches(value, self._threshold) for value in real)
        if not real and self._missing == "ignore":
            return before
        if self._missing == "breaching":
            breaching += self.evaluated - len(real)
        return State.ALARM if breaching >= self._needed else State.OK

    def _periods(self, points: Mapping[str, _Points], end: datetime) -> Iterator[float | None]:
        """The value of each period in the evaluation range, the newest first."""
        for _ in range(self._range):
            start = end - self.period
            statistics: dict[str, float | None] = {}
            for name, (_, statistic) in self._measured.items():
                values = [value for at, value in points[name] if start <= at < end]
                statistics[name] = statistic(values) if values else None
            yield self._value(statistics)
            end = start


def _only(values: Mapping[str, float | None]) -> float | None:
    return values["only"]


def _understood(expression: str) -> Callable[[Mapping[str, float | None]], float | None]:
    """What metric math makes of the values of a period; two forms of it are understood."""
    if found := re.fullmatch(r"FILL\((\w+), ([0-9]+)\)", expression):
        filled, instead = found[1], float(found[2])
        return lambda values: instead if (value := values[filled]) is None else value
    found = re.fullmatch(r"IF\((\w+) < ([0-9]+) OR (\w+) > ([0-9]+), 1, 0\)", expression)
    assert found, expression
    low, least, high, most = found[1], float(found[2]), found[3], float(found[4])

    def either(values: Mapping[str, float | None]) -> float | None:
        one, other = values[low], values[high]
        if one is None or other is None:  # no value without both
            return None
        return float(one < least or other > most)

    return either


def _down_to(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime(2000, 1, 1, tzinfo=UTC)) % step
