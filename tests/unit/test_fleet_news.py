"""What people and programs are told of the fleet itself: lost roles, departures, the unaudited."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_audit.fleet.configuration import Configuration, Exclude
from backup_audit.fleet.doubts import doubts_about
from backup_audit.fleet.inventory import Read
from backup_audit.fleet.run import Scope
from backup_audit.fleet.selection import ExcludeState, ExcludeUse
from backup_audit.fleet.selectors import Selector
from backup_audit.judge.finding import Finding
from backup_audit.judge.verdict import Severity, Verdict
from backup_audit.notify.digest import digests, fleet_digest
from backup_audit.notify.message import SIZE_MAX, Message, run_incomplete
from backup_audit.notify.send import notify
from backup_audit.report.commit import StoredReport
from backup_audit.report.drift import (
    NAMED_MAX,
    NOT_READ,
    Departed,
    Departure,
    InventoryRecord,
    Unaudited,
    UnauditedInstance,
)
from backup_audit.settings import NotifyMode
from tests.doubles.builders import (
    NOW,
    departed,
    departures,
    finding,
    inventory,
    run,
    unaudited,
)
from tests.doubles.fakes import RecordingNotifier
from tests.doubles.reports import stored

DAY = timedelta(days=1)
HEALTHY = finding(Verdict.HEALTHY)
STALE = finding()
GONE, DESELECTED, EXCLUDED = Departure.GONE, Departure.DESELECTED, Departure.EXCLUDED


def left(*instances: Departed) -> InventoryRecord:
    """An inventory after which these have left the fleet."""
    return inventory(**departures(*instances))


def nobodys(*instances: UnauditedInstance, count: int = 0, new: int | None = None) -> Unaudited:
    """So many that nobody audits, these of them by name."""
    return Unaudited(
        count=count or len(instances),
        new=sum(one.is_new for one in instances) if new is None else new,
        by_offering={},
        instances=[*instances],
    )


def unaudited_by(*instances: UnauditedInstance, **counts: int) -> InventoryRecord:
    return inventory(unaudited=nobodys(*instances, **counts))


def digest(record: InventoryRecord | None, *findings: Finding, of: Any = None) -> Message:  # noqa: ANN401
    [message] = digests(stored(findings or [HEALTHY], inventory=record, of=of))
    return message


def lines_of(message: Message) -> list[str]:
    return message.text.splitlines()


def document(message: Message) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(bytes(message.document))
    return parsed


LOST = inventory(vanished=None, vanished_count=None, left=None, lost=312)
LOST_LINE = (
    "LOST ROLE? 312 instances disappeared from the inventory at once: check the roles of our "
    "client. They stay in the fleet."
)


def test_a_lost_role_is_said_before_anything_else() -> None:
    message = digest(LOST, STALE)

    assert lines_of(message)[:2] == [
        LOST_LINE,
        "Backup audit of test, run 20260131T050000Z (full)",
    ]
    assert message.subject == "[backup-audit] test: 312 instances disappeared at once, 1 problem"
    assert message.attributes["reason"] == ("lost_role",)
    assert document(message)["inventory"]["lost"] == 312


def test_a_lost_role_is_news_even_where_all_is_well() -> None:
    message = digest(LOST)

    assert message.attributes["severity"] == "warning"
    assert message.subject == "[backup-audit] test: 312 instances disappeared at once, 0 problems"


def test_every_part_of_a_digest_says_first_that_a_role_is_lost() -> None:
    long = [msgspec.structs.replace(finding(guid=g), reason="x" * 70_000) for g in ("a", "b")]

    messages = list(digests(stored(long, inventory=LOST)))

    assert len(messages) == 2
    for message in messages:
        assert message.text.startswith("LOST ROLE? 312 instances ")
        assert message.subject.startswith("[backup-audit] test: 312 instances disappeared at once,")
        assert message.attributes["reason"] == ("lost_role",)


def incomplete(record: InventoryRecord | None, why: str) -> StoredReport:
    report = stored([STALE], inventory=record)
    report.head = msgspec.structs.replace(report.head, complete=False, why_incomplete=why)
    return report


def test_a_run_that_is_incomplete_for_a_lost_role_says_so() -> None:
    report = incomplete(LOST, "312 of 400 instances disappeared at once")

    message, [other] = run_incomplete(report), digests(report)

    assert message.subject == (
        "[backup-audit] test: 312 instances disappeared at once, the audit is incomplete"
    )
    assert lines_of(message) == [
        LOST_LINE,
        (
            "The backup audit of test (run 20260131T050000Z) is incomplete: 1 of 1 were audited "
            "(100 %)."
        ),
        "Why: 312 of 400 instances disappeared at once.",
        f"Report: {report.address.uri}",
    ]
    assert document(message)["lost"] == 312
    assert "INCOMPLETE: 312 of 400 instances disappeared at once." in lines_of(other)


@pytest.mark.parametrize("record", [None, inventory()])
def test_where_no_role_is_lost_nothing_of_one_is_said(record: InventoryRecord | None) -> None:
    report = incomplete(record, "the run's time was over")

    message, [other] = run_incomplete(report), digests(report)

    assert message.subject == "[backup-audit] test: the audit is incomplete"
    assert lines_of(message)[0] == (
        "The backup audit of test (run 20260131T050000Z) did not reach every instance: "
        "1 of 1 were audited (100 %)."
    )
    assert document(message)["lost"] == 0
    assert "INCOMPLETE: not every instance was reached: the run's time was over." in lines_of(other)


NOWHERE: dict[str, Any] = dict.fromkeys(("org", "space", "offering", "plan"))
WHERE = "      prod-eu / payments · p.mysql db-gold-small"


def test_who_left_the_fleet_is_named_with_the_problem_that_was_open() -> None:
    record = left(
        departed("g-1", GONE, Verdict.STALE),
        departed("d-1", DESELECTED, name=None),
        departed("d-2", DESELECTED, None, owner="team-orders"),
        departed("e-1", EXCLUDED, **NOWHERE),
    )

    message = digest(msgspec.structs.replace(record, excluded=[exclude(59)]))

    assert lines_of(message)[3:-2] == [
        "Left the fleet: 4, with an open problem: 3.",
        "",
        "GONE (1): not in the foundation any more, and nothing selects them; 1 had a problem",
        "  orders (g-1)",
        WHERE,
        "      was stale since 2026-01-30 05:00 UTC",
        "",
        "NO LONGER SELECTED (2): nobody audits them any more; 1 had a problem",
        "  d-1",
        WHERE,
        "      was stale since 2026-01-30 05:00 UTC",
        "  orders (d-2) [team-orders]",
        WHERE,
        "",
        "EXCLUDED (1): nobody audits them any more; 1 had a problem",
        "  orders (e-1)",
        "      by exclude[1] (sre: torn down weekly), until 2026-03-31",
        "      was stale since 2026-01-30 05:00 UTC",
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 4 left the fleet"
    assert message.attributes["reason"] == ("left_fleet",)
    told = document(message)["inventory"]
    assert [one["guid"] for one in told["left"]] == ["e-1", "d-1", "g-1", "d-2"]
    assert told["left"][0]["how"] == "excluded"
    assert (told["left"][0]["place"], told["left"][0]["until"]) == ("exclude[1]", "2026-03-31")
    assert (told["left_count"], told["left_with_problem"]) == (4, 3)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-03-31", "      by label backup-audit.skip-until, until 2026-03-31"),
        (None, "      by label backup-audit.skip-until"),
    ],
)
def test_a_label_that_skips_an_instance_is_said_with_its_last_day(
    until: str | None, said: str
) -> None:
    one = departed("e-1", EXCLUDED, None, place="label backup-audit.skip-until", until=until)

    assert said in lines_of(digest(left(one)))


@pytest.mark.parametrize("how", [DESELECTED, EXCLUDED, GONE])
def test_who_left_the_fleet_without_a_problem_is_news_too(how: Departure) -> None:
    message = digest(left(*(departed(f"guid-{n}", how, verdict=None) for n in range(50))))

    assert message.subject == "[backup-audit] test: 0 problems, 50 left the fleet"
    assert message.attributes["severity"] == "warning"
    assert message.attributes["reason"] == ("left_fleet",)
    assert message.text.count("orders (guid-") == 50
    assert "had a problem" not in message.text


def test_who_was_told_to_be_gone_is_not_told_again() -> None:
    record = left(departed("g-1", GONE, Verdict.NOT_FOUND))

    assert record.vanished_count == 1
    assert list(digests(stored([HEALTHY], inventory=record))) == []
    assert list(fleet_digest(stored([HEALTHY], inventory=record))) == []
    message = digest(record, STALE)
    assert "g-1" not in message.body
    assert "eft the fleet" not in message.text
    assert message.subject == "[backup-audit] test: 1 problem"
    assert "reason" not in message.attributes


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [(verdict, verdict.severity) for verdict in Verdict if verdict.is_problem],
)
def test_a_departure_is_as_urgent_as_the_problem_that_left(
    verdict: Verdict, severity: Severity
) -> None:
    record = left(departed("d-1", DESELECTED, None), departed("d-2", EXCLUDED, verdict))

    assert digest(record).attributes["severity"] == severity
    assert digest(left(departed(verdict=None)), STALE).attributes["severity"] == "critical"
    unknown = finding(Verdict.UNKNOWN)
    assert digest(left(departed(verdict=None)), unknown).attributes["severity"] == "warning"


@pytest.mark.parametrize(("count", "named"), [(99, 99), (100, 100), (101, 100)])
def test_at_most_a_hundred_that_left_are_named_and_the_others_counted(
    count: int, named: int
) -> None:
    long = "n" * 40
    parts: dict[str, Any] = {"name": long, "owner": "team-orders", "space": "s" * 20}
    quiet = (departed(f"d-{n:034}", verdict=None, **parts) for n in range(count - 1))

    message = digest(left(*quiet, departed("last", **parts)))

    assert f"NO LONGER SELECTED ({count}): " in message.text
    assert message.text.count(" [team-orders]") == named
    assert f"  {long} (last) [team-orders]" in lines_of(message)
    assert len(document(message)["inventory"]["left"]) == named
    assert ("  and 1 more, in the report" in lines_of(message)) is (count > named)
    assert f", {count} left the fleet" in message.subject


def test_more_than_a_report_names_are_counted_all() -> None:
    many = [departed(f"d-{n:05}", verdict=None) for n in range(NAMED_MAX + 7)]

    message = digest(left(*many, departed("e-1", EXCLUDED, verdict=None)))

    assert message.subject == "[backup-audit] test: 0 problems, 5008 left the fleet"
    assert "  and 4907 more, in the report" in lines_of(message)
    assert document(message)["inventory"]["left_count"] == NAMED_MAX + 8


def test_a_kind_of_departure_of_which_none_is_named_is_counted() -> None:
    many = [departed(f"d-{n:03}") for n in range(100)]

    message = digest(left(*many, departed("e-1", EXCLUDED), departed("e-2", EXCLUDED)))

    assert lines_of(message)[-5:-2] == [
        "",
        "EXCLUDED (2): nobody audits them any more; 2 had a problem",
        "  and 2 more, in the report",
    ]


def test_a_new_unaudited_instance_is_named_with_its_place() -> None:
    message = digest(unaudited_by(unaudited("u-1"), unaudited("u-2", is_new=False), count=7))

    assert lines_of(message)[3:-2] == [
        "Nobody audits 7 instances that our client sees, 1 of them new.",
        "",
        "NEW AND UNAUDITED (1): nobody listed, discovered or excluded them",
        "  cache (u-1)",
        "      prod-eu / payments · p.mysql db-gold-small",
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 1 new and unaudited"
    assert message.attributes["reason"] == ("new_unaudited",)
    assert message.attributes["severity"] == "warning"
    told = document(message)["inventory"]
    assert [one["guid"] for one in told["new_unaudited"]] == ["u-1"]
    assert (told["unaudited_count"], told["new_unaudited_count"]) == (7, 1)


def test_an_instance_of_which_only_the_guid_is_known_is_named_by_it() -> None:
    nameless = unaudited("u-1", name=None, org=None, space=None, offering=None, plan=None)

    message = digest(unaudited_by(nameless))

    assert lines_of(message)[-3:-1] == ["  u-1", ""]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "Nobody audits 1 instance "), (1_234, "Nobody audits 1,234 instances ")]
)
def test_an_unaudited_count_that_has_not_grown_is_a_line_and_no_news(count: int, said: str) -> None:
    record = unaudited_by(unaudited("u-1", is_new=False), count=count)

    assert list(digests(stored([HEALTHY], inventory=record))) == []
    message = digest(record, STALE)
    assert f"{said}that our client sees." in lines_of(message)
    assert "u-1" not in message.body
    assert "reason" not in message.attributes


def test_where_nothing_is_unaudited_and_nobody_left_nothing_is_said() -> None:
    bare = digest(None, STALE)

    still = digest(unaudited_by(), STALE)

    assert still.text == bare.text
    assert still.attributes == bare.attributes
    assert document(bare)["inventory"] is None
    assert document(still)["inventory"] == {
        "read": "complete",
        "why": None,
        "lost": 0,
        "left_count": 0,
        "left_with_problem": 0,
        "left": [],
        "unaudited_count": 0,
        "new_unaudited_count": 0,
        "new_unaudited": [],
        "first_unaudited": {},
    }


def first(count: int, **by_offering: int) -> InventoryRecord:
    """The first inventory, by which nobody audits so many."""
    nobodys_own = Unaudited(
        count=count,
        new=0,
        by_offering=by_offering,
        instances=[unaudited("u-1", is_new=False)],
    )
    return inventory(appeared=None, vanished=None, left=None, unaudited=nobodys_own)


def test_the_first_inventory_says_by_offering_what_nobody_audits() -> None:
    message = digest(first(12, redis=7, mysql=5))

    assert lines_of(message)[3:-2] == [
        "Nobody audits 12 instances that our client sees.",
        "",
        (
            "UNAUDITED (12): nobody listed, discovered or excluded them; the report has their "
            "names, and this is said once"
        ),
        "  7 redis",
        "  5 mysql",
    ]
    assert message.subject == "[backup-audit] test: 0 problems, 12 unaudited"
    assert message.attributes["reason"] == ("first_unaudited",)
    assert message.attributes["severity"] == "warning"
    assert "u-1" not in message.body
    told = document(message)["inventory"]
    assert told["first_unaudited"] == {"redis": 7, "mysql": 5}
    assert (told["unaudited_count"], told["new_unaudited_count"]) == (12, 0)


def test_the_first_part_of_a_digest_alone_says_what_the_first_inventory_found() -> None:
    long = [msgspec.structs.replace(finding(guid=g), reason="x" * 70_000) for g in ("a", "b")]

    one, other = digests(stored(long, inventory=first(12, redis=12)))

    assert (one.attributes["reason"], "reason" in other.attributes) == (("first_unaudited",), False)
    assert ("UNAUDITED (12)" in one.text, "UNAUDITED (12)" in other.text) == (True, False)


def test_an_unchanged_count_after_the_first_inventory_is_no_news() -> None:
    record = msgspec.structs.replace(first(12, redis=12), appeared=0)

    assert list(digests(stored([HEALTHY], inventory=record))) == []


@pytest.mark.parametrize(
    "record", [first(0), msgspec.structs.replace(first(1, redis=1), read=Read.PARTIAL)]
)
def test_a_first_inventory_that_is_partial_or_misses_nothing_is_no_news(
    record: InventoryRecord,
) -> None:
    assert list(digests(stored([HEALTHY], inventory=record))) == []


@pytest.mark.parametrize(("offerings", "others"), [(9, 0), (10, 0), (11, 1)])
def test_of_the_first_inventory_ten_offerings_are_said(offerings: int, others: int) -> None:
    by_offering = {f"offering-{n:02}\n": 1 for n in range(offerings)}

    message = digest(first(offerings, **by_offering))

    assert message.text.count("  1 offering-") == min(offerings, 10)
    assert ("  1 of other offerings" in lines_of(message)) is bool(others)
    assert len(document(message)["inventory"]["first_unaudited"]) == min(offerings, 10)


def warned(report: StoredReport, *warnings: str) -> StoredReport:
    plan = msgspec.structs.replace(report.head.plan, warnings=warnings)
    report.head = msgspec.structs.replace(report.head, plan=plan)
    return report


def test_warnings_are_lines_of_digests_that_go_out_anyway() -> None:
    idle = 'rules[2] "gold": decides nothing: shadowed by rules[1]'

    [message] = digests(warned(stored([STALE], inventory=inventory()), idle, "a\nb"))

    assert lines_of(message)[3:6] == [f"Warning: {idle}", "Warning: a b", ""]
    assert document(message)["warnings"] == [idle, "a b"]
    assert document(message)["warnings_count"] == 2
    assert list(digests(warned(stored([HEALTHY]), idle))) == []
    [partial_run] = digests(warned(stored([STALE], of=run(Scope.PARTIAL)), idle))
    assert f"Warning: {idle}" in lines_of(partial_run)


@pytest.mark.parametrize("count", [9, 10, 11])
def test_at_most_ten_warnings_are_said_and_the_others_counted(count: int) -> None:
    many = [f"discover[{n}]: " + "x" * 400 for n in range(count)]

    [message] = digests(warned(stored([STALE]), *many))

    said = [line for line in lines_of(message) if line.startswith("Warning: ")]
    assert [line.partition(" ")[2] for line in said] == document(message)["warnings"]
    assert len(said) == min(count, 10)
    assert {len(line) for line in document(message)["warnings"]} == {300}
    more = "And 1 more warnings in the report."
    assert (more in lines_of(message)) is (count > 10)
    assert document(message)["warnings_count"] == count


def test_a_warning_that_the_fleets_lines_say_already_is_said_once() -> None:
    until = (NOW + DAY).date()
    chaos = Exclude(match=Selector(org="lab"), owner="sre", reason="x", until=until.isoformat())
    over = msgspec.structs.replace(chaos, until="2026-01-01")
    ends = doubts_about(Configuration(exclude=(chaos, over)), NOW.date())
    many = doubts_about(Configuration(exclude=(over,) * 99), NOW.date())
    unread = f"{NOT_READ} (failed: HTTP 503): the last fleet goes on"
    record = inventory(read=Read.FAILED, why="HTTP 503", excluded=[exclude(1)])

    [message] = digests(warned(stored([STALE], inventory=record), *ends, *many, unread))

    assert (len(ends), len(many)) == (2, 1)
    assert "Warning: " not in message.text
    assert document(message)["warnings"] == [*ends, *many, unread]
    [partial_run] = digests(
        warned(stored([STALE], inventory=record, of=run(Scope.PARTIAL)), unread)
    )
    assert f"Warning: {unread}" in lines_of(partial_run)


@pytest.mark.parametrize(("count", "named"), [(19, 19), (20, 20), (21, 20)])
def test_at_most_twenty_new_ones_are_named(count: int, named: int) -> None:
    message = digest(unaudited_by(*(unaudited(f"u-{n:02}") for n in range(count))))

    assert f"NEW AND UNAUDITED ({count}): " in message.text
    assert message.text.count("cache (u-") == named
    assert ("  and 1 more: 1 p.mysql" in lines_of(message)) is (count > named)


def test_the_other_new_ones_are_counted_by_offering_the_most_first() -> None:
    named = [unaudited(f"u-{n:02}") for n in range(20)]
    others = [
        unaudited("o-1", offering="redis"),
        unaudited("o-2", offering="my\nsql"),
        unaudited("o-3", offering="my\nsql"),
        unaudited("o-4", offering=None),
    ]

    message = digest(unaudited_by(*named, *others, count=30, new=26))

    assert lines_of(message)[-3] == (
        "  and 6 more: 2 my sql, 1 redis, 1 of an unknown offering, 2 of other offerings"
    )


@pytest.mark.parametrize(("offerings", "others"), [(9, 0), (10, 0), (11, 1)])
def test_the_offerings_that_are_counted_are_ten_at_most(offerings: int, others: int) -> None:
    named = [unaudited(f"u-{n:02}") for n in range(20)]
    more = [unaudited(f"o-{n:02}", offering=f"offering-{n:02}") for n in range(offerings)]

    line = lines_of(digest(unaudited_by(*named, *more)))[-3]

    assert line.count(" offering-") == min(offerings, 10)
    assert line.endswith(", 1 of other offerings") is bool(others)


@pytest.mark.parametrize(
    ("read", "why", "said"),
    [
        (
            Read.FAILED,
            "HTTP 503\nfrom a router",
            (
                "The inventory could not be read (HTTP 503 from a router), last read as a whole at "
                "2026-01-31 05:00 UTC: nobody knows what is unaudited."
            ),
        ),
        (
            Read.PARTIAL,
            "page 7: HTTP 503",
            (
                "The inventory was read in part only (page 7: HTTP 503), last read as a whole at "
                "2026-01-31 05:00 UTC: nobody knows what is unaudited."
            ),
        ),
        (
            Read.LISTED,
            None,
            "The inventory is not read, as configured: nobody knows what is unaudited.",
        ),
    ],
)
def test_it_is_said_where_nobody_knows_what_is_unaudited(
    read: Read, why: str | None, said: str
) -> None:
    record = inventory(
        read=read,
        why=why,
        read_at=NOW if why else None,
        vanished=None,
        vanished_count=None,
        left=None,
        unaudited=None,
    )

    message = digest(record, STALE)

    assert lines_of(message)[3] == said
    told = document(message)["inventory"]
    assert told["read"] == read
    assert [told["unaudited_count"], told["new_unaudited_count"]] == [None, None]
    assert [told["left_count"], told["left_with_problem"]] == [None, None]
    assert list(digests(stored([HEALTHY], inventory=record))) == []


def test_an_inventory_that_was_never_read_as_a_whole_says_so_by_saying_no_time() -> None:
    record = inventory(read=Read.FAILED, why="HTTP 503", read_at=None)

    assert lines_of(digest(record, STALE))[3] == (
        "The inventory could not be read (HTTP 503): nobody knows what is unaudited."
    )


def test_a_reason_as_long_as_a_page_is_cut() -> None:
    message = digest(inventory(read=Read.FAILED, why="x" * 300_000), STALE)

    assert message.size < 10_000
    assert f"({'x' * 254}…)" in message.text


def exclude(days: int | None, rule: str = "exclude[1]", **parts: Any) -> ExcludeUse:  # noqa: ANN401
    until = "never" if days is None else (NOW + days * DAY).date().isoformat()
    use = ExcludeUse(
        rule=rule,
        match={"org": "lab"},
        owner="sre",
        reason="torn down weekly",
        until=until,
        state=ExcludeState.ACTIVE,
        instances=12,
    )
    return msgspec.structs.replace(use, **parts)


SRE = "exclude[1] (sre: torn down weekly)"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-2, f"{SRE} ended on 2026-01-29, and takes out nothing any more."),
        (-1, f"{SRE} ended on 2026-01-30, and takes out nothing any more."),
        (0, f"{SRE} ends on 2026-01-31, and takes out 12 instances until then."),
        (1, f"{SRE} ends on 2026-02-01, and takes out 12 instances until then."),
        (6, f"{SRE} ends on 2026-02-06, and takes out 12 instances until then."),
        (7, f"{SRE} ends on 2026-02-07, and takes out 12 instances until then."),
        (8, None),
        (None, None),
    ],
)
def test_the_end_of_an_exclude_is_said_seven_days_before_and_from_then_on(
    days: int | None, said: str | None
) -> None:
    record = inventory(excluded=[exclude(days)])

    lines = lines_of(digest(record, STALE))

    assert [line for line in lines if "exclude[" in line] == ([said] if said else [])
    assert list(digests(stored([HEALTHY], inventory=record))) == []


def test_labels_that_exclude_have_each_their_own_end_and_none_is_said() -> None:
    labels = exclude(None, "label backup-audit.skip-until", until=None, owner=None, reason=None)

    assert "skip-until" not in digest(inventory(excluded=[labels]), STALE).text


def test_an_exclude_of_which_little_is_known_is_named_by_its_place() -> None:
    record = inventory(excluded=[exclude(0, owner=None, reason=None), exclude(1, reason=None)])

    assert lines_of(digest(record, STALE))[3:5] == [
        "exclude[1] ends on 2026-01-31, and takes out 12 instances until then.",
        "exclude[1] (sre) ends on 2026-02-01, and takes out 12 instances until then.",
    ]


@pytest.mark.parametrize("count", [9, 10, 11])
def test_at_most_ten_ends_are_said_the_first_of_all_first(count: int) -> None:
    ends = [exclude(-days, f"exclude[{days}]") for days in range(count)]

    lines = [
        line for line in lines_of(digest(inventory(excluded=ends), STALE)) if "exclude" in line
    ]

    assert [line.split()[0] for line in lines[:10]] == [
        f"exclude[{days}]" for days in reversed(range(count))
    ][:10]
    more = ["1 more excludes ended, or end within 7 days."] if count == 11 else []
    assert lines[10:] == more


@pytest.mark.parametrize("scope", [Scope.PARTIAL, Scope.WHAT_IF])
def test_a_run_that_is_not_a_full_one_says_nothing_of_the_fleet(scope: Scope) -> None:
    record = inventory(read=Read.LISTED, **departures(departed()), unaudited=nobodys(unaudited()))

    assert list(digests(stored([HEALTHY], of=run(scope), inventory=record))) == []
    message = digest(record, STALE, of=run(scope))
    assert message.text == digest(None, STALE, of=run(scope)).text
    assert document(message)["inventory"] is None


def test_names_are_in_the_first_part_only_and_figures_in_each() -> None:
    long = [msgspec.structs.replace(finding(guid=g), reason="x" * 70_000) for g in ("a", "b")]
    record = inventory(**departures(departed("d-1")), unaudited=nobodys(unaudited("u-1")))

    first, second = digests(stored(long, inventory=record))

    assert ("d-1" in first.text, "u-1" in first.text) == (True, True)
    assert first.attributes["reason"] == ("left_fleet", "new_unaudited")
    assert ("d-1" in second.body, "u-1" in second.body) == (False, False)
    assert "reason" not in second.attributes
    for message in (first, second):
        assert "Nobody audits 1 instance that our client sees, 1 of them new." in message.text
        assert "Left the fleet: 1, with an open problem: 1." in message.text
        assert ": 2 problems, 1 left the fleet, 1 new and unaudited (" in message.subject
    assert second.text.splitlines()[-2:] == ["", lines_of(first)[-1]]


def test_where_findings_have_messages_of_their_own_the_fleets_news_are_a_digest_without() -> None:
    record = unaudited_by(unaudited("u-1"))

    [message] = fleet_digest(stored([STALE], inventory=record))

    assert message.message_id == "test/20260131T050000Z/digest/1"
    assert "cache (u-1)" in message.text
    assert document(message)["findings"] == []
    assert "verdict" not in message.attributes
    assert message.attributes["severity"] == "warning"


@pytest.mark.parametrize("record", [None, inventory(), unaudited_by(unaudited(is_new=False))])
def test_where_nothing_is_new_of_the_fleet_there_is_no_such_digest(
    record: InventoryRecord | None,
) -> None:
    assert list(fleet_digest(stored([STALE], inventory=record))) == []


@pytest.mark.parametrize(
    ("mode", "events"),
    [
        (NotifyMode.DIGEST, ["run_incomplete", "digest"]),
        (NotifyMode.FINDING, ["run_incomplete", "digest", "finding"]),
    ],
)
def test_the_fleets_news_reach_people_in_each_mode(mode: NotifyMode, events: list[str]) -> None:
    report = stored([STALE], inventory=LOST)
    report.head = msgspec.structs.replace(report.head, complete=False, why_incomplete="lost")
    notifier = RecordingNotifier()

    assert notify(report, notifier, mode) == len(events)

    assert [message.attributes["event"] for message in notifier.messages] == events
    assert notify(report, notifier, mode) == 0


NASTY = (None, "", "a\r\n\x1b[2Jb", "\U0001f600" * 255, '"' * 255, "\x01" * 255, "\\" * 255)
MANY = [
    msgspec.structs.replace(HEALTHY, guid=f"guid-{n:04}", verdict=Verdict.STALE, reason="x" * 900)
    for n in range(400)
]


@pytest.mark.parametrize("count", [0, 1, 30, 5_000])
@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("problems", [[], MANY], ids=["well", "bad"])
def test_every_digest_fits_and_stays_on_its_lines_whatever_names_the_fleet_has(
    count: int, nasty: str | None, problems: list[Finding]
) -> None:
    place = dict.fromkeys(("name", "org", "space", "offering", "plan"), nasty)
    gone = departed("g" * 200, EXCLUDED, **place, owner="\U0001f600" * 200)
    nobodys_own = unaudited("u" * 200, **place)
    record = inventory(
        **departures(*[gone] * count),
        unaudited=nobodys(*[nobodys_own] * count),
        excluded=[exclude(0, owner="o" * 200, reason="r" * 200)] * count,
    )
    report = stored([HEALTHY, *problems], inventory=record)

    messages = list(digests(warned(report, *[(nasty or "") * 9] * count)))

    assert bool(messages) is bool(count or problems)
    for message in messages:
        assert message.size <= SIZE_MAX
        assert all(line.isprintable() for line in message.text.split("\n"))
        assert len(message.subject) < 100
    named = [one["guid"] for message in messages for one in document(message)["findings"]]
    assert named == [one.guid for one in problems]


def drifted(left_it: Departed, nobodys_own: UnauditedInstance) -> InventoryRecord:
    return inventory(**departures(left_it), unaudited=nobodys(nobodys_own))


names = st.none() | st.text(max_size=255)


@settings(max_examples=25)
@given(names, names, names, names, names)
def test_whatever_names_are_there_they_stay_on_their_lines(
    name: str | None,
    org: str | None,
    space: str | None,
    offering: str | None,
    plan: str | None,
) -> None:
    where: dict[str, Any] = {
        "name": name,
        "org": org,
        "space": space,
        "offering": offering,
        "plan": plan,
    }
    left_it, nobodys_own = departed(**where), unaudited(**where)

    lines = digest(drifted(left_it, nobodys_own)).text.split("\n")

    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if "  " in line.strip()]
    assert len(lines) <= len(digest(drifted(departed(), unaudited())).text.split("\n"))
