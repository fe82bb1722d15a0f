"""Whether what lies in a bucket is what was written, found out from a copy of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from backup_audit.aws import CLIENTS
from backup_audit_cli.__main__ import main
from backup_audit_cli.exit_status import ExitStatus
from tests.integration.deployment import DUE, ONE_INSTANCE, deployed, scheduled
from tools.local_cloud.aws import BUCKET

pytestmark = pytest.mark.loopback

DUES = [DUE + timedelta(days=day) for day in (-1, 0, 1)]
DAYS = [f"{due:%Y-%m-%d}" for due in DUES]
RUNS = [f"{due:%Y%m%dT%H%M%SZ}" for due in DUES]


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    """Three scheduled runs, and one of a single instance."""
    with deployed() as function:
        for due in DUES:
            function.invoke(scheduled(due))
        function.invoke({"instance_guids": [ONE_INSTANCE]})
        return {key: function.read(key) for key in function.keys}


class Copy:
    """A copy of the bucket in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def path(self, day: str, name: str, kind: str = "reports") -> Path:
        [path] = self.folder.glob(f"backup-audit/{kind}/dt={day}/*/{name}")
        return path

    def line(self, day: str) -> Path:
        """The line of the run of a day."""
        [path] = self.folder.glob(f"backup-audit/runs/dt={day}/*.json")
        return path

    def verify(self) -> tuple[int, str]:
        """The exit status, and what was said."""
        status = main(["verify", str(self.folder)])
        told = self._capsys.readouterr()
        return status, told.out + told.err


@pytest.fixture
def copy(written: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Copy:
    for key, body in written.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return Copy(tmp_path, capsys)


def test_a_bucket_that_nobody_touched_is_as_it_was_written(copy: Copy) -> None:
    status, said = copy.verify()

    assert status == 0, said
    assert [line for line in said.splitlines() if " note: run " not in line] == [
        f"{copy.folder}/backup-audit: committed runs: 4, objects compared: 19",
        f"  the newest full run, {RUNS[2]}, vouches for those back to {RUNS[0]}",
        "  all is as it was written",
    ]


def test_a_bucket_in_s3_is_read_as_a_copy_of_it(
    written: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with deployed(in_s3=True):
        for key, body in written.items():
            CLIENTS.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert main(["verify", f"s3://{BUCKET}/backup-audit"]) == 0
        assert main(["verify", f"s3://{BUCKET}/"]) == 0
        assert main(["verify", f"s3://{BUCKET}/other"]) == ExitStatus.UNAVAILABLE
        assert main(["verify", "s3://no-such-bucket"]) == ExitStatus.UNAVAILABLE

    told = capsys.readouterr()
    assert told.out.count("s3://backup-audit-reports/backup-audit: committed runs: 4, obj") == 2
    assert f"s3://{BUCKET}/other holds no committed run" in told.err
    assert "s3://no-such-bucket/ could not be listed: NoSuchBucket" in told.err


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("part-00000.jsonl", "findings"),
        ("findings.csv", "reports"),
        ("report.json", "reports"),
        ("report.html", "reports"),
    ],
)
def test_a_changed_object_is_not_what_the_manifest_describes(
    copy: Copy, name: str, kind: str
) -> None:
    path = copy.path(DAYS[0], name, kind)
    path.write_bytes(path.read_bytes().replace(b"stale", b"healthy") + b" ")

    status, said = copy.verify()

    assert status == 1
    assert f"{name} is not what run {RUNS[0]} wrote" in said
    assert said.endswith("  something is not as it was written: see FAULT\n")


def test_a_manifest_that_was_changed_with_its_object_is_betrayed_by_the_next_run(
    copy: Copy,
) -> None:
    findings, manifest = copy.path(DAYS[1], "*.jsonl", "findings"), copy.path(DAYS[1], "man*")
    document = json.loads(manifest.read_bytes())
    document["objects"] = [
        kept for kept in document["objects"] if not kept["key"].endswith(".jsonl")
    ]
    findings.unlink()
    manifest.write_text(json.dumps(document))

    status, said = copy.verify()

    assert status == 1
    assert f"manifest.json of run {RUNS[1]} is not the one that run {RUNS[2]} followed" in said


def removed(*names: str) -> Callable[[Copy], None]:
    def remove(copy: Copy) -> None:
        for name in names:
            for path in copy.folder.glob(f"backup-audit/{name}"):
                if path.is_file():
                    path.unlink()

    return remove


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (removed(f"*/dt={DAYS[1]}/*/findings.csv"), "findings.csv is gone; run"),
        (removed(f"*/dt={DAYS[1]}/*/*"), f"run {RUNS[1]}, which run {RUNS[2]} follows, is gone"),
        (removed(f"reports/dt={DAYS[2]}/*/*"), f"latest.json points at run {RUNS[2]}, the newest"),
        (removed("latest.json"), f"latest.json is gone; run {RUNS[2]} is the newest"),
    ],
)
def test_what_was_deleted_is_missed(copy: Copy, happens: Callable[[Copy], None], says: str) -> None:
    happens(copy)

    status, said = copy.verify()

    assert status == 1
    assert "FAULT: " in said
    assert says in said


def test_runs_that_expired_are_no_fault(copy: Copy) -> None:
    removed(f"*/dt={DAYS[0]}/*/*")(copy)

    status, said = copy.verify()

    assert status == 0, said
    assert f"note: run {RUNS[0]}, which run {RUNS[1]} follows, is gone: the chain begins" in said


def test_findings_that_no_run_wrote_are_found(copy: Copy) -> None:
    copy.path(DAYS[2], "*.jsonl", "findings").with_name("part-00001.jsonl").write_text("{}")

    status, said = copy.verify()

    assert status == 1
    assert f"part-00001.jsonl is no part of run {RUNS[2]}" in said


@pytest.mark.parametrize("name", ["report.html", "findings.csv"])
def test_what_people_open_and_no_manifest_names_is_found(copy: Copy, name: str) -> None:
    path = copy.path(DAYS[2], "manifest.json")
    document = json.loads(path.read_bytes())
    document["objects"] = [one for one in document["objects"] if not one["key"].endswith(name)]
    path.write_text(json.dumps(document))

    status, said = copy.verify()

    assert status == 1
    assert f"{name} is no part of run {RUNS[2]}: its manifest has none" in said


def test_a_run_whose_page_could_not_be_drawn_is_as_it_was_written(copy: Copy) -> None:
    [path] = copy.folder.glob("backup-audit/reports/*/run=*-partial-*/manifest.json")
    document = json.loads(path.read_bytes())
    named = [one for one in document["objects"] if not one["key"].endswith("report.html")]
    path.write_text(json.dumps(document | {"objects": named}))
    path.with_name("report.html").unlink()

    status, said = copy.verify()

    assert status == 0, said


@pytest.mark.parametrize(
    "change",
    [
        {"complete": False},
        {"audited": 0},
        {"scope": "partial"},
        {"report_key": "reports/report.json"},
        {"counts": {}},
    ],
)
def test_a_line_that_says_other_than_its_report_is_a_fault(
    copy: Copy, change: dict[str, object]
) -> None:
    path = copy.line(DAYS[1])
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))

    status, said = copy.verify()

    assert status == 1
    line = f"backup-audit/runs/dt={DAYS[1]}/run={RUNS[1]}.json"
    assert f"FAULT: {line} is not what the report of run {RUNS[1]} says" in said


def test_a_line_that_cannot_be_read_is_a_fault_and_no_crash(copy: Copy) -> None:
    copy.line(DAYS[1]).write_text("[]")

    status, said = copy.verify()

    assert status == 1
    assert f"run={RUNS[1]}.json cannot be read: Expected `object`" in said


def test_a_run_that_died_before_its_line_is_noted(copy: Copy) -> None:
    copy.line(DAYS[1]).unlink()

    status, said = copy.verify()

    assert status == 0, said
    line = f"backup-audit/runs/dt={DAYS[1]}/run={RUNS[1]}.json"
    assert f"note: {line} is missing: queries leave run {RUNS[1]} out" in said


def test_a_line_without_a_committed_run_is_noted(copy: Copy) -> None:
    removed(f"*/dt={DAYS[0]}/*/*")(copy)

    status, said = copy.verify()

    assert status == 0, said
    place = f"dt={DAYS[0]}/run={RUNS[0]}"
    counted = f"and queries count it: backup-audit/runs/{place}.json is there"
    assert f"note: {place} has no manifest: it is not committed, {counted}" in said


def test_a_run_that_never_was_committed_is_said(copy: Copy) -> None:
    path = copy.path(DAYS[2], "findings.csv")
    other = path.parents[1] / f"run={DUE:%Y%m%d}T060000Z"
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())

    status, said = copy.verify()

    assert status == 0, said
    assert f"note: dt={DAYS[2]}/{other.name} has no manifest: it is not committed" in said


@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
def test_a_document_that_cannot_be_read_is_a_fault_and_no_crash(copy: Copy, name: str) -> None:
    copy.path(DAYS[0], name).write_text("[]")

    status, said = copy.verify()

    assert status == 1
    assert f"{name} cannot be read: Expected `object`" in said


def test_a_folder_without_reports_cannot_be_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none_below = "no reports/dt=.../run=.../manifest.json is below it"
    assert main(["verify", str(tmp_path)]) == ExitStatus.UNAVAILABLE
    assert main(["verify", str(tmp_path / "none")]) == ExitStatus.UNAVAILABLE

    assert capsys.readouterr().err.splitlines() == [
        f"error: ReportStoreFailed: {tmp_path} holds no committed run: {none_below}",
        f"error: ReportStoreFailed: there is no folder {tmp_path / 'none'}",
    ]


@pytest.mark.parametrize("above", ["", "bucket", "s3/backup-audit-reports", "a/b/c/d"])
def test_a_copy_is_found_however_deep_it_is(
    written: dict[str, bytes], above: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, body in written.items():
        path = tmp_path / above / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    assert main(["verify", f"file:{tmp_path}"]) == 0
    place = tmp_path / above / "backup-audit"
    assert f"{place}: committed runs: 4, objects compared: 19" in capsys.readouterr().out


def test_a_copy_of_a_prefix_alone_is_as_good_as_one_of_the_bucket(
    copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", f"{copy.folder}/backup-audit/"]) == 0
    assert f"{copy.folder}/backup-audit: committed runs: 4, objects" in capsys.readouterr().out

    path = copy.path(DAYS[0], "findings.csv")
    path.write_bytes(path.read_bytes() + b"one more")
    assert main(["verify", f"{copy.folder}/backup-audit"]) == 1


def test_a_folder_inside_of_reports_has_none_below_it(copy: Copy) -> None:
    assert main(["verify", f"{copy.folder}/backup-audit/reports"]) == ExitStatus.UNAVAILABLE


@pytest.mark.parametrize(
    ("late", "noted"),
    [
        (timedelta(days=1, seconds=-60), False),
        (timedelta(days=1, seconds=60), True),
        (timedelta(days=9), True),
    ],
)
def test_a_run_made_more_than_a_day_after_it_was_due_is_noted(
    *, late: timedelta, noted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    due = datetime.now(UTC) - late
    with deployed(in_s3=True) as function:
        function.invoke({"scheduled_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"})
        assert main(["verify", f"s3://{BUCKET}"]) == 0

    said = capsys.readouterr().out
    assert (f"after it was due: due {due:%Y-%m-%d %H:%M}, made " in said) is noted


def test_a_locked_bucket_takes_every_run_and_gives_none_back() -> None:
    with deployed(REPORT_BUCKET="locked", in_s3=True) as function:
        s3 = CLIENTS.s3
        s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        s3.put_object_lock_configuration(
            Bucket="locked",
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        )
        for due in DUES:
            function.invoke(scheduled(due))
        written = s3.list_object_versions(Bucket="locked")["Versions"]
        verified = main(["verify", "s3://locked"])
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(
                Bucket="locked", Key=written[0]["Key"], VersionId=written[0]["VersionId"]
            )

    assert verified == 0
    assert len([one for one in written if one["Key"].endswith("latest.json")]) == len(DAYS)


def test_a_run_goes_on_from_a_report_whose_manifest_is_gone() -> None:
    with deployed(in_s3=True) as function:
        function.invoke(scheduled(DUES[0]))
        [manifest] = [key for key in function.keys if key.endswith("manifest.json")]
        CLIENTS.s3.delete_object(Bucket=BUCKET, Key=manifest)
        report = function.report(function.invoke(scheduled(DUES[1])))

    previous = report["plan"]["previous"]
    assert previous["run_id"] == RUNS[0]
    assert previous["report_sha256"]
    assert previous["manifest_sha256"] is None
    assert report["plan"]["warnings"][0] == f"{manifest} is gone: nothing vouches for its run"
    assert {found["change"] for found in report["findings"]} == {"ongoing"}
