"""The commit protocol: how a run's report is stored, once.

Each object is written only if it is not there yet. A delivery that finds one goes on with it, so
all objects of a run belong together, whichever delivery wrote them. The manifest, last, commits the
run; then latest.json moves forward. docs/decisions/0002-commit-protocol.md says what every crash
and every race leaves. All is read and written as a stream: a fleet's problems need not fit into
memory.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from functools import cached_property

import msgspec

from backup_audit.errors import AuditError, InvalidEvent
from backup_audit.fleet.inventory import Read
from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import Scope
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import (
    PLATFORM,
    Alerts,
    Audience,
    Audited,
    decided,
    fleet_reasons,
    reminds_programs,
)
from backup_audit.report.changes import (
    Resolved,
    memory_of,
)
from backup_audit.report.figures import LateInstance
from backup_audit.report.groups import Grouping
from backup_audit.report.history import HistoryPoint, continued
from backup_audit.report.rendering import (
    CSV_HEADER,
    ReportReader,
    csv_line,
    json_line,
    report_pieces,
)
from backup_audit.report.report import (
    Coverage,
    Effort,
    KeptObject,
    Manifest,
    Report,
    ReportAddress,
    StoredPlan,
    coverage_of,
    why_incomplete,
)
from backup_audit.report.store import (
    ObjectStore,
    RunKeys,
    decoding,
    settle,
)
from backup_audit.report.summary import Summary

_BEGIN_ANEW = "by hand nothing incomplete is concluded: begin anew with the step plan"


class StoredReport:
    """A report in the bucket: its head, and its lists as streams. All raise ReportStoreFailed."""

    def __init__(self, store: ObjectStore, keys: RunKeys) -> None:
        self.store = store
        self.keys = keys
        self.address = ReportAddress(bucket=store.bucket, key=keys.report_json)
        self.head = self._reader(None).head

    @cached_property
    def for_people(self) -> ReportAddress:
        """The page, or report.json if none could be drawn."""
        page = self.keys.report("report.html")
        if not self.store.exists(page):
            return self.address
        return ReportAddress(bucket=self.store.bucket, key=page)

    def entries(self) -> Iterator[Finding | Resolved]:
        """What messages are made of: all findings not healthy, worst first, then all ends."""
        with decoding(self.store, self.address.key):
            reader = self.reader()
            yield from reader.findings()
            yield from reader.resolved()

    def mutes(self) -> Iterator[MuteRecord]:
        """All that are configured, in their order."""
        with decoding(self.store, self.address.key):
            yield from self.reader().mutes()

    def late(self) -> Iterator[LateInstance]:
        """Healthy instances that are late, by far first; 1,000 at most."""
        with decoding(self.store, self.address.key):
            yield from self.reader().late()

    def reader(self) -> ReportReader:
        """A reader of all its lists in one pass; in `decoding` it raises ReportStoreFailed."""
        return self._reader(self.head)

    def _reader(self, head: Report | None) -> ReportReader:
        with decoding(self.store, self.address.key):
            return ReportReader(self.store.lines(self.address.key), self.address.uri, head)


def committed_report(store: ObjectStore, keys: RunKeys) -> StoredReport | None:
    """The report of this run if an earlier delivery has committed it."""
    return StoredReport(store, keys) if store.exists(keys.manifest) else None


Draw = Callable[[StoredReport, Sequence[KeptObject]], Iterator[bytes]]
"""Draws the page for people from the stored report and the objects before it, in pieces."""


def commit(
    store: ObjectStore,
    keys: RunKeys,
    planned: StoredPlan,
    *,
    foundation: str,
    effort: Effort,
    finished_at: datetime,
    invocation_id: str,
    draw: Draw,
    page_failed: Callable[[Exception], None],
    only_complete: bool = False,
) -> tuple[StoredReport, bool]:
    """Write fleet, CSV, report, page and manifest from the plan and the stored findings.

    Return the report that is stored now, and whether this delivery committed it. `page_failed`
    hears why a page could not be drawn: no verdict waits for it. `only_complete`: raise
    InvalidEvent, and write nothing, if an instance was not reached.
    """
    objects = _reported(
        store,
        keys,
        planned,
        foundation=foundation,
        effort=effort,
        finished_at=finished_at,
        only_complete=only_complete,
    )
    report = StoredReport(store, keys)
    objects += _page(report, objects, draw, page_failed)
    ours = Manifest(
        run=report.head.run,
        complete=report.head.complete,
        invocation_id=invocation_id,
        objects=objects,
    )
    # Our own write may be answered "exists" when the first answer was lost and the client retried.
    return report, settle(store, keys.manifest, ours).invocation_id == invocation_id


def _reported(
    store: ObjectStore,
    keys: RunKeys,
    planned: StoredPlan,
    *,
    foundation: str,
    effort: Effort,
    finished_at: datetime,
    only_complete: bool,
) -> list[KeptObject]:
    """Write fleet, CSV and report; describe all objects up to the report, which comes last.

    What is summed up is let go of here: the page needs memory of its own.
    """
    parts = [keys.findings(number) for number in range(planned.batches)]
    plan, due_at = planned.plan, planned.run.due_at
    before = planned.alerts
    news_from, per_owner = before.news_from.get(Audience.EVENTS), before.per_owner
    is_role_lost = planned.inventory is not None and planned.inventory.lost > 0
    grouping = Grouping(foundation, due_at, before.groups, news_from, is_role_lost=is_role_lost)
    with closing(
        Summary(
            grouping,
            notifies=plan.notifies,
            per_owner=per_owner,
            due_at=due_at,
            known=before.readers,
        )
    ) as summary:
        objects = [_summed_up(store, key, summary) for key in parts]
        counts, left = summary.counts, summary.why_incomplete
        if only_complete and left is not None:
            raise InvalidEvent([f"plan_key: not every instance was reached: {left}; {_BEGIN_ANEW}"])
        why, coverage = why_incomplete(left, planned.inventory), coverage_of(counts)
        for ended in _other_ends(store, planned, summary.ended_guids):
            summary.add_end(ended)
        alerts = _decided(planned, summary, grouping, coverage, why)
        objects += _fleet(store, keys, planned)
        csv = _written(store, keys.report("findings.csv"), _table(store, parts, summary))
        head = Report(
            foundation=foundation,
            run=planned.run,
            plan=plan,
            finished_at=finished_at,
            complete=why is None,
            why_incomplete=why,
            coverage=coverage,
            counts=counts,
            news=summary.news,
            oldest_newest_backup_age_seconds=summary.oldest,
            ages=summary.figures.ages,
            late_count=summary.figures.late_count,
            effort=effort,
            alerts=alerts,
            inventory=planned.inventory,
        )
        pieces = report_pieces(
            head,
            history=_history(head, planned),
            breakdown=summary.figures.breakdown(),
            late=summary.figures.late(),
            mutes=planned.mutes,
            findings=_with_groups(summary.unhealthy(), grouping),
            resolved=_with_unsaid(summary.ended(), alerts, due_at),
        )
        body = _written(store, keys.report_json, pieces)
        objects += [csv.described(sum(counts.values())), body.described(summary.unhealthy_count)]
        return objects


def _history(head: Report, planned: StoredPlan) -> tuple[HistoryPoint, ...]:
    """The full runs before this one, and this one if it is full."""
    if not head.run.scope.is_compared:
        return planned.history
    point = HistoryPoint(
        run_id=head.run.run_id,
        due_at=head.run.due_at,
        complete=head.complete,
        percent=head.coverage.percent,
        counts=head.counts,
        open=head.news.problems,
        new=head.news.new,
        resolved=head.news.resolved,
        muted=head.news.muted,
    )
    return continued(planned.history, point)


def _page(
    report: StoredReport,
    objects: Sequence[KeptObject],
    draw: Draw,
    failed: Callable[[Exception], None],
) -> list[KeptObject]:
    """Write the page for people. If it cannot be drawn, that ends no run.

    Then an earlier delivery's page is taken, if there is one: it is drawn from the same report.
    """
    key = report.keys.report("report.html")
    try:
        page = _written(report.store, key, draw(report, objects))
    except AuditError:
        raise
    except Exception as error:  # noqa: BLE001  # verdicts do not wait for a template
        failed(error)
        if not report.store.exists(key):
            return []
        page = _measured(report.store, key)
    return [page.described(rows=objects[-1].rows)]


def _other_ends(
    store: ObjectStore, planned: StoredPlan, ended_now: Container[str]
) -> Iterator[Resolved]:
    """The ends that no finding of this run proves: of those who left, and of runs before.

    Of those before stay the ones that somebody is still to be notified of, and for 30 days the last
    of each instance. From the report that the batches were compared with, whatever latest.json
    names now.
    """
    previous, run = planned.plan.previous, planned.run
    if previous is None or not run.scope.is_compared:
        return
    known = set()
    for one in _left(store, planned):
        if one.verdict is not Verdict.UNKNOWN:
            known.add(one.guid)
        yield one
    key, owed_from = previous.report_key, planned.alerts.owed_from
    with decoding(store, key):
        last = {
            guid: one.problem_id
            for guid, one in memory_of(_ends_in(store, key), run.due_at).items()
            if guid not in ended_now and guid not in known
        }
        for one in _ends_in(store, key):
            if one.is_owed and planned.plan.notifies:
                yield msgspec.structs.replace(one, end_notified_at=run.due_at)
            elif one.is_due(owed_from, run.due_at) or last.get(one.guid) == one.problem_id:
                yield one


def _left(store: ObjectStore, planned: StoredPlan) -> Iterator[Resolved]:
    """The problems that ended since their instances left the fleet."""
    key, decode = planned.left_key, msgspec.json.Decoder(Resolved).decode
    if not planned.left:
        return
    with decoding(store, key):
        yield from map(decode, store.lines(key))


def _ends_in(store: ObjectStore, key: str) -> Iterator[Resolved]:
    return ReportReader(store.lines(key), key).resolved()


def _decided(
    planned: StoredPlan,
    summary: Summary,
    grouping: Grouping,
    coverage: Coverage,
    why: str | None,
) -> Alerts:
    """Decide whom the run notifies of what."""
    before, run, inventory = planned.alerts, planned.run, planned.inventory
    is_full = run.scope is Scope.FULL
    few = grouping.settle(reminds=reminds_programs(before, run.due_at))
    is_read = inventory is not None and inventory.read in (Read.COMPLETE, Read.LISTED)
    audited = Audited(
        due_at=run.due_at,
        is_full=is_full,
        notifies=planned.plan.notifies,
        complete=why is None,
        is_certain=why is None and is_read and coverage.unknown == 0,
        fleet=fleet_reasons(inventory) if is_full else (),
    )
    return decided(before, summary.found, audited, groups=grouping.groups, reminds_of_each=few)


def _with_groups(lines: Iterable[bytes], grouping: Grouping) -> Iterator[bytes]:
    """The lines of findings; those whose problem joins a group in this run name it."""
    if not grouping.opens:
        yield from lines
        return
    decode = msgspec.json.Decoder(Finding).decode
    for line in lines:
        finding = decode(line)
        group_id = grouping.group_of(finding)
        if group_id is not None and finding.alert is not None:
            alert = msgspec.structs.replace(finding.alert, group_id=group_id)
            line = json_line(msgspec.structs.replace(finding, alert=alert))  # noqa: PLW2901
        yield line


def _with_unsaid(ends: Iterable[Resolved], alerts: Alerts, due_at: datetime) -> Iterator[Resolved]:
    """The ends; those of problems that nobody was notified of are said by any digest of the run."""
    platform = alerts.readers.get(PLATFORM)
    goes_out = platform is not None and platform.digest_at == due_at
    for one in ends:
        if goes_out and one.is_unsaid:
            yield msgspec.structs.replace(one, end_notified_at=due_at)
        else:
            yield one


def _summed_up(store: ObjectStore, key: str, summary: Summary) -> KeptObject:
    part, rows = Measured(key, store.lines(key)), 0
    decode = msgspec.json.Decoder(Finding).decode
    with decoding(store, key):
        for line in part:
            summary.add(decode(line), line)
            rows += 1
    return part.described(rows)


def _fleet(store: ObjectStore, keys: RunKeys, planned: StoredPlan) -> list[KeptObject]:
    """Copy the inventory that a full run used beside its report."""
    if planned.fleet_key is None:
        return []
    copy = _written(store, keys.report("fleet.jsonl"), store.lines(planned.fleet_key))
    return [copy.described(copy.pieces)]


def _table(store: ObjectStore, parts: Iterable[str], summary: Summary) -> Iterator[bytes]:
    """All findings: those not healthy as in the report, then the healthy ones, read once more."""
    decode = msgspec.json.Decoder(Finding).decode
    yield CSV_HEADER
    yield from (csv_line(decode(line)) for line in summary.unhealthy())
    for key in parts:
        findings = map(decode, store.lines(key))
        yield from (csv_line(one) for one in findings if one.verdict is Verdict.HEALTHY)


def _written(store: ObjectStore, key: str, pieces: Iterable[bytes]) -> "Measured":
    """Write an object unless it is there; measure the one that is there now."""
    measured = Measured(key, pieces)
    with store.new_object(key) as out:
        for piece in measured:
            out.write(piece)
    return measured if out.is_new else _measured(store, key)


def _measured(store: ObjectStore, key: str) -> "Measured":
    """Measure the object that is stored now."""
    measured = Measured(key, store.lines(key))
    measured.pass_on()
    return measured


class Measured:
    """Measures an object, and counts its pieces, while they pass."""

    def __init__(self, key: str, pieces: Iterable[bytes]) -> None:
        self._key = key
        self._pieces = iter(pieces)
        self._sha256 = hashlib.sha256()
        self._bytes = 0
        self.pieces = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._sha256.update(piece)
            self._bytes += len(piece)
            self.pieces += 1
            yield piece

    def pass_on(self) -> None:
        """Let the rest pass."""
        for _ in self:
            pass

    @property
    def sha256(self) -> str:
        """The checksum of the pieces that have passed."""
        return self._sha256.hexdigest()

    def described(self, rows: int) -> KeptObject:
        """The manifest's entry, once all pieces have passed."""
        return KeptObject(key=self._key, bytes=self._bytes, sha256=self.sha256, rows=rows)
