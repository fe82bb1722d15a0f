"""What a digest folds into one line, and what it names all the same."""

from typing import Any

import pytest

from backup_audit.judge.evidence import BackupList, Refusal
from backup_audit.notify.message import Message
from tests.doubles.builders import a_list
from tests.doubles.days import Days, row

STALE, NEVER = a_list(50), BackupList(())
BROKEN = (Refusal(10001, "CF-ServiceBrokerApiUnreachable"), 502)
GONE = (Refusal(10010, "CF-ResourceNotFound"), 404)
GUIDS = [f"db-{number:02}" for number in range(40)]


def days_of(**answers: Any) -> Days:  # noqa: ANN401
    days = Days(row(guid) for guid in GUIDS)
    days.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
    days.run()
    days.told()
    days.chat.messages.clear()
    return days


def digest(days: Days) -> Message:
    [message] = days.told()
    return message


def named(message: Message) -> set[str]:
    """The instances that have lines of their own."""
    lines = message.body.splitlines()
    return {guid for guid in GUIDS if any(f"- name-{guid} (" in line for line in lines)}


# ── An outage ─────────────────────────────────────────────────────────────────────────────────────


def test_a_known_problem_is_named_with_what_it_was_while_its_broker_is_down() -> None:
    days = days_of(db_03=STALE)
    days.answers = dict.fromkeys(GUIDS[:25], BROKEN)

    days.run()

    message = digest(days)
    assert named(message) == {"db-03"}
    assert "before: stale since 2026-02-01 05:00 UTC" in message.body
    assert "- 24 × HTTP 502" in message.body  # noqa: RUF001  # as people write it
    assert message.attributes["severity"] == "critical"
    assert days.chat.messages[-1].attributes["severity"] == "critical"
    assert "name-db-03" in days.chat.messages[-1].body


@pytest.mark.parametrize(("before", "severity"), [(STALE, "critical"), (NEVER, "critical")])
def test_a_problem_behind_an_outage_stays_as_urgent_in_reminders(
    before: Any,  # noqa: ANN401
    severity: str,
) -> None:
    days = days_of(db_03=before)
    days.answers = dict.fromkeys(GUIDS[:25], BROKEN)
    days.run()
    days.told()

    days.run()

    message = digest(days)
    assert message.attributes["reason"] == ("reminder",)
    assert message.attributes["severity"] == severity
    assert message.attributes["verdict"] == ("unknown",)


def test_an_outage_that_hides_nothing_is_a_warning() -> None:
    days = days_of()
    days.answers = dict.fromkeys(GUIDS[:25], BROKEN)

    days.run()

    assert digest(days).attributes["severity"] == "warning"


# ── A lost role ───────────────────────────────────────────────────────────────────────────────────


def vanish(days: Days, count: int) -> None:
    """So many disappear from the inventory at once, and are not found."""
    for guid in GUIDS[:count]:
        days.foundation.rows.pop(guid)
        days.answers[guid] = GONE
    days.run()


@pytest.mark.parametrize(("count", "is_one_line"), [(10, False), (11, True), (12, True)])
def test_what_is_not_found_since_a_role_is_lost_is_one_line(
    count: int,
    is_one_line: bool,  # noqa: FBT001
) -> None:
    days = days_of()

    vanish(days, count)

    message = digest(days)
    assert len(named(message)) == (0 if is_one_line else count)
    assert f"NOT FOUND ({count})" in message.body
    line = f"- {count} × not found, postgres"  # noqa: RUF001  # as people write it
    assert (line in message.body) is is_one_line
    if is_one_line:
        assert all(f"    name-{guid} ({guid})" in message.body for guid in GUIDS[:3])
        assert f"not found: {count} instances `postgres`" in days.chat.messages[-1].body


def test_a_known_problem_is_named_though_it_is_not_found_since_a_role_is_lost() -> None:
    days = days_of(db_03=STALE)

    vanish(days, 20)

    message = digest(days)
    assert named(message) == {"db-03"}
    assert "- 19 × not found" in message.body  # noqa: RUF001  # as people write it


def test_a_lost_role_is_one_line_as_long_as_it_is_lost() -> None:
    days = days_of()
    vanish(days, 20)
    days.told()

    days.run()

    message = digest(days)
    assert named(message) == set()
    assert "STILL OPEN · NOT FOUND (20)" in message.body
