"""A folder of reports as a bucket's copy has them, each made of what a test says of it."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from backup_audit.fleet.mutes import MuteRecord
from backup_audit.fleet.run import Run, Scope
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Resolved
from backup_audit.report.figures import Figures
from backup_audit.report.history import HistoryPoint, continued
from backup_audit.report.rendering import as_json, json_line, report_pieces
from backup_audit.report.report import (
    KeptObject,
    Latest,
    Manifest,
    News,
    PreviousReport,
    Report,
    coverage_of,
)
from tests.doubles.builders import finding
from tests.doubles.reports import stored

_HEALTHY = finding(Verdict.HEALTHY, "healthy")
_SUFFIXES = {Scope.FULL: "", Scope.PARTIAL: "-partial-0a1b2c3d", Scope.WHAT_IF: "-what_if-0a1b2c3d"}


class ReportFolder:
    """Writes runs; each full run follows the last one that was written before it.

    A run that a test says nothing of audits one healthy instance and is complete.
    """

    def __init__(
        self, folder: Path, prefix: str = "backup-audit", foundation: str = "prod"
    ) -> None:
        self.folder = folder
        self.root = folder / prefix
        self._prefix = prefix
        self._base = msgspec.structs.replace(stored([_HEALTHY]).head, foundation=foundation)
        self._previous: PreviousReport | None = None
        self._history: tuple[HistoryPoint, ...] = ()

    def run(
        self,
        due_at: datetime,
        findings: Sequence[Finding] = (),
        *,
        scope: Scope = Scope.FULL,
        healthy: int = 1,
        complete: bool = True,
        made_after: timedelta = timedelta(0),
        resolved: Sequence[Resolved] = (),
        mutes: Sequence[MuteRecord] = (),
        follows: PreviousReport | None = None,
        plan: dict[str, Any] | None = None,
        **head: Any,  # noqa: ANN401
    ) -> str:
        """Write a run, and return its id; `plan` and `head` are parts of the report."""
        run_id = f"{due_at:%Y%m%dT%H%M%SZ}{_SUFFIXES[scope]}"
        started_at = due_at + made_after
        run = Run(run_id=run_id, scope=scope, due_at=due_at, started_at=started_at)
        found = [_of(one, run) for one in findings]
        document = self._head(run, found, healthy, resolved, complete=complete)
        document = msgspec.structs.replace(
            document,
            plan=msgspec.structs.replace(
                document.plan, previous=follows or self._previous, **(plan or {})
            ),
            **head,
        )
        history = continued(self._history, _point(document)) if scope is Scope.FULL else ()
        figures = _figures(found, healthy)
        body = b"".join(
            report_pieces(
                document,
                history=history or self._history,
                breakdown=figures.breakdown(),
                late=figures.late(),
                mutes=mutes,
                findings=map(json_line, found),
                resolved=resolved,
            )
        )
        self._write(document, body)
        if scope is Scope.FULL:
            self._history = history
        return run_id

    def daily(self, first: datetime, days: int) -> None:
        """Write a complete full run for each of so many days."""
        for day in range(days):
            self.run(first + timedelta(days=day))

    def path(self, run_id: str, name: str = "") -> Path:
        """Where an object of a run is."""
        [place] = self.root.glob(f"reports/dt=*/run={run_id}")
        return place / name

    def delete(self, run_id: str, *names: str) -> None:
        """Delete these objects of a run, or all of it."""
        for path in list(self.path(run_id).iterdir()):
            if not names or path.name in names:
                path.unlink()

    def _head(
        self,
        run: Run,
        findings: Sequence[Finding],
        healthy: int,
        resolved: Sequence[Resolved],
        *,
        complete: bool,
    ) -> Report:
        counts = {verdict.value: 0 for verdict in Verdict}
        counts[Verdict.HEALTHY] = healthy
        for one in findings:
            counts[one.verdict] += 1
        return msgspec.structs.replace(
            self._base,
            run=run,
            finished_at=run.started_at + timedelta(seconds=9),
            complete=complete,
            why_incomplete=None if complete else "the run's time was over",
            counts=counts,
            coverage=coverage_of(counts),
            news=News(
                problems=sum(one.is_problem and one.mute is None for one in findings),
                new=sum(one.opened_at == run.due_at for one in findings),
                resolved=sum(one.resolved_at == run.due_at for one in resolved),
                muted=sum(one.mute is not None for one in findings),
                not_reached=sum(one.verdict.is_problem and not one.is_problem for one in findings),
            ),
        )

    def _write(self, document: Report, body: bytes) -> None:
        run = document.run
        place = self.root / f"reports/dt={run.due_at:%Y-%m-%d}/run={run.run_id}"
        place.mkdir(parents=True, exist_ok=True)
        key = f"{self._prefix}/reports/dt={run.due_at:%Y-%m-%d}/run={run.run_id}/report.json"
        digest = hashlib.sha256(body).hexdigest()
        kept = KeptObject(key=key, bytes=len(body), sha256=digest, rows=0)
        manifest = as_json(
            Manifest(run=run, complete=document.complete, invocation_id="i", objects=[kept])
        )
        (place / "report.json").write_bytes(body)
        (place / "manifest.json").write_bytes(manifest)
        if run.scope is not Scope.FULL:
            return
        self._previous = PreviousReport(
            run_id=run.run_id,
            report_key=key,
            report_sha256=digest,
            manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        )
        latest = Latest(
            foundation=document.foundation,
            run=run,
            complete=document.complete,
            why_incomplete=document.why_incomplete,
            report_key=key,
            manifest_key=key.replace("report.json", "manifest.json"),
            findings_prefix=f"{self._prefix}/findings/",
            coverage=document.coverage,
            counts=document.counts,
        )
        (self.root / "latest.json").write_bytes(as_json(latest))


def mute_record(**parts: Any) -> MuteRecord:  # noqa: ANN401
    """A mute of one audited instance, in force for long."""
    given: dict[str, Any] = {
        "guid": "guid-1",
        "owner": "team-orders",
        "reason": "moves this month",
        "until": date(2027, 12, 31),
        "state": "active",
        "instances": 1,
    }
    return msgspec.convert(given | parts, MuteRecord)


def _of(finding: Finding, run: Run) -> Finding:
    """The finding as that run has it; a problem without another start opened in it."""
    opened_at = finding.opened_at
    if opened_at is None and finding.is_problem:
        opened_at = run.due_at
    return msgspec.structs.replace(
        finding,
        run_id=run.run_id,
        scope=run.scope,
        due_at=run.due_at,
        opened_at=opened_at,
        since=opened_at,
        problem_id=None if opened_at is None else f"{finding.guid}@{opened_at:%Y%m%dT%H%MZ}",
    )


def _figures(findings: Sequence[Finding], healthy: int) -> Figures:
    figures = Figures()
    for one in findings:
        figures.add(one)
    for _ in range(healthy):
        figures.add(_HEALTHY)
    return figures


def _point(report: Report) -> HistoryPoint:
    return HistoryPoint(
        run_id=report.run.run_id,
        due_at=report.run.due_at,
        complete=report.complete,
        percent=report.coverage.percent,
        counts=report.counts,
        open=report.news.problems,
        new=report.news.new,
        resolved=report.news.resolved,
        muted=report.news.muted,
    )
