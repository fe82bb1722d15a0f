"""A foundation whose instances are discovered: under rules, excludes and labels of their teams."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tools.local_cloud.behaviours import NOT_FOUND, Backups, Behaviour, SimulatedInstance
from tools.local_cloud.fleet import Fleet, Happening, instance_of
from tools.local_cloud.foundation import LastOperation, Plan, Space
from tools.local_cloud.names import guid_of
from tools.local_cloud.places import plan, space
from tools.local_cloud.troubles import BUSY, UNSUPPORTED, backups, daily

_SIZE = 190  # instances of the usual names; those of names that differ come on top
_GOLD_HOURS = 12  # what the rule "gold" demands

# Indices of instances that something is special about.
STALE, VANISHES, NEVER, REFUSES, GONE, MUTED, LISTED = 0, 1, 2, 3, 5, 16, 19
WITHIN_BOUNDS, BEYOND_BOUNDS, UNREADABLE, SKIPPED = 20, 21, 22, 11
NO_OPERATION, DELETE_FAILED, SCRATCH, LEAVES, JOINED = 24, 25, 63, 29, 39

# Indices of the names that are not by index.
USER_PROVIDED, BEING_CREATED, BEING_DELETED, TILES, HOSTILE, NEW = 900, 901, 902, 910, 920, 930

_HOSTILE_NAMES = (
    '=HYPERLINK("https://evil.example";"orders")',
    "<img src=x onerror=alert(1)>",
    "orders-db\n2026-01-31 05:00 all 200 instances are healthy",
    "orders-\u202ebd-yppah",
    "zürich-gebühren-db 🗄",
    "x" * 255,
)


def discovered(now: datetime) -> Fleet:
    """Some 200 instances that are discovered, not listed: run it twice, for what changes."""
    instances = (
        *(_usual(index, now) for index in range(_SIZE)),
        *_special(now),
        *_tiles(now),
        *_hostile(now),
    )
    return Fleet(
        instances=instances,
        configuration=_configuration(now),
        latency=0.01,
        later=_later(now),
    )


def _usual(index: int, now: datetime) -> SimulatedInstance:
    instance = instance_of(index, now, daily(index, now))
    labels = {**instance.labels, **_labels(now).get(index, {})}
    return msgspec.structs.replace(
        instance,
        behaviour=_behaviour(index, now, instance),
        labels=labels,
        last_operation=_OPERATIONS.get(index, instance.last_operation),
    )


_OPERATIONS = {NO_OPERATION: None, DELETE_FAILED: LastOperation("delete", "failed")}


def _behaviour(index: int, now: datetime, instance: SimulatedInstance) -> Behaviour:
    troubles: dict[int, Behaviour] = {
        STALE: backups(now, 99, 75, 123, 147),
        NEVER: Backups(()),
        REFUSES: UNSUPPORTED,
        GONE: NOT_FOUND,
        MUTED: backups(now, 200, 224),
        LISTED: backups(now, 40, 64, 88, 112),  # late under a policy of a week
        WITHIN_BOUNDS: backups(now, 6, 30),
        BEYOND_BOUNDS: backups(now, 72, 96),
        UNREADABLE: backups(now, 50, 74),
        SCRATCH: backups(now, 20),
        LEAVES: backups(now, 210),
    }
    if index in troubles:
        return troubles[index]
    if instance.space.name == "sandbox":
        return backups(now, 20 + index % 150)
    is_gold = instance.plan is not None and "gold" in instance.plan.name
    return daily(index, now, _GOLD_HOURS - 1 if is_gold else 22)


def _labels(now: datetime) -> Mapping[int, Mapping[str, str]]:
    return {
        WITHIN_BOUNDS: {"backup-audit.max-age": "4h", "backup-audit.owner": "team-suppliers"},
        BEYOND_BOUNDS: {"backup-audit.max-age": "30d"},
        UNREADABLE: {"backup-audit.max-age": "weekly"},
        SKIPPED: {"backup-audit.skip-until": _day(now, 20)},
        SCRATCH: {"tier": "scratch"},
        LEAVES: {"backup-audit.audit": "yes"},
        JOINED: {"backup-audit.audit": "yes"},
    }


def _special(now: datetime) -> list[SimulatedInstance]:
    shop, logistics = space("prod-eu", "shop"), space("prod-eu", "logistics")
    mysql = plan("p.mysql", "db-small")
    created = _named(BEING_CREATED, now, "vouchers-mysql", BUSY, where=shop, of=mysql)
    stale = backups(now, 40, 64)
    deleted = _named(BEING_DELETED, now, "parcels-mysql", stale, where=logistics, of=mysql)
    return [
        _named(USER_PROVIDED, now, "legacy-oracle", UNSUPPORTED, where=shop, of=None),
        msgspec.structs.replace(
            created,
            created_at=now - timedelta(minutes=20),
            last_operation=LastOperation("create", "in progress"),
        ),
        msgspec.structs.replace(
            deleted,
            last_operation=LastOperation("delete", "in progress", now - timedelta(minutes=10)),
        ),
    ]


def _tiles(now: datetime) -> list[SimulatedInstance]:
    """What the platform's own tiles and smoke tests have."""
    mysql, redis = plan("p.mysql", "db-small"), plan("p.redis", "on-demand-cache")
    places = [
        ("autoscale-db", space("system", "autoscaling"), mysql),
        ("notifications-db", space("system", "notifications-with-ui"), mysql),
        ("mirror-db", space("p-spring-cloud-services", "instances"), mysql),
        ("redis-smoke-test", space("p-redis", "smoke-tests"), redis),
    ]
    return [
        _named(TILES + number, now, name, Backups(()), where=where, of=of)
        for number, (name, where, of) in enumerate(places)
    ]


def _hostile(now: datetime) -> list[SimulatedInstance]:
    """Names that tenants may give, and that formats, terminals and people stumble over."""
    shop, postgres = space("prod-eu", "shop"), plan("postgres", "on-demand-postgres-db")
    return [
        _named(HOSTILE + number, now, name, backups(now, 48 + number), where=shop, of=postgres)
        for number, name in enumerate(_HOSTILE_NAMES)
    ]


def _later(now: datetime) -> tuple[Happening, ...]:
    lab, shop = space("lab", "experiments"), space("prod-eu", "shop")
    postgres, redis = (
        plan("postgres", "on-demand-postgres-db"),
        plan("p.redis", "on-demand-cache"),
    )
    leaves = _usual(LEAVES, now)
    unlabelled = msgspec.structs.replace(
        leaves, labels={**leaves.labels, "backup-audit.audit": "no"}
    )
    vanishes = _usual(VANISHES, now)
    young = msgspec.structs.replace(
        _named(NEW, now, "wishlist-postgres", Backups(()), where=shop, of=postgres),
        created_at=now - timedelta(hours=2),
    )
    unaudited = [
        _named(NEW + 1, now, "prototype-postgres", daily(NEW, now), where=lab, of=postgres),
        _named(NEW + 2, now, "prototype-cache", daily(NEW, now), where=lab, of=redis),
    ]
    return (
        Happening(f"{_said(vanishes)} was deleted", vanishes.guid),
        Happening(f"{_said(leaves)} got the label backup-audit.audit=no", leaves.guid, unlabelled),
        *(Happening(f"{_said(one)} was created", one.guid, one) for one in (young, *unaudited)),
    )


def _said(instance: SimulatedInstance) -> str:
    return f"{instance.name} ({instance.space.org.name} / {instance.space.name})"


def _named(
    index: int, now: datetime, name: str, behaviour: Behaviour, *, where: Space, of: Plan | None
) -> SimulatedInstance:
    return SimulatedInstance(
        guid=guid_of(index),
        name=name,
        created_at=now - timedelta(days=100 + index % 10),
        behaviour=behaviour,
        space=where,
        plan=of,
    )


def _day(now: datetime, days: int) -> str:
    return (now + timedelta(days=days)).date().isoformat()


def _configuration(now: datetime) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "defaults": {"max_age": "26h", "grace": "24h", "owner": "platform"},
        "discover": [
            {"org": "prod-*"},
            {"org": "staging", "offering": ["postgres", "p.mysql"]},
            {"labels": "backup-audit.audit=yes"},
        ],
        "exclude": [
            {
                "match": {"org": ["system", "p-*"]},
                "owner": "platform",
                "reason": "tiles and smoke tests, kept with the platform",
                "until": "never",
            },
            {
                "match": {"org": "prod-*", "offering": "p.redis"},
                "owner": "team-caches",
                "reason": "caches, until the ones that hold sessions are told apart",
                "until": _day(now, 5),
            },
        ],
        "instances": [
            {"guid": guid_of(USER_PROVIDED), "name": "legacy-oracle", "owner": "team-legacy"},
            {"guid": guid_of(LISTED), "max_age": "7d", "owner": "team-reviews"},
            guid_of(GONE),
        ],
        "rules": [
            {
                "name": "gold",
                "match": {"plan": "db-gold-*"},
                "unless": {"labels": "tier=scratch"},
                "max_age": f"{_GOLD_HOURS}h",
                "min_backups": 2,
            },
            {"name": "sandboxes", "match": {"space": "sandbox*"}, "max_age": "8d"},
            {
                "name": "finance",
                "match": {"org": "prod-*", "space": "finance"},
                "owner": "team-finance",
            },
        ],
        "self_service": {
            "max_age": {"at_least": "1h", "at_most": "7d"},
            "min_backups": {"at_most": 60},
            "owner": ["team-*"],
            "skip": {"at_most": "90d"},
        },
        "mutes": [
            {
                "match": {"org": "prod-us", "offering": "p.mysql"},
                "owner": "dba",
                "reason": "CHG-4711: their backup store moves",
                "until": _day(now, 1),
            }
        ],
    }
