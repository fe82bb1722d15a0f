"""Reads the inventory page by page: an InventoryReader that asks through an engine.

Pages are no snapshot: rows come and go while they are read, and what moves to an earlier page is
missed. So the list is read along the time of creation: always the first page of what was created
since the last row. An instance that lives all the while is on one of those pages, and what comes
twice is one row by its GUID. Where that cannot be done, everything is read again until two passes
agree.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import quote

import msgspec

from backup_audit.fleet.fields import spelled
from backup_audit.fleet.inventory import (
    MANAGED,
    USER_PROVIDED,
    Read,
    Reading,
    ServiceInstance,
)
from backup_audit.judge.evidence import Cause, Observation, Refusal, Silence
from backup_audit.probe.engine import Engine
from backup_audit.probe.giving_up import ATTEMPTS_MAX, said
from backup_audit.probe.page import (
    FIELDS,
    NAME_MAX,
    QUERY_MAX,
    Page,
    PageQuery,
    PageReader,
    instant_text,
    one_name,
    query_of,
    unreadable,
)
from backup_audit.text import printable

PER_PAGE = 1000  # rows: 1.7 MB where each has two labels, of the 4 MiB that are read of an answer
GUIDS_MAX = 150  # named in one request; with 200 and the fields, nginx's 8,192 bytes are full
PASSES_MAX = 3
SHARE = 1 / 3  # of the time that is left, for one reading; the rest is for the audit itself
FRUITLESS_MAX = 32  # requests in a row without a page; from 1,000 rows down to 1 it takes ten
REQUESTS_MAX = 2000  # pages asked for in one reading; 100,000 instances take 103 in a pass
ROWS_MAX = 500_000  # rows kept in memory
SPLITS_MAX = 100  # requests by GUID that came to nothing and are sent again in halves
DOUBLED_AFTER = 2  # pages; twice as many each time that doubling was too early

_PATIENT = 16  # requests for a page, of an API that had answered: about a minute
_BAD_PARAMETER = 10005  # CF-BadQueryParameter, with HTTP 400
_OVER = "the third of the run's time that the inventory may take was over"

_GUIDS_LENGTH = QUERY_MAX - len(query_of(FIELDS)) - len("guids=&per_page=150&")

_Found = Observation[Page | Refusal | Silence]


class PagedInventory:
    """An InventoryReader. It is used before its engine probes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def scan(self, labels: Collection[str]) -> Reading:
        """Every managed instance that our client sees."""
        asking = _Asking(self._engine, labels)
        reading = _walked(asking, {"type": MANAGED})
        if reading.read is not Read.COMPLETE:
            return reading
        counted = asking.page({"type": USER_PROVIDED}, 1).answer
        count = counted.total if isinstance(counted, Page) else None
        return msgspec.structs.replace(
            reading, requests=asking.requests, read_at=asking.read_at, user_provided=count
        )

    def look_up(self, guids: Sequence[str], labels: Collection[str]) -> Reading:
        """These instances, managed or not; one that is not there has no row."""
        return _looked_up(_Asking(self._engine, labels), guids)

    def named(self, name: str, labels: Collection[str]) -> Reading:
        """The instances of this name: there may be one in each space."""
        asking = _Asking(self._engine, labels)
        if len(name) > NAME_MAX:
            return asking.reading(Read.COMPLETE, {})
        reading = _walked(asking, {"names": one_name(name)})
        # Some databases take capitals for small letters.
        rows = {guid: row for guid, row in reading.rows.items() if row.name == printable(name)}
        return msgspec.structs.replace(reading, rows=rows)


class _Asking:
    """One reading: its time, its requests, and how many in a row came to nothing."""

    def __init__(self, engine: Engine, labels: Collection[str]) -> None:
        self._engine = engine
        self.reader = PageReader(labels, engine.now)
        self._ends_at = engine.end_of_share(SHARE)
        self._attempts_max = ATTEMPTS_MAX
        self._asked = 0
        self.read_at = engine.now()
        self._calls_before = engine.calls
        self.fruitless = 0

    @property
    def requests(self) -> int:
        """HTTP requests sent, those for tokens included."""
        return self._engine.calls - self._calls_before

    @property
    def is_enough(self) -> bool:
        """Whether too much was asked for to go on."""
        return self._asked >= REQUESTS_MAX

    def page(self, filters: Mapping[str, str], per_page: int, number: int = 1) -> _Found:
        """A page of what the filters let through, or why it cannot be had."""
        paged = {"per_page": str(per_page)} | ({"page": str(number)} if number > 1 else {})
        read = partial(self.reader.read, before=(number - 1) * per_page, per_page=per_page)
        [(_, found)] = self.pages({query_of({**filters, **paged, **FIELDS}): read})
        return found

    def pages(
        self, queries: Mapping[str, Callable[[bytes], Page | Silence]]
    ) -> Iterator[tuple[str, _Found]]:
        """Yield the page of each query, or why it cannot be had."""
        asked = [PageQuery(query, read, self._attempts_max) for query, read in queries.items()]
        for query, found in self._engine.ask(asked, ends_at=self._ends_at, over=_OVER):
            self._asked += 1
            self.read_at = found.observed_at
            self.fruitless += 1
            if isinstance(found.answer, Page):
                self.fruitless = 0
                self._attempts_max = _PATIENT
            yield query.text, found

    def broken_off(self, rows: Mapping[str, ServiceInstance], why: str) -> Reading:
        """A reading that is not complete."""
        return self.reading(Read.PARTIAL if rows else Read.FAILED, rows, why)

    def reading(
        self, read: Read, rows: Mapping[str, ServiceInstance], why: str | None = None
    ) -> Reading:
        return Reading(
            read=read,
            rows=rows,
            read_at=self.read_at,
            requests=self.requests,
            sees=self._engine.sees,
            why=why,
        )


class _NoPage(Exception):
    """A page cannot be had; the text says why."""


def _walked(asking: _Asking, filters: Mapping[str, str]) -> Reading:
    """Everything that the filters let through."""
    walk = _Walk(asking, filters)
    before: set[str] | None = None
    for _ in range(PASSES_MAX):
        try:
            seen = walk.through()
        except _NoPage as none:
            return asking.broken_off(walk.rows, str(none))
        if walk.passed_over:
            return asking.broken_off(walk.rows, walk.passed_over)
        if walk.by_first_pages or seen == before:
            for gone in walk.rows.keys() - seen:
                del walk.rows[gone]
            return asking.reading(Read.COMPLETE, walk.rows)
        before = seen
    moved = f"instances came and went: of {PASSES_MAX} passes over the list no two agree"
    return asking.broken_off(walk.rows, moved)


class _Walk:
    """Passes over the list. What one learns of the API, the next one knows.

    `rows` has what was seen in any pass, by GUID. `by_first_pages`: the last pass took no other
    page than the first of a time. `passed_over` says that, and why, an entry was left out.
    """

    def __init__(self, asking: _Asking, filters: Mapping[str, str]) -> None:
        self._asking = asking
        self._filters = filters
        self._by_time = True  # else by offsets: page after page
        self._per_page = PER_PAGE
        self._pages = 0  # read since the size last changed
        self._is_grown = False  # by that change
        self._doubled_after = DOUBLED_AFTER
        self._total: int | None = None
        self.rows: dict[str, ServiceInstance] = {}
        self.by_first_pages = True
        self.passed_over: str | None = None

    def through(self) -> set[str]:
        """Pass over the list; return the GUIDs. Raises _NoPage."""
        seen: set[str] = set()
        self.by_first_pages = True
        since: datetime | None = None
        offset = 0  # rows, among those since then
        while True:
            number = offset // self._per_page + 1
            found = self._asking.page(self._since(since), self._per_page, number)
            if self._by_time and not _is_by_time(found, since):
                self._by_time = False
                return self.through()
            self.by_first_pages &= number == 1
            page = found.answer
            if not isinstance(page, Page):
                offset += self._shrink(found)
                continue
            self._take(page, seen)
            if not page.goes_on:
                return seen
            if len(self.rows) > ROWS_MAX or self._asking.is_enough:
                raise _NoPage(f"it does not end after {self._read_so_far()}")
            offset = number * self._per_page
            if self._by_time and page.latest and (since is None or page.latest > since):
                since, offset = page.latest, 0
            self._grow()

    def _since(self, since: datetime | None) -> dict[str, str]:
        filters = dict(self._filters)
        if self._by_time:
            filters["order_by"] = "created_at"
        if since is not None:
            filters["created_ats[gte]"] = instant_text(since)
        return filters

    def _take(self, page: Page, seen: set[str]) -> None:
        self._total = page.total if self._total is None else self._total
        for row in page.rows:
            self.rows[row.guid] = row
            seen.add(row.guid)

    def _shrink(self, found: _Found) -> int:
        """Ask for half the page from now on; of a single row, pass it over (1). Raises _NoPage."""
        is_hopeless = self._asking.fruitless >= FRUITLESS_MAX
        if is_hopeless or not _is_too_much(found):
            raise _NoPage(self._why(found))
        if self._per_page > 1:
            if self._is_grown and self._pages == 0:
                self._doubled_after *= 2
            self._per_page //= 2
            self._pages, self._is_grown = 0, False
            return 0
        if _is_late(found):
            raise _NoPage(self._why(found))
        self.passed_over = f"an entry of the list was left out: {said(found)}"
        return 1

    def _grow(self) -> None:
        """Ask for twice as much again once some pages came."""
        self._pages += 1
        if self._pages >= self._doubled_after and self._per_page < PER_PAGE:
            self._per_page = min(2 * self._per_page, PER_PAGE)
            self._pages, self._is_grown = 0, True

    def _why(self, found: _Found) -> str:
        return f"after {self._read_so_far()}: {said(found)}" if self.rows else said(found)

    def _read_so_far(self) -> str:
        return f"{len(self.rows):,} of {self._total:,} instances"


def _is_late(found: _Found) -> bool:
    answer = found.answer
    return found.status == 504 or (isinstance(answer, Silence) and answer.cause is Cause.TIMEOUT)


def _is_too_much(found: _Found) -> bool:
    """Whether a smaller page may arrive, and be read."""
    answer = found.answer
    is_bad = isinstance(answer, Silence) and answer.cause in (Cause.TOO_LARGE, Cause.UNREADABLE)
    return is_bad or _is_late(found)


def _is_by_time(found: _Found, since: datetime | None) -> bool:
    """Whether the Cloud Controller filters by time of creation, and lists in its order."""
    answer = found.answer
    if isinstance(answer, Page):
        early = since is not None and answer.earliest is not None and answer.earliest < since
        return answer.in_order and not early
    return not (
        found.status == 400 and isinstance(answer, Refusal) and answer.code == _BAD_PARAMETER
    )


def _looked_up(asking: _Asking, guids: Sequence[str]) -> Reading:
    """These instances, in requests that name many."""
    rows: dict[str, ServiceInstance] = {}
    why: str | None = None
    splits = answers = 0
    parts = list(_parts([*dict.fromkeys(spelled(guid) for guid in guids)]))
    while parts:
        by_query = {_naming(part): part for part in parts}
        parts = []
        queries = {query: _read_of(asking.reader, part) for query, part in by_query.items()}
        for query, found in asking.pages(queries):
            part, answer = by_query[query], found.answer
            if isinstance(answer, Page):
                answers += 1
                rows |= {row.guid: row for row in answer.rows}
            elif len(part) > 1 and splits < SPLITS_MAX and _is_too_much(found):
                splits += 1
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                why = why or said(found)
    if why is None:
        return asking.reading(Read.COMPLETE, rows)
    return asking.reading(Read.PARTIAL if answers else Read.FAILED, rows, why)


def _parts(guids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The GUIDs in parts that a request each can name."""
    part: list[str] = []
    length = 0
    for guid in guids:
        added = len(quote(f",{guid}", safe=""))
        if part and (len(part) == GUIDS_MAX or length + added > _GUIDS_LENGTH):
            yield part
            part, length = [], 0
        part.append(guid)
        length += added
    if part:
        yield part


def _naming(guids: Sequence[str]) -> str:
    return query_of({"guids": ",".join(guids), "per_page": str(len(guids))} | FIELDS)


def _read_of(reader: PageReader, guids: Sequence[str]) -> Callable[[bytes], Page | Silence]:
    """How an answer about these is read: all of it on one page, and nothing else."""
    asked = frozenset(guids)

    def read(body: bytes) -> Page | Silence:
        page = reader.read(body, before=0, per_page=len(asked))
        if isinstance(page, Page):
            if page.goes_on:
                return unreadable("with a next page, where all fit on one")
            if any(row.guid not in asked for row in page.rows):
                return unreadable("with instances that were not asked for")
        return page

    return read
