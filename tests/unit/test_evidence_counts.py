"""What the evidence of a period counts, names and leaves out, of runs that are in memory."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.selection import ExcludeState, ExcludeUse
from backup_audit.fleet.selectors import Selector
from backup_audit.judge.finding import Problem
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Ended
from backup_audit.report.report import Coverage, Report
from backup_audit_cli import bounded
from backup_audit_cli.bounded import Bounded, Longest, Spans
from backup_audit_cli.period import (
    Chain,
    DayRange,
    Days,
    Gap,
    IncompleteRun,
    LateRun,
    Lowest,
    Period,
    PeriodProblem,
    Position,
    Proof,
    RunRef,
    Runs,
    answer_of,
    days_of,
)
from backup_audit_cli.tally import Facts, Tally, of_open, ref_of
from tests.doubles.builders import MUTE, PLACE, ended_problem, finding, inventory, run
from tests.doubles.report_folder import mute_record
from tests.doubles.reports import stored

FIRST = datetime(2026, 10, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
PERIOD = Period(date(2026, 10, 1), date(2026, 10, 3))
BASE = stored([finding(Verdict.HEALTHY)]).head


def ref(day: float) -> RunRef:
    return RunRef(f"r{day}", FIRST + day * DAY)


def head(day: float, *, began_after: timedelta = timedelta(0), **parts: Any) -> Report:  # noqa: ANN401
    """The head of a complete full run due so many days after the first."""
    due_at = FIRST + day * DAY
    of = msgspec.structs.replace(
        run(), run_id=f"r{day}", due_at=due_at, started_at=due_at + began_after
    )
    return msgspec.structs.replace(BASE, **{"run": of, "complete": True, **parts})


def covering(percent: float, audited: int) -> Coverage:
    return Coverage(configured=100, audited=audited, unknown=100 - audited, percent=percent)


def tally_of(heads: Sequence[Report], mutes: Sequence[Sequence[Any]] = ()) -> Tally:
    """The counts of these runs; `mutes` are those of each."""
    tally = Tally(PERIOD)
    for number, one in enumerate(heads):
        facts = Facts(PERIOD, tally.known_to)
        facts.mutes = list(mutes[number]) if mutes else []
        tally.add(one, facts)
    return tally


def lasting(seconds: int, guid: str = "g", opened_at: datetime = FIRST) -> PeriodProblem:
    end = ended_problem(guid)
    return PeriodProblem(
        guid=guid,
        name=None,
        owner=None,
        org=None,
        space=None,
        offering=None,
        plan=None,
        verdict=end.verdict,
        opened_at=opened_at,
        ended_at=None,
        ended=None,
        seconds=seconds,
        muted=False,
    )


# ── Lists that are bounded ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three entries are named, and not 5,000."""
    monkeypatch.setattr(bounded, "NAMED_MAX", 3)


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("count", [0, 2, 3, 4, 5])
def test_a_list_names_the_first_and_counts_all(count: int) -> None:
    found: Bounded[int] = Bounded()
    for number in range(count):
        found.add(number)

    assert found.named == list(range(min(count, 3)))
    assert (found.count, found.left_out) == (count, max(count - 3, 0))


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (3, 5, 1, 4, 2)])
def test_those_that_lasted_longest_are_named_whatever_their_order(order: Sequence[int]) -> None:
    longest, others = Longest(FIRST), Longest(FIRST)
    for number, seconds in enumerate(order):
        (longest if number % 2 else others).add(lasting(seconds))

    longest.take(others)

    assert [one.seconds for one in longest.named] == [5, 4, 3]
    assert longest.count == 5


@pytest.mark.usefixtures("_three")
def test_of_those_that_lasted_as_long_the_same_are_named_in_whatever_order_they_come() -> None:
    mine = [lasting(7, guid, FIRST + n * DAY) for guid in "ab" for n in range(2)]
    named = []
    for some in (mine, reversed(mine)):
        longest = Longest(FIRST)
        for one in some:
            longest.add(one)
        named.append([(one.guid, one.opened_at) for one in longest.named])

    assert named == [[("b", FIRST + DAY), ("b", FIRST), ("a", FIRST + DAY)]] * 2


def test_those_that_opened_in_the_period_are_counted_from_its_first_moment_on() -> None:
    longest, others = Longest(FIRST), Longest(FIRST)
    for one, opened_at in ((longest, FIRST - SECOND), (others, FIRST), (others, FIRST + SECOND)):
        one.add(lasting(1, opened_at=opened_at))

    longest.add(lasting(1))

    assert (longest.opened, others.opened) == (1, 2)
    longest.take(others)
    assert (longest.opened, longest.count) == (3, 4)


@pytest.mark.usefixtures("_three")
def test_what_runs_had_is_said_as_the_last_of_them_had_it_with_the_first_and_the_most() -> None:
    spans: Spans[str] = Spans()
    for number, instances in enumerate((2, 5, 0)):
        spans.add("mute", f"as in {number}", ref(number), instances)
    spans.add("other", "once", ref(1))

    assert spans.all(lambda *values: values) == (
        ("as in 2", 5, 3, ref(0), ref(2)),
        ("once", 0, 1, ref(1), ref(1)),
    )


@pytest.mark.usefixtures("_three")
def test_what_there_is_no_room_for_is_counted_and_what_has_a_place_keeps_it() -> None:
    spans: Spans[int] = Spans()
    for key in (1, 2, 3, 4, 5, 4, 3):
        spans.add(key, key, ref(key))

    assert spans.all(lambda value, _, runs, *__: (value, runs)) == ((1, 1), (2, 1), (3, 2))
    assert spans.left_out == 3


# ── What full runs say ────────────────────────────────────────────────────────────────────────────


def test_the_lowest_coverage_is_that_of_the_first_run_that_covered_least() -> None:
    tally = tally_of(
        [
            head(0, coverage=covering(99.0, 99)),
            head(1, coverage=covering(70.0, 70)),
            head(2, coverage=covering(70.0, 70)),
            head(3, coverage=covering(80.0, 80)),
        ]
    )

    assert tally.lowest == Lowest(run=ref(1), percent=70.0, audited=70, configured=100)


def test_the_longest_gap_is_between_complete_runs_and_of_several_the_first() -> None:
    cut: dict[str, Any] = {"complete": False, "why_incomplete": "over"}

    tally = tally_of([head(0), head(1, **cut), head(2), head(2.5), head(4.5)])

    assert tally.gap == Gap(after=ref(0), until=ref(2), seconds=2 * 86_400)
    assert tally_of([head(0), head(1), head(3)]).gap == Gap(
        after=ref(1), until=ref(3), seconds=2 * 86_400
    )
    assert tally_of([head(0), head(1, **cut)]).gap is None


def test_incomplete_runs_are_named_with_why_and_late_ones_with_how_late() -> None:
    late = timedelta(days=1, seconds=1)
    tally = tally_of(
        [
            head(0),
            head(1, complete=False, why_incomplete="over", coverage=covering(70.0, 70)),
            head(2, complete=False, why_incomplete=None),
            head(3, began_after=late),
            head(4, began_after=DAY),
        ]
    )

    assert tally.incomplete.named == [
        IncompleteRun(run=ref(1), percent=70.0, why="over"),
        IncompleteRun(run=ref(2), percent=100.0, why=""),
    ]
    assert tally.late.named == [
        LateRun(run=ref(3), started_at=FIRST + 3 * DAY + late, seconds=86_401)
    ]


def test_a_mute_is_another_if_its_text_its_end_or_its_selector_is() -> None:
    given: list[dict[str, Any]] = [
        {},
        {"guid": "guid-2"},
        {"owner": "dba"},
        {"reason": "other"},
        {"until": date(2027, 1, 1)},
        {"guid": None, "match": {"org": "eu"}},
        {"guid": None, "match": {"org": "us"}},
    ]
    mutes = [mute_record(instances=4, **parts) for parts in given]

    spans = tally_of([head(0), head(1)], [mutes, mutes]).mutes

    assert {one.instances for one in spans} == {4}
    assert [(one.runs, one.first, one.last) for one in spans] == [(2, ref(0), ref(1))] * 7
    assert [(one.guid, one.match) for one in spans[-3:]] == [
        ("guid-1", None),
        (None, {"org": "eu"}),
        (None, {"org": "us"}),
    ]
    assert (spans[2].owner, spans[3].reason, spans[4].until) == ("dba", "other", date(2027, 1, 1))


def exclude(org: str, instances: int = 3, **parts: Any) -> ExcludeUse:  # noqa: ANN401
    given: dict[str, Any] = {
        "rule": "exclude[0]",
        "match": {"org": org},
        "owner": "sre",
        "reason": "torn down nightly",
        "until": "never",
        "state": ExcludeState.ACTIVE,
        "instances": instances,
    }
    return ExcludeUse(**(given | parts))


def test_an_exclude_is_one_that_took_instances_out_and_another_if_it_says_something_else() -> None:
    uses = [
        exclude("a"),
        exclude("b"),
        exclude("a", owner="dba"),
        exclude("a", reason="other"),
        exclude("a", until="2027-01-01"),
        exclude("c", state=ExcludeState.EXPIRED),
        exclude("d", state=ExcludeState.UNMATCHED),
    ]
    more = [exclude("a", 9, rule="exclude[4]")]

    spans = tally_of(
        [
            head(0, inventory=inventory(excluded=uses)),
            head(1, inventory=None),
            head(2, inventory=inventory(excluded=more)),
        ]
    ).excludes

    assert [(one.match, one.runs, one.instances) for one in spans] == [
        ({"org": "a"}, 2, 9),
        ({"org": "b"}, 1, 3),
        *[({"org": "a"}, 1, 3)] * 3,
    ]
    assert (spans[0].rule, spans[0].first, spans[0].last) == ("exclude[4]", ref(0), ref(2))
    assert (spans[2].owner, spans[3].reason, spans[4].until) == ("dba", "other", "2027-01-01")


def test_versions_configurations_and_policies_are_those_of_their_runs() -> None:
    def of(day: int, tool: str, uri: str, sha256: str, policy: str) -> Report:
        plan = msgspec.structs.replace(
            BASE.plan, configuration_uri=uri, configuration_sha256=sha256, policy_digest=policy
        )
        return head(day, tool=tool, plan=plan)

    tally = tally_of(
        [of(0, "1", "s3", "a", "p"), of(1, "1", "s3", "b", "q"), of(2, "2", "ssm", "b", "q")]
    )

    assert [(one.value, one.runs, one.first, one.last) for one in tally.versions] == [
        ("1", 2, ref(0), ref(1)),
        ("2", 1, ref(2), ref(2)),
    ]
    assert [(one.uri, one.sha256, one.runs) for one in tally.configurations] == [
        ("s3", "a", 1),
        ("s3", "b", 1),
        ("ssm", "b", 1),
    ]
    again = tally_of([of(0, "1", "s3", "a", "p"), of(1, "1", "s3", "a", "p")]).configurations
    assert [(one.runs, one.first, one.last) for one in again] == [(2, ref(0), ref(1))]
    assert [(one.first, one.last) for one in tally.policies] == [
        (ref(0), ref(0)),
        (ref(1), ref(2)),
    ]
    assert [(one.value, one.runs) for one in tally.policies] == [("p", 1), ("q", 2)]


@pytest.mark.usefixtures("_three")
def test_what_a_list_has_no_room_for_is_counted_by_its_name() -> None:
    heads = [
        head(
            day,
            complete=False,
            began_after=2 * DAY,
            tool=f"{day}",
            inventory=inventory(excluded=[exclude(f"{day}")]),
            plan=msgspec.structs.replace(
                BASE.plan, configuration_sha256=f"{day}", policy_digest=f"{day}"
            ),
        )
        for day in range(5)
    ]

    tally = tally_of(heads, [[mute_record(guid=f"g{day}")] for day in range(5)])

    names = ("incomplete", "late", "mutes", "excludes", "versions", "configurations", "policies")
    assert tally.left_out == dict.fromkeys(names, 2)
    assert tally.foundation == "test"


# ── Ends, and what is open ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("resolved_at", "is_counted"),
    [
        (PERIOD.start - SECOND, False),
        (PERIOD.start, True),
        (FIRST, True),
        (FIRST + SECOND, False),
    ],
)
def test_an_end_counts_from_the_first_moment_of_the_period_up_to_the_run(
    resolved_at: datetime, *, is_counted: bool
) -> None:
    of = msgspec.structs.replace(run(), due_at=FIRST, started_at=FIRST)
    report = stored(
        [finding(Verdict.HEALTHY)], of=of, remembered=[ended_problem(resolved_at=resolved_at)]
    )
    facts = Facts(PERIOD, Tally(PERIOD).known_to)

    facts.read(report.reader())

    assert facts.ends.count == is_counted


@pytest.mark.parametrize(
    ("opened_at", "opened"),
    [(PERIOD.start - SECOND, 0), (PERIOD.start, 1), (PERIOD.start + SECOND, 1)],
)
def test_an_end_of_a_problem_of_the_period_is_one_that_opened_in_it(
    opened_at: datetime, opened: int
) -> None:
    of = msgspec.structs.replace(run(), due_at=FIRST, started_at=FIRST)
    end = ended_problem(opened_at=opened_at, resolved_at=FIRST)
    facts, tally = Facts(PERIOD, Tally(PERIOD).known_to), Tally(PERIOD)

    facts.read(stored([finding(Verdict.HEALTHY)], of=of, remembered=[end]).reader())
    tally.add(head(0), facts)

    assert (tally.ends.opened, tally.ends.count) == (opened, 1)


def test_before_a_full_run_nothing_is_known() -> None:
    tally = Tally(PERIOD)

    assert (tally.foundation, tally.lowest, tally.gap) == (None, None, None)
    assert Facts(PERIOD, FIRST).mutes == []


def test_an_end_that_a_run_before_had_is_not_counted_again() -> None:
    of = msgspec.structs.replace(run(), due_at=FIRST + DAY, started_at=FIRST + DAY)
    ends = [
        ended_problem("a", resolved_at=FIRST),
        ended_problem("b", resolved_at=FIRST + SECOND),
        ended_problem("c", resolved_at=FIRST + DAY),
    ]
    report = stored([finding(Verdict.HEALTHY)], of=of, remembered=ends)
    facts = Facts(PERIOD, tally_of([head(0)]).known_to)

    facts.read(report.reader())

    assert {one.guid for one in facts.ends.named} == {"b", "c"}


def test_an_end_has_what_the_report_says_of_it() -> None:
    of = msgspec.structs.replace(run(), due_at=FIRST, started_at=FIRST)
    end = ended_problem(
        name="orders",
        owner="dba",
        **PLACE,
        ended=Ended.GONE,
        opened_at=FIRST - DAY,
        resolved_at=FIRST,
        muted=True,
    )
    facts = Facts(PERIOD, Tally(PERIOD).known_to)

    facts.read(stored([finding(Verdict.HEALTHY)], of=of, remembered=[end]).reader())

    assert facts.ends.named == (
        PeriodProblem(
            guid="guid-1",
            name="orders",
            owner="dba",
            **PLACE,
            verdict=Verdict.STALE,
            opened_at=FIRST - DAY,
            ended_at=FIRST,
            ended=Ended.GONE,
            seconds=86_400,
            muted=True,
        ),
    )


@pytest.mark.parametrize("is_muted", [False, True])
def test_what_is_open_has_lasted_until_the_run_and_is_what_it_hides(*, is_muted: bool) -> None:
    seen = finding(Verdict.UNKNOWN, name="orders", owner="dba", mute=MUTE if is_muted else None)
    one = msgspec.structs.replace(seen, **PLACE, due_at=FIRST + DAY)
    hiding = msgspec.structs.replace(one, before=Problem(Verdict.NEVER_BACKED_UP, FIRST))

    said = of_open(one, FIRST)

    assert said == PeriodProblem(
        guid="guid-1",
        name="orders",
        owner="dba",
        **PLACE,
        verdict=Verdict.UNKNOWN,
        opened_at=FIRST,
        ended_at=None,
        ended=None,
        seconds=86_400,
        muted=is_muted,
    )
    assert of_open(hiding, FIRST).verdict is Verdict.NEVER_BACKED_UP


@pytest.mark.parametrize(("ahead", "is_in_force"), [(-1, False), (0, True), (1, True)])
def test_a_mute_counts_up_to_the_day_on_which_it_ends(ahead: int, *, is_in_force: bool) -> None:
    of = msgspec.structs.replace(run(), due_at=FIRST, started_at=FIRST)
    mute = mute_record(until=FIRST.date() + ahead * DAY, match=None)
    facts = Facts(PERIOD, FIRST)

    facts.read(stored([finding(Verdict.HEALTHY)], of=of, mutes=[mute]).reader())

    assert facts.mutes == ([mute] if is_in_force else [])


def test_a_selector_is_said_as_configured() -> None:
    mute = msgspec.structs.replace(mute_record(guid=None), match=Selector(org="eu", plan="gold-*"))

    [span] = tally_of([head(0)], [[mute]]).mutes

    assert span.match == {"org": "eu", "plan": "gold-*"}
    assert ref_of(head(0)) == ref(0)


# ── Days, and the answer ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "position"),
    [
        ("2026-09-30", Position.BEFORE),
        ("2026-10-01", Position.WITHIN),
        ("2026-10-02", Position.WITHIN),
        ("2026-10-03", Position.WITHIN),
        ("2026-10-04", Position.AFTER),
    ],
)
def test_a_day_is_before_within_or_after_a_period(day: str, position: Position) -> None:
    assert PERIOD.position(day) is position


def test_a_period_has_its_days_its_start_and_its_words() -> None:
    one = Period(date(2026, 10, 1), date(2026, 10, 1))

    assert (PERIOD.days, f"{PERIOD}") == (3, "2026-10-01 to 2026-10-03")
    assert (one.days, f"{one}", one.start) == (1, "2026-10-01", datetime(2026, 10, 1, tzinfo=UTC))


def days_with(proofs: dict[int, Proof], today: int = 30) -> Days:
    """The days of a period of six, by their numbers."""
    period = Period(date(2026, 10, 1), date(2026, 10, 6))
    by_day = {date(2026, 10, day): proof for day, proof in proofs.items()}
    return days_of(period, by_day, date(2026, 10, today))


def days_in_a_row(proof: Proof, first: int, last: int) -> DayRange:
    return DayRange(
        proof=proof,
        first=date(2026, 10, first),
        last=date(2026, 10, last),
        days=last - first + 1,
    )


def test_days_in_a_row_without_proof_are_one_range_if_the_reason_is_one() -> None:
    days = days_with({2: Proof.PROVED, 4: Proof.INCOMPLETE, 5: Proof.INCOMPLETE})

    assert (days.count, days.proved) == (6, 1)
    assert days_with({2: Proof.PROVED, 3: Proof.PROVED, 6: Proof.PROVED}).proved == 3
    assert days.not_proved == (
        days_in_a_row(Proof.NO_RUN, 1, 1),
        days_in_a_row(Proof.NO_RUN, 3, 3),
        days_in_a_row(Proof.INCOMPLETE, 4, 5),
        days_in_a_row(Proof.NO_RUN, 6, 6),
    )


@pytest.mark.parametrize(
    ("proof", "is_open"),
    [
        (Proof.PROVED, False),
        (Proof.UNVOUCHED, False),
        (Proof.NOTHING_KNOWN, False),
        (Proof.INCOMPLETE, True),
        (Proof.NO_RUN, True),
    ],
)
def test_a_day_that_is_not_over_may_still_get_a_complete_run(
    proof: Proof, *, is_open: bool
) -> None:
    for today, is_over in ((6, False), (5, False), (7, True)):
        said = {one.last.day: one.proof for one in days_with({6: proof}, today).not_proved}

        assert (said.get(6) is Proof.TO_COME) is (is_open and not is_over)


def runs(**counts: int) -> Runs:
    none = dict.fromkeys(Runs.__struct_fields__, 0)
    return Runs(**(none | counts))


def chain(*, holds: bool | None) -> Chain:
    return Chain(
        holds=holds,
        newest=None,
        is_newest_within=False,
        vouched=0,
        not_vouched=(),
        not_vouched_count=0,
        later=0,
        faults=(),
        notes=(),
    )


def days(count: int, proved: int, *why: Proof) -> Days:
    return Days(
        count=count,
        proved=proved,
        not_proved=tuple(days_in_a_row(one, 1, 1) for one in why),
    )


LOWEST = Lowest(run=ref(0), percent=100, audited=1, configured=1)
ONE_DAY = Period(date(2026, 10, 1), date(2026, 10, 1))
FULL = "a complete full run"
NEWEST = f"{FULL} that is the newest, or is vouched for"
HOLDS = "and the chain of reports holds"
BROKEN = "but the chain of reports is broken"


@pytest.mark.parametrize(
    ("proved", "why", "holds", "gone", "said"),
    [
        (3, None, True, 0, f"Each of 3 days has {FULL}, {HOLDS}"),
        (1, Proof.NO_RUN, True, 0, f"Not proved: 1 of 3 days has {FULL}, {HOLDS}"),
        (2, Proof.NO_RUN, True, 0, f"Not proved: 2 of 3 days have {FULL}, {HOLDS}"),
        (2, Proof.UNVOUCHED, True, 0, f"Not proved: 2 of 3 days have {NEWEST}, {HOLDS}"),
        (0, Proof.INCOMPLETE, True, 0, f"Not proved: 0 of 3 days have {FULL}, {HOLDS}"),
        (3, None, False, 0, f"Not proved: each of 3 days has {FULL}, {BROKEN}"),
        (
            *(3, None, True, 1),
            f"Not proved: each of 3 days has {FULL}, {HOLDS}, but 1 run of the period is gone",
        ),
        (
            *(3, None, False, 2),
            f"Not proved: each of 3 days has {FULL}, {BROKEN}, and 2 runs of the period are gone",
        ),
    ],
)
def test_a_period_is_called_proved_only_if_nothing_is_wrong(
    proved: int, why: Proof | None, gone: int, said: str, *, holds: bool
) -> None:
    found = days(3, proved, *([why] if why else []))

    answer = answer_of(PERIOD, found, runs(complete=3, gone=gone), LOWEST, chain(holds=holds))

    assert answer == f"{said}; coverage always 100 %"


@pytest.mark.parametrize(
    ("count", "said"), [(1, "2026-10-01"), (2, "Each of 2 days"), (3, "Each of 3 days")]
)
def test_a_period_of_one_day_is_said_by_its_date(count: int, said: str) -> None:
    answer = answer_of(ONE_DAY, days(count, count), runs(complete=1), None, chain(holds=True))

    assert answer == f"{said} has {FULL}, {HOLDS}"


@pytest.mark.parametrize(("complete", "incomplete"), [(1, 0), (0, 1)])
def test_a_full_run_be_it_incomplete_is_a_run(complete: int, incomplete: int) -> None:
    found = runs(complete=complete, incomplete=incomplete)

    answer = answer_of(PERIOD, days(3, 0), found, None, chain(holds=True))

    assert answer == f"Not proved: 0 of 3 days have {FULL}, {HOLDS}"


@pytest.mark.parametrize("others", ["partial", "what_if", "uncommitted", "unreadable", "gone"])
def test_without_a_full_run_nothing_is_proved_and_other_runs_are_not_denied(others: str) -> None:
    none = answer_of(PERIOD, days(3, 0), runs(), None, chain(holds=None))
    some = answer_of(PERIOD, days(3, 0), runs(**{others: 1}), None, chain(holds=None))
    broken = answer_of(ONE_DAY, days(1, 0), runs(unreadable=1), None, chain(holds=False))

    assert none == "No run at all, 2026-10-01 to 2026-10-03: nothing is proved"
    assert some.startswith("No full run at all, 2026-10-01 to 2026-10-03: nothing is proved")
    assert some.endswith(", and 1 run of the period is gone") is (others == "gone")
    assert broken == (
        "No full run at all, 2026-10-01: nothing is proved, and the chain of reports is broken"
    )


@pytest.mark.parametrize(
    ("percent", "said"),
    [(100.0, "coverage always 100 %"), (99.99, "lowest coverage 99.99 % (2026-10-01)")],
)
def test_the_lowest_coverage_is_stated_with_its_day(percent: float, said: str) -> None:
    lowest = msgspec.structs.replace(LOWEST, percent=percent)

    answer = answer_of(PERIOD, days(3, 3), runs(complete=3), lowest, chain(holds=True))

    assert answer.endswith(f"; {said}")
