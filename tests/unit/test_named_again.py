"""Whoever was told that all is clear, or was told nothing yet, hears of what is open as news."""

import json
from typing import Any

import msgspec
import pytest

from backup_audit.errors import NotificationFailed
from backup_audit.judge.evidence import Cause, Silence
from backup_audit.notify.message import Message
from backup_audit.report.alerts import PLATFORM
from tests.doubles.builders import NOW, a_list
from tests.doubles.days import DAY, EVERYTHING, Days, row

STALE = a_list(50)
NOT_REACHED = (Silence(Cause.NOT_REACHED, "the run's time was over"), None)


def days_of(*, remind_every: str = "24h", owners: bool = False) -> Days:
    """Three instances, one of them stale."""
    days = Days(row(guid) for guid in ("ill", "well", "fine"))
    days.answers["ill"] = STALE
    days.settings = msgspec.structs.replace(
        days.settings, remind_every=remind_every, digest_per_owner=owners
    )
    return days


def mute(days: Days, last_day: int) -> None:
    until = (NOW + last_day * DAY).date().isoformat()
    days.configuration |= {
        "mutes": [{"guid": "ill", "owner": "dba", "reason": "moves", "until": until}]
    }


def heard(messages: list[Message]) -> Message:
    """The last of these messages; all are read."""
    last = messages[-1]
    messages.clear()
    return last


def told_all_clear(days: Days) -> None:
    """Notified of a stale instance, which is muted then for a day."""
    days.run()
    mute(days, 2)
    days.run()
    for messages in (days.notifier.messages, days.chat.messages):
        assert "all_clear" in heard(messages).attributes["reason"]


def test_a_mute_that_ends_after_an_all_clear_is_news_though_another_problem_opened_since() -> None:
    days = days_of(remind_every="7d")
    days.run()
    mute(days, 3)
    days.run()
    assert "all_clear" in heard(days.notifier.messages).attributes["reason"]
    days.answers["well"] = STALE
    days.run()
    assert "1 new" in (heard(days.notifier.messages).subject or "")

    days.run()

    message = heard(days.notifier.messages)
    assert message.attributes["reason"] == ("opened",)
    assert message.subject == "[backup-audit] test: 2 problems, 1 named again"
    days.run()
    assert days.notifier.messages == []


@pytest.mark.parametrize("remind_every", ["24h", "7d"])
def test_a_mute_that_ends_after_an_all_clear_is_news(remind_every: str) -> None:
    days = days_of(remind_every=remind_every)
    told_all_clear(days)

    days.run()

    message = heard(days.notifier.messages)
    assert message.attributes["reason"] == ("opened",)
    assert message.attributes["severity"] == "critical"
    assert message.subject == "[backup-audit] test: 1 problem, 1 named again"
    lines = message.body.splitlines()
    assert "1 of 3 instances has a problem, none of them new, 1 named again." in lines[0]
    assert any(line.startswith("NAMED AGAIN · STALE (1)") for line in lines)
    assert "reminder" not in message.body
    days.run()
    assert not days.notifier.messages or heard(days.notifier.messages).attributes["reason"] == (
        "reminder",
    )


def test_chat_says_what_is_named_again_too() -> None:
    days = days_of(remind_every="7d")
    told_all_clear(days)

    days.run()

    message = heard(days.chat.messages)
    assert message.attributes["reason"] == ("opened",)
    assert "AGAIN stale" in json.loads(message.body)["content"]["description"]


def test_a_new_problem_is_told_from_one_that_is_named_again() -> None:
    days = days_of()
    told_all_clear(days)
    days.answers["well"] = STALE

    days.run()

    message = heard(days.notifier.messages)
    assert message.subject == "[backup-audit] test: 2 problems, 1 new, 1 named again"
    assert message.attributes["change"] == ("new", "ongoing")


def test_what_is_named_again_and_worse_stands_once() -> None:
    days = days_of()
    days.answers["ill"] = a_list(50)
    told_all_clear(days)
    days.answers["ill"] = a_list()

    days.run()

    message = heard(days.notifier.messages)
    assert "NAMED AGAIN · NEVER BACKED UP (1)" in message.body
    assert message.attributes["severity"] == "critical"


# ── Readers that are new ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("remind_every", ["24h", "7d"])
def test_a_chat_that_is_added_hears_at_once_what_is_open_and_as_news(remind_every: str) -> None:
    days = days_of(remind_every=remind_every)
    topic, days.chat = days.chat, None  # type: ignore[assignment]
    days.run()
    days.run()
    days.told()
    days.chat = topic

    days.run()

    message = heard(days.chat.messages)
    assert message.attributes["reason"] == ("opened",)
    document: dict[str, Any] = json.loads(message.body)
    assert "NEW stale" in document["content"]["description"]
    if remind_every == "7d":
        assert days.told() == []
    days.run()
    again = [one.attributes["reason"] for one in days.chat.messages]
    assert again == ([("reminder",)] if remind_every == "24h" else [])


def test_a_chat_that_is_added_hears_nothing_where_nothing_is_wrong() -> None:
    days = days_of()
    days.answers.clear()
    topic, days.chat = days.chat, None  # type: ignore[assignment]
    days.run()
    days.chat = topic

    days.run()

    assert days.chat.messages == []


def test_a_chat_that_is_added_hears_that_the_audit_is_incomplete() -> None:
    days = days_of()
    days.answers = {"ill": NOT_REACHED}
    topic, days.chat = days.chat, None  # type: ignore[assignment]
    days.run()
    days.chat = topic

    days.run()

    assert heard(days.chat.messages).attributes["reason"] == ("incomplete",)


def test_a_chat_that_did_not_take_its_first_message_gets_it_with_the_next_run() -> None:
    days = days_of(remind_every="7d")
    topic, days.chat = days.chat, None  # type: ignore[assignment]
    days.run()
    days.chat = topic
    days.chat.broken = True
    with pytest.raises(NotificationFailed):
        days.run()
    days.chat.broken = False

    days.run()

    assert heard(days.chat.messages).attributes["reason"] == ("opened",)


def test_owners_who_get_digests_later_hear_at_once_what_is_open_and_as_news() -> None:
    days = days_of(remind_every="7d")
    days.configuration = {**EVERYTHING, "instances": [{"guid": "ill", "owner": "team-a"}]}
    days.run()
    days.told()
    days.settings = msgspec.structs.replace(days.settings, digest_per_owner=True)

    days.run()

    [message] = days.told()
    assert message.attributes["owner"] == "team-a"
    assert message.attributes["reason"] == ("opened",)
    assert "NEW · STALE (1)" in message.body
    assert PLATFORM in days.report.alerts.readers
