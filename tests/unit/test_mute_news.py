"""What a digest says of the mutes: those of much, those that end or ended, those for nothing."""

import json
from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest

from backup_audit.fleet.configuration import parse_configuration
from backup_audit.fleet.doubts import doubts_about
from backup_audit.fleet.mutes import Mute, MuteRecord, MuteState, state_of
from backup_audit.fleet.run import AuditRequest
from backup_audit.fleet.selection import Selection
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.mute_news import mute_head_lines, mute_section, other_warnings
from backup_audit.report.rendering import ReportReader, json_line, report_pieces
from backup_audit.report.report import WholeReport
from tests.doubles.builders import NOW, a_list, finding
from tests.doubles.days import Days, row
from tests.doubles.reports import stored

TODAY = NOW.date()
FAR = TODAY + timedelta(days=300)
OWNED = "(team-orders: moves this month)"


def mute(
    until: date = FAR,
    instances: int = 3,
    *,
    problems: int | None = None,
    is_matched: bool = True,
    owner: str = "team-orders",
    reason: str = "moves this month",
) -> MuteRecord:
    state = state_of(Mute("a", owner, reason, until), TODAY, is_matched=is_matched)
    return MuteRecord(
        "a", owner, reason, until, state=state, instances=instances, problems=problems
    )


def section(*mutes: MuteRecord) -> list[str]:
    """Without the empty line before it."""
    empty, *lines = list(mute_section(iter(mutes), TODAY)) or [""]
    assert empty == ""
    return lines


# ── The head ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("instances", "is_named"), [(99, False), (100, False), (101, True)])
def test_a_mute_of_more_than_a_tenth_of_the_fleet_is_named_in_the_head(
    instances: int, *, is_named: bool
) -> None:
    lines = list(mute_head_lines([mute(), mute(instances=instances)], 1000))

    assert lines == (
        [f"Muted: 101 of 1,000 instances (10.1 %) until {FAR}, by mutes[1] {OWNED}."]
        if is_named
        else []
    )


def test_a_fleet_of_nothing_is_no_tenth_of_anything() -> None:
    assert list(mute_head_lines([mute(instances=0), mute(instances=3)], 0)) == []


@pytest.mark.parametrize(("count", "more"), [(19, 0), (20, 0), (21, 1), (1_500, 1_480)])
def test_of_large_mutes_twenty_are_named_and_the_others_counted(count: int, more: int) -> None:
    lines = list(mute_head_lines((mute(instances=9) for _ in range(count)), 9))

    assert len(lines) == min(count, 20) + bool(more)
    if more:
        assert lines[-1] == f"{more:,} more mutes hold more than a tenth of the fleet each."


# ── The section ───────────────────────────────────────────────────────────────────────────────────


def test_without_anything_to_say_there_is_no_section() -> None:
    assert section() == []
    assert section(mute(), mute(TODAY + timedelta(days=8))) == []


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "ends today (2026-01-31)"),
        (1, "ends tomorrow (2026-02-01)"),
        (2, "ends in 2 days (2026-02-02)"),
        (6, "ends in 6 days (2026-02-06)"),
        (7, "ends in 7 days (2026-02-07)"),
        (8, None),
    ],
)
def test_a_mute_that_ends_within_a_week_is_named_with_its_last_day(
    days: int, said: str | None
) -> None:
    lines = section(mute(TODAY + timedelta(days=days)))

    assert lines == (["MUTES (1)", f"  {said}: mutes[0] {OWNED}, for 3 instances"] if said else [])


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (1, "ended yesterday (2026-01-30)"),
        (2, "ended on 2026-01-29"),
        (6, "ended on 2026-01-25"),
        (7, "ended on 2026-01-24"),
    ],
)
def test_a_mute_that_ended_within_a_week_says_what_it_held(days: int, said: str) -> None:
    over = mute(TODAY - timedelta(days=days), 0, problems=2)

    assert section(over) == [
        "MUTES (1)",
        f"  {said}: mutes[0] {OWNED}: 2 instances that it held had a problem at the last full run",
    ]


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        (None, ""),
        (0, ": no instance that it held had a problem at the last full run"),
        (1, ": 1 instance that it held had a problem at the last full run"),
        (1_200, ": 1,200 instances that it held had a problem at the last full run"),
    ],
)
def test_problems_are_counted_as_far_as_they_are_known(problems: int | None, said: str) -> None:
    [_, line] = section(mute(TODAY - timedelta(days=1), 0, problems=problems))

    assert line.endswith(f"{OWNED}{said}")


def test_a_mute_that_ended_long_ago_is_counted_and_not_named() -> None:
    over = mute(TODAY - timedelta(days=8), 0)

    assert section(over, over) == [
        "MUTES (2)",
        "  and 2 that ended more than 7 days ago: take them out",
    ]


def test_a_mute_that_is_for_nothing_is_named() -> None:
    assert section(mute(instances=0, is_matched=False)) == [
        "MUTES (1)",
        f"  fits nothing: mutes[0] {OWNED}, until {FAR}",
    ]


def test_what_ended_comes_first_then_what_ends_next_then_what_fits_nothing() -> None:
    day = timedelta(days=1)

    lines = section(
        mute(is_matched=False),
        mute(TODAY + 3 * day),
        mute(TODAY + day),
        mute(TODAY - 3 * day),
        mute(TODAY - day),
    )

    assert [line.split(" mutes")[0] for line in lines[1:]] == [
        "  ended yesterday (2026-01-30):",
        "  ended on 2026-01-28:",
        "  ends tomorrow (2026-02-01):",
        "  ends in 3 days (2026-02-03):",
        "  fits nothing:",
    ]


@pytest.mark.parametrize(("count", "more"), [(19, 0), (20, 0), (21, 1), (100_000, 99_980)])
def test_twenty_are_named_and_the_others_counted(count: int, more: int) -> None:
    idle = mute(is_matched=False)

    lines = section(*[idle] * count)

    assert lines[0] == f"MUTES ({count:,})"
    assert len(lines) == 1 + min(count, 20) + bool(more)
    if more:
        assert lines[-1] == f"  and {more:,} more that fit nothing"


def test_the_others_are_counted_by_what_they_do() -> None:
    ended = [mute(TODAY - timedelta(days=1))] * 21
    ending = [mute(TODAY)] * 2

    lines = section(*ended, *ending, mute(is_matched=False), mute(TODAY - timedelta(days=99)))

    assert lines[-4:] == [
        "  and 1 more that ended within the last 7 days",
        "  and 2 more that end within 7 days",
        "  and 1 more that fit nothing",
        "  and 1 that ended more than 7 days ago: take them out",
    ]


@pytest.mark.parametrize("hostile", ["a\nMUTES (0)", "\x1b[2Jx", "\u202egpj", "x" * 10_000])
def test_what_people_write_stays_on_its_line(hostile: str) -> None:
    said = [
        *section(mute(TODAY, owner=hostile, reason=hostile)),
        *mute_head_lines([mute(owner=hostile, reason=hostile)], 3),
    ]

    assert len(said) == 3
    assert all(line.isprintable() and len(line) < 700 for line in said)


# ── Said once ─────────────────────────────────────────────────────────────────────────────────────


def warnings(*mutes: dict[str, object]) -> tuple[str, ...]:
    """All that a run of the instances 0 to 4 warns of."""
    document = {
        "instances": [str(at) for at in range(5)],
        "mutes": [{"owner": "o", "reason": "r", **one} for one in mutes],
    }
    configuration = parse_configuration(json.dumps(document).encode(), "test")
    selection = Selection(configuration, TODAY)
    for at in range(5):
        selection.decide(str(at), None, is_fresh=True)
    return (*doubts_about(configuration, TODAY), *selection.warnings())


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(
    "mute_of",
    [
        lambda at: {"guid": str(at), "until": f"2026-01-{20 + at}"},
        lambda at: {"guid": str(at), "until": f"2026-02-0{1 + at}"},
        lambda at: {"guid": f"other-{at}", "until": "2026-12-31"},
        lambda at: {"match": {"org": f"x{at}"}, "until": "2026-12-31"},
    ],
    ids=["over", "ending", "not listed", "for nothing"],
)
def test_what_the_section_says_is_no_warning_besides_be_it_one_or_many(
    mute_of: Callable[[int], dict[str, object]], count: int
) -> None:
    said = warnings(*map(mute_of, range(count)))

    assert [one for one in said if "mutes[" in one]
    assert [one for one in other_warnings(said) if "mutes[" in one] == []
    assert [one for one in other_warnings(said) if "instances[" in one]


def test_whatever_else_is_doubted_of_a_mute_is_still_a_warning() -> None:
    said = warnings({"match": {"org": "*"}, "until": "2026-12-31"})

    assert [one for one in other_warnings(said) if "mutes[" in one] == [
        "mutes[0]: nobody is notified of any instance"
    ]


def test_no_other_warning_that_quotes_such_words_is_left_out() -> None:
    quoting = 'rules[0] "mutes[0]: is for no audited instance": fits no audited instance'

    assert other_warnings([quoting]) == [quoting]


def test_the_states_are_those_of_the_document() -> None:
    assert list(MuteState) == ["active", "ending", "expired", "unmatched"]


# ── Where they are read ───────────────────────────────────────────────────────────────────────────


def test_a_report_gives_its_mutes_and_then_the_rest() -> None:
    head, mutes = stored([finding(Verdict.HEALTHY)]).head, [mute(), mute(TODAY, problems=0)]
    lines = [json_line(finding(Verdict.STALE))]
    body = b"".join(report_pieces(head, mutes=mutes, findings=lines)).splitlines(keepends=True)

    reader = ReportReader(body, "report.json")

    assert list(reader.mutes()) == mutes
    assert [one.verdict for one in reader.findings()] == [Verdict.STALE]
    assert list(reader.resolved()) == []
    assert [one.verdict for one in ReportReader(body, "r").findings()] == [Verdict.STALE]


def test_a_committed_report_gives_its_mutes() -> None:
    assert list(stored([finding(Verdict.STALE)]).mutes()) == []


@pytest.mark.parametrize("mapped", [False, True], ids=["function", "map"])
def test_from_day_to_day_a_mute_that_ended_says_which_open_problems_it_held(
    *, mapped: bool
) -> None:
    day = timedelta(days=1)
    mutes = [
        {"match": {"org": "*"}, "owner": "o", "reason": "r", "until": str(TODAY + day)},
        {"guid": "held", "owner": "o", "reason": "r", "until": str(FAR)},
    ]
    days = Days(
        [row(guid) for guid in ("open", "held", "healthy")],
        {"discover": [{"org": "*"}], "mutes": mutes},
        mapped=mapped,
    )
    days.answers = {"open": a_list(99), "held": a_list(99)}

    found = []
    for _ in range(9):
        days.run()
        [first, second] = days.report.mutes
        assert (second.state, second.instances, second.problems) == (MuteState.ACTIVE, 1, None)
        found.append((first.state, first.instances, first.problems))

    assert found == [
        (MuteState.ENDING, 3, None),
        *[(MuteState.EXPIRED, 0, 1)] * 7,
        (MuteState.EXPIRED, 0, None),
    ]


def test_a_run_of_some_instances_knows_no_problems_and_lets_no_mute_be_for_nothing() -> None:
    over = {"match": {"org": "*"}, "owner": "o", "reason": "r", "until": str(TODAY)}
    days = Days([row("a"), row("b")], {"discover": [{"org": "*"}], "mutes": [over]})
    days.answers = {"a": a_list(99)}
    days.run()

    answer = days.run(AuditRequest(instance_guids=["b"]))

    assert answer.report
    partial = msgspec.json.decode(days.store.objects[answer.report.key], type=WholeReport)
    assert [(one.state, one.instances, one.problems) for one in partial.mutes] == [
        (MuteState.EXPIRED, 0, None)
    ]
