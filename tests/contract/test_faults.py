"""What becomes of each fault in tests/faults, over real sockets, plain and TLS."""

import re
from collections import Counter
from collections.abc import Callable, Hashable

import msgspec
import pytest

from backup_audit.judge.verdict import Verdict
from backup_audit.probe.giving_up import THROTTLED_MAX
from backup_audit.probe.pacing import RETRY_AFTER_MAX
from tests.doubles.some import one_of_each
from tests.faults.catalogue import CATALOGUE, FAULTS
from tests.faults.fault import TOKEN, Fault
from tests.faults.server import FAULTY, NEIGHBOUR
from tests.faults.trial import Outcome, Trial, try_out
from tools.faults_page import OUT_OF_DATE, PAGE, committed_rows, page, row

pytestmark = pytest.mark.loopback

_SECRET = TOKEN.rpartition(" ")[2]
_MEANT = re.compile(rf"GET /v3/service_instances/({NEIGHBOUR}|{FAULTY}\d+)(/backups)? HTTP/1\.1")
_CONNECT = re.compile(rb"CONNECT 127\.0\.0\.1:\d+ HTTP/1\.[01]\r\n(Host: [\w.:]+\r\n)?\r\n")
_TLS_HANDSHAKE = b"\x16\x03"
_SLACK = 5.0  # seconds an attempt, for a machine that is busy


class Tried(msgspec.Struct, frozen=True):
    """A fault after its trial."""

    fault: Fault
    trial: Trial

    @property
    def outcomes(self) -> list[Outcome]:
        """One for each channel."""
        return list(self.trial.outcomes.values())


PROMISES: list[Callable[[Tried], None]] = []


def promise(check: Callable[[Tried], None]) -> Callable[[Tried], None]:
    """What holds for every fault."""
    PROMISES.append(check)
    return check


@promise
def each_variation_gets_the_verdict_that_it_must(tried: Tried) -> None:
    for outcome in tried.outcomes:
        assert [found.verdict for found in outcome.findings] == [tried.fault.verdict] * len(
            tried.fault.does
        )


@promise
def the_reason_says_what_happened(tried: Tried) -> None:
    for outcome in tried.outcomes:
        for found in outcome.findings:
            assert tried.fault.says in found.reason
            assert found.reason.isprintable()


@promise
def a_neighbour_is_judged_as_if_nothing_had_happened(tried: Tried) -> None:
    between = len(tried.fault.does) + 1 if tried.fault.reaches_the_api else 0

    for outcome in tried.outcomes:
        said = [(found.verdict, found.reason) for found in outcome.neighbours]
        truth = "newest backup is 2 d 2 h old, max_age is 26 h; 1 backup listed"
        assert said == [(Verdict.STALE, truth)] * between


@promise
def the_run_ends_only_if_nothing_at_all_was_answered(tried: Tried) -> None:
    for outcome in tried.outcomes:
        if tried.fault.reaches_the_api:
            assert outcome.ended is None
        else:
            assert outcome.ended
            assert re.search("got (an|no) answer from the Cloud Controller", outcome.ended)
            assert str(outcome.findings[0].evidence.detail) in outcome.ended


@promise
def whoever_reads_of_a_failed_run_is_sent_to_the_proxy_if_that_is_why(tried: Tried) -> None:
    for outcome in tried.outcomes:
        blamed = [found for found in outcome.findings if "from the API: the proxy" in found.reason]
        assert bool(blamed) == bool(outcome.ended and "PROXY_URL" in outcome.ended)


@promise
def it_is_asked_for_a_bounded_number_of_times(tried: Tried) -> None:
    for outcome in tried.outcomes:
        requests = Counter(head.split(b"/")[3] for head in outcome.requests)
        for found in outcome.findings:
            assert found.evidence.attempts == tried.fault.attempts <= THROTTLED_MAX
            # Twice where a kept connection broke, one more if an age was asked for as well; and one
            # that was answered may be asked again for each that was not.
            again = len(tried.fault.does) if found.evidence.http_status == 200 else 0
            assert requests[found.guid.encode()] <= 2 * tried.fault.attempts + 1 + again


@promise
def a_proxy_is_asked_once_an_attempt(tried: Tried) -> None:
    for outcome in tried.outcomes:
        if tried.fault.proxy is None:
            assert outcome.to_proxy == ()
        elif tried.fault.reaches_the_api:
            assert 1 <= len(outcome.to_proxy) <= len(outcome.requests)
        else:
            assert len(outcome.to_proxy) == tried.fault.attempts * len(tried.fault.does)


@promise
def a_proxy_gets_nothing_of_ours_in_clear(tried: Tried) -> None:
    for outcome in tried.outcomes:
        for came in outcome.to_proxy:
            asked = _CONNECT.match(came)
            assert asked
            tunnelled = came[asked.end() :]
            assert not tunnelled or tunnelled.startswith(_TLS_HANDSHAKE)
            assert _SECRET.encode() not in came
            assert b"Authorization" not in came


@promise
def it_ends_within_its_time(tried: Tried) -> None:
    limit = min(tried.fault.connect_timeout, tried.fault.read_timeout)

    for outcome in tried.outcomes:
        for found in outcome.findings:
            allowed = (min(limit, _SLACK) + _SLACK) * tried.fault.attempts
            assert found.evidence.milliseconds < (allowed + sum(outcome.waits)) * 1000


@promise
def no_wait_is_longer_than_what_is_honoured(tried: Tried) -> None:
    for outcome in tried.outcomes:
        longest = max(outcome.waits, default=0.0)
        assert longest <= RETRY_AFTER_MAX
        if tried.fault.waits is not None:  # less what passed meanwhile on a busy machine
            assert tried.fault.waits - 1 < longest <= tried.fault.waits


@promise
def nothing_is_asked_but_what_was_meant_to_be_asked(tried: Tried) -> None:
    for outcome in tried.outcomes:
        assert outcome.foreign_connections == 0
        assert tried.fault.reaches_the_api or not outcome.requests
        for request in outcome.requests:
            line, *headers = request.decode("latin-1").split("\r\n")
            assert _MEANT.fullmatch(line)
            assert line.endswith("/backups HTTP/1.1") or tried.fault.of_age
            assert f"Authorization: {TOKEN}" in headers
            assert not [header for header in headers if header.lower().startswith("cookie")]


@promise
def the_token_is_not_told(tried: Tried) -> None:
    assert _SECRET not in tried.trial.log
    for outcome in tried.outcomes:
        told = msgspec.json.encode([outcome.findings, outcome.neighbours, outcome.ended])
        for part in (_SECRET, *_SECRET.split(".")):
            assert part.encode() not in told


@promise
def the_page_says_what_became_of_it(tried: Tried) -> None:
    assert row(tried.fault, tried.trial) in committed_rows(), OUT_OF_DATE


def _variations(name: str) -> int:
    return len(FAULTS[name].does)


def _kind(name: str) -> Hashable:
    """What faults of a group are alike in. The first of a kind has the fewest variations."""
    fault = FAULTS[name]
    return (
        name.partition(":")[0],
        fault.verdict,
        fault.attempts,
        fault.certificate,
        fault.reaches_the_api,
        fault.waits is None,
    )


@pytest.mark.parametrize("name", list(one_of_each(sorted(FAULTS, key=_variations), _kind)))
def test_a_fault_breaks_no_promise(name: str) -> None:
    tried = Tried(FAULTS[name], try_out(FAULTS[name]))

    for check in PROMISES:
        check(tried)


def test_the_page_has_every_fault_once_and_nothing_else() -> None:
    rows = committed_rows()

    assert len(rows) == len(FAULTS), OUT_OF_DATE
    assert page(dict(zip(FAULTS, rows, strict=True))) == PAGE.read_text("utf-8"), OUT_OF_DATE


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len(FAULTS) == sum(len(group.faults) for group in CATALOGUE)


def test_every_verdict_that_an_answer_can_prove_is_among_them() -> None:
    assert {fault.verdict for fault in FAULTS.values()} == set(Verdict)
