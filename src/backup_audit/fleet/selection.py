"""Which instances are audited, and what is in force for each: one function decides, here."""

from enum import StrEnum

import msgspec

from backup_audit.fleet.configuration import Instance, Mute


class Standing(StrEnum):
    """Whether an instance is audited."""

    AUDITED = "audited"
    EXCLUDED = "excluded"
    UNAUDITED = "unaudited"


class Decision(msgspec.Struct, frozen=True):
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

    `until` is a day such as "2027-03-31", "never", or null for labels, which have each their own.
    """

    rule: str
    owner: str | None
    reason: str | None
    until: str | None
    state: ExcludeState
    instances: int


class RuleUse(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, how many audited instances it fits, and for how many it decided something."""

    rule: str
    name: str | None
    matched: int
    decided: int
