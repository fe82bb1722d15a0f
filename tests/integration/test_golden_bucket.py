"""Today's function in a bucket that was written under schema 1: it goes on where that left off."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backup_audit.aws import CLIENTS
from backup_audit.handler import handler
from backup_audit_cli.verify import main as verify
from tests.integration.deployment import Context, Deployment, deployed, hours_ago, instance
from tools.local_cloud.aws import BUCKET
from tools.local_cloud.behaviours import Backups

pytestmark = pytest.mark.loopback

THEN = Path("tests/golden/schema-1/documents")
CONFIGURATION = json.loads((THEN / "configuration.json").read_bytes())
ANSWERS: dict[str, dict[str, Any]] = {
    answer["run_id"]: answer for answer in json.loads((THEN / "answers.json").read_bytes())
}
MESSAGES = [message["message_id"] for message in json.loads((THEN / "messages.json").read_bytes())]
GUIDS = [i if isinstance(i, str) else i["guid"] for i in CONFIGURATION["instances"]]
DAYS = ["2026-01-28", "2026-01-29", "2026-01-30", "2026-01-31"]
PLANNED_DAY = DAYS[3]  # its run was one in batches, the second of which failed for good
PLAN_KEY = f"backup-audit/plans/dt={PLANNED_DAY}/run=20260131T050000Z/plan.json"
CONCLUDE = {"step": "conclude", "plan_key": PLAN_KEY}

# Of the ten instances of the configuration; the others are not found.
FLEET = (
    instance("0a-healthy", hours_ago(3)),
    instance("1b-stale", hours_ago(40)),
    instance("2c-never", Backups(())),
    instance("8c-few", hours_ago(30)),
)


def everything(_: str) -> bool:
    """Of the keys of then."""
    return True


def all_but_what_was_told(key: str) -> bool:
    return not key.endswith("/told.json")


def up_to_the_second_day(key: str) -> bool:
    return any(f"/dt={day}/" in key for day in DAYS[:2])


def up_to_the_plan(key: str) -> bool:
    earlier = any(f"/dt={day}/" in key for day in DAYS[:3])
    return earlier or ("/plans/" in key and "/effort-" not in key)


def up_to_the_batches(key: str) -> bool:
    """All but the findings of the second, which `conclude` wrote."""
    audited = key.endswith(("/effort-00000.json", "/effort-00002.json")) or (
        PLANNED_DAY in key and key.endswith(("/part-00000.jsonl", "/part-00002.jsonl"))
    )
    return up_to_the_plan(key) or audited


@contextmanager
def bucket_of_then(kept: Callable[[str], bool] = everything) -> Iterator[Deployment]:
    """A deployment whose bucket holds the objects that were written then, or some of them."""
    with deployed(FLEET, configuration=CONFIGURATION) as function:
        s3, folder = CLIENTS.s3, THEN / "bucket"
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = path.relative_to(folder).as_posix()
            if kept(key):
                s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        yield function


def scheduled(day: str) -> dict[str, str]:
    return {"scheduled_time": f"{day}T05:00:00Z"}


def answer_of(day: str) -> dict[str, Any]:
    """What the function answered then."""
    return ANSWERS[f"{day.replace('-', '')}T050000Z"]


def is_whole() -> bool:
    return verify([f"s3://{BUCKET}/backup-audit"]) == 0


def test_the_next_run_is_compared_with_the_last_of_then() -> None:
    with bucket_of_then() as function:
        report = function.report(function.invoke(scheduled("2026-02-01")))

        assert report["previous_run_id"] == "20260131T050000Z"
        assert report["warnings"] == []
        assert {
            finding["guid"]: (finding["verdict"], finding["change"], finding["since"][:10])
            for finding in report["findings"]
        } == {
            "1b-stale": ("stale", "ongoing", "2026-01-28"),
            "2c-never": ("never_backed_up", "ongoing", "2026-01-28"),  # was kept behind silence
            "3d-unsupported": ("not_found", "new", "2026-02-01"),
            "4e-gone": ("not_found", "ongoing", "2026-01-28"),  # was kept behind silence
            "5f-unknown": ("not_found", "new", "2026-02-01"),
            "6a-young": ("not_found", "new", "2026-02-01"),
            "7b-muted": ("not_found", "new", "2026-02-01"),
            "8c-few": ("stale", "ongoing", "2026-01-31"),
            "9d-doubtful": ("not_found", "new", "2026-02-01"),
        }
        assert [(gone["guid"], gone["since"][:10]) for gone in report["resolved"]] == [
            ("0a-healthy", "2026-01-29")
        ]
        assert is_whole()


def test_a_problem_that_was_resolved_then_is_reopened() -> None:
    with bucket_of_then(up_to_the_second_day) as function:
        function.invoke(scheduled(DAYS[1]))  # finds its manifest, and no latest.json
        report = function.report(function.invoke(scheduled(DAYS[2])))

        [few] = [finding for finding in report["findings"] if finding["guid"] == "8c-few"]
        assert (few["verdict"], few["change"]) == ("stale", "reopened")
        assert report["previous_run_id"] == "20260129T050000Z"
        assert is_whole()


def test_an_event_of_then_that_comes_again_is_answered_from_its_report() -> None:
    with bucket_of_then() as function:
        before = {key: function.read(key) for key in function.keys}

        answers = [function.invoke(scheduled(day)) for day in DAYS]

        assert [answer["repeated"] for answer in answers] == [True] * 4
        assert answers == [as_repeated(answer_of(day)) for day in DAYS]
        assert {key: function.read(key) for key in function.keys} == before
        assert function.foundation.requests.total() == 0
        assert function.messages == []


def as_repeated(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of then as another delivery gives it here."""
    report = {"bucket": BUCKET, "key": answer["report"]["key"]}
    return answer | {"repeated": True, "messages_sent": 0, "report": report}


def test_a_run_of_then_that_nobody_was_told_of_is_told() -> None:
    with bucket_of_then(all_but_what_was_told) as function:
        runs = [function.invoke(scheduled(day))["run_id"] for day in DAYS]

        told = [sent.message["default"]["message_id"] for sent in function.messages]
        assert told == [id_ for id_ in MESSAGES if id_.split("/")[0] in runs]


def test_a_plan_of_then_is_concluded_from_the_findings_of_then() -> None:
    with bucket_of_then(up_to_the_batches) as function:
        answer = handler(CONCLUDE, Context())

        report, then = function.report(answer), answer_of(PLANNED_DAY)
        assert answer["repeated"] is False
        assert answer["complete"] is False
        assert (answer["counts"], answer["coverage"]) == (then["counts"], then["coverage"])
        assert (report["effort"]["api_calls"], report["effort"]["retries"]) == (11, 4)
        assert function.foundation.requests.total() == 0
        assert is_whole()


def test_a_plan_of_then_is_carried_out_batch_by_batch() -> None:
    plan = {"step": "plan", "event": scheduled(PLANNED_DAY), "execution": "again"}
    with bucket_of_then(up_to_the_plan) as function:
        planned = handler(plan, Context())
        for task in json.loads(function.read(planned["items_key"])):
            handler(task, Context())
        report = function.report(handler(CONCLUDE, Context()))

        assert planned["plan_key"] == PLAN_KEY
        assert function.read(PLAN_KEY) == (THEN / "bucket" / PLAN_KEY).read_bytes()
        assert report["complete"]
        assert report["previous_run_id"] == "20260130T050000Z"
        assert report["coverage"]["configured"] == len(GUIDS)
        assert {finding["guid"] for finding in report["findings"]} == {*GUIDS} - {"0a-healthy"}
        assert is_whole()
