"""A row of the list: for the table, for the script, and packed."""

import base64
import random

import msgspec
import pytest

from backup_audit.fleet.inventory import Operation
from backup_audit.judge.advice import check_command, next_step_of
from backup_audit.judge.evidence import UserProvided
from backup_audit.judge.finding import Change, Finding, Problem, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.page import rows
from backup_audit.page.rows import (
    BLANK,
    COLUMNS,
    Block,
    Moment,
    PackedBlock,
    Row,
    RowMaker,
    Steps,
    escaped,
)
from tests.doubles.builders import HOUR, MUTE, NOW, PLACE, evidence, finding, instance, run
from tests.doubles.html import unpacked

SINCE = NOW - 48 * HOUR
OPENED = NOW - 24 * HOUR


def full() -> Finding:
    """A finding of which all is known, with white space where texts are of others."""
    one = finding(Verdict.UNKNOWN, "guid-7", name=" orders\ndb ", owner=" team ", mute=MUTE)
    summed = msgspec.structs.replace(
        one.evidence,
        http_status=502,
        code=10_001,
        title=" CF-ServiceBroker\u2028Bad ",
        newest_backup_at=NOW - 3 * HOUR,
        newest_backup_age_seconds=3 * 3600,
        usual_interval_seconds=2 * 3600,
        backup_count=1_234,
        request_id=" r-9\n",
    )
    policy = msgspec.structs.replace(
        one.policy, max_age_seconds=4 * 3600, max_age_source="rules[0]", min_backups=2_000
    )
    return msgspec.structs.replace(
        one,
        **{key: f" {value} " for key, value in PLACE.items()},
        reason=" the broker\thangs ",
        change=Change.REOPENED,
        since=SINCE,
        opened_at=OPENED,
        before=Problem(Verdict.STALE, SINCE),
        evidence=summed,
        policy=policy,
    )


def bare() -> Finding:
    """A finding of which next to nothing is known."""
    one = finding_of(instance("guid-8"), evidence(UserProvided(), None), run(), None)
    summed = msgspec.structs.replace(one.evidence, request_id=None)
    return msgspec.structs.replace(one, type="user-provided", evidence=summed)


def values_of(found: Finding, *, is_first: bool = False, is_real: bool = True) -> dict[str, object]:
    """What the script gets, by column; what is null is left out."""
    values = RowMaker(is_first=is_first).values(found, is_real=is_real)
    return {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}


def test_a_row_has_all_that_is_known_in_words() -> None:
    assert RowMaker(is_first=False).row(full()) == Row(
        guid="guid-7",
        name="orders db",
        owner="team",
        place="prod-eu / payments",
        service="p.mysql db-gold-small",
        verdict=Verdict.UNKNOWN,
        verdict_words="Unknown",
        change="came back",
        change_key="reopened",
        muted=("team-orders", "moves this month", "2026-01-31"),
        reason="the broker hangs",
        age="3 h",
        max_age="4 h",
        max_age_source="rules[0]",
        newest_at=Moment("2026-01-31 02:00 UTC", "2026-01-31T02:00:00Z"),
        count="1,234",
        min_backups="2,000",
        usual="2 h",
        since=Moment("2026-01-29 05:00 UTC", "2026-01-29T05:00:00Z"),
        opened_at=Moment("2026-01-30 05:00 UTC", "2026-01-30T05:00:00Z"),
        observed_at=Moment("2026-01-31 05:00 UTC", "2026-01-31T05:00:00Z"),
        http="502",
        code="10001",
        title="CF-ServiceBroker Bad",
        request_id="r-9",
        hidden_word="stale",
        hidden_day="29 Jan 2026",
        hidden_verdict="Stale",
        hidden_since=Moment("2026-01-29 05:00 UTC", "2026-01-29T05:00:00Z"),
        steps=next_step_of(full()),
        command=check_command("guid-7"),
    )


def test_a_row_is_empty_where_nothing_is_known() -> None:
    shown = RowMaker(is_first=False).row(bare())

    assert shown == Row(
        guid="guid-8",
        place="not known",
        verdict=Verdict.UNSUPPORTED,
        verdict_words="Unsupported",
        reason=shown.reason,
        age="not known",
        max_age="26 h",
        max_age_source="built-in",
        min_backups="1",
        observed_at=Moment("2026-01-31 05:00 UTC", "2026-01-31T05:00:00Z"),
        steps=next_step_of(bare()),
    )


def test_the_script_gets_the_same_as_values() -> None:
    assert values_of(full()) == {
        "guid": "guid-7",
        "name": "orders db",
        "owner": "team",
        "org": "prod-eu",
        "space": "payments",
        "offering": "p.mysql",
        "plan": "db-gold-small",
        "verdict": Verdict.UNKNOWN,
        "change": Change.REOPENED,
        "muted": ("team-orders", "moves this month", "2026-01-31"),
        "reason": "the broker hangs",
        "newest_at": NOW - 3 * HOUR,
        "age": 3 * 3600,
        "max_age": 4 * 3600,
        "max_age_source": "rules[0]",
        "count": 1_234,
        "min_backups": 2_000,
        "since": SINCE,
        "opened_at": OPENED,
        "observed_at": NOW,
        "http": 502,
        "code": 10_001,
        "title": "CF-ServiceBroker Bad",
        "request_id": "r-9",
        "step": 0,
        "command": 1,
        "hidden": (Verdict.STALE, SINCE),
        "usual": 2 * 3600,
    }
    of_bare = values_of(bare())
    assert of_bare.keys() == {
        *("guid", "verdict", "reason", "max_age", "max_age_source", "min_backups"),
        *("observed_at", "step", "command"),
    }
    assert of_bare["command"] == 0, "there is no list to look at"


def test_the_script_gets_who_is_being_deleted() -> None:
    leaves = msgspec.structs.replace(full(), operation=Operation("delete", "in progress", NOW))

    assert values_of(leaves)["deleting"] == 1


@pytest.mark.parametrize("is_first", [False, True])
def test_in_a_first_run_nothing_has_changed(*, is_first: bool) -> None:
    row = RowMaker(is_first=is_first).row(full())

    assert (row.change, row.change_key) == (("", "") if is_first else ("came back", "reopened"))
    assert ("change" in values_of(full(), is_first=is_first)) is not is_first


@pytest.mark.parametrize(
    ("is_real", "count", "is_kept"),
    [
        (True, 3, True),
        (True, None, True),
        (False, None, True),
        (False, 0, False),
        (False, 3, False),
    ],
)
def test_a_request_id_is_kept_unless_a_far_row_has_a_list(
    count: int | None, *, is_real: bool, is_kept: bool
) -> None:
    summed = msgspec.structs.replace(full().evidence, backup_count=count)
    one = msgspec.structs.replace(full(), evidence=summed)

    assert ("request_id" in values_of(one, is_real=is_real)) is is_kept


@pytest.mark.parametrize(
    ("count", "newest", "words"),
    [(None, False, "not known"), (0, False, "none"), (2, False, "not known"), (2, True, "2 d 2 h")],
)
def test_no_backup_is_said_only_where_a_list_shows_none(
    count: int | None, words: str, *, newest: bool
) -> None:
    one = finding()
    evidence = msgspec.structs.replace(one.evidence, backup_count=count)
    if not newest:
        evidence = msgspec.structs.replace(evidence, newest_backup_age_seconds=None)

    row = RowMaker(is_first=False).row(msgspec.structs.replace(one, evidence=evidence))

    assert row.age == words


def test_a_list_without_a_backup_has_the_number_0() -> None:
    empty = finding(Verdict.NEVER_BACKED_UP)

    assert (RowMaker(is_first=False).row(empty).count, values_of(empty)["count"]) == ("0", 0)


def test_each_next_step_stands_once_and_is_named_by_its_index() -> None:
    stale, gone = finding(Verdict.STALE), finding(Verdict.NOT_FOUND)
    steps = Steps()

    indexes = [steps.index_of(one) for one in (stale, gone, stale, gone)]

    assert indexes == [0, 1, 0, 1]
    assert steps.all() == [next_step_of(stale), next_step_of(gone)]


def test_the_row_that_the_script_fills_has_a_command_for_any_guid() -> None:
    assert BLANK.command == check_command("GUID")


# ── The block of all rows ─────────────────────────────────────────────────────────────────────────


def block_of(block: Block, count: int) -> list[bytes]:
    """What is written of so many rows, in its pieces."""
    maker = RowMaker(is_first=False)
    found = [finding(guid=f"g{number}") for number in range(count)]
    added = [block.add(maker.values(one, is_real=True)) for one in found]
    return [block.begin(), *added, block.end(maker.steps)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_block_is_json_with_a_row_on_each_line(count: int) -> None:
    body = b"".join(block_of(Block(), count))

    said = msgspec.json.decode(body)
    assert list(said) == ["columns", "rows", "steps"]
    assert said["columns"] == list(COLUMNS)
    assert [row[0] for row in said["rows"]] == [f"g{number}" for number in range(count)]
    assert said["steps"] == [list(next_step_of(finding()))][:count]
    assert len(body.splitlines()) == max(count, 1)


@pytest.mark.parametrize("line", [3, 6_000, 3 * 19_000])
def test_a_packed_block_says_the_same_in_lines_of_base64(
    monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    monkeypatch.setattr(rows, "_LINE", line)
    rng, block = random.Random(1), PackedBlock()  # no secret: packs badly
    texts = [rng.randbytes(300).hex() for _ in range(150)]

    pieces = [block.begin(), *(block.add((text,)) for text in texts), block.end(Steps())]

    *lines, last = [piece for piece in pieces if piece]
    assert msgspec.json.decode(unpacked(b"".join(pieces))) == {
        "columns": list(COLUMNS),
        "rows": [[text] for text in texts],
        "steps": [],
    }
    assert bool(lines) is (line < 45_000)
    for one in lines:
        assert one.endswith(b"\n")
        assert len(base64.b64decode(one[:-1], validate=True)) >= line - 2
        assert b"=" not in one
    assert base64.b64decode(last, validate=True)


def test_rows_pack_well() -> None:
    """A tenth of the size, says the docstring: these are alike."""
    plain, packed = (b"".join(block_of(block, 200)) for block in (Block(), PackedBlock()))

    assert 10 * len(packed) < len(plain)


@pytest.mark.parametrize("packed", [False, True])
def test_no_text_ends_the_element_that_holds_the_rows(*, packed: bool) -> None:
    found = msgspec.structs.replace(finding(), name="</script>&<!--\u2028\u2029")
    maker = RowMaker(is_first=False)
    block = PackedBlock() if packed else Block()
    values = maker.values(found, is_real=True)

    body = block.begin() + block.add(values) + block.end(maker.steps)

    assert not set("<>&\u2028\u2029") & set(body.decode())
    said = msgspec.json.decode(unpacked(body) if packed else body)
    assert said["rows"][0][1] == "</script>&<!--"


def test_what_is_escaped_reads_the_same() -> None:
    text = "a<b>&\u2028\u2029<<"

    safe = escaped(msgspec.json.encode(text))

    assert safe == rb'"a\u003cb\u003e\u0026\u2028\u2029\u003c\u003c"'
    assert msgspec.json.decode(safe) == text
