"""Every way to invoke the function, and what a run keeps."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from backup_audit.judge.verdict import Verdict
from tests.doubles.samples import sample
from tests.e2e.emulator import ROOT
from tests.e2e.foundation import COUNTS, Foundation
from tests.e2e.stack import LATEST, RUNNING, Stack
from tools.local_cloud.names import FIRST_GUID

EVENTS = sorted((ROOT / "events").glob("*.json"))


def assert_follows(document: object, schema: str) -> None:
    text = (ROOT / f"docs/schemas/{schema}.schema.json").read_text("utf-8")
    Draft202012Validator(json.loads(text)).validate(document)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.stem)
def test_each_event_file_is_answered_and_its_report_can_be_read_back(
    stack: Stack, event: Path, tmp_path: Path
) -> None:
    filled_in = tmp_path / event.name
    filled_in.write_text(json.dumps(sample(event)))

    answer = stack.sam_invoke(filled_in)

    if event.stem == "explain":
        assert_follows(answer, "explanation")
        assert [one["standing"] for one in answer["instances"]] == ["audited"]
        return
    assert_follows(answer, "answer")
    assert answer["complete"]
    assert (answer["report"] is None) == answer["dry_run"]
    if answer["report"]:
        assert answer["report"]["bucket"] == stack.bucket
        report = json.loads(stack.read(answer["report"]["key"]))
        assert_follows(report, "report")
        assert report["counts"] == answer["counts"]


def test_a_full_run_finds_what_is_wrong_with_the_foundation(stack: Stack) -> None:
    answer = stack.invoke({})

    assert answer["counts"] == COUNTS
    assert answer["coverage"] == {"configured": 8, "audited": 8, "unknown": 0, "percent": 100.0}


def test_the_manifest_vouches_for_every_object_of_a_run(
    stack: Stack, foundation: Foundation
) -> None:
    answer = stack.invoke({})

    manifest = json.loads(stack.read(answer["report"]["key"].replace("report.", "manifest.")))
    assert_follows(manifest, "manifest")
    kept = {entry["key"]: stack.read(entry["key"]) for entry in manifest["objects"]}
    for entry in manifest["objects"]:
        body = kept[entry["key"]]
        assert (len(body), hashlib.sha256(body).hexdigest()) == (entry["bytes"], entry["sha256"])
    findings = next(body for key, body in kept.items() if key.endswith(".jsonl"))
    table = next(body for key, body in kept.items() if key.endswith("findings.csv"))
    report = next(body for key, body in kept.items() if key.endswith("report.json"))
    guids = {instance.guid for instance in foundation.fleet.instances}
    assert {json.loads(line)["guid"] for line in findings.splitlines()} == guids
    assert {row["guid"] for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig")))} == guids
    assert json.loads(report)["run"]["run_id"] == answer["run_id"]


def test_the_page_is_read_back_from_the_bucket_as_a_browser_gets_it(
    stack: Stack, foundation: Foundation
) -> None:
    answer = stack.invoke({})
    key = answer["report"]["key"].replace("report.json", "report.html")

    assert stack.content_type(key) == "text/html; charset=utf-8"
    page = stack.read(key).decode()
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert answer["run_id"] in page
    problems = sum(COUNTS[verdict] for verdict in COUNTS if Verdict(verdict).is_problem)
    assert (
        f"{problems} of {len(foundation.fleet.instances)} instances have a backup problem" in page
    )
    report_sha256 = hashlib.sha256(stack.read(answer["report"]["key"])).hexdigest()
    assert report_sha256 in page


def test_a_committed_run_has_its_line_for_queries(stack: Stack) -> None:
    answer = stack.invoke({})

    key = answer["report"]["key"].replace("/reports/", "/runs/").replace("/report.json", ".json")
    line = json.loads(stack.read(key))
    assert line["run_id"] == answer["run_id"]
    assert line["counts"] == COUNTS


def test_latest_points_at_the_newest_full_run_and_not_at_a_partial_one(stack: Stack) -> None:
    full = stack.invoke({})

    partial = stack.invoke({"instance_guids": [FIRST_GUID]})

    assert partial["scope"] == "partial"
    latest = json.loads(stack.read(LATEST))
    assert_follows(latest, "latest")
    assert (latest["run"]["run_id"], latest["report_key"]) == (
        full["run_id"],
        full["report"]["key"],
    )


def test_a_scheduled_event_that_is_delivered_twice_is_one_run(stack: Stack) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    event = {"scheduled_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"}

    first, second = stack.invoke(event), stack.invoke(event)

    assert (first["run_id"], first["repeated"]) == (f"{due:%Y%m%dT%H%M%SZ}", False)
    assert second == first | {"repeated": True, "messages_sent": 0}


def test_a_full_run_claims_running_json_and_frees_it(stack: Stack) -> None:
    answer = stack.invoke({"notify": False})

    claim = json.loads(stack.read(RUNNING))
    assert claim["run_id"] == answer["run_id"]
    assert datetime.fromisoformat(claim["ends_at"]) <= datetime.now(UTC)


def test_a_full_run_names_the_one_at_work_and_asks_nothing(stack: Stack) -> None:
    free = json.loads(stack.read(RUNNING))
    at_work = free | {"run_id": "another", "ends_at": "2100-01-01T00:00:00Z"}

    def write(claim: dict[str, str]) -> None:
        body = json.dumps(claim).encode()
        stack.aws.client("s3").put_object(Bucket=stack.bucket, Key=RUNNING, Body=body)

    write(at_work)
    try:
        answer = stack.invoke({})
        partial = stack.invoke({"instance_guids": [FIRST_GUID]})
    finally:
        write(free)

    assert_follows(answer, "answer")
    assert (answer["already_running"], answer["run_id"]) == (True, "another")
    assert partial["complete"]


def test_a_dry_run_leaves_nothing_behind(stack: Stack) -> None:
    before = stack.objects()

    answer = stack.invoke({"dry_run": True})

    assert answer["counts"] == COUNTS
    assert stack.objects() == before


def test_an_event_with_a_fault_is_refused_by_name(stack: Stack) -> None:
    assert "instance_guid" in stack.failure({"instance_guid": "one"})
