"""The demands on an instance, and which of those stated for it are in force."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from backup_audit.fleet.fields import Duration, MinBackups, PositiveDuration, Text
from backup_audit.text import parse_duration


class Demands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The demands that one place states; the others are stated by another place."""

    max_age: PositiveDuration | None = None
    min_backups: MinBackups | None = None
    grace: Duration | None = None
    owner: Text | None = None

    @property
    def are_none(self) -> bool:
        return all(getattr(self, demand) is None for demand in DEMANDS)


DEMANDS = tuple(field.name for field in msgspec.structs.fields(Demands))


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The demands on one instance, and their sources.

    A source is "event", "instances[3]", "label backup-audit.max-age", "rules[1]", "defaults" or
    "built-in".
    """

    max_age_seconds: int
    max_age_source: str = "built-in"
    min_backups: int
    min_backups_source: str = "built-in"
    grace_seconds: int
    grace_source: str = "built-in"

    def __post_init__(self) -> None:
        if self.max_age_seconds <= 0:
            raise ValueError("max_age must be longer than zero")
        if self.min_backups < 1:
            raise ValueError("min_backups must be at least 1")
        if self.grace_seconds < 0:
            raise ValueError("grace must not be negative")

    @property
    def max_age(self) -> timedelta:
        return timedelta(seconds=self.max_age_seconds)

    @property
    def grace(self) -> timedelta:
        return timedelta(seconds=self.grace_seconds)


class Statement(NamedTuple):
    """Demands, and the place that states them; `rule` is its index if that is a rule."""

    place: str
    demands: Demands
    rule: int | None = None


# 26 h: a backup a day, and 2 h for one that runs late. No grace unless somebody decides on one.
BUILT_IN_STATEMENT = Statement("built-in", Demands(max_age="26h", min_backups=1, grace="0h"))


class InForce(NamedTuple):
    """What is in force for an instance. Each of `rules` decided at least one demand."""

    policy: Policy
    owner: str | None
    rules: frozenset[int]


def stating(statements: Sequence[Statement], demand: str) -> list[Statement]:
    """The statements that state a demand: the first is in force, the others would be without it."""
    return [one for one in statements if getattr(one.demands, demand) is not None]


def deciding(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements, in their order, that are the first of a demand: the others change nothing."""
    first = {id(one) for demand in DEMANDS for one in stating(statements, demand)[:1]}
    return tuple(one for one in statements if id(one) in first)


def in_force(statements: Sequence[Statement]) -> InForce:
    """Decide: of each demand, the first statement that has it, else what is built in."""
    first = {demand: _first(statements, demand) for demand in DEMANDS}
    value: dict[str, Any] = {demand: getattr(one.demands, demand) for demand, one in first.items()}
    policy = Policy(
        max_age_seconds=parse_duration(value["max_age"]),
        max_age_source=first["max_age"].place,
        min_backups=value["min_backups"],
        min_backups_source=first["min_backups"].place,
        grace_seconds=parse_duration(value["grace"]),
        grace_source=first["grace"].place,
    )
    rules = frozenset(one.rule for one in first.values() if one.rule is not None)
    return InForce(policy, value["owner"], rules)


def _first(statements: Sequence[Statement], demand: str) -> Statement:
    for one in statements:
        if getattr(one.demands, demand) is not None:
            return one
    return BUILT_IN_STATEMENT


BUILT_IN = in_force([BUILT_IN_STATEMENT]).policy
