"""The inventory, page by page: whatever rows come and go, no living instance is missed."""

import math
import random
from collections.abc import Callable, Mapping

import pytest

from backup_audit.errors import ApiUnreachable, CredentialsRefused
from backup_audit.fleet.inventory import Read, Reading, Sees
from backup_audit.judge.evidence import TOO_SLOW, Cause, Refusal, Silence
from backup_audit.probe import paging
from backup_audit.probe.giving_up import ATTEMPTS_MAX
from backup_audit.probe.paging import (
    DOUBLED_AFTER,
    FRUITLESS_MAX,
    GUIDS_MAX,
    PASSES_MAX,
    PER_PAGE,
    SPLITS_MAX,
    PagedInventory,
)
from tests.doubles.builders import NOW
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import engine
from tests.doubles.foundation import (
    TOO_LARGE,
    Came,
    Foundation,
    Resource,
    page_of,
    resource,
    slow_above,
)
from tests.doubles.some import rest

UNKNOWN_PARAMETER = Refusal(10005, "CF-BadQueryParameter", "The query parameter is invalid")


def inventory(foundation: Foundation, *, seconds: float = math.inf) -> PagedInventory:
    """A reader whose waits are skipped, in a run that has so many seconds left."""
    time = FakeTime()
    return PagedInventory(
        engine(
            time.watched(foundation),
            ends_at=time.monotonic() + seconds,
            monotonic=time.monotonic,
            wait=time.wait,
            jitter=lambda: 1.0,
        )
    )


def scanned(foundation: Foundation, *labels: str) -> Reading:
    return inventory(foundation).scan(labels)


def instances(count: int, *, every: int = 60) -> list[Resource]:
    """So many, created one after the other every so many seconds."""
    return [resource(f"guid-{number:06d}", number * every) for number in range(count)]


@pytest.fixture
def five_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PER_PAGE", 5)


# What is read.


def test_a_scan_reads_every_managed_instance_with_its_names() -> None:
    foundation = Foundation(
        [*instances(3), resource("syslog", 7, type="user-provided"), resource("z", 9)]
    )

    reading = scanned(foundation, "tier")

    assert (reading.read, reading.why) == (Read.COMPLETE, None)
    assert list(reading.rows) == ["guid-000000", "z", "guid-000001", "guid-000002"]
    row = reading.rows["z"]
    assert (row.name, row.org, row.space) == ("db-z", "prod", "payments")
    assert (row.offering, row.plan, row.type) == ("p.mysql", "db-gold-small", "managed")
    assert dict(row.labels) == {"tier": "gold"}
    assert (reading.user_provided, reading.requests, reading.sees) == (1, 2, Sees.ALL)
    assert reading.read_at == NOW


def test_an_empty_foundation_is_a_complete_reading() -> None:
    reading = scanned(Foundation())

    assert (reading.read, reading.rows, reading.user_provided) == (Read.COMPLETE, {}, 0)


def test_the_query_is_the_one_that_the_documentation_shows() -> None:
    foundation = Foundation(instances(1))

    scanned(foundation)

    assert foundation.texts == [
        "type=managed&order_by=created_at&per_page=1000&" + ENCODED_FIELDS,
        "type=user-provided&per_page=1&" + ENCODED_FIELDS,
    ]


ENCODED_FIELDS = (
    "fields%5Bspace%5D=guid%2Cname%2Crelationships.organization"
    "&fields%5Bspace.organization%5D=guid%2Cname"
    "&fields%5Bservice_plan%5D=guid%2Cname%2Crelationships.service_offering"
    "&fields%5Bservice_plan.service_offering%5D=guid%2Cname"
)


@pytest.mark.parametrize(("count", "most"), [(1_000, 2), (10_000, 12), rest(100_000, 105)])
def test_requests_for_fleets_of_every_size(
    count: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PER_PAGE", PER_PAGE // 10)  # all at a tenth of the size

    reading = scanned(Foundation(instances(count // 10)))

    assert reading.requests <= most
    assert len(reading.rows) == count // 10


# Rows that come and go.


def seeds(some: int, all_of_them: int) -> pytest.MarkDecorator:
    """Random histories by number: some, and all the others."""
    cases = [range(some), rest(range(some, all_of_them))]
    return pytest.mark.parametrize("seeds", cases, ids=["some", "others"])


@seeds(60, 1_000)
@pytest.mark.usefixtures("five_a_page")
def test_no_living_instance_is_missed_whatever_comes_and_goes(seeds: range) -> None:
    for seed in seeds:
        history = History(seed)

        reading = scanned(history.foundation)

        assert reading.read is Read.COMPLETE, seed
        assert history.lived_throughout <= set(reading.rows) <= history.ever, seed


@seeds(40, 300)
@pytest.mark.usefixtures("five_a_page")
def test_by_offsets_it_is_complete_only_if_two_passes_agree(seeds: range) -> None:
    reads = []
    for seed in seeds:
        history = History(seed, by_time=False)

        reading = scanned(history.foundation)

        passes = history.passes()
        agree = len(passes[-1][1]) == 1 or (len(passes) > 1 and passes[-1][0] == passes[-2][0])
        assert (reading.read is Read.COMPLETE) == agree, seed
        assert len(passes) <= PASSES_MAX, seed
        if agree:
            assert set(reading.rows) == passes[-1][0], seed
        else:
            assert set(reading.rows) == set().union(*(one for one, _ in passes)), seed
            assert reading.why == "instances came and went: of 3 passes over the list no two agree"
        reads.append(reading.read)
    assert set(reads) == {Read.COMPLETE, Read.PARTIAL}


class History:
    """What becomes of a foundation while it is read: at most two instances in a second."""

    def __init__(self, seed: int, *, by_time: bool = True) -> None:
        self._random = random.Random(seed)
        self._turbulence = self._random.choice([0.0, 0.1, 0.5, 1.0])
        self._second = 0
        self._created = 0
        self.foundation = Foundation(by_time=by_time, before_page=self._passes)
        for _ in range(self._random.randrange(40)):
            self._create()
        self.ever = set(self.foundation.rows)
        self.lived_throughout = set(self.foundation.rows)

    def _passes(self, place: int) -> None:
        """Some time passes before a page, but for the one that counts the user-provided."""
        if place == 0:
            return
        while self._random.random() < self._turbulence / 1.5:
            if self._random.random() < 0.5 or not self.foundation.rows:
                self._create()
            else:
                gone = self._random.choice(sorted(self.foundation.rows))
                del self.foundation.rows[gone]
                self.lived_throughout.discard(gone)

    def _create(self) -> None:
        self._created += 1
        self._second += (self._created % 2) * self._random.randrange(1, 90)
        guid = f"{self._random.getrandbits(32):08x}"
        self.foundation.rows[guid] = resource(guid, self._second)
        self.ever = {*getattr(self, "ever", ()), guid}

    def passes(self) -> list[tuple[set[str], list[list[str]]]]:
        """The GUIDs that each pass by offsets was given, and its pages."""
        passes: list[tuple[set[str], list[list[str]]]] = []
        pages = [
            (int(asked.get("page", 1)), given)
            for asked, given in zip(
                [one for one in self.foundation.queries if "order_by" not in one],
                self.foundation.given,
                strict=True,
            )
            if asked["type"] == "managed"
        ]
        for number, given in pages:
            if number == 1:
                passes.append((set(), []))
            passes[-1][0].update(given)
            passes[-1][1].append(given)
        return passes


@pytest.mark.usefixtures("five_a_page")
@pytest.mark.parametrize("together", [4, 5, 6, 11])
def test_instances_of_one_second_are_read_however_many_there_are(together: int) -> None:
    rows = [*instances(3), *(resource(f"x-{one:02d}", 500) for one in range(together))]
    rows.append(resource("last", 900))
    foundation = Foundation(rows)

    reading = scanned(foundation)

    assert reading.read is Read.COMPLETE
    assert set(reading.rows) == {row["guid"] for row in rows}
    passes = sum("created_ats[gte]" not in asked for asked in foundation.queries) - 1
    assert passes == (1 if together < 5 else 2), "a page beyond the first is no snapshot"


@pytest.mark.usefixtures("five_a_page")
def test_a_second_full_of_instances_is_read_again_until_two_passes_agree() -> None:
    rows = {f"x-{one:02d}": resource(f"x-{one:02d}", 500) for one in range(12)}
    foundation = Foundation(rows.values())

    def vanish(place: int) -> None:
        if place == 3:  # on the second page, so that a third one moves up to it
            del foundation.rows["x-00"]

    foundation._before_page = vanish  # noqa: SLF001  # it needs the foundation
    reading = scanned(foundation)

    assert reading.read is Read.COMPLETE
    assert set(reading.rows) == set(rows) - {"x-00"}


# What the API does not take.


@pytest.mark.usefixtures("five_a_page")
def test_without_filters_by_time_it_is_read_by_offsets_twice() -> None:
    foundation = Foundation(instances(12), by_time=False)

    reading = scanned(foundation)

    pages = [(asked.get("order_by"), asked.get("page")) for asked in foundation.queries]
    assert pages == [
        ("created_at", None),
        *[(None, None), (None, "2"), (None, "3")] * 2,
        (None, None),  # counts the user-provided
    ]
    assert (reading.read, len(reading.rows)) == (Read.COMPLETE, 12)


def test_what_fits_on_one_page_is_read_once_by_offsets_too() -> None:
    foundation = Foundation(instances(12), by_time=False)

    assert scanned(foundation).read is Read.COMPLETE
    assert len(foundation.queries) == 3


@pytest.mark.usefixtures("five_a_page")
def test_a_filter_that_is_refused_in_the_middle_starts_the_offsets() -> None:
    foundation = Foundation(
        instances(12),
        comes=lambda _, asked: UNKNOWN_PARAMETER if "created_ats[gte]" in asked else None,
    )

    assert scanned(foundation).read is Read.COMPLETE


@pytest.mark.usefixtures("five_a_page")
@pytest.mark.parametrize("ignored", ["order_by", "created_ats[gte]"])
def test_an_api_that_ignores_the_order_or_the_time_is_read_by_offsets(ignored: str) -> None:
    rows = instances(12)
    random.Random(1).shuffle(rows)
    foundation = Foundation(rows)
    listed = foundation._page  # noqa: SLF001  # what it would do
    setattr(  # noqa: B010
        foundation,
        "_page",
        lambda asked: listed({name: asked[name] for name in asked if name != ignored}),
    )

    reading = scanned(foundation)

    assert reading.read is Read.COMPLETE
    assert len(reading.rows) == 12
    assert "order_by" not in foundation.queries[-2]


def test_an_api_that_refuses_the_fields_too_has_no_inventory() -> None:
    reading = scanned(Foundation(instances(3), comes=lambda *_: UNKNOWN_PARAMETER))

    assert reading.read is Read.FAILED
    assert reading.why == "HTTP 400 CF-BadQueryParameter 10005"


# Pages that are too much.


def sizes(foundation: Foundation) -> list[int]:
    return [int(asked["per_page"]) for asked in foundation.queries if asked["type"] == "managed"]


def test_a_page_that_takes_too_long_is_asked_for_by_halves() -> None:
    foundation = Foundation(instances(300), comes=slow_above(250))

    reading = scanned(foundation)

    assert (reading.read, len(reading.rows)) == (Read.COMPLETE, 300)
    assert sizes(foundation) == [1000, 500, 250, 250]


def test_pages_grow_again_and_less_often_the_more_often_that_was_too_early() -> None:
    foundation = Foundation(instances(3_000), comes=slow_above(250))

    reading = scanned(foundation)

    assert (reading.read, len(reading.rows)) == (Read.COMPLETE, 3_000)
    assert sizes(foundation)[:6] == [1000, 500, *[250] * DOUBLED_AFTER, 500, 250]
    assert sizes(foundation).count(500) == 3


def test_an_instance_as_large_as_an_answer_may_be_is_read_alone() -> None:
    rows = instances(40)
    rows[17]["metadata"]["annotations"] = {"a": "x" * 3_000}
    rows[18]["metadata"]["annotations"] = {"a": "x" * 3_000}
    foundation = Foundation(rows)
    foundation._comes = capped(foundation, 5_000)  # noqa: SLF001

    reading = scanned(foundation)

    assert reading.read is Read.COMPLETE
    assert len(reading.rows) == 40
    assert 1 in sizes(foundation)


def test_an_instance_larger_than_any_answer_may_be_is_left_out_and_the_rest_is_read() -> None:
    rows = instances(40)
    rows[17]["metadata"]["annotations"] = {"a": "x" * 9_000}
    foundation = Foundation(rows)
    foundation._comes = capped(foundation, 5_000)  # noqa: SLF001

    reading = scanned(foundation)

    assert reading.read is Read.PARTIAL
    assert set(reading.rows) == {row["guid"] for row in rows} - {"guid-000017"}
    assert reading.why == (
        "an entry of the list was left out: the answer is larger than 4194304 bytes"
    )


def test_an_instance_without_a_guid_is_left_out_and_the_rest_is_read() -> None:
    rows = instances(20)
    rows[7]["guid"] = "../etc"

    reading = scanned(Foundation(rows))

    assert reading.read is Read.PARTIAL
    assert len(reading.rows) == 19
    assert reading.why == (
        "an entry of the list was left out: HTTP 200 without a list of instances: the guid of an "
        "instance cannot be read"
    )


def capped(foundation: Foundation, most: int) -> Callable[[int, Mapping[str, str]], Came | None]:
    def comes(_: int, asked: Mapping[str, str]) -> Came | None:
        page = foundation._page(asked)  # noqa: SLF001
        return TOO_LARGE if isinstance(page, bytes) and len(page) > most else None

    return comes


@pytest.mark.parametrize("always", [TOO_SLOW, TOO_LARGE, b"{", page_of([], total=3)])
def test_a_list_of_which_no_page_can_be_had_is_given_up(always: Came) -> None:
    foundation = Foundation(instances(3), comes=lambda *_: always)

    reading = scanned(foundation)

    assert (reading.read, reading.rows) == (Read.FAILED, {})
    assert len(foundation.queries) <= FRUITLESS_MAX
    assert reading.why


def test_a_list_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "REQUESTS_MAX", 20)
    again = page_of(instances(3), pagination={"total_results": 9, "next": {"href": "x"}})
    foundation = Foundation(comes=lambda *_: again)

    reading = scanned(foundation)

    assert reading.read is Read.PARTIAL
    assert reading.why == "it does not end after 3 of 9 instances"
    assert len(foundation.queries) == 20


def test_a_list_of_more_rows_than_memory_is_for_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paging, "ROWS_MAX", 10)

    monkeypatch.setattr(paging, "PER_PAGE", 5)

    reading = scanned(Foundation(instances(99)))

    assert reading.read is Read.PARTIAL
    assert reading.why == "it does not end after 13 of 99 instances"


# Answers that fail.

FAULTY: dict[str, Came] = {
    "no body": b"",
    "cut": page_of(instances(3))[:-9],
    "no JSON": b"<html>",
    "not UTF-8": page_of(instances(3)).replace(b"db-guid", b"db-\xff"),
    "a key twice": page_of(instances(3)).replace(b'"total_results"', b'"next": null, "next"'),
    "an array": b"[]",
    "no pagination": b'{"resources": []}',
    "no next": page_of([], pagination={"total_results": 0}),
    "no resources": b'{"pagination": {"total_results": 0, "next": null}}',
    "resources of another type": page_of([], resources={}),
    "a row of another type": page_of([], resources=[7]),
    "a guid of another type": page_of([], resources=[{"guid": 7}]),
    "a guid twice": page_of([]).replace(b"[]", b'[{"guid": "a", "guid": "b"}]'),
    "a total that is text": page_of([], pagination={"total_results": "0", "next": None}),
    "a total below zero": page_of([], pagination={"total_results": -1, "next": None}),
    "fewer than it says": page_of(instances(2), total=3),
    "an empty page with a next": page_of([], pagination={"total_results": 9, "next": {}}),
    "more than asked for": page_of(instances(1_001)),
    "errors beside the list": page_of([], errors=[{"code": 1}]),
    "our token": Silence(Cause.UNREADABLE, "the answer repeats our token"),
    "over the cap": TOO_LARGE,
    "a router's 404": Refusal(detail="the router says unknown_route"),
    "403": Refusal(10003, "CF-NotAuthorized"),
    "401": Refusal(1000, "CF-InvalidAuthToken"),
    "429": Refusal(10013, "CF-RateLimitExceeded"),
    "500": Refusal(10001, "UnknownError"),
    "503": Refusal(10015, "CF-ServiceUnavailable"),
    "silence": TOO_SLOW,
    "no connection": Silence(Cause.CONNECTION, "no connection: refused or unreachable"),
    "no token": CredentialsRefused("UAA refused client 'x'"),
    "no UAA": ApiUnreachable("UAA gave no answer"),
}


@pytest.mark.parametrize("came", FAULTY.values(), ids=FAULTY)
def test_no_fault_of_the_first_page_is_taken_for_an_inventory(came: Came) -> None:
    reading = scanned(Foundation(instances(3), comes=lambda *_: came))

    assert reading.read is Read.FAILED
    assert (reading.rows, reading.user_provided) == ({}, None)
    assert reading.why
    assert "\n" not in reading.why


@pytest.mark.usefixtures("five_a_page")
@pytest.mark.parametrize("came", FAULTY.values(), ids=FAULTY)
def test_after_a_fault_of_a_later_page_what_was_read_is_partial(came: Came) -> None:
    foundation = Foundation(
        instances(12), comes=lambda _, asked: came if "created_ats[gte]" in asked else None
    )

    reading = scanned(foundation)

    assert reading.read is Read.PARTIAL
    assert len(reading.rows) == 5
    assert reading.why
    assert reading.why.startswith("after 5 of 12 instances: ")


@pytest.mark.usefixtures("five_a_page")
@pytest.mark.parametrize("came", FAULTY.values(), ids=FAULTY)
def test_a_fault_that_passes_costs_nothing(came: Came) -> None:
    lasts = {
        *("403", "401", "500"),
        *("429", "no token", "no UAA"),  # the fake says that they last
    }
    foundation = Foundation(instances(12), comes=lambda place, _: came if place == 1 else None)

    reading = scanned(foundation)

    if any(came is FAULTY[name] for name in lasts):
        assert reading.read is Read.PARTIAL
    else:
        assert (reading.read, len(reading.rows)) == (Read.COMPLETE, 12)


def test_the_reason_of_a_reading_without_a_token_is_the_error() -> None:
    refused = CredentialsRefused("UAA refused client 'x' (HTTP 401)")

    reading = scanned(Foundation(instances(3), comes=lambda *_: refused))

    assert reading.why == "UAA refused client 'x' (HTTP 401)"


def test_a_defect_is_no_reading() -> None:
    with pytest.raises(ZeroDivisionError):
        scanned(Foundation(comes=lambda *_: ZeroDivisionError("a defect")))


def test_an_api_that_never_answered_is_given_up_sooner() -> None:
    down = Silence(Cause.CONNECTION, "no connection: refused or unreachable")
    never = Foundation(comes=lambda *_: down)
    later = Foundation(instances(1_500), comes=lambda place, _: down if place else None)

    scanned(never)
    scanned(later)

    assert len(never.queries) == ATTEMPTS_MAX
    assert len(later.queries) == 1 + 16


def test_the_user_provided_are_not_counted_if_that_fails_and_the_rest_stands() -> None:
    foundation = Foundation(
        instances(3), comes=lambda _, asked: b"{" if asked["type"] == "user-provided" else None
    )

    reading = scanned(foundation)

    assert (reading.read, reading.user_provided) == (Read.COMPLETE, None)


@pytest.mark.usefixtures("five_a_page")
def test_a_reading_takes_a_third_of_the_time_that_is_left() -> None:
    time = FakeTime()
    foundation = Foundation(instances(40), before_page=lambda _: time.sleep(20.0))
    one = engine(
        time.watched(foundation),
        ends_at=time.monotonic() + 300.0,
        monotonic=time.monotonic,
        wait=time.wait,
    )

    reading = PagedInventory(one).scan(())

    assert reading.read is Read.PARTIAL
    assert len(foundation.queries) == 5
    assert reading.why == (
        f"after {len(reading.rows)} of 40 instances: "
        "the third of the run's time that the inventory may take was over"
    )


def test_without_time_nothing_is_asked() -> None:
    foundation = Foundation(instances(3))

    reading = inventory(foundation, seconds=0.0).scan(())

    assert (reading.read, foundation.queries) == (Read.FAILED, [])


# By GUID.


def test_a_look_up_finds_what_is_there_managed_or_not() -> None:
    foundation = Foundation([*instances(3), resource("syslog", 7, type="user-provided")])

    reading = inventory(foundation).look_up(["guid-000001", "syslog", "gone"], ["tier"])

    assert reading.read is Read.COMPLETE
    assert set(reading.rows) == {"guid-000001", "syslog"}
    assert reading.rows["syslog"].type == "user-provided"
    assert foundation.texts == [
        "guids=guid-000001%2Csyslog%2Cgone&per_page=3&" + ENCODED_FIELDS,
    ]


def test_nothing_is_looked_up_without_a_request() -> None:
    reading = inventory(Foundation()).look_up([], ())

    assert (reading.read, reading.rows, reading.requests) == (Read.COMPLETE, {}, 0)


@pytest.mark.parametrize(("count", "requests"), [(149, 1), (150, 1), (151, 2), (1_000, 7)])
def test_a_request_names_150_guids(count: int, requests: int) -> None:
    foundation = Foundation(instances(count))

    reading = inventory(foundation).look_up(list(foundation.rows), ())

    assert len(reading.rows) == count
    assert reading.requests == requests
    assert max(len(asked["guids"].split(",")) for asked in foundation.queries) <= GUIDS_MAX


@pytest.mark.parametrize("length", [36, 60, 200])
def test_a_request_line_stays_below_what_nginx_takes(length: int) -> None:
    guids = [f"{number:0{length}d}" for number in range(400)]
    foundation = Foundation(resource(guid) for guid in guids)

    reading = inventory(foundation).look_up(guids, ())

    assert len(reading.rows) == 400
    for text in foundation.texts:
        assert len(f"GET /v3/service_instances?{text} HTTP/1.1\r\n") < 8_192


def test_a_guid_in_capitals_and_one_named_twice_are_asked_for_once() -> None:
    guid = "8938f60b-aaaa-4bbb-8ccc-111122223333"
    foundation = Foundation([resource(guid)])

    reading = inventory(foundation).look_up([guid.upper(), guid, guid], ())

    assert list(reading.rows) == [guid]
    assert foundation.queries[0]["guids"] == guid


@pytest.mark.parametrize("too_much", [TOO_LARGE, TOO_SLOW])
def test_a_part_that_is_too_much_is_asked_for_by_halves(too_much: Silence) -> None:
    foundation = Foundation(
        instances(300), comes=lambda _, asked: too_much if len(asked["guids"]) > 500 else None
    )

    reading = inventory(foundation).look_up(list(foundation.rows), ())

    assert (reading.read, len(reading.rows)) == (Read.COMPLETE, 300)


def test_parts_that_come_to_nothing_are_not_halved_for_ever() -> None:
    foundation = Foundation(instances(3_000), comes=lambda *_: TOO_LARGE)

    reading = inventory(foundation).look_up(list(foundation.rows), ())

    assert reading.read is Read.FAILED
    assert len(foundation.queries) <= 3_000 / GUIDS_MAX + 2 * SPLITS_MAX


def test_a_look_up_of_which_a_part_fails_is_partial() -> None:
    refusal = Refusal(10001, "UnknownError")
    foundation = Foundation(
        instances(300), comes=lambda _, asked: refusal if "guid-000299" in asked["guids"] else None
    )

    reading = inventory(foundation).look_up(list(foundation.rows), ())

    assert (reading.read, len(reading.rows)) == (Read.PARTIAL, 150)
    assert reading.why == "HTTP 500 UnknownError 10001"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (page_of(instances(1)), "HTTP 200 with instances that were not asked for"),
        (
            page_of(
                [resource("a")], pagination={"total_results": 9, "next": {"href": "https://x"}}
            ),
            "HTTP 200 with a next page, where all fit on one",
        ),
    ],
)
def test_an_api_that_does_not_heed_the_guids_is_not_believed(body: bytes, why: str) -> None:
    reading = inventory(Foundation(comes=lambda *_: body)).look_up(["a"], ())

    assert (reading.read, reading.rows, reading.why) == (Read.FAILED, {}, why)


# By name.


@pytest.mark.parametrize(
    "name",
    ["orders-db", "a,b", " a ", "100%", "%2C", "a&b=c#d", "größe", "日本", "😀" * 255, "a+b"],
)
def test_a_name_is_found_whatever_it_is_made_of(name: str) -> None:
    foundation = Foundation(
        [
            *instances(3),
            resource("one", 7, name=name),
            resource("other", 8, name=name, type="user-provided"),
        ]
    )

    reading = inventory(foundation).named(name, ())

    assert (reading.read, set(reading.rows)) == (Read.COMPLETE, {"one", "other"})
    assert all(len(text) < 8_000 and text.isascii() for text in foundation.texts)


def test_a_name_of_other_capitals_is_another() -> None:
    both = page_of([resource("one", name="Orders"), resource("two", name="orders")])

    reading = inventory(Foundation(comes=lambda *_: both)).named("orders", ())

    assert set(reading.rows) == {"two"}


def test_half_a_surrogate_pair_is_nobodys_name() -> None:
    assert inventory(Foundation(instances(3))).named("\ud800", ()).rows == {}


def test_a_name_longer_than_any_is_nobodys() -> None:
    foundation = Foundation(instances(3))

    reading = inventory(foundation).named("x" * 256, ())

    assert (reading.read, reading.rows, foundation.queries) == (Read.COMPLETE, {}, [])


# The engine goes on.


def test_an_engine_that_has_read_the_inventory_probes() -> None:
    foundation = Foundation(instances(3))
    one = engine(foundation)
    PagedInventory(one).scan(())
    PagedInventory(one).look_up(["guid-000001"], ())

    assert list(one.probe([])) == []
    assert foundation.cuts == 1
    assert one.calls == 3
