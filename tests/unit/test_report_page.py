"""report.html: that it answers, agrees with what else is said of a run, and holds foreign text."""

import base64
import hashlib
import re
from typing import Any

import msgspec
import pytest

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.fleet.mutes import MuteState
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState
from backup_audit.judge.evidence import Cause
from backup_audit.judge.finding import Change, Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.listing import contents
from backup_audit.page import charts, markup, words
from backup_audit.page.answer import figures_of
from backup_audit.page.rows import COLUMNS, REAL_ROWS
from backup_audit.report.alerts import PLATFORM, Audience
from backup_audit.report.changes import Ended
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import Departure
from tests.doubles.builders import NOW, finding
from tests.doubles.html import Page, page_of
from tests.doubles.pages import HOSTILE_TEXTS, STATES
from tests.doubles.reports import alerts_from, stored
from tests.doubles.some import rest

HEADINGS = {
    "none": "No problem found: 2,303 of 2,314 instances backed up, 11 in grace",
    "all_healthy": "No problem found: all 2,314 instances backed up",
    "some": "20 of 2,314 instances have a backup problem",
    "sixty": "60 of 2,314 instances have a backup problem",
    "many": "5,000 of 6,000 instances have a backup problem",
    "all_unknown": "Nothing is known: the API gave no usable answer for any of 2,314 instances",
    "first": "20 of 2,314 instances have a backup problem",
    "partial": "3 of 12 instances have a backup problem",
    "what_if": "314 of 2,314 instances would have a backup problem",
    "incomplete": "25 of 2,314 instances have a backup problem, and 395 were not reached",
    "all_muted": "No open problem: 2,294 of 2,314 instances backed up, 20 muted with a problem",
    "hostile": "27 of 56 instances have a backup problem",
}
PAGES: dict[str, Page] = {}


def page(state: str) -> Page:
    """The page of a state, drawn once."""
    if state not in PAGES:
        PAGES[state] = page_of(STATES[state]())
    return PAGES[state]


# 5,000 problems take seconds.
every_state = pytest.mark.parametrize(
    "state", [rest(state) if state == "many" else state for state in STATES]
)


def replaced(report: StoredReport, **parts: Any) -> StoredReport:  # noqa: ANN401
    """The report with another head."""
    other = StoredReport(report.store, report.keys)
    other.head = msgspec.structs.replace(report.head, **parts)
    return other


# ── The answer ────────────────────────────────────────────────────────────────────────────────────


def test_each_state_has_its_heading_tested() -> None:
    assert HEADINGS.keys() == STATES.keys()


@every_state
def test_the_heading_is_the_answer(state: str) -> None:
    assert page(state).h1 == HEADINGS[state]


@every_state
def test_the_answer_agrees_with_the_counts_that_messages_have(state: str) -> None:
    head = STATES[state]().head
    figures = figures_of(head)

    assert figures.open == head.news.problems
    assert sum(head.counts.values()) == figures.configured
    assert figures.configured == figures.healthy + figures.in_grace + figures.problems
    apart = figures.muted + figures.being_deleted + figures.not_reached
    assert figures.problems == figures.open + apart
    assert min(msgspec.structs.astuple(figures)) >= 0


@pytest.mark.parametrize("being_deleted", [0, 1])
@pytest.mark.parametrize("count", [1, 2, rest(1_000)])
def test_the_answer_is_that_of_the_digest_and_what_is_being_deleted_is_said_beside_it(
    count: int, being_deleted: int
) -> None:
    fleet = [finding(Verdict.STALE, f"s{number}") for number in range(count)]
    fleet += [_being_deleted(f"d{number}") for number in range(being_deleted)]
    fleet.append(finding(Verdict.HEALTHY, "well"))
    report = stored(fleet, alerts=alerts_from(NOW))

    [digest] = [one for one in contents(report, Audience.PEOPLE) if one.reader == PLATFORM]

    shown = page_of(report)
    assert digest.open == count
    assert shown.h1.startswith(f"{count:,} of {len(fleet):,} instances ")
    assert ("1 with a problem and being deleted" in shown.text) is (being_deleted == 1)


def _being_deleted(guid: str) -> Finding:
    from backup_audit.fleet.inventory import Operation  # noqa: PLC0415

    operation = Operation("delete", "in progress", NOW)
    return msgspec.structs.replace(finding(Verdict.STALE, guid), operation=operation)


@pytest.mark.parametrize(("configured", "word"), [(1, "instance has"), (2, "instances have")])
def test_one_is_said_as_one(configured: int, word: str) -> None:
    fleet = [finding(Verdict.STALE), finding(Verdict.HEALTHY, "well")][:configured]

    assert page_of(stored(fleet)).h1 == f"1 of {configured} {word} a backup problem".replace(
        "instances have", "instances has"
    )


@pytest.mark.parametrize(
    ("stale", "reached", "left", "words"),
    [
        (0, 3, 1, "1 of 4 instances was not reached; no problem among the others"),
        (0, 3, 2, "2 of 5 instances were not reached; no problem among the others"),
        (1, 3, 1, "1 of 5 instances has a backup problem, and 1 was not reached"),
        (2, 3, 2, "2 of 7 instances have a backup problem, and 2 were not reached"),
    ],
)
def test_who_was_not_reached_stands_in_the_answer(
    stale: int, reached: int, left: int, words: str
) -> None:
    fleet = [finding(Verdict.STALE, f"s{number}") for number in range(stale)]
    fleet += [finding(Verdict.HEALTHY, f"h{number}") for number in range(reached)]
    fleet += [_not_reached(f"n{number}") for number in range(left)]

    assert page_of(stored(fleet)).h1 == words


def _not_reached(guid: str) -> Finding:
    one = finding(Verdict.UNKNOWN, guid)
    evidence = msgspec.structs.replace(
        one.evidence, silence=Cause.NOT_REACHED, http_status=None, title=None
    )
    return msgspec.structs.replace(one, evidence=evidence)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("none", "Incomplete: no problem found, 2,303 of 2,314 instances backed up, 11 in grace"),
        ("some", "Incomplete: 20 of 2,314 instances have a backup problem"),
        ("all_muted", "Incomplete: no open problem, 2,294 of 2,314 instances backed up"),
    ],
)
def test_a_role_that_seems_lost_leaves_no_plain_all_clear(state: str, words: str) -> None:
    lost = replaced(STATES[state](), complete=False, why_incomplete="900 disappeared at once")

    shown = page_of(lost, [])

    assert shown.h1.startswith(words)
    assert "No open problem in" not in shown.text


@pytest.mark.parametrize(
    ("state", "count"), [("none", 0), ("some", 1), ("sixty", 9), ("incomplete", 6)]
)
def test_of_how_many_nothing_is_known_is_said_where_they_count_as_problems(
    state: str, count: int
) -> None:
    said = f": of {count} nothing could be found out"

    assert (said in page(state).text) is (count > 0)
    assert ("nothing could be found out" in page(state).text) is (count > 0)


@pytest.mark.parametrize("state", ["none", "all_muted", "incomplete"])
def test_never_are_all_said_to_be_backed_up_while_some_are_not(state: str) -> None:
    assert "all 2,314" not in page(state).html


@pytest.mark.parametrize(("state", "count"), [("sixty", 0), rest("many", 1)])
def test_who_has_most_of_many_problems_is_said_and_of_few_nobody(state: str, count: int) -> None:
    assert page(state).text.count("Most of them: team-") == count


@pytest.mark.parametrize(
    ("state", "banner"),
    [
        (
            "first",
            "First full run. There is no run before to compare with: nothing is marked as new.",
        ),
        ("partial", "Only some instances. 12 instances were asked for by hand."),
        ("what_if", "A what-if: judged with a max_age of 12 h for each instance"),
        (
            "incomplete",
            "the run's time was over. What to do: docs/runbook.md#incompleterun",
        ),
    ],
)
def test_what_limits_the_page_is_said_first(state: str, banner: str) -> None:
    assert banner in page(state).text
    assert '<p class="banner' not in page("some").html


def test_the_time_of_the_run_is_there_for_the_script() -> None:
    [ago] = [one for one in page("some").all("time") if "data-ago" in one]

    assert ago["datetime"] == "2026-01-31T05:00:52Z"
    assert "As of Sat 31 Jan 2026, 05:00 UTC" in page("some").text


def test_how_old_the_page_is_says_the_script_alone() -> None:
    [old] = [one for one in page("some").all("p") if one.get("id") == "old"]

    assert "hidden" in old


@pytest.mark.parametrize(
    ("state", "marks"),
    [
        ("some", ""),
        ("what_if", ": WHAT-IF"),
        ("partial", ": PARTIAL"),
        ("incomplete", ": INCOMPLETE"),
    ],
)
def test_each_printed_page_says_what_kind_of_run_it_is_of(state: str, marks: str) -> None:
    [html] = page(state).all("html")

    assert html["data-run"] == f"prod-eu1, run {STATES[state]().head.run.run_id}{marks}"


def test_a_partial_run_that_is_incomplete_is_marked_as_both() -> None:
    [html] = page_of(replaced(STATES["partial"](), complete=False), []).all("html")

    assert (html["data-run"] or "").endswith(": PARTIAL, INCOMPLETE")


def test_of_a_lost_predecessor_the_page_says_that_all_starts_anew() -> None:
    lost = "latest.json points at r.json, which is gone: all is new"

    shown = page_of(stored([finding()], warnings=[lost]))

    assert f"The report before is lost. {lost}. History and changes start anew" in shown.text
    assert "First full run" not in shown.text


# ── Verdicts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "values"),
    [
        (words.VERDICTS, Verdict),
        (words.CHANGES, Change),
        (words.SCOPES, Scope),
        (words.ENDED, Ended),
        (words.MUTES, MuteState),
        (words.EXCLUDES, ExcludeState),
        (words.DEPARTURES, Departure),
        (charts.FILLS, Verdict),
        (markup.MEANINGS, Verdict),
        (markup.READS, Read),
        (markup.SEES, Sees),
        (markup.AUDIENCES, Audience),
    ],
)
def test_every_value_has_its_words(said: dict[Any, str], values: Any) -> None:  # noqa: ANN401
    assert list(said) == list(values)


def test_a_verdict_without_words_is_an_error_and_no_gap() -> None:
    report = stored([finding()])
    other = replaced(report, counts=report.head.counts | {"rotten": 1})

    with pytest.raises(ValueError, match="rotten"):
        page_of(other, [])


@pytest.mark.parametrize("state", ["none", "some", rest("many"), "incomplete", "partial"])
def test_each_tile_has_its_count_and_leads_to_what_it_counts(state: str) -> None:
    counts = STATES[state]().head.counts
    tiles = re.findall(
        r'<li class="tile t-(\w+)">(<a href="([^"]*)">)?<b>([\d,]+)</b>', page(state).html
    )

    assert {tile[0]: int(tile[3].replace(",", "")) for tile in tiles} == counts
    assert {tile[0]: tile[2] for tile in tiles if tile[2]} == {
        verdict: f"#v={verdict}"
        for verdict, count in counts.items()
        if count and verdict != "healthy"
    }


@pytest.mark.parametrize(
    ("state", "compares"),
    [
        ("some", True),
        ("first", False),
        ("partial", False),
        ("what_if", False),
        ("all_unknown", False),
    ],
)
def test_a_change_is_said_only_where_two_runs_can_be_compared(
    state: str, *, compares: bool
) -> None:
    assert (" the last run<" in page(state).section("verdicts")) is compares


def test_where_nothing_is_known_the_cause_and_the_last_known_state_stand_first() -> None:
    shown = page("all_unknown")

    assert "2,314 instances: the API gives no list of backups" in shown.section("verdicts")
    assert "As it was last known" in shown.text
    assert shown.section("who") == ""


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("none", "“None” are 11 instances in grace"),
        ("some", "“None” includes 11 instances in grace"),
        ("what_if", None),
    ],
)
def test_the_caption_of_the_ages_says_who_is_in_grace(state: str, words: str | None) -> None:
    ages = page(state).section("ages")

    assert ("in grace" in ages) is (words is not None)
    assert (words or "") in ages


@pytest.mark.parametrize("state", ["first", "partial", "what_if"])
def test_nothing_is_called_new_where_nothing_can_be(state: str) -> None:
    at = COLUMNS.index("change")

    assert {row[at] for row in page(state).data()["rows"]} == {None}
    assert 'data-c="' not in page(state).section("list")


# ── The list ──────────────────────────────────────────────────────────────────────────────────────


@every_state
def test_the_script_gets_all_that_is_not_healthy_in_the_order_of_the_report(state: str) -> None:
    report = STATES[state]()
    data = page(state).data()
    guids = [one.guid for one in report.reader().findings()]

    assert data["columns"] == list(COLUMNS)
    assert [row[0] for row in data["rows"]] == guids
    assert page(state).rows() == [f"i={guid}" for guid in guids[:REAL_ROWS]]
    assert {row[COLUMNS.index("step")] for row in data["rows"]} == set(range(len(data["steps"])))


@pytest.mark.parametrize("count", [REAL_ROWS - 1, REAL_ROWS, REAL_ROWS + 1])
def test_what_is_beyond_the_first_rows_is_said_with_its_number(count: int) -> None:
    shown = page_of(stored([finding(Verdict.STALE, f"g{number:04d}") for number in range(count)]))

    is_packed = any(attrs.get("id") == "packed" for attrs, _ in shown.scripts)
    assert is_packed is (count > REAL_ROWS)
    assert ("1 instance more is in backup-audit/reports/" in shown.text) is (count > REAL_ROWS)
    assert len(shown.rows()) == min(count, REAL_ROWS)


def test_a_known_problem_behind_an_unknown_one_is_seen_without_opening_anything() -> None:
    hiding = [one for one in STATES["incomplete"]().reader().findings() if one.hidden]
    shown = page("incomplete")

    assert len(hiding) == 5
    assert shown.text.count("Unknown , was never backed up since 29 Jan 2026") == 1
    assert shown.text.count("Unknown , was stale since ") == 2


def test_without_a_row_the_table_is_not_shown() -> None:
    [table] = [one for one in page("all_healthy").all("table") if one.get("id") == "problems"]

    assert "hidden" in table
    assert page("all_healthy").data()["rows"] == []


def test_what_ended_in_this_run_is_named_with_how() -> None:
    shown = page("sixty")

    assert "4 problems: 2 healthy on proof, 1 in grace by a policy and 1 gone" in shown.text
    assert shown.section("ended").count("<tr>") == 5


def test_the_evidence_adds_up() -> None:
    text = page("sixty").text

    assert (
        "2,314 instances = 9 never backed up + 32 stale + 9 unsupported + 4 not found + 9 unknown"
        " + 11 in grace + 2,240 healthy"
    ) in text
    assert "63 = 60 open + 2 muted + 1 being deleted + 0 not reached" in text
    assert "2 of 91 days without a run: 2025-12-30, 2025-12-31" in text


@pytest.mark.parametrize("name", ["report.json", "findings.csv", "fleet.jsonl", "part-00000.jsonl"])
def test_the_hash_of_each_object_is_there(name: str) -> None:
    report = STATES["some"]()
    [key] = [key for key in report.store.objects if key.endswith(name) and "20260131" in key]  # type: ignore[attr-defined]

    digest = hashlib.sha256(report.store.objects[key]).hexdigest()  # type: ignore[attr-defined]
    assert f"<code>{digest}</code>" in page("some").html
    assert "backup-audit verify s3://reports/backup-audit" in page("some").text


# ── Foreign text, and what may run ────────────────────────────────────────────────────────────────


def test_foreign_text_is_text_wherever_it_stands() -> None:
    shown, plain = page("hostile"), page("sixty")

    assert {tag for tag, _ in shown.elements} <= {tag for tag, _ in plain.elements}
    assert "planted" in shown.text
    for kind in ("script", "style", "template", "h1"):
        assert len(shown.all(kind)) == len(plain.all(kind))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_each_foreign_text_is_read_as_it_is_but_for_what_shows_nothing(text: str) -> None:
    expected = " ".join(words.foreign(text).split())

    assert expected in page("hostile").text


@pytest.mark.parametrize("state", ["hostile", "sixty"])
def test_nothing_runs_that_the_policy_does_not_name(state: str) -> None:
    shown = page(state)
    [policy] = [one["content"] or "" for one in shown.all("meta") if "http-equiv" in one]
    [style] = re.findall(r"<style>(.*?)</style>", shown.html, re.DOTALL)
    code = [text for attrs, text in shown.scripts if not attrs]

    assert [_hash(text) for text in code] == re.findall(r"script-src '([^']+)'", policy)
    assert [_hash(style)] == re.findall(r"style-src '([^']+)'", policy)
    assert shown.html.index("Content-Security-Policy") < shown.html.index("<style>")
    for _, attrs in shown.elements:
        assert not [name for name in attrs if name == "style" or name.startswith("on")]


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@pytest.mark.parametrize("state", ["hostile", "sixty"])
def test_no_address_leads_out_of_the_page(state: str) -> None:
    addresses = [
        value
        for _, attrs in page(state).elements
        for name, value in attrs.items()
        if name in ("href", "src", "action", "xlink:href")
    ]

    assert addresses
    assert all(one == "data:," or re.fullmatch(r"#[\w%.=&~-]+", one or "") for one in addresses)


@pytest.mark.parametrize(
    "state", [state if state in ("sixty", "hostile") else rest(state) for state in STATES]
)
def test_two_deliveries_draw_the_same_page(state: str) -> None:
    again = page_of(STATES[state]())

    assert _without_block(again) == _without_block(page(state))
    assert again.data() == page(state).data()


def _without_block(shown: Page) -> str:
    return re.sub(r'(id="packed">)[^<]*', r"\1", shown.html)


@pytest.mark.parametrize("state", ["sixty", rest("many")])
def test_a_request_id_is_there_for_the_first_rows_and_wherever_there_is_no_list(state: str) -> None:
    ids, counts = COLUMNS.index("request_id"), COLUMNS.index("count")
    findings = list(STATES[state]().reader().findings())

    for place, (row, one) in enumerate(zip(page(state).data()["rows"], findings, strict=True)):
        is_kept = place < REAL_ROWS or row[counts] is None
        assert row[ids] == (one.evidence.request_id if is_kept else None)
