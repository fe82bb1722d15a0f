"""A run from configuration to report and message, over fakes."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
import pytest

from backup_audit.audit import Audit
from backup_audit.errors import (
    ApiUnreachable,
    AuditError,
    CredentialsUnavailable,
    InvalidConfiguration,
    NotificationFailed,
    ReportStoreFailed,
)
from backup_audit.fleet.run import AuditRequest, plan_run
from backup_audit.judge.evidence import Answer, BackupList, Cause, Refusal, Silence
from backup_audit.judge.verdict import Verdict
from backup_audit.report.report import Answer as RunAnswer
from backup_audit.report.report import Latest, Manifest, WholeReport
from backup_audit.settings import Settings
from tests.doubles.builders import NOW, SETTINGS, a_list
from tests.doubles.edges import FakeEdges
from tests.doubles.fakes import (
    CountingHeartbeat,
    FixedSource,
    InMemoryStore,
    RecordingNotifier,
    RecordingTelemetry,
    ScriptedApi,
)

QUARTER = timedelta(minutes=15)  # Lambda's longest
DAY = timedelta(days=1)
SCHEDULED = AuditRequest(scheduled_time=NOW)
ANSWERS: dict[str, Answer | tuple[Answer, int | None]] = {
    "healthy": a_list(3),
    "stale": a_list(50),
    "never": BackupList(()),
    "unsupported": (Refusal(10008, "CF-UnprocessableEntity"), 422),
}
SILENCE = (Silence(Cause.TIMEOUT, "no answer"), None)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)


class World:
    """Everything around the use case."""

    def __init__(self, configuration: Mapping[str, Any] | None = None) -> None:
        document = configuration or {"instances": list(ANSWERS)}
        self.source = FixedSource(json.dumps(document).encode())
        self.answers = dict(ANSWERS)
        self.api = ScriptedApi(self.answers)
        self.store = InMemoryStore()
        self.notifier = RecordingNotifier()
        self.heartbeat = CountingHeartbeat()
        self.telemetry = RecordingTelemetry()
        self.secret_is_gone: AuditError | None = None

    def run(
        self,
        request: AuditRequest = SCHEDULED,
        *,
        now: datetime = NOW,
        invocation: str = "invocation-1",
        settings: Settings = SETTINGS,
    ) -> RunAnswer:
        edges = FakeEdges(
            source=self.source,
            api=self.api,
            store=self.store,
            notifier=self.notifier,
            heartbeat=self.heartbeat,
            telemetry=self.telemetry,
            at=now + timedelta(seconds=7),
        )
        edges.secret_is_gone = self.secret_is_gone
        audit = Audit(settings, edges, invocation, now + QUARTER)
        return audit.run(request, plan_run(request, now, invocation))

    def read(self, name: str) -> bytes:
        [key] = [key for key in self.store.objects if key.endswith(name)]
        return self.store.objects[key]

    def report_of(self, part: str) -> WholeReport:
        """The report of the run whose id has this part."""
        [key] = [one for one in self.store.objects if part in one and one.endswith("report.json")]
        return msgspec.json.decode(self.store.objects[key], type=WholeReport)

    def report(self) -> WholeReport:
        return msgspec.json.decode(self.read("report.json"), type=WholeReport)


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_judges_keeps_and_tells(world: World) -> None:
    answer = world.run()

    assert answer.counts["healthy"] == 1
    assert answer.coverage
    assert answer.coverage.configured == 4
    assert answer.messages_sent == 1
    assert answer.report
    assert answer.report.uri.startswith("s3://reports/backup-audit/reports/dt=2026-01-31/run=")
    report = world.report()
    assert [found.guid for found in report.findings] == ["never", "stale", "unsupported"]
    assert report.effort.seconds == 7.0
    assert report.effort.api_calls == 4 + 2, "a scan, and a look at the instances that it lacks"
    assert report.plan.configuration_uri == "ssm:/test"
    [(reported, sent)] = world.telemetry.reports
    assert (reported.run, reported.counts, sent) == (report.run, report.counts, 1)


def test_the_objects_are_written_in_the_order_that_commits_last(world: World) -> None:
    world.run()

    assert [key.rsplit("/", 1)[1] for key in world.store.writes] == [
        "running.json",
        "batch-00000.jsonl",
        "fleet.jsonl",
        "plan.json",
        "part-00000.jsonl",
        "fleet.jsonl",
        "findings.csv",
        "report.json",
        "report.html",
        "manifest.json",
        "run=20260131T050000Z.json",
        "latest.json",
        "notified-people.json",
        "running.json",
    ]


def test_the_same_run_twice_leaves_one_report_and_one_digest(world: World) -> None:
    first = world.run()
    objects = dict(world.store.objects)

    second = world.run(invocation="invocation-2", now=NOW + timedelta(hours=1))

    assert second == msgspec.structs.replace(first, repeated=True, messages_sent=0)
    assert world.store.objects == objects
    assert len(world.notifier.messages) == 1
    assert len(world.api.asked) == 4


def test_two_deliveries_at_once_leave_one_report_and_one_digest(world: World) -> None:
    together = threading.Barrier(2, timeout=10)
    both_audit = threading.Barrier(2, timeout=10)
    waited = threading.local()

    class Slow(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            if not getattr(waited, "done", False):
                waited.done = True
                both_audit.wait()  # neither writes before both have judged
            return super().put_new(key, body)

    world.store = Slow()
    answers: list[RunAnswer] = []

    def deliver(number: int) -> None:
        together.wait()
        answers.append(world.run(invocation=f"invocation-{number}"))

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.repeated for answer in answers) == [False, True]
    assert len(world.notifier.messages) == 1
    assert len([key for key in world.store.writes if key.endswith("manifest.json")]) == 1
    assert answers[0].counts == answers[1].counts


def test_a_delivery_goes_on_with_the_findings_that_lie_there(world: World) -> None:
    died = World()
    died.run()
    key = next(key for key in died.store.objects if key.endswith("part-00000.jsonl"))
    world.store.objects[key] = died.store.objects[key]
    world.answers["stale"] = a_list(1)

    answer = world.run()

    assert answer.counts["stale"] == 1, "as the delivery before judged it"


@pytest.mark.parametrize("died_before", ["batch-00000", "plan.json", "part-", "findings.csv"])
def test_a_retry_after_the_configuration_changed_audits_the_list_that_it_reports(
    world: World, died_before: str
) -> None:
    class Dying(InMemoryStore):
        dies = True

        def put_new(self, key: str, body: bytes) -> bool:
            if self.dies and died_before in key:
                raise ReportStoreFailed("the function died")
            return super().put_new(key, body)

    world.store = store = Dying()
    muted = {"owner": "team", "reason": "moves", "until": "2026-01-31"}
    configurations: list[dict[str, Any]] = [
        {"instances": ["healthy", "stale"], "mutes": [{"guid": "stale"} | muted]},
        {"instances": ["healthy", "never"], "mutes": []},
    ]
    bodies = [json.dumps(one).encode() for one in configurations]
    world.source.body = bodies[0]
    with pytest.raises(ReportStoreFailed):
        world.run()
    store.dies = False
    world.source.body = bodies[1]

    world.run(invocation="invocation-2")

    report = world.report()
    [audited] = [
        number
        for number, body in enumerate(bodies)
        if hashlib.sha256(body).hexdigest() == report.plan.configuration_sha256
    ]
    kept = [json.loads(line) for line in world.read("part-00000.jsonl").splitlines()]
    assert [line["guid"] for line in kept] == configurations[audited]["instances"]
    assert len(report.mutes) == len(configurations[audited]["mutes"])
    assert report.coverage.configured == 2
    assert audited == (died_before in ("batch-00000", "plan.json"))


def test_a_retry_is_compared_with_the_report_that_its_findings_were(world: World) -> None:
    world.run(AuditRequest(scheduled_time=NOW - timedelta(days=1)))

    class Dying(InMemoryStore):
        dies = True

        def put_new(self, key: str, body: bytes) -> bool:
            if self.dies and key.endswith("findings.csv"):
                raise ReportStoreFailed("the function died")
            return super().put_new(key, body)

    dying = Dying()
    dying.objects = world.store.objects
    world.store = dying
    world.answers["stale"] = a_list(1)
    with pytest.raises(ReportStoreFailed):
        world.run()
    dying.dies = False
    world.run(AuditRequest(), now=NOW - timedelta(hours=1), invocation="by-hand")

    answer = world.run(invocation="invocation-2")

    assert answer.report
    report = msgspec.json.decode(world.store.objects[answer.report.key], type=WholeReport)
    assert report.plan.previous
    assert report.plan.previous.run_id == "20260130T050000Z"
    assert [problem.guid for problem in report.resolved] == ["stale"]


def test_a_run_that_died_before_telling_is_told_by_its_retry(world: World) -> None:
    world.notifier.broken = True
    with pytest.raises(NotificationFailed):
        world.run()
    world.notifier.broken = False

    answer = world.run(invocation="invocation-2")

    assert answer.repeated
    assert answer.messages_sent == 1
    assert world.notifier.events == ["digest"]


def test_a_run_that_died_before_moving_the_pointer_moves_it_at_its_retry(world: World) -> None:
    world.run()
    del world.store.objects["backup-audit/latest.json"]

    world.run(invocation="invocation-2")

    assert "backup-audit/latest.json" in world.store.objects


def test_a_write_whose_answer_was_lost_is_still_ours(world: World) -> None:
    class Forgetful(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            written = super().put_new(key, body)
            return written and not key.endswith("manifest.json")

    world.store = Forgetful()

    answer = world.run()

    assert not answer.repeated
    assert answer.messages_sent == 1


def latest(world: World) -> Latest:
    return msgspec.json.decode(world.store.objects["backup-audit/latest.json"], type=Latest)


def test_the_pointer_moves_forward_only(world: World) -> None:
    world.run(AuditRequest(scheduled_time=NOW))
    world.run(AuditRequest(scheduled_time=NOW - timedelta(days=1)))
    assert latest(world).run.due_at == NOW

    world.run(AuditRequest(scheduled_time=NOW + timedelta(days=1)))
    assert latest(world).run.due_at == NOW + timedelta(days=1)


def test_a_retry_after_a_newer_run_says_of_its_findings_what_they_say(world: World) -> None:
    """The end of a problem follows from the findings alone, whatever the state is by now."""
    world.run(AuditRequest(scheduled_time=NOW - DAY))
    world.answers["stale"] = a_list(1)
    world.run()
    today = [key for key in world.store.objects if "run=20260131" in key]
    for key in today:
        if "/reports/" in key:
            del world.store.objects[key]
    del world.store.objects["backup-audit/latest.json"]

    world.run(invocation="invocation-2")

    report = next(key for key in today if key.endswith("report.json"))
    document = msgspec.json.decode(world.store.objects[report], type=WholeReport)
    assert [(one.guid, one.verdict, one.since) for one in document.resolved] == [
        ("stale", "stale", NOW - DAY)
    ]


def test_a_late_run_keeps_its_report_and_moves_and_notifies_nothing(world: World) -> None:
    world.run(AuditRequest(scheduled_time=NOW))
    pointer = world.store.objects["backup-audit/latest.json"]
    told, beats = len(world.notifier.messages), world.heartbeat.beats
    world.answers["healthy"] = a_list(99)

    late = world.run(AuditRequest(scheduled_time=NOW - timedelta(minutes=1)), invocation="late")

    assert late.report
    assert late.report.key in world.store.objects
    assert late.counts["stale"] == 2
    assert late.messages_sent == 0
    assert world.store.objects["backup-audit/latest.json"] == pointer
    assert len(world.notifier.messages) == told
    assert world.heartbeat.beats == beats
    [warning] = world.telemetry.warnings
    assert (
        "run 20260131T045900Z is older than the one that backup-audit/latest.json names" in warning
    )


@pytest.mark.parametrize(("minutes", "warnings"), [(-1, 1), (0, 0), (1, 0)])
def test_a_run_is_late_if_it_was_due_before_the_newest(
    world: World, minutes: int, warnings: int
) -> None:
    world.run(AuditRequest(scheduled_time=NOW))

    world.run(
        AuditRequest(scheduled_time=NOW + timedelta(minutes=minutes)), invocation="invocation-2"
    )

    assert len(world.telemetry.warnings) == warnings


def test_of_runs_by_hand_in_the_same_second_each_is_newer_than_the_one_before(
    world: World,
) -> None:
    for number in range(8):  # their ids end in digests, whose order is any
        answer = world.run(AuditRequest(), invocation=f"invocation-{number}")

        assert answer.messages_sent == 1
        assert latest(world).run.run_id == answer.run_id
    assert world.telemetry.warnings == []


def test_a_retry_of_the_first_of_two_in_the_same_second_moves_nothing_back(world: World) -> None:
    deliveries = ("invocation-0", "invocation-1", "invocation-0")

    ids = [world.run(AuditRequest(), invocation=one).run_id for one in deliveries]

    assert ids[0] == ids[2] != ids[1]
    assert latest(world).run.run_id == ids[1]


SECRET_IS_GONE = CredentialsUnavailable("the secret could not be read")


def test_a_repeated_delivery_needs_no_secret_but_for_the_heartbeat(world: World) -> None:
    world.run()
    world.secret_is_gone = SECRET_IS_GONE

    answer = world.run(invocation="invocation-2")

    assert answer.repeated
    assert world.telemetry.warnings == ["the heartbeat was not taken: the secret could not be read"]


def test_a_retry_that_finds_the_findings_needs_no_secret(world: World) -> None:
    died = World()
    died.run()
    world.store.objects = {
        key: body
        for key, body in died.store.objects.items()
        if "/findings/" in key or "/plans/" in key
    }
    world.secret_is_gone = SECRET_IS_GONE

    answer = world.run()

    assert answer.complete
    assert answer.counts["healthy"] == 1


def test_a_run_that_must_ask_fails_without_the_secret(world: World) -> None:
    world.secret_is_gone = SECRET_IS_GONE

    with pytest.raises(CredentialsUnavailable):
        world.run()


def test_the_pointer_leads_to_a_committed_run(world: World) -> None:
    world.run()

    pointer = latest(world)
    manifest = msgspec.json.decode(world.store.objects[pointer.manifest_key], type=Manifest)
    assert manifest.run == pointer.run
    assert pointer.report_key in [described.key for described in manifest.objects]
    assert all(described.key in world.store.objects for described in manifest.objects)


def test_a_pointer_that_others_keep_changing_is_a_failure(world: World) -> None:
    class Contended(InMemoryStore):
        def put_if_unchanged(self, key: str, body: bytes, etag: str) -> bool:
            is_claim = key.endswith("running.json")
            return is_claim and super().put_if_unchanged(key, body, etag)

    world.store = Contended()
    world.run(AuditRequest(scheduled_time=NOW))

    with pytest.raises(ReportStoreFailed, match="look for another writer"):
        world.run(AuditRequest(scheduled_time=NOW + timedelta(days=1)))


def test_a_bucket_that_keeps_no_versions_is_a_warning_in_report_and_log(world: World) -> None:
    world.store.versioned = False

    world.run()

    *_, warning = world.report().plan.warnings
    assert "s3://reports keeps no versions" in warning
    assert world.telemetry.warnings == [warning]


def test_a_bucket_that_does_not_say_whether_it_keeps_versions_ends_no_run(world: World) -> None:
    class Silent(InMemoryStore):
        def keeps_versions(self) -> bool:
            raise ReportStoreFailed("the versioning of s3://reports could not be read")

    world.store = Silent()

    world.run()

    *_, warning = world.report().plan.warnings
    assert warning == "the versioning of s3://reports could not be read"


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"schema_version": 1}', b'{"tool": "\xff"}'])
def test_a_damaged_pointer_is_a_warning_and_is_replaced(world: World, damage: bytes) -> None:
    world.store.objects["backup-audit/latest.json"] = damage

    world.run()

    warning, *_ = world.report().plan.warnings
    assert "points at nothing readable: all is new" in warning
    assert world.telemetry.warnings == [warning]
    assert latest(world).run.due_at == NOW


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (None, "report.json, which is gone: all is new"),
        (b"", "is no report (it has no head): all is new"),
        (b"[]", "is no report (it has no head): all is new"),
        (b'{"run": 1}\n', "is no report (it has no head): all is new"),
        (b'  "mutes": [\n  ],\n', "is no report"),
        (b'{"tool": "\xff",\n  "mutes": [\n  ],\n', "is no report"),
    ],
)
def test_a_previous_report_that_is_gone_or_damaged_is_a_warning(
    world: World, damage: bytes | None, said: str
) -> None:
    world.run()
    key = report_key(world)
    del world.store.objects[key]
    if damage is not None:
        world.store.objects[key] = damage

    world.run(AuditRequest(scheduled_time=NOW + DAY))

    [warning] = world.telemetry.warnings
    assert said in warning


def report_key(world: World) -> str:
    return next(key for key in world.store.objects if key.endswith("report.json"))


def reports_of(store: InMemoryStore) -> dict[str, bytes]:
    """All but the claim, which says when the run that failed ended."""
    return {key: body for key, body in store.objects.items() if not key.endswith("running.json")}


class BreaksOff(InMemoryStore):
    """An S3 that reads the last report up to a line, and never beyond."""

    after = 0

    def lines(self, key: str) -> Iterator[bytes]:
        if not key.endswith("report.json"):
            yield from super().lines(key)
            return
        yield from islice(super().lines(key), self.after)
        raise ReportStoreFailed(f"s3://{self.bucket}/{key} could not be read: SlowDown")


@pytest.mark.parametrize("after", [0, 1, 30, 60])
def test_a_previous_report_that_cannot_be_read_now_fails_the_run(world: World, after: int) -> None:
    world.run()
    broken = BreaksOff()
    broken.objects, broken.after = world.store.objects, after
    reports = reports_of(broken)
    world.store = broken

    with pytest.raises(ReportStoreFailed, match="SlowDown"):
        world.run(AuditRequest(scheduled_time=NOW + DAY))

    assert reports_of(world.store) == reports


@pytest.mark.parametrize("name", ["report.json", "latest.json"])
def test_a_previous_report_of_a_newer_version_fails_the_run_and_says_what_to_do(
    world: World, name: str
) -> None:
    world.run()
    key = report_key(world) if name == "report.json" else "backup-audit/latest.json"
    body = world.store.objects[key]
    world.store.objects[key] = body.replace(b'"schema_version": 1', b'"schema_version": 2', 1)
    reports = reports_of(world.store)

    with pytest.raises(ReportStoreFailed, match=rf"{name} is of schema_version 2, .* deploy the n"):
        world.run(AuditRequest(scheduled_time=NOW + DAY))

    assert reports_of(world.store) == reports


def test_a_committed_report_that_is_damaged_is_a_failure(world: World) -> None:
    world.run()
    key = next(key for key in world.store.objects if key.endswith("report.json"))
    world.store.objects[key] = b"[]"

    with pytest.raises(ReportStoreFailed, match="cannot be read"):
        world.run()


def test_an_object_that_vanishes_between_two_requests_is_a_failure(world: World) -> None:
    class Vanishing(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            return "/findings/" not in key and super().put_new(key, body)

    world.store = Vanishing()

    with pytest.raises(ReportStoreFailed, match=r"part-00000.jsonl could not be read: NoSuchKey"):
        world.run()


def test_the_next_run_tells_what_changed(world: World) -> None:
    world.run()
    world.answers |= {"stale": a_list(1), "never": SILENCE, "healthy": a_list(99)}

    world.run(AuditRequest(scheduled_time=NOW + timedelta(days=1)))

    subject = "[backup-audit] test: 3 problems, 1 new, 1 ended"
    assert world.notifier.messages[1].subject == subject
    changes = {found.guid: found.change for found in world.report_of("20260201").findings}
    assert changes == {"healthy": "new", "never": "ongoing", "unsupported": "ongoing"}
    assert [one.guid for one in world.report_of("20260201").resolved] == ["stale"]


def test_a_partial_run_compares_nothing_and_leaves_the_state_alone(world: World) -> None:
    world.run()
    before = world.store.objects["backup-audit/latest.json"]

    answer = world.run(AuditRequest(instance_guids=["stale", "other"]), invocation="i")

    assert answer.scope == "partial"
    assert answer.counts == {v.value: 0 for v in Verdict} | {"stale": 1, "not_found": 1}
    assert world.store.objects["backup-audit/latest.json"] == before
    assert world.notifier.events == ["digest", "digest"]
    assert "change" not in world.notifier.messages[1].attributes
    partial = world.report_of("partial")
    assert {found.problem_id for found in partial.findings} == {None}
    assert {found.change for found in partial.findings} == {None}


def test_a_what_if_overrides_every_policy_and_compares_with_nothing(world: World) -> None:
    world.run()

    world.run(AuditRequest(max_age="1h"), invocation="i")

    report = next(
        msgspec.json.decode(body, type=WholeReport)
        for key, body in world.store.objects.items()
        if "what_if" in key and key.endswith("report.json")
    )
    assert {found.guid for found in report.findings} == set(ANSWERS)
    assert {found.change for found in report.findings} == {None}
    assert {found.policy.max_age_source for found in report.findings} == {"event"}
    assert report.run.max_age_seconds == 3600
    assert len(world.notifier.messages) == 1


def test_a_dry_run_names_the_problems_and_leaves_nothing(world: World) -> None:
    answer = world.run(AuditRequest(dry_run=True))

    assert [problem.guid for problem in answer.problems] == ["never", "stale", "unsupported"]
    assert {problem.change for problem in answer.problems} == {None}
    assert world.store.objects == {}
    assert world.notifier.messages == []


def test_a_report_without_telling(world: World) -> None:
    answer = world.run(AuditRequest(scheduled_time=NOW, notify=False))

    assert answer.messages_sent == 0
    assert world.notifier.messages == []
    assert not [key for key in world.store.objects if "/notified-" in key]
    assert latest(world).run.run_id == answer.run_id


def test_a_muted_instance_is_kept_and_not_told() -> None:
    mutes = [
        {"guid": guid, "owner": "team", "reason": "moves", "until": "2026-01-31"}
        for guid in ("stale", "never", "unsupported")
    ]
    world = World({"instances": list(ANSWERS), "mutes": mutes})

    world.run()

    assert {found.mute.owner for found in world.report().findings if found.mute} == {"team"}
    assert world.notifier.messages == []


def test_a_run_that_was_not_finished_says_so_in_its_digest(world: World) -> None:
    world.answers |= {"never": NOT_REACHED}

    answer = world.run()

    assert not answer.complete
    [digest] = world.notifier.messages
    assert digest.attributes["reason"] == ("opened", "incomplete")
    assert "INCOMPLETE" in digest.body.splitlines()[0]
    assert not latest(world).complete


@pytest.mark.parametrize("why", [None, "the API had answered nothing for 93 s"])
def test_the_reason_of_a_stop_stands_in_every_document_in_the_same_words(
    world: World, why: str | None
) -> None:
    if why is not None:
        world.answers |= {"never": (Silence(Cause.NOT_REACHED, why), None)}

    tried = world.run(AuditRequest(dry_run=True))
    answer = world.run()

    [(logged, _)] = world.telemetry.reports
    for document in (tried, answer, logged, world.report(), latest(world)):
        said = msgspec.to_builtins(document)
        assert (said["why_incomplete"], said["complete"]) == (why, why is None)
    texts = [message.body for message in world.notifier.messages]
    assert [why in " ".join(text.split()) for text in texts if why] == ([True] if why else [])


def test_nothing_but_the_plan_is_kept_of_a_run_that_fails(world: World) -> None:
    world.answers.update(dict.fromkeys(ANSWERS, SILENCE))

    with pytest.raises(ApiUnreachable):
        world.run()

    assert {key.rsplit("/", 1)[1] for key in world.store.objects} == {
        "running.json",
        "batch-00000.jsonl",
        "fleet.jsonl",
        "plan.json",
    }
    assert world.notifier.messages == []


def test_a_faulty_configuration_ends_the_run_before_the_first_request() -> None:
    world = World({"instances": []})

    with pytest.raises(InvalidConfiguration):
        world.run()

    assert world.api.asked == []


def test_a_full_run_sends_one_heartbeat_once_it_is_told(world: World) -> None:
    world.notifier.broken = True
    with pytest.raises(NotificationFailed):
        world.run()
    assert world.heartbeat.beats == 0
    world.notifier.broken = False

    world.run(invocation="invocation-2")

    assert world.heartbeat.beats == 1


def test_a_full_run_that_tells_nobody_sends_one_too(world: World) -> None:
    world.run(AuditRequest(scheduled_time=NOW, notify=False))

    assert world.heartbeat.beats == 1


@pytest.mark.parametrize(
    "request_",
    [
        AuditRequest(instance_guids=["stale"]),
        AuditRequest(max_age="1h"),
        AuditRequest(dry_run=True),
    ],
    ids=["partial", "what-if", "dry"],
)
def test_no_other_run_sends_a_heartbeat(world: World, request_: AuditRequest) -> None:
    world.run(request_)

    assert world.heartbeat.beats == 0


def test_a_run_that_was_not_finished_sends_no_heartbeat(world: World) -> None:
    world.answers |= {"never": NOT_REACHED}

    world.run()

    assert world.heartbeat.beats == 0


def test_a_run_that_fails_sends_no_heartbeat(world: World) -> None:
    world.answers.update(dict.fromkeys(ANSWERS, SILENCE))

    with pytest.raises(ApiUnreachable):
        world.run()

    assert world.heartbeat.beats == 0


def test_a_delivery_that_another_was_faster_than_leaves_the_heartbeat_to_it(world: World) -> None:
    class Overtaken(InMemoryStore):
        def put_new(self, key: str, body: bytes) -> bool:
            if key.endswith("manifest.json"):
                manifest = msgspec.json.decode(body, type=Manifest)
                other = msgspec.structs.replace(manifest, invocation_id="another")
                super().put_new(key, msgspec.json.encode(other))
            return super().put_new(key, body)

    world.store = Overtaken()

    answer = world.run()

    assert answer.repeated
    assert world.heartbeat.beats == 0


def test_a_heartbeat_that_nobody_takes_is_a_warning(world: World) -> None:
    world.heartbeat.broken = True

    answer = world.run()

    assert answer.complete
    assert len(world.telemetry.reports) == 1
    assert world.telemetry.warnings == ["the heartbeat was not taken: the answer was HTTP 500"]


def test_progress_is_noted_for_each_instance(world: World) -> None:
    world.run()

    assert world.telemetry.instances == 4
    assert world.telemetry.progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
