"""`make run`, as a person runs it: one folder, several days."""

import contextlib
import io
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from backup_audit.fleet.inventory import Read, Sees
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Verdict
from backup_audit.report.alerts import Audience
from backup_audit.report.drift import Departure, InventoryRecord
from backup_audit.report.report import Latest, WholeReport
from tests.doubles.shared import made_once
from tests.doubles.some import rest
from tools.local_cloud import discovered
from tools.local_cloud.__main__ import main
from tools.local_cloud.fleet import Fleet
from tools.local_cloud.fleets import FLEETS, bad, healthy, hung, hung_504, limited
from tools.local_cloud.names import guid_of

pytestmark = pytest.mark.loopback

BUCKET = Path("s3/backup-audit-reports")
PREFIX = BUCKET / "backup-audit"
DAY = timedelta(days=1)


class Ran(msgspec.Struct):
    """What a person has after a run; `sent` are the messages of this run, by audience."""

    status: int
    output: str
    sent: dict[Audience, list[dict[str, Any]]]
    report: WholeReport | None = None

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Those for people."""
        return self.sent[Audience.PEOPLE]


def run(out: Path, fleet: str, event: object = None, options: Sequence[str] = ()) -> Ran:
    event_file = out.parent / "event.json"
    event_file.write_text(json.dumps(event or {}), "utf-8")
    before = {audience: len(sent) for audience, sent in messages_in(out).items()}
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(["--event", str(event_file), "--fleet", fleet, "--out", str(out), *options])
    sent = {audience: all_[before[audience] :] for audience, all_ in messages_in(out).items()}
    return Ran(status, output.getvalue(), sent, latest_report(out))


def scheduled(runs: int) -> list[dict[str, str]]:
    """The schedule's events, a minute apart, up to now."""
    minutes_ago = [timedelta(minutes=minutes) for minutes in reversed(range(runs))]
    return [{"scheduled_time": f"{datetime.now(UTC) - ago:%FT%TZ}"} for ago in minutes_ago]


def messages_in(out: Path) -> dict[Audience, list[dict[str, Any]]]:
    files = {audience: out / f"sns/{audience}.jsonl" for audience in Audience}
    texts = {audience: path.read_text("utf-8") for audience, path in files.items() if path.exists()}
    return {
        audience: [json.loads(line) for line in texts.get(audience, "").splitlines()]
        for audience in Audience
    }


def latest_report(out: Path) -> WholeReport | None:
    pointer = out / PREFIX / "latest.json"
    if not pointer.exists():
        return None
    latest = msgspec.json.decode(pointer.read_bytes(), type=Latest)
    return msgspec.json.decode((out / BUCKET / latest.report_key).read_bytes(), type=WholeReport)


def report_of(ran: Ran) -> WholeReport:
    assert ran.report
    return ran.report


class Days(msgspec.Struct):
    """The runs of some days, one after the other, and the folder that they left."""

    out: str
    runs: list[Ran]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    def made() -> Days:
        out = tmp_path_factory.mktemp("local") / "out"
        return Days(str(out), [run(out, fleet) for fleet in ("degraded", "degraded", "healthy")])

    return made_once(tmp_path_factory, "local-run-days", Days, made)


@pytest.fixture(scope="module")
def out(days: Days) -> Path:
    return Path(days.out)


@pytest.fixture(scope="module")
def first_day(days: Days) -> Ran:
    return days.runs[0]


@pytest.fixture(scope="module")
def second_day(days: Days) -> Ran:
    return days.runs[1]


@pytest.fixture(scope="module")
def third_day(days: Days) -> Ran:
    return days.runs[2]


def test_every_verdict_occurs_in_the_degraded_fleet(first_day: Ran) -> None:
    assert first_day.status == 0
    assert report_of(first_day).counts == {
        "never_backed_up": 2,
        "stale": 5,
        "unsupported": 1,
        "not_found": 1,
        "unknown": 12,
        "in_grace": 1,
        "healthy": 38,
    }


def test_every_instance_is_in_the_findings_exactly_once(out: Path, first_day: Ran) -> None:
    run_id = report_of(first_day).run.run_id
    (part,) = (out / PREFIX / "findings").glob(f"dt=*/run={run_id}/part-00000.jsonl")

    guids = [json.loads(line)["guid"] for line in part.read_text("utf-8").splitlines()]

    assert len(guids) == len(set(guids)) == 60


def test_flaky_instances_are_healthy_after_retries(out: Path, first_day: Ran) -> None:
    run_id = report_of(first_day).run.run_id
    (part,) = (out / PREFIX / "findings").glob(f"dt=*/run={run_id}/part-00000.jsonl")
    findings = [json.loads(line) for line in part.read_text("utf-8").splitlines()]

    retried = [finding for finding in findings if finding["evidence"]["attempts"] == 3]

    assert [finding["verdict"] for finding in retried] == ["healthy", "healthy"]


def test_the_output_names_every_problem_instance_with_its_verdict(first_day: Ran) -> None:
    problems = [f for f in report_of(first_day).findings if f.verdict.is_problem]

    assert len(problems) == 21
    for finding in problems:
        assert finding.guid in first_day.output
    assert f"run {report_of(first_day).run.run_id} · full scope · 48 of 60" in first_day.output
    assert "new, muted" in first_day.output


def test_the_output_is_plain_text_without_trailing_spaces(first_day: Ran) -> None:
    assert "\x1b" not in first_day.output
    assert [line for line in first_day.output.splitlines() if line != line.rstrip()] == []


def test_the_files_of_a_run_lie_where_the_contract_says(out: Path, first_day: Ran) -> None:
    report = report_of(first_day)
    day = f"dt={report.run.due_at:%Y-%m-%d}/run={report.run.run_id}"

    left = {path.name for path in (out / PREFIX / "reports" / day).iterdir()}

    marks = {audience.mark for audience in Audience}
    assert left >= {"report.html", "report.json", "findings.csv", "manifest.json"} | marks
    assert (out / PREFIX / "findings" / day / "part-00000.jsonl").is_file()
    for name in left:
        assert f"s3/backup-audit-reports/backup-audit/reports/{day}/{name}" in first_day.output


def test_the_output_ends_with_the_address_of_the_page(first_day: Ran) -> None:
    last = first_day.output.splitlines()[-1]

    assert last.startswith("Open the report: file:///")
    page = Path(unquote(last.partition("file://")[2]))
    assert page.is_file()
    assert page.name == "report.html"
    assert report_of(first_day).run.run_id in page.parent.name


def test_an_address_has_no_blank_though_the_folder_has_one(tmp_path: Path) -> None:
    last = run(tmp_path / "a folder", "sample").output.splitlines()[-1]

    address = last.partition("Open the report: ")[2]
    assert " " not in address
    assert Path(unquote(address).removeprefix("file://")).is_file()


def test_the_digest_is_shown_as_people_get_it_and_kept_in_a_file(first_day: Ran) -> None:
    (sent,) = first_day.messages

    assert sent["topic_arn"].endswith(":backup-audit")
    assert sent["attributes"]["event"] == "digest"
    assert sent["attributes"]["verdict"][0] == "never_backed_up"
    assert sent["message_id"]
    assert sent["subject"] in first_day.output
    for line in sent["message"].splitlines()[:10]:
        assert line in first_day.output


def test_of_what_programs_and_chat_get_the_number_is_shown_and_the_file(first_day: Ran) -> None:
    events, chat = first_day.sent[Audience.EVENTS], first_day.sent[Audience.CHAT]

    assert {sent["topic_arn"].rpartition("-")[2] for sent in events} == {"events"}
    assert {sent["message"]["event"] for sent in events} == {"problem", "run"}
    assert [sent["message"]["source"] for sent in chat] == ["custom"]
    said = f"Published to SNS: 1 for people, {len(events)} for programs, 1 for chat"
    assert f"\n{said}\n" in first_day.output
    assert "sns/events.jsonl  (all messages for programs)" in first_day.output
    assert "sns/chat.jsonl  (all messages for chat)" in first_day.output


def test_log_lines_and_metrics_of_every_run_lie_in_the_log(out: Path, second_day: Ran) -> None:
    lines = [json.loads(line) for line in (out / "function.log").read_text("utf-8").splitlines()]

    finished = {line["run_id"] for line in lines if line.get("message") == "audit finished"}
    stale = [line["InstancesStale"] for line in lines if "InstancesStale" in line]

    assert report_of(second_day).run.run_id in finished
    assert stale[:2] == [[5.0], [5.0]]


def test_on_the_second_day_every_problem_is_ongoing(first_day: Ran, second_day: Ran) -> None:
    report = report_of(second_day)

    problems = [finding for finding in report.findings if finding.verdict.is_problem]

    assert report.plan.previous
    assert report.plan.previous.run_id == report_of(first_day).run.run_id
    assert {finding.change for finding in problems} == {"ongoing"}
    assert "ongoing, muted" in second_day.output


def test_the_problems_end_when_the_fleet_is_healthy_again(third_day: Ran) -> None:
    report = report_of(third_day)
    ended = [one for one in report.resolved if one.resolved_at == report.run.due_at]

    assert third_day.status == 0
    assert len(ended) == 21
    assert third_day.output.count(" resolved ") >= 21
    assert re.search(r" was stale since [-0-9]{10} [:0-9]{5} UTC\n", third_day.output)
    assert third_day.messages[0]["attributes"]["change"] == ["resolved"]
    assert "all_clear" in third_day.messages[0]["attributes"]["reason"]


def test_a_healthy_fleet_has_no_problem_and_is_news_to_nobody(tmp_path: Path) -> None:
    ran = run(tmp_path / "out", "healthy")

    assert ran.status == 0
    assert report_of(ran).counts[Verdict.HEALTHY] == 24
    assert "No problem" in ran.output
    assert ran.messages == ran.sent[Audience.CHAT] == []
    assert [sent["message"]["event"] for sent in ran.sent[Audience.EVENTS]] == ["run"]


def test_a_partial_run_asks_for_one_instance(tmp_path: Path) -> None:
    guid = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"

    ran = run(tmp_path / "out", "degraded", {"instance_guids": [guid]})

    assert "partial scope · 1 of 1 audited" in ran.output
    assert guid in ran.messages[0]["message"]


def test_a_dry_run_shows_problems_and_leaves_neither_objects_nor_messages(tmp_path: Path) -> None:
    guid = "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"

    ran = run(tmp_path / "out", "degraded", {"dry_run": True, "instance_guids": [guid]})

    assert ran.status == 0
    assert guid in ran.output
    assert "dry run" in ran.output
    assert "Open the report" not in ran.output
    assert not (tmp_path / "out" / "s3").exists()
    assert list(ran.sent.values()) == [[], [], []]


def test_an_event_that_asks_why_shows_what_the_command_explain_says(tmp_path: Path) -> None:
    event = json.loads(Path("events/explain.json").read_bytes())

    ran = run(tmp_path / "out", "discovered", event)

    assert ran.status == 0
    lines = ran.output.splitlines()
    assert lines[0].startswith("orders-db (6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01)  prod-eu / shop")
    assert [line.split()[0] for line in lines[1:7]] == [
        "audited",
        "max_age",
        "min_backups",
        "grace",
        "owner",
        "muted",
    ]
    assert "nothing new in s3/backup-audit-reports" in ran.output
    assert list(ran.sent.values()) == [[], [], []]
    assert not (tmp_path / "out" / "s3").exists()


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"explain": "catalog-postgres"}, "catalog-postgres (ffa449f2-"),
        ({"explain": "catalog-postgres", "dry_run": None}, "catalog-postgres (ffa449f2-"),
        ({"explain": "no-such-name"}, "no-such-name: our client sees no instance of this name"),
        ({"explain": str(uuid.UUID(int=7))}, "our client sees no such instance"),
    ],
    ids=["name", "nulls beside it", "unknown name", "unknown GUID"],
)
@pytest.mark.parametrize("fleet", [rest("sample"), "discovered"])
def test_whatever_is_asked_to_be_explained_has_an_answer(
    fleet: str, event: dict[str, object], says: str, tmp_path: Path
) -> None:
    ran = run(tmp_path / "out", fleet, event)

    assert ran.status == 0
    assert says in ran.output


def test_a_fleet_of_the_state_machine_is_explained_by_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mapped(now: datetime) -> Fleet:
        return msgspec.structs.replace(healthy(now), is_mapped=True)

    monkeypatch.setitem(FLEETS, "mapped", mapped)

    ran = run(tmp_path / "out", "mapped", {"explain": "6f1c0a52-3b1e-4c5f-9a57-0d2f6c1b8e01"})

    assert ran.status == 0
    assert ran.output.splitlines()[1].startswith("audited      instances[0]")


def test_a_run_that_finds_another_at_work_shows_that_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = out / PREFIX / "running.json"
    running.parent.mkdir(parents=True)
    claim = {"schema_version": 1, "foundation": "local", "run_id": "20260131T050000Z"}
    ends_at = f"{datetime.now(UTC) + timedelta(hours=1):%FT%TZ}"
    running.write_text(json.dumps(claim | {"held_by": "another", "ends_at": ends_at}), "utf-8")

    ran = run(out, "sample")

    assert ran.status == 0
    [line] = [line for line in ran.output.splitlines() if "20260131T050000Z" in line]
    assert line == "another full run, 20260131T050000Z, is at work: nothing was asked"
    assert "verdict" not in ran.output
    assert "at least once" not in ran.output


def test_the_answer_of_a_step_is_shown_as_the_document_that_it_is(tmp_path: Path) -> None:
    event = json.loads(Path("events/steps/plan.json").read_bytes())

    ran = run(tmp_path / "out", "sample", event)

    assert ran.status == 0
    assert '"batches": 1' in ran.output


def test_a_foundation_that_refuses_our_client_fails_the_run(tmp_path: Path) -> None:
    ran = run(tmp_path / "out", "locked-out")

    assert ran.status == 1
    assert "CredentialsRefused: UAA refused client 'backup-audit'" in ran.output
    assert [sent["attributes"]["event"] for sent in ran.messages] == ["run_failed"]
    assert ran.messages[0]["subject"] in ran.output


@pytest.fixture(params=[(hung, "no usable answer"), (hung_504, "HTTP 504")], ids=["silent", "504"])
def small_hung_fleet(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """A fleet's name, and how its hung instances are described; its time is scaled 1:60."""
    fleet, reason = request.param
    monkeypatch.setitem(FLEETS, "small", partial(fleet, size=60, faster=60))
    return "small", reason


@pytest.mark.exhaustive
def test_a_hung_broker_costs_no_other_instance_its_verdict_on_day_one_and_two(
    tmp_path: Path, small_hung_fleet: tuple[str, str]
) -> None:
    name, reason = small_hung_fleet

    days = [run(tmp_path / "out", name) for _ in range(2)]

    for day, change in zip(days, ["new", "ongoing"], strict=True):
        report = report_of(day)
        assert report.complete
        assert (report.counts[Verdict.HEALTHY], report.counts[Verdict.UNKNOWN]) == (57, 3)
        assert {finding.change for finding in report.findings} == {change}
        assert all(reason in finding.reason for finding in report.findings)
        assert "time is scaled 1:60" in day.output


@pytest.mark.exhaustive
def test_under_a_limit_each_run_begins_with_what_was_not_reached_until_all_were_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLEETS, "small", partial(limited, size=120, requests=40))

    days = []
    for due in scheduled(6):
        days.append(run(tmp_path / "out", "small", due))
        if "none is left" in days[-1].output:
            break

    judged = [line for day in days for line in day.output.splitlines() if "at least once" in line]
    assert "of 120 instances judged at least once in 1 run; " in judged[0]
    in_all = f"120 of 120 instances judged at least once in {len(days)} runs; none is left"
    assert judged[-1] == in_all
    # A request that breaks off on a busy machine has used up its part of the limit.
    assert all(35 <= report_of(day).counts[Verdict.HEALTHY] <= 40 for day in days)
    assert all("incomplete" in day.output for day in days)


@pytest.mark.exhaustive
def test_on_the_day_after_a_bad_day_every_problem_is_ongoing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FLEETS, "small", partial(bad, size=200))

    days = [run(tmp_path / "out", "small") for _ in range(2)]

    changes = [Counter(finding.change for finding in report_of(day).findings) for day in days]
    assert changes == [{"new": 150}, {"ongoing": 150}]
    assert [len(day.messages) for day in days] == [1, 0]
    assert days[0].output.index("/report.json  (") < days[0].output.index("/plans/")
    first = days[0].output.partition("The first one's text:")[2].partition("Files in ")[0]
    assert len(first.strip().splitlines()) == 42, "40 lines, a blank one, and how to go on"
    assert first.rstrip().endswith(f"… the whole text is in {tmp_path / 'out'}/sns/digest.txt")
    [sent] = days[0].messages
    whole = (tmp_path / "out/sns/digest.txt").read_text("utf-8")
    assert whole == f"{sent['subject']}\n\n{sent['message']}"
    assert "time is scaled" not in days[0].output
    assert "at least once" not in days[0].output


@pytest.fixture(scope="module")
def discovered_days(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    def made() -> list[Ran]:
        out = tmp_path_factory.mktemp("discovered") / "out"
        return [run(out, "discovered", due) for due in scheduled(3)]

    return made_once(tmp_path_factory, "local-run-discovered-days", list[Ran], made)


def inventory_of(ran: Ran) -> InventoryRecord:
    inventory = report_of(ran).inventory
    assert inventory
    return inventory


def finding_of(ran: Ran, index: int) -> Finding:
    return next(one for one in report_of(ran).findings if one.guid == guid_of(index))


@pytest.mark.exhaustive
def test_a_discovered_foundation_is_read_completely_and_audited(discovered_days: list[Ran]) -> None:
    first = discovered_days[0]

    inventory = inventory_of(first)
    assert report_of(first).complete
    assert (inventory.read, inventory.sees) == (Read.COMPLETE, Sees.ALL)
    assert (inventory.managed, inventory.user_provided) == (201, 1)
    assert report_of(first).coverage.configured == 147
    assert [one.instances for one in inventory.excluded] == [4, 16, 1]
    assert inventory.unaudited
    assert (inventory.unaudited.count, inventory.unaudited.new) == (35, 0)
    assert re.search(
        r"^Inventory read completely · [0-9]+ requests · our client sees all$",
        first.output,
        re.MULTILINE,
    )
    assert "unaudited: 35 (p.rabbitmq 14, " in first.output


@pytest.mark.exhaustive
def test_a_dry_run_of_a_discovered_fleet_shows_what_would_be_audited(tmp_path: Path) -> None:
    dry_run = json.loads(Path("events/dry-run.json").read_bytes())

    tried = run(tmp_path / "out", "discovered", dry_run)
    ran = run(tmp_path / "out", "discovered")

    def said(one: Ran, start: str) -> list[str]:
        return [line for line in one.output.splitlines() if line.strip().startswith(start)]

    for start in ("Inventory read completely", "warning: ", "unaudited: 35", "rules[0]"):
        assert said(tried, start)
        assert said(tried, start) == said(ran, start)
    assert said(tried, "16 excluded by exclude[1]")


@pytest.mark.exhaustive
def test_each_problem_of_a_discovered_fleet_has_a_name_and_a_place(
    discovered_days: list[Ran],
) -> None:
    first = discovered_days[0]

    for finding in report_of(first).findings:
        assert (finding.guid == guid_of(discovered.GONE)) is (finding.name is None)
        assert (finding.name is None) is (finding.space is None) is (finding.org is None)
    assert finding_of(first, discovered.STALE).plan == "db-gold-medium"
    assert "p.mysql db-gold-medium" in first.output
    assert "prod-eu / shop" in first.output


@pytest.mark.exhaustive
def test_rules_and_labels_decide_what_is_demanded(discovered_days: list[Ran]) -> None:
    first = discovered_days[0]

    gold = finding_of(first, discovered.STALE).policy
    assert (gold.max_age, gold.max_age_source) == (timedelta(hours=12), "rules[0]")
    labelled = finding_of(first, discovered.WITHIN_BOUNDS)
    assert labelled.policy.max_age_source == "label backup-audit.max-age"
    assert labelled.owner == "team-suppliers"
    for index in (discovered.BEYOND_BOUNDS, discovered.UNREADABLE):
        [note] = finding_of(first, index).policy_notes
        assert note.startswith("label backup-audit.max-age ")
    muted = finding_of(first, discovered.MUTED).mute
    assert muted
    assert muted.owner == "dba"


@pytest.mark.exhaustive
def test_the_inventory_softens_and_nothing_more(discovered_days: list[Ran]) -> None:
    first = discovered_days[0]

    assert finding_of(first, discovered.BEING_CREATED).verdict is Verdict.IN_GRACE
    assert finding_of(first, discovered.BEING_DELETED).verdict is Verdict.STALE
    assert finding_of(first, discovered.USER_PROVIDED).verdict is Verdict.UNSUPPORTED
    assert finding_of(first, discovered.GONE).verdict is Verdict.NOT_FOUND


@pytest.mark.exhaustive
def test_the_second_run_says_what_happened_on_the_foundation(discovered_days: list[Ran]) -> None:
    first, second, _ = discovered_days

    inventory = inventory_of(second)
    assert inventory.unaudited
    assert (inventory.unaudited.count, inventory.unaudited.new) == (38, 2)
    assert inventory.appeared == 1
    assert inventory.vanished
    [left] = inventory.vanished
    assert (left.guid, left.how) == (guid_of(discovered.LEAVES), Departure.DESELECTED)
    assert left.open_problem
    assert left.open_problem.verdict is Verdict.STALE
    assert finding_of(second, discovered.VANISHES).verdict is Verdict.NOT_FOUND
    happened = "on the foundation, since the first run: billing-mysql (prod-eu / shop) was deleted"
    assert happened in second.output
    assert happened not in first.output
    assert "scoring-archive  resolved" not in second.output, "it left, and nobody knows more"
    for name in ("scoring-archive", "prototype-postgres", "prototype-cache"):
        assert name in second.messages[0]["message"]


@pytest.mark.exhaustive
def test_what_vanished_is_gone_from_the_fleet_in_the_third_run(discovered_days: list[Ran]) -> None:
    _, second, third = discovered_days

    configured = report_of(second).coverage.configured
    assert report_of(third).coverage.configured == configured - 1
    assert inventory_of(third).vanished
    [left] = inventory_of(third).vanished or []
    assert (left.guid, left.how) == (guid_of(discovered.VANISHES), Departure.GONE)


def test_a_configuration_that_discovers_finds_the_fleets_own_instances(tmp_path: Path) -> None:
    config = tmp_path / "mine.json"
    config.write_text(json.dumps({"discover": [{"org": "*"}], "instances": ["mine"]}), "utf-8")

    ran = run(tmp_path / "out", "healthy", options=["--config", str(config)])

    assert report_of(ran).coverage.configured == 24 + 1


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    def made() -> Ran:
        out = tmp_path_factory.mktemp("days") / "out"
        return run(out, "changing", options=["--days", "3"])

    return made_once(tmp_path_factory, "local-run-three-days", Ran, made)


@pytest.mark.exhaustive
def test_of_several_days_each_has_its_run_and_the_last_is_today(three_days: Ran) -> None:
    due = [point.due_at for point in report_of(three_days).history]

    assert [after.date() - before.date() for before, after in pairwise(due)] == [DAY, DAY]
    assert due[-1] == report_of(three_days).run.due_at


@pytest.mark.exhaustive
def test_problems_come_and_go_with_the_days_of_the_changing_fleet(three_days: Ran) -> None:
    report = report_of(three_days)

    assert report.complete
    assert (report.news.new, report.news.resolved) == (2, 2)
    assert [point.counts["unknown"] for point in report.history] == [0, 1, 1]


@pytest.mark.exhaustive
def test_of_several_days_the_last_is_shown_and_all_are_kept(three_days: Ran) -> None:
    today = report_of(three_days).run
    listed = re.findall(r"/dt=([-0-9]{10})/", three_days.output)

    assert set(listed) == {f"{today.due_at:%F}"}
    assert "\nPublished to SNS: 1 for people" in three_days.output
    assert len(three_days.messages) == 3
    first, last = (f"{today.due_at - days * DAY:%F}" for days in (2, 1))
    assert f"the days before, {first} to {last}: 2 audited\n" in three_days.output


@pytest.mark.exhaustive
def test_days_before_a_run_that_is_there_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    run(tmp_path / "out", "healthy")

    again = run(tmp_path / "out", "healthy", options=["--days", "3"])

    assert ": 0 audited, 2 left out, for the folder has a later run\n" in again.output
    assert again.status == 0


def test_a_day_on_which_the_run_fails_is_missing_and_the_next_ones_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked_out_before_today(now: datetime) -> Fleet:
        is_today = datetime.now(UTC) - now < timedelta(hours=12)
        return msgspec.structs.replace(healthy(now), knows_us=is_today)

    monkeypatch.setitem(FLEETS, "was-locked-out", locked_out_before_today)

    ran = run(tmp_path / "out", "was-locked-out", options=["--days", "2"])

    assert ran.status == 0
    assert len(report_of(ran).history) == 1
    assert ran.messages[0]["attributes"]["event"] == "run_failed"
    assert ": 0 audited, 1 failed\n" in ran.output


@pytest.mark.parametrize("days", ["0", "-1", "many"])
def test_days_that_are_no_number_of_days_are_wrong_usage(
    tmp_path: Path, days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main([f"--days={days}", "--out", str(tmp_path / "out")])

    assert exited.value.code == 2
    assert f"--days: '{days}' is no whole number from 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_bad_event_fails_the_run_and_names_its_fault(tmp_path: Path) -> None:
    ran = run(tmp_path / "out", "healthy", {"max_aeg": "12h"})

    assert ran.status == 1
    assert "InvalidEvent" in ran.output
    assert "max_aeg" in ran.output
    assert "\n\nPublished to SNS" in ran.output, "a blank line after the error"


def test_a_fleet_that_is_not_there_is_named_beside_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["--fleet", "foo", "--out", str(tmp_path / "out")])

    assert status == 2
    assert capsys.readouterr().err == f"FLEET foo is none of {', '.join(FLEETS)}\n"
    assert not (tmp_path / "out").exists()


def test_an_event_file_that_is_no_json_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = tmp_path / "event.json"
    event.write_text("{", "utf-8")

    status = main(["--event", str(event), "--out", str(tmp_path / "out")])

    assert status == 2
    assert str(event) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_configuration_of_ones_own_lies_over_the_foundation(tmp_path: Path) -> None:
    mine = {"guid": "9b02c1de-52f1-4b0c-8d7e-3a44c2f0ab55", "name": "mine-db", "max_age": "99d"}
    config = tmp_path / "mine.json"
    config.write_text(json.dumps({"instances": [mine, "second-db"]}), "utf-8")

    ran = run(tmp_path / "out", "sample", options=["--config", str(config)])

    assert ran.status == 0
    assert "2 of 2 audited" in ran.output
    assert report_of(ran).counts[Verdict.HEALTHY] == 2
    assert report_of(ran).plan.configuration_sha256 == sha256(config.read_bytes()).hexdigest()
    assert 'warning: instances[1]: "second-db" is not a GUID' in ran.output


@pytest.mark.exhaustive
def test_a_larger_configuration_than_the_fleet_has_its_behaviours_in_turn(tmp_path: Path) -> None:
    config = tmp_path / "mine.json"
    guids = [str(uuid.UUID(int=number)) for number in range(20)]
    config.write_text(json.dumps({"instances": guids}), "utf-8")

    ran = run(tmp_path / "out", "sample", options=["--config", str(config)])

    counts = report_of(ran).counts
    assert sum(counts.values()) == 20
    assert counts[Verdict.UNSUPPORTED] == 3, "the 4th, 12th and 20th"


@pytest.mark.parametrize("document", [b'{"instances": [7]}', rest(b"\xff\xfe{"), rest(b"{")])
def test_a_configuration_with_faults_fails_the_run_that_reads_it(
    tmp_path: Path, document: bytes
) -> None:
    config = tmp_path / "mine.json"
    config.write_bytes(document)

    ran = run(tmp_path / "out", "sample", options=["--config", str(config)])

    assert ran.status == 1
    assert "InvalidConfiguration: the configuration " in ran.output


def test_a_configuration_that_is_not_there_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(tmp_path / "out", "sample", options=["--config", str(tmp_path / "none.json")])

    assert ran.status == 2
    assert f"{tmp_path / 'none.json'}: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("fleet", ["sample", rest("healthy"), rest("degraded")])
def test_the_samples_configuration_raises_no_doubt(tmp_path: Path, fleet: str) -> None:
    ran = run(tmp_path / "out", fleet)

    assert report_of(ran).plan.warnings == ()


def test_the_help_names_every_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["--help"])

    assert exited.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert [name for name in FLEETS if f"{name}: " not in shown] == []


@pytest.mark.exhaustive
def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    mine = [tmp_path / "out" / "notes.txt", tmp_path / "out" / PREFIX / "notes.txt"]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine", "utf-8")

    run(tmp_path / "out", "healthy")

    assert [file.read_text("utf-8") for file in mine] == ["mine", "mine"]


def test_the_environment_is_as_before_and_its_aws_settings_have_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("REPORT_PREFIX", "elsewhere")
    before = dict(os.environ)

    ran = run(tmp_path / "out", "healthy")

    assert ran.status == 0
    assert (tmp_path / "out" / PREFIX / "latest.json").exists()
    assert dict(os.environ) == before
