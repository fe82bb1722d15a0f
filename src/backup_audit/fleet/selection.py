"""Which instances are audited, and what is in force for each: one function decides, here."""

from collections.abc import Collection, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from backup_audit.errors import merged
from backup_audit.fleet.configuration import Configuration, Instance
from backup_audit.fleet.inventory import ServiceInstance
from backup_audit.fleet.matching import Match, Matching
from backup_audit.fleet.mutes import Mute, MuteRecord, state_of
from backup_audit.fleet.policy import InForce
from backup_audit.fleet.selectors import as_configured, indexes
from backup_audit.fleet.self_service import IS_IGNORED, SKIP_UNTIL
from backup_audit.fleet.tally import Tally

_NAMED_MAX = 5  # places, where there may be thousands

_BY_LABEL = f"label {SKIP_UNTIL}"


class Standing(StrEnum):
    """Whether an instance is audited."""

    AUDITED = "audited"
    EXCLUDED = "excluded"
    UNAUDITED = "unaudited"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What the configuration says of one instance.

    `place` decided whether it is audited: "event", "instances[3]", "discover[0]", "exclude[1]" or
    "label backup-audit.skip-until"; None if nothing names it. `instance` is there if it is audited.
    """

    standing: Standing
    place: str | None
    instance: Instance | None = None
    mute: Mute | None = None


class ExcludeState(StrEnum):
    """The state of an exclude in a run."""

    ACTIVE = "active"
    EXPIRED = "expired"
    UNMATCHED = "unmatched"


class ExcludeUse(msgspec.Struct, frozen=True, kw_only=True):
    """An exclude, or all labels backup-audit.skip-until together, and how many it takes out.

    Of several that fit, the first takes an instance out. `match` is the selector as configured,
    null for labels. `until` is a day such as "2027-03-31", "never", or null for labels, which have
    each their own.
    """

    rule: str
    match: dict[str, Any] | None
    owner: str | None
    reason: str | None
    until: str | None
    state: ExcludeState
    instances: int


class RuleUse(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, how many audited instances it fits, and for how many it decided something.

    `match` and `unless` are its selectors as configured.
    """

    rule: str
    name: str | None
    match: dict[str, Any]
    unless: dict[str, Any] | None
    matched: int
    decided: int


class Selection:
    """Decides for one instance after the other, and counts what selectors and rules did.

    `today` is a day in UTC, `max_age` that of the event. `problems` are the GUIDs of instances with
    an open problem in the last full report; None if the run is not compared with it. To count
    right, each GUID is decided once.
    """

    def __init__(
        self,
        configuration: Configuration,
        today: date,
        *,
        max_age: str | None = None,
        problems: Collection[str] | None = None,
    ) -> None:
        self.configuration = configuration
        self.today = today
        self.matching = Matching(configuration, today, max_age)
        self._tally = Tally(configuration, ("max_age",) if max_age else ())
        # A fleet has many instances and few places: equal ones are shared.
        self._discover = [f"discover[{at}]" for at in range(len(configuration.discover))]
        self._exclude = [f"exclude[{at}]" for at in range(len(configuration.exclude))]
        self._not_audited: dict[str | None, Decision] = {}
        self._problems = problems

    @property
    def label_keys(self) -> frozenset[str]:
        """The labels that anything reads: no other need be kept of an inventory."""
        return self.matching.label_keys

    def decide(
        self, guid: str, row: ServiceInstance | None, *, is_fresh: bool, asked: bool = False
    ) -> Decision:
        """Decide for an instance, and count it.

        `row` is what the inventory has of it, None if nothing; it `is_fresh` if this run read it:
        else it gives names, labels and rules, but neither age nor operation, which may soften a
        verdict. `asked`: the event names it.
        """
        match = self.matching.of(guid, row)
        standing, place = self.standing_of(match, asked=asked)
        self._tally.matched(match)
        if standing is not Standing.AUDITED:
            self._tally.excluded[place] += 1
            return self._not_audited.setdefault(place, Decision(standing, place))
        decided = self.matching.in_force(match)
        self._tally.audited(match, decided.rules)
        notes = self.notes_on(match)
        instance = self._instance(guid, row, match, decided, notes, is_fresh=is_fresh)
        if notes:
            self._tally.noted(guid, instance.name, notes)
        if asked and (usual := self.standing_of(match))[0] is Standing.EXCLUDED:
            notes = (*notes, f"ordinarily excluded by {usual[1]}")
            instance = msgspec.structs.replace(instance, policy_notes=notes)
        return Decision(standing, place, instance, self._mute(guid, row))

    def standing_of(self, match: Match, *, asked: bool = False) -> tuple[Standing, str | None]:
        """Whether an instance is audited, and the place that decides it; counts nothing."""
        if asked:
            return Standing.AUDITED, "event"
        if match.listed is not None:
            return Standing.AUDITED, f"instances[{match.listed}]"
        if match.excluding:
            return Standing.EXCLUDED, self._exclude[next(indexes(match.excluding))]
        if not match.discovering:
            return Standing.UNAUDITED, None
        if match.stated.skip_until is not None and self.today <= match.stated.skip_until:
            return Standing.EXCLUDED, _BY_LABEL
        return Standing.AUDITED, self._discover[next(indexes(match.discovering))]

    def owner_of(self, row: ServiceInstance) -> str | None:
        """Who owns an instance, audited or not, by what is configured now; counts nothing."""
        return self.matching.in_force(self.matching.of(row.guid, row)).owner

    def excluded_until(self, row: ServiceInstance) -> str | None:
        """The last day on which an excluded instance is not audited, or "never"."""
        match = self.matching.of(row.guid, row)
        if match.excluding:
            return self.configuration.exclude[next(indexes(match.excluding))].until
        last_day = match.stated.skip_until
        return last_day.isoformat() if last_day else None

    def notes_on(self, match: Match) -> tuple[str, ...]:
        """Which labels are ignored, and why; a skip that is over is one of them."""
        stated = match.stated
        if match.listed is None or stated.skip_until is None or stated.skip_until < self.today:
            return stated.notes
        note = f"{_BY_LABEL}{IS_IGNORED}instances[{match.listed}] lists the instance"
        return (*stated.notes, note)

    def exclude_uses(self) -> list[ExcludeUse]:
        """Every exclude, and the labels that skip if they may, with what they took out."""
        allowed = self.configuration.self_service
        uses = [self._exclude_use(index) for index in range(len(self.configuration.exclude))]
        if allowed is not None and allowed.skip is not None:
            skipped = self._tally.excluded[_BY_LABEL]
            state = ExcludeState.ACTIVE if skipped else ExcludeState.UNMATCHED
            by_label = ExcludeUse(
                rule=_BY_LABEL,
                match=None,
                owner=None,
                reason=None,
                until=None,
                state=state,
                instances=skipped,
            )
            uses.append(by_label)
        return uses

    def rule_uses(self) -> list[RuleUse]:
        """Every rule with what it did."""
        counts = self._tally.rule_counts()
        return [
            RuleUse(
                rule=f"rules[{index}]",
                name=rule.name,
                match=as_configured(rule.match),
                unless=as_configured(rule.unless) if rule.unless else None,
                matched=counts[index].matched,
                decided=counts[index].decided,
            )
            for index, rule in enumerate(self.configuration.rules)
        ]

    def mute_records(self, *, is_whole: bool) -> tuple[MuteRecord, ...]:
        """Every configured mute, so that one that ended or never matched is seen.

        `is_whole`: every instance that there is was decided; else a mute is unmatched only if its
        GUID could not be audited.
        """
        return tuple(
            self._mute_record(index, one, is_whole=is_whole)
            for index, one in enumerate(self.configuration.mutes)
        )

    def warnings(self) -> tuple[str, ...]:
        """What had no effect, once every instance that there is was decided; equal ones merged."""
        return (*merged(self._tally.warnings()), *self._tally.warnings_of_labels())

    def why_empty(self) -> str:
        """What leaves no instance: selectors that fit none, excludes with what they take out."""
        selectors = range(len(self.configuration.discover))
        idle = [f"discover[{one}]" for one in selectors if not self._tally.is_discovering(one)]
        taken = [
            f"{one.rule} takes out {one.instances:,}"
            for one in self.exclude_uses()
            if one.instances
        ]
        fit = "fits none" if len(idle) == 1 else "fit none"
        causes = (f"{_few(idle)} {fit}" if idle else "", _few(taken))
        return "; ".join(filter(None, causes))

    def _exclude_use(self, index: int) -> ExcludeUse:
        one = self.configuration.exclude[index]
        state = ExcludeState.ACTIVE if self._tally.is_excluding(index) else ExcludeState.UNMATCHED
        return ExcludeUse(
            rule=self._exclude[index],
            match=as_configured(one.match),
            owner=one.owner,
            reason=one.reason,
            until=one.until,
            state=state if one.is_in_force(self.today) else ExcludeState.EXPIRED,
            instances=self._tally.excluded[self._exclude[index]],
        )

    def _mute_record(self, index: int, mute: Mute, *, is_whole: bool) -> MuteRecord:
        instances, today = self._tally.muting(index), self.today
        is_compared = self._problems is not None and mute.has_just_ended(today)
        is_matched = instances > 0 or not (is_whole or self._cannot_match(mute))
        return MuteRecord(
            mute.guid,
            mute.owner,
            mute.reason,
            mute.until,
            mute.match,
            state=state_of(mute, today, is_matched=is_matched),
            instances=instances if mute.is_in_force(today) else 0,
            problems=self._tally.not_held(index) if is_compared else None,
        )

    def _cannot_match(self, mute: Mute) -> bool:
        """Whether its GUID is none that is audited, whatever there is."""
        is_guessed = mute.match or self.configuration.discover
        return not is_guessed and not self.matching.is_listed(mute.guid)

    def _mute(self, guid: str, row: ServiceInstance | None) -> Mute | None:
        """The mute in force; all that are for the instance are counted."""
        mutes = self.matching.mutes(guid, row)
        configured = (self.configuration.mutes[index] for index in mutes)
        holding = next((mute for mute in configured if mute.is_in_force(self.today)), None)
        has_problem = self._problems is not None and guid in self._problems
        self._tally.muted(mutes, is_not_held=holding is None and has_problem)
        return holding

    def _instance(
        self,
        guid: str,
        row: ServiceInstance | None,
        match: Match,
        decided: InForce,
        notes: tuple[str, ...],
        *,
        is_fresh: bool,
    ) -> Instance:
        entry = None if match.listed is None else self.configuration.instances[match.listed]
        name = entry.name if entry is not None else None
        if row is None:
            return Instance(guid, decided.policy, name, decided.owner)
        operation = row.last_operation
        return Instance(
            guid,
            decided.policy,
            name or row.name,
            decided.owner,
            type=row.type,
            org=row.org,
            space=row.space,
            offering=row.offering,
            plan=row.plan,
            created_at=row.created_at if is_fresh else None,
            operation=operation if is_fresh and operation and operation.is_under_way else None,
            policy_notes=notes,
        )


def _few(places: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    first = ", ".join(places[:_NAMED_MAX])
    more = len(places) - _NAMED_MAX
    return f"{first} and {more:,} more" if more > 0 else first
