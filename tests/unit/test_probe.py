"""The engine: every instance once, so many at a time, and not in vain."""

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable, AuditError, CredentialsRefused
from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import Answer, BackupList, Cause, Evidence, Refusal, Silence
from backup_audit.probe.engine import GIVE_UP_AFTER, probe
from tests.doubles.builders import NOW, a_list, instance
from tests.doubles.fakes import NOT_FOUND, RecordingTelemetry, ScriptedApi

REFUSED = (Refusal(1000, "CF-InvalidAuthToken", "Invalid Auth Token"), 401)
TIMEOUT = (Silence(Cause.TIMEOUT, "no answer within the read time-out"), None)
BY_PROXY = (Silence(Cause.CONNECTION, "the proxy refuses: HTTP 403", by_proxy=True), None)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)
MAINTENANCE = (Refusal(), 503)

Scripted = Mapping[str, Answer | tuple[Answer, int | None]]


def fleet(count: int) -> list[Instance]:
    return [instance(f"guid-{number}") for number in range(count)]


def all_of(answer: Answer | tuple[Answer, int | None], count: int) -> Scripted:
    return {f"guid-{number}": answer for number in range(count)}


def probed(api: ScriptedApi, instances: list[Instance], workers: int = 4) -> list[Evidence]:
    found = list(probe(instances, api, RecordingTelemetry(), workers=workers))
    assert sorted(one.guid for one, _ in found) == sorted(one.guid for one in instances)
    return [evidence for _, evidence in found]


def test_every_instance_is_asked_once_and_yielded_once() -> None:
    api = ScriptedApi(all_of(a_list(3), 50))

    probed(api, fleet(50))

    assert sorted(api.asked) == sorted(one.guid for one in fleet(50))


def test_progress_is_told_for_each() -> None:
    telemetry = RecordingTelemetry()

    list(probe(fleet(3), ScriptedApi(all_of(a_list(3), 3)), telemetry, workers=2))

    assert telemetry.progress == [(1, 3), (2, 3), (3, 3)]


def test_as_many_are_asked_at_the_same_time_as_there_are_workers() -> None:
    together = threading.Barrier(4, timeout=10)
    running, most = 0, 0
    lock = threading.Lock()

    def ask(_: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()  # passes only if four are here at once
        with lock:
            running -= 1

    probed(ScriptedApi(all_of(a_list(3), 16), before_each=ask), fleet(16), workers=4)

    assert most == 4


def test_no_thread_is_left_behind() -> None:
    probed(ScriptedApi(all_of(a_list(3), 8)), fleet(8))

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("probe")]


@pytest.mark.parametrize(
    ("answer", "hours", "asked"),
    [(BackupList(()), 24, True), (BackupList(()), 0, False), (a_list(3), 24, False)],
)
def test_an_age_is_asked_for_only_where_a_grace_can_excuse(
    answer: BackupList, hours: int, *, asked: bool
) -> None:
    api = ScriptedApi({"guid-1": answer}, created_at=NOW - timedelta(hours=2))
    policy = msgspec.structs.replace(instance().policy, grace=timedelta(hours=hours))

    [evidence] = probed(api, [Instance("guid-1", policy)])

    assert bool(api.ages_asked) is asked
    assert isinstance(evidence.answer, BackupList)
    assert (evidence.answer.instance_created_at is not None) is asked


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (TIMEOUT, ApiUnreachable),
        (MAINTENANCE, ApiUnreachable),
        ((Refusal(10013, "CF-RateLimitExceeded"), 429), ApiUnreachable),
        ((Refusal(), 404), ApiUnreachable),
        (REFUSED, CredentialsRefused),
    ],
)
def test_a_run_in_which_nothing_answers_fails(
    answers: tuple[Answer, int | None], error: type[AuditError]
) -> None:
    with pytest.raises(error):
        probed(ScriptedApi(all_of(answers, 3)), fleet(3))


@pytest.mark.parametrize(
    ("answers", "suspects"),
    [
        ((BY_PROXY, BY_PROXY), "PROXY_URL, and that the proxy"),
        ((BY_PROXY, TIMEOUT), "CF_API_URL, the network"),
        ((TIMEOUT, TIMEOUT), "CF_API_URL, the network"),
    ],
)
def test_a_proxy_is_to_blame_if_it_let_nothing_through(
    answers: Sequence[tuple[Answer, int | None]], suspects: str
) -> None:
    api = ScriptedApi({f"guid-{number}": answer for number, answer in enumerate(answers)})

    with pytest.raises(ApiUnreachable, match=f"check {suspects}"):
        probed(api, fleet(2))


@pytest.mark.parametrize(
    "answer",
    [
        (a_list(3), 200),
        (BackupList(()), 200),
        (NOT_FOUND, 404),
        (Refusal(10008, "CF-UnprocessableEntity"), 422),
        (Refusal(10003, "CF-NotAuthorized"), 403),
        (Refusal(10001, "UnknownError"), 500),
    ],
)
def test_one_answer_of_the_cloud_controller_makes_the_others_findings(
    answer: tuple[Answer, int | None],
) -> None:
    api = ScriptedApi({"guid-0": TIMEOUT, "guid-1": answer, "guid-2": REFUSED})

    assert len(probed(api, fleet(3))) == 3


def test_instances_that_were_not_reached_say_nothing_about_the_api() -> None:
    assert len(probed(ScriptedApi(all_of(NOT_REACHED, 3)), fleet(3))) == 3


@pytest.mark.parametrize(
    ("fruitless", "fails"),
    [(GIVE_UP_AFTER - 1, False), (GIVE_UP_AFTER, True), (GIVE_UP_AFTER + 1, True)],
)
def test_an_api_that_is_down_for_the_first_so_many_is_given_up(
    fruitless: int, *, fails: bool
) -> None:
    answers = {**all_of(TIMEOUT, fruitless), f"guid-{fruitless}": a_list(3)}
    api = ScriptedApi(answers)

    if fails:
        with pytest.raises(ApiUnreachable, match=f"none of the {GIVE_UP_AFTER} instances"):
            probed(api, fleet(fruitless + 1), workers=1)
    else:
        probed(api, fleet(fruitless + 1), workers=1)


def test_after_giving_up_the_rest_is_not_asked() -> None:
    api = ScriptedApi(all_of(TIMEOUT, 5_000))

    with pytest.raises(ApiUnreachable):
        probed(api, fleet(5_000))

    assert len(api.asked) < 5_000


def test_a_failure_says_what_came_first() -> None:
    api = ScriptedApi({"guid-0": (Refusal(10013, "CF-RateLimitExceeded"), 429), "guid-1": TIMEOUT})

    with pytest.raises(ApiUnreachable, match="HTTP 429 CF-RateLimitExceeded 10013"):
        probed(api, fleet(2))


def test_an_error_that_ends_the_run_comes_out_of_a_worker() -> None:
    def ask(guid: str) -> None:
        if guid == "guid-2":
            raise CredentialsRefused("UAA refused")

    with pytest.raises(CredentialsRefused):
        probed(ScriptedApi(all_of(a_list(3), 9), before_each=ask), fleet(9))


def test_an_answer_counts_before_silence_that_overtakes_it() -> None:
    answered = threading.Event()

    class Overtaking(ScriptedApi):
        def list_backups(self, guid: str) -> Evidence:
            if guid == "guid-0":
                answered.set()
            else:
                answered.wait(timeout=10)
            return super().list_backups(guid)

    # The worker that has the answer keeps it with its next ones; the other has silence for all.
    api = Overtaking({**all_of(NOT_REACHED, 41), "guid-0": a_list(3), "guid-1": TIMEOUT})

    assert len(probed(api, fleet(41), workers=2)) == 41
