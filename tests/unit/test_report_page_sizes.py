"""How large report.html is, and what drawing it holds in memory, up to 100,000 problems."""

import random
import re
import tracemalloc
import uuid
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import msgspec
import pytest

from backup_audit.judge.verdict import Verdict
from backup_audit.page.page import page_pieces
from backup_audit.report.commit import StoredReport
from backup_audit.report.report import coverage_of
from tests.doubles.fakes import InMemoryStore
from tests.doubles.pages import objects_of, size
from tests.doubles.some import rest

MIB = 2**20


class Multiplied:
    """The bucket of a report that has each finding so many times, as another instance each time.

    Nothing of it is held: a fleet's report fills no memory.
    """

    bucket = InMemoryStore.bucket

    def __init__(self, report: StoredReport, times: int) -> None:
        self._report = report
        self._times = times

    def lines(self, key: str) -> Iterator[bytes]:
        lines = self._report.store.lines(self._report.address.key)
        for line in lines:
            yield line
            if line == b'  "findings": [\n':
                break
        findings = [line.rstrip(b",\n") for line in takewhile(lambda one: one != END, lines)]
        rng = random.Random(1)
        for _ in range(self._times):
            for finding in findings:
                yield UUID.sub(lambda _: _uuid(rng), finding) + b",\n"
        yield END
        yield from lines


END = b"  ],\n"
UUID = re.compile(rb"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def _uuid(rng: random.Random) -> bytes:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4)).encode()


def multiplied(report: StoredReport, times: int) -> StoredReport:
    """The report with so many times the problems."""
    store: Any = Multiplied(report, times)
    other = StoredReport(store, report.keys)
    head = report.head
    counts: dict[str, int] = {
        verdict.value: head.counts[verdict] * (1 if verdict is Verdict.HEALTHY else times)
        for verdict in Verdict
    }
    parts = ("problems", "new", "muted", "being_deleted", "not_reached", "still_unknown")
    news = {part: getattr(head.news, part) * times for part in parts}
    other.head = msgspec.structs.replace(
        head,
        counts=counts,
        coverage=coverage_of(counts),
        news=msgspec.structs.replace(head.news, **news),
    )
    return other


@pytest.mark.parametrize(
    ("problems", "most"), [(60, 250_000), (1_000, 950_000), rest(2_000, 1_000_000)]
)
def test_a_page_is_small_enough_to_be_sent(problems: int, most: int) -> None:
    report = size(problems)

    assert sum(map(len, page_pieces(report, objects_of(report)))) <= most


@pytest.mark.parametrize(
    ("times", "most"), [(10, 1_800_000), (100, 10_000_000)], ids=["10,000", "100,000"]
)
@pytest.mark.exhaustive
def test_a_hundred_thousand_problems_fit_into_ten_megabytes_and_go_out_in_pieces(
    times: int, most: int
) -> None:
    report = size(1_000)

    pieces = [len(piece) for piece in page_pieces(multiplied(report, times), objects_of(report))]

    assert sum(pieces) <= most
    assert max(pieces) <= 200_000


@pytest.mark.parametrize("times", [3, 10])
@pytest.mark.exhaustive
def test_drawing_holds_no_more_of_a_large_fleet(times: int) -> None:
    report = size(1_000)
    objects, stored = objects_of(report), multiplied(report, times)
    for _ in page_pieces(size(60), objects):  # templates are compiled once
        pass

    tracemalloc.start()
    for _ in page_pieces(stored, objects):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak <= 4 * MIB
