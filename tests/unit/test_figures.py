"""Figures of a fleet: ages as a share of max_age, who is late, and who has to act."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.fleet.inventory import Operation
from backup_audit.judge.evidence import BackupList, Cause, Silence, UserProvided
from backup_audit.judge.finding import Change, Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.figures import (
    LATE_NAMED_MAX,
    NAMES_MAX,
    ROWS_MAX,
    Ages,
    BreakdownRow,
    By,
    Figures,
    LateInstance,
)
from backup_audit.report.report import Report
from tests.doubles.builders import MUTE, NOW, PLACE, a_list, evidence, finding, instance, run
from tests.doubles.reports import whole
from tests.doubles.some import rest

HOUR = 3600
DELETING = Operation("delete", "in progress", NOW)


def counted(findings: Iterable[Finding]) -> Figures:
    figures = Figures()
    for one in findings:
        figures.add(one)
    return figures


def aged(seconds: int, max_age: int) -> Finding:
    """A finding whose newest backup is so old, and may be so old."""
    found = finding(Verdict.HEALTHY)
    summed = msgspec.structs.replace(found.evidence, newest_backup_age_seconds=seconds)
    policy = msgspec.structs.replace(found.policy, max_age_seconds=max_age)
    return msgspec.structs.replace(found, evidence=summed, policy=policy)


def bin_of(found: Finding) -> str | None:
    """The bin in which an instance is counted."""
    counts = msgspec.structs.asdict(counted([found]).ages)
    bins = [name for name, count in counts.items() if count and name != "none_in_grace"]
    assert len(bins) < 2
    return bins[0] if bins else None


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-59, "up_to_25_percent"),
        (0, "up_to_25_percent"),
        (6 * HOUR - 1, "up_to_25_percent"),
        (6 * HOUR, "up_to_25_percent"),
        (6 * HOUR + 1, "up_to_50_percent"),
        (12 * HOUR - 1, "up_to_50_percent"),
        (12 * HOUR, "up_to_50_percent"),
        (12 * HOUR + 1, "up_to_75_percent"),
        (18 * HOUR - 1, "up_to_75_percent"),
        (18 * HOUR, "up_to_75_percent"),
        (18 * HOUR + 1, "up_to_100_percent"),
        (24 * HOUR - 1, "up_to_100_percent"),
        (24 * HOUR, "up_to_100_percent"),
        (24 * HOUR + 1, "up_to_2_times"),
        (48 * HOUR - 1, "up_to_2_times"),
        (48 * HOUR, "up_to_2_times"),
        (48 * HOUR + 1, "up_to_4_times"),
        (96 * HOUR - 1, "up_to_4_times"),
        (96 * HOUR, "up_to_4_times"),
        (96 * HOUR + 1, "up_to_8_times"),
        (192 * HOUR - 1, "up_to_8_times"),
        (192 * HOUR, "up_to_8_times"),
        (192 * HOUR + 1, "over_8_times"),
        (30 * 365 * 24 * HOUR, "over_8_times"),
    ],
)
def test_an_age_is_in_the_bin_that_ends_at_it_or_next_after_it(age: int, expected: str) -> None:
    assert bin_of(aged(age, 24 * HOUR)) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, "up_to_25_percent"),
        (1, "up_to_100_percent"),
        (2, "up_to_2_times"),
        (8, "up_to_8_times"),
        (9, "over_8_times"),
    ],
)
def test_a_max_age_of_one_second_has_bins_too(age: int, expected: str) -> None:
    assert bin_of(aged(age, 1)) == expected


@given(st.integers(0, 10**10), st.integers(1, 10**9))
def test_exactly_the_healthy_ages_are_in_the_first_four_bins(age: int, max_age: int) -> None:
    found = bin_of(aged(age, max_age))

    assert found
    assert found.endswith("percent") == (age <= max_age)
    assert (found == "up_to_25_percent") == (4 * age <= max_age)
    assert (found == "over_8_times") == (age > 8 * max_age)


@pytest.mark.parametrize("verdict", [Verdict.NEVER_BACKED_UP, Verdict.IN_GRACE, Verdict.UNKNOWN])
def test_whose_list_is_empty_is_counted_apart_whatever_the_verdict(verdict: Verdict) -> None:
    empty = finding_of(instance(), evidence(BackupList(())), run(), None)

    assert bin_of(msgspec.structs.replace(empty, verdict=verdict)) == "none"


@pytest.mark.parametrize("listed", [0, 1, 2])
def test_of_those_without_a_backup_it_is_counted_who_is_in_grace(listed: int) -> None:
    """Who is in grace and has no list that could be read is in no bin, and so not one of them."""
    never = finding(Verdict.NEVER_BACKED_UP)
    young = msgspec.structs.replace(never, verdict=Verdict.IN_GRACE)
    unread = finding(Verdict.UNSUPPORTED)
    being_made = msgspec.structs.replace(unread, verdict=Verdict.IN_GRACE)
    saved = msgspec.structs.replace(finding(Verdict.HEALTHY), verdict=Verdict.IN_GRACE)

    ages = counted([being_made, saved, never, *[young] * listed, being_made]).ages

    assert (ages.none, ages.none_in_grace) == (1 + listed, listed)


@pytest.mark.parametrize(
    "found",
    [
        finding(Verdict.UNKNOWN),
        finding(Verdict.UNSUPPORTED),
        finding(Verdict.NOT_FOUND),
        finding_of(instance(), evidence(UserProvided(), None), run(), None),
        finding_of(instance(), evidence(Silence(Cause.NOT_REACHED, "x"), None), run(), None),
        finding_of(instance(), evidence(a_list(-99)), run(), None),
    ],
    ids=["silent", "refused", "gone", "user-provided", "not reached", "made in the future"],
)
def test_who_has_no_age_and_no_empty_list_is_in_no_bin(found: Finding) -> None:
    assert bin_of(found) is None


def test_ages_are_of_all_be_they_healthy_muted_or_being_deleted() -> None:
    deleted = msgspec.structs.replace(finding(Verdict.STALE), operation=DELETING)
    found = [finding(Verdict.HEALTHY), finding(Verdict.STALE, mute=MUTE), deleted]

    assert counted(found).ages == Ages(up_to_25_percent=1, up_to_2_times=2)


ON_TIME = finding(Verdict.HEALTHY, owner="team-orders")


def overdue(number: int, *, age: int = 2 * HOUR, usual: int = HOUR) -> Finding:
    """A healthy instance whose newest backup is older than usual."""
    summed = msgspec.structs.replace(
        ON_TIME.evidence, newest_backup_age_seconds=age, usual_interval_seconds=usual
    )
    guid = f"guid-{number:06}"
    return msgspec.structs.replace(ON_TIME, guid=guid, **PLACE, late=True, evidence=summed)


def named(findings: Iterable[Finding]) -> list[str]:
    return [one.guid for one in counted(findings).late()]


def test_a_late_instance_is_named_with_what_one_looks_for() -> None:
    found = msgspec.structs.replace(overdue(7), name="orders-db")

    figures = counted([found, finding(Verdict.HEALTHY)])

    assert figures.late_count == 1
    assert list(figures.late()) == [
        LateInstance(
            guid="guid-000007",
            name="orders-db",
            owner="team-orders",
            **PLACE,
            newest_backup_at=NOW - timedelta(hours=3),
            newest_backup_age_seconds=2 * HOUR,
            usual_interval_seconds=HOUR,
            max_age_seconds=found.max_age_seconds,
        )
    ]


@pytest.mark.parametrize(
    "missing", ["newest_backup_at", "newest_backup_age_seconds", "usual_interval_seconds"]
)
def test_who_lacks_a_time_to_be_late_by_is_not_counted(missing: str) -> None:
    found = overdue(7)
    evidence = msgspec.structs.replace(found.evidence, **{missing: None})

    figures = counted([msgspec.structs.replace(found, evidence=evidence)])

    assert (figures.late_count, list(figures.late())) == (0, [])


def test_who_is_latest_by_its_own_interval_comes_first_however_young_its_backup() -> None:
    weekly = overdue(1, age=14 * 24 * HOUR, usual=7 * 24 * HOUR)
    hourly = overdue(2, age=5 * HOUR, usual=HOUR)
    daily = overdue(3, age=72 * HOUR, usual=24 * HOUR)

    assert named([weekly, hourly, daily]) == ["guid-000002", "guid-000003", "guid-000001"]


@pytest.mark.parametrize(
    ("late", "listed"),
    [
        (LATE_NAMED_MAX - 1, LATE_NAMED_MAX - 1),
        (LATE_NAMED_MAX, LATE_NAMED_MAX),
        (LATE_NAMED_MAX + 1, LATE_NAMED_MAX),
        (3 * LATE_NAMED_MAX, LATE_NAMED_MAX),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_of_many_that_are_late_the_thousand_latest_are_named_in_whatever_order_they_come(
    late: int, listed: int, seed: int
) -> None:
    found = [overdue(number, age=2 * HOUR + number) for number in range(late)]
    latest_first = [one.guid for one in reversed(found)]
    random.Random(seed).shuffle(found)  # no secret

    figures = counted(found)

    assert figures.late_count == late
    assert [one.guid for one in figures.late()] == latest_first[:listed]


def test_of_many_that_are_equally_late_the_same_are_named_in_whatever_order_they_come() -> None:
    found = [overdue(number) for number in range(LATE_NAMED_MAX + 100)]

    assert named(found) == named(reversed(found))
    assert len(set(named(found))) == LATE_NAMED_MAX


def rows(findings: Iterable[Finding], by: By) -> list[BreakdownRow]:
    return [row for row in counted(findings).breakdown() if row.by is by]


def test_the_fleet_is_broken_down_by_owner_then_by_space_then_by_offering() -> None:
    found = [
        msgspec.structs.replace(finding(Verdict.STALE, owner="team-orders"), **PLACE),
        msgspec.structs.replace(finding(Verdict.HEALTHY, owner="team-orders"), **PLACE),
    ]

    shown = [
        (row.by, row.owner, row.org, row.space, row.offering, row.instances, row.open)
        for row in counted(found).breakdown()
    ]

    assert shown == [
        ("owner", "team-orders", None, None, None, 2, 1),
        ("space", None, "prod-eu", "payments", None, 2, 1),
        ("offering", None, None, None, "p.mysql", 2, 1),
    ]


def test_of_a_row_open_problems_are_counted_by_verdict_beside_all_instances() -> None:
    silence = evidence(Silence(Cause.NOT_REACHED, "no time"), None)
    muted = msgspec.structs.replace(finding(Verdict.STALE), mute=MUTE)
    deleted = msgspec.structs.replace(finding(Verdict.NEVER_BACKED_UP), operation=DELETING)
    found = [
        *(finding(Verdict.STALE), finding(Verdict.UNKNOWN), muted, deleted),
        finding_of(instance(), silence, run(), None),
    ]

    for row in counted(found).breakdown():
        assert {name: count for name, count in row.open_counts.items() if count} == {
            "stale": 1,
            "unknown": 1,
        }
        assert {name: count for name, count in row.counts.items() if count} == {
            "never_backed_up": 1,
            "stale": 2,
            "unknown": 2,
        }


def test_of_a_row_new_and_reopened_problems_are_counted_and_muted_ones_apart() -> None:
    changes = (Change.NEW, Change.NEW, Change.REOPENED, Change.ONGOING, None)
    found = [msgspec.structs.replace(finding(), change=change) for change in changes]
    muted = msgspec.structs.replace(found[0], mute=MUTE)

    for row in counted([*found, muted]).breakdown():
        assert (row.open, row.new, row.muted, row.instances) == (5, 3, 1, 6)


def test_who_comes_once_too_many_names_are_known_is_in_the_sum_by_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backup_audit.report.figures.NAMES_MAX", 1)

    [known, others] = rows([finding(owner="a"), finding(owner="b")], By.OWNER)

    assert (known.owner, others.owner) == ("a", None)
    assert others.open == others.counts["stale"] == others.open_counts["stale"] == 1


def test_of_no_findings_there_are_no_rows() -> None:
    assert list(counted([]).breakdown()) == []


def in_space(org: str | None, space: str | None) -> Finding:
    return msgspec.structs.replace(finding(), org=org, space=space)


def test_spaces_of_one_name_are_told_apart_by_their_orgs() -> None:
    found = [in_space("eu", "prod"), in_space("us", "prod"), in_space("us", "prod")]

    assert [(row.org, row.space, row.instances) for row in rows(found, By.SPACE)] == [
        ("us", "prod", 2),
        ("eu", "prod", 1),
    ]


def test_whoever_is_not_known_has_a_row_of_one_name() -> None:
    found = [in_space(None, None), in_space("eu", None), in_space(None, "prod")]

    places = [(row.org, row.space, row.others) for row in rows(found, By.SPACE)]

    assert places == [(None, None, 0), (None, "prod", 0), ("eu", None, 0)]
    [nobodys] = rows(found, By.OWNER)
    assert (nobodys.owner, nobodys.others, nobodys.instances) == (None, 0, 3)


def test_who_has_most_open_problems_comes_first_then_who_has_most_instances_then_by_name() -> None:
    def of(owner: str | None, stale: int, healthy: int) -> list[Finding]:
        return [finding(Verdict.STALE, owner=owner)] * stale + [
            finding(Verdict.HEALTHY, owner=owner)
        ] * healthy

    found = [
        *of("few-open", 1, 9),
        *of("b", 2, 0),
        *of("A", 2, 0),
        *of(None, 2, 0),
        *of("large", 2, 1),
        *of("well", 0, 50),
    ]

    owners = [row.owner for row in rows(found, By.OWNER)]
    assert owners == ["large", None, "A", "b", "few-open", "well"]


def owned(names: int) -> list[Finding]:
    """A stale instance of each of so many owners, and two of the last."""
    one = finding(Verdict.STALE)
    mine = [msgspec.structs.replace(one, owner=f"team-{number:05}") for number in range(names)]
    return [*mine, mine[-1]]


@pytest.mark.parametrize(
    ("names", "others"), [(ROWS_MAX - 1, []), (ROWS_MAX, []), (ROWS_MAX + 1, [1])]
)
def test_a_hundred_names_have_rows_and_the_others_a_sum(names: int, others: list[int]) -> None:
    found = rows(owned(names), By.OWNER)

    assert [row.others for row in found] == [0] * min(names, ROWS_MAX) + others
    assert found[0].owner == f"team-{names - 1:05}", "with two open problems"
    assert sum(row.instances for row in found) == names + 1


def test_spaces_and_offerings_beyond_a_hundred_have_a_sum_without_a_name_too() -> None:
    numbers = [f"{number:03}" for number in range(ROWS_MAX + 2)]
    found = [
        msgspec.structs.replace(finding(), org="eu", space=number, offering=number)
        for number in numbers
    ]

    for by in (By.SPACE, By.OFFERING):
        *_, last = rows(found, by)
        assert (last.org, last.space, last.offering) == (None, None, None)
        assert (last.others, last.instances) == (2, 2)


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (NAMES_MAX - 1, NAMES_MAX - 1 - ROWS_MAX),
        (NAMES_MAX, NAMES_MAX - ROWS_MAX),
        (NAMES_MAX + 1, NAMES_MAX + 1 - ROWS_MAX),
        (NAMES_MAX + 2, NAMES_MAX + 1 - ROWS_MAX),
        rest(2 * NAMES_MAX, NAMES_MAX + 1 - ROWS_MAX),
    ],
)
def test_how_many_the_others_are_is_said_exactly_or_at_least(names: int, others: int) -> None:
    *first, rest = rows(owned(names), By.OWNER)

    assert (len(first), rest.owner, rest.others) == (ROWS_MAX, None, others)
    assert rest.instances == rest.open == names + 1 - sum(row.instances for row in first)


def test_a_name_that_comes_once_too_many_are_known_is_in_the_sum_only() -> None:
    late_comer = finding(Verdict.STALE, owner="team-zz")

    found = rows([*owned(NAMES_MAX), *[late_comer] * 500], By.OWNER)

    assert "team-zz" not in {row.owner for row in found}
    assert found[-1].others == 9_901
    assert sum(row.open for row in found) == NAMES_MAX + 1 + 500


@dataclass(frozen=True)
class Mixture:
    """Something of everything that decides on a column."""

    verdict: Verdict
    owner: str | None
    org: str | None
    space: str | None
    offering: str | None
    change: Change | None
    is_muted: bool
    is_deleted: bool
    not_reached: bool
    has_problem: bool

    def finding(self) -> Finding:
        if self.not_reached:
            silence = evidence(Silence(Cause.NOT_REACHED, "no time"), None)
            found = finding_of(instance(owner=self.owner), silence, run(), None)
        elif self.verdict is Verdict.IN_GRACE:
            found = finding(Verdict.NEVER_BACKED_UP, owner=self.owner)
            found = msgspec.structs.replace(found, verdict=Verdict.IN_GRACE)
        else:
            found = finding(self.verdict, owner=self.owner)
        return msgspec.structs.replace(
            found,
            org=self.org,
            space=self.space,
            offering=self.offering,
            change=self.change,
            mute=MUTE if self.is_muted else None,
            operation=DELETING if self.is_deleted else None,
            problem_id="p" if self.has_problem else None,
        )


_names = st.one_of(st.none(), st.sampled_from(["", "a", "b"]))
_mixtures = st.builds(
    Mixture,
    verdict=st.sampled_from(Verdict),
    owner=st.one_of(_names, st.integers(0, 400).map("team-{}".format)),
    org=_names,
    space=_names,
    offering=_names,
    change=st.one_of(st.none(), st.sampled_from(Change)),
    is_muted=st.booleans(),
    is_deleted=st.booleans(),
    not_reached=st.booleans(),
    has_problem=st.booleans(),
)


def sums(found: Sequence[BreakdownRow]) -> dict[str, object]:
    counts: Counter[str] = Counter()
    for row in found:
        counts.update(row.counts)
        assert row.instances == sum(row.counts.values())
        assert row.new <= row.open <= row.instances
        assert row.open == sum(row.open_counts.values())
        assert all(count <= row.counts[name] for name, count in row.open_counts.items())
    return {
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "open": sum(row.open for row in found),
        "new": sum(row.new for row in found),
        "muted": sum(row.muted for row in found),
    }


def figures_of(report: Report) -> dict[str, object]:
    news = report.news
    return {
        "counts": report.counts,
        "open": news.problems,
        "new": news.new,
        "muted": news.muted,
    }


@given(st.lists(_mixtures, max_size=300))
def test_the_rows_sum_up_to_the_fleet_whatever_there_is(mixtures: list[Mixture]) -> None:
    found = [one.finding() for one in mixtures]
    report = whole(found) if found else None

    for by in By:
        of_one = rows(found, by)
        assert len(of_one) <= ROWS_MAX + 1
        if report:
            assert sums(of_one) == figures_of(report)


def test_the_rows_of_more_than_a_hundred_names_sum_up_to_the_fleet() -> None:
    verdicts = [Verdict.STALE, Verdict.HEALTHY, Verdict.UNKNOWN]
    found = [
        finding(verdicts[number % 3], f"g-{number}", owner=f"team-{number % 250}")
        for number in range(1_000)
    ]

    report = whole(found)

    for by in By:
        of_one = [row for row in report.breakdown if row.by is by]
        assert sums(of_one) == figures_of(report)
    assert [row.others for row in report.breakdown if row.others] == [150]
