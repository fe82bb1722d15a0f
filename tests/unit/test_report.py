"""The report and how it is written."""

import csv
import io
import json
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.mutes import Mute
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse, RuleUse
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.judge.finding import Alert, Change, Finding, Problem, finding_of, in_short
from backup_audit.judge.verdict import Verdict
from backup_audit.plan import policy_digest
from backup_audit.report.alerts import Found, ReaderState
from backup_audit.report.changes import Resolved, compared
from backup_audit.report.drift import Departed, Unaudited
from backup_audit.report.rendering import (
    CSV_COLUMNS,
    CSV_HEADER,
    ReportReader,
    csv_line,
    json_line,
    refuse_newer,
    report_pieces,
)
from backup_audit.report.report import (
    Answer,
    News,
    WholeReport,
    coverage_of,
    floor_percent,
    shortened,
)
from backup_audit.report.summary import Summary
from tests.doubles.builders import (
    HOUR,
    MUTE,
    NOW,
    PLACE,
    a_list,
    departed,
    ended_problem,
    evidence,
    finding,
    instance,
    inventory,
    open_problem,
    run,
    unaudited,
)
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import stored, whole
from tests.doubles.some import rest


def written(findings: Iterable[Finding], resolved: Iterable[Resolved]) -> bytes:
    head = stored([finding()]).head
    return b"".join(report_pieces(head, findings=map(json_line, findings), resolved=resolved))


def rows_of(findings: Iterable[Finding]) -> list[dict[str, str]]:
    body = (CSV_HEADER + b"".join(map(csv_line, findings))).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(body, newline="")))


def test_of_unknown_ones_the_known_problems_that_nobody_can_see_come_first() -> None:
    since = NOW - timedelta(days=3)
    hidden = {
        "a-hides-unsupported": Problem(Verdict.UNSUPPORTED, since),
        "b-hides-stale": Problem(Verdict.STALE, since),
        "c-hides-stale-longer": Problem(Verdict.STALE, since - timedelta(seconds=1)),
        "d-hides-never": Problem(Verdict.NEVER_BACKED_UP, since),
    }
    unknown = [
        msgspec.structs.replace(finding(Verdict.UNKNOWN, guid), before=before)
        for guid, before in hidden.items()
    ]
    others = [finding(Verdict.UNKNOWN, "0-unknown"), finding(Verdict.NOT_FOUND, "z-gone")]

    young = msgspec.structs.replace(finding(Verdict.HEALTHY, "0-young"), verdict=Verdict.IN_GRACE)

    listed = whole([*others, *unknown, young]).findings

    assert [one.guid for one in listed] == [
        "z-gone",
        "d-hides-never",
        "c-hides-stale-longer",
        "b-hides-stale",
        "a-hides-unsupported",
        "0-unknown",
        "0-young",
    ]


def test_problems_come_worst_first_and_the_longest_without_a_backup_before_the_others() -> None:
    older = finding_of(instance("older"), evidence(a_list(90)), run(), None)
    found = [finding(verdict, verdict) for verdict in reversed(Verdict) if verdict != "in_grace"]

    listed = whole([*found, older]).findings

    assert [one.guid for one in listed] == [
        "never_backed_up",
        "older",
        "stale",
        "unsupported",
        "not_found",
        "unknown",
    ]


def test_of_unknown_ones_a_known_problem_comes_first_and_the_longest_before_the_others() -> None:
    def hiding(verdict: Verdict, days: int) -> Finding:
        hidden = open_problem(verdict, NOW - 24 * HOUR * days)
        return compared(finding(Verdict.UNKNOWN), hidden)

    in_order = [
        finding(Verdict.NOT_FOUND),
        hiding(Verdict.NEVER_BACKED_UP, 1),
        hiding(Verdict.STALE, 2),
        hiding(Verdict.STALE, 1),
        hiding(Verdict.NOT_FOUND, 3),
        finding(Verdict.UNKNOWN),
    ]
    numbered = [msgspec.structs.replace(one, guid=f"{n:02}") for n, one in enumerate(in_order)]

    listed = whole(numbered[::-1]).findings

    assert [one.guid for one in listed] == [one.guid for one in numbered]


def test_every_verdict_is_counted_and_zeros_are_said() -> None:
    counts = whole([finding(Verdict.STALE), finding(Verdict.STALE)]).counts

    assert counts == {verdict.value: 2 if verdict is Verdict.STALE else 0 for verdict in Verdict}


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(0, 3, 0.0), (1, 3, 33.33), (99_999, 100_000, 99.99), (100_000, 100_000, 100.0)],
)
def test_a_hundred_percent_is_said_of_the_whole_only(part: int, whole: int, percent: float) -> None:
    assert floor_percent(part, whole) == percent


def test_unknown_instances_are_configured_and_not_audited() -> None:
    counts = whole([finding(Verdict.UNKNOWN, "a"), finding(Verdict.STALE, "b")]).counts

    coverage = coverage_of(counts)

    assert (coverage.configured, coverage.audited, coverage.unknown) == (2, 1, 1)


@pytest.mark.parametrize(
    ("cause", "complete"), [(cause, cause != "not_reached") for cause in Cause]
)
def test_a_run_is_complete_if_every_instance_was_reached(cause: Cause, *, complete: bool) -> None:
    silent = finding_of(instance(), evidence(Silence(cause, "x"), None), run(), None)

    assert whole([silent]).complete is complete


def test_the_oldest_newest_backup_is_that_of_who_waited_longest() -> None:
    found = [finding(Verdict.HEALTHY, "a"), finding(Verdict.STALE, "b"), finding(Verdict.UNKNOWN)]

    assert whole(found).oldest_newest_backup_age_seconds == 50 * 3600
    assert whole([finding(Verdict.UNKNOWN)]).oldest_newest_backup_age_seconds is None


def test_the_policy_digest_follows_the_policies_and_not_the_order() -> None:
    first, second = instance("a"), instance("b")
    policy = msgspec.structs.replace(first.policy, max_age_seconds=60)
    stricter = msgspec.structs.replace(first, policy=policy)

    assert policy_digest([first, second]) == policy_digest([second, first])
    assert policy_digest([first, second]) != policy_digest([stricter, second])


def test_a_finding_is_one_line_and_read_back() -> None:
    found = finding(Verdict.STALE, "a", name="a\u2028b", mute=MUTE)

    line = json_line(found)

    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert msgspec.json.decode(line, type=Finding) == found


@pytest.mark.parametrize("verdicts", [[], [Verdict.STALE], [Verdict.STALE, Verdict.UNKNOWN]])
@pytest.mark.parametrize("ended", [0, 1, 2])
def test_a_report_is_one_json_value_with_an_entry_a_line_and_is_read_as_a_stream(
    verdicts: list[Verdict], ended: int
) -> None:
    found = [finding(verdict) for verdict in verdicts]
    resolved = [ended_problem(guid=f"guid-{number}") for number in range(ended)]
    body = written(found, resolved)

    document = msgspec.json.decode(body, type=WholeReport)
    assert (document.findings, document.resolved) == (found, resolved)
    entries = [line for line in body.splitlines() if line.startswith(b"{") and line != b"{"]
    assert len(entries) == len(found) + len(resolved)
    reader = ReportReader(body.splitlines(keepends=True), "there")
    assert reader.head.counts == document.counts
    assert list(reader.findings()) == found
    assert list(reader.resolved()) == resolved
    skipping = ReportReader(body.splitlines(keepends=True), "there")
    assert list(skipping.resolved()) == resolved


def test_a_head_that_is_known_is_not_read_again_but_has_to_be_there() -> None:
    lines = written([finding()], []).splitlines(keepends=True)
    head = msgspec.structs.replace(ReportReader(lines, "there").head, complete=False)

    reader = ReportReader(lines, "there", head)

    assert reader.head is head
    assert [one.guid for one in reader.findings()] == [finding().guid]
    for missing in ([], lines[:3], lines[lines.index(b'  "history": [\n') + 1 :]):
        with pytest.raises(msgspec.DecodeError, match=r"^it has no head$"):
            ReportReader(missing, "there", head)
        with pytest.raises(msgspec.MsgspecError):
            ReportReader(missing, "there")


def test_a_report_that_ends_early_is_no_report() -> None:
    lines = written([finding()], [ended_problem(guid="guid-2")]).splitlines(keepends=True)

    for length in range(len(lines) - 1):
        with pytest.raises(msgspec.MsgspecError):
            read_all(lines[:length])
    read_all(lines)


def read_all(lines: list[bytes]) -> None:
    reader = ReportReader(lines, "there")
    list(reader.findings())
    list(reader.resolved())


def test_a_csv_row_has_every_column_and_its_schema_version() -> None:
    [row] = rows_of([finding(Verdict.STALE, "a", name="orders-db", mute=MUTE)])

    assert tuple(row) == CSV_COLUMNS
    assert row["schema_version"] == "1"
    assert row["name"] == "orders-db"
    assert row["muted_until"] == "2026-01-31"
    assert row["code"] == ""


def test_the_table_begins_with_what_a_person_looks_for() -> None:
    assert CSV_COLUMNS[:11] == (
        "name",
        "guid",
        "owner",
        "org",
        "space",
        "offering",
        "plan",
        "type",
        "verdict",
        "reason",
        "newest_backup_age_hours",
    )


def test_the_table_has_what_is_known_of_an_instance() -> None:
    known = msgspec.structs.replace(
        finding(),
        **PLACE,
        type="managed",
        policy_notes=("label a: too long", "label b: no day"),
        operation=Operation("delete", "in progress", NOW),
    )

    row, bare = rows_of([known, finding()])

    assert {column: row[column] for column in PLACE} == PLACE
    assert (row["type"], row["operation"]) == ("managed", "delete in progress")
    assert row["policy_notes"] == "label a: too long; label b: no day"
    assert {bare[column] for column in (*PLACE, "type", "operation", "policy_notes")} == {""}


def test_a_spreadsheet_that_knows_a_byte_order_mark_reads_utf_8() -> None:
    assert CSV_HEADER.startswith(b"\xef\xbb\xbfname,")


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [(0, "0.0"), (17, "0.0"), (18, "0.01"), (93_600, "26.0"), (93_690, "26.02")],
)
def test_ages_in_the_table_are_hours(seconds: int, hours: str) -> None:
    found = finding(Verdict.STALE)
    summed = msgspec.structs.replace(found.evidence, newest_backup_age_seconds=seconds)

    [row] = rows_of([msgspec.structs.replace(found, evidence=summed)])

    assert row["newest_backup_age_hours"] == hours
    assert row["max_age_hours"] == "26.0"


def test_the_table_has_the_usual_interval_in_hours_and_who_is_late() -> None:
    def with_backups(*hours: float) -> Finding:
        return finding_of(instance(), evidence(a_list(*hours)), run(), None)

    late, in_time, not_known = rows_of(
        [with_backups(7, 9, 11, 13.5), with_backups(3, 27, 51, 75), with_backups(3)]
    )

    columns = ("usual_interval_hours", "late")
    assert [late[column] for column in columns] == ["2.0", "True"]
    assert [in_time[column] for column in columns] == ["24.0", "False"]
    assert [not_known[column] for column in columns] == ["", "False"]


def test_times_in_the_table_are_such_as_a_spreadsheet_takes_for_a_time() -> None:
    [row] = rows_of([finding(Verdict.STALE)])

    assert row["observed_at"] == f"{NOW:%Y-%m-%d %H:%M:%S}"
    assert row["newest_backup_at"] == "2026-01-29 03:00:00"


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u3000+", "\uff1d", "\uff0b", "\uff0d", "\uff20"],
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(start: str) -> None:
    [row] = rows_of([finding(name=f"{start}cmd|' /C calc'!A0")])

    assert row["name"] == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("separator", [";", "|", "\t", ";;"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\u00a0=", "\uff1d"])
def test_no_spreadsheet_that_parts_cells_elsewhere_finds_a_formula(
    separator: str, start: str
) -> None:
    [row] = rows_of([finding(name=f"x{separator}{start}1+1")])

    assert row["name"] == f"x{separator}'{start}1+1"


def test_what_is_no_formula_is_left_alone() -> None:
    name = "a-b; c=d|e+f, -1 @x"

    [row] = rows_of([finding(name=name)])

    assert row["name"] == name


def test_the_table_has_the_problems_worst_first_and_then_the_rest() -> None:
    store = InMemoryStore()
    verdicts = [Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.HEALTHY, Verdict.NEVER_BACKED_UP]

    stored([finding(v, f"{n}-{v}") for n, v in enumerate(verdicts)], store=store)

    [body] = [body for key, body in store.objects.items() if key.endswith("findings.csv")]
    rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    assert [row["guid"] for row in rows] == [
        "3-never_backed_up",
        "1-unknown",
        "0-healthy",
        "2-healthy",
    ]


def test_a_table_of_many_findings_is_whole() -> None:
    store = InMemoryStore()
    found = [finding(Verdict.HEALTHY if n % 2 else Verdict.STALE, f"{n:04}") for n in range(2_000)]

    stored(found, store=store)

    [body] = [body for key, body in store.objects.items() if key.endswith("findings.csv")]
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert [row["guid"] for row in rows] == [one.guid for one in [*found[::2], *found[1::2]]]
    assert {row["schema_version"] for row in rows} == {"1"}


@given(st.text())
def test_any_name_comes_out_of_the_csv_as_it_was_but_for_apostrophes(name: str) -> None:
    [row] = rows_of([finding(name=name)])

    assert row["name"].replace("'", "") == name.replace("'", "")


def test_an_answer_to_a_dry_run_fits_into_what_lambda_takes_whatever_names_there_are() -> None:
    name, text, many = "\U0001f40d" * 255, "\U0001f40d" * 200, range(1_000)
    fleet = inventory(
        excluded=[
            ExcludeUse(
                rule=f"exclude[{number}]",
                match={"org": text},
                owner=text,
                reason=text,
                until="never",
                state=ExcludeState.ACTIVE,
                instances=1,
            )
            for number in many
        ],
        rules=[
            RuleUse(
                rule=f"rules[{number}]",
                name=text,
                match={"org": text},
                unless=None,
                matched=1,
                decided=1,
            )
            for number in many
        ],
        unaudited=Unaudited(
            count=1_000,
            new=0,
            by_offering={f"{number:03}{name}"[:255]: 1 for number in many},
            instances=[
                unaudited(f"{number:036}", name=name, org=name, space=name, offering=name)
                for number in many
            ],
        ),
    )
    problem = in_short(finding(Verdict.STALE))
    named = dict.fromkeys(("name", "org", "space", "offering", "plan"), name)
    problem = msgspec.structs.replace(problem, **named, owner=text, reason="\U0001f40d" * 500)
    problem = msgspec.structs.replace(problem, policy_notes=["x" * 200] * 10)  # labels are ASCII

    answer = Answer(
        run_id="run",
        scope=Scope.FULL,
        dry_run=True,
        complete=True,
        counts={},
        problems=[problem] * 100,
        warnings=["\U0001f40d" * 300] * 100,
        inventory=shortened(fleet),
    )

    assert answer.inventory
    assert answer.inventory.unaudited
    assert len(answer.inventory.excluded) == 100
    assert len(answer.inventory.rules) == 100
    assert len(answer.inventory.unaudited.instances) == 100
    assert len(answer.inventory.unaudited.by_offering) == 100
    assert answer.inventory.unaudited.count == 1_000, "of all"
    assert len(json.dumps(msgspec.to_builtins(answer))) < 6_000_000


@pytest.mark.parametrize(("length", "rules"), [(10, 100), (50_000, 25), rest(3_000_000, 0)])
def test_of_long_entries_an_answer_has_fewer(length: int, rules: int) -> None:
    used = [
        RuleUse(
            rule=f"rules[{number}]",
            name=None,
            match={"org": "x" * length},
            unless=None,
            matched=1,
            decided=1,
        )
        for number in range(101)
    ]

    assert len(shortened(inventory(rules=used)).rules) == rules


@pytest.mark.parametrize(("size", "rules"), [(1_999_999, 1), (2_000_000, 1), (2_000_001, 0)])
def test_an_answer_has_as_much_of_an_inventory_as_two_megabytes_hold(size: int, rules: int) -> None:
    used = RuleUse(rule="rules[0]", name="", match={}, unless=None, matched=1, decided=1)
    rest_of_it = len(msgspec.json.encode(inventory(rules=[used])))
    padded = msgspec.structs.replace(used, name="x" * (size - rest_of_it))

    assert len(shortened(inventory(rules=[padded])).rules) == rules


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_of_those_that_vanished_an_answer_names_a_hundred(count: int, named: int) -> None:
    fleet = inventory(vanished=[departed()] * count, vanished_count=count)

    cut = shortened(fleet)

    assert (len(cut.vanished or ()), cut.vanished_count) == (named, count)


@pytest.mark.parametrize("lacking", [None, []])
def test_what_of_an_inventory_is_not_known_stays_so_in_an_answer(
    lacking: list[Departed] | None,
) -> None:
    fleet = inventory(vanished=lacking, unaudited=None)

    assert shortened(fleet) == fleet


def test_ends_are_summed_up_for_the_platform_and_for_their_owner() -> None:
    ends = [ended_problem(f"guid-{number}", owner="team-a") for number in range(2)]
    unknown = ended_problem("guid-9", verdict=Verdict.UNKNOWN)

    with closing(Summary(notifies=True, per_owner=True, due_at=NOW)) as summary:
        for one in (*ends, unknown):
            summary.add_end(one)

    assert {reader: found.ended for reader, found in summary.found.items()} == {"": 3, "team-a": 2}
    assert summary.ended_guids == {"guid-0", "guid-1"}


def test_problems_are_summed_up_for_the_platform_and_for_their_owner() -> None:
    replace, before = msgspec.structs.replace, NOW - 24 * HOUR
    left_out = replace(
        open_problem(since=before), alert=Alert(verdict=Verdict.STALE, left_out=True)
    )
    silence = evidence(Silence(Cause.NOT_REACHED, "the time was over"), None)
    deleted = replace(finding(), operation=Operation("delete", "in progress", NOW))
    kinds = [
        compared(finding(owner="team-a"), None),
        compared(finding(owner="team-b"), open_problem(Verdict.UNSUPPORTED, before)),
        compared(finding(owner="team-a"), left_out),
        compared(finding(Verdict.UNKNOWN), open_problem(Verdict.UNKNOWN, before)),
        compared(finding(mute=MUTE), None),
        compared(deleted, None),
        finding_of(instance(), silence, run(), None),
    ]
    clear = ReaderState(
        digest_at=before, why=(), episode=before, cleared=True, all_clear_at=NOW - HOUR
    )

    with closing(Summary(notifies=True, per_owner=True, due_at=NOW, known={"": clear})) as summary:
        for number in range(2):
            for one in kinds:
                summary.add(replace(one, guid=f"{number}"))

    assert summary.found == {
        "": Found(open=10, named=8, opened=2, again=2, worsened=2),
        "team-a": Found(open=4, named=4, opened=2),
        "team-b": Found(open=2, named=2, worsened=2),
    }
    assert summary.news == News(
        problems=8,
        new=2,
        worse=2,
        resolved=0,
        muted=2,
        not_reached=2,
        still_unknown=2,
        being_deleted=2,
    )


def test_owners_are_no_readers_unless_they_are_notified() -> None:
    with closing(Summary(notifies=True, per_owner=False, due_at=NOW)) as summary:
        summary.add(compared(finding(owner="team-a"), None))

    assert list(summary.found) == [""]


def test_the_worst_are_no_more_than_asked_for() -> None:
    with closing(Summary(notifies=False, per_owner=False)) as summary:
        for verdict in (Verdict.UNKNOWN, Verdict.STALE, Verdict.NEVER_BACKED_UP):
            summary.add(finding(verdict, verdict))

        assert [one.guid for one in summary.worst(2)] == ["never_backed_up", "stale"]


@pytest.mark.parametrize(
    ("verdict", "change", "mute", "counted"),
    [
        (Verdict.UNKNOWN, Change.ONGOING, None, 1),
        (Verdict.UNKNOWN, Change.NEW, None, 0),
        (Verdict.UNKNOWN, Change.ONGOING, MUTE, 0),
        (Verdict.STALE, Change.ONGOING, None, 0),
    ],
)
def test_only_what_is_unknown_as_before_and_not_muted_is_still_unknown(
    verdict: Verdict, change: Change, mute: Mute | None, counted: int
) -> None:
    before = None if change is Change.NEW else open_problem(verdict, NOW - HOUR)
    one = compared(finding(verdict, mute=mute), before)

    assert one.change is change
    assert stored([one, finding(Verdict.HEALTHY, "other")]).head.news.still_unknown == counted


@pytest.mark.parametrize(
    ("verdict", "mute", "counted"),
    [
        (Verdict.STALE, None, {"being_deleted": 1, "problems": 0, "new": 0, "muted": 0}),
        (Verdict.STALE, MUTE, {"being_deleted": 0, "problems": 0, "new": 0, "muted": 1}),
        (Verdict.HEALTHY, None, {"being_deleted": 0, "problems": 0, "new": 0, "muted": 0}),
    ],
)
def test_the_problem_of_an_instance_that_is_being_deleted_is_counted_apart(
    verdict: Verdict, mute: Mute | None, counted: dict[str, int]
) -> None:
    deleting = Operation("delete", "in progress", NOW)
    one = msgspec.structs.replace(
        finding(verdict), operation=deleting, mute=mute, change=Change.NEW
    )

    news = stored([one]).head.news

    assert {name: getattr(news, name) for name in counted} == counted


def test_equal_texts_and_times_of_the_problems_that_ended_are_kept_once() -> None:
    ends = [
        msgspec.structs.replace(ended_problem(f"guid-{n}"), owner="team", **PLACE) for n in range(2)
    ]

    first, second = ReportReader(written([], ends).splitlines(keepends=True), "there").resolved()

    assert [first, second] == ends
    for name in ("owner", *PLACE, "since", "resolved_at"):
        assert getattr(first, name) is getattr(second, name)


def test_every_end_of_a_problem_is_counted() -> None:
    ends = [
        compared(finding(Verdict.HEALTHY, guid), open_problem(since=NOW - HOUR))
        for guid in ("a", "b")
    ]

    assert stored(ends).head.news.resolved == len(ends)


def test_it_is_said_what_is_missing_of_a_report_that_ends_early() -> None:
    lines = written([finding()], [ended_problem(guid="guid-2")]).splitlines(keepends=True)
    begin = lines.index(b'  "findings": [\n')

    with pytest.raises(msgspec.DecodeError, match=r"^a list is missing$"):
        read_all(lines[:begin])
    with pytest.raises(msgspec.DecodeError, match=r"^it ends within a list$"):
        read_all(lines[: begin + 2])


def test_of_a_newer_version_it_is_said_whole_how_to_go_on_and_back() -> None:
    with pytest.raises(ReportStoreFailed) as raised:
        refuse_newer(b'{"schema_version": 2}', "s3://bucket/latest.json")

    assert str(raised.value) == (
        "s3://bucket/latest.json is of schema_version 2, and this version of backup-audit reads 1: "
        "deploy the newer version again; to go back for good, remove latest.json, and all problems "
        "are new"
    )
