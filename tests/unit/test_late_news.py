"""What readers hear of healthy instances that are late: in digests that go out anyway."""

import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backup_audit.judge.finding import Finding, finding_of
from backup_audit.judge.verdict import Verdict
from backup_audit.notify.digest import DIGEST_MAX, digests
from backup_audit.notify.links import Links
from backup_audit.notify.message import Message
from backup_audit.report import figures
from backup_audit.report.alerts import Audience, ReaderState, Reason
from backup_audit.report.changes import compared
from backup_audit.report.commit import StoredReport
from tests.doubles.builders import (
    NOW,
    a_list,
    ended_problem,
    evidence,
    finding,
    instance,
    inventory,
    run,
)
from tests.doubles.reports import alerts_from, stored

LINKS = Links(runbook_url=None, topic_arn="arn:aws:sns:eu-central-1:123456789012:backup-audit")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PER_OWNER = alerts_from(NOW, per_owner=True)


def late(guid: str = "late-1", age: float = 7, **parts: Any) -> Finding:  # noqa: ANN401
    """A healthy instance with a backup every 4 hours, but for the last ones."""
    listed = a_list(age, age + 4, age + 8, age + 12)
    one = finding_of(instance(guid), evidence(listed), run(), None)
    assert (one.verdict, one.late) == (Verdict.HEALTHY, True)
    return msgspec.structs.replace(one, **parts)


def new(guid: str = "stale-1", **parts: Any) -> Finding:  # noqa: ANN401
    return compared(msgspec.structs.replace(finding(Verdict.STALE, guid), **parts), None)


def messages_of(report: StoredReport, audience: Audience = Audience.PEOPLE) -> list[Message]:
    return list(digests(report, audience, LINKS))


def section_of(message: Message) -> list[str]:
    """The lines about who is late; empty if there are none."""
    lines = message.body.splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith("LATE")), None)
    return [] if first is None else lines[first : lines.index("", first)]


def test_a_digest_names_who_is_late_with_age_and_usual_interval() -> None:
    [message] = messages_of(stored([new(), late("a", 7.5, name="orders-db"), late("b", 26)]))

    assert section_of(message) == [
        "LATE (2): healthy, and longer without a backup than usual",
        "- b: 26 h, usually every 4 h",
        "- orders-db (a): 7 h 30 min, usually every 4 h",
    ]


def test_who_is_late_stands_in_a_paragraph_of_its_own() -> None:
    [message] = messages_of(stored([new(), late("a")]))

    assert "\n\nLATE (1): " in message.body


@pytest.mark.parametrize(("count", "names", "rest"), [(4, 4, 0), (5, 5, 0), (6, 5, 1)])
def test_five_are_named_and_the_others_counted(count: int, names: int, rest: int) -> None:
    everybody = [late(f"late-{number}") for number in range(count)]

    [message] = messages_of(stored([new(), *everybody]))

    title, *lines = section_of(message)
    assert title.startswith(f"LATE ({count}):")
    assert len([line for line in lines if line.startswith("- ")]) == names
    assert lines[names:] == ([f"And {rest} more, in the report."] if rest else [])


def test_nobody_is_written_to_because_somebody_is_late() -> None:
    report = stored([late()])

    assert report.head.late_count == 1
    assert [messages_of(report, audience) for audience in (Audience.PEOPLE, Audience.CHAT)] == [
        [],
        [],
    ]


def test_a_digest_without_a_late_instance_says_nothing_of_it() -> None:
    for audience in (Audience.PEOPLE, Audience.CHAT):
        [message] = messages_of(stored([new(), finding(Verdict.HEALTHY, "well")]), audience)

        assert not re.search("^LATE|Late, though", message.body, re.MULTILINE)


def test_neither_subject_nor_attributes_change_with_who_is_late() -> None:
    [with_it] = messages_of(stored([new(), late("a")]))
    [without] = messages_of(stored([new(), finding(Verdict.HEALTHY, "a")]))

    assert with_it.subject == without.subject
    assert with_it.attributes == without.attributes


def test_an_owner_hears_of_their_own_late_instances_alone() -> None:
    findings = [
        *(new(f"stale-{owner}", owner=owner) for owner in ("team-a", "team-b", "team-c")),
        late("a-1", owner="team-a"),
        late("a-2", 9, owner="team-a"),
        late("b-1", owner="team-b"),
        late("nobodys"),
    ]

    platform, *owners = messages_of(stored(findings, alerts=PER_OWNER))

    assert section_of(platform)[0].startswith("LATE (4):")
    assert [section_of(one) for one in owners] == [
        [
            "LATE (2): healthy, and longer without a backup than usual",
            "- a-2: 9 h, usually every 4 h",
            "- a-1: 7 h, usually every 4 h",
        ],
        [
            "LATE (1): healthy, and longer without a backup than usual",
            "- b-1: 7 h, usually every 4 h",
        ],
        [],
    ]


def test_an_owner_who_has_nothing_but_late_instances_gets_no_digest() -> None:
    findings = [new(owner="team-a"), late("b-1", owner="team-b")]

    everything = messages_of(stored(findings, alerts=PER_OWNER))

    assert [one.attributes.get("owner") for one in everything] == [None, "team-a"]


@pytest.mark.parametrize(("most", "said"), [(2, "at least 2"), (3, "3"), (4, "3")])
def test_an_owner_may_have_more_late_instances_than_the_report_names(
    monkeypatch: pytest.MonkeyPatch, most: int, said: str
) -> None:
    monkeypatch.setattr(figures, "LATE_NAMED_MAX", most)
    findings = [new(owner="team-a"), *(late(f"a-{n}", owner="team-a") for n in range(3))]

    platform, owner = messages_of(stored(findings, alerts=PER_OWNER))

    assert section_of(platform)[0].startswith("LATE (3):")
    assert section_of(owner)[0].startswith(f"LATE ({said}):")


def test_an_all_clear_says_too_who_is_late() -> None:
    opened = ReaderState(
        digest_at=NOW - DAY, why=(Reason.OPENED,), episode=NOW - DAY, cleared=False
    )
    over = ended_problem("a", end_notified_at=None, resolved_at=NOW - HOUR)
    report = stored(
        [late("a")],
        remembered=[over],
        inventory=inventory(),
        alerts=alerts_from(NOW, readers={"": opened}),
    )

    [message] = messages_of(report)

    assert message.body.startswith("All clear: none of 1 instance has a problem.")
    assert message.attributes["severity"] == "info"
    assert section_of(message)[1:] == ["- a: 7 h, usually every 4 h"]


def test_chat_has_their_number_on_a_line() -> None:
    [message] = messages_of(stored([new(), *(late(f"a-{n}") for n in range(3))]), Audience.CHAT)

    description = json.loads(message.body)["content"]["description"]
    assert description.splitlines()[-1] == "Late, though healthy: 3."


@pytest.mark.parametrize(
    "name", ["x" * 255, "\U0001f5c4" * 255, "a\n- b: healthy", "\u202eb", " ", "=1+1"]
)
def test_any_name_stays_on_its_line_and_in_the_room(name: str) -> None:
    findings = [new(), *(late(f"late-{number}", name=name) for number in range(6))]

    [message] = messages_of(stored(findings))

    title, *lines = section_of(message)
    assert title.startswith("LATE (6):")
    assert all(line.startswith(("- ", "And ")) for line in lines)
    assert len("\n".join(lines).encode()) <= 1_000
    assert message.size <= DIGEST_MAX
