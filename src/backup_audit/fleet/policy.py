"""What is demanded of an instance: how young, how many, and how long it may have no backup."""

from datetime import timedelta

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is demanded of one instance, and where each demand was written.

    The sources are "built-in", "defaults", "instances[3]" or "event".
    """

    max_age: timedelta
    min_backups: int
    grace: timedelta
    max_age_source: str = "built-in"
    min_backups_source: str = "built-in"
    grace_source: str = "built-in"

    def __post_init__(self) -> None:
        if self.max_age <= timedelta(0):
            raise ValueError("max_age must be longer than zero")
        if self.min_backups < 1:
            raise ValueError("min_backups must be at least 1")
        if self.grace < timedelta(0):
            raise ValueError("grace must not be negative")


# 26 h: a backup a day, and 2 h for one that runs late. No grace unless somebody decides on one.
BUILT_IN = Policy(max_age=timedelta(hours=26), min_backups=1, grace=timedelta(0))


class PolicyLayer(msgspec.Struct, frozen=True, kw_only=True):
    """The demands that one place states; None leaves a demand as it is below."""

    source: str
    max_age: timedelta | None = None
    min_backups: int | None = None
    grace: timedelta | None = None


def layered(policy: Policy, layer: PolicyLayer) -> Policy:
    """Lay what one place states over a policy."""
    stated = {
        name: value
        for name in ("max_age", "min_backups", "grace")
        if (value := getattr(layer, name)) is not None
    }
    sources = {f"{name}_source": layer.source for name in stated}
    return msgspec.structs.replace(policy, **stated, **sources)
