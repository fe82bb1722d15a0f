"""Random histories: instances come and go between the pages of a list that is being read."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from backup_audit.fleet.inventory import Read
from backup_audit.probe import paging
from backup_audit.probe.http import Reply
from tools.bench import ours
from tools.bench.discovered import Row, page
from tools.bench.results import CROWDED, KEYSET, OFFSETS, ONE_PASS, Histories

_API = "https://api.example.com"

_FLEET_MAX = 60  # instances at the beginning
_PAGE = 5  # instances; so that even small fleets have many pages
_CROWD = 12  # instances created in one second: more than two pages
_CHANGES_MAX = 3  # between two requests
_QUIET_AFTER_MAX = 40  # requests, after which nothing comes or goes any more
_REFUSED = b'{"errors":[{"code":10005,"title":"CF-BadQueryParameter","detail":"unknown"}]}'


def histories(number: int) -> dict[str, Histories]:
    """Read so many of each kind.

    By keyset; by keyset where more instances were created in a second than a page has; where the
    API knows pages by number only; and what those histories do to a client that believes one pass.
    """
    seeds = range(number)
    with mock.patch.object(paging, "PER_PAGE", _PAGE):
        return {
            KEYSET: _read([Changing(seed, a_second=_PAGE - 1) for seed in seeds], _ours),
            CROWDED: _read([Changing(seed) for seed in seeds], _ours),
            OFFSETS: _read([Changing(seed, has_keyset=False) for seed in seeds], _ours),
            ONE_PASS: _read([Changing(seed, has_keyset=False) for seed in seeds], _one_pass),
        }


def _ours(foundation: "Changing") -> list[str] | None:
    """The GUIDs of a reading, None if it is not complete."""
    reading = ours.reader_over(foundation, _API).scan([])  # type: ignore[arg-type]
    is_complete = reading.read is Read.COMPLETE
    return [one.guid for one in reading.rows.values()] if is_complete else None


def _one_pass(foundation: "Changing") -> list[str] | None:
    """The same of page after page, each once."""
    read: list[str] = []
    for number in count(1):
        with foundation.get(f"{_API}?per_page={_PAGE}&page={number}", "bearer") as reply:
            listed = json.loads(reply.body)
        read += [one["guid"] for one in listed["resources"]]
        if listed["pagination"]["next"] is None:
            break
    return read


def _read(
    foundations: Sequence["Changing"], reader: Callable[["Changing"], list[str] | None]
) -> Histories:
    complete = missed = doubled = 0
    for foundation in foundations:
        alive = set(foundation.rows)
        read = reader(foundation)
        if read is not None:
            complete += 1
            missed += len(alive & foundation.rows.keys() - set(read))
            doubled += len(read) - len(set(read))
    return Histories(
        histories=len(foundations),
        complete=complete,
        partial=len(foundations) - complete,
        missed=missed,
        doubled=doubled,
    )


class Changing:
    """A list that changes before each answer. It stands in the place of the product's HttpClient.

    `rows` are the instances that live now, by GUID; up to `a_second` are created in one second.
    Without `has_keyset` it refuses the parameters that a keyset needs.
    """

    def __init__(self, seed: int, *, a_second: int = _CROWD, has_keyset: bool = True) -> None:
        self._chance = random.Random(seed)
        self._a_second = a_second
        self._has_keyset = has_keyset
        self._at = datetime(2026, 1, 1, tzinfo=UTC)
        self._of_this_second = 0
        self._made = 0
        self.rows: dict[str, Row] = {}
        self.calls = 0
        self._quiet_after = self._chance.randint(0, _QUIET_AFTER_MAX)
        for _ in range(self._chance.randint(0, _FLEET_MAX)):
            self._make()

    @contextlib.contextmanager
    def get(self, url: str, authorization: str | None = None) -> Iterator[Reply]:
        """Change, then answer."""
        assert authorization
        self.calls += 1
        if self.calls <= self._quiet_after:
            for _ in range(self._chance.randint(0, _CHANGES_MAX)):
                self._change()
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        is_refused = not self._has_keyset and {"order_by", "created_ats[gte]"} & asked.keys()
        body = _REFUSED if is_refused else self._answer(asked)
        yield Reply(status=400 if is_refused else 200, headers={}, body=body)

    def cut(self) -> list[int]:
        """End no request: none is under way when nobody looks."""
        return []

    def cut_all(self) -> None:
        """End none either."""

    def _answer(self, asked: Mapping[str, str]) -> bytes:
        if asked.get("type") == "user-provided":
            return page([], asked, total=0)
        since = datetime.fromisoformat(asked.get("created_ats[gte]", "2000-01-01T00:00:00Z"))
        guids = asked["guids"].split(",") if "guids" in asked else self.rows
        found = [
            self.rows[guid]
            for guid in guids
            if guid in self.rows and self.rows[guid].created_at >= since
        ]
        # By creation and GUID, or, where nothing is asked for, by the database's own numbers.
        by_age = "order_by" in asked
        found.sort(key=lambda one: (one.created_at, one.guid) if by_age else (one.number,))
        size, number = int(asked["per_page"]), int(asked.get("page", "1"))
        return page(found[size * (number - 1) : size * number], asked, total=len(found))

    def _change(self) -> None:
        """Make or delete one, or as many as a page has."""
        some = self._chance.choice((1, 1, 1, _PAGE))
        if self._chance.random() < 0.5:
            for _ in range(some):
                self._make()
        else:
            for guid in self._chance.sample(sorted(self.rows), min(some, len(self.rows))):
                del self.rows[guid]

    def _make(self) -> None:
        """Create one: in the same second as the one before, or later."""
        later = self._chance.choice((0, 0, 0, 0, 1, 60))
        if self._of_this_second >= self._a_second:
            later = later or 1
        self._of_this_second = 1 if later else self._of_this_second + 1
        self._at += timedelta(seconds=later)
        guid = f"{self._chance.randrange(16**8):08x}-1111-4222-8333-{self._made:012x}"
        self.rows[guid] = Row(guid, self._at, self._made)
        self._made += 1
