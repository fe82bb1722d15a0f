"""The list: search, filters, order, pages, links, by mouse and by keyboard."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from tests.browser.visitor import Visitor, names
from tests.doubles.pages import STATES

_NONE = ": no instance of this list fits. The list has only what is not healthy"


def findings(state: str) -> list[Finding]:
    return list(STATES[state]().reader().findings())


def guids(findings: Sequence[Finding]) -> list[str]:
    return [one.guid for one in findings]


def shows(page: Page, text: str) -> None:
    expect(page.locator("#shown")).to_have_text(text)


def row_by_row(page: Page, of_a_row: str) -> list[Any]:
    """What a script says of each of the first hundred rows, opened and without buttons."""
    page.eval_on_selector_all("#rows details", "all => all.forEach(one => { one.open = true })")
    page.eval_on_selector_all("#rows [data-copy]", "all => all.forEach(one => one.remove())")
    said: list[Any] = page.eval_on_selector_all(
        "#rows > tr", f"rows => rows.slice(0, 100).map({of_a_row})"
    )
    return said


@pytest.mark.parametrize(
    "state", ["sixty", "first", "all_unknown", "partial", "incomplete", "hostile"]
)
@pytest.mark.parametrize(
    "of_a_row",
    [
        "row => row.innerText.replace(/\\s+/g, ' ').trim()",
        "row => [row.id, {...row.dataset}, row.querySelectorAll('time').length]",
    ],
    ids=["text", "marks"],
)
def test_the_script_draws_a_row_as_the_page_has_it(
    visitor: Visitor, state: str, of_a_row: str
) -> None:
    page = visitor.opens(state)
    kept = row_by_row(page, of_a_row)
    page.get_by_role("button", name="Show all").click()
    drawn = row_by_row(page, of_a_row)
    served = row_by_row(visitor.opens(state, java_script_enabled=False), of_a_row)

    assert drawn == served
    assert kept == served


def test_what_the_script_keeps_of_the_page_gets_the_buttons_of_what_it_draws(
    visitor: Visitor,
) -> None:
    page = visitor.opens("many")
    buttons = "rows => rows.map(row => row.querySelectorAll('[data-copy]:not([hidden])').length)"
    kept = page.eval_on_selector_all("#rows > tr", buttons)
    page.get_by_role("button", name="Show all").click()

    assert kept == page.eval_on_selector_all("#rows > tr", buttons)
    assert len(kept) == 100
    assert sum(kept) > 0


def test_a_verdict_is_picked(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    stale = [one for one in findings("sixty") if one.verdict is Verdict.STALE]

    page.locator("#filter [name=v]").select_option("stale")

    shows(page, f"{len(stale)} of {len(findings('sixty'))} shown")
    assert names(page) == guids(stale)
    assert page.url.endswith("#v=stale")


def test_a_tile_leads_to_its_rows(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    stale = [one for one in findings("sixty") if one.verdict is Verdict.STALE]

    page.locator("#verdicts a[href='#v=stale']").click()

    shows(page, f"{len(stale)} of {len(findings('sixty'))} shown")
    expect(page.locator("#shown")).to_be_in_viewport()
    expect(page.locator("#shown")).to_be_focused()
    assert page.locator("#filter [name=v]").input_value() == "stale"


def test_a_space_is_picked_by_its_link_and_left_by_a_button(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    link = page.locator("#who a[href^='#org=']").first
    org, space = link.inner_text().split(" / ")
    there = [one for one in findings("sixty") if (one.org, one.space) == (org, space)]

    link.click()
    expect(page.locator("#shown")).to_contain_text(
        f"{len(there)} of {len(findings('sixty'))} shown, of {org} / {space}"
    )
    assert names(page) == guids(there)

    page.get_by_role("button", name="Show all").click()
    assert len(names(page)) == len(findings("sixty"))


def test_an_owner_is_picked_and_so_is_nobody(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    found = findings("sixty")

    page.locator("#filter [name=o]").select_option("team-search")
    assert names(page) == guids([one for one in found if one.owner == "team-search"])

    page.locator("#filter [name=o]").select_option("-")
    assert names(page) == guids([one for one in found if one.owner is None])


def said_besides(found: Sequence[Finding]) -> str:
    """What the page says of those in a view whom messages do not count."""
    muted = [one for one in found if one.mute]
    young = [one for one in found if one.verdict is Verdict.IN_GRACE and not one.mute]
    gone = [one for one in found if one.is_problem and one.is_being_deleted and not one.mute]
    named = {"muted": muted, "in grace": young, "being deleted": gone}
    parts = [f"{len(those)} {what}" for what, those in named.items() if those]
    return ", " + ", ".join(parts).replace(" ", " of them ", 1) if parts else ""


@pytest.mark.parametrize("by", ["owner", "org", "offering"])
def test_a_view_of_one_says_whom_it_has_beside_those_that_messages_count(
    visitor: Visitor, by: str
) -> None:
    found = findings("sixty")
    assert re.fullmatch(r", \d of them muted, \d+ in grace, 1 being deleted", said_besides(found))
    page = visitor.opens("sixty")

    for name in {getattr(one, by) for one in found} - {None}:
        of_it = [one for one in found if getattr(one, by) == name]
        page.goto(page.url.split("#")[0] + f"#{'o' if by == 'owner' else by}={name}")
        only = "" if by == "owner" else f", of {name}"
        shows(page, f"{len(of_it)} of {len(found)} shown{only}{said_besides(of_it)}")


def test_what_is_new_is_picked(visitor: Visitor) -> None:
    page = visitor.opens("sixty", "#c=new")

    assert names(page) == guids([one for one in findings("sixty") if one.change == "new"])


def test_each_word_of_a_search_has_to_be_there_in_whatever_case(visitor: Visitor) -> None:
    page = visitor.opens("sixty")
    word = "DB-1"
    found = [one for one in findings("sixty") if "db-1" in (one.name or "")]
    retail = [one for one in found if one.org == "retail"]
    assert 0 < len(retail) < len(found)

    page.locator("#filter [name=q]").press_sequentially(word)
    assert set(names(page)) >= set(guids(found))

    page.locator("#filter [name=q]").press_sequentially("  retail")
    assert set(names(page)) >= set(guids(retail))
    assert len(names(page)) < len(found)


def test_a_search_without_a_result_says_so_and_leaves_the_table(visitor: Visitor) -> None:
    page = visitor.opens("some")

    page.locator("#filter [name=q]").fill("there is no such thing")

    shows(page, f"0 of {len(findings('some'))} shown{_NONE}.")
    assert names(page) == []
    expect(page.locator("#problems thead")).to_be_visible()


@pytest.mark.parametrize(
    ("way", "by"), [("ascending", "age"), ("descending", "-age")], ids=["up", "down"]
)
def test_rows_are_ordered_by_a_header_and_what_is_not_known_comes_last(
    visitor: Visitor, way: str, by: str
) -> None:
    page = visitor.opens("sixty")
    found = findings("sixty")
    known = [one for one in found if one.newest_backup_age_seconds is not None]
    unknown = [one for one in found if one.newest_backup_age_seconds is None]
    header = page.locator("th[data-s=age]")

    for _ in range(1 + (way == "descending")):
        header.get_by_role("button").click()

    sign = -1 if way == "descending" else 1
    known.sort(key=lambda one: sign * (one.newest_backup_age_seconds or 0))
    assert names(page) == guids([*known, *unknown])
    assert header.get_attribute("aria-sort") == way
    assert page.url.endswith(f"#s={by}")
    assert page.locator("[aria-sort]").count() == 1


def test_a_header_pressed_three_times_gives_the_order_of_the_report_back(visitor: Visitor) -> None:
    page = visitor.opens("some")

    for _ in range(3):
        page.locator("th[data-s=owner]").get_by_role("button").click()

    assert names(page) == guids(findings("some"))
    assert page.locator("[aria-sort]").count() == 0


def test_a_link_brings_filter_and_order(visitor: Visitor) -> None:
    page = visitor.opens("sixty", "#v=stale&o=team-search&s=-age")
    stale = [
        one
        for one in findings("sixty")
        if one.verdict is Verdict.STALE and one.owner == "team-search"
    ]

    assert sorted(names(page)) == sorted(guids(stale))
    assert page.locator("#filter [name=o]").input_value() == "team-search"
    assert page.locator("th[data-s=age]").get_attribute("aria-sort") == "descending"
    expect(page.locator("#shown")).to_be_in_viewport()


def test_what_an_address_asks_for_and_nothing_has_shows_none(visitor: Visitor) -> None:
    page = visitor.opens("some", "#v=nonsense&s=nonsense&p=nonsense")

    shows(page, f"0 of {len(findings('some'))} shown{_NONE}.")


def test_of_an_owner_who_is_not_in_the_list_it_says_so(visitor: Visitor) -> None:
    page = visitor.opens("some", "#o=nosuchteam")

    nobody = "; nobody of that name owns an instance in it."
    shows(page, f"0 of {len(findings('some'))} shown{_NONE}{nobody}")


def test_a_verdict_is_found_behind_an_unknown_one(visitor: Visitor) -> None:
    found = findings("incomplete")
    hiding = [one for one in found if one.hidden and one.hidden.verdict is Verdict.STALE]
    stale = [one for one in found if one.verdict is Verdict.STALE]

    page = visitor.opens("incomplete", "#v=stale")

    shows(page, f"{len(stale) + 2} of {len(found)} shown, 2 of them unknown now")
    assert names(page) == guids([*stale, *hiding])
    for one, since in zip(hiding, ("25 Jan 2026", "28 Jan 2026"), strict=True):
        cell = page.locator(f"[id='i={one.guid}'] td").first
        expect(cell).to_contain_text(f"Unknown, was stale since {since}")


def test_a_search_finds_what_is_behind_an_unknown_one(visitor: Visitor) -> None:
    hiding = [
        one
        for one in findings("incomplete")
        if one.hidden and one.hidden.verdict is Verdict.NEVER_BACKED_UP
    ]
    page = visitor.opens("incomplete")

    page.locator("#filter [name=q]").fill("unknown, was never backed up")

    assert names(page) == guids(hiding)


def test_a_hundred_rows_are_on_a_page_and_links_lead_to_the_others(visitor: Visitor) -> None:
    page, found = visitor.opens("many"), findings("many")

    assert names(page) == guids(found[:100])
    assert "Page 1 of 50" in page.locator("#pages").inner_text()
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("#pages")).to_contain_text("Page 2 of 50")
    assert names(page) == guids(found[100:200])
    page.get_by_role("link", name="Previous page").click()
    expect(page.locator("#pages")).to_contain_text("Page 1 of 50")
    assert names(page) == guids(found[:100])


@pytest.mark.parametrize(("asked", "got"), [("49", 49), ("50", 50), ("51", 50), ("-1", 1)])
def test_a_page_past_the_end_is_the_last(visitor: Visitor, asked: str, got: int) -> None:
    page = visitor.opens("many", f"#p={asked}")

    assert f"Page {got} of 50" in page.locator("#pages").inner_text()
    assert names(page) == guids(findings("many")[(got - 1) * 100 : got * 100])


def test_another_filter_begins_at_its_first_page(visitor: Visitor) -> None:
    page = visitor.opens("many", "#p=7")

    page.locator("#filter [name=v]").select_option("unknown")

    assert "Page 1 of 7" in page.locator("#pages").inner_text()


@pytest.mark.parametrize(
    ("row", "of"), [(0, 1), (99, 1), (100, 2), (499, 5), (500, 6), (4_999, 50)]
)
def test_a_link_to_an_instance_opens_it_on_its_page(visitor: Visitor, row: int, of: int) -> None:
    wanted = findings("many")[row]

    page = visitor.opens("many", f"#i={wanted.guid}")

    there = page.locator(f"[id='i={wanted.guid}']")
    expect(there).to_be_focused()
    expect(there).to_be_in_viewport()
    assert there.locator("details").get_attribute("open") is not None
    assert f"Page {of} of 50" in page.locator("#pages").inner_text()


def test_a_link_to_an_instance_that_is_not_there_says_so(visitor: Visitor) -> None:
    page = visitor.opens("many", "#i=6f1c0000-0000-4000-8000-000000000000")

    said = page.locator("#shown")
    expect(said).to_contain_text("6f1c0000-0000-4000-8000-000000000000 is not in this list")
    expect(said).to_be_focused()
    assert len(names(page)) == 100


_ABSENT = "6f1c0000-0000-4000-8000-00000000000a"
_OR_NONE = "is not in this list: it is healthy, or this run did not audit it, or it is no GUID."


@pytest.mark.parametrize("state", ["some", "all_healthy"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_ABSENT, f"{_ABSENT} is not in this list: it is healthy"),
        (f"({_ABSENT.upper()}).", f"{_ABSENT} is not in this list: it is healthy"),
        (f"{_ABSENT}0", f"“{_ABSENT}0” {_OR_NONE}"),
        (_ABSENT[:-1], f"“{_ABSENT[:-1]}” {_OR_NONE}"),
        ("orders-db", f"“orders-db” {_OR_NONE}"),
    ],
)
def test_a_link_to_what_is_not_in_the_list_says_whether_it_can_be_an_instance(
    visitor: Visitor, state: str, text: str, said: str
) -> None:
    page = visitor.opens(state, f"#i={text}")

    expect(page.locator("#shown")).to_contain_text(said)


@pytest.mark.parametrize(
    "around", ["%20{}", "{}%20", "{}.", "{}%0A", "({}),", "{}"], ids=lambda around: around
)
@pytest.mark.parametrize("capitals", [False, True])
def test_a_link_to_an_instance_works_with_what_a_mail_puts_around_it(
    visitor: Visitor, around: str, *, capitals: bool
) -> None:
    guid = findings("many")[100].guid

    page = visitor.opens("many", "#i=" + around.format(guid.upper() if capitals else guid))

    expect(page.locator(f"[id='i={guid}']")).to_be_focused()


@pytest.mark.parametrize("asked", ["Orders-DB.", "orders-db", "ORDERS-DB. "])
def test_a_guid_of_another_form_is_found_too(
    visitor: Visitor, tmp_path: Path, page_file: Callable[[str | int], Path], asked: str
) -> None:
    """A configuration may name what is no UUID; the text as it is goes before all others."""
    first, second = guids(findings("some"))[:2]
    html = page_file("some").read_text("utf-8")
    renamed = tmp_path / "renamed.html"
    renamed.write_text(html.replace(first, "ORDERS-DB").replace(second, "Orders-DB."), "utf-8")

    page = visitor.goes_to(f"{renamed.as_uri()}#i={asked}")

    is_as_it_is = asked == "Orders-DB."
    there = "Orders-DB." if is_as_it_is else "ORDERS-DB"
    expect(page.locator(f"[id='i={there}']")).to_be_focused()


def test_a_link_to_an_instance_works_without_a_script(visitor: Visitor) -> None:
    wanted = findings("many")[499]

    page = visitor.opens("many", f"#i={wanted.guid}", java_script_enabled=False)

    expect(page.locator(f"[id='i={wanted.guid}']")).to_be_in_viewport()


def test_the_back_button_goes_one_state_back_and_a_search_is_one(visitor: Visitor) -> None:
    page = visitor.opens("many")

    page.locator("#filter [name=v]").select_option("stale")
    page.locator("#filter [name=q]").press_sequentially("orders")
    searched = names(page)
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("#pages")).to_contain_text("Page 2")

    page.go_back()
    expect(page.locator("#pages")).to_contain_text("Page 1")
    assert names(page) == searched
    page.go_back()
    expect(page.locator("#filter [name=q]")).to_have_value("")
    assert page.url.endswith("#v=stale")
    page.go_back()
    expect(page.locator("#filter [name=v]")).to_have_value("")
    page.go_forward()
    expect(page.locator("#filter [name=v]")).to_have_value("stale")


_NEVER = "Response.prototype.json = () => new Promise(() => {});"
_LATER = """
const later = setTimeout;
globalThis.setTimeout = (what, after, ...more) => {
  if (after === 5000) globalThis.inFiveSeconds = what;
  else later(what, after, ...more);
};
"""


def rows_in_sight(page: Page) -> int:
    return page.locator("#rows > tr:visible").count()


def test_while_a_list_is_unpacked_a_screen_has_its_first_page_and_paper_all_that_is_there(
    visitor: Visitor,
) -> None:
    page = visitor.opens("many", waits=False, before=_NEVER)

    assert rows_in_sight(page) == 100
    page.emulate_media(media="print")
    assert rows_in_sight(page) == 500


def test_a_list_that_never_comes_does_not_hide_what_is_there_for_long(visitor: Visitor) -> None:
    page = visitor.opens("many", waits=False, before=_NEVER + _LATER)

    page.evaluate("inFiveSeconds()")

    assert rows_in_sight(page) == 500


@pytest.mark.parametrize("row", [0, 99, 100, 499])
def test_a_browser_that_cannot_unpack_the_list_says_so_and_leaves_what_is_there(
    visitor: Visitor, row: int
) -> None:
    served = guids(findings("many")[:500])
    lacks = "delete window.DecompressionStream"

    page = visitor.opens("many", f"#i={served[row]}", waits=False, before=lacks)

    expect(page.locator("#shown")).to_contain_text("This browser cannot search and filter the list")
    expect(page.locator("#filter")).to_be_hidden()
    expect(page.locator(f"[id='i={served[row]}']")).to_be_in_viewport()
    assert names(page) == served
    assert rows_in_sight(page) == 500
    assert [one for one in visitor.complaints if "DecompressionStream" not in one] == []
    visitor.complaints.clear()


def test_a_link_to_a_row_that_waited_arrives_when_the_list_fails_late(visitor: Visitor) -> None:
    last = findings("many")[499].guid
    late = "Response.prototype.json = () => new Promise((_, fail) => { globalThis.fail = fail })"
    page = visitor.opens("many", f"#i={last}", waits=False, before=late)

    page.evaluate("fail(new Error('too late'))")

    shows(page, _PART)
    expect(page.locator(f"[id='i={last}']")).to_be_in_viewport()
    assert visitor.complaints == ["too late"]
    visitor.complaints.clear()


_DAMAGED = "This file is damaged or cut off"
_WHOLE = f"{_DAMAGED}: 500 of 500 instances are here; they cannot be searched and filtered."
_PART = f"{_DAMAGED}: 500 of 5,000 instances are here; the rest is in findings.csv."


def goes_to_written(visitor: Visitor, into: Path, html: str, before: str = "") -> Page:
    """Open a page as it was written; that it logs an error is right."""
    path = into / "damaged.html"
    path.write_text(html, "utf-8")
    page = visitor.goes_to(path.as_uri(), waits=False, before=before)
    page.wait_for_function("!('waits' in document.documentElement.dataset)")
    assert visitor.complaints
    visitor.complaints.clear()
    return page


@pytest.mark.parametrize(
    ("state", "block", "said"), [("many", "packed", _PART), (500, "data", _WHOLE)]
)
@pytest.mark.parametrize("is_there", [True, False], ids=["broken", "missing"])
def test_where_the_list_is_damaged_all_that_is_there_is_shown(
    visitor: Visitor,
    page_file: Callable[[str | int], Path],
    tmp_path: Path,
    *,
    state: str | int,
    block: str,
    said: str,
    is_there: bool,
) -> None:
    begin, of_block, rest = page_file(state).read_text("utf-8").partition(f' id="{block}">')

    damaged = begin + (of_block + "AAAA" if is_there else ">") + rest
    page = goes_to_written(visitor, tmp_path, damaged)

    shows(page, said)
    assert rows_in_sight(page) == 500


_ROW = '<tr tabindex="-1" id='
_BLOCK = ' id="packed">'


@pytest.mark.parametrize("lacks", ["", "delete window.DecompressionStream"])
@pytest.mark.parametrize(
    ("state", "mark", "here"),
    [
        ("many", _ROW, 0),
        ("many", _ROW, 1),
        ("many", _ROW, 499),
        ("many", _BLOCK, 500),
        (500, _ROW, 250),
    ],
    ids=["no row", "a row", "rows", "block", "rows of a short list"],
)
def test_a_file_that_is_cut_off_says_how_many_rows_are_missing(
    visitor: Visitor,
    page_file: Callable[[str | int], Path],
    tmp_path: Path,
    *,
    state: str | int,
    mark: str,
    here: int,
    lacks: str,
) -> None:
    parts = page_file(state).read_text("utf-8").split(mark)
    cut = mark.join(parts[: here + 1]) if mark is _ROW else mark.join([parts[0], parts[1][:999]])

    page = goes_to_written(visitor, tmp_path, cut, lacks)

    number = "5,000" if state == "many" else "500"
    shows(page, f"{_DAMAGED}: {here} of {number} instances are here; the rest is in findings.csv.")
    assert rows_in_sight(page) == here


@pytest.mark.parametrize("at", ["<header>", "<main>", '<form id="filter"', '<table id="problems"'])
def test_a_file_that_ends_before_the_list_says_that_it_is_cut_off(
    visitor: Visitor, page_file: Callable[[str | int], Path], tmp_path: Path, at: str
) -> None:
    html = page_file("some").read_text("utf-8")

    page = goes_to_written(visitor, tmp_path, html[: html.index(at)])

    expect(page.get_by_text(f"{_DAMAGED}.")).to_be_visible()


@pytest.mark.parametrize("at", ['<section id="evidence"', "<footer>"])
def test_a_file_that_ends_after_the_list_says_that_its_evidence_is_missing(
    visitor: Visitor, page_file: Callable[[str | int], Path], tmp_path: Path, at: str
) -> None:
    html = page_file("some").read_text("utf-8")
    path = tmp_path / "cut.html"
    path.write_text(html[: html.index(at)], "utf-8")

    page = visitor.goes_to(path.as_uri())

    said = "This file is cut off: what stood below its last line is missing, evidence included."
    expect(page.get_by_text(said)).to_be_visible()
    assert page.locator("#rows > tr").count() > 0


def test_a_file_that_is_whole_does_not_say_that_it_is_cut_off(visitor: Visitor) -> None:
    page = visitor.opens("some")

    expect(page.get_by_text("cut off")).to_have_count(0)


@pytest.mark.parametrize("state", ["some", "all_healthy"])
def test_once_the_list_is_drawn_what_is_below_it_is_laid_out_where_nobody_has_looked(
    visitor: Visitor, state: str
) -> None:
    page = visitor.opens(state)

    page.wait_for_function("!('waits' in document.documentElement.dataset)")
    last = page.locator("#meanings > :last-child")
    assert last.evaluate("one => one.checkVisibility({ contentVisibilityAuto: true })")
    expect(last).not_to_be_in_viewport()


def test_a_link_to_what_is_below_the_list_arrives(visitor: Visitor) -> None:
    page = visitor.opens("some", "#meanings")

    page.wait_for_function("!('waits' in document.documentElement.dataset)")
    expect(page.locator("#meanings-h")).to_be_in_viewport()


def test_a_link_within_the_page_leaves_the_list_alone(visitor: Visitor) -> None:
    page = visitor.opens("many")

    page.goto(page.url + "#evidence")

    expect(page.locator("#evidence")).to_be_in_viewport()
    assert names(page) == guids(findings("many")[:100])


def test_all_can_be_done_by_keyboard(visitor: Visitor) -> None:
    page = visitor.opens("many")
    page.locator("#q").focus()

    page.keyboard.type("stock")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "v"
    page.keyboard.type("Stale")
    expect(page.locator("#filter [name=v]")).to_have_value("stale")
    page.locator("th[data-s=age] button").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#q=stock&v=stale&s=age")
    page.locator("#rows summary").first.focus()
    page.keyboard.press("Space")
    assert page.locator("#rows details").first.get_attribute("open") is not None
    page.get_by_role("link", name="Next page").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#pages")).to_contain_text("Page 2")
    expect(page.locator("#shown")).to_be_focused()


def test_a_command_is_copied(visitor: Visitor) -> None:
    page = visitor.opens("some", permissions=["clipboard-read", "clipboard-write"])
    first = page.locator("#rows > tr").first
    first.locator("summary").click()

    first.get_by_role("button", name="Copy").click()

    expect(first.get_by_role("button", name="Copied")).to_be_visible()
    guid = findings("some")[0].guid
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f'cf curl "/v3/service_instances/{guid}/backups"'
