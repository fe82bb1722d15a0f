"""A page of the list of instances: GUIDs are believed, the rest is what tenants wrote."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.inventory import Operation, ServiceInstance
from backup_audit.fleet.run import CLOCK_SKEW
from backup_audit.judge.evidence import Silence
from backup_audit.probe.page import Page, PageReader, one_name, query_of
from backup_audit.text import printable
from tests.doubles.builders import NOW
from tests.doubles.fakes import ListedFoundation
from tests.doubles.foundation import INCLUDED, Resource, page_of, resource

SECOND = timedelta(seconds=1)


def read(*rows: Resource, labels: tuple[str, ...] = (), **more: Any) -> Page:  # noqa: ANN401
    page = PageReader(labels, lambda: NOW).read(page_of(rows, **more), before=0, per_page=1000)
    assert isinstance(page, Page), page
    return page


def row_of(labels: tuple[str, ...] = (), **parts: Any) -> ServiceInstance:  # noqa: ANN401
    """What is read of an instance with these parts."""
    [row] = read(resource("a", **parts), labels=labels).rows
    return row


STRANGE: list[object] = [None, 7, True, 1.5, "", [], {}, [1], {"guid": 7}, {"data": None}]


@pytest.mark.parametrize(
    "part",
    ["name", "type", "created_at", "updated_at", "last_operation", "relationships", "metadata"],
)
@pytest.mark.parametrize("strange", STRANGE, ids=json.dumps)
def test_an_instance_keeps_its_guid_whatever_the_rest_is(part: str, strange: object) -> None:
    row = row_of(("tier",), **{part: strange})

    assert (row.guid, row.type) == ("a", "managed")
    unread = {
        "name": row.name,
        "created_at": row.created_at,
        "last_operation": row.last_operation,
        "relationships": row.space or row.org or row.plan or row.offering,
        "metadata": row.labels or None,
    }
    assert unread.get(part) is None


@pytest.mark.parametrize("strange", STRANGE, ids=json.dumps)
@pytest.mark.parametrize("kind", INCLUDED)
def test_an_instance_keeps_its_guid_whatever_comes_with_the_page(
    kind: str, strange: object
) -> None:
    for included in (strange, {kind: strange}, {kind: [strange]}, {kind: [{"guid": strange}]}):
        [row] = read(resource("a"), included=included).rows

        assert (row.guid, row.name, row.space) == ("a", "db-a", None)


def test_a_space_that_our_client_cannot_read_has_no_name() -> None:
    included = {**INCLUDED, "spaces": [{"guid": "space-1"}]}

    [row] = read(resource("a"), included=included).rows

    assert (row.space, row.org, row.plan) == (None, None, "db-gold-small")


@pytest.mark.parametrize(
    "guid", [None, 7, "", ".", "..", "../x", "a/b", "a?b", "a b", "ä", "a\n", "x" * 201]
)
def test_a_page_with_an_instance_that_cannot_be_named_cannot_be_read(guid: object) -> None:
    rows = [resource("a"), {**resource("b"), "guid": guid}]

    page = PageReader((), lambda: NOW).read(page_of(rows), before=0, per_page=1000)

    assert isinstance(page, Silence)
    assert page.detail.startswith("HTTP 200 without a list of instances: ")


def test_a_guid_in_capitals_is_read_as_it_is_compared() -> None:
    guid = "8938F60B-AAAA-4BBB-8CCC-111122223333"

    [row] = read({**resource("a"), "guid": guid}).rows

    assert row.guid == guid.lower()


@pytest.mark.parametrize(("length", "kept"), [(254, 254), (255, 255), (256, 255), (100_000, 255)])
def test_a_name_longer_than_any_is_cut(length: int, kept: int) -> None:
    assert row_of(name="ä" * length).name == "ä" * kept


HOSTILE = "\x1b[31m\u202eevil\r\n=cmd|' /C calc'!A0\x00\u2028😀"


def test_a_hostile_name_is_made_safe_to_print_and_loses_nobody() -> None:
    assert row_of(name=HOSTILE).name == printable(HOSTILE) != HOSTILE


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-01T00:00:00Z", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T00:00:00.999Z", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T02:00:00+02:00", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T00:00:00", None),
        ("2024-01-01", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("2024-13-01T00:00:00Z", None),
        ("yesterday", None),
        (1704067200, None),
    ],
)
def test_an_age_is_an_instant_with_its_zone(text: object, instant: datetime | None) -> None:
    assert row_of(created_at=text).created_at == instant


@pytest.mark.parametrize(
    ("ahead", "is_read"), [(-SECOND, True), (timedelta(0), True), (SECOND, False)]
)
def test_what_lies_in_the_future_softens_nothing(ahead: timedelta, *, is_read: bool) -> None:
    later = f"{NOW + CLOCK_SKEW + ahead:%Y-%m-%dT%H:%M:%SZ}"
    operation = {"type": "delete", "state": "in progress", "updated_at": later}

    row = row_of(created_at=later, last_operation=operation)

    assert (row.created_at is not None) == is_read
    assert row.last_operation is not None
    assert (row.last_operation.updated_at is not None) == is_read


@pytest.mark.parametrize(
    ("document", "operation"),
    [
        ({"type": "create", "state": "initial"}, Operation("create", "initial")),
        ({"type": "delete", "state": "failed"}, Operation("delete", "failed")),
        ({"type": "Create", "state": "initial"}, None),
        ({"type": "create", "state": "working"}, None),
        ({"type": "create"}, None),
        ({"type": ["create"], "state": "initial"}, None),
        ({}, None),
    ],
)
def test_only_a_known_operation_in_a_known_state_is_one(
    document: Mapping[str, object], operation: Operation | None
) -> None:
    assert row_of(last_operation=document).last_operation == operation


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ({"tier": "gold", "other": "x"}, {"tier": "gold"}),
        ({"tier": ""}, {"tier": ""}),
        ({"tier": "x" * 63}, {"tier": "x" * 63}),
        ({"tier": "x" * 64}, {}),
        ({"tier": None}, {}),
        ({"tier": ["gold"]}, {}),
        ({"Tier": "gold"}, {}),
    ],
)
def test_only_labels_that_are_asked_for_are_kept(
    labels: Mapping[str, object], kept: Mapping[str, str]
) -> None:
    assert row_of(("tier",), metadata={"labels": labels}).labels == kept


def test_labels_that_begin_as_is_asked_for_are_kept_five_beside_those_by_name() -> None:
    ours = {f"our.{number:02}": "1" for number in range(20)}
    strange = {"our." + "x" * 60: "1", "our.n": 7, "our.v": "x" * 64, "other": "1", "ours": "1"}

    kept = row_of(("our.19", "tier", "our.*"), metadata={"labels": strange | ours}).labels

    assert kept == {f"our.{number:02}": "1" for number in (19, *range(5))}
    assert row_of(("our.*",), metadata={"labels": {"our.": "1"}}).labels == {"our.": "1"}


@pytest.mark.parametrize("wanted", [(), ("tier",), ("our.*",), ("tier", "our.7", "our.*")])
def test_the_foundation_of_the_tests_keeps_the_labels_that_a_page_keeps(
    wanted: tuple[str, ...],
) -> None:
    labels = {"tier": "gold", "team": "a"} | {f"our.{number}": "1" for number in range(8)}
    row = msgspec.structs.replace(row_of(), labels=labels)

    [kept] = ListedFoundation([row]).look_up([row.guid], wanted).rows.values()

    assert kept.labels == row_of(wanted, metadata={"labels": labels}).labels


def test_equal_texts_and_labels_are_kept_once_over_all_pages() -> None:
    reader = PageReader(["tier"], lambda: NOW)
    pages = [reader.read(page_of([resource(guid)]), before=0, per_page=1) for guid in ("a", "b")]

    [one, other] = [page.rows[0] for page in pages if isinstance(page, Page)]

    for name in ("org", "space", "plan", "offering", "labels"):
        assert getattr(one, name) is getattr(other, name)
    assert one.last_operation is not None
    assert other.last_operation is not None
    assert one.last_operation.state is other.last_operation.state


@pytest.mark.parametrize(
    ("before", "count", "total", "goes_on", "is_read"),
    [
        (0, 2, 2, False, True),
        (0, 2, 3, False, False),
        (0, 2, 3, True, True),
        (0, 2, 1, False, True),  # one came while they were counted
        (4, 1, 5, False, True),
        (4, 0, 0, False, True),  # beyond the end, some Cloud Controllers count none
        (4, 0, 4, False, True),
        (4, 0, 5, False, False),
        (0, 0, 0, False, True),
        (0, 0, 1, False, False),
        (0, 0, 1, True, False),
    ],
)
def test_a_page_ends_the_list_only_if_it_says_so_in_both_ways(
    before: int, count: int, total: int, *, goes_on: bool, is_read: bool
) -> None:
    following = {"href": "https://x"} if goes_on else None
    body = page_of(
        [resource(f"guid-{number}") for number in range(count)],
        pagination={"total_results": total, "next": following},
    )

    page = PageReader((), lambda: NOW).read(body, before=before, per_page=2)

    assert isinstance(page, Page) == is_read
    assert not isinstance(page, Page) or page.goes_on == goes_on


def test_what_is_created_last_and_whether_it_is_in_order_is_read() -> None:
    strange = {**resource("strange"), "created_at": "yesterday"}

    page = read(resource("a", 1), strange, resource("b", 1), resource("c", 5), strange)

    assert page.in_order
    assert (page.earliest, page.latest) == (page.rows[0].created_at, page.rows[3].created_at)
    assert not read(resource("a", 5), resource("b", 4)).in_order
    assert read(strange).latest is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["guid", "name", "data", "labels", "type", "space", "next"])
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.lists(st.dictionaries(st.sampled_from(sorted(resource("a"))), JSON), max_size=3))
def test_whatever_comes_is_a_page_or_says_why_not(included: object, rows: list[Resource]) -> None:
    body = page_of([{**resource(f"guid-{place}"), **row} for place, row in enumerate(rows)])
    document = {**json.loads(body), "included": included}

    page = PageReader(["tier"], lambda: NOW).read(
        json.dumps(document).encode(), before=0, per_page=10
    )

    if isinstance(page, Page):
        assert len(page.rows) == len(rows)
    else:
        assert page.detail


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_query_is_ascii_and_no_text_leaves_its_parameter(name: str, value: str) -> None:
    query = query_of({"names": one_name(name), "guids": value})

    assert query.isascii()
    assert query.isprintable()
    assert query.count("&") == 1
    assert query.count("=") == 2
