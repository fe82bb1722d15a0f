"""What the newest report says, shown at a shell from a bucket or from a copy of one."""

import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backup_audit.aws import CLIENTS
from backup_audit.fleet.inventory import Operation
from backup_audit.fleet.run import Scope
from backup_audit.judge.evidence import Cause, Refusal, Silence
from backup_audit.judge.finding import Change, Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.report.failing import Failing
from backup_audit_cli import show
from backup_audit_cli.__main__ import main
from backup_audit_cli.exit_status import ExitStatus
from backup_audit_cli.table import new_console
from tests.doubles.builders import (
    HOUR,
    MUTE,
    NOW,
    PLACE,
    ended_problem,
    evidence,
    finding,
    instance,
    run,
)
from tests.doubles.fits import assert_fits
from tests.doubles.report_folder import ReportFolder, mute_record
from tests.doubles.some import rest
from tests.integration.deployment import deployed
from tools.local_cloud.aws import BUCKET

DAY = 24 * HOUR
SCHEMA = Path("docs/schemas/shown-report.schema.json")


class Shell:
    """Types `show` and the folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def shows(self, *options: str) -> tuple[int, str, str]:
        """The exit status, and what was said to stdout and to stderr."""
        status = main(["show", str(self.folder), *options])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def document(self, *options: str) -> dict[str, Any]:
        """What --json prints; it fits its schema."""
        _, said, _ = self.shows("--json", *options)
        document: dict[str, Any] = json.loads(said)
        assert_fits(document, SCHEMA)
        return document


REFUSED = finding_of(
    instance("r"), evidence(Refusal(10003, "CF-NotAuthorized", "no"), 403), run(), None
)


@pytest.fixture(autouse=True)
def _an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "now", lambda: NOW + 26 * HOUR)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture
def reports(tmp_path: Path) -> ReportFolder:
    return ReportFolder(tmp_path)


def of(owner: str, guid: str, org: str = "prod-eu", **parts: Any) -> Finding:  # noqa: ANN401
    """A stale instance of an owner."""
    return msgspec.structs.replace(
        finding(guid=guid, owner=owner, name=f"db-{guid}"), **{**PLACE, "org": org, **parts}
    )


# ── The answer ────────────────────────────────────────────────────────────────────────────────────


def test_the_answer_comes_first_then_the_run_the_counts_and_the_problems(
    shell: Shell, reports: ReportFolder
) -> None:
    stale = of("dba", "guid-1", change=Change.NEW)
    young = msgspec.structs.replace(finding(Verdict.HEALTHY, "g"), verdict=Verdict.IN_GRACE)
    reports.run(NOW - DAY)
    reports.run(NOW, [stale, young], healthy=8)

    status, said, _ = shell.shows()

    assert status == ExitStatus.WRONG
    lines = said.splitlines()
    assert [line for line in lines if not line.startswith("open problems over")][:3] == [
        "1 of 10 instances has a backup problem",
        "prod · full run · 20260131T050000Z · due 2026-01-31 05:00 UTC, 26 h ago · complete",
        "audited 10 of 10 (100 %): 1 stale, 1 in_grace, 8 healthy",
    ]
    assert re.search(r"stale +db-guid-1 +new +newest backup is 2 d 2 h old", said)
    assert lines[-3:] == [
        "since the run before: 1 new, 0 ended",
        "not shown: 1 in grace",
        f"{reports.path('20260131T050000Z', 'report.json')}",
    ]


def test_without_a_problem_the_status_is_0(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, healthy=3)

    status, said, error = shell.shows()

    assert (status, error) == (ExitStatus.FINE, "")
    assert said.startswith("No problem found: all 3 instances backed up\n")
    assert "verdict " not in said


def test_a_muted_problem_is_a_problem_of_which_nobody_is_notified(
    shell: Shell, reports: ReportFolder
) -> None:
    mutes = [mute_record(), mute_record(state="expired"), mute_record(state="unmatched")]
    reports.run(NOW, [finding(mute=MUTE)], mutes=mutes)

    status, said, _ = shell.shows()

    assert status == ExitStatus.WRONG
    assert said.startswith("No open problem: 1 of 2 instances backed up, 1 muted with a problem\n")
    assert "not shown: 1 muted\nmutes: 1 in force, 1 over, 1 for no audited instance\n" in said


def test_a_problem_of_an_instance_that_is_being_deleted_is_counted_and_not_shown(
    shell: Shell, reports: ReportFolder
) -> None:
    """Nobody is notified of it, and the answer does not count it."""
    deletion = Operation(type="delete", state="in progress", updated_at=NOW)
    reports.run(NOW, [of("dba", "d", operation=deletion)])

    status, said, _ = shell.shows("--owner", "dba")

    assert status == ExitStatus.WRONG
    assert said.startswith("No open problem among 1 instance with owner dba\n")
    assert "not shown: 1 with a problem and being deleted\n" in said
    assert "verdict " not in said


def test_an_incomplete_run_is_wrong_and_says_why(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, complete=False)

    status, said, _ = shell.shows()

    assert status == ExitStatus.WRONG
    assert "26 h ago · INCOMPLETE: the run's time was over" in said


def test_instances_that_were_not_reached_are_counted(shell: Shell, reports: ReportFolder) -> None:
    silence = Silence(Cause.NOT_REACHED, "the time was over")
    missed = finding_of(instance("n"), evidence(silence, None), run(), None)
    reports.run(NOW, [missed], complete=False)

    _, said, _ = shell.shows()

    assert said.startswith("1 of 2 instances was not reached; no problem among the others\n")
    assert "not shown: 1 not reached, and without a problem before\n" in said


@pytest.mark.parametrize(
    ("unknown", "answer"),
    [
        (finding(Verdict.UNKNOWN), "Nothing is known: the API answered for none of 1 instance"),
        (REFUSED, "Nothing is known: the API gave no usable answer for any of 1 instance"),
    ],
)
def test_the_answer_of_a_run_that_knows_nothing_says_why(
    shell: Shell, reports: ReportFolder, unknown: Finding, answer: str
) -> None:
    reports.run(NOW, [unknown], healthy=0)

    assert shell.shows()[1].startswith(f"{answer}\n")


def test_a_run_that_was_made_late_says_so(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, made_after=3 * DAY)

    assert "note: it was made 3 d after it was due" in shell.shows()[1]


# ── What comes before the answer ──────────────────────────────────────────────────────────────────


def missed(owner: str, guid: str, **parts: Any) -> Finding:  # noqa: ANN401
    """An instance that the run did not get to."""
    silence = Silence(Cause.NOT_REACHED, "the time was over")
    found = finding_of(instance(guid), evidence(silence, None), run(), None)
    return msgspec.structs.replace(found, owner=owner, **parts)


def fails(reports: ReportFolder, **parts: Any) -> Failing:  # noqa: ANN401
    """failing.json of full runs that have failed since a day after the newest."""
    given: dict[str, Any] = {
        "foundation": "prod",
        "since": NOW + DAY,
        "runs": 3,
        "cause": "the secret is\n\x1b[2Jgone",
        "last_run_id": "20260203T050000Z",
        "last_failed_at": NOW + 3 * DAY,
        "counted": ("20260203T050000Z",),
    }
    failing = Failing(**(given | parts))
    (reports.root / "failing.json").write_bytes(msgspec.json.encode(failing))
    return failing


def test_while_full_runs_fail_the_first_line_says_since_when_and_why(
    shell: Shell, reports: ReportFolder
) -> None:
    reports.run(NOW, healthy=3)
    fails(reports)

    status, said, _ = shell.shows()

    assert status == ExitStatus.WRONG
    assert said.splitlines()[:2] == [
        (
            "Full runs have failed since 2026-02-01 05:00 UTC, 3 so far, the last at "
            "2026-02-03 05:00 UTC: the secret is [2Jgone"
        ),
        "No problem found: all 3 instances backed up",
    ]
    assert shell.document()["failing"] == {
        "since": "2026-02-01T05:00:00Z",
        "runs": 3,
        "cause": "the secret is\n\x1b[2Jgone",
        "last_failed_at": "2026-02-03T05:00:00Z",
    }


@pytest.mark.parametrize(
    "parts",
    [
        {"ended_at": NOW + 4 * DAY},
        {"last_failed_at": NOW + timedelta(seconds=9)},
        {"last_run_id": "20260131T050000Z"},
    ],
)
def test_a_failure_that_is_over_is_not_said(
    shell: Shell, reports: ReportFolder, parts: dict[str, Any]
) -> None:
    """The run is the newest, and had finished when the last one failed, or is that one."""
    reports.run(NOW)
    fails(reports, **parts)

    status, said, _ = shell.shows()

    assert (status, said.splitlines()[0]) == (0, "No problem found: 1 instance backed up")
    assert shell.document()["failing"] is None


def test_of_a_run_that_is_named_it_is_not_said_what_failed_later_nor_its_age(
    shell: Shell, reports: ReportFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = reports.run(NOW)
    fails(reports)
    monkeypatch.setattr(show, "now", lambda: NOW + 28 * DAY)

    assert shell.shows("--run", run_id)[:2][0] == ExitStatus.FINE
    assert shell.shows("--run", run_id)[1].startswith("No problem found")


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("{", "failing.json is damaged (Input data was truncated): "),
        ('{"schema_version": 2}', "failing.json is of schema_version 2, and this version of "),
    ],
)
def test_a_failing_json_that_cannot_be_read_is_noted(
    shell: Shell, reports: ReportFolder, body: str, note: str
) -> None:
    reports.run(NOW)
    (reports.root / "failing.json").write_text(body, "utf-8")

    status, said, _ = shell.shows()

    assert status == ExitStatus.FINE
    first, second = said.splitlines()[:2]
    assert first.startswith(f"note: {note}")
    assert first.endswith("whether full runs fail is not known")
    assert second.startswith("No problem found")
    assert len(shell.document()["notes"]) == 1


def test_where_no_full_run_is_there_it_is_said_why_they_fail(
    shell: Shell, reports: ReportFolder
) -> None:
    reports.run(NOW, scope=Scope.PARTIAL)
    fails(reports)

    status, _, error = shell.shows()

    assert status == ExitStatus.UNAVAILABLE
    assert "holds no committed full run" in error
    assert "Full runs have failed since 2026-02-01 05:00 UTC, 3 so far" in error


@pytest.mark.parametrize(
    ("age", "is_said"),
    [(2 * DAY - timedelta(seconds=1), ""), (2 * DAY, ""), (2 * DAY + timedelta(seconds=1), "2 d")],
)
def test_a_newest_run_of_more_than_two_days_ago_is_said_to_be_old(
    shell: Shell,
    reports: ReportFolder,
    monkeypatch: pytest.MonkeyPatch,
    age: timedelta,
    is_said: str,
) -> None:
    reports.run(NOW)
    monkeypatch.setattr(show, "now", lambda: NOW + age)

    status, said, _ = shell.shows()

    assert status == ExitStatus.FINE
    lines = said.splitlines()
    assert (lines[0] == f"note: the newest full run is {is_said} old") is bool(is_said)
    assert "No problem found: 1 instance backed up" in lines[:2]


@pytest.mark.parametrize(
    ("scope", "note"),
    [
        (Scope.PARTIAL, "note: a run of some instances: it is compared with no other run, and no "),
        (Scope.WHAT_IF, "note: a what-if, not the configured policy: it is compared with no othe"),
    ],
)
def test_that_a_run_is_no_evidence_comes_before_its_answer(
    shell: Shell, reports: ReportFolder, scope: Scope, note: str
) -> None:
    run_id = reports.run(NOW, scope=scope)

    first, second = shell.shows("--run", run_id)[1].splitlines()[:2]

    assert first.startswith(note)
    assert second.startswith("No problem found")


def test_the_first_full_run_has_nothing_new(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, [of("dba", "guid-1", change=Change.NEW)])

    for options in ([], ["--all"], ["--owner", "dba"]):
        _, said, _ = shell.shows(*options)
        assert "First full run. There is no run before to compare with" in said
        assert "since the run before" not in said
        assert not re.search(r"\[new\]|\bnew +newest", said)


@pytest.mark.parametrize(
    ("count", "healthy", "parts", "answer"),
    [
        (0, 2, {}, "No problem found among 2 instances with owner a"),
        (1, 2, {}, "1 of 3 instances with owner a was not reached; no problem found among the oth"),
        (20, 20, {}, "20 of 40 instances with owner a were not reached; no problem found among "),
        (2, 0, {}, "Nothing is known of 2 instances with owner a: none was reached"),
        (1, 0, {}, "Nothing is known of 1 instance with owner a: it was not reached"),
        (2, 2, {"mute": MUTE}, "2 of 4 instances with owner a were not reached; no problem found"),
        (2, 2, {"problem_id": "p"}, "2 of 4 instances with owner a were not reached; no problem "),
    ],
)
def test_instances_of_a_team_that_were_not_reached_lead_the_sentence(
    shell: Shell,
    reports: ReportFolder,
    *,
    count: int,
    healthy: int,
    parts: dict[str, Any],
    answer: str,
) -> None:
    fine = msgspec.structs.replace(finding(Verdict.HEALTHY, "h"), owner="a")
    ours = [missed("a", f"n{n}", **parts) for n in range(count)]
    reports.run(NOW, [*ours, *[fine] * healthy], complete=False)

    status, said, _ = shell.shows("--owner", "a")

    assert status == ExitStatus.WRONG
    assert said.startswith(answer), said
    assert shell.document("--owner", "a")["found"]["answer"].startswith(answer)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ([of("a", "s")], "1 of 3 instances with owner a has a backup problem\n"),
        (
            [of("a", "s"), missed("a", "n"), finding(Verdict.UNKNOWN, "u", owner="a")],
            "1 of 5 instances with owner a was not reached, 1 is unknown; 1 other has a backup pro",
        ),
        (
            [of("a", "s"), of("a", "t"), finding(Verdict.UNKNOWN, "u", owner="a")],
            "1 of 5 instances with owner a is unknown; 2 others have a backup problem\n",
        ),
        (
            [of("a", "s", mute=MUTE), missed("a", "n")],
            "1 of 4 instances with owner a was not reached; no open problem among the others\n",
        ),
        ([of("a", "s", mute=MUTE)], "No open problem among 3 instances with owner a\n"),
    ],
)
def test_what_is_unknown_comes_before_what_is_known(
    shell: Shell, reports: ReportFolder, found: list[Finding], answer: str
) -> None:
    fine = msgspec.structs.replace(finding(Verdict.HEALTHY, "h"), owner="a")
    reports.run(NOW, [*found, fine, fine])

    assert shell.shows("--owner", "a")[1].startswith(answer), shell.shows("--owner", "a")[1]


def test_where_it_is_not_known_how_many_there_are_nothing_is_said_of_others(
    shell: Shell, reports: ReportFolder
) -> None:
    reports.run(NOW, [missed("a", "n", org="o")], complete=False)

    said = shell.shows("--owner", "a", "--org", "o")[1]

    assert said.startswith("1 instance with owner a, org o was not reached; no problem found bes")


def test_where_all_of_a_team_is_unknown_nothing_is_known(
    shell: Shell, reports: ReportFolder
) -> None:
    reports.run(NOW, [finding(Verdict.UNKNOWN, f"u{n}", owner="a") for n in range(2)])

    said = shell.shows("--owner", "a")[1]

    assert said.startswith("Nothing is known of 2 instances with owner a: no usable answer\n")


# ── Which run ─────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_full_run_is_shown_and_no_run_of_some_instances(
    shell: Shell, reports: ReportFolder
) -> None:
    reports.run(NOW)
    reports.run(NOW + DAY, healthy=2)
    reports.run(NOW + DAY + HOUR, [finding()], scope=Scope.PARTIAL)

    assert "No problem found: all 2" in shell.shows()[1]


@pytest.mark.parametrize(
    ("happens", "note"),
    [
        ("gone", "note: latest.json is gone: this is the newest run that is there"),
        ("damaged", "note: latest.json is damaged (Input data was truncated): this is the newest"),
        ("lost", "note: run 20260202T050000Z, which latest.json names, is gone: this is the newe"),
    ],
)
def test_without_the_pointer_the_newest_manifest_counts(
    shell: Shell, reports: ReportFolder, happens: str, note: str
) -> None:
    reports.run(NOW)
    reports.run(NOW + DAY, healthy=2)
    reports.run(NOW + DAY + HOUR, scope=Scope.PARTIAL)
    lost = reports.run(NOW + 2 * DAY, healthy=3)
    latest = reports.root / "latest.json"
    reports.delete(lost, *([] if happens == "lost" else ["manifest.json"]))
    if happens == "gone":
        latest.unlink()
    if happens == "damaged":
        latest.write_text("{", "utf-8")

    _, said, _ = shell.shows()

    assert said.startswith(note)
    assert said.splitlines()[1].startswith("No problem found: all 2")


def test_a_damaged_manifest_is_none(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW)
    damaged = reports.run(NOW + DAY, healthy=2)
    reports.path(damaged, "manifest.json").write_text("[]", "utf-8")
    (reports.root / "latest.json").unlink()

    assert "\nNo problem found: 1 instance backed" in shell.shows()[1]


def test_a_run_can_be_named_and_may_be_of_any_scope(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW)
    partial = reports.run(NOW + HOUR, [finding()], scope=Scope.PARTIAL, healthy=0)
    reports.run(NOW + DAY)

    _, said, _ = shell.shows("--run", partial)

    assert said.splitlines()[1] == "1 of 1 instance has a backup problem"
    assert "· partial run ·" in said


@pytest.mark.parametrize("run_id", ["20260131T060000Z", "x", "../../20260131T050000Z"])
def test_a_run_that_is_not_there_is_said(shell: Shell, reports: ReportFolder, run_id: str) -> None:
    reports.run(NOW)

    status, _, error = shell.shows("--run", run_id)

    assert status == ExitStatus.UNAVAILABLE
    assert f"holds no committed run {run_id}" in error


def test_each_foundation_below_a_place_is_shown(shell: Shell, tmp_path: Path) -> None:
    ReportFolder(tmp_path, "eu", "prod-eu").run(NOW)
    ReportFolder(tmp_path, "deep/us", "prod-us").run(NOW, [finding()])

    status, said, _ = shell.shows()

    assert status == ExitStatus.WRONG
    assert re.findall(r"^prod-\w+", said, re.MULTILINE) == ["prod-us", "prod-eu"]
    assert "\n\nNo problem found" in said
    documents = [
        json.loads(one)
        for one in re.split(r"(?<=^})\n", shell.shows("--json")[1], flags=re.MULTILINE)
        if one
    ]
    assert [one["report"]["foundation"] for one in documents] == ["prod-us", "prod-eu"]


def test_a_foundation_without_a_full_run_is_not_in_order(shell: Shell, tmp_path: Path) -> None:
    ReportFolder(tmp_path, "eu", "prod-eu").run(NOW)
    ReportFolder(tmp_path, "us", "prod-us").run(NOW, scope=Scope.PARTIAL)

    status, said, error = shell.shows()

    assert status == ExitStatus.WRONG
    assert said.startswith("No problem found: 1 instance backed up\n")
    assert error == f"{tmp_path}/us holds no committed full run\n"


@pytest.mark.parametrize(("owner", "status"), [("team-a", 0), ("team-b", 1), ("team-c", 2)])
def test_an_owner_may_be_known_in_one_foundation_of_several(
    shell: Shell, tmp_path: Path, owner: str, status: int
) -> None:
    healthy = msgspec.structs.replace(finding(Verdict.HEALTHY, "h"), owner="team-a")
    ReportFolder(tmp_path, "eu", "prod-eu").run(NOW, [healthy])
    ReportFolder(tmp_path, "us", "prod-us").run(NOW, [of("team-b", "guid-1")])

    found, said, error = shell.shows("--owner", owner)

    assert found == status
    assert error.count(f"knows of no instance with owner {owner}") == 1
    assert said.count("· full run ·") == int(status < 2)


def test_a_place_without_a_full_run_cannot_be_shown(
    shell: Shell, reports: ReportFolder, tmp_path: Path
) -> None:
    reports.run(NOW, scope=Scope.WHAT_IF)

    status, _, error = shell.shows()

    assert status == ExitStatus.UNAVAILABLE
    assert f"{tmp_path} holds no committed full run: no reports/dt=.../run=" in error
    assert main(["show", str(tmp_path / "none")]) == ExitStatus.UNAVAILABLE


def test_a_report_that_is_damaged_or_newer_cannot_be_shown(
    shell: Shell, reports: ReportFolder
) -> None:
    run_id = reports.run(NOW, [finding()])
    path = reports.path(run_id, "report.json")
    body = path.read_bytes()

    path.write_bytes(body.replace(b'"schema_version": 1', b'"schema_version": 7', 1))
    status, _, error = shell.shows()
    assert status == ExitStatus.UNAVAILABLE
    assert "report.json is of schema_version 7, and this version of backup-audit reads 1" in error

    path.write_bytes(body[:-200])
    status, _, error = shell.shows()
    assert status == ExitStatus.UNAVAILABLE
    assert "report.json is damaged: " in error


@pytest.mark.loopback
def test_a_bucket_is_shown_as_a_copy_of_it(
    reports: ReportFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports.run(NOW, healthy=4)
    with deployed(in_s3=True):
        for path in reports.folder.rglob("*.json"):
            key = path.relative_to(reports.folder).as_posix()
            CLIENTS.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        assert main(["show", f"s3://{BUCKET}"]) == ExitStatus.FINE
        monkeypatch.setenv("REPORT_BUCKET", BUCKET)
        assert main(["show"]) == ExitStatus.FINE
        assert main(["show", f"s3://{BUCKET}/other"]) == ExitStatus.UNAVAILABLE
        CLIENTS.s3.delete_object(Bucket=BUCKET, Key="backup-audit/latest.json")
        assert main(["show"]) == ExitStatus.FINE

    said = capsys.readouterr().out
    assert said.count("No problem found: all 4 instances backed up\n") == 3
    assert said.count("note: latest.json is gone") == 1


# ── How much of it ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [24, 25, 26])
def test_the_first_25_problems_are_printed_and_the_others_counted(
    shell: Shell, reports: ReportFolder, count: int
) -> None:
    reports.run(NOW, [finding(guid=f"guid-{n:02d}") for n in range(count)])

    _, said, _ = shell.shows()

    assert len(re.findall(r"^ +stale ", said, re.MULTILINE)) == min(count, 25)
    assert ("  … and 1 more: --all prints them, findings.csv has them too\n" in said) is (
        count > 25
    )


def test_all_problems_are_printed_on_request(shell: Shell, reports: ReportFolder) -> None:
    findings = [finding(guid=f"guid-{n:03d}") for n in range(300)]
    reports.run(NOW, [*findings, finding(Verdict.UNKNOWN, "last", name="the-last")])

    _, said, _ = shell.shows("--all")

    assert said.count("\n  guid-") == 300
    assert "\nunknown\n  the-last (last)\n      no usable answer from the API" in said
    assert "more:" not in said


@pytest.mark.parametrize(("width", "is_table"), [(80, False), (109, False), (110, True)])
def test_where_columns_are_few_the_reason_has_a_line_of_its_own(
    shell: Shell,
    reports: ReportFolder,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    *,
    is_table: bool,
) -> None:
    reports.run(NOW, [finding()])
    console = new_console()
    console.width = width
    monkeypatch.setattr(show, "new_console", lambda: console)

    _, said, _ = shell.shows()

    assert ("  verdict " in said) is is_table
    assert ("\n      newest backup is 2 d 2 h old" in said) is not is_table


def test_new_and_ended_problems_and_late_instances_are_said(
    shell: Shell, reports: ReportFolder
) -> None:
    new = msgspec.structs.replace(finding(), change=Change.NEW)
    ended = [ended_problem(f"old-{n}", name="orders") for n in range(7)]
    before = ended_problem("older", resolved_at=NOW - DAY)
    reports.run(NOW - DAY)
    reports.run(NOW, [new, *map(_late, range(6))], resolved=[*ended, before], late_count=6)

    _, said, _ = shell.shows()

    assert "since the run before: 1 new, 7 ended\n" in said
    assert said.count("\nended: orders (old-") == 5
    assert "ended: orders (old-0): stale, after 24 h: healthy\n" in said
    assert "\nended: … and 2 more\n" in said
    assert said.count("\nlate: late-") == 5
    assert "): newest backup is 5 h old, usually one every 3 h\n" in said or (
        ": newest backup is 5 h old, usually one every 3 h\n" in said
    )
    assert "\nlate: … and 1 more\n" in said
    assert "older" not in said


@pytest.mark.parametrize(("late", "are_more"), [(999, False), (1_000, False), (1_001, True)])
def test_of_some_it_is_said_that_the_report_may_not_name_all_who_are_late(
    shell: Shell, reports: ReportFolder, late: int, *, are_more: bool
) -> None:
    mine = msgspec.structs.replace(_late(1), owner="dba")
    reports.run(NOW, [of("dba", "guid-1"), of("punctual", "guid-2"), mine], late_count=late)

    _, everybodys, _ = shell.shows()
    for owner in ("dba", "punctual"):
        _, said, _ = shell.shows("--owner", owner)

        caution = f"\nlate: the report names 1,000 of {late:,}: there may be more\n"
        assert (caution in said) is are_more
        assert said.count("\nlate: ") == (owner == "dba") + are_more
    assert f"\nlate: … and {late - 1:,} more\n" in everybodys
    assert "there may be more" not in everybodys


def _late(number: int) -> Finding:
    healthy = finding(Verdict.HEALTHY, f"late-{number}")
    evidence = msgspec.structs.replace(
        healthy.evidence, usual_interval_seconds=3 * 3600, newest_backup_age_seconds=5 * 3600
    )
    return msgspec.structs.replace(healthy, evidence=evidence, late=True)


def test_the_trend_marks_the_runs_that_say_little(shell: Shell, reports: ReportFolder) -> None:
    for day, count in enumerate([0, 1, 8, 2]):
        reports.run(NOW + day * DAY, [finding(guid=f"g{n}") for n in range(count)], healthy=20)
    reports.run(NOW + 4 * DAY, [finding(Verdict.UNKNOWN, f"g{n}") for n in range(30)])
    reports.run(NOW + 5 * DAY, complete=False)
    reports.run(NOW + 6 * DAY, [finding()], healthy=20)

    _, said, _ = shell.shows()

    assert (
        "open problems over 7 runs: ▁▂█▂?×▂  between 0 and 8, 1 in the last"  # noqa: RUF001
        "  × incomplete  ? most unknown\n"  # noqa: RUF001
    ) in said


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_the_trend_beside_a_run_of_less_is_that_of_the_whole_fleet(
    shell: Shell, reports: ReportFolder, scope: Scope
) -> None:
    for day in range(2):
        reports.run(NOW + day * DAY, [finding()], healthy=20)
    run_id = reports.run(NOW + 2 * DAY, healthy=1, scope=scope)

    trend = "open problems over 2 runs: ▂▂  between 1 and 1, 1 in the last\n"

    assert f"\nof the whole fleet, before this run: {trend}" in shell.shows("--run", run_id)[1]
    assert f"\n{trend}" in shell.shows()[1]


def test_with_one_run_there_is_no_trend(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, [finding()])

    assert "open problems over" not in shell.shows()[1]


# ── Whose ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _teams(reports: ReportFolder) -> ReportFolder:
    """A report with problems of two owners and of nobody, in two orgs."""
    ours = [of("team-a", f"a{n}") for n in range(3)]
    theirs = [of("team-b", f"b{n}", org="other") for n in range(4)]
    muted = of("team-a", "m", mute=MUTE)
    fine = msgspec.structs.replace(finding(Verdict.HEALTHY, "h", owner="team-c"), **PLACE)
    reports.run(NOW, [*ours, *theirs, muted, finding(guid="nobodys"), fine])
    return reports


@pytest.mark.usefixtures("_teams")
@pytest.mark.parametrize(
    ("options", "answer", "left_out", "status"),
    [
        (["--owner", "team-a"], "3 of 4 instances with owner team-a have", 5, 1),
        (["--org", "other"], "4 of 4 instances with org other have", 4, 1),
        (["--owner", "team-b", "--org", "other"], "4 instances with owner team-b, org other", 4, 1),
        (["--owner", "team-c"], "No problem found among 1 instance with owner team-c", 8, 0),
    ],
)
def test_a_team_sees_its_own_problems_and_how_many_are_left_out(
    shell: Shell,
    options: Sequence[str],
    *,
    answer: str,
    left_out: int,
    status: int,
) -> None:
    found, said, _ = shell.shows(*options)

    assert (found, said.splitlines()[0].startswith(answer)) == (status, True), said
    assert said.splitlines()[1] == "of the whole report: 8 of 11 instances have a backup problem"
    assert f"{left_out} problems of others" in said
    assert "since the run before" not in said


@pytest.mark.usefixtures("_teams")
def test_an_empty_name_asks_for_what_nobody_owns(shell: Shell) -> None:
    _, said, _ = shell.shows("--owner", "")

    assert said.startswith("1 of 2 instances with no owner has a backup problem\n")
    assert "nobodys" in said


@pytest.mark.usefixtures("_teams")
@pytest.mark.parametrize("options", [["--owner", "team-A"], ["--org", "prod"]])
def test_a_name_that_nobody_has_is_no_all_clear(shell: Shell, options: Sequence[str]) -> None:
    status, said, error = shell.shows(*options)

    assert (status, said) == (ExitStatus.USAGE, "")
    assert f"knows of no instance with {options[0][2:]} {options[1]}: names are compared" in error


@pytest.mark.parametrize("org", ["prod-eu", "other", "p"])
def test_of_an_owner_in_an_org_both_names_must_be_known(
    shell: Shell, reports: ReportFolder, org: str
) -> None:
    reports.run(NOW, [of("team-a", "a"), of("team-b", "b", org="other")])

    status, said, _ = shell.shows("--owner", "team-a", "--org", org)

    said_of = {
        "prod-eu": "1 instance with owner team-a, org prod-eu has a backup problem\n",
        "other": "No problem found with owner team-a, org other\n",
        "p": "",
    }
    assert status == {"prod-eu": 1, "other": 0, "p": 2}[org]
    assert said.startswith(said_of[org])


@pytest.mark.parametrize(("number", "status"), [(99, 1), (100, 1), (101, 2)])
def test_a_name_is_found_among_the_problems_if_the_breakdown_has_no_room(
    shell: Shell, reports: ReportFolder, number: int, status: int
) -> None:
    """It has room for 100."""
    reports.run(NOW, [of(f"team-{n:03d}", f"g{n}") for n in range(101)])

    found, said, error = shell.shows("--owner", f"team-{number:03d}")

    assert found == status
    in_all = " of 1 instance" if number < 100 else " instance"
    assert said.startswith(f"1{in_all} with owner team-" if status == 1 else "")
    assert ("knows of no instance with owner team-101" in error) is (status == 2)


# ── For programs ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("_teams")
def test_the_document_has_the_head_and_the_problems_that_are_shown(shell: Shell) -> None:
    document = shell.document("--owner", "team-a")

    assert document["answer"] == "8 of 11 instances have a backup problem"
    assert document["report"]["run"]["run_id"] == "20260131T050000Z"
    assert [one["guid"] for one in document["findings"]] == ["a0", "a1", "a2"]
    found = document["found"]
    assert (found["problems"], found["muted"], found["others"], found["left_out"]) == (3, 1, 5, 0)
    assert document["asked"] == {"owner": "team-a", "org": None}


@pytest.mark.parametrize("count", [0, rest(1), 26, rest(501)])
def test_the_document_is_json_whatever_its_length(
    shell: Shell, reports: ReportFolder, count: int
) -> None:
    reports.run(NOW, [finding(guid=f"guid-{n}") for n in range(count)])

    first, whole = shell.document(), shell.document("--all")

    assert len(first["findings"]) == min(count, 25)
    assert first["found"]["left_out"] == max(count - 25, 0)
    assert len(whole["findings"]) == count
    assert whole["found"]["left_out"] == 0


def test_hostile_names_stay_on_their_line(shell: Shell, reports: ReportFolder) -> None:
    evil = "a\n\x1b[2J\u202eb"
    found = of(evil, "guid-1", org=evil, name=evil)
    ended = ended_problem(name=evil, owner=evil)
    reports.run(NOW, [found], foundation=evil, resolved=[ended], why_incomplete=evil)

    for options in ([], ["--all"], ["--owner", evil]):
        _, said, _ = shell.shows(*options)
        assert all(line.isprintable() for line in said.splitlines()), said
        assert "a b" in said or "a [2J b" in said


def test_without_rich_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['rich'] = None\n"
        "from backup_audit_cli.__main__ import main\n"
        f"sys.exit(main(['show', {str(tmp_path)!r}]))"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert said.returncode == ExitStatus.USAGE
    assert said.stderr == "error: rich is not installed: pip install 'backup-audit[cli]'\n"


def test_a_reader_that_has_seen_enough_ends_it_quietly(reports: ReportFolder) -> None:
    reports.run(NOW, [finding(guid=f"guid-{n:04d}") for n in range(1_500)])

    said = subprocess.run(
        f"{sys.executable} -m backup_audit_cli show {reports.folder} --all | head -n 3",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(said.stdout.splitlines()) == 3
    assert said.stderr == ""


def test_a_large_report_is_read_as_a_stream(shell: Shell, reports: ReportFolder) -> None:
    reports.run(NOW, [finding(guid=f"guid-{n:05d}") for n in range(5_000)])
    size = reports.path("20260131T050000Z", "report.json").stat().st_size

    tracemalloc.start()
    _, said, _ = shell.shows()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "… and 4,975 more" in said
    assert size > 4 * 2**20
    assert peak < 3 * 2**20
