"""Problems of one cause are one event for programs, and no problem is lost in a group."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
import pytest

from backup_audit.judge.evidence import Cause as Silent
from backup_audit.judge.evidence import Refusal, Silence
from backup_audit.judge.finding import Alert, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Ended, Resolved
from backup_audit.report.groups import EVENTS_MAX, GROUP_FROM, Group, Grouping, cause_of
from tests.doubles.builders import MUTE, NOW, finding

DAY = timedelta(days=1)
BEFORE = NOW - DAY
BROKEN = Refusal(10001, "CF-ServiceBrokerApiUnreachable")


def unknown(number: int, *, status: int = 502, offering: str | None = "p.mysql") -> Finding:
    """An unknown problem that opens now."""
    found = finding(Verdict.UNKNOWN, f"guid-{number}")
    evidence = msgspec.structs.replace(
        found.evidence, http_status=status, title=BROKEN.title, silence=None
    )
    return opened(msgspec.structs.replace(found, evidence=evidence, offering=offering))


def opened(found: Finding, at: datetime = NOW, **alert: object) -> Finding:
    """The finding of a problem that was opened then."""
    return msgspec.structs.replace(
        found,
        problem_id=f"{found.guid}@then",
        opened_at=at,
        since=at,
        notified_at=at,
        alert=msgspec.structs.replace(Alert(verdict=found.verdict), **alert),
    )


def grouped(
    findings: Iterable[Finding],
    before: Iterable[Group] = (),
    *,
    news_from: datetime | None = None,
    reminds: bool = False,
) -> Grouping:
    """The groups of a run with these findings."""
    grouping = Grouping("eu", NOW, before, news_from)
    for one in findings:
        grouping.add(one)
    grouping.settle(reminds=reminds)
    return grouping


def unknowns(count: int) -> list[Finding]:
    return [unknown(number) for number in range(count)]


def of_yesterday(members: int = 12, **parts: object) -> Group:
    """The group that was opened yesterday."""
    group = Group(
        group_id="eu/unknown/1a2b3c4d@20260130T050000Z",
        cause=cause_of(unknown(0)),
        opened_at=BEFORE,
        members=members,
        named=members,
    )
    return msgspec.structs.replace(group, **parts)


def members_of(group: Group, count: int) -> list[Finding]:
    return [opened(unknown(number), BEFORE, group_id=group.group_id) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "groups"), [(GROUP_FROM - 1, 0), (GROUP_FROM, 1), (GROUP_FROM + 1, 1)]
)
def test_ten_unknowns_of_one_cause_that_open_together_are_a_group(count: int, groups: int) -> None:
    findings = unknowns(count)

    grouping = grouped(findings)

    assert [group.members for group in grouping.groups] == [count] * groups
    assert [group.named for group in grouping.groups] == [count] * groups
    ids = {grouping.group_of(one) for one in findings}
    assert ids == ({grouping.groups[0].group_id} if groups else {None})
    assert grouping.opens is bool(groups)


def test_a_group_has_an_id_of_foundation_cause_and_the_runs_due_time() -> None:
    [group] = grouped(unknowns(10)).groups

    foundation, verdict, rest = group.group_id.split("/")
    digest, at = rest.split("@")
    assert (foundation, verdict, at) == ("eu", "unknown", "20260131T050000Z")
    assert len(digest) == 8
    assert group.cause == cause_of(unknown(0))
    assert group.opened_at == NOW
    assert group.end_notified_at is None


@pytest.mark.parametrize(
    "other",
    [
        unknown(99, status=503),
        unknown(99, offering="p.redis"),
        unknown(99, offering=None),
        opened(finding(Verdict.UNKNOWN, "guid-99")),
    ],
    ids=["another status", "another offering", "no known offering", "silence"],
)
def test_who_has_another_cause_is_not_in_the_group(other: Finding) -> None:
    grouping = grouped([*unknowns(10), other])

    [group] = grouping.groups
    assert group.members == 10
    assert grouping.group_of(other) is None


def test_silences_of_one_kind_are_a_group_too() -> None:
    findings = [opened(finding(Verdict.UNKNOWN, f"guid-{number}")) for number in range(10)]

    [group] = grouped(findings).groups

    assert group.cause.title == Silent.TIMEOUT == Silence(Silent.TIMEOUT, "").cause
    assert group.cause.http_status is None


@pytest.mark.parametrize("verdict", [Verdict.STALE, Verdict.NOT_FOUND])
def test_problems_that_are_known_are_named_one_by_one(verdict: Verdict) -> None:
    findings = [opened(finding(verdict, f"guid-{number}")) for number in range(11)]

    assert grouped(findings).groups == []


def test_who_is_muted_does_not_open_and_is_no_member() -> None:
    muted = msgspec.structs.replace(unknown(99), mute=MUTE, notified_at=None, alert=None)

    grouping = grouped([*unknowns(9), muted])

    assert grouping.groups == []


def test_who_is_named_again_joins_no_group_and_makes_none() -> None:
    """Programs may know of it as of one: a group would not close that."""
    named_again = [opened(unknown(number), left_group_at=NOW) for number in range(10)]

    few, more = grouped(named_again), grouped([*unknowns(10), named_again[0]])

    assert few.groups == []
    assert [group.members for group in more.groups] == [10]
    assert more.group_of(named_again[0]) is None


# ── From run to run ───────────────────────────────────────────────────────────────────────────────


def test_a_group_stays_while_one_of_it_is_left() -> None:
    group = of_yesterday()

    [now] = grouped(members_of(group, 1), [group]).groups

    assert (now.group_id, now.members, now.named) == (group.group_id, 1, 1)
    assert now.end_notified_at is None


def test_a_group_ends_when_nobody_is_left() -> None:
    [now] = grouped([], [of_yesterday()]).groups

    assert (now.members, now.named, now.end_notified_at) == (0, 0, NOW)


def test_half_of_them_leave() -> None:
    group = of_yesterday()
    left = [
        opened(finding(Verdict.STALE, f"guid-{number}"), BEFORE, left_group_at=NOW)
        for number in range(6, 12)
    ]

    grouping = grouped([*members_of(group, 6), *left], [group])

    [now] = grouping.groups
    assert now.members == 6
    assert {grouping.group_of(one) for one in left} == {None}


def test_a_group_whose_members_are_all_muted_stays_and_has_none_to_name() -> None:
    group = of_yesterday(members=10)
    muted = [msgspec.structs.replace(one, mute=MUTE) for one in members_of(group, 10)]

    [now] = grouped(muted, [group]).groups

    assert (now.members, now.named, now.end_notified_at) == (10, 0, None)


def test_a_group_names_its_members_but_for_those_who_are_muted() -> None:
    group = of_yesterday()
    muted, *others = members_of(group, 4)

    [now] = grouped([msgspec.structs.replace(muted, mute=MUTE), *others], [group]).groups

    assert (now.members, now.named) == (4, 3)


def test_a_second_outage_while_the_first_group_is_open_is_a_group_of_its_own() -> None:
    first = of_yesterday()
    again = [unknown(number) for number in range(100, 110)]

    grouping = grouped([*members_of(first, 12), *again], [first])

    assert [(group.opened_at, group.members) for group in grouping.groups] == [
        (BEFORE, 12),
        (NOW, 10),
    ]
    assert {grouping.group_of(one) for one in again} == {grouping.groups[1].group_id}


def test_a_few_more_of_the_cause_are_named_while_the_group_is_open() -> None:
    first = of_yesterday()
    more = [unknown(number) for number in range(100, 109)]

    grouping = grouped([*members_of(first, 12), *more], [first])

    assert [group.members for group in grouping.groups] == [12]
    assert {grouping.group_of(one) for one in more} == {None}


def test_of_a_cause_that_opens_a_group_only_those_join_whom_messages_name_first_now() -> None:
    grouping = grouped(unknowns(10))
    [group] = grouping.groups

    first = unknown(0)
    muted = msgspec.structs.replace(first, mute=MUTE)
    never_named = msgspec.structs.replace(first, notified_at=None, alert=None)
    of_before = opened(first, BEFORE)

    assert grouping.group_of(first) == group.group_id
    assert [grouping.group_of(one) for one in (muted, never_named, of_before)] == [None] * 3


def test_the_end_of_a_group_keeps_its_time_until_it_is_over() -> None:
    ended = of_yesterday(members=0, end_notified_at=BEFORE)

    [now] = grouped([], [ended]).groups

    assert now.end_notified_at == BEFORE


# ── Too many events ───────────────────────────────────────────────────────────────────────────────


def many(count: int, at: datetime = NOW) -> Iterator[Finding]:
    """So many stale instances, whose problems were opened then."""
    one = opened(finding(Verdict.STALE), at)
    return (one for _ in range(count))


@pytest.mark.parametrize(
    ("count", "groups"), [(EVENTS_MAX - 1, 0), (EVENTS_MAX, 0), (EVENTS_MAX + 1, 1)]
)
def test_above_the_most_events_those_that_open_are_groups(count: int, groups: int) -> None:
    grouping = grouped(many(count))

    found = [(group.cause.verdict, group.members) for group in grouping.groups]
    assert found == [(Verdict.STALE, count)] * groups


def test_groups_of_too_many_events_are_by_verdict_and_offering() -> None:
    offered = msgspec.structs.replace(opened(finding(Verdict.STALE, "guid-x")), offering="p.redis")
    few = [unknown(1), unknown(2, status=503)]

    grouping = grouped([*many(EVENTS_MAX), offered, *few, *unknowns(10)])

    found = {(one.cause.verdict, one.cause.offering, one.members) for one in grouping.groups}
    assert found == {
        (Verdict.STALE, None, EVENTS_MAX),
        (Verdict.STALE, "p.redis", 1),
        (Verdict.UNKNOWN, "p.mysql", 1 + 10),
        (Verdict.UNKNOWN, "p.mysql", 1),
    }
    assert len({group.group_id for group in grouping.groups}) == 4


@pytest.mark.parametrize(("more", "groups"), [(0, 0), (1, 1)])
def test_ends_and_worse_verdicts_count_and_are_never_grouped(more: int, groups: int) -> None:
    grouping = Grouping("eu", NOW, (), None)
    for _ in range(EVENTS_MAX - 10):
        grouping.add_end(END)
    for one in many(4, BEFORE):
        grouping.add(
            msgspec.structs.replace(one, alert=Alert(verdict=one.verdict, worsened_at=NOW))
        )
    for one in many(4, BEFORE):
        alert = Alert(verdict=one.verdict, left_group_at=NOW)
        grouping.add(msgspec.structs.replace(one, alert=alert))
    for one in many(2 + more):
        grouping.add(one)

    grouping.settle(reminds=False)

    assert [group.members for group in grouping.groups] == [2 + more] * groups


END = Resolved(
    guid="guid-1",
    name=None,
    owner=None,
    problem_id="guid-1@then",
    verdict=Verdict.STALE,
    since=BEFORE,
    opened_at=BEFORE,
    notified_at=BEFORE,
    alert=Alert(verdict=Verdict.STALE),
    resolved_at=NOW,
    ended=Ended.HEALTHY,
    end_notified_at=NOW,
)


@pytest.mark.parametrize(
    "silent",
    [
        {"end_notified_at": None},
        {"end_notified_at": BEFORE},
        {"notified_at": None},
        {"alert": Alert(verdict=Verdict.UNKNOWN, group_id="g")},
    ],
    ids=["not said", "said", "never opened", "in a group"],
)
def test_ends_without_an_event_of_their_own_do_not_count(silent: dict[str, object]) -> None:
    grouping = Grouping("eu", NOW)
    grouping.add_end(msgspec.structs.replace(END, **silent))
    for one in many(EVENTS_MAX):
        grouping.add(one)

    grouping.settle(reminds=False)

    assert grouping.groups == []


@pytest.mark.parametrize(
    ("reminds", "count", "few"),
    [
        (True, EVENTS_MAX - 1, True),
        (True, EVENTS_MAX, True),
        (True, EVENTS_MAX + 1, False),
        (False, EVENTS_MAX + 1, True),
    ],
)
def test_reminders_of_single_problems_are_left_out_where_they_are_too_many(
    reminds: bool,  # noqa: FBT001
    count: int,
    few: bool,  # noqa: FBT001
) -> None:
    grouping = Grouping("eu", NOW)
    for one in many(count, BEFORE):
        grouping.add(one)

    assert grouping.settle(reminds=reminds) is few
    assert grouping.groups == []


@pytest.mark.parametrize("count", [EVENTS_MAX - 1, EVENTS_MAX, EVENTS_MAX + 1])
def test_where_nobody_is_reminded_no_reminder_is_left_out(count: int) -> None:
    grouping = Grouping("eu", NOW)
    for one in many(count):
        grouping.add(one)

    assert grouping.settle(reminds=False) is True


def test_reminders_never_make_groups_of_what_opens() -> None:
    grouping = Grouping("eu", NOW)
    for one in (*many(EVENTS_MAX, BEFORE), *many(1)):
        grouping.add(one)

    assert grouping.settle(reminds=True) is False
    assert grouping.groups == []


def test_what_earlier_runs_could_not_send_counts_as_news() -> None:
    owed = many(EVENTS_MAX, BEFORE)

    assert grouped([*owed, *many(1)], news_from=BEFORE).groups != []


def test_problems_that_opened_before_join_no_group() -> None:
    """Their event may be out already: then nobody would close what it opened."""
    owed = [*many(EVENTS_MAX, BEFORE)]

    grouping = grouped([*owed, *many(1)], news_from=BEFORE)

    assert grouping.group_of(owed[0]) is None
