"""Whole runs of the engine over real sockets while the foundation is in trouble.

Waits pass at once: the client's clock and the foundation's are one, and only waiting moves it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from backup_audit.errors import ApiUnreachable, CredentialsRefused
from backup_audit.judge.evidence import BackupList, Cause, Evidence, Silence
from backup_audit.probe.authorization import ClientCredentials, ClientCredentialsGrant, Secret
from backup_audit.probe.cloud_controller import CloudController
from backup_audit.probe.engine import Engine
from backup_audit.probe.giving_up import ATTEMPTS_MAX, PATIENCE, QUARTERS, RENEWALS_MAX
from backup_audit.probe.http import HttpClient
from backup_audit.probe.pacing import Deadline
from backup_audit.probe.session import new_session
from tests.doubles.builders import instance
from tests.doubles.fake_time import FakeTime
from tests.doubles.some import rest
from tests.integration.deployment import hours_ago
from tests.integration.deployment import instance as simulated
from tools.local_cloud.simulated_cloud_controller import (
    CLIENT_ID,
    CLIENT_SECRET,
    SimulatedCloudController,
)
from tools.local_cloud.weather import (
    Moment,
    Weather,
    allows,
    dies,
    fair,
    maintenance,
    quota,
    resets,
    stalls,
)

pytestmark = pytest.mark.loopback

GUIDS = [f"guid-{number:03d}" for number in range(200)]
WORKERS = 16


class Outcome(msgspec.Struct, frozen=True):
    """What a run found out, how long it took, and what it asked for."""

    evidences: Sequence[Evidence]
    seconds: float
    requests: Counter[str]
    tokens: int

    @property
    def answered(self) -> int:
        return sum(isinstance(evidence.answer, BackupList) for evidence in self.evidences)

    @property
    def not_reached(self) -> list[str]:
        return [
            evidence.answer.detail
            for evidence in self.evidences
            if isinstance(evidence.answer, Silence) and evidence.answer.cause is Cause.NOT_REACHED
        ]


def run_in(
    weather: Weather,
    *,
    read_timeout: float = 20.0,
    seconds_left: float = math.inf,
    made: list[SimulatedCloudController] | None = None,
    clients: Mapping[str, str] | None = None,
) -> Outcome:
    """Ask for all instances; the foundation is put into `made`, its UAA knows `clients`."""
    time = FakeTime()
    began = time.monotonic()
    fleet = [simulated(guid, hours_ago(3)) for guid in GUIDS]
    with (
        SimulatedCloudController(
            fleet, weather=weather, clients=clients, monotonic=time.monotonic
        ) as foundation,
        new_session(None, size=2 * WORKERS) as session,
    ):
        if made is not None:
            made.append(foundation)
        http = HttpClient(session, connect_timeout=20.0, read_timeout=read_timeout)
        grant = ClientCredentialsGrant(
            foundation.url,
            http,
            ClientCredentials(CLIENT_ID, Secret(CLIENT_SECRET)),
            monotonic=time.monotonic,
            sleep=time.sleep,
        )
        api = CloudController(foundation.url, http, grant, clock=lambda: datetime.now(UTC))
        engine = Engine(
            time.watched(api),
            Deadline.after(seconds_left, time.monotonic),
            workers=WORKERS,
            clock=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            wait=time.wait,
        )
        evidences = [evidence for _, evidence in engine.probe([*map(instance, GUIDS)])]
        requests = foundation.requests
    return Outcome(evidences, time.monotonic() - began, requests, requests["/oauth/token"])


def after(requests: int, weather: Weather) -> Weather:
    """The weather changes after so many requests, all of which were answered."""
    return lambda moment: weather(moment) if moment.number > requests else None


def test_in_fair_weather_each_instance_is_asked_once() -> None:
    outcome = run_in(fair)

    assert outcome.answered == len(GUIDS)
    assert sum(outcome.requests.values()) == len(GUIDS) + 2  # UAA is found, and gives a token


@pytest.mark.parametrize("at_once", [rest(4), 12])
def test_an_api_that_throttles_is_asked_less_at_a_time(at_once: int) -> None:
    outcome = run_in(after(40, allows(at_once)))

    # Waits pass at once here and answers do not, so that one or the other may be refused too often.
    assert outcome.answered >= 0.95 * len(GUIDS)
    assert not outcome.not_reached


def test_a_pause_that_the_api_asks_of_one_is_kept_by_all() -> None:
    outcome = run_in(quota(50, again_after=30))

    assert outcome.answered == len(GUIDS)
    assert outcome.seconds >= 30
    refused = sum(outcome.requests.values()) - len(GUIDS) - 2
    # Those under way, and what it took to see that all are meant; nobody asked during the pause.
    assert refused <= 2 * WORKERS


def test_a_pause_beyond_the_end_of_the_run_ends_it_with_what_is_known() -> None:
    outcome = run_in(quota(50, again_after=3000), seconds_left=600)

    assert outcome.answered == 50
    assert outcome.seconds < 30  # it waits for nothing; a busy machine takes its time to ask
    assert all("the API asks to wait" in detail for detail in outcome.not_reached)
    # Asked were those under way, and as many as it takes to see that everybody is refused.
    assert len(outcome.not_reached) >= len(GUIDS) - 50 - 2 * WORKERS


def test_broken_connections_are_made_again() -> None:
    assert run_in(resets(7)).answered == len(GUIDS)


def test_requests_without_an_answer_are_given_up_after_their_time_and_sent_again() -> None:
    assert run_in(stalls(20, seconds=1.5), read_timeout=0.8).answered == len(GUIDS)


def test_a_minute_of_503_is_waited_for_and_everything_is_known() -> None:
    outcome = run_in(after(60, maintenance(after=0.0, seconds=60.0)))

    assert outcome.answered == len(GUIDS)
    assert 60 <= outcome.seconds < 70
    tried = sum(outcome.requests.values()) - len(GUIDS) - 2
    assert tried <= ATTEMPTS_MAX * WORKERS + 20  # those under way, then one at a time


def test_an_api_that_dies_is_given_up_and_the_rest_is_not_reached() -> None:
    outcome = run_in(dies(60))

    assert outcome.answered == 60
    assert PATIENCE <= outcome.seconds <= PATIENCE + 15
    attempts_under_way, trials = ATTEMPTS_MAX * WORKERS, 25
    assert sum(outcome.requests.values()) <= 60 + 2 + attempts_under_way + trials
    # Asked in vain were those under way, first in order and then in each part of the list.
    assert len(outcome.not_reached) >= len(GUIDS) - 60 - (1 + QUARTERS) * WORKERS
    assert all("the API had answered nothing for" in detail for detail in outcome.not_reached)


def test_an_api_that_was_never_there_fails_the_run_within_seconds() -> None:
    with pytest.raises(ApiUnreachable, match="closed without an answer"):
        run_in(dies(0))


def revoking(number: int, foundation: list[SimulatedCloudController], *, times: int) -> Weather:
    """Forget all tokens with a request, and with each of the next ones, so many times."""
    left = iter(range(times))

    def weather(moment: Moment) -> None:
        if moment.number >= number and next(left, None) is not None:
            foundation[0].revoke_tokens()

    return weather


@pytest.mark.parametrize("times", [1, rest(2)])
def test_a_token_that_is_revoked_in_the_middle_is_renewed_once_for_all(times: int) -> None:
    made: list[SimulatedCloudController] = []

    outcome = run_in(revoking(60, made, times=times), made=made)

    assert outcome.answered == len(GUIDS)
    assert outcome.tokens <= 1 + times


def test_tokens_that_are_refused_as_soon_as_they_are_new_end_the_run_with_what_is_known() -> None:
    made: list[SimulatedCloudController] = []

    outcome = run_in(revoking(60, made, times=10_000), made=made)

    assert 60 - WORKERS <= outcome.answered < 60
    assert outcome.tokens <= 1 + RENEWALS_MAX
    assert len(outcome.not_reached) >= len(GUIDS) - 60 - 2 * WORKERS
    assert set(outcome.not_reached) == {"the Cloud Controller refuses our token"}


def test_tokens_that_are_refused_from_the_start_fail_the_run() -> None:
    made: list[SimulatedCloudController] = []

    with pytest.raises(CredentialsRefused, match="HTTP 401 CF-InvalidAuthToken 1000"):
        run_in(revoking(1, made, times=10_000), made=made)

    assert made[0].requests["/oauth/token"] <= 1 + RENEWALS_MAX


def test_a_uaa_that_refuses_us_in_the_middle_ends_the_run_with_what_is_known() -> None:
    made: list[SimulatedCloudController] = []
    clients = {CLIENT_ID: CLIENT_SECRET}

    def forgets_us(moment: Moment) -> None:
        if moment.number == 60:
            clients.clear()
            made[0].revoke_tokens()

    outcome = run_in(forgets_us, made=made, clients=clients)

    assert 60 - WORKERS <= outcome.answered < 60
    assert outcome.tokens == 2
    assert len(outcome.not_reached) == len(GUIDS) - outcome.answered
    assert all("UAA refused client" in detail for detail in outcome.not_reached)
