"""The comparison of two fleets: thresholds, orders, and how much a report names."""

from datetime import timedelta

import msgspec
import pytest

from backup_audit.fleet.inventory import USER_PROVIDED, Operation, ServiceInstance
from backup_audit.fleet.selection import Standing
from backup_audit.judge.finding import Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import OpenProblem
from backup_audit.report.drift import (
    LOST_FOR,
    NAMED_MAX,
    NO_FLEET,
    Departed,
    Departure,
    Departures,
    FleetRow,
    LastFleet,
    LeftCount,
    appeared,
    departed,
    fleet_row,
    has_left,
    is_lost_role,
    unaudited,
)
from tests.doubles.builders import NOW, inventory
from tests.doubles.builders import open_problem as an_open_problem
from tests.doubles.days import row

SECOND = timedelta(seconds=1)
AUDITED, EXCLUDED, UNAUDITED = Standing
GONE, DESELECTED, EXCLUSION = Departure


def open_problem(verdict: Verdict, since_days: int = 0) -> OpenProblem:
    return an_open_problem(verdict, NOW - timedelta(days=since_days))


def departures(*left: Departed) -> Departures:
    found = Departures()
    for one in left:
        found.add(one)
    return found


def scanned(**standings: Standing) -> LastFleet:
    return LastFleet(is_known=True, scanned_at=NOW, standings=standings)


@pytest.mark.parametrize(
    ("disappeared", "of", "lost"),
    [
        (0, 0, False),
        (9, 9, False),
        (10, 10, False),
        (11, 11, True),
        (11, 109, True),
        (11, 110, False),
        (11, 111, False),
        (999, 10_000, False),
        (1_000, 10_000, False),
        (1_001, 10_000, True),
    ],
)
def test_more_than_ten_and_more_than_a_tenth_are_too_many_to_have_been_deleted(
    disappeared: int, of: int, *, lost: bool
) -> None:
    assert is_lost_role(disappeared, of) is lost


@pytest.mark.parametrize("verdict", Verdict)
def test_only_its_own_not_found_lets_an_instance_go(verdict: Verdict) -> None:
    leaves = has_left(open_problem(verdict), NOW, lost=False)

    assert leaves is (verdict is Verdict.NOT_FOUND)
    assert not has_left(None, NOW, lost=False)


@pytest.mark.parametrize(
    ("beyond", "leaves"), [(-SECOND, False), (0 * SECOND, True), (SECOND, True)]
)
def test_of_a_lost_role_an_instance_leaves_after_a_week(beyond: timedelta, *, leaves: bool) -> None:
    before = open_problem(Verdict.NOT_FOUND)

    assert has_left(before, before.since + LOST_FOR + beyond, lost=True) is leaves


def test_a_line_of_the_fleet_has_all_of_the_instance() -> None:
    one = row(
        "a",
        type=USER_PROVIDED,
        labels={"tier": "gold"},
        plan="small",
        last_operation=Operation("update", "in progress", NOW),
    )

    line = msgspec.json.encode(fleet_row(one, AUDITED, place="discover[0]", absent=True))

    read = msgspec.json.decode(line, type=FleetRow)
    assert (read.standing, read.place, read.absent) == (AUDITED, "discover[0]", True)
    names = ServiceInstance.__struct_fields__
    assert [getattr(read, name) for name in names] == [getattr(one, name) for name in names]


WHERE = {"name": "n", "org": "o", "space": "s", "offering": "f", "plan": "p"}


def test_a_departure_and_what_nobody_audits_have_all_names_of_the_instance() -> None:
    one = row("a", **WHERE)

    gone = departed(one, EXCLUSION, None, owner="w", place="exclude[1]", until="never")
    [nobodys] = unaudited({"a": one}, {"a": UNAUDITED}.__getitem__, NO_FLEET).instances

    for named in (gone, nobodys):
        assert named.guid == "a"
        assert {key: getattr(named, key) for key in WHERE} == WHERE
    assert (gone.owner, gone.place, gone.until) == ("w", "exclude[1]", "never")
    assert departed(one, GONE, None).owner is None


@pytest.mark.parametrize("verdict", [None, Verdict.STALE])
def test_what_left_and_what_nobody_audits_is_named_by_place_the_unknown_first(
    verdict: Verdict | None,
) -> None:
    places: list[dict[str, str | None]] = [
        {"org": None, "space": "Z", "name": "Z"},
        {"org": "A", "space": None, "name": "Z"},
        {"org": "A", "space": "A", "name": None},
        {"org": "A", "space": "A", "name": "A"},
        {"org": "A", "space": "A", "name": "B"},
        {"org": "A", "space": "B", "name": "A"},
        {"org": "B", "space": "A", "name": "A"},
        {"org": "B", "space": "A", "name": "A"},
    ]
    ordered = {f"guid-{at}": row(f"guid-{at}", **place) for at, place in enumerate(places)}
    before = open_problem(verdict) if verdict else None
    rows = dict(reversed(ordered.items()))

    left = departures(*(departed(one, DESELECTED, before) for one in rows.values())).named
    nobodys = unaudited(rows, dict.fromkeys(rows, UNAUDITED).__getitem__, NO_FLEET).instances

    assert [one.guid for one in left] == [one.guid for one in nobodys] == [*ordered]


def test_those_with_a_problem_come_first_the_worst_and_oldest_of_all() -> None:
    problems = {
        "quiet": None,
        "stale": open_problem(Verdict.STALE, 1),
        "older": open_problem(Verdict.STALE, 2),
        "never": open_problem(Verdict.NEVER_BACKED_UP),
        "also quiet": None,
    }
    left = [departed(row(guid), DESELECTED, before) for guid, before in problems.items()]
    gone = departed(row("all knew"), GONE, open_problem(Verdict.NOT_FOUND))

    assert [one.guid for one in departures(gone, *left).named] == [
        "never",
        "older",
        "stale",
        "all knew",
        "also quiet",
        "quiet",
    ]


def test_each_departure_is_counted_by_how_it_left() -> None:
    stale, not_found = open_problem(Verdict.STALE), open_problem(Verdict.NOT_FOUND)

    found = departures(
        departed(row("a"), DESELECTED, None),
        departed(row("b"), DESELECTED, stale),
        departed(row("c"), EXCLUSION, not_found),
        departed(row("d"), GONE, not_found),
        departed(row("e"), GONE, stale),
        departed(row("f"), GONE, None),
    )

    assert found.count == 6
    assert found.left == [
        LeftCount(how=GONE, count=3, with_problem=2),
        LeftCount(how=DESELECTED, count=2, with_problem=1),
        LeftCount(how=EXCLUSION, count=1, with_problem=1),
    ]


@pytest.mark.parametrize("at", [0, NAMED_MAX, 2 * NAMED_MAX - 1, 2 * NAMED_MAX, 3 * NAMED_MAX])
def test_of_very_many_departures_the_worst_is_named_whenever_it_came(at: int) -> None:
    left = [departed(row(f"guid-{n:05}"), DESELECTED, None) for n in range(3 * NAMED_MAX)]
    left.insert(at, departed(row("worst"), DESELECTED, open_problem(Verdict.STALE)))

    found = departures(*left)

    assert [one.guid for one in found.named[:2]] == ["worst", "guid-00000"]
    assert (len(found.named), found.count) == (NAMED_MAX, len(left))
    assert found.left == [LeftCount(how=DESELECTED, count=len(left), with_problem=1)]


def test_an_unknown_departs_with_the_problem_that_it_hid() -> None:
    stale = Problem(Verdict.STALE, NOW)
    before = an_open_problem(Verdict.UNKNOWN, NOW, stale)

    assert departed(row("a"), GONE, before).open_problem == stale


@pytest.mark.parametrize("count", [NAMED_MAX - 1, NAMED_MAX, NAMED_MAX + 1])
def test_a_report_names_five_thousand_and_counts_the_others(count: int) -> None:
    rows = {f"guid-{number:05}": row(f"guid-{number:05}") for number in range(count)}
    left = departures(*(departed(one, DESELECTED, None) for one in rows.values()))

    nobodys = unaudited(rows, dict.fromkeys(rows, UNAUDITED).__getitem__, NO_FLEET)

    assert (len(left.named), left.count) == (min(count, NAMED_MAX), count)
    assert len(nobodys.instances) == min(count, NAMED_MAX)
    assert nobodys.count == count


@pytest.mark.parametrize(
    ("last", "is_new"),
    [
        (NO_FLEET, False),
        (LastFleet(is_known=True), False),
        (scanned(), True),
        (scanned(a=EXCLUDED), True),
        (scanned(a=UNAUDITED), False),
        (scanned(a=AUDITED), False),  # it left the selection, and that is said
    ],
)
def test_new_is_what_nobody_audits_and_was_not_there_or_excluded(
    last: LastFleet, *, is_new: bool
) -> None:
    found = unaudited({"a": row("a")}, {"a": UNAUDITED}.__getitem__, last)

    assert [one.is_new for one in found.instances] == [is_new]
    assert found.new == int(is_new)


def test_new_ones_are_named_first_then_by_place_and_offerings_by_their_number() -> None:
    rows = {
        one.guid: one
        for one in (
            row("a", org="z"),
            row("c", org=None, offering=None),
            row("b", org="b", offering="mysql"),
            row("d", org="y"),
            row("e", type=USER_PROVIDED),
            row("f"),
        )
    }
    standings = dict.fromkeys(rows, UNAUDITED) | {"f": EXCLUDED}

    found = unaudited(rows, standings.__getitem__, scanned(a=UNAUDITED, b=UNAUDITED, c=UNAUDITED))

    assert [one.guid for one in found.instances] == ["d", "c", "b", "a"]
    assert list(found.by_offering.items()) == [("postgres", 2), ("mysql", 1), ("unknown", 1)]


def test_appeared_are_those_that_are_there_audited_and_were_not() -> None:
    standings = dict.fromkeys(["a", "b", "c", "only listed"], AUDITED) | {"d": UNAUDITED}
    last = scanned(a=AUDITED, b=EXCLUDED)

    assert appeared(["a", "b", "c", "d"], standings.__getitem__, last) == 2
    assert appeared(["a"], standings.__getitem__, NO_FLEET) is None


@pytest.mark.parametrize(("lost", "incomplete"), [(0, False), (11, True), (1_234, True)])
def test_only_a_lost_role_makes_a_run_incomplete(lost: int, *, incomplete: bool) -> None:
    why = inventory(lost=lost).why_incomplete

    assert (why is not None) is incomplete
    if why:
        assert why.startswith(f"{lost:,} instances disappeared from the foundation's list at once")
