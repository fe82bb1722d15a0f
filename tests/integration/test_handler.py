"""The function from event to report and message, against a cloud on this machine."""

import hashlib
import json
import re
import socket
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backup_audit.errors import (
    ApiUnreachable,
    ConfigurationUnavailable,
    CredentialsRefused,
    InvalidConfiguration,
    InvalidEvent,
    InvalidSettings,
)
from backup_audit.report.alerts import Audience
from tests.doubles.fits import assert_fits
from tests.doubles.samples import sample
from tests.integration.deployment import (
    DUE,
    FLEET,
    HEALTHY,
    NOW,
    ONE_INSTANCE,
    PLACE,
    RUN_ID,
    SCHEDULED,
    STALE,
    Deployment,
    deployed,
    hours_ago,
    instance,
)
from tools.local_cloud.behaviours import (
    INVALID_TOKEN,
    NOT_FOUND,
    Backups,
    Behaviour,
    Closes,
    Garbled,
    Refuses,
    RouterError,
    SimulatedInstance,
)
from tools.local_cloud.simulated_cloud_controller import CLIENT_SECRET

pytestmark = pytest.mark.loopback

EVENTS = sorted(Path("events").glob("*.json"))
SCHEMAS = Path("docs/schemas")
PREFIX = "backup-audit"
MARKS = sorted(audience.mark for audience in Audience)


def test_a_scheduled_run_leaves_its_objects_under_the_contracts_keys() -> None:
    with deployed(in_s3=True) as function:
        answer = function.invoke(SCHEDULED)

        plan = json.loads(function.read(f"{PREFIX}/plans/{PLACE}/plan.json"))
        assert function.keys == [
            f"{PREFIX}/findings/{PLACE}/part-00000.jsonl",
            f"{PREFIX}/latest.json",
            f"{plan['place']}/batch-00000.jsonl",
            f"{plan['place']}/fleet.jsonl",
            f"{PREFIX}/plans/{PLACE}/plan.json",
            f"{PREFIX}/reports/{PLACE}/findings.csv",
            f"{PREFIX}/reports/{PLACE}/fleet.jsonl",
            f"{PREFIX}/reports/{PLACE}/manifest.json",
            *(f"{PREFIX}/reports/{PLACE}/{mark}" for mark in MARKS),
            f"{PREFIX}/reports/{PLACE}/report.html",
            f"{PREFIX}/reports/{PLACE}/report.json",
            f"{PREFIX}/running.json",
            f"{PREFIX}/runs/{PLACE}.json",
        ]
        assert answer["report"]["key"] == f"{PREFIX}/reports/{PLACE}/report.json"


def test_the_manifest_describes_the_bytes_that_lie_there() -> None:
    with deployed(in_s3=True) as function:
        function.invoke(SCHEDULED)

        manifest = json.loads(function.read(f"{PREFIX}/reports/{PLACE}/manifest.json"))
        assert [described["rows"] for described in manifest["objects"]] == [3, 3, 3, 1, 1]
        for described in manifest["objects"]:
            body = function.read(described["key"])
            assert described["bytes"] == len(body)
            assert described["sha256"] == hashlib.sha256(body).hexdigest()


def test_times_have_whole_seconds_in_every_document() -> None:
    with deployed() as function:
        answer = function.invoke({"scheduled_time": f"{DUE:%Y-%m-%dT%H:%M:%S}.25Z"})
        written = [function.read(key).decode() for key in function.keys]
        sent = [message.body for each in function.published.values() for message in each]

    everything = "".join([json.dumps(answer), *written, *sent])
    times = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9Z+:-]*", everything)
    assert times
    assert [time for time in times if not re.fullmatch(r"[^.+]{19}Z", time)] == []


def test_every_document_keeps_its_committed_schema() -> None:
    with deployed() as function:
        answer = function.invoke(SCHEDULED)

        latest = json.loads(function.read(f"{PREFIX}/latest.json"))
        _validate(answer, "answer")
        _validate(latest, "latest")
        _validate(function.report(answer), "report")
        _validate(json.loads(function.read(latest["manifest_key"])), "manifest")
        for finding in function.findings().values():
            _validate(finding, "finding")
        assert function.events
        for event in function.events:
            _validate(event, f"{event['event']}-event")


ANSWERS: list[tuple[str, Behaviour, str]] = [
    ("a young backup", hours_ago(3), "healthy"),
    ("an old backup", hours_ago(40), "stale"),
    ("an empty list", Backups(()), "never_backed_up"),
    ("401", INVALID_TOKEN, "unknown"),
    ("403", Refuses(403, 10003, "CF-NotAuthorized", "You are not authorized"), "unknown"),
    ("404 of the instance", NOT_FOUND, "not_found"),
    ("404 of the endpoint", Refuses(404, 10000, "CF-NotFound", "Unknown request"), "unknown"),
    ("404 of the router", RouterError(), "unknown"),
    ("422", Refuses(422, 10008, "CF-UnprocessableEntity", "no backups"), "unsupported"),
    ("422 of a busy broker", Refuses(422, 10001, "CF-ConcurrencyError", "busy"), "unknown"),
    ("500", Refuses(500, 10001, "UnknownError", "An unknown error occurred."), "unknown"),
    ("half a document", Garbled(), "unknown"),
    ("a broken connection", Closes(), "unknown"),
    ("milliseconds", Backups((int(NOW.timestamp() * 1000),)), "unknown"),
]


def test_every_kind_of_answer_gets_its_verdict() -> None:
    fleet = [
        instance(f"instance-{index}", behaviour) for index, (_, behaviour, _) in enumerate(ANSWERS)
    ]

    with deployed(fleet) as function:
        answer = function.invoke()
        findings = function.findings()

    given = {name: findings[f"instance-{i}"]["verdict"] for i, (name, _, _) in enumerate(ANSWERS)}
    assert given == {name: verdict for name, _, verdict in ANSWERS}
    assert answer["coverage"] == {
        "configured": 14,
        "audited": 5,
        "unknown": 9,
        "percent": 35.71,
    }


@pytest.mark.parametrize(("wanted", "verdict"), [(6, "healthy"), (7, "healthy"), (8, "stale")])
def test_as_many_backups_as_are_wanted_are_asked_for(wanted: int, verdict: str) -> None:
    """The API lists 5, as its forerunner did, unless it is asked for more."""
    seven = instance("seven-db", Backups(hours_ago(*range(1, 8)).created_at, by_default=5))
    configuration = {"instances": [{"guid": "seven-db", "min_backups": wanted}]}

    with deployed([seven], configuration=configuration) as function:
        function.invoke()

        assert function.findings()["seven-db"]["verdict"] == verdict


def test_an_instance_within_its_grace_is_no_problem() -> None:
    young = SimulatedInstance(
        guid="young-db",
        name="young-db",
        created_at=NOW - timedelta(hours=2),
        behaviour=Backups(()),
    )
    configuration = {"defaults": {"grace": "24h"}, "instances": ["young-db"]}

    with deployed([young], configuration=configuration) as function:
        function.invoke()

        assert function.findings()["young-db"]["verdict"] == "in_grace"
        assert function.messages == []


def test_a_finding_carries_its_evidence() -> None:
    refused = instance("refused", Refuses(422, 10008, "CF-UnprocessableEntity", "No backups."))

    with deployed([refused, HEALTHY]) as function:
        function.invoke()
        findings = function.findings()

    evidence = findings["refused"]["evidence"]
    assert evidence["http_status"] == 422
    assert evidence["code"] == 10008
    assert evidence["title"] == "CF-UnprocessableEntity"
    assert evidence["detail"] == "No backups."
    assert evidence["request_id"]
    assert evidence["attempts"] == 1
    assert evidence["milliseconds"] >= 0
    healthy = findings["healthy-db"]["evidence"]
    assert healthy["backup_count"] == 2
    assert healthy["newest_backup_at"] == f"{NOW - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}"


def test_the_digest_names_every_problem_with_the_reports_address() -> None:
    with deployed() as function:
        answer = function.invoke()

        [digest] = function.messages
        assert digest.attributes == {
            "event": "digest",
            "verdict": ["stale"],
            "change": ["new"],
            "severity": "critical",
            "foundation": "local",
            "schema_version": "1",
            "reason": ["opened"],
        }
        assert "- stale-db" in digest.body
        assert "- healthy-db" not in digest.body
        assert "newest backup is 40 h" in digest.body
        assert answer["report"]["key"].replace("report.json", "report.html") in digest.body
        assert answer["messages_sent"] == function.messages_sent


def test_when_nothing_is_wrong_programs_hear_that_and_nobody_else_hears_anything() -> None:
    with deployed([HEALTHY]) as function:
        answer = function.invoke()

        assert answer["counts"]["healthy"] == 1
        assert [event["event"] for event in function.events] == ["run"]
        assert function.messages == function.published[Audience.CHAT] == []


def test_programs_get_an_event_for_each_problem_and_one_for_the_run() -> None:
    problems = [instance(f"stale-{number}", hours_ago(50)) for number in range(12)]

    with deployed([HEALTHY, *problems]) as function:
        function.invoke()

        sent = function.published[Audience.EVENTS]
        kinds = Counter(one.attributes["event"] for one in sent)
        assert kinds == {"problem": 12, "run": 1}
        named = {one.attributes.get("instance_guid") for one in sent} - {None}
        assert named == {problem.guid for problem in problems}
        assert [one.document["event"] for one in sent] == [one.attributes["event"] for one in sent]


def test_the_same_event_delivered_twice_leaves_one_report_and_one_message() -> None:
    with deployed(in_s3=True) as function:
        first = function.invoke(SCHEDULED)
        keys, asked = function.keys, function.foundation.guids_asked_for
        requests = function.foundation.requests

        second = function.invoke(SCHEDULED)

        assert not first["repeated"]
        assert second["repeated"]
        assert second["counts"] == first["counts"]
        assert function.keys == keys
        assert len(function.messages) == 1
        assert function.foundation.guids_asked_for == asked
        assert function.foundation.requests == requests


def test_the_next_run_knows_what_the_last_one_found() -> None:
    with deployed(in_s3=True) as function:
        function.invoke(SCHEDULED)

        answer = function.invoke()

        [finding] = function.report(answer)["findings"]
        assert finding["change"] == "ongoing"
        assert finding["since"] == SCHEDULED["scheduled_time"]
        assert function.report(answer)["plan"]["previous"]["run_id"] == RUN_ID


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.name)
def test_every_event_file_is_a_run_or_a_question(path: Path) -> None:
    event = sample(path)

    with deployed() as function:
        answer = function.invoke(event)

        _validate(event, "event")
        if "explain" in event:
            _validate(answer, "explanation")
            assert [one["standing"] for one in answer["instances"]] == ["audited"]
            return
        _validate(answer, "answer")
        assert answer["complete"]


def test_a_question_leaves_nothing_and_notifies_nobody() -> None:
    with deployed() as function:
        answer = function.invoke({"explain": "no-such-name"})

        assert answer["instances"] == []
        assert answer["said"].startswith("our client sees no instance of this name")
        assert (function.keys, function.messages) == ([], [])


def test_a_question_that_fails_rings_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    with deployed() as function:
        with pytest.raises(InvalidEvent):
            function.invoke({"explain": "orders-db", "dry_run": True})

        assert function.messages == []
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["level"] == "WARNING"
    assert line["message"].startswith(
        "explain failed: InvalidEvent: the event has 1 fault: dry_run"
    )


def test_a_run_of_one_instance_audits_it_alone_and_moves_no_pointer() -> None:
    with deployed() as function:
        answer = function.invoke(_event("one-instance"))

        assert answer["scope"] == "partial"
        assert list(function.findings()) == [ONE_INSTANCE]
        assert f"{PREFIX}/latest.json" not in function.keys


def test_a_partial_run_tells_about_its_own_instances() -> None:
    with deployed() as function:
        answer = function.invoke({"instance_guids": ["stale-db", "not-configured"]})

        assert answer["counts"]["stale"] == 1
        assert answer["counts"]["not_found"] == 1
        assert len(function.messages) == 1


def test_a_what_if_is_judged_by_its_own_policy_and_tells_nobody() -> None:
    with deployed() as function:
        answer = function.invoke({"max_age": "2h"})

        assert answer["scope"] == "what_if"
        assert answer["counts"]["stale"] == 3
        assert function.messages == []
        assert f"{PREFIX}/latest.json" not in function.keys
        source = function.findings()[ONE_INSTANCE]["policy"]["max_age_source"]
        assert source == "event"


def test_a_what_if_of_an_earlier_instant_leaves_later_backups_out() -> None:
    as_of = f"{NOW - timedelta(hours=30):%Y-%m-%dT%H:%M:%SZ}"

    with deployed() as function:
        function.invoke({"as_of": as_of})

        findings = function.findings()
        assert findings["stale-db"]["verdict"] == "healthy"
        assert findings["healthy-db"]["verdict"] == "unknown"


def test_a_what_if_of_a_time_before_all_that_is_listed_calls_no_instance_unprotected() -> None:
    as_of = f"{NOW - timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"

    with deployed() as function:
        answer = function.invoke({"as_of": as_of, "notify": True})

        assert answer["counts"]["unknown"] == len(FLEET)
        [digest] = function.messages
        assert digest.attributes["severity"] == "warning"
        assert "NEVER BACKED UP" not in digest.body


def test_a_what_if_tells_on_request() -> None:
    with deployed() as function:
        function.invoke({"max_age": "2h", "notify": True})

        [digest] = function.messages
        assert digest.subject
        assert "what-if" in digest.subject


def test_a_dry_run_answers_and_leaves_nothing() -> None:
    with deployed() as function:
        answer = function.invoke(_event("dry-run"))

        assert [problem["guid"] for problem in answer["problems"]] == ["stale-db"]
        assert answer["report"] is None
        assert function.keys == []
        assert function.messages == []


def test_a_report_without_telling() -> None:
    with deployed() as function:
        answer = function.invoke(_event("report-only"))

        assert answer["messages_sent"] == 0
        assert function.messages == []
        assert f"{PREFIX}/latest.json" in function.keys


def test_a_muted_instance_is_in_the_report_and_not_told() -> None:
    configuration = {
        "inventory": "listed",  # nor is what nobody audits
        "instances": [HEALTHY.guid, STALE.guid],
        "mutes": [
            {
                "guid": STALE.guid,
                "owner": "team-orders",
                "reason": "is being replaced",
                "until": (NOW + timedelta(days=1)).date().isoformat(),
            }
        ],
    }

    with deployed(configuration=configuration) as function:
        answer = function.invoke()

        [finding] = function.report(answer)["findings"]
        assert finding["mute"]["owner"] == "team-orders"
        assert function.messages == []


def test_faults_of_the_configuration_end_the_run_before_the_first_request() -> None:
    with deployed(configuration={"instances": ["a", "a", "b/c"], "mute": []}) as function:
        with pytest.raises(InvalidConfiguration) as raised:
            function.invoke(SCHEDULED)

        assert len(raised.value.faults) == 3
        assert not function.foundation.requests
        _assert_told_of_failure(function, "InvalidConfiguration", "instances[2]")


def test_a_configuration_that_is_not_there_is_a_failed_run() -> None:
    with deployed(CONFIG_URI="ssm:/not/there") as function:
        with pytest.raises(ConfigurationUnavailable):
            function.invoke(SCHEDULED)

        _assert_told_of_failure(function, "ConfigurationUnavailable", "ssm:/not/there")


def test_credentials_that_uaa_refuses_are_a_failed_run() -> None:
    with deployed(secret="wrong-and-secret") as function:  # a fake
        with pytest.raises(CredentialsRefused) as raised:
            function.invoke(SCHEDULED)

        assert "wrong-and-secret" not in str(raised.value)
        _assert_told_of_failure(function, "CredentialsRefused", "HTTP 401")


def test_a_token_that_the_api_refuses_for_everything_is_a_failed_run() -> None:
    fleet = [instance(f"instance-{number}", INVALID_TOKEN) for number in range(5)]

    with deployed(fleet) as function:
        with pytest.raises(CredentialsRefused):
            function.invoke(SCHEDULED)

        _assert_told_of_failure(function, "CredentialsRefused", "global_auditor")


def test_an_api_that_is_down_is_a_failed_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with deployed(CF_API_URL=f"http://127.0.0.1:{port}") as function:
        with pytest.raises(ApiUnreachable):
            function.invoke(SCHEDULED)

        _assert_told_of_failure(function, "ApiUnreachable", "gave no answer")


def test_a_failed_run_is_told_once_and_its_retry_can_succeed() -> None:
    with deployed(secret="wrong") as function:  # a fake
        for _ in range(2):
            with pytest.raises(CredentialsRefused):
                function.invoke(SCHEDULED)

        assert len(function.messages) == 1
        assert [len(sent) for sent in function.published.values()] == [1, 1, 1]
        marks = [f"{PREFIX}/reports/{PLACE}/notified-run_failed-{one}.json" for one in Audience]
        assert [key for key in function.keys if "/reports/" in key] == sorted(marks)


def test_missing_settings_are_told_where_the_topic_is_known() -> None:
    with deployed(CF_API_URL="", WORKERS="many") as function:
        with pytest.raises(InvalidSettings) as raised:
            function.invoke(SCHEDULED)

        assert len(raised.value.faults) == 2
        _assert_told_of_failure(function, "InvalidSettings", "CF_API_URL is not set")


def test_a_ca_with_a_bad_certificate_is_told_with_its_setting(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes("# CA für Büro\n-----BEGIN CERTIFICATE-----\nMII".encode("latin-1"))

    with deployed(CA_BUNDLE=f"file:{ca}") as function:
        with pytest.raises(InvalidSettings):
            function.invoke(SCHEDULED)

        _assert_told_of_failure(
            function, "InvalidSettings", "CA_BUNDLE: certificate 1 of 1 is cut off"
        )


def test_a_broken_event_names_every_fault() -> None:
    with deployed() as function:
        with pytest.raises(InvalidEvent) as raised:
            function.invoke({"max_ages": "26h", "dry_run": 1, "instance_guids": ["../x"]})

        assert len(raised.value.faults) == 3
        assert function.messages == []


def test_a_failed_dry_run_tells_nobody() -> None:
    with deployed(CONFIG_URI="ssm:/not/there") as function:
        with pytest.raises(ConfigurationUnavailable):
            function.invoke({"dry_run": True})

        assert function.messages == []
        assert function.keys == []


def test_neither_secret_nor_token_is_in_anything_a_run_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployed(in_s3=True) as function:
        answer = function.invoke()

        tokens = function.foundation.tokens
        left = b"".join(function.read(key) for key in function.keys).decode()
        left += capsys.readouterr().out + json.dumps(answer) + str(function.messages)
        assert tokens
        for secret in (CLIENT_SECRET, *tokens):
            assert secret not in left


def test_every_log_line_bears_the_runs_id(capsys: pytest.CaptureFixture[str]) -> None:
    with deployed() as function:
        function.invoke(SCHEDULED)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [line for line in lines if "_aws" not in line]
    assert [line["message"].partition(": ")[0] for line in logged] == [
        "inventory read",
        "the configuration hardly means all it says",
        "audit started",
        "audit finished",
    ]
    assert {line["run_id"] for line in logged} == {RUN_ID}


def test_a_full_run_emits_its_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    with deployed() as function:
        function.invoke()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [emitted] = [line for line in lines if "_aws" in line]
    assert emitted["foundation"] == "local"
    assert emitted["InstancesHealthy"] == [2]
    assert emitted["InstancesNeverBackedUp"] == [0]
    assert emitted["Coverage"] == [100.0]
    assert emitted["InstancesUnaudited"] == [0]
    assert emitted["InventoryAgeHours"] == [0]
    each_once = "the root, a token, and each instance once"
    inventory = "the root, a token, a page, and the number of user-provided instances"
    assert emitted["ApiCalls"] == [5 + 4], f"{each_once}; {inventory}"
    assert emitted["OldestNewestBackupAge"][0] >= 40 * 3600


def test_the_fleet_of_the_examples_has_the_instance_of_the_examples() -> None:
    assert FLEET[0].guid == _event("one-instance")["instance_guids"][0]


def _event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Path(f"events/{name}.json").read_text())
    return event


def _validate(document: object, schema: str) -> None:
    assert_fits(document, SCHEMAS / f"{schema}.schema.json")


def _assert_told_of_failure(function: Deployment, error: str, reason: str) -> None:
    [told] = function.messages
    assert told.attributes["event"] == "run_failed"
    assert told.attributes["severity"] == "critical"
    assert error in told.body
    assert reason in " ".join(told.body.split())  # prose is wrapped
