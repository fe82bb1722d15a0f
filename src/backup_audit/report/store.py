"""The report bucket as the rest sees it: the keys of a run's objects, conditional writes, a claim.

The claim, running.json, lets a full run do nothing while another is at work. It bounds the load on
the API: each run asks by its own ceiling of requests in flight. The role may delete nothing, so a
claim that ends is rewritten with its end.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

import msgspec

from backup_audit.errors import InvalidSettings, ReportStoreFailed
from backup_audit.fleet.run import Run, Scope
from backup_audit.report.rendering import as_json
from backup_audit.strict import UNDECODABLE
from backup_audit.text import one_line

T = TypeVar("T", bound=msgspec.Struct)


class StoredObject(msgspec.Struct, frozen=True):
    """An object and the tag that changes with its content."""

    body: bytes
    etag: str


class NewObject(Protocol):
    """An object being written. If `is_new` is false after the block, one was there, and stays."""

    @property
    def is_new(self) -> bool: ...

    def write(self, data: bytes, /) -> object:
        """Add to the object; raise ReportStoreFailed."""


class ObjectStore(Protocol):
    """A bucket with conditional writes. Every method may raise ReportStoreFailed.

    The end of a key says what the object is: .json, .jsonl, .csv or .html.
    """

    @property
    def bucket(self) -> str: ...

    def get(self, key: str) -> StoredObject | None:
        """Read an object; None if there is none."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one already; return whether it was written."""

    def new_object(self, key: str) -> AbstractContextManager[NewObject]:
        """Write an object larger than memory unless there is one already.

        Nothing of it is there before the end of the block, and nothing at all if that raises.
        """

    def lines(self, key: str) -> Iterator[bytes]:
        """Read an object line by line, with the line ends; ReportStoreFailed if there is none."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
        """Write an object if the one there still has this tag; return whether it was written."""

    def keeps_versions(self) -> bool:
        """Whether what is deleted or overwritten can be got back."""


class RunKeys(msgspec.Struct, frozen=True):
    """The keys of a run's objects."""

    prefix: str
    day: str
    run_id: str

    @classmethod
    def of(cls, prefix: str, run: Run) -> "RunKeys":
        """The keys of a run, below the day on which it was due (UTC)."""
        return cls(prefix, run.due_at.date().isoformat(), run.run_id)

    @property
    def findings_prefix(self) -> str:
        """Every finding is stored below it, and nothing else."""
        return f"{self.prefix}/findings/{self._place}/"

    @property
    def latest(self) -> str:
        """The pointer to the newest full run; rewritten by each."""
        return f"{self.prefix}/latest.json"

    @property
    def running(self) -> str:
        return f"{self.prefix}/running.json"

    @property
    def failing(self) -> str:
        """Since when full runs fail; rewritten by each that fails, and by the one that ends it."""
        return f"{self.prefix}/failing.json"

    @property
    def report_json(self) -> str:
        return self.report("report.json")

    @property
    def manifest(self) -> str:
        return self.report("manifest.json")

    def findings(self, part: int) -> str:
        """The key of a part of the findings; a run in one invocation has part 0 only."""
        return f"{self.findings_prefix}part-{part:05d}.jsonl"

    def report(self, name: str) -> str:
        """The key of report.json, findings.csv, manifest.json and the marks beside them."""
        return f"{self.prefix}/reports/{self._place}/{name}"

    @property
    def run_line(self) -> str:
        """The committed run in one line, for queries."""
        return f"{self.prefix}/runs/{self._place}.json"

    @property
    def plan(self) -> str:
        return f"{self.prefix}/plans/{self._place}/plan.json"

    def batches(self, attempt: str) -> str:
        """The place of the batches that one attempt to plan the run writes."""
        digest = hashlib.sha256(attempt.encode()).hexdigest()[:8]
        return f"{self.prefix}/plans/{self._place}/batches-{digest}"

    @property
    def _place(self) -> str:
        return f"dt={self.day}/run={self.run_id}"


@contextmanager
def decoding(store: ObjectStore, key: str) -> Iterator[None]:
    """Raise ReportStoreFailed if an object that is decoded in the block is damaged."""
    try:
        yield
    except UNDECODABLE as error:
        raise ReportStoreFailed(f"s3://{store.bucket}/{key} cannot be read: {error}") from error


def find(store: ObjectStore, key: str, kind: type[T]) -> T | None:
    """Read a JSON document; None if there is none, ReportStoreFailed if it is damaged."""
    stored = store.get(key)
    with decoding(store, key):
        return None if stored is None else msgspec.json.decode(stored.body, type=kind)


def settle(store: ObjectStore, key: str, document: T, encode: Callable[[T], bytes] = as_json) -> T:
    """Write a JSON document unless there is one already; return the one that is stored."""
    if store.put_new(key, encode(document)):
        return document
    stored = find(store, key, type(document))
    if stored is None:
        raise ReportStoreFailed(
            f"{key} was there a moment ago and is gone: check what deletes reports"
        )
    return stored


def refuse_foreign(store: ObjectStore, key: str, theirs: str, ours: str) -> None:
    """Raise InvalidSettings if an object names another foundation.

    Runs that are due at the same time have the same id: below one prefix each foundation would take
    the other's run for its own, and audit nothing.
    """
    if theirs == ours:
        return
    named = one_line(theirs, _FOUNDATION_MAX)
    fault = (
        f"REPORT_PREFIX: s3://{store.bucket}/{key} is of the foundation {named!r}, and this is "
        f"{ours!r}: give each a ReportPrefix of its own; if only the name has changed, set "
        "Foundation to the old one"
    )
    raise InvalidSettings([fault])


_FOUNDATION_MAX = 100  # characters

# Others can win the race for an object; to lose it so often is a fault and no race.
_CAS_ATTEMPTS = 10


def rewrite(
    store: ObjectStore,
    key: str,
    read: Callable[[bytes], T | None],
    changed: Callable[[T | None], T | None],
) -> T | None:
    """Change a JSON document by compare-and-swap; return the one that is stored now.

    `read` gives None for a damaged one, `changed` None to leave it as it is.
    """
    for _ in range(_CAS_ATTEMPTS):
        stored = store.get(key)
        found = read(stored.body) if stored else None
        wanted = changed(found)
        if wanted is None:
            return found
        body = as_json(wanted)
        if stored is None:
            written = store.put_new(key, body)
        else:
            written = store.put_if_unchanged(key, body, stored.etag)
        if written:
            return wanted
    raise ReportStoreFailed(
        f"s3://{store.bucket}/{key} changed {_CAS_ATTEMPTS} times while we tried to rewrite it: "
        "look for another writer"
    )


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """running.json. The run is at work until `ends_at` (UTC); after that it counts as killed.

    `held_by` is the delivery, of several of one run: each claims anew, only the last may free.
    """

    schema_version: Literal[1] = 1
    foundation: str
    run_id: str
    held_by: str
    ends_at: datetime


class Turn(msgspec.Struct, frozen=True):
    """A delivery's turn to be the full run at work; a run of another scope needs none."""

    store: ObjectStore
    key: str
    foundation: str
    run: Run
    held_by: str
    now: Callable[[], datetime]
    warn: Callable[[str], None]

    def claim(self, ends_at: datetime) -> str | None:
        """Claim until then; return the id of another run that is at work, None if it is ours.

        Raise InvalidSettings if the claim is another foundation's, be it over or not.
        """
        run_id, now = self.run.run_id, self.now()
        if self.run.scope is not Scope.FULL:
            return None
        # To the end of the second, since documents have whole seconds.
        rounded = ends_at.replace(microsecond=0) + timedelta(seconds=1)
        ours = Claim(
            foundation=self.foundation, run_id=run_id, held_by=self.held_by, ends_at=rounded
        )

        def claimed(held: Claim | None) -> Claim | None:
            if held is not None:
                refuse_foreign(self.store, self.key, held.foundation, self.foundation)
            is_free = held is None or held.run_id == run_id or held.ends_at <= now
            return ours if is_free else None

        at_work = rewrite(self.store, self.key, _read, claimed)
        if at_work is None or at_work.run_id == run_id:
            return None
        self.warn(
            f"run {at_work.run_id} is at work, until {at_work.ends_at:%Y-%m-%dT%H:%M:%SZ} at the "
            "latest"
        )
        return at_work.run_id

    @contextmanager
    def freed(self, *, at_the_end: bool = True) -> Iterator[None]:
        """Free the claim if the block fails, and at its end: others must not wait."""
        try:
            yield
        except (Exception, KeyboardInterrupt):
            self._free()
            raise
        if at_the_end:
            self._free()

    def _free(self) -> None:
        """End the claim, unless another delivery or run has taken it over."""

        def ended(held: Claim | None) -> Claim | None:
            ours = (self.foundation, self.run.run_id, self.held_by)
            if held is None or (held.foundation, held.run_id, held.held_by) != ours:
                return None
            return msgspec.structs.replace(held, ends_at=self.now().replace(microsecond=0))

        try:
            if self.run.scope is Scope.FULL:
                rewrite(self.store, self.key, _read, ended)
        except Exception as error:  # noqa: BLE001  # must not hide why the run failed
            self.warn(
                f"the claim of run {self.run.run_id} could not be freed "
                f"({type(error).__name__}): other full runs wait until the end it states"
            )


def _read(body: bytes) -> Claim | None:
    try:
        return msgspec.json.decode(body, type=Claim)
    except UNDECODABLE:
        return None  # a damaged claim stops no run
