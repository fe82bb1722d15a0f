"""Reports, committed to a bucket in memory."""

from collections.abc import Sequence

import msgspec

from backup_audit.fleet.run import Run
from backup_audit.judge.finding import Finding
from backup_audit.report.changes import Resolved
from backup_audit.report.commit import commit
from backup_audit.report.reading import StoredReport
from backup_audit.report.rendering import json_line
from backup_audit.report.report import Effort, Plan, Report, WholeReport
from backup_audit.report.store import RunKeys
from backup_audit.report.summary import Summary, report_of
from tests.doubles.builders import NOW, run
from tests.doubles.fakes import InMemoryStore


def head(summary: Summary, of: Run | None = None) -> Report:
    """What a report says of findings that are summed up."""
    plan = Plan(
        notifies=True,
        instances=sum(summary.counts.values()),
        configuration_uri="ssm:/test",
        configuration_sha256="0" * 64,
        policy_digest="0" * 64,
    )
    return report_of(
        of or run(),
        plan,
        summary,
        foundation="test",
        effort=Effort(api_calls=plan.instances, retries=0, seconds=1.5),
        finished_at=NOW,
    )


def stored(
    findings: Sequence[Finding],
    *,
    remembered: Sequence[Resolved] = (),
    of: Run | None = None,
    store: InMemoryStore | None = None,
) -> StoredReport:
    """The report of these findings, in a bucket of its own."""
    store, keys = store or InMemoryStore(), RunKeys.of("backup-audit", of or run())
    store.objects[keys.findings(0)] = b"".join(map(json_line, findings))
    memory = {one.guid: one for one in remembered}
    report, _ = commit(
        store, keys, 1, memory, lambda told: head(told, of), mutes=(), invocation_id="i"
    )
    return report


def whole(findings: Sequence[Finding], *, remembered: Sequence[Resolved] = ()) -> WholeReport:
    """The report of these findings, all of it at once."""
    store = InMemoryStore()
    key = stored(findings, remembered=remembered, store=store).address.key
    return msgspec.json.decode(store.objects[key], type=WholeReport)
