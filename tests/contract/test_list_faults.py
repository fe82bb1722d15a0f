"""What becomes of each fault in the list of instances, over real sockets, in the whole use case.

A verdict never rests on the inventory: whatever its faults are, a run reports what it would have
reported without one, or excuses what the age that was read excuses.
"""

import re
from collections.abc import Callable

import msgspec
import pytest

from backup_audit.fleet.inventory import Read
from backup_audit.fleet.selection import Standing
from backup_audit.judge.verdict import Verdict
from backup_audit.probe import paging
from tests.doubles.some import rest
from tests.faults.fault import TOKEN
from tests.faults.inventory_trial import PER_PAGE, Fleet, Outcome, Place, try_out, without
from tests.faults.listed import (
    CREATED,
    FAULTS,
    GONE,
    HEALTHY,
    MANAGED,
    NAMED,
    NEW,
    OLD,
    PROVIDED,
    SLOW,
    THERE,
    YOUNG,
)

pytestmark = pytest.mark.loopback

# What is proof of backups, where the same is no list of instances. Each name begins one.
_REFUSED = (
    "Lists that are proof: a young list with keys that nobody promised",  # `pagination` twice
    "Lists that are proof: a young list with escapes",  # in `backups`
    "Lists that are proof: a young backup beside entries that are none",
    "Lists that are proof: 40,000 backups",  # where three were asked for
    "Lists that are proof: an old list",  # one of 300
    "Proxies: works, and the API answers with an old list",
    "The instance's age",
)

# What is none, where the same is a list of instances: one without an age is an instance.
_WITHOUT_AGE = (
    "Bodies of another shape: `created_at`: ",
    "Bodies of another shape: `created_at` in",  # milliseconds, the future
    "Bodies of another shape: an old backup beside one whose time cannot be read",
)
_BELIEVED = (
    *_WITHOUT_AGE,
    "Bodies of another shape: `created_at` of another type",  # one of them is that of the list
    "Answers that contradict themselves: `backups` twice, once null",
)
_NO_JSON = "Bodies of another shape: `created_at`: 5,000 digits"

# Tried in all places: what is seen most, and each way to read too little.
_IN_ALL_PLACES = (
    "Statuses: 200 with an empty list",
    "Statuses: 401",
    "Statuses: 429",
    "Statuses: 500 to 599 but for those above",
    "Cloud Foundry's errors: 400 CF-BadQueryParameter (10005)",
    "Bodies that are not JSON: a young list, cut after each of its bytes",
    "Connections that break: closed within the body",
    "Sizes: a list just over the cap",
)

_SECRET = TOKEN.rpartition(" ")[2]
_REQUESTS_MAX = 40
_LINE_ENDS = str.maketrans("", "", "\r\n")
_PROVED_BY_A_LIST = (Verdict.HEALTHY, Verdict.STALE, Verdict.NEVER_BACKED_UP, Verdict.IN_GRACE)
_NO_FAULT = "Statuses: 200 with a young list"
_OTHERS = [place for place in Place if place not in (Place.FIRST_PAGE, Place.NOWHERE)]
_ALL = {row["guid"] for row in THERE}


class Tried(msgspec.Struct, frozen=True):
    """A fault after its trial in a place, and the run that had no inventory."""

    name: str
    place: Place
    fleet: Fleet
    outcome: Outcome
    without: Outcome

    @property
    def is_believed(self) -> bool:
        """Whether the answer is a list of instances in spite of the fault."""
        is_proof = FAULTS[self.name].verdict in _PROVED_BY_A_LIST
        is_other = self.name.startswith(_REFUSED if is_proof else _BELIEVED)
        return is_proof != is_other and not self.name.startswith(_NO_JSON)

    @property
    def read(self) -> frozenset[str]:
        """The instances whose age may have been read."""
        is_named = self.is_believed and not self.name.startswith(_WITHOUT_AGE)
        return self.outcome.given | ({NAMED} if is_named else frozenset())


PROMISES: list[Callable[[Tried], None]] = []


def promise(check: Callable[[Tried], None]) -> Callable[[Tried], None]:
    """What holds for every fault."""
    PROMISES.append(check)
    return check


@promise
def every_selected_instance_is_reported_once(tried: Tried) -> None:
    reported = [found.guid for found in tried.outcome.findings]
    expected = {found.guid for found in tried.without.findings}

    assert len(set(reported)) == len(reported)
    assert expected <= set(reported) <= expected | (tried.outcome.given & {NEW})


@promise
def a_verdict_is_that_without_an_inventory_or_excused_by_what_was_read(tried: Tried) -> None:
    verdicts = {found.guid: found.verdict for found in tried.without.findings}

    for found in tried.outcome.findings:
        is_excused = found.verdict is Verdict.IN_GRACE and found.guid in tried.read
        assert is_excused or found.verdict is verdicts[found.guid]


@promise
def only_what_was_read_wholly_is_called_complete(tried: Tried) -> None:
    is_complete = tried.outcome.inventory.read is Read.COMPLETE

    if tried.place is Place.FIRST_PAGE:
        assert is_complete == tried.is_believed
    else:
        assert not is_complete or tried.is_believed or tried.outcome.given >= _ALL


@promise
def nothing_is_said_of_changes_unless_all_was_read(tried: Tried) -> None:
    record = tried.outcome.inventory
    said = (record.managed, record.user_provided, record.unaudited)
    compared = (record.appeared, record.vanished, record.vanished_count)

    if record.read is not Read.COMPLETE:
        assert [one for one in (*said, *compared) if one is not None] == []
        assert record.why
        assert any(record.why in warning for warning in tried.outcome.warnings)
    assert record.lost == 0


@promise
def nobody_leaves_the_fleet(tried: Tried) -> None:
    audited = {row.guid for row in tried.outcome.fleet if row.standing is Standing.AUDITED}

    assert len({row.guid for row in tried.outcome.fleet}) == len(tried.outcome.fleet)
    if tried.fleet is Fleet.DISCOVERED:
        assert audited == {found.guid for found in tried.outcome.findings}


@promise
def the_token_is_not_told(tried: Tried) -> None:
    told = [*tried.outcome.log, *tried.outcome.warnings]
    told += [f"{message.subject}{message.body}" for message in tried.outcome.messages]

    for part in (_SECRET, *_SECRET.split(".")):
        assert not [text for text in told if part in text]
        assert not [one for one in tried.outcome.stored if part.encode() in one]


@promise
def what_a_server_says_moves_no_cursor(tried: Tried) -> None:
    for text in (*tried.outcome.warnings, tried.outcome.inventory.why or ""):
        assert text.isprintable()
    texts = [f"{message.subject}{message.body}" for message in tried.outcome.messages]
    texts += [body.decode("utf-8-sig") for body in tried.outcome.stored]
    for text in (*texts, *tried.outcome.log):
        assert text.translate(_LINE_ENDS).isprintable()


@promise
def it_is_asked_for_a_bounded_number_of_times(tried: Tried) -> None:
    assert tried.outcome.foreign_connections == 0
    assert len(tried.outcome.requests) <= _REQUESTS_MAX
    for head in tried.outcome.requests:
        assert head.startswith(b"GET /v3/service_instances?")
        assert not re.search(rb"\r\ncookie:", head, re.IGNORECASE)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of three pages, and as many fruitless requests as it takes to ask for a single row."""
    monkeypatch.setattr(paging, "PER_PAGE", PER_PAGE)
    monkeypatch.setattr(paging, "FRUITLESS_MAX", 4)


def _check(name: str, place: Place, fleet: Fleet) -> None:
    tried = Tried(name, place, fleet, try_out(FAULTS[name], place, fleet), without(fleet))

    for check in PROMISES:
        check(tried)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (pytest.param if name in _IN_ALL_PLACES else rest)(number, name, id=name)
        for number, name in enumerate(FAULTS)
    ],
)
@pytest.mark.usefixtures("small_pages")
def test_a_fault_in_the_list_breaks_no_promise(
    number: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the first page, and in one other place: in which, changes from fault to fault."""
    fleets, fault = list(Fleet), FAULTS[name]
    if fault.is_slow:
        monkeypatch.setattr(paging, "PER_PAGE", 1)  # no smaller page is asked for then

    _check(name, Place.FIRST_PAGE, fleets[number % 2])
    if fault.reaches_the_api and not fault.is_slow:
        _check(name, _OTHERS[number % len(_OTHERS)], fleets[(number + 1) % 2])


@pytest.mark.parametrize("fleet", [rest(Fleet.LISTED), Fleet.DISCOVERED])
@pytest.mark.parametrize("place", _OTHERS)
@pytest.mark.parametrize("name", _IN_ALL_PLACES)
@pytest.mark.usefixtures("small_pages")
def test_a_fault_breaks_no_promise_in_any_place(name: str, place: Place, fleet: Fleet) -> None:
    _check(name, place, fleet)


def test_without_an_inventory_nothing_is_excused() -> None:
    listed = {
        SLOW: Verdict.STALE,
        OLD: Verdict.NEVER_BACKED_UP,
        YOUNG: Verdict.NEVER_BACKED_UP,
        CREATED: Verdict.NOT_FOUND,
        HEALTHY: Verdict.HEALTHY,
        PROVIDED: Verdict.UNSUPPORTED,
        GONE: Verdict.NOT_FOUND,
    }
    by_rules = {SLOW: Verdict.HEALTHY}  # of the last fleet's names

    for fleet, verdicts in ((Fleet.LISTED, listed), (Fleet.DISCOVERED, listed | by_rules)):
        assert {found.guid: found.verdict for found in without(fleet).findings} == verdicts


@pytest.mark.parametrize("fleet", Fleet)
@pytest.mark.usefixtures("small_pages")
def test_without_a_fault_the_inventory_is_complete(fleet: Fleet) -> None:
    outcome = try_out(FAULTS[_NO_FAULT], Place.NOWHERE, fleet)

    excused = {found.guid for found in outcome.findings if found.verdict is Verdict.IN_GRACE}
    assert excused == {YOUNG, CREATED} | ({NEW} if fleet is Fleet.DISCOVERED else set())
    assert (outcome.inventory.read, outcome.inventory.managed) == (Read.COMPLETE, len(MANAGED))
    assert outcome.given == _ALL
