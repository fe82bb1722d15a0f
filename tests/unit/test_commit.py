"""What the manifest says of a run's objects, whoever wrote them, and the page among them."""

import gc
import hashlib
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from backup_audit.errors import ReportStoreFailed
from backup_audit.judge.verdict import Verdict
from backup_audit.report.commit import StoredReport
from backup_audit.report.figures import Figures
from backup_audit.report.groups import Grouping
from backup_audit.report.report import KeptObject, Manifest, WholeReport
from backup_audit.report.store import RunKeys
from backup_audit.report.summary import Summary
from tests.doubles.builders import finding, inventory, run
from tests.doubles.fakes import InMemoryStore
from tests.doubles.reports import stored

FINDINGS = [
    finding(Verdict.HEALTHY, "a"),
    finding(Verdict.STALE, "b"),
    finding(Verdict.UNKNOWN, "c"),
]
KEYS = RunKeys.of("backup-audit", run())
ROWS = {
    "part-00000.jsonl": 3,
    "fleet.jsonl": 0,
    "findings.csv": 3,
    "report.json": 2,
    "report.html": 2,
}


def committed(store: InMemoryStore) -> list[KeptObject]:
    return msgspec.json.decode(store.objects[KEYS.manifest], type=Manifest).objects


def assert_described(store: InMemoryStore) -> None:
    """The manifest describes the bytes that are stored."""
    for kept in committed(store):
        body = store.objects[kept.key]
        assert (kept.bytes, kept.sha256) == (len(body), hashlib.sha256(body).hexdigest()), kept.key


def test_the_manifest_describes_each_object_and_how_many_rows_it_has() -> None:
    store = InMemoryStore()

    stored(FINDINGS, store=store, inventory=inventory())

    assert {kept.key.rpartition("/")[2]: kept.rows for kept in committed(store)} == ROWS
    assert_described(store)


@pytest.mark.parametrize("name", ["findings.csv", "fleet.jsonl", "report.html"])
@pytest.mark.parametrize("theirs", [b"", b"no line feed", b"one\ntwo\r\n", b"\x00\xff\n" * 999])
def test_what_another_delivery_wrote_is_described_as_it_is_stored(name: str, theirs: bytes) -> None:
    store = InMemoryStore()
    store.objects[KEYS.report(name)] = theirs

    stored(FINDINGS, store=store, inventory=inventory())

    assert store.objects[KEYS.report(name)] == theirs
    assert_described(store)


def test_a_report_that_another_delivery_wrote_is_described_and_drawn_as_it_is_stored() -> None:
    others = InMemoryStore()
    theirs = stored([*FINDINGS, finding(Verdict.STALE, "d")], store=others)
    store = InMemoryStore()
    store.objects[KEYS.report_json] = others.objects[theirs.address.key]
    drawn: list[StoredReport] = []

    def draw(report: StoredReport, _: Sequence[KeptObject]) -> Iterator[bytes]:
        drawn.append(report)
        yield b"<!doctype html>"

    report = stored(FINDINGS, store=store, inventory=inventory(), draw=draw)

    assert report.head.counts["stale"] == drawn[0].head.counts["stale"] == 2
    assert_described(store)


def test_the_page_is_drawn_from_the_stored_report_and_the_hashes_of_all_before_it() -> None:
    store = InMemoryStore()

    def draw(report: StoredReport, objects: Sequence[KeptObject]) -> Iterator[bytes]:
        yield "".join(f"{kept.key} {kept.sha256}\n" for kept in objects).encode()
        yield store.objects[report.address.key]

    stored(FINDINGS, store=store, inventory=inventory(), draw=draw)

    *before, page = committed(store)
    assert page.key == KEYS.report("report.html")
    expected = "".join(f"{kept.key} {kept.sha256}\n" for kept in before).encode()
    assert store.objects[page.key] == expected + store.objects[KEYS.report_json]
    assert len(before) == len(ROWS) - 1


def test_what_was_summed_up_is_let_go_before_the_page_is_drawn() -> None:
    def held() -> int:
        kinds = Summary | Figures | Grouping
        return len([one for one in gc.get_objects() if isinstance(one, kinds)])

    gc.collect()
    before, at_the_page = held(), list[int]()

    def draw(_: StoredReport, __: Sequence[KeptObject]) -> Iterator[bytes]:
        at_the_page.append(held())
        yield b"<!doctype html>"

    stored(FINDINGS, draw=draw)

    assert at_the_page == [before]


@pytest.mark.parametrize("pieces", [0, 1, 1_000])
def test_a_page_that_cannot_be_drawn_costs_nothing_but_itself(pieces: int) -> None:
    store, failed, error = InMemoryStore(), list[Exception](), KeyError("no such name")

    def draw(_: StoredReport, __: Sequence[KeptObject]) -> Iterator[bytes]:
        yield from [b"<p>"] * pieces
        raise error

    stored(FINDINGS, store=store, inventory=inventory(), draw=draw, page_failed=failed.append)

    assert failed == [error]
    assert KEYS.report("report.html") not in store.objects, "nor half of it"
    names = {kept.key.rpartition("/")[2] for kept in committed(store)}
    assert names == ROWS.keys() - {"report.html"}
    assert_described(store)


def test_a_page_that_an_earlier_delivery_drew_is_named_by_one_that_cannot_draw_it() -> None:
    store, failed = InMemoryStore(), list[Exception]()
    store.objects[KEYS.report("report.html")] = theirs = b"<!doctype html>\n<p>theirs\n"

    def draw(_: StoredReport, __: Sequence[KeptObject]) -> Iterator[bytes]:
        yield b"<p>"
        raise KeyError("no such name")

    stored(FINDINGS, store=store, inventory=inventory(), draw=draw, page_failed=failed.append)

    assert len(failed) == 1
    assert store.objects[KEYS.report("report.html")] == theirs
    assert {kept.key.rpartition("/")[2] for kept in committed(store)} == ROWS.keys()
    assert_described(store)


def test_a_store_that_fails_while_the_page_is_drawn_ends_the_run_before_it_is_committed() -> None:
    store, failed = InMemoryStore(), list[Exception]()

    def draw(report: StoredReport, _: Sequence[KeptObject]) -> Iterator[bytes]:
        yield from report.store.lines("gone")

    with pytest.raises(ReportStoreFailed, match="NoSuchKey"):
        stored(FINDINGS, store=store, draw=draw, page_failed=failed.append, inventory=inventory())

    assert KEYS.manifest not in store.objects
    assert failed == []


def test_the_lists_of_a_report_are_read_back_each_by_itself() -> None:
    store = InMemoryStore()

    report = stored(FINDINGS, store=store)

    whole = msgspec.json.decode(store.objects[report.address.key], type=WholeReport)
    assert list(report.reader().history()) == whole.history
    assert list(report.reader().breakdown()) == whole.breakdown
    assert [row.by for row in whole.breakdown] == ["owner", "space", "offering"]
    assert list(report.late()) == whole.late == []
    reader = report.reader()
    in_one_pass = [reader.history(), reader.breakdown(), reader.late(), reader.mutes()]
    assert [list(one) for one in in_one_pass] == [whole.history, whole.breakdown, [], []]
    assert list(reader.findings()) == whole.findings
