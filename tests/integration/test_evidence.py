"""What the reports of a period prove, said by the command line from a copy of a bucket."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backup_audit.aws import CLIENTS
from backup_audit.errors import ReportStoreFailed
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse
from backup_audit.judge.verdict import Verdict
from backup_audit.report.changes import Ended
from backup_audit.report.report import Coverage, PreviousReport
from backup_audit_cli import bounded, evidence
from backup_audit_cli.__main__ import main
from backup_audit_cli.archives import FolderArchive, archive_at
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.gathering import Gathering
from backup_audit_cli.period import Period
from backup_audit_cli.runs import roots
from tests.doubles.builders import MUTE, PLACE, ended_problem, finding, inventory
from tests.doubles.fits import assert_fits
from tests.doubles.report_folder import ReportFolder, mute_record
from tests.doubles.some import rest
from tests.integration.deployment import deployed
from tools.local_cloud.aws import BUCKET

FIRST = datetime(2026, 10, 1, 5, tzinfo=UTC)
TODAY = datetime(2027, 1, 4, 9, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SCHEMA = Path("docs/schemas/evidence.schema.json")


class Auditor:
    """Asks for the evidence of a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def asks(self, first: str, last: str, *more: str) -> tuple[int, str, str]:
        """The exit status, and what was said to stdout and to stderr."""
        status = main(["evidence", first, last, str(self.folder), *more])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def proof(self, first: str, last: str) -> dict[str, Any]:
        """The document; it fits its schema."""
        _, said, _ = self.asks(first, last, "--json")
        document: dict[str, Any] = json.loads(said)
        assert_fits(document, SCHEMA)
        return document


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "now", lambda: TODAY)


@pytest.fixture
def auditor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    return Auditor(tmp_path, capsys)


@pytest.fixture
def reports(tmp_path: Path) -> ReportFolder:
    return ReportFolder(tmp_path)


# ── Days ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_quarter_in_which_each_day_has_a_complete_full_run_is_proved(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST, 92)

    status, said, _ = auditor.asks("2026-10-01", "2026-12-31")

    assert status == ExitStatus.FINE
    whole = "a complete full run, and the chain of reports holds; coverage always 100 %"
    assert said.splitlines()[:2] == [
        f"Each of 92 days has {whole}",
        "Evidence of the backup audit of prod, 2026-10-01 to 2026-12-31 (UTC)",
    ]
    assert "92 days, of which 92 have a complete full run" in said
    assert "longest time between two complete ones: 24 h" in said


def test_a_day_without_a_run_is_named(auditor: Auditor, reports: ReportFolder) -> None:
    reports.daily(FIRST, 44)
    reports.daily(FIRST + 45 * DAY, 47)

    status, said, _ = auditor.asks("2026-10-01", "2026-12-31")

    assert status == ExitStatus.WRONG
    assert said.splitlines()[0] == (
        "Not proved: 91 of 92 days have a complete full run, and the chain of reports holds; "
        "coverage always 100 %"
    )
    assert "  2026-11-14: no full run\n" in said
    assert "longest time between two complete ones: 2 d, after run 20261113T050000Z due" in said


@pytest.mark.parametrize(("days", "said_as"), [(1, "1"), (2, "2"), (3, "3")])
def test_days_in_a_row_without_a_run_are_one_range(
    auditor: Auditor, reports: ReportFolder, days: int, said_as: str
) -> None:
    reports.daily(FIRST, 2)
    reports.daily(FIRST + (2 + days) * DAY, 2)

    proof = auditor.proof("2026-10-01", f"2026-10-{4 + days:02d}")

    last = date(2026, 10, 2) + timedelta(days=days)
    assert proof["days"]["not_proved"] == [
        {"proof": "no_run", "first": "2026-10-03", "last": f"{last}", "days": int(said_as)}
    ]


def test_a_quarter_without_a_run_proves_nothing_and_says_so(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST - 100 * DAY, 3)

    status, said, _ = auditor.asks("2026-10-01", "2026-12-31")

    assert status == ExitStatus.WRONG
    assert said.startswith("No run at all, 2026-10-01 to 2026-12-31: nothing is proved\n")
    assert "  2026-10-01 to 2026-12-31 (92 days): no full run\n" in said


def test_runs_of_some_instances_and_what_ifs_are_counted_and_prove_nothing(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.run(FIRST, scope=Scope.PARTIAL)
    reports.run(FIRST + HOUR, scope=Scope.WHAT_IF)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert status == ExitStatus.WRONG
    assert said.startswith("No full run at all, 2026-10-01: nothing is proved\n")
    assert "no evidence, and counted nowhere else: 1 partial, 1 what-if" in said


@pytest.mark.parametrize(
    ("due", "day"),
    [
        ("2026-10-01T23:59:59Z", "2026-10-01"),
        ("2026-10-02T00:00:00Z", "2026-10-02"),
        ("2026-10-02T00:00:01Z", "2026-10-02"),
    ],
)
def test_a_run_counts_for_the_day_in_utc_on_which_it_was_due(
    auditor: Auditor, reports: ReportFolder, due: str, day: str
) -> None:
    reports.run(datetime.fromisoformat(due))

    assert auditor.asks(day, day)[0] == ExitStatus.FINE
    other = {"2026-10-01": "2026-10-02", "2026-10-02": "2026-10-01"}[day]
    assert auditor.asks(other, other)[0] == ExitStatus.WRONG


def test_one_complete_run_of_two_is_enough_for_a_day(
    auditor: Auditor, reports: ReportFolder
) -> None:
    for day in range(3):
        reports.run(FIRST + day * DAY, complete=False)
        reports.run(FIRST + day * DAY + 12 * HOUR)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-03")

    assert status == ExitStatus.FINE
    assert "full: 3 complete, 3 incomplete" in said


def test_a_day_whose_runs_are_all_incomplete_is_not_proved_and_the_reasons_are_said(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST, 1)
    unknown = [finding(Verdict.UNKNOWN, f"guid-{n}") for n in range(3)]
    reports.run(FIRST + DAY, unknown, healthy=7, complete=False)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert "2026-10-02: full runs, and none of them complete" in said
    assert "lowest coverage: 70 % (7 of 10), run 20261002T050000Z due 2026-10-02 05:00" in said
    assert "incomplete: run 20261002T050000Z due 2026-10-02 05:00 UTC, 70 %: the run's time" in said


def test_a_complete_run_that_found_nothing_out_proves_nothing(
    auditor: Auditor, reports: ReportFolder
) -> None:
    for day, healthy in enumerate([1, 0]):
        reports.run(FIRST + day * DAY, [finding(Verdict.UNKNOWN)], healthy=healthy)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert said.startswith("Not proved: 1 of 2 days has a complete full run, and the chain of")
    assert "2026-10-02: complete full runs, in which no instance could be audited" in said


def test_a_fleet_without_instances_is_audited_as_a_whole(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.run(FIRST, coverage=Coverage(configured=0, audited=0, unknown=0, percent=100.0))

    assert auditor.asks("2026-10-01", "2026-10-01")[0] == ExitStatus.FINE


@pytest.mark.parametrize(("ahead", "is_to_come"), [(-1, False), (0, True), (1, True)])
def test_a_day_that_is_not_over_is_to_come_and_not_missing(
    auditor: Auditor, reports: ReportFolder, ahead: int, *, is_to_come: bool
) -> None:
    reports.daily(FIRST, 1)
    last = TODAY + ahead * DAY

    proof = auditor.proof("2026-10-01", f"{last:%Y-%m-%d}")

    ranges = {one["proof"]: one for one in proof["days"]["not_proved"]}
    assert ("to_come" in ranges) is is_to_come
    assert ranges["no_run"]["last"] == f"{min(last, TODAY - DAY):%Y-%m-%d}"
    assert not proof["is_proved"]


def test_today_is_proved_by_the_run_that_it_has(auditor: Auditor, reports: ReportFolder) -> None:
    reports.daily(TODAY - DAY, 2)

    assert auditor.asks("2027-01-03", "2027-01-04")[0] == ExitStatus.FINE


@pytest.mark.parametrize(
    ("late", "is_said"),
    [(DAY - timedelta(seconds=1), False), (DAY, False), (DAY + timedelta(seconds=1), True)],
)
def test_a_run_made_more_than_a_day_after_it_was_due_is_named(
    auditor: Auditor, reports: ReportFolder, late: timedelta, *, is_said: bool
) -> None:
    reports.run(FIRST, made_after=late)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert status == ExitStatus.FINE
    assert ("made late: run 20261001T050000Z due 2026-10-01 05:00 UTC, made 202" in said) is is_said


# ── What people ask for ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        ("2026-13-01", "2026-12-31", 'FROM "2026-13-01" is not a day such as 2026-01-31'),
        ("2026-10-01", "2026-11-31", 'TO "2026-11-31" is not a day such as 2026-01-31'),
        ("20261001", "2026-12-31", 'FROM "20261001" is not a day'),
        ("2026-W40-1", "2026-12-31", 'FROM "2026-W40-1" is not a day'),
        ("2026-10-01", "\x1b[2J", 'TO "\\u001b[2J" is not a day'),
        ("2026-10-02", "2026-10-01", "FROM 2026-10-02 is after TO 2026-10-01"),
        ("2027-01-05", "2027-01-06", "FROM 2027-01-05 is in the future (today is 2027-01-04, UTC)"),
    ],
)
def test_a_range_that_is_none_is_refused(auditor: Auditor, first: str, last: str, why: str) -> None:
    status, said, error = auditor.asks(first, last)

    assert (status, said) == (ExitStatus.USAGE, "")
    assert why in error


def test_a_place_without_reports_cannot_be_looked_at(auditor: Auditor) -> None:
    status, _, error = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.UNAVAILABLE
    assert "holds no reports: no reports/dt=... is below it" in error


def test_without_a_place_the_bucket_of_the_environment_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REPORT_BUCKET", raising=False)

    assert main(["evidence", "2026-10-01", "2026-10-02"]) == ExitStatus.USAGE
    assert "WHERE is missing: s3://bucket[/prefix], a folder" in capsys.readouterr().err


@pytest.mark.loopback
def test_a_bucket_is_read_as_a_copy_of_it(
    reports: ReportFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.daily(FIRST, 3)
    with deployed(in_s3=True):
        for path in reports.folder.rglob("*.json"):
            key = path.relative_to(reports.folder).as_posix()
            CLIENTS.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        for where in (f"s3://{BUCKET}", f"s3://{BUCKET}/backup-audit/"):
            assert main(["evidence", "2026-10-01", "2026-10-03", where]) == ExitStatus.FINE
        monkeypatch.setenv("REPORT_BUCKET", BUCKET)
        monkeypatch.setenv("REPORT_PREFIX", "backup-audit")
        assert main(["evidence", "2026-10-01", "2026-10-03"]) == ExitStatus.FINE
        assert main(["evidence", "2026-10-01", "2026-10-03", "s3://gone"]) == 5
        with pytest.raises(ReportStoreFailed, match=r"/none could not be read: NoSuchKey"):
            list(archive_at(f"s3://{BUCKET}").pieces("none"))
        assert not archive_at(f"s3://{BUCKET}/").has("none")

    said = capsys.readouterr()
    assert said.out.count("Each of 3 days has a complete full run") == 3
    assert "s3://gone/ could not be listed: NoSuchBucket" in said.err


def test_each_foundation_below_a_place_has_an_evidence_of_its_own(
    auditor: Auditor, tmp_path: Path
) -> None:
    ReportFolder(tmp_path, "eu", "prod-eu").daily(FIRST, 2)
    ReportFolder(tmp_path, "us/deep", "prod-us").daily(FIRST, 1)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02", "--html", f"{tmp_path}/e.html")

    assert status == ExitStatus.WRONG
    assert "of prod-eu, 2026-10-01 to 2026-10-02 (UTC)\n" in said
    assert "of prod-us, 2026-10-01 to 2026-10-02 (UTC)\n" in said
    rest = "a complete full run, and the chain of reports holds; coverage always 100 %"
    assert re.findall(r"^(?:Not proved: |Each of ).*$", said, re.MULTILINE) == [
        f"Each of 2 days has {rest}",
        f"Not proved: 1 of 2 days has {rest}",
    ]
    assert {path.name for path in tmp_path.glob("*.html")} == {"e-eu.html", "e-us-deep.html"}


# ── The chain ─────────────────────────────────────────────────────────────────────────────────────


def changed(reports: ReportFolder, run_id: str, name: str = "report.json") -> None:
    path = reports.path(run_id, name)
    path.write_bytes(path.read_bytes().replace(b'"healthy": 1', b'"healthy": 2'))


def rewritten(reports: ReportFolder, run_id: str) -> None:
    """A report that was changed, and its manifest with it."""
    before = hashlib.sha256(reports.path(run_id, "report.json").read_bytes()).hexdigest()
    changed(reports, run_id)
    after = hashlib.sha256(reports.path(run_id, "report.json").read_bytes()).hexdigest()
    manifest = reports.path(run_id, "manifest.json")
    manifest.write_text(manifest.read_text("utf-8").replace(before, after), "utf-8")


def gone(reports: ReportFolder, run_id: str) -> None:
    reports.delete(run_id)


def without_manifest(reports: ReportFolder, run_id: str) -> None:
    reports.delete(run_id, "manifest.json")


def damaged(reports: ReportFolder, run_id: str) -> None:
    reports.path(run_id, "report.json").write_text("[]", "utf-8")


def bad_manifest(reports: ReportFolder, run_id: str) -> None:
    reports.path(run_id, "manifest.json").write_text("[]", "utf-8")


THIRD = "20261003T050000Z"


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (changed, f"run={THIRD}/report.json is not what run {THIRD} wrote"),
        (
            rewritten,
            f"report.json of run {THIRD} is not the one that run 20261004T050000Z followed",
        ),
        (gone, f"run {THIRD}, which run 20261004T050000Z follows, is gone, though older runs are"),
        (without_manifest, f"run {THIRD}, which run 20261004T050000Z follows, is gone, though"),
        (damaged, f"run={THIRD}/report.json cannot be read: "),
        (bad_manifest, f"run={THIRD}/manifest.json does not describe the report beside it"),
    ],
)
@pytest.mark.parametrize("last", ["2026-10-05", "2026-10-03"])
def test_a_run_that_is_not_what_was_written_breaks_the_chain(
    auditor: Auditor,
    reports: ReportFolder,
    happens: Callable[[ReportFolder, str], None],
    says: str,
    last: str,
) -> None:
    """Also if the run that betrays it is after the period."""
    reports.daily(FIRST, 5)
    happens(reports, THIRD)

    status, said, _ = auditor.asks("2026-10-01", last)

    assert status == ExitStatus.WRONG
    assert said.startswith("Not proved: ")
    assert "the chain of reports is broken" in said.splitlines()[0]
    assert f"FAULT: {says}" in said.replace("reports/dt=2026-10-03/", "")
    assert "The chain is broken: the newest full run, 20261005T050000Z, vouches for" in said


def test_a_run_that_somebody_put_there_is_vouched_for_by_none(
    auditor: Auditor, reports: ReportFolder
) -> None:
    """It fills a day, names the run before it, and no run after it names it."""
    reports.daily(FIRST, 2)
    second = json.loads(reports.path("20261002T050000Z", "report.json").read_bytes())
    reports.daily(FIRST + 3 * DAY, 2)
    last = (reports.root / "latest.json").read_bytes()
    follows = msgspec.convert(second["plan"]["previous"], PreviousReport)
    reports.run(FIRST + 2 * DAY, follows=follows)
    (reports.root / "latest.json").write_bytes(last)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-05")

    assert status == ExitStatus.WRONG
    assert said.startswith(
        "Not proved: 4 of 5 days have a complete full run that is the newest, or is vouched for"
    )
    assert "2026-10-03: complete full runs that no later run vouches for" in said
    assert f"not vouched for: run {THIRD} due 2026-10-03 05:00 UTC" in said


def test_runs_after_the_period_vouch_for_it_and_are_named(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST - DAY, 6)

    proof = auditor.proof("2026-10-01", "2026-10-02")

    assert proof["is_proved"]
    assert proof["chain"]["newest"]["run_id"] == "20261005T050000Z"
    assert (proof["chain"]["vouched"], proof["chain"]["later"]) == (2, 3)
    assert [one["position"] for one in proof["rests_on"]] == [
        *("before", "within", "within", "after", "after", "after")
    ]


def test_reports_that_expired_before_the_period_are_no_fault(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST - DAY, 4)
    reports.delete("20260930T050000Z")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.FINE
    assert "note: run 20260930T050000Z, which run 20261001T050000Z follows, is gone: the" in said


def test_a_run_deleted_just_before_the_period_is_a_fault_if_older_ones_are_there(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST - 3 * DAY, 5)
    reports.delete("20260930T050000Z")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert "FAULT: run 20260930T050000Z, which run 20261001T050000Z follows, is gone" in said


@pytest.mark.parametrize("unread", [without_manifest, damaged])
def test_of_the_runs_before_the_period_the_newest_that_can_be_read_is_enough(
    auditor: Auditor, reports: ReportFolder, unread: Callable[[ReportFolder, str], None]
) -> None:
    reports.daily(FIRST - 4 * DAY, 5)
    reports.delete("20260930T050000Z")
    unread(reports, "20260929T050000Z")

    proof = auditor.proof("2026-10-01", "2026-10-01")

    before = [one["run"]["run_id"] for one in proof["rests_on"] if one["position"] == "before"]
    assert before == ["20260928T050000Z"]
    gone = "run 20260930T050000Z, which run 20261001T050000Z follows, is gone, though older"
    assert any(one.startswith(gone) for one in proof["chain"]["faults"])


def test_a_run_that_was_never_committed_is_noted_and_counts_for_nothing(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST, 2)
    reports.delete("20261002T050000Z", "manifest.json")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert "not committed: 1; damaged: 0" in said
    assert "run=20261002T050000Z/ has no manifest.json: it is not committed" in said


def test_runs_of_the_period_are_counted_by_what_they_are_and_those_after_it_are_not(
    auditor: Auditor, reports: ReportFolder
) -> None:
    runs = [reports.run(FIRST + hours * HOUR) for hours in (*range(11), 24, 25, 26)]
    for run_id, *names in [
        *((run_id, "manifest.json") for run_id in (runs[0], runs[11])),
        (runs[1], "report.json"),
        (runs[2], "manifest.json", "report.json"),
    ]:
        reports.delete(run_id, *names)
    for run_id in (*runs[3:5], runs[12]):
        damaged(reports, run_id)
    for run_id in (*runs[5:8], runs[13]):
        changed(reports, run_id)
    for number, scope in enumerate([Scope.PARTIAL] * 2 + [Scope.WHAT_IF] * 3):
        reports.run(FIRST + timedelta(minutes=number), scope=scope)
    reports.run(FIRST + 26 * HOUR, scope=Scope.PARTIAL)
    reports.run(FIRST + 12 * HOUR, complete=False)
    reports.run(FIRST + 13 * HOUR, complete=False)

    proof = auditor.proof("2026-10-01", "2026-10-01")

    assert proof["runs"] == {
        "complete": 3,
        "incomplete": 2,
        "partial": 2,
        "what_if": 3,
        "uncommitted": 2,
        "unreadable": 5,
        "gone": 0,
    }
    assert proof["chain"]["later"] == 3
    notes = [one for one in proof["chain"]["notes"] if one.endswith("it is not committed")]
    assert [one.rpartition(" has ")[2].split(":")[0] for one in notes] == [
        "no manifest.json",
        "no report.json",
    ]


def test_a_report_in_the_place_of_another_is_a_fault(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST, 2)
    first, second = reports.path("20261001T050000Z"), reports.path("20261002T050000Z")
    for path in first.iterdir():
        (second / path.name).write_bytes(path.read_bytes())

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert "report.json is that of another run, 20261001T050000Z" in said


@pytest.mark.parametrize("name", ["report.json", "manifest.json"])
def test_a_report_of_a_newer_version_cannot_be_looked_at(
    auditor: Auditor, reports: ReportFolder, name: str
) -> None:
    reports.daily(FIRST, 2)
    path = reports.path("20261002T050000Z", name)
    path.write_bytes(path.read_bytes().replace(b'"schema_version": 1', b'"schema_version": 2', 1))

    status, said, error = auditor.asks("2026-10-01", "2026-10-02")

    assert (status, said) == (ExitStatus.UNAVAILABLE, "")
    assert f"{name} is of schema_version 2, and this version of backup-audit reads 1" in error
    assert "install the newer one that wrote it" in error


def test_a_problem_that_ended_in_the_last_run_is_not_open_though_that_lists_its_instance(
    auditor: Auditor, reports: ReportFolder
) -> None:
    young = msgspec.structs.replace(
        finding(Verdict.NEVER_BACKED_UP), verdict=Verdict.IN_GRACE, opened_at=FIRST
    )
    reports.run(FIRST + DAY, [young, finding(guid="guid-2")])

    problems = auditor.proof("2026-10-02", "2026-10-02")["problems"]

    assert [one["guid"] for one in problems["open"]] == ["guid-2"]


def test_a_last_report_whose_findings_are_damaged_is_a_fault_and_no_crash(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.run(FIRST, [finding()])
    rewritten(reports, "20261001T050000Z")
    path = reports.path("20261001T050000Z", "report.json")
    body = path.read_bytes().replace(b'"guid":"guid-1"', b'"guid":7')
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = reports.path("20261001T050000Z", "manifest.json")
    described = json.loads(manifest.read_bytes())
    assert described["objects"][0]["sha256"] == before
    described["objects"][0] |= {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
    path.write_bytes(body)
    manifest.write_text(json.dumps(described), "utf-8")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert status == ExitStatus.WRONG
    assert "report.json cannot be read: Expected `str`, got `int`" in said


def test_a_report_that_changes_while_it_is_read_is_an_error(
    reports: ReportFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last full report is read twice."""
    run_id = reports.run(FIRST)
    root = next(roots(FolderArchive(reports.folder)))
    gathering = Gathering(root, Period(FIRST.date(), FIRST.date()))
    problems = gathering._problems  # noqa: SLF001

    def later() -> object:
        changed(reports, run_id)
        return problems()

    monkeypatch.setattr(gathering, "_problems", later)

    with pytest.raises(ReportStoreFailed, match=r"report\.json changed while it was read"):
        gathering.of(TODAY)


# ── Whole or not ──────────────────────────────────────────────────────────────────────────────────


def line_of(reports: ReportFolder, run_id: str, day: str = "2026-10-02") -> None:
    """The line that queries read of a run."""
    path = reports.root / f"runs/dt={day}/run={run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", "utf-8")


def hourly(reports: ReportFolder, first: datetime = FIRST, days: int = 2) -> None:
    """Two runs a day."""
    for hours in range(0, 24 * days, 12):
        reports.run(first + hours * HOUR)


def test_a_first_run_of_the_period_that_is_gone_leaves_it_not_whole(
    auditor: Auditor, reports: ReportFolder
) -> None:
    """Its day has another complete run, and no older run tells expiry from deletion."""
    hourly(reports)
    reports.delete("20261001T050000Z")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")
    proof = auditor.proof("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert said.splitlines()[0] == (
        "Not proved: each of 2 days has a complete full run, and the chain of reports holds, but "
        "1 run of the period is gone; coverage always 100 %"
    )
    assert "note: run 20261001T050000Z, which run 20261001T170000Z follows, is gone" in said
    assert "gone, though named by what is there: 1" in said
    assert (proof["runs"]["gone"], proof["is_proved"]) == (1, False)


def test_a_run_before_the_period_that_is_gone_is_a_note(
    auditor: Auditor, reports: ReportFolder
) -> None:
    hourly(reports, FIRST - HOUR * 12)
    reports.delete("20260930T170000Z")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert status == ExitStatus.FINE
    assert "note: run 20260930T170000Z, which run 20261001T050000Z follows, is gone" in said


def test_a_run_that_is_gone_and_is_missed_twice_counts_once(
    auditor: Auditor, reports: ReportFolder
) -> None:
    hourly(reports)
    line_of(reports, "20261001T170000Z", "2026-10-01")
    reports.delete("20261001T170000Z")

    proof = auditor.proof("2026-10-01", "2026-10-02")

    assert proof["runs"]["gone"] == 1
    assert "but the chain of reports is broken, and 1 run of the period is gone" in proof["answer"]


@pytest.mark.parametrize("names", [("manifest.json",), ()])
def test_a_line_of_a_run_that_is_gone_says_that_there_was_one(
    auditor: Auditor, reports: ReportFolder, names: tuple[str, ...]
) -> None:
    """It is the newest, so that no run after it misses it."""
    hourly(reports)
    for run_id in ("20261002T050000Z", "20261002T170000Z"):
        line_of(reports, run_id)
    reports.delete("20261002T170000Z", *names)

    status, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert status == ExitStatus.WRONG
    assert said.startswith("Not proved: each of 2 days has a complete full run, and the chain ")
    assert "but 1 run of the period is gone" in said.splitlines()[0]
    line = "runs/dt=2026-10-02/run=20261002T170000Z.json"
    assert f"note: {line} is there, and its run is not committed" in said
    assert said.count("is there, and its run is not committed") == 1


@pytest.mark.parametrize("day", ["2026-09-30", "2026-10-03"])
def test_lines_of_other_days_are_not_of_the_period(
    auditor: Auditor, reports: ReportFolder, day: str
) -> None:
    hourly(reports)
    line_of(reports, f"{day.replace('-', '')}T050000Z", day)

    assert auditor.asks("2026-10-01", "2026-10-02")[0] == ExitStatus.FINE


def test_lines_alone_are_no_run_and_no_proof(auditor: Auditor, reports: ReportFolder) -> None:
    reports.daily(FIRST - DAY, 1)
    line_of(reports, "20261002T050000Z")
    line_of(reports, "20261003T050000Z", "2026-10-03")

    status, said, _ = auditor.asks("2026-10-01", "2026-10-03")

    assert status == ExitStatus.WRONG
    assert said.splitlines()[0] == (
        "No full run at all, 2026-10-01 to 2026-10-03: nothing is proved, and 2 runs of the period "
        "are gone"
    )


# ── Numbers and words ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("last", "days", "said_as"),
    [
        ("2026-10-01", 1, "1 day, which has a complete full run that is the newest, or"),
        ("2026-10-01", 0, "1 day, which has no complete full run that is the newest, or"),
        ("2026-10-03", 1, "3 days, of which 1 has a complete full run that is the newest, or"),
        ("2026-10-03", 3, "3 days, of which 3 have a complete full run that is the newest, or"),
    ],
)
def test_days_are_counted_in_words_that_fit(
    auditor: Auditor, reports: ReportFolder, tmp_path: Path, *, last: str, days: int, said_as: str
) -> None:
    reports.run(FIRST - DAY)
    reports.daily(FIRST, days)
    file = tmp_path / "e.html"

    _, said, _ = auditor.asks("2026-10-01", last, "--html", str(file))

    assert f"\n  {said_as} is vouched for\n" in said
    assert f"<p>{said_as} is vouched for.</p>" in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("after", "days", "said_as", "vouched"),
    [
        (
            0,
            1,
            "vouches for no other full run of the period; for itself only a run to come will",
            0,
        ),
        (0, 2, "vouches for 1 other full run of the period; for itself only a run to come", 1),
        (0, 3, "vouches for 2 other full runs of the period; for itself only a run to come", 2),
        (1, 1, "vouches for 1 full run of the period, through each run between", 1),
        (1, 3, "vouches for 3 full runs of the period, through each run between", 3),
        (1, 0, "vouches for no full run of the period", 0),
    ],
)
def test_the_newest_run_vouches_for_those_before_it_and_not_for_itself(
    auditor: Auditor, reports: ReportFolder, *, after: int, days: int, said_as: str, vouched: int
) -> None:
    reports.daily(FIRST, days)
    reports.daily(FIRST + 5 * DAY, after)
    reports.run(FIRST + 6 * DAY, scope=Scope.PARTIAL)

    _, said, _ = auditor.asks("2026-10-01", "2026-10-03")

    assert f"Z, {said_as}" in said
    assert auditor.proof("2026-10-01", "2026-10-03")["chain"]["vouched"] == vouched


def test_without_a_full_run_there_is_no_chain(
    auditor: Auditor, reports: ReportFolder, tmp_path: Path
) -> None:
    reports.run(FIRST, scope=Scope.PARTIAL)
    file = tmp_path / "e.html"

    _, said, _ = auditor.asks("2026-10-01", "2026-10-01", "--html", str(file))

    no_chain = "There is no chain: no full run, in the period or after it"
    assert f"Chain of reports\n  {no_chain}\n" in said
    assert f"{no_chain}.</p>" in file.read_text("utf-8")
    assert "chain holds" not in said
    assert auditor.proof("2026-10-01", "2026-10-01")["chain"]["holds"] is None


def test_a_chain_whose_only_run_is_damaged_is_broken(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.run(FIRST)
    damaged(reports, "20261001T050000Z")

    _, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert "The chain is broken: no full run can be read, in the period or after it" in said
    assert said.startswith("No run at all") is False
    assert "and the chain of reports is broken" in said.splitlines()[0]


def test_coverage_is_stated_and_not_judged(
    auditor: Auditor, reports: ReportFolder, tmp_path: Path
) -> None:
    reports.daily(FIRST, 1)
    unknown = [finding(Verdict.UNKNOWN, f"guid-{n}") for n in range(2)]
    reports.run(FIRST + DAY, unknown, healthy=8)
    reports.daily(FIRST + 2 * DAY, 1)
    file = tmp_path / "e.html"

    status, said, _ = auditor.asks("2026-10-01", "2026-10-03", "--html", str(file))

    answer = (
        "Each of 3 days has a complete full run, and the chain of reports holds; lowest coverage "
        "80 % (2026-10-02)"
    )
    assert (status, said.splitlines()[0]) == (ExitStatus.FINE, answer)
    assert f"<h1>{answer}</h1>" in file.read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
    proof = auditor.proof("2026-10-01", "2026-10-03")
    assert (proof["answer"], proof["is_proved"]) == (answer, True)


# ── Problems, mutes, excludes, versions ───────────────────────────────────────────────────────────


def over(guid: str, opened_at: datetime, ended_at: datetime, **parts: Any) -> Any:  # noqa: ANN401
    times = {"since": opened_at, "opened_at": opened_at, "resolved_at": ended_at}
    return ended_problem(guid, **times, **parts)


def test_a_problem_that_ended_is_named_once_though_reports_remember_it_for_30_days(
    auditor: Auditor, reports: ReportFolder
) -> None:
    ended = over("guid-7", FIRST, FIRST + 2 * DAY, name="orders", owner="team-orders")
    reports.daily(FIRST, 2)
    for day in range(2, 5):
        reports.run(FIRST + day * DAY, resolved=[ended])

    _, said, _ = auditor.asks("2026-10-01", "2026-10-05")

    assert "1 opened, 1 ended, 0 open as of run 20261005T050000Z" in said
    assert said.count("ended: orders (guid-7), owner team-orders: stale since 2026-10-01") == 1
    assert "05:00 UTC, after 2 d: healthy" in said


@pytest.mark.parametrize(
    ("ended_at", "counts"),
    [
        (datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 10, 1, tzinfo=UTC), True),
        (datetime(2026, 10, 1, 0, 0, 1, tzinfo=UTC), True),
    ],
)
def test_what_ended_before_the_period_is_not_of_it(
    auditor: Auditor, reports: ReportFolder, ended_at: datetime, *, counts: bool
) -> None:
    """Its first report remembers what ended in the month before."""
    reports.run(FIRST, resolved=[over("guid-7", ended_at - DAY, ended_at)])

    problems = auditor.proof("2026-10-01", "2026-10-01")["problems"]

    assert (problems["ended_count"], problems["opened"]) == (int(counts), 0)


def test_the_end_that_a_lost_report_had_is_found_in_the_next_one(
    auditor: Auditor, reports: ReportFolder
) -> None:
    ended = over("guid-7", FIRST, FIRST + DAY, ended=Ended.GONE)
    reports.daily(FIRST, 1)
    lost = reports.run(FIRST + DAY, resolved=[ended])
    reports.run(FIRST + 2 * DAY, resolved=[ended])
    reports.delete(lost)

    problems = auditor.proof("2026-10-01", "2026-10-03")["problems"]

    assert [one["ended"] for one in problems["ended"]] == ["gone"]


def test_problems_that_are_open_at_the_end_are_named_with_owner_and_duration(
    auditor: Auditor, reports: ReportFolder
) -> None:
    opened = msgspec.structs.replace(finding(name="orders", owner="dba"), opened_at=FIRST, **PLACE)
    muted = finding(Verdict.NEVER_BACKED_UP, "guid-2", mute=MUTE)
    reports.daily(FIRST, 2)
    reports.run(FIRST + 2 * DAY, [muted, opened])
    reports.run(FIRST + 3 * DAY)

    _, said, _ = auditor.asks("2026-10-01", "2026-10-03")

    assert "2 opened, 0 ended, 2 open as of run 20261003T050000Z" in said
    assert (
        "open: orders (guid-1) in prod-eu / payments, owner dba: stale since 2026-10-01 05:00 UTC, "
        "for 2 d"
    ) in said
    assert "open: guid-2, no owner, muted: never_backed_up since 2026-10-03 05:00 UTC" in said


@pytest.mark.parametrize("count", [19, 20, 21])
def test_the_text_names_20_problems_and_counts_the_others(
    auditor: Auditor, reports: ReportFolder, count: int
) -> None:
    reports.run(FIRST, [finding(guid=f"guid-{n:02d}") for n in range(count)])

    _, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert said.count("\n  open: ") == min(count, 20)
    assert ("… and 1 more: --json and --html name them" in said) is (count > 20)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_document_names_the_longest_and_counts_the_others(
    auditor: Auditor, reports: ReportFolder, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "NAMED_MAX", 3)
    problems = [over(f"g{n}", FIRST - n * DAY, FIRST) for n in range(1, count + 1)]
    for run in range(2):
        reports.run(FIRST + run * DAY, resolved=problems, mutes=_mutes(count))

    proof = auditor.proof("2026-10-01", "2026-10-02")

    named = [one["guid"] for one in proof["problems"]["ended"]]
    assert named == [f"g{n}" for n in range(count, max(count - 3, 0), -1)]
    assert proof["problems"]["ended_count"] == count
    assert len(proof["mutes"]) == min(count, 3)
    assert proof["left_out"] == ({"mutes": 2} if count > 3 else {})


def _mutes(count: int) -> list[Any]:
    return [mute_record(guid=f"guid-{n}") for n in range(count)]


def test_a_mute_has_the_first_and_the_last_run_that_it_was_in_force_in(
    auditor: Auditor, reports: ReportFolder
) -> None:
    until = FIRST.date() + timedelta(days=2)
    for day in range(1, 5):
        mutes = [mute_record(until=until, instances=day), mute_record(reason="a  <b>", guid=None)]
        reports.run(FIRST + day * DAY, mutes=mutes)

    proof = auditor.proof("2026-10-01", "2026-10-05")
    _, said, _ = auditor.asks("2026-10-01", "2026-10-05")

    first, second = proof["mutes"]
    runs = (first["first"]["run_id"], first["last"]["run_id"], first["runs"])
    assert runs == ("20261002T050000Z", "20261003T050000Z", 2)
    assert (first["instances"], first["until"], first["owner"]) == (2, "2026-10-03", "team-orders")
    assert second["runs"] == 4
    assert (
        "guid-1: 'moves this month', team-orders, until 2026-10-03; 2 instances at most; 2 runs, "
        "20261002T050000Z to 20261003T050000Z"
    ) in said
    assert "'a <b>', team-orders" in said


def test_excludes_in_force_are_named_and_those_that_are_over_are_not(
    auditor: Auditor, reports: ReportFolder
) -> None:
    def exclude(state: ExcludeState, org: str) -> ExcludeUse:
        return ExcludeUse(
            rule="exclude[0]",
            match={"org": org},
            owner="sre",
            reason="torn down nightly",
            until="never",
            state=state,
            instances=3,
        )

    uses = [exclude(ExcludeState.ACTIVE, "lab"), exclude(ExcludeState.EXPIRED, "old")]
    reports.run(FIRST, inventory=inventory(excluded=uses))

    _, said, _ = auditor.asks("2026-10-01", "2026-10-01")

    assert (
        """{"org":"lab"}: 'torn down nightly', sre, until never; 3 instances at most; run 2026"""
    ) in said
    assert "old" not in said.split("Excludes in force")[1].split("Versions")[0]


def test_versions_configurations_and_policies_have_their_runs(
    auditor: Auditor, reports: ReportFolder
) -> None:
    for day, digest in enumerate(["a" * 64, "a" * 64, "b" * 64]):
        plan = {"configuration_sha256": digest, "policy_digest": digest[:8]}
        reports.run(FIRST + day * DAY, plan=plan, tool=f"backup-audit 1.{day // 2}.0")

    proof = auditor.proof("2026-10-01", "2026-10-03")

    assert [(one["value"], one["runs"]) for one in proof["versions"]] == [
        ("backup-audit 1.0.0", 2),
        ("backup-audit 1.1.0", 1),
    ]
    assert [(one["sha256"][0], one["runs"]) for one in proof["configurations"]] == [
        ("a", 2),
        ("b", 1),
    ]
    assert [one["value"][0] for one in proof["policies"]] == ["a", "b"]


def test_a_foundation_with_another_name_is_noted(auditor: Auditor, reports: ReportFolder) -> None:
    reports.daily(FIRST, 1)
    reports.run(FIRST + DAY, foundation="other")

    _, said, _ = auditor.asks("2026-10-01", "2026-10-02")

    assert "note: run 20261002T050000Z is of the foundation other" in said


# ── Handed over ───────────────────────────────────────────────────────────────────────────────────


def test_the_text_ends_with_checksums_that_sha256sum_understands(
    auditor: Auditor, reports: ReportFolder
) -> None:
    reports.daily(FIRST, 3)

    _, said, _ = auditor.asks("2026-10-01", "2026-10-02")
    sums = said.partition("sha256 of what this rests on")[2].split("\n", 1)[1]
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict"],
        input=sums,
        cwd=reports.root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK\n") == 6


def test_the_page_says_what_the_text_says_and_fetches_nothing(
    auditor: Auditor, reports: ReportFolder, tmp_path: Path
) -> None:
    reports.run(FIRST, [finding(name="orders")], mutes=[mute_record()])
    file = tmp_path / "evidence.html"

    status, said, error = auditor.asks("2026-10-01", "2026-10-02", "--html", str(file))
    page = file.read_text("utf-8")

    assert status == ExitStatus.WRONG
    assert f"<h1>{said.splitlines()[0]}</h1>" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert f"written: {file}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}\n" == error
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;" in page
    assert not re.findall(r"<script|<a |src=|url\(|http:|https:|style=|\son\w+=", page)
    assert "Reviewed by" in page
    for kept in auditor.proof("2026-10-01", "2026-10-02")["rests_on"]:
        assert kept["report"]["sha256"] in page
        assert kept["manifest"]["sha256"] in page


def test_a_page_that_cannot_be_written_is_said(auditor: Auditor, reports: ReportFolder) -> None:
    reports.daily(FIRST, 1)

    status, _, error = auditor.asks("2026-10-01", "2026-10-01", "--html", "/no/such/folder/e.html")

    assert status == ExitStatus.USAGE
    assert "--html /no/such/folder/e.html: No such file or directory" in error


TAGS = "</style><script>alert(1)</script>"
HOSTILE = f"{TAGS}\x1b[2J\n\u202e=1+1"


def test_foreign_text_stays_text(auditor: Auditor, reports: ReportFolder, tmp_path: Path) -> None:
    evil = finding(name=HOSTILE, owner=HOSTILE)
    names = {"org": HOSTILE, "space": HOSTILE, "opened_at": FIRST}
    reports.run(
        FIRST,
        [msgspec.structs.replace(evil, **names)],
        complete=False,
        mutes=[mute_record(owner=TAGS, reason=TAGS)],
        foundation=HOSTILE,
        tool=HOSTILE,
        why_incomplete=HOSTILE,
        plan={"configuration_uri": HOSTILE},
    )
    file = tmp_path / "evidence.html"

    _, said, _ = auditor.asks("2026-10-01", "2026-10-01", "--html", str(file))
    page = file.read_text("utf-8")

    assert all(line.isprintable() for line in said.splitlines())
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_hourly_runs_are_read_one_after_the_other(auditor: Auditor, reports: ReportFolder) -> None:
    """Memory has a few KiB of each, of reports of 100 KiB."""
    problems = [finding(guid=f"guid-{n:03d}") for n in range(100)]
    for hour in range(96):
        due = FIRST.replace(hour=0) + hour * HOUR
        reports.run(due, problems, resolved=[over(f"g-{hour}", due - DAY, due)])

    tracemalloc.start()
    status, said, _ = auditor.asks("2026-10-01", "2026-10-04")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert status == ExitStatus.FINE
    assert "full: 96 complete, 0 incomplete" in said
    assert "96 ended, 100 open as of run 20261004T230000Z" in said
    assert peak < 2 * 2**20


# ── Pipes ─────────────────────────────────────────────────────────────────────────────────────────


def piped(reports: ReportFolder, options: str, then: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m backup_audit_cli evidence 2026-10-01 2026-11-20"
    return subprocess.run(
        f"{command} {reports.folder} {options} | {then}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "options", ["", *map(rest, ["--json", "--html -", "--html /dev/stdout", "2>&1"])]
)
def test_a_reader_that_has_seen_enough_ends_it_quietly(
    reports: ReportFolder, options: str, tmp_path: Path
) -> None:
    for day in range(2):
        reports.run(FIRST + day * DAY, mutes=_mutes(2_000))

    said = piped(reports, options, "head -c 50")

    assert len(said.stdout) == 50
    assert "Traceback" not in said.stderr
    assert "Error" not in said.stderr
    assert not (tmp_path / "-").exists()


def test_a_page_for_standard_output_comes_alone(reports: ReportFolder) -> None:
    reports.daily(FIRST, 2)

    said = piped(reports, "--html -", "cat")

    assert said.stdout.startswith("<!doctype html>\n")
    assert said.stdout.rstrip().endswith("</html>")
    digest = hashlib.sha256(said.stdout.encode()).hexdigest()
    assert said.stderr == f"written: standard output, sha256 {digest}\n"


def test_standard_output_takes_one_document(
    auditor: Auditor, reports: ReportFolder, tmp_path: Path
) -> None:
    reports.daily(FIRST, 1)
    both = auditor.asks("2026-10-01", "2026-10-01", "--json", "--html", "-")
    ReportFolder(tmp_path, "us", "prod-us").daily(FIRST, 1)
    two = auditor.asks("2026-10-01", "2026-10-01", "--html", "-")

    assert both[:2] == two[:2] == (ExitStatus.USAGE, "")
    assert "--html -: standard output is for --json" in both[2]
    assert "--html -: 2 foundations have a page each, name a file" in two[2]
