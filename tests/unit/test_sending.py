"""Messages go out once, whatever SNS refuses and wherever a delivery dies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from backup_audit.errors import NotificationFailed
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.events import events
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message, packed
from backup_audit.notify.progress import REFUSED_MAX, BatchResult, Progress
from backup_audit.notify.send import Notifier, notify
from backup_audit.report.alerts import Audience
from backup_audit.report.changes import compared
from backup_audit.report.commit import StoredReport
from backup_audit.report.latest import advance_latest
from backup_audit.report.marks import NOT_BEGUN, Mark, mark_of, write_mark
from backup_audit.report.previous import previous_of
from tests.doubles.builders import NOW, a_message, finding
from tests.doubles.crashing import Died, MortalNotifier
from tests.doubles.fakes import InMemoryStore, RecordingNotifier
from tests.doubles.reports import stored
from tests.doubles.some import rest

KEY = "notified-events.json"
LINKS = Links(runbook_url=None, topic_arn="arn:aws:sns:us-east-1:123456789012:backup-audit")


def report_of(problems: int) -> StoredReport:
    """The report of a run in which so many problems open."""
    found = [finding(Verdict.STALE, f"guid-{number:05}") for number in range(problems)]
    return stored([compared(one, None) for one in found])


def topics() -> dict[Audience, RecordingNotifier]:
    return {audience: RecordingNotifier() for audience in Audience}


def sent(report: StoredReport, notifiers: dict[Audience, RecordingNotifier]) -> int:
    topics: dict[Audience, Notifier] = {**notifiers}
    return notify(report, topics, LINKS)


def ids(notifier: RecordingNotifier) -> Counter[str]:
    return Counter(message.message_id for message in notifier.messages)


def all_ids(report: StoredReport) -> list[str]:
    return [message.message_id for message in events(report)]


def mark(report: StoredReport, audience: Audience) -> Mark:
    return mark_of(report.store, report.keys.report(audience.mark))


# ── Who is notified, and in which order ───────────────────────────────────────────────────────────


def test_people_are_notified_first_and_programs_last() -> None:
    order: list[Audience] = []

    class Ordered(RecordingNotifier):
        def __init__(self, audience: Audience) -> None:
            super().__init__()
            self.audience = audience

        def publish(self, messages: Iterable[Message], *took: Any) -> int:  # noqa: ANN401
            order.append(self.audience)
            return super().publish(messages, *took)

    notifiers: dict[Audience, Notifier] = {one: Ordered(one) for one in Audience}

    notify(report_of(1), notifiers, LINKS)

    assert order == [Audience.PEOPLE, Audience.CHAT, Audience.EVENTS]


def test_each_audience_has_a_mark_once_its_messages_are_out() -> None:
    report, notifiers = report_of(25), topics()

    count = sent(report, notifiers)

    assert count == sum(len(one.messages) for one in notifiers.values())
    assert mark(report, Audience.EVENTS) == Mark(next=26, done=True)
    assert mark(report, Audience.PEOPLE) == mark(report, Audience.CHAT) == Mark(next=1, done=True)


def test_what_is_marked_is_not_sent_again() -> None:
    report, notifiers = report_of(3), topics()
    sent(report, notifiers)

    assert sent(report, notifiers) == 0

    assert set(ids(notifiers[Audience.EVENTS]).values()) == {1}


def test_an_audience_without_messages_is_marked_too() -> None:
    report, notifiers = stored([finding(Verdict.HEALTHY)]), topics()

    sent(report, notifiers)

    assert mark(report, Audience.PEOPLE) == Mark(next=0, done=True)


@pytest.mark.parametrize("broken", Audience)
def test_an_audience_that_fails_keeps_none_of_the_others_from_hearing(broken: Audience) -> None:
    report, notifiers = report_of(3), topics()
    notifiers[broken].broken = True

    with pytest.raises(NotificationFailed):
        sent(report, notifiers)
    notifiers[broken].broken = False
    before = {one: len(notifier.messages) for one, notifier in notifiers.items()}
    sent(report, notifiers)

    for audience, notifier in notifiers.items():
        assert set(ids(notifier).values()) == {1}
        assert before[audience] == (0 if audience is broken else len(notifier.messages))


def test_one_error_says_of_each_topic_how_many_it_did_not_take() -> None:
    report, notifiers = report_of(3), topics()
    notifiers[Audience.PEOPLE].broken = notifiers[Audience.EVENTS].broken = True

    with pytest.raises(NotificationFailed, match=r"1 of 1 messages; .* 4 of 4 messages"):
        sent(report, notifiers)


# ── Programs: a retry goes on where the last delivery stopped ─────────────────────────────────────


def test_only_what_was_refused_is_sent_again() -> None:
    report, notifiers = report_of(25), topics()
    topic, everything = notifiers[Audience.EVENTS], all_ids(report)
    refused = {everything[0], everything[13], everything[25]}
    topic.refuses = lambda message: message.message_id in refused

    with pytest.raises(NotificationFailed, match="3 of 26"):
        sent(report, notifiers)
    assert mark(report, Audience.EVENTS) == Mark(next=26, refused=(0, 13, 25))
    topic.refuses = lambda message: message.message_id == everything[13]
    with pytest.raises(NotificationFailed, match="1 of 3"):
        sent(report, notifiers)
    assert mark(report, Audience.EVENTS) == Mark(next=26, refused=(13,))
    topic.refuses = lambda _: False
    assert sent(report, notifiers) == 1

    assert ids(topic) == Counter(everything)
    assert mark(report, Audience.EVENTS) == Mark(next=26, done=True)


@pytest.mark.parametrize("lives", [500, 1200, *map(rest, [0, 5, 499, 509, 510, 1000])])
def test_killed_after_so_many_messages_the_retry_goes_on_from_the_mark(lives: int) -> None:
    report, notifiers = report_of(1200), topics()
    first, second = MortalNotifier(lives), RecordingNotifier()

    with pytest.raises(Died):
        sent(report, notifiers | {Audience.EVENTS: first})
    out = len(first.messages)
    noted = mark(report, Audience.EVENTS)
    assert noted == Mark(next=out // 500 * 500), "every 50 batches"
    sent(report, notifiers | {Audience.EVENTS: second})

    again = ids(first) + ids(second)
    assert set(again) == set(all_ids(report)), "none is lost"
    assert again.total() - len(again) == out - noted.next, "what the mark did not say comes twice"


def test_killed_before_its_last_mark_a_delivery_leaves_that_to_the_next() -> None:
    report, notifiers = report_of(2), topics()
    write_mark(report.store, report.keys.report(Audience.EVENTS.mark), Mark(next=3))

    sent(report, notifiers)

    assert notifiers[Audience.EVENTS].messages == []
    assert mark(report, Audience.EVENTS).done


def test_people_and_chat_hear_a_message_again_as_a_whole() -> None:
    report, notifiers = report_of(2), topics()
    notifiers[Audience.CHAT].broken = True

    with pytest.raises(NotificationFailed):
        sent(report, notifiers)

    assert not report.store.exists(report.keys.report(Audience.CHAT.mark))


def test_a_damaged_mark_says_nothing_and_is_written_anew() -> None:
    report, notifiers = report_of(2), topics()
    assert isinstance(report.store, InMemoryStore)
    report.store.objects[report.keys.report(Audience.EVENTS.mark)] = b"{"

    sent(report, notifiers)

    assert len(notifiers[Audience.EVENTS].messages) == 3
    assert mark(report, Audience.EVENTS).done


def test_a_delivery_that_overtakes_doubles_and_loses_nothing() -> None:
    report, notifiers = report_of(1500), topics()
    topic, everything = notifiers[Audience.EVENTS], all_ids(report)
    other = RecordingNotifier()

    def overtaken(message: Message) -> bool:
        if message.message_id == everything[700] and not other.messages:
            notify(report, {Audience.EVENTS: other}, LINKS)
        return message.message_id == everything[1000]

    topic.refuses = overtaken

    with pytest.raises(NotificationFailed):
        sent(report, notifiers)

    assert set(ids(topic)) | set(ids(other)) == set(everything)
    assert mark(report, Audience.EVENTS).done, "the other has sent what this one could not"


@pytest.mark.parametrize(
    ("marks", "marked"),
    [
        ({}, set()),
        ({Audience.EVENTS: Mark(next=3)}, set()),
        ({Audience.EVENTS: Mark(next=3, refused=(1,))}, set()),
        ({Audience.EVENTS: Mark(next=3, done=True)}, {Audience.EVENTS}),
        ({Audience.PEOPLE: Mark(next=1, done=True)}, {Audience.PEOPLE}),
    ],
)
def test_the_next_run_knows_whose_messages_are_all_out(
    marks: dict[Audience, Mark], marked: set[Audience]
) -> None:
    report = report_of(2)
    advance_latest(report)
    for audience, one in marks.items():
        write_mark(report.store, report.keys.report(audience.mark), one)

    assert previous_of(report.store, report.keys, NOW).marked == marked


# ── The counting ──────────────────────────────────────────────────────────────────────────────────


def counted(before: Mark, total: int, results: Sequence[BatchResult]) -> Mark:
    """The mark after these results of sending what was left of so many messages."""
    progress = Progress(before)
    for _ in progress.left(a_message(number) for number in range(total)):
        pass
    for result in results:
        progress.took(result)
    return progress.mark


def left(before: Mark, total: int) -> list[str]:
    """The ids of the messages that are left of so many."""
    messages = (a_message(number) for number in range(total))
    return [one.message_id.rpartition("/")[2] for one in Progress(before).left(messages)]


def result(first: int, size: int, *refused: int) -> BatchResult:
    return BatchResult(first=first, size=size, refused=dict.fromkeys(refused, "no"))


@pytest.mark.parametrize(
    ("before", "ids"),
    [
        (NOT_BEGUN, ["0", "1", "2", "3"]),
        (Mark(next=2), ["2", "3"]),
        (Mark(next=3, refused=(0, 2)), ["0", "2", "3"]),
        (Mark(next=4), []),
        (Mark(next=4, refused=(3,)), ["3"]),
    ],
)
def test_what_is_left_are_the_refused_and_the_rest(before: Mark, ids: list[str]) -> None:
    assert left(before, 4) == ids


def test_batches_that_come_out_of_order_count_once_those_before_are_out() -> None:
    late = [result(4, 2), result(2, 2, 1)]

    assert counted(NOT_BEGUN, 6, late) == NOT_BEGUN
    assert counted(NOT_BEGUN, 6, [*late, result(0, 2)]) == Mark(next=6, refused=(3,))


def test_of_a_retry_the_refused_come_first() -> None:
    before = Mark(next=5, refused=(1, 4))

    assert counted(before, 8, [result(0, 3, 1)]) == Mark(next=6, refused=(4,))
    assert counted(before, 8, [result(0, 3), result(3, 2)]) == Mark(next=8, done=True)


def test_it_is_done_only_when_all_messages_were_made() -> None:
    progress = Progress(NOT_BEGUN)
    messages = progress.left(a_message(number) for number in range(2))
    next(messages)
    next(messages)
    progress.took(result(0, 2))
    assert not progress.mark.done

    assert list(messages) == []
    assert progress.mark.done


@pytest.mark.parametrize(("taken", "done"), [(1, False), (2, False), (3, True)])
def test_it_is_done_only_when_the_last_message_is_out(taken: int, *, done: bool) -> None:
    assert counted(NOT_BEGUN, 3, [result(0, taken)]) == Mark(next=taken, done=done)


@pytest.mark.parametrize("refused", [REFUSED_MAX - 1, REFUSED_MAX, REFUSED_MAX + 1])
def test_a_mark_names_a_thousand_refused_and_then_stops(refused: int) -> None:
    total = refused + 10
    mark = counted(NOT_BEGUN, total, [result(0, total, *range(refused))])

    assert len(mark.refused) == min(refused, REFUSED_MAX)
    assert mark.next == (total if refused <= REFUSED_MAX else REFUSED_MAX)


def out_of(mark: Mark) -> set[int]:
    return set(range(mark.next)) - set(mark.refused)


MARKS = [
    NOT_BEGUN,
    Mark(next=3),
    Mark(next=3, refused=(0, 2)),
    Mark(next=5, refused=(2, 4)),
    Mark(next=5, refused=(0,)),
    Mark(next=6, done=True),
]


@pytest.mark.parametrize("ours", MARKS)
@pytest.mark.parametrize("theirs", MARKS)
def test_out_is_what_either_of_two_deliveries_sent(ours: Mark, theirs: Mark) -> None:
    both = ours.joined(theirs)

    assert out_of(both) == out_of(ours) | out_of(theirs)
    assert both == theirs.joined(ours)
    assert both.done is (ours.done or theirs.done)


def test_a_mark_never_goes_back() -> None:
    store = InMemoryStore()
    for one in (Mark(next=5), Mark(next=3), Mark(next=8, done=True), Mark(next=6, refused=(1,))):
        write_mark(store, KEY, one)

    assert mark_of(store, KEY) == Mark(next=8, done=True)
    assert len(store.writes) == 2, "what says no more is not written"


def test_no_mark_says_that_nothing_is_out() -> None:
    assert mark_of(InMemoryStore(), KEY) == NOT_BEGUN


# ── Batches ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sizes", "lists"),
    [
        ([], []),
        ([4, 5], [[4, 5]]),
        ([4, 6], [[4, 6]]),
        ([4, 7], [[4], [7]]),
        # What has a list of its own leaves no size behind.
        ([4, 7, 3], [[4], [7, 3]]),
        ([4, 7, 4], [[4], [7], [4]]),
        ([4, 4, 3], [[4, 4], [3]]),
        ([1, 1], [[1, 1]]),
        ([1, 1, 1], [[1, 1, 1]]),
        ([1, 1, 1, 1], [[1, 1, 1], [1]]),
        # Larger than the room.
        ([11], [[11]]),
        ([1, 11, 1], [[1], [11], [1]]),
    ],
)
def test_of_three_at_most_and_of_ten_bytes_at_most_is_a_batch(
    sizes: list[int], lists: list[list[int]]
) -> None:
    assert list(packed(sizes, lambda size: size, 10, 3)) == lists
