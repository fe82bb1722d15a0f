"""Counts what the selectors and rules of a configuration did, and says which did nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from backup_audit.fleet.configuration import Configuration, Rule
from backup_audit.fleet.matching import Match
from backup_audit.fleet.policy import DEMANDS
from backup_audit.fleet.selectors import indexes
from backup_audit.fleet.self_service import IS_IGNORED
from backup_audit.text import named, printable


class RuleCount(NamedTuple):
    """How many audited instances a rule fits, and for how many it decided a demand."""

    matched: int
    decided: int


class _Ignored(NamedTuple):
    """How many labels are ignored for one reason, and the first: its instance, and the note."""

    labels: int
    first: str


class Tally:
    """The counts of a run. Selectors come as bits, the first of a list as the lowest.

    `overridden` are the demands that the event states: then no rule decides them.
    """

    def __init__(self, configuration: Configuration, overridden: Collection[str] = ()) -> None:
        self._configuration = configuration
        self._overridden = overridden
        self._ignored: dict[str, _Ignored] = {}
        self._discovering = 0
        self._excluding = 0
        self._muting: Counter[int] = Counter()
        self._not_held: Counter[int] = Counter()
        self._rules: Counter[tuple[int, frozenset[int]]] = Counter()
        self._listed_too: list[tuple[int, int]] = []
        # By the place that excludes; None: nobody audits it.
        self.excluded: Counter[str | None] = Counter()

    def matched(self, match: Match) -> None:
        """Count an instance that the inventory has, audited or not."""
        self._discovering |= match.discovering
        self._excluding |= match.excluding | match.ended

    def audited(self, match: Match, decided: frozenset[int]) -> None:
        """Count an audited instance, and the rules that decided a demand on it."""
        if match.rules:
            self._rules[match.rules, decided] += 1
        if match.listed is not None and match.excluding:
            self._listed_too.append((match.listed, next(indexes(match.excluding))))

    def noted(self, guid: str, name: str | None, notes: Iterable[str]) -> None:
        """Count the labels of an audited instance that are ignored, by the reason."""
        for note in notes:
            kind = note.rpartition(IS_IGNORED)[2]  # what stands before may be a tenant's
            if "[" in kind:  # of the many, few
                kind = re.sub(r"\[[0-9]+\]", "[]", kind)
            found = self._ignored.get(kind)
            if found is None:
                self._ignored[kind] = _Ignored(1, f"{named(guid, name)}: {note}")
            else:
                self._ignored[kind] = found._replace(labels=found.labels + 1)

    def muted(self, mutes: Iterable[int], *, is_not_held: bool) -> None:
        """Count the mutes that are for an audited instance, in force or over.

        `is_not_held`: it has an open problem, and none of them is in force.
        """
        self._muting.update(mutes)
        if is_not_held:
            self._not_held.update(mutes)

    def is_discovering(self, index: int) -> bool:
        return bool(self._discovering >> index & 1)

    def is_excluding(self, index: int) -> bool:
        return bool(self._excluding >> index & 1)

    def muting(self, index: int) -> int:
        """How many audited instances a mute is for, in force or over."""
        return self._muting[index]

    def not_held(self, index: int) -> int:
        """How many audited instances with an open problem it was for that no mute holds now."""
        return self._not_held[index]

    def rule_counts(self) -> list[RuleCount]:
        matched: Counter[int] = Counter()
        decided: Counter[int] = Counter()
        for (fitting, deciding), instances in self._rules.items():
            for index in indexes(fitting):
                matched[index] += instances
            for index in deciding:
                decided[index] += instances
        count = len(self._configuration.rules)
        return [RuleCount(matched[index], decided[index]) for index in range(count)]

    def warnings(self) -> Iterator[str]:
        """What had no effect, in the order of the keys; to be asked for after a whole inventory."""
        for index in range(len(self._configuration.discover)):
            if not self.is_discovering(index):
                yield f"discover[{index}]: fits no instance of the foundation"
        for index in range(len(self._configuration.exclude)):
            if self._configuration.is_scanned and not self.is_excluding(index):
                yield f"exclude[{index}]: fits no instance of the foundation"
        yield from self._idle_rules()
        for index, mute in enumerate(self._configuration.mutes):
            # Without discover, doubts.py says it of a GUID before the inventory is read.
            if not self.muting(index) and (mute.match or self._configuration.discover):
                yield f"mutes[{index}]: is for no audited instance"
        for index, exclude in self._listed_too:
            yield f"instances[{index}]: is listed, so it is audited, though exclude[{exclude}] fits"

    def warnings_of_labels(self) -> Iterator[str]:
        """Which labels are ignored: of each reason how many, and the first of them."""
        for found in self._ignored.values():
            many = f"{found.labels:,} labels are ignored, first"
            yield f"{'1 label is ignored,' if found.labels == 1 else many} on {found.first}"

    def _idle_rules(self) -> Iterator[str]:
        rules, shadows = self._configuration.rules, self._shadows()
        for index, count in enumerate(self.rule_counts()):
            if not count.matched:
                yield f"{_rule(rules, index)}: fits no audited instance"
            elif not count.decided and not self._is_overridden(rules[index]):
                above = ", ".join(_rule(rules, other) for other in sorted(shadows[index]))
                why = f"shadowed by {above}" if above else "instances or labels decide"
                yield f"{_rule(rules, index)}: decides nothing: {why}"

    def _is_overridden(self, rule: Rule) -> bool:
        return any(getattr(rule, demand) is not None for demand in self._overridden)

    def _shadows(self) -> defaultdict[int, set[int]]:
        """The rules that stated before each rule what it states, wherever both fit."""
        rules = self._configuration.rules
        shadows: defaultdict[int, set[int]] = defaultdict(set)
        for fitting, _ in self._rules:
            for demand in DEMANDS:
                stating = [
                    index for index in indexes(fitting) if getattr(rules[index], demand) is not None
                ]
                for index in stating[1:]:
                    shadows[index].add(stating[0])
        return shadows


def _rule(rules: Sequence[Rule], index: int) -> str:
    name = rules[index].name
    return f'rules[{index}] "{printable(name)}"' if name else f"rules[{index}]"
