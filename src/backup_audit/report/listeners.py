"""Whether anybody listens: the confirmed subscriptions of each topic, read once for a full run.

Where an e-mail address was never confirmed, or a queue's subscription was deleted, nobody reads
what is published, and no error says so.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from backup_audit.errors import SubscriptionsUnknown
from backup_audit.report.alerts import Audience

_TOPICS = {
    Audience.PEOPLE: "the topic for people (output TopicArn)",
    Audience.EVENTS: "the topic for programs (output EventsTopicArn)",
    Audience.CHAT: "the topic for chat (output ChatTopicArn)",
}

_NOBODY = (
    "no topic has a confirmed subscription: nobody is notified of anything. Subscribe to "
    f"{_TOPICS[Audience.PEOPLE]}; an e-mail address has to confirm"
)


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """How many listen to a topic, as a full run found it at its beginning.

    `confirmed` subscriptions of any protocol; null if SNS did not say. `had_one`: whether there was
    one when the number was last known before this run.
    """

    confirmed: int | None
    had_one: bool


Listeners = Mapping[str, Listening]  # by audience


def heard(
    audiences: Iterable[Audience], confirmed: Callable[[Audience], int], before: Listeners
) -> tuple[Listeners, tuple[str, ...]]:
    """Read how many listen to each topic; return that, and what to warn of.

    `confirmed` gives the number, or raises SubscriptionsUnknown, which is a warning too. Once SNS
    has not even answered, no further topic is asked: each would take as long. `before` is what the
    last full run read; empty if there is none.
    """
    now: dict[str, Listening] = {}
    unknown: list[str] = []
    answers = True
    for audience in audiences:
        number = None
        if answers:
            try:
                number = confirmed(audience)
            except SubscriptionsUnknown as failure:
                unknown.append(str(failure))
                answers = failure.answered
        now[audience.value] = Listening(confirmed=number, had_one=_had_one(before.get(audience)))
    return now, (*unknown, *_warnings(now))


def without_subscribers(listeners: Listeners) -> tuple[Audience, ...]:
    """The topics that nobody listens to though somebody did, or all if none has a subscription.

    A topic that never had one is nobody's loss as long as another has.
    """
    if _nobody_listens(listeners):
        return tuple(one for one in Audience if one in listeners)
    return tuple(
        audience
        for audience in Audience
        if (one := listeners.get(audience)) and one.confirmed == 0 and one.had_one
    )


def topics_without_subscribers(listeners: Listeners) -> int | None:
    """The number of those topics; None if there may be some, and SNS did not say."""
    count = len(without_subscribers(listeners))
    if count == 0 and (not listeners or any(one.confirmed is None for one in listeners.values())):
        return None
    return count


def _had_one(before: Listening | None) -> bool:
    if before is None:
        return False
    return before.had_one if before.confirmed is None else before.confirmed > 0


def _nobody_listens(listeners: Listeners) -> bool:
    return bool(listeners) and all(one.confirmed == 0 for one in listeners.values())


def _warnings(listeners: Listeners) -> tuple[str, ...]:
    if _nobody_listens(listeners):
        return (_NOBODY,)
    return tuple(
        f"{_TOPICS[audience]} had a confirmed subscription at the last full run and has none now: "
        "nobody gets what is published there"
        for audience in without_subscribers(listeners)
    )
