"""A foundation whose problems come and go with the days: for a page that has something to tell."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tools.local_cloud.behaviours import NOT_FOUND, Backups, Behaviour, SimulatedInstance
from tools.local_cloud.fleet import Fleet, instance_of
from tools.local_cloud.names import guid_of
from tools.local_cloud.troubles import CRASHED, HAS_GRACE, UNSUPPORTED, backups, daily

_SIZE = 300  # instances, four in five of them audited
_GOLD_HOURS = 12  # what the rule "gold" demands
_GONE, _MUTED = 60, 81  # the indices of one that is no longer there, and of one that is muted

_Answer = Callable[[datetime, int], Behaviour]  # at a time, so many days after its first day


class _Trouble(msgspec.Struct, frozen=True):
    """What is wrong with an instance from a day on, until another; both are days ago.

    `until` is the first day on which all is well again, None while it lasts.
    """

    answer: _Answer
    since: int
    until: int | None = None

    def lasts(self, days_ago: int) -> bool:
        return days_ago <= self.since and (self.until is None or days_ago > self.until)


def changing(now: datetime, days_ago: int = 0) -> Fleet:
    """Some 240 instances whose problems come and go: with DAYS=21, a page that has a past."""
    then = now - timedelta(days=days_ago)
    return Fleet(
        instances=tuple(_instance(index, then, days_ago) for index in range(_SIZE)),
        configuration=_configuration(now),
        latency=0.0,
    )


def _instance(index: int, then: datetime, days_ago: int) -> SimulatedInstance:
    instance = instance_of(index, then, Backups(()))
    if index == HAS_GRACE:
        return instance
    is_gold = instance.plan is not None and "gold" in instance.plan.name
    behaviour: Behaviour = daily(index, then, _GOLD_HOURS - 1 if is_gold else 22)
    trouble = _TROUBLES.get(index)
    if trouble and trouble.lasts(days_ago):
        behaviour = trouble.answer(then, trouble.since - days_ago)
    return msgspec.structs.replace(instance, behaviour=behaviour)


def _stopped(then: datetime, days: int) -> Behaviour:
    """A backup a day, until they stopped."""
    return backups(then, *(30 + 24 * (days + more) for more in range(5)))


def _never(_then: datetime, _days: int) -> Behaviour:
    return Backups(())


def _refused(_then: datetime, _days: int) -> Behaviour:
    return UNSUPPORTED


def _gone(_then: datetime, _days: int) -> Behaviour:
    return NOT_FOUND


def _crashed(_then: datetime, _days: int) -> Behaviour:
    return CRASHED


def _one_by_one(indices: Iterable[int], answer: _Answer, since: int) -> dict[int, _Trouble]:
    """The same for several; the last of them is well again today, the one before a day ago."""
    return {
        index: _Trouble(answer, since, until) for until, index in enumerate(reversed(list(indices)))
    }


_TROUBLES: dict[int, _Trouble] = {
    **{index: _Trouble(_refused, 400) for index in (30, 53)},
    42: _Trouble(_never, 25),
    92: _Trouble(_never, 9),
    206: _Trouble(_never, 0),
    121: _Trouble(_never, 16, 7),
    _GONE: _Trouble(_gone, 6),
    142: _Trouble(_crashed, 1),
    26: _Trouble(_stopped, 18),
    72: _Trouble(_stopped, 4),
    73: _Trouble(_stopped, 2),
    104: _Trouble(_stopped, 0),
    33: _Trouble(_stopped, 19, 12),
    115: _Trouble(_stopped, 24, 16),
    150: _Trouble(_stopped, 24, 17),
    _MUTED: _Trouble(_stopped, 12),
    # A broker was down for two days, and a backup store was full for longer.
    **{index: _Trouble(_crashed, 16, 14) for index in (15, 54, 86, 94, 125, 164, 196)},
    **_one_by_one((24, 55, 64, 95, 126, 134, 165, 174, 204, 205), _stopped, 12),
    236: _Trouble(_stopped, 12, 0),
}

_TEAMS = ("shop", "finance", "logistics", "risk", "people", "grid")


def _configuration(now: datetime) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "defaults": {"max_age": "26h", "grace": "24h", "owner": "platform"},
        "discover": [{"org": "*"}],
        "exclude": [
            {
                "match": {"org": "lab"},
                "owner": "platform",
                "reason": "experiments, which nobody misses",
                "until": "never",
            },
            {
                "match": {"org": "staging", "space": "sandbox"},
                "owner": "platform",
                "reason": "made anew each week",
                "until": "never",
            },
        ],
        "instances": [guid_of(_GONE)],
        "rules": [
            {
                "name": "gold",
                "match": {"plan": "db-gold-*"},
                "max_age": f"{_GOLD_HOURS}h",
                "min_backups": 2,
            },
            *({"name": team, "match": {"space": team}, "owner": f"team-{team}"} for team in _TEAMS),
        ],
        "mutes": [
            {
                "guid": guid_of(_MUTED),
                "owner": "team-logistics",
                "reason": "CHG-4711: is moved to another foundation",
                "until": (now + timedelta(days=20)).date().isoformat(),
            }
        ],
    }
