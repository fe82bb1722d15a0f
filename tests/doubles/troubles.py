"""A foundation in which much goes wrong, as a random history draws it, and topics that refuse."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from backup_audit.errors import NotificationFailed
from backup_audit.fleet.inventory import Operation, Read, Reading, ServiceInstance
from backup_audit.judge.evidence import (
    Answer,
    Backup,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
)
from backup_audit.notify.message import Message
from backup_audit.notify.progress import BatchResult
from backup_audit.probe.attempt import Attempt
from backup_audit.probe.pacing import Outcome
from tests.doubles.alert_model import Seen
from tests.doubles.builders import NOW
from tests.doubles.crashing import Effects, dies
from tests.doubles.fakes import NOT_FOUND, ScriptedApi

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OWNERS = ("team-a", "team-b")
NOBODY = "nobody"  # a space of which no rule names the owner
SPACES = (*OWNERS, NOBODY)
OFFERINGS = ("p.mysql", "postgres", "redis")
VERDICTS = {  # with weights; the last two are no verdicts of their own
    "healthy": 40,
    "in_grace": 6,
    "stale": 12,
    "never_backed_up": 6,
    "unsupported": 6,
    "not_found": 6,
    "unknown": 8,
    "limited": 2,
    "not_reached": 4,
}

Said = Answer | tuple[Answer, int | None]


class Service(msgspec.Struct):
    """An instance of the foundation, and what happens to it."""

    guid: str
    owner: str
    offering: str
    verdict: str = "healthy"
    is_there: bool = True
    is_listed: bool = True
    is_selected: bool = True
    is_excluded: bool = False
    deleted_since: datetime | None = None  # the deletion is under way
    muted_until: date | None = None

    def wanted(self, *, listing: bool) -> bool:
        """Whether the configuration means it."""
        return self.is_listed if listing else self.is_selected and not self.is_excluded

    def row(self, now: datetime) -> ServiceInstance:
        """As the foundation lists it."""
        young = self.verdict == "in_grace"
        going = self.deleted_since
        return ServiceInstance(
            guid=self.guid,
            name=f"name-{self.guid}",
            org="prod" if self.is_selected else "lab",
            space=self.owner,
            offering=self.offering,
            created_at=now - HOUR if young else NOW - 99 * DAY,
            last_operation=Operation("delete", "in progress", going) if going else None,
        )


class Troubles:
    """The foundation: its instances, and what happens to them between two runs.

    `listing`: the configuration lists instances, and else it discovers them. `read` is how much of
    the inventory comes, `lost` are instances that our client does not see now, `outage` is an
    offering whose broker does not answer.
    """

    def __init__(self, chance: random.Random, instances: int) -> None:
        self.chance = chance
        self.listing = chance.random() < 0.3
        self.is_scanned = not self.listing or chance.random() < 0.5
        self.stickiness = chance.choice((0.6, 0.8, 0.95))
        self.services = {
            guid: Service(guid, chance.choice(SPACES), chance.choice(OFFERINGS))
            for guid in (f"g{number}" for number in range(instances))
        }
        self.muted_space: tuple[str, date] | None = None
        self.outage: str | None = None
        self.lost: set[str] = set()
        self.read = Read.COMPLETE
        self.now = NOW

    def change(self, now: datetime, *, is_first: bool) -> None:
        """What happens until then; before the first report the inventory comes whole."""
        draw, self.now = self.chance, now
        if draw.random() < 0.5:  # else it goes on, be it an outage or none
            self.outage = draw.choice(OFFERINGS) if draw.random() < 0.35 else None
        if draw.random() < 0.1:
            self.muted_space = (draw.choice(SPACES), now.date() + draw.randint(0, 3) * DAY)
        self.read, self.lost = Read.COMPLETE, set()
        if not is_first and draw.random() < 0.1:
            self.read = draw.choice((Read.FAILED, Read.PARTIAL))
        if not is_first and not self.listing and draw.random() < 0.04:
            self.lost = {one for one in self.services if draw.random() < 0.4}
        is_reached = draw.random() < 0.5
        for one in self.services.values():
            self._change_one(one)
            if is_reached and one.verdict in ("not_reached", "limited"):
                one.verdict = "healthy"

    def calm_down(self) -> None:
        """All is there, is asked for and answers, and stays as it is now."""
        self.read, self.lost, self.outage, self.muted_space = Read.COMPLETE, set(), None, None
        for one in self.services.values():
            one.is_there, one.is_listed, one.deleted_since = True, True, None
            one.is_selected, one.is_excluded = True, False
            if one.verdict in ("not_reached", "limited"):
                one.verdict = "stale"

    def is_there(self, one: Service) -> bool:
        """Whether our client sees it."""
        return one.is_there and one.guid not in self.lost

    def is_fresh(self, one: Service) -> bool:
        """Whether a run that reads the inventory now reads it."""
        return self.is_there(one) and self.read is Read.COMPLETE

    def rows(self) -> dict[str, ServiceInstance]:
        """What the foundation lists."""
        return {one.guid: one.row(self.now) for one in self.services.values() if self.is_there(one)}

    def seen(self, one: Service) -> Seen:
        """What a run should see of an instance that is there."""
        drawn = "unknown" if one.verdict == "limited" else one.verdict
        if self.outage == one.offering and drawn != "not_reached":
            drawn = "unknown"
        going = one.deleted_since
        return Seen(
            verdict=None if drawn == "not_reached" else drawn,
            owner=one.owner if one.owner in OWNERS else None,
            muted=self._is_muted(one),
            deleting=going is not None and self.now - going <= DAY,
        )

    def configuration(self) -> dict[str, Any]:
        """The document of this day."""
        because = {"owner": "platform", "reason": "a reason"}
        mutes: list[dict[str, Any]] = [
            {"guid": one.guid, "until": one.muted_until.isoformat(), **because}
            for one in self.services.values()
            if one.muted_until
        ]
        if self.muted_space:
            space, until = self.muted_space
            mutes.append({"match": {"space": space}, "until": until.isoformat(), **because})
        configuration: dict[str, Any] = {
            "defaults": {"grace": "2d"},
            "mutes": mutes,
            "rules": [{"match": {"space": one}, "owner": one} for one in OWNERS],
        }
        if self.listing:
            listed = [one.guid for one in self.services.values() if one.is_listed]
            more = {} if self.is_scanned else {"inventory": "listed"}
            return {**configuration, **more, "instances": listed}
        excluded = [f"name-{one.guid}" for one in self.services.values() if one.is_excluded]
        exclude = [{"match": {"name": excluded}, "until": "never", **because}] if excluded else []
        return {**configuration, "discover": [{"org": "prod"}], "exclude": exclude}

    def answers(self) -> dict[str, Said]:
        """What the API says of backups."""
        return {one.guid: self._answer(one) for one in self.services.values() if self.is_there(one)}

    def broken(self, call: str, reading: Reading) -> Reading:
        """The inventory as it comes."""
        del call
        if self.read is Read.COMPLETE:
            return reading
        rows = dict(reading.rows) if self.read is Read.PARTIAL else {}
        kept = {guid: row for guid, row in rows.items() if int(guid[1:]) % 2}
        return msgspec.structs.replace(reading, read=self.read, rows=kept, why="HTTP 502")

    def _change_one(self, one: Service) -> None:
        draw = self.chance
        if draw.random() > self.stickiness:
            one.verdict = draw.choices(list(VERDICTS), list(VERDICTS.values()))[0]
        if draw.random() < 0.02:
            one.is_there = not one.is_there
        one.is_listed = self._usually(one.is_listed, 0.02)
        one.is_selected = self._usually(one.is_selected, 0.01)
        one.is_excluded = not self._usually(not one.is_excluded, 0.01)
        if draw.random() < 0.02:
            one.muted_until = self.now.date() + draw.randint(0, 5) * DAY
        elif draw.random() < 0.1:
            one.muted_until = None
        if draw.random() < 0.01:
            one.deleted_since = self.now - draw.randint(0, 30) * HOUR
        elif draw.random() < 0.3:
            one.deleted_since = None
        if draw.random() < 0.01:
            one.owner = draw.choice(SPACES)

    def _usually(self, is_so: bool, seldom_not: float) -> bool:  # noqa: FBT001
        """What is mostly so, and soon again if it is not."""
        return self.chance.random() >= (seldom_not if is_so else 0.7)

    def _answer(self, one: Service) -> Said:
        if self.outage == one.offering and one.verdict != "not_reached":
            title = "CF-ServiceBrokerApiUnreachable"
            return Refusal(10001, title, "the broker does not answer"), 502
        answers: dict[str, Said] = {
            "healthy": BackupList((Backup(self.now - 3 * HOUR),)),
            "stale": BackupList((Backup(self.now - 50 * HOUR),)),
            "never_backed_up": BackupList(()),
            "in_grace": BackupList(()),
            "unsupported": (Refusal(10008, "CF-UnprocessableEntity", "no backups"), 422),
            "not_found": (NOT_FOUND, 404),
            "limited": (Refusal(10013, "CF-RateLimitExceeded", "Rate Limit Exceeded"), 429),
            "not_reached": (Silence(Cause.NOT_REACHED, "the run's time was over"), None),
            "unknown": (Silence(Cause.TIMEOUT, "no whole answer in time"), None),
        }
        return answers[one.verdict]

    def _is_muted(self, one: Service) -> bool:
        today = self.now.date()
        by_space = self.muted_space is not None and self.muted_space[0] == one.owner
        return bool(
            (one.muted_until and today <= one.muted_until)
            or (by_space and self.muted_space and today <= self.muted_space[1])
        )


class Topic:
    """A topic that takes messages one by one, each an effect; `refuses` some of them, or all."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refuses = 0.0
        self.chance = random.Random(0)
        self.effects = Effects()
        self._read = 0

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        """Publish all."""
        sent = refused = 0
        for message in messages:
            self.effects.point("before publish")
            is_refused = self.chance.random() < self.refuses
            if not is_refused:
                self.messages.append(message)
                self.effects.point("after publish")
            took(BatchResult(first=sent, size=1, refused={0: "no"} if is_refused else {}))
            sent, refused = sent + 1, refused + is_refused
        if refused:
            raise NotificationFailed(f"{refused} of {sent} messages were not taken")
        return sent

    def unread(self) -> list[Message]:
        """The messages since the last time that somebody asked."""
        new, self._read = self.messages[self._read :], len(self.messages)
        return new


class AfterCommit(Effects):
    """Counts points from the manifest on, the first of them as 0."""

    def __init__(self, at: int) -> None:
        super().__init__(at, dies)
        self._is_committed = False

    def point(self, name: str) -> None:
        if name.startswith("after put_new") and name.endswith("/manifest.json"):
            self._is_committed = True
        if self._is_committed:
            super().point(name)


class Once(Effects):
    """Acts the first time that an effect begins with these words."""

    def __init__(self, beginning: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._beginning = beginning
        self._to_do = [act]

    def point(self, name: str) -> None:
        super().point(name)
        if self._to_do and name.startswith(self._beginning):
            self._to_do.pop()()


class Api(ScriptedApi):
    """Answers at once, now."""

    def __init__(
        self,
        answers: Mapping[str, Said],
        services: Mapping[str, Service],
        now: datetime,
    ) -> None:
        super().__init__(answers)
        self._services, self._now = services, now

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        """What was drawn for it."""
        del limit
        scripted = self._answers.get(guid, (NOT_FOUND, 404))
        answer, status = scripted if isinstance(scripted, tuple) else (scripted, 200)
        evidence = Evidence(answer=answer, observed_at=self._now, status=status)
        return Attempt(evidence=evidence, outcome=Outcome.ANSWERED)

    def add_age(self, guid: str, listing: Evidence) -> Attempt:
        """The age that the inventory would give."""
        self._created_at = self._services[guid].row(self._now).created_at
        return super().add_age(guid, listing)
