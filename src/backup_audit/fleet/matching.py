"""What of a configuration is about one instance: selectors, statements and mutes."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from backup_audit.fleet.configuration import Configuration
from backup_audit.fleet.inventory import MANAGED, ServiceInstance
from backup_audit.fleet.policy import (
    BUILT_IN_STATEMENT,
    Demands,
    InForce,
    Statement,
    deciding,
    in_force,
)
from backup_audit.fleet.selectors import Selectors, indexes
from backup_audit.fleet.self_service import ALL_OF_OURS, LABELS, NOTHING, Stated, stated_by

# Instances that get the same share it; hostile labels could make any number of differences.
_SHARED_MAX = 10_000


class Match(NamedTuple):
    """What is about an instance. Selectors and rules come as bits, the first as the lowest.

    `listed` is the index of its entry in `instances`. `excluding` has excludes in force, `ended`
    those that are over. A rule fits if its `match` does and its `unless` does not.
    """

    listed: int | None
    discovering: int
    excluding: int
    ended: int
    rules: int
    stated: Stated


class Matching:
    """Compares instances with a configuration. `today` is a day in UTC, `max_age` the event's."""

    def __init__(self, configuration: Configuration, today: date, max_age: str | None) -> None:
        self._configuration = configuration
        self._today = today
        self._event = [Statement("event", Demands(max_age=max_age))] if max_age else []
        self._listed = {one.guid: index for index, one in enumerate(configuration.instances)}
        self._discover = Selectors(configuration.discover)
        self._exclude = Selectors([one.match for one in configuration.exclude])
        self._in_force = _bits(one.is_in_force(today) for one in configuration.exclude)
        self._match = Selectors([rule.match for rule in configuration.rules])
        self._unless = Selectors([rule.unless for rule in configuration.rules])
        self._rules = [
            Statement(f"rules[{index}]", rule, index)
            for index, rule in enumerate(configuration.rules)
        ]
        self._muted = {one.guid: at for at, one in enumerate(configuration.mutes) if one.guid}
        self._muting = [at for at, one in enumerate(configuration.mutes) if one.match]
        self._mutes = Selectors([configuration.mutes[at].match for at in self._muting])
        self._compared = frozenset[str]().union(
            *(
                selectors.label_keys
                for selectors in (
                    self._discover,
                    self._exclude,
                    self._match,
                    self._unless,
                    self._mutes,
                )
            )
        )
        self._below: dict[int, tuple[Statement, ...]] = {}
        self._shared: dict[tuple[int, tuple[Statement, ...]], InForce] = {}

    @property
    def label_keys(self) -> frozenset[str]:
        """The labels that anything reads, in the form that a reader of the inventory takes.

        With self-service all of our prefix are wanted: one that is mistyped is said.
        """
        if self._configuration.self_service is None:
            return self._compared
        return self._compared | {*LABELS.values(), ALL_OF_OURS}

    def of(self, guid: str, row: ServiceInstance | None) -> Match:
        """What is about an instance; `row` is what the inventory has of it, None if nothing."""
        discovering = excluding = 0
        if row is not None and row.type == MANAGED:
            discovering, excluding = self._discover.fitting(row), self._exclude.fitting(row)
        rules = self._match.fitting(row)
        return Match(
            listed=self._listed.get(guid),
            discovering=discovering,
            excluding=excluding & self._in_force,
            ended=excluding & ~self._in_force,
            rules=rules & ~self._unless.fitting(row) if rules else 0,
            stated=self._stated(row),
        )

    def is_listed(self, guid: str | None) -> bool:
        return guid in self._listed

    def statements(self, match: Match) -> list[Statement]:
        """All that is stated for an instance; of each demand the first is in force."""
        return [*self._own(match), *self._general(match.rules)]

    def in_force(self, match: Match) -> InForce:
        """What is in force for an instance, shared with those for which the same is stated."""
        own, below = self._own(match), self._deciding(match.rules)
        if match.listed is not None and len(own) > len(self._event) + len(match.stated.statements):
            return in_force([*own, *below])  # its entry states something: no other is the same
        key = (match.rules, match.stated.statements)
        found = self._shared.get(key)
        if found is None:
            found = in_force([*own, *below])
            if len(self._shared) < _SHARED_MAX:
                self._shared[key] = found
        return found

    def mutes(self, guid: str, row: ServiceInstance | None) -> list[int]:
        """The mutes that are for an instance, in force or over: that of its GUID comes first."""
        own = self._muted.get(guid)
        matching = [self._muting[at] for at in indexes(self._mutes.fitting(row))]
        return matching if own is None else [own, *matching]

    def _own(self, match: Match) -> list[Statement]:
        """What is stated for one instance: by the event, its entry and its labels."""
        own = self._event.copy()
        if match.listed is not None:
            entry = self._configuration.instances[match.listed]
            if not entry.are_none:
                own.append(Statement(f"instances[{match.listed}]", entry))
        own.extend(match.stated.statements)
        return own

    def _general(self, rules: int) -> list[Statement]:
        """What is stated for many: by rules from the top, by the defaults, and what is built in."""
        return [
            *(self._rules[index] for index in indexes(rules)),
            Statement("defaults", self._configuration.defaults),
            BUILT_IN_STATEMENT,
        ]

    def _deciding(self, rules: int) -> tuple[Statement, ...]:
        """What of it can decide: many rules may fit, and each demand has one first."""
        found = self._below.get(rules)
        if found is None:
            found = deciding(self._general(rules))
            if len(self._below) < _SHARED_MAX:
                self._below[rules] = found
        return found

    def _stated(self, row: ServiceInstance | None) -> Stated:
        allowed = self._configuration.self_service
        if row is None or allowed is None or not row.labels:
            return NOTHING
        return stated_by(row.labels, allowed, self._today, self._compared)


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << at for at, flag in enumerate(flags) if flag)
