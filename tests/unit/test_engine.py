"""The engine's threads: every instance once, so many at a time, and nobody waits for what hangs."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

import pytest

from backup_audit.errors import ApiUnreachable, AuditError, CredentialsRefused
from backup_audit.fleet.configuration import Instance
from backup_audit.judge.evidence import (
    Answer,
    BackupList,
    Cause,
    Evidence,
    Refusal,
    Silence,
)
from backup_audit.probe.attempt import Again, Attempt, Result, T
from backup_audit.probe.engine import Engine, Paged
from backup_audit.probe.page import Page, PageQuery, PageReader
from backup_audit.probe.schedule import ASIDE_AFTER, LONGEST_WAIT
from tests.doubles.builders import NOW, a_list, instance
from tests.doubles.fake_time import FakeTime
from tests.doubles.fakes import NOT_FOUND, ScriptedApi, attempt, engine
from tests.doubles.foundation import Came, Foundation, page_of, page_result, resource

REFUSED = (Refusal(1000, "CF-InvalidAuthToken", "Invalid Auth Token"), 401)
TIMEOUT = (Silence(Cause.TIMEOUT, "no whole answer in time"), None)
NOWHERE = (Silence(Cause.CONNECTION, "no connection: refused or unreachable"), None)

Scripted = Mapping[str, Answer | tuple[Answer, int | None]]


def fleet(count: int) -> list[Instance]:
    return [instance(f"guid-{number}") for number in range(count)]


def all_of(answer: Answer | tuple[Answer, int | None], count: int) -> Scripted:
    return {f"guid-{number}": answer for number in range(count)}


def probed(api: ScriptedApi, instances: Sequence[Instance], workers: int = 4) -> list[Evidence]:
    found = list(engine(api, workers=workers).probe(instances))
    assert sorted(one.guid for one, _ in found) == sorted(one.guid for one in instances)
    return [evidence for _, evidence in found]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "probe"]


def test_every_instance_is_asked_once_and_yielded_once() -> None:
    api = ScriptedApi(all_of(a_list(3), 500))

    probed(api, fleet(500))

    assert sorted(api.asked) == sorted(one.guid for one in fleet(500))


def test_no_instances_are_no_trouble() -> None:
    assert probed(ScriptedApi({}), []) == []


def test_an_engine_probes_once() -> None:
    once = engine(ScriptedApi(all_of(a_list(3), 1)), workers=1)
    list(once.probe(fleet(1)))

    with pytest.raises(RuntimeError, match="an engine probes once"):
        list(once.probe(fleet(1)))


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

    assert not threads()


def test_whoever_stops_reading_leaves_no_thread_behind() -> None:
    api = ScriptedApi(all_of(a_list(3), 500))
    results = engine(api).probe(fleet(500))

    next(results)
    assert isinstance(results, Iterator)
    getattr(results, "close")()  # noqa: B009  # a generator's

    assert api.cuts == 1
    for thread in threads():  # those that were asking end with their answer
        thread.join(timeout=10)
    assert not threads()


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (TIMEOUT, ApiUnreachable),
        (NOWHERE, ApiUnreachable),
        ((Refusal(), 503), ApiUnreachable),
        ((Refusal(10013, "CF-RateLimitExceeded"), 429), ApiUnreachable),
        ((Refusal(), 404), ApiUnreachable),
        (REFUSED, CredentialsRefused),
    ],
)
def test_a_run_in_which_nothing_answers_fails(
    answers: tuple[Answer, int | None], error: type[AuditError]
) -> None:
    with pytest.raises(error, match="3 instances asked"):
        probed(ScriptedApi(all_of(answers, 3)), fleet(3))


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


def test_after_giving_up_the_rest_is_not_asked() -> None:
    fake = FakeTime()
    refused = attempt(*NOWHERE, again=Again.SOON)

    class Down(ScriptedApi):
        def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
            self.asked.append(guid)
            return refused

    api = Down({})
    down = engine(fake.watched(api), monotonic=fake.monotonic, wait=fake.wait)

    with pytest.raises(ApiUnreachable, match=r"none of the \d+ instances asked"):
        list(down.probe(fleet(5_000)))

    assert len(api.asked) < 500


def test_an_error_at_the_start_ends_the_run() -> None:
    def ask(_: str) -> None:
        raise CredentialsRefused("UAA refused")

    with pytest.raises(CredentialsRefused, match="UAA refused"):
        probed(ScriptedApi(all_of(a_list(3), 9), before_each=ask), fleet(9))


def test_an_error_in_the_middle_ends_the_asking_and_what_is_known_stays() -> None:
    def ask(guid: str) -> None:
        if guid == "guid-20":
            raise ApiUnreachable("UAA gave no answer: refused")

    found = probed(ScriptedApi(all_of(a_list(3), 1000), before_each=ask), fleet(1000), workers=2)

    ended = Silence(Cause.NOT_REACHED, "UAA gave no answer: refused")
    assert {evidence.answer for evidence in found if isinstance(evidence.answer, Silence)} == {
        ended
    }
    assert 19 <= sum(isinstance(evidence.answer, BackupList) for evidence in found) < 1000


def test_what_is_unexpected_comes_out_of_a_worker_as_it_is() -> None:
    def ask(guid: str) -> None:
        if guid == "guid-5":
            raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError, match="a defect"):
        probed(ScriptedApi(all_of(a_list(3), 9), before_each=ask), fleet(9))


class Hanging(ScriptedApi):
    """An API one of whose requests hangs until it is let go; `cut` says so once asked to."""

    def __init__(self, answers: Scripted, *, hangs: str = "guid-0") -> None:
        super().__init__(answers)
        self.go = threading.Event()
        self._hangs = hangs
        self.hanging: list[int] = []
        self.is_over = False

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        if guid == self._hangs:
            self.hanging.append(threading.get_ident())
            self.go.wait(timeout=30)
            self._hangs = ""
        return super().list_backups(guid, limit)

    def cut(self) -> list[int]:
        return self.hanging if self.is_over else []


def test_what_hangs_whatever_is_done_is_given_up_and_its_worker_replaced() -> None:
    api = Hanging(all_of(a_list(3), 50))
    api.is_over = True

    found = {}
    for one, evidence in engine(api, workers=1).probe(fleet(50)):
        found[one.guid] = evidence
        api.go.set()  # its late answer comes, and nobody wants it

    assert len(found) == 50
    assert found["guid-0"].attempts == 2


def test_at_the_end_of_the_time_nobody_waits_for_what_hangs() -> None:
    api = Hanging(all_of(a_list(3), 1001))
    ends_at = time.monotonic() + 1.0
    try:
        found = {
            one.guid: evidence for one, evidence in engine(api, ends_at=ends_at).probe(fleet(1001))
        }
    finally:
        api.go.set()

    assert found.pop("guid-0").answer == Silence(Cause.NOT_REACHED, "the run's time was over")
    assert {evidence.answer for evidence in found.values()} == {a_list(3)}
    assert len(found) == 1000
    assert api.cuts == 1


def test_what_is_silent_for_long_moves_aside_and_another_worker_comes() -> None:
    api = Hanging(all_of(a_list(3), 20))

    def monotonic() -> float:
        return time.monotonic() + (ASIDE_AFTER if api.hanging else 0.0)

    results = engine(api, workers=1, monotonic=monotonic).probe(fleet(20))
    first = [next(results)[0].guid for _ in range(19)]
    api.go.set()

    assert "guid-0" not in first
    assert [one.guid for one, _ in results] == ["guid-0"]


class SilentThenFine(Hanging):
    """The instance that hangs is silent to the end, and answers the next time."""

    def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
        if guid != self._hangs or self.hanging:
            return ScriptedApi.list_backups(self, guid, limit)
        self.hanging.append(threading.get_ident())
        self.go.wait(timeout=30)
        return attempt(TIMEOUT[0], None, again=Again.LATE)


@pytest.mark.parametrize("hangs_on", [False, True])
def test_what_moved_aside_and_came_to_nothing_is_repeated_at_once(*, hangs_on: bool) -> None:
    """The others have nothing to do by then: one of them is woken for it."""
    api = SilentThenFine(all_of(a_list(3), 20))
    ends_at = time.monotonic() + ASIDE_AFTER + 3.0

    def monotonic() -> float:
        return time.monotonic() + (ASIDE_AFTER if api.hanging else 0.0)

    def until_woken(condition: threading.Condition, _: float) -> None:
        condition.wait()

    one = engine(api, workers=1, ends_at=ends_at, monotonic=monotonic, wait=until_woken)
    results = one.probe(fleet(20))
    for _ in range(19):
        next(results)
    api.is_over = hangs_on
    if not hangs_on:
        api.go.set()
    [(_, evidence)] = list(results)
    api.go.set()

    assert evidence.answer == a_list(3)
    assert evidence.attempts == 2


def test_a_reader_that_falls_behind_makes_workers_wait() -> None:
    long = BackupList(a_list(*range(1, 101)).backups * 100)  # 10,000 backups
    api = ScriptedApi(all_of(long, 200))
    results = engine(api, workers=2).probe(fleet(200))

    next(results)
    most = wait_until_quiet(lambda: len(api.asked))

    assert most < 30
    assert len(list(results)) == 199


def test_workers_that_wait_for_the_reader_do_not_wake_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backup_audit.probe.engine._BUFFERED_MAX", 1)
    waits: list[float] = []
    rests = threading.Event()

    def wait(condition: threading.Condition, seconds: float) -> None:
        waits.append(seconds)
        rests.set()
        condition.wait()

    api = ScriptedApi(all_of(a_list(3), 2))
    results = engine(api, workers=1, wait=wait).probe(fleet(2))
    next(results)
    assert rests.wait(timeout=30)

    assert len(list(results)) == 1
    assert set(waits) == {LONGEST_WAIT}


def wait_until_quiet(count: Callable[[], int]) -> int:
    """The count once it has not changed for a while."""
    pause = threading.Event()
    last = -1
    while count() != last:
        last = count()
        pause.wait(0.05)
    return last


def test_waits_are_for_one_thread_and_end_when_they_are_over() -> None:
    fake = FakeTime()
    answers = iter([attempt(Refusal(10013), 429, again=Again.OFTEN, hold=40.0), attempt(a_list(3))])

    class Limited(ScriptedApi):
        def list_backups(self, guid: str, limit: int | None = None) -> Attempt:
            return next(answers)

    limited = engine(fake.watched(Limited({})), monotonic=fake.monotonic, wait=fake.wait)
    [(_, evidence)] = list(limited.probe(fleet(1)))

    assert evidence.answer == a_list(3)
    assert evidence.attempts == 2
    assert fake.waits == pytest.approx([40.0], abs=1)
    assert limited.retries == 1


def test_an_engine_counts_the_requests_of_its_api() -> None:
    one = engine(ScriptedApi(all_of(a_list(3), 5)))

    list(one.probe(fleet(5)))

    assert (one.calls, one.retries) == (5, 0)


def queries(count: int) -> list[PageQuery]:
    """Requests for an instance each."""

    def read(body: bytes) -> Page | Silence:
        return PageReader((), lambda: NOW).read(body, before=0, per_page=1)

    return [PageQuery(f"guids=guid-{number}", read, 5) for number in range(count)]


def asked(one: Engine, count: int, ends_at: float = math.inf) -> list[Paged]:
    found = list(one.ask(queries(count), ends_at=ends_at, over="it was over"))
    assert sorted(query.text for query, _ in found) == sorted(one.text for one in queries(count))
    return found


def test_pages_are_asked_for_again_and_again_before_an_engine_probes() -> None:
    api = Foundation(resource(f"guid-{number}") for number in range(9))
    one = engine(api)

    for _ in range(3):
        assert all(isinstance(found.answer, Page) for _, found in asked(one, 9))
    list(one.probe(fleet(1)))

    assert (one.calls, api.cuts) == (28, 1)
    assert not threads()
    with pytest.raises(RuntimeError, match="before it probes"):
        asked(one, 1)


def test_pages_and_instances_share_the_limit_per_second() -> None:
    fake = FakeTime()
    api = Foundation([resource("guid-0")])
    one = engine(fake.watched(api), per_second=0.1, monotonic=fake.monotonic, wait=fake.wait)

    for _ in range(3):
        asked(one, 1)
    list(one.probe(fleet(1)))

    assert fake.waits == pytest.approx([10.0] * 3, abs=0.2)


def test_what_is_not_asked_for_in_time_says_why() -> None:
    api = Foundation()

    found = asked(engine(api), 3, ends_at=time.monotonic() - 1)

    assert {one.answer for _, one in found} == {Silence(Cause.NOT_REACHED, "it was over")}
    assert api.queries == []


def test_a_page_that_hangs_at_the_end_of_its_time_takes_nobodys_place() -> None:
    go, calls = threading.Event(), []

    def hang(place: int, _: Mapping[str, str]) -> Came | None:
        calls.append(place)
        if place == 0:
            go.wait(timeout=30)
        return page_of([resource("guid-0")])

    one = engine(_Unlocked(comes=hang), workers=1)
    [(_, late)] = asked(one, 1, ends_at=time.monotonic() + 0.5)
    [(_, found)] = asked(one, 1)
    go.set()
    for thread in threads():
        thread.join(timeout=10)
    [(_, after)] = asked(one, 1)

    assert late.answer == Silence(Cause.NOT_REACHED, "it was over")
    assert isinstance(found.answer, Page)
    assert isinstance(after.answer, Page)
    assert calls == [0, 1, 2]


class _Unlocked(Foundation):
    """A foundation of which one request may hang while others are answered."""

    def list_page(self, query: str, read: Callable[[bytes], T | Silence]) -> Result[T]:
        came = self._comes(next(self._places), {"guids": query})
        assert isinstance(came, bytes)
        return page_result(read(came))

    _places = count()


def test_without_a_token_no_page_is_reached_and_nothing_is_raised() -> None:
    refused = CredentialsRefused("UAA refused client 'x'")

    found = asked(engine(Foundation(comes=lambda *_: refused)), 9)

    assert {one.answer for _, one in found} == {
        Silence(Cause.NOT_REACHED, "UAA refused client 'x'")
    }


def test_whoever_stops_reading_pages_leaves_their_places_free() -> None:
    api = Foundation(resource(f"guid-{number}") for number in range(50))
    one = engine(api, workers=2)
    pages = one.ask(queries(50), ends_at=math.inf, over="")

    next(pages)
    getattr(pages, "close")()  # noqa: B009  # a generator's

    assert len(asked(one, 50)) == 50
